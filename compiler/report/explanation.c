#include "compiler/report/explanation.h"

#include <cjson/cJSON.h>

#include "compiler/report/fields.h"
#include "compiler/report/trials.h"

#define COLUMN 16

struct page {
	struct buf *out;
	struct compilation *c;
	const struct ir *ir;
	const struct explanation *x;
	bool all;
};

static void put_place(struct buf *out, struct compilation *c, struct span s)
{
	struct place at = source_place(&c->sources, s.file, s.from);

	buf_printf(out, "%s:%u:%u", at.file, at.line, at.column);
}

static void put_rule(struct page *p, const struct ir_rule *r)
{
	buf_puts(p->out, r->id);
	if (!span_is_somewhere(r->span))
		return;
	buf_puts(p->out, " (");
	put_place(p->out, p->c, r->span);
	buf_putc(p->out, ')');
}

static void put_outcome(struct page *p)
{
	const struct outcome *o = &p->x->outcome;

	buf_printf(p->out, "%s by ", verdict_name(o->verdict));
	if (o->rule)
		put_rule(p, o->rule);
	else
		buf_puts(p->out, o->why);
}

/* --- what came near --------------------------------------------------------------------- */

static void put_near(struct page *p, const struct explain_near *n)
{
	buf_printf(p->out, "    %-*s", COLUMN - 2, "near");
	put_rule(p, n->rule);
	buf_printf(p->out, " would %s it: %s is ", verdict_name(n->rule->verdict), box_field_name(n->field));
	box_field_has(p->out, p->ir, &p->x->packet, n->field);
	buf_puts(p->out, ", not ");
	if (n->field == BOX_FIELD_COUNT)
		buf_puts(p->out, direction_name(n->rule->direction));
	else
		box_field_wants(p->out, p->ir, n->wants, n->field, &n->ranges);
	buf_putc(p->out, '\n');
}

/* Those that would have changed the verdict come first. */
static void put_nears(struct page *p, bool lifelines)
{
	size_t put = 0, left = 0;

	for (int turn = 0; turn < 2; turn++)
		for (size_t i = 0; i < p->x->near_count; i++) {
			const struct explain_near *n = &p->x->near[i];
			bool same = n->rule->verdict == p->x->outcome.verdict;

			if ((n->rule->layer == LAYER_LIFELINE) != lifelines || same != (turn == 1))
				continue;
			if (p->all || put < EXPLAIN_NEAR_SHOWN) {
				put_near(p, n);
				put++;
			} else {
				left++;
			}
		}
	if (left)
		buf_printf(p->out, "    %-*s%zu more came near (--all)\n", COLUMN - 2, "", left);
}

static void put_later(struct page *p)
{
	for (size_t i = 0; i < p->x->later_count; i++) {
		buf_printf(p->out, "    %-*s", COLUMN - 2, "too late");
		put_rule(p, p->x->later[i]);
		buf_printf(p->out, " would %s it\n", verdict_name(p->x->later[i]->verdict));
	}
}

/* --- layers ------------------------------------------------------------------------------- */

static void put_nothing(struct page *p, enum explain_layer l)
{
	switch (l) {
	case EXPLAIN_NEIGHBOUR:
		buf_puts(p->out, "is no neighbour discovery");
		return;
	case EXPLAIN_BLOCKED:
		buf_puts(p->out, "no source is blocked");
		return;
	case EXPLAIN_STATE:
		buf_printf(p->out, "%s: nothing follows from it", ct_state_name(p->x->packet.packet.state));
		return;
	case EXPLAIN_LIFELINE:
	case EXPLAIN_BLOCKS:
	case EXPLAIN_REFLEXES:
	case EXPLAIN_POSTURE:
	case EXPLAIN_LAYER_COUNT:
		break;
	}
	buf_puts(p->out, "no rule has it");
}

static void put_said(struct page *p, const struct explain_line *l)
{
	switch (l->said) {
	case SAID_NOT_ASKED:
		buf_puts(p->out, "not asked");
		return;
	case SAID_NOTHING:
		put_nothing(p, l->layer);
		return;
	case SAID_WITHIN:
		put_rule(p, l->rule);
		buf_printf(p->out, " has it, within its rate of %llu%s per %s", (unsigned long long)l->rule->rate->rate,
			   l->rule->rate->bytes ? " bytes" : "", ir_unit_name(l->rule->rate->unit_s));
		return;
	case SAID_UNFOUND:
		put_rule(p, l->rule);
		buf_puts(p->out, " has it, but its pattern is not in the payload");
		return;
	case SAID_TELLS:
		put_rule(p, l->rule);
		buf_puts(p->out, " has it, and only tells of it");
		return;
	case SAID_SILENT:
		put_rule(p, l->rule);
		buf_printf(p->out, " has it, and is silent in %s", p->ir->postures[p->x->posture].name);
		return;
	case SAID_SPARES:
		if (l->rule)
			put_rule(p, l->rule);
		buf_puts(p->out, l->rule ? " spares it blocks and reflexes" : "spares it blocks and reflexes");
		return;
	case SAID_DECIDES:
		put_outcome(p);
		return;
	}
}

