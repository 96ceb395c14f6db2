/*
 * scope.c - names. Parameters, zones, nets and services share one space, since
 * they stand in the same values; postures have their own. A name may be used
 * before it is declared, so symbols are computed when first asked for.
 */
#include <assert.h>
#include <string.h>

#include "compiler/front/reading.h"
#include "lang/base/near.h"

static const char *const type_names[][2] = {
#define TYPE(id, name, article, example) { name, article },
#include "lang/vocab/type.def"
#undef TYPE
};

const char *type_name(enum type t)
{
	return type_names[t][0];
}

const char *type_with_article(enum type t)
{
	return type_names[t][1];
}

static const char *kind_name(enum symbol_kind k)
{
	static const char *const names[] = { "parameter", "zone", "net", "service", "limit", "name" };

	return names[k];
}

/* --- declaring ---------------------------------------------------------------------------- */

static void tell_twice(struct reading *r, const char *name, struct span again, struct span first)
{
	struct diag *d = diag(r->diags, DIAG_NAME_TWICE, again, "`%s` is declared twice", name);

	diag_label(d, "here again");
	diag_at(d, first, "declared here first");
}

static struct symbol *declare(struct reading *r, enum symbol_kind kind, const struct node *name)
{
	struct symbol *s = strmap_find(&r->symbols, name->text);
	uint16_t number;

	if (s) {
		if (s->kind != SYMBOL_HOLE && kind != SYMBOL_HOLE)
			tell_twice(r, name->text, name->span, s->span);
		return NULL;
	}
	if (proto_find(name->text, &number))
		diag_label(diag(r->diags, DIAG_RESERVED, name->span,
				"`%s` is a protocol and cannot be a name", name->text), "another name is due");
	s = arena_zero(r->arena, sizeof *s);
	*s = (struct symbol){ .kind = kind, .name = name->text, .span = name->span };
	strmap_put(&r->symbols, name->text, s);
	use_note_symbol(r, name, s);
	return s;
}

void fix_near(struct reading *r, struct diag *d, const struct near *n, struct span at)
{
	uint32_t len = (uint32_t)strlen(n->word);
	struct span begins = { at.file, at.from, at.from + len }, ends = { at.file, at.to - len, at.to };

	if (!n->best || n->tied || !len || at.to - at.from < len)
		return;
	if (source_says(&r->c->sources, begins, n->word))
		diag_fix(d, begins, "%s", n->best);
	else if (source_says(&r->c->sources, ends, n->word))
		diag_fix(d, ends, "%s", n->best);
}

bool tell_near(struct reading *r, struct diag *d, const struct near *n, struct span at)
{
	if (!n->best)
		return false;
	diag_help(d, "did you mean `%s`?", n->best);
	fix_near(r, d, n, at);
	return true;
}

void fix_leave_out(struct reading *r, struct diag *d, struct span at)
{
	struct span lines = source_lines(&r->c->sources, at);

	if (span_is_somewhere(lines))
		diag_fix(d, lines, "%s", "");
}

static bool type_find(const char *name, enum type *out)
{
	for (size_t i = 0; i < sizeof type_names / sizeof *type_names; i++)
		if (!strcmp(type_names[i][0], name)) {
			*out = (enum type)i;
			return true;
		}
	return false;
}

static void tell_type(struct reading *r, const struct node *type)
{
	struct diag *d = diag(r->diags, DIAG_PARAM_TYPE, type->span, "parameters have no type `%s`", type->text);
	struct near n = near_to(type->text);
	own(buf) struct buf all = { 0 };

	for (size_t i = 0; i < sizeof type_names / sizeof *type_names; i++) {
		near_try(&n, type_names[i][0]);
		buf_printf(&all, "%s%s", i ? ", " : "", type_names[i][0]);
	}
	if (!tell_near(r, d, &n, type->span))
		diag_help(d, "there are %s", buf_text(&all));
}

static void declare_param(struct reading *r, const struct node *decl)
{
	struct node *name = node_find(decl, NODE_NAME), *type = node_find(decl, NODE_TYPE);
	struct symbol *s = declare(r, SYMBOL_PARAM, name);
	struct node *given;

	if (!s)
		return;
	if (!type_find(type->text, &s->type)) {
		tell_type(r, type);
		s->state = SYMBOL_WRONG;
	}
	given = param_given_value(r, s->name, s->type);
	s->value = given ? given : type->next;
	if (!s->value) {
		diag_help(diag(r->diags, DIAG_PARAM_MISSING, name->span, "parameter `%s` has no value", s->name),
			  "give one with --param %s=..., or a default: param %s: %s = ...", s->name, s->name, type->text);
		s->state = SYMBOL_WRONG;
	} else if (s->value->kind == NODE_HOLE) {
		s->state = SYMBOL_WRONG;
	}
}

