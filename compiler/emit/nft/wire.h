/*
 * nft_wire - numbers that nft_encode() writes and nft_read() reads.
 */
#ifndef TEG_EMIT_NFT_WIRE_H
#define TEG_EMIT_NFT_WIRE_H

#include "compiler/emit/nft/rule.h"

/* NFPROTO_ of linux/netfilter.h, whose other contents quarrel with the C library's. */
#define NFT_WIRE_INET	1
#define NFT_WIRE_NETDEV 5

/*
 * A set without a name has one in its bank all the same, of its number: for "__set%d" the kernel would look
 * at the names of all sets of the table and parse them (nf_tables_set_alloc_name() of kernel 6.18), which for
 * a thousand sets takes a second.
 */
#define NFT_WIRE_NAME_ROOM 16u
const char *nft_wire_set_name(const struct nft_set *s, char room[static NFT_WIRE_NAME_ROOM]);

/* By enum nft_type: the data type's number in the `nft` program (its include/datatype.h), by which
 * it lists a set's elements, and how many bytes an element has. Types that no set holds are 0. */
struct nft_wire_type {
	uint32_t number;
	uint8_t bytes;
};
extern const struct nft_wire_type nft_wire_types[];
extern const size_t nft_wire_type_count;

#define NFT_WIRE_TYPE_BITS 6 /* TYPE_BITS there */

/* The number of a key's type: those of its parts, one behind the other (concat_subtype_add() of the same). */
uint32_t nft_wire_type_of(const struct nft_set *s);
/* Each part begins a register of four bytes. */
unsigned nft_wire_part_bytes(enum nft_type t);
unsigned nft_wire_key_bytes(const struct nft_set *s);

/* NF_SYNPROXY_OPT_ of linux/netfilter/nf_synproxy.h: the MSS, SACK, timestamps. */
#define NFT_WIRE_SYNPROXY_FLAGS (1u | 4u | 8u)

/* By enum nft_fate: the verdict's code (linux/netfilter.h, linux/netfilter/nf_tables.h). */
extern const int nft_wire_fates[];
extern const size_t nft_wire_fate_count;

#endif
