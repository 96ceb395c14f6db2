/*
 * statement.c - the words of each statement, in their one order.
 */
#include "lang/spell/print.h"
#include "lang/spell/words.h"
#include "lang/vocab/verdict.h"

static void put_title(struct printer *p, const struct node *n)
{
	const char *title = node_find_text(n, NODE_TITLE);

	if (!title)
		return;
	buf_putc(&p->body, ' ');
	print_string(&p->body, title);
}

static void put_declaration(struct printer *p, const char *word, const struct node *n)
{
	const struct node *name = node_find(n, NODE_NAME), *type = node_find(n, NODE_TYPE);
	const struct node *value = type ? type->next : name->next;

	p->kind = LINE_DECLARATION;
	buf_printf(&p->cell, "%s %s", word, name->text);
	if (type)
		buf_printf(&p->cell, ": %s", type->text);
	if (value) {
		buf_puts(&p->body, "= ");
		spell_value(p, value);
	}
}

static void put_block(struct printer *p, const struct node *n)
{
	const char *label = node_find_text(n, NODE_LABEL);
	const struct node *on = node_find(n, NODE_ON), *value = n->first;

	while (!node_is_value(value))
		value = value->next;
	buf_printf(&p->body, "%s%sblock ", label ? label : "", label ? ": " : "");
	spell_value(p, value);
	if (on)
		spell_named(p, "on", on->first);
}

static void put_when(struct printer *p, const struct node *n)
{
	const struct node *key = n->first->kind == NODE_PER ? n->first : NULL;
	const struct node *count = key ? key->next : n->first;

	buf_puts(&p->body, n->text);
	if (key)
		spell_named(p, "per", key->first);
	buf_puts(&p->body, " > ");
	spell_value(p, count);
	spell_pers(p, count->next);
}

static void put_scope(struct printer *p, const struct node *scope)
{
	buf_puts(&p->body, "in ");
	if (scope->text)
		buf_printf(&p->body, "%s posture", scope->text);
	else
		spell_value(p, scope->first);
	buf_putc(&p->body, ':');
}

static void put_claim(struct printer *p, const struct node *n)
{
	const struct node *d = node_find(n, NODE_DIRECTION);

	put_scope(p, node_find(n, NODE_SCOPE));
	if (d)
		buf_printf(&p->body, " %s", direction_name((enum direction)d->word));
	spell_selector(p, node_find(n, NODE_SELECTOR));
	buf_printf(&p->body, " is %s", n->text);
}

static void put_names(struct printer *p, const struct node *first, const char *between)
{
	for (const struct node *n = first; n; n = n->next)
		buf_printf(&p->body, "%s%s", n->text, n->next ? between : "");
}

static void put_bucket(struct printer *p, const struct node *n)
{
	p->kind = LINE_DECLARATION;
	buf_printf(&p->cell, "limit %s", n->first->text);
	buf_puts(&p->body, "= ");
	spell_limit(p, node_find(n, NODE_LIMIT));
}

static void put_playbook(struct printer *p, const struct node *n)
{
	const char *between = "";

	buf_printf(&p->body, "playbook %s(", n->first->text);
	for (const struct node *c = n->first; c; c = c->next) {
		const struct node *type = c->kind == NODE_PARAM ? node_find(c, NODE_TYPE) : NULL;

		if (!type)
			continue;
		buf_printf(&p->body, "%s%s: %s", between, c->first->text, type->text);
		if (type->next) {
			buf_puts(&p->body, " = ");
			spell_value(p, type->next);
		}
		between = ", ";
	}
	buf_putc(&p->body, ')');
}

static void put_response(struct printer *p, const struct node *n)
{
	const struct node *where = node_find(n, NODE_WHERE);

	buf_puts(&p->body, "on ");
	spell_value(p, n->first);
	if (where)
		spell_where(p, where, "where");
	buf_puts(&p->body, " run ");
	spell_call(p, node_find(n, NODE_CALL));
}

static void put_sense(struct printer *p, const struct node *n)
{
	const struct node *where = node_find(n, NODE_WHERE);
	const struct node *head = where ? where : node_find(n, NODE_PHRASE);

	p->kind = LINE_RULE;
	spell_label(p, n);
	if (where)
		spell_where(p, where, "when");
	else
		spell_phrase(p, head);
	buf_puts(&p->body, " do ");
	spell_effects(p, head->next);
}

static void put_regulation(struct printer *p, const struct node *n)
{
	const struct node *until = node_find(n, NODE_UNTIL);

	spell_where(p, node_find(n, NODE_WHERE), "when");
	spell_phrase(p, node_find(n, NODE_PHRASE));
	if (until)
		spell_where(p, until, "until");
}

static void put_budget(struct printer *p, const struct node *n)
{
	buf_puts(&p->body, "budget");
	for (const struct node *c = n->first; c; c = c->next) {
		spell_phrase(p, c);
		buf_puts(&p->body, c->next ? "," : "");
	}
}

/* A reflex's line: its word in the cell. */
static void reflex_line(struct printer *p, const char *word)
{
	p->kind = LINE_SETTING;
	buf_puts(&p->cell, word);
}

