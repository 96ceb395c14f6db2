#include "enforcer/warden/report.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "enforcer/hook/ledger.h"
#include "enforcer/warden/blocks/blocks.h"
#include "enforcer/warden/check.h"
#include "lang/base/file.h"
#include "lang/base/strmap.h"
#include "lang/bundle/nft_name.h"
#include "lang/vocab/cause.h"

/* ---- status --------------------------------------------------------------------- */

static const char *zone_names(const struct plan *p, uint64_t zones, struct arena *a)
{
	const char *names = "";

	for (uint32_t z = 0; z < p->zone_count; z++)
		if (zones >> z & 1)
			names = *names ? arena_printf(a, "%s, %s", names, p->zones[z].name) : p->zones[z].name;
	return names;
}

/* The tag of what the hook's anchor calls; 0 when nothing is in the slot. */
static uint64_t slot_tag(struct kernel *k, enum teg_hook hook)
{
	struct err ignored;
	uint32_t number = 0;
	uint64_t tag = 0;

	if (!k->xdp || slot_read(kernel_slot(k, hook), &number, &ignored) || !number)
		return 0;
	own(fd) int program = bpf_prog_get_fd_by_id(number);
	if (program < 0 || slot_program_is(program, &number, &tag, &ignored))
		return 0;
	return tag;
}

static void add_missing(struct status *s, const struct plan *p, struct kernel *k, struct arena *a, uint32_t room)
{
	uint32_t zone = 0, pattern = 0;
	struct links links;
	struct err ignored;
	const char *name;

	if (route_links(k->route, &links, a, &ignored))
		return;
	while (s->interface_count < room && (name = ports_missing(p, &links, &zone, &pattern)))
		s->interfaces[s->interface_count++] = (struct status_interface){
			.name = name, .zone = p->zones[zone].name, .engine = "none",
			.reason = "there is no such interface now",
		};
}

static uint32_t pattern_count(const struct plan *p)
{
	uint32_t n = 0;

	for (uint32_t z = 0; z < p->zone_count; z++)
		n += p->zones[z].pattern_count;
	return n;
}

static const char *port_reason(const struct port *p, struct arena *a)
{
	const char *reason = p->reason;

	if (*p->seen_as)
		reason = arena_printf(a, "%s; layer 4 sees its packets on %s, which is not in this zone", reason, p->seen_as);
	if (*p->again)
		reason = arena_printf(a, "%s; what goes up to %s is judged there again, and counts twice", reason, p->again);
	return reason;
}

static void add_interfaces(struct status *s, const struct generation *g, struct kernel *k, struct arena *a)
{
	const uint32_t room = (uint32_t)g->ports.len + pattern_count(&g->plan);
	const uint64_t xdp = slot_tag(k, TEG_HOOK_XDP), tc = slot_tag(k, TEG_HOOK_TC);

	s->interfaces = arena_zero(a, (room + 1) * sizeof *s->interfaces);
	for (size_t i = 0; i < g->ports.len; i++) {
		const struct port *p = &g->ports.at[i];

		s->interfaces[s->interface_count++] = (struct status_interface){
			.name = p->name, .zone = zone_names(&g->plan, p->zones, a), .engine = port_engine_name(p->engine),
			.reason = port_reason(p, a), .ifindex = p->ifindex, .program_tag = port_has_xdp(p) ? xdp : p->engine == PORT_TC ? tc : 0,
		};
	}
	add_missing(s, &g->plan, k, a, room);
}

static const char *engine_of_all(const struct ports *p)
{
	for (size_t i = 1; i < p->len; i++)
		if (p->at[i].engine != p->at[0].engine)
			return "mixed";
	return p->len ? port_engine_name(p->at[0].engine) : "none";
}

/* By what packets are told of on arrival. */
static const char *event_source(const struct generation *g, struct arena *a)
{
	const struct {
		const char *name;
		bool used;
	} hooks[] = {
		{ "xdp", ports_use(&g->ports, PORT_NATIVE) || ports_use(&g->ports, PORT_GENERIC) },
		{ "tc", ports_use(&g->ports, PORT_TC) },
		{ "nft", ports_use(&g->ports, PORT_NFT) },
	};
	const char *out = "";

	for (size_t i = 0; i < sizeof hooks / sizeof *hooks; i++)
		if (hooks[i].used)
			out = arena_printf(a, "%s%s%s", out, *out ? ", " : "", hooks[i].name);
	return *out ? out : "none: no interface is judged on arrival";
}

#define SYNCOOKIES "/proc/sys/net/ipv4/tcp_syncookies"

/* Or not there. */
static bool is_zero(const char *path)
{
	own(buf) struct buf text = { 0 };
	struct err ignored;

	return file_read(&text, path, 16, &ignored) || !strncmp(buf_text(&text), "0", 1);
}

