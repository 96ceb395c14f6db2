/*
 * Imported rulesets against a plain interpreter of what was imported.
 *
 * Rulesets are made at random, as text and as a model; packets are judged by the
 * model, in which a match that the importer cannot know is taken both ways, and by
 * eval of the imported policy. What the policy admits the ruleset admits, however
 * the unknown falls; and where the import was whole, both admit the same.
 */
#include <stdlib.h>
#include <string.h>

#include "compiler/front/front.h"
#include "compiler/import/import.h"
#include "compiler/ir/eval.h"
#include "compiler/ir/proto.h"
#include "lang/base/file.h"
#include "tests/lib/tap.h"

#define CHAINS 5 /* the first three are INPUT, FORWARD and OUTPUT */
#define RULES 6

enum act { ACT_ACCEPT, ACT_DROP, ACT_REJECT, ACT_RETURN, ACT_JUMP, ACT_GOTO, ACT_LOG, ACTS };

struct model_rule {
	bool ask_src, not_src, ask_dst, ask_proto, not_proto, ask_port, not_port, either, ask_in, not_in, ask_out, not_out,
		ask_syn, not_syn, ask_icmp, unknown, ask_new;
	unsigned src, src_len, dst, dst_len, proto, port_lo, port_hi, in, out, icmp;
	enum act act;
	unsigned to;
};

struct model {
	struct model_rule rules[CHAINS][RULES];
	unsigned counts[CHAINS];
	bool accepts[DIRECTION_COUNT];
};

struct question {
	const struct packet *p;
	unsigned in, out; /* interfaces; 3 is one that nobody names, 4 none */
	unsigned unknown; /* what the unknown matches say: 0, 1, or by the rule's place */
};

static uint64_t seed = 1;

static int read_iptables(struct import *m, const char *text, struct err *why)
{
	return import_iptables(m, FAMILY_IP4, &(struct import_text){ "rules", text, strlen(text) }, why);
}

static unsigned below(unsigned n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(seed >> 33) % n;
}

static const char *const chain_names[CHAINS] = { "INPUT", "FORWARD", "OUTPUT", "inner", "deep" };
static const unsigned ports[] = { 0, 21, 22, 23, 80, 1023, 1024, 65535 };

/* --- the model and its text ------------------------------------------------------------------------- */

static void make_rule(struct model_rule *r, unsigned chain, unsigned strange)
{
	*r = (struct model_rule){ .ask_src = !below(3), .ask_dst = !below(4), .ask_proto = below(3), .ask_port = !below(2),
				  .src = below(8), .src_len = 29 + below(4), .dst = below(8), .dst_len = 29 + below(4) };
	r->not_src = !below(3);
	r->proto = below(3) ? PROTO_TCP : below(2) ? PROTO_UDP : PROTO_ICMP;
	r->ask_port &= r->ask_proto && r->proto != PROTO_ICMP;
	r->either = !below(4);
	r->not_port = !below(4) && !r->either;
	r->not_proto = !r->ask_port && !below(4);
	r->port_lo = ports[below(ARRAY_LEN(ports))];
	r->port_hi = below(2) ? r->port_lo : 65535;
	r->ask_syn = r->ask_proto && !r->not_proto && r->proto == PROTO_TCP && !below(4);
	r->not_syn = !below(2);
	r->ask_icmp = r->ask_proto && !r->not_proto && r->proto == PROTO_ICMP && below(2);
	r->icmp = below(2) ? 8 : 3;
	r->ask_new = !below(5);
	r->ask_in = chain != DIRECTION_OUT && !below(5);
	r->not_in = strange && !below(3);
	r->in = below(3);
	r->ask_out = (chain == DIRECTION_OUT || strange) && chain != DIRECTION_IN && !below(5);
	r->not_out = strange && !below(3);
	r->out = below(3);
	r->unknown = strange && !below(6);
	r->act = (enum act)below(ACTS);
	if ((r->act == ACT_JUMP || r->act == ACT_GOTO) && chain == 4)
		r->act = ACT_RETURN;
	r->to = chain == 3 ? 4 : 3 + below(2);
}

static void make_model(struct model *m, unsigned strange)
{
	for (unsigned c = 0; c < CHAINS; c++) {
		m->counts[c] = 1 + below(RULES);
		for (unsigned i = 0; i < m->counts[c]; i++)
			make_rule(&m->rules[c][i], c, strange);
	}
	for (unsigned d = 0; d < DIRECTION_COUNT; d++)
		m->accepts[d] = below(2);
}

