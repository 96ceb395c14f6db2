/*
 * check - is all of a generation live and unaltered? Part by part, read from the kernel.
 *
 *     nft       the digest of our tables: chains, rules, and what they refer to
 *     hooks     the posture that the base chains select, and a hook on each interface that nft judges
 *     program   the number of the program in the slot
 *     posture   the posture's word, for XDP
 *     links     the interfaces with the anchor before them, and no program of TC before it
 *     pins      the maps and the anchor that the next start will look for
 *
 * Of an interface that is gone nothing is asked: its event is still to come.
 */
#ifndef TEG_WARDEN_CHECK_H
#define TEG_WARDEN_CHECK_H

#include "enforcer/warden/generation/generation.h"

enum part { PART_NFT, PART_HOOKS, PART_PROGRAM, PART_POSTURE, PART_LINKS, PART_PINS, PART_COUNT };

struct checked {
	char is[140], should[140]; /* equal when it stands; "" when it has no part in this */
	char fault[256];	   /* "" when it stands */
};

const char *part_name(enum part p);

/*
 * All parts; the value and the sentence are those of the first that does not stand, and of one that could not be read only
 * when none is known not to stand. g->unknown_since follows.
 */
int check_parts(struct checked out[static PART_COUNT], struct generation *g, struct kernel *k, struct err *why);
int check_all(struct generation *g, struct kernel *k, struct err *why);
/* It could not be read, for want of memory say, or since others change nftables all the time: whether it stands is not known. */
bool check_is_unknown(int rc);
/* Of these only what leads a packet that arrives to its judge: the program, the links, and nft's hooks of ports. It is read at once, however long the policy is. */
int check_arrivals(struct generation *g, struct kernel *k, struct err *why);
/* Of one port's interface. */
int check_port(const struct generation *g, struct kernel *k, const struct port *p, struct err *why);

/* The anchor goes before what somebody has put before it. */
int check_lead(const struct generation *g, struct kernel *k, struct err *why);

#endif
