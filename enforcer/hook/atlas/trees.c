#include <stdlib.h>

#include "enforcer/hook/atlas/make.h"

#define INTERVALS (TEG_ATLAS_LEAF + 1) /* of a leaf */
#define PARTS (TEG_ATLAS_INNER + 1)    /* of an inner line */
#define PART_BITS 24u		       /* of a part of a head's page */
#define ENTRY_ONE (1ull << 62)	       /* so that no entry is 0 */

/* The points of the head's prefixes of 33 to 64 bits. */
static bool head_points(struct making *m, struct points *out, const struct head *h)
{
	struct sweep s = { .points = out, .around = h->around };
	bool ok = true;

	out->len = 0;
	for (uint32_t i = h->from; i < h->to && ok; i++) {
		const struct prefix *p = &m->prefixes[i].prefix;
		const uint32_t from = (uint32_t)(p->addr.num >> 64), last = (uint32_t)(prefix_range(*p).hi >> 64);

		if (p->len > 64)
			continue;
		const uint32_t value = making_mask(m, m->prefixes[i].sets);
		ok = value != ATLAS_NO_VALUE && sweep_to(&s, from) && sweep_open(&s, from, last, value);
	}
	return ok && sweep_to(&s, 1ull << 32);
}

/* The last key before the point with this number. */
static uint32_t end_before(const struct points *p, size_t at)
{
	return at < p->len ? p->at[at].key - 1 : UINT32_MAX;
}

static void leaf_fill(struct making *m, uint32_t line, const struct points *p, size_t first)
{
	for (uint32_t i = 0; i < TEG_ATLAS_LEAF; i++)
		making_put_half(m, line, i, end_before(p, first + i + 1));
	for (uint32_t i = 0; i < INTERVALS && first + i < p->len; i++) {
		const uint32_t value = p->at[first + i].value, bit = i * 22;

		making_put_half(m, line, TEG_ATLAS_LEAF + bit / 32, value << bit % 32);
		if (bit % 32 > 10)
			making_put_half(m, line, TEG_ATLAS_LEAF + bit / 32 + 1, value >> (32 - bit % 32));
	}
}

/* `first` and `each` say which points each of its parts has. */
static void inner_fill(struct making *m, uint32_t line, const struct points *p, size_t first, size_t each, uint32_t parts)
{
	for (uint32_t i = 0; i < TEG_ATLAS_INNER; i++)
		making_put_half(m, line, i, end_before(p, first + (i + 1) * each));
	making_put_half(m, line, TEG_ATLAS_INNER, parts / TEG_ATLAS_LINE);
}

/* The lines of one level below the first; a line has `each` points. 0: no memory. */
static uint32_t level_make(struct making *m, const struct points *p, size_t each, uint32_t below)
{
	const size_t count = (p->len + each - 1) / each;
	const uint32_t level = making_take(m, count * TEG_ATLAS_LINE);

	for (size_t i = 0; level && i < count; i++) {
		const uint32_t line = level + (uint32_t)i * TEG_ATLAS_LINE;

		if (below)
			inner_fill(m, line, p, i * each, each / PARTS, below + (uint32_t)i * PARTS * TEG_ATLAS_LINE);
		else
			leaf_fill(m, line, p, i * each);
	}
	return level;
}

/* The entry of a tree of these points; 0: no memory. */
static uint64_t tree_make(struct making *m, const struct points *p)
{
	const uint32_t top = making_take(m, TEG_ATLAS_LINE);
	uint64_t depth = 0;
	uint32_t below = 0;
	size_t each = INTERVALS;

	for (; top && each < p->len; each *= PARTS, depth++) {
		below = level_make(m, p, each, below);
		if (!below)
			return 0;
	}
	if (!top)
		return 0;
	if (depth)
		inner_fill(m, top, p, 0, each / PARTS, below);
	else
		leaf_fill(m, top, p, 0);
	return (uint64_t)TEG_ATLAS_MANY << 63 | depth << 32 | top;
}

/* Is the part, beside what is around it, one prefix? From and to are its first key and its last. */
static bool is_one(const struct slice *s, uint32_t key, uint32_t around, uint32_t *from, uint32_t *to, uint32_t *value)
{
	const bool begins = s->value != around; /* where the part does */
	const size_t ends = begins ? 0 : 1;

	if (s->len > ends + 1 || s->len < ends || (s->len > ends && s->at[ends].value != around))
		return false;
	*value = begins ? s->value : s->at[0].value;
	*from = begins ? key : s->at[0].key;
	*to = s->len > ends ? s->at[ends].key - 1 : (key | ((1u << PART_BITS) - 1));
	const uint32_t size = *to - *from + 1;
	return !(size & (size - 1)) && !(*from & (size - 1));
}

static uint64_t entry_of(struct making *m, const struct slice *s, uint32_t key, uint32_t around)
{
	own(points) struct points points = { 0 };
	uint32_t from, to, value;

	if (is_one(s, key, around, &from, &to, &value))
		return ENTRY_ONE | (uint64_t)(PART_BITS - (unsigned)__builtin_ctz(to - from + 1)) << 46 |
		       (uint64_t)(from & ((1u << PART_BITS) - 1)) << 22 | value;
	points.at = calloc(s->len + 1, sizeof *points.at);
	if (!points.at)
		return 0;
	points.at[points.len++] = (struct point){ key, s->value };
	for (size_t i = 0; i < s->len; i++)
		points.at[points.len++] = s->at[i];
	return tree_make(m, &points);
}

bool atlas_trees(struct making *m)
{
	own(points) struct points points = { 0 };

	m->head.trees = making_take(m, (size_t)m->head.tree_count * TEG_ATLAS_LINE);
	if (!m->head.trees)
		return false;
	for (uint32_t i = 0; i < m->head_count; i++) {
		const struct head *h = &m->heads[i];
		const uint32_t page = m->head.trees + (h->name - 1) * TEG_ATLAS_LINE;

		if (!h->has_tree)
			continue;
		if (!head_points(m, &points, h) ||
		    !atlas_page(m, page, (struct slice){ points.at, points.len, h->around }, 0, PART_BITS, entry_of))
			return false;
	}
	return true;
}
