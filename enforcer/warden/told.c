#include "enforcer/warden/told.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "enforcer/hook/ledger.h"
#include "enforcer/nft/nflog.h"
#include "enforcer/proc/say.h"
#include "lang/base/clock.h"
#include "lang/base/strmap.h"
#include "lang/bundle/nft_name.h"
#include "lang/vocab/cause.h"

/* The names that the events of one generation mean by numbers. */
struct names {
	struct arena *arena; /* NULL: of none */
	uint64_t number;
	const char **by_slot; /* TEG_COUNTER_SLOTS, NULL where the generation has no counter */
	const char **postures;
	uint32_t posture_count;
	struct strmap by_nft; /* ids, by nft_name() */
};

struct told {
	struct ring_buffer *ring; /* NULL without XDP */
	struct nflog *log;	  /* NULL where it cannot be had */
	struct names now, before;
	const struct generation *live; /* borrowed: for the names of interfaces */
	uint64_t rest_until_ms;
	uint64_t slow; /* lost: the api did not take them in time */
	uint64_t told, full; /* of the packet log */

	/* While it is read. */
	struct talk *to;
	uint64_t now_ms;
	int rc;
	struct err *why;
	uint64_t to_real_ns; /* from the clock of events to that of people */
	uint32_t taken;
	struct packets batch;
	struct packet_row rows[PACKETS_MAX];
};

/* ---- names ------------------------------------------------------------------------ */

static void names_release(struct names *n)
{
	arena_free(n->arena);
	*n = (struct names){ 0 };
}

static void name_put(struct names *n, const char *id)
{
	strmap_put(&n->by_nft, nft_name(n->arena, id), (void *)(uintptr_t)id);
}

static struct names names_of(const struct generation *g)
{
	struct arena *a = arena_new();
	struct names n = { .arena = a, .number = g->is.number, .posture_count = g->plan.posture_count };

	strmap_init(&n.by_nft, a);
	n.by_slot = arena_zero(a, TEG_COUNTER_SLOTS * sizeof *n.by_slot);
	for (uint32_t i = 0; g->slots && i < g->plan.counter_count; i++)
		if (g->slots[i] < TEG_COUNTER_SLOTS)
			n.by_slot[g->slots[i]] = arena_strdup(a, g->plan.counters[i].id);
	for (uint32_t i = 0; i < g->plan.counter_count; i++)
		name_put(&n, arena_strdup(a, g->plan.counters[i].id));
	for (uint32_t c = 0; c < CAUSE_COUNT; c++)
		name_put(&n, cause_id(c));
	name_put(&n, NFT_TELL_BLOCKS);
	name_put(&n, NFT_TELL_REFLEXES);
	n.postures = arena_zero(a, (n.posture_count + 1) * sizeof *n.postures);
	for (uint32_t i = 0; i < n.posture_count; i++)
		n.postures[i] = arena_strdup(a, g->plan.postures[i].name);
	return n;
}

static const struct names *names_find(const struct told *t, uint32_t generation)
{
	if (t->now.arena && (uint32_t)t->now.number == generation)
		return &t->now;
	return t->before.arena && (uint32_t)t->before.number == generation ? &t->before : NULL;
}

static const char *slot_name(const struct names *n, uint32_t slot)
{
	const char *name = n && slot < TEG_COUNTER_SLOTS ? n->by_slot[slot] : NULL;

	return name ? name : "";
}

static const char *who_name(const struct names *n, uint32_t who)
{
	const uint32_t cause = who & ~TEG_WHO_CAUSE;

	if (!(who & TEG_WHO_CAUSE))
		return slot_name(n, who);
	return cause < CAUSE_COUNT ? cause_id(cause) : "";
}

static const char *interface_name(const struct told *t, uint32_t ifindex)
{
	const struct port *p = t->live ? ports_find(&t->live->ports, ifindex) : NULL;

	return p ? p->name : "";
}

/* ---- reading ----------------------------------------------------------------------- */

/* The api reads as it can; while much of what it was sent waits, more is not sent. */
static bool takes_more(const struct talk *to)
{
	struct pollfd room = { .fd = to->sock, .events = POLLOUT };

	return to->sock >= 0 && talk_is_taken(to) && poll(&room, 1, 0) == 1 && room.revents == POLLOUT;
}

static void hand_on(struct told *t)
{
	own(buf) struct buf bytes = { 0 };

	if (!t->batch.row_count)
		return;
	if (!t->rc && takes_more(t->to)) {
		packets_encode(&bytes, &t->batch);
		const struct message m = { MESSAGE_PACKETS, 0, bytes.at, bytes.len, -1 };
		t->rc = talk_say(t->to, &m, t->now_ms, t->why);
	} else {
		t->slow += t->batch.row_count;
	}
	t->batch.row_count = 0;
}

