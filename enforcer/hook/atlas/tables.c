#include <stdlib.h>
#include <string.h>

#include "enforcer/hook/atlas/make.h"

#define SEEDS_TRIED 100
#define KICKS 500 /* of keys that make room for each other */
#define GATE_BITS 8u /* for each key, or up to twice as many: one of twenty that are not there passes all the same, or fewer */

enum table { HOSTS4 = TEG_ATLAS_HOSTS4, HOSTS6 = TEG_ATLAS_HOSTS6, FAR = TEG_ATLAS_FAR };

static const unsigned ways_of[TEG_ATLAS_TABLES] = { TEG_ATLAS_CELLS, TEG_ATLAS_WAYS6, TEG_ATLAS_FAR_WAYS };
static const bool has_gate[TEG_ATLAS_TABLES] = { [HOSTS6] = true, [FAR] = true };

/* What is in a table. Of hosts6 the key is the number of the head << 32 | bits 32 to 63. */
struct item {
	uint64_t key, low;
	uint32_t value;
};

/* ---- one bucket -------------------------------------------------------------------------- */

static uint64_t *words_of(const struct making *m, enum table t, uint32_t bucket)
{
	return m->words + m->head.tables[t].at + (size_t)bucket * TEG_ATLAS_LINE;
}

static uint32_t *halves_of(const struct making *m, enum table t, uint32_t bucket)
{
	return (uint32_t *)words_of(m, t, bucket);
}

static uint64_t item_hash(const struct making *m, enum table t, const struct item *i)
{
	return teg_atlas_hash(m->head.seed, t == HOSTS6 ? (uint32_t)i->key : i->key, i->low);
}

static uint32_t bucket_of(const struct making *m, enum table t, const struct item *i, bool second)
{
	const uint32_t buckets = m->head.tables[t].buckets;
	const uint64_t hash = item_hash(m, t, i);

	return t == HOSTS6 ? teg_atlas_bucket6(hash, (uint32_t)(i->key >> 32), buckets, second) :
			     teg_atlas_bucket(hash, buckets, second);
}

/* What stands there; no value: nothing does. */
static struct item way_get(const struct making *m, enum table t, uint32_t bucket, unsigned way)
{
	const uint64_t *words = words_of(m, t, bucket);
	const uint32_t *halves = halves_of(m, t, bucket);

	if (t == FAR)
		return (struct item){ words[2 * way], words[2 * way + 1], halves[4 * TEG_ATLAS_FAR_WAYS + way] };
	if (t != HOSTS6)
		return (struct item){ (uint32_t)words[way], 0, (uint32_t)(words[way] >> 32) & ~TEG_ATLAS_SPILLED };
	const uint32_t says = halves[15] >> way * 6, buckets = m->head.tables[HOSTS6].buckets;
	struct item i = { halves[10 + way], words[way], says & (TEG_ATLAS_VALUES6 - 1) };
	const uint32_t none = bucket_of(m, HOSTS6, &i, says >> 5 & 1);

	i.key |= (uint64_t)(bucket >= none ? bucket - none : bucket + buckets - none) << 32;
	return i;
}

static void way_set(const struct making *m, enum table t, uint32_t bucket, unsigned way, const struct item *i, bool second)
{
	uint64_t *words = words_of(m, t, bucket);
	uint32_t *halves = halves_of(m, t, bucket);

	if (t == FAR) {
		words[2 * way] = i->key;
		words[2 * way + 1] = i->low;
		halves[4 * TEG_ATLAS_FAR_WAYS + way] = i->value;
	} else if (t != HOSTS6) {
		words[way] = (words[way] & 1ull << 63) | (uint64_t)i->value << 32 | i->key;
	} else {
		words[way] = i->low;
		halves[10 + way] = (uint32_t)i->key;
		halves[15] = (halves[15] & ~(63u << way * 6)) | (i->value | (uint32_t)second << 5) << way * 6;
	}
}

/* Some for which this is the first bucket are in their second. */
static void bucket_spills(const struct making *m, enum table t, uint32_t bucket)
{
	uint32_t *halves = halves_of(m, t, bucket);

	if (t == FAR)
		halves[15] = 1;
	else
		halves[t == HOSTS6 ? 15 : 1] |= TEG_ATLAS_SPILLED;
}

