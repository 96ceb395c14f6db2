/*
 * cookies.c - SYNs to servers behind this host, answered in the servers' place while there are too many: nft's synproxy,
 * in a base chain of its own behind everybody's filters, so that it meets only what all of them admit.
 *
 *     SYN ──► @_cookies ──► @_rate.ID ──► @_over.ID ── over ──► @_answer.ID: the server is armed; cookie
 *     ACK ──► @_cookies ── its server is armed ──► synproxy: with a cookie, a SYN to the server in the client's
 *                                               name; without, it ends here
 *
 * SYNs stay tracked: an answered one ends before its entry is confirmed, and leaves none. Its ACK is then one that begins a flow in
 * the middle, "new" where nf_conntrack_tcp_loose is 1, as it is unless somebody sets it; so nobody's setting is changed, and flows are
 * taken up as ever, but to an armed server. What synproxy sends goes by the output hook, from addresses that are not this host's:
 * nft_put_answers() lets that pass, to armed servers.
 */
#include "compiler/emit/nft/layers.h"

#include <string.h>

#include "compiler/emit/nft/nft.h"
#include "compiler/ir/proto.h"
#include "lang/bundle/nft_name.h"

enum { TCP_SYN = 0x02, TCP_ACK = 0x10, TCP_ASKED = 0x17 }; /* fin, syn, rst, ack */
enum { LOCAL = 2 };					    /* RTN_LOCAL */

/* Of Ethernet, less the headers. */
static uint16_t mss_of(enum family f)
{
	return f == FAMILY_IP4 ? 1460 : 1440;
}

static enum nft_field server_field(enum family f)
{
	return f == FAMILY_IP4 ? NFT_FIELD_IP_DADDR : NFT_FIELD_IP6_DADDR;
}

static const struct nft_set *armed_set(struct nft_maker *mk, enum family f)
{
	const enum nft_field fields[] = { server_field(f), NFT_FIELD_DPORT };

	return nft_parted_set_at(mk, f == FAMILY_IP4 ? NFT_ARMED4 : NFT_ARMED6, fields, 2, NFT_ARMED_MOST, NFT_ARMED_MS);
}

/* A server: its address, and a port. */
static struct nft_key *server_keys(struct nft_maker *mk, enum family f)
{
	const struct nft_key keys[] = { { .field = server_field(f) }, { .field = NFT_FIELD_DPORT } };

	return arena_copy(mk->arena, keys, sizeof keys);
}

static void ask_armed(struct nft_maker *mk, struct nft_rule *r, enum family f)
{
	nft_push(mk, r, (struct nft_expr){ .kind = NFT_EXPR_LOOK,
					   .look = { .keys = server_keys(mk, f), .count = 2, .map = armed_set(mk, f) } });
}

static void arm(struct nft_maker *mk, struct nft_chain *c, enum family f)
{
	struct nft_place p = { .set = armed_set(mk, f), .keys = server_keys(mk, f), .count = 2, .update = true };
	struct nft_rule r = { 0 };

	nft_ask_family(mk, &r, f);
	nft_push(mk, &r, (struct nft_expr){ .kind = NFT_EXPR_PLACE, .place = p });
	nft_put_rule(mk, c, r, NULL);
}

static void put_synproxy(struct nft_maker *mk, struct nft_chain *c, struct nft_rule r, enum family f)
{
	nft_push(mk, &r, (struct nft_expr){ .kind = NFT_EXPR_SYNPROXY, .synproxy_mss = mss_of(f) });
	nft_put_rule(mk, c, r, NULL);
}

static const char *answer_name(struct nft_maker *mk, const struct ir_rule *reflex)
{
	return nft_name(mk->arena, arena_printf(mk->arena, "answer.%s", reflex->id));
}

static void strikes(struct nft_maker *mk, struct nft_rule *r, const struct ir_rule *reflex, bool known)
{
	(void)known;
	nft_count_as(mk, r, reflex->id);
	nft_ends_in(mk, r, NFT_FATE_GOTO, arena_printf(mk->arena, "%c_%s", BATCH_BANK, answer_name(mk, reflex)));
}

