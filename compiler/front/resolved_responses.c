/*
 * resolved_responses.c - playbooks, what runs them, homeostasis and decoys, as .teg again.
 */
#include <string.h>

#include "compiler/front/response/responding.h"
#include "lang/base/duration.h"
#include "lang/spell/print.h"
#include "lang/vocab/verdict.h"

struct responses_writing {
	struct buf *out;
	const struct pol_responses *all;
	const struct pol_playbook *playbook;
};

/* --- values ------------------------------------------------------------------------------------ */

/* In the largest unit in which it is whole. */
static void put_amount(struct buf *out, uint64_t amount, const char *const units[4])
{
	size_t i = 0;

	while (i < 3 && amount && amount % 1000 == 0) {
		amount /= 1000;
		i++;
	}
	buf_printf(out, "%llu%s", (unsigned long long)amount, units[i]);
}

static void put_share(struct buf *out, uint64_t share)
{
	char text[16];
	int len = snprintf(text, sizeof text, "%llu.%06llu", (unsigned long long)(share / SHARE_WHOLE),
			   (unsigned long long)(share % SHARE_WHOLE));

	while (text[len - 1] == '0' && text[len - 2] != '.')
		len--;
	buf_printf(out, "%.*s", len, text);
}

/* What has a spelling of its own in a policy; the rest is as people are told. */
static void put_constant(struct buf *out, const struct play_constant *k)
{
	static const char *const bytes[] = { "B", "kB", "MB", "GB" }, *const bits[] = { "bit", "kbit", "mbit", "gbit" };

	switch (k->sort) {
	case SORT_DURATION:
		duration_print(out, k->number);
		return;
	case SORT_BYTES:
		put_amount(out, k->number, bytes);
		return;
	case SORT_BANDWIDTH:
		put_amount(out, k->number, bits);
		return;
	case SORT_SHARE:
		put_share(out, k->number);
		return;
	case SORT_TEXT:
		print_string(out, k->text);
		return;
	case SORT_ADDRESS: case SORT_SEVERITY: case SORT_COUNT: case SORT_NAME: case SORT_ZONE: case SORT_POSTURE:
	case SORT_SENSE: case SORT_RELATION: case SORT_CHOICE: case SORT_BOOLEAN:
		play_constant_say(out, k);
		return;
	case SORT_RECORD: case SORT_COUNT_:
		return;
	}
}

static void put_value(struct responses_writing *w, const struct pol_value *v)
{
	switch (v->kind) {
	case VALUE_CONSTANT:
		put_constant(w->out, &v->constant);
		return;
	case VALUE_PARAM:
		buf_puts(w->out, w->playbook->params[v->index].name);
		return;
	case VALUE_EVENT:
		buf_printf(w->out, "event.%s", event_field_name((enum event_field)v->index));
		return;
	case VALUE_SENSE:
		buf_puts(w->out, sense_name((enum sense)v->index));
		return;
	case VALUE_RECORD:
		buf_puts(w->out, "{ ");
		for (size_t i = 0; i < v->field_count; i++) {
			buf_printf(w->out, "%s%s: ", i ? ", " : "", v->fields[i].name);
			put_value(w, &v->fields[i].value);
		}
		buf_puts(w->out, " }");
		return;
	}
}

/* Brackets around every part: what it means needs no rule of precedence. */
static void put_condition(struct responses_writing *w, const struct pol_condition *c)
{
	const char *join = c->kind == CONDITION_AND ? " and " : " or ";

	switch (c->kind) {
	case CONDITION_COMPARE:
		put_value(w, &c->left);
		buf_printf(w->out, " %s ", relation_name(c->relation));
		put_value(w, &c->right);
		return;
	case CONDITION_VALUE:
		put_value(w, &c->left);
		return;
	case CONDITION_NOT:
		buf_puts(w->out, "not (");
		put_condition(w, &c->parts[0]);
		buf_putc(w->out, ')');
		return;
	case CONDITION_AND:
	case CONDITION_OR:
		for (size_t i = 0; i < c->part_count; i++) {
			buf_printf(w->out, "%s(", i ? join : "");
			put_condition(w, &c->parts[i]);
			buf_putc(w->out, ')');
		}
		return;
	}
}