static void put_rule(struct buf *out, unsigned chain, const struct model_rule *r)
{
	static const char *const acts[ACTS] = { "ACCEPT", "DROP", "REJECT --reject-with tcp-reset", "RETURN", NULL, NULL, "LOG --log-prefix \"a b\"" };
	unsigned src_mask = 32 - r->src_len, dst_mask = 32 - r->dst_len;

	buf_printf(out, "-A %s", chain_names[chain]);
	if (r->ask_src)
		buf_printf(out, "%s -s 10.0.0.%u/%u", r->not_src ? " !" : "", r->src >> src_mask << src_mask, r->src_len);
	if (r->ask_dst)
		buf_printf(out, " -d 10.0.1.%u/%u", r->dst >> dst_mask << dst_mask, r->dst_len);
	if (r->ask_in)
		buf_printf(out, "%s -i eth%u", r->not_in ? " !" : "", r->in);
	if (r->ask_out)
		buf_printf(out, "%s -o eth%u", r->not_out ? " !" : "", r->out);
	if (r->ask_proto)
		buf_printf(out, "%s -p %s", r->not_proto ? " !" : "", r->proto == PROTO_TCP ? "tcp" : r->proto == PROTO_UDP ? "udp" : "icmp");
	if (r->ask_port)
		buf_printf(out, " -m multiport%s --%sports %u:%u", r->not_port ? " !" : "", r->either ? "" : "d", r->port_lo, r->port_hi);
	if (r->ask_syn)
		buf_printf(out, " -m tcp%s --tcp-flags SYN,ACK SYN", r->not_syn ? " !" : "");
	if (r->ask_icmp)
		buf_printf(out, " -m icmp --icmp-type %u", r->icmp);
	if (r->ask_new)
		buf_puts(out, " -m conntrack --ctstate NEW");
	if (r->unknown)
		buf_puts(out, " -m owner --uid-owner 7");
	if (r->act == ACT_JUMP || r->act == ACT_GOTO)
		buf_printf(out, " -%c %s\n", r->act == ACT_JUMP ? 'j' : 'g', chain_names[r->to]);
	else
		buf_printf(out, " -j %s\n", acts[r->act]);
}

static void put_model(struct buf *out, const struct model *m)
{
	buf_puts(out, "# Generated by iptables-save\n*filter\n");
	for (unsigned c = 0; c < CHAINS; c++)
		buf_printf(out, ":%s %s [0:0]\n", chain_names[c], c > 2 ? "-" : m->accepts[c] ? "ACCEPT" : "DROP");
	for (unsigned d = 0; d < DIRECTION_COUNT; d++)
		buf_printf(out, "-A %s -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n", chain_names[d]);
	for (unsigned c = 0; c < CHAINS; c++)
		for (unsigned i = 0; i < m->counts[c]; i++)
			put_rule(out, c, &m->rules[c][i]);
	buf_puts(out, "COMMIT\n");
}

/* --- the plain interpreter ----------------------------------------------------------------------------- */

static bool in_prefix(struct addr a, unsigned base, unsigned last, unsigned len)
{
	uint32_t net = base | last, shift = 32 - len;

	return (uint32_t)a.num >> shift == net >> shift;
}

static bool matches(const struct model_rule *r, const struct question *q, unsigned place)
{
	const struct packet *p = q->p;
	bool ported = (p->dport >= r->port_lo && p->dport <= r->port_hi) ||
		      (r->either && p->sport >= r->port_lo && p->sport <= r->port_hi);

	return (!r->ask_src || in_prefix(p->src, 0x0a000000, r->src, r->src_len) != r->not_src) &&
	       (!r->ask_dst || in_prefix(p->dst, 0x0a000100, r->dst, r->dst_len)) &&
	       (!r->ask_in || (q->in == r->in) != r->not_in) && (!r->ask_out || (q->out == r->out) != r->not_out) &&
	       (!r->ask_proto || (p->proto == r->proto) != r->not_proto) && (!r->ask_port || ported != r->not_port) &&
	       (!r->ask_syn || ((p->flags & 0x12) == 0x02) != r->not_syn) && (!r->ask_icmp || p->icmp >> 8 == r->icmp) &&
	       (!r->unknown || (q->unknown < 2 ? q->unknown : place & 1));
}

enum fate { FATE_ON, FATE_IN, FATE_GONE };

