/*
 * words.c - playbooks for people: each instruction with what it means.
 */
#include <string.h>

#include "lang/base/duration.h"
#include "lang/playbook/playbook.h"
#include "lang/vocab/verdict.h"

static const struct {
	const char *word;
	enum operand operand;
} op_rows[] = {
#define OP(id, word, operand, equation) { word, OPERAND_##operand },
#include "lang/playbook/op.def"
#undef OP
};

const char *op_word(enum opcode c)
{
	return op_rows[c].word;
}

enum operand op_operand(enum opcode c)
{
	return op_rows[c].operand;
}

/* Millionths as a decimal, without zeros at its end. */
static void put_share(struct buf *out, uint64_t share)
{
	char digits[8];
	size_t len = 6;

	if (share >= SHARE_WHOLE || !share) {
		buf_puts(out, share ? "1" : "0");
		return;
	}
	for (size_t i = 6; i-- > 0; share /= 10)
		digits[i] = (char)('0' + share % 10);
	while (digits[len - 1] == '0')
		len--;
	buf_printf(out, "0.%.*s", (int)len, digits);
}

/* Nothing of a text may look like more than it is: only printable ASCII as it stands. */
static void put_text(struct buf *out, const char *s)
{
	buf_putc(out, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			buf_printf(out, "\\%c", *s);
		else if (*s < ' ' || *s > '~')
			buf_printf(out, "\\x%02x", (unsigned char)*s);
		else
			buf_putc(out, *s);
	}
	buf_putc(out, '"');
}

void play_constant_say(struct buf *out, const struct play_constant *k)
{
	char text[ADDR_TEXT];

	switch (k->sort) {
	case SORT_ADDRESS:
		buf_puts(out, addr_print(k->addr, text));
		return;
	case SORT_SEVERITY:
		buf_puts(out, event_severity_name((enum event_severity)k->number));
		return;
	case SORT_DURATION:
		duration_say(out, k->number);
		return;
	case SORT_BYTES:
		buf_printf(out, "%lluB", (unsigned long long)k->number);
		return;
	case SORT_BANDWIDTH:
		buf_printf(out, "%llubit", (unsigned long long)k->number);
		return;
	case SORT_SHARE:
		put_share(out, k->number);
		return;
	case SORT_SENSE:
		buf_puts(out, sense_name((enum sense)k->number));
		return;
	case SORT_RELATION:
		buf_puts(out, relation_name((enum play_relation)k->number));
		return;
	case SORT_CHOICE:
		buf_puts(out, choice_name((enum choice)k->number));
		return;
	case SORT_BOOLEAN:
		buf_puts(out, k->number ? "true" : "false");
		return;
	case SORT_COUNT:
		buf_printf(out, "%llu", (unsigned long long)k->number);
		return;
	case SORT_TEXT:
		put_text(out, k->text);
		return;
	case SORT_NAME: case SORT_ZONE: case SORT_POSTURE:
		buf_puts(out, k->text);
		return;
	case SORT_RECORD: case SORT_COUNT_:
		return;
	}
}

static void put_operand(struct buf *out, const struct playbooks *all, const struct playbook *p, const struct play_op *o)
{
	switch (op_operand(o->code)) {
	case OPERAND_NOTHING:
		return;
	case OPERAND_CONSTANT:
		play_constant_say(out, &all->constants[o->operand]);
		return;
	case OPERAND_PARAM:
		buf_puts(out, p->params[o->operand].name);
		return;
	case OPERAND_SENSE:
		buf_puts(out, sense_name((enum sense)o->operand));
		return;
	case OPERAND_RELATION:
		buf_puts(out, relation_name((enum play_relation)o->operand));
		return;
	case OPERAND_FIELDS:
		buf_printf(out, "%u field%s", o->operand, o->operand == 1 ? "" : "s");
		return;
	case OPERAND_PLACE:
		buf_printf(out, "%u", o->operand);
		return;
	case OPERAND_STEP:
		buf_puts(out, play_step_name((enum play_step)o->operand));
		return;
	}
}

static void put_params(struct buf *out, const struct playbooks *all, const struct playbook *p)
{
	for (uint32_t i = 0; i < p->param_count; i++) {
		const struct play_param *q = &p->params[i];

		buf_printf(out, "%s%s: %s", i ? ", " : "", q->name, sort_name(q->sort));
		if (q->otherwise != PLAY_NO_CONSTANT) {
			buf_puts(out, " = ");
			play_constant_say(out, &all->constants[q->otherwise]);
		}
	}
}

static void put_budget(struct buf *out, const struct playbook *p)
{
	const struct play_budget *b = &p->budget;

	buf_puts(out, "    budget  runtime ");
	duration_say(out, b->runtime_ns);
	if (b->blocks) {
		buf_printf(out, ", %llu blocks per ", (unsigned long long)b->blocks);
		duration_say(out, b->blocks_ns);
	}
	if (b->one_param != PLAY_NO_PARAM) {
		buf_printf(out, ", one run per %s per ", p->params[b->one_param].name);
		duration_say(out, b->one_ns);
	}
	buf_printf(out, "\n    worst   %u steps in ", p->worst.steps);
	duration_say(out, p->worst.ns);
	buf_printf(out, "; when it fails, %u more in ", p->worst.recovery_steps);
	duration_say(out, p->worst.recovery_ns);
	buf_putc(out, '\n');
}