/* --- steps --------------------------------------------------------------------------------------- */

static bool is_nothing(const struct pol_value *v)
{
	return v->kind == VALUE_RECORD ? !v->field_count :
	       v->kind == VALUE_CONSTANT && sort_form(v->sort) == FORM_NUMBER && !v->constant.number;
}

static void put_step(struct responses_writing *w, const struct pol_act *a)
{
	const struct play_step_row *row = play_step_row(a->step);

	buf_puts(w->out, row->words);
	for (unsigned i = 0; i < row->arg_count; i++) {
		if (row->args[i].need == ARG_MAY && is_nothing(&a->args[i]))
			continue;
		buf_printf(w->out, "%s%s ", *row->args[i].word ? " " : "", row->args[i].word);
		put_value(w, &a->args[i]);
	}
	if (a->retries) {
		buf_printf(w->out, " retry %llu backoff ", (unsigned long long)a->retries);
		duration_print(w->out, a->first_ns);
		buf_puts(w->out, "..");
		duration_print(w->out, a->last_ns);
	}
	if (a->undo) {
		buf_puts(w->out, " undo ");
		print_string(w->out, a->undo);
	}
}

static void indent(struct responses_writing *w, unsigned depth)
{
	buf_printf(w->out, "%*s", (int)depth * 4, "");
}

static void put_acts(struct responses_writing *w, const struct pol_acts *acts, unsigned depth);

static void put_block(struct responses_writing *w, const struct pol_acts *acts, unsigned depth)
{
	buf_puts(w->out, " {\n");
	put_acts(w, acts, depth + 1);
	indent(w, depth);
	buf_putc(w->out, '}');
}

static void put_act(struct responses_writing *w, const struct pol_act *a, unsigned depth)
{
	indent(w, depth);
	switch (a->kind) {
	case ACT_STEP:
		put_step(w, a);
		break;
	case ACT_PHASE:
		buf_printf(w->out, "phase %s", a->name);
		put_block(w, &a->acts, depth);
		break;
	case ACT_PARALLEL:
		buf_puts(w->out, "parallel");
		put_block(w, &a->acts, depth);
		break;
	case ACT_IF:
		buf_puts(w->out, "if ");
		put_condition(w, &a->condition);
		put_block(w, &a->acts, depth);
		if (a->otherwise.len) {
			buf_puts(w->out, " else");
			put_block(w, &a->otherwise, depth);
		}
		break;
	}
	buf_putc(w->out, '\n');
}

static void put_acts(struct responses_writing *w, const struct pol_acts *acts, unsigned depth)
{
	for (size_t i = 0; i < acts->len; i++)
		put_act(w, &acts->at[i], depth);
}

/* --- declarations ------------------------------------------------------------------------------------ */

static void put_budget(struct responses_writing *w, const struct pol_playbook *p)
{
	const struct play_budget *b = &p->budget;

	buf_puts(w->out, "    budget runtime ");
	duration_print(w->out, b->runtime_ns);
	if (b->blocks) {
		buf_printf(w->out, ", blocks %llu per ", (unsigned long long)b->blocks);
		duration_print(w->out, b->blocks_ns);
	}
	if (b->one_param != PLAY_NO_PARAM) {
		buf_printf(w->out, ", one per %s per ", p->params[b->one_param].name);
		duration_print(w->out, b->one_ns);
	}
	buf_putc(w->out, '\n');
}

static void put_playbook(struct responses_writing *w, const struct pol_playbook *p)
{
	w->playbook = p;
	buf_printf(w->out, "\nplaybook %s(", p->name);
	for (unsigned i = 0; i < p->param_count; i++) {
		buf_printf(w->out, "%s%s: %s", i ? ", " : "", p->params[i].name, sort_name(p->params[i].sort));
		if (p->params[i].has_default) {
			buf_puts(w->out, " = ");
			put_constant(w->out, &p->params[i].value);
		}
	}
	buf_puts(w->out, ") {\n");
	put_budget(w, p);
	put_acts(w, &p->acts, 1);
	if (p->failure.len) {
		buf_puts(w->out, "    on failure");
		put_block(w, &p->failure, 1);
		buf_putc(w->out, '\n');
	}
	buf_puts(w->out, "}\n");
}

