/*
 * abreast - all patterns of an automaton, while the tables are walked: what the files abreast*.c share.
 *
 *     abreast.c         the walk, state by state of the tables
 *     abreast_bases.c   what the last byte alone says of the patterns, and what a byte makes of the others
 *     abreast_tells.c   what the tables tell of a state, held to what the patterns are in
 *
 * Each pattern is in a state of its own. Nearly all are where their idle states lead by the last
 * byte, so of a state of the tables only the others are written down, ascending:
 *
 *     behind class c   those that c begins: base[c]        a state   its last class, and what differs from that class's base
 *
 * A step by class j: what base[c] leads to by j differs from base[j] in parts that are the same for all states: from[c][j]. So a step costs
 * as many patterns as are under way, not all of them. A state that is met again must mean the same. What was found is OVER, and
 * nothing is asked of it any more.
 */
#ifndef TEG_AUDIT_PAYLOAD_ABREAST_H
#define TEG_AUDIT_PAYLOAD_ABREAST_H

#include <string.h>

#include "compiler/audit/payload/reading.h"

#define ABREAST_OVER 0xffffu

struct moved {
	uint16_t nth, state; /* a pattern, and where it is */
};

struct moves {
	const struct moved *at;
	uint32_t len;
};

struct met {
	bool is;
	uint16_t last; /* class of the byte by which it was met first; class_count: reading begins */
	struct moves off;
};

struct abreast {
	struct payload_reading *r;
	struct arena *arena;
	const struct teg_automaton *t;
	const uint32_t *steps;
	uint32_t width, end;
	VEC(struct looked_for *) patterns;
	uint8_t byte[256]; /* class: one of its bytes; classes are what the tables or any pattern tells apart */
	unsigned class_count;
	unsigned like[257];    /* class: the first whose base is the same */
	struct moves *base;    /* by class, and none: what is not where it is idle */
	struct moves *telling; /* by class: what is found there, or if the payload ends */
	struct moves *from;    /* by last class and class, where it was asked for */
	bool *from_made;
	struct met *met; /* by the tables' state's number */
	VEC(uint32_t) waiting;
	VEC(struct moved) next;
	uint32_t *in_hit, *in_end, *asked, now; /* by pattern */
};

static inline const struct pattern *abreast_pattern(const struct abreast *w, uint32_t nth)
{
	return &w->patterns.at[nth]->said->pattern;
}

static inline uint32_t abreast_step(const struct abreast *w, struct moved m, unsigned class)
{
	const struct pattern *own_one = abreast_pattern(w, m.nth);

	if (m.state == ABREAST_OVER || own_one->found[m.state])
		return ABREAST_OVER;
	return own_one->next[m.state * own_one->classes + own_one->class_of[w->byte[class]]];
}

/* Where the pattern is behind a byte of the class, if nothing had begun. */
static inline uint32_t abreast_idle(const struct abreast *w, uint32_t nth, unsigned class)
{
	return class == w->class_count ? w->patterns.at[nth]->idle
				       : abreast_step(w, (struct moved){ (uint16_t)nth, (uint16_t)w->patterns.at[nth]->idle }, class);
}

static inline bool moves_same(const struct moves *x, const struct moves *y)
{
	return x->len == y->len && (!x->len || !memcmp(x->at, y->at, x->len * sizeof *x->at));
}

/* --- abreast_bases.c -------------------------------------------------------------------------------------- */

/* Of w->patterns: their idle states, classes and bases. */
void abreast_prepare(struct abreast *w);

/* To w->next, where they are: as reading begins, and behind a state and a byte. */
void abreast_begin(struct abreast *w);
void abreast_step_all(struct abreast *w, const struct met *m, unsigned class);

/* A copy of w->next. */
struct moves abreast_keep(struct abreast *w);

/* --- abreast_tells.c -------------------------------------------------------------------------------------- */

void abreast_tells_prepare(struct abreast *w);

/* Of those of w->next, behind a byte of this class; false with one of which the tables tell what is wrong. */
bool abreast_tells_right(struct abreast *w, uint32_t state, unsigned class, uint32_t *wrong);

#endif
