#include "lang/base/ranges.h"

#include <string.h>

/* Most of what is asked of ports is nothing: that is kept once, and nobody writes into a set that is made. */
static const struct range all = { 0, UINT16_MAX };

struct ranges ranges_of(struct arena *a, uint16_t lo, uint16_t hi)
{
	struct range r = { lo, hi };

	if (lo == all.lo && hi == all.hi)
		return (struct ranges){ (struct range *)&all, 1 };
	return (struct ranges){ arena_copy(a, &r, sizeof r), 1 };
}

bool ranges_has(const struct ranges *r, uint16_t value)
{
	for (size_t i = 0; i < r->len; i++) {
		if (value < r->at[i].lo)
			return false;
		if (value <= r->at[i].hi)
			return true;
	}
	return false;
}

bool ranges_equal(const struct ranges *x, const struct ranges *y)
{
	return x->len == y->len && (!x->len || !memcmp(x->at, y->at, x->len * sizeof *x->at));
}

bool ranges_are_all(const struct ranges *r)
{
	return r->len == 1 && r->at[0].lo == 0 && r->at[0].hi == UINT16_MAX;
}

/* One sweep over the cut points of both sets; keep() says which pieces stay. */
static struct ranges sweep(struct arena *a, const struct ranges *x, const struct ranges *y,
			   bool (*keep)(bool in_x, bool in_y))
{
	struct ranges out = { arena_zero(a, (2 * (x->len + y->len) + 1) * sizeof *out.at), 0 };
	uint32_t at = 0;
	size_t i = 0, j = 0;

	while (at <= UINT16_MAX) {
		while (i < x->len && x->at[i].hi < at)
			i++;
		while (j < y->len && y->at[j].hi < at)
			j++;

		bool in_x = i < x->len && x->at[i].lo <= at;
		bool in_y = j < y->len && y->at[j].lo <= at;
		uint32_t end_x = i == x->len ? UINT16_MAX : in_x ? x->at[i].hi : x->at[i].lo - 1u;
		uint32_t end_y = j == y->len ? UINT16_MAX : in_y ? y->at[j].hi : y->at[j].lo - 1u;
		uint32_t end = end_x < end_y ? end_x : end_y;

		if (keep(in_x, in_y)) {
			if (out.len && out.at[out.len - 1].hi + 1u == at)
				out.at[out.len - 1].hi = (uint16_t)end;
			else
				out.at[out.len++] = (struct range){ (uint16_t)at, (uint16_t)end };
		}
		at = end + 1;
	}
	return out;
}

static bool keep_either(bool in_x, bool in_y)
{
	return in_x || in_y;
}

static bool keep_both(bool in_x, bool in_y)
{
	return in_x && in_y;
}

static bool keep_first(bool in_x, bool in_y)
{
	return in_x && !in_y;
}

struct ranges ranges_join(struct arena *a, const struct ranges *x, const struct ranges *y)
{
	return sweep(a, x, y, keep_either);
}

struct ranges ranges_meet(struct arena *a, const struct ranges *x, const struct ranges *y)
{
	return sweep(a, x, y, keep_both);
}

struct ranges ranges_minus(struct arena *a, const struct ranges *x, const struct ranges *y)
{
	return sweep(a, x, y, keep_first);
}
