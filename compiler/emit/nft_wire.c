#include "compiler/emit/nft_wire.h"

#include <linux/netfilter/nf_tables.h>

const struct nft_wire_type nft_wire_types[] = {
	[NFT_TYPE_IFNAME] = { 41, 16 },	  [NFT_TYPE_ETHERTYPE] = { 10, 2 },
	[NFT_TYPE_PROTO] = { 12, 1 },	  [NFT_TYPE_ADDR4] = { 7, 4 },
	[NFT_TYPE_ADDR6] = { 8, 16 },	  [NFT_TYPE_PORT] = { 13, 2 },
	[NFT_TYPE_ICMP_TYPE] = { 14, 1 }, [NFT_TYPE_ICMPV6_TYPE] = { 29, 1 },
};
const size_t nft_wire_type_count = sizeof nft_wire_types / sizeof *nft_wire_types;

enum { NF_DROP = 0, NF_ACCEPT = 1 };

const int nft_wire_fates[] = {
	[NFT_FATE_ACCEPT] = NF_ACCEPT, [NFT_FATE_DROP] = NF_DROP,  [NFT_FATE_RETURN] = NFT_RETURN,
	[NFT_FATE_JUMP] = NFT_JUMP,    [NFT_FATE_GOTO] = NFT_GOTO,
};
const size_t nft_wire_fate_count = sizeof nft_wire_fates / sizeof *nft_wire_fates;
