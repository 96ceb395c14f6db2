#include "tests/lib/nft_frame.h"

#include <string.h>

#include "tests/lib/tap.h"

#define NOTED_MOST 160u  /* bytes of a frame */
#define ONE_PAGE   3500u /* bytes that surely fit it, with what is kept beside */

/* --- what a frame is ---------------------------------------------------------------------------------- */

/* IPv6, and somewhere the number of the fragment header. */
static bool may_be_fragment6(const uint8_t *frame, size_t len)
{
	static const uint8_t ip6[] = { 0x86, 0xdd };
	const uint8_t *type = memmem(frame, len, ip6, sizeof ip6);

	return type && memchr(type, 44, len - (size_t)(type - frame));
}

static size_t ip_offset(const uint8_t *frame)
{
	return frame[12] == 0x81 || frame[12] == 0x88 ? 18 : 14; /* behind a VLAN tag */
}

/* Longer than its IP header says. */
static bool is_padded(const uint8_t *frame, size_t len)
{
	size_t ip = len > 12 ? ip_offset(frame) : 14;

	if (len < ip + 20)
		return false;
	size_t total = frame[ip] >> 4 == 4 ? (size_t)frame[ip + 2] << 8 | frame[ip + 3]
					   : 40 + ((size_t)frame[ip + 4] << 8 | frame[ip + 5]);
	return ip + total < len;
}

/* The protocol behind the extension headers of IPv6, where it begins, and how many fragment headers there are; 0: not IPv6. */
static uint8_t walk6(const uint8_t *frame, size_t len, size_t *at, unsigned *fragments)
{
	size_t ip = len > 12 ? ip_offset(frame) : 14;
	uint8_t next;

	*at = ip + 40;
	*fragments = 0;
	if (len < *at || frame[ip - 2] != 0x86)
		return 0;
	for (next = frame[ip + 6]; *at + 8 <= len && (next == 0 || next == 43 || next == 44 || next == 60);) {
		size_t step = next == 44 ? 8 : (frame[*at + 1] + 1u) * 8;

		*fragments += next == 44;
		next = frame[*at];
		*at += step;
	}
	return next;
}

/* A fragment of a fragment: nft looks at the outer header, eval at the inner one. */
static bool is_fragmented_twice(const uint8_t *frame, size_t len)
{
	unsigned fragments;
	size_t at;

	walk6(frame, len, &at, &fragments);
	return fragments > 1;
}

/* ipv6_find_hdr() reads two bytes of an authentication header before it stops there (kernel 6.18); where they are not, nft says bad-ip. */
static bool is_cut_at_auth6(const uint8_t *frame, size_t len)
{
	unsigned fragments;
	size_t at, ip = len > 12 ? ip_offset(frame) : 14;

	return walk6(frame, len, &at, &fragments) == 51 &&
	       at + 2 > ip + 40 + ((size_t)frame[ip + 4] << 8 | frame[ip + 5]);
}

static bool is_tag(const uint8_t *type)
{
	return (type[0] == 0x81 && type[1] == 0) || (type[0] == 0x88 && type[1] == 0xa8);
}

/* docs/nftables.md: nft reads through one tag, which the kernel has taken off. */
static bool has_two_tags(const uint8_t *frame, size_t len)
{
	return len >= 18 && is_tag(frame + 12) && is_tag(frame + 16);
}

/*
 * ipv6_find_hdr() reads the first header where a packet socket leaves none of a frame that does not fit a page, and finds
 * any protocol (kernel 6.18).
 */
static bool is_in_pages6(const uint8_t *frame, size_t len)
{
	const size_t ip = len > 12 ? ip_offset(frame) : 14;

	return len > ONE_PAGE && frame[ip - 2] == 0x86;
}

/* --- what may be counted -------------------------------------------------------------------------------- */

#define C(cause) (UINT32_C(1) << CAUSE_##cause)
#define ANY	 UINT32_MAX

