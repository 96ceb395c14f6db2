/*
 * The XDP program against eval: generated policies, generated frames, the
 * malformed among them. Same verdict, and counted where eval says it was
 * decided, packets and bytes.
 *
 *     tests/same/xdp [SEED [POLICIES [FRAMES]]]
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/bpf.h>

#include "compiler/emit/emit.h"
#include "compiler/ir/eval.h"
#include "compiler/ir/proto.h"
#include "tests/lib/tap.h"
#include "tests/lib/xdp_run.h"

#define FRAME_ROOM 2048
#define POSTURES 3
#define ZONES 3

/* ---- chance --------------------------------------------------------------------- */

static uint64_t state;

/* xorshift64* (Marsaglia 2003, Vigna 2016) */
static uint64_t chance(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1dull;
}

static unsigned below(unsigned n)
{
	return (unsigned)((chance() >> 32) * n >> 32);
}

static bool one_in(unsigned n)
{
	return below(n) == 0;
}

#define PICK(array) ((array)[below(ARRAY_LEN(array))])

/* ---- policies ---------------------------------------------------------------------- */

/* Few places, close together, so that sets overlap and frames fall on their edges. */
static struct addr any_addr(enum family f)
{
	static const uint32_t ip4[] = { 0, 0x0a000000, 0x0a0000fe, 0x0a000100, 0x0a010203, 0xc6336400,
					0xcb007109, 0xe0000001, 0xfffffffe };
	static const uint64_t ip6[] = { 0, 0x20010db800000000, 0x20010db800100000, 0xfe80000000000000,
					0xff02000000000000 };

	if (f == FAMILY_IP4)
		return (struct addr){ f, (addr_num)(uint32_t)(PICK(ip4) + below(4)) };
	return (struct addr){ f, ((addr_num)(PICK(ip6) + below(2)) << 64) + below(6) };
}

static struct netset any_set(struct arena *a)
{
	struct addr_range ranges[FAMILY_COUNT][6];
	struct addr_range *at[FAMILY_COUNT] = { ranges[0], ranges[1] };
	size_t len[FAMILY_COUNT] = { 0 };

	for (int f = 0; f < FAMILY_COUNT; f++) {
		for (unsigned n = below(5); n; n--) {
			struct prefix p = { any_addr((enum family)f), FAMILY_BITS(f) };
			struct addr_range *r = &ranges[f][len[f]++];

			if (one_in(2))
				p.len = below(FAMILY_BITS(f) + 1);
			addr_num host = prefix_range((struct prefix){ { (enum family)f, 0 }, p.len }).hi;
			p.addr.num &= ~host;
			*r = prefix_range(p);
			if (one_in(3)) { /* not a prefix */
				addr_num hi = any_addr((enum family)f).num;
				*r = hi < r->lo ? (struct addr_range){ hi, r->lo } : (struct addr_range){ r->lo, hi };
			}
		}
	}
	return netset_of_ranges(a, at, len);
}

static const uint16_t numbers[] = { 0, 1, 22, 53, 80, 443, 1023, 1024, 8080, 65534, 65535 };

static struct ranges any_ranges(struct arena *a)
{
	struct ranges r = ranges_of(a, 0, UINT16_MAX);

	if (one_in(2))
		return r;
	r = ranges_of(a, 80, 80);
	for (unsigned n = below(3); n; n--) {
		uint16_t lo = PICK(numbers), hi = PICK(numbers);
		struct ranges more = ranges_of(a, lo < hi ? lo : hi, lo < hi ? hi : lo);

		r = ranges_join(a, &r, &more);
	}
	return r;
}

static struct ranges any_icmp(struct arena *a, uint16_t proto)
{
	static const uint8_t types4[] = { 0, 3, 8, 11 }, types6[] = { 1, 4, 128, 129, 133, 135, 143 };
	uint16_t type = proto == PROTO_ICMP ? PICK(types4) : PICK(types6);

