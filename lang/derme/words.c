/*
 * words.c - rules on sessions, in words for people.
 */
#include "lang/derme/derme.h"

static void print_number(struct buf *out, enum sort s, uint64_t n)
{
	switch ((unsigned)s) {
	case SORT_DURATION:
		buf_printf(out, "%gs", (double)n / 1e9);
		return;
	case SORT_BYTES:
		buf_printf(out, "%lluB", (unsigned long long)n);
		return;
	case SORT_SHARE:
		buf_printf(out, "%g%%", (double)n * 100 / SHARE_WHOLE);
		return;
	}
	buf_printf(out, "%llu", (unsigned long long)n);
}

static void print_op(struct buf *out, const struct derme *d, const struct derme_op *op)
{
	switch (op->kind) {
	case DERME_COMPARE:
		buf_printf(out, "%s %s ", session_name(op->field), relation_name(op->relation));
		print_number(out, session_sort(op->field), op->number);
		if (op->within_ns)
			buf_printf(out, " within %gs", (double)op->within_ns / 1e9);
		return;
	case DERME_IS:
		buf_puts(out, session_name(op->field));
		return;
	case DERME_FROM:
	case DERME_TO:
		buf_puts(out, op->kind == DERME_FROM ? "from " : "to ");
		netset_print(out, &d->sets[op->set]);
		return;
	case DERME_NOT:
		buf_puts(out, "NOT");
		return;
	case DERME_AND:
		buf_puts(out, "AND");
		return;
	case DERME_OR:
		buf_puts(out, "OR");
		return;
	case DERME_OP_COUNT:
		return;
	}
}

static void print_head(struct buf *out, const struct derme *d, const struct derme_rule *r)
{
	switch (r->kind) {
	case DERME_WHEN:
		for (uint32_t i = 0; i < r->op_count; i++) {
			buf_puts(out, i ? "  " : "");
			print_op(out, d, &r->ops[i]);
		}
		return;
	case DERME_SIGNATURES:
		buf_printf(out, "signatures of \"%s\"", r->file);
		return;
	case DERME_ANOMALY:
		buf_printf(out, "score of \"%s\" above ", r->file);
		print_number(out, SORT_SHARE, r->score);
		return;
	case DERME_KIND_COUNT:
		return;
	}
}

void derme_print(struct buf *out, const struct derme *d)
{
	for (uint32_t i = 0; i < d->rule_count; i++) {
		const struct derme_rule *r = &d->rules[i];

		buf_printf(out, "    %s: ", r->id);
		print_head(out, d, r);
		buf_puts(out, " =>");
		buf_puts(out, r->drops ? " drop" : "");
		buf_puts(out, r->inspects ? " inspect" : "");
		if (r->throttle_count)
			buf_printf(out, " throttle to %llu in %gs", (unsigned long long)r->throttle_count, (double)r->throttle_ns / 1e9);
		if (r->capture_bytes)
			buf_printf(out, " capture %uB", r->capture_bytes);
		if (r->emits)
			buf_printf(out, " emit %s, one of %u", event_severity_name(r->severity), r->one_in);
		buf_putc(out, '\n');
	}
}
