#include "enforcer/hook/ports.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>
#include <linux/if_arp.h>

#include "enforcer/hook/slot.h"

const char *port_engine_name(enum port_engine e)
{
	static const char *const names[PORT_ENGINES] = {
		[PORT_NATIVE] = "xdp-native", [PORT_GENERIC] = "xdp-generic", [PORT_TC] = "tc", [PORT_NFT] = "nft",
	};

	return names[e];
}

/* ---- which interfaces ------------------------------------------------------------ */

static bool is_outright(const char *pattern)
{
	size_t len = strlen(pattern);

	return !len || pattern[len - 1] != '*';
}

static bool pattern_has(const char *pattern, const char *name)
{
	return is_outright(pattern) ? !strcmp(pattern, name) : !strncmp(pattern, name, strlen(pattern) - 1);
}

static uint64_t zones_of(const struct plan *plan, const char *name)
{
	uint64_t zones = 0;

	for (uint32_t z = 0; z < plan->zone_count; z++)
		for (uint32_t i = 0; i < plan->zones[z].pattern_count; i++)
			if (pattern_has(plan->zones[z].patterns[i], name))
				zones |= 1ull << z;
	return zones;
}

static const struct link *links_find(const struct links *links, uint32_t ifindex)
{
	for (size_t i = 0; i < links->len; i++)
		if (links->at[i].ifindex == ifindex)
			return &links->at[i];
	return NULL;
}

/* As what layer 4 sees the port, where its zones do not have that. */
static void see_as(struct port *p, const struct plan *plan, const struct links *links, uint32_t master)
{
	const struct link *as = master ? links_find(links, master) : NULL;

	if (as && p->zones & ~zones_of(plan, as->name))
		snprintf(p->seen_as, sizeof p->seen_as, "%s", as->name);
}

/* A name, and that there are more. */
static void judged_again(struct ports *all, uint32_t below, uint32_t above)
{
	struct port *p = below ? ports_find(all, below) : NULL;
	const struct port *again = above ? ports_find(all, above) : NULL;

	if (!p || !again)
		return;
	if (!*p->again)
		snprintf(p->again, sizeof p->again, "%s", again->name);
	else if (!strchr(p->again, ','))
		strcat(p->again, ", …");
}

static void see_again(struct ports *p, const struct links *links)
{
	for (size_t i = 0; i < links->len; i++) {
		judged_again(p, links->at[i].ifindex, links->at[i].master);
		judged_again(p, links->at[i].carrier, links->at[i].ifindex);
	}
}

void ports_match(struct ports *out, const struct plan *plan, const struct links *links, struct arena *a)
{
	*out = (struct ports){ .at = arena_zero(a, (links->len + 1) * sizeof *out->at) };
	for (size_t i = 0; i < links->len; i++) {
		uint64_t zones = strcmp(links->at[i].name, "lo") ? zones_of(plan, links->at[i].name) : 0;
		struct port *p = &out->at[out->len];

		if (!zones)
			continue;
		*p = (struct port){ .ifindex = links->at[i].ifindex, .zones = zones, .engine = PORT_NFT,
				    .has_ethernet = links->at[i].type == ARPHRD_ETHER };
		snprintf(p->name, sizeof p->name, "%s", links->at[i].name);
		see_as(p, plan, links, links->at[i].master);
		out->len++;
	}
	see_again(out, links);
}

static bool links_have(const struct links *links, const char *name)
{
	for (size_t i = 0; i < links->len; i++)
		if (!strcmp(links->at[i].name, name))
			return true;
	return false;
}

const char *ports_missing(const struct plan *plan, const struct links *links, uint32_t *zone, uint32_t *pattern)
{
	for (; *zone < plan->zone_count; ++*zone, *pattern = 0)
		while (*pattern < plan->zones[*zone].pattern_count) {
			const char *name = plan->zones[*zone].patterns[(*pattern)++];
			if (is_outright(name) && !links_have(links, name))
				return name;
		}
	return NULL;
}

int ports_are_there(const struct plan *plan, const struct links *links, struct err *why)
{
	uint32_t zone = 0, pattern = 0;
	const char *name = ports_missing(plan, links, &zone, &pattern);

	if (!name)
		return 0;
	return err_set(why, ENODEV, "zone %s names the interface %s, which is not there: create it, name another in the "
		       "policy, or write a pattern such as \"%.*s*\" for one that comes later",
		       plan->zones[zone].name, name, (int)(strlen(name) > 1 ? strlen(name) - 1 : 1), name);
}

struct port *ports_find(const struct ports *p, uint32_t ifindex)
{
	for (size_t i = 0; i < p->len; i++)
		if (p->at[i].ifindex == ifindex)
			return &p->at[i];
	return NULL;
}

bool ports_use(const struct ports *p, enum port_engine e)
{
	for (size_t i = 0; i < p->len; i++)
		if (p->at[i].engine == e)
			return true;
	return false;
}

