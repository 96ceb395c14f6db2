#include "compiler/emit/nft/lower.h"

#include <errno.h>
#include <string.h>

#include "compiler/emit/nft/nft.h"
#include "compiler/emit/nft/layers.h"
#include "lang/bundle/nft_name.h"

/* A posture's name is part of its chains' names, beside which ours stand. The front end lets no others by. */
static int names_hold(const struct ir *ir, struct arena *a, struct err *why)
{
	for (size_t i = 0; i < ir->posture_count; i++) {
		const char *name = ir->postures[i].name;

		if (!strcmp(name, "pre") || !strcmp(name, "hook"))
			return err_set(why, EINVAL, "a posture cannot be named %s: nft chains of that name are there for all", name);
		if (!*name || !nft_chain_name_holds(arena_printf(a, "a_epiderme_%s", name)))
			return err_set(why, EINVAL, "posture %.40s: nft takes no such name for a chain", name);
	}
	return 0;
}

static struct nft_maker maker_of(const struct ir *ir, struct nft_table *t, uint32_t *next_id, struct err *why)
{
	struct nft_maker mk = { .ir = ir, .arena = t->arena, .table = t, .next_id = next_id, .why = why };

	strmap_init(&mk.counters, mk.arena);
	strmap_init(&mk.sets, mk.arena);
	strmap_init(&mk.chains, mk.arena);
	strmap_init(&mk.blocks, mk.arena);
	return mk;
}

int nft_lower(struct nft_ruleset *out, const struct ir *ir, struct arena *a, struct err *why)
{
	uint32_t next_id = 1; /* over both tables: they may go in one transaction */
	int rc = names_hold(ir, a, why);

	if (rc)
		return rc;
	out->inet = (struct nft_table){ .kind = NFT_TABLE_INET, .arena = a };
	out->netdev = (struct nft_table){ .kind = NFT_TABLE_NETDEV, .arena = a };

	struct nft_maker inet = maker_of(ir, &out->inet, &next_id, why);
	rc = nft_lower_inet(&inet);
	if (rc)
		return rc;
	out->inet.by_id = inet.counters;
	out->inet.by_name = inet.sets;
	struct nft_maker netdev = maker_of(ir, &out->netdev, &next_id, why);
	rc = nft_lower_netdev(&netdev);
	out->netdev.by_id = netdev.counters;
	out->netdev.by_name = netdev.sets;
	return rc;
}

/* --- base chains, as text has them ----------------------------------------------- */

static void hook_inet(struct nft_ruleset *rs, const struct ir *ir, enum direction d)
{
	static const char *const hooks[DIRECTION_COUNT] = { "input", "forward", "output" };
	struct nft_maker mk = maker_of(ir, &rs->inet, NULL, NULL);
	const char *way = direction_name(d);
	struct nft_chain *c = nft_chain_new(&mk, arena_printf(mk.arena, "hook_%s", way),
					    "made by the warden: the active posture");
	struct nft_hook *h = arena_zero(mk.arena, sizeof *h);
	struct nft_rule pre = { 0 }, posture = { 0 };

	*h = (struct nft_hook){ .hook = hooks[d], .priority = NFT_PRIORITY_A, .drops = true };
	c->hook = h;
	nft_ends_in(&mk, &pre, NFT_FATE_JUMP, arena_printf(mk.arena, "%c_pre_%s", BATCH_BANK, way));
	nft_put_rule(&mk, c, pre, NULL);
	nft_ends_in(&mk, &posture, NFT_FATE_GOTO,
		    arena_printf(mk.arena, "%c_%s_%s", BATCH_BANK, ir->postures[ir->initial].name,
				 way));
	nft_put_rule(&mk, c, posture, NULL);
}

/* What is answered for servers behind, where the batch has it. */
static void hook_cookies(struct nft_ruleset *rs, const struct ir *ir)
{
	struct nft_maker mk = maker_of(ir, &rs->inet, NULL, NULL);
	struct nft_hook *h = arena_zero(mk.arena, sizeof *h);
	struct nft_rule to = { 0 };

	if (!ir->cookies.count)
		return;
	struct nft_chain *c = nft_chain_new(&mk, "hook_" NFT_COOKIES, "made by the warden: behind everybody's filters");
	*h = (struct nft_hook){ .hook = "forward", .priority = NFT_PRIORITY_COOKIES, .drops = true };
	c->hook = h;
	nft_ends_in(&mk, &to, NFT_FATE_GOTO, "@_" NFT_COOKIES);
	nft_put_rule(&mk, c, to, NULL);
}

/* Interfaces that a zone names outright; a pattern is followed by the warden alone. */
static void hook_devices(struct nft_ruleset *rs, const struct ir *ir, struct nft_hook *h)
{
	VEC(const char *) devices = { 0 };

	for (size_t z = 0; z < ir->zone_count; z++)
		for (size_t i = 0; i < ir->zones[z].pattern_count; i++)
			if (!strchr(ir->zones[z].patterns[i], '*'))
				vec_push(rs->netdev.arena, &devices, ir->zones[z].patterns[i]);
	h->devices = devices.at;
	h->device_count = devices.len;
}

static void hook_netdev(struct nft_ruleset *rs, const struct ir *ir)
{
	struct nft_maker mk = maker_of(ir, &rs->netdev, NULL, NULL);
	struct nft_hook *h = arena_zero(mk.arena, sizeof *h);
	struct nft_rule posture = { 0 };

	*h = (struct nft_hook){ .hook = "ingress", .priority = NFT_PRIORITY_A };
	hook_devices(rs, ir, h);
	if (!h->device_count)
		return;

	struct nft_chain *c = nft_chain_new(&mk, "hook_ingress",
					    "made by the warden, on the interfaces of the zones: "
					    "here those named without a '*'");
	c->hook = h;
	nft_ends_in(&mk, &posture, NFT_FATE_GOTO,
		    arena_printf(mk.arena, "%c_epiderme_%s", BATCH_BANK,
				 ir->postures[ir->initial].name));
	nft_put_rule(&mk, c, posture, NULL);
}

void nft_hook_up(struct nft_ruleset *rs, const struct ir *ir)
{
	for (int d = 0; d < DIRECTION_COUNT; d++)
		hook_inet(rs, ir, (enum direction)d);
	hook_cookies(rs, ir);
	hook_netdev(rs, ir);
}
