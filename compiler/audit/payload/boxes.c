/* boxes - a box of a rule that looks into payloads asks for what is found there, and no other does. */
#include <string.h>

#include "compiler/audit/payload/reading.h"

/* A listed box of a rule that looks into payloads has its mark, and is one of those that are looked into. */
static bool listed_box_holds(const struct plan *p, const struct teg_box *b)
{
	const struct teg_row *row = NULL;
	struct teg_box alone = *b;

	for (uint32_t i = 0; i < p->config.payload.rows && !row; i++)
		if (p->payload.rows[i].rule == b->rule)
			row = &p->payload.rows[i];
	if (!row)
		return !b->mark;
	alone.rule = 0;
	alone.mark = 0;
	for (uint32_t i = 0; i < p->config.payload.boxes; i++)
		if (row->boxes >> i & 1 && !memcmp(&p->payload.boxes[i], &alone, sizeof alone))
			return b->mark && b->mark == row->mark;
	return false;
}

int payload_boxes(struct payload_reading *r)
{
	const struct plan *p = r->plan;

	for (uint32_t i = 0; i < p->box_count; i++)
		if (!listed_box_holds(p, &p->boxes[i]))
			return payload_refuse(r, p->counters[p->rules[p->boxes[i].rule].counter_slot].id,
				      "a box of it does not ask for what is found in the payload as the policy does");
	for (uint32_t i = 0; i < p->config.bulk.cells; i++)
		for (uint32_t k = 0; k < p->config.payload.rows; k++)
			if (p->bulk_boxes[i].box.mark || p->bulk_boxes[i].box.rule == p->payload.rows[k].rule)
				return err_set(r->why, EPROTO, "a tree has a box of a rule that looks into payloads");
	return 0;
}