/* By what eval says. `padded`: bytes behind the packet may read as its header. */
static const struct {
	uint32_t may;
	bool told, untold_padded, untold_fragment6;
} rows[CAUSE_COUNT] = {
	[CAUSE_NOT_IP] = { C(NOT_IP), .told = true },
	[CAUSE_SHORT_ETH] = { C(NOT_IP), .told = true },
	[CAUSE_SHORT_IP] = { C(SHORT_IP) | C(BAD_IP), .told = true }, /* options cut off: 20 bytes are there, more are promised */
	[CAUSE_BAD_IP] = { C(BAD_IP), .told = true, .untold_fragment6 = true }, /* a fragment of IPv6 the stack measures */
	[CAUSE_VLAN_DEPTH] = { C(VLAN_DEPTH), .told = true },
	[CAUSE_SHORT_L4] = { C(SHORT_L4), .told = true, .untold_padded = true },
	[CAUSE_TINY_FRAGMENT] = { C(TINY_FRAGMENT), .told = true, .untold_padded = true },
	[CAUSE_BAD_TCP] = { ANY & ~(C(BAD_IP) | C(SHORT_L4)) }, /* a header longer than the packet is conntrack's to find */
	[CAUSE_EXTENSIONS] = { ANY & ~C(SHORT_IP) }, /* no count of headers in nft; and what the kernel cannot walk is bad-ip */
	/* Connection tracking puts parts together; and an extension header may lie beyond the first part's end. */
	[CAUSE_BAD_FRAGMENT] = { C(TINY_FRAGMENT) | C(BAD_TCP) | C(BAD_IP) },
};

void nft_frame_read(struct nft_frame *f, unsigned zone, const uint8_t *bytes, size_t len)
{
	*f = (struct nft_frame){ .bytes = bytes, .len = len, .zone = zone };
	f->cause = frame_parse(bytes, len, &f->packet);
	if (has_two_tags(bytes, len))
		f->cause = CAUSE_VLAN_DEPTH;
	if (is_fragmented_twice(bytes, len) || is_cut_at_auth6(bytes, len) || is_in_pages6(bytes, len) || (f->cause != CAUSE_NONE && zone == ZONE_NONE)) {
		f->kind = NFT_FRAME_UNTOLD;
	} else if (f->cause == CAUSE_NONE) {
		f->kind = NFT_FRAME_SOUND;
		f->packet.zone = zone;
		f->packet.direction = DIRECTION_IN;
	} else {
		f->kind = NFT_FRAME_MALFORMED;
		f->told = rows[f->cause].told && !(rows[f->cause].untold_padded && is_padded(bytes, len)) &&
			  !(rows[f->cause].untold_fragment6 && may_be_fragment6(bytes, len));
	}
}

/* skb_vlan_untag() drops a frame that ends in its tag, or at once behind it. */
bool nft_frame_may_be_lost(const struct nft_frame *f)
{
	return f->cause == CAUSE_SHORT_ETH || f->cause == CAUSE_SHORT_IP || f->cause == CAUSE_VLAN_DEPTH;
}

/* CAUSE_COUNT: counted for no cause; CAUSE_NONE: in a way that the posture does not have. */
static enum cause counted_for(const struct nft_lab *lab, const char *name)
{
	const uint32_t passes = lab->ir->postures[lab->posture].passes;
	const char *dot = strchr(name, '.');

	if (!strcmp(name, WHY_NOT_IP))
		return CAUSE_NOT_IP;
	if (!dot || (strncmp(name, "malformed.", 10) && strncmp(name, "passed.", 7)))
		return CAUSE_COUNT;
	for (unsigned c = 0; c < CAUSE_COUNT; c++)
		if (!strcmp(dot + 1, cause_name((enum cause)c)))
			return (passes >> c & 1) == (name[0] == 'p') ? (enum cause)c : CAUSE_NONE;
	return CAUSE_NONE;
}

bool nft_cause_seen(const struct nft_lab *lab, const struct nft_frame *like, unsigned count, const struct live_seen *s)
{
	const uint32_t may = rows[like->cause].told && !like->told ? ANY : rows[like->cause].may;
	uint64_t told = 0, others = 0;

	for (unsigned i = 0; i < s->count; i++) {
		if (strcmp(s->at[i].table, NFT_OURS_NETDEV))
			continue;
		const enum cause c = counted_for(lab, s->at[i].name);
		if (c == CAUSE_NONE || (c != CAUSE_COUNT && c != CAUSE_NOT_IP && !(may >> c & 1)))
			return false;
		*(c == CAUSE_COUNT || !(may >> c & 1) ? &others : &told) += s->at[i].packets;
	}
	return !like->told || (told == count && !others);
}

void nft_note_frame(const struct nft_frame *f)
{
	own(buf) struct buf hex = { 0 };

	for (size_t i = 0; i < f->len && i < NOTED_MOST; i++)
		buf_printf(&hex, "%s%02x", i && i % 4 == 2 ? " " : "", f->bytes[i]);
	tap_note("frame of %zu bytes: %s%s", f->len, buf_text(&hex), f->len > NOTED_MOST ? " …" : "");
}
