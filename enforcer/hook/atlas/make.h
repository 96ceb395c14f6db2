/*
 * make - what the parts of making an atlas share: its words as they grow, its
 * masks, and intervals of keys that have one value each.
 *
 *     prefixes ──┬──► points ──► pages ──► trees     pages.c, trees.c
 *                └──► tables, heads               tables.c, heads.c
 *
 * Every function that takes memory says false, or 0, when there is none.
 */
#ifndef TEG_HOOK_ATLAS_MAKE_H
#define TEG_HOOK_ATLAS_MAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "bpf-templates/atlas.h"
#include "enforcer/hook/atlas/atlas.h"

#define ATLAS_DEPTH_MAX 34u /* of prefixes inside each other: every length from 0 to 32, and one */
#define ATLAS_NO_VALUE UINT32_MAX

/* From here on, up to the next point, keys have this value. */
struct point {
	uint32_t key, value;
};

struct points {
	struct point *at;
	size_t len, room;
};

/* Prefixes in order become points. What no prefix has has the value `around`. */
struct sweep {
	struct points *points;
	uint32_t around;
	unsigned depth;
	struct { uint32_t last, value; } open[ATLAS_DEPTH_MAX];
};

/* The points of a page or a part of it, and what holds from its beginning on. */
struct slice {
	const struct point *at;
	size_t len;
	uint32_t value;
};

/* The first 32 bits of IPv6 prefixes that are longer: these are prefixes[from] to prefixes[to - 1]. */
struct head {
	uint32_t key, from, to;
	uint32_t around; /* the value of the prefix around it, when it has a tree */
	uint32_t name;	 /* its number */
	bool has_tree;
};

struct making {
	const struct plan_prefix *prefixes;
	uint32_t count;
	uint64_t *words;
	uint32_t len, room;
	struct teg_atlas head;
	uint64_t *masks;	/* each that occurs, once; the first is 0 */
	uint32_t mask_count;
	uint32_t *mask_table;	/* by a hash of the mask: 1 + its number */
	uint32_t mask_room;	/* of the table, a power of two */
	struct head *heads;	/* in the order of prefixes */
	uint32_t head_count;
	uint8_t *tagged;	/* of each bucket of tags how many hosts it is to hold; NULL: there are none */
	struct late *late;	/* keys whose first bucket was full when they came */
	size_t late_count, late_room;
	bool hosts_apart;	/* IPv4 hosts are in a table, not in pages */
	unsigned host_len[FAMILY_COUNT]; /* prefixes from that length on are so many hosts */
};

/* So many words of zeroes at the end, from a cache line's beginning on; their offset. */
uint32_t making_take(struct making *m, size_t count);

/* The same from where the last ended. */
uint32_t making_take_next(struct making *m, size_t count);

/* The mask's number, or ATLAS_NO_VALUE. */
uint32_t making_mask(struct making *m, uint64_t mask);

static inline void making_put_half(struct making *m, uint32_t words, uint32_t at, uint32_t value)
{
	m->words[words + at / 2] |= (uint64_t)value << at % 2 * 32;
}

/* Ends all prefixes that do not reach the key. */
bool sweep_to(struct sweep *s, uint64_t key);
bool sweep_open(struct sweep *s, uint32_t from, uint32_t last, uint32_t value);
uint32_t sweep_value(const struct sweep *s);

void points_release(struct points *p);

static inline void points_own_(struct points *p)
{
	points_release(p);
}

/* Which prefixes are asked for in pages. */
static inline bool making_is_paged(const struct making *m, const struct prefix *p)
{
	return p->addr.family == FAMILY_IP4 ? p->len < m->host_len[FAMILY_IP4] || !m->hosts_apart : p->len <= 32;
}

/*
 * Fills a page of 256 parts of so many bits each, the first from this key on. `entry` makes what a part is asked for, which is not
 * in one piece of the page's own value `around`; 0: there is no memory.
 */
typedef uint64_t atlas_entry_of(struct making *m, const struct slice *part, uint32_t key, uint32_t around);
bool atlas_page(struct making *m, uint32_t page, struct slice s, uint32_t first, unsigned bits, atlas_entry_of *entry);

/* The pages of a family. Of IPv6 each head that has a tree learns what is around it. */
bool atlas_pages(struct making *m, enum family family);

/* The trees of all heads. */
bool atlas_trees(struct making *m);

/* The cells of heads and their pilots: takes room for them, and fills it. False: no memory; or, of the second, no pilots by this seed. */
bool atlas_heads_take(struct making *m);
bool atlas_heads(struct making *m);

/* Hosts, heads and longer prefixes. */
bool atlas_tables(struct making *m);

#endif
