/*
 * nft_name - a stable id as the name of an nftables object.
 *
 *     HARDENED.web_in       HARDENED.web_in
 *     HARDENED.~1f0c93aa    HARDENED._7e1f0c93aa
 *     block.my_feed         block.my_5ffeed
 *
 * What the `nft` program reads as a word stays: a letter first, then letters,
 * digits, '_', '.' and '-'. Every other byte is '_' and two lower-case hex
 * digits; so is a '_' that two such digits follow. An id that begins with no
 * letter gets "n_6e" in front ('n' is never written so otherwise). Two ids
 * never share a name; a name longer than NFT_NAME_MOST ends in a digest of its id.
 */
#ifndef TEG_BUNDLE_NFT_NAME_H
#define TEG_BUNDLE_NFT_NAME_H

#include <stdbool.h>

#include "lang/base/addr.h"
#include "lang/base/arena.h"

#define NFT_NAME_MOST 120

/* The id itself, borrowed, where nft reads it as it is: most of a long list. */
const char *nft_name(struct arena *a, const char *id);

/* The set of a feed's addresses, which fills at run time and stays through generations: "feed.spamhaus_drop.4". */
#define NFT_FEED_BEGINS "feed."
const char *nft_feed_set(struct arena *a, const char *feed, enum family f);

/* A word that nft reads as a name, at most NFT_NAME_MOST long. */
bool nft_name_holds(const char *name);

/* The same of a chain: some word of ours and such a name, as long as the kernel takes (NFT_CHAIN_MAXNAMELEN, less the NUL). */
#define NFT_CHAIN_MOST 127
bool nft_chain_name_holds(const char *name);

#endif
