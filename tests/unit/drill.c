/* drill: what emit makes of tests survives encoding; what is cut, out of range or altered does no harm. */
#include <errno.h>
#include <string.h>

#include "lang/bundle/drill.h"
#include "tests/lib/tap.h"

static const struct plan plan = { .zone_count = 2, .posture_count = 3, .counter_count = 9 };
static const uint8_t frame[60] = { 1, 2, 3 };

/* Everything that a drill may hold, filled anew for each row that alters it. */
struct whole {
	struct drill_run runs[2];
	struct drill_case cases[2];
	struct drill_test tests[2];
	struct drill drill;
};

static void fill(struct whole *w)
{
	w->runs[0] = (struct drill_run){ 30, 0, DRILL_NOBODY };
	w->runs[1] = (struct drill_run){ 2, 1, 8 };
	w->cases[0] = (struct drill_case){ frame, sizeof frame, 1, 1, 1000000000, w->runs, 2 };
	w->cases[1] = (struct drill_case){ .frame = frame, .then_ns = 5 };
	w->tests[0] = (struct drill_test){ "a flood", 1, 2, { { FAMILY_IP4, 1 }, { FAMILY_IP6, 7 } }, w->cases, 2 };
	w->tests[1] = (struct drill_test){ "na\xc3\xafve", 4, 0, { { FAMILY_IP4, 1 }, { FAMILY_IP6, 1 } }, w->cases, 1 };
	w->drill = (struct drill){ w->tests, 2, 17 };
}

static int through(struct drill *out, const struct drill *d, struct arena *a, struct err *why)
{
	own(buf) struct buf bytes = { 0 };

	drill_encode(&bytes, d);
	return drill_decode(out, a, &plan, arena_copy(a, bytes.at, bytes.len), bytes.len, why);
}

static void test_survives(void)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf once = { 0 }, twice = { 0 };
	struct whole w;
	struct drill out;
	struct err why = { 0 };

	fill(&w);
	tap_num(through(&out, &w.drill, a, &why), 0, "a drill is decoded");
	drill_encode(&once, &w.drill);
	drill_encode(&twice, &out);
	tap_ok(once.len == twice.len && !memcmp(once.at, twice.at, once.len), "as it was");
	tap_num(drill_asked(&out), 2, "and says how many cases count");
}

#define REFUSED(claim, change)                                                                     \
	do {                                                                                       \
		own(arena) struct arena *a = arena_new();                                          \
		struct whole w;                                                                    \
		struct drill out;                                                                  \
		struct err why = { 0 };                                                            \
		fill(&w);                                                                          \
		change;                                                                            \
		tap_num(through(&out, &w.drill, a, &why), -EINVAL, "refused: " claim);             \
	} while (0)

static void test_refuses(void)
{
	static char much[DRILL_NAME_MAX + 2];
	static const uint8_t long_frame[DRILL_FRAME_MAX + 1];

	memset(much, 'a', sizeof much - 1);
	REFUSED("a test without a name", w.tests[0].name = "");
	REFUSED("a name that is too long", w.tests[0].name = much);
	REFUSED("a name with a line break", w.tests[0].name = "a\nb");
	REFUSED("a name that is no text", w.tests[0].name = "\xc3");
	REFUSED("a number of none", w.tests[0].index = 0);
	REFUSED("tests out of order", w.tests[1].index = 1);
	REFUSED("a posture that is not there", w.tests[0].posture = 3);
	REFUSED("no own address", w.tests[0].self[FAMILY_IP6].num = 0);
	REFUSED("an own address beyond its family", w.tests[0].self[FAMILY_IP4].num = (addr_num)1 << 32);
	REFUSED("a zone that is not there", w.cases[0].zone = 2);
	REFUSED("a case that is asked twice", w.cases[0].asked = 2);
	REFUSED("a frame that is too long", (w.cases[0].frame = long_frame, w.cases[0].len = sizeof long_frame));
	REFUSED("a frame that nothing is expected of", w.cases[0].run_count = 0);
	REFUSED("something expected of no frame", w.cases[0].len = 0);
	REFUSED("no packets", w.runs[0].packets = 0);
	REFUSED("too many packets", w.runs[0].packets = DRILL_PACKETS_MAX);
	REFUSED("a counter that is not there", w.runs[1].by = 9);
	REFUSED("a drop that nobody counts", w.runs[0].dropped = 1);
	REFUSED("neither drop nor pass", w.runs[1].dropped = 2);
}

/* Cut anywhere, or with any byte altered: refused, or read as what it then says. */
static void test_mutants(void)
{
	own(buf) struct buf bytes = { 0 };
	struct whole w;
	unsigned cut = 0, differs = 0;

	fill(&w);
	drill_encode(&bytes, &w.drill);
	for (size_t len = 0; len < bytes.len; len++) {
		own(arena) struct arena *a = arena_new();
		struct drill out;
		struct err why;

		cut += drill_decode(&out, a, &plan, bytes.at, len, &why) == -EINVAL;
	}
	tap_num(cut, bytes.len, "whatever is cut is refused");
	for (size_t i = 0; i < bytes.len * 8; i++) {
		own(arena) struct arena *a = arena_new();
		own(buf) struct buf again = { 0 };
		struct drill out;
		struct err why;

		bytes.at[i / 8] ^= (char)(1 << i % 8);
		if (!drill_decode(&out, a, &plan, bytes.at, bytes.len, &why)) {
			drill_encode(&again, &out);
			differs += again.len != bytes.len || memcmp(again.at, bytes.at, bytes.len);
		}
		bytes.at[i / 8] ^= (char)(1 << i % 8);
	}
	tap_num(differs, 0, "what is read of altered bytes is what they say");
}

int main(void)
{
	test_survives();
	test_refuses();
	test_mutants();
	return tap_done();
}
