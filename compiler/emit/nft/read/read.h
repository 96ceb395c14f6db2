/*
 * nft_read - what a batch of nft messages says.
 *
 *     nft_read(&t, arena, &batch, why)
 *     nft_print(&text, &t, 'a')             what `tegc disasm` shows
 *
 * Reads what nft_encode() writes, and refuses the rest by name: a listing never
 * leaves out what would be sent. Remarks and hooks are not in messages.
 */
#ifndef TEG_EMIT_NFT_READ_READ_H
#define TEG_EMIT_NFT_READ_READ_H

#include "compiler/emit/nft/rule.h"

int nft_read(struct nft_table *out, struct arena *a, const struct batch *b, struct err *why);

#endif
