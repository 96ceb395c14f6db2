#include "enforcer/warden/atlas.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bpf-templates/atlas.h"

#define LINE 8u /* words of a cache line */
#define DEPTH_MAX 34u /* of prefixes inside each other: every length from 0 to 32, and a region */
#define SEEDS_TRIED 100
#define KICKS 500 /* of keys that make room for each other */
#define VALUES_MAX TEG_ATLAS_REGION

/* From here on, up to the next point, keys have this value. */
struct point {
	uint32_t key, value;
};

struct points {
	struct point *at;
	size_t len, room;
};

struct making {
	uint64_t *words;
	uint32_t len, room;
	struct teg_atlas head;
	uint64_t *masks;       /* each that occurs, once; the first is 0 */
	uint32_t mask_count;
	uint32_t *mask_table;  /* by a hash of the mask: 1 + its number */
	uint32_t mask_room;    /* of the table, a power of two */
	uint32_t region_count; /* number 0 is nobody's */
	uint64_t *regions;     /* two words each */
	uint32_t *region_of;   /* by prefix, of those that are longer than 32 bits of IPv6 */
	uint32_t near_count, far_count;
};

static void making_release(struct making *m)
{
	free(m->words);
	free(m->masks);
	free(m->mask_table);
	free(m->regions);
	free(m->region_of);
}

static void making_own_(struct making *m)
{
	making_release(m);
}

static void points_own_(struct points *p)
{
	free(p->at);
}

/* ---- room ------------------------------------------------------------------------------ */

/* So many words of zeroes at the end, from a multiple of `align` on; 0 when there is no memory. */
static uint32_t take_words(struct making *m, size_t count, uint32_t align)
{
	const size_t at = (m->len + align - 1) / align * align, len = at + count;

	if (len > TEG_ATLAS_WORDS_MAX)
		return 0;
	if (len > m->room) {
		size_t room = m->room * 3ull / 2 > len ? m->room * 3ull / 2 : len;
		uint64_t *words = realloc(m->words, room * sizeof *words);

		if (!words)
			return 0;
		m->words = words;
		m->room = (uint32_t)room;
	}
	memset(m->words + m->len, 0, (len - m->len) * sizeof *m->words);
	m->len = (uint32_t)len;
	return (uint32_t)at;
}

