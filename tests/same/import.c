/*
 * Rulesets of nftables against what they become: random ones are loaded into a namespace as
 * they stand, imported, and the same packets go through the kernel and through eval. What
 * the policy admits the kernel admits; where an import was whole, both admit the same.
 *
 *     tests/same/import [SEED [RULESETS [PACKETS]]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/front/front.h"
#include "compiler/import/import.h"
#include "compiler/ir/eval.h"
#include "compiler/ir/proto.h"
#include "tests/lib/craft.h"
#include "tests/lib/gen.h"
#include "tests/lib/nft_live.h"
#include "tests/lib/tap.h"

#define WORLD "inet world"

static const char *const links[] = { "eth0", "br-x1", "eth2", "tun0" };

/* --- rulesets ---------------------------------------------------------------------------------------- */

struct writer {
	struct gen *g;
	struct buf *out;
	enum family family; /* FAMILY_COUNT: both */
	unsigned ip;	    /* of the rule: FAMILY_COUNT when it says none */
	bool tcp;	    /* the rule may ask for ports of TCP */
	unsigned direction; /* DIRECTION_COUNT: of a chain that others lead to */
	bool strange;	    /* with matches that the importer cannot know */
};

static bool one_in(struct writer *w, unsigned n)
{
	return !gen_below(w->g, n);
}

static const char *pick(struct writer *w, const char *const *from, unsigned count)
{
	return from[gen_below(w->g, count)];
}

#define PICK(w, ...) pick(w, (const char *const[]){ __VA_ARGS__ }, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static void put_address(struct writer *w)
{
	const char *end = PICK(w, "saddr", "daddr");

	if (w->ip == FAMILY_IP4)
		buf_printf(w->out, "ip %s %s%s ", end, PICK(w, "", "", "!= "),
			   PICK(w, "10.0.0.0/8", "10.0.0.1", "10.0.0.0/14", "{ 10.0.0.0/31, 10.0.0.4-10.0.0.9, 10.127.0.0/16 }", "@nets", "10.1.0.0-10.2.0.7"));
	else if (w->ip == FAMILY_IP6)
		buf_printf(w->out, "ip6 %s %s%s ", end, PICK(w, "", "", "!= "),
			   PICK(w, "2001:db8::/32", "2001:db8::/126", "{ 2001:db8::1, 2001:db8:1::/48 }", "@nets6", "fe80::/10"));
	else if (w->family == FAMILY_COUNT && one_in(w, 2))
		buf_printf(w->out, "meta nfproto %s ", PICK(w, "ipv4", "ipv6", "!= ipv6"));
}

static void put_ports(struct writer *w)
{
	const char *value = PICK(w, "22", "0-1023", "{ 22, 80, 443 }", "!= 80", "@ports", ">= 1024", "< 22", "!= { 53, 8000-8080 }");

	if (one_in(w, 5)) {
		buf_printf(w->out, "meta l4proto { tcp, udp } th %s %s ", PICK(w, "sport", "dport"), value);
		return;
	}
	w->tcp = one_in(w, 2);
	buf_printf(w->out, "%s %s %s ", w->tcp ? "tcp" : PICK(w, "udp", "sctp"), PICK(w, "sport", "dport"), value);
}

static void put_protocol(struct writer *w)
{
	if (one_in(w, 3))
		buf_printf(w->out, "%s ", PICK(w, "meta l4proto tcp", "meta l4proto != udp", "meta l4proto { tcp, 47 }", "meta l4proto 17"));
	else if (one_in(w, 2) && w->ip == FAMILY_IP4)
		buf_printf(w->out, "%s ", PICK(w, "icmp type echo-request", "icmp type != echo-reply", "icmp type 3 icmp code { 1, 4 }"));
	else if (one_in(w, 2) && w->ip == FAMILY_IP6)
		buf_printf(w->out, "%s ", PICK(w, "icmpv6 type echo-request", "icmpv6 type { 1, 3-4 }", "icmpv6 code 0"));
	else {
		w->tcp = true;
		buf_printf(w->out, "tcp flags %s ", PICK(w, "syn", "! ack,rst", "syn / fin,syn,rst,ack", "& (syn | ack) == syn", "& (syn | ack) != syn", "rst,fin",
							 w->strange ? "== syn" : "syn"));
	}
}

