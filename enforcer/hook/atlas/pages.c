#include <stdlib.h>
#include <string.h>

#include "enforcer/hook/atlas/make.h"

#define PAGES_IN_ROOT (TEG_ATLAS_ROOT / 4 * 3) /* from so many pages on they are the root themselves */

static bool sweep_family(struct making *m, struct points *out, enum family family)
{
	const unsigned shift = family == FAMILY_IP4 ? 0 : 96;
	struct sweep s = { .points = out };
	struct head *h = m->heads;
	bool ok = true;

	for (uint32_t i = 0; i < m->count && ok; i++) {
		const struct prefix *p = &m->prefixes[i].prefix;
		const uint32_t from = (uint32_t)(p->addr.num >> shift), last = (uint32_t)(prefix_range(*p).hi >> shift);

		if (p->addr.family != family)
			continue;
		if (making_is_paged(m, p)) {
			const uint32_t value = making_mask(m, m->prefixes[i].sets);
			ok = value != ATLAS_NO_VALUE && sweep_to(&s, from) && sweep_open(&s, from, last, value);
		} else if (family == FAMILY_IP6 && h < m->heads + m->head_count && h->from == i) {
			ok = sweep_to(&s, from);
			h++->around = sweep_value(&s);
		}
	}
	return ok && sweep_to(&s, 1ull << 32);
}

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
static uint64_t entry_of(struct making *m, const struct slice *s, uint32_t key, uint32_t around)
{
	(void)key, (void)around;
	if (!s->len)
		return entry_one(0, UINT8_MAX, s->value, s->value);
	if (fits_one(s))
		return entry_one(s->at[0].key & 0xff, s->len == 1 ? UINT8_MAX : (s->at[1].key - 1) & 0xff, s->at[0].value,
				 s->value);
	const uint32_t at = making_take_next(m, s->len / 2 + 1);

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

/* Have all parts that differ from what is around them one value? */
static bool is_of_two(const struct slice parts[static 256], uint32_t around, uint32_t *other)
{
	*other = around;
	for (unsigned i = 0; i < 256; i++) {
		if (parts[i].len || (parts[i].value != around && *other != around && parts[i].value != *other))
			return false;
		if (parts[i].value != around)
			*other = parts[i].value;
	}
	return true;
}

static bool page_make(struct making *m, uint32_t page, const struct slice parts[static 256], uint32_t first, unsigned part_bits,
		      atlas_entry_of *entry_of_part)
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
	uint32_t at = page + TEG_ATLAS_INLINE, other;
	const bool two = is_of_two(parts, around, &other);
	if (!two && count > TEG_ATLAS_LINE - TEG_ATLAS_INLINE)
		at = making_take_next(m, count);
	if (!at)
		return false;
	memcpy(m->words + page, bits, sizeof bits);
	m->words[page + 4] = before;
	m->words[page + 5] = (uint64_t)(two ? 0 : at) << 32 | around;
	if (two)
		m->words[at] = other;
	for (unsigned i = 0; !two && i < 256; i++) {
		if (!(bits[i / 64] >> i % 64 & 1))
			continue;
		const uint64_t entry = entry_of_part(m, &parts[i], first + (i << part_bits), around);
		if (!entry)
			return false;
		m->words[at++] = entry;
	}
	return true;
}

bool atlas_page(struct making *m, uint32_t page, struct slice s, uint32_t first, unsigned bits, atlas_entry_of *entry)
{
	struct slice parts[256];

	for (uint32_t i = 0; i < 256; i++) {
		parts[i] = slice_cut(&s, first + ((uint64_t)(i + 1) << bits));
		slice_is_plain(&parts[i], first + (i << bits));
	}
	return page_make(m, page, parts, first, bits, entry);
}

/* Pages in one piece, by value. Equal ones are one, unless the pages are the root. */
static uint32_t plain_page(struct making *m, uint32_t *plain, uint32_t value)
{
	if (!plain[value]) {
		plain[value] = making_take(m, TEG_ATLAS_LINE);
		if (plain[value])
			m->words[plain[value] + 5] = value;
	}
	return plain[value];
}

static uint32_t pages_count(const struct points *p)
{
	uint32_t pages = 0;

	for (size_t i = 0; i < p->len; i++)
		pages += p->at[i].key & 0xffff && (!i || p->at[i].key >> 16 != p->at[i - 1].key >> 16 || !(p->at[i - 1].key & 0xffff));
	return pages;
}

/* The page of these 16 bits: a line of the root, or one of its own, whose offset the root has. */
static bool root_fill(struct making *m, uint32_t root, bool is_pages, uint32_t *plain, uint32_t i, struct slice s)
{
	const bool in_one = slice_is_plain(&s, i << 16);
	uint32_t page = root + i * TEG_ATLAS_LINE;

	if (!is_pages) {
		page = in_one ? plain_page(m, plain, s.value) : making_take(m, TEG_ATLAS_LINE);
		if (!page)
			return false;
		making_put_half(m, root, i, page);
	} else if (in_one) {
		m->words[page + 5] = s.value;
	}
	return in_one || atlas_page(m, page, s, i << 16, 8, entry_of);
}

bool atlas_pages(struct making *m, enum family family)
{
	own(points) struct points points = { 0 };
	own(mem) uint32_t *plain = NULL;

	if (!sweep_family(m, &points, family))
		return false;
	if (!points.len)
		return true;
	struct slice rest = { points.at, points.len, 0 };
	const bool is_pages = pages_count(&points) >= PAGES_IN_ROOT;
	const uint32_t root = making_take(m, is_pages ? TEG_ATLAS_ROOT * TEG_ATLAS_LINE : TEG_ATLAS_ROOT / 2);

	plain = calloc(m->mask_count, sizeof *plain);
	if (!plain || !root)
		return false;
	for (uint32_t i = 0; i < TEG_ATLAS_ROOT; i++)
		if (!root_fill(m, root, is_pages, plain, i, slice_cut(&rest, (i + 1ull) << 16)))
			return false;
	m->head.root[family] = root;
	m->head.root_is_pages |= (uint32_t)is_pages << family;
	return true;
}