static bool bucket_put(const struct making *m, enum table t, const struct item *i, bool second)
{
	const uint32_t bucket = bucket_of(m, t, i, second);

	for (unsigned way = 0; way < ways_of[t]; way++)
		if (!way_get(m, t, bucket, way).value) {
			way_set(m, t, bucket, way, i, second);
			if (second)
				bucket_spills(m, t, bucket_of(m, t, i, false));
			return true;
		}
	return false;
}

/* ---- those that come late ------------------------------------------------------------------ */

struct late {
	enum table table;
	struct item item;
};

static bool late_add(struct making *m, enum table t, const struct item *i)
{
	if (m->late_count == m->late_room) {
		const size_t room = m->late_room ? m->late_room * 2 : 1024;
		struct late *late = realloc(m->late, room * sizeof *late);

		if (!late)
			return false;
		m->late = late;
		m->late_room = room;
	}
	m->late[m->late_count++] = (struct late){ t, *i };
	return true;
}

/* ---- one table ---------------------------------------------------------------------------- */

static void gate_open(const struct making *m, enum table t, const struct item *i)
{
	const struct teg_atlas_table *table = &m->head.tables[t];
	const uint64_t hash = item_hash(m, t, i);

	if (has_gate[t])
		m->words[table->gate + (hash >> table->gate_shift)] |= teg_atlas_bits(hash);
}

/* A key for which its first bucket has room now; the others wait until all of these have their places. */
static bool table_put(struct making *m, enum table t, struct item i)
{
	gate_open(m, t, &i);
	return bucket_put(m, t, &i, false) || late_add(m, t, &i);
}

static void bucket_take(const struct making *m, enum table t, uint32_t bucket, unsigned way, const struct item *i, bool second)
{
	way_set(m, t, bucket, way, i, second);
	if (second)
		bucket_spills(m, t, bucket_of(m, t, i, false));
}

/* Takes the place of a key whose other bucket has room: so only one of those that share a first bucket is in its second. */
static bool bucket_swap(const struct making *m, enum table t, const struct item *i, bool second)
{
	const uint32_t bucket = bucket_of(m, t, i, second);

	for (unsigned way = 0; way < ways_of[t]; way++) {
		const struct item out = way_get(m, t, bucket, way);

		if (!bucket_put(m, t, &out, bucket_of(m, t, &out, false) == bucket))
			continue;
		bucket_take(m, t, bucket, way, i, second);
		return true;
	}
	return false;
}

/* Where both buckets are full another key makes room, for which the same holds. */
static bool table_settle(const struct making *m, enum table t, struct item i)
{
	bool second = false;

	for (unsigned kick = 0; kick < KICKS; kick++) {
		if (bucket_put(m, t, &i, second) || bucket_put(m, t, &i, !second) || bucket_swap(m, t, &i, second))
			return true;
		const uint32_t bucket = bucket_of(m, t, &i, second);
		const unsigned way = (unsigned)((i.key ^ i.low) * 0x9e3779b97f4a7c15u >> 32 ^ kick) % ways_of[t];
		const struct item out = way_get(m, t, bucket, way);

		bucket_take(m, t, bucket, way, &i, second);
		i = out;
		second = bucket_of(m, t, &i, false) == bucket;
	}
	return false;
}

/* So that nine of ten places are taken. */
static bool table_take(struct making *m, enum table t, uint32_t count)
{
	struct teg_atlas_table *table = &m->head.tables[t];
	uint32_t words = 2, shift = 63;

	if (!count)
		return true;
	while (words * 64ull < (uint64_t)count * GATE_BITS)
		words *= 2, shift--;
	table->buckets = (uint32_t)((uint64_t)count * 10 / (9 * ways_of[t])) + 1;
	if (t == HOSTS6 && table->buckets <= m->head_count)
		table->buckets = m->head_count + 1;
	table->gate_shift = shift;
	table->gate = making_take(m, has_gate[t] ? words : 0);
	table->at = making_take(m, (size_t)table->buckets * TEG_ATLAS_LINE);
	return table->gate && table->at;
}

/* ---- tags --------------------------------------------------------------------------------- */

#define TAGS_FROM (1u << 18) /* hosts: what they take is then 16 bytes each at most, and 4 of a million */
#define TAGS_EACH 8u	     /* in a bucket of 12: so one bucket of twenty spills some */
#define TAGS_LEAST (32u - TEG_ATLAS_TAG_BITS)
#define TAGS_MOST 22u
#define TAGS_SPILL 16u	     /* when more than one of so many has no place there, none has */