	if (one_in(3))
		return ranges_of(a, 0, UINT16_MAX);
	return ranges_of(a, (uint16_t)(type << 8), (uint16_t)(type << 8 | (one_in(2) ? 0xff : 0)));
}

/* Hosts here and there, so many that they do not fit the own trie: then the kernel's are asked. */
static struct netset vast_set(struct arena *a)
{
	enum { HOSTS = 12000 };
	struct addr_range *at[FAMILY_COUNT] = { arena_zero(a, HOSTS * sizeof **at), arena_zero(a, HOSTS * sizeof **at) };
	const size_t len[FAMILY_COUNT] = { HOSTS, HOSTS };

	for (int f = 0; f < FAMILY_COUNT; f++)
		for (size_t i = 0; i < HOSTS; i++) {
			addr_num num = i < 20 ? any_addr((enum family)f).num : (uint32_t)chance();
			at[f][i] = (struct addr_range){ num, num };
		}
	return netset_of_ranges(a, at, len);
}

struct drawn {
	struct arena *arena;
	struct ir *ir;
	struct ir_set *sets;
	size_t set_count;
	struct addr self[4];
	struct netset self_set;
};

static struct ir_end any_end(const struct drawn *d)
{
	struct ir_end e = { 0 };

	if (one_in(2))
		return (struct ir_end){ .any = true };
	e.self = one_in(4);
	if (!e.self || one_in(2))
		e.set = &d->sets[below((unsigned)d->set_count)];
	return e;
}

static const uint16_t protos[] = { PROTO_TCP, PROTO_TCP, PROTO_UDP, PROTO_SCTP, PROTO_ICMP, PROTO_ICMPV6, 47, 51, 0 };

static struct ir_box any_box(struct drawn *d)
{
	struct ranges all = ranges_of(d->arena, 0, UINT16_MAX);
	struct ir_box b = {
		.zones = one_in(2) ? UINT64_MAX : 1 + below((1u << ZONES) - 1),
		.families = 3,
		.fragments = FRAGMENT_ANY,
		.proto = one_in(3) ? PROTO_ANY_NUMBER : PICK(protos),
		.src = any_end(d),
		.dst = any_end(d),
		.sport = all,
		.dport = all,
		.icmp = all,
	};

	if (proto_has_ports(b.proto)) {
		b.sport = one_in(4) ? any_ranges(d->arena) : all;
		b.dport = any_ranges(d->arena);
	}
	if (b.proto == PROTO_TCP && one_in(2)) {
		b.flags_mask = (uint8_t)chance();
		b.flags_want = b.flags_mask & (uint8_t)chance();
	}
	if (b.proto == PROTO_ICMP || b.proto == PROTO_ICMPV6) {
		b.families = b.proto == PROTO_ICMP ? 1 : 2;
		b.icmp = any_icmp(d->arena, b.proto);
	} else if (one_in(5)) {
		b.families = 1 + (uint8_t)below(2);
	}
	if (!ranges_are_all(&b.sport) || !ranges_are_all(&b.dport) || !ranges_are_all(&b.icmp) || b.flags_mask)
		b.fragments = FRAGMENT_WHOLE | FRAGMENT_FIRST;
	return b;
}

static struct ir_rate *any_rate(struct arena *a)
{
	static const uint64_t costs[] = { 1, 1000, 1000000, 50000000, 1000000000 };
	struct ir_rate *r = arena_zero(a, sizeof *r);

	r->cost_ns = PICK(costs);
	r->burst = 1 + below(6);
	r->depth_ns = r->cost_ns * r->burst;
	r->key_bits[FAMILY_IP4] = one_in(2) ? 32 : (uint8_t)below(33);
	r->key_bits[FAMILY_IP6] = one_in(2) ? 64 : (uint8_t)below(129);
	return r;
}

