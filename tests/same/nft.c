/*
 * nft against eval: generated policies are loaded into a namespace, generated
 * packets arrive, are forwarded and leave, and each must be counted where eval
 * says it is decided, and meet the verdict that eval says.
 *
 *     tests/same/nft [SEED [POLICIES [PACKETS]]]
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/emit/emit.h"
#include "compiler/emit/nft.h"
#include "compiler/emit/nft_lower.h"
#include "compiler/ir/eval.h"
#include "compiler/ir/proto.h"
#include "lang/bundle/nft_name.h"
#include "lang/vocab/cause.h"
#include "tests/lib/craft.h"
#include "tests/lib/gen.h"
#include "tests/lib/nft_live.h"
#include "tests/lib/tap.h"

#define OURS_INET   "inet tegumentar"
#define OURS_NETDEV "netdev tegumentar"
#define WORLD_INET  "inet world"

/* Interfaces: one a zone, by its number, and the last of no zone. */
static const char *const link_names[] = { "eth0", "br-x1", "eth2", "tun0" };
#define LINK_NONE 3u
#define WAN	  0u

static unsigned link_of(unsigned zone)
{
	return zone == ZONE_NONE ? LINK_NONE : zone;
}

/* --- one policy, loaded ------------------------------------------------------------------ */

struct lab {
	struct arena *arena;
	struct ir *ir;
	struct moment *moment;
	struct live live;
	unsigned posture;
	struct emit_nft nft;
	struct plan plan;
};

/* The second zone is two patterns, one of them with a star; the link has the one or the other. Every
 * other rule about zones is also about interfaces of none. */
static void widen_zones(struct arena *a, struct policy *p, const char *one, const char *other)
{
	const char *patterns[] = { one, other };

	for (size_t i = 0; i < p->posture_count; i++)
		for (size_t k = 0; k < p->postures[i].rule_count; k += 2)
			p->postures[i].rules[k].match.zones |= 1ull << ZONE_NONE;
	if (p->zone_count < 2)
		return;
	p->zones[1].patterns = arena_copy(a, patterns, sizeof patterns);
	p->zones[1].pattern_count = 2;
}

static int lab_open(struct lab *lab, struct policy *p, struct arena *a, const struct netset *self, struct err *why)
{
	*lab = (struct lab){ .arena = a };
	lab->ir = ir_lower(p, a);
	int rc = emit_nft(&lab->nft, &lab->plan, lab->ir, a, why);
	if (!rc)
		rc = live_enter(&lab->live, a, link_names, ARRAY_LEN(link_names), self, why);
	if (rc)
		return rc;
	lab->moment = moment_new(lab->ir);
	moment_set_self(lab->moment, &lab->live.self);
	lab->posture = lab->ir->initial;
	return 0;
}

static void lab_close(struct lab *lab)
{
	live_exit(&lab->live);
	moment_free(lab->moment);
	emit_nft_release(&lab->nft);
}

/* The devices that the zones name, of those there are. */
static void print_devices(struct buf *b, const struct ir *ir)
{
	for (unsigned z = 0; z < ir->zone_count; z++)
		buf_printf(b, "%s\"%s\"", z ? ", " : "", link_names[z]);
}

/* The base chains, as the warden makes them. */
static bool hook_up(const struct lab *lab, char bank)
{
	static const char *const hooks[] = { "input", "forward", "output" };
	const char *posture = lab->ir->postures[lab->ir->initial].name;
	int priority = bank == 'a' ? NFT_PRIORITY_A : NFT_PRIORITY_B;
	own(buf) struct buf b = { 0 };

	buf_puts(&b, "table " OURS_INET " {\n");
	for (int d = 0; d < DIRECTION_COUNT; d++) {
		const char *way = direction_name((enum direction)d);

		buf_printf(&b, "chain %c_hook_%s { type filter hook %s priority %d; policy drop;\n"
			       "jump %c_pre_%s\ngoto %c_%s_%s\n}\n",
			   bank, way, hooks[d], priority, bank, way, bank, posture, way);
	}
	buf_printf(&b, "}\ntable " OURS_NETDEV " {\nchain %c_hook_ingress { type filter hook ingress devices = { ", bank);
	print_devices(&b, lab->ir);
	buf_printf(&b, " } priority %d; policy accept;\ngoto %c_epiderme_%s\n}\n}\n", priority, bank, posture);
	return live_nft(buf_text(&b));
}

/* The switch, without the bridge. */
static bool take_posture(struct lab *lab, unsigned posture)
{
	const char *name = lab->ir->postures[posture].name;
	own(buf) struct buf b = { 0 };

	for (int d = 0; d < DIRECTION_COUNT; d++) {
		const char *way = direction_name((enum direction)d);

		buf_printf(&b, "flush chain " OURS_INET " a_hook_%s\nadd rule " OURS_INET " a_hook_%s jump a_pre_%s\n"
			       "add rule " OURS_INET " a_hook_%s goto a_%s_%s\n", way, way, way, way, name, way);
	}
	buf_printf(&b, "flush chain " OURS_NETDEV " a_hook_ingress\nadd rule " OURS_NETDEV " a_hook_ingress goto a_epiderme_%s\n",
		   name);
	moment_set_posture(lab->moment, posture);
	lab->posture = posture;
	return live_nft(buf_text(&b));
}

static bool send_batches(struct lab *lab, char bank, struct err *why)
{
	batch_place(&lab->nft.posture, bank);
	batch_place(&lab->nft.epiderme, bank);
	return !live_batch(&lab->live, &lab->nft.posture, why) && !live_batch(&lab->live, &lab->nft.epiderme, why);
}

static bool unload(void)
{
	return live_nft("delete table " OURS_INET "\ndelete table " OURS_NETDEV "\n");
}

/* --- (1) text and batch are one ruleset ----------------------------------------------------- */

/* The text's ingress chain has only the devices that are named without a star. */
static bool load_text(const struct lab *lab)
{
	return live_nft(buf_text(&lab->nft.text));
}

/* The line in which two listings differ. */
static void note_lines(const char *want, const char *got)
{
	const char *from = want;
	size_t line;

	for (; *want && *want == *got; want++, got++)
		if (*want == '\n')
			from = want + 1;
	line = strcspn(want, "\n");
	tap_note("text:  %.*s", (int)(want - from + (ptrdiff_t)line), from);
	tap_note("batch: %.*s%.*s", (int)(want - from), from, (int)strcspn(got, "\n"), got);
}

