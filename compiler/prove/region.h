/*
 * region - a set of packets in words.
 *
 *     tcp syn to port 22 from any except office
 *
 * region_cover() spells a set as at most a few exact boxes. Where that is not
 * possible it says so, and the caller tells "most of" what it started from. A
 * value set that the policy has a name for is called by the name.
 */
#ifndef TEG_PROVE_REGION_H
#define TEG_PROVE_REGION_H

#include "compiler/prove/space/space.h"

/*
 * How an end's values go with the host's own addresses: they do not care, only
 * own ones among them (all own ones, when there are no values), none of them,
 * or own ones beside them.
 */
enum own_part { OWN_EITHER, OWN_ONLY, OWN_NOT, OWN_ALSO };

struct values {
	struct value_range *at; /* sorted, disjoint, in the field's own numbers */
	size_t len;
	bool all;
};

struct region {
	uint8_t families; /* bit per enum family */
	struct values proto, dst, src, dport, sport, flags, icmp, zones;
	enum own_part dst_own, src_own;
};

struct region_list {
	struct region *at;
	size_t len;
	bool exact; /* their union is the set; else it reaches beyond */
};

#define REGIONS_MOST	3
#define REGION_RANGES	6 /* in one field; more are no words */
#define REGION_EDGES	4000 /* beyond this, no few boxes cover a set */

/*
 * Boxes inside `set`, greedily the widest, that together are the set. When
 * there are more than `most`, the list is empty and not exact. Scratch memory
 * comes from `scratch`, the regions from `arena`.
 */
struct region_list region_cover(struct idd *m, const struct space *s, idd_ref set, size_t most,
				struct arena *arena, struct arena *scratch);

/* A cell as it stands in the policy, cut to the window. */
struct region region_of_cell(const struct space *s, const struct cell *c, struct arena *arena);

/* Lines that differ in the family alone become one. */
struct region_lines {
	const char **at;
	size_t len;
};
struct region_lines region_lines(struct arena *arena, const struct region *at, size_t len,
				 const struct terms *t, const struct ir *first,
				 const struct ir *second);

#endif