static void put_line(struct page *p, const struct explain_line *l)
{
	const struct outcome *o = &p->x->outcome;

	buf_printf(p->out, "  %-*s", COLUMN, explain_layer_name(l->layer));
	put_said(p, l);
	buf_putc(p->out, '\n');
	if (l->layer == EXPLAIN_LIFELINE)
		put_nears(p, true);
	else if (l->said == SAID_DECIDES && o->rule)
		put_nears(p, false);
	if (l->said == SAID_DECIDES)
		put_later(p);
}

void report_explanation(struct buf *out, struct compilation *c, const struct ir *ir, const struct explanation *x,
			const char *text, bool all)
{
	struct page p = { out, c, ir, x, all };

	buf_printf(out, "%s\n%s: ", text, ir->postures[x->posture].name);
	put_outcome(&p);
	buf_puts(out, "\n\n");
	for (size_t i = 0; i < x->line_count; i++)
		put_line(&p, &x->lines[i]);
}

void report_unexplained(struct diags *to, const struct explanation *x)
{
	report_open(to, "", &x->open);
}

/* --- for programs ---------------------------------------------------------------------------- */

static const char *said_name(enum explain_said s)
{
	switch (s) {
	case SAID_NOT_ASKED:
		return "not-asked";
	case SAID_NOTHING:
		return "nothing";
	case SAID_WITHIN:
		return "within-rate";
	case SAID_UNFOUND:
		return "pattern-not-found";
	case SAID_TELLS:
		return "tells";
	case SAID_SILENT:
		return "silent";
	case SAID_SPARES:
		return "spares";
	case SAID_DECIDES:
		return "decides";
	}
	return "";
}

static cJSON *json_rule(struct compilation *c, const struct ir_rule *r)
{
	own(buf) struct buf place = { 0 };
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "id", r->id);
	if (span_is_somewhere(r->span)) {
		put_place(&place, c, r->span);
		cJSON_AddStringToObject(o, "place", buf_text(&place));
	}
	cJSON_AddStringToObject(o, "verdict", verdict_name(r->verdict));
	return o;
}

static cJSON *json_line(struct compilation *c, const struct explain_line *l)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "layer", explain_layer_name(l->layer));
	if (l->rule)
		cJSON_AddItemToObject(o, "rule", json_rule(c, l->rule));
	cJSON_AddStringToObject(o, "said", said_name(l->said));
	return o;
}

static cJSON *json_near(struct compilation *c, const struct ir *ir, const struct explanation *x,
			const struct explain_near *n)
{
	own(buf) struct buf has = { 0 }, wants = { 0 };
	cJSON *o = cJSON_CreateObject();

	box_field_has(&has, ir, &x->packet, n->field);
	if (n->field == BOX_FIELD_COUNT)
		buf_puts(&wants, direction_name(n->rule->direction));
	else
		box_field_wants(&wants, ir, n->wants, n->field, &n->ranges);
	cJSON_AddStringToObject(o, "field", box_field_name(n->field));
	cJSON_AddStringToObject(o, "has", buf_text(&has));
	cJSON_AddItemToObject(o, "rule", json_rule(c, n->rule));
	cJSON_AddStringToObject(o, "wants", buf_text(&wants));
	return o;
}

cJSON *report_explanation_json(struct compilation *c, const struct ir *ir, const struct explanation *x,
			       const char *text)
{
	cJSON *o = cJSON_CreateObject(), *layers = cJSON_CreateArray(), *later = cJSON_CreateArray(),
	      *near = cJSON_CreateArray();
	const struct outcome *got = &x->outcome;

	for (size_t i = 0; i < x->line_count; i++)
		cJSON_AddItemToArray(layers, json_line(c, &x->lines[i]));
	for (size_t i = 0; i < x->later_count; i++)
		cJSON_AddItemToArray(later, json_rule(c, x->later[i]));
	for (size_t i = 0; i < x->near_count; i++)
		cJSON_AddItemToArray(near, json_near(c, ir, x, &x->near[i]));
	cJSON_AddStringToObject(o, "by", got->rule ? got->rule->id : got->why);
	cJSON_AddStringToObject(o, "layer", layer_name(got->layer));
	cJSON_AddItemToObject(o, "layers", layers);
	cJSON_AddItemToObject(o, "near", near);
	cJSON_AddStringToObject(o, "packet", text);
	cJSON_AddStringToObject(o, "posture", ir->postures[x->posture].name);
	cJSON_AddItemToObject(o, "too_late", later);
	cJSON_AddStringToObject(o, "verdict", verdict_name(got->verdict));
	return o;
}