static uint32_t tag_bucket(const struct making *m, const struct item *i)
{
	return teg_atlas_mix((uint32_t)i->key) >> m->head.tags_shift;
}

/* Is the host, which is only counted, one that stands among tags? */
static bool tag_counts(struct making *m, const struct item *i)
{
	uint8_t *held = &m->tagged[tag_bucket(m, i)];

	if (i->value >= TEG_ATLAS_TAG_VALUES || *held == TEG_ATLAS_TAGS)
		return false;
	*held += 1;
	return true;
}

static void tag_set(uint64_t *bucket, unsigned at, uint32_t mixed, uint64_t value)
{
	const unsigned lane = at / TEG_ATLAS_TAG_WORDS * 16;
	uint64_t *word = &bucket[at % TEG_ATLAS_TAG_WORDS];

	*word = (*word & ~(0xffffull << lane)) | (uint64_t)(mixed & ((1u << TEG_ATLAS_TAG_BITS) - 1)) << lane;
	bucket[TEG_ATLAS_TAG_WORDS] |= value << at * 5;
}

/* Has it found a place? A bucket's free places have the tag of its first. */
static bool tag_put(const struct making *m, const struct item *i)
{
	const uint32_t mixed = teg_atlas_mix((uint32_t)i->key);
	uint64_t *bucket = m->words + m->head.tags + (size_t)tag_bucket(m, i) * (TEG_ATLAS_TAG_WORDS + 1);
	unsigned at = 0;

	while (at < TEG_ATLAS_TAGS && bucket[TEG_ATLAS_TAG_WORDS] >> at * 5 & (TEG_ATLAS_TAG_VALUES - 1))
		at++;
	if (i->value >= TEG_ATLAS_TAG_VALUES || at == TEG_ATLAS_TAGS) {
		bucket[TEG_ATLAS_TAG_WORDS] |= 1ull << 63;
		return false;
	}
	tag_set(bucket, at, mixed, i->value);
	for (unsigned rest = 1; !at && rest < TEG_ATLAS_TAGS; rest++)
		tag_set(bucket, rest, mixed, 0);
	return true;
}

/* ---- all of them ---------------------------------------------------------------------------- */

static struct item item_far(const struct prefix *p, uint32_t head, uint32_t value)
{
	return (struct item){ (uint64_t)head << 38 | (uint64_t)(uint32_t)(p->addr.num >> 64) << 6 | (p->len - 65),
			      (uint64_t)p->addr.num, value };
}

/* Has a prefix inside this one the address? In the plan's order they stand behind it. */
static bool is_closer(const struct making *m, uint32_t outer, addr_num at)
{
	const addr_num last = prefix_range(m->prefixes[outer].prefix).hi;

	for (uint32_t i = outer + 1; i < m->count; i++) {
		const struct addr_range r = prefix_range(m->prefixes[i].prefix);

		if (r.lo > last || m->prefixes[i].prefix.addr.family != m->prefixes[outer].prefix.addr.family)
			return false;
		if (r.lo <= at && at <= r.hi)
			return true;
	}
	return false;
}

/* Puts the addresses that have no closer prefix, or, with `counts`, counts them. */
static bool hosts_put(struct making *m, enum table t, uint32_t at, uint32_t head, uint32_t value, uint32_t *counts)
{
	const struct addr_range r = prefix_range(m->prefixes[at].prefix);

	for (addr_num host = r.lo;; host++) {
		const struct item i = { t == HOSTS4 ? host : (uint64_t)head << 32 | (uint32_t)(host >> 64),
					t == HOSTS4 ? 0 : (uint64_t)host, value };

		const bool here = !is_closer(m, at, host);

		if (here && counts)
			counts[t] += !(t == HOSTS4 && m->tagged && tag_counts(m, &i));
		else if (here && !(t == HOSTS4 && m->tagged && tag_put(m, &i)) && !table_put(m, t, i))
			return false;
		if (host == r.hi)
			return true;
	}
}

/* Is the prefix, which is of IPv6, one of hosts that their table has room for? */
static bool is_hosts6(const struct making *m, const struct prefix *p, uint32_t value)
{
	return p->len >= m->host_len[FAMILY_IP6] && value && value < TEG_ATLAS_VALUES6;
}

