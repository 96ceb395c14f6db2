/*
 * rule.c - rules and their parts: selectors, limits, what a rule does beside its verdict.
 */
#include "lang/spell/print.h"
#include "lang/spell/words.h"
#include "lang/vocab/verdict.h"

void spell_named(struct printer *p, const char *word, const struct node *n)
{
	buf_printf(&p->body, "%s%s ", p->body.len ? " " : "", word);
	spell_value(p, n);
}

void spell_words(struct printer *p, const struct node *words)
{
	for (const struct node *n = words->first; n; n = n->next)
		buf_printf(&p->body, "%s%s", n == words->first ? "" : "+", n->text);
}

static void put_head(struct printer *p, const struct node *head)
{
	buf_puts(&p->body, p->body.len ? " " : "");
	if (!head) {
		buf_puts(&p->body, "ip");
		return;
	}
	spell_value(p, head->first);
	if (head->first->next) {
		buf_putc(&p->body, ' ');
		spell_value(p, head->first->next);
	}
}

static void put_flags(struct printer *p, const struct node *flags)
{
	buf_puts(&p->body, " flags ");
	spell_words(p, flags->first);
	if (flags->first->next) {
		buf_putc(&p->body, '/');
		spell_words(p, flags->first->next);
	}
}

static void put_end(struct printer *p, const char *word, const struct node *end, const struct node *port)
{
	if (!(p->normal && end->first->kind == NODE_ANY && !port))
		spell_named(p, word, end->first);
	if (port)
		spell_named(p, "port", port->first);
}

static void put_payload(struct printer *p, const struct node *n)
{
	buf_printf(&p->body, " payload %s", n->first->text);
	if (n->first->next)
		spell_named(p, "within", n->first->next->first);
}

/* Protocol, ports of no end, flags, from, to, on, payload. A port after `to` and one alone are the same. */
void spell_selector(struct printer *p, const struct node *s)
{
	const struct node *from = node_find(s, NODE_FROM), *to = node_find(s, NODE_TO), *port = node_find(s, NODE_PORT);
	const struct node *flags = node_find(s, NODE_FLAGS), *on = node_find(s, NODE_ON);
	const struct node *payload = node_find(s, NODE_PAYLOAD);
	bool to_any = p->normal && to && to->first->kind == NODE_ANY;

	put_head(p, node_find(s, NODE_HEAD));
	if (to_any && !port)
		port = node_find(to, NODE_PORT);
	if (port && (!to || to_any))
		spell_named(p, "port", port->first);
	if (flags)
		put_flags(p, flags);
	if (from)
		put_end(p, "from", from, node_find(from, NODE_PORT));
	if (to && !to_any)
		put_end(p, "to", to, port ? port : node_find(to, NODE_PORT));
	if (on)
		spell_named(p, "on", on->first);
	if (payload)
		put_payload(p, payload);
}

void spell_verdict(struct printer *p, const struct node *rule)
{
	const struct node *d = node_find(rule, NODE_DIRECTION);

	buf_puts(&p->body, verdict_name((enum verdict)rule->word));
	if (d && !(p->normal && d->word == DIRECTION_IN))
		buf_printf(&p->body, " %s", direction_name((enum direction)d->word));
}

void spell_label(struct printer *p, const struct node *n)
{
	const char *label = node_find_text(n, NODE_LABEL);

	if (label)
		buf_printf(&p->cell, "%s:", label);
}

void spell_pers(struct printer *p, const struct node *first)
{
	for (const struct node *n = first; n; n = n->next)
		if (n->kind == NODE_PER)
			spell_named(p, "per", n->first);
}

static void put_option(struct printer *p, const struct node *n)
{
	if (n)
		spell_named(p, n->text, n->first);
}

/* `500/s per source burst 10k shared` */
void spell_limit(struct printer *p, const struct node *n)
{
	spell_value(p, n->first);
	spell_pers(p, n->first->next);
	put_option(p, node_find(n, NODE_OPTION));
	buf_puts(&p->body, node_find(n, NODE_SHARED) ? " shared" : "");
}

void spell_emit(struct printer *p, const struct node *n)
{
	buf_printf(&p->body, "emit %s", n->text);
	put_option(p, node_find(n, NODE_OPTION));
}

void spell_tails(struct printer *p, const struct node *rule)
{
	const struct node *limit = node_find(rule, NODE_LIMIT), *log = node_find(rule, NODE_LOG);
	const struct node *emit = node_find(rule, NODE_EMIT);

	if (limit) {
		buf_puts(&p->body, " limit ");
		spell_limit(p, limit);
	}
	if (log) {
		buf_puts(&p->body, " log");
		spell_arguments(p, log->first);
	}
	if (emit) {
		buf_putc(&p->body, ' ');
		spell_emit(p, emit);
	}
}

void spell_lifeline(struct printer *p, const struct node *rule)
{
	const struct node *d = node_find(rule, NODE_DIRECTION);

	p->kind = LINE_RULE;
	spell_label(p, rule);
	if (d)
		buf_puts(&p->body, direction_name((enum direction)d->word));
	spell_selector(p, node_find(rule, NODE_SELECTOR));
}

void print_rule_normal(struct buf *out, const struct node *rule)
{
	struct printer p = { .normal = true };

	spell_verdict(&p, rule);
	spell_selector(&p, node_find(rule, NODE_SELECTOR));
	buf_add(out, p.body.at, p.body.len);
	buf_release(&p.body);
}