/* A listing has sets and chains in the order in which they came; base chains come last in both. */
static bool lists_alike(struct lab *lab, unsigned seed)
{
	own(buf) struct buf text = { 0 }, batch = { 0 };
	struct err why = { 0 };
	bool ok = load_text(lab) && live_list("table " OURS_INET, &text) && live_list("table " OURS_NETDEV, &text) && unload();

	if (!tap_ok(ok, "policy %u: nft -f takes the text", seed))
		return false;
	ok = send_batches(lab, 'a', &why) && hook_up(lab, 'a') && live_list("table " OURS_INET, &batch) &&
	     live_list("table " OURS_NETDEV, &batch) && unload();
	if (!tap_ok(ok, "policy %u: the kernel takes the batches", seed)) {
		tap_note("%s", why.text);
		return false;
	}
	if (tap_ok(!strcmp(buf_text(&text), buf_text(&batch)), "policy %u: both make the same live ruleset", seed))
		return true;
	note_lines(buf_text(&text), buf_text(&batch));
	return false;
}

/* Lists that stand in trees and maps. */
static const struct gen_shape long_lists = {
	.zones = 3, .lifelines = 20, .blocks = 40, .reflexes = 40, .postures = 2, .rules = 90, .rules_tell_percent = 5,
};

static void texts_and_batches_agree(const struct gen_shape *shape, unsigned first, unsigned count)
{
	for (unsigned seed = first; seed < first + count; seed++) {
		own(arena) struct arena *a = arena_new();
		struct gen g = gen_new(seed);
		struct policy *p = gen_policy(&g, a, shape);
		struct netset self = gen_self(&g, a);
		struct err why = { 0 };
		struct lab lab;

		widen_zones(a, p, "br-x1", "br-y*");
		if (lab_open(&lab, p, a, &self, &why)) {
			tap_ok(false, "policy %u: %s", seed, why.text);
			return;
		}
		bool ok = lists_alike(&lab, seed);
		lab_close(&lab);
		if (!ok)
			return;
	}
}

/* --- (2) each packet is decided where eval says ------------------------------------------------ */

/* What is to be seen of one packet in our two tables. */
struct expected {
	const char *netdev, *inet; /* the counters that move, or NULL */
	bool passes;		   /* layer 4 admits; asked only when inet is there */
};

static const char *counter_of(struct lab *lab, const struct outcome *o)
{
	return nft_name(lab->arena, o->rule ? o->rule->id : o->why);
}

static bool has_first_hook(const struct packet *p)
{
	return p->direction != DIRECTION_OUT && p->zone != ZONE_NONE;
}

static struct expected expect_first(struct lab *lab, const struct packet *p)
{
	struct expected e = { 0 };

	if (!has_first_hook(p))
		return e;
	struct outcome o = eval_epiderme(lab->moment, p);
	if (strcmp(o.why, WHY_GOES_ON))
		e.netdev = counter_of(lab, &o);
	e.passes = o.verdict == VERDICT_ALLOW;
	return e;
}

/* No state in a still policy, so asking twice is asking once. */
static void expect_layer4(struct lab *lab, const struct packet *p, struct expected *e)
{
	struct outcome o = eval_packet(lab->moment, p);

	e->inet = counter_of(lab, &o);
	e->passes = o.verdict == VERDICT_ALLOW;
}

/* Of our table exactly this counter has moved, by one. */
static bool moved_only(const struct live_seen *s, const char *table, const char *name)
{
	unsigned others = 0;
	uint64_t by = 0;

	for (unsigned i = 0; i < s->count; i++) {
		if (strcmp(s->at[i].table, table))
			continue;
		if (name && !strcmp(s->at[i].name, name))
			by = s->at[i].packets;
		else
			others++;
	}
	return !others && by == (name != NULL);
}

static void note_seen(const struct live_seen *s, const struct expected *e)
{
	tap_note("expected netdev %s, inet %s, %s", e->netdev ? e->netdev : "-", e->inet ? e->inet : "-",
		 e->passes ? "passes" : "ends");
	for (unsigned i = 0; i < s->count; i++)
		tap_note("seen %s: %s %llu", s->at[i].table, s->at[i].name, (unsigned long long)s->at[i].packets);
}

/* Connection tracking is the world's, not ours: it is asked, not foretold. */
static enum ct_state state_seen(const struct live_seen *s)
{
	static const struct { const char *name; enum ct_state state; } states[] = {
		{ "new", CT_NEW }, { "established", CT_ESTABLISHED }, { "related", CT_RELATED },
		{ "invalid", CT_INVALID }, { "untracked", CT_UNTRACKED },
	};

	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		if (live_count(s, WORLD_INET, states[i].name))
			return states[i].state;
	return CT_NEW;
}

/* Which hook of layer 4 the packet came to; DIRECTION_COUNT: none, the stack had its own reasons. */
static enum direction hook_seen(const struct live_seen *s)
{
	for (int d = 0; d < DIRECTION_COUNT; d++)
		if (live_count(s, WORLD_INET, direction_name((enum direction)d)))
			return (enum direction)d;
	return DIRECTION_COUNT;
}

struct tally {
	unsigned packets, hooks[DIRECTION_COUNT + 1], dropped_first, admitted, refused, causes;
};

/* A later fragment that begins with an extension header: no `meta l4proto`, so no rule on protocols sees it. */
static bool has_no_proto(const struct packet *p)
{
	static const uint8_t extensions[] = { 0, 43, 44, 51, 60 };

	return p->family == FAMILY_IP6 && p->fragment == FRAGMENT_LATER &&
	       memchr(extensions, p->proto, sizeof extensions);
}

/* False when engine and eval differ. */
static bool judge(struct lab *lab, struct packet p, const struct live_seen *seen, struct tally *t)
{
	struct expected e = expect_first(lab, &p);
	enum direction d = hook_seen(seen);

	if (has_no_proto(&p))
		return true;
	t->packets++;
	t->hooks[d]++;
	if (has_first_hook(&p) && !e.passes)
		t->dropped_first++;
	if (d != DIRECTION_COUNT) {
		p.direction = d;
		p.state = state_seen(seen);
		p.reply = live_count(seen, WORLD_INET, "reply");
		expect_layer4(lab, &p, &e);
		if (e.passes)
			t->admitted++;
		else
			t->refused++;
	}

	bool same = moved_only(seen, OURS_NETDEV, e.netdev) && moved_only(seen, OURS_INET, e.inet);
	if (d != DIRECTION_COUNT) /* else the stack had its own reasons */
		same = same && live_count(seen, WORLD_INET, "passed") == e.passes;
	else
		same = same && !e.inet;
	if (!same) {
		char text[256];

		tap_note("%s", gen_packet_text(&p, text));
		note_seen(seen, &e);
	}
	return same;
}

