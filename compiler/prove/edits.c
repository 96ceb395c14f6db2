/*
 * edits.c - two lists of steps as few edits: what stands in both, in one order, need not be looked at.
 */
#include "compiler/prove/mutant.h"
#include "compiler/prove/prover.h"

#include <stdlib.h>
#include <string.h>

/*
 * Equal steps are paired (the i-th copy with the i-th copy), and the longest
 * chain of pairs that both lists have in one order is what they share. Any
 * common subsequence would be exact; a long one leaves few edits to look at.
 */
struct hashed {
	uint64_t hash;
	uint32_t step;
};

static int by_hash(const void *a, const void *b)
{
	const struct hashed *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->step < y->step ? -1 : x->step > y->step;
}

/* A step means another thing behind the line that forwarded lifelines jump over. */
static struct hashed *hash_steps(struct arena *arena, const struct judgement *j)
{
	struct hashed *at = arena_zero(arena, j->step_count * sizeof *at);

	for (uint32_t i = 0; i < j->step_count; i++)
		at[i] = (struct hashed){ j->steps[i].hash ^ (i < j->layer4), i };
	qsort(at, j->step_count, sizeof *at, by_hash);
	return at;
}

#define UNPAIRED UINT32_MAX

/* For each step of a, its equal in b. */
static uint32_t *pair_steps(struct arena *arena, const struct judgement *a, const struct judgement *b)
{
	struct hashed *x = hash_steps(arena, a), *y = hash_steps(arena, b);
	uint32_t *pair = arena_zero(arena, a->step_count * sizeof *pair);

	memset(pair, 0xff, a->step_count * sizeof *pair);
	for (size_t i = 0, j = 0; i < a->step_count && j < b->step_count;) {
		if (x[i].hash != y[j].hash) {
			if (x[i].hash < y[j].hash)
				i++;
			else
				j++;
			continue;
		}
		if (step_same(a, &a->steps[x[i].step], b, &b->steps[y[j].step]) &&
		    (x[i].step < a->layer4) == (y[j].step < b->layer4))
			pair[x[i].step] = y[j].step;
		i++;
		j++;
	}
	return pair;
}

/* The longest increasing chain in pair[], by patience sorting; marks the members. */
static void keep_longest(struct arena *arena, const uint32_t *pair, size_t len, struct edits *e)
{
	uint32_t *tail = arena_zero(arena, len * sizeof *tail);
	uint32_t *before = arena_zero(arena, len * sizeof *before);
	size_t longest = 0;

	for (uint32_t i = 0; i < len; i++) {
		size_t lo = 0, hi = longest;

		if (pair[i] == UNPAIRED)
			continue;
		while (lo < hi) {
			size_t mid = lo + (hi - lo) / 2;

			if (MUTANT(21, pair[tail[mid]] < pair[i], true))
				lo = mid + 1;
			else
				hi = mid;
		}
		before[i] = lo ? tail[lo - 1] : UNPAIRED;
		tail[lo] = i;
		if (lo == longest)
			longest++;
	}
	for (uint32_t i = longest ? tail[longest - 1] : UNPAIRED; i != UNPAIRED; i = before[i]) {
		e->a[i] = false;
		e->b[pair[i]] = false;
		e->a_count--;
		e->b_count--;
	}
}

struct edits edits_find(struct arena *arena, const struct judgement *a, const struct judgement *b)
{
	struct edits e = {
		.a = arena_zero(arena, a->step_count),
		.b = arena_zero(arena, b->step_count),
		.a_count = a->step_count,
		.b_count = b->step_count,
	};

	memset(e.a, true, a->step_count);
	memset(e.b, true, b->step_count);
	keep_longest(arena, pair_steps(arena, a, b), a->step_count, &e);
	return e;
}
