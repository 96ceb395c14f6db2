/*
 * posture.c - postures with everything they inherit. A rule whose label is
 * inherited replaces that rule in place; the others follow behind.
 */
#include <string.h>

#include "compiler/front/reading.h"
#include "lang/base/near.h"
#include "lang/syntax/packed.h"
#include "lang/vocab/cause.h"

#define POSTURES_MAX 64 /* bits of a reflex's `except` */

/* A posture while it is put together. */
struct building {
	struct posture_symbol *symbol;
	struct pol_posture out;
	VEC(struct pol_rule) rules;
	struct strmap own;   /* labels of this posture's own rules, to their nodes */
	struct strmap texts; /* of its own rules without label */
	const struct node *own_default[DIRECTION_COUNT], *own_general;
	bool has_default[DIRECTION_COUNT], sound;
};

/* --- settings --------------------------------------------------------------- */

static void established_read(struct reading *r, struct building *b, const struct node *setting)
{
	const struct node *value = setting->first;
	struct near n = near_to(value->kind == NODE_NAME ? value->text : "");

	for (int e = 0; e < ESTABLISHED_COUNT; e++) {
		const char *name = established_name((enum established)e);

		near_try(&n, name);
		if (value->kind == NODE_NAME && !strcmp(value->text, name)) {
			b->out.established = (enum established)e;
			return;
		}
	}
	struct diag *d = diag(r->diags, DIAG_TYPE, value->span, "`established` is followed by keep, recheck or cut");
	tell_near(r, d, &n, value->span);
	b->sound = false;
}

static void settings_read(struct reading *r, struct building *b)
{
	const struct node *first = NULL;

	for (const struct node *n = b->symbol->decl->first; n; n = n->next) {
		struct near near;

		if (n->kind != NODE_SETTING)
			continue;
		near = near_to(n->text);
		near_try(&near, "established");
		if (strcmp(n->text, "established")) {
			struct diag *d = diag(r->diags, DIAG_SETTING_UNKNOWN, n->span, "there is no setting `%s` here", n->text);

			b->sound = false;
			tell_near(r, d, &near, n->span);
		} else if (first) {
			struct diag *d = diag(r->diags, DIAG_SETTING_TWICE, n->span, "`%s` is set twice", n->text);

			diag_at(d, first->span, "here first");
			if (sources_agree(&r->c->sources, n->span, first->span))
				fix_leave_out(r, d, n->span);
		} else {
			first = n;
			established_read(r, b, n);
		}
	}
}

/* --- what cannot be read -------------------------------------------------------------------- */

static uint32_t causes_said(void)
{
	uint32_t all = 0;

	for (unsigned c = 0; c < CAUSE_COUNT; c++)
		all |= (uint32_t)cause_is_said(c) << c;
	return all;
}

/* Its bit, or 0 when frames have no such cause, or a posture no say. */
static uint32_t cause_read(struct reading *r, const struct node *name)
{
	struct near n = near_to(name->text);
	struct diag *d;

	for (unsigned c = CAUSE_NONE + 1; c < CAUSE_COUNT; c++) {
		if (cause_is_said(c))
			near_try(&n, cause_name(c));
		if (strcmp(cause_name(c), name->text))
			continue;
		if (cause_is_said(c))
			return 1u << c;
		diag(r->diags, DIAG_CAUSE, name->span, "no posture decides what becomes of `%s`", name->text);
		return 0;
	}
	d = diag(r->diags, DIAG_CAUSE, name->span, "frames have no cause `%s`", name->text);
	tell_near(r, d, &n, name->span);
	return 0;
}

static void causes_twice(struct reading *r, const struct node *again)
{
	diag(r->diags, DIAG_SETTING_TWICE, again->span, "this posture says twice what becomes of these frames");
}

/* One line: of its causes, or of all in `general`; those that were named before are in *named. */
static bool malformed_line(struct reading *r, struct building *b, const struct node *n, bool general, uint32_t *named)
{
	const bool pass = !strcmp(n->text, "pass");
	uint32_t these = general ? causes_said() : 0;
	bool sound = true;

	for (const struct node *name = n->first; name; name = name->next) {
		const uint32_t one = cause_read(r, name);

		if (one & *named)
			causes_twice(r, name);
		sound = sound && one && !(one & *named);
		*named |= one;
		these |= one;
	}
	if (!pass && strcmp(n->text, "drop")) {
		struct diag *d = diag(r->diags, DIAG_CAUSE, n->span, "malformed frames do not `%s`", n->text);

		diag_help(d, "`malformed drop`, `malformed pass vlan-depth, extensions`");
		return false;
	}
	b->out.passes = pass ? b->out.passes | these : b->out.passes & ~these;
	return sound;
}

