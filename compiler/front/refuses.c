/*
 * refuses.c - does the policy become a wrong one when some more declarations stand in it?
 */
#include <string.h>

#include "compiler/front/reading.h"

/* The declarations as they were decided on, without tests, and the others behind them. */
static void take_decls(struct reading *r, const struct reading *policy, const struct pol_case *asked)
{
	for (size_t i = 0; i < policy->decls.len; i++)
		if (policy->decls.at[i]->kind != NODE_TEST)
			vec_push(r->arena, &r->decls, policy->decls.at[i]);
	for (size_t i = 0; i < asked->decl_count; i++)
		vec_push(r->arena, &r->decls, asked->decls[i]);
}

bool front_refuses(struct compilation *c, const struct pol_case *asked, const char **told)
{
	struct diags *ds = arena_zero(c->arena, sizeof *ds);
	struct reading *r = arena_zero(c->arena, sizeof *r);

	ds->arena = c->arena;
	*r = (struct reading){ .c = c, .arena = c->arena, .said = c->said, .trees = c->sources.trees, .diags = ds };
	take_decls(r, c->reading, asked);
	reading_mean(r, c->reading->policy->name);
	diags_sort(ds);
	*told = NULL;
	for (size_t i = 0; i < ds->list.len; i++) {
		const struct diag *d = ds->list.at[i];

		if (!strcmp(diag_kinds[d->code].code, asked->code))
			return true;
		if (d->severity == SEVERITY_ERROR && !*told)
			*told = diag_kinds[d->code].code;
	}
	return false;
}
