/*
 * cause - the names of what frames are not judged for; bpf-templates/cause.def.
 */
#ifndef TEG_VOCAB_CAUSE_H
#define TEG_VOCAB_CAUSE_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf-templates/cause.h"
#include "lang/base/buf.h"

const char *cause_name(enum cause c);

/* May a posture say what becomes of such frames? */
bool cause_is_said(enum cause c);

/* "vlan-depth, payload": a bit per cause. */
void cause_names(struct buf *out, uint32_t causes);

#endif
