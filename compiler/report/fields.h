/*
 * fields - one field of a packet, or what a box asks of it, in a few words.
 *
 *     source address    office                 198.51.100.7
 *     destination port  80, 443                22
 *     TCP flags         syn/syn+ack            syn+ack
 */
#ifndef TEG_REPORT_FIELDS_H
#define TEG_REPORT_FIELDS_H

#include "compiler/ir/partial.h"
#include "lang/base/buf.h"

/* More ranges and prefixes of one field than this are counted, not shown. */
#define FIELDS_SHOWN 6

/* BOX_FIELD_COUNT is the direction. */
const char *box_field_name(enum box_field f);

/* `ranges` is what is shown of ports and ICMP; of other fields it is not read. */
void box_field_wants(struct buf *out, const struct ir *ir, const struct ir_box *box, enum box_field f,
		     const struct ranges *ranges);
void box_field_has(struct buf *out, const struct ir *ir, const struct partial *p, enum box_field f);

#endif
