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

static bool put_policy(struct printer *p, const struct node *n)
{
	buf_printf(&p->body, "policy %s", node_find_text(n, NODE_NAME));
	put_title(p, n);
	return node_find(n, NODE_SETTING) || p->sources->list.at[p->file].text[n->span.to - 1] == '}';
}

static void put_posture(struct printer *p, const struct node *n)
{
	const char *extends = node_find_text(n, NODE_EXTENDS);

	buf_printf(&p->body, "posture %s", node_find_text(n, NODE_NAME));
	put_title(p, n);
	if (extends)
		buf_printf(&p->body, " extends %s", extends);
}

static void put_setting(struct printer *p, const struct node *n)
{
	p->kind = LINE_SETTING;
	buf_puts(&p->cell, n->text);
	spell_value(p, n->first);
}

static void put_default(struct printer *p, const struct node *n)
{
	const struct node *d = node_find(n, NODE_DIRECTION);

	buf_printf(&p->body, "default %s%s%s", d ? direction_name((enum direction)d->word) : "", d ? " " : "",
		   verdict_name((enum verdict)n->word));
}

static void put_malformed(struct printer *p, const struct node *n)
{
	buf_printf(&p->body, "malformed %s%s", n->text, n->first ? " " : "");
	put_names(p, n->first, ", ");
}

static void put_without(struct printer *p, const struct node *n)
{
	buf_puts(&p->body, "without ");
	put_names(p, n->first, ", ");
}

static void put_order(struct printer *p, const struct node *n)
{
	buf_puts(&p->body, "order ");
	put_names(p, n->first, " <= ");
}

static void put_rule(struct printer *p, const struct node *n)
{
	p->kind = LINE_RULE;
	spell_label(p, n);
	spell_verdict(p, n);
	spell_selector(p, node_find(n, NODE_SELECTOR));
	spell_tails(p, n);
}

static void put_match(struct printer *p, const struct node *n)
{
	spell_selector(p, n->first);
}

static void put_exceeds(struct printer *p, const struct node *n)
{
	buf_printf(&p->body, "exceeds %s", n->first->text);
}

static void put_except(struct printer *p, const struct node *n)
{
	buf_puts(&p->body, "in ");
	put_names(p, n->first, ", ");
}

static void put_if(struct printer *p, const struct node *n)
{
	spell_where(p, n, "if");
}

static void put_refuses(struct printer *p, const struct node *n)
{
	buf_printf(&p->body, "refuses %s", n->text);
}

static void put_table(struct printer *p, const struct node *n)
{
	p->widths = spell_widths(p, n);
	buf_puts(&p->body, "table ");
	spell_packet(p, n->first);
}

/* --- how each begins ------------------------------------------------------------------------ */

/* A statement's word stands alone, before a name or a value, declares a name, or stands in a cell of its own. */
enum beginning { WORD_ALONE, WORD_NAME, WORD_VALUE, WORD_DECLARES, WORD_CELL };

