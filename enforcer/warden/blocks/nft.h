/*
 * nft - runtime blocks as nft has them.
 *
 *     blocked4, blocked6            hosts: the address; of IPv6 the first of the /64
 *     blockednets4, blockednets6    networks: the address, and behind its last bit a one, which says how long it is
 *     blockedlengths                the lengths of these networks, until the last of each ends: 0.0.4.24, 0.0.6.48
 *
 *     chain @_nets                  a rule for each of these lengths: address & mask | that one @blockednets…
 *
 * One set of a family holds networks of all lengths, and is made with the generation; a rule stands only for a length that is in use,
 * so that a packet pays for nothing else. The rules are the warden's: what there is of them is in no digest, and blocks_check() looks.
 */
#ifndef TEG_WARDEN_BLOCKS_NFT_H
#define TEG_WARDEN_BLOCKS_NFT_H

#include "enforcer/hook/block_table.h"
#include "enforcer/proc/message.h"
#include "enforcer/warden/kernel.h"

enum block_kind { BLOCK_HOSTS, BLOCK_NETS, BLOCK_KINDS };

static inline enum block_kind block_kind(struct prefix source)
{
	return block_is_net(source) ? BLOCK_NETS : BLOCK_HOSTS;
}

extern const char *const block_sets[BLOCK_KINDS][FAMILY_COUNT];

/* As filter_change_element(); and the element that the source would be. */
void block_change_element(struct filter_change *c, struct prefix source, uint64_t timeout_ms);
void block_element(struct filter_element *out, struct prefix source);
void block_timed(struct filter_timed *out, struct prefix source, uint64_t timeout_ms);

/* Whom an element means. False when nobody: somebody else's. */
bool block_of_key(struct prefix *out, enum block_kind kind, enum family f, const void *key, size_t len);

/* ---- lengths ------------------------------------------------------------------------------- */

struct block_lengths {
	uint64_t in_use[FAMILY_COUNT]; /* TEG_NET_BIT() */
	uint64_t left_ms[FAMILY_COUNT][64];
};

int block_too_many_lengths(struct prefix source, struct err *why);
void block_length_lasts(struct block_lengths *l, struct prefix net, uint64_t left_ms);

/* As the set says. */
int block_lengths_look(struct block_lengths *out, struct kernel *k, struct err *why);

/* Those that it lacks, or has for a shorter time. */
int block_lengths_add(struct filter_change *c, struct kernel *k, const struct block_lengths *more, struct err *why);

/* The same of what is to be blocked, and the rules of that bank, unless it is 0. -ENOSPC when they are too many. */
int block_lengths_use(struct filter_change *c, struct kernel *k, char bank, const struct block *ask, struct err *why);

/* The bank's rules are for these lengths, and no others. */
int block_lengths_sync(struct kernel *k, char bank, struct err *why);

#endif
