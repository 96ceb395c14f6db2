/*
 * feed_pack - who is on a feed, as bytes: what the api makes of a feed's text, what the warden checks, keeps and
 * compares.
 *
 *     feed_pack(&bytes, arena, &set);
 *     feed_unpack(&content, bytes.at, bytes.len, most, why)
 *     feed_at(&content, FAMILY_IP6, i)
 *
 * The fewest prefixes that cover exactly the set, IPv4 first, ascending: two feeds of the same addresses have the same bytes.
 *
 *     how many of IPv4, of IPv6: u32 each | 4 bytes of address and one of length each | 16 and one each
 */
#ifndef TEG_BUNDLE_FEED_PACK_H
#define TEG_BUNDLE_FEED_PACK_H

#include "lang/base/addr.h"
#include "lang/base/err.h"

#define FEED_PACK_EACH(family) ((family) == FAMILY_IP4 ? 5u : 17u)
#define FEED_PACK_BYTES_MAX(most) (8 + (size_t)17 * (most))

/* Borrows the bytes. */
struct feed_content {
	const uint8_t *at[FAMILY_COUNT];
	uint32_t count[FAMILY_COUNT];
};

void feed_pack(struct buf *out, struct arena *a, const struct netset *set);

/* Refuses what feed_pack() does not make, and more than `most` prefixes. */
int feed_unpack(struct feed_content *out, const void *bytes, size_t len, uint32_t most, struct err *why);

struct prefix feed_at(const struct feed_content *c, enum family f, uint32_t i);

/*
 * The same as ranges: ascending, none touching the next. *at goes on behind the range; false when there is no more.
 */
bool feed_range(const struct feed_content *c, enum family f, uint32_t *at, struct addr_range *out);

#endif
