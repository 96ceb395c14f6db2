#include "enforcer/hook/atlas/atlas.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "enforcer/hook/atlas/make.h"

#define HOSTS_APART 8u /* so many times as many hosts as other prefixes, of IPv4, are in a table of their own */
#define GROUND_LEAST 9u	/* bits of an address */
#define GROUND_MOST 22u	/* 512 KB */
#define GROUND_BITS 8u	/* an entry, where that is no more */
#define GROUND_FEWEST 2u /* of less than so many most would be passed */

static void making_own_(struct making *m)
{
	free(m->words);
	free(m->masks);
	free(m->mask_table);
	free(m->heads);
	free(m->tagged);
	free(m->late);
}

/* ---- room ------------------------------------------------------------------------------ */

static bool making_grow(struct making *m, size_t len)
{
	size_t room = m->room * 3ull / 2 > len ? m->room * 3ull / 2 : len;
	uint64_t *words = realloc(m->words, room * sizeof *words);

	if (!words)
		return false;
	m->words = words;
	m->room = (uint32_t)room;
	return true;
}

static uint32_t take_from(struct making *m, size_t at, size_t count)
{
	const size_t len = at + count;

	if (len > TEG_ATLAS_WORDS_MAX || (len > m->room && !making_grow(m, len)))
		return 0;
	memset(m->words + m->len, 0, (len - m->len) * sizeof *m->words);
	m->len = (uint32_t)len;
	return (uint32_t)at;
}

uint32_t making_take(struct making *m, size_t count)
{
	return take_from(m, (m->len + TEG_ATLAS_LINE - 1) / TEG_ATLAS_LINE * TEG_ATLAS_LINE, count);
}

uint32_t making_take_next(struct making *m, size_t count)
{
	return take_from(m, m->len, count);
}

/* ---- masks ------------------------------------------------------------------------------- */

static uint32_t *mask_place(const struct making *m, uint64_t mask)
{
	uint64_t hash = mask * 0x9e3779b97f4a7c15u;
	uint32_t at = (uint32_t)(hash >> 32) & (m->mask_room - 1);

	while (m->mask_table[at] && m->masks[m->mask_table[at] - 1] != mask)
		at = (at + 1) & (m->mask_room - 1);
	return &m->mask_table[at];
}

static bool masks_grow(struct making *m)
{
	const uint32_t room = m->mask_room ? m->mask_room * 2 : 1024;
	uint64_t *masks = realloc(m->masks, room / 2 * sizeof *masks);
	uint32_t *table = masks ? calloc(room, sizeof *table) : NULL;

	m->masks = masks ? masks : m->masks;
	if (!table)
		return false;
	free(m->mask_table);
	m->mask_table = table;
	m->mask_room = room;
	for (uint32_t i = 0; i < m->mask_count; i++)
		*mask_place(m, m->masks[i]) = i + 1;
	return true;
}

uint32_t making_mask(struct making *m, uint64_t mask)
{
	if (m->mask_count >= m->mask_room / 2 && !masks_grow(m))
		return ATLAS_NO_VALUE;
	uint32_t *place = mask_place(m, mask);

	if (!*place) {
		if (m->mask_count == TEG_ATLAS_MASKS)
			return ATLAS_NO_VALUE;
		m->masks[m->mask_count++] = mask;
		*place = m->mask_count;
	}
	return *place - 1;
}

/* ---- from prefixes to points -------------------------------------------------------------- */

void points_release(struct points *p)
{
	free(p->at);
}

static bool point_add(struct points *p, uint32_t key, uint32_t value)
{
	if (p->len && p->at[p->len - 1].key == key)
		p->len--;
	if (p->len && p->at[p->len - 1].value == value)
		return true;
	if (p->len == p->room) {
		size_t room = p->room ? p->room * 2 : 1024;
		struct point *at = realloc(p->at, room * sizeof *at);

		if (!at)
			return false;
		p->at = at;
		p->room = room;
	}
	p->at[p->len++] = (struct point){ key, value };
	return true;
}

uint32_t sweep_value(const struct sweep *s)
{
	return s->depth ? s->open[s->depth - 1].value : s->around;
}

bool sweep_to(struct sweep *s, uint64_t key)
{
	bool ok = true;

	while (s->depth && s->open[s->depth - 1].last < key) {
		const uint32_t last = s->open[--s->depth].last;

		if (last != UINT32_MAX)
			ok &= point_add(s->points, last + 1, sweep_value(s));
	}
	return ok;
}

bool sweep_open(struct sweep *s, uint32_t from, uint32_t last, uint32_t value)
{
	if (s->depth == ATLAS_DEPTH_MAX || (!s->points->len && !point_add(s->points, 0, s->around)))
		return false;
	s->open[s->depth].last = last;
	s->open[s->depth++].value = value;
	return point_add(s->points, from, value);
}

/* ---- the whole -------------------------------------------------------------------------------- */

