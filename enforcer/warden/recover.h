/*
 * recover - how a start finds the kernel, and what it makes of it.
 *
 *     the journal says     the kernel has                        so
 *     ────────────────     ─────────────────────────────────     ──────────────────────────────────
 *     nothing              nothing of ours                       fresh: wait for a bundle
 *     nothing, or not      a policy                              unknown: it goes on until a bundle is applied
 *     readably
 *     settled G            all of G, unaltered                   adopted: nothing is touched
 *     settled G            less, or altered (or a reboot)        restored: G from its kept bundle, bridged
 *     committing G to H    H's hooks, and H's program or         forward: H is finished, and adopted
 *                          no hook of G
 *     committing G to H    anything else                         back: what there is of H goes; then as settled G
 *
 * A change of posture stands in the kernel alone until the journal has it: the
 * hooks say which posture is in force, and one that was half-way is finished.
 */
#ifndef TEG_WARDEN_RECOVER_H
#define TEG_WARDEN_RECOVER_H

#include "enforcer/warden/generation/generation.h"

enum recovered { RECOVERED_FRESH, RECOVERED_ADOPTED, RECOVERED_RESTORED, RECOVERED_UNKNOWN };

/* "fresh", "adopted", "restored", "unknown" */
const char *recovered_name(enum recovered r);

/*
 * *out is NULL when no generation is in force. On failure packets are judged as before the start;
 * *out may still be what could be adopted.
 */
int recover(struct generation **out, enum recovered *how, struct kernel *k, struct state *s, struct err *why);

/* A bank in which a generation can be staged: without hooks, or none are anywhere. */
int recover_free_bank(struct kernel *k, const struct generation *live, char *out, struct err *why);

/* What the journal says is in force, put into the kernel anew from its kept bundle, by a bridged switch. `had` stays the caller's. */
int recover_restore(struct generation **out, struct kernel *k, struct state *s, const struct generation *had,
		    struct err *why);

#endif
