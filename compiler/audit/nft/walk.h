/*
 * walk - the packets that come to a chain, as the prover's first-match list.
 *
 *     nft_walk(&k, "pre_in", &path)          adds to k.list
 *     nft_walk(&k, "HARDENED_in", &path)
 *
 * Follows every rule with the packets that come to it. A jump goes on behind itself with what comes
 * back, which a first-match list says by itself; what a chain *returns*, and what a goto's chain
 * does not decide, no later rule of the chain may see: it is taken from those packets.
 *
 * An outcome is all that is done to a packet: the verdict, the counter that counts, what is logged,
 * and for how long its source is blocked. What is counted or blocked and then not decided there is
 * refused; so is a limit that is not the policy's, and a chain with limits that a packet is sent through twice.
 */
#ifndef TEG_AUDIT_NFT_WALK_H
#define TEG_AUDIT_NFT_WALK_H

#include "compiler/audit/nft/ask.h"
#include "compiler/prove/alike.h"

/* Names as numbers, both of what is meant and of what was made. */
struct outcomes {
	struct arena *arena;
	struct strmap numbers;
	VEC(const char *) texts;
};

struct outcome_parts {
	enum verdict verdict;
	const char *counter, *log; /* or NULL */
	uint64_t block_ms;	   /* 0: the source is not blocked */
	bool arms, answered;	   /* the server is armed; the packet ends with synproxy */
};

void outcomes_init(struct outcomes *o, struct arena *a);
uint32_t outcome_number(struct outcomes *o, const struct outcome_parts *p);

/* A bucket of the policy and the set that has its elements: one for the other. */
struct metered {
	const char *bucket;
	enum family family;
	const struct nft_said_set *set;
	size_t parts; /* of its key: flows with ports, and those without, have a set each */
};

typedef VEC(struct metered) nft_meters;

struct nft_walk {
	struct nft_world world;
	const struct terms *terms;
	const struct strmap *rated; /* by name of its counter: the rule that has a rate */
	struct outcomes *outcomes;
	nft_meters *meters;
	size_t limits; /* asked so far */
	VEC(struct listed) list;
};

int nft_walk(struct nft_walk *k, const char *chain, const struct cell *path);

#endif
