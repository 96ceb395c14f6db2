/*
 * block - sources blocked for a time: who is, who shall be, who no longer.
 *
 *     tegctl block 198.51.100.7 203.0.113.0/24 2001:db8::/48 --for 2h --reason scans
 *     tegctl block --from bad.txt           a source a line; what follows a # or a space is not read
 *     tegctl unblock 198.51.100.7
 *     tegctl block                          lists them
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "enforcer/ctl/call.h"
#include "enforcer/ctl/lasts.h"
#include "enforcer/ctl/say.h"
#include "lang/base/arena.h"
#include "lang/base/file.h"
#include "lang/base/strmap.h"
#include "lang/vocab/source.h"

#define FILE_BYTES_MAX ((size_t)64 << 20) /* a million of the longest */
#define LASTS_MOST     (365ul * 24 * 3600) /* seconds, as the api takes */
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
	say_problem(c, "usage", buf_text(&what), "a source a line, 198.51.100.7, 203.0.113.0/24 or 2001:db8:1:2::/64; what follows a # or a space is not read");
	return EXIT_USAGE;
}

/* Whether it is an address is for tegd to say, which knows no lines; what cannot be one is told here, with its own. */
static enum exit_code read_lines(const struct ctl *c, struct arena *a, struct buf *text, struct sources *out)
{
	char *end = text->at + text->len, *from = text->at, *next;
	unsigned number = 1;

