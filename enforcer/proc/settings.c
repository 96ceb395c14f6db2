#include "enforcer/proc/settings.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "enforcer/proc/private.h"
#include "enforcer/proc/say.h"
#include "enforcer/proc/settings_value.h"
#include "lang/base/file.h"
#include "lang/base/near.h"

#define FILE_BYTES_MAX 65536
#define TOKEN_LEAST 16
#define TOKEN_MOST 256

static const struct setting_row rows[] = {
#define SETTING(field, name, kind, fallback, about)                                               \
	{ name, offsetof(struct settings, field), KIND_##kind, fallback, about },
#include "enforcer/proc/setting.def"
#undef SETTING
};
#define ROWS (sizeof rows / sizeof *rows)

/* Where a setting got its text: a line of a file, a variable of the environment, or (all 0) a flag or its default. */
struct origin {
	const char *name;
	unsigned line;
};

struct reading {
	struct settings s;
	struct arena *arena;
	struct origin from[ROWS];
};

static void set(struct reading *rd, const struct setting_row *r, const char *text, struct origin from)
{
	*setting_at(&rd->s, r) = text;
	rd->from[r - rows] = from;
}

static const struct setting_row *row_find(const char *name, size_t len)
{
	for (size_t i = 0; i < ROWS; i++)
		if (strlen(rows[i].name) == len && !memcmp(rows[i].name, name, len))
			return &rows[i];
	return NULL;
}

/* "BEFORE `NAME`; did you mean `DASHESnear`?" */
static int no_row(const char *name, const char *before, const char *dashes, struct err *why)
{
	struct near n = near_to(name);

	for (size_t i = 0; i < ROWS; i++)
		near_try(&n, rows[i].name);
	if (n.best)
		return err_set(why, EINVAL, "%s `%s%.80s`; did you mean `%s%s`?", before, dashes, name, dashes, n.best);
	return err_set(why, EINVAL, "%s `%s%.80s`; `tegd --help` lists them", before, dashes, name);
}

/* ---- the file ----------------------------------------------------------------- */

static char *trimmed(char *from, char *to)
{
	while (from < to && isspace((unsigned char)*from))
		from++;
	while (to > from && isspace((unsigned char)to[-1]))
		to--;
	*to = '\0';
	return from;
}

/* A settings file that holds a password is nobody else's. */
static int check_private(const char *path, const struct setting_row *r, struct err *why)
{
	struct stat st;

	if (r->kind != KIND_URL || (!stat(path, &st) && !(st.st_mode & 077)))
		return 0;
	return err_set(why, EPERM, "%s may hold a password, and others may read the file: chmod 600", r->name);
}

/* A # is one's own unless a space is before it: what stands in a file name or a URL stays. */
static char *without_comment(char *line)
{
	for (char *c = line; (c = strchr(c, '#')); c++)
		if (c == line || isspace((unsigned char)c[-1])) {
			*c = '\0';
			break;
		}
	return line;
}

static int read_line(struct reading *rd, struct origin here, char *line, struct err *why)
{
	char *text = without_comment(line);

	text = trimmed(text, text + strlen(text));
	if (!*text)
		return 0;
	char *equals = strchr(text, '=');
	if (!equals)
		return err_set(why, EINVAL, "`%.*s` has no '='; a line is `name = value`", (int)strcspn(text, ":/@ "), text);
	char *value = trimmed(equals + 1, equals + 1 + strlen(equals + 1));
	char *name = trimmed(text, equals);
	const struct setting_row *r = row_find(name, strlen(name));
	if (!r)
		return no_row(name, "there is no setting", "", why);
	if (rd->from[r - rows].line)
		return err_set(why, EINVAL, "`%s` is set twice", r->name);
	set(rd, r, value, here);
	return check_private(here.name, r, why);
}

static int read_file(struct reading *rd, const char *path, struct err *why)
{
	own(buf) struct buf text = { 0 };
	struct origin here = { path, 0 };
	int rc = file_read(&text, path, FILE_BYTES_MAX, why);

	if (rc)
		return rc;
	if (memchr(buf_text(&text), '\0', text.len))
		return err_set(why, EINVAL, "%s is not a text", path);
	for (char *at = arena_strdup(rd->arena, buf_text(&text)), *next; at; at = next) {
		next = strchr(at, '\n');
		if (next)
			*next++ = '\0';
		here.line++;
		rc = read_line(rd, here, at, why);
		if (rc)
			return err_in(why, "%s:%u", path, here.line);
	}
	return 0;
}

/* ---- environment and flags ------------------------------------------------------- */

#define VARIABLE_ROOM 64

static const char *variable_of(char name[static VARIABLE_ROOM], const struct setting_row *r)
{
	size_t at = (size_t)snprintf(name, VARIABLE_ROOM, "TEGUMENTAR_");

	for (const char *c = r->name; *c; c++)
		name[at++] = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
	assert(at < VARIABLE_ROOM);
	name[at] = '\0';
	return name;
}

bool settings_is_secret(const char *variable)
{
	char name[VARIABLE_ROOM];

	for (size_t i = 0; i < ROWS; i++) {
		const size_t len = strlen(variable_of(name, &rows[i]));

		if (rows[i].kind == KIND_URL && !strncmp(variable, name, len) && variable[len] == '=')
			return true;
	}
	return false;
}

static void read_environment(struct reading *rd)
{
	for (size_t i = 0; i < ROWS; i++) {
		char name[VARIABLE_ROOM];
		const char *value = getenv(variable_of(name, &rows[i]));

		if (value)
			set(rd, &rows[i], value, (struct origin){ arena_strdup(rd->arena, name), 0 });
	}
}

void settings_say_strangers(void)
{
	static const char begin[] = "TEGUMENTAR_", config[] = "TEGUMENTAR_CONFIG";

	for (char **e = environ; *e; e++) {
		char names[ROWS][VARIABLE_ROOM], name[VARIABLE_ROOM];
		struct near n;
		bool known;

		if (strncmp(*e, begin, strlen(begin)))
			continue;
		snprintf(name, sizeof name, "%.*s", (int)strcspn(*e, "="), *e);
		n = near_to(name + strlen(begin));
		known = !strcmp(name, config);
		for (size_t i = 0; i < ROWS; i++) {
			variable_of(names[i], &rows[i]);
			known = known || !strcmp(name, names[i]);
			near_try(&n, names[i] + strlen(begin));
		}
		if (!known)
			say("%s in the environment is no setting%s%s%s", name, n.best ? "; did you mean TEGUMENTAR_" : "",
			    n.best ? n.best : "", n.best ? "?" : "");
	}
}

/* The value of `--name value` or `--name=value` when argv[*i] is that flag, else NULL. */
static const char *flag_value(const char *name, size_t len, int *i, int argc, char **argv)
{
	const char *flag = argv[*i];

	if (strncmp(flag, "--", 2) || strncmp(flag + 2, name, len))
		return NULL;
	if (flag[2 + len] == '=')
		return flag + 3 + len;
	if (flag[2 + len] || *i + 1 >= argc)
		return NULL;
	return argv[++*i];
}

static int read_role(struct settings *s, const char *name, struct err *why)
{
	for (unsigned r = 0; r < ROLE_COUNT; r++)
		if (!strcmp(name, role_name((enum role)r))) {
			s->role = (enum role)r;
			return 0;
		}
	return err_set(why, EINVAL, "there is no role `%.40s`", name);
}

static bool read_ask(struct settings *s, const char *flag)
{
	if (!strcmp(flag, "--check"))
		s->ask = ASK_CHECK;
	else if (!strcmp(flag, "--settings"))
		s->ask = ASK_SETTINGS;
	else if (!strcmp(flag, "--help"))
		s->ask = ASK_HELP;
	else if (!strcmp(flag, "--version"))
		s->ask = ASK_VERSION;
	else
		return !strcmp(flag, "--foreground"); /* which it always does; a supervisor may say so */
	return true;
}

static int unknown_flag(const char *flag, struct err *why)
{
	const char *name = flag + 2;

	if (strncmp(flag, "--", 2))
		return err_set(why, EINVAL, "`%.80s` is no flag; `tegd --help` lists them", flag);
	if (row_find(name, strlen(name)) || !strcmp(name, "config") || !strcmp(name, "role"))
		return err_set(why, EINVAL, "`%s` lacks its value", flag);
	return no_row(name, "there is no flag", "--", why);
}

static int read_flags(struct reading *rd, int argc, char **argv, struct err *why)
{
	for (int i = 1; i < argc; i++) {
		const char *value = NULL;
		size_t r = 0;

		if (read_ask(&rd->s, argv[i]))
			continue;
		if (flag_value("config", 6, &i, argc, argv))
			continue;
		value = flag_value("role", 4, &i, argc, argv);
		if (value) {
			int rc = read_role(&rd->s, value, why);
			if (rc)
				return rc;
			continue;
		}
		while (r < ROWS && !(value = flag_value(rows[r].name, strlen(rows[r].name), &i, argc, argv)))
			r++;
		if (r < ROWS && rows[r].kind == KIND_URL)
			return err_set(why, EINVAL, "%s: everyone can see a flag, and it may hold a password; set it in the "
				       "environment or the settings file", rows[r].name);
		if (r == ROWS)
			return unknown_flag(argv[i], why);
		set(rd, &rows[r], value, (struct origin){ 0 });
	}
	return 0;
}

static const char *config_path(int argc, char **argv, bool *named)
{
	const char *path = getenv("TEGUMENTAR_CONFIG");

	for (int i = 1; i < argc; i++) {
		const char *value = flag_value("config", 6, &i, argc, argv);
		if (value)
			path = value;
	}
	*named = path;
	return path ? path : SETTINGS_FILE;
}

static int in_origin(const struct origin *from, const char *name, struct err *why)
{
	if (!from->name)
		return err_in(why, "%s", name);
	return from->line ? err_in(why, "%s:%u: %s", from->name, from->line, name) : err_in(why, "%s", from->name);
}

static int read_values(struct reading *rd, struct err *why)
{
	for (size_t i = 0; i < ROWS; i++)
		if (setting_read(&rd->s, rd->arena, &rows[i], why))
			return in_origin(&rd->from[i], rows[i].name, why);
	return 0;
}

int settings_read(struct settings *out, struct arena *a, int argc, char **argv, struct err *why)
{
	struct reading rd = { .s = { .role = ROLE_WARDEN, .token = "" }, .arena = a };
	bool named;
	const char *path = config_path(argc, argv, &named);
	int rc = 0;

	for (size_t i = 0; i < ROWS; i++)
		*setting_at(&rd.s, &rows[i]) = rows[i].fallback;
	if (named || !access(path, F_OK))
		rc = read_file(&rd, path, why);
	if (rc)
		return rc;
	read_environment(&rd);
	rc = read_flags(&rd, argc, argv, why);
	if (!rc && rd.s.ask != ASK_HELP)
		rc = read_values(&rd, why);
	if (!rc)
		*out = rd.s;
	return rc;
}

/* ---- the token ----------------------------------------------------------------------- */

static bool is_token(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isgraph((unsigned char)text[i]))
			return false;
	return len >= TOKEN_LEAST && len <= TOKEN_MOST;
}

