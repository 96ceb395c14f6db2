/*
 * witness.c - one packet of a set, such as people know packets, and what eval makes of it.
 */
#include "compiler/prove/prover.h"

#include <stdio.h>
#include <string.h>

#include "compiler/ir/eval.h"
#include "compiler/ir/moment.h"
#include "compiler/ir/proto.h"
#include "lang/vocab/tcp_flag.h"

#define SYN 0x02
#define ACK 0x10

/* --- picking values ----------------------------------------------------------------- */

/*
 * A set is walked down from its root. Every node that is not FALSE has a packet, so
 * whichever value is taken first among those that lead on, the walk arrives.
 */
struct picking {
	struct prover *prover;
	struct idd *m;
	const struct space *s;
	idd_ref at;	    /* what is left of the set */
	unsigned turn;	    /* another try takes the n-th best values of addresses */
	struct point *out;
	enum direction direction;
};

static bool leads_on(const struct picking *k, unsigned level, uint32_t value)
{
	if (IDD_IS_NUMBER(k->at) || idd_level(k->m, k->at) != level)
		return true;
	return idd_child(k->m, k->at, value) != IDD_FALSE;
}

static void take_value(struct picking *k, unsigned level, uint32_t value)
{
	if (!IDD_IS_NUMBER(k->at) && idd_level(k->m, k->at) == level)
		k->at = idd_child(k->m, k->at, value);
}

/* The first that leads on: of few values, in the order given; else the lowest that does. */
static uint32_t pick_of(struct picking *k, enum field f, const uint32_t *wanted, size_t len)
{
	unsigned level = k->s->level_of[f];
	uint32_t value = 0;

	for (size_t i = 0; i < len; i++) {
		if (wanted[i] > space_last(k->s, level) || !leads_on(k, level, wanted[i]))
			continue;
		take_value(k, level, wanted[i]);
		return wanted[i];
	}
	while (!leads_on(k, level, value))
		value++;
	take_value(k, level, value);
	return value;
}

/* The same for numbers that the level counts from the window's first one on. */
static uint16_t pick_number(struct picking *k, enum field f, const struct range *w,
			    const uint16_t *wanted, size_t len)
{
	uint32_t values[32];
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		if (wanted[i] >= w->lo && wanted[i] <= w->hi)
			values[n++] = (uint32_t)(wanted[i] - w->lo);
	return (uint16_t)(w->lo + pick_of(k, f, values, n));
}

static bool pick_bool(struct picking *k, enum field f, bool wanted)
{
	const uint32_t order[] = { wanted, !wanted };

	return pick_of(k, f, order, 2);
}

/* Of fields whose values a window's mask allows: the first that leads on. */
static unsigned pick_bit(struct picking *k, enum field f)
{
	uint32_t value = pick_of(k, f, NULL, 0);

	return (unsigned)space_values(k->s, k->s->level_of[f], value, value).lo;
}

static uint8_t pick_hops(struct picking *k, enum field f)
{
	static const uint8_t shown[HOPS_COUNT] = { [HOPS_OTHER] = 64, [HOPS_255] = 255, [HOPS_1] = 1 };

	return shown[pick_of(k, f, NULL, 0)];
}

static uint8_t pick_proto(struct picking *k)
{
	static const uint16_t wanted4[] = { PROTO_TCP, PROTO_UDP, PROTO_ICMP, PROTO_SCTP };
	static const uint16_t wanted6[] = { PROTO_TCP, PROTO_UDP, PROTO_ICMPV6, PROTO_SCTP };

	return (uint8_t)pick_number(k, FIELD_PROTO, &k->s->window.proto,
				    k->s->window.family == FAMILY_IP4 ? wanted4 : wanted6, 4);
}

/* --- addresses ---------------------------------------------------------------------- */