/* What is said of all comes first, wherever it stands: `malformed pass` and `malformed drop payload`. */
static void malformed_read(struct reading *r, struct building *b)
{
	const struct node *general = NULL;
	uint32_t named = 0;

	for (const struct node *n = b->symbol->decl->first; n; n = n->next) {
		if (n->kind != NODE_MALFORMED || n->first)
			continue;
		if (general)
			causes_twice(r, n);
		b->sound &= !general && malformed_line(r, b, n, true, &named);
		general = n;
	}
	for (const struct node *n = b->symbol->decl->first; n; n = n->next)
		if (n->kind == NODE_MALFORMED && n->first)
			b->sound &= malformed_line(r, b, n, false, &named);
}

/* --- defaults -------------------------------------------------------------------------------- */

static void default_twice(struct reading *r, const struct node *again, const struct node *first)
{
	struct diag *d = diag(r->diags, DIAG_DEFAULT_TWICE, again->span, "this default is said twice");

	diag_at(d, first->span, "here first");
	if (again->word == first->word)
		fix_leave_out(r, d, again->span);
}

static void default_set(struct building *b, enum direction d, const struct node *n)
{
	b->out.defaults[d] = (enum verdict)n->word;
	b->out.default_spans[d] = n->span;
	b->has_default[d] = true;
}

/* `default X` speaks for the directions of which no `default out X` does. */
static void defaults_read(struct reading *r, struct building *b)
{
	for (const struct node *n = b->symbol->decl->first; n; n = n->next) {
		const struct node *direction = n->kind == NODE_DEFAULT ? node_find(n, NODE_DIRECTION) : NULL;
		const struct node **slot = direction ? &b->own_default[direction->word] : &b->own_general;

		if (n->kind != NODE_DEFAULT)
			continue;
		if (*slot)
			default_twice(r, n, *slot);
		else
			*slot = n;
	}
	for (int d = 0; d < DIRECTION_COUNT; d++)
		if (b->own_default[d] || b->own_general)
			default_set(b, (enum direction)d, b->own_default[d] ? b->own_default[d] : b->own_general);
}

/* Before the posture's first statement, on a line of its own where that has one. */
static void fix_default(struct reading *r, struct diag *d, const struct node *posture)
{
	const struct source *s = &r->c->sources.list.at[posture->span.file];
	const struct node *n = posture->first;

	while (n && (n->kind == NODE_NAME || n->kind == NODE_TITLE || n->kind == NODE_EXTENDS))
		n = n->next;
	if (!n) {
		diag_fix(d, (struct span){ posture->span.file, posture->span.to - 1, posture->span.to - 1 }, " default drop ");
		return;
	}
	struct span line = source_with_blanks(&r->c->sources, n->span);
	bool begins = line.from && s->text[line.from - 1] == '\n';
	diag_fix(d, (struct span){ n->span.file, n->span.from, n->span.from }, "default drop\n%.*s",
		 begins ? (int)(n->span.from - line.from) : 0, s->text + line.from);
}

static void defaults_are_there(struct reading *r, struct building *b)
{
	const char *missing[DIRECTION_COUNT];
	size_t n = 0;

	for (int d = 0; d < DIRECTION_COUNT; d++)
		if (!b->has_default[d])
			missing[n++] = direction_name((enum direction)d);
	if (!n || b->symbol->has_hole)
		return;
	b->sound = false;
	struct diag *d = diag(r->diags, DIAG_DEFAULT_MISSING, b->symbol->span,
			      n == DIRECTION_COUNT ? "posture `%s` has no default" : "posture `%s` has no default %s",
			      b->symbol->name, n == 1 ? missing[0] : "for every direction");
	diag_help(d, "say what happens to what no rule matches: default drop");
	fix_default(r, d, b->symbol->decl);
}

/* --- rules ---------------------------------------------------------------------------------- */

static const char *rule_id(struct reading *r, const struct building *b, const char *label)
{
	return arena_printf(r->arena, "%s.%s", b->symbol->name, label);
}

static void rule_place(struct reading *r, struct building *b, struct pol_rule rule)
{
	size_t at = (size_t)strmap_find(&b->symbol->labels, rule.label);

	if (at) {
		b->rules.at[at - 1] = rule;
		return;
	}
	vec_push(r->said, &b->rules, rule);
	strmap_put(&b->symbol->labels, rule.label, (void *)b->rules.len);
}

static void rule_twice(struct reading *r, const struct node *rule, const struct node *label, const struct node *first)
{
	struct diag *d;

	if (label) {
		d = diag(r->diags, DIAG_LABEL_TWICE, label->span, "label `%s` is used twice in this posture", label->text);
		diag_at(d, first->span, "here first");
		return;
	}
	d = diag(r->diags, DIAG_RULE_TWICE, rule->span, "this rule stands twice in this posture");
	diag_at(d, first->span, "here first");
	diag_help(d, "the second decides nothing: leave it out");
	fix_leave_out(r, d, rule->span);
}

