/*
 * posture.c - from one posture of the generation in force to another.
 */
#include "enforcer/warden/generation/parts.h"

#include <stdio.h>

#include "enforcer/warden/hurry.h"
#include "lang/base/memory.h"

/* Do layers 1 to 3 judge alike in both? Then layer 4 alone changes, in one transaction, and no bridge is needed. */
static bool first_layers_agree(const struct plan *p, uint32_t a, uint32_t b)
{
	for (uint32_t i = 0; i < p->rule_count; i++)
		if ((p->rules[i].except >> a & 1) != (p->rules[i].except >> b & 1))
			return false;
	return true;
}

static int select_posture(struct generation *g, struct kernel *k, const struct filter_live *live, uint32_t posture,
			  struct err *why)
{
	own(filter_change) struct filter_change c = { 0 };

	layout_select(&c, live, g->is.bank, g->plan.postures[posture].name);
	layout_drop_next(&c, live);
	return filter_commit(k->filter, &c, why);
}

/*
 * A closed posture's drop in the first hook is layer 4's own, taken early: whichever of the two a
 * packet meets, the new posture's rules or the old one's early drop, it gets a whole posture's
 * verdict. So layer 4 goes first, and the word follows.
 */
static int switch_at_once(struct generation *g, struct kernel *k, const struct filter_live *live, uint32_t posture,
			  struct err *why)
{
	int rc = select_posture(g, k, live, posture, why);

	if (!rc)
		kernel_set_posture(k, g->is.bank, posture);
	return rc;
}

/* Whatever stands beside the hooks goes with it, whoever put it there. */
static int select_again(struct generation *g, struct kernel *k, uint32_t posture, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct filter_live live;
	int rc = filter_look(k->filter, &live, FILTER_WANT_CHAINS, a, why);

	return rc ? rc : select_posture(g, k, &live, posture, why);
}

static int step_back(struct generation *g, struct kernel *k, int rc)
{
	struct err ignored;

	kernel_set_posture(k, g->is.bank, g->posture);
	kernel_wait_for_packets();
	select_again(g, k, g->posture, &ignored);
	return rc;
}

/* All that is slow, the look at what stands and the making of messages, comes before both postures judge. */
static int switch_bridged(struct generation *g, struct kernel *k, const struct filter_live *live, uint32_t posture,
			  struct err *why)
{
	const char bank = g->is.bank, *name = g->plan.postures[posture].name;
	own(filter_change) struct filter_change both = { 0 }, one = { 0 };

	layout_drop_next(&both, live);
	layout_hook(&both, bank, name, &g->ports, LAYOUT_NEXT);
	layout_select(&one, live, bank, name);
	layout_unhook(&one, bank, &g->ports, LAYOUT_NEXT);

	own(hurry) struct hurry h = hurry_begin(&k->switch_ns);
	int rc = filter_commit(k->filter, &both, why);
	if (rc)
		return rc;
	kernel_set_posture(k, bank, posture);
	kernel_wait_for_packets();
	if (!filter_commit(k->filter, &one, why))
		return 0;
	rc = select_again(g, k, posture, why); /* somebody else has changed the hooks meanwhile */
	return rc ? step_back(g, k, rc) : 0;
}

static bool posture_stands(const struct generation *g, struct kernel *k, const struct filter_live *live)
{
	uint32_t now;
	struct err differs;

	return !layout_posture(k->filter, live, g->is.bank, &g->plan, LAYOUT_HERE, &now, &differs) &&
	       now == g->posture && (!g->tables || kernel_posture(k, g->is.bank) == g->posture);
}

struct setting {
	struct generation *g;
	struct kernel *k;
	uint32_t posture;
	struct err *why;
	int rc;
};

static int set_posture(struct generation *g, struct kernel *k, uint32_t posture, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct filter_live live;
	int rc = filter_look(k->filter, &live, FILTER_WANT_CHAINS, a, why);

	if (rc)
		return rc;
	if (posture == g->posture && posture_stands(g, k, &live))
		return 0;
	if (first_layers_agree(&g->plan, g->posture, posture))
		rc = switch_at_once(g, k, &live, posture, why);
	else
		rc = switch_bridged(g, k, &live, posture, why);
	if (rc)
		return rc;
	g->posture = posture;
	snprintf(g->is.posture, sizeof g->is.posture, "%s", g->plan.postures[posture].name);
	return generation_cut_flows(g, k, why);
}

static void set_all(void *context)
{
	struct setting *s = context;
	const struct port_hooks hooks = kernel_hooks(s->k);

	s->rc = set_posture(s->g, s->k, s->posture, s->why);
	while (s->rc && s->g->posture != s->posture && ports_forget_gone(&s->g->ports, &hooks))
		s->rc = set_posture(s->g, s->k, s->posture, s->why);
}

/* As a commit: it must not end between its steps for want of memory. */
int generation_set_posture(struct generation *g, struct kernel *k, uint32_t posture, struct err *why)
{
	struct setting s = { g, k, posture, why, 0 };

	memory_finish(set_all, &s);
	return s.rc;
}
