/*
 * digest - SHA-256 (FIPS 180-4, by Nettle, which asks the processor where that can do it), as 64 lower-case hex digits.
 */
#ifndef TEG_BASE_DIGEST_H
#define TEG_BASE_DIGEST_H

#include <stddef.h>

#include "lang/base/err.h"
#include "lang/base/piece.h"

#define DIGEST_HEX 64

struct digest {
	char hex[DIGEST_HEX + 1];
};

struct digest digest_of(const void *bytes, size_t len);
/* What lies in a file is read, which may fail. */
int digest_of_pieces(struct digest *out, const struct pieces *p, struct err *why);

#endif