static enum fate run_chain(const struct model *m, unsigned chain, const struct question *q)
{
	for (unsigned i = 0; i < m->counts[chain]; i++) {
		const struct model_rule *r = &m->rules[chain][i];
		enum fate fate;

		if (!matches(r, q, chain * RULES + i))
			continue;
		if (r->act == ACT_ACCEPT)
			return FATE_IN;
		if (r->act == ACT_DROP || r->act == ACT_REJECT)
			return FATE_GONE;
		if (r->act == ACT_RETURN)
			return FATE_ON;
		if (r->act == ACT_LOG)
			continue;
		fate = run_chain(m, r->to, q);
		if (fate != FATE_ON || r->act == ACT_GOTO)
			return fate;
	}
	return FATE_ON;
}

static bool admits(const struct model *m, enum direction d, const struct question *q)
{
	enum fate f = run_chain(m, d, q);

	return f == FATE_ON ? m->accepts[d] : f == FATE_IN;
}

/* --- both -------------------------------------------------------------------------------------------------- */

struct tally {
	size_t rulesets, whole, packets, admitted, wider, differ, broken;
};

static void make_packet(struct packet *p, const struct ir *ir, struct question *q, enum direction d)
{
	char name[8];

	*p = (struct packet){ .direction = d, .family = FAMILY_IP4, .fragment = 1, .hop_limit = 64, .len = 60, .state = CT_NEW,
			      .src = { FAMILY_IP4, 0x0a000000 + below(10) }, .dst = { FAMILY_IP4, 0x0a000100 + below(10) } };
	p->proto = below(2) ? PROTO_TCP : below(2) ? PROTO_UDP : below(2) ? PROTO_ICMP : below(2) ? 47 : PROTO_ICMPV6;
	if (proto_has_ports(p->proto)) {
		p->sport = (uint16_t)(ports[below(ARRAY_LEN(ports))] + below(2) * (below(2) ? 1 : 65535));
		p->dport = (uint16_t)(ports[below(ARRAY_LEN(ports))] + below(2) * (below(2) ? 1 : 65535));
	}
	if (p->proto == PROTO_TCP)
		p->flags = (uint8_t)below(64);
	if (p->proto == PROTO_ICMP)
		p->icmp = (uint16_t)((below(3) ? 8 : 3) << 8 | below(3));
	*q = (struct question){ p, d == DIRECTION_OUT ? 4 : below(4), d == DIRECTION_IN ? 4 : below(4), 0 };
	p->zone = ZONE_NONE;
	snprintf(name, sizeof name, "eth%u", d == DIRECTION_OUT ? q->out : q->in);
	for (size_t z = 0; z < ir->zone_count; z++)
		if (!strcmp(ir->zones[z].name, name))
			p->zone = (unsigned)z;
}

static void note_packet(const struct question *q, bool ours)
{
	tap_note("%s %u from 10.0.0.%u port %u to 10.0.1.%u port %u, icmp %x, flags %x, eth%u to eth%u: policy %s", direction_name(q->p->direction),
		 q->p->proto, (unsigned)q->p->src.num & 255, q->p->sport, (unsigned)q->p->dst.num & 255, q->p->dport, q->p->icmp, q->p->flags, q->in,
		 q->out, ours ? "admits" : "drops");
}

static void ask(const struct model *m, const struct ir *ir, bool whole, struct tally *t)
{
	own(moment) struct moment *now = moment_new(ir);

	for (unsigned i = 0; i < 900; i++) {
		enum direction d = (enum direction)(i % DIRECTION_COUNT);
		struct packet p;
		struct question q;

		make_packet(&p, ir, &q, d);
		bool ours = eval_packet(now, &p).verdict == VERDICT_ALLOW;
		t->packets++;
		t->admitted += ours;
		for (q.unknown = 0; q.unknown < 3; q.unknown++) {
			bool theirs = admits(m, d, &q);

			if (whole ? ours != theirs : ours && !theirs)
				note_packet(&q, ours);
			t->wider += ours && !theirs;
			t->differ += whole && ours != theirs;
		}
	}
}

static bool is_whole(const struct import *m)
{
	return !import_notes(m, NOTE_LEFT_OUT) && !import_notes(m, NOTE_WIDENED) && !import_notes(m, NOTE_ANSWERS) &&
	       !import_notes(m, NOTE_ADMITS);
}

