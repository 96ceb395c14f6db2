#include "enforcer/hook/atlas_make.h"

#define INTERVALS (TEG_ATLAS_LEAF + 1) /* of a leaf */
#define PARTS (TEG_ATLAS_INNER + 1)    /* of an inner line */

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

static bool tree_make(struct making *m, struct head *h, const struct points *p)
{
	const uint32_t top = m->head.trees + (h->name - 1) * TEG_ATLAS_LINE;
	uint32_t below = 0, depth = 0;
	size_t each = INTERVALS;

	for (; each < p->len; each *= PARTS, depth++) {
		below = level_make(m, p, each, below);
		if (!below)
			return false;
	}
	if (depth)
		inner_fill(m, top, p, 0, each / PARTS, below);
	else
		leaf_fill(m, top, p, 0);
	h->name |= depth << 24;
	return true;
}

bool atlas_trees(struct making *m)
{
	own(points) struct points points = { 0 };

	m->head.trees = making_take(m, (size_t)m->head.tree_count * TEG_ATLAS_LINE);
	if (!m->head.trees)
		return false;
	for (uint32_t i = 0; i < m->head_count; i++)
		if (m->heads[i].has_tree && (!head_points(m, &points, &m->heads[i]) || !tree_make(m, &m->heads[i], &points)))
			return false;
	return true;
}