static bool try_arrival(struct lab *lab, struct packet p, struct tally *t)
{
	uint8_t frame[GEN_FRAME_MAX];
	size_t len = frame_build(&p, NULL, 0, frame, sizeof frame);
	struct live_seen seen;

	p.direction = DIRECTION_IN;
	if (!len || !live_arrive(&lab->live, link_of(p.zone), frame, len) || !live_seen(&lab->live, &seen))
		return true;
	return judge(lab, p, &seen, t);
}

static bool try_departure(struct lab *lab, struct packet p, struct tally *t)
{
	struct live_seen seen;

	/* A packet to the host itself, or to none, takes the loopback, not the link. */
	if (p.fragment != FRAGMENT_WHOLE || netset_has(&lab->live.self, p.dst) || !p.src.num ||
	    !p.dst.num)
		return true;
	p.direction = DIRECTION_OUT;
	live_leave(&lab->live, link_of(p.zone), &p);
	if (!live_seen(&lab->live, &seen) || hook_seen(&seen) != DIRECTION_OUT)
		return true;
	return judge(lab, p, &seen, t);
}

/* IPv6, and somewhere the number of the fragment header. */
static bool may_be_fragment6(const uint8_t *frame, size_t len)
{
	static const uint8_t ip6[] = { 0x86, 0xdd };
	const uint8_t *type = memmem(frame, len, ip6, sizeof ip6);

	return type && memchr(type, 44, len - (size_t)(type - frame));
}

static size_t ip_offset(const uint8_t *frame)
{
	return frame[12] == 0x81 || frame[12] == 0x88 ? 18 : 14; /* behind a VLAN tag */
}

/* Longer than its IP header says. */
static bool is_padded(const uint8_t *frame, size_t len)
{
	size_t ip = ip_offset(frame);

	if (len < ip + 20)
		return false;
	size_t total = frame[ip] >> 4 == 4 ? (size_t)frame[ip + 2] << 8 | frame[ip + 3]
					   : 40 + ((size_t)frame[ip + 4] << 8 | frame[ip + 5]);
	return ip + total < len;
}

static bool malformed_seen(const struct live_seen *s)
{
	for (unsigned i = 0; i < s->count; i++)
		if ((!strncmp(s->at[i].name, "malformed.", 10) || !strncmp(s->at[i].name, "passed.", 7)) && s->at[i].packets)
			return true;
	return false;
}

/* Malformed at ingress: what nft can see of it. */
static bool cause_may(struct lab *lab, enum cause cause, bool fragment6, bool padded, const struct live_seen *s)
{
	const uint32_t passes = lab->ir->postures[lab->posture].passes;
	const char *names[CAUSE_COUNT];

	for (unsigned c = 0; c < CAUSE_COUNT; c++)
		names[c] = arena_printf(lab->arena, "%s.%s", passes >> c & 1 ? "passed" : "malformed", cause_name((enum cause)c));
	if (!s->count) /* skb_vlan_untag() drops a frame that ends in its tag, or at once behind it */
		return cause == CAUSE_SHORT_ETH || cause == CAUSE_SHORT_IP || cause == CAUSE_VLAN_DEPTH;
	switch (cause) {
	case CAUSE_NOT_IP:
	case CAUSE_SHORT_ETH:
		return moved_only(s, OURS_NETDEV, WHY_NOT_IP);
	case CAUSE_SHORT_IP: /* options cut off: 20 bytes are there, more are promised */
		return moved_only(s, OURS_NETDEV, names[cause]) || moved_only(s, OURS_NETDEV, names[CAUSE_BAD_IP]);
	case CAUSE_BAD_IP: /* a fragment of IPv6 is not measured against its frame: the stack does it */
		return fragment6 || moved_only(s, OURS_NETDEV, names[cause]);
	case CAUSE_VLAN_DEPTH:
		return moved_only(s, OURS_NETDEV, names[cause]);
	case CAUSE_SHORT_L4: /* padding behind the packet reads as its header */
		return padded || moved_only(s, OURS_NETDEV, names[cause]);
	case CAUSE_BAD_TCP: /* a header longer than the packet is conntrack's to find */
		return !live_count(s, OURS_NETDEV, names[CAUSE_BAD_IP]) &&
		       !live_count(s, OURS_NETDEV, names[CAUSE_SHORT_L4]);
	case CAUSE_EXTENSIONS: /* no count of headers in nft; and what the kernel cannot walk is bad-ip */
		return !live_count(s, OURS_NETDEV, names[CAUSE_SHORT_IP]);
	case CAUSE_TINY_FRAGMENT:
		return padded || moved_only(s, OURS_NETDEV, names[cause]);
	case CAUSE_BAD_FRAGMENT: /* connection tracking puts parts together, and reads what errors are about */
		return !malformed_seen(s) || moved_only(s, OURS_NETDEV, names[CAUSE_TINY_FRAGMENT]) ||
		       moved_only(s, OURS_NETDEV, names[CAUSE_BAD_TCP]) ||
		       moved_only(s, OURS_NETDEV, names[CAUSE_BAD_IP]); /* an extension header beyond the first part's end */
	case CAUSE_OVERLAP:
	case CAUSE_BAD_UDP:
	case CAUSE_SHORT_INNER:
	case CAUSE_BAD_INNER:
	case CAUSE_FOREIGN_INNER:
		return !malformed_seen(s);
	case CAUSE_PAYLOAD: /* nft looks into none */
	case CAUSE_NONE:
	case CAUSE_COUNT:
		break;
	}
	return false;
}

/* A fragment of a fragment: nft looks at the outer header, eval at the inner one. */
static bool is_fragmented_twice(const uint8_t *frame, size_t len)
{
	size_t ip = ip_offset(frame), at = ip + 40;
	unsigned fragments = 0;

	if (len < at || frame[ip - 2] != 0x86)
		return false;
	for (uint8_t next = frame[ip + 6]; at + 8 <= len && (next == 0 || next == 43 || next == 44 || next == 60);) {
		size_t step = next == 44 ? 8 : (frame[at + 1] + 1u) * 8;

		fragments += next == 44;
		next = frame[at];
		at += step;
	}
	return fragments > 1;
}

static void note_frame(const uint8_t *frame, size_t len)
{
	own(buf) struct buf hex = { 0 };

	for (size_t i = 0; i < len; i++)
		buf_printf(&hex, "%s%02x", i && i % 4 == 2 ? " " : "", frame[i]);
	tap_note("frame %s", buf_text(&hex));
}