/* The label of a rule that takes an inherited one's place is a use of that one's. */
static void label_note(struct reading *r, const struct building *b, const struct node *label, struct pol_rule *rule)
{
	size_t at = (size_t)strmap_find(&b->symbol->labels, rule->label);

	if (at)
		rule->named = b->rules.at[at - 1].named;
	if (rule->labelled)
		use_note(r, USE_LABEL, rule->label, label->span, rule->named);
}

/* `n` may be packed; what is kept of it is kept of that one. */
static void rule_read(struct reading *r, struct building *b, const struct node *n)
{
	own(arena) struct arena *scratch = arena_new();
	const struct node *whole = packed_open(scratch, &r->c->sources, n), *selector = node_find(whole, NODE_SELECTOR);
	const struct node *label = node_find(n, NODE_LABEL), *direction = node_find(whole, NODE_DIRECTION);
	const struct node *limit = node_find(whole, NODE_LIMIT);
	struct pol_rule rule = {
		.span = n->span,
		.named = label ? label->span : n->span,
		.verdict = (enum verdict)n->word,
		.direction = direction ? (enum direction)direction->word : DIRECTION_IN,
		.label = label ? label->text : rule_anonym(r, whole, &b->texts),
		.labelled = label && label->text[0] != '~',
	};

	if (!strmap_add(&b->own, rule.label, (void *)(label ? label : n))) {
		rule_twice(r, n, label, strmap_find(&b->own, rule.label));
		b->sound = false;
		return;
	}
	rule.id = rule_id(r, b, rule.label);
	b->sound &= !label || label_is_free(r, label);
	b->sound &= select_read(r, selector, rule.direction, &rule.match);
	b->sound &= payload_is_absent(r, selector);
	b->sound &= effects_read(r, whole, rule.label, &rule.effects);
	if (limit) {
		struct pol_rate *rate = arena_zero(r->arena, sizeof *rate);

		b->sound &= limit_read(r, limit, rule.verdict, rate);
		rule.limit = rate;
	}
	label_note(r, b, label, &rule);
	rule_place(r, b, rule);
}

/* --- leaving out ----------------------------------------------------------------------------------- */

static void rule_remove(struct building *b, size_t at)
{
	for (size_t i = at; i + 1 < b->rules.len; i++) {
		b->rules.at[i] = b->rules.at[i + 1];
		strmap_put(&b->symbol->labels, b->rules.at[i].label, (void *)(i + 1));
	}
	b->rules.len--;
}

static void without(struct reading *r, struct building *b, const struct node *name)
{
	size_t at = (size_t)strmap_find(&b->symbol->labels, name->text);
	struct near n = near_to(name->text);

	if (at) {
		use_note(r, USE_LABEL, name->text, name->span, b->rules.at[at - 1].named);
		rule_remove(b, at - 1);
		strmap_put(&b->symbol->labels, name->text, NULL);
		return;
	}
	b->sound = false;
	struct diag *d = diag(r->diags, DIAG_WITHOUT, name->span, "`%s` inherits no rule `%s`", b->symbol->name, name->text);
	for (size_t i = 0; i < b->rules.len; i++)
		if (b->rules.at[i].labelled)
			near_try(&n, b->rules.at[i].label);
	tell_near(r, d, &n, name->span);
}

/* `without` speaks of what is inherited, wherever it stands among the rules. */
static void withouts_read(struct reading *r, struct building *b)
{
	for (const struct node *n = b->symbol->decl->first; n; n = n->next)
		if (n->kind == NODE_WITHOUT)
			for (const struct node *name = n->first; name; name = name->next)
				without(r, b, name);
}

/* --- inheriting -------------------------------------------------------------------------------- */

static bool posture_make(struct reading *r, struct posture_symbol *s);

static void inherit(struct reading *r, struct building *b, const struct pol_posture *base)
{
	b->out.established = base->established;
	b->out.passes = base->passes;
	for (int d = 0; d < DIRECTION_COUNT; d++) {
		b->out.defaults[d] = base->defaults[d];
		b->out.default_spans[d] = base->default_spans[d];
		b->has_default[d] = true;
	}
	for (size_t i = 0; i < base->rule_count; i++) {
		struct pol_rule rule = base->rules[i];

		rule.id = rule_id(r, b, rule.label);
		rule_place(r, b, rule);
	}
}

