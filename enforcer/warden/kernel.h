/*
 * kernel - what of the kernel the warden holds open.
 *
 * Programs may be impossible here; then `xdp` is NULL, `without` says why, and nft
 * judges all layers. When they were asked for outright, that is an error. `tc` alone may be NULL too.
 */
#ifndef TEG_WARDEN_KERNEL_H
#define TEG_WARDEN_KERNEL_H

#include "enforcer/hook/block_table.h"
#include "enforcer/hook/older.h"
#include "enforcer/hook/ports.h"
#include "enforcer/hook/route.h"
#include "enforcer/hook/slot.h"
#include "enforcer/hook/tables/tables.h"
#include "enforcer/hook/tc.h"
#include "enforcer/hook/xdp.h"
#include "enforcer/nft/filter.h"
#include "enforcer/proc/settings.h"
#include "lang/base/err.h"

struct kernel {
	const struct settings *settings;
	struct filter *filter;
	struct route *route;
	struct shared shared;
	struct xdp *xdp;
	struct tc *tc;
	struct teg_active *active; /* teg_active, mapped; NULL without XDP */
	struct addresses self;	   /* see kernel_self() */
	struct arena *self_arena;  /* in which they are; NULL when they are not known */
	struct feeds *feeds;	   /* what is on them: see feeds/feeds.h; NULL before feeds_open() */
	bool nft_blocks_known;	   /* nft judges nowhere, and all that it had blocked was carried to the programs: see blocks/carry.c */
	struct block_table blocks; /* mapped from the first use until no block is in force: see kernel_blocks() */
	char without[256], without_tc[256];
	struct older older; /* what another version pinned, until a generation of this one takes over */
	char stale[512]; /* what of another version judges on, and the way out; "" when nothing does */
	char taken[256]; /* that it has been taken over, and what was not carried; "" when there was nothing, or it was told */

	/* Sources blocked when last counted, when that was, and how long it took: see report.c. */
	uint64_t blocked, blocked_at_ns, blocked_cost_ns;
	uint64_t switch_ns; /* how long both sides judged in the last switch; 0 when there was none since the start */
	uint64_t left_out; /* sources for which there was no place, when last asked */
};

#define KERNEL_NONE { .shared = SHARED_NONE, .older = OLDER_NONE }

int kernel_open(struct kernel *out, const struct settings *s, struct err *why);
void kernel_release(struct kernel *k);

/* No link leads to the programs of another version any more: its pins go. */
void kernel_end_older(struct kernel *k);

/* The slot of a hook: a borrowed descriptor. */
static inline int kernel_slot(const struct kernel *k, enum teg_hook hook)
{
	return hook == TEG_HOOK_TC ? k->shared.tc_slots : k->shared.slots;
}

static inline struct port_hooks kernel_hooks(const struct kernel *k)
{
	return (struct port_hooks){ k->xdp, k->tc, k->route };
}

/* The posture's index for the program of a bank: one store. */
void kernel_set_posture(struct kernel *k, char bank, uint32_t posture);
uint32_t kernel_posture(const struct kernel *k, char bank);

/* Every packet that was between the first hook and layer 4 when this was called is through. Some 50 us, or milliseconds. */
void kernel_wait_for_packets(void);

/* What the next start looks for in the pin directory: how much of it is there, and whether that is all. */
unsigned kernel_pins_wanted(const struct kernel *k);
int kernel_pins(struct kernel *k, unsigned *there, struct err *why);
int kernel_pin_again(struct kernel *k, struct err *why);

/* teg_self follows the addresses, which are read anew. */
int kernel_follow_self(struct kernel *k, struct err *why);

/* This host's addresses, as they were when they were last followed. Borrowed. */
int kernel_self(struct kernel *k, struct addresses *out, struct err *why);

/*
 * The programs' runtime blocks, of a kernel with XDP; NULL when they cannot be mapped. What the kernel maps of such a
 * table it maps at once, 17 MB in a millisecond: so it stays mapped.
 */
struct block_table *kernel_blocks(struct kernel *k, struct err *why);

/* May one be in force there? False: none is. */
bool kernel_has_blocks(const struct kernel *k);

/* How many have not ended. */
int kernel_count_blocks(struct kernel *k, uint64_t *in_force, struct err *why);

/* How often since the last call a rule found no place for a source; of the first call, since the table was made. */
int kernel_blocks_left_out(struct kernel *k, uint64_t *more, struct err *why);

#endif