static void any_list(struct drawn *d, struct ir_list *list, enum layer layer, const char *word, unsigned most)
{
	static const uint64_t times[] = { 1, 1000000, 1000000000 };

	list->count = below(most + 1);
	list->rules = arena_zero(d->arena, (list->count + 1) * sizeof *list->rules);
	for (size_t i = 0; i < list->count; i++) {
		struct ir_rule *r = &list->rules[i];

		r->id = r->label = arena_printf(d->arena, "%s.%zu", word, i);
		r->layer = layer;
		r->verdict = layer == LAYER_LIFELINE ? VERDICT_ALLOW : VERDICT_DROP;
		r->box_count = below(4);
		r->boxes = arena_zero(d->arena, (r->box_count + 1) * sizeof *r->boxes);
		for (size_t b = 0; b < r->box_count; b++)
			r->boxes[b] = any_box(d);
		if (layer != LAYER_REFLEX)
			continue;
		if (!one_in(3))
			r->rate = any_rate(d->arena);
		if (one_in(3))
			r->block_ns = PICK(times);
		if (one_in(3))
			r->except = below(1u << POSTURES);
	}
}

static struct ir_posture any_posture(struct arena *a, unsigned i)
{
	struct ir_posture p = { .name = arena_printf(a, "P%u", i), .closed = one_in(3) };
	struct ir_list *in = &p.lists[DIRECTION_IN];

	in->count = 1;
	in->rules = arena_zero(a, sizeof *in->rules);
	in->rules->id = arena_printf(a, "P%u.default.in", i);
	in->rules->label = "default";
	in->rules->layer = LAYER_POSTURE;
	in->rules->verdict = VERDICT_DROP;
	return p;
}

static void draw_self(struct drawn *d)
{
	struct addr_range ranges[FAMILY_COUNT][ARRAY_LEN(d->self)];
	struct addr_range *at[FAMILY_COUNT] = { ranges[0], ranges[1] };
	size_t len[FAMILY_COUNT] = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(d->self); i++) {
		enum family f = (enum family)(i & 1);

		do {
			d->self[i] = any_addr(f);
		} while (!d->self[i].num); /* nobody's: RFC 4291, 2.5.2 */
		ranges[f][len[f]++] = (struct addr_range){ d->self[i].num, d->self[i].num };
	}
	d->self_set = netset_of_ranges(d->arena, at, len);
}

static struct drawn draw_policy(struct arena *a, bool vast)
{
	struct drawn d = { .arena = a, .ir = arena_zero(a, sizeof *d.ir), .set_count = 1 + below(8) };

	d.sets = arena_zero(a, d.set_count * sizeof *d.sets);
	for (size_t i = 0; i < d.set_count; i++)
		d.sets[i] = (struct ir_set){ .index = (unsigned)i, .set = i || !vast ? any_set(a) : vast_set(a) };
	draw_self(&d);
	any_list(&d, &d.ir->lifelines, LAYER_LIFELINE, "lifeline", 2);
	any_list(&d, &d.ir->blocks, LAYER_BLOCK, "block", 4);
	any_list(&d, &d.ir->reflexes, LAYER_REFLEX, "reflex", 6);
	d.ir->posture_count = POSTURES;
	d.ir->postures = arena_zero(a, POSTURES * sizeof *d.ir->postures);
	for (unsigned i = 0; i < POSTURES; i++)
		d.ir->postures[i] = any_posture(a, i);
	return d;
}

/* ---- the plan ------------------------------------------------------------------------ */

static void plan_count(struct plan *p, const char *id)
{
	p->counters[p->counter_count++] = (struct plan_counter){ .id = id, .nft_name = "", .posture = 255 };
}

static void plan_list(struct plan *p, const struct ir_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		plan_count(p, l->rules[i].id);
}

static struct plan plan_of(const struct ir *ir, struct arena *a)
{
	size_t most = 2 + ir->lifelines.count + ir->blocks.count + ir->reflexes.count + ir->posture_count;
	struct plan p = { .policy = "drawn", .counters = arena_zero(a, most * sizeof *p.counters),
			  .posture_count = (uint32_t)ir->posture_count };