/* Documentation prefixes of RFC 5737 and RFC 3849, a benchmark and a private one. */
#define V6(high, low) ((addr_num)(high) << 64 | (low))
static const addr_num known_sources[FAMILY_COUNT][4] = {
	{ 0xc6336407, 0xcb007109, 0xc0000207, 0x0a000007 },
	{ V6(0x20010db800000000, 0x7), V6(0x20010db800020000, 0x7), V6(0x20010db8ffff0000, 0x7),
	  V6(0xfd00000000000000, 0x7) },
};
static const addr_num known_targets[FAMILY_COUNT][4] = {
	{ 0xc000020a, 0xcb007114, 0xc6336414, 0x0a000114 },
	{ V6(0x20010db800010000, 0xa), V6(0x20010db800030000, 0xa), V6(0x20010db8fffe0000, 0xa),
	  V6(0xfd00000000010000, 0xa) },
};

/* The rank that leads on with the most addresses, and below it, at other turns. */
static uint32_t widest_rank(const struct picking *k, enum field f)
{
	unsigned level = k->s->level_of[f];
	uint32_t last = space_last(k->s, level), best = UINT32_MAX;
	addr_num width = 0;
	unsigned skip = k->turn;

	for (uint32_t rank = 0; rank <= last; rank++) {
		struct addr_range r = space_addresses(k->s, f, rank);

		if (!leads_on(k, level, rank))
			continue;
		if (best == UINT32_MAX || r.hi - r.lo > width || skip > 0) {
			best = rank;
			width = r.hi - r.lo;
			skip -= skip > 0;
		}
	}
	return best;
}

/* A host's address rather than the network's own. */
static addr_num host_of(enum family family, struct addr_range r, unsigned turn)
{
	addr_num room = r.hi - r.lo;
	addr_num host = r.lo + (room >= 2 ? 1 : 0);

	if (r.lo == 0 && room > UINT32_MAX / 2)
		host = family == FAMILY_IP4 ? 0x01010101 : V6(0x2001000000000000, 1);
	if (host > r.hi)
		host = r.hi;
	return turn && host < r.hi ? host + 1 : host;
}

static addr_num pick_address(struct picking *k, enum field f, const addr_num known[4])
{
	unsigned level = k->s->level_of[f];
	struct addr_range w = f == FIELD_DST ? k->s->window.dst : k->s->window.src;

	for (size_t i = k->turn; i < 4; i++) {
		struct point here = { .packet.family = k->s->window.family };

		if (known[i] < w.lo || known[i] > w.hi)
			continue;
		here.packet.dst.num = here.packet.src.num = known[i];

		uint32_t rank = space_value(k->s, level, &here);

		if (!leads_on(k, level, rank))
			continue;
		take_value(k, level, rank);
		return known[i];
	}

	uint32_t rank = widest_rank(k, f);

	take_value(k, level, rank);
	return host_of(k->s->window.family, space_addresses(k->s, f, rank), k->turn);
}

/* --- ports and the like ------------------------------------------------------------- */

static const uint16_t known_ports[] = { 22,   443,  80,	  53,  3389, 25,  445, 3306, 5432, 6379,
					8080, 21,   23,	  123, 161,  389, 993, 5900, 5060, 8443 };
static const uint16_t known_sports[] = { 50000, 1024, 53, 123 };
static const uint16_t known_icmp[] = { 8 << 8, 128 << 8 };
static const uint32_t known_flags[] = { SYN, ACK, SYN | ACK };

/* The level's value is taken, but a packet that has no such field shows none. */
static void pick_header(struct picking *k)
{
	struct packet *p = &k->out->packet;
	bool whole = p->fragment != FRAGMENT_LATER, ports = whole && proto_has_ports(p->proto);
	uint16_t dport = pick_number(k, FIELD_DPORT, &k->s->window.dport, known_ports, 20);
	uint16_t sport = pick_number(k, FIELD_SPORT, &k->s->window.sport, known_sports, 4);
	uint8_t flags = (uint8_t)pick_of(k, FIELD_FLAGS, known_flags, 3);
	uint16_t icmp = pick_number(k, FIELD_ICMP, &k->s->window.icmp, known_icmp, 2);

	p->dport = ports ? dport : 0;
	p->sport = ports ? sport : 0;
	p->flags = whole && p->proto == PROTO_TCP ? flags : 0;
	if (whole && (p->proto == PROTO_ICMP || p->proto == PROTO_ICMPV6))
		p->icmp = icmp;
}

