#include "enforcer/warden/blocks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>

#include "enforcer/warden/ledger.h"
#include "lang/base/own.h"

#define SECOND_NS UINT64_C(1000000000)

static const char *const sets[FAMILY_COUNT] = { [FAMILY_IP4] = "blocked4", [FAMILY_IP6] = "blocked6" };
static const unsigned bits[FAMILY_COUNT] = { [FAMILY_IP4] = TEG_BLOCK_BITS4, [FAMILY_IP6] = TEG_BLOCK_BITS6 };

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
}

static struct addr masked(struct addr a)
{
	a.num &= ~prefix_range((struct prefix){ { a.family, 0 }, bits[a.family] }).hi;
	return a;
}

/* ---- where there are blocks -------------------------------------------------------- */

struct places {
	bool xdp, nft[FAMILY_COUNT];
};

static int find_places(struct places *out, struct kernel *k, struct arena *a, struct err *why)
{
	struct filter_live live;
	int rc = filter_look(k->filter, &live, FILTER_WANT_SETS, a, why);

	*out = (struct places){ .xdp = k->xdp };
	for (size_t i = 0; !rc && i < live.set_count; i++)
		for (unsigned f = 0; f < FAMILY_COUNT; f++)
			if (live.sets[i].table == FILTER_NETDEV && !strcmp(live.sets[i].name, sets[f]))
				out->nft[f] = true;
	return rc;
}

/* ---- changing ------------------------------------------------------------------------ */

/* What stood there before, to be put back; until_ns 0: nothing. */
static struct teg_blocked block_before(struct kernel *k, struct addr a)
{
	const struct teg_source key = shared_source(a);
	struct teg_blocked was = { 0 };

	return bpf_map_lookup_elem(k->shared.blocks, &key, &was) ? (struct teg_blocked){ 0 } : was;
}

static int change_one(struct kernel *k, struct addr a, uint64_t until_ns, uint32_t slot, struct err *why)
{
	return until_ns ? shared_block(&k->shared, a, until_ns, slot, why) : shared_unblock(&k->shared, a, why);
}

static int change_xdp(struct kernel *k, const struct block *ask, struct teg_blocked *before, struct err *why)
{
	const uint64_t until = ask->seconds ? now_ns(CLOCK_MONOTONIC) + ask->seconds * SECOND_NS : 0;
	struct err ignored;

	for (uint32_t i = 0; i < ask->source_count; i++) {
		before[i] = block_before(k, ask->sources[i]);
		if (!change_one(k, ask->sources[i], until, LEDGER_NO_SLOT, why))
			continue;
		while (i--)
			change_one(k, ask->sources[i], before[i].until_ns, before[i].counter_slot, &ignored);
		return why->code;
	}
	return 0;
}

static int change_nft(struct kernel *k, const struct block *ask, const struct places *at, struct err *why)
{
	own(filter_change) struct filter_change c = { 0 };

	for (uint32_t i = 0; i < ask->source_count; i++) {
		const struct addr a = masked(ask->sources[i]);
		uint8_t key[16];

		addr_to_bytes(a, key);
		if (at->nft[a.family])
			filter_change_element(&c, FILTER_NETDEV, sets[a.family], key, a.family == FAMILY_IP4 ? 4 : 16,
					      UINT64_C(1000) * ask->seconds);
	}
	return filter_commit(k->filter, &c, why);
}

int blocks_change(struct kernel *k, const struct block *ask, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct teg_blocked *before = arena_zero(a, ask->source_count * sizeof *before);
	struct err ignored;
	struct places at;
	int rc = find_places(&at, k, a, why);

	if (!rc && at.xdp)
		rc = change_xdp(k, ask, before, why);
	if (rc)
		return rc;
	rc = change_nft(k, ask, &at, why);
	for (uint32_t i = 0; rc && at.xdp && i < ask->source_count; i++)
		change_one(k, ask->sources[i], before[i].until_ns, before[i].counter_slot, &ignored);
	k->blocked_at_ns = 0; /* counted anew for the next who asks */
	return rc;
}

/* ---- listing ---------------------------------------------------------------------------- */

struct listing {
	struct blocks *out;
	const struct generation *g;
	uint64_t mono_ns, real_ns;
	enum family family; /* of the nft set that is read */
	uint32_t from_rows;
	uint64_t from_total;
};

