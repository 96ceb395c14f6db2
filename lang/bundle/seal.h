/*
 * seal - who made a bundle: an Ed25519 signature (RFC 8032, by libsodium) of its manifest.
 *
 *     tegc keygen         seal_keygen ──► NAME.key (secret, 0600)  NAME.pub
 *     tegc build, sign    seal_sign(secret, serial, manifest) ──► the bundle's member "signature"
 *     tegd                seal_check(manifest, signature, trusted keys)
 *
 * Keys and signatures are one line of text each, of one length and one spelling:
 *
 *     teg-secret-key 1 <key id, 16 hex> <128 hex>
 *     teg-public-key 1 <key id, 16 hex> <64 hex>
 *     teg-signature 1 <key id, 16 hex> <serial, 20 digits> <128 hex>
 *
 * The key id is the beginning of the public key's SHA-256: it says which key
 * to try, and proves nothing. The serial is the signer's count: a host that took
 * one goes only forward (docs/decisions/0009). Signatures are made of a prefix, the serial and
 * the manifest, so that none can be taken for a signature of something else.
 */
#ifndef TEG_BUNDLE_SEAL_H
#define TEG_BUNDLE_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include "lang/base/buf.h"
#include "lang/base/err.h"

#define SEAL_ID_HEX	16
#define SEAL_SERIAL_MAX ((uint64_t)INT64_MAX)

struct seal_public {
	char id[SEAL_ID_HEX + 1];
	uint8_t key[32];
};

struct seal_secret {
	struct seal_public public;
	uint8_t key[64];
};

/* Forgets the secret: call it when done with one. */
void seal_secret_release(struct seal_secret *s);
static inline void seal_secret_own_(struct seal_secret *s)
{
	seal_secret_release(s);
}

int seal_keygen(struct seal_secret *out, struct err *why);

void seal_secret_print(struct buf *out, const struct seal_secret *s);
int seal_secret_parse(struct seal_secret *out, const char *text, size_t len, struct err *why);
void seal_public_print(struct buf *out, const struct seal_public *p);
int seal_public_parse(struct seal_public *out, const char *text, size_t len, struct err *why);

/* Appends the signature's line. A serial is at most SEAL_SERIAL_MAX; 0 is none. */
void seal_sign(struct buf *out, const struct seal_secret *s, uint64_t serial, const void *manifest,
	       size_t len);

/* What a signature says of itself; true only once seal_check() gave it out. */
struct seal {
	char id[SEAL_ID_HEX + 1];
	uint64_t serial;
};
int seal_parse(struct seal *out, const char *text, size_t len, struct err *why);

/*
 * Zero when the signature was made of this manifest by one of the trusted keys, which *by then
 * points at. -EKEYREJECTED when the key is not trusted, -EBADMSG when the signature does not hold.
 */
int seal_check(struct seal *out, const struct seal_public **by, const struct seal_public *trusted,
	       size_t count, const void *manifest, size_t manifest_len, const char *signature,
	       size_t signature_len, struct err *why);

#endif
