/* What differs between two texts: the fewest lines; and applied to the old text it gives the new one. */
#include <stdlib.h>
#include <string.h>

#include "enforcer/api/lines.h"
#include "tests/lib/tap.h"

static const struct {
	const char *was, *is, *diff;
} rows[] = {
	{ "", "", "" },
	{ "a\nb\n", "a\nb\n", "" },
	{ "", "a\n", "@@ 1 @@\n+a\n" },
	{ "a\n", "", "@@ 1 @@\n-a\n" },
	{ "a\nb\nc\n", "a\nx\nc\n", "@@ 1 @@\n a\n-b\n+x\n c\n" },
	{ "a\nb\nc", "a\nb\nc\n", "" },
	{ "1\n2\n3\n4\n5\n6\n7\n8\n", "1\n2\n3\n4\n5\nx\n6\n7\n8\n", "@@ 3 @@\n 3\n 4\n 5\n+x\n 6\n 7\n 8\n" },
	{ "a\n1\n2\n3\n4\n5\n6\n7\nb\n", "x\n1\n2\n3\n4\n5\n6\n7\ny\n",
	  "@@ 1 @@\n-a\n+x\n 1\n 2\n 3\n@@ 6 @@\n 5\n 6\n 7\n-b\n+y\n" },
	{ "a\nb\nc\n", "c\na\nb\n", "@@ 1 @@\n+c\n a\n b\n-c\n" },
	{ "x\n", "x\nx\n", "@@ 1 @@\n x\n+x\n" },
};

static void differences_are_told(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		own(buf) struct buf out = { 0 };

		tap_ok(lines_diff(&out, rows[i].was, rows[i].is), "texts %zu are compared", i);
		tap_text(buf_text(&out), rows[i].diff, "and what differs is told");
	}
}

static void some_text(struct buf *out, unsigned lines)
{
	for (unsigned i = 0; i < lines; i++)
		buf_printf(out, "%c\n", 'a' + rand() % 4);
}

/* The new text holds, in order, what the difference keeps and puts in; the old what it keeps and takes out. */
static bool holds_in_order(const char *text, const char *diff, char mine)
{
	const char *at = text;

	for (const char *line = diff; *line; line = strchr(line, '\n') + 1) {
		if (*line != ' ' && *line != mine)
			continue;
		while (*at && at[0] != line[1])
			at = strchr(at, '\n') + 1;
		if (!*at)
			return false;
		at = strchr(at, '\n') + 1;
	}
	return true;
}

static int balance(const char *diff)
{
	int n = 0;

	for (const char *line = diff; *line; line = strchr(line, '\n') + 1)
		n += *line == '+' ? 1 : *line == '-' ? -1 : 0;
	return n;
}

static void any_texts_agree(void)
{
	unsigned wrong = 0;

	srand(7);
	for (unsigned i = 0; i < 2000; i++) {
		own(buf) struct buf was = { 0 }, is = { 0 }, out = { 0 };
		const unsigned n = (unsigned)rand() % 12, m = (unsigned)rand() % 12;

		some_text(&was, n);
		some_text(&is, m);
		wrong += !lines_diff(&out, buf_text(&was), buf_text(&is)) || balance(buf_text(&out)) != (int)m - (int)n ||
			 !holds_in_order(buf_text(&is), buf_text(&out), '+') || !holds_in_order(buf_text(&was), buf_text(&out), '-') ||
			 (!out.len != !strcmp(buf_text(&was), buf_text(&is)));
	}
	tap_num(wrong, 0, "two thousand pairs of texts: what is kept, put in and taken out stands in them");
}

static void too_much_is_said(void)
{
	own(buf) struct buf was = { 0 }, is = { 0 }, out = { 0 };

	for (unsigned i = 0; i < 5000; i++) {
		buf_printf(&was, "old %u\n", i);
		buf_printf(&is, "new %u\n", i);
	}
	tap_ok(!lines_diff(&out, buf_text(&was), buf_text(&is)) && !out.len, "five thousand lines against as many others are too much");
	buf_puts(&was, "end\n");
	tap_ok(lines_diff(&out, buf_text(&was), buf_text(&was)), "but not when they are equal");
}

int main(void)
{
	differences_are_told();
	any_texts_agree();
	too_much_is_said();
	return tap_done();
}
