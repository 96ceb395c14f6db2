/*
 * nft against eval: generated policies are loaded into a namespace, generated
 * packets arrive, are forwarded and leave, and each must be counted where eval
 * says it is decided, and meet the verdict that eval says.
 *
 *     tests/same/nft [SEED [POLICIES [PACKETS]]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/emit/emit.h"
#include "compiler/emit/nft.h"
#include "compiler/emit/nft_lower.h"
#include "compiler/ir/eval.h"
#include "compiler/ir/proto.h"
#include "lang/bundle/nft_name.h"
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
	struct emit_nft nft;
	struct plan plan;
};

/* The second zone is two patterns, one of them with a star; the link has the one or the other. */
static void widen_zone(struct arena *a, struct policy *p, const char *one, const char *other)
{
	const char *patterns[] = { one, other };

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

static void texts_and_batches_agree(unsigned first, unsigned count)
{
	for (unsigned seed = first; seed < first + count; seed++) {
		own(arena) struct arena *a = arena_new();
		struct gen g = gen_new(seed);
		struct policy *p = gen_policy(&g, a, &gen_shape_usual);
		struct netset self = gen_self(&g, a);
		struct err why = { 0 };
		struct lab lab;

		widen_zone(a, p, "br-x1", "br-y*");
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

/* Malformed at ingress: what nft can see of it. */
static bool cause_may(enum cause cause, bool fragment6, const struct live_seen *s)
{
	static const char *const names[CAUSE_COUNT] = {
#define CAUSE(id, name, ...) [CAUSE_##id] = "malformed." name,
#include "bpf-templates/cause.def"
#undef CAUSE
	};

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
	case CAUSE_EXTENSIONS: /* no count of headers in nft; and what the kernel cannot walk is one cause */
	case CAUSE_SHORT_L4: /* padding behind the packet reads as its header */
	case CAUSE_BAD_TCP:  /* a header longer than the packet is conntrack's to find */
		return true;
	case CAUSE_NONE:
	case CAUSE_COUNT:
		break;
	}
	return false;
}

/* A fragment of a fragment: nft looks at the outer header, eval at the inner one. */
static bool is_fragmented_twice(const uint8_t *frame, size_t len)
{
	size_t ip = frame[12] == 0x81 || frame[12] == 0x88 ? 18 : 14, at = ip + 40;
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

static bool try_frame(struct lab *lab, unsigned zone, const uint8_t *frame, size_t len, struct tally *t)
{
	struct packet p;
	struct live_seen seen;
	enum cause cause = frame_parse(frame, len, &p);

	if (!live_arrive(&lab->live, link_of(zone), frame, len) || !live_seen(&lab->live, &seen))
		return true;
	if (is_fragmented_twice(frame, len))
		return true;
	if (cause == CAUSE_NONE) {
		p.zone = zone;
		p.direction = DIRECTION_IN;
		if (judge(lab, p, &seen, t))
			return true;
		note_frame(frame, len);
		return false;
	}
	t->causes++;
	if (zone == ZONE_NONE || cause_may(cause, may_be_fragment6(frame, len), &seen))
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

static bool try_policy(unsigned seed, unsigned packets, struct tally *t)
{
	own(arena) struct arena *a = arena_new();
	struct gen g = gen_new(seed);
	struct policy *p = gen_policy(&g, a, &gen_shape_still);
	struct netset self = gen_self(&g, a);
	struct err why = { 0 };
	struct lab lab;

	widen_zone(a, p, "eth1", "br-*");
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

static void packets_are_judged_alike(unsigned first, unsigned policies, unsigned packets)
{
	struct tally t = { 0 };

	for (unsigned seed = first; seed < first + policies; seed++) {
		if (!try_policy(seed, packets, &t)) {
			tap_ok(false, "policy %u: nft judges as eval does", seed);
			return;
		}
	}
	tap_ok(true, "%u packets under %u policies are judged by nft as by eval", t.packets + t.causes, policies);
	tap_note("hooks: in %u, forward %u, out %u, none %u; first hook dropped %u; layer 4 admitted %u, refused %u; malformed %u",
		 t.hooks[DIRECTION_IN], t.hooks[DIRECTION_FORWARD], t.hooks[DIRECTION_OUT], t.hooks[DIRECTION_COUNT],
		 t.dropped_first, t.admitted, t.refused, t.causes);
	tap_ok(t.hooks[DIRECTION_IN] && t.hooks[DIRECTION_FORWARD] && t.hooks[DIRECTION_OUT] && t.dropped_first &&
		       t.admitted && t.refused && t.causes, "each of these ways was taken");
}

int main(int argc, char **argv)
{
	unsigned seed = argc > 1 ? (unsigned)atoi(argv[1]) : 1;
	unsigned policies = argc > 2 ? (unsigned)atoi(argv[2]) : 12;
	unsigned packets = argc > 3 ? (unsigned)atoi(argv[3]) : 800;

	if (!live_may()) {
		tap_skip("needs root for a network namespace", "nft judges as eval does");
		return tap_done();
	}
	texts_and_batches_agree(seed, 8);
	packets_are_judged_alike(seed, policies, packets);
	return tap_done();
}
