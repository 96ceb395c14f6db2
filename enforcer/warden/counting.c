#include "enforcer/warden/counting.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "enforcer/hook/ledger.h"
#include "enforcer/warden/blocks/nft.h"
#include "lang/base/clock.h"
#include "lang/bundle/nft_name.h"
#include "lang/vocab/cause.h"


/* Packets of a cause; one that the posture let go on is behind all causes. */
static uint64_t cause_sum(const struct counting *r, uint32_t cause)
{
	const int map = r->k->shared.causes;
	uint64_t sum = 0;

	if (!r->k->xdp || map < 0 || bpf_map_lookup_elem(map, &cause, r->cpus))
		return 0;
	for (int i = 0; i < r->cpu_count; i++)
		sum += r->cpus[i].packets;
	return sum;
}

static struct teg_counter object_count(const struct counting *r, enum filter_table t, const char *name, bool *is_there)
{
	const struct filter_counter *o = *name ? strmap_find(&r->by_name[t], name) : NULL;

	*is_there = o && o->is;
	return o ? (struct teg_counter){ .packets = o->packets, .bytes = o->bytes } : (struct teg_counter){ 0 };
}

/*
 * The first hook counts arrivals on the ports; layer 4 counts what comes by there.
 * What a lifeline or neighbour discovery lets by comes by both, so layer 4's
 * number, which has all of it and what this host sends, is the one.
 */
static struct teg_counter count_of(const struct counting *r, const struct plan_counter *c, uint32_t slot)
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

static void count_causes(struct counters *out, const struct counting *r)
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

static uint64_t crowded_sum(const struct counting *r)
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

/* Where both engines have blocks, each has been told of the other's: blocks/blocks.h. */
static int count_blocked_now(uint64_t *out, struct counting *r, struct err *why)
{
	int rc = kernel_count_blocks(r->k, out, why);
	uint64_t nft = 0;

	for (unsigned i = 0; !rc && i < BLOCK_KINDS * FAMILY_COUNT; i++) {
		uint64_t size = 0;

		rc = filter_set_size(r->k->filter, FILTER_NETDEV, block_sets[i / FAMILY_COUNT][i % FAMILY_COUNT], &size, why);
		nft += size;
	}
	*out = *out > nft ? *out : nft;
	return rc;
}

/* Counting walks over all of them, which under a flood are many: never more than a fiftieth of the time. */
static int count_blocked(struct counters *out, struct counting *r, struct err *why)
{
	struct kernel *k = r->k;
	const uint64_t from = clock_ns(CLOCK_MONOTONIC);
	int rc = 0;

	if (!k->blocked_at_ns || from - k->blocked_at_ns > 50 * k->blocked_cost_ns) {
		rc = count_blocked_now(&k->blocked, r, why);
		k->blocked_at_ns = clock_ns(CLOCK_MONOTONIC);
		k->blocked_cost_ns = k->blocked_at_ns - from;
	}
	out->blocked_sources = k->blocked;
	return rc;
}

/* ---- reading ---------------------------------------------------------------------------- */

/* A listing goes through all of a table again for each of its parts; asked by their names, each costs as much as one of 15,000 in a listing. */
#define LISTED_MOST 15000u
#define PART	    4096u /* asked by name without hearing what else is wanted: some 10 ms */

/* A copy: the generation may go while it is counted. */
static void want(struct counting *r, enum filter_table t, const char *name)
{
	if (*name)
		r->at[r->count++] = (struct filter_counter){ .table = t, .name = arena_strdup(r->arena, name) };
}

/* What a rule of a posture decides is counted by layer 4 alone, and what a block does on arrival. */
static void want_rules(struct counting *r, const struct plan *p)
{
	for (uint32_t i = 0; i < p->counter_count; i++) {
		const struct plan_counter *c = &p->counters[i];

		if (c->layer != LAYER_BLOCK)
			want(r, FILTER_INET, c->nft_name);
		if (c->layer != LAYER_POSTURE)
			want(r, FILTER_NETDEV, c->nft_name);
	}
}

