/*
 * feed_text - a feed's text as it is published, read into what is on it.
 *
 *     feed_text_read(&packed, &entries, &how, text, len, why)     "line 7: `198.51.100.300` is no address or prefix"
 *
 * In the process without privileges. Nothing is guessed: what is no address where one must stand refuses the whole text,
 * and so does a prefix with host bits, one entry too many, all addresses of a family, by one prefix or by many,
 * or no entry at all (-ENODATA): what empties a feed says so.
 * Indicators of STIX that are revoked, or whose `valid_until` is over, are left out; a text that has only such empties the feed.
 * formats: lang/vocab/format.def.
 */
#ifndef TEG_API_FEED_TEXT_H
#define TEG_API_FEED_TEXT_H

#include <stdint.h>

#include "lang/base/buf.h"
#include "lang/base/err.h"
#include "lang/vocab/format.h"

#define FEED_TEXT_BYTES_MAX ((size_t)64 << 20)
#define FEED_STIX_BYTES_MAX ((size_t)16 << 20) /* the whole of it is in memory as a tree */

struct feed_text {
	enum feed_format format;
	const char *member; /* of json-lines */
	uint32_t column;    /* of csv, from 1 */
	uint32_t most;	    /* entries */
	uint64_t now;	    /* seconds, CLOCK_REALTIME */
};

/* Packed as feed_pack.h says; *entries is how many the text has. The text is written over. */
int feed_text_read(struct buf *packed, uint32_t *entries, const struct feed_text *how, char *text, size_t len, struct err *why);

#endif