static void put_interface(struct writer *w)
{
	bool in = w->direction != DIRECTION_OUT && (w->direction == DIRECTION_IN || !w->strange || one_in(w, 2));

	if (w->direction == DIRECTION_COUNT && !w->strange)
		return;
	buf_printf(w->out, "%s %s%s ", in ? "iifname" : "oifname", PICK(w, "", "", "!= "),
		   PICK(w, "\"eth0\"", "\"br-x1\"", "{ \"eth0\", \"eth2\" }", "\"tun*\"", w->strange ? "\"eth*\"" : "\"lo\""));
}

/* What a rule asks agrees with itself, or nft would refuse it: one family, one protocol. */
static void put_matches(struct writer *w)
{
	w->ip = w->family == FAMILY_COUNT ? gen_below(w->g, 3) : w->family;
	w->tcp = false;
	if (one_in(w, 2))
		put_address(w);
	if (one_in(w, 5))
		put_interface(w);
	if (one_in(w, 12))
		buf_printf(w->out, "%s ", PICK(w, "ct state new", "ct state != established", "ct state { new, related }", "ct direction original"));
	if (one_in(w, 10))
		buf_printf(w->out, "fib daddr type %s ", PICK(w, "local", "multicast", "{ local, broadcast, multicast }", "!= multicast",
							      w->strange ? "!= local" : "unicast", w->strange ? "broadcast" : "local"));
	if (one_in(w, 8) && w->ip == FAMILY_IP4) {
		w->tcp = true;
		buf_printf(w->out, "ip %s . tcp dport %s{ 10.0.0.0/15 . 80, 10.127.0.0/16 . 0-1023 } ", PICK(w, "saddr", "daddr"), PICK(w, "", "!= "));
	} else if (one_in(w, 2)) {
		put_ports(w);
	} else if (one_in(w, 2)) {
		put_protocol(w);
	} else if (w->strange && one_in(w, 4)) {
		buf_puts(w->out, PICK(w, "th dport 22 ", "meta length 0-59 "));
		w->tcp = true;
	} else {
		w->tcp = true;
	}
	if (w->strange && one_in(w, 8))
		buf_puts(w->out, w->ip == FAMILY_IP6 ? "ip6 nexthdr != 6 " : PICK(w, "meta mark 0x7 ", "meta mark != 0x7 "));
}

static const char *verdict(struct writer *w, unsigned chain)
{
	if (chain < 2 && one_in(w, 4))
		return chain == 0 ? PICK(w, "jump inner", "goto inner", "jump deep") : PICK(w, "jump deep", "goto deep");
	return PICK(w, "accept", "accept", "drop", "return", "reject", "counter", "log prefix \"x\" drop");
}

/* chain: 0 base, 1 inner, 2 deep */
static void put_rule(struct writer *w, unsigned chain)
{
	buf_puts(w->out, "\t\t");
	put_matches(w);
	if (w->tcp && one_in(w, 6)) {
		buf_printf(w->out, "tcp dport vmap { 22 : %s, 80-443 : %s, ", verdict(w, chain + 1), verdict(w, 2));
		buf_printf(w->out, "%s : accept }\n", PICK(w, "1024-65535", "*"));
		return;
	}
	buf_printf(w->out, "%s\n", verdict(w, chain));
}

/* A map's verdicts are verdicts alone. */
static void only_verdicts(struct buf *out)
{
	static const char *const others[] = { ": reject", ": counter", ": log prefix \"x\" drop" };

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		for (char *at; (at = strstr(out->at, others[i]));) {
			size_t len = strlen(others[i]);

			memmove(at + 6, at + len, strlen(at + len) + 1);
			memcpy(at, ": drop", 6);
			out->len -= len - 6;
		}
}

static void put_chain(struct writer *w, const char *name, const char *hook, int priority, unsigned chain)
{
	buf_printf(w->out, "\tchain %s {\n", name);
	if (hook)
		buf_printf(w->out, "\t\ttype filter hook %s priority %d; policy %s;\n\t\tct state established,related accept\n", hook, priority,
			   PICK(w, "accept", "drop"));
	for (unsigned i = 1 + gen_below(w->g, 5); i; i--)
		put_rule(w, chain);
	buf_puts(w->out, "\t}\n");
}

