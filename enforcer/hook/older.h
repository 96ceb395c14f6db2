/*
 * older - what another version of tegd has pinned: its anchors, slots and maps, by which packets are judged until a
 * generation of this version takes over.
 *
 *     link_3 ──► anchor_10 ──► teg_slots_10 ──► its program ──► teg_blocks_10 …      before
 *          └───► anchor_11 ──► teg_slots_11 ──► our program ──► teg_blocks_11 …      after: one update of the link
 *
 *     older_open(&o, dir, why)             in the order of a start: before anything is staged
 *     older_carry(&o, shared, ...)         what can be read of it, when a generation is about to take over
 *     older_end(&o, dir)                   its pins go: no link leads to them any more
 *
 * A map whose layout has not changed has one name in both versions and is not here: both count and block in it. Of the
 * others, those whose layout this version still reads are carried: blocks, buckets and counts. A newer version's, as after
 * a downgrade, are never read.
 */
#ifndef TEG_HOOK_OLDER_H
#define TEG_HOOK_OLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "enforcer/hook/block_table.h"
#include "enforcer/hook/shared.h"

struct older {
	unsigned pins;	     /* of another version; 0: there is nothing */
	struct shared maps;  /* that can be read; -1: there is none, or it cannot */
	int slots;	     /* XDP's, of whatever version; -1: there are none */
	bool blocks_lost;    /* it has blocks, and they cannot be read */
	struct block_table blocks; /* open when maps.blocks and what belongs to it can be read */
};

#define OLDER_NONE { .maps = SHARED_NONE, .slots = -1 }

int older_open(struct older *out, const char *dir, struct err *why);
void older_release(struct older *o);

/*
 * Counts, for the slots whose owner is the one of before, and causes; buckets of limits. What the old program counts while
 * this runs, and after, is not carried.
 */
void older_carry(const struct older *o, const struct shared *to, const uint32_t *slots, const bool *fresh, uint32_t count);

/* Takes away every pin of another version in the directory. */
void older_end(struct older *o, const char *dir);

#endif
