/*
 * audit - who changed what, and whether the log that says so is whole.
 *
 *     tegctl audit                                     the last entries
 *     tegctl audit verify                              each entry follows from the one before
 *     tegctl audit verify FILE… --head 42-ab12…        and one that was seen before is still in it
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "enforcer/ctl/call.h"
#include "enforcer/ctl/say.h"
#include "enforcer/ctl/verify.h"
#include "lang/base/arena.h"
#include "lang/base/chain.h"
#include "lang/base/file.h"

#define LOG_BYTES_MAX ((size_t)1 << 30)
#define LAST_MOST     1000000
#define BEFORE_ALL    "9007199254740991" /* 2^53 - 1: no entry has that number */

/* ---- the log, file by file ------------------------------------------------------------ */

/* The number of a file's first entry; 0 when there is none, or it cannot be read. */
static uint64_t first_entry(const struct buf *text)
{
	const char *end = text->len ? memchr(text->at, '\n', text->len) : NULL;
	struct chain before;
	struct err why;

	return end && !chain_before(&before, text->at, (size_t)(end - text->at), &why) ? before.seq + 1 : 0;
}

static enum exit_code read_now(const struct ctl *c, struct buf *out)
{
	own(call) struct call call = { .method = "GET", .path = "/api/tegumentar/audit" };
	enum exit_code rc = call_make(c, &call);

	if (!rc)
		buf_add(out, buf_text(&call.text), call.text.len);
	return rc;
}

/* What was put away before an entry; nothing when nothing was. */
static enum exit_code read_before(const struct ctl *c, struct buf *out, const char *entry)
{
	own(buf) struct buf body = { 0 };
	own(call) struct call call = { .method = "POST", .path = "/api/tegumentar/audit", .type = "application/json" };
	enum exit_code rc;

	buf_printf(&body, "{\"before\":%s}", entry);
	call.body = buf_text(&body);
	rc = call_make(c, &call);
	if (!rc)
		buf_add(out, buf_text(&call.text), call.text.len);
	return rc;
}

/* ---- verify -------------------------------------------------------------------------- */

/* What tegd puts away has the number of its last entry in its name. */
static const char *away_name(struct arena *a, const struct buf *text)
{
	const char *end = text->len ? memrchr(text->at, '\n', text->len) : NULL;
	const char *before = end > text->at ? memrchr(text->at, '\n', (size_t)(end - text->at)) : NULL;
	const char *line = before ? before + 1 : text->at;
	struct chain at;
	struct err why;

	if (!end || chain_before(&at, line, (size_t)(end - line), &why))
		return "a file that was put away";
	return arena_printf(a, "audit.log.%010" PRIu64, at.seq + 1);
}

/* Each file is told by what comes before it, so that the chain leads from the newest to the oldest. */
static enum exit_code verify_tegd(const struct ctl *c, struct verify *v)
{
	own(buf) struct buf now = { 0 };
	enum exit_code rc = read_now(c, &now);

	verify_file(v, "audit.log", &now);
	for (uint64_t before = UINT64_MAX; !rc;) {
		own(buf) struct buf text = { 0 };
		const struct verified *last = v->files.len ? &v->files.at[v->files.len - 1] : NULL;

		if (last && (!last->before.seq || last->before.seq >= before))
			break;
		before = last ? last->before.seq : before;
		rc = read_before(c, &text, last ? arena_printf(v->arena, "%" PRIu64, before + 1) : BEFORE_ALL);
		if (rc || !text.len)
			break;
		verify_file(v, away_name(v->arena, &text), &text);
	}
	return rc;
}

static enum exit_code verify_files(const struct ctl *c, struct verify *v)
{
	for (int i = 1; i < c->argument_count; i++) {
		own(buf) struct buf text = { 0 };
		struct err why;

		if (file_read(&text, c->arguments[i], LOG_BYTES_MAX, &why)) {
			say_problem(c, "no-input", why.text, "name the files of an audit log, or none for that of tegd");
			return EXIT_INPUT;
		}
		verify_file(v, c->arguments[i], &text);
	}
	return EXIT_YES;
}

static enum exit_code say_whole(const struct ctl *c, const struct verify *v)
{
	const struct chain last = verify_last(v), removed = verify_removed(v);
	const uint64_t entries = last.seq - removed.seq;
	own(buf) struct buf out = { 0 };

	if (*c->json) {
		buf_printf(&out, "{\"whole\":true,\"entries\":%" PRIu64 ",\"files\":%zu,\"removed_to\":%" PRIu64 ",\"head\":\"%" PRIu64 "-%s\"}\n",
			   entries, v->files.len, removed.seq, last.seq, last.hash);
		return say_out(&out);
	}
	buf_printf(&out, "%" PRIu64 " entries", entries);
	if (v->files.len > 1)
		buf_printf(&out, " in %zu files", v->files.len);
	buf_puts(&out, ", each follows from the one before\n");
	if (removed.seq)
		buf_printf(&out, "what comes until entry %" PRIu64 " was removed, as an entry says\n", removed.seq);
	buf_printf(&out, "head %" PRIu64 "-%s\n", last.seq, last.hash);
	return say_out(&out);
}

static enum exit_code verify(const struct ctl *c)
{
	own(verify) struct verify v;
	own(buf) struct buf detail = { 0 };
	enum exit_code rc;

	verify_begin(&v, c->head);
	rc = c->argument_count > 1 ? verify_files(c, &v) : verify_tegd(c, &v);
	if (rc)
		return rc;
	verify_end(&v);
	if (!v.faults.len)
		return say_whole(c, &v);
	buf_puts(&detail, "the audit log was altered");
	for (size_t i = 0; i < v.faults.len; i++)
		buf_printf(&detail, "%s %s", i ? ";" : ":", v.faults.at[i]);
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

static unsigned long lines_in(const struct buf *log)
{
	unsigned long n = 0;

	for (const char *at = buf_text(log), *end = at + log->len; (at = memchr(at, '\n', (size_t)(end - at))); at++)
		n++;
	return n;
}

/* The log, with as much of what was put away as it takes. */
static enum exit_code read_last(const struct ctl *c, struct buf *log, unsigned long count)
{
	enum exit_code rc = read_now(c, log);

	while (!rc && lines_in(log) < count) {
		own(buf) struct buf text = { 0 }, entry = { 0 };
		const uint64_t first = first_entry(log);

		if (first == 1 || (log->len && !first))
			break;
		buf_printf(&entry, "%" PRIu64, first);
		rc = read_before(c, &text, first ? buf_text(&entry) : BEFORE_ALL);
		if (rc || !text.len)
			break;
		buf_add(&text, buf_text(log), log->len);
		log->len = 0;
		buf_add(log, text.at, text.len);
	}
	return rc;
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
	rc = read_last(c, &log, count);
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
		return verify(c);
	say_problem(c, "usage", "it is `tegctl audit` or `tegctl audit verify [FILE…]`", "tegctl help");
	return EXIT_USAGE;
}
