#include "lang/base/digest.h"

#include <nettle/base16.h>
#include <nettle/sha2.h>

#include "lang/base/spool.h"

static struct digest digest_end(struct sha256_ctx *sha)
{
	uint8_t raw[SHA256_DIGEST_SIZE];
	struct digest d;

	sha256_digest(sha, sizeof raw, raw);
	base16_encode_update(d.hex, sizeof raw, raw);
	d.hex[DIGEST_HEX] = '\0';
	return d;
}

struct digest digest_of(const void *bytes, size_t len)
{
	struct sha256_ctx sha;

	sha256_init(&sha);
	sha256_update(&sha, len, bytes);
	return digest_end(&sha);
}

static int add_bytes(void *sha, const void *bytes, size_t len, struct err *why)
{
	(void)why;
	sha256_update(sha, len, bytes);
	return 0;
}

int digest_of_pieces(struct digest *out, const struct pieces *p, struct err *why)
{
	struct sha256_ctx sha;

	sha256_init(&sha);
	if (pieces_each(p, add_bytes, &sha, why))
		return why->code;
	*out = digest_end(&sha);
	return 0;
}
