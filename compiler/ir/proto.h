/*
 * proto - the IP protocols whose headers the language reads (IANA numbers).
 */
#ifndef TEG_IR_PROTO_H
#define TEG_IR_PROTO_H

#include <stdbool.h>
#include <stdint.h>

#include "lang/base/addr.h"

enum {
	PROTO_ICMP = 1,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_ICMPV6 = 58,
	PROTO_SCTP = 132,
};

static inline bool proto_has_ports(uint16_t number)
{
	return number == PROTO_TCP || number == PROTO_UDP || number == PROTO_SCTP;
}

/* The least that the header of one that the language reads has, of those that the family has; else 0. */
static inline unsigned proto_header_bytes(enum family family, unsigned number)
{
	switch (number) {
	case PROTO_TCP:
		return 20;
	case PROTO_UDP:
		return 8;
	case PROTO_SCTP:
		return 12;
	case PROTO_ICMP:
		return family == FAMILY_IP4 ? 8 : 0;
	case PROTO_ICMPV6:
		return family == FAMILY_IP6 ? 8 : 0;
	}
	return 0;
}

#endif
