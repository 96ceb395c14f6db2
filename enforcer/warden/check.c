#include "enforcer/warden/check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "enforcer/warden/blocks/blocks.h"

const char *part_name(enum part p)
{
	static const char *const names[PART_COUNT] = {
		[PART_NFT] = "nft",	    [PART_HOOKS] = "hooks", [PART_PROGRAM] = "program",
		[PART_POSTURE] = "posture", [PART_LINKS] = "links", [PART_PINS] = "pins",
	};

	return names[p];
}

/* An interface may have gone, with all that stood on it, and its event is still to come: nothing is amiss. */
static bool is_gone(const struct kernel *k, const struct port *p)
{
	return !route_has(k->route, p->ifindex);
}

static int check_tables(struct checked *c, struct generation *g, struct kernel *k, struct err *why)
{
	uint32_t number;
	int rc = filter_generation(k->filter, &number, why);

	snprintf(c->should, sizeof c->should, "%s", g->is.tables.hex);
	if (!rc && (!g->checked || number != g->checked_at)) {
		g->checked = false;
		rc = filter_digest(k->filter, bank_other(g->is.bank), &g->tables_now, why);
	}
	if (rc)
		return rc;
	snprintf(c->is, sizeof c->is, "%s", g->tables_now.hex);
	if (strcmp(c->is, c->should))
		return err_set(why, EUCLEAN, "nft: the tables " FILTER_NAME " were altered by somebody else");
	g->checked = true;
	g->checked_at = number;
	return 0;
}

static int check_hooks(struct checked *c, struct generation *g, struct kernel *k, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct filter_live live;
	uint32_t posture;
	int rc = filter_look(k->filter, &live, FILTER_WANT_CHAINS, a, why);

	snprintf(c->should, sizeof c->should, "%s", g->is.posture);
	if (!rc)
		rc = layout_posture(k->filter, &live, g->is.bank, &g->plan, LAYOUT_HERE, &posture, why);
	if (rc)
		return err_in(why, "nft");
	snprintf(c->is, sizeof c->is, "%s", g->plan.postures[posture].name);
	if (posture != g->posture)
		return err_set(why, EUCLEAN, "nft: the hooks select posture %s, not %s", g->plan.postures[posture].name,
			       g->is.posture);
	rc = layout_check_cookies(k->filter, &live, g->is.bank, why);
	if (rc)
		return rc;
	for (size_t i = 0; i < g->ports.len; i++)
		if (g->ports.at[i].engine == PORT_NFT && !layout_has_port(&live, g->is.bank, &g->ports.at[i]) &&
		    !is_gone(k, &g->ports.at[i]))
			return err_set(why, EUCLEAN, "nft: the hook on %s is gone", g->ports.at[i].name);
	return ports_use(&g->ports, PORT_NFT) ? blocks_check(k, g->is.bank, why) : 0;
}

static int check_program(struct checked *c, struct generation *g, struct kernel *k, struct err *why)
{
	static const char *const names[TEG_HOOKS] = { [TEG_HOOK_XDP] = "xdp", [TEG_HOOK_TC] = "tc" };
	int rc = 0;

	for (int hook = 0; g->tables && !rc && hook < TEG_HOOKS; hook++) {
		const uint32_t should = g->is.program[hook];
		uint32_t number = 0;

		if (!should)
			continue;
		rc = slot_read(kernel_slot(k, (enum teg_hook)hook), &number, why);
		snprintf(c->is, sizeof c->is, "%u", number);
		snprintf(c->should, sizeof c->should, "%u", should);
		if (!rc && number != should)
			rc = err_set(why, EUCLEAN, "%s: the program in the slot is number %u, not %u", names[hook], number,
				     should);
	}
	return rc;
}

static int check_posture(struct checked *c, struct generation *g, struct kernel *k, struct err *why)
{
	if (!g->tables)
		return 0;
	const uint32_t now = kernel_posture(k, g->is.bank);
	snprintf(c->is, sizeof c->is, "%u", now);
	snprintf(c->should, sizeof c->should, "%u", g->posture);
	return now == g->posture ? 0 : err_set(why, EUCLEAN, "xdp: teg_active says posture %u, not %u", now, g->posture);
}

typedef int look_xdp(struct xdp *x, uint32_t ifindex, struct xdp_link *out, struct err *why);

/* Is the anchor where the port has it, and first? */
static int check_link(const struct port *p, struct kernel *k, look_xdp *look, struct err *why)
{
	struct xdp_link xdp = { 0 };
	struct tc_link tc = { 0 };
	int rc = p->engine != PORT_TC ? look(k->xdp, p->ifindex, &xdp, why) :
		 k->tc		      ? tc_look(k->tc, p->ifindex, &tc, why) : 0;

	if (rc)
		return rc;
	if (!xdp.armed && !tc.armed)
		return err_set(why, EUCLEAN, "%s: the anchor on %s is gone", p->engine == PORT_TC ? "tc" : "xdp", p->name);
	if (tc.before)
		return err_set(why, EUCLEAN, "tc: somebody has put %u program%s before ours on %s, and what they accept it never sees",
			       tc.before, tc.before == 1 ? "" : "s", p->name);
	return 0;
}

