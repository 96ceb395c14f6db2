#include "enforcer/warden/generation/parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "enforcer/proc/say.h"
#include "enforcer/warden/blocks/blocks.h"
#include "enforcer/warden/feeds/feeds.h"
#include "lang/base/memory.h"
#include "lang/bundle/bundle.h"

void generation_free(struct generation *g)
{
	if (!g)
		return;
	tables_free(g->tables);
	arena_free(g->ports_arena);
	arena_free(g->arena);
	free(g);
}

struct generation *generation_new(void)
{
	own(generation) struct generation *g = calloc(1, sizeof *g);

	if (!g)
		return NULL;
	g->arena = arena_new();
	g->ports_arena = arena_new();
	return take(g);
}

uint32_t generation_posture_find(const struct plan *p, const char *name)
{
	for (uint32_t i = 0; i < p->posture_count; i++)
		if (!strcmp(p->postures[i].name, name))
			return i;
	return UINT32_MAX;
}

void generation_path(char out[static 300], const struct kernel *k, const char *name)
{
	snprintf(out, 300, "%s/%s", k->settings->state_dir, name);
}

void generation_next_tc(char out[static 4096], const struct kernel *k)
{
	snprintf(out, 4096, "%s/next_tc", k->settings->pin_dir);
}

struct port_wish generation_wish(const struct generation *g, const struct kernel *k, const struct ports *before, bool strict)
{
	return (struct port_wish){
		.hooks = g->tables ? kernel_hooks(k) : (struct port_hooks){ .route = k->route }, .asked = k->settings->judge,
		.without = g->without, .without_tc = k->without_tc, .before = before, .strict = strict,
	};
}

int generation_refuse(struct refusal *no, enum result_code code, const char *part)
{
	no->code = code;
	no->part = part;
	return no->why.code;
}

int generation_bundle(struct bundle **out, struct buf *bytes, const struct generation *g, const struct kernel *k, struct err *why)
{
	int rc = state_read_bundle(bytes, k->settings->state_dir, &g->is.bundle, why);

	return rc ? rc : bundle_open(out, bytes->at, bytes->len, why);
}

int generation_put_batch(struct kernel *k, const struct batch *b, char bank, bool clear, struct err *why)
{
	own(sight) struct sight seen = { 0 };
	int rc = sight_look(&seen, k->filter, FILTER_WANT_CHAINS, why);

	if (rc)
		return rc;
	if (clear)
		layout_clear(&seen.change, &seen.live, bank);
	filter_change_batch(&seen.change, b);
	return filter_commit_loose(k->filter, &seen.change, why);
}

static bool is_xdp_port(uint32_t ifindex, void *context)
{
	const struct port *p = ports_find(context, ifindex);

	return p && port_has_xdp(p);
}

static bool is_tc_port(uint32_t ifindex, void *context)
{
	const struct port *p = ports_find(context, ifindex);

	return p && p->engine == PORT_TC;
}

void generation_leave_others(struct generation *g, struct kernel *k)
{
	struct err ignored;

	if (!k->xdp)
		return;
	xdp_leave_others(k->xdp, is_xdp_port, &g->ports);
	if (k->tc)
		tc_leave_others(k->tc, is_tc_port, &g->ports);
	for (int hook = 0; hook < TEG_HOOKS; hook++)
		if (!g->is.program[hook])
			slot_clear(kernel_slot(k, (enum teg_hook)hook), &ignored);
	kernel_end_older(k);
}

void generation_carry(struct kernel *k, char bank, const struct plan *p, const struct ports *ports, bool settled)
{
	struct block_engines to = { .nft = ports_use(ports, PORT_NFT), .settled = settled, .bank = bank };
	struct err why;

	for (size_t i = 0; i < ports->len; i++)
		to.programs = to.programs || ports->at[i].engine != PORT_NFT;
	if (blocks_carry(k, &to, &why))
		say("%s", why.text);
	if (k->feeds && p->feed_count && feeds_fill(k, p, &why))
		say("%s", why.text);
}

int generation_cut_flows(const struct generation *g, struct kernel *k, struct err *why)
{
	if (g->plan.postures[g->posture].established != ESTABLISHED_CUT)
		return 0;
	return filter_flush_conntrack(k->filter, why);
}
