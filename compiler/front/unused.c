/*
 * unused.c - names that a policy declares and nothing uses. What acts by itself needs no user: rules,
 * blocks, reflexes, feeds, and zones, whose interfaces the first hook is attached to; nor does what is
 * asked for at run time: postures and playbooks.
 */
#include "compiler/front/reading.h"

/* Who need not be used, in the main file: each use, and what is named where nothing is resolved. */
struct using {
	struct reading *r;
	struct strmap used;	 /* kind and name */
	struct strmap mentioned; /* name */
};

static char yes;

static const char *key_of(struct using *u, enum use_kind kind, const char *name)
{
	return arena_printf(u->r->arena, "%d %s", (int)kind, name);
}

static void find_used(struct using *u)
{
	for (size_t i = 0; i < u->r->c->uses.list.len; i++) {
		const struct use *one = &u->r->c->uses.list.at[i];
		bool declares = one->at.file == one->declared.file && one->at.from == one->declared.from;
		const char *key = declares ? NULL : key_of(u, one->kind, one->name);

		if (key && !strmap_find(&u->used, key))
			strmap_put(&u->used, key, &yes);
	}
}

static void find_mentioned(struct using *u, const struct node *n)
{
	if (n->kind == NODE_NAME && n->text && !strmap_find(&u->mentioned, n->text))
		strmap_put(&u->mentioned, n->text, &yes);
	for (const struct node *c = n->first; c; c = c->next)
		find_mentioned(u, c);
}

/* Branches that are not taken today, and declarations that a test expects to be refused. */
static void find_unresolved(struct using *u)
{
	const struct policy *p = u->r->policy;

	for (size_t i = 0; i < u->r->untaken.len; i++)
		find_mentioned(u, u->r->untaken.at[i]);
	for (size_t i = 0; i < p->test_count; i++)
		for (size_t j = 0; j < p->tests[i].case_count; j++)
			for (size_t k = 0; k < p->tests[i].cases[j].decl_count; k++)
				find_mentioned(u, p->tests[i].cases[j].decls[k]);
}

static bool needs_use(enum use_kind kind)
{
	switch (kind) {
	case USE_PARAM: case USE_NET: case USE_SERVICE: case USE_LIMIT:
		return true;
	case USE_ZONE: case USE_POSTURE: case USE_REFLEX: case USE_BLOCK: case USE_LIFELINE: case USE_LABEL: case USE_PLAYBOOK:
	case USE_PARAMETER: case USE_SENSE: case USE_DECOY: case USE_COUNT:
		break;
	}
	return false;
}

static void tell_if_unused(struct using *u, const struct use *d)
{
	struct diag *g;

	if (!needs_use(d->kind) || d->name[0] == '_' || strmap_find(&u->mentioned, d->name) ||
	    strmap_find(&u->used, key_of(u, d->kind, d->name)))
		return;
	g = diag(u->r->diags, DIAG_NAME_UNUSED, d->at, "nothing uses the %s `%s`",
		 d->kind == USE_PARAM ? "parameter" : use_kind_name(d->kind), d->name);
	diag_help(g, "leave it out; if it is to stay, call it `_%s`", d->name);
}

void front_tell_unused(struct compilation *c)
{
	struct using u = { .r = c->reading };

	strmap_init(&u.used, c->arena);
	strmap_init(&u.mentioned, c->arena);
	find_used(&u);
	find_unresolved(&u);
	for (size_t i = 0; i < c->uses.list.len; i++) {
		const struct use *d = &c->uses.list.at[i];

		if (d->at.file == c->reading->main_file && d->declared.file == d->at.file && d->at.from == d->declared.from)
			tell_if_unused(&u, d);
	}
}