static void put_term(struct responses_writing *w, const struct play_term *t)
{
	bool field = t->measure == MEASURE_FIELD;

	if (t->measure == MEASURE_COUNT)
		buf_puts(w->out, "count");
	else
		buf_printf(w->out, field ? "%s" : "distinct(%s)", event_field_name(t->field));
	buf_printf(w->out, " %s ", relation_name(t->relation));
	put_constant(w->out, &(struct play_constant){ .sort = field ? event_field_sort(t->field) : SORT_COUNT, .number = t->number });
	if (!field) {
		buf_puts(w->out, " within ");
		duration_print(w->out, t->within_ns);
	}
}

static void put_binding(struct responses_writing *w, const struct pol_binding *b)
{
	buf_printf(w->out, "\non %s%s%s", event_word(b->event), *b->of ? "." : "", b->of);
	for (unsigned i = 0; i < b->term_count; i++) {
		buf_puts(w->out, i ? " and " : " where ");
		put_term(w, &b->terms[i]);
	}
	buf_printf(w->out, " run %s(", w->all->playbooks[b->playbook].name);
	for (unsigned i = 0; i < b->given_count; i++) {
		buf_puts(w->out, i ? ", " : "");
		put_value(w, &b->given[i]);
	}
	buf_puts(w->out, ")\n");
}

static void put_feelings(struct responses_writing *w, const struct play_feeling *f, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		buf_printf(w->out, "%s%s %s ", i ? " and " : " ", sense_name(f[i].sense), relation_name(f[i].relation));
		put_share(w->out, f[i].share);
		buf_puts(w->out, " for ");
		duration_print(w->out, f[i].lasts_ns);
	}
}

static void put_regulation(struct responses_writing *w, const struct play_regulation *r)
{
	buf_puts(w->out, "    when");
	put_feelings(w, r->when, r->when_count);
	if (r->act == REGULATE_POSTURE) {
		buf_printf(w->out, " posture %s", r->posture);
	} else {
		buf_printf(w->out, " throttle priority %s to ", priority_name(r->priority));
		put_share(w->out, r->share);
	}
	if (r->end == REGULATION_APPROVED)
		buf_puts(w->out, " until approved");
	if (r->end == REGULATION_UNTIL) {
		buf_puts(w->out, " until");
		put_feelings(w, r->until, r->until_count);
	}
	buf_putc(w->out, '\n');
}

static void put_decoy(struct responses_writing *w, const struct play_decoy *d)
{
	buf_printf(w->out, "\ndecoy %s {\n    service %s\n    port %s%u\n", d->name, d->service, d->proto == 17 ? "udp/" : "", d->port);
	if (*d->banner) {
		buf_puts(w->out, "    reply banner ");
		print_string(w->out, d->banner);
		buf_putc(w->out, '\n');
	}
	if (*d->technique)
		buf_printf(w->out, "    technique %s\n", d->technique);
	buf_puts(w->out, "}\n");
}

void print_responses(struct buf *out, const struct policy *p)
{
	struct responses_writing w = { .out = out, .all = &p->responses };

	for (size_t i = 0; i < w.all->decoy_count; i++)
		put_decoy(&w, &w.all->decoys[i].meant);
	for (size_t i = 0; i < w.all->playbook_count; i++)
		put_playbook(&w, &w.all->playbooks[i]);
	for (size_t i = 0; i < w.all->binding_count; i++)
		put_binding(&w, &w.all->bindings[i]);
	if (w.all->regulation_count)
		buf_puts(out, "\nhomeostasis {\n");
	for (size_t i = 0; i < w.all->regulation_count; i++)
		put_regulation(&w, &w.all->regulations[i].meant);
	if (w.all->regulation_count)
		buf_puts(out, "}\n");
}