static bool *pick_unknowns(struct picking *k, struct arena *arena)
{
	size_t len = k->s->terms->unknowns.len;
	bool *over = arena_zero(arena, len + 1);

	for (unsigned i = 0; i < len; i++) {
		over[i] = !leads_on(k, FIELD_COUNT + i, 0);
		take_value(k, FIELD_COUNT + i, over[i]);
	}
	return over;
}

/* A field at a time, as the levels come. */
static void pick_field(struct picking *k, enum field f)
{
	struct point *o = k->out;
	struct packet *p = &o->packet;
	enum family family = k->s->window.family;

	switch (f) {
	case FIELD_STATE:
		p->state = (enum ct_state)pick_bit(k, f);
		break;
	case FIELD_REPLY:
		p->reply = pick_bool(k, f, false);
		break;
	case FIELD_FRAGMENT:
		p->fragment = (uint8_t)(1u << pick_bit(k, f));
		break;
	case FIELD_BLOCKED:
		o->blocked = pick_bool(k, f, false);
		break;
	case FIELD_ZONE:
		p->zone = pick_bit(k, f);
		break;
	case FIELD_PROTO:
		p->proto = pick_proto(k);
		break;
	case FIELD_DST_SELF:
		o->dst_self = pick_bool(k, f, k->direction == DIRECTION_IN);
		break;
	case FIELD_SRC_SELF:
		o->src_self = pick_bool(k, f, k->direction == DIRECTION_OUT);
		break;
	case FIELD_DST:
		p->dst = (struct addr){ family, pick_address(k, f, known_targets[family]) };
		break;
	case FIELD_SRC:
		p->src = (struct addr){ family, pick_address(k, f, known_sources[family]) };
		break;
	case FIELD_DPORT:
		pick_header(k);
		break;
	case FIELD_SPORT:
	case FIELD_FLAGS:
	case FIELD_ICMP:
		break; /* with the above */
	case FIELD_HOPS:
		p->hop_limit = pick_hops(k, f);
		break;
	case FIELD_COUNT:
		break;
	}
}

static const char *open_words(enum open_kind k)
{
	switch (k) {
	case OPEN_RATE:
		return "the rate of %s is exceeded";
	case OPEN_PATTERN:
		return "the pattern of %s is found";
	case OPEN_SESSION:
		return "the session is one of %s";
	case OPEN_FEED:
		return "the source is on %s";
	}
	return "%s";
}

static void name_assumptions(struct witness *w, struct arena *arena, const struct terms *t)
{
	VEC(const char *) said = { 0 };

	if (w->point.blocked)
		vec_push(arena, &said, "the source is blocked at run time");
	for (size_t i = 0; i < t->unknowns.len; i++)
		if (w->point.over[i])
			vec_push(arena, &said,
				 arena_printf(arena, open_words(t->unknowns.at[i].kind), t->unknowns.at[i].said));
	w->assumes = said.at;
	w->assume_count = said.len;
}

static bool ends_agree(const struct point *p)
{
	return p->packet.src.num != p->packet.dst.num || p->src_self == p->dst_self;
}

static bool pick(struct witness *out, struct prover *p, struct idd *m, const struct space *s,
		 idd_ref set, enum direction direction, unsigned turn)
{
	struct witness w = { .direction = direction };
	struct picking k = { p, m, s, set, turn, &w.point, direction };

	w.point.packet.family = s->window.family;
	w.point.packet.direction = direction;
	w.point.packet.len = 60;
	for (unsigned level = 0; level < FIELD_COUNT; level++)
		pick_field(&k, s->field_at[level]);
	w.point.over = pick_unknowns(&k, p->arena);
	if (!ends_agree(&w.point))
		return false;
	w.zone = w.point.packet.zone == ZONE_NONE ? NULL : s->terms->zones.at[w.point.packet.zone];
	name_assumptions(&w, p->arena, s->terms);
	*out = w;
	return true;
}

