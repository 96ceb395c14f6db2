#include "lang/base/digest.h"

#include <nettle/base16.h>
#include <nettle/sha2.h>

struct digest digest_of(const void *bytes, size_t len)
{
	uint8_t raw[SHA256_DIGEST_SIZE];
	struct sha256_ctx sha;
	struct digest d;

	sha256_init(&sha);
	sha256_update(&sha, len, bytes);
	sha256_digest(&sha, sizeof raw, raw);
	base16_encode_update(d.hex, sizeof raw, raw);
	d.hex[DIGEST_HEX] = '\0';
	return d;
}
