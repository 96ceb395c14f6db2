/*
 * nft_many - thousands of packets judged by nft at once, as eval judges each.
 *
 *     nft_many_alike(&lab, frames, count, &tally)
 *     nft_many_malformed(&lab, frames, count, &tally)
 *     nft_many_frames(&lab, frames, count, few, &tally)       of any kind
 *
 * Each packet bears its number through the kernel (nft_live.h): so which hook it came to, in which state connection
 * tracking saw it and whether it passed is known of each. Which rule decided is known of all together: the counters of
 * the tested tables must have moved by what eval says of all these packets. Where they have not, halves are sent
 * again, and halves of these, until one packet is left, which is told.
 */
#ifndef TEG_TEST_NFT_MANY_H
#define TEG_TEST_NFT_MANY_H

#include "tests/lib/nft_frame.h"

/* At most LIVE_MANY sound ones. One whose packet's direction is `out` is sent by the host. False when engine and eval differ. */
bool nft_many_alike(struct nft_lab *lab, const struct nft_frame *frames, unsigned count, struct nft_tally *t);

/* At most LIVE_MANY malformed ones, of one cause and alike in whether they are told. What is told and not let by comes no further. */
bool nft_many_malformed(struct nft_lab *lab, const struct nft_frame *frames, unsigned count, struct nft_tally *t);

/*
 * At most LIVE_MANY as they are read, of which nothing is said of some. Those of one cause are asked together; of a cause of which there are
 * fewer than `few`, none is.
 */
bool nft_many_frames(struct nft_lab *lab, const struct nft_frame *frames, unsigned count, unsigned few, struct nft_tally *t);

#endif
