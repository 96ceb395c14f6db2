#include "lang/bundle/drill.h"

#include <errno.h>
#include <string.h>

#include "lang/base/utf8.h"
#include "lang/base/wire.h"

#define DRILL_VERSION 1u

/* --- encode --------------------------------------------------------------------- */

static void put_case(struct buf *out, const struct drill_case *c)
{
	wire_put_bytes(out, c->frame, c->len);
	wire_put_u8(out, c->zone);
	wire_put_u8(out, c->asked);
	wire_put_u64(out, c->then_ns);
	wire_put_u32(out, c->run_count);
	for (uint32_t i = 0; i < c->run_count; i++) {
		wire_put_u32(out, c->runs[i].packets);
		wire_put_u8(out, c->runs[i].dropped);
		wire_put_u32(out, c->runs[i].by);
	}
}

static void put_test(struct buf *out, const struct drill_test *t)
{
	wire_put_str(out, t->name);
	wire_put_u32(out, t->index);
	wire_put_u32(out, t->posture);
	for (int f = 0; f < FAMILY_COUNT; f++) {
		wire_put_u64(out, (uint64_t)(t->self[f].num >> 64));
		wire_put_u64(out, (uint64_t)t->self[f].num);
	}
	wire_put_u32(out, t->case_count);
	for (uint32_t i = 0; i < t->case_count; i++)
		put_case(out, &t->cases[i]);
}

void drill_encode(struct buf *out, const struct drill *d)
{
	wire_put_u32(out, DRILL_VERSION);
	wire_put_u32(out, d->elsewhere);
	wire_put_u32(out, d->test_count);
	for (uint32_t i = 0; i < d->test_count; i++)
		put_test(out, &d->tests[i]);
}

/* --- decode --------------------------------------------------------------------- */

static void get_case(struct wire_in *in, struct drill_case *c, struct arena *a)
{
	size_t len;

	c->frame = wire_get_bytes(in, &len);
	c->len = len > DRILL_FRAME_MAX ? UINT32_MAX : (uint32_t)len;
	c->zone = wire_get_u8(in);
	c->asked = wire_get_u8(in);
	c->then_ns = wire_get_u64(in);
	c->run_count = wire_get_count(in, 9);
	c->runs = arena_zero(a, c->run_count * sizeof *c->runs);
	for (uint32_t i = 0; i < c->run_count; i++) {
		c->runs[i].packets = wire_get_u32(in);
		c->runs[i].dropped = wire_get_u8(in);
		c->runs[i].by = wire_get_u32(in);
	}
}

static void get_test(struct wire_in *in, struct drill_test *t, struct arena *a)
{
	t->name = wire_get_str(in, a);
	t->index = wire_get_u32(in);
	t->posture = wire_get_u32(in);
	for (int f = 0; f < FAMILY_COUNT; f++) {
		t->self[f].family = (enum family)f;
		t->self[f].num = (addr_num)wire_get_u64(in) << 64;
		t->self[f].num |= wire_get_u64(in);
	}
	t->case_count = wire_get_count(in, 18);
	t->cases = arena_zero(a, t->case_count * sizeof *t->cases);
	for (uint32_t i = 0; i < t->case_count; i++)
		get_case(in, &t->cases[i], a);
}

/* --- what must hold ---------------------------------------------------------------- */

/* A line of text, as it may stand in a log. */
static bool name_holds(const char *s)
{
	size_t left = strlen(s);

	if (!left || left > DRILL_NAME_MAX)
		return false;
	for (size_t n; left; s += n, left -= n) {
		n = utf8_length(s, left);
		if (!n || (n == 1 && ((unsigned char)*s < ' ' || *s == 0x7f)))
			return false;
	}
	return true;
}

static bool run_holds(const struct drill_run *r, const struct plan *p)
{
	if (r->by == DRILL_NOBODY)
		return r->packets && !r->dropped;
	return r->packets && r->dropped <= 1 && r->by < p->counter_count;
}

static bool case_holds(const struct drill_case *c, const struct plan *p, uint64_t *packets)
{
	if (c->len > DRILL_FRAME_MAX || c->zone >= p->zone_count || c->asked > 1 || !c->len != !c->run_count ||
	    (c->asked && !c->len))
		return false;
	for (uint32_t i = 0; i < c->run_count; i++) {
		if (!run_holds(&c->runs[i], p))
			return false;
		*packets += c->runs[i].packets;
	}
	return *packets <= DRILL_PACKETS_MAX;
}

static int test_holds(const struct drill_test *t, const struct plan *p, uint64_t *packets, struct err *why)
{
	if (!name_holds(t->name))
		return err_set(why, EINVAL, "test %u has no proper name", t->index);
	if (!t->index || t->posture >= p->posture_count)
		return err_set(why, EINVAL, "test %u is out of range", t->index);
	for (int f = 0; f < FAMILY_COUNT; f++)
		if (!t->self[f].num || t->self[f].num > family_max((enum family)f))
			return err_set(why, EINVAL, "test %u has no own address", t->index);
	for (uint32_t i = 0; i < t->case_count; i++)
		if (!case_holds(&t->cases[i], p, packets))
			return err_set(why, EINVAL, "test %u: case %u is out of range", t->index, i + 1);
	return 0;
}

static int drill_holds(const struct drill *d, const struct plan *p, struct err *why)
{
	uint64_t packets = 0;
	int rc = 0;

	if (d->test_count > DRILL_TESTS_MAX)
		return err_set(why, EINVAL, "%u tests, more than %u", d->test_count, DRILL_TESTS_MAX);
	for (uint32_t i = 0; i < d->test_count && !rc; i++) {
		if (i && d->tests[i].index <= d->tests[i - 1].index)
			return err_set(why, EINVAL, "test %u is out of order", d->tests[i].index);
		rc = test_holds(&d->tests[i], p, &packets, why);
	}
	return rc;
}

int drill_decode(struct drill *out, struct arena *a, const struct plan *plan, const void *bytes, size_t len,
		 struct err *why)
{
	struct wire_in in = { bytes, len, false };
	struct drill d = { 0 };
	uint32_t version = wire_get_u32(&in);

	if (version != DRILL_VERSION)
		return err_set(why, EINVAL, "drill: version %u, not %u", version, DRILL_VERSION);
	d.elsewhere = wire_get_u32(&in);
	d.test_count = wire_get_count(&in, 48);
	d.tests = arena_zero(a, d.test_count * sizeof *d.tests);
	for (uint32_t i = 0; i < d.test_count; i++)
		get_test(&in, &d.tests[i], a);
	if (!wire_done(&in))
		return err_set(why, EINVAL, "drill: truncated, or more than a drill");
	if (drill_holds(&d, plan, why))
		return err_in(why, "drill");

	*out = d;
	return 0;
}

uint32_t drill_asked(const struct drill *d)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->test_count; i++)
		for (uint32_t j = 0; j < d->tests[i].case_count; j++)
			n += d->tests[i].cases[j].asked;
	return n;
}
