/*
 * response - playbooks and what runs them as code (lang/playbook), and what they can do to
 * packets, which the prover asks about.
 */
#ifndef TEG_IR_RESPONSE_H
#define TEG_IR_RESPONSE_H

#include <stddef.h>

#include "lang/base/span.h"
#include "lang/playbook/playbook.h"

struct policy;

/* A step that changes what becomes of packets. */
struct ir_effect {
	enum step_effect effect;
	enum play_step step;
	const char *playbook;
	struct span span;
	unsigned posture; /* of POSTURE: index */
	unsigned zone;	  /* of THROTTLE: index */
};

struct ir_responses {
	struct playbooks code;
	struct ir_effect *effects;
	size_t effect_count;
};

/* Never fails: what cannot be lowered was refused by the front end. The code passes playbooks_verify(). */
void ir_lower_responses(struct ir_responses *out, const struct policy *p, struct arena *a);

#endif