	plan_count(&p, WHY_NEIGHBOUR);
	plan_count(&p, WHY_BLOCKED);
	plan_list(&p, &ir->lifelines);
	plan_list(&p, &ir->blocks);
	plan_list(&p, &ir->reflexes);
	for (size_t i = 0; i < ir->posture_count; i++)
		plan_list(&p, &ir->postures[i].lists[DIRECTION_IN]);
	return p;
}

static uint32_t slot_of(const struct plan *p, const char *id)
{
	for (uint32_t i = 0; i < p->counter_count; i++)
		if (!strcmp(p->counters[i].id, id))
			return i;
	return p->counter_count;
}

/* ---- frames ---------------------------------------------------------------------------- */

static struct packet any_packet(const struct drawn *d)
{
	static const uint16_t icmp4[] = { 0x0800, 0x0000, 0x0301, 0x0b00, 0x0c00, 0x0500 };
	static const uint16_t icmp6[] = { 0x8000, 0x8100, 0x8500, 0x8700, 0x8701, 0x8800, 0x8900, 0x0100, 0x0400,
					  0x8200, 0x8f00 };
	static const uint8_t fragments[] = { FRAGMENT_WHOLE, FRAGMENT_WHOLE, FRAGMENT_WHOLE, FRAGMENT_FIRST,
					     FRAGMENT_LATER };
	struct packet p = {
		.family = (enum family)below(2),
		.proto = (uint8_t)PICK(protos),
		.fragment = PICK(fragments),
		.hop_limit = one_in(2) ? 255 : 64,
		.sport = one_in(2) ? PICK(numbers) : (uint16_t)chance(),
		.dport = one_in(8) ? (uint16_t)chance() : PICK(numbers),
		.flags = (uint8_t)chance(),
	};

	if (p.family == FAMILY_IP6 && p.proto == PROTO_ICMP)
		p.proto = PROTO_ICMPV6;
	p.icmp = p.proto == PROTO_ICMP ? PICK(icmp4) : PICK(icmp6);
	p.src = any_addr(p.family);
	p.dst = one_in(2) ? d->self[p.family + 2 * below(2)] : any_addr(p.family);
	return p;
}

/* Opens `bytes` of zeros at `at`. */
static size_t widen(uint8_t *frame, size_t len, size_t at, size_t bytes)
{
	if (len + bytes > FRAME_ROOM || at > len)
		return len;
	memmove(frame + at + bytes, frame + at, len - at);
	memset(frame + at, 0, bytes);
	return len + bytes;
}

static size_t add_vlan(uint8_t *frame, size_t len)
{
	size_t longer = widen(frame, len, 12, 4);

	if (longer > len) {
		frame[12] = one_in(3) ? 0x88 : 0x81;
		frame[13] = frame[12] == 0x88 ? 0xa8 : 0x00;
		frame[15] = 42;
	}
	return longer;
}

/* Puts an extension header between IPv6 and what follows; its length may be a lie. */
static size_t add_extension(uint8_t *frame, size_t len)
{
	static const uint8_t kinds[] = { 0, 43, 44, 51, 60, 59, 135 };
	size_t ip = frame[12] == 0x86 ? 14 : 18, units = below(3);
	uint8_t kind = PICK(kinds);
	size_t bytes = kind == 51 ? (units + 2) * 4 : kind == 44 ? 8 : (units + 1) * 8;

	if (len < ip + 40 || frame[ip] >> 4 != 6)
		return len;
	size_t longer = widen(frame, len, ip + 40, bytes);
	if (longer == len)
		return len;
	uint8_t *h = frame + ip + 40;
	h[0] = frame[ip + 6];
	h[1] = one_in(12) ? (uint8_t)chance() : (uint8_t)units;
	if (kind == 44 && one_in(2)) {
		h[2] = (uint8_t)below(2);
		h[3] = (uint8_t)chance();
	}
	frame[ip + 6] = kind;
	unsigned body = (unsigned)(frame[ip + 4] << 8 | frame[ip + 5]) + (unsigned)bytes;
	frame[ip + 4] = (uint8_t)(body >> 8);
	frame[ip + 5] = (uint8_t)body;
	return longer;
}

