/*
 * eval - what a policy does to a packet. This is the definition: the XDP
 * program, the nft rulesets and the prover are tested against it, and where
 * they differ from it, they are wrong. Small, slow, obvious.
 *
 *     admitted = lifeline or (not block and not reflex and posture)
 */
#ifndef TEG_IR_EVAL_H
#define TEG_IR_EVAL_H

#include "compiler/ir/ir.h"
#include "compiler/ir/packet.h"

/* What the world is like around the packet: posture, clock, own addresses, buckets, blocks. */
struct moment;

struct moment *moment_new(const struct ir *ir);
void moment_free(struct moment *m);
OWN_FREE(moment, struct moment *)

void moment_set_posture(struct moment *m, unsigned posture);
void moment_set_self(struct moment *m, const struct netset *self); /* borrowed */
void moment_pass(struct moment *m, uint64_t ns);		   /* the clock goes on */

struct outcome {
	enum verdict verdict;
	enum layer layer;	    /* that decided */
	const struct ir_rule *rule; /* that decided, or NULL: `why` alone says it */
	const char *why;	    /* label: "web_in", "default", "established", "malformed.short-ip" …
				     * and "lifeline" for every lifeline */
	uint8_t emits;		    /* bit per severity of an event; those that are sampled too */
};

/* The whole judgement. Takes tokens and places blocks as a side effect. */
struct outcome eval_packet(struct moment *m, const struct packet *p);

/* Layers 1 to 3 alone, as the first hook judges: VERDICT_ALLOW means "goes on to layer 4". */
struct outcome eval_epiderme(struct moment *m, const struct packet *p);

/* Layer 4 alone, whatever the first hook says. */
struct outcome eval_layer4(struct moment *m, const struct packet *p);

/*
 * The first hook may drop a packet that eval_epiderme lets go on with WHY_GOES_ON,
 * since the active posture is closed: layer 4 would drop it in any connection state.
 */
bool eval_closed_drops(const struct moment *m, const struct packet *p);

/* What the active posture does to frames of this cause; VERDICT_ALLOW: they go on, to layer 4. */
enum verdict eval_cause(const struct moment *m, enum cause c);

/* A frame as it arrives; malformed ones are judged by their cause. */
struct outcome eval_frame(struct moment *m, const uint8_t *frame, size_t len, unsigned zone,
			  enum direction direction);

/* Is the reflex's pattern found in the packet's payload? `m` may take it to be. */
bool payload_has(const struct moment *m, const struct ir_rule *r, const struct packet *p);

/* Does the packet lie in the box? `m` answers for `self`. */
bool box_has(const struct moment *m, const struct ir_box *box, const struct packet *p);

/* Neighbour discovery (RFC 4861) or multicast listeners (RFC 2710, 3590, 3810), always admitted. */
bool packet_is_neighbour(const struct packet *p);
/* One of the ICMPv6 types by which listeners and routers speak of multicast. */
bool icmpv6_is_listener(unsigned type);
/* An ICMP or ICMPv6 error, such as may belong to a flow. */
bool packet_is_icmp_error(const struct packet *p);
/* Does an established packet pass the posture's layer 4 without its rules? */
bool posture_passes_established(const struct ir_posture *posture, const struct packet *p);

/* Outcomes that no rule of the policy decides: the words `by` may name. */
#define WHY_LIFELINE "lifeline"
#define WHY_ESTABLISHED "established"
#define WHY_RELATED "related"
#define WHY_NEIGHBOUR "neighbour"
#define WHY_INVALID "invalid"
#define WHY_BLOCKED "blocked" /* a runtime block */
#define WHY_NOT_IP "not-ip"
#define WHY_GOES_ON "goes-on" /* of eval_epiderme: layer 4 decides */

#endif
