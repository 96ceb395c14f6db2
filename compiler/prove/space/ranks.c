/* ranks - addresses as ranks: where the sides of cells begin and end. */
#include "compiler/prove/mutant.h"
#include "compiler/prove/space/parts.h"

static void cut_add(struct cuts *k, addr_num at)
{
	if (k->len == k->room) {
		k->room = k->room ? 2 * k->room : 256;
		k->at = memory_must(realloc(k->at, k->room * sizeof *k->at));
	}
	k->at[k->len++] = at;
}

static void cut_side(struct cuts *k, const struct side *s, const struct addr_range *w)
{
	for (size_t i = 0; i < s->len && s->at[i].lo <= w->hi; i++) {
		if (s->at[i].hi < w->lo)
			continue;
		if (s->at[i].lo > w->lo)
			cut_add(k, s->at[i].lo);
		if (s->at[i].hi < w->hi)
			cut_add(k, s->at[i].hi + MUTANT(17, 1, 0));
	}
}

/* Where what ascends from here on ends. */
static size_t run_end(const addr_num *at, size_t from, size_t len)
{
	while (from < len && (++from == len || at[from] >= at[from - 1]))
		;
	return from;
}

static void runs_merge(addr_num *to, const addr_num *at, size_t from, size_t mid, size_t end)
{
	size_t a = from, b = mid;

	for (size_t i = from; i < end; i++)
		to[i] = b == end || (a < mid && at[a] <= at[b]) ? at[a++] : at[b++];
}

/* The cuts of each side ascend already: their runs are merged, two and two, until there is one. */
static void cuts_sort(struct cuts *k)
{
	size_t runs = run_end(k->at, 0, k->len) < k->len ? 2 : 1;
	addr_num *to = runs > 1 ? memory_must(malloc(k->room * sizeof *to)) : NULL;

	while (runs > 1) {
		addr_num *from = k->at;

		runs = 0;
		for (size_t at = 0, end; at < k->len; at = end, runs++) {
			const size_t mid = run_end(from, at, k->len);

			end = run_end(from, mid, k->len);
			runs_merge(to, from, at, mid, end);
		}
		k->at = to;
		to = from;
	}
	free(to);
}

static int by_ranges(const void *a, const void *b)
{
	const struct side *x = *(const struct side *const *)a, *y = *(const struct side *const *)b;

	return x->at < y->at ? -1 : x->at > y->at;
}

void space_note_side(struct space *s, const struct side *side)
{
	if (side->full || !side->len)
		return;
	if (s->side_count == s->side_room) {
		s->side_room = s->side_room ? 2 * s->side_room : 256;
		s->sides = memory_must(realloc(s->sides, s->side_room * sizeof *s->sides));
	}
	s->sides[s->side_count++] = side;
}

/* A set that many cells share is one array, and is cut along once. */
void space_cut(struct space *s, struct cuts *k, const struct addr_range *w)
{
	size_t len = 0;

	k->len = 0;
	cut_add(k, w->lo);
	if (s->side_count)
		qsort(s->sides, s->side_count, sizeof *s->sides, by_ranges);
	for (size_t i = 0; i < s->side_count; i++)
		if (!i || s->sides[i]->at != s->sides[i - 1]->at)
			cut_side(k, s->sides[i], w);
	cuts_sort(k);
	for (size_t i = 0; i < k->len; i++)
		if (!len || k->at[i] != k->at[len - 1])
			k->at[len++] = k->at[i];
	k->len = len;
	s->side_count = 0;
}

static bool is_not_above(const struct cuts *k, size_t at, addr_num a)
{
	return MUTANT(12, k->at[at] <= a, k->at[at] < a);
}

static uint32_t rank_between(const struct cuts *k, size_t lo, size_t hi, addr_num a)
{
	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (is_not_above(k, mid, a))
			lo = mid;
		else
			hi = mid;
	}
	return (uint32_t)lo;
}

uint32_t rank_of(const struct cuts *k, addr_num a)
{
	return rank_between(k, 0, k->len, a);
}

uint32_t rank_from(const struct cuts *k, size_t from, addr_num a)
{
	size_t step = 1;

	while (from + step < k->len && is_not_above(k, from + step, a)) {
		from += step;
		step *= 2;
	}
	return rank_between(k, from, from + step < k->len ? from + step : k->len, a);
}
