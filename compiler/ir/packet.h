/*
 * packet - one packet as the language sees it, and its two forms: fields and
 * bytes. frame_parse is the reference reader of frames; the XDP program's
 * parser (bpf-templates/pkt.h) is tested against it.
 */
#ifndef TEG_IR_PACKET_H
#define TEG_IR_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf-templates/cause.h"
#include "lang/base/addr.h"
#include "lang/vocab/verdict.h"

struct packet {
	unsigned zone;		 /* index, or ZONE_NONE: arrival; for out, leaving */
	enum direction direction;
	enum family family;
	struct addr src, dst;
	uint8_t proto;
	uint8_t fragment;	 /* one FRAGMENT_ bit */
	uint8_t hop_limit;
	uint16_t sport, dport;	 /* 0 where the protocol has none */
	uint16_t icmp;		 /* type << 8 | code */
	uint8_t flags;		 /* TCP */
	uint32_t len;		 /* bytes from the IP header on */
	enum ct_state state;
	bool reply;
	const uint8_t *payload; /* of TCP and UDP, behind their header; not owned */
	size_t payload_len;
};

#define ZONE_NONE 63u /* the bit of interfaces that no zone names */

/*
 * frame_parse - an Ethernet frame as fields; its payload stays in the frame. Zone, direction and state are
 * the caller's to fill. Anything but CAUSE_NONE says why the frame is not
 * judged by rules; cause_verdict() says what becomes of it where a posture does not: see eval_cause().
 */
enum cause frame_parse(const uint8_t *frame, size_t len, struct packet *out);

/*
 * frame_build - the shortest well-formed frame with these fields, and `payload`.
 * Returns its length, 0 when there is no room. Checksums are right. p->len is
 * not asked. A first fragment is filled with zeros to a multiple of 8; a later
 * one has no L4 header. An ICMP error holds the packet it is about: the payload, if
 * that begins with an IP header; else the shortest that its receiver may have
 * sent stands over the payload's begin. Inverse of frame_parse for the fields that the packet's
 * protocol and fragment have.
 */
size_t frame_build(const struct packet *p, const void *payload, size_t payload_len,
		   uint8_t *frame, size_t room);

#endif
