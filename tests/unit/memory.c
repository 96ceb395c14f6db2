/* memory: work that runs out ends where it stood, and what it owned is released; the caller goes on. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lang/base/arena.h"
#include "lang/base/buf.h"
#include "lang/base/memory.h"
#include "tests/lib/tap.h"

static int held, released, passed;

struct thing {
	int x;
};

static void thing_own_(struct thing *t)
{
	held -= t->x;
	released++;
}

static struct thing thing_take(int x)
{
	held += x;
	return (struct thing){ x };
}

static int by_size(const void *a, const void *b)
{
	(void)a, (void)b;
	memory_out();
}

struct ask {
	int depth;
	bool inside_a_library, fails;
};

static __attribute__((noinline)) int deep(const struct ask *q, int left)
{
	own(thing) struct thing t = thing_take(1);
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf b = { 0 };
	int two[2] = { 1, 0 };

	buf_printf(&b, "%d", left);
	arena_zero(a, 100);
	if (left)
		return deep(q, left - 1) + (int)b.len;
	if (q->inside_a_library)
		qsort(two, 2, sizeof *two, by_size);
	if (q->fails)
		memory_out();
	return 0;
}

static void work(void *context)
{
	const struct ask *q = context;
	own(thing) struct thing t = thing_take(10);

	deep(q, q->depth);
	passed++;
}

static void inner(void *context)
{
	own(thing) struct thing t = thing_take(100);

	if (!memory_try(work, context))
		passed += 10;
	memory_out();
}

/* More than any machine has. */
static void greedy(void *context)
{
	own(thing) struct thing t = thing_take(1);
	own(arena) struct arena *a = arena_new();

	*(size_t *)context = 1;
	arena_zero(a, SIZE_MAX);
	*(size_t *)context = 2;
}

static void test_try(struct ask q, int want_released, bool want, const char *claim)
{
	held = released = passed = 0;
	tap_num(memory_try(work, &q), want, claim);
	tap_ok(!held && released == want_released && passed == want, "what it held is released, once each");
}

int main(void)
{
	size_t came = 0;

	test_try((struct ask){ 3, false, false }, 5, true, "work that has enough ends well");
	test_try((struct ask){ 0, false, true }, 2, false, "work that runs out does not");
	test_try((struct ask){ 200, false, true }, 202, false, "nor does it deep down");
	test_try((struct ask){ 3, true, true }, 5, false, "nor when a library calls back");

	held = released = passed = 0;
	tap_ok(!memory_try(inner, &(struct ask){ 2, false, true }), "a try within a try ends the inner one, then the outer");
	tap_ok(!held && released == 5 && passed == 10, "each once");
	tap_ok(!memory_try(greedy, &came) && came == 1 && !held, "an arena that cannot grow ends the work");
	return tap_done();
}
