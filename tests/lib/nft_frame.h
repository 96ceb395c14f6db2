/*
 * nft_frame - frames as they may arrive, and what nft is to make of each.
 *
 *     nft_frame_read(&f, zone, bytes, len)
 *     switch (f.kind) …  sound: as its packet is judged; malformed: nft_cause_seen()
 *
 * Of malformed frames nft does not always name the cause that eval does, and some it lets by (docs/nftables.md): a row says which
 * causes may be counted for one that eval names so, and whether one of these surely is. So frames of one row may be sent together.
 */
#ifndef TEG_TEST_NFT_FRAME_H
#define TEG_TEST_NFT_FRAME_H

#include "lang/vocab/cause.h"
#include "tests/lib/nft_lab.h"

enum nft_frame_kind {
	NFT_FRAME_SOUND,
	NFT_FRAME_MALFORMED,
	NFT_FRAME_UNTOLD, /* nothing is said of it: a fragment of a fragment, IPv6 in pages, or malformed where the first hook is not */
};

struct nft_frame {
	const uint8_t *bytes;
	size_t len;
	unsigned zone;
	enum nft_frame_kind kind;
	struct packet packet; /* of a sound one */
	enum cause cause;     /* of a malformed one */
	bool told;	      /* it is surely counted */
};

void nft_frame_read(struct nft_frame *f, unsigned zone, const uint8_t *bytes, size_t len);

/* May the kernel drop such a frame before any hook sees it? */
bool nft_frame_may_be_lost(const struct nft_frame *f);

/* Counters after so many frames like this one: same cause, same `told`. */
bool nft_cause_seen(const struct nft_lab *lab, const struct nft_frame *like, unsigned count, const struct live_seen *s);

void nft_note_frame(const struct nft_frame *f);

#endif