static void put_table(struct writer *w, enum family family)
{
	static const char *const hooks[DIRECTION_COUNT] = { "input", "forward", "output" };
	static const char *const names[] = { [FAMILY_IP4] = "ip", [FAMILY_IP6] = "ip6", [FAMILY_COUNT] = "inet" };

	w->family = family;
	buf_printf(w->out, "table %s made {\n", names[family]);
	buf_puts(w->out, "\tset nets { type ipv4_addr; flags interval; elements = { 10.0.0.0/30, 10.2.0.0/15 } }\n"
			 "\tset nets6 { type ipv6_addr; flags interval; elements = { 2001:db8::/127, 2001:db8:2::/47 } }\n"
			 "\tset ports { type inet_service; flags interval; elements = { 22, 8000-8080, 65535 } }\n\tchain inner { }\n\tchain deep { }\n");
	for (w->direction = 0; w->direction < DIRECTION_COUNT; w->direction++)
		put_chain(w, hooks[w->direction], hooks[w->direction], 0, 0);
	if (one_in(w, 3)) {
		w->direction = DIRECTION_IN;
		put_chain(w, "before", "input", -4, 0);
	}
	w->direction = DIRECTION_COUNT;
	put_chain(w, "inner", NULL, 0, 1);
	put_chain(w, "deep", NULL, 0, 2);
	buf_puts(w->out, "}\n");
}

static void put_ruleset(struct gen *g, bool strange, struct buf *out)
{
	struct writer w = { .g = g, .out = out, .strange = strange };

	if (one_in(&w, 3)) {
		put_table(&w, FAMILY_IP4);
		if (one_in(&w, 2))
			put_table(&w, FAMILY_IP6);
	} else {
		put_table(&w, FAMILY_COUNT);
	}
	only_verdicts(out);
}

/* --- both judges ------------------------------------------------------------------------------------------- */

struct lab {
	struct arena *arena;
	struct gen *g;
	struct import *m;
	struct ir *ir;
	struct moment *moment;
	struct live live;
	bool whole;
};

struct tally {
	unsigned rulesets, whole, packets, admitted, hooks[DIRECTION_COUNT], wider, differ, broken;
};

static unsigned zone_of(const struct ir *ir, const char *link)
{
	for (unsigned z = 0; z < ir->zone_count; z++)
		for (size_t i = 0; i < ir->zones[z].pattern_count; i++) {
			const char *p = ir->zones[z].patterns[i], *star = strchr(p, '*');

			if (star ? !strncmp(p, link, (size_t)(star - p)) : !strcmp(p, link))
				return z;
		}
	return ZONE_NONE;
}

static enum direction hook_seen(const struct live_seen *s)
{
	for (int d = 0; d < DIRECTION_COUNT; d++)
		if (live_count(s, WORLD, direction_name((enum direction)d)))
			return (enum direction)d;
	return DIRECTION_COUNT;
}

static enum ct_state state_seen(const struct live_seen *s)
{
	static const char *const names[CT_COUNT] = {
		[CT_NEW] = "new", [CT_ESTABLISHED] = "established", [CT_RELATED] = "related", [CT_INVALID] = "invalid", [CT_UNTRACKED] = "untracked",
	};

	for (int s_ = 0; s_ < CT_COUNT; s_++)
		if (live_count(s, WORLD, names[s_]))
			return (enum ct_state)s_;
	return CT_NEW;
}

/* A family that no chain judges is dropped; ICMP of one inside the other cannot be named in the language. */
static bool is_judged(const struct import *m, const struct packet *p)
{
	return m->families & FAMILY_BIT(p->family) && p->proto != (p->family == FAMILY_IP4 ? PROTO_ICMPV6 : PROTO_ICMP);
}

static bool judge(struct lab *lab, struct packet p, struct tally *t)
{
	struct live_seen seen;
	char text[256];

	if (!live_seen(&lab->live, &seen))
		return true;
	enum direction d = hook_seen(&seen);

	if (d == DIRECTION_COUNT)
		return true;
	p.direction = d;
	p.state = state_seen(&seen);
	p.reply = live_count(&seen, WORLD, "reply");
	struct outcome o = eval_packet(lab->moment, &p);
	bool ours = o.verdict == VERDICT_ALLOW, theirs = live_count(&seen, WORLD, "passed");

	if (!strcmp(o.why, "neighbour")) /* always passes */
		return true;
	t->packets++;
	t->admitted += ours;
	t->hooks[d]++;
	if (ours && !theirs)
		t->wider++;
	else if (lab->whole && p.state == CT_NEW && is_judged(lab->m, &p) && ours != theirs)
		t->differ++;
	else
		return true;
	tap_note("%s: the policy %s by %s, the kernel %s", gen_packet_text(&p, text), ours ? "admits" : "drops", o.rule ? o.rule->id : o.why,
		 theirs ? "admits" : "drops");
	return false;
}

