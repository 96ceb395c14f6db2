/*
 * nft_layers - the two tables, and what they have in common.
 *
 *     posture.c     inet tegumentar: preamble and postures       layer 4
 *     epiderme.c    netdev tegumentar: the first hook            layers 1 to 3
 *     meter.c       token buckets, in both
 *     log.c         rules that tell, in both
 *     cookies.c     SYN cookies for what is forwarded, in inet
 */
#ifndef TEG_EMIT_NFT_LAYERS_H
#define TEG_EMIT_NFT_LAYERS_H

#include "compiler/emit/nft/match.h"

int nft_lower_inet(struct nft_maker *mk);
int nft_lower_netdev(struct nft_maker *mk);

/* Rules that end in their verdict, each counted under its id. */
int nft_lower_list(struct nft_maker *mk, const struct nft_site *site, const struct ir_list *list);

/* Lifelines, or for `out` their answers. */
int nft_lower_lifelines(struct nft_maker *mk, const struct nft_site *site, enum direction d);
void nft_put_neighbour(struct nft_maker *mk, struct nft_chain *c);

/*
 * nft_put_meters - into a chain that packets of the rule come to: those over its
 * rate go as `strikes` ends them, the others return. `known` is false where a
 * full meter has no place for the source: it is then dropped, not blocked. Of flows
 * these are the meters of those without ports; nft_flow_chain has the others', and goes to `portless` for them.
 */
typedef void (*nft_strikes)(struct nft_maker *mk, struct nft_rule *r, const struct ir_rule *rule, bool known);
void nft_put_meters(struct nft_maker *mk, struct nft_chain *c, const struct ir_rule *rule, nft_strikes strikes);
/*
 * How a rule ends behind its counter: in its verdict, or in a chain that tells first. nft_ends_told's `known`
 * is as above; nft_drops_told is of what is no rule; nft_watch_chain counts, tells, and comes back.
 */
void nft_ends_told(struct nft_maker *mk, struct nft_rule *r, const struct ir_rule *rule, bool known);
void nft_drops_told(struct nft_maker *mk, struct nft_rule *r, const char *id);
const char *nft_watch_chain(struct nft_maker *mk, const struct ir_rule *watch);
/* Does the rule tell by its own name, so that it cannot be joined with others? */
bool nft_tells_apart(const struct nft_maker *mk, const struct ir_rule *r);
/* Is it told by name that the rule drops, though nobody asked? Then such a chain does all that is left: it tells, counts and drops. */
bool nft_drop_is_told(const struct nft_maker *mk, const struct ir_rule *r);
const char *nft_told_chain(struct nft_maker *mk, const struct ir_rule *r);
/* Puts the source under a block, and drops. */
const char *nft_block_chain(struct nft_maker *mk, uint64_t block_ns);

const char *nft_flow_chain(struct nft_maker *mk, const struct ir_rule *rule, const char *portless, nft_strikes strikes);
/* What behind every posture answers SYNs, and in `out` what the kernel then sends in clients' names. */
int nft_lower_cookies(struct nft_maker *mk);
void nft_put_answers(struct nft_maker *mk, struct nft_chain *c);
/* A line to the packet log, as often as the rule says, without a verdict. */
void nft_put_line(struct nft_maker *mk, struct nft_chain *c, const struct ir_rule *rule);

/* nft_spread's put that goes to `to`. */
void nft_hand_over(struct nft_spread *s, struct nft_rule r);

uint64_t nft_ms_of(uint64_t ns); /* rounded up */
enum nft_field nft_source_field(enum family f);
addr_num nft_leading_bits(enum family f, unsigned bits);
struct nft_key nft_leading_key(enum nft_field address, enum family f, unsigned bits);

/* The remark stands before the first of a rule's nft rules. */
const char *nft_remark_once(const struct nft_spread *s);

#endif
