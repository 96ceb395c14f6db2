/*
 * nft_tell - how a rule of nft tells tegd of a packet: a log line to a group of the kernel's packet log,
 * whose prefix says what the rule does.
 *
 *     "b1 HARDENED.web_in"        what | one of so many, hexadecimal | nft_name() of the rule's counter
 *
 * What is one letter: 'a' + 3 * severity + verdict (allow, drop, reject). The kernel keeps 127 bytes of a prefix.
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
#define NFT_TELL_ONE_IN_MAX 0xfffffu

struct nft_tell {
	enum verdict verdict;
	enum event_severity severity;
	uint32_t one_in;
	const char *name; /* nft_name() of the counter */
};

void nft_tell_print(char out[static NFT_TELL_MOST + 1], const struct nft_tell *t);

/* False for what is no such prefix. out->name points into it. */
bool nft_tell_parse(struct nft_tell *out, const char *prefix);

#endif