static void want_causes(struct counting *r)
{
	for (uint32_t c = 0; c < CAUSE_COUNT; c++) {
		want(r, FILTER_NETDEV, nft_name(r->arena, cause_name(c)));
		want(r, FILTER_NETDEV, nft_name(r->arena, cause_id(c)));
		want(r, FILTER_NETDEV, nft_name(r->arena, arena_printf(r->arena, "passed.%s", cause_name(c))));
	}
}

static void want_all(struct counting *r)
{
	const uint32_t rules = r->g ? r->g->plan.counter_count : 0;

	r->at = arena_zero(r->arena, (2 * (size_t)rules + 3 * CAUSE_COUNT) * sizeof *r->at);
	if (r->g)
		want_rules(r, &r->g->plan);
	want_causes(r);
}

static int list_all(struct counting *r, struct err *why)
{
	struct filter_live live;
	int rc = filter_look(r->k->filter, &live, FILTER_WANT_COUNTS, r->arena, why);

	if (rc)
		return rc;
	r->at = arena_zero(r->arena, (live.counter_count + 1) * sizeof *r->at);
	for (size_t i = 0; i < live.counter_count; i++) {
		const struct filter_object *o = &live.counters[i];

		r->at[r->count++] = (struct filter_counter){ o->table, o->name, true, o->packets, o->bytes };
	}
	r->next = r->count;
	return 0;
}

void counting_release(struct counting *r)
{
	arena_free(r->arena);
	*r = (struct counting){ 0 };
}

int counting_begin(struct counting *r, const struct generation *g, struct kernel *k, struct err *why)
{
	*r = (struct counting){ .k = k, .g = g, .number = g ? g->is.number : 0, .arena = arena_new() };
	if (g && g->plan.counter_count <= LISTED_MOST)
		return list_all(r, why);
	want_all(r);
	return 0;
}

bool counting_is_over(const struct counting *r)
{
	return r->next == r->count;
}

int counting_go_on(struct counting *r, struct err *why)
{
	const uint32_t count = r->count - r->next < PART ? r->count - r->next : PART;
	int rc = filter_counters_look(r->k->filter, r->at + r->next, count, why);

	r->next += count;
	return rc;
}

/* ---- the sums --------------------------------------------------------------------------- */

static void prepare_sums(struct counting *r)
{
	for (unsigned t = 0; t < FILTER_TABLES; t++)
		strmap_init(&r->by_name[t], r->arena);
	for (uint32_t i = 0; i < r->count; i++)
		strmap_put(&r->by_name[r->at[i].table], r->at[i].name, &r->at[i]);
	r->cpu_count = libbpf_num_possible_cpus();
	r->cpus = arena_zero(r->arena, (size_t)(r->cpu_count > 0 ? r->cpu_count : 1) * sizeof *r->cpus);
}

int counting_sum(struct counters *out, struct counting *r, struct err *why)
{
	const struct generation *g = r->g;

	prepare_sums(r);
	*out = (struct counters){ .at_ns = clock_ns(CLOCK_MONOTONIC) };
	out->row_count = g ? g->plan.counter_count : 0;
	out->rows = arena_zero(r->arena, (out->row_count + 1) * sizeof *out->rows);
	for (uint32_t i = 0; i < out->row_count; i++) {
		const struct plan_counter *c = &g->plan.counters[i];
		struct teg_counter sum = count_of(r, c, g->slots ? g->slots[i] : LEDGER_NO_SLOT);

		out->rows[i] = (struct counter_row){
			.id = c->id, .layer = c->layer, .verdict = c->verdict,
			.posture = c->posture < g->plan.posture_count ? g->plan.postures[c->posture].name : "",
			.packets = sum.packets, .bytes = sum.bytes,
		};
	}
	count_causes(out, r);
	out->crowded = crowded_sum(r);
	return count_blocked(out, r, why);
}
