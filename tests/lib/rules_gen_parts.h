/*
 * rules_gen_parts - what the files of rules_gen share.
 *
 *     rules_gen.c      numbers, and policies of rules
 *     rules_edits.c    changes of them
 *     rules_points.c   packets that they meet
 */
#ifndef TEG_TEST_RULES_GEN_PARTS_H
#define TEG_TEST_RULES_GEN_PARTS_H

#include "tests/lib/rules_gen.h"

static inline double fraction(struct rules *g)
{
	return (double)(rules_random(g) >> 11) * 0x1p-53;
}

static inline bool chance(struct rules *g, double p)
{
	return fraction(g) < p;
}

/* Small numbers more often. */
static inline size_t skewed(struct rules *g, size_t below)
{
	double u = fraction(g);

	return (size_t)(u * u * (double)below);
}

/* Site number i of a family: always the same network. */
addr_num rules_site(enum family family, size_t i);

/* SMALL's world: eight neighbouring /30s and their hosts, so that everything overlaps everything. */
struct addr_range rules_small_range(struct rules *g, enum family family);

#endif
