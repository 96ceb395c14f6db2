/* What is printed is whole, whether it fits where it is tried first or not; and an arena's zeroes are, where others wrote before. */
#include <string.h>

#include "lang/base/arena.h"
#include "lang/base/buf.h"
#include "tests/lib/tap.h"

#define LONGEST 600

static char all[LONGEST + 1];

static const char *of_length(size_t len)
{
	return all + LONGEST - len;
}

static void in_arenas(void)
{
	own(arena) struct arena *a = arena_new();
	size_t wrong = 0;

	for (size_t len = 0; len <= LONGEST; len++)
		wrong += strcmp(arena_printf(a, "%s", of_length(len)), of_length(len)) != 0;
	tap_num((int64_t)wrong, 0, "text of each length is printed whole into an arena");
}

static void in_buffers(void)
{
	size_t wrong = 0;

	for (size_t len = 0; len <= LONGEST; len++) {
		own(buf) struct buf b = { 0 };

		buf_printf(&b, "%s", of_length(len));
		wrong += b.len != len || strcmp(buf_text(&b), of_length(len)) != 0;
	}
	tap_num((int64_t)wrong, 0, "and into a buffer");
}

static void behind_others(void)
{
	size_t wrong = 0;

	for (size_t before = 0; before <= LONGEST; before++) {
		own(buf) struct buf b = { 0 };

		buf_puts(&b, of_length(before));
		buf_printf(&b, "%s", "0123456789");
		wrong += b.len != before + 10 || strcmp(buf_text(&b) + before, "0123456789") != 0;
	}
	tap_num((int64_t)wrong, 0, "and behind what stands there");
}

/* Both of as many blocks: the second has the first one's memory. */
static void zeroes(void)
{
	static char dirty[4000];
	size_t wrong = 0;

	memset(dirty, 0xa5, sizeof dirty);
	for (int turn = 0; turn < 2; turn++) {
		own(arena) struct arena *a = arena_new();

		for (int i = 0; i < 200; i++) {
			const char *piece = turn ? arena_zero(a, sizeof dirty) : arena_copy(a, dirty, sizeof dirty);

			for (size_t k = 0; turn && k < sizeof dirty; k++)
				wrong += piece[k] != 0;
		}
	}
	tap_num((int64_t)wrong, 0, "what is asked for as zeroes is");
}

int main(void)
{
	for (size_t i = 0; i < LONGEST; i++)
		all[i] = (char)('a' + i % 26);
	in_arenas();
	in_buffers();
	behind_others();
	zeroes();
	return tap_done();
}
