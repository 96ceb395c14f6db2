/* Lines that each hold the digest of those before: whatever is done to one, a later look finds it. */
#include <stdlib.h>
#include <string.h>

#include "lang/base/arena.h"
#include "lang/base/chain.h"
#include "tests/lib/tap.h"

#define LINES 5

static void make_log(struct buf *out)
{
	struct chain c = CHAIN_BEGIN;

	for (int i = 0; i < LINES; i++) {
		own(buf) struct buf members = { 0 };

		buf_printf(&members, "\"what\":\"posture\",\"n\":%d", i);
		chain_add(&c, out, buf_text(&members));
	}
}

/* How many lines hold before one does not. */
static int lines_that_hold(const char *text, size_t len)
{
	struct chain c = CHAIN_BEGIN;
	struct err why;
	int n = 0;

	for (const char *line = text, *end; (end = memchr(line, '\n', len - (size_t)(line - text))); line = end + 1, n++)
		if (chain_follow(&c, line, (size_t)(end - line), &why))
			return n;
	return n;
}

static void any_byte_altered_is_found(const struct buf *log)
{
	own(buf) struct buf copy = { 0 };
	unsigned unseen = 0;

	buf_add(&copy, log->at, log->len);
	for (size_t i = 0; i < log->len; i++) {
		copy.at[i] ^= 1;
		unseen += lines_that_hold(copy.at, copy.len) >= LINES;
		copy.at[i] ^= 1;
	}
	tap_ok(!unseen, "a bit altered in any of %zu bytes is found (%u were not)", log->len, unseen);
	tap_num(lines_that_hold(copy.at, copy.len), LINES, "and the log as it was is whole");
}

/* The log with its lines in another order; -1 ends it. */
static int rearranged(const struct buf *log, const int *order)
{
	own(buf) struct buf other = { 0 };
	const char *lines[LINES + 1] = { log->at };

	for (int i = 0; i < LINES; i++)
		lines[i + 1] = strchr(lines[i], '\n') + 1;
	for (; *order >= 0; order++)
		buf_add(&other, lines[*order], (size_t)(lines[*order + 1] - lines[*order]));
	return lines_that_hold(buf_text(&other), other.len);
}

static void lines_have_their_place(const struct buf *log)
{
	static const struct { const char *claim; int order[LINES + 2], hold; } rows[] = {
		{ "as they were", { 0, 1, 2, 3, 4, -1 }, 5 }, { "one taken out", { 0, 1, 3, 4, -1 }, 2 },
		{ "the first taken out", { 1, 2, 3, 4, -1 }, 0 }, { "two exchanged", { 0, 2, 1, 3, 4, -1 }, 1 },
		{ "one twice", { 0, 1, 1, 2, 3, 4, -1 }, 2 }, { "the end cut off, which only a head shows", { 0, 1, 2, -1 }, 3 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		tap_num(rearranged(log, rows[i].order), rows[i].hold, rows[i].claim);
}

static void a_forged_line_does_not_fit(const struct buf *log)
{
	struct chain at = CHAIN_BEGIN, forger;
	own(buf) struct buf forged = { 0 };
	struct err why;
	const char *end = strchr(log->at, '\n');

	tap_ok(!chain_follow(&at, log->at, (size_t)(end - log->at), &why), "the first line");
	forger = (struct chain){ 1, "" };
	memset(forger.hash, 'a', DIGEST_HEX);
	chain_add(&forger, &forged, "\"what\":\"nothing\"");
	tap_ok(chain_follow(&at, forged.at, forged.len - 1, &why) && strstr(why.text, "was not written after"),
	       "a line with a right hash of its own, behind another: %s", why.text);
	tap_ok(!chain_resume(&forger, forged.at, forged.len - 1, &why), "by itself it holds");
	tap_num(forger.seq, 2, "and says where it stands");
}

static void what_is_no_line_is_refused(void)
{
	static const char *const texts[] = {
		"", "{", "{}", "{\"seq\":1}", "{\"seq\":1,\"prev\":\"00\",\"hash\":\"00\"}",
		"{\"seq\":-1,\"prev\":\"0000000000000000000000000000000000000000000000000000000000000000\",}",
		"{\"seq\":1,\"prev\":\"0000000000000000000000000000000000000000000000000000000000000000\",\"hash\":\""
		"0000000000000000000000000000000000000000000000000000000000000000\"}",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct chain c = CHAIN_BEGIN;
		struct err why;

		tap_ok(chain_resume(&c, texts[i], strlen(texts[i]), &why) && !c.seq, "no line: %.40s", texts[i]);
	}
}

int main(void)
{
	own(buf) struct buf log = { 0 };

	make_log(&log);
	any_byte_altered_is_found(&log);
	lines_have_their_place(&log);
	a_forged_line_does_not_fit(&log);
	what_is_no_line_is_refused();
	return tap_done();
}