static void put_half(struct making *m, uint32_t words, uint32_t at, uint32_t value)
{
	uint64_t *word = &m->words[words + at / 2];

	*word |= (uint64_t)value << at % 2 * 32;
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

/* The mask's number, or VALUES_MAX. */
static uint32_t mask_number(struct making *m, uint64_t mask)
{
	if (m->mask_count >= m->mask_room / 2 && !masks_grow(m))
		return VALUES_MAX;
	uint32_t *place = mask_place(m, mask);

	if (!*place) {
		if (m->mask_count == VALUES_MAX)
			return VALUES_MAX;
		m->masks[m->mask_count++] = mask;
		*place = m->mask_count;
	}
	return *place - 1;
}

/* ---- from prefixes to points -------------------------------------------------------------- */

struct open {
	uint32_t last, value;
};

struct sweep {
	struct points *points;
	struct open open[DEPTH_MAX];
	unsigned depth;
};

static bool point_add(struct points *p, uint32_t key, uint32_t value)
{
	if (p->len && p->at[p->len - 1].key == key)
		p->len--;
	if (p->len ? p->at[p->len - 1].value == value : !value)
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

static uint32_t sweep_value(const struct sweep *s)
{
	return s->depth ? s->open[s->depth - 1].value : 0;
}

/* Ends all that do not reach the key. */
static bool sweep_to(struct sweep *s, uint64_t key)
{
	bool ok = true;

	while (s->depth && s->open[s->depth - 1].last < key) {
		const uint32_t last = s->open[--s->depth].last;

		if (last != UINT32_MAX)
			ok &= point_add(s->points, last + 1, sweep_value(s));
	}
	return ok;
}

static bool sweep_open(struct sweep *s, uint32_t from, uint32_t last, uint32_t value)
{
	if (s->depth == DEPTH_MAX)
		return false;
	s->open[s->depth++] = (struct open){ last, value };
	return point_add(s->points, from, value);
}

/* The region of the /32, which the sweep is at: the one that is open, or a new one. */
static uint32_t region_at(struct making *m, struct sweep *s, uint32_t key)
{
	const uint32_t around = sweep_value(s);

	if (around & TEG_ATLAS_REGION)
		return around & ~TEG_ATLAS_REGION;
	if (m->region_count + 1 >= VALUES_MAX)
		return 0;
	m->regions[2 * ++m->region_count] = around;
	return sweep_open(s, key, key, TEG_ATLAS_REGION | m->region_count) ? m->region_count : 0;
}

static bool add_longer(struct making *m, struct sweep *s, uint32_t i, const struct prefix *p)
{
	const uint32_t region = region_at(m, s, (uint32_t)(p->addr.num >> 96));
	uint64_t *words = m->regions + 2 * region;
	unsigned at = 0;

	if (!region)
		return false;
	m->region_of[i] = region;
	if (p->len > 64) {
		words[1] |= 1ull << (p->len - 65);
		m->far_count++;
	} else {
		words[0] |= 1ull << (p->len - 1);
		m->near_count++;
	}
	while (at < m->head.length_count && m->head.lengths[at] != p->len)
		at++;
	if (at == m->head.length_count)
		m->head.lengths[m->head.length_count++] = (uint8_t)p->len;
	return true;
}

/* The points of a family, and, of IPv6, the regions. */
static bool sweep_family(struct making *m, struct points *out, enum family family, const struct plan_prefix *prefixes,
			 uint32_t count)
{
	struct sweep s = { .points = out };
	bool ok = true;

	for (uint32_t i = 0; i < count && ok; i++) {
		const struct prefix *p = &prefixes[i].prefix;
		const unsigned shift = family == FAMILY_IP4 ? 0 : 96;

		if (p->addr.family != family)
			continue;
		const uint32_t from = (uint32_t)(p->addr.num >> shift), last = (uint32_t)(prefix_range(*p).hi >> shift);
		const uint32_t value = mask_number(m, prefixes[i].sets);
		ok = value < VALUES_MAX && sweep_to(&s, from);
		if (ok)
			ok = p->len > 32 ? add_longer(m, &s, i, p) : sweep_open(&s, from, last, value);
	}
	return ok && sweep_to(&s, 1ull << 32);
}

/* ---- from points to pages ------------------------------------------------------------------- */

/* The points of a page, and what holds from its beginning on. */
struct slice {
	const struct point *at;
	size_t len;
	uint32_t value;
};

/* The first `keys` of a slice; what is left begins behind them. */
static struct slice slice_cut(struct slice *s, uint64_t end)
{
	struct slice cut = { s->at, 0, s->value };

	while (s->len && s->at->key < end) {
		cut.len++;
		s->value = s->at->value;
		s->at++, s->len--;
	}
	return cut;
}

/* Is the slice, which begins at the key, in one piece? */
static bool slice_is_plain(struct slice *s, uint32_t key)
{
	if (s->len && s->at->key == key) {
		s->value = s->at->value;
		s->at++, s->len--;
	}
	return !s->len;
}

static bool fits_one(const struct slice *s)
{
	return s->len == 1 || (s->len == 2 && s->at[1].value == s->value);
}

static uint64_t entry_one(uint32_t from, uint32_t to, uint32_t value, uint32_t elsewhere)
{
	return (uint64_t)from << 52 | (uint64_t)to << 44 | (uint64_t)value << 22 | elsewhere;
}

/* The entry of a /24; 0 is no entry that is asked for, and says that there was no memory. */
static uint64_t entry_of(struct making *m, const struct slice *s)
{
	if (!s->len)
		return entry_one(0, UINT8_MAX, s->value, s->value);
	if (fits_one(s))
		return entry_one(s->at[0].key & 0xff, s->len == 1 ? UINT8_MAX : (s->at[1].key - 1) & 0xff, s->at[0].value,
				 s->value);
	const uint32_t at = take_words(m, s->len / 2 + 1, 1);

	if (!at)
		return 0;
	uint32_t *parts = (uint32_t *)(m->words + at);
	parts[0] = s->value;
	for (uint32_t i = 0; i < s->len; i++)
		parts[i + 1] = s->at[i].key << 24 | s->at[i].value;
	return (uint64_t)TEG_ATLAS_MANY << 63 | (uint64_t)s->len << 32 | at;
}

/* The value of most /24s that are in one piece: a vote, so as to need the fewest entries. */
static uint32_t page_around(const struct slice parts[static 256])
{
	uint32_t best = parts[0].value;
	int votes = 0;

	for (unsigned i = 0; i < 256; i++) {
		if (parts[i].len)
			continue;
		if (!votes)
			best = parts[i].value;
		votes += parts[i].value == best ? 1 : -1;
	}
	return best;
}

/* The offset of a page of these parts; 0 when there is no memory. */
static uint32_t page_make(struct making *m, const struct slice parts[static 256])
{
	const uint32_t around = page_around(parts);
	uint64_t bits[4] = { 0 }, before = 0;
	uint32_t count = 0;

	for (unsigned i = 0; i < 256; i++) {
		if (i % 64 == 0)
			before |= (uint64_t)count << i / 64 * 8;
		if (parts[i].len || parts[i].value != around) {
			bits[i / 64] |= 1ull << i % 64;
			count++;
		}
	}
	const uint32_t page = take_words(m, TEG_ATLAS_PAGE + count, LINE);
	if (!page)
		return 0;
	memcpy(m->words + page, bits, sizeof bits);
	m->words[page + 4] = before;
	m->words[page + 5] = around;
	for (unsigned i = 0, at = 0; i < 256; i++) {
		if (!(bits[i / 64] >> i % 64 & 1))
			continue;
		const uint64_t entry = entry_of(m, &parts[i]);
		if (!entry)
			return 0;
		m->words[page + TEG_ATLAS_PAGE + at++] = entry;
	}
	return page;
}

/* Pages in one piece, by value, which is a mask's: a region is never so large. Equal ones are one. */
static uint32_t plain_page(struct making *m, uint32_t *plain, uint32_t value)
{
	if (!plain[value]) {
		plain[value] = take_words(m, TEG_ATLAS_PAGE, LINE);
		if (plain[value])
			m->words[plain[value] + 5] = value;
	}
	return plain[value];
}

static uint32_t page_of(struct making *m, uint32_t *plain, struct slice s, uint32_t first)
{
	struct slice parts[256];

	if (slice_is_plain(&s, first))
		return plain_page(m, plain, s.value);
	for (uint32_t i = 0; i < 256; i++) {
		parts[i] = slice_cut(&s, (uint64_t)first + (i + 1) * 256);
		slice_is_plain(&parts[i], first + i * 256);
	}
	return page_make(m, parts);
}

static bool family_make(struct making *m, enum family family, const struct plan_prefix *prefixes, uint32_t count)
{
	own(points) struct points points = { 0 };
	own(mem) uint32_t *plain = NULL;
	uint32_t root;

	if (!sweep_family(m, &points, family, prefixes, count))
		return false;
	if (!points.len)
		return true;
	struct slice rest = { points.at, points.len, 0 };
	plain = calloc(m->mask_count, sizeof *plain);
	root = plain ? take_words(m, TEG_ATLAS_ROOT / 2, LINE) : 0;
	for (uint32_t i = 0; root && i < TEG_ATLAS_ROOT; i++) {
		const struct slice s = slice_cut(&rest, (i + 1ull) << 16);
		const uint32_t page = page_of(m, plain, s, i << 16);

		if (!page)
			return false;
		put_half(m, root, i, page);
	}
	m->head.root[family] = root;
	return root;
}

/* ---- longer prefixes -------------------------------------------------------------------------- */

/* One of the two tables, and a prefix as it stands there. */
struct table {
	struct making *m;
	uint32_t at, buckets;
	unsigned ways, each;
};

struct longer {
	uint64_t key, low;
	uint32_t value;
};

static uint64_t *bucket_at(const struct table *t, const struct longer *l, bool second)
{
	const uint64_t hash = teg_atlas_hash(t->m->head.seed, l->key, l->low);

	return t->m->words + t->at + (size_t)teg_atlas_bucket(hash, t->buckets, second) * LINE;
}

static uint32_t *bucket_values(const struct table *t, uint64_t *bucket)
{
	return (uint32_t *)(bucket + t->ways * t->each);
}

static struct longer bucket_get(const struct table *t, uint64_t *bucket, unsigned way)
{
	return (struct longer){ bucket[way * t->each], t->each > 1 ? bucket[way * t->each + 1] : 0,
				bucket_values(t, bucket)[way] };
}

static void bucket_set(const struct table *t, uint64_t *bucket, unsigned way, const struct longer *l)
{
	bucket[way * t->each] = l->key;
	if (t->each > 1)
		bucket[way * t->each + 1] = l->low;
	bucket_values(t, bucket)[way] = l->value;
}

static bool bucket_put(const struct table *t, uint64_t *bucket, const struct longer *l)
{
	for (unsigned way = 0; way < t->ways; way++)
		if (!bucket_values(t, bucket)[way]) {
			bucket_set(t, bucket, way, l);
			return true;
		}
	return false;
}

static void gate_open(const struct table *t, const struct longer *l)
{
	const struct teg_atlas *head = &t->m->head;
	const uint32_t bit = teg_atlas_gate(teg_atlas_hash(head->seed, l->key, l->low), head->gate_shift);

	t->m->words[head->gate + bit / 64] |= 1ull << bit % 64;
}

/* Where both buckets are full another key makes room, for which the same holds. */
static bool table_put(const struct table *t, struct longer l)
{
	bool second = false;

	for (unsigned i = 0; i < KICKS; i++) {
		for (unsigned two = 0; two < 2; two++, second = !second) {
			if (second)
				((uint32_t *)bucket_at(t, &l, false))[15] = 1;
			if (bucket_put(t, bucket_at(t, &l, second), &l))
				return true;
		}
		uint64_t *bucket = bucket_at(t, &l, second);
		const unsigned way = (unsigned)(l.key * 0x9e3779b97f4a7c15u >> 32 ^ i) % t->ways;
		const struct longer out = bucket_get(t, bucket, way);

		if (second)
			((uint32_t *)bucket_at(t, &l, false))[15] = 1;
		bucket_set(t, bucket, way, &l);
		l = out;
		second = bucket_at(t, &l, false) == bucket;
	}
	return false;
}

static struct longer longer_of(const struct plan_prefix *p, uint32_t region, uint32_t value)
{
	const uint64_t bits = (uint32_t)(p->prefix.addr.num >> 64);

	if (p->prefix.len > 64)
		return (struct longer){ (uint64_t)region << 38 | bits << 6 | (p->prefix.len - 65), (uint64_t)p->prefix.addr.num,
					value };
	return (struct longer){ (uint64_t)region << 37 | bits << 5 | (p->prefix.len - 33), 0, value };
}

/* So that nine of ten places are taken. */
static uint32_t buckets_for(uint32_t count, uint32_t ways)
{
	return count ? (uint32_t)((uint64_t)count * 10 / (9 * ways)) + 1 : 0;
}

/* Eight bits or more for each key: one of eight that are not there has one all the same. */
static uint32_t gate_shift_for(uint32_t count)
{
	uint32_t bits = 6;

	while ((1ull << bits) < 8ull * count)
		bits++;
	return 64 - bits;
}

static bool tables_fill(struct making *m, const struct plan_prefix *prefixes, uint32_t count)
{
	const struct table near = { m, m->head.near, m->head.near_buckets, TEG_ATLAS_NEAR_WAYS, 1 };
	const struct table far = { m, m->head.far, m->head.far_buckets, TEG_ATLAS_FAR_WAYS, 2 };

	for (uint32_t i = 0; i < count; i++) {
		const struct table *t = prefixes[i].prefix.len > 64 ? &far : &near;

		if (!m->region_of[i])
			continue;
		const struct longer l = longer_of(&prefixes[i], m->region_of[i], mask_number(m, prefixes[i].sets));
		gate_open(t, &l);
		if (!table_put(t, l))
			return false;
	}
	return true;
}

/* Some seed gives every prefix a place. */
static bool longer_make(struct making *m, const struct plan_prefix *prefixes, uint32_t count)
{
	m->head.near_buckets = buckets_for(m->near_count, TEG_ATLAS_NEAR_WAYS);
	m->head.far_buckets = buckets_for(m->far_count, TEG_ATLAS_FAR_WAYS);
	m->head.gate_shift = gate_shift_for(m->near_count + m->far_count);
	const size_t gate_words = 1ull << (64 - m->head.gate_shift) >> 6;
	m->head.gate = take_words(m, gate_words, LINE);
	m->head.near = take_words(m, (size_t)m->head.near_buckets * LINE, LINE);
	m->head.far = take_words(m, (size_t)m->head.far_buckets * LINE, LINE);
	if (!m->head.gate || !m->head.near || !m->head.far)
		return false;
	m->head.seed = 0x9e3779b97f4a7c15u;
	for (int i = 0; i < SEEDS_TRIED; i++) {
		if (tables_fill(m, prefixes, count))
			return true;
		memset(m->words + m->head.gate, 0, gate_words * sizeof *m->words);
		memset(m->words + m->head.near, 0, (size_t)m->head.near_buckets * LINE * sizeof *m->words);
		memset(m->words + m->head.far, 0, (size_t)m->head.far_buckets * LINE * sizeof *m->words);
		m->head.seed = m->head.seed * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
		m->head.seed |= 1;
	}
	return false;
}

/* ---- the whole -------------------------------------------------------------------------------- */

static bool longest_first(struct teg_atlas *head)
{
	bool has[129] = { false };
	uint32_t at = 0;

	for (uint32_t i = 0; i < head->length_count; i++)
		has[head->lengths[i]] = true;
	for (unsigned length = 128; length > 32; length--)
		if (has[length])
			head->lengths[at++] = (uint8_t)length;
	return at == head->length_count;
}

static bool copy_words(struct making *m, uint32_t *at, const uint64_t *words, size_t count)
{
	*at = take_words(m, count, LINE);
	if (*at)
		memcpy(m->words + *at, words, count * sizeof *words);
	return *at;
}

static bool make(struct making *m, const struct plan_prefix *prefixes, uint32_t count)
{
	bool ok = take_words(m, sizeof m->head / 8, LINE) == 0 && m->len && mask_number(m, 0) == 0;

	for (unsigned f = 0; ok && f < FAMILY_COUNT; f++)
		ok = family_make(m, (enum family)f, prefixes, count);
	ok = ok && longest_first(&m->head) && longer_make(m, prefixes, count) &&
	     copy_words(m, &m->head.masks, m->masks, m->mask_count) &&
	     copy_words(m, &m->head.regions, m->regions, 2 * ((size_t)m->region_count + 1)) &&
	     take_words(m, TEG_ATLAS_PARTS, LINE);
	if (ok)
		memcpy(m->words, &m->head, sizeof m->head);
	return ok;
}

int atlas_build(struct atlas *out, const struct plan_prefix *prefixes, uint32_t count, struct err *why)
{
	own(making) struct making m = {
		.regions = calloc(2 * ((size_t)count + 1), sizeof *m.regions),
		.region_of = calloc((size_t)count + 1, sizeof *m.region_of),
	};

	if (!m.regions || !m.region_of || !make(&m, prefixes, count))
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
	const struct atlas_view v = { (const __u64 *)a->at, a->words, 0 };

	return atlas_sets(&v, (uint64_t)(addr.num >> 64), (uint64_t)addr.num, addr.family == FAMILY_IP6);
}
