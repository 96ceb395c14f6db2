/*
 * parts - what the files of a judgement share.
 *
 *     terms.c      zones and open conditions as numbers
 *     askers.c     what several reflexes ask of one limit
 *     cell.c       sets of packets
 *     judgement.c  a posture's rules as steps, which have cells
 */
#ifndef TEG_PROVE_JUDGEMENT_PARTS_H
#define TEG_PROVE_JUDGEMENT_PARTS_H

#include "compiler/prove/judgement/judgement.h"

#define BOTH 3u /* both values of a boolean */

/*
 * A policy's zone bits in the terms' numbering. Zones that only the other
 * policy names are, to this one, interfaces of no zone.
 */
uint64_t terms_zones(const struct terms *t, const struct ir *ir, uint64_t zones);

/* The number of a condition; how many there are, when it is none of them. */
size_t terms_unknown(const struct terms *t, const char *name, unsigned copy, const struct takers *before);

/* What a rule asks for itself: of a reflex that shares a limit, "reflex.a of limit.calm". */
const char *asker_name(struct arena *a, const struct ir_rule *r);

static inline uint64_t hash_mix(uint64_t h, uint64_t x)
{
	h = (h ^ x) * 0xbf58476d1ce4e5b9ull;
	return h ^ h >> 31;
}
uint64_t cell_mix(uint64_t h, const struct cell *c);

#endif