/* Finds the heads, and gives those that need a tree the first numbers. */
static bool heads_find(struct making *m)
{
	uint32_t room = 0, others = 0;

	for (uint32_t i = 0; i < m->count; i++) {
		const struct prefix *p = &m->prefixes[i].prefix;
		const uint32_t key = (uint32_t)(p->addr.num >> 96);

		if (p->addr.family != FAMILY_IP6 || p->len <= 32)
			continue;
		if (!m->head_count || m->heads[m->head_count - 1].key != key) {
			if (m->head_count == room) {
				room = room ? room * 2 : 64;
				struct head *heads = realloc(m->heads, room * sizeof *heads);

				if (!heads)
					return false;
				m->heads = heads;
			}
			m->heads[m->head_count++] = (struct head){ .key = key, .from = i };
		}
		struct head *h = &m->heads[m->head_count - 1];
		h->to = i + 1;
		h->has_tree |= p->len <= 64;
	}
	for (uint32_t i = 0; i < m->head_count; i++)
		if (m->heads[i].has_tree)
			m->heads[i].name = ++m->head.tree_count;
	for (uint32_t i = 0; i < m->head_count; i++)
		if (!m->heads[i].has_tree)
			m->heads[i].name = m->head.tree_count + ++others;
	return m->head_count < TEG_ATLAS_MASKS;
}

/* Where IPv4 prefixes lie at all, in no more than stays in a processor's second cache. */
static bool ground_take(struct making *m)
{
	uint32_t of_ip4 = 0, bits = GROUND_LEAST;

	for (uint32_t i = 0; i < m->count; i++)
		of_ip4 += m->prefixes[i].prefix.addr.family == FAMILY_IP4;
	if (!of_ip4 || of_ip4 > (1u << GROUND_MOST) / GROUND_FEWEST)
		return true;
	while (bits < GROUND_MOST && 1u << bits < GROUND_BITS * (uint64_t)of_ip4)
		bits++;
	m->head.ground_shift = 32 - bits;
	m->head.ground = making_take(m, (1u << bits) / 64);
	for (uint32_t i = 0; m->head.ground && i < m->count; i++) {
		const struct addr_range r = prefix_range(m->prefixes[i].prefix);

		if (m->prefixes[i].prefix.addr.family != FAMILY_IP4)
			continue;
		for (uint32_t bit = (uint32_t)r.lo >> (32 - bits); bit <= (uint32_t)r.hi >> (32 - bits); bit++)
			m->words[m->head.ground + bit / 64] |= 1ull << bit % 64;
	}
	return m->head.ground;
}

/* The shortest that are taken as hosts: some are neighbours, and only in part of one prefix. */
static void hosts_count(struct making *m, enum family family)
{
	const unsigned bits = FAMILY_BITS(family);
	uint32_t of_length[3] = { 0 }, others = 0;

	for (uint32_t i = 0; i < m->count; i++) {
		const struct prefix *p = &m->prefixes[i].prefix;

		if (p->addr.family == family)
			*(bits - p->len < 3 ? &of_length[bits - p->len] : &others) += 1;
	}
	const uint64_t near = 2ull * of_length[1] + 4ull * of_length[2];
	const bool few = near <= of_length[0];
	const uint64_t hosts = of_length[0] + (few ? near : 0);
	if (!few)
		others += of_length[1] + of_length[2];
	m->host_len[family] = few ? bits - 2 : bits;
	if (family == FAMILY_IP4)
		m->hosts_apart = hosts && hosts >= HOSTS_APART * (uint64_t)others;
}

/* The masks of IPv6 hosts come first: of the first there is room in their table. */
static bool hosts6_first(struct making *m)
{
	bool ok = true;

	for (uint32_t i = 0; i < m->count && ok; i++)
		if (m->prefixes[i].prefix.addr.family == FAMILY_IP6 && m->prefixes[i].prefix.len >= m->host_len[FAMILY_IP6])
			ok = making_mask(m, m->prefixes[i].sets) != ATLAS_NO_VALUE;
	return ok;
}

static bool copy_words(struct making *m, uint32_t *at, const uint64_t *words, size_t count)
{
	*at = making_take(m, count);
	if (*at)
		memcpy(m->words + *at, words, count * sizeof *words);
	return *at;
}

static bool make(struct making *m)
{
	bool ok = making_take(m, sizeof m->head / 8) == 0 && m->len && making_mask(m, 0) == 0 && heads_find(m);

	for (unsigned f = 0; f < FAMILY_COUNT; f++)
		hosts_count(m, (enum family)f);
	ok = ok && ground_take(m) && hosts6_first(m);
	for (unsigned f = 0; ok && f < FAMILY_COUNT; f++)
		ok = atlas_pages(m, (enum family)f);
	ok = ok && atlas_trees(m) && atlas_tables(m) && copy_words(m, &m->head.masks, m->masks, m->mask_count) &&
	     making_take(m, TEG_ATLAS_PARTS);
	if (ok)
		memcpy(m->words, &m->head, sizeof m->head);
	return ok;
}

int atlas_build(struct atlas *out, const struct plan_prefix *prefixes, uint32_t count, struct err *why)
{
	own(making) struct making m = { .prefixes = prefixes, .count = count };

	if (!make(&m))
		return err_set(why, ENOMEM, "no memory for address sets of %u prefixes", count);
	*out = (struct atlas){ m.words, m.len };
	m.words = NULL;
	return 0;
}

void atlas_release(struct atlas *a)
{
	free(a->at);
	*a = (struct atlas){ 0 };
}

uint64_t atlas_find(const struct atlas *a, struct addr addr)
{
	const struct atlas_view v = { (const __u64 *)a->at, (const struct teg_atlas *)a->at, a->words, 0 };

	if (!atlas_is_whole(&v))
		return 0;
	return addr.family == FAMILY_IP6 ? atlas_ip6(&v, (uint64_t)(addr.num >> 64), (uint64_t)addr.num) :
					   atlas_ip4(&v, (uint32_t)addr.num);
}
