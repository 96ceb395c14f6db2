/*
 * Hash and displace (Belazzougui, Botelho, Dietzfelbinger 2009): keys are in groups of about four by their hash, and for each group, the
 * largest first, a pilot is tried until all its keys have cells that are free.
 */
#include <stdlib.h>

#include "enforcer/hook/atlas/make.h"

#define EACH 4u		 /* keys in a group */
#define GROUP_MOST 64u	 /* by another seed it is fewer */
#define PILOTS (1u << 16)

/* Four of five cells are taken. */
bool atlas_heads_take(struct making *m)
{
	struct teg_atlas *a = &m->head;

	if (!m->head_count)
		return true;
	a->head_cells = (uint32_t)((uint64_t)m->head_count * 5 / 4) + 1;
	a->head_groups = m->head_count / EACH + 1;
	a->heads = making_take(m, a->head_cells);
	a->pilots = making_take(m, a->head_groups / 4 + 1);
	return a->heads && a->pilots;
}

static uint64_t head_hash(const struct making *m, uint32_t head)
{
	return teg_atlas_head_hash(m->head.seed, m->heads[head].key);
}

static uint32_t head_group(const struct making *m, uint32_t head)
{
	return teg_atlas_group(head_hash(m, head), m->head.head_groups);
}

/* Takes a cell for each of these; none, where one of them is taken. */
static bool cells_take(struct making *m, const uint32_t *heads, uint32_t count, uint32_t pilot)
{
	uint64_t *cells = m->words + m->head.heads, *taken[GROUP_MOST];

	for (uint32_t i = 0; i < count; i++) {
		const struct head *h = &m->heads[heads[i]];

		taken[i] = &cells[teg_atlas_head_cell(head_hash(m, heads[i]), pilot, m->head.head_cells)];
		if (*taken[i]) {
			while (i)
				*taken[--i] = 0;
			return false;
		}
		*taken[i] = (uint64_t)h->name << 32 | h->key;
	}
	return true;
}

static bool group_place(struct making *m, uint32_t group, const uint32_t *heads, uint32_t count)
{
	for (uint32_t pilot = 1; count <= GROUP_MOST && pilot < PILOTS; pilot += 2) {
		if (!cells_take(m, heads, count, pilot))
			continue;
		m->words[m->head.pilots + group / 4] |= (uint64_t)pilot << group % 4 * 16;
		return true;
	}
	return false;
}

/* heads[ends[g - 1]] to heads[ends[g] - 1] are of group g. */
static void groups_sort(const struct making *m, uint32_t *heads, uint32_t *ends)
{
	const uint32_t groups = m->head.head_groups;

	for (uint32_t i = 0; i < m->head_count; i++)
		ends[head_group(m, i)]++;
	for (uint32_t g = 1; g < groups; g++)
		ends[g] += ends[g - 1];
	for (uint32_t i = m->head_count; i--;)
		heads[--ends[head_group(m, i)]] = i;
	for (uint32_t g = 0; g < groups; g++)
		ends[g] = g + 1 < groups ? ends[g + 1] : m->head_count;
}

static uint32_t group_from(const uint32_t *ends, uint32_t group)
{
	return group ? ends[group - 1] : 0;
}

static bool groups_place(struct making *m, const uint32_t *heads, const uint32_t *ends)
{
	const uint32_t groups = m->head.head_groups;
	uint32_t largest = 0;

	for (uint32_t g = 0; g < groups; g++)
		if (ends[g] - group_from(ends, g) > largest)
			largest = ends[g] - group_from(ends, g);
	for (uint32_t size = largest; size; size--)
		for (uint32_t g = 0; g < groups; g++)
			if (ends[g] - group_from(ends, g) == size && !group_place(m, g, heads + group_from(ends, g), size))
				return false;
	return true;
}

bool atlas_heads(struct making *m)
{
	if (!m->head_count)
		return true;
	own(mem) uint32_t *heads = calloc(m->head_count, sizeof *heads);
	own(mem) uint32_t *ends = calloc(m->head.head_groups, sizeof *ends);

	if (!heads || !ends)
		return false;
	groups_sort(m, heads, ends);
	return groups_place(m, heads, ends);
}
