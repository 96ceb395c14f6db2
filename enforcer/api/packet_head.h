/*
 * packet_head - the fields of a record whose head alone is known: what nft's packet log tells of,
 * and what stands above IP in a frame that the program could not read so far.
 *
 *     head   Ethernet [up to 2 VLAN tags], IPv4 or IPv6 [up to 8 extension headers], TCP, UDP, SCTP, ICMP or ICMPv6
 *
 * Only its beginning is here. What lies beyond that, or is none of the above, is not known; it is 0 then.
 */
#ifndef TEG_API_PACKET_HEAD_H
#define TEG_API_PACKET_HEAD_H

#include "bpf-templates/abi.h"

/* What of the header above IP is known. */
enum { HEAD_PORTS = 1, HEAD_FLAGS = 2, HEAD_ICMP = 4, HEAD_ALL = 7 };

unsigned packet_head_read(struct teg_event *e);
/* Nothing but what is above IP, and which protocol that is. */
unsigned packet_head_read_upper(struct teg_event *e);

#endif