static bool is_tag(const uint8_t *type)
{
	return (type[0] == 0x81 && type[1] == 0) || (type[0] == 0x88 && type[1] == 0xa8);
}

/* docs/nftables.md: nft reads through one tag, which the kernel has taken off. */
static bool has_two_tags(const uint8_t *frame, size_t len)
{
	return len >= 18 && is_tag(frame + 12) && is_tag(frame + 16);
}

static bool try_frame(struct lab *lab, unsigned zone, const uint8_t *frame, size_t len, struct tally *t)
{
	struct packet p;
	struct live_seen seen;
	enum cause cause = frame_parse(frame, len, &p);

	if (!live_arrive(&lab->live, link_of(zone), frame, len) || !live_seen(&lab->live, &seen))
		return true;
	if (is_fragmented_twice(frame, len))
		return true;
	if (has_two_tags(frame, len))
		cause = CAUSE_VLAN_DEPTH;
	if (cause == CAUSE_NONE) {
		p.zone = zone;
		p.direction = DIRECTION_IN;
		if (judge(lab, p, &seen, t))
			return true;
		note_frame(frame, len);
		return false;
	}
	t->causes++;
	if (zone == ZONE_NONE || cause_may(lab, cause, may_be_fragment6(frame, len), is_padded(frame, len), &seen))
		return true;
	tap_note("cause %d", cause);
	note_frame(frame, len);
	note_seen(&seen, &(struct expected){ 0 });
	return false;
}

static bool try_any_frame(struct lab *lab, struct gen *g, const struct gen_aim *aim, struct tally *t)
{
	uint8_t frame[GEN_FRAME_MAX];
	size_t len = gen_frame(g, aim, frame);
	unsigned zone = gen_chance(g, 90) ? gen_below(g, (unsigned)lab->ir->zone_count) : ZONE_NONE;

	return try_frame(lab, zone, frame, len, t);
}

static bool try_packets(struct lab *lab, struct gen *g, unsigned count, struct tally *t)
{
	struct gen_aim *aim = gen_aim_at(lab->ir, &lab->live.self, lab->arena);

	for (unsigned i = 0; i < count; i++) {
		struct packet p = gen_packet(g, aim);
		bool same = i % 4 == 3 ? try_any_frame(lab, g, aim, t)
			    : i % 4 == 2 ? try_departure(lab, p, t)
					 : try_arrival(lab, p, t);

		if (!same)
			return false;
	}
	return true;
}

static bool try_policy(const struct gen_shape *shape, unsigned seed, unsigned packets, struct tally *t)
{
	own(arena) struct arena *a = arena_new();
	struct gen g = gen_new(seed);
	struct policy *p = gen_policy(&g, a, shape);
	struct netset self = gen_self(&g, a);
	struct err why = { 0 };
	struct lab lab;

	widen_zones(a, p, "eth1", "br-*");
	if (lab_open(&lab, p, a, &self, &why)) {
		tap_note("%s", why.text);
		return false;
	}
	bool same = send_batches(&lab, 'a', &why) && hook_up(&lab, 'a');
	if (!same)
		tap_note("%s", why.text);
	for (unsigned i = 0; same && i < lab.ir->posture_count; i++)
		same = take_posture(&lab, i) && try_packets(&lab, &g, packets / (unsigned)lab.ir->posture_count, t);
	lab_close(&lab);
	return same;
}

static void packets_are_judged_alike(const struct gen_shape *shape, unsigned first, unsigned policies, unsigned packets)
{
	struct tally t = { 0 };

	for (unsigned seed = first; seed < first + policies; seed++) {
		if (!try_policy(shape, seed, packets, &t)) {
			tap_ok(false, "policy %u: nft judges as eval does", seed);
			return;
		}
	}
	tap_ok(true, "%u packets under %u policies of %u rules a list are judged by nft as by eval", t.packets + t.causes, policies, shape->rules);
	tap_note("hooks: in %u, forward %u, out %u, none %u; first hook dropped %u; layer 4 admitted %u, refused %u; malformed %u",
		 t.hooks[DIRECTION_IN], t.hooks[DIRECTION_FORWARD], t.hooks[DIRECTION_OUT], t.hooks[DIRECTION_COUNT],
		 t.dropped_first, t.admitted, t.refused, t.causes);
	tap_ok(t.hooks[DIRECTION_IN] && t.hooks[DIRECTION_FORWARD] && t.hooks[DIRECTION_OUT] && t.dropped_first &&
		       t.admitted && t.refused && t.causes, "each of these ways was taken");
}

/* A whole packet, cut behind so many bytes of its transport header, its IP header saying so. */
struct cut {
	enum family family;
	uint8_t proto;
	unsigned kept;
	const char *counter; /* or NULL: it goes on */
};

static const struct cut cuts[] = {
	{ FAMILY_IP4, PROTO_TCP, 20, NULL },	{ FAMILY_IP4, PROTO_TCP, 19, "malformed.short-l4" },
	{ FAMILY_IP4, PROTO_UDP, 8, NULL },	{ FAMILY_IP4, PROTO_UDP, 7, "malformed.short-l4" },
	{ FAMILY_IP4, PROTO_SCTP, 12, NULL },	{ FAMILY_IP4, PROTO_SCTP, 11, "malformed.short-l4" },
	{ FAMILY_IP4, PROTO_ICMP, 8, NULL },	{ FAMILY_IP4, PROTO_ICMP, 7, "malformed.short-l4" },
	{ FAMILY_IP4, PROTO_ICMPV6, 0, NULL },	{ FAMILY_IP4, 47, 0, NULL },
	{ FAMILY_IP6, PROTO_TCP, 20, NULL },	{ FAMILY_IP6, PROTO_TCP, 0, "malformed.short-l4" },
	{ FAMILY_IP6, PROTO_UDP, 8, NULL },	{ FAMILY_IP6, PROTO_UDP, 7, "malformed.short-l4" },
	{ FAMILY_IP6, PROTO_SCTP, 12, NULL },	{ FAMILY_IP6, PROTO_SCTP, 11, "malformed.short-l4" },
	{ FAMILY_IP6, PROTO_ICMPV6, 8, NULL },	{ FAMILY_IP6, PROTO_ICMPV6, 7, "malformed.short-l4" },
	{ FAMILY_IP6, PROTO_ICMP, 0, NULL },	{ FAMILY_IP6, 59, 0, NULL },
};

