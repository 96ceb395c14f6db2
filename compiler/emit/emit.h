/*
 * emit - from decided rules to what a kernel runs.
 *
 * Each engine's lowering fills its part of the plan or makes one member of the
 * bundle. emit_bundle() calls them all, in the bundle's order.
 *
 *                  ┌── xdp.c ──► plan: boxes, rules, prefixes        layers 1 to 3
 *     ir ──► plan ─┤
 *                  ├── nft.c ──► posture.batch, epiderme.batch, ruleset.nft
 *                  └── drill.c ► drill: the tests, for the host to try
 */
#ifndef TEG_EMIT_EMIT_H
#define TEG_EMIT_EMIT_H

#include "compiler/ir/ir.h"
#include "lang/base/buf.h"
#include "lang/base/err.h"
#include "lang/base/spool.h"
#include "lang/bundle/batch.h"
#include "lang/bundle/bundle.h"
#include "lang/bundle/drill.h"
#include "lang/bundle/plan.h"

struct nft_ruleset;

/* emit_plan - names, postures and counters; the table parts stay empty. Everything in `a`. */
void emit_plan(struct plan *out, const struct ir *ir, struct arena *a);

/* emit_xdp - the plan's XDP tables. Refuses what the tables cannot hold, naming the rule and the limit. */
int emit_xdp(struct plan *plan, const struct ir *ir, struct arena *a, struct err *why);

/* emit_xdp_bucket - by what the tables know a bucket: the first 8 bytes of the SHA-256 of ir_bucket_name(). */
uint64_t emit_xdp_bucket(const struct ir_rate *rate);

/* The compiled template, bpf-templates/policy.bpf.c, as it goes into a bundle: for each hook one. */
const void *emit_program(enum teg_hook hook, size_t *len);
/* Its SHA-256 in hex. */
const char *emit_program_digest(enum teg_hook hook);

/* emit_nft_lower - the nft objects of which both batches and the text are made; also plan->nft_keep. Everything in `a`. */
int emit_nft_lower(struct nft_ruleset *out, struct plan *plan, const struct ir *ir, struct arena *a, struct err *why);
/* The text. Base chains were added, nft/lower.h. */
void emit_nft_print(struct spool *out, const struct nft_ruleset *rs, const struct ir *ir);

/* emit_nft - all of it, in memory. */
struct emit_nft {
	struct batch posture, epiderme;
	struct buf text;
};
int emit_nft(struct emit_nft *out, struct plan *plan, const struct ir *ir, struct arena *a,
	     struct err *why);
void emit_nft_release(struct emit_nft *n);

/* emit_drill - the tests' packets; the plan's counters and tables are filled. Everything in `a`. */
void emit_drill(struct drill *out, const struct plan *plan, const struct ir *ir, struct arena *a);

/*
 * emit_members - the members of a bundle; `resolved` is the text of policy/resolved.teg, and stays the caller's. They say of
 * themselves whether they are `proved`: then the caller writes the bundle only once audit_bundle() had nothing against it.
 * What a long list makes tens of megabytes of lies in files beside `beside` (spool.h), or in memory where that is NULL.
 */
enum emitted_kind {
	EMITTED_PLAN, EMITTED_POSTURE, EMITTED_EPIDERME, EMITTED_RULESET, EMITTED_DRILL, EMITTED_DERME, EMITTED_PLAYBOOKS,
	EMITTED_COUNT
};

struct emitted {
	struct spool bytes[EMITTED_COUNT];
	struct bundle_member members[10];
	size_t count;
};

int emit_members(struct emitted *out, const struct ir *ir, const struct spool *resolved, bool proved, const char *beside, struct err *why);
void emitted_release(struct emitted *e);
static inline void emitted_own_(struct emitted *e)
{
	emitted_release(e);
}

/* emit_bundle - the same, sealed, in an empty *out. */
int emit_bundle(struct buf *out, const struct ir *ir, const char *resolved, bool proved, struct err *why);

#endif