static void try_one(unsigned strange, struct tally *t)
{
	own(import) struct import *m = import_new();
	own(compilation) struct compilation *c = compilation_new();
	own(buf) struct buf text = { 0 }, teg = { 0 };
	size_t before = t->wider + t->differ;
	struct err why = { 0 };
	struct policy *policy;
	struct model model;

	make_model(&model, strange);
	put_model(&text, &model);
	t->rulesets++;
	if (read_iptables(m, buf_text(&text), &why) || import_flatten(m, &why)) {
		t->broken++;
		tap_note("%s\n%s", why.text, buf_text(&text));
		return;
	}
	import_write(m, &teg, "made", "made");
	policy = front_read_text(c, "made.teg", buf_text(&teg), teg.len);
	if (!policy) {
		t->broken++;
		tap_note("not a policy:\n%s", buf_text(&teg));
		return;
	}
	t->whole += is_whole(m);
	ask(&model, ir_lower(policy, c->arena), is_whole(m), t);
	if (t->wider + t->differ > before && !before)
		tap_note("%s\n%s", buf_text(&text), buf_text(&teg));
}

static void against_interpreter(unsigned strange, const char *what)
{
	struct tally t = { 0 };

	for (unsigned i = 0; i < 400; i++)
		try_one(strange, &t);
	tap_num(t.broken, 0, "every ruleset is read, and what is written is a policy");
	tap_ok(t.admitted > t.packets / 20 && t.admitted < t.packets, "%s: %zu of %zu packets admitted, %zu of %zu rulesets whole", what,
	       t.admitted, t.packets, t.whole, t.rulesets);
	tap_num(t.wider, 0, "what is admitted, the ruleset admits, whatever the unknown is");
	tap_num(t.differ, 0, "whole imports admit the same");
	tap_ok(strange || t.whole > t.rulesets / 4, "many rulesets without unknown matches are whole");
}

/* --- what is refused ------------------------------------------------------------------------------------------ */

static const struct {
	const char *claim, *text, *says;
} refused[] = {
	{ "nothing", "", "no table filter" },
	{ "no COMMIT", "*filter\n:INPUT ACCEPT [0:0]\n", "no table filter" },
	{ "a rule of no table", "-A INPUT -j ACCEPT\n", "line 1: a table is due" },
	{ "a rule of no chain", "*filter\n-A INPUT -j ACCEPT\nCOMMIT\n", "line 2: there is no such chain" },
	{ "two targets of one rule", "*filter\n:INPUT DROP [0:0]\n-A INPUT -j LOG -p tcp -j ACCEPT\nCOMMIT\n",
	  "line 3: a rule has one target, and this is another: ACCEPT" },
	{ "a chain into itself", "*filter\n:INPUT DROP [0:0]\n:a - [0:0]\n-A INPUT -j a\n-A a -j a\nCOMMIT\n", "line 5: chain a leads into itself" },
	{ "a quote without end", "*filter\n:INPUT DROP [0:0]\n-A INPUT -m comment --comment \"x -j ACCEPT\nCOMMIT\n", "line 3: a quote does not end" },
	{ "a chain twice", "*filter\n:a - [0:0]\n:a - [0:0]\nCOMMIT\n", "line 3: this chain is there twice" },
};

static void refuses(void)
{
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		own(import) struct import *m = import_new();
		struct err why = { 0 };
		int rc = read_iptables(m, refused[i].text, &why);

		rc = rc ? rc : import_flatten(m, &why);
		if (!tap_ok(rc && strstr(why.text, refused[i].says), "refused: %s", refused[i].claim))
			tap_note("%d: %s", rc, why.text);
	}
}

/* --- what a single rule becomes --------------------------------------------------------------------------------- */

