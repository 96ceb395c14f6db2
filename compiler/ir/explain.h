/*
 * explain - why a packet fares as it does: what each layer said, what decided,
 * and which rules came near.
 *
 *     struct explanation x;
 *     if (!explain_packet(&x, ir, posture, &packet, arena))
 *             tell which field decides                    x.open, as trial.h has it
 *     for (size_t i = 0; i < x.layer_count; i++) ...
 *
 * The world is the one in which a test begins: full buckets, no blocks. As in tests no
 * field is invented, so a packet that leaves out what decides is refused.
 *
 * A rule came near when the packet would match it but for one field: one that the rule
 * asks and the packet has otherwise, or `forward` where it is `in`. They are sought in
 * the list that decided, before the rule that did, and in the lifelines.
 */
#ifndef TEG_IR_EXPLAIN_H
#define TEG_IR_EXPLAIN_H

#include "compiler/ir/partial.h"
#include "compiler/ir/trial.h"

/* In the order of judgement; see docs/semantics.md. */
enum explain_layer {
	EXPLAIN_LIFELINE, EXPLAIN_NEIGHBOUR, EXPLAIN_BLOCKED, EXPLAIN_BLOCKS, EXPLAIN_REFLEXES,
	EXPLAIN_STATE, EXPLAIN_POSTURE,
	EXPLAIN_LAYER_COUNT
};
const char *explain_layer_name(enum explain_layer l);

enum explain_said {
	SAID_NOT_ASKED, /* decided before, or of no concern to a packet of this direction */
	SAID_NOTHING,	/* no rule of it has the packet */
	SAID_WITHIN,	/* `rule` has it, and its rate or limit is not exceeded */
	SAID_UNFOUND,	/* `rule` has it, and its pattern is not in the payload */
	SAID_TELLS,	/* `rule` has it, and only tells of it */
	SAID_SILENT,	/* `rule` has it, and is silent in this posture */
	SAID_SPARES,	/* a packet that is forwarded is spared blocks and reflexes, and goes on to layer 4 */
	SAID_DECIDES
};

struct explain_line {
	enum explain_layer layer;
	enum explain_said said;
	const struct ir_rule *rule; /* or NULL */
};

/* `rule` would have had the packet but for `field`; BOX_FIELD_COUNT: but for its direction. */
struct explain_near {
	const struct ir_rule *rule;
	enum box_field field;
	const struct ir_box *wants; /* one of the boxes that lack only that */
	struct ranges ranges;	    /* of ports and ICMP: what all of those boxes ask together */
};

struct explanation {
	struct partial packet;
	unsigned posture;
	struct outcome outcome;
	struct trial_finding open; /* when it is refused: field, asks, asks_why */
	struct explain_line *lines;
	size_t line_count;
	struct explain_near *near; /* of lifelines first, each in its list's order */
	size_t near_count;
	const struct ir_rule **later; /* behind the rule that decided, and with another verdict for this packet */
	size_t later_count;
};

bool explain_packet(struct explanation *out, const struct ir *ir, unsigned posture,
		    const struct pol_packet *packet, struct arena *a);

#endif
