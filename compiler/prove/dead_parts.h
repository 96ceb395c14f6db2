/*
 * dead_parts - what the files about rules that never decide share.
 *
 *     dead.c        which never decide, or next to nothing
 *     dead_bound.c  which may decide next to nothing, and must be measured
 *     dead_why.c    why one does not: who decides instead
 */
#ifndef TEG_PROVE_DEAD_PARTS_H
#define TEG_PROVE_DEAD_PARTS_H

#include "compiler/prove/prover.h"
#include "lang/base/strmap.h"

/* Rules of layers 1 to 3 stand in many judgements, and are dead when they are in all. */
struct seen {
	const struct ir_rule *rule;
	bool reached;
};

struct dead_search {
	struct prover *prover;
	struct terms terms;
	const struct ir *ir;
	double share;
	struct judgement **judgements; /* by posture and direction */
	struct dead_list list;
	VEC(struct dead) found;
	VEC(struct seen) seen;
	struct strmap places; /* id: 1 + its place in seen */

	/* work of the explanations, each of which leaves it as it was: there may be as many as rules */
	bool *decides, *listed;	/* by step, and one more: takes some of the rule's packets; is in the list: */
	bool *over;		/* by unknown */
	VEC(uint32_t) deciding;
};

static inline struct judgement *judgement_of(const struct dead_search *k, unsigned posture, enum direction d)
{
	return k->judgements[posture * DIRECTION_COUNT + d];
}

static inline double width(const struct addr_range *r)
{
	return (double)(r->hi - r->lo) + 1;
}

static inline double values_part(const struct range *r)
{
	return (r->hi - r->lo + 1.0) / 65536;
}

/* The share of all packets that lie in the window: of each field by which windows are cut, or narrowed around a cell. */
static inline double window_part(const struct window *w, const struct window *all)
{
	return width(&w->dst) / width(&all->dst) * (width(&w->src) / width(&all->src)) * ((w->proto.hi - w->proto.lo + 1.0) / 256) *
	       values_part(&w->dport) * values_part(&w->sport) * values_part(&w->icmp) *
	       ((double)__builtin_popcount(w->fragments) / __builtin_popcount(all->fragments));
}

/* How many of the slice's cells need be looked at, from the first on: behind them are only steps that are known. */
static inline size_t dead_need(const struct slice *slice, const bool *known)
{
	size_t need = slice->len;

	while (need && known[slice->at[need - 1]->step])
		need--;
	return need;
}

/* Sets known[step], where it is not yet, of those that lose at most the search's share of their packets to rules that decide otherwise. */
void dead_bound(struct dead_search *d, struct judgement *j, unsigned states, bool *known);

#endif