static const struct {
	const char *rule, *said; /* a part of the policy; NULL: no allow at all */
	size_t left_out, widened, admits;
} rows[] = {
	{ "-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT", "INPUT_5: allow  tcp port 22\n", 0, 0, 0 },
	{ "-A INPUT -p tcp -m multiport --dports 80,443,8000:8010 -j ACCEPT", "allow  tcp port [80, 443, 8000..8010]\n", 0, 0, 0 },
	{ "-A INPUT -s 192.0.2.0/255.255.255.0 -j ACCEPT", "allow  ip from 192.0.2.0/24\n", 0, 0, 0 },
	{ "-A INPUT ! -s 192.0.2.0/24 -j ACCEPT", "allow  ip from any - 192.0.2.0/24\n", 0, 0, 0 },
	{ "-A INPUT -s ! 192.0.2.0/24 -j ACCEPT", "allow  ip from any - 192.0.2.0/24\n", 0, 0, 0 },
	{ "-A INPUT -m iprange --src-range 192.0.2.4-192.0.2.7 -j ACCEPT", "allow  ip from 192.0.2.4/30\n", 0, 0, 0 },
	{ "-A INPUT -p icmp -m icmp --icmp-type 3/4 -j ACCEPT", "allow  icmpv4 3/4\n", 0, 0, 0 },
	{ "-A INPUT -p icmp -m icmp --icmp-type echo-request -j ACCEPT", "allow  icmpv4 echo\n", 0, 0, 0 },
	{ "-A INPUT -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT", "allow  tcp flags syn/fin+syn+rst+ack\n", 0, 0, 0 },
	{ "-A INPUT -p 47 -j ACCEPT", "allow  gre\n", 0, 0, 0 },
	{ "-A INPUT -i wan0 -j ACCEPT", "allow  ip on wan0\n", 0, 0, 0 },
	{ "-A INPUT -p tcp -m comment --comment \"web for all\" -j ACCEPT", "web_for_all: allow  tcp\n", 0, 0, 0 },
	{ "-A INPUT -p udp -m limit --limit 10/min -j ACCEPT", "limit limit_5 = 10/min burst 5\n", 1, 0, 0 },
	{ "-A INPUT -p udp -m limit --limit 10/hour -m limit --limit 10/sec -j ACCEPT", NULL, 1, 0, 0 },
	{ "-A INPUT -p udp -m limit --limit 10/sec -m hashlimit --hashlimit-upto 10/hour --hashlimit-mode srcip --hashlimit-name n -j ACCEPT",
	  NULL, 1, 0, 0 },
	{ "-A INPUT -m set --match-set friends src -j ACCEPT", "allow  ip from friends\n", 0, 0, 0 },
	{ "-A INPUT -m set ! --match-set friends src -p tcp -j ACCEPT", "allow  tcp from any - [192.0.2.8, 192.0.2.16/28]\n", 0, 0, 0 },
	{ "-A INPUT -m set --match-set strangers src -j ACCEPT", NULL, 1, 0, 0 },
	{ "-A INPUT -m set --match-set masked src -j DROP\n-A INPUT -j ACCEPT", "drop  ip\n", 0, 1, 0 },
	{ "-A INPUT -m set --match-set ending src -j DROP\n-A INPUT -j ACCEPT", "drop  ip\n", 0, 1, 0 },
	{ "-A INPUT -m set --match-set counted src -j DROP\n-A INPUT -j ACCEPT", "drop  ip from counted\n", 0, 0, 0 },
	{ "-A INPUT -m set --match-set friends src -j DROP\n-A INPUT -p tcp -j SET --add-set friends src\n-A INPUT -j ACCEPT", "drop  ip\n", 0, 1, 0 },
	{ "-A INPUT -m owner --uid-owner 0 -j ACCEPT", NULL, 1, 0, 0 },
	{ "-A INPUT -m mac --mac-source 02:00:00:00:00:01 -j DROP\n-A INPUT -p tcp -j ACCEPT", "drop  ip\n", 0, 1, 0 },
	{ "-A INPUT -m mac --mac-source 02:00:00:00:00:01 -j DROP", "drop  ip\n", 0, 0, 0 }, /* nothing behind it would be admitted */
	{ "-A INPUT -p udp -m mac --mac-source 02:00:00:00:00:01 -j DROP\n-A INPUT -p tcp -j ACCEPT", "drop  udp\n", 0, 0, 0 },
	{ "-A INPUT -s example.org -j ACCEPT", NULL, 1, 0, 0 },
	{ "-A INPUT -j NFQUEUE --queue-num 1\n-A INPUT -j ACCEPT", "drop  ip\n", 0, 1, 0 },
	{ "-A INPUT -p tcp -j LOG --log-prefix \"web \\\"in\\\": \"\n-A INPUT -p tcp -j ACCEPT", "allow  tcp log \"web in\"\n", 0, 0, 0 },
	{ "-A INPUT -s 192.0.2.1/32 -j LOG\n-A INPUT -p tcp -j DROP", "drop  tcp from 192.0.2.1 log\nINPUT_6_2: drop  tcp\n", 0, 0, 0 },
	{ "-A INPUT -j LOG --log-prefix end", "INPUT_policy: drop  ip log \"end\"\n", 0, 0, 0 },
	{ "-A INPUT -m limit --limit 3/min -j LOG\n-A INPUT -p tcp -j DROP", "drop  tcp\n", 0, 0, 0 },
	{ "-A INPUT -m addrtype --dst-type LOCAL -p tcp -j ACCEPT", "allow  tcp to self\n", 0, 0, 0 },
	{ "-A INPUT -m addrtype ! --dst-type MULTICAST -p tcp -j ACCEPT", "allow  tcp to any - 224.0.0.0/4\n", 0, 0, 0 },
	{ "-A INPUT -m addrtype --src-type LOCAL -p tcp -j ACCEPT", NULL, 1, 0, 0 },
	{ "-A INPUT -i tun+ -j ACCEPT", "allow  ip on tun\n", 0, 0, 0 },
	{ "-A INPUT -i tun+ -j ACCEPT\n-A INPUT -i tun0 -j DROP", "allow  ip on tun0\n", 1, 0, 0 },
	/* what stands behind the target, as people write it */
	{ "-A INPUT -j ACCEPT -s 192.0.2.0/24 -p tcp --dport 22", "allow  tcp from 192.0.2.0/24 to any port 22\n", 0, 0, 0 },
	{ "-A INPUT -j ACCEPT -m owner --uid-owner 0", NULL, 1, 0, 0 },
	{ "-A INPUT -j ACCEPT --uid-owner 0", NULL, 1, 0, 0 },
	{ "-A INPUT -p tcp -j REJECT --reject-with tcp-reset ! -s 192.0.2.1", "reject  tcp from any - 192.0.2.1\n", 0, 0, 0 },
	{ "-A INPUT -j LOG --log-prefix \"-s 1\" --log-level 4 -p tcp\n-A INPUT -j DROP", "drop  tcp log \"-s 1\"\n", 0, 0, 0 },
	{ "-A INPUT -j LOG --log-prefix !\n-A INPUT -p udp -j ACCEPT", "allow  udp log \"!\"\n", 0, 0, 0 },
	{ "-A INPUT -m comment --comment ! -s 192.0.2.0/24 -j DROP\n-A INPUT -p tcp -j ACCEPT", "drop  ip from 192.0.2.0/24\n", 0, 0, 0 },
	{ "-A INPUT -p tcp -m comment --comment --syn -j DROP\n-A INPUT -j ACCEPT", ": drop  tcp\n", 0, 0, 0 },
	{ "-A INPUT -m comment --comment -j -j ACCEPT", "allow  ip\n", 0, 0, 0 },
	{ "-A INPUT -p tcp -j ACCEPT -c 12 3456", "allow  tcp\n", 0, 0, 0 },
	{ "-A INPUT -p icmp -m icmp --icmp-type any -j ACCEPT", "allow  icmpv4\n", 0, 0, 0 },
	{ "-A INPUT -p icmp -m icmp ! --icmp-type any -j ACCEPT", NULL, 0, 0, 0 },
};

