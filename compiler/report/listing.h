/*
 * listing - what is in a bundle, in words: what `tegc disasm` prints.
 *
 * Everything is read back from the bytes that tegd would load and send: the plan's tables and
 * the nft messages, not the texts that lie beside them.
 */
#ifndef TEG_REPORT_LISTING_H
#define TEG_REPORT_LISTING_H

#include "lang/base/buf.h"
#include "lang/base/err.h"
#include "lang/bundle/bundle.h"

/* Appends to *out; refuses what tegd would refuse. */
int listing_print(struct buf *out, const struct bundle *b, struct err *why);

#endif
