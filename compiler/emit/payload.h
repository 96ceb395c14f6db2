/*
 * payload - what reflexes look for in payloads, as the tables of the first hook (abi.h draws them).
 *
 *     payload_ask_box(&asked, ...)      for every box of such a rule: its number
 *     payload_ask(&asked, ...)          the rule itself
 *     payload_lower(plan, &asked, ...)  automata, lists: the whole
 *
 * All patterns go into one automaton. Where that would be many times as large as
 * the patterns' own together, they are halved, and each half tried again.
 */
#ifndef TEG_EMIT_PAYLOAD_H
#define TEG_EMIT_PAYLOAD_H

#include "compiler/ir/ir.h"
#include "lang/base/err.h"
#include "lang/bundle/plan.h"

struct payload_asked {
	VEC(struct teg_box) boxes;
	VEC(struct teg_row) rows;
	VEC(const struct ir_rule *) rules; /* of the rows */
	uint32_t marks;			   /* given so far */
};

/* The number of a box, whatever rule it belongs to; -E2BIG when there are too many. */
int payload_ask_box(struct payload_asked *p, struct arena *a, const struct teg_box *box, const struct ir_rule *rule,
		    uint32_t *number, struct err *why);

/* The rule's mark, when it must be asked where rates are; 0: it decides at once. */
int payload_mark(struct payload_asked *p, const struct ir_rule *rule, bool decides_at_once, uint8_t *mark,
		 struct err *why);

int payload_ask(struct payload_asked *p, struct arena *a, const struct teg_row *row, const struct ir_rule *rule,
		struct err *why);

int payload_lower(struct plan *plan, const struct payload_asked *p, struct arena *a, struct err *why);

#endif
