/*
 * json.c - a diff for programs. Keys stand in the order of the alphabet, so that reports can be compared.
 */
#include <ctype.h>

#include <cjson/cJSON.h>

#include "compiler/report/changes/changes.h"
#include "compiler/report/changes/words.h"

static cJSON *json_decider(struct compilation *c, const struct decider *d)
{
	cJSON *o = cJSON_CreateObject();
	own(buf) struct buf place = { 0 };

	decider_print_place(&place, c, d);
	if (d->rule)
		cJSON_AddStringToObject(o, "id", d->rule->id);
	cJSON_AddStringToObject(o, "name", d->why);
	if (place.len)
		cJSON_AddStringToObject(o, "place", buf_text(&place));
	cJSON_AddStringToObject(o, "verdict", verdict_name(d->verdict));
	return o;
}

static cJSON *json_text(void (*print)(struct buf *out, const struct change *c),
			const struct change *c)
{
	own(buf) struct buf b = { 0 };

	print(&b, c);
	return cJSON_CreateString(buf_text(&b));
}

static void example(struct buf *out, const struct change *c)
{
	witness_print(out, &c->witness);
}

static cJSON *json_flags(unsigned flags)
{
	cJSON *list = cJSON_CreateArray();

	for (unsigned f = 0; f < FLAG_COUNT; f++)
		if (flags >> f & 1)
			cJSON_AddItemToArray(list, cJSON_CreateString(flag_name((enum change_flag)f)));
	return list;
}

static cJSON *json_states(const struct change *c)
{
	cJSON *list = cJSON_CreateArray();

	for (int s = 0; s < CT_COUNT; s++)
		if (c->states >> s & 1)
			cJSON_AddItemToArray(list,
					     cJSON_CreateString(ct_state_name((enum ct_state)s)));
	return list;
}

static cJSON *json_change(const struct telling *k, const struct change *c)
{
	cJSON *o = cJSON_CreateObject(), *was = cJSON_CreateArray();

	cJSON_AddStringToObject(o, "after", verdict_name(c->now.verdict));
	cJSON_AddItemToObject(o, "assumes",
			      c->witness.assume_count ?
				      cJSON_CreateStringArray((const char *const *)c->witness.assumes,
							      (int)c->witness.assume_count) :
				      cJSON_CreateArray());
	cJSON_AddStringToObject(o, "before", verdict_name(c->witness.decider.verdict));
	cJSON_AddItemToObject(o, "cause", json_decider(telling_source(k, c->added), &c->cause));
	cJSON_AddBoolToObject(o, "conditional", c->conditional);
	cJSON_AddStringToObject(o, "direction", direction_name(c->direction));
	cJSON_AddStringToObject(o, "edit",
				c->counterpart.why ? "changed" : c->added ? "added" : "removed");
	cJSON_AddBoolToObject(o, "exact", c->exact);
	cJSON_AddItemToObject(o, "example", json_text(example, c));
	cJSON_AddItemToObject(o, "flags", json_flags(c->flags));
	cJSON_AddStringToObject(o, "kind", change_kind_name(c->kind));
	for (size_t i = 0; i < c->otherwise_count; i++)
		cJSON_AddItemToArray(was, json_decider(telling_source(k, !c->added), &c->otherwise[i]));
	cJSON_AddItemToObject(o, "otherwise", was);
	cJSON_AddItemToObject(o, "packets", c->region_count ?
						    cJSON_CreateStringArray((const char *const *)c->regions,
									    (int)c->region_count) :
						    cJSON_CreateArray());
	cJSON_AddStringToObject(o, "posture", c->posture);
	cJSON_AddStringToObject(o, "risk", risk_name(c->risk));
	cJSON_AddNumberToObject(o, "share", c->share);
	cJSON_AddItemToObject(o, "states", json_states(c));
	return o;
}

static cJSON *json_fact(const struct fact *f)
{
	cJSON *o = cJSON_CreateObject();
	own(buf) struct buf kind = { 0 };

	for (const char *w = fact_word(f->kind); *w; w++)
		buf_putc(&kind, (char)tolower(*w));
	cJSON_AddStringToObject(o, "after", f->after);
	cJSON_AddStringToObject(o, "before", f->before);
	if (f->example)
		cJSON_AddStringToObject(o, "example", f->example);
	cJSON_AddItemToObject(o, "flags", json_flags(f->flags));
	cJSON_AddStringToObject(o, "kind", buf_text(&kind));
	cJSON_AddStringToObject(o, "risk", risk_name(f->risk));
	cJSON_AddStringToObject(o, "what", f->what);
	return o;
}

static cJSON *json_idle(struct telling *k, const struct idle *i)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "direction", direction_name(i->direction));
	cJSON_AddStringToObject(o, "kind", idle_word(i->kind));
	cJSON_AddStringToObject(o, "posture", i->posture);
	cJSON_AddItemToObject(o, "rule",
			      json_decider(telling_source(k, i->kind != IDLE_REMOVED), &i->rule));
	return o;
}

struct cJSON *report_changes_json(const struct diff *d, struct compilation *old,
				  struct compilation *new)
{
	struct telling k = { d, old, new };
	cJSON *o = cJSON_CreateObject(), *changes = cJSON_CreateArray();
	cJSON *facts = cJSON_CreateArray(), *idles = cJSON_CreateArray();

	for (size_t i = 0; i < d->change_count; i++)
		cJSON_AddItemToArray(changes, json_change(&k, &d->changes[i]));
	for (size_t i = 0; i < d->fact_count; i++)
		cJSON_AddItemToArray(facts, json_fact(&d->facts[i]));
	for (size_t i = 0; i < d->idle_count; i++)
		cJSON_AddItemToArray(idles, json_idle(&k, &d->idles[i]));
	cJSON_AddItemToObject(o, "changes", changes);
	cJSON_AddItemToObject(o, "facts", facts);
	cJSON_AddNumberToObject(o, "undecided", (double)d->progress.undecided);
	cJSON_AddItemToObject(o, "without_effect", idles);
	return o;
}