bool spell_statement(struct printer *p, const struct node *n, const struct node *parent)
{
	const struct node *d;

	switch (n->kind) {
	case NODE_POLICY:
		buf_printf(&p->body, "policy %s", node_find_text(n, NODE_NAME));
		put_title(p, n);
		return node_find(n, NODE_SETTING) || p->sources->list.at[p->file].text[n->span.to - 1] == '}';
	case NODE_IMPORT:
		spell_named(p, "import", n->first);
		return false;
	case NODE_PARAM:
		put_declaration(p, "param", n);
		return false;
	case NODE_ZONE:
		put_declaration(p, "zone", n);
		return false;
	case NODE_NET:
		put_declaration(p, "net", n);
		return false;
	case NODE_SERVICE:
		put_declaration(p, "service", n);
		return false;
	case NODE_LIFELINE:
		buf_puts(&p->body, "lifeline");
		return true;
	case NODE_BLOCK:
		put_block(p, n);
		return false;
	case NODE_POSTURE:
		buf_printf(&p->body, "posture %s", node_find_text(n, NODE_NAME));
		put_title(p, n);
		if (node_find(n, NODE_EXTENDS))
			buf_printf(&p->body, " extends %s", node_find_text(n, NODE_EXTENDS));
		return true;
	case NODE_INITIAL:
		buf_printf(&p->body, "initial posture %s", n->first->text);
		return false;
	case NODE_REFLEX:
		buf_printf(&p->body, "reflex %s", n->first->text);
		return true;
	case NODE_TEST:
		buf_puts(&p->body, "test");
		put_title(p, n);
		return true;
	case NODE_SETTING:
		p->kind = LINE_SETTING;
		buf_puts(&p->cell, n->text);
		spell_value(p, n->first);
		return false;
	case NODE_DEFAULT:
		d = node_find(n, NODE_DIRECTION);
		buf_printf(&p->body, "default %s%s%s", d ? direction_name((enum direction)d->word) : "", d ? " " : "",
			   verdict_name((enum verdict)n->word));
		return false;
	case NODE_MALFORMED:
		buf_printf(&p->body, "malformed %s%s", n->text, n->first ? " " : "");
		put_names(p, n->first, ", ");
		return false;
	case NODE_WITHOUT:
		buf_puts(&p->body, "without ");
		put_names(p, n->first, ", ");
		return false;
	case NODE_RULE:
		if (parent->kind == NODE_LIFELINE) {
			spell_lifeline(p, n);
			return false;
		}
		p->kind = LINE_RULE;
		spell_label(p, n);
		spell_verdict(p, n);
		spell_selector(p, node_find(n, NODE_SELECTOR));
		spell_tails(p, n);
		return false;
	case NODE_MATCH:
		reflex_line(p, "match");
		spell_selector(p, n->first);
		return false;
	case NODE_WHEN:
		reflex_line(p, "when");
		put_when(p, n);
		return false;
	case NODE_EXCEEDS:
		reflex_line(p, "when");
		buf_printf(&p->body, "exceeds %s", n->first->text);
		return false;
	case NODE_EXCEPT:
		reflex_line(p, "except");
		buf_puts(&p->body, "in ");
		put_names(p, n->first, ", ");
		return false;
	case NODE_ACTION:
	case NODE_EMIT:
		reflex_line(p, "do");
		spell_effects(p, n);
		return false;
	case NODE_PHRASE:
		if (parent->kind == NODE_REFLEX) {
			reflex_line(p, "do");
			spell_effects(p, n);
		} else {
			spell_step(p, n, parent);
		}
		return false;
	case NODE_IF:
		spell_where(p, n, "if");
		return true;
	case NODE_BUCKET:
		put_bucket(p, n);
		return false;
	case NODE_FEED:
		buf_printf(&p->body, "feed %s", n->first->text);
		return true;
	case NODE_DERME:
		buf_puts(&p->body, "derme");
		return true;
	case NODE_DECOY:
		buf_printf(&p->body, "decoy %s", n->first->text);
		return true;
	case NODE_PLAYBOOK:
		put_playbook(p, n);
		return true;
	case NODE_RESPONSE:
		put_response(p, n);
		return false;
	case NODE_HOMEOSTASIS:
		buf_puts(&p->body, "homeostasis");
		return true;
	case NODE_INVARIANT:
		buf_printf(&p->body, "invariant %s", n->first->text);
		return true;
	case NODE_ORDER:
		buf_puts(&p->body, "order ");
		put_names(p, n->first, " <= ");
		return false;
	case NODE_SENSE:
		put_sense(p, n);
		return false;
	case NODE_BUDGET:
		put_budget(p, n);
		return false;
	case NODE_PHASE:
		buf_printf(&p->body, "phase %s", n->first->text);
		return true;
	case NODE_PARALLEL:
		buf_puts(&p->body, "parallel");
		return true;
	case NODE_FAILURE:
		buf_printf(&p->body, "on %s", n->first->text);
		return true;
	case NODE_REGULATION:
		put_regulation(p, n);
		return false;
	case NODE_CLAIM:
		put_claim(p, n);
		return false;
	case NODE_FORALL:
		spell_forall(p, n);
		return false;
	case NODE_AFTER:
		spell_named(p, "after", n->first);
		return false;
	case NODE_TODO:
		spell_named(p, "todo", n->first);
		return false;
	case NODE_REFUSES:
		buf_printf(&p->body, "refuses %s", n->text);
		return true;
	case NODE_TABLE:
		p->widths = spell_widths(p, n);
		buf_puts(&p->body, "table ");
		spell_packet(p, n->first);
		return true;
	case NODE_ROW:
		spell_row(p, n);
		return false;
	case NODE_IN_POSTURE:
		buf_printf(&p->body, "posture %s", n->first->text);
		return false;
	case NODE_CASE:
		spell_case(p, n);
		return false;
	default:
		return false;
	}
}

bool spell_is_item(const struct node *n, const struct node *parent)
{
	switch ((unsigned)n->kind) {
	case NODE_NAME: case NODE_TITLE: case NODE_EXTENDS: case NODE_PACKET: case NODE_HOLE:
		return false;
	case NODE_PARAM:
		return parent->kind != NODE_PLAYBOOK;
	}
	return true;
}
