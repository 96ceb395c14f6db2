/*
 * nft_many - thousands of packets judged by nft at once, as eval judges each.
 *
 *     nft_many_alike(&lab, packets, count, &tally)
 *
 * Each packet bears its number through the kernel (nft_live.h): so which hook it came to, in which state connection
 * tracking saw it and whether it passed is known of each. Which rule decided is known of all together: the counters of
 * the tested tables must have moved by what eval says of all these packets. Where they have not, halves are sent
 * again, and halves of these, until one packet is left, which is told.
 */
#ifndef TEG_TEST_NFT_MANY_H
#define TEG_TEST_NFT_MANY_H

#include "tests/lib/nft_lab.h"

/* At most LIVE_MANY. A packet whose direction is `out` is sent by the host. False when engine and eval differ. */
bool nft_many_alike(struct nft_lab *lab, const struct packet *packets, unsigned count, struct nft_tally *t);

#endif
