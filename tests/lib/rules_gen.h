/*
 * rules_gen - rule lists from a seed, straight as ir.
 *
 * ACL, FW and IPC follow the ClassBench profiles of the same names: nested
 * sites, subnets and hosts that rules share with a skew, port classes
 * wildcard / high / low / range / exact. They have one posture, P, and their
 * rules in its forward list. SMALL is a whole policy of few rules in a small
 * world, so that everything overlaps: zones, self, sets, ICMP, flags,
 * fragments, lifelines, blocks, reflexes with and without rates, three postures.
 */
#ifndef TEG_TEST_RULES_GEN_H
#define TEG_TEST_RULES_GEN_H

#include "compiler/ir/ir.h"
#include "compiler/prove/judgement/judgement.h"

enum rules_profile { RULES_ACL, RULES_FW, RULES_IPC, RULES_SMALL };

struct rules {
	struct arena *arena;
	uint64_t seed;
	enum rules_profile profile;
	double v6;    /* share of IPv6 rules */
	size_t sites; /* how many networks the rules speak of */
	unsigned sets; /* made so far: each has its own number */
};

uint64_t rules_random(struct rules *g);
/* 0 .. below - 1 */
size_t rules_below(struct rules *g, size_t below);

struct ir *rules_make(struct rules *g, size_t count);

/* The same with `edits` rules added, removed, moved or changed; SMALL may also get a zone in front. */
struct ir *rules_edit(struct rules *g, const struct ir *ir, size_t edits);

/* One rule of the profile, as an edit may add it. */
struct ir_rule rules_one(struct rules *g);

/*
 * A packet with its circumstances, zones as of `t`: half of them at the bounds
 * of the policy's boxes, where mistakes are.
 */
void rules_point(struct rules *g, const struct ir *ir, const struct terms *t, struct point *out);

/* The most probable names of profiles, for reports. */
const char *rules_profile_name(enum rules_profile p);

#endif
