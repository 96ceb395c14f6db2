#include "compiler/report/changes/owners.h"

#include <string.h>

#include "compiler/report/allow.h"

static bool uses_owners(const struct ir *ir, const struct allowances *all)
{
	for (size_t i = 0; i < all->len; i++)
		if (all->at[i].what.owner)
			return true;
	return ir->policy && ir->policy->owner;
}

static bool has(const struct allowances *all, const struct allowance_said *one)
{
	for (size_t i = 0; i < all->len; i++)
		if (all->at[i].code == one->code && !strcmp(all->at[i].what.reason, one->what.reason) && !all->at[i].what.owner)
			return true;
	return false;
}

const struct diff *report_owners(const struct diff *d, struct compilation *old, struct compilation *new,
				 const struct ir *was, const struct ir *is)
{
	struct allowances before = allowances_said(old), after = allowances_said(new);
	struct arena *a = new->arena;
	struct diff *out = arena_copy(a, d, sizeof *d);
	VEC(struct fact) facts = { 0 };

	if (!uses_owners(was, &before) && !uses_owners(is, &after))
		return d;
	for (size_t i = 0; i < d->fact_count; i++)
		vec_push(a, &facts, d->facts[i]);
	for (size_t i = 0; i < after.len; i++) {
		const struct allowance_said *one = &after.at[i];
		struct fact f = { .kind = FACT_OWNER, .risk = RISK_LOW, .flags = 1u << FLAG_NO_OWNER, .before = "absent" };

		if (one->what.owner || has(&before, one))
			continue;
		f.what = arena_printf(a, "allowance of %s", diag_kinds[one->code].code);
		f.after = arena_printf(a, "\"%s\", without an owner", one->what.reason);
		vec_push(a, &facts, f);
	}
	out->facts = facts.at;
	out->fact_count = facts.len;
	return out;
}