/* The part in which the host owns both ends (or neither), so that any addresses agree. */
static idd_ref owning(struct idd *m, const struct space *s, idd_ref set, bool both)
{
	static const enum field ends[] = { FIELD_DST_SELF, FIELD_SRC_SELF };

	for (size_t i = 0; i < 2; i++)
		set = idd_apply(m, IDD_AND, set,
				idd_interval(m, s->level_of[ends[i]], both, both ? IDD_TOP : 0,
					     IDD_TRUE, IDD_FALSE));
	return set;
}

bool witness_pick(struct witness *out, struct prover *p, struct idd *m, const struct space *s,
		  idd_ref set, enum direction direction)
{
	const unsigned turns = 4;
	idd_ref neither = owning(m, s, set, false), both = owning(m, s, set, true);

	for (unsigned turn = 0; turn < turns; turn++)
		if (pick(out, p, m, s, set, direction, turn))
			return true;
	return (neither != IDD_FALSE && pick(out, p, m, s, neither, direction, 0)) ||
	       (both != IDD_FALSE && pick(out, p, m, s, both, direction, 0));
}

/* --- replaying ---------------------------------------------------------------------- */

static unsigned zone_in(const struct ir *ir, const char *name)
{
	for (unsigned i = 0; name && i < ir->zone_count; i++)
		if (!strcmp(ir->zones[i].name, name))
			return i;
	return ZONE_NONE;
}

/* The host owns the ends that the witness says it owns. */
static void set_self(struct moment *m, struct arena *arena, const struct witness *w)
{
	const struct packet *p = &w->point.packet;
	struct addr_range own[2];
	struct addr_range *at[FAMILY_COUNT] = { own, own };
	size_t len[FAMILY_COUNT] = { 0 };
	struct netset *self = arena_zero(arena, sizeof *self);

	if (w->point.dst_self)
		own[len[p->family]++] = (struct addr_range){ p->dst.num, p->dst.num };
	if (w->point.src_self)
		own[len[p->family]++] = (struct addr_range){ p->src.num, p->src.num };
	*self = netset_of_ranges(arena, at, len);
	moment_set_self(m, self);
}

/* So that the condition holds of the rules that ask it: a bucket empty, a pattern found, a source on a feed. */
static void fulfil_list(struct moment *m, const struct ir_list *l, const struct unknown *u, unsigned copy, const struct packet *p)
{
	for (size_t i = 0; i < l->count; i++) {
		const struct ir_rule *r = &l->rules[i];
		const char *own = ir_rule_condition(r);

		if (!own || strcmp(own, u->name) != 0 || condition_copy(r, copy) != u->copy)
			continue;
		if (r->payload || r->feed)
			moment_find(m, r->id);
		if (r->rate)
			moment_leave(m, r->rate, p, 0);
	}
}

static void fulfil(struct moment *m, const struct unknown *u, unsigned copy, const struct packet *p)
{
	if (u->kind == OPEN_SESSION && u->copy == copy)
		moment_find(m, u->name);
	fulfil_list(m, &m->ir->feeds, u, copy, p);
	fulfil_list(m, &m->ir->postures[m->posture].lists[p->direction], u, copy, p);
}

/* Does it take a token of the packet? What looks for a pattern finds none: who does and is over decides by itself. */
static bool takes(const struct moment *m, const struct ir_rule *r, const struct packet *p)
{
	if (r->payload || r->except >> m->posture & 1)
		return false;
	for (size_t i = 0; i < r->box_count; i++)
		if (box_has(m, &r->boxes[i], p))
			return true;
	return false;
}

/*
 * Of reflexes it is enough that the one fires that decides: those before it find what they look for not to hold. As
 * many tokens are left as they take of its limit.
 */
static void fulfil_reflex(struct moment *m, const struct terms *t, const struct ir_rule *r, const struct packet *p)
{
	const struct takers before = terms_takers(t, r);
	unsigned taken = 0;

	if (r->payload)
		moment_find(m, r->id);
	for (size_t i = 0; i < before.len; i++)
		taken += takes(m, before.at[i].rule, p);
	if (r->rate)
		moment_leave(m, r->rate, p, taken);
}

