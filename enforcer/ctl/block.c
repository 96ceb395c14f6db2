/*
 * block - sources blocked for a time: who is, who shall be, who no longer.
 *
 *     tegctl block 198.51.100.7 2001:db8::/64 --for 2h --reason scans
 *     tegctl block --from bad.txt           a source a line; what follows a # or a space is not read
 *     tegctl unblock 198.51.100.7
 *     tegctl block                          lists them
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "enforcer/ctl/call.h"
#include "enforcer/ctl/minutes.h"
#include "enforcer/ctl/say.h"
#include "lang/base/arena.h"
#include "lang/base/file.h"

#define FILE_BYTES_MAX ((size_t)64 << 20) /* a million of the longest */
#define MINUTES_MOST   (365ul * 24 * 60) /* as the api takes */
#define AT_ONCE	       1000 /* sources a request: the api takes 2048, in 64 KiB */

struct sources {
	VEC(const char *) at;
};

static bool is_printable(const char *word)
{
	while (*word > ' ' && *word <= '~')
		word++;
	return !*word;
}

static enum exit_code no_source(const struct ctl *c, unsigned line, const char *word)
{
	own(buf) struct buf what = { 0 };

	buf_printf(&what, "%s:%u: ", strcmp(c->from, "-") ? c->from : "<stdin>", line);
	if (is_printable(word))
		buf_printf(&what, "`%.60s` is no source", word);
	else
		buf_puts(&what, "this is no text");
	say_problem(c, "usage", buf_text(&what), "a source a line, 198.51.100.7 or 2001:db8:1:2::/64; what follows a # or a space is not read");
	return EXIT_USAGE;
}

/* Whether it is an address is for tegd to say, which knows no lines; what cannot be one is told here, with its own. */
static enum exit_code read_lines(const struct ctl *c, struct arena *a, struct buf *text, struct sources *out)
{
	char *end = text->at + text->len, *next;
	unsigned number = 1;

	for (char *line = text->at; line < end; line = next, number++) {
		next = memchr(line, '\n', (size_t)(end - line));
		next = next ? next : end;
		*next++ = '\0';
		bool whole = strlen(line) + 1 == (size_t)(next - line);

		line[strcspn(line, "# \t\r")] = '\0';
		if (!whole || line[strspn(line, "0123456789abcdefABCDEF.:/")])
			return no_source(c, number, whole ? line : "\177");
		if (*line)
			vec_push(a, &out->at, arena_strdup(a, line));
	}
	return EXIT_YES;
}

static enum exit_code read_sources(const struct ctl *c, struct arena *a, struct sources *out)
{
	own(buf) struct buf text = { 0 };
	struct err why;
	int rc = 0;

	for (int i = 0; i < c->argument_count; i++)
		vec_push(a, &out->at, c->arguments[i]);
	if (!*c->from)
		return EXIT_YES;
	rc = strcmp(c->from, "-") ? file_read(&text, c->from, FILE_BYTES_MAX, &why) :
				    file_read_fd(&text, STDIN_FILENO, FILE_BYTES_MAX, &why);
	if (rc) {
		say_problem(c, "no-input", why.text, "name a file with a source a line, or - for standard input");
		return EXIT_INPUT;
	}
	return read_lines(c, a, &text, out);
}

/* ---- the list ---------------------------------------------------------------------- */

static void add_blocks(struct buf *out, struct arena *a, const cJSON *answer)
{
	static const char *const heading[] = { "source", "until", "by" };
	const double total = json_number(answer, "total");
	VEC(const char *) cells = { 0 };
	const cJSON *i;

	for (size_t k = 0; k < 3; k++)
		vec_push(a, &cells, heading[k]);
	cJSON_ArrayForEach(i, cJSON_GetObjectItemCaseSensitive(answer, "blocks"))
		for (size_t k = 0; k < 3; k++)
			vec_push(a, &cells, json_text(i, heading[k]));
	if (cells.len > 3)
		say_table(out, cells.at, 3, cells.len / 3);
	buf_printf(out, "%.0f %s blocked\n", total, total == 1 ? "source is" : "sources are");
}

/* ---- changes ------------------------------------------------------------------------- */

static char *body_of(const struct ctl *c, const char *const *sources, size_t count, unsigned long minutes)
{
	cJSON *body = cJSON_CreateObject();

	cJSON_AddItemToObject(body, "sources", cJSON_CreateStringArray(sources, (int)count));
	if (*c->reason)
		cJSON_AddStringToObject(body, "reason", c->reason);
	if (minutes)
		cJSON_AddNumberToObject(body, "duration_minutes", (double)minutes);
	char *text = cJSON_PrintUnformatted(body);
	cJSON_Delete(body);
	return text;
}