static bool extend(struct reading *r, struct building *b)
{
	const struct node *extends = node_find(b->symbol->decl, NODE_EXTENDS);
	struct posture_symbol *base;

	if (!extends)
		return true;
	base = scope_posture(r, extends);
	if (!base)
		return false;
	if (base->state == SYMBOL_UNDER_WAY) {
		diag_at(diag(r->diags, DIAG_EXTENDS_CIRCLE, extends->span, "posture `%s` extends itself", base->name),
			base->span, "declared here");
		base->state = SYMBOL_WRONG;
		return false;
	}
	if (!posture_make(r, base))
		return false;
	inherit(r, b, &r->policy->postures[base->index]);
	return true;
}

static bool posture_build(struct reading *r, struct posture_symbol *s)
{
	struct building b = { .symbol = s, .sound = !s->has_hole };
	bool based;

	strmap_init(&s->labels, r->trees);
	strmap_init(&b.own, r->trees);
	strmap_init(&b.texts, r->trees);
	based = extend(r, &b);
	settings_read(r, &b);
	malformed_read(r, &b);
	defaults_read(r, &b);
	if (based)
		withouts_read(r, &b);
	for (const struct node *n = s->decl->first; n; n = n->next)
		if (n->kind == NODE_RULE)
			rule_read(r, &b, n);
	if (based)
		defaults_are_there(r, &b);
	b.out.name = s->name;
	b.out.title = title_read(r, node_find(s->decl, NODE_TITLE));
	b.out.span = s->span;
	b.out.rules = b.rules.at;
	b.out.rule_count = b.rules.len;
	r->policy->postures[s->index] = b.out;
	return based && b.sound;
}

static bool posture_make(struct reading *r, struct posture_symbol *s)
{
	if (s->state != SYMBOL_FRESH)
		return s->state == SYMBOL_KNOWN;
	s->state = SYMBOL_UNDER_WAY;
	bool sound = posture_build(r, s);
	s->state = sound && s->state == SYMBOL_UNDER_WAY ? SYMBOL_KNOWN : SYMBOL_WRONG;
	return s->state == SYMBOL_KNOWN;
}

void declare_postures(struct reading *r)
{
	struct policy *p = r->policy;
	bool many = false;

	p->postures = arena_zero(r->arena, (POSTURES_MAX + 1) * sizeof *p->postures);
	for (size_t i = 0; i < r->postures.entries.len; i++) {
		struct posture_symbol *s = r->postures.entries.at[i].value;

		if (!s->decl)
			continue;
		if (p->posture_count == POSTURES_MAX) {
			if (!many)
				diag(r->diags, DIAG_POSTURES_MANY, s->span, "a policy has at most %d postures", POSTURES_MAX);
			many = true;
			s->state = SYMBOL_WRONG;
			continue;
		}
		if (!strcmp(s->name, "pre") || !strcmp(s->name, "hook"))
			diag(r->diags, DIAG_RESERVED, s->span, "`%s` cannot be a posture's name: nft chains of that name are there for all postures", s->name);
		s->index = (unsigned)p->posture_count++;
	}
	for (size_t i = 0; i < r->postures.entries.len; i++) {
		struct posture_symbol *s = r->postures.entries.at[i].value;

		if (s->decl)
			posture_make(r, s);
	}
}

/* --- the posture to begin with --------------------------------------------------------------------- */

static void initial_twice(struct reading *r, const struct node *again, const struct node *first)
{
	struct diag *d = diag(r->diags, DIAG_INITIAL_TWICE, again->span, "a policy begins in one posture");

	diag_at(d, first->span, "said here first");
	if (!strcmp(again->first->text, first->first->text))
		fix_leave_out(r, d, again->span);
}

void declare_initial(struct reading *r)
{
	const struct node *initial = NULL;
	struct posture_symbol *s;

	for (size_t i = 0; i < r->decls.len; i++) {
		const struct node *n = r->decls.at[i];

		if (n->kind != NODE_INITIAL)
			continue;
		if (initial)
			initial_twice(r, n, initial);
		else
			initial = n;
	}
	if (initial) {
		s = scope_posture(r, initial->first);
		r->policy->initial = s ? s->index : 0;
		return;
	}
	if (r->policy->posture_count == 1 || r->poisoned)
		return;
	if (!r->policy->posture_count) {
		if (r->postures.entries.len || (r->c->library_fits && !span_is_somewhere(r->policy->span)))
			return; /* what could not be read may have been one; a library has none */
		diag_help(diag(r->diags, DIAG_POSTURE_NONE, SPAN_NOWHERE, "the policy has no posture"),
			  "at least: posture CLOSED { default drop }");
		return;
	}
	diag_help(diag(r->diags, DIAG_INITIAL_MISSING, r->policy->postures[0].span,
		       "there are %zu postures, and none to begin with", r->policy->posture_count),
		  "say it: initial posture %s", r->policy->postures[0].name);
}