static void single_rules(void)
{
	static const char *const sets = "create friends hash:net family inet hashsize 1024\nadd friends 192.0.2.8\nadd friends 192.0.2.16/28\n"
					"create strangers hash:ip,port family inet\nadd strangers 192.0.2.1,tcp:22\n"
					"create masked hash:ip family inet hashsize 1024 netmask 24\nadd masked 192.0.2.0\n"
					"create ending hash:ip family inet timeout 600\n"
					"create counted hash:ip family inet bucketsize 12 initval 0x1 counters\nadd counted 192.0.2.9\n";

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		own(import) struct import *m = import_new();
		own(buf) struct buf text = { 0 }, teg = { 0 };
		struct err why = { 0 };

		buf_printf(&text, "*filter\n:INPUT DROP [0:0]\n-A INPUT -i lo -j ACCEPT\n-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT\n%s\nCOMMIT\n",
			   rows[i].rule);
		int rc = import_ipset(m, &(struct import_text){ "sets", sets, strlen(sets) }, &why);

		rc = rc ? rc : read_iptables(m, buf_text(&text), &why);
		rc = rc ? rc : import_flatten(m, &why);
		if (!rc)
			import_write(m, &teg, "one", "one");
		bool said = rows[i].said ? strstr(buf_text(&teg), rows[i].said) != NULL : !strstr(buf_text(&teg), ": allow");
		if (!tap_ok(!rc && said && import_notes(m, NOTE_LEFT_OUT) == rows[i].left_out &&
				    import_notes(m, NOTE_WIDENED) == rows[i].widened && import_notes(m, NOTE_ADMITS) == rows[i].admits,
			    "%.*s", (int)strcspn(rows[i].rule, "\n"), rows[i].rule))
			tap_note("%s\n%s", why.text, buf_text(&teg));
	}
}