static size_t add_options(uint8_t *frame, size_t len)
{
	size_t ip = frame[12] == 0x08 ? 14 : 18, words = 1 + below(10);

	if (len < ip + 20 || frame[ip] != 0x45)
		return len;
	size_t longer = widen(frame, len, ip + 20, words * 4);
	if (longer == len)
		return len;
	unsigned total = (unsigned)(frame[ip + 2] << 8 | frame[ip + 3]) + (unsigned)words * 4;
	frame[ip] = (uint8_t)(0x45 + words);
	frame[ip + 2] = (uint8_t)(total >> 8);
	frame[ip + 3] = (uint8_t)total;
	return longer;
}

/* Cuts the packet short and says so in its IP header, so that the upper header is what ends early. */
static size_t curtail(uint8_t *frame, size_t len)
{
	size_t ip = frame[12] == 0x08 || frame[12] == 0x86 ? 14 : 18;
	bool ip4 = ip < len && frame[ip] >> 4 == 4;
	size_t header = ip4 ? 20 : 40, body = below(24);

	if (len < ip + header + body)
		return len;
	size_t says = ip4 ? header + body : body, at = ip + (ip4 ? 2 : 4);
	frame[at] = (uint8_t)(says >> 8);
	frame[at + 1] = (uint8_t)says;
	return one_in(2) ? ip + header + body : len;
}

/* Harm: a cut, a flipped bit, or noise in one of the first bytes after the addresses. */
static size_t harm(uint8_t *frame, size_t len)
{
	switch (below(4)) {
	case 0:
		return XDP_RUN_FRAME_MIN + below((unsigned)(len - XDP_RUN_FRAME_MIN + 1));
	case 1:
		frame[12 + below((unsigned)(len - 12))] ^= (uint8_t)(1u << below(8));
		return len;
	case 2:
		frame[12 + below((unsigned)(len - 12 < 70 ? len - 12 : 70))] = (uint8_t)chance();
		return len;
	default:
		for (size_t i = 14; i < len; i++)
			frame[i] = (uint8_t)chance();
		return len;
	}
}

static size_t any_frame(const struct drawn *d, uint8_t frame[static FRAME_ROOM])
{
	static const uint8_t payload[64];
	struct packet p = any_packet(d);
	size_t len = frame_build(&p, payload, below(sizeof payload), frame, FRAME_ROOM - 400);
	size_t upper = p.family == FAMILY_IP4 ? 34 : 54;

	if (one_in(8) && len > upper + 12)
		frame[upper + 12] = (uint8_t)(below(16) << 4); /* a TCP header's length */

	if (one_in(6))
		len = add_vlan(frame, len);
	if (one_in(30))
		len = add_vlan(frame, len);
	if (p.family == FAMILY_IP6 && one_in(4))
		for (unsigned n = one_in(3) ? 7 + below(4) : 1 + below(2); n; n--)
			len = add_extension(frame, len);
	if (p.family == FAMILY_IP4 && one_in(6))
		len = add_options(frame, len);
	if (one_in(8))
		len += below(20); /* padding, as short frames have */
	if (one_in(12))
		len = curtail(frame, len);
	if (one_in(8))
		len = harm(frame, len);
	return len;
}

/* ---- asking both -------------------------------------------------------------------------- */

struct wanted {
	unsigned action;
	enum cause cause;
	uint32_t slot; /* of the counter that must have moved; counter_count when none */
	uint32_t bytes;
	const char *why;
};

