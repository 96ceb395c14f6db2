/*
 * packet_head - the fields of a record whose head alone is known: what nft's packet log tells of.
 *
 *     head   Ethernet, IPv4 or IPv6 [up to 8 extension headers], TCP, UDP, SCTP, ICMP or ICMPv6
 *
 * It was judged by the kernel, so it is sound; but only its beginning is here. What lies
 * beyond that, or is none of the above, is left out: ports and flags are then 0.
 */
#ifndef TEG_API_PACKET_HEAD_H
#define TEG_API_PACKET_HEAD_H

#include "bpf-templates/abi.h"

void packet_head_read(struct teg_event *e);

#endif
