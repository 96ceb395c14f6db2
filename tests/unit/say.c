/*
 * What tegctl prints: columns of a table, and what a terminal might obey.
 */
#include <string.h>

#include "enforcer/ctl/say.h"
#include "lang/base/arena.h"
#include "tests/lib/tap.h"

static void columns_are_as_wide_as_they_must_be(void)
{
	static const char *const cells[] = { "id", "n", "é", "10", "long one", "2" };
	own(buf) struct buf out = { 0 };

	say_table(&out, cells, 2, 3);
	tap_text(buf_text(&out), "id        n\né         10\nlong one  2\n", "columns are as wide as their widest cell, in characters");
}

/* As many rules as a policy may have. Were every row to look at all others, this would not end. */
static void a_table_may_be_long(void)
{
	enum { ROWS = 400000 };
	own(arena) struct arena *a = arena_new();
	const char **cells = arena_zero(a, (size_t)ROWS * 2 * sizeof *cells);
	own(buf) struct buf out = { 0 };

	for (size_t i = 0; i < ROWS; i++) {
		cells[2 * i] = i == ROWS - 1 ? "last of all" : "r";
		cells[2 * i + 1] = "0";
	}
	say_table(&out, cells, 2, ROWS);
	tap_num(out.len, (size_t)ROWS * strlen("last of all  0\n"), "a table of 400,000 rows is printed");
}

static void a_policy_without_a_version_has_none(void)
{
	own(buf) struct buf out = { 0 };

	say_policy(&out, "edge", "1.2.0");
	say_policy(&out, ", edge", "");
	tap_text(buf_text(&out), "edge 1.2.0, edge", "a policy is told with its version, where it has one");
}

int main(void)
{
	columns_are_as_wide_as_they_must_be();
	a_policy_without_a_version_has_none();
	a_table_may_be_long();
	return tap_done();
}