static void declare_valued(struct reading *r, enum symbol_kind kind, const struct node *decl)
{
	struct node *name = node_find(decl, NODE_NAME);
	struct symbol *s = declare(r, kind, name);

	if (s)
		s->value = name->next;
}

/* A hole may stand for any kind of declaration: as a name it is known, and silent. */
static void declare_hole(struct reading *r, const struct node *hole)
{
	struct node *name = node_find(hole, NODE_NAME);
	struct symbol *s = name && name->text ? declare(r, SYMBOL_HOLE, name) : NULL;

	if (s)
		s->state = SYMBOL_WRONG;
	if (name && name->text && !strmap_find(&r->postures, name->text)) {
		struct posture_symbol *p = arena_zero(r->arena, sizeof *p);

		*p = (struct posture_symbol){ .name = name->text, .span = name->span, .state = SYMBOL_WRONG };
		strmap_put(&r->postures, name->text, p);
	}
}

static bool has_hole(const struct node *n)
{
	for (const struct node *c = n->first; c; c = c->next)
		if (c->kind == NODE_HOLE)
			return true;
	return false;
}

static void declare_posture(struct reading *r, struct node *decl)
{
	const struct node *name = node_find(decl, NODE_NAME);
	struct posture_symbol *p = strmap_find(&r->postures, name->text);

	if (p) {
		if (p->decl)
			tell_twice(r, name->text, name->span, p->span);
		return;
	}
	p = arena_zero(r->arena, sizeof *p);
	*p = (struct posture_symbol){ .name = name->text, .span = name->span, .decl = decl, .has_hole = has_hole(decl) };
	strmap_put(&r->postures, name->text, p);
	use_note(r, USE_POSTURE, name->text, name->span, name->span);
}

void scope_declare_params(struct reading *r)
{
	strmap_init(&r->symbols, r->trees);
	strmap_init(&r->postures, r->trees);
	for (size_t i = 0; i < r->decls.len; i++)
		if (r->decls.at[i]->kind == NODE_PARAM)
			declare_param(r, r->decls.at[i]);
}

void scope_declare(struct reading *r)
{
	for (size_t i = 0; i < r->decls.len; i++) {
		struct node *n = r->decls.at[i];

		switch ((unsigned)n->kind) {
		case NODE_ZONE:
			declare_valued(r, SYMBOL_ZONE, n);
			break;
		case NODE_NET:
			declare_valued(r, SYMBOL_NET, n);
			break;
		case NODE_SERVICE:
			declare_valued(r, SYMBOL_SERVICE, n);
			break;
		case NODE_BUCKET:
			declare(r, SYMBOL_LIMIT, n->first);
			break;
		case NODE_POSTURE:
			declare_posture(r, n);
			break;
		case NODE_HOLE:
			declare_hole(r, n);
			break;
		}
	}
}

/* --- finding -------------------------------------------------------------------------------- */

struct symbol *scope_peek(struct reading *r, const char *name)
{
	return strmap_find(&r->symbols, name);
}

/* `office-lab` is one name, and two that are known were meant. */
static bool tell_difference(struct reading *r, struct diag *d, const struct node *name)
{
	for (const char *dash = strchr(name->text, '-'); dash; dash = strchr(dash + 1, '-')) {
		const char *left = arena_strndup(r->arena, name->text, (size_t)(dash - name->text));

		if (!scope_peek(r, left) || !scope_peek(r, dash + 1))
			continue;
		diag_help(d, "for a difference write spaces: `%s - %s`", left, dash + 1);
		if (source_says(&r->c->sources, name->span, name->text))
			diag_fix(d, name->span, "%s - %s", left, dash + 1);
		return true;
	}
	return false;
}

static void tell_unknown(struct reading *r, const struct node *name, const char *wanted)
{
	struct diag *d = diag(r->diags, DIAG_NAME_UNKNOWN, name->span, "there is no %s `%s`", wanted, name->text);
	struct near n = near_to(name->text);

	if (!strcmp(wanted, "net")) {
		near_try(&n, "self");
		near_try(&n, "any");
	}
	for (size_t i = 0; d->arena && i < r->symbols.entries.len; i++)
		near_try(&n, r->symbols.entries.at[i].name);
	if (!tell_carried(r, d, name->text, name->span.file) && !tell_difference(r, d, name))
		tell_near(r, d, &n, name->span);
}

