/*
 * nft_tell - how a rule of nft tells tegd of a packet: a log line to a group of the kernel's packet log,
 * whose prefix says what the rule does.
 *
 *     "pa1 HARDENED.web_in"        who tells | what becomes of the packet | severity | nft_name() of the rule's counter
 *     "dd0 block.bogons"
 *
 * The kernel keeps 127 bytes of a prefix.
 */
#ifndef TEG_BUNDLE_NFT_TELL_H
#define TEG_BUNDLE_NFT_TELL_H

#include <stdbool.h>
#include <stdint.h>

#include "lang/vocab/verdict.h"

#define NFT_TELL_GROUP 29799u	/* 0x7467 */
#define NFT_TELL_BYTES 96u	/* of each packet, from its IP header on */
#define NFT_TELL_RATE 160u	/* packets of a rule a second, as XDP tells of one on a CPU; what is more is not told */
#define NFT_TELL_BURST 16u
#define NFT_TELL_MOST 127u

/* So many blocks, and so many reflexes, tell of their drops each by its name; of more, all by one name, so that nft may join them. */
#define NFT_TELL_APART_MOST 1024u
#define NFT_TELL_BLOCKS "block"
#define NFT_TELL_REFLEXES "reflex"

/* The counter of what a policy asks to be told, and what was more than the rate. */
#define NFT_UNTOLD "untold"

enum nft_teller {
	NFT_TELLS_RULE,	  /* of a posture; it emits */
	NFT_TELLS_REFLEX, /* it emits */
	NFT_TELLS_DROP,	  /* nobody asked for it */
	NFT_TELLERS
};

enum nft_told {
	NFT_TOLD_ALLOW, /* of a reflex: it goes on */
	NFT_TOLD_DROP,
	NFT_TOLD_REJECT,
	NFT_TOLD_BLOCK, /* dropped, and its source is blocked */
	NFT_TOLDS
};

struct nft_tell {
	enum nft_teller by;
	enum nft_told what;
	enum event_severity severity;
	const char *name; /* nft_name() of the counter */
};

void nft_tell_print(char out[static NFT_TELL_MOST + 1], const struct nft_tell *t);

/* False for what is no such prefix. out->name points into it. */
bool nft_tell_parse(struct nft_tell *out, const char *prefix);

#endif
