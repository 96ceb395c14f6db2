/*
 * plan_payload - the part of a plan that is about payloads: boxes, rows, automata, as
 * bpf-templates/abi.h draws them. plan.c encodes and decodes it with the rest.
 */
#ifndef TEG_BUNDLE_PLAN_PAYLOAD_H
#define TEG_BUNDLE_PLAN_PAYLOAD_H

#include "bpf-templates/abi.h"
#include "lang/base/arena.h"
#include "lang/base/err.h"
#include "lang/base/wire.h"

struct plan;

/* How many of each stands in the plan's config.payload. */
struct plan_payload {
	struct teg_box *boxes; /* of no rule and no mark */
	struct teg_row *rows;
	struct teg_automaton *automata;
	uint32_t *steps, *lists;
};

void plan_payload_put(struct buf *out, const struct plan *p);
void plan_payload_get(struct wire_in *in, struct plan *p, struct arena *a);
int plan_payload_holds(const struct plan *p, struct err *why);

/* Boxes of every kind are written alike; plan.c. */
void plan_box_put(struct buf *out, const struct teg_box *b);
void plan_box_get(struct wire_in *in, struct teg_box *b);
bool plan_box_holds(const struct plan *p, const struct teg_box *b);
#define PLAN_BOX_BYTES 47

#endif
