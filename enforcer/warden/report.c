#include "enforcer/warden/report.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "enforcer/hook/ledger.h"
#include "enforcer/warden/blocks.h"
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

/* ---- counters --------------------------------------------------------------------- */

struct reader {
	struct kernel *k;
	struct arena *arena;
	struct strmap by_name[FILTER_TABLES]; /* struct filter_object */
	struct teg_counter *cpus;
	int cpu_count;
};

/* Packets of a cause; one that the posture let go on is behind all causes. */
static uint64_t cause_sum(const struct reader *r, uint32_t cause)
{
	const int map = r->k->shared.causes;
	uint64_t sum = 0;

	if (!r->k->xdp || map < 0 || bpf_map_lookup_elem(map, &cause, r->cpus))
		return 0;
	for (int i = 0; i < r->cpu_count; i++)
		sum += r->cpus[i].packets;
	return sum;
}

static struct teg_counter object_count(const struct reader *r, enum filter_table t, const char *name, bool *is_there)
{
	const struct filter_object *o = *name ? strmap_find(&r->by_name[t], name) : NULL;

	*is_there = o;
	return o ? (struct teg_counter){ .packets = o->packets, .bytes = o->bytes } : (struct teg_counter){ 0 };
}

/*
 * The first hook counts arrivals on the ports; layer 4 counts what comes by there.
 * What a lifeline or neighbour discovery lets by comes by both, so layer 4's
 * number, which has all of it and what this host sends, is the one.
 */
static struct teg_counter count_of(const struct reader *r, const struct plan_counter *c, uint32_t slot)
{
	bool in_netdev, in_inet;
	struct teg_counter xdp = r->k->xdp ? shared_count(&r->k->shared, slot) : (struct teg_counter){ 0 };
	struct teg_counter netdev = object_count(r, FILTER_NETDEV, c->nft_name, &in_netdev);
	struct teg_counter inet = object_count(r, FILTER_INET, c->nft_name, &in_inet);

	if (c->layer == LAYER_LIFELINE && in_inet)
		return inet;
	return (struct teg_counter){ .packets = xdp.packets + netdev.packets + inet.packets,
				     .bytes = xdp.bytes + netdev.bytes + inet.bytes };
}

static void count_causes(struct counters *out, const struct reader *r)
{
	for (uint32_t c = 0; c < CAUSE_COUNT; c++) {
		bool whole, part;
		const char *name = nft_name(r->arena, cause_name(c));
		const char *malformed = nft_name(r->arena, cause_id(c));
		struct teg_counter plain = object_count(r, FILTER_NETDEV, name, &whole);
		const char *passed = nft_name(r->arena, arena_printf(r->arena, "passed.%s", cause_name(c)));
		struct teg_counter broken = object_count(r, FILTER_NETDEV, malformed, &part);

		out->causes[c] = cause_sum(r, c) + plain.packets + broken.packets;
		out->passed[c] = cause_sum(r, CAUSE_COUNT + c) +
				 object_count(r, FILTER_NETDEV, passed, &part).packets;
	}
}

static uint64_t crowded_sum(const struct reader *r)
{
	struct teg_telling *cpus = arena_zero(r->arena, (size_t)(r->cpu_count > 0 ? r->cpu_count : 1) * sizeof *cpus);
	const uint32_t zero = 0;
	uint64_t sum = 0;

	if (!r->k->xdp || r->k->shared.telling < 0 || bpf_map_lookup_elem(r->k->shared.telling, &zero, cpus))
		return 0;
	for (int i = 0; i < r->cpu_count; i++)
		sum += cpus[i].crowded;
	return sum;
}

static int read_objects(struct reader *r, struct filter_live *live, struct err *why)
{
	int rc = filter_look(r->k->filter, live, FILTER_WANT_COUNTS | FILTER_WANT_SETS, r->arena, why);

	for (unsigned t = 0; t < FILTER_TABLES; t++)
		strmap_init(&r->by_name[t], r->arena);
	for (size_t i = 0; !rc && i < live->counter_count; i++)
		strmap_put(&r->by_name[live->counters[i].table], live->counters[i].name, &live->counters[i]);
	r->cpu_count = libbpf_num_possible_cpus();
	r->cpus = arena_zero(r->arena, (size_t)(r->cpu_count > 0 ? r->cpu_count : 1) * sizeof *r->cpus);
	return rc;
}

/* Where both engines have blocks, each has been told of the other's: blocks.h. */
static int count_blocked_now(uint64_t *out, struct reader *r, const struct filter_live *live, struct err *why)
{
	int rc = kernel_count_blocks(r->k, out, why);
	uint64_t nft = 0;

	for (size_t i = 0; !rc && i < live->set_count; i++) {
		const struct filter_object *set = &live->sets[i];
		uint64_t size = 0;

		if (!blocks_is_set(set->name))
			continue;
		rc = filter_set_size(r->k->filter, set->table, set->name, &size, why);
		nft += size;
	}
	*out = *out > nft ? *out : nft;
	return rc;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Counting walks over all of them, which under a flood are many: never more than a fiftieth of the time. */
static int count_blocked(struct counters *out, struct reader *r, const struct filter_live *live, struct err *why)
{
	struct kernel *k = r->k;
	const uint64_t from = now_ns();
	int rc = 0;

	if (!k->blocked_at_ns || from - k->blocked_at_ns > 50 * k->blocked_cost_ns) {
		rc = count_blocked_now(&k->blocked, r, live, why);
		k->blocked_at_ns = now_ns();
		k->blocked_cost_ns = k->blocked_at_ns - from;
	}
	out->blocked_sources = k->blocked;
	return rc;
}

int report_counters(struct counters *out, const struct generation *g, struct kernel *k, struct arena *a,
		    struct err *why)
{
	struct reader r = { .k = k, .arena = a };
	struct filter_live live;
	int rc = read_objects(&r, &live, why);

	if (rc)
		return rc;
	*out = (struct counters){ .at_ns = now_ns() };
	out->row_count = g ? g->plan.counter_count : 0;
	out->rows = arena_zero(a, (out->row_count + 1) * sizeof *out->rows);
	for (uint32_t i = 0; i < out->row_count; i++) {
		const struct plan_counter *c = &g->plan.counters[i];
		struct teg_counter sum = count_of(&r, c, g->slots ? g->slots[i] : LEDGER_NO_SLOT);

		out->rows[i] = (struct counter_row){
			.id = c->id, .layer = c->layer, .verdict = c->verdict,
			.posture = c->posture < g->plan.posture_count ? g->plan.postures[c->posture].name : "",
			.packets = sum.packets, .bytes = sum.bytes,
		};
	}
	count_causes(out, &r);
	out->crowded = crowded_sum(&r);
	return count_blocked(out, &r, &live, why);
}