static bool answers_for_self(const struct plan *p)
{
	for (uint32_t i = 0; i < p->box_count; i++)
		if (p->rules[p->boxes[i].rule].act == TEG_ACT_COOKIES && p->boxes[i].dst & TEG_SET_SELF)
			return true;
	return false;
}

/* The batch of layer 4 has a set of the servers that it answers for. */
static bool answers_for_others(const struct plan *p)
{
	for (uint32_t i = 0; i < p->nft_keep_count; i++)
		if (!strcmp(p->nft_keep[i], "armed4"))
			return true;
	return false;
}

#define PICKS_UP "/proc/sys/net/netfilter/nf_conntrack_tcp_loose"

/* Who answers for servers behind this host; their clients' second packet must be one that begins a flow. */
static const char *others_source(const struct plan *p)
{
	if (!answers_for_others(p))
		return "";
	return is_zero(PICKS_UP) ? "for servers behind nobody: net.netfilter.nf_conntrack_tcp_loose is 0, or not there" :
				   "for servers behind layer 4";
}

/* Who answers for a listener that has no room. */
static const char *self_source(const struct generation *g, struct arena *a)
{
	const char *kernels = "";
	size_t answering = 0;

	if (!answers_for_self(&g->plan))
		return "";
	if (is_zero(SYNCOOKIES))
		return "nobody: net.ipv4.tcp_syncookies is 0, or not there";
	for (size_t i = 0; i < g->ports.len; i++)
		if (g->ports.at[i].engine == PORT_NFT)
			kernels = arena_printf(a, "%s%s%s", kernels, *kernels ? ", " : "", g->ports.at[i].name);
		else
			answering++;
	if (!answering)
		return "the listener's own cookies, behind connection tracking: nft judges";
	return *kernels ? arena_printf(a, "on arrival; on %s the listener's own, behind connection tracking", kernels) : "on arrival";
}

static const char *cookie_source(const struct generation *g, struct arena *a)
{
	const char *self = "", *others = "";

	if (g->plan.config.asks & TEG_ASKS_COOKIES) {
		self = self_source(g, a);
		others = others_source(&g->plan);
	}
	return arena_printf(a, "%s%s%s", self, *self && *others ? "; " : "", others);
}

static uint64_t within_of(const struct plan *p, uint32_t posture)
{
	uint64_t bits = 0;

	for (uint32_t i = 0; i < p->posture_count; i++)
		bits |= (uint64_t)plan_is_within(p, posture, i) << i;
	return bits;
}

static void add_postures(struct status *s, const struct plan *p, struct arena *a)
{
	s->posture_count = p->posture_count;
	s->postures = arena_zero(a, (p->posture_count + 1) * sizeof *s->postures);
	for (uint32_t i = 0; i < p->posture_count; i++)
		s->postures[i] = (struct status_posture){ p->postures[i].name, p->postures[i].title, p->postures[i].closed,
							  within_of(p, i) };
}

static int add_parts(struct status *s, struct generation *g, struct kernel *k, struct arena *a, struct err *why)
{
	struct checked *c = arena_zero(a, PART_COUNT * sizeof *c);
	int rc = check_parts(c, g, k, why);

	s->parts = arena_zero(a, PART_COUNT * sizeof *s->parts);
	for (unsigned p = 0; p < PART_COUNT; p++)
		if (*c[p].should || *c[p].fault)
			s->parts[s->part_count++] =
				(struct status_part){ part_name((enum part)p), c[p].is, c[p].should, c[p].fault };
	return rc;
}

void report_status(struct status *out, struct generation *g, struct kernel *k, struct arena *a)
{
	struct err why;

	out->bundle = out->policy = out->version = out->posture = out->posture_reason = out->nft_digest = "";
	out->posture_next = out->cookies = "";
	out->engine = "none";
	out->events.source = "none: no policy is enforced";
	out->switch_ns = k->switch_ns;
	if (!g)
		return;
	out->generation = g->is.number;
	out->bundle = g->is.bundle.hex;
	out->policy = g->plan.policy;
	out->proved = g->plan.proved;
	out->tests_run = g->is.tests_run;
	out->tests_left = g->is.tests_left;
	out->version = g->plan.version;
	out->posture = g->is.posture;
	out->posture_reason = g->is.reason;
	out->posture_since = g->is.since;
	if (deadline_is_set(&g->is.until)) {
		out->posture_until = g->is.until.until;
		out->posture_next = g->is.back;
	}
	out->engine = engine_of_all(&g->ports);
	out->cookies = cookie_source(g, a);
	out->events.source = event_source(g, a);
	if (add_parts(out, g, k, a, &why)) {
		out->intact = 0;
		out->unknown_since = g->unknown_since;
		out->fault = g->unknown_since ? arena_printf(a, "it is not known: %s", why.text) : arena_strdup(a, why.text);
	}
	out->nft_digest = g->tables_now.hex;
	add_postures(out, &g->plan, a);
	add_interfaces(out, g, k, a);
}
