#include "enforcer/proc/settings.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "enforcer/proc/say.h"
#include "lang/base/file.h"
#include "lang/base/near.h"

#define FILE_BYTES_MAX 65536
#define TOKEN_LEAST 16
#define TOKEN_MOST 256

enum kind { KIND_PATH, KIND_FILE, KIND_ENGINE, KIND_LISTEN, KIND_NAME, KIND_SWITCH, KIND_LIST, KIND_ROLE, KIND_KEY, KIND_CA, KIND_CERTS, KIND_CERT_ROLE, KIND_ROOM, KIND_FILES,
	    KIND_COUNT, KIND_URL, KIND_DRIFT, KIND_PERIOD };

static const struct row {
	const char *name;
	size_t at; /* of the field in struct settings */
	enum kind kind;
	const char *fallback;
	const char *about;
} rows[] = {
#define SETTING(field, name, kind, fallback, about)                                               \
	{ name, offsetof(struct settings, field), KIND_##kind, fallback, about },
#include "enforcer/proc/setting.def"
#undef SETTING
};
#define ROWS (sizeof rows / sizeof *rows)

static const char **value_of(struct settings *s, const struct row *r)
{
	return (const char **)((char *)s + r->at);
}

static const struct row *row_find(const char *name, size_t len)
{
	for (size_t i = 0; i < ROWS; i++)
		if (strlen(rows[i].name) == len && !memcmp(rows[i].name, name, len))
			return &rows[i];
	return NULL;
}

const char *engine_name(enum engine e)
{
	static const char *const names[ENGINE_COUNT] = {
		[ENGINE_AUTO] = "auto", [ENGINE_NATIVE] = "native",
		[ENGINE_GENERIC] = "generic", [ENGINE_TC] = "tc", [ENGINE_NFT] = "nft",
	};

	return names[e];
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
static int check_private(const char *path, const struct row *r, struct err *why)
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

static int read_line(struct settings *s, bool seen[static ROWS], const char *path, char *line, struct err *why)
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
	const struct row *r = row_find(name, strlen(name));
	if (!r)
		return err_set(why, EINVAL, "there is no setting `%.80s`; `tegd --help` lists them", name);
	if (seen[r - rows])
		return err_set(why, EINVAL, "`%s` is set twice", r->name);
	seen[r - rows] = true;
	*value_of(s, r) = value;
	return check_private(path, r, why);
}

static int read_file(struct settings *s, struct arena *a, const char *path, struct err *why)
{
	own(buf) struct buf text = { 0 };
	bool seen[ROWS] = { 0 };
	unsigned number = 0;
	int rc = file_read(&text, path, FILE_BYTES_MAX, why);

	if (rc)
		return rc;
	if (memchr(buf_text(&text), '\0', text.len))
		return err_set(why, EINVAL, "%s is not a text", path);
	for (char *at = arena_strdup(a, buf_text(&text)), *next; at; at = next) {
		next = strchr(at, '\n');
		if (next)
			*next++ = '\0';
		number++;
		rc = read_line(s, seen, path, at, why);
		if (rc)
			return err_in(why, "%s:%u", path, number);
	}
	return 0;
}

/* ---- environment and flags ------------------------------------------------------- */

#define VARIABLE_ROOM 64

static const char *variable_of(char name[static VARIABLE_ROOM], const struct row *r)
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

static void read_environment(struct settings *s)
{
	for (size_t i = 0; i < ROWS; i++) {
		char name[VARIABLE_ROOM];
		const char *value = getenv(variable_of(name, &rows[i]));

		if (value)
			*value_of(s, &rows[i]) = value;
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
			known = known || !strcmp(name, variable_of(names[i], &rows[i]));
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

static int read_flags(struct settings *s, int argc, char **argv, struct err *why)
{
	for (int i = 1; i < argc; i++) {
		const char *value = NULL;
		size_t r = 0;

		if (read_ask(s, argv[i]))
			continue;
		if (flag_value("config", 6, &i, argc, argv))
			continue;
		value = flag_value("role", 4, &i, argc, argv);
		if (value) {
			int rc = read_role(s, value, why);
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
			return err_set(why, EINVAL, "`%.80s` is no flag, or lacks its value; `tegd --help` "
				       "lists them", argv[i]);
		*value_of(s, &rows[r]) = value;
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

/* ---- what values may be ------------------------------------------------------------ */

static int read_engine(struct settings *s, const char *name, struct err *why)
{
	for (unsigned e = 0; e < ENGINE_COUNT; e++)
		if (!strcmp(name, engine_name((enum engine)e))) {
			s->judge = (enum engine)e;
			return 0;
		}
	return err_set(why, EINVAL, "`%.40s` is no engine; there are auto, native, generic, tc and nft", name);
}

static bool is_loopback(const struct in6_addr *a)
{
	return IN6_IS_ADDR_LOOPBACK(a) || (IN6_IS_ADDR_V4MAPPED(a) && a->s6_addr[12] == 127);
}

/* "127.0.0.1:8443" or "[::1]:8443". */
static int read_listen(struct settings *s, const char *text, struct err *why)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6 };
	const char *colon = strrchr(text, ':');
	char host[64] = "::ffff:", *end;
	bool bracketed = *text == '[';

	if (!*text)
		return 0;
	size_t len = colon ? (size_t)(colon - text) : 0;
	if (!colon || len < 2 || len > 50 || (bracketed && text[len - 1] != ']'))
		return err_set(why, EINVAL, "`%.60s` is no address and port, as 127.0.0.1:8765", text);
	snprintf(host, sizeof host, "%s%.*s", bracketed ? "" : "::ffff:", (int)(bracketed ? len - 2 : len),
		 bracketed ? text + 1 : text);
	unsigned long port = strtoul(colon + 1, &end, 10);
	if (!isdigit((unsigned char)colon[1]) || *end || !port || port > 65535 ||
	    inet_pton(AF_INET6, host, &to.sin6_addr) != 1)
		return err_set(why, EINVAL, "`%.60s` is no address and port, as 127.0.0.1:8765", text);
	if (!is_loopback(&to.sin6_addr) && !*s->tls_cert)
		return err_set(why, EINVAL, "`%.60s` is not on loopback, and there is no encryption; name a certificate with "
			       "tls-cert and tls-key", text);
	if (!*s->token_file && !*s->tokens && !*s->client_certs && !strcmp(s->client_cert_role, "none"))
		return err_set(why, EINVAL, "the API over TCP needs a token; name its file with token-file, or tokens; "
			       "or who may with client-certs");
	to.sin6_port = htons((uint16_t)port);
	s->tcp = to;
	return 0;
}

/* All switches are about which bundles are taken. */
static int read_switch(struct settings *s, const char *value, struct err *why)
{
	if (strcmp(value, "yes") && strcmp(value, "no"))
		return err_set(why, EINVAL, "`%.40s` is neither yes nor no", value);
	s->signed_only = !strcmp(s->require_signature, "yes");
	s->unproved_too = !strcmp(s->require_proofs, "no");
	if (s->signed_only && !*s->trusted_keys)
		return err_set(why, EINVAL, "no signature could be trusted; name the keys with trusted-keys");
	return 0;
}

static int read_path(const char *path, struct err *why)
{
	return strlen(path) > 4000 ? err_set(why, EINVAL, "the path is too long") : 0;
}

static int read_tls(struct settings *s, const char *value, bool is_key, struct err *why)
{
	if (is_key && !*value != !*s->tls_cert)
		return err_set(why, EINVAL, "tls-cert and tls-key are named together or not at all");
	if (!is_key && *value && !*s->tls_cert)
		return err_set(why, EINVAL, "certificates of clients need TLS; name tls-cert and tls-key too");
	return read_path(value, why);
}

static bool is_role(const char *value)
{
	return !strcmp(value, "viewer") || !strcmp(value, "operator") || !strcmp(value, "policy-admin");
}

/* Without a CA of theirs, what stands in the certificates of clients is what they wrote. */
static int read_certs(const struct settings *s, const char *value, struct err *why)
{
	if (*value && !*s->client_ca)
		return err_set(why, EINVAL, "certificates that nobody checks say nothing; name their CA with client-ca");
	return read_path(value, why);
}

static int read_cert_role(const struct settings *s, const char *value, struct err *why)
{
	const bool none = !strcmp(value, "none");

	if (!none && !is_role(value))
		return err_set(why, EINVAL, "`%.40s` is no role; there are none, viewer, operator and policy-admin", value);
	return read_certs(s, none ? "" : value, why);
}

#define RATE_MOST 1000000

static int read_rate(struct settings *s, const char *value, struct err *why)
{
	const size_t digits = strspn(value, "0123456789");

	s->rate = (unsigned)strtoul(value, NULL, 10);
	if (!digits || value[digits] || digits > 7 || s->rate > RATE_MOST)
		return err_set(why, EINVAL, "`%.40s` is no number from 0 to %d", value, RATE_MOST);
	return 0;
}

/* A number from least to most, or 0. */
static int read_count(unsigned *out, const char *value, unsigned least, unsigned most, struct err *why)
{
	const size_t digits = strspn(value, "0123456789");
	const unsigned long is = strtoul(value, NULL, 10);

	if (!digits || value[digits] || digits > 10 || is > most || (is && is < least))
		return err_set(why, EINVAL, "`%.40s` is neither 0 nor a number from %u to %u", value, least, most);
	*out = (unsigned)is;
	return 0;
}

static int read_drift(struct settings *s, const char *value, struct err *why)
{
	s->repairs = !strcmp(value, "repair");
	if (s->repairs || !strcmp(value, "report"))
		return 0;
	return err_set(why, EINVAL, "`%.40s` is neither repair nor report", value);
}

#define PERIOD_MOST 86400

static int read_period(struct settings *s, const char *value, struct err *why)
{
	const size_t digits = strspn(value, "0123456789");

	s->drift_seconds = (unsigned)strtoul(value, NULL, 10);
	if (!digits || value[digits] || digits > 5 || s->drift_seconds > PERIOD_MOST)
		return err_set(why, EINVAL, "`%.40s` is no number of seconds from 0 to %d", value, PERIOD_MOST);
	return 0;
}

static int scheme_holds(bool is_database, const char *scheme, struct err *why)
{
	static const char *const schemes[2][2] = { { "redis", "rediss" }, { "postgresql", "postgres" } };
	const char *const *may = schemes[is_database];

	if (!strcmp(scheme, may[0]) || !strcmp(scheme, may[1]))
		return 0;
	return err_set(why, EINVAL, "it begins with another scheme than %s:// or %s://", may[0], may[1]);
}

/* The text is no longer needed once it is read, and this process may not be the one that needs it. */
static int read_url(struct settings *s, struct arena *a, const struct row *r, struct err *why)
{
	const bool is_database = r->at == offsetof(struct settings, database_url);
	struct url *to = is_database ? &s->database : &s->redis;
	const char **value = value_of(s, r);
	int rc = **value ? url_parse(to, a, *value, why) : 0;

	if (rc || !to->scheme)
		return rc;
	rc = scheme_holds(is_database, to->scheme, why);
	if (rc)
		return rc;
	*value = url_redacted(a, to);
	if (s->role != ROLE_WARDEN) {
		explicit_bzero((char *)(uintptr_t)to->password, strlen(to->password));
		explicit_bzero((char *)(uintptr_t)to->query, strlen(to->query));
	}
	return 0;
}

static int value_holds(struct settings *s, struct arena *a, const struct row *r, struct err *why)
{
	const char *value = *value_of(s, r);

	switch (r->kind) {
	case KIND_PATH:
		if (*value != '/' || strlen(value) > 200)
			return err_set(why, EINVAL, "`%.60s` is no absolute path of at most 200 bytes", value);
		return 0;
	case KIND_FILE:
		return read_path(value, why);
	case KIND_KEY:
		return read_tls(s, value, true, why);
	case KIND_CA:
		return read_tls(s, value, false, why);
	case KIND_CERTS:
		return read_certs(s, value, why);
	case KIND_CERT_ROLE:
		return read_cert_role(s, value, why);
	case KIND_COUNT:
		return read_rate(s, value, why);
	case KIND_DRIFT:
		return read_drift(s, value, why);
	case KIND_PERIOD:
		return read_period(s, value, why);
	case KIND_ROOM:
		return read_count(&s->audit_room, value, 4096, 1000000000, why);
	case KIND_FILES:
		return read_count(&s->audit_kept, value, 1, 10000, why);
	case KIND_URL:
		return read_url(s, a, r, why);
	case KIND_NAME:
		if (strlen(value) > 32)
			return err_set(why, EINVAL, "`%.60s` is too long for a name", value);
		return 0;
	case KIND_ENGINE:
		return read_engine(s, value, why);
	case KIND_LISTEN:
		return read_listen(s, value, why);
	case KIND_SWITCH:
		return read_switch(s, value, why);
	case KIND_LIST:
		if (strlen(value) > 4000)
			return err_set(why, EINVAL, "the list is too long");
		return 0;
	case KIND_ROLE:
		if (!is_role(value))
			return err_set(why, EINVAL, "`%.40s` is no role; there are viewer, operator and policy-admin",
				       value);
		return 0;
	}
	return 0;
}

int settings_read(struct settings *out, struct arena *a, int argc, char **argv, struct err *why)
{
	struct settings s = { .role = ROLE_WARDEN, .token = "" };
	bool named;
	const char *path = config_path(argc, argv, &named);
	int rc = 0;

	for (size_t i = 0; i < ROWS; i++)
		*value_of(&s, &rows[i]) = rows[i].fallback;
	if (named || !access(path, F_OK))
		rc = read_file(&s, a, path, why);
	if (rc)
		return rc;
	read_environment(&s);
	rc = read_flags(&s, argc, argv, why);
	for (size_t i = 0; !rc && s.ask != ASK_HELP && i < ROWS; i++) {
		rc = value_holds(&s, a, &rows[i], why);
		if (rc)
			err_in(why, "%s", rows[i].name);
	}
	if (!rc)
		*out = s;
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
	struct stat st;

	if (!*s->token_file)
		return 0;
	fd = open(s->token_file, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		return err_sys(why, "cannot open the token file %s", s->token_file);
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_mode & 077)
		return err_set(why, EPERM, "the token file %s must be a file that only its owner may read, and its "
			       "owner who starts tegd: chmod 600", s->token_file);
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