static int check_every_link(struct checked *c, struct generation *g, struct kernel *k, look_xdp *look, struct err *why)
{
	size_t armed = 0, wanted = 0;
	int bad = 0;

	for (size_t i = 0; g->tables && i < g->ports.len; i++) {
		struct err one;
		int rc;

		if (g->ports.at[i].engine == PORT_NFT)
			continue;
		rc = check_link(&g->ports.at[i], k, look, &one);
		if (rc && is_gone(k, &g->ports.at[i]))
			continue;
		wanted++;
		armed += !rc;
		if (rc && !bad) {
			*why = one;
			bad = rc;
		}
	}
	if (!g->tables)
		return 0;
	snprintf(c->is, sizeof c->is, "%zu", armed);
	snprintf(c->should, sizeof c->should, "%zu", wanted);
	return bad;
}

static int check_links(struct checked *c, struct generation *g, struct kernel *k, struct err *why)
{
	return check_every_link(c, g, k, xdp_look, why);
}

static int check_pins(struct checked *c, struct generation *g, struct kernel *k, struct err *why)
{
	unsigned there;

	if (!g->tables)
		return 0;
	int rc = kernel_pins(k, &there, why);
	snprintf(c->is, sizeof c->is, "%u", there);
	snprintf(c->should, sizeof c->should, "%u", kernel_pins_wanted(k));
	return rc;
}

int check_lead(const struct generation *g, struct kernel *k, struct err *why)
{
	int rc = 0;

	for (size_t i = 0; k->tc && !rc && i < g->ports.len; i++) {
		const struct port *p = &g->ports.at[i];
		struct tc_link is = { 0 };

		if (p->engine != PORT_TC)
			continue;
		rc = tc_look(k->tc, p->ifindex, &is, why);
		if (!rc && is.armed && is.before)
			rc = tc_lead(k->tc, p->ifindex, why);
	}
	return rc;
}

bool check_is_unknown(int rc)
{
	return rc == -EBUSY || rc == -ENOMEM || rc == -ENOBUFS || rc == -EAGAIN || rc == -EMFILE || rc == -ENFILE;
}

int check_parts(struct checked out[static PART_COUNT], struct generation *g, struct kernel *k, struct err *why)
{
	static int (*const checks[PART_COUNT])(struct checked *, struct generation *, struct kernel *, struct err *) = {
		[PART_NFT] = check_tables,     [PART_HOOKS] = check_hooks, [PART_PROGRAM] = check_program,
		[PART_POSTURE] = check_posture, [PART_LINKS] = check_links, [PART_PINS] = check_pins,
	};
	int first = 0;

	memset(out, 0, PART_COUNT * sizeof *out);
	for (unsigned p = 0; p < PART_COUNT; p++) {
		struct err one = { 0 };
		int rc = checks[p](&out[p], g, k, &one);

		if (!rc)
			continue;
		snprintf(out[p].fault, sizeof out[p].fault, "%s%.230s", check_is_unknown(rc) ? "it is not known: " : "", one.text);
		if (!first || (check_is_unknown(first) && !check_is_unknown(rc))) {
			first = rc;
			*why = one;
		}
	}
	if (!check_is_unknown(first))
		g->unknown_since = 0;
	else if (!g->unknown_since)
		g->unknown_since = (uint64_t)time(NULL);
	return first;
}

int check_all(struct generation *g, struct kernel *k, struct err *why)
{
	struct checked parts[PART_COUNT];

	return check_parts(parts, g, k, why);
}

static int check_hook(const struct generation *g, struct kernel *k, const struct port *p, struct err *why)
{
	return layout_check_port(k->filter, g->is.bank, g->plan.postures[g->posture].name, p, why);
}

static int check_ingress(const struct generation *g, struct kernel *k, struct err *why)
{
	for (size_t i = 0; i < g->ports.len; i++) {
		const struct port *p = &g->ports.at[i];
		int rc = p->engine == PORT_NFT ? check_hook(g, k, p, why) : 0;

		if (rc && !is_gone(k, p))
			return rc;
	}
	return 0;
}

int check_port(const struct generation *g, struct kernel *k, const struct port *p, struct err *why)
{
	int rc = p->engine == PORT_NFT ? check_hook(g, k, p, why) : check_link(p, k, xdp_look_link, why);

	return rc && is_gone(k, p) ? 0 : rc;
}

int check_arrivals(struct generation *g, struct kernel *k, struct err *why)
{
	struct checked part;
	int rc = check_program(&part, g, k, why);

	if (!rc)
		rc = check_every_link(&part, g, k, xdp_look_link, why);
	return rc ? rc : check_ingress(g, k, why);
}