/* Of the generation in force: what an earlier one logged last is told as its rule, if it still has that. */
static void take_logged(void *cls, const struct nft_tell *said, const struct teg_event *is)
{
	struct told *t = cls;
	struct packet_row *row = &t->rows[t->batch.row_count];
	const char *id = t->now.arena ? strmap_find(&t->now.by_nft, said->name) : NULL;

	if (!id)
		return;
	if (t->taken++ >= TOLD_AT_ONCE) {
		t->slow++;
		return;
	}
	*row = (struct packet_row){
		.is = *is, .at_ns = is->at_ns ? is->at_ns : clock_ns(CLOCK_REALTIME), .generation = t->now.number, .by = id,
		.placed = "", .posture = t->live ? t->live->is.posture : "", .interface = interface_name(t, is->ifindex),
	};
	t->told++;
	if (++t->batch.row_count == PACKETS_MAX)
		hand_on(t);
}

static int take_one(void *cls, void *data, size_t len)
{
	struct told *t = cls;
	struct packet_row *row = &t->rows[t->batch.row_count];

	if (len < sizeof row->is)
		return 0;
	if (t->taken++ >= TOLD_AT_ONCE) {
		t->slow++;
		return 0;
	}
	memcpy(&row->is, data, sizeof row->is);
	const struct names *n = names_find(t, row->is.generation);
	row->at_ns = row->is.at_ns + t->to_real_ns;
	row->generation = n ? n->number : row->is.generation;
	row->by = who_name(n, row->is.who);
	row->placed = slot_name(n, row->is.by);
	row->posture = n && row->is.posture < n->posture_count ? n->postures[row->is.posture] : "";
	row->interface = interface_name(t, row->is.ifindex);
	if (++t->batch.row_count == PACKETS_MAX)
		hand_on(t);
	return 0;
}

int told_read(struct told *t, struct kernel *k, struct talk *to, uint64_t now_ms, struct err *why)
{
	t->to = to;
	t->now_ms = now_ms;
	t->rc = 0;
	t->why = why;
	t->taken = 0;
	t->to_real_ns = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC);
	if (t->ring)
		ring_buffer__consume(t->ring);
	if (t->log) {
		struct nflog_reader reader = { .one = take_logged, .cls = t };
		nflog_read(t->log, &reader);
		t->full += reader.lost;
	}
	hand_on(t);
	if (t->taken)
		t->rest_until_ms = now_ms + TOLD_REST_MS;
	if (k->active)
		__atomic_fetch_add(&k->active->tick, 1, __ATOMIC_RELAXED);
	return t->rc;
}

void told_fds(const struct told *t, uint64_t now_ms, int out[static TOLD_FDS])
{
	const bool rests = !t || now_ms < t->rest_until_ms;

	out[0] = rests || !t->ring ? -1 : ring_buffer__epoll_fd(t->ring);
	out[1] = rests || !t->log ? -1 : nflog_fd(t->log);
}

uint64_t told_in_ms(const struct told *t, uint64_t now_ms)
{
	return t && now_ms < t->rest_until_ms ? t->rest_until_ms - now_ms : UINT64_MAX;
}

/* ---- what became of them -------------------------------------------------------------- */

void told_count(const struct told *t, const struct kernel *k, struct status_events *out)
{
	const int cpus = libbpf_num_possible_cpus();
	own(mem) struct teg_telling *each = calloc(cpus > 0 ? (size_t)cpus : 1, sizeof *each);
	const uint32_t zero = 0;
	struct err ignored;

	out->slow = t ? t->slow : 0;
	out->told = t ? t->told : 0;
	out->full = t ? t->full : 0;
	if (filter_count(k->filter, NFT_UNTOLD, &out->rate, &ignored))
		out->rate = 0;
	if (!t || !t->ring || !each || cpus <= 0 || bpf_map_lookup_elem(k->shared.telling, &zero, each))
		return;
	for (int i = 0; i < cpus; i++) {
		out->told += each[i].told;
		out->full += each[i].full;
		out->rate += each[i].rate;
	}
}

bool told_hears_nft(const struct told *t)
{
	return t && t->log;
}

/* ---- life ------------------------------------------------------------------------------ */

void told_follow(struct told *t, const struct generation *g)
{
	if (!t)
		return;
	t->live = g;
	if (!g || (t->now.arena && t->now.number == g->is.number))
		return;
	names_release(&t->before);
	t->before = t->now;
	t->now = names_of(g);
}

struct told *told_new(const struct kernel *k)
{
	own(told) struct told *t = calloc(1, sizeof *t);
	struct err why;

	if (!t)
		return NULL;
	t->batch.rows = t->rows;
	if (nflog_open(&t->log, &why))
		say("where nft judges no packets are told of: %s", why.text);
	if (!k->active)
		return take(t);
	t->ring = ring_buffer__new(k->shared.events, take_one, t, NULL);
	return t->ring ? take(t) : NULL;
}

void told_free(struct told *t)
{
	if (!t)
		return;
	ring_buffer__free(t->ring);
	nflog_free(t->log);
	names_release(&t->now);
	names_release(&t->before);
	free(t);
}