static size_t cut_frame(const struct cut *c, uint8_t *frame)
{
	bool ip4 = c->family == FAMILY_IP4;
	struct packet p = craft_packet(c->proto, ip4 ? "10.1.0.1" : "2001:db8::1", 1, ip4 ? "10.0.0.1" : "2001:db8::9", 2);
	size_t ip = ip4 ? 20 : 40, total = ip4 ? ip + c->kept : c->kept;

	p.icmp = 8 << 8;
	frame_build(&p, NULL, 0, frame, GEN_FRAME_MAX);
	frame[14 + (ip4 ? 2 : 4)] = 0;
	frame[14 + (ip4 ? 3 : 5)] = (uint8_t)total;
	return 14 + ip + c->kept;
}

/* One byte of a whole TCP packet changed, or its frame cut. */
static const struct {
	enum family family;
	unsigned at, value;
	size_t len; /* 0: whole */
	const char *counter, *claim;
} wounds[] = {
	{ FAMILY_IP4, 14, 0x45, 0, NULL, "a whole packet" },
	{ FAMILY_IP4, 14, 0x55, 0, "malformed.bad-ip", "version 5" },
	{ FAMILY_IP4, 14, 0x44, 0, "malformed.bad-ip", "a header of 16 bytes" },
	{ FAMILY_IP4, 14, 0x4f, 0, "malformed.bad-ip", "a header longer than the packet" },
	{ FAMILY_IP4, 17, 41, 0, "malformed.bad-ip", "a packet longer than its frame" },
	{ FAMILY_IP4, 14, 0x45, 33, "malformed.short-ip", "19 bytes of a header" },
	{ FAMILY_IP4, 46, 0x40, 0, "malformed.bad-tcp", "a TCP header of 16 bytes" },
	{ FAMILY_IP6, 14, 0x60, 0, NULL, "a whole packet of IPv6" },
	{ FAMILY_IP6, 14, 0x40, 0, "malformed.bad-ip", "version 4 in IPv6" },
	{ FAMILY_IP6, 19, 21, 0, "malformed.bad-ip", "IPv6: a packet longer than its frame" },
	{ FAMILY_IP6, 14, 0x60, 53, "malformed.short-ip", "39 bytes of a header" },
	{ FAMILY_IP6, 66, 0x40, 0, "malformed.bad-tcp", "IPv6: a TCP header of 16 bytes" },
	{ FAMILY_IP4, 13, 0x06, 0, "not-ip", "ARP passes" },
};

static void frame_counts(struct lab *lab, const uint8_t *frame, size_t len, const char *counter, const char *claim)
{
	struct live_seen seen;
	bool passes = !counter || !strcmp(counter, WHY_NOT_IP);
	bool sent = live_arrive(&lab->live, WAN, frame, len) && live_seen(&lab->live, &seen);

	if (!tap_ok(sent && moved_only(&seen, OURS_NETDEV, counter) &&
			    live_count(&seen, "netdev world", "passed") == passes, "%s", claim)) {
		note_seen(&seen, &(struct expected){ .netdev = counter, .passes = passes });
		note_frame(frame, len);
	}
}

/* An empty policy: all that can happen at the first hook is a cause. */
static void causes_are_counted(void)
{
	own(arena) struct arena *a = arena_new();
	struct policy *p = craft_policy(a, "bare");
	struct netset self = craft_set(a, "10.0.0.1");
	uint8_t frame[GEN_FRAME_MAX], tagged[GEN_FRAME_MAX];
	struct err why = { 0 };
	struct lab lab;

	craft_add_posture(p, craft_posture("ONLY", VERDICT_DROP));
	bool ok = !lab_open(&lab, p, a, &self, &why) && send_batches(&lab, 'a', &why) && hook_up(&lab, 'a');
	if (!tap_ok(ok, "an empty policy is loaded"))
		tap_note("%s", why.text);

	for (size_t i = 0; ok && i < ARRAY_LEN(cuts); i++) {
		size_t len = cut_frame(&cuts[i], frame);
		const char *claim = arena_printf(a, "%u bytes of protocol %u in IPv%u", cuts[i].kept, cuts[i].proto,
						 cuts[i].family == FAMILY_IP4 ? 4 : 6);

		frame_counts(&lab, frame, len, cuts[i].counter, claim);
	}
	for (size_t i = 0; ok && i < ARRAY_LEN(wounds); i++) {
		struct cut whole = { wounds[i].family, PROTO_TCP, 20, NULL };
		size_t len = cut_frame(&whole, frame);

		frame[wounds[i].at] = (uint8_t)wounds[i].value;
		frame_counts(&lab, frame, wounds[i].len ? wounds[i].len : len, wounds[i].counter, wounds[i].claim);
	}
	for (unsigned tags = 1; ok && tags < 4; tags++) {
		static const uint8_t tag[] = { 0x81, 0x00, 0x00, 0x05 };
		size_t len = cut_frame(&cuts[0], frame);

		memcpy(tagged, frame, 12);
		for (unsigned t = 0; t < tags; t++)
			memcpy(tagged + 12 + 4 * t, tag, sizeof tag);
		memcpy(tagged + 12 + 4 * tags, frame + 12, len - 12);
		frame_counts(&lab, tagged, len + 4 * tags, tags > 1 ? "malformed.vlan-depth" : NULL,
			     arena_printf(a, "%u VLAN tags", tags));
	}
	lab_close(&lab);
}

/* --- (3) what changes with time: rates and blocks ---------------------------------------------- */

static struct pol_selector select_proto(struct arena *a, uint16_t proto, const char *from, const char *to, uint16_t port)
{
	struct pol_selector s = craft_select(a, proto);

	s.from = craft_end(a, from);
	s.to = craft_end(a, to);
	if (port)
		s.protos[0].dport = ranges_of(a, port, port);
	return s;
}

/* Windows so long that a test's packets all come at one instant. */
static struct policy *rated_policy(struct arena *a)
{
	struct policy *p = craft_policy(a, "rated");
	struct pol_reflex *flood = craft_reflex(p, "flood", select_proto(a, PROTO_UDP, "any", "any", 7));
	struct pol_reflex *scan, *ping, *to, *all, *bytes;

