/*
 * nft_run - what nftables costs a packet, and what a ruleset takes to load.
 *
 *     nft_run_open(&n, argv[0], rounds);                  a namespace with a veth, whose way is measured
 *     nft_run_fill(&n, draw, cls);                        the packets of the trace
 *     double ns = nft_run_ns(&n);                         beyond the way
 *     double ms = nft_load_ms(n.filter, &batch);          the warden's way, CPU time
 *     nft_run_close(&n);
 *
 * Frames go through a veth to inet prerouting, before connection tracking, and are dropped behind what is measured (the
 * table `behind`); the sender is BPF_PROG_TEST_RUN with live frames, as in tests/bench/arrive.c, so the time of a call is all
 * the work there is. What cannot be done ends the bench with a sentence.
 */
#ifndef TEG_TEST_NFT_RUN_H
#define TEG_TEST_NFT_RUN_H

#include "compiler/ir/packet.h"
#include "enforcer/nft/filter.h"
#include "tests/lib/floor_run.h"

struct nft_run {
	struct floor_run floor;
	struct filter *filter;
	unsigned rounds;
	double way_ns; /* of a frame through the veth, to be dropped */
};

typedef struct packet (*nft_run_draw)(void *cls);

void nft_run_open(struct nft_run *n, const char *self, unsigned rounds);
void nft_run_close(struct nft_run *n);

/* FLOOR_RECORDS packets. */
void nft_run_fill(struct nft_run *n, nft_run_draw draw, void *cls);
/* With what is loaded now: the least of the rounds, of about a third of a second each. */
double nft_run_ns(const struct nft_run *n);
/* How many of the trace's packets come through what is loaded now. */
unsigned nft_run_passed(const struct nft_run *n);

/* Text by the `nft` program, ms. */
double nft_text_ms(const struct buf *text);
void nft_unload(const char *table);

/* A batch in its bank, as the warden stages it. */
double nft_load_ms(struct filter *f, const struct batch *b);

#endif