static void put_playbook(struct buf *out, const struct playbooks *all, const struct playbook *p)
{
	buf_printf(out, "playbook %s(", p->name);
	put_params(out, all, p);
	buf_puts(out, ")\n");
	put_budget(out, p);
	for (uint32_t i = 0; i < p->op_count; i++) {
		if (i == p->failure)
			buf_puts(out, "    on failure\n");
		buf_printf(out, "    %4u  %s", i, op_word(p->ops[i].code));
		if (op_operand(p->ops[i].code) != OPERAND_NOTHING)
			buf_printf(out, "%*s", 9 - (int)strlen(op_word(p->ops[i].code)), "");
		put_operand(out, all, p, &p->ops[i]);
		buf_putc(out, '\n');
	}
}

static void put_term(struct buf *out, const struct play_term *t)
{
	switch (t->measure) {
	case MEASURE_COUNT:
		buf_puts(out, "count");
		break;
	case MEASURE_DISTINCT:
		buf_printf(out, "distinct(%s)", event_field_name(t->field));
		break;
	case MEASURE_FIELD:
		buf_puts(out, event_field_name(t->field));
		break;
	case MEASURE_COUNT_:
		break;
	}
	buf_printf(out, " %s ", relation_name(t->relation));
	if (t->measure != MEASURE_FIELD)
		buf_printf(out, "%llu", (unsigned long long)t->number);
	else
		play_constant_say(out, &(struct play_constant){ .sort = event_field_sort(t->field), .number = t->number });
	if (t->within_ns) {
		buf_puts(out, " within ");
		duration_say(out, t->within_ns);
	}
}

static void put_binding(struct buf *out, const struct playbooks *all, const struct play_binding *b)
{
	const struct playbook *p = &all->plays[b->playbook];

	buf_printf(out, "on %s%s%s", event_word(b->event), *b->of ? "." : "", b->of);
	for (uint32_t i = 0; i < b->term_count; i++) {
		buf_puts(out, i ? " and " : " where ");
		put_term(out, &b->terms[i]);
	}
	buf_printf(out, " run %s(", p->name);
	for (uint32_t i = 0; i < b->given_count; i++) {
		buf_puts(out, i ? ", " : "");
		if (b->given[i].of_event)
			buf_printf(out, "event.%s", event_field_name((enum event_field)b->given[i].index));
		else
			play_constant_say(out, &all->constants[b->given[i].index]);
	}
	buf_puts(out, ")\n");
}

static void put_feelings(struct buf *out, const struct play_feeling *f, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		buf_printf(out, "%s%s %s ", i ? " and " : "", sense_name(f[i].sense), relation_name(f[i].relation));
		put_share(out, f[i].share);
		buf_puts(out, " for ");
		duration_say(out, f[i].lasts_ns);
	}
}

static void put_regulation(struct buf *out, const struct play_regulation *r)
{
	buf_puts(out, "when ");
	put_feelings(out, r->when, r->when_count);
	switch (r->act) {
	case REGULATE_POSTURE:
		buf_printf(out, " posture %s", r->posture);
		break;
	case REGULATE_THROTTLE:
		buf_printf(out, " throttle priority %s to ", priority_name(r->priority));
		put_share(out, r->share);
		break;
	case REGULATE_COUNT:
		break;
	}
	switch (r->end) {
	case REGULATION_OVER:
		buf_puts(out, ", until it is over\n");
		break;
	case REGULATION_UNTIL:
		buf_puts(out, " until ");
		put_feelings(out, r->until, r->until_count);
		buf_putc(out, '\n');
		break;
	case REGULATION_APPROVED:
		buf_puts(out, " until approved\n");
		break;
	case REGULATION_END_COUNT:
		break;
	}
}

static void put_decoy(struct buf *out, const struct play_decoy *d)
{
	buf_printf(out, "decoy %s %s on %s/%u", d->name, d->service, d->proto == 6 ? "tcp" : "udp", d->port);
	if (*d->banner) {
		buf_puts(out, " says ");
		put_text(out, d->banner);
	}
	buf_printf(out, "%s%s\n", *d->technique ? ", technique " : "", d->technique);
}

void playbooks_print(struct buf *out, const struct playbooks *p)
{
	for (uint32_t i = 0; i < p->play_count; i++)
		put_playbook(out, p, &p->plays[i]);
	for (uint32_t i = 0; i < p->binding_count; i++)
		put_binding(out, p, &p->bindings[i]);
	for (uint32_t i = 0; i < p->regulation_count; i++)
		put_regulation(out, &p->regulations[i]);
	for (uint32_t i = 0; i < p->decoy_count; i++)
		put_decoy(out, &p->decoys[i]);
}
