/*
 * explanation - why a packet fares as it does, for a person.
 *
 *     tcp 198.51.100.7:49152 -> self:22 syn on wan
 *     BALANCED: drop by BALANCED.default.in (edge.teg:52:5)
 *
 *       lifeline        no rule has it
 *         near          lifeline.owner (edge.teg:22:5) would allow it: source address is 198.51.100.7, not office
 *       neighbour       is no neighbour discovery
 *       ...
 */
#ifndef TEG_REPORT_EXPLANATION_H
#define TEG_REPORT_EXPLANATION_H

#include "compiler/front/front.h"
#include "compiler/ir/explain.h"
#include "lang/base/buf.h"

#define EXPLAIN_NEAR_SHOWN 8 /* in each list, unless all are wanted */

/* `text` is the packet as it was written. */
void report_explanation(struct buf *out, struct compilation *c, const struct ir *ir, const struct explanation *x,
			const char *text, bool all);

/* Why it was refused: a diagnostic, as for a packet of a test. */
void report_unexplained(struct diags *to, const struct explanation *x);

/* The same for programs, keys sorted: the value of "explanation" in the envelope of docs/schemas. */
struct cJSON;
struct cJSON *report_explanation_json(struct compilation *c, const struct ir *ir, const struct explanation *x,
				      const char *text);

#endif
