/*
 * generation - one bundle, living in the kernel.
 *
 *     stage ──► commit
 *       └────── abort
 *
 * Whatever can fail, fails in stage, where no packet sees it: the seal, the
 * plan, interfaces, the verifier, the policy's own tests in this kernel (rehearse.h),
 * the nft batches. They stand loose in the bank that is not in use. Commit is the bridged switch:
 *
 *                    1. hook new beside old   2. slot := new   3. unhook old
 *     layer 4        old ∧ new                old ∧ new        new
 *     layers 1–3     old                      new              new
 *
 * or, where nft judges all layers, so that only what layers 1–3 decide is decided by both for a while:
 *
 *                    1. hook new beside old   2. new hooks for old ones, in one step
 *     layer 4        old                      new
 *     layers 1–3     old ∧ new                new
 *
 * so that a packet passes only if one whole generation passes it. Before it the
 * journal says what is about to be, after it what is. When commit reports
 * failure, packets are treated as before the call.
 */
#ifndef TEG_WARDEN_GENERATION_GENERATION_H
#define TEG_WARDEN_GENERATION_GENERATION_H

#include "enforcer/hook/ports.h"
#include "enforcer/nft/layout.h"
#include "enforcer/proc/message.h"
#include "enforcer/warden/kernel.h"
#include "enforcer/warden/state/state.h"
#include "lang/bundle/plan.h"

struct generation {
	struct arena *arena;
	struct record is;
	struct plan plan;
	uint64_t serial;	/* of the bundle's signature; known once staged */
	uint32_t posture;	/* index into plan.postures */
	uint32_t *slots;	/* by index into plan.counters */
	bool *fresh;		/* the slot had another owner, or none; known once staged */
	struct ports ports;
	struct arena *ports_arena; /* theirs alone: they come and go */
	struct tables *tables;	/* NULL when XDP takes no part, for the reason `without` */
	bool was_taken;		/* it was in force before, and comes back even where the journal cannot be written */
	char without[256];

	/* The tables' digest as last read, and when that was: see filter_generation(). */
	struct digest tables_now;
	uint32_t checked_at;
	bool checked;
	uint64_t unknown_since; /* seconds, CLOCK_REALTIME: all of it could not be read since then; 0: it could */
};

void generation_free(struct generation *g);
OWN_FREE(generation, struct generation *)

/* Why something was not done: as struct result says it. */
struct refusal {
	enum result_code code;
	const char *part;
	struct err why;
};

struct stage {
	const void *bytes; /* of the bundle */
	size_t len;
	uint64_t number;
	char bank;		       /* one in which no hook stands */
	const struct record *from;     /* whose posture goes on; NULL, or of another policy: the initial one begins */
	bool was_taken;		       /* it was in force before: interfaces may be missing, as after a boot, and keys */
	uint32_t confirm;	       /* seconds within which it must be confirmed; 0: it need not be */
	const struct record *now;      /* in force, as journalled, or NULL: see signer.h */
	bool downgrade;		       /* it may be older than that */
	const struct generation *live; /* the active one, or NULL */
};

/* Would the bundle be taken, as far as it can be said without the kernel? */
int generation_examine(const void *bytes, size_t len, struct err *why);

int generation_stage(struct generation **out, struct kernel *k, const struct stage *ask, struct refusal *no);
void generation_abort(struct generation *g, struct kernel *k);

/*
 * Journals in *s. The old generation's handle stays the caller's. When it returns 0 the new one is in force;
 * what went wrong after the switch, if anything did, is in no->why.text.
 */
int generation_commit(struct generation *g, struct kernel *k, struct state *s, struct refusal *no);

/* The end of a commit, also of one that an earlier process began: everything but g is taken away, and *s settled. */
int generation_settle(struct generation *g, struct kernel *k, struct state *s, struct err *why);

/*
 * The handle of a generation that an earlier process committed, from its record: its bundle is read, its
 * program must be in the slot and its hooks must stand. Changes nothing. Whether all of it
 * is unaltered says check_all() of check.h, once the ports are known by generation_follow_links().
 */
int generation_adopt(struct generation **out, struct kernel *k, const struct record *r, struct err *why);

/* Layer 4's posture, and what depends on it in the layers before; idempotent. */
int generation_set_posture(struct generation *g, struct kernel *k, uint32_t posture, struct err *why);

/* Interfaces have come, gone or been renamed. */
int generation_follow_links(struct generation *g, struct kernel *k, struct state *s, struct err *why);

#endif