	if (text->len >= 3 && !memcmp(from, "\xef\xbb\xbf", 3)) /* a byte order mark */
		from += 3;
	for (char *line = from; line < end; line = next, number++) {
		next = memchr(line, '\n', (size_t)(end - line));
		next = next ? next : end;
		*next++ = '\0';
		bool whole = strlen(line) + 1 == (size_t)(next - line);

		line += strspn(line, " \t");
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

/* Each once, however it is written: what is no source is for tegd to refuse. */
static void keep_once(struct arena *a, struct sources *s)
{
	struct prefix *are = arena_zero(a, (s->at.len + 1) * sizeof *are);
	bool *again = arena_zero(a, s->at.len + 1);
	size_t kept = 0;

	for (size_t i = 0; i < s->at.len; i++)
		if (source_parse(s->at.at[i], &are[i]))
			are[i] = (struct prefix){ 0 };
	sources_again(again, are, s->at.len);
	for (size_t i = 0; i < s->at.len; i++)
		if (!again[i])
			s->at.at[kept++] = s->at.at[i];
	s->at.len = kept;
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

/* Where no policy is known, neither are blocks: none in the list says nothing. */
static enum exit_code add_unknown(const struct ctl *c, struct buf *out)
{
	own(call) struct call call = { .method = "GET", .path = "/api/tegumentar/status" };
	const enum exit_code rc = call_make(c, &call);

	if (rc)
		return rc;
	if (json_number(call.json, "generation"))
		buf_puts(out, "the kernel did not tell who is blocked; tegd's log says why\n");
	else
		buf_printf(out, "%s, so no blocks are known: tegctl apply FILE.tegb\n", json_unenforced(call.json));
	return EXIT_YES;
}

static enum exit_code show_blocks(const struct ctl *c)
{
	own(call) struct call call = { .method = "GET", .path = "/api/tegumentar/blocks" };
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf out = { 0 };
	enum exit_code rc;

	if (!call_for_words(c, &call, &rc))
		return rc;
	if (cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(call.json, "total")))
		rc = add_unknown(c, &out);
	else
		add_blocks(&out, a, call.json);
	return rc ? rc : say_out(&out);
}

/* ---- changes ------------------------------------------------------------------------- */

static char *body_of(const struct ctl *c, const char *const *sources, size_t count, unsigned long seconds)
{
	cJSON *body = cJSON_CreateObject();

	cJSON_AddItemToObject(body, "sources", cJSON_CreateStringArray(sources, (int)count));
	if (*c->reason)
		cJSON_AddStringToObject(body, "reason", c->reason);
	lasts_add(body, seconds);
	char *text = cJSON_PrintUnformatted(body);
	cJSON_Delete(body);
	return text;
}

/* What is to be told of sources that shall be blocked no longer: those that were not, and those that are by a network. Of others: who has no place. */
struct told {
	cJSON *missing, *still, *no_place;
};

static void told_own_(struct told *u)
{
	cJSON_Delete(u->missing);
	cJSON_Delete(u->still);
	cJSON_Delete(u->no_place);
}

static void take_list(cJSON *to, cJSON *answer, const char *name)
{
	cJSON *from = cJSON_GetObjectItemCaseSensitive(answer, name);

	while (cJSON_GetArraySize(from))
		cJSON_AddItemToArray(to, cJSON_DetachItemFromArray(from, 0));
}

/* Sources of a list that are asked for at once. */
struct part {
	const char **at;
	size_t count;
};

static const char *as_told(struct arena *a, const char *source)
{
	char text[ADDR_TEXT];
	struct prefix p;

	return source_parse(source, &p) ? source : arena_strdup(a, prefix_print(p, text));
}

/* False when none of them is in the part. */
static bool leave_out(struct part *p, const cJSON *no_place)
{
	own(arena) struct arena *a = arena_new();
	const size_t before = p->count;
	struct strmap out;
	const cJSON *i;

	strmap_init(&out, a);
	cJSON_ArrayForEach(i, no_place)
		if (cJSON_IsString(i))
			strmap_put(&out, i->valuestring, (void *)(uintptr_t)i);
	p->count = 0;
	for (size_t k = 0; k < before; k++)
		if (!strmap_find(&out, as_told(a, p->at[k])))
			p->at[p->count++] = p->at[k];
	return p->count < before;
}

static enum exit_code ask_for(const struct ctl *c, const char *path, struct part *p, unsigned long seconds, struct told *told, bool *again)
{
	own(mem) char *body = body_of(c, p->at, p->count, seconds);
	own(call) struct call call = { .method = "POST", .path = path, .type = "application/json", .body = body, .mended = "no_place" };
	enum exit_code rc = body ? call_make(c, &call) : EXIT_OURS;
	const cJSON *no_place = cJSON_GetObjectItemCaseSensitive(call.json, "no_place");

	*again = false;
	if (!rc) {
		take_list(told->missing, call.json, "not_blocked");
		take_list(told->still, call.json, "still_blocked");
	} else if (no_place) {
		if (!leave_out(p, no_place)) {
			say_problem(c, "not-understood", "tegd names sources without a place that it was not asked for", "are tegd and tegctl of one version?");
			return EXIT_OURS;
		}
		take_list(told->no_place, call.json, "no_place");
		*again = p->count;
		rc = EXIT_YES;
	}
	return rc;
}

/* All or none, but a refusal names those without a place: it is asked again without them. Others may take places meanwhile. */
static enum exit_code change_some(const struct ctl *c, const char *path, struct part p, unsigned long seconds, struct told *told)
{
	bool again = true;
	enum exit_code rc = EXIT_YES;

	while (!rc && again)
		rc = ask_for(c, path, &p, seconds, told, &again);
	return rc;
}

/* A request is whole or not at all, a long list is several. */
static void say_partly(const struct ctl *c, size_t done, size_t all, const char *what, bool some_without)
{
	own(buf) struct buf text = { 0 };

	buf_printf(&text, "the first %zu of %zu sources are %s%s, the others are as they were", done, all, what,
		   some_without ? ", but for those without a place" : "");
	say_problem(c, "partly", buf_text(&text), "once it is mended, give the whole list again");
}

#define NAMED_MOST 20 /* of those that were not blocked, or still are, in words */

static void add_missing(struct buf *out, const cJSON *missing)
{
	const int not_blocked = cJSON_GetArraySize(missing);
	int named = 0;
	const cJSON *i;

	if (!not_blocked)
		return;
	buf_printf(out, "%s not blocked before:", not_blocked > 1 ? "were" : "was");
	cJSON_ArrayForEach(i, missing)
		if (named++ < NAMED_MOST)
			buf_printf(out, " %s", cJSON_IsString(i) ? i->valuestring : "");
	buf_puts(out, not_blocked > NAMED_MOST ? " …\n" : "\n");
}

/* A source is in a network that is blocked: taking it back alone lets nothing in. */
static void add_still(struct buf *out, const cJSON *still)
{
	int named = 0;
	const cJSON *i;

	cJSON_ArrayForEach(i, still)
		if (named++ < NAMED_MOST)
			buf_printf(out, "%s is still blocked, by the network %s; to take back all of that: tegctl unblock %s\n", json_text(i, "source"),
				   json_text(i, "network"), json_text(i, "network"));
	if (named > NAMED_MOST)
		buf_printf(out, "and so are %d more\n", named - NAMED_MOST);
}

static void say_no_place(const struct ctl *c, const cJSON *no_place, size_t all)
{
	const int count = cJSON_GetArraySize(no_place);
	own(buf) struct buf text = { 0 };
	int named = 0;
	const cJSON *i;

	if (all == 1)
		buf_puts(&text, "it is not blocked, since no place is left:");
	else
		buf_printf(&text, "%d of %zu sources %s not blocked, since no place is left:", count, all, count == 1 ? "is" : "are");
	cJSON_ArrayForEach(i, no_place)
		if (named++ < NAMED_MOST)
			buf_printf(&text, " %s", i->valuestring);
	buf_puts(&text, count > NAMED_MOST ? " …" : "");
	say_problem(c, "no-place", buf_text(&text), "block networks instead of their hosts, or take others back: tegctl unblock");
}

static void add_words(struct buf *out, size_t count, const char *what, const struct told *told)
{
	const size_t still = (size_t)cJSON_GetArraySize(told->still), done = count > still ? count - still : 0;

	if (done || (!still && !cJSON_GetArraySize(told->no_place)))
		buf_printf(out, "%zu source%s %s\n", done, done == 1 ? " is" : "s are", what);
	add_missing(out, told->missing);
	add_still(out, told->still);
}

static void add_list(struct buf *out, const char *name, const cJSON *list)
{
	own(mem) char *text = cJSON_PrintUnformatted(list);

	buf_printf(out, ",\"%s\":%s", name, text ? text : "[]");
}

static void add_json(struct buf *out, size_t count, const char *what, bool blocks, const struct told *told)
{
	buf_printf(out, "{\"result\":\"%s\",\"sources\":%zu", what, count);
	if (blocks) {
		add_list(out, "no_place", told->no_place);
	} else {
		add_list(out, "not_blocked", told->missing);
		add_list(out, "still_blocked", told->still);
	}
	buf_puts(out, "}\n");
}

static enum exit_code change(const struct ctl *c, const char *path, unsigned long seconds, const char *what)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf out = { 0 };
	own(told) struct told told = { cJSON_CreateArray(), cJSON_CreateArray(), cJSON_CreateArray() };
	struct sources s = { 0 };
	size_t done = 0, without = 0;
	enum exit_code rc = read_sources(c, a, &s);

	if (!rc && !s.at.len) {
		say_problem(c, "usage", "which sources?", "tegctl block 198.51.100.7 --for 2h");
		return EXIT_USAGE;
	}
	keep_once(a, &s);
	for (size_t i = 0; !rc && i < s.at.len; i += AT_ONCE) {
		without = (size_t)cJSON_GetArraySize(told.no_place);
		rc = change_some(c, path, (struct part){ s.at.at + i, s.at.len - i < AT_ONCE ? s.at.len - i : AT_ONCE }, seconds, &told);
		done = rc ? i : s.at.len;
	}
	without = rc ? without : (size_t)cJSON_GetArraySize(told.no_place);
	if (!done)
		return rc;
	if (*c->json)
		add_json(&out, done - without, what, seconds, &told);
	else
		add_words(&out, done - without, what, &told);
	const enum exit_code said = say_out(&out);
	if (without)
		say_no_place(c, told.no_place, s.at.len);
	if (rc)
		say_partly(c, done, s.at.len, what, without);
	return rc ? rc : without ? EXIT_NO : said;
}

enum exit_code ctl_block(const struct ctl *c)
{
	const unsigned long seconds = *c->lasts ? lasts_read(c->lasts) : 3600;

	if (!c->argument_count && !*c->from)
		return show_blocks(c);
	if (seconds > LASTS_MOST) {
		say_problem(c, "usage", "a block lasts 365 days at most", "--for 365d; a `block` in the policy has no end");
		return EXIT_USAGE;
	}
	if (seconds)
		return change(c, "/api/tegumentar/blocks", seconds, "blocked");
	say_problem(c, "usage", "a time is seconds, minutes, hours or days", "--for 30s, --for 30m, --for 8h, --for 2d");
	return EXIT_USAGE;
}

enum exit_code ctl_unblock(const struct ctl *c)
{
	return change(c, "/api/tegumentar/blocks/remove", 0, "not blocked now"); /* one that was not before is no mistake */
}
