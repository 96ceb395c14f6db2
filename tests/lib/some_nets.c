#include "tests/lib/some_nets.h"

#include <stdlib.h>

#include "tests/lib/gen.h"
#include "tests/lib/tap.h"

static int by_place(const void *x, const void *y)
{
	const struct prefix *a = x, *b = y;

	return a->addr.num != b->addr.num ? (a->addr.num < b->addr.num ? -1 : 1) : (int)a->len - (int)b->len;
}

size_t some_nets(struct prefix *p, size_t want)
{
	static const unsigned char lengths[] = { 16, 20, 22, 23, 24, 24, 24, 24, 24, 24, 24, 24, 24, 25, 26, 27, 28, 30, 32, 32, 32, 32 };
	struct gen g = gen_new(3);
	size_t n = 0;

	for (size_t i = 0; i < want; i++) {
		const unsigned char len = lengths[gen_below(&g, ARRAY_LEN(lengths))];

		p[i].len = want > 100000 && len < 20 ? 24 : len;
		p[i].addr = (struct addr){ FAMILY_IP4, (uint32_t)gen_u64(&g) & 0x7fffffffu & (uint32_t)(~UINT64_C(0) << (32 - p[i].len)) };
	}
	qsort(p, want, sizeof *p, by_place);
	for (size_t i = 0; i < want; i++)
		if (!n || prefix_range(p[i]).lo > prefix_range(p[n - 1]).hi)
			p[n++] = p[i];
	return n;
}

struct netset some_nets_set(struct arena *a, const struct prefix *p, size_t n)
{
	struct addr_range *at = arena_zero(a, (n + 1) * sizeof *at);
	struct netset set = { 0 };
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		const struct addr_range r = prefix_range(p[i]);

		if (len && at[len - 1].hi + 1 == r.lo)
			at[len - 1].hi = r.hi;
		else
			at[len++] = r;
	}
	set.at[FAMILY_IP4] = at;
	set.len[FAMILY_IP4] = len;
	return set;
}
