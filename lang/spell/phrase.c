/*
 * phrase.c - phrases, conditions and effects: what is written as words and arguments.
 */
#include "lang/spell/words.h"
#include "lang/vocab/verdict.h"

static void put_record(struct printer *p, const struct node *n)
{
	buf_puts(&p->body, n->first ? "{ " : "{}");
	for (const struct node *f = n->first; f; f = f->next) {
		buf_printf(&p->body, "%s: ", f->text);
		spell_value(p, f->first);
		buf_puts(&p->body, f->next ? ", " : " }");
	}
}

void spell_call(struct printer *p, const struct node *n)
{
	buf_printf(&p->body, "%s(", n->text);
	for (const struct node *v = n->first; v; v = v->next) {
		spell_value(p, v);
		buf_puts(&p->body, v->next ? ", " : "");
	}
	buf_putc(&p->body, ')');
}

static void put_compare(struct printer *p, const struct node *n)
{
	const struct node *right = n->first->next, *span = right->next;

	if (n->first->kind == NODE_CALL)
		spell_call(p, n->first);
	else
		spell_value(p, n->first);
	buf_printf(&p->body, " %s ", n->text);
	spell_value(p, right);
	if (span)
		spell_named(p, span->kind == NODE_WITHIN ? "within" : "for", span->first);
}

void spell_arguments(struct printer *p, const struct node *first)
{
	for (const struct node *n = first; n; n = n->next) {
		buf_puts(&p->body, p->body.len ? " " : "");
		switch ((unsigned)n->kind) {
		case NODE_KEYWORD:
			buf_puts(&p->body, n->text);
			break;
		case NODE_RECORD:
			put_record(p, n);
			break;
		case NODE_COMPARE:
			put_compare(p, n);
			break;
		default:
			spell_value(p, n);
			break;
		}
	}
}

void spell_phrase(struct printer *p, const struct node *n)
{
	buf_printf(&p->body, "%s%s", p->body.len ? " " : "", n->text);
	spell_arguments(p, n->first);
}

/* How tightly it holds together: or, and, not, a comparison. */
static int hold(const struct node *n)
{
	switch ((unsigned)n->kind) {
	case NODE_OR:
		return 1;
	case NODE_AND:
		return 2;
	case NODE_NOT:
		return 3;
	}
	return 4;
}

static void put_condition(struct printer *p, const struct node *n, int least)
{
	int own = hold(n);

	buf_puts(&p->body, own < least ? "(" : "");
	switch ((unsigned)n->kind) {
	case NODE_OR:
	case NODE_AND:
		for (const struct node *part = n->first; part; part = part->next) {
			put_condition(p, part, own + 1);
			buf_puts(&p->body, !part->next ? "" : n->kind == NODE_OR ? " or " : " and ");
		}
		break;
	case NODE_NOT:
		buf_puts(&p->body, "not ");
		if (n->first->kind == NODE_FROM || n->first->kind == NODE_TO) {
			buf_puts(&p->body, n->first->kind == NODE_FROM ? "from " : "to ");
			spell_value(p, n->first->first);
		} else {
			put_condition(p, n->first, own);
		}
		break;
	case NODE_COMPARE:
		put_compare(p, n);
		break;
	default:
		spell_value(p, n);
		break;
	}
	buf_puts(&p->body, own < least ? ")" : "");
}

void spell_where(struct printer *p, const struct node *n, const char *word)
{
	buf_printf(&p->body, "%s%s ", p->body.len ? " " : "", word);
	put_condition(p, n->first, 0);
}

static bool is_effect(const struct node *n)
{
	return n->kind == NODE_ACTION || n->kind == NODE_EMIT || n->kind == NODE_PHRASE;
}

bool spell_is_one(const struct node *before, const struct node *after, const struct node *parent)
{
	return parent->kind == NODE_REFLEX && is_effect(before) && is_effect(after);
}

/* Effects follow each other as nodes; the first prints all. */
void spell_effects(struct printer *p, const struct node *n)
{
	for (const struct node *a = n; a && is_effect(a); a = a->next) {
		buf_puts(&p->body, a == n ? "" : ", ");
		if (a->kind == NODE_EMIT) {
			spell_emit(p, a);
		} else if (a->kind == NODE_PHRASE) {
			buf_puts(&p->body, a->text);
			spell_arguments(p, a->first);
		} else {
			buf_puts(&p->body, verdict_name((enum verdict)a->word));
			if (a->first) {
				buf_putc(&p->body, ' ');
				spell_value(p, a->first);
				spell_named(p, "for", a->first->next);
			}
		}
	}
}

/* Steps of a playbook stand as they are; settings of a feed or a decoy are aligned. */
void spell_step(struct printer *p, const struct node *n, const struct node *parent)
{
	if (parent->kind != NODE_FEED && parent->kind != NODE_DECOY) {
		spell_phrase(p, n);
		return;
	}
	p->kind = LINE_SETTING;
	buf_puts(&p->cell, n->text);
	spell_arguments(p, n->first);
}