	flood->has_rate = true;
	flood->rate = (struct pol_rate){ .count = 5, .window_ns = 86400000000000, .key_bits = { 32, 64 } };
	scan = craft_reflex(p, "scan", select_proto(a, PROTO_TCP, "any", "self", 0));
	scan->has_rate = true;
	scan->rate = (struct pol_rate){ .count = 3, .window_ns = 3600000000000, .key_bits = { 24, 48 } };
	scan->block_ns = 3600000000000;
	ping = craft_reflex(p, "ping", select_proto(a, PROTO_ICMP, "10.9.0.0/16", "any", 0));
	ping->block_ns = 60000000000;
	ping->except = 2; /* silent in the second posture */
	to = craft_reflex(p, "to", select_proto(a, PROTO_UDP, "any", "any", 11));
	to->has_rate = true;
	to->rate = (struct pol_rate){ .count = 3, .window_ns = 3600000000000, .key_bits = { 32, 64 }, .key = RATE_PER_DESTINATION };
	all = craft_reflex(p, "all", select_proto(a, PROTO_UDP, "any", "any", 12));
	all->has_rate = true;
	all->rate = (struct pol_rate){ .count = 2, .window_ns = 3600000000000, .key_bits = { 32, 64 }, .key = RATE_GLOBAL,
				       .burst = 4 };
	bytes = craft_reflex(p, "bytes", select_proto(a, PROTO_UDP, "any", "any", 13));
	bytes->has_rate = true;
	bytes->rate = (struct pol_rate){ .count = 100, .bytes = true, .window_ns = 3600000000000, .key_bits = { 32, 64 },
					 .burst = 150 };
	craft_block(p, "bogons", "10.66.0.0/16 2001:db8:66::/48", ZONES_ANY);

	struct pol_posture open = craft_posture("OPEN", VERDICT_ALLOW), calm = craft_posture("CALM", VERDICT_ALLOW);
	craft_add_posture(p, open);
	craft_add_posture(p, calm);
	return p;
}

/* Packet, how often, in which posture. */
static const struct {
	unsigned posture;
	uint8_t proto;
	const char *src, *dst;
	unsigned port, times;
	const char *claim;
} storms[] = {
	{ 0, PROTO_UDP, "10.1.0.1", "10.0.0.1", 7, 9, "5 pass, 4 are over" },
	{ 0, PROTO_UDP, "10.1.0.2", "10.0.0.1", 7, 7, "another source has its own bucket" },
	{ 0, PROTO_UDP, "10.1.0.1", "10.0.0.1", 8, 3, "what the reflex is not about is not counted" },
	{ 0, PROTO_UDP, "2001:db8::1:1", "2001:db8::9", 7, 4, "IPv6" },
	{ 0, PROTO_UDP, "2001:db8::8000:0:0:2", "2001:db8::9", 7, 4, "shares a bucket within its /64" },
	{ 0, PROTO_UDP, "2001:db8:0:1::2", "2001:db8::9", 7, 6, "and not with the next" },
	{ 0, PROTO_TCP, "10.2.0.1", "10.0.0.1", 80, 2, "/24: two of three" },
	{ 0, PROTO_TCP, "10.2.0.200", "10.0.0.1", 80, 3, "its neighbour takes the third, and is blocked by the fourth" },
	{ 0, PROTO_UDP, "10.2.0.200", "10.0.0.1", 9, 2, "blocked whatever it sends" },
	{ 0, PROTO_TCP, "10.2.0.1", "10.0.0.1", 80, 1, "the first source is blocked by its own packet only" },
	{ 0, PROTO_UDP, "10.2.0.3", "10.0.0.1", 9, 1, "a source that was never over is not blocked" },
	{ 0, PROTO_TCP, "2001:db8:5::1", "2001:db8::9", 80, 5, "IPv6: over, and blocked" },
	{ 0, PROTO_UDP, "2001:db8:5:0:ffff::1", "2001:db8::9", 9, 2, "with its whole /64" },
	{ 0, PROTO_UDP, "2001:db8:5:1::1", "2001:db8::9", 9, 2, "and no more" },
	{ 1, PROTO_ICMP, "10.9.0.1", "10.0.0.1", 0, 2, "a reflex is silent where it is excepted" },
	{ 0, PROTO_ICMP, "10.9.0.1", "10.0.0.1", 0, 2, "and blocks elsewhere" },
	{ 1, PROTO_UDP, "10.9.0.1", "10.0.0.1", 9, 2, "the block stays in every posture" },
	{ 0, PROTO_UDP, "10.66.1.1", "10.0.0.1", 9, 2, "a static block" },
	{ 0, PROTO_ICMP, "10.9.0.1", "10.0.0.1", 0, 2, "runtime blocks are asked first" },
	{ 0, PROTO_UDP, "10.3.0.1", "10.0.0.1", 11, 2, "per destination: two of three" },
	{ 0, PROTO_UDP, "10.3.0.2", "10.0.0.1", 11, 3, "whoever sends them" },
	{ 0, PROTO_UDP, "10.3.0.2", "10.0.0.2", 11, 4, "another destination has its own bucket" },
	{ 0, PROTO_UDP, "10.3.0.1", "10.0.0.1", 12, 3, "all together: a burst of four" },
	{ 0, PROTO_UDP, "2001:db8:3::1", "2001:db8::9", 12, 3, "in both families" },
	{ 0, PROTO_UDP, "10.3.0.1", "10.0.0.1", 13, 7, "150 bytes: five packets of 28" },
	{ 0, PROTO_UDP, "2001:db8:3::1", "2001:db8::9", 13, 4, "three of 48" },
};

static struct packet storm_packet(size_t i)
{
	struct packet p = craft_packet(storms[i].proto, storms[i].src, 1000, storms[i].dst, storms[i].port);

	p.zone = WAN;
	p.icmp = 8 << 8;
	p.flags = storms[i].proto == PROTO_TCP ? 2 : 0;
	return p;
}

/* One packet, asked of the first hook once: buckets lose a token. */
static bool storm_once(struct lab *lab, const struct packet *p)
{
	uint8_t frame[GEN_FRAME_MAX];
	size_t len = frame_build(p, NULL, 0, frame, sizeof frame);
	struct packet judged = *p;

	judged.len = (uint32_t)len - 14;
	struct expected e = expect_first(lab, &judged);
	struct live_seen seen;

	if (!live_arrive(&lab->live, link_of(p->zone), frame, len) || !live_seen(&lab->live, &seen))
		return false;
	if (moved_only(&seen, OURS_NETDEV, e.netdev) && live_count(&seen, "netdev world", "passed") == e.passes)
		return true;
	note_seen(&seen, &e);
	return false;
}

static void storms_are_judged_alike(struct lab *lab)
{
	for (size_t i = 0; i < ARRAY_LEN(storms); i++) {
		struct packet p = storm_packet(i);
		bool same = take_posture(lab, storms[i].posture);
		unsigned k = 0;

		while (same && k < storms[i].times && (same = storm_once(lab, &p)))
			k++;
		if (!tap_ok(same, "%s", storms[i].claim))
			tap_note("packet %u of %u from %s", k + 1, storms[i].times, storms[i].src);
	}
}