/* Those that were not blocked, and shall be no longer, are added to `missing`. */
static enum exit_code change_some(const struct ctl *c, const char *path, const char *const *sources, size_t count,
				  unsigned long minutes, cJSON *missing)
{
	own(mem) char *body = body_of(c, sources, count, minutes);
	own(call) struct call call = { .method = "POST", .path = path, .type = "application/json", .body = body };
	enum exit_code rc = body ? call_make(c, &call) : EXIT_OURS;
	const cJSON *i;

	if (!rc)
		cJSON_ArrayForEach(i, cJSON_GetObjectItemCaseSensitive(call.json, "not_blocked"))
			cJSON_AddItemToArray(missing, cJSON_CreateString(cJSON_IsString(i) ? i->valuestring : ""));
	return rc;
}

/* A request is whole or not at all, a long list is several. */
static void say_partly(const struct ctl *c, size_t done, size_t all, const char *what)
{
	own(buf) struct buf text = { 0 };

	buf_printf(&text, "the first %zu of %zu sources are %s, the others are as they were", done, all, what);
	say_problem(c, "partly", buf_text(&text), "once it is mended, give the whole list again");
}

static void json_own_(cJSON **held)
{
	cJSON_Delete(*held);
}

#define NAMED_MOST 20 /* of those that were not blocked, in words */

static void add_words(struct buf *out, size_t count, const char *what, const cJSON *missing)
{
	const int not_blocked = cJSON_GetArraySize(missing);
	int named = 0;
	const cJSON *i;

	buf_printf(out, "%zu source%s %s\n", count, count > 1 ? "s are" : " is", what);
	if (!not_blocked)
		return;
	buf_printf(out, "%s not blocked before:", not_blocked > 1 ? "were" : "was");
	cJSON_ArrayForEach(i, missing)
		if (named++ < NAMED_MOST)
			buf_printf(out, " %s", i->valuestring);
	buf_puts(out, not_blocked > NAMED_MOST ? " …\n" : "\n");
}

static void add_json(struct buf *out, size_t count, const char *what, const cJSON *missing)
{
	own(mem) char *list = missing ? cJSON_PrintUnformatted(missing) : NULL;

	buf_printf(out, "{\"result\":\"%s\",\"sources\":%zu%s%s}\n", what, count, list ? ",\"not_blocked\":" : "", list ? list : "");
}

static enum exit_code change(const struct ctl *c, const char *path, unsigned long minutes, const char *what)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf out = { 0 };
	own(json) cJSON *missing = cJSON_CreateArray();
	struct sources s = { 0 };
	size_t done = 0;
	enum exit_code rc = read_sources(c, a, &s);

	if (!rc && !s.at.len) {
		say_problem(c, "usage", "which sources?", "tegctl block 198.51.100.7 --for 2h");
		return EXIT_USAGE;
	}
	for (size_t i = 0; !rc && i < s.at.len; i += AT_ONCE) {
		rc = change_some(c, path, s.at.at + i, s.at.len - i < AT_ONCE ? s.at.len - i : AT_ONCE, minutes, missing);
		done = rc ? i : s.at.len;
	}
	if (!done)
		return rc;
	if (*c->json)
		add_json(&out, done, what, minutes ? NULL : missing);
	else
		add_words(&out, done, what, missing);
	const enum exit_code said = say_out(&out);
	if (rc)
		say_partly(c, done, s.at.len, what);
	return rc ? rc : said;
}

enum exit_code ctl_block(const struct ctl *c)
{
	const unsigned long minutes = *c->lasts ? minutes_read(c->lasts) : 60;

	if (!c->argument_count && !*c->from)
		return call_show(c, "/api/tegumentar/blocks", add_blocks);
	if (minutes > MINUTES_MOST) {
		say_problem(c, "usage", "a block lasts 365 days at most", "--for 365d; a `block` in the policy has no end");
		return EXIT_USAGE;
	}
	if (minutes)
		return change(c, "/api/tegumentar/blocks", minutes, "blocked");
	say_problem(c, "usage", "a time is minutes, hours or days", "--for 30m, --for 8h, --for 2d");
	return EXIT_USAGE;
}

enum exit_code ctl_unblock(const struct ctl *c)
{
	return change(c, "/api/tegumentar/blocks/remove", 0, "not blocked now"); /* one that was not before is no mistake */
}