static bool try_packet(struct lab *lab, const struct gen_aim *aim, struct tally *t)
{
	struct packet p = gen_packet(lab->g, aim);
	unsigned link = gen_below(lab->g, ARRAY_LEN(links));
	uint8_t frame[GEN_FRAME_MAX];
	size_t len;

	p.fragment = FRAGMENT_WHOLE;
	p.zone = zone_of(lab->ir, links[link]);
	if (gen_chance(lab->g, 30)) {
		if (netset_has(&lab->live.self, p.dst) || !p.src.num || !p.dst.num)
			return true;
		p.direction = DIRECTION_OUT;
		live_leave(&lab->live, link, &p);
		return judge(lab, p, t);
	}
	p.direction = DIRECTION_IN;
	len = frame_build(&p, NULL, 0, frame, sizeof frame);
	return !len || !live_arrive(&lab->live, link, frame, len) || judge(lab, p, t);
}

static bool import_it(struct lab *lab, struct compilation *c, const char *text, struct buf *teg)
{
	struct err why = { 0 };
	int rc = import_nft(lab->m, &(struct import_text){ "made", text, strlen(text) }, &why);

	rc = rc ? rc : import_flatten(lab->m, &why);
	if (rc)
		return tap_ok(false, "it is read: %s", why.text);
	import_write(lab->m, teg, "made", "made");
	struct policy *p = front_read_text(c, "made.teg", buf_text(teg), teg->len);

	if (!p)
		return tap_ok(false, "it is a policy");
	lab->whole = !import_notes(lab->m, NOTE_LEFT_OUT) && !import_notes(lab->m, NOTE_WIDENED) && !import_notes(lab->m, NOTE_ANSWERS);
	lab->ir = ir_lower(p, c->arena);
	return true;
}

/* False when the kernel does not take it: then it is made wrongly here. */
static bool try_ruleset(uint64_t seed, bool strange, unsigned packets, struct tally *t)
{
	own(compilation) struct compilation *c = compilation_new();
	own(import) struct import *m = import_new();
	own(buf) struct buf text = { 0 }, teg = { 0 };
	struct gen g = gen_new(seed);
	struct lab lab = { .arena = c->arena, .g = &g, .m = m };
	struct netset self = gen_self(&g, c->arena);
	struct err why = { 0 };
	bool right = true;

	put_ruleset(&g, strange, &text);
	if (live_enter(&lab.live, c->arena, links, ARRAY_LEN(links), &self, &why) || !live_nft(buf_text(&text))) {
		t->broken++;
		tap_note("seed %llu: %s\n%s", (unsigned long long)seed, why.text, buf_text(&text));
		live_exit(&lab.live);
		return false;
	}
	if (!import_it(&lab, c, buf_text(&text), &teg)) {
		tap_note("%s\n%s", buf_text(&text), buf_text(&teg));
		live_exit(&lab.live);
		return false;
	}
	t->rulesets++;
	t->whole += lab.whole;
	lab.moment = moment_new(lab.ir);
	moment_set_self(lab.moment, &lab.live.self);
	struct gen_aim *aim = gen_aim_at(lab.ir, &lab.live.self, c->arena);

	for (unsigned i = 0; i < packets && right; i++)
		right = try_packet(&lab, aim, t);
	if (!right)
		tap_note("seed %llu, %s:\n%s\n%s", (unsigned long long)seed, lab.whole ? "whole" : "in part", buf_text(&text), buf_text(&teg));
	moment_free(lab.moment);
	live_exit(&lab.live);
	return right;
}

static void against_kernel(uint64_t seed, bool strange, unsigned rulesets, unsigned packets, const char *what)
{
	struct tally t = { 0 };

	for (unsigned i = 0; i < rulesets && try_ruleset(seed + i, strange, packets, &t); i++)
		;
	tap_num(t.broken, 0, "the kernel takes what is made");
	tap_num(t.wider, 0, "what the policy admits, the kernel admits");
	tap_num(t.differ, 0, "whole imports admit what the kernel admits");
	tap_ok(t.rulesets == rulesets && t.hooks[DIRECTION_IN] && t.hooks[DIRECTION_FORWARD] && t.hooks[DIRECTION_OUT] && t.admitted &&
		       t.admitted < t.packets && (strange || t.whole),
	       "%s: %u rulesets, %u whole; %u packets, %u admitted", what, t.rulesets, t.whole, t.packets, t.admitted);
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	unsigned rulesets = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 0) : 20;
	unsigned packets = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 0) : 300;

	if (!live_may()) {
		tap_skip("only root has namespaces", "imported rulesets against the kernel");
		return tap_done();
	}
	against_kernel(seed, false, rulesets, packets, "known matches");
	against_kernel(seed + 1000000, true, rulesets, packets, "unknown matches too");
	return tap_done();
}
