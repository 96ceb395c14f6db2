/*
 * nflog - packets that rules of nft tell of, as the kernel's packet log hands them out.
 *
 *     nflog_open(&n, &why)
 *     poll(nflog_fd(n))
 *     nflog_read(n, &to)          each to to->one(), what was lost to to->lost
 *
 * The group is ours alone (lang/bundle/nft_tell.h). Nothing of a packet is looked at: its beginning is copied, behind the
 * Ethernet header that the kernel remembers, or one of zeroes and its protocol where it remembers none. The kernel numbers
 * what it logs; a number that is missing was lost, since this process was too slow.
 */
#ifndef TEG_NFT_NFLOG_H
#define TEG_NFT_NFLOG_H

#include <stdint.h>

#include "bpf-templates/abi.h"
#include "lang/base/err.h"
#include "lang/base/own.h"
#include "lang/bundle/nft_tell.h"

struct nflog;

/* Refused where another process has the group. */
int nflog_open(struct nflog **out, struct err *why);
void nflog_free(struct nflog *n);
OWN_FREE(nflog, struct nflog *)

int nflog_fd(const struct nflog *n);

struct nflog_reader {
	/* `is` has no names' numbers, no posture and no generation; at_ns is of CLOCK_REALTIME, and 0 where the kernel did not note it. */
	void (*one)(void *cls, const struct nft_tell *said, const struct teg_event *is);
	void *cls;
	uint64_t lost;
};

/* What has come so far, at most some hundred kilobytes of it. */
void nflog_read(struct nflog *n, struct nflog_reader *to);

#endif
