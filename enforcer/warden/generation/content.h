/*
 * content - everything that staging needs of a bundle, read and checked.
 *
 *     own(content) struct content c = { 0 };
 *     content_read(&c, g, bytes, len, &no)
 *
 * The plan goes into the generation, whose arena and bank it is read for. What
 * a bundle needs and this enforcer cannot do is refused here.
 */
#ifndef TEG_WARDEN_GENERATION_CONTENT_H
#define TEG_WARDEN_GENERATION_CONTENT_H

#include "enforcer/warden/generation/generation.h"
#include "lang/bundle/batch.h"
#include "lang/bundle/bundle.h"
#include "lang/bundle/drill.h"

struct content {
	struct bundle *bundle;
	struct batch posture, epiderme;
	struct drill drill;
};

void content_own_(struct content *c);

int content_read(struct content *c, struct generation *g, const void *bytes, size_t len, struct refusal *no);

/* Its parts by themselves, for a bundle that was kept. */
int content_batch(struct batch *out, const struct bundle *b, const char *name, struct err *why);
int content_plan(struct plan *out, struct arena *a, const struct bundle *b, struct err *why);

/*
 * The program of a hook. A bundle of an older version was made for other layouts of the pinned maps, so that the one
 * that this version carries takes its place, by the bundle's tables.
 */
int content_program(const void **at, size_t *len, enum teg_hook hook, const struct plan *p, const struct bundle *b, struct err *why);

/* Of the needs of need.def, a bit each: what this enforcer does beyond verdicts, rates and blocks, and what XDP alone does. */
extern const uint64_t content_can, content_xdp_alone;

#endif
