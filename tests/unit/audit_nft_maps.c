/*
 * The proof reads rules that nothing here writes: verdict maps, maps over concatenations, chains of
 * chains. Each is written by hand in place of a posture's rules, and meant or not what the policy says.
 */
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/audit/audit.h"
#include "compiler/audit/nft/said.h"
#include "compiler/emit/nft/lower.h"
#include "compiler/front/front.h"
#include "tests/lib/tap.h"

static const char policy_text[] =
	"policy maps \"Maps\" { version \"1\" owner \"x\" }\n"
	"zone wan = \"eth0\"\n"
	"posture P {\n"
	"    default drop\n"
	"    ssh: allow tcp to any port 22\n"
	"    web: allow tcp to any port [23, 443]\n"
	"    dns: allow udp to any port 53\n"
	"}\n"
	"initial posture P\n";

enum { NF_DROP = 0, NF_ACCEPT = 1, INET = 1, TCP = 6, UDP = 17, PROTOS = 901, PORTS, PAIRS };

/* --- messages ------------------------------------------------------------------------------------ */

static struct nlmsghdr *begin(char *room, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);
	struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof *g);

	h->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | flags;
	g->nfgen_family = INET;
	mnl_attr_put_strz(h, 1, NFT_TABLE_NAME);
	return h;
}

static void add(struct batch *b, const struct nlmsghdr *h)
{
	b->messages = realloc(b->messages, b->len + h->nlmsg_len);
	memcpy(b->messages + b->len, h, h->nlmsg_len);
	b->len += h->nlmsg_len;
}

static void add_chain(struct batch *b, const char *name)
{
	char room[4096] = { 0 };
	struct nlmsghdr *h = begin(room, NFT_MSG_NEWCHAIN, NLM_F_EXCL);

	mnl_attr_put_strz(h, NFTA_CHAIN_NAME, name);
	add(b, h);
}

static void add_map(struct batch *b, uint32_t id, uint32_t bytes, uint32_t flags)
{
	char room[4096] = { 0 };
	struct nlmsghdr *h = begin(room, NFT_MSG_NEWSET, 0);

	mnl_attr_put_strz(h, NFTA_SET_NAME, "__map%d");
	mnl_attr_put_u32(h, NFTA_SET_FLAGS, htonl(NFT_SET_ANONYMOUS | NFT_SET_CONSTANT | NFT_SET_MAP | flags));
	mnl_attr_put_u32(h, NFTA_SET_KEY_LEN, htonl(bytes));
	mnl_attr_put_u32(h, NFTA_SET_DATA_TYPE, htonl(NFT_DATA_VERDICT));
	mnl_attr_put_u32(h, NFTA_SET_ID, htonl(id));
	add(b, h);
}

static void put_verdict(struct nlmsghdr *h, uint16_t as, int code, const char *chain)
{
	struct nlattr *data = mnl_attr_nest_start(h, as), *verdict = mnl_attr_nest_start(h, NFTA_DATA_VERDICT);

	mnl_attr_put_u32(h, NFTA_VERDICT_CODE, htonl((uint32_t)code));
	if (chain)
		mnl_attr_put_strz(h, NFTA_VERDICT_CHAIN, chain);
	mnl_attr_nest_end(h, verdict);
	mnl_attr_nest_end(h, data);
}

/* To a chain; where there is none, it is where the element before it ends. */
static void add_element(struct batch *b, uint32_t id, const void *key, uint16_t bytes, int code, const char *chain)
{
	char room[4096] = { 0 };
	struct nlmsghdr *h = begin(room, NFT_MSG_NEWSETELEM, 0);

	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, "__map%d");
	mnl_attr_put_u32(h, NFTA_SET_ELEM_LIST_SET_ID, htonl(id));
	struct nlattr *list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
	struct nlattr *one = mnl_attr_nest_start(h, NFTA_LIST_ELEM), *data = mnl_attr_nest_start(h, NFTA_SET_ELEM_KEY);
	mnl_attr_put(h, NFTA_DATA_VALUE, bytes, key);
	mnl_attr_nest_end(h, data);
	if (chain)
		put_verdict(h, NFTA_SET_ELEM_DATA, code, chain);
	else
		mnl_attr_put_u32(h, NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_INTERVAL_END));
	mnl_attr_nest_end(h, one);
	mnl_attr_nest_end(h, list);
	add(b, h);
}

static void add_port(struct batch *b, uint16_t port, const char *chain)
{
	uint16_t key = htons(port);

	add_element(b, PORTS, &key, sizeof key, NFT_GOTO, chain);
}

/* --- rules ---------------------------------------------------------------------------------------- */

struct writing {
	char room[4096];
	struct nlmsghdr *h;
	struct nlattr *list, *one, *data;
};

static void rule_begin(struct writing *w, const char *chain)
{
	memset(w, 0, sizeof *w);
	w->h = begin(w->room, NFT_MSG_NEWRULE, NLM_F_APPEND);
	mnl_attr_put_strz(w->h, NFTA_RULE_CHAIN, chain);
	w->list = mnl_attr_nest_start(w->h, NFTA_RULE_EXPRESSIONS);
}