static void set_unknowns(struct moment *m, const struct witness *w, const struct terms *t,
			 unsigned copy, const struct packet *p, const struct ir_rule *decides)
{
	if (decides && decides->layer == LAYER_REFLEX)
		fulfil_reflex(m, t, decides, p);
	if (w->point.blocked)
		moment_block(m, w->point.packet.src, UINT64_C(1) << 40);
	for (size_t i = 0; i < t->unknowns.len; i++)
		if (w->point.over[i])
			fulfil(m, &t->unknowns.at[i], copy, p);
}

struct decider witness_decider(const struct judgement *j, const struct witness *w)
{
	return decider_of(&j->steps[judgement_first(j, &w->point)]);
}

bool witness_replays(const struct witness *w, const struct terms *t, const struct judgement *j)
{
	own(moment) struct moment *m = moment_new(j->ir);
	own(arena) struct arena *arena = arena_new();
	struct packet p = w->point.packet;
	struct decider mine = witness_decider(j, w);

	p.direction = j->direction;
	p.zone = zone_in(j->ir, w->zone);
	moment_set_posture(m, j->posture);
	set_self(m, arena, w);
	set_unknowns(m, w, t, j->copy, &p, mine.rule);

	struct outcome o = eval_packet(m, &p);

	return o.verdict == mine.verdict && o.rule == mine.rule &&
	       (o.rule || !strcmp(o.why, mine.why));
}

void witness_replay(struct witness *w, const struct terms *t, const struct judgement *j)
{
	w->decider = witness_decider(j, w);
	w->replays = witness_replays(w, t, j);
}

/* --- printing ----------------------------------------------------------------------- */

static void print_end(struct buf *out, struct addr a, bool self, uint16_t port, bool ports)
{
	char text[ADDR_TEXT];
	bool brackets = ports && !self && a.family == FAMILY_IP6;

	buf_printf(out, "%s%s%s", brackets ? "[" : "", self ? "self" : addr_print(a, text),
		   brackets ? "]" : "");
	if (ports)
		buf_printf(out, ":%u", port);
}

static void print_proto(struct buf *out, const struct packet *p)
{
	switch (p->proto) {
	case PROTO_TCP:
		buf_puts(out, "tcp");
		break;
	case PROTO_UDP:
		buf_puts(out, "udp");
		break;
	case PROTO_SCTP:
		buf_puts(out, "sctp");
		break;
	case PROTO_ICMP:
		buf_puts(out, "icmp");
		break;
	case PROTO_ICMPV6:
		buf_puts(out, "icmpv6");
		break;
	default:
		buf_printf(out, "proto %u", p->proto);
	}
}

void witness_print(struct buf *out, const struct witness *w)
{
	const struct packet *p = &w->point.packet;
	bool later = p->fragment == FRAGMENT_LATER, ports = !later && proto_has_ports(p->proto);

	print_proto(out, p);
	buf_putc(out, ' ');
	print_end(out, p->src, w->point.src_self, p->sport, ports);
	buf_puts(out, " -> ");
	print_end(out, p->dst, w->point.dst_self, p->dport, ports);
	if (!later && p->proto == PROTO_TCP && !p->flags)
		buf_puts(out, " no flags");
	else if (!later && p->proto == PROTO_TCP) {
		buf_putc(out, ' ');
		tcp_flags_print(out, p->flags);
	}
	if (!later && (p->proto == PROTO_ICMP || p->proto == PROTO_ICMPV6))
		buf_printf(out, " type %u code %u", p->icmp >> 8, p->icmp & 0xff);
	if (p->fragment != FRAGMENT_WHOLE)
		buf_puts(out, later ? " later fragment" : " first fragment");
	if (hops_of(p->hop_limit) != HOPS_OTHER)
		buf_printf(out, " hop limit %u", p->hop_limit);
	if (p->state != CT_NEW)
		buf_printf(out, " %s", ct_state_name(p->state));
	if (p->reply)
		buf_puts(out, " reply");
	if (w->zone)
		buf_printf(out, " on %s", w->zone);
}
