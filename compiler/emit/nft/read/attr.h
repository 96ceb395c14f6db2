/*
 * nft_attr - the attributes of netlink messages, read from bytes that nobody vouches for.
 *
 *     nft_attrs_of(body, NFT_ALLOW(NFTA_META_DREG) | NFT_ALLOW(NFTA_META_KEY), at)
 *     nft_attr_u32(at[NFTA_META_KEY], &key)
 *
 * An attribute that is not allowed, that comes twice, or whose size is wrong, makes
 * its function return false. What is returned points into the message.
 */
#ifndef TEG_EMIT_NFT_READ_ATTR_H
#define TEG_EMIT_NFT_READ_ATTR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lang/base/arena.h"

#define NFT_ATTRS_MAX 32 /* types that any message here has */
#define NFT_ALLOW(type) (1u << (type))

/* What an attribute holds; at is NULL when it is not there. */
struct nft_attr {
	const uint8_t *at;
	size_t len;
};

/* The next attribute of a list; false at its end, or when it does not fit, which leaves something. */
bool nft_attr_next(struct nft_attr *list, uint16_t *type, struct nft_attr *out);

/* By type; false when one is not allowed, comes twice, or does not fit. */
bool nft_attrs_of(struct nft_attr list, uint32_t allowed, struct nft_attr out[static NFT_ATTRS_MAX]);

/* Numbers in network order. Not there is false, or with _or_none reads as 0. */
bool nft_attr_u32(struct nft_attr a, uint32_t *out);
bool nft_attr_u32_or_none(struct nft_attr a, uint32_t *out);
bool nft_attr_u64_or_none(struct nft_attr a, uint64_t *out);
bool nft_attr_says(struct nft_attr a, uint32_t wanted);
bool nft_attr_says16(struct nft_attr a, uint16_t wanted);

/* Text with or without its NUL, none inside; NULL when it is not. */
const char *nft_attr_text(struct arena *arena, struct nft_attr a);

/* The one attribute in a nest, which must be of this kind. */
bool nft_attr_only(struct nft_attr nest, uint16_t kind, struct nft_attr *out);

#endif
