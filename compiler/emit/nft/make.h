/*
 * nft_make - a table while it is filled, word by word.
 *
 *     struct nft_rule r = { 0 };
 *     nft_ask_family(mk, &r, FAMILY_IP6);                       meta nfproto ipv6
 *     nft_ask(mk, &r, NFT_FIELD_L4PROTO, NFT_TEST_EQ, 6);       meta l4proto tcp
 *     nft_count_as(mk, &r, "HARDENED.web_in");                  counter name "HARDENED.web_in"
 *     nft_ends(mk, &r, NFT_FATE_ACCEPT);                        accept
 *     nft_put_rule(mk, chain, r, "web_in");
 *
 * Counters and sets with a name come into being when a rule first names them.
 */
#ifndef TEG_EMIT_NFT_MAKE_H
#define TEG_EMIT_NFT_MAKE_H

#include "compiler/emit/nft/rule.h"
#include "compiler/ir/ir.h"
#include "lang/base/strmap.h"

struct nft_maker {
	const struct ir *ir;
	struct arena *arena;
	struct nft_table *table;
	struct strmap counters;	      /* names, by the id that is counted */
	struct strmap sets, chains;   /* by name; chains' without the bank */
	struct strmap blocks;	      /* blocks.h, by the set that they are */
	struct {
		uint64_t zones;
		struct addr_range *at;
		size_t count;
	} named; /* the names of zones' interfaces that were last asked, match.c */
	struct {
		struct nft_expr *at;
		size_t room;
	} spare; /* where a rule was built that was put, for the next */
	uint32_t *next_id; /* of sets, over both tables: they may go in one transaction */
	struct err *why;
};

/* The name without its bank: "pre_in" becomes "@_pre_in". */
struct nft_chain *nft_chain_new(struct nft_maker *mk, const char *name, const char *remark);
/* The name, with its bank, of the chain that is known by one without; or NULL so far. */
const char *nft_chain_named(const struct nft_maker *mk, const char *name);

/* The counter of a stable id, by name; the id is borrowed. */
const char *nft_counter_at(struct nft_maker *mk, const char *id);

/* Equal sets have one name, whatever the policy calls them: two generations share them. */
const struct nft_set *nft_net_set_at(struct nft_maker *mk, const struct netset *set, enum family f);
/* Ranges of addresses that the enforcer fills in. */
const struct nft_set *nft_filled_set_at(struct nft_maker *mk, const char *name, enum family f);
/* Of single values, ascending: a hash. */
const struct nft_set *nft_value_set_at(struct nft_maker *mk, const struct addr_range *at, size_t count, enum family f);
/* That rules fill. Where each element has a time of its own, timeout_ms is 0, and they may be many, and live long. */
const struct nft_set *nft_dynamic_set_at(struct nft_maker *mk, const char *name, enum family f,
					 uint32_t most, uint64_t timeout_ms);
/* By more than an address: `fields` are the parts of its key. */
const struct nft_set *nft_parted_set_at(struct nft_maker *mk, const char *name, const enum nft_field *fields, unsigned count,
					uint32_t most, uint64_t timeout_ms);

/* A map of one rule's own, for who makes it to fill. */
struct nft_set *nft_map_new(struct nft_maker *mk, enum nft_leads leads);

/* How nft numbers a family in tables of this kind. */
addr_num nft_family_number(enum nft_table_kind kind, enum family f);

/* One expression more. */
void nft_push(struct nft_maker *mk, struct nft_rule *r, struct nft_expr e);
void nft_push_match(struct nft_maker *mk, struct nft_rule *r, struct nft_match m);
void nft_ask(struct nft_maker *mk, struct nft_rule *r, enum nft_field f, enum nft_test t,
	     addr_num v);
void nft_ask_masked(struct nft_maker *mk, struct nft_rule *r, enum nft_field f, addr_num mask,
		    enum nft_test t, addr_num v);
void nft_ask_set(struct nft_maker *mk, struct nft_rule *r, enum nft_field f, enum nft_test t,
		 const struct nft_set *s);

/* One value, one range, or a set of the rule's own. */
void nft_ask_ranges(struct nft_maker *mk, struct nft_rule *r, enum nft_field f,
		    const struct addr_range *at, size_t count);
void nft_ask_numbers(struct nft_maker *mk, struct nft_rule *r, enum nft_field f,
		     const struct ranges *set);

/* A set of a few numbers, ascending. */
void nft_ask_any(struct nft_maker *mk, struct nft_rule *r, enum nft_field f, enum nft_test t,
		 const uint16_t *values, size_t count);
void nft_ask_family(struct nft_maker *mk, struct nft_rule *r, enum family f);

/* What a rule does beside its verdict. */
void nft_log(struct nft_maker *mk, struct nft_rule *r, const struct ir_rule *rule);
void nft_count_as(struct nft_maker *mk, struct nft_rule *r, const char *id);
void nft_count_at(struct nft_maker *mk, struct nft_rule *r, const char *counter); /* that nft_counter_at() has named */
void nft_ends(struct nft_maker *mk, struct nft_rule *r, enum nft_fate fate);
void nft_ends_in(struct nft_maker *mk, struct nft_rule *r, enum nft_fate fate, const char *chain);

/* Behind those that the chain has. What it was built of is the next rule's: it must not be asked of more, or put again. */
void nft_put_rule(struct nft_maker *mk, struct nft_chain *c, struct nft_rule r, const char *remark);
void nft_put_jump(struct nft_maker *mk, struct nft_chain *c, const char *to);

#endif