/* Puts the prefix where it belongs, or counts it there. */
static bool longer_put(struct making *m, uint32_t at, uint32_t head, uint32_t *counts)
{
	const struct plan_prefix *p = &m->prefixes[at];
	const uint32_t value = making_mask(m, p->sets);

	if (p->prefix.len <= 64)
		return true;
	if (value == ATLAS_NO_VALUE)
		return false;
	if (is_hosts6(m, &p->prefix, value))
		return hosts_put(m, HOSTS6, at, head, value, counts);
	if (counts)
		counts[FAR]++;
	else
		return table_put(m, FAR, item_far(&p->prefix, head, value));
	return true;
}

static bool longer_each(struct making *m, uint32_t *counts)
{
	for (const struct head *h = m->heads; h < m->heads + m->head_count; h++)
		for (uint32_t i = h->from; i < h->to; i++)
			if (!longer_put(m, i, h->name, counts))
				return false;
	return true;
}

static bool hosts4_each(struct making *m, uint32_t *counts)
{
	for (uint32_t i = 0; i < m->count; i++) {
		const struct prefix *p = &m->prefixes[i].prefix;
		const uint32_t value = making_mask(m, m->prefixes[i].sets);

		if (p->addr.family != FAMILY_IP4 || making_is_paged(m, p))
			continue;
		if (value == ATLAS_NO_VALUE)
			return false;
		if (!hosts_put(m, HOSTS4, i, 0, value, counts))
			return false;
	}
	return true;
}

/* Which lengths the far table has, of each head and of all. */
static bool far_lengths(struct making *m)
{
	bool has[129] = { false };

	m->head.far_lengths = making_take(m, m->head_count + 1);
	for (const struct head *h = m->heads; h < m->heads + m->head_count; h++)
		for (uint32_t i = h->from; i < h->to; i++) {
			const struct prefix *p = &m->prefixes[i].prefix;

			if (p->len <= 64 || is_hosts6(m, p, making_mask(m, m->prefixes[i].sets)))
				continue;
			m->words[m->head.far_lengths + (h->name)] |= 1ull << (p->len - 65);
			has[p->len] = true;
		}
	for (unsigned length = 128; length > 64; length--)
		if (has[length])
			m->head.lengths[m->head.length_count++] = (uint8_t)length;
	return m->head.far_lengths;
}

/* Many hosts of IPv4 are tags; counts them anew then. */
static bool tags_take(struct making *m, uint32_t counts[static TEG_ATLAS_TABLES])
{
	const uint32_t hosts = counts[HOSTS4];
	uint32_t bits = TAGS_LEAST;

	if (hosts < TAGS_FROM)
		return true;
	while (bits < TAGS_MOST && (uint64_t)TAGS_EACH << bits < hosts)
		bits++;
	m->head.tags_shift = 32 - bits;
	m->tagged = calloc(1u << bits, 1);
	counts[HOSTS4] = 0;
	if (!m->tagged || !hosts4_each(m, counts))
		return false;
	if (counts[HOSTS4] > hosts / TAGS_SPILL) { /* of too many different values */
		free(m->tagged);
		m->tagged = NULL;
		counts[HOSTS4] = hosts;
		return true;
	}
	m->head.tags = making_take(m, (size_t)(TEG_ATLAS_TAG_WORDS + 1) << bits);
	return m->head.tags;
}

static bool late_each(const struct making *m)
{
	for (size_t i = 0; i < m->late_count; i++)
		if (!table_settle(m, m->late[i].table, m->late[i].item))
			return false;
	return true;
}

/* Some seed gives every key a place. */
bool atlas_tables(struct making *m)
{
	uint32_t counts[TEG_ATLAS_TABLES] = { 0 };
	const uint32_t from = m->len;
	bool ok = hosts4_each(m, counts) && tags_take(m, counts) && longer_each(m, counts) && atlas_heads_take(m);

	for (unsigned t = 0; ok && t < TEG_ATLAS_TABLES; t++)
		ok = table_take(m, (enum table)t, counts[t]);
	const uint32_t to = m->len;
	if (!ok || (counts[FAR] && !far_lengths(m)))
		return false;
	m->head.seed = 0x9e3779b97f4a7c15u;
	for (int i = 0; i < SEEDS_TRIED; i++) {
		m->late_count = 0;
		if (!hosts4_each(m, NULL) || !longer_each(m, NULL))
			return false;
		if (late_each(m) && atlas_heads(m))
			return true;
		memset(m->words + from, 0, (size_t)(to - from) * sizeof *m->words);
		m->head.seed = (m->head.seed * 6364136223846793005u + 1442695040888963407u) | 1; /* Knuth's MMIX */
	}
	return false;
}
