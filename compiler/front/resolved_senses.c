/*
 * resolved_senses.c - feeds and rules on sessions as .teg again.
 */
#include "compiler/front/response/responding.h"
#include "lang/base/duration.h"
#include "lang/spell/print.h"

static void print_feed(struct buf *out, const struct pol_feed *f)
{
	buf_printf(out, "\nfeed %s {\n    url ", f->name);
	print_string(out, f->url);
	buf_printf(out, "\n    format %s", feed_format_name(f->format));
	if (f->member) {
		buf_putc(out, ' ');
		print_string(out, f->member);
	}
	if (f->column)
		buf_printf(out, " column %llu", (unsigned long long)f->column);
	buf_puts(out, "\n    refresh ");
	duration_print(out, f->refresh_ns);
	buf_printf(out, "\n    max %llu\n    stale after ", (unsigned long long)f->max);
	duration_print(out, f->stale_ns);
	buf_printf(out, " %s\n    action block\n}\n", f->stale_keeps ? "keep" : "clear");
}

/* --- conditions: code in the order of a stack, as text with brackets ------------------------------ */

struct infix {
	struct arena *arena;
	const struct derme *derme;
	const char *at[DERME_STACK_MAX + 1];
	size_t len;
};

static void put_number(struct buf *out, enum sort s, uint64_t n)
{
	switch ((unsigned)s) {
	case SORT_DURATION:
		duration_print(out, n);
		return;
	case SORT_BYTES:
		buf_printf(out, "%lluB", (unsigned long long)n);
		return;
	case SORT_SHARE:
		buf_printf(out, "%llu.%06llu", (unsigned long long)n / SHARE_WHOLE, (unsigned long long)n % SHARE_WHOLE);
		return;
	}
	buf_printf(out, "%llu", (unsigned long long)n);
}

static const char *compare_text(struct infix *k, const struct derme_op *op)
{
	own(buf) struct buf text = { 0 };

	buf_printf(&text, "%s %s ", session_name(op->field), relation_name(op->relation));
	put_number(&text, session_sort(op->field), op->number);
	if (op->within_ns) {
		buf_puts(&text, " within ");
		duration_print(&text, op->within_ns);
	}
	return arena_strdup(k->arena, buf_text(&text));
}

static const char *end_text(struct infix *k, const struct derme_op *op)
{
	own(buf) struct buf text = { 0 };

	buf_puts(&text, op->kind == DERME_FROM ? "from " : "to ");
	netset_print(&text, &k->derme->sets[op->set]);
	return arena_strdup(k->arena, buf_text(&text));
}

/* `to X` alone is no condition, `not to X` is: so an end takes the NOT behind it. */
static const char *not_text(struct infix *k, const struct derme_op *before)
{
	bool end = before->kind == DERME_FROM || before->kind == DERME_TO;

	return arena_printf(k->arena, end ? "not %s" : "not (%s)", k->at[k->len - 1]);
}

static void infix_op(struct infix *k, const struct derme_op *op)
{
	switch (op->kind) {
	case DERME_COMPARE:
		k->at[k->len++] = compare_text(k, op);
		return;
	case DERME_IS:
		k->at[k->len++] = session_name(op->field);
		return;
	case DERME_FROM:
	case DERME_TO:
		k->at[k->len++] = end_text(k, op);
		return;
	case DERME_NOT:
		k->at[k->len - 1] = not_text(k, op - 1);
		return;
	case DERME_AND:
	case DERME_OR:
		k->len--;
		k->at[k->len - 1] = arena_printf(k->arena, "(%s) %s (%s)", k->at[k->len - 1],
						 op->kind == DERME_AND ? "and" : "or", k->at[k->len]);
		return;
	case DERME_OP_COUNT:
		return;
	}
}

static void print_condition(struct buf *out, const struct derme *d, const struct derme_rule *r)
{
	own(arena) struct arena *a = arena_new();
	struct infix k = { .arena = a, .derme = d };

	for (uint32_t i = 0; i < r->op_count; i++)
		infix_op(&k, &r->ops[i]);
	buf_printf(out, "when %s", k.at[0]);
}

static void print_head(struct buf *out, const struct derme *d, const struct derme_rule *r)
{
	switch (r->kind) {
	case DERME_WHEN:
		print_condition(out, d, r);
		return;
	case DERME_SIGNATURES:
		buf_puts(out, "signatures ");
		print_string(out, r->file);
		return;
	case DERME_ANOMALY:
		buf_puts(out, "anomaly model ");
		print_string(out, r->file);
		buf_puts(out, " score > ");
		put_number(out, SORT_SHARE, r->score);
		return;
	case DERME_KIND_COUNT:
		return;
	}
}

static void print_does(struct buf *out, const struct derme_rule *r)
{
	const char *between = " do ";

	if (r->drops) {
		buf_printf(out, "%sdrop", between);
		between = ", ";
	}
	if (r->throttle_count) {
		buf_printf(out, "%sthrottle %llu/s", between, (unsigned long long)(r->throttle_count * 1000000000 / r->throttle_ns));
		between = ", ";
	}
	if (r->inspects) {
		buf_printf(out, "%sinspect", between);
		between = ", ";
	}
	if (r->capture_bytes) {
		buf_printf(out, "%scapture %uB", between, r->capture_bytes);
		between = ", ";
	}
	if (r->emits) {
		buf_printf(out, "%semit %s", between, event_severity_name(r->severity));
		if (r->one_in > 1)
			buf_printf(out, " sample 1/%u", r->one_in);
	}
}

static void print_derme(struct buf *out, const struct derme *d)
{
	if (!d->rule_count)
		return;
	buf_puts(out, "\nderme {\n");
	for (uint32_t i = 0; i < d->rule_count; i++) {
		buf_printf(out, "    %s: ", d->rules[i].id + sizeof "derme." - 1);
		print_head(out, d, &d->rules[i]);
		print_does(out, &d->rules[i]);
		buf_putc(out, '\n');
	}
	buf_puts(out, "}\n");
}

void print_senses(struct buf *out, const struct policy *p)
{
	for (size_t i = 0; i < p->feed_count; i++)
		print_feed(out, &p->feeds[i]);
	print_derme(out, &p->derme);
}
