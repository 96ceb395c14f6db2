/*
 * filter_nets - the rules that look for blocked networks, in the chain @_nets of a bank: one for each length of prefix.
 *
 *     meta protocol ip ip saddr & 255.255.255.0 | 0.0.0.128 @blockednets4 counter name "blocked" goto @_tell.blocked
 *
 * The chain comes empty, in the generation's batch. A network's element is its address, and behind that a one: so one set has networks of
 * all lengths, and an element says which.
 */
#ifndef TEG_NFT_FILTER_NETS_H
#define TEG_NFT_FILTER_NETS_H

#include "enforcer/nft/filter.h"

#define FILTER_NETS  "nets"
#define FILTER_NETS4 "blockednets4"
#define FILTER_NETS6 "blockednets6"

void filter_change_net(struct filter_change *c, char bank, enum family f, unsigned len);
void filter_change_nets_flush(struct filter_change *c, char bank);

/* For which lengths there are rules, bit 63 - length each: none where there is no such chain. -EUCLEAN when something else is in it. */
int filter_nets(struct filter *f, char bank, uint64_t lengths[static FAMILY_COUNT], struct err *why);

#endif