/* A meter has room for so many sources; what comes then shares a bucket, and is not free. */
static void a_full_meter_does_not_open(struct lab *lab)
{
	struct packet p = craft_packet(PROTO_UDP, "20.0.0.0", 1000, "10.0.0.1", 7);
	uint8_t frame[GEN_FRAME_MAX];
	struct live_seen seen;
	enum { BEYOND = 100 };

	for (unsigned i = 0; i < NFT_METER_MOST + BEYOND; i++) {
		p.src.num = 0x14000000u + i;
		if (!live_arrive(&lab->live, WAN, frame, frame_build(&p, NULL, 0, frame, sizeof frame)))
			break;
		if (i == NFT_METER_MOST - 100)
			live_seen(&lab->live, &seen);
	}
	live_seen(&lab->live, &seen);
	/* Some sources of the storms before have their place, too. */
	uint64_t dropped = live_count(&seen, OURS_NETDEV, "reflex.flood");
	tap_ok(dropped >= BEYOND - 5 && dropped < 2 * BEYOND, "a meter that is full lets only one bucket more pass");
	tap_note("%llu of the last %u were dropped", (unsigned long long)dropped, 2 * BEYOND - 1);
}

static void rates_and_blocks(void)
{
	own(arena) struct arena *a = arena_new();
	struct netset self = craft_set(a, "10.0.0.1 2001:db8::9");
	struct err why = { 0 };
	struct lab lab;
	bool ok = !lab_open(&lab, rated_policy(a), a, &self, &why) && send_batches(&lab, 'a', &why) && hook_up(&lab, 'a');

	if (tap_ok(ok, "a policy with rates is loaded")) {
		storms_are_judged_alike(&lab);
		take_posture(&lab, 0);
		a_full_meter_does_not_open(&lab);
	} else {
		tap_note("%s", why.text);
	}
	lab_close(&lab);
}

/* --- (4) flows: what a posture does to what the kernel knows ------------------------------------- */

static struct policy *flow_policy(struct arena *a)
{
	static const enum established kinds[] = { ESTABLISHED_KEEP, ESTABLISHED_RECHECK, ESTABLISHED_CUT, ESTABLISHED_CUT };
	static const char *const names[] = { "KEEP", "RECHECK", "CUT", "CLOSED" };
	struct policy *p = craft_policy(a, "flows");
	struct pol_posture open = craft_posture("OPEN", VERDICT_DROP);

	craft_rule(a, &open, "service", DIRECTION_IN, VERDICT_ALLOW, select_proto(a, PROTO_UDP, "any", "self", 5000));
	craft_rule(a, &open, "told", DIRECTION_IN, VERDICT_REJECT, select_proto(a, PROTO_UDP, "any", "self", 5001));
	craft_rule(a, &open, "reset", DIRECTION_IN, VERDICT_REJECT, select_proto(a, PROTO_TCP, "any", "self", 5001));
	craft_add_posture(p, open);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct pol_posture q = craft_posture(names[i], VERDICT_DROP);

		q.established = kinds[i];
		if (i != 3) /* one admission, so that it is not closed */
			craft_rule(a, &q, "other", DIRECTION_IN, VERDICT_ALLOW, select_proto(a, PROTO_UDP, "any", "self", 9));
		craft_add_posture(p, q);
	}
	return p;
}

static bool arrives(struct lab *lab, struct packet p, const void *payload, size_t len, struct live_seen *seen)
{
	uint8_t frame[GEN_FRAME_MAX];

	return live_arrive(&lab->live, WAN, frame, frame_build(&p, payload, len, frame, sizeof frame)) &&
	       live_seen(&lab->live, seen);
}

enum { EITHER_WAY = 2 };

/* Judged as eval judges it in the state that connection tracking gives it, which is the one meant. */
static void flow_step(struct lab *lab, struct packet p, const struct live_seen *seen, enum ct_state state,
		      unsigned reply, const char *claim)
{
	const char *posture = lab->ir->postures[lab->ir->initial].name;
	unsigned way = live_count(seen, WORLD_INET, "reply") > 0;
	struct tally t = { 0 };
	bool as_meant = state_seen(seen) == state && (reply == EITHER_WAY || way == reply);

	if (!tap_ok(as_meant, "%s: %s, as connection tracking has it", posture, claim))
		note_seen(seen, &(struct expected){ 0 });
	tap_ok(judge(lab, p, seen, &t), "%s: %s, judged by nft as by eval", posture, claim);
}

static void switch_to(struct lab *lab, unsigned posture)
{
	lab->ir->initial = posture; /* what steps name */
	if (!take_posture(lab, posture))
		tap_ok(false, "posture %u is taken", posture);
}

static void flow_through(struct lab *lab, unsigned posture)
{
	struct packet ask = craft_packet(PROTO_UDP, "10.1.0.0", 1234, "10.0.0.1", 5000), answer = ask, error = ask;
	uint8_t frame[GEN_FRAME_MAX];
	struct live_seen seen;

	ask.src.num += posture;
	error.src = ask.src;
	answer = ask;
	answer.src = ask.dst, answer.dst = ask.src;
	answer.sport = ask.dport, answer.dport = ask.sport;
	answer.direction = DIRECTION_OUT;
	error.proto = PROTO_ICMP;
	error.icmp = 3 << 8 | 1;
	error.sport = error.dport = 0;

	switch_to(lab, 0);
	if (arrives(lab, ask, NULL, 0, &seen))
		flow_step(lab, ask, &seen, CT_NEW, 0, "a flow begins");
	live_leave(&lab->live, WAN, &answer);
	live_seen(&lab->live, &seen);
	flow_step(lab, answer, &seen, CT_ESTABLISHED, 1, "it is answered");

	switch_to(lab, posture);
	if (arrives(lab, ask, NULL, 0, &seen))
		flow_step(lab, ask, &seen, CT_ESTABLISHED, 0, "its next packet");
	live_leave(&lab->live, WAN, &answer);
	live_seen(&lab->live, &seen);
	flow_step(lab, answer, &seen, CT_ESTABLISHED, 1, "its next answer");
	frame_build(&answer, NULL, 0, frame, sizeof frame);
	if (arrives(lab, error, frame + 14, 28, &seen))
		flow_step(lab, error, &seen, CT_RELATED, EITHER_WAY, "an error about it");
}

