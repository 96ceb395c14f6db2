/*
 * partial - a packet of which some fields were left out, against boxes.
 *
 *     struct partial p = partial_of(given, own, ir->zone_count);
 *     struct guess a = partial_in_rule(&p, rule, false);
 *     if (a.truth == MAYBE) ...                          a.field would have to be known
 *
 * No field is invented: every value of one that was left out is possible. `self`
 * is some address of this host, so whether it lies in an address set is open; an
 * address that is written is not this host's. The ports of a protocol without
 * ports, and the like, are not open. The packet is whole, and crosses an interface
 * of a zone; its hop limit is what neighbour discovery and multicast listeners
 * need, else 64.
 */
#ifndef TEG_IR_PARTIAL_H
#define TEG_IR_PARTIAL_H

#include "compiler/front/policy.h"
#include "compiler/ir/eval.h"

/* Is it so? When MAYBE, `field` is what would have to be known. */
enum truth { NO, MAYBE, YES };

struct guess {
	enum truth truth;
	enum pkt_field_bits field;
};

#define GUESS_YES ((struct guess){ YES, 0 })
#define GUESS_NO  ((struct guess){ NO, 0 })
struct guess guess_known(bool so);
struct guess guess_maybe(enum pkt_field_bits field);

struct partial {
	const struct pol_packet *given;
	struct packet packet; /* with 0 in what is open */
	size_t zone_count;
};

/* `own` is what `self` stands for. */
struct partial partial_of(const struct pol_packet *given, struct addr own, size_t zone_count);
bool partial_has(const struct partial *p, enum pkt_field_bits field);

/* What a box asks of a packet, in the order of box_has() of eval.h. */
enum box_field {
	BOX_FAMILY, BOX_FRAGMENT, BOX_PROTO, BOX_ZONE, BOX_SRC, BOX_DST, BOX_SPORT, BOX_DPORT,
	BOX_ICMP, BOX_FLAGS,
	BOX_FIELD_COUNT
};

/* Field by field; the packet lies in the box when all say YES. */
void partial_ask(const struct partial *p, const struct ir_box *box, struct guess out[static BOX_FIELD_COUNT]);

struct guess partial_in_rule(const struct partial *p, const struct ir_rule *rule, bool reply);
struct guess partial_is_icmp(const struct partial *p, bool (*among)(const struct packet *));
struct guess partial_is_neighbour(const struct partial *p);

#endif