static struct wanted ask_eval(struct moment *m, const struct plan *plan, const struct ir *ir, unsigned zone,
			      unsigned posture, const uint8_t *frame, size_t len)
{
	struct packet p;
	struct wanted w = { .slot = plan->counter_count };

	w.cause = frame_parse(frame, len, &p);
	if (w.cause != CAUSE_NONE) {
		w.action = cause_verdict(w.cause) == VERDICT_ALLOW ? XDP_PASS : XDP_DROP;
		w.why = "its form";
		return w;
	}
	p.zone = zone;
	p.direction = DIRECTION_IN;
	w.bytes = p.len;

	struct outcome o = eval_epiderme(m, &p);
	w.action = o.verdict == VERDICT_ALLOW ? XDP_PASS : XDP_DROP;
	w.why = o.rule ? o.rule->id : o.why;
	if (o.rule || !strcmp(o.why, WHY_NEIGHBOUR) || !strcmp(o.why, WHY_BLOCKED)) {
		w.slot = slot_of(plan, w.why);
	} else if (eval_closed_drops(m, &p)) {
		w.action = XDP_DROP;
		w.why = ir->postures[posture].lists[DIRECTION_IN].rules[0].id;
		w.slot = slot_of(plan, w.why);
	}
	return w;
}

static void show_frame(const uint8_t *frame, size_t len)
{
	char text[3 * 160 + 1] = "";

	for (size_t i = 0; i < len && i < 160; i++)
		snprintf(text + 3 * i, 4, "%02x ", frame[i]);
	tap_note("%zu bytes: %s", len, text);
}

struct tally {
	uint64_t frames, differ, by_cause[CAUSE_COUNT];
	uint64_t passed, by_rule, blocked, over, closed;
};

static void tally_add(struct tally *t, const struct wanted *w)
{
	t->frames++;
	t->by_cause[w->cause]++;
	t->passed += w->action == XDP_PASS;
	t->by_rule += !strncmp(w->why, "lifeline", 8) || !strncmp(w->why, "block.", 6);
	t->over += !strncmp(w->why, "reflex", 6);
	t->blocked += !strcmp(w->why, WHY_BLOCKED);
	t->closed += w->why[0] == 'P';
}

struct pair {
	const struct drawn *d;
	const struct plan *plan;
	struct moment *m;
	struct xdp_run *x;
	struct teg_counter *counted; /* by slot, what eval says; and by cause after them */
};

static bool ask_both(struct pair *q, unsigned zone, unsigned posture, const uint8_t *frame, size_t len,
		     struct tally *t)
{
	struct wanted w = ask_eval(q->m, q->plan, q->d->ir, zone, posture, frame, len);
	unsigned action = xdp_run_frame(q->x, frame, len);
	bool same = action == w.action;

	tally_add(t, &w);
	if (w.slot < q->plan->counter_count) {
		struct teg_counter *mine = &q->counted[w.slot], seen = xdp_run_counter(q->x, w.slot);

		mine->packets++;
		mine->bytes += w.bytes;
		same = same && seen.packets == mine->packets && seen.bytes == mine->bytes;
	}
	q->counted[q->plan->counter_count + w.cause].packets++;
	if (!same) {
		tap_note("eval: %s by %s; xdp: %s%s", w.action == XDP_PASS ? "pass" : "drop", w.why,
			 action == XDP_PASS ? "pass" : action == XDP_DROP ? "drop" : "neither",
			 action == w.action ? ", but counted elsewhere" : "");
		show_frame(frame, len);
	}
	return same;
}

