#include "lang/base/digest.h"

#include <sodium.h>

struct digest digest_of(const void *bytes, size_t len)
{
	unsigned char raw[crypto_hash_sha256_BYTES];
	struct digest d;

	crypto_hash_sha256(raw, bytes, len);
	sodium_bin2hex(d.hex, sizeof d.hex, raw, sizeof raw);
	return d;
}