static const struct form {
	const char *word; /* or NULL */
	enum beginning begins;
	void (*rest)(struct printer *p, const struct node *n); /* what comes behind it, or NULL */
	bool is_block;
} forms[NODE_COUNT] = {
	[NODE_IMPORT] = { "import", WORD_VALUE },
	[NODE_PARAM] = { "param", WORD_DECLARES },
	[NODE_ZONE] = { "zone", WORD_DECLARES },
	[NODE_NET] = { "net", WORD_DECLARES },
	[NODE_SERVICE] = { "service", WORD_DECLARES },
	[NODE_LIFELINE] = { "lifeline", .is_block = true },
	[NODE_BLOCK] = { .rest = put_block },
	[NODE_POSTURE] = { .rest = put_posture, .is_block = true },
	[NODE_INITIAL] = { "initial posture", WORD_NAME },
	[NODE_REFLEX] = { "reflex", WORD_NAME, .is_block = true },
	[NODE_TEST] = { "test", .rest = put_title, .is_block = true },
	[NODE_SETTING] = { .rest = put_setting },
	[NODE_DEFAULT] = { .rest = put_default },
	[NODE_MALFORMED] = { .rest = put_malformed },
	[NODE_WITHOUT] = { .rest = put_without },
	[NODE_RULE] = { .rest = put_rule },
	[NODE_MATCH] = { "match", WORD_CELL, put_match },
	[NODE_WHEN] = { "when", WORD_CELL, put_when },
	[NODE_EXCEEDS] = { "when", WORD_CELL, put_exceeds },
	[NODE_EXCEPT] = { "except", WORD_CELL, put_except },
	[NODE_ACTION] = { "do", WORD_CELL, spell_effects },
	[NODE_EMIT] = { "do", WORD_CELL, spell_effects },
	[NODE_PHRASE] = { "do", WORD_CELL, spell_effects },
	[NODE_IF] = { .rest = put_if, .is_block = true },
	[NODE_BUCKET] = { .rest = put_bucket },
	[NODE_FEED] = { "feed", WORD_NAME, .is_block = true },
	[NODE_DERME] = { "derme", .is_block = true },
	[NODE_DECOY] = { "decoy", WORD_NAME, .is_block = true },
	[NODE_PLAYBOOK] = { .rest = put_playbook, .is_block = true },
	[NODE_RESPONSE] = { .rest = put_response },
	[NODE_HOMEOSTASIS] = { "homeostasis", .is_block = true },
	[NODE_INVARIANT] = { "invariant", WORD_NAME, .is_block = true },
	[NODE_ORDER] = { .rest = put_order },
	[NODE_SENSE] = { .rest = put_sense },
	[NODE_BUDGET] = { .rest = put_budget },
	[NODE_PHASE] = { "phase", WORD_NAME, .is_block = true },
	[NODE_PARALLEL] = { "parallel", .is_block = true },
	[NODE_FAILURE] = { "on", WORD_NAME, .is_block = true },
	[NODE_REGULATION] = { .rest = put_regulation },
	[NODE_CLAIM] = { .rest = put_claim },
	[NODE_FORALL] = { .rest = spell_forall },
	[NODE_AFTER] = { "after", WORD_VALUE },
	[NODE_TODO] = { "todo", WORD_VALUE },
	[NODE_REFUSES] = { .rest = put_refuses, .is_block = true },
	[NODE_TABLE] = { .rest = put_table, .is_block = true },
	[NODE_ROW] = { .rest = spell_row },
	[NODE_IN_POSTURE] = { "posture", WORD_NAME },
	[NODE_CASE] = { .rest = spell_case },
};

static void begin(struct printer *p, const struct form *f, const struct node *n)
{
	switch (f->begins) {
	case WORD_ALONE:
		buf_puts(&p->body, f->word ? f->word : "");
		break;
	case WORD_NAME:
		buf_printf(&p->body, "%s %s", f->word, n->first->text);
		break;
	case WORD_VALUE:
		spell_named(p, f->word, n->first);
		break;
	case WORD_DECLARES:
		put_declaration(p, f->word, n);
		break;
	case WORD_CELL:
		p->kind = LINE_SETTING;
		buf_puts(&p->cell, f->word);
		break;
	}
}

bool spell_statement(struct printer *p, const struct node *n, const struct node *parent)
{
	const struct form *f = &forms[n->kind];

	if (n->kind == NODE_POLICY)
		return put_policy(p, n);
	if (n->kind == NODE_RULE && parent->kind == NODE_LIFELINE) {
		spell_lifeline(p, n);
	} else if (n->kind == NODE_PHRASE && parent->kind != NODE_REFLEX) {
		spell_step(p, n, parent);
	} else {
		begin(p, f, n);
		if (f->rest)
			f->rest(p, n);
	}
	return f->is_block;
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
