/*
 * batch - nftables messages made ahead, in one of two banks.
 *
 * tegc encodes the ruleset; tegd sends the bytes and reads none
 * of them beyond what batch_check() does. Two generations live side by side
 * for the moment of a switch, so every chain's name begins with the letter of
 * its bank. In a batch that letter is BATCH_BANK, and the batch lists where it
 * stands; batch_place() writes 'a' or 'b' there, like a linker.
 *
 *     batch_open(&b, bytes, len, why)          structure, sizes
 *     batch_check(&b, "tegumentar", why)       every message speaks of our table alone
 *     batch_place(&b, 'b')
 *     send b.messages between NFNL_MSG_BATCH_BEGIN and _END
 *
 * Sequence numbers are zero; the sender writes its own (nlmsg_seq).
 */
#ifndef TEG_BUNDLE_BATCH_H
#define TEG_BUNDLE_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "lang/base/buf.h"
#include "lang/base/err.h"

#define BATCH_BANK '@'

struct batch {
	uint8_t *messages; /* netlink messages, back to back, each NLMSG_ALIGNed */
	size_t len;
	uint32_t *banks;   /* offsets of the bank letters in messages */
	size_t bank_count;
};

void batch_release(struct batch *b);
static inline void batch_own_(struct batch *b)
{
	batch_release(b);
}

void batch_encode(struct buf *out, const struct batch *b);
/* The same piece by piece, of one that is never whole in memory: what stands before so many bytes of messages, and behind them. */
void batch_encode_head(struct buf *out, size_t len);
void batch_encode_banks(struct buf *out, const uint32_t *banks, size_t count);
int batch_open(struct batch *out, const void *bytes, size_t len, struct err *why);

/*
 * Every message makes something (NEWTABLE, NEWCHAIN, NEWRULE, NEWSET, NEWSETELEM, NEWOBJ of
 * NFNL_SUBSYS_NFTABLES) in the inet or netdev table named so, and hooks no chain.
 */
int batch_check(const struct batch *b, const char *table, struct err *why);

/* What batch_open() and batch_check() would say. Copies nothing; the bytes lie as malloc() aligns. */
int batch_inspect(const void *bytes, size_t len, const char *table, struct err *why);
/* The same of whole messages in the midst of a batch, `from` bytes behind its first; the offsets are the batch's. */
int batch_inspect_part(const struct batch *part, size_t from, const char *table, struct err *why);

void batch_place(struct batch *b, char bank);

#endif