/* ---- which engine --------------------------------------------------------------------- */

static void choose(struct port *p, enum port_engine e, const char *reason)
{
	p->engine = e;
	snprintf(p->reason, sizeof p->reason, "%.190s", reason);
}

static enum port_engine engine_of(enum xdp_mode mode)
{
	return mode == XDP_NATIVE ? PORT_NATIVE : PORT_GENERIC;
}

/* Why it was attached, as far as this process knows. */
static const char *kept_reason(const struct port *p, const struct port_wish *wish, enum port_engine has)
{
	const struct port *before = wish->before ? ports_find(wish->before, p->ifindex) : NULL;

	if (wish->asked == ENGINE_NATIVE || wish->asked == ENGINE_GENERIC)
		return "asked for";
	if (before && before->engine == has)
		return before->reason;
	return has == PORT_NATIVE ? "the driver runs XDP" : "attached by an earlier start";
}

/* An attached anchor stays where it is: detaching it would leave a gap. */
static int keep_link(struct port *p, const struct xdp_link *is, const struct port_wish *wish, struct err *why)
{
	const enum port_engine has = engine_of(is->mode);
	const enum engine asked = wish->asked;

	if ((asked == ENGINE_NATIVE && has != PORT_NATIVE) || (asked == ENGINE_GENERIC && has != PORT_GENERIC))
		return err_set(why, EBUSY, "%s has %s since an earlier start, and the two exclude each other: start once "
			       "with --engine nft, then with --engine %s", p->name, port_engine_name(has),
			       engine_name(asked));
	choose(p, has, kept_reason(p, wish, has));
	p->waits = !is->armed;
	p->joined = !is->judges;
	return 0;
}

static int join_one(struct port *p, struct xdp *x, enum xdp_mode mode, struct err *why)
{
	int rc = xdp_join(x, p->ifindex, mode, why);

	p->waits = p->joined = !rc;
	return rc;
}

/* What stands behind ours is told: it meets only what ours lets by. */
static void choose_tc_beside(struct port *p, struct tc *t, const char *reason)
{
	const unsigned others = tc_others(t, p->ifindex);
	char beside[sizeof p->reason];

	snprintf(beside, sizeof beside, "%.130s; before %u other program%s of this hook", reason, others, others == 1 ? "" : "s");
	choose(p, PORT_TC, others ? beside : reason);
}

static int join_tc(struct port *p, const struct port_wish *wish, const char *reason, struct err *why)
{
	struct tc *t = wish->hooks.tc;
	struct tc_link is = { 0 };
	int rc = t ? tc_look(t, p->ifindex, &is, why) : err_set(why, ENOTSUP, "%s", wish->without_tc);

	if (!rc && !is.there) {
		rc = tc_join(t, p->ifindex, why);
		if (!rc)
			rc = tc_look(t, p->ifindex, &is, why);
	}
	if (rc)
		return rc;
	p->waits = !is.armed;
	p->joined = !is.judges;
	choose_tc_beside(p, t, reason);
	return 0;
}

/* Native, else generic, else TC, else nft: each time with what stood in the way of the better one. */
static void choose_best(struct port *p, const struct port_wish *wish)
{
	struct err native = { 0 }, generic = { 0 }, tc = { 0 };
	char reason[sizeof p->reason];

	if (!join_one(p, wish->hooks.xdp, XDP_NATIVE, &native)) {
		choose(p, PORT_NATIVE, "the driver runs XDP");
		return;
	}
	if (native.code != -EBUSY && !join_one(p, wish->hooks.xdp, XDP_GENERIC, &generic)) {
		snprintf(reason, sizeof reason, "%.180s", native.text);
		choose(p, PORT_GENERIC, reason);
		return;
	}
	snprintf(reason, sizeof reason, "%.120s%s%.60s", native.text, *generic.text ? "; " : "", generic.text);
	if (!join_tc(p, wish, reason, &tc))
		return;
	snprintf(reason, sizeof reason, "%.60s%s%.50s; %.70s", native.text, *generic.text ? "; " : "", generic.text, tc.text);
	choose(p, PORT_NFT, reason);
}

static int join_xdp(struct port *p, const struct port_wish *wish, enum xdp_mode mode, struct err *why)
{
	int rc = join_one(p, wish->hooks.xdp, mode, why);

	choose(p, mode == XDP_NATIVE ? PORT_NATIVE : PORT_GENERIC, "asked for");
	return rc ? err_in(why, "%s cannot have --engine %s", p->name, engine_name(wish->asked)) : 0;
}

