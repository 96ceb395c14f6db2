/*
 * links.c - interfaces that come, go or are renamed while a generation is in force.
 */
#include "enforcer/warden/generation/parts.h"

#include <string.h>

#include "enforcer/warden/generation/content.h"
#include "lang/bundle/bundle.h"

/* Layers 1 to 3 for nft, when no port needed them so far: from the bundle that was kept. */
static int load_epiderme(struct generation *g, struct kernel *k, struct err *why)
{
	own(buf) struct buf bytes = { 0 };
	own(content) struct content c = { 0 };
	int rc = state_read_bundle(&bytes, k->settings->state_dir, &g->is.bundle, why);

	if (!rc)
		rc = bundle_open(&c.bundle, bytes.at, bytes.len, why);
	if (!rc)
		rc = content_batch(&c.epiderme, c.bundle, "nft/epiderme.batch", why);
	if (rc)
		return rc;
	batch_place(&c.epiderme, g->is.bank);
	return generation_put_batch(k, &c.epiderme, g->is.bank, false, why);
}

/* New hooks before old ones go: a port that changes engines is judged twice for a moment, never not at all. */
static int follow_filter_once(struct generation *g, struct kernel *k, const struct ports *now, bool *changed, struct err *why)
{
	own(sight) struct sight seen = { 0 };
	int rc = sight_look(&seen, k->filter, FILTER_WANT_CHAINS, why);

	if (!rc && ports_use(now, PORT_NFT) && !layout_has_epiderme(&seen.live, g->is.bank)) {
		rc = load_epiderme(g, k, why);
		*changed = true;
	}
	if (rc)
		return rc;
	generation_carry(k, g->is.bank, &g->plan, now, !ports_use(&g->ports, PORT_NFT));
	layout_drop_ports(&seen.change, &seen.live, g->is.bank, now);
	for (size_t i = 0; i < now->len; i++)
		if (now->at[i].engine == PORT_NFT && !now->at[i].left && !layout_has_port(&seen.live, g->is.bank, &now->at[i]))
			layout_hook_port(&seen.change, g->is.bank, g->is.posture, &now->at[i], LAYOUT_HERE);
	return filter_commit(k->filter, &seen.change, why);
}

static int follow_filter(struct generation *g, struct kernel *k, struct ports *now, bool *changed, struct err *why)
{
	const struct port_hooks hooks = kernel_hooks(k);
	int rc = follow_filter_once(g, k, now, changed, why);

	while (rc && ports_forget_gone(now, &hooks))
		rc = follow_filter_once(g, k, now, changed, why);
	return rc;
}

static int follow_zones(struct generation *g, const struct ports *now, struct err *why)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < now->len; i++)
		rc = tables_set_zone(g->tables, now->at[i].ifindex, now->at[i].zones, why);
	for (size_t i = 0; !rc && i < g->ports.len; i++)
		if (!ports_find(now, g->ports.at[i].ifindex))
			rc = tables_set_zone(g->tables, g->ports.at[i].ifindex, 0, why);
	return rc;
}

/* TC's program, when no port needed it so far: from the bundle that was kept. What is in its slot is of no use to anyone yet. */
static int load_tc(struct generation *g, struct kernel *k, struct err *why)
{
	own(buf) struct buf bytes = { 0 };
	own(bundle) struct bundle *b = NULL;
	int rc = generation_bundle(&b, &bytes, g, k, why);

	if (!rc)
		rc = generation_join_tc(g, b, why);
	return rc ? rc : slot_put(k->shared.tc_slots, tables_program(g->tables, TEG_HOOK_TC), why);
}

static void follow_tc(struct generation *g, struct kernel *k, struct ports *now, bool *changed)
{
	const struct port_hooks hooks = kernel_hooks(k);
	struct err why;

	if (!ports_use(now, PORT_TC) || g->is.program[TEG_HOOK_TC])
		return;
	*changed = true;
	if (!load_tc(g, k, &why))
		return;
	ports_without_tc(now, &hooks, why.text);
	g->is.program[TEG_HOOK_TC] = 0;
}

/* What others took away, and is only told of, is not put back because the interface changed. */
static void leave_lost(struct ports *now, const struct ports *before)
{
	for (size_t i = 0; i < now->len; i++) {
		struct port *p = &now->at[i];
		const struct port *was = ports_find(before, p->ifindex);

		if (!was || !was->left)
			continue;
		p->left = true;
		p->engine = was->engine;
		memcpy(p->reason, was->reason, sizeof p->reason);
	}
}

int generation_follow_links(struct generation *g, struct kernel *k, struct state *s, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct port_wish wish = generation_wish(g, k, &g->ports, false);
	struct links links;
	struct ports now;
	bool changed = false;
	int rc = route_links(k->route, &links, a, why);

	if (rc)
		return rc;
	ports_match(&now, &g->plan, &links, a);
	leave_lost(&now, &g->ports);
	ports_choose(&now, &wish, why);
	if (g->tables) {
		follow_tc(g, k, &now, &changed);
		rc = follow_zones(g, &now, why);
	}
	if (!rc) {
		generation_carry(k, g->is.bank, &g->plan, &now, !ports_use(&g->ports, PORT_NFT));
		rc = ports_arm(&now, &wish.hooks, why);
	}
	if (!rc)
		rc = follow_filter(g, k, &now, &changed, why);
	if (rc)
		return rc;
	arena_free(g->ports_arena);
	g->ports_arena = take(a);
	g->ports = now;
	generation_leave_others(g, k);
	if (!changed)
		return 0;
	rc = filter_digest(k->filter, bank_other(g->is.bank), &g->is.tables, why);
	s->now = g->is;
	if (!rc)
		state_note(s, k->settings->state_dir);
	return rc;
}