struct symbol *scope_find(struct reading *r, const struct node *name, const char *wanted)
{
	struct symbol *s = scope_peek(r, name->text);

	if (!s && !r->poisoned)
		tell_unknown(r, name, wanted);
	if (s)
		use_note_symbol(r, name, s);
	return s && s->kind != SYMBOL_HOLE ? s : NULL;
}

struct posture_symbol *scope_posture(struct reading *r, const struct node *name)
{
	struct posture_symbol *p = strmap_find(&r->postures, name->text);

	if (!p && !r->poisoned) {
		struct diag *d = diag(r->diags, DIAG_NAME_UNKNOWN, name->span, "there is no posture `%s`", name->text);
		struct near n = near_to(name->text);

		for (size_t i = 0; i < r->postures.entries.len; i++)
			near_try(&n, r->postures.entries.at[i].name);
		tell_near(r, d, &n, name->span);
	}
	if (p && p->decl)
		use_note(r, USE_POSTURE, p->name, name->span, p->span);
	return p && p->decl ? p : NULL;
}

bool symbol_is_net(const struct symbol *s)
{
	return s->kind == SYMBOL_NET || (s->kind == SYMBOL_PARAM &&
					 (s->type == TYPE_NET || s->type == TYPE_ADDRESS || s->type == TYPE_PREFIX));
}

#define SYMBOL_DEPTH_MAX 200

/* --- computing, once ------------------------------------------------------------------------- */

static bool compute_text(struct reading *r, struct symbol *s)
{
	const char *text;

	if (!value_text(r, s->value, s->type, &text))
		return false;
	vec_push(r->arena, &s->strings, text);
	return true;
}

static bool compute_param(struct reading *r, struct symbol *s)
{
	switch (s->type) {
	case TYPE_NET:
		return value_net(r, s->value, &s->net);
	case TYPE_PORT:
		return value_ports(r, s->value, PROTO_ANY, &s->ports);
	case TYPE_SERVICE:
		return value_service(r, s->value, &s->service);
	case TYPE_INTERFACE:
		return value_strings(r, s->value, s);
	case TYPE_DURATION:
		return value_duration(r, s->value, &s->amount);
	case TYPE_COUNT: case TYPE_BYTES: case TYPE_BANDWIDTH: case TYPE_PERCENTAGE: case TYPE_SEVERITY: case TYPE_BOOLEAN:
		return value_amount(r, s->value, s->type, &s->amount);
	case TYPE_RATE:
		return value_rate(r, s->value, NULL, &s->rate);
	case TYPE_ADDRESS: case TYPE_PREFIX:
		return value_prefix(r, s->value, s->type, &s->net);
	case TYPE_TEXT: case TYPE_PATTERN:
		return compute_text(r, s);
	case TYPE_END:
		break;
	}
	abort();
}

static bool compute(struct reading *r, struct symbol *s)
{
	switch (s->kind) {
	case SYMBOL_PARAM:
		return compute_param(r, s);
	case SYMBOL_NET:
		return value_net(r, s->value, &s->net);
	case SYMBOL_SERVICE:
		return value_service(r, s->value, &s->service);
	case SYMBOL_ZONE: /* declare.c and limit.c do, before anything asks */
	case SYMBOL_LIMIT:
	case SYMBOL_HOLE:
		return true;
	}
	abort();
}

bool symbol_settle(struct reading *r, struct symbol *s, struct span asked)
{
	struct diag *d;

	switch (s->state) {
	case SYMBOL_KNOWN:
		return true;
	case SYMBOL_WRONG:
		return false;
	case SYMBOL_UNDER_WAY:
		d = diag(r->diags, DIAG_NAME_CIRCLE, asked, "%s `%s` is made of itself", kind_name(s->kind), s->name);
		diag_at(d, s->span, "declared here");
		s->state = SYMBOL_WRONG;
		return false;
	case SYMBOL_FRESH:
		break;
	}
	s->state = SYMBOL_UNDER_WAY;
	bool known = false;
	if (r->depth == SYMBOL_DEPTH_MAX) {
		diag(r->diags, DIAG_NESTING, s->span, "names build on each other more than %d deep", SYMBOL_DEPTH_MAX);
	} else {
		r->depth++;
		known = compute(r, s);
		r->depth--;
	}
	s->state = known && s->state == SYMBOL_UNDER_WAY ? SYMBOL_KNOWN : SYMBOL_WRONG;
	return s->state == SYMBOL_KNOWN;
}
