/*
 * gen - policies, packets and frames from a seed, to set engines against each other.
 *
 *     struct gen g = gen_new(seed);
 *     struct policy *p = gen_policy(&g, a, &gen_shape_usual);
 *     struct ir *ir = ir_lower(p, a);
 *     struct netset self = gen_self(&g, a);
 *     struct gen_aim *aim = gen_aim_at(ir, &self, a);
 *     for (...) {
 *             struct packet q = gen_packet(&g, aim);
 *             size_t len = gen_frame(&g, aim, frame, sizeof frame);
 *     }
 *
 * Addresses come from a small world, so that sets nest and overlap and packets
 * hit them. Packets lie where a policy changes its mind: in one of its boxes,
 * at the edges of its sets and ranges, or one step beside.
 */
#ifndef TEG_TEST_GEN_H
#define TEG_TEST_GEN_H

#include "compiler/front/policy.h"
#include "compiler/ir/ir.h"
#include "compiler/ir/packet.h"
#include "lang/base/buf.h"

struct gen {
	uint64_t state;
};

struct gen gen_new(uint64_t seed);
uint64_t gen_u64(struct gen *g);
unsigned gen_below(struct gen *g, unsigned n);
bool gen_chance(struct gen *g, unsigned percent);
#define GEN_PICK(g, table) ((table)[gen_below((g), sizeof(table) / sizeof *(table))])

/* Of the small world. */
enum family gen_family(struct gen *g);
struct addr gen_addr(struct gen *g, enum family f);
uint16_t gen_port(struct gen *g);

/* At most so many of each; there is always one posture. */
struct gen_shape {
	unsigned zones, lifelines, blocks, reflexes, postures, rules;
	unsigned rate_percent;	 /* of reflexes that have a rate */
	unsigned keyed_percent;	 /* of rates that count by destination, by flow or all together; the others by source */
	unsigned block_percent;	 /* of reflexes that block the source */
	unsigned cookies_percent; /* of reflexes with a rate that block nothing: they do cookies */
	unsigned closed_percent; /* of postures that are closed */
	unsigned rules_tell_percent; /* of rules of postures that emit */
	unsigned plain_percent; /* of rules of postures that ask for one network, port and protocol, as long lists do */
	unsigned tell_percent;	 /* of reflexes that emit; a third of these do nothing else */
	unsigned feeds;
	unsigned limit_percent;	 /* of rules of postures that do not drop: they have a limit */
	unsigned shared_percent; /* of rates and limits that are of a limit with a name, which others name too */
	bool slow;		 /* rates whose windows are days, and blocks that last hours: a test's packets all come at one instant */
	bool wide;		 /* rates of any amount and window that the language takes */
};
extern const struct gen_shape gen_shape_usual; /* everything, in a size that a person can still read */
extern const struct gen_shape gen_shape_telling; /* the same, with rules and reflexes that emit, and rates of all kinds */
extern const struct gen_shape gen_shape_still; /* the same without rates and runtime blocks: no state */

struct policy *gen_policy(struct gen *g, struct arena *a, const struct gen_shape *shape);

/* Some addresses of the small world, both families. */
struct netset gen_self(struct gen *g, struct arena *a);

/* Where a policy's packets are worth trying. */
struct gen_aim;
struct gen_aim *gen_aim_at(const struct ir *ir, const struct netset *self, struct arena *a);

/* Any field may be anything that frame_build can say; zone, direction and state too. */
struct packet gen_packet(struct gen *g, const struct gen_aim *aim);

/* Bytes of which some are short words of few letters; seldom more than 64. */
size_t gen_payload(struct gen *g, uint8_t *out, size_t most);

/* A regular expression; *word is one of what it finds. Nested repetitions may be too large to be compiled. */
const char *gen_pattern(struct gen *g, struct arena *a, struct buf *word);

/*
 * A frame as it may arrive: of a gen_packet(), perhaps with up to three VLAN tags, IPv4 options, IPv6
 * extension headers, padding; and every other one damaged: cut short, or with bytes changed in its
 * headers. frame_parse says what it is. One in a thousand is longer than XDP has in one buffer. Room for
 * GEN_FRAME_MAX bytes.
 */
#define GEN_FRAME_MAX 9216
size_t gen_frame(struct gen *g, const struct gen_aim *aim, uint8_t frame[static GEN_FRAME_MAX]);

/* One line on a packet, for the failing test's note. */
const char *gen_packet_text(const struct packet *p, char text[static 256]);

#endif