static const char *placed_by(const struct generation *g, uint32_t slot)
{
	if (slot == LEDGER_NO_SLOT)
		return "person";
	for (uint32_t i = 0; g && g->slots && i < g->plan.counter_count; i++)
		if (g->slots[i] == slot)
			return g->plan.counters[i].id;
	return "";
}

/* A source that is in both engines is listed once: the order is XDP's first. */
static bool is_listed(const struct blocks *b, uint32_t until, struct addr a)
{
	for (uint32_t i = 0; i < until; i++)
		if (b->rows[i].source.family == a.family && b->rows[i].source.num == a.num)
			return true;
	return false;
}

static void list_one(struct listing *l, struct addr a, uint64_t left_ns, const char *by)
{
	l->out->total++;
	if (l->out->row_count < BLOCKS_LISTED_MAX)
		l->out->rows[l->out->row_count++] =
			(struct blocked_row){ a, (l->real_ns + left_ns + SECOND_NS - 1) / SECOND_NS, by };
}

#define AT_ONCE 4096u

struct batch_room {
	struct teg_source keys[AT_ONCE];
	struct teg_blocked values[AT_ONCE];
};

static void list_batch(struct listing *l, const struct batch_room *w, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct teg_blocked *b = &w->values[i];

		if (b->until_ns > l->mono_ns)
			list_one(l, shared_source_address(&w->keys[i], b), b->until_ns - l->mono_ns, placed_by(l->g, b->counter_slot));
	}
}

static int list_xdp(struct listing *l, struct kernel *k, struct err *why)
{
	own(mem) struct batch_room *w = malloc(sizeof *w);
	uint32_t from = 0, next = 0;
	bool is_first = true, is_last = false;

	if (!w)
		return err_set(why, ENOMEM, "no memory to read teg_blocks");
	while (!is_last) {
		LIBBPF_OPTS(bpf_map_batch_opts, opts);
		uint32_t count = AT_ONCE;
		int rc = bpf_map_lookup_batch(k->shared.blocks, is_first ? NULL : &from, &next, w->keys, w->values, &count, &opts);

		is_last = rc && errno == ENOENT;
		if (rc && !is_last)
			return err_sys(why, "cannot read teg_blocks");
		list_batch(l, w, count);
		from = next;
		is_first = false;
	}
	return 0;
}

static void list_element(void *cls, const void *key, size_t len, uint64_t left_ms)
{
	struct listing *l = cls;
	const uint64_t most_ms = UINT64_C(1000) * POSTURE_SECONDS_MAX;

	if (len != (l->family == FAMILY_IP4 ? 4 : 16))
		return;
	const struct addr a = addr_from_bytes(l->family, key);
	if (!is_listed(l->out, l->from_rows, a))
		list_one(l, a, (left_ms < most_ms ? left_ms : most_ms) * 1000000, "");
}

static void list_again(void *cls)
{
	struct listing *l = cls;

	l->out->row_count = l->from_rows;
	l->out->total = l->from_total;
}

static int list_nft(struct listing *l, struct kernel *k, enum family f, struct err *why)
{
	const struct filter_elements to = { list_again, list_element, l };

	l->family = f;
	l->from_rows = l->out->row_count;
	l->from_total = l->out->total;
	return filter_set_elements(k->filter, FILTER_NETDEV, sets[f], &to, why);
}

int blocks_list(struct blocks *out, struct kernel *k, const struct generation *g, struct arena *a, struct err *why)
{
	struct blocks b = { .rows = arena_zero(a, BLOCKS_LISTED_MAX * sizeof *b.rows) };
	struct listing l = { &b, g, now_ns(CLOCK_MONOTONIC), now_ns(CLOCK_REALTIME), FAMILY_IP4, 0, 0 };
	struct places at;
	int rc = find_places(&at, k, a, why);

	if (!rc && at.xdp)
		rc = list_xdp(&l, k, why);
	for (unsigned f = 0; !rc && f < FAMILY_COUNT; f++)
		if (at.nft[f])
			rc = list_nft(&l, k, (enum family)f, why);
	if (!rc)
		*out = b;
	return rc;
}