static void put_answer(struct nft_maker *mk, const struct ir_rule *reflex)
{
	struct nft_chain *c = nft_chain_new(mk, answer_name(mk, reflex), arena_printf(mk->arena, "%s answers", reflex->id));

	if (reflex->effects.emits)
		nft_put_line(mk, c, reflex);
	for (int f = 0; f < FAMILY_COUNT; f++) {
		struct nft_rule r = { 0 };

		arm(mk, c, (enum family)f);
		nft_ask_family(mk, &r, (enum family)f);
		put_synproxy(mk, c, r, (enum family)f);
	}
}

static void ask_segment(struct nft_maker *mk, struct nft_rule *r, unsigned flags)
{
	nft_ask_masked(mk, r, NFT_FIELD_CT_STATE, CT_BIT_NEW, NFT_TEST_NE, 0);
	nft_ask(mk, r, NFT_FIELD_L4PROTO, NFT_TEST_EQ, PROTO_TCP);
	nft_ask_masked(mk, r, NFT_FIELD_TCP_FLAGS, TCP_ASKED, NFT_TEST_EQ, flags);
}

static int put_reflex(struct nft_maker *mk, struct nft_chain *all, const struct ir_rule *reflex)
{
	const char *over_name = nft_name(mk->arena, arena_printf(mk->arena, "over.%s", reflex->id));
	const char *boxes_name = nft_name(mk->arena, arena_printf(mk->arena, "rate.%s", reflex->id));
	struct nft_chain *over = nft_chain_new(mk, over_name, arena_printf(mk->arena, "%s: what is over its rate", reflex->id));
	struct nft_site site = { nft_chain_new(mk, boxes_name, arena_printf(mk->arena, "%s: what it counts", reflex->id)),
				 NFT_FIELD_IIFNAME, FRAGMENT_EARLY };
	const char *to = over->name;
	struct nft_rule syn = { 0 };

	nft_put_meters(mk, over, reflex, strikes);
	if (reflex->rate->key == RATE_PER_FLOW)
		to = nft_flow_chain(mk, reflex, to, strikes);
	struct nft_spread s = { .mk = mk, .a = mk->arena, .site = &site, .rule = reflex, .put = nft_hand_over, .to = to };
	put_answer(mk, reflex);
	ask_segment(mk, &syn, TCP_SYN);
	nft_ends_in(mk, &syn, NFT_FATE_JUMP, site.chain->name);
	nft_put_rule(mk, all, syn, reflex->label);
	return nft_spread(&s);
}

int nft_lower_cookies(struct nft_maker *mk)
{
	const struct ir_list *l = &mk->ir->cookies;
	struct nft_rule accept = { 0 };

	if (!l->count)
		return 0;
	struct nft_chain *c = nft_chain_new(mk, NFT_COOKIES, "behind every posture and everybody's filters: SYNs answered for servers");
	for (size_t i = 0; i < l->count; i++)
		if (l->rules[i].rate && put_reflex(mk, c, &l->rules[i]))
			return mk->why->code;
	for (int f = 0; f < FAMILY_COUNT; f++) {
		struct nft_rule ack = { 0 };

		ask_segment(mk, &ack, TCP_ACK);
		nft_ask_family(mk, &ack, (enum family)f);
		ask_armed(mk, &ack, (enum family)f);
		put_synproxy(mk, c, ack, (enum family)f);
	}
	nft_ends(mk, &accept, NFT_FATE_ACCEPT);
	nft_put_rule(mk, c, accept, NULL);
	return 0;
}

void nft_put_answers(struct nft_maker *mk, struct nft_chain *c)
{
	for (int f = 0; mk->ir->cookies.count && f < FAMILY_COUNT; f++) {
		struct nft_rule r = { 0 };

		nft_ask_family(mk, &r, (enum family)f);
		nft_ask(mk, &r, NFT_FIELD_L4PROTO, NFT_TEST_EQ, PROTO_TCP);
		ask_armed(mk, &r, (enum family)f);
		nft_ask(mk, &r, NFT_FIELD_FIB_SADDR, NFT_TEST_NE, LOCAL);
		nft_ends(mk, &r, NFT_FATE_ACCEPT);
		nft_put_rule(mk, c, r, f ? NULL : "what is sent in clients' names to servers whose SYNs are answered");
	}
}