static void expr_begin(struct writing *w, const char *name)
{
	w->one = mnl_attr_nest_start(w->h, NFTA_LIST_ELEM);
	mnl_attr_put_strz(w->h, NFTA_EXPR_NAME, name);
	w->data = mnl_attr_nest_start(w->h, NFTA_EXPR_DATA);
}

static void expr_end(struct writing *w)
{
	mnl_attr_nest_end(w->h, w->data);
	mnl_attr_nest_end(w->h, w->one);
}

static void put_proto(struct writing *w, uint32_t reg)
{
	expr_begin(w, "meta");
	mnl_attr_put_u32(w->h, NFTA_META_KEY, htonl(NFT_META_L4PROTO));
	mnl_attr_put_u32(w->h, NFTA_META_DREG, htonl(reg));
	expr_end(w);
}

static void put_dport(struct writing *w, uint32_t reg)
{
	expr_begin(w, "payload");
	mnl_attr_put_u32(w->h, NFTA_PAYLOAD_BASE, htonl(NFT_PAYLOAD_TRANSPORT_HEADER));
	mnl_attr_put_u32(w->h, NFTA_PAYLOAD_OFFSET, htonl(2));
	mnl_attr_put_u32(w->h, NFTA_PAYLOAD_LEN, htonl(2));
	mnl_attr_put_u32(w->h, NFTA_PAYLOAD_DREG, htonl(reg));
	expr_end(w);
}

static void put_map(struct writing *w, uint32_t reg, uint32_t id)
{
	expr_begin(w, "lookup");
	mnl_attr_put_strz(w->h, NFTA_LOOKUP_SET, "__map%d");
	mnl_attr_put_u32(w->h, NFTA_LOOKUP_SET_ID, htonl(id));
	mnl_attr_put_u32(w->h, NFTA_LOOKUP_SREG, htonl(reg));
	mnl_attr_put_u32(w->h, NFTA_LOOKUP_DREG, htonl(NFT_REG_VERDICT));
	expr_end(w);
}

static void rule_end(struct writing *w, struct batch *b)
{
	mnl_attr_nest_end(w->h, w->list);
	add(b, w->h);
}

/* A chain of one rule, that decides. */
static void add_leaf(struct batch *b, const char *chain, const char *counter, int code)
{
	struct writing w;

	rule_begin(&w, chain);
	expr_begin(&w, "objref");
	mnl_attr_put_u32(w.h, NFTA_OBJREF_IMM_TYPE, htonl(NFT_OBJECT_COUNTER));
	mnl_attr_put_strz(w.h, NFTA_OBJREF_IMM_NAME, counter);
	expr_end(&w);
	expr_begin(&w, "immediate");
	mnl_attr_put_u32(w.h, NFTA_IMMEDIATE_DREG, htonl(NFT_REG_VERDICT));
	put_verdict(w.h, NFTA_IMMEDIATE_DATA, code, NULL);
	expr_end(&w);
	rule_end(&w, b);
}

/* --- a posture in maps --------------------------------------------------------------------------------- */

enum pairs { PAIRS_OF_UDP, PAIRS_OF_ALL, PORTS_FIRST };

/* Ranges of ports: those that meet have an end between them, or none. */
enum meeting { NO_RANGES, WITHOUT_END, WITH_END };

struct mistake {
	int to_tcp;	       /* how the map of protocols sends TCP on */
	uint16_t https;
	uint8_t pair_proto;
	const char *counter;
	bool no_protocol;      /* ports are asked of whatever comes */
	enum meeting ranges;
	enum pairs pairs;      /* of all: a port is loaded of whatever comes, but its key says of which protocol it is */
};

static void add_ports(struct batch *b, const struct mistake *m)
{
	add_map(b, PORTS, 2, m->ranges ? NFT_SET_INTERVAL : 0);
	add_port(b, 443 + m->https, "b_web");
	if (m->ranges)
		add_port(b, 444, NULL);
	add_port(b, 22, "b_ssh");
	if (m->ranges == WITH_END)
		add_port(b, 23, NULL);
	add_port(b, 23, "b_web");
	if (m->ranges)
		add_port(b, 24, NULL);
}

/*
 *     @_P_in ── l4proto ──► tcp ── dport ──► ssh, web
 *                      └──► udp ── l4proto . dport ──► dns          of all: before the map of protocols
 */