/* --- answers -------------------------------------------------------------------------------------------- */

#define FILTER(in, forward, out, rules) "*filter\n:INPUT " in " [0:0]\n:FORWARD " forward " [0:0]\n:OUTPUT " out " [0:0]\n" rules "COMMIT\n"
#define KNOWN(chain) "-A " chain " -m state --state RELATED,ESTABLISHED -j ACCEPT\n"

static const struct {
	const char *claim, *text;
	size_t told;
} answers[] = {
	{ "known flows pass first", FILTER("DROP", "DROP", "ACCEPT", KNOWN("INPUT") KNOWN("FORWARD")), 0 },
	{ "nothing is forwarded, so no known flow is", FILTER("DROP", "DROP", "ACCEPT", KNOWN("INPUT")), 0 },
	{ "nothing passes at all", FILTER("DROP", "DROP", "DROP", ""), 0 },
	{ "what the host says of forwarded flows is dropped there", FILTER("DROP", "ACCEPT", "DROP", ""), 1 },
	{ "answers of what goes out are dropped there", FILTER("DROP", "DROP", "ACCEPT", ""), 1 },
	{ "and those of what comes in", FILTER("DROP", "DROP", "DROP", "-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\n" KNOWN("INPUT")), 1 },
	{ "a source dropped first may be one that was called",
	  FILTER("DROP", "DROP", "ACCEPT", "-A INPUT -s 192.0.2.1/32 -j DROP\n" KNOWN("INPUT")), 1 },
	{ "a port dropped first, from which nothing is called",
	  FILTER("DROP", "DROP", "DROP", "-A INPUT -p udp -m udp --dport 9 -j DROP\n" KNOWN("INPUT") KNOWN("OUTPUT")
		 "-A OUTPUT -p tcp -m tcp --dport 80 -j ACCEPT\n"), 1 }, /* a related packet may be of any flow */
	{ "packets of no flow dropped first", FILTER("DROP", "DROP", "ACCEPT", "-A INPUT -m state --state INVALID -j DROP\n" KNOWN("INPUT")), 0 },
};

static void known_flows(void)
{
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		own(import) struct import *m = import_new();
		struct err why = { 0 };
		int rc = read_iptables(m, answers[i].text, &why);

		rc = rc ? rc : import_flatten(m, &why);
		tap_num(rc ? 99 : import_notes(m, NOTE_ANSWERS), answers[i].told, answers[i].claim);
	}
}

/* Where some packets are not tracked, a rule about new flows has not all that begin one here. */
static void untracked(void)
{
	static const struct { const char *rule; bool untracks; } aside[] = {
		{ "-A PREROUTING -p udp -j NOTRACK", true }, { "-A PREROUTING -p udp -j CT --notrack", true },
		{ "-A PREROUTING -p udp -j CT --helper tftp", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(aside); i++) {
		own(import) struct import *m = import_new();
		own(buf) struct buf text = { 0 }, teg = { 0 };
		struct err why = { 0 };

		buf_printf(&text, "*raw\n:PREROUTING ACCEPT [0:0]\n%s\nCOMMIT\n%s", aside[i].rule,
			   FILTER("DROP", "DROP", "DROP", "-A INPUT -p tcp -m state --state NEW -j ACCEPT\n"));
		int rc = read_iptables(m, buf_text(&text), &why);

		rc = rc ? rc : import_flatten(m, &why);
		if (!rc)
			import_write(m, &teg, "one", "one");
		if (!tap_ok(!rc && import_notes(m, NOTE_LEFT_OUT) == aside[i].untracks && !strstr(buf_text(&teg), ": allow") == aside[i].untracks,
			    "new flows beside %s", aside[i].rule))
			tap_note("%s\n%s", why.text, buf_text(&teg));
	}
}

int main(void)
{
	single_rules();
	known_flows();
	untracked();
	refuses();
	against_interpreter(0, "known matches");
	against_interpreter(1, "unknown matches too");
	return tap_done();
}
