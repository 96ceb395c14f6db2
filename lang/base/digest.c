#include "lang/base/digest.h"

#include <nettle/base16.h>
#include <nettle/sha2.h>

struct digest digest_of(const void *bytes, size_t len)
{
	struct piece one = { bytes, len };

	return digest_of_pieces(&(struct pieces){ &one, 1 });
}

struct digest digest_of_pieces(const struct pieces *p)
{
	uint8_t raw[SHA256_DIGEST_SIZE];
	struct sha256_ctx sha;
	struct digest d;

	sha256_init(&sha);
	for (size_t i = 0; i < p->count; i++)
		sha256_update(&sha, p->at[i].len, p->at[i].at);
	sha256_digest(&sha, sizeof raw, raw);
	base16_encode_update(d.hex, sizeof raw, raw);
	d.hex[DIGEST_HEX] = '\0';
	return d;
}
