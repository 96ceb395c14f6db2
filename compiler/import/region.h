/*
 * region - sets of packets as lists of boxes, while chains are flattened.
 *
 * A box is one set per field; a region is a union of boxes. Which families a box
 * is about is said by its addresses: those for which it has both a src and a dst.
 * Ports, ICMP and flags ask something only where `proto` is a protocol that has
 * them: what a reader makes keeps to that, and so does everything made of it.
 */
#ifndef TEG_IMPORT_REGION_H
#define TEG_IMPORT_REGION_H

#include "lang/base/addr.h"
#include "lang/base/ranges.h"

enum box_field {
	BOX_STATES, BOX_INWARD, BOX_OUTWARD, BOX_KINDS, BOX_PROTO, BOX_SRC, BOX_DST, BOX_SPORT, BOX_DPORT, BOX_ICMP, BOX_FLAGS,
	BOX_FIELDS
};

#define ZONE_NO_INTERFACE 62u /* where a packet has none: OUTPUT knows no arrival, INPUT no leaving */
#define ZONE_OTHER 63u	      /* interfaces that the ruleset does not name */

/* What the routing table says of where a packet goes. Each packet is of one kind. */
enum dst_kind { KIND_LOCAL, KIND_BROADCAST, KIND_MULTICAST, KIND_OTHER, KIND_COUNT };
#define KIND_BIT(kind) (1u << (kind))
#define KINDS_ALL (KIND_BIT(KIND_COUNT) - 1)
#define KINDS_HERE (KINDS_ALL & ~KIND_BIT(KIND_OTHER)) /* of packets that come in */

struct box {
	uint64_t states;  /* bit per enum ct_state */
	uint64_t inward, outward; /* bit per zone: arrival and leaving */
	uint64_t kinds;	  /* bit per enum dst_kind */
	uint64_t flags;	  /* bit per combination of the six TCP flags that rulesets ask of */
	struct ranges proto, sport, dport, icmp;
	struct netset src, dst;
};

struct region {
	struct box *at;
	size_t len, room;
};

/* Families as a mask. */
#define FAMILY_BIT(family) (1u << (family))
#define FAMILIES_ALL (FAMILY_BIT(FAMILY_IP4) | FAMILY_BIT(FAMILY_IP6))

/* Every packet of these families. */
struct box box_all(unsigned families);
unsigned box_families(const struct box *b);
bool box_touches(const struct box *x, const struct box *y);
/* Is all of x in y? */
bool box_within(const struct box *x, const struct box *y);
bool box_meet(struct arena *a, const struct box *x, const struct box *y, struct box *out);

struct region region_of(struct arena *a, const struct box *b);
void region_add(struct arena *a, struct region *to, const struct region *more);
struct region region_meet(struct arena *a, const struct region *x, const struct region *y);

/*
 * Without the packets of the other. Where that would take more than
 * REGION_BOXES_MAX boxes, the answer errs: `low` keeps none that should be gone,
 * otherwise none is gone that should be kept. False when it erred.
 */
#define REGION_BOXES_MAX 512
bool region_minus(struct arena *a, struct region *from, const struct region *gone, bool low);
/* Boxes that differ in one field become one. */
void region_tidy(struct arena *a, struct region *r);

#endif