static void rejects_tell(struct lab *lab)
{
	struct packet udp = craft_packet(PROTO_UDP, "10.1.0.9", 1234, "10.0.0.1", 5001), tcp = udp;
	struct live_seen seen;

	tcp.proto = PROTO_TCP;
	tcp.flags = 2;
	switch_to(lab, 0);
	if (arrives(lab, udp, NULL, 0, &seen))
		flow_step(lab, udp, &seen, CT_NEW, 0, "a rejected datagram");
	tap_num((int64_t)live_count(&seen, WORLD_INET, "sent.icmp"), 1, "its sender is told by ICMP");
	if (arrives(lab, tcp, NULL, 0, &seen))
		flow_step(lab, tcp, &seen, CT_NEW, 0, "a rejected connection");
	tap_num((int64_t)live_count(&seen, WORLD_INET, "sent.reset"), 1, "its sender is told by a reset");
}

static void flows_and_rejects(void)
{
	own(arena) struct arena *a = arena_new();
	struct netset self = craft_set(a, "10.0.0.1");
	struct err why = { 0 };
	struct lab lab;
	bool ok = !lab_open(&lab, flow_policy(a), a, &self, &why) && send_batches(&lab, 'a', &why) &&
		  hook_up(&lab, 'a') && live_flows();

	if (tap_ok(ok, "a policy with four kinds of `established` is loaded")) {
		for (unsigned i = 1; i < lab.ir->posture_count; i++)
			flow_through(&lab, i);
		rejects_tell(&lab);
	} else {
		tap_note("%s", why.text);
	}
	lab_close(&lab);
}

/* --- (5) two generations, and other people's tables ------------------------------------------------ */

#define FOREIGN                                                                                    \
	"table inet other {\n\tcounter kept { packets 7 bytes 700 }\n"                             \
	"\tset hosts { type ipv4_addr; flags interval; elements = { 10.0.0.0/8 } }\n"              \
	"\tchain a_pre_in { type filter hook input priority 0; policy accept;\n"                   \
	"\t\tip saddr @hosts tcp dport 22 accept\n\t}\n}\n"                                        \
	"table netdev other {\n\tchain c { type filter hook ingress device \"eth0\" priority 3;\n" \
	"\t\tip saddr 192.0.2.1 drop\n\t}\n}\n"

/* Everything of a bank in one transaction, as docs/nftables.md says. */
static bool empty_bank(char bank)
{
	static const char *const tables[] = { OURS_INET, OURS_NETDEV };
	own(buf) struct buf flush = { 0 };

	for (int deleting = 0; deleting < 2; deleting++) {
		for (size_t t = 0; t < ARRAY_LEN(tables); t++) {
			own(buf) struct buf list = { 0 };
			char *line, *rest, name[128];

			if (!live_list(t ? "chains netdev" : "chains inet", &list) || !list.len)
				return false;
			bool ours = false;
			for (line = strtok_r(list.at, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
				if (!strncmp(line, "table ", 6))
					ours = !strncmp(line + 6, tables[t], strlen(tables[t]));
				if (ours && sscanf(line, " chain %127s", name) == 1 && name[0] == bank && name[1] == '_')
					buf_printf(&flush, "%s chain %s %s\n", deleting ? "delete" : "flush", tables[t], name);
			}
		}
	}
	return live_nft(buf_text(&flush));
}

static void generations_live_side_by_side(void)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf before = { 0 }, beside = { 0 }, after = { 0 }, gone = { 0 };
	struct netset self = craft_set(a, "10.0.0.1");
	struct packet p = craft_packet(PROTO_UDP, "10.66.0.1", 1, "10.0.0.1", 9);
	struct err why = { 0 };
	struct live_seen seen;
	struct lab lab;
	bool ok = !lab_open(&lab, rated_policy(a), a, &self, &why) && live_nft(FOREIGN) &&
		  live_list("table inet other", &before) && live_list("table netdev other", &before);

	ok = ok && send_batches(&lab, 'a', &why) && hook_up(&lab, 'a');
	tap_ok(ok, "a generation in bank a, beside other tables");
	ok = ok && send_batches(&lab, 'b', &why);
	tap_ok(ok, "the same beside it in bank b: sets and counters are shared");
	tap_ok(ok && live_batch(&lab.live, &lab.nft.posture, &why) == -EEXIST, "a bank that is not empty is refused");
	ok = ok && hook_up(&lab, 'b') && live_seen(&lab.live, &seen);
	if (ok && arrives(&lab, p, NULL, 0, &seen))
		tap_num((int64_t)live_count(&seen, OURS_NETDEV, "block.bogons"), 1, "the first of two hooks drops");
	p.src = craft_addr("10.1.1.1");
	if (ok && arrives(&lab, p, NULL, 0, &seen)) {
		tap_num((int64_t)live_count(&seen, OURS_INET, "OPEN.default.in"), 2, "what both admit passes both");
		tap_num((int64_t)live_count(&seen, WORLD_INET, "passed"), 1, "once");
	}
	tap_ok(ok && empty_bank('a'), "bank a is emptied while b judges");
	if (ok && arrives(&lab, p, NULL, 0, &seen))
		tap_num((int64_t)live_count(&seen, OURS_INET, "OPEN.default.in"), 1, "b goes on, with the same counter");
	tap_ok(ok && live_list("table inet other", &beside) && live_list("table netdev other", &beside) && unload() &&
		       live_list("table inet other", &after) && live_list("table netdev other", &after),
	       "ours are removed");
	tap_text(buf_text(&beside), buf_text(&before), "other tables are as they were, while ours are there");
	tap_text(buf_text(&after), buf_text(&before), "and afterwards");
	if (!ok)
		tap_note("%s", why.text);
	lab_close(&lab);
}

int main(int argc, char **argv)
{
	unsigned seed = argc > 1 ? (unsigned)atoi(argv[1]) : 1;
	unsigned policies = argc > 2 ? (unsigned)atoi(argv[2]) : 12;
	unsigned packets = argc > 3 ? (unsigned)atoi(argv[3]) : 4000;

	if (!live_may()) {
		tap_skip("needs root for a network namespace", "nft judges as eval does");
		return tap_done();
	}
	texts_and_batches_agree(&gen_shape_usual, seed, 8);
	texts_and_batches_agree(&long_lists, seed, 2);
	packets_are_judged_alike(&gen_shape_still, seed, policies, packets);
	packets_are_judged_alike(&long_lists, seed, policies / 4 + 1, packets);
	causes_are_counted();
	rates_and_blocks();
	flows_and_rejects();
	generations_live_side_by_side();
	return tap_done();
}