static void add_maps(struct batch *b, const struct mistake *m)
{
	static const char *const chains[] = { "b_tcp", "b_udp", "b_ssh", "b_web", "b_dns" };
	const uint8_t tcp = TCP, udp = UDP, pair[8] = { m->pair_proto, 0, 0, 0, 0, 53 }, turned[8] = { 0, 53, 0, 0, m->pair_proto };
	const bool ports_first = m->pairs == PORTS_FIRST;
	struct writing w;

	for (size_t i = 0; i < sizeof chains / sizeof *chains; i++)
		add_chain(b, chains[i]);
	add_leaf(b, "b_ssh", m->counter, NF_ACCEPT);
	add_leaf(b, "b_web", "P.web", NF_ACCEPT);
	add_leaf(b, "b_dns", "P.dns", NF_ACCEPT);

	add_ports(b, m);
	rule_begin(&w, m->no_protocol ? "b_P_in" : "b_tcp");
	put_dport(&w, NFT_REG_1);
	put_map(&w, NFT_REG_1, PORTS);
	rule_end(&w, b);

	add_map(b, PAIRS, 8, NFT_SET_CONCAT);
	add_element(b, PAIRS, ports_first ? turned : pair, sizeof pair, NFT_GOTO, "b_dns");
	rule_begin(&w, m->pairs == PAIRS_OF_UDP ? "b_udp" : "b_P_in");
	put_proto(&w, ports_first ? NFT_REG32_01 : NFT_REG32_00);
	put_dport(&w, ports_first ? NFT_REG32_00 : NFT_REG32_01);
	put_map(&w, NFT_REG32_00, PAIRS);
	rule_end(&w, b);

	add_map(b, PROTOS, 1, 0);
	add_element(b, PROTOS, &tcp, 1, m->to_tcp, "b_tcp");
	add_element(b, PROTOS, &udp, 1, NFT_JUMP, "b_udp");
	rule_begin(&w, "b_P_in");
	put_proto(&w, NFT_REG_1);
	put_map(&w, NFT_REG_1, PROTOS);
	rule_end(&w, b);
	add_leaf(b, "b_P_in", "P.default.in", NF_DROP);
}

/* The chain is kept but for what known flows have before the rules. */
static void forget_rules(struct nft_table *t)
{
	for (size_t i = 0; i < t->chains.len; i++)
		if (!strcmp(t->chains.at[i]->name, "@_P_in"))
			t->chains.at[i]->rules.len = 2;
}

static int audit_maps(const struct ir *ir, const struct mistake *m, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	own(prover) struct prover *p = prover_new(&PROVE_BUDGET);
	own(batch) struct batch b = { 0 };
	struct nft_ruleset rs;
	int rc = nft_lower(&rs, ir, a, why);

	if (rc)
		return rc;
	forget_rules(&rs.inet);
	nft_encode(&b, &rs.inet);
	batch_place(&b, NFT_SAID_BANK);
	add_maps(&b, m);
	return audit_layer4(p, ir, &b, why);
}

int main(void)
{
	static const struct {
		const char *what;
		bool holds;
		struct mistake m;
	} rows[] = {
		{ "maps of verdicts do what the policy says", true, { NFT_JUMP, 0, UDP, "P.ssh", false, NO_RANGES, PAIRS_OF_UDP } },
		{ "another port", false, { NFT_JUMP, 1, UDP, "P.ssh", false, NO_RANGES, PAIRS_OF_UDP } },
		{ "another protocol in a concatenation", false, { NFT_JUMP, 0, TCP, "P.ssh", false, NO_RANGES, PAIRS_OF_UDP } },
		{ "another counter", false, { NFT_JUMP, 0, UDP, "P.web", false, NO_RANGES, PAIRS_OF_UDP } },
		{ "a goto, behind which the default is not met", false, { NFT_GOTO, 0, UDP, "P.ssh", false, NO_RANGES, PAIRS_OF_UDP } },
		{ "ports of no protocol", false, { NFT_JUMP, 0, UDP, "P.ssh", true, NO_RANGES, PAIRS_OF_UDP } },
		{ "a port and its protocol in one key, of whatever comes", true, { NFT_JUMP, 0, UDP, "P.ssh", false, NO_RANGES, PAIRS_OF_ALL } },
		{ "the same of another protocol", false, { NFT_JUMP, 0, TCP, "P.ssh", false, NO_RANGES, PAIRS_OF_ALL } },
		{ "of a protocol that has no ports", false, { NFT_JUMP, 0, 47, "P.ssh", false, NO_RANGES, PAIRS_OF_ALL } },
		{ "ranges that meet, and end where the next begins", true, { NFT_JUMP, 0, UDP, "P.ssh", false, WITHOUT_END, PAIRS_OF_UDP } },
		{ "the same with an end there, which Linux up to 6.12 may take for no port", false,
		  { NFT_JUMP, 0, UDP, "P.ssh", false, WITH_END, PAIRS_OF_UDP } },
		{ "a port before its protocol", false, { NFT_JUMP, 0, UDP, "P.ssh", false, NO_RANGES, PORTS_FIRST } },
	};
	struct compilation *c = compilation_new();
	const struct policy *policy = front_read_text(c, "maps.teg", policy_text, sizeof policy_text - 1);

	tap_ok(policy != NULL, "the policy is read");
	if (!policy)
		return tap_done();
	const struct ir *ir = ir_lower(policy, c->arena);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct err why = { 0 };
		bool holds = !audit_maps(ir, &rows[i].m, &why);

		tap_ok(holds == rows[i].holds, "%s: %s", rows[i].what, holds ? "proved" : why.text);
	}
	compilation_free(c);
	return tap_done();
}