int settings_read_token(struct settings *s, struct arena *a, struct err *why)
{
	own(fd) int fd = -1;
	own(buf) struct buf text = { 0 };

	if (!*s->token_file)
		return 0;
	fd = private_open("the token file ", s->token_file, why);
	if (fd < 0)
		return fd;
	if (file_read_fd(&text, fd, TOKEN_MOST + 2, why))
		return err_in(why, "the token file %s", s->token_file);
	size_t len = text.len;
	if (len && buf_text(&text)[len - 1] == '\n')
		len--;
	if (!is_token(buf_text(&text), len))
		return err_set(why, EINVAL, "the token file %s must hold one line of %d to %d visible characters",
			       s->token_file, TOKEN_LEAST, TOKEN_MOST);
	s->token = arena_strndup(a, buf_text(&text), len);
	explicit_bzero(text.at, text.len);
	return 0;
}

void settings_print(FILE *out, const struct settings *s)
{
	for (size_t i = 0; i < ROWS; i++)
		fprintf(out, "%s = %s\n", rows[i].name, *(const char *const *)((const char *)s + rows[i].at));
}

void settings_help(FILE *out)
{
	for (size_t i = 0; i < ROWS; i++)
		fprintf(out, "  --%-17s %s%s%s%s\n", rows[i].name, rows[i].about, *rows[i].fallback ? " [" : "",
			rows[i].fallback, *rows[i].fallback ? "]" : "");
}
