/*
 * proto - the IP protocols whose headers the language reads (IANA numbers).
 */
#ifndef TEG_IR_PROTO_H
#define TEG_IR_PROTO_H

#include <stdbool.h>
#include <stdint.h>

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

#endif
