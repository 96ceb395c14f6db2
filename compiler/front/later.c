/*
 * later.c - what the grammar reads and no meaning stands behind yet. Refused
 * rather than passed over: a rule without its limit would admit more than was written.
 */
#include "compiler/front/reading.h"

static const struct later {
	enum node_kind kind;
	const char *word, *about;
} later_rows[] = {
	{ NODE_INVARIANT, "invariant", "a claim to be proved" },
	{ NODE_ORDER, "order", "a claim to be proved" },
};

static const struct later *later_find(const struct node *n)
{
	for (size_t i = 0; i < sizeof later_rows / sizeof *later_rows; i++)
		if (later_rows[i].kind == n->kind)
			return &later_rows[i];
	return NULL;
}

static void tell(struct reading *r, const struct node *n)
{
	const struct later *row = later_find(n);

	if (row) {
		diag_label(diag(r->diags, DIAG_NOT_YET, n->span, "`%s` is not part of this version of the language",
				row->word),
			   "%s", row->about);
		return;
	}
	if (n->kind == NODE_REFUSES)
		return; /* mistakes are what it is for */
	for (const struct node *c = n->first; c; c = c->next)
		tell(r, c);
}

void declare_later(struct reading *r)
{
	for (size_t i = 0; i < r->decls.len; i++)
		tell(r, r->decls.at[i]);
}
