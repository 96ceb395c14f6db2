#include "compiler/report/findings/clashes.h"

#include "lang/syntax/source.h"

/* "drop", "allow by `web_in`" */
static const char *expected(struct arena *a, const struct pol_case *c)
{
	return c->by ? arena_printf(a, "%s by `%s`", verdict_name(c->verdict), c->by) : verdict_name(c->verdict);
}

static struct span place(const struct pol_case *c)
{
	return c->kind == CASE_PACKETS ? c->packet.span : c->span;
}

static void report_clash(struct diags *to, const struct clash *c)
{
	const struct pol_case *one = c->first.said, *two = c->second.said;
	struct diag *g = diag(to, DIAG_TEST_CLASH, place(two), "test \"%s\" expects of a packet what test \"%s\" excludes",
			      c->second.test->name, c->first.test->name);

	diag_label(g, "%s", expected(to->arena, two));
	diag_at(g, place(one), "%s", expected(to->arena, one));
	if (c->example)
		diag_note(g, "for example: %s", c->example);
	if (c->got.why && c->got.rule && span_is_somewhere(c->got.rule->span))
		diag_at(g, c->got.rule->span, "`%s` decides it: %s", c->got.why, verdict_name(c->got.verdict));
	else if (c->got.why)
		diag_note(g, "`%s` decides it: %s", c->got.why, verdict_name(c->got.verdict));
	diag_help(g, "one of the two always fails: say which one is meant");
}

void report_clashes(struct diags *to, const struct clash_list *all)
{
	for (size_t i = 0; i < all->len; i++)
		report_clash(to, &all->at[i]);
}