/* Nothing else was counted than what eval says. */
static bool counters_agree(const struct pair *q)
{
	uint32_t n = q->plan->counter_count;

	for (uint32_t i = 0; i < n; i++)
		if (xdp_run_counter(q->x, i).packets != q->counted[i].packets) {
			tap_note("%s: counted %" PRIu64 ", eval says %" PRIu64, q->plan->counters[i].id,
				 (uint64_t)xdp_run_counter(q->x, i).packets, (uint64_t)q->counted[i].packets);
			return false;
		}
	for (uint32_t c = 0; c < CAUSE_COUNT; c++)
		if (xdp_run_cause(q->x, (enum cause)c).packets != q->counted[n + c].packets) {
			tap_note("cause %u: counted %" PRIu64 ", eval says %" PRIu64, c,
				 (uint64_t)xdp_run_cause(q->x, (enum cause)c).packets,
				 (uint64_t)q->counted[n + c].packets);
			return false;
		}
	return true;
}

static uint64_t any_pause(void)
{
	static const uint64_t pauses[] = { 1, 2, 3, 4, 5, 999, 1000000, 20000000, 1000000000, 7000000000 };

	return one_in(8) ? PICK(pauses) : 0;
}

/* One policy, `frames` frames. False when the program could not be loaded at all. */
static bool try_policy(unsigned frames, bool vast, struct tally *t, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct drawn d = draw_policy(a, vast);
	struct plan plan = plan_of(d.ir, a);
	own(moment) struct moment *m = moment_new(d.ir);
	own(xdp_run) struct xdp_run *x = NULL;
	struct pair q = { &d, &plan, m, NULL, NULL };
	uint64_t now = 0;

	if (emit_xdp(&plan, d.ir, a, why) || xdp_run_new(&x, &plan, XDP_RUN_GIVEN_CLOCK, why))
		return false;
	q.x = x;
	q.counted = arena_zero(a, (plan.counter_count + CAUSE_COUNT) * sizeof *q.counted);
	moment_set_self(m, &d.self_set);
	xdp_run_self(x, d.self, ARRAY_LEN(d.self));

	unsigned zone = 0, posture = 0;
	for (unsigned i = 0; i < frames && !t->differ; i++) {
		uint8_t frame[FRAME_ROOM] = { 0 };
		size_t len = any_frame(&d, frame);
		uint64_t pause = any_pause();

		if (one_in(64)) {
			zone = below(ZONES);
			posture = below(POSTURES);
		}
		now += pause;
		moment_pass(m, pause);
		moment_set_posture(m, posture);
		xdp_run_at(x, 1ull << zone, posture, now);
		t->differ += !ask_both(&q, zone, posture, frame, len, t);
	}
	t->differ += !counters_agree(&q);
	return true;
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	unsigned policies = argc > 2 ? (unsigned)atoi(argv[2]) : 250;
	unsigned frames = argc > 3 ? (unsigned)atoi(argv[3]) : 4000;
	struct tally t = { 0 };
	struct err why = { 0 };

	for (unsigned i = 0; i < policies && !t.differ; i++) {
		state = (seed + i) * 0x9e3779b97f4a7c15ull;
		if (!try_policy(frames, i % 25 == 24, &t, &why)) {
			if (why.code == -EPERM || why.code == -EACCES) {
				tap_skip("BPF is not allowed here", "XDP and eval give every frame the same verdict");
				return tap_done();
			}
			tap_ok(false, "policy of seed %" PRIu64 " loads: %s", seed + i, why.text);
			return tap_done();
		}
		if (t.differ)
			tap_note("policy of seed %" PRIu64, seed + i);
	}
	tap_ok(!t.differ, "XDP and eval give each of %" PRIu64 " frames the same verdict and the same counter",
	       t.frames);
	tap_note("%" PRIu64 " pass, %" PRIu64 " by lifeline or block, %" PRIu64 " by reflex, %" PRIu64
		 " blocked, %" PRIu64 " closed", t.passed, t.by_rule, t.over, t.blocked, t.closed);
	for (int c = 0; c < CAUSE_COUNT; c++)
		if (c != CAUSE_SHORT_ETH || t.by_cause[c])
			tap_ok(t.by_cause[c], "cause %d was among them, %" PRIu64 " times", c, t.by_cause[c]);
	return tap_done();
}
