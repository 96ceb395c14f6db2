/*
 * audit - who changed what, and whether the log that says so is whole.
 *
 *     tegctl audit                                     the last entries
 *     tegctl audit verify                              each entry follows from the one before
 *     tegctl audit verify FILE --head 42-ab12…         and one that was seen before is still in it
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "enforcer/ctl/call.h"
#include "enforcer/ctl/say.h"
#include "lang/base/arena.h"
#include "lang/base/chain.h"
#include "lang/base/file.h"

#define LOG_BYTES_MAX ((size_t)1 << 30)
#define LAST_MOST     1000000

static enum exit_code read_log(const struct ctl *c, struct buf *out, const char *path)
{
	own(call) struct call call = { .method = "GET", .path = "/api/tegumentar/audit" };
	struct err why;
	enum exit_code rc;

	if (path && !file_read(out, path, LOG_BYTES_MAX, &why))
		return EXIT_YES;
	if (path) {
		say_problem(c, "no-input", why.text, "name an audit log, or none for that of tegd");
		return EXIT_INPUT;
	}
	rc = call_make(c, &call);
	if (!rc)
		buf_add(out, buf_text(&call.text), call.text.len);
	return rc;
}

/* ---- verify -------------------------------------------------------------------------- */

static bool head_is(const struct chain *at, const char *head)
{
	own(buf) struct buf is = { 0 };

	buf_printf(&is, "%" PRIu64 "-%s", at->seq, at->hash);
	return !strcmp(buf_text(&is), head);
}

/* Along the whole log; *seen when the head was met. */
static int follow(const struct buf *log, const char *head, struct chain *at, bool *seen, struct err *why)
{
	const char *line = buf_text(log), *end = line + log->len, *next;

	*at = (struct chain)CHAIN_BEGIN;
	*seen = !*head;
	for (unsigned number = 1; line < end; line = next + 1, number++) {
		next = memchr(line, '\n', (size_t)(end - line));
		if (!next)
			return err_set(why, EBADMSG, "line %u has no end", number);
		if (chain_follow(at, line, (size_t)(next - line), why))
			return err_in(why, "line %u", number);
		*seen = *seen || head_is(at, head);
	}
	return 0;
}

static enum exit_code say_whole(const struct ctl *c, const struct chain *at)
{
	own(buf) struct buf out = { 0 };

	if (*c->json)
		buf_printf(&out, "{\"whole\":true,\"entries\":%" PRIu64 ",\"head\":\"%" PRIu64 "-%s\"}\n", at->seq, at->seq, at->hash);
	else
		buf_printf(&out, "%" PRIu64 " entries, each follows from the one before\nhead %" PRIu64 "-%s\n", at->seq, at->seq,
			   at->hash);
	return say_out(&out);
}

static enum exit_code verify(const struct ctl *c, const char *path)
{
	own(buf) struct buf log = { 0 }, detail = { 0 };
	enum exit_code rc = read_log(c, &log, path);
	struct err why = { 0 };
	struct chain at;
	bool seen;

	if (rc)
		return rc;
	if (follow(&log, c->head, &at, &seen, &why))
		buf_printf(&detail, "the audit log was altered: %s", why.text);
	else if (!seen)
		buf_printf(&detail, "the audit log was cut short or replaced: its end is %" PRIu64 "-%.12s…, and %.40s… is not in it",
			   at.seq, at.hash, c->head);
	if (!detail.len)
		return say_whole(c, &at);
	say_problem(c, "altered", buf_text(&detail), "compare it with a copy; believe nothing from that entry on");
	return EXIT_NO;
}

/* ---- the last entries ------------------------------------------------------------------- */

static const char *from_last(const struct buf *log, unsigned long count)
{
	const char *text = buf_text(log), *at = text + log->len;

	if (at > text)
		at--; /* the last line's newline */
	while (at > text && (at[-1] != '\n' || --count))
		at--;
	return at;
}

static void add_cells(struct arena *a, const cJSON *e, const char *cells[static 6])
{
	const char *detail = json_text(e, "detail"), *from = json_text(e, "from");

	cells[0] = arena_printf(a, "%.0f", json_number(e, "seq"));
	cells[1] = arena_strdup(a, json_text(e, "time"));
	cells[2] = arena_printf(a, "%s%s%s", json_text(e, "who"), *from ? " from " : "", from);
	cells[3] = arena_strdup(a, json_text(e, "what"));
	cells[4] = arena_strdup(a, json_text(e, "result"));
	cells[5] = arena_printf(a, "%s%s%s", json_text(e, "summary"), *detail ? "; " : "", detail);
}

static enum exit_code say_table_of(const char *lines)
{
	static const char *const heading[6] = { "#", "time", "who", "what", "result", "" };
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf out = { 0 };
	VEC(const char *) cells = { 0 };

	for (size_t i = 0; i < 6; i++)
		vec_push(a, &cells, heading[i]);
	for (const char *end; (end = strchr(lines, '\n')); lines = end + 1) {
		cJSON *entry = cJSON_ParseWithLength(lines, (size_t)(end - lines));
		const char *row[6];

		add_cells(a, entry, row);
		for (size_t i = 0; i < 6; i++)
			vec_push(a, &cells, row[i]);
		cJSON_Delete(entry);
	}
	say_table(&out, cells.at, 6, cells.len / 6);
	return say_out(&out);
}

static enum exit_code last(const struct ctl *c)
{
	own(buf) struct buf log = { 0 }, out = { 0 };
	unsigned long count = strtoul(c->last, NULL, 10);
	enum exit_code rc;

	if (!count || count > LAST_MOST || strspn(c->last, "0123456789") != strlen(c->last)) {
		say_problem(c, "usage", "--last takes a number of entries", "--last 100");
		return EXIT_USAGE;
	}
	rc = read_log(c, &log, NULL);
	if (rc)
		return rc;
	if (!*c->json)
		return say_table_of(from_last(&log, count));
	buf_puts(&out, from_last(&log, count));
	return say_out(&out);
}

enum exit_code ctl_audit(const struct ctl *c)
{
	if (!c->argument_count)
		return last(c);
	if (!strcmp(c->arguments[0], "verify"))
		return verify(c, c->argument_count > 1 ? c->arguments[1] : NULL);
	say_problem(c, "usage", "it is `tegctl audit` or `tegctl audit verify [FILE]`", "tegctl help");
	return EXIT_USAGE;
}