static int choose_one(struct port *p, const struct port_wish *wish, struct err *why)
{
	static const char no_ethernet[] = "its frames have no Ethernet header, and only nft reads them";
	struct xdp_link is = { 0 };
	int rc = 0;

	if (!wish->hooks.xdp || wish->asked == ENGINE_NFT) {
		choose(p, PORT_NFT, wish->asked == ENGINE_NFT ? "asked for" : wish->without);
		return 0;
	}
	if (!p->has_ethernet) {
		choose(p, PORT_NFT, no_ethernet);
		return wish->asked == ENGINE_AUTO ? 0 : err_set(why, EOPNOTSUPP, "%s cannot have --engine %s: %s", p->name,
								engine_name(wish->asked), no_ethernet);
	}
	if (wish->asked == ENGINE_TC) {
		rc = join_tc(p, wish, "asked for", why);
		return rc ? err_in(why, "%s cannot have --engine tc", p->name) : 0;
	}
	rc = xdp_look(wish->hooks.xdp, p->ifindex, &is, why);
	if (rc || is.there)
		return rc ? rc : keep_link(p, &is, wish, why);
	switch (wish->asked) {
	case ENGINE_NATIVE:
		return join_xdp(p, wish, XDP_NATIVE, why);
	case ENGINE_GENERIC:
		return join_xdp(p, wish, XDP_GENERIC, why);
	case ENGINE_AUTO:
		choose_best(p, wish);
		return 0;
	case ENGINE_TC:
	case ENGINE_NFT:
	case ENGINE_COUNT:
		break;
	}
	return 0;
}

static bool is_gone(const struct port *p, const struct port_hooks *h)
{
	return !route_has(h->route, p->ifindex);
}

int ports_choose(struct ports *p, const struct port_wish *wish, struct err *why)
{
	const size_t len = p->len;

	p->len = 0;
	for (size_t i = 0; i < len; i++) {
		struct port one = p->at[i];
		int rc = one.left ? 0 : choose_one(&one, wish, why);

		if ((rc || one.engine == PORT_NFT) && is_gone(&one, &wish->hooks))
			continue;
		if (rc && wish->strict) {
			ports_abandon(p, &wish->hooks);
			return rc;
		}
		if (rc)
			choose(&one, PORT_NFT, why->text);
		p->at[p->len++] = one;
	}
	return 0;
}

static void leave(struct port *p, const struct port_hooks *h)
{
	if (p->joined && p->engine == PORT_TC && h->tc)
		tc_leave(h->tc, p->ifindex);
	else if (p->joined && h->xdp)
		xdp_leave(h->xdp, p->ifindex);
	p->waits = p->joined = false;
}

void ports_abandon(struct ports *p, const struct port_hooks *h)
{
	for (size_t i = 0; i < p->len; i++)
		leave(&p->at[i], h);
}

void ports_without_tc(struct ports *p, const struct port_hooks *h, const char *reason)
{
	for (size_t i = 0; i < p->len; i++)
		if (p->at[i].engine == PORT_TC) {
			leave(&p->at[i], h);
			choose(&p->at[i], PORT_NFT, reason);
		}
}

bool ports_forget_gone(struct ports *p, const struct port_hooks *h)
{
	const size_t len = p->len;

	p->len = 0;
	for (size_t i = 0; i < len; i++)
		if (p->at[i].engine != PORT_NFT || !is_gone(&p->at[i], h))
			p->at[p->len++] = p->at[i];
	return p->len < len;
}

static int look_before(struct port *p, const struct port_hooks *h, struct err *why)
{
	struct xdp_link xdp = { 0 };
	struct tc_link tc = { 0 };
	int rc = p->engine == PORT_TC ? tc_look(h->tc, p->ifindex, &tc, why) : xdp_look(h->xdp, p->ifindex, &xdp, why);

	p->before = p->engine == PORT_TC ? tc.program : xdp.program;
	return rc;
}

static int arm(struct port *p, const struct port_hooks *h, struct err *why)
{
	int rc = look_before(p, h, why);

	if (rc)
		return rc;
	return p->engine == PORT_TC ? tc_arm(h->tc, p->ifindex, why) : xdp_arm(h->xdp, p->ifindex, why);
}

int ports_arm(struct ports *p, const struct port_hooks *h, struct err *why)
{
	for (size_t i = 0; i < p->len; i++) {
		struct port *one = &p->at[i];
		int rc = one->waits ? arm(one, h, why) : 0;

		if (rc && !is_gone(one, h))
			return rc;
		one->waits = one->joined = false;
	}
	return 0;
}

/* The program of before is still there: its own version has it pinned, or it is the one that lets all pass. */
void ports_disarm(struct ports *p, const struct port_hooks *h)
{
	for (size_t i = 0; i < p->len; i++) {
		struct port *one = &p->at[i];
		struct err ignored;

		if (!one->before || one->waits)
			continue;
		own(fd) int program = bpf_prog_get_fd_by_id(one->before);
		if (program < 0)
			continue;
		if (one->engine == PORT_TC)
			tc_put(h->tc, one->ifindex, program, &ignored);
		else
			xdp_put(h->xdp, one->ifindex, program, &ignored);
		one->waits = true;
		one->joined = slot_whose(one->before, 0) == SLOT_PASS;
	}
}
