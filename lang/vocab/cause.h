/*
 * cause - the names of what frames are not judged for; bpf-templates/cause.def.
 */
#ifndef TEG_VOCAB_CAUSE_H
#define TEG_VOCAB_CAUSE_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf-templates/cause.h"
#include "lang/base/buf.h"
#include "lang/vocab/verdict.h"

const char *cause_name(enum cause c);

/* Its stable id, as outcomes and events have it: "malformed.short-ip4". */
const char *cause_id(enum cause c);

/* What becomes of such frames where a posture does not say: VERDICT_ALLOW, they go up the stack unjudged. */
enum verdict cause_verdict(enum cause c);

/* May a posture say what becomes of such frames? */
bool cause_is_said(enum cause c);

/* "vlan-depth, payload": a bit per cause. */
void cause_names(struct buf *out, uint32_t causes);

#endif
