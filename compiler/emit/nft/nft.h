/*
 * nft - what exists in nftables, for those who send it and count in it.
 *
 *     table inet tegumentar              posture.batch: layer 4
 *       @_pre_in, @_pre_forward, @_pre_out
 *                                        loopback, lifelines, neighbours, invalid; else they return
 *       @_POSTURE_in|forward|out         end in the default: nothing returns from them
 *     table netdev tegumentar            epiderme.batch: layers 1 to 3, where there is no XDP
 *       @_epiderme_POSTURE               falls off its end for what goes on to layer 4
 *
 * These are what the warden's base chains refer to; both tables hold further
 * chains of their bank, each beginning "@_". To make a bank empty, first remove
 * the rules of all its chains, then the chains: they refer to each other. A
 * batch makes its chains with NLM_F_EXCL, so what an earlier attempt has left
 * behind is refused, not added to.
 *
 *     hook       policy   rules
 *     input      drop     jump @_pre_in; goto @_POSTURE_in
 *     forward    drop     jump @_pre_forward; goto @_POSTURE_forward
 *     output     drop     jump @_pre_out; goto @_POSTURE_out
 *     ingress    accept   goto @_epiderme_POSTURE          on each interface of a zone
 *     forward    drop     goto @_cookies                   behind everybody's filters, where a reflex does cookies for servers
 *
 * Outside the banks, kept from one generation to the next:
 *
 *     counters   nft_name(id); one id may have a counter in each table. netdev also has
 *                "malformed.CAUSE" and "not-ip"
 *     sets       n_DIGEST_4|6  constant, named by content: sent again, they stay as they are
 *                blocked4|6    runtime blocks (netdev): the source, IPv6 cut to /64; elements time out
 *                blockednets4|6, blockedlengths    the same of networks, for which tegd puts rules into @_nets
 *                armed4|6      address and port of servers (inet), see cookies.c; elements time out
 *                meter4|6.ID.… one bucket a source, destination or flow (netdev)
 *
 * plan->nft_keep names the counters and sets of both tables; what it does not
 * name can be removed once no chain of another generation uses it.
 */
#ifndef TEG_EMIT_NFT_H
#define TEG_EMIT_NFT_H

#include "bpf-templates/abi.h"

#define NFT_PRIORITY_A (-5)
#define NFT_PRIORITY_B (-4)
#define NFT_PRIORITY_COOKIES 290 /* bank a; 291 bank b */

#define NFT_BLOCKED4 "blocked4"
#define NFT_BLOCKED6 "blocked6"
#define NFT_NETS "@_nets" /* a chain that comes empty */
#define NFT_NETS4 "blockednets4"
#define NFT_NETS6 "blockednets6"
#define NFT_NETS_LENGTHS "blockedlengths"
#define NFT_NETS_LENGTHS_MOST 128u

/* Servers for which SYNs are answered, or were a while ago: a cookie is good for two minutes. */
#define NFT_COOKIES "cookies" /* the chain, behind the letter of its bank */
#define NFT_ARMED4 "armed4"
#define NFT_ARMED6 "armed6"
#define NFT_ARMED_MOST 65536u
#define NFT_ARMED_MS   130000u

/* Elements a dynamic set has room for: some 200 bytes each in the kernel. docs/nftables.md says
 * what happens when it is full. */
#define NFT_BLOCKED_MOST TEG_BLOCKS_MAX
/* To go through a million takes 70 ms, in one piece: a block that is over keeps its place so long. */
#define NFT_BLOCKED_GC_MS 10000u
#define NFT_METER_MOST	 65536u
#define NFT_FLOWS_MOST	 131072u

#endif
