#include "compiler/emit/nft/wire.h"

#include <linux/netfilter/nf_tables.h>
#include <stdio.h>

const struct nft_wire_type nft_wire_types[] = {
	[NFT_TYPE_NFPROTO] = { 2, 1 },
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

const char *nft_wire_set_name(const struct nft_set *s, char room[static NFT_WIRE_NAME_ROOM])
{
	if (s->name)
		return s->name;
	snprintf(room, NFT_WIRE_NAME_ROOM, "%c_%x", BATCH_BANK, s->id);
	return room;
}

uint32_t nft_wire_type_of(const struct nft_set *s)
{
	uint32_t type = nft_wire_types[s->type].number;

	for (unsigned i = 1; i < s->part_count; i++)
		type = type << NFT_WIRE_TYPE_BITS | nft_wire_types[s->part_types[i]].number;
	return type;
}

unsigned nft_wire_part_bytes(enum nft_type t)
{
	return (nft_wire_types[t].bytes + 3u) & ~3u;
}

unsigned nft_wire_key_bytes(const struct nft_set *s)
{
	unsigned bytes = 0;

	if (s->part_count < 2)
		return nft_wire_types[s->type].bytes;
	for (unsigned i = 0; i < s->part_count; i++)
		bytes += nft_wire_part_bytes(s->part_types[i]);
	return bytes;
}
