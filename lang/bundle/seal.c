#include "lang/bundle/seal.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#define SECRET_WORD    "teg-secret-key 1 "
#define PUBLIC_WORD    "teg-public-key 1 "
#define SIGNATURE_WORD "teg-signature 1 "
#define SIGNED_PREFIX  "tegumentar bundle manifest 1\n"

_Static_assert(sizeof((struct seal_public){ 0 }.key) == crypto_sign_PUBLICKEYBYTES, "Ed25519");
_Static_assert(sizeof((struct seal_secret){ 0 }.key) == crypto_sign_SECRETKEYBYTES, "Ed25519");

void seal_secret_release(struct seal_secret *s)
{
	sodium_memzero(s, sizeof *s);
}

static void id_fill(struct seal_public *p)
{
	uint8_t sum[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(sum, p->key, sizeof p->key);
	sodium_bin2hex(p->id, sizeof p->id, sum, SEAL_ID_HEX / 2);
}

int seal_keygen(struct seal_secret *out, struct err *why)
{
	if (sodium_init() < 0)
		return err_set(why, EIO, "no source of random numbers");
	crypto_sign_keypair(out->public.key, out->key);
	id_fill(&out->public);
	return 0;
}

/* --- one line: word, key id, hex ------------------------------------------------------ */

static void line_print(struct buf *out, const char *word, const char *id, const uint8_t *raw,
		       size_t len)
{
	char hex[2 * crypto_sign_SECRETKEYBYTES + 1];

	sodium_bin2hex(hex, sizeof hex, raw, len);
	buf_printf(out, "%s%s %s\n", word, id, hex);
	sodium_memzero(hex, sizeof hex);
}

/* Lower-case hex only: one spelling of each line. */
static int hex_parse(uint8_t *raw, size_t len, const char *hex)
{
	for (size_t i = 0; i < 2 * len; i++)
		if (!strchr("0123456789abcdef", hex[i]) || !hex[i])
			return -EINVAL;
	return sodium_hex2bin(raw, len, hex, 2 * len, NULL, NULL, NULL);
}

static int line_parse(const char *what, const char *word, const char *text, size_t text_len,
		      char id[static SEAL_ID_HEX + 1], uint8_t *raw, size_t len, struct err *why)
{
	size_t word_len = strlen(word);
	uint8_t id_raw[SEAL_ID_HEX / 2];

	if (text_len < word_len || memcmp(text, word, word_len))
		return err_set(why, EINVAL, "not a %s: it does not begin with \"%s\"", what, word);
	if (text_len != word_len + SEAL_ID_HEX + 1 + 2 * len + 1 || text[text_len - 1] != '\n')
		return err_set(why, EINVAL, "a %s is one line of %zu characters", what,
			       word_len + SEAL_ID_HEX + 1 + 2 * len);

	const char *hex = text + word_len + SEAL_ID_HEX + 1;
	if (hex_parse(id_raw, sizeof id_raw, text + word_len) || hex[-1] != ' ' ||
	    hex_parse(raw, len, hex))
		return err_set(why, EINVAL, "a %s is lower-case hex digits after its first words", what);

	memcpy(id, text + word_len, SEAL_ID_HEX);
	id[SEAL_ID_HEX] = '\0';
	return 0;
}

/* The id is derived, so a line that states another one was edited. */
static int id_holds(const char *what, const char *stated, const struct seal_public *p,
		    struct err *why)
{
	if (!strcmp(stated, p->id))
		return 0;
	return err_set(why, EINVAL, "a %s whose id %s does not belong to its key (%s)", what, stated,
		       p->id);
}

void seal_secret_print(struct buf *out, const struct seal_secret *s)
{
	line_print(out, SECRET_WORD, s->public.id, s->key, sizeof s->key);
}

int seal_secret_parse(struct seal_secret *out, const char *text, size_t len, struct err *why)
{
	char stated[SEAL_ID_HEX + 1];
	int rc = line_parse("secret key", SECRET_WORD, text, len, stated, out->key,
			    sizeof out->key, why);

	if (rc)
		return rc;
	crypto_sign_ed25519_sk_to_pk(out->public.key, out->key);
	id_fill(&out->public);
	return id_holds("secret key", stated, &out->public, why);
}

void seal_public_print(struct buf *out, const struct seal_public *p)
{
	line_print(out, PUBLIC_WORD, p->id, p->key, sizeof p->key);
}

int seal_public_parse(struct seal_public *out, const char *text, size_t len, struct err *why)
{
	char stated[SEAL_ID_HEX + 1];
	int rc = line_parse("public key", PUBLIC_WORD, text, len, stated, out->key,
			    sizeof out->key, why);

	if (rc)
		return rc;
	id_fill(out);
	return id_holds("public key", stated, out, why);
}

/* --- signing -------------------------------------------------------------------------- */

static void signed_bytes(struct buf *out, const void *manifest, size_t len)
{
	buf_puts(out, SIGNED_PREFIX);
	buf_add(out, manifest, len);
}

void seal_sign(struct buf *out, const struct seal_secret *s, const void *manifest, size_t len)
{
	own(buf) struct buf message = { 0 };
	uint8_t signature[crypto_sign_BYTES];

	signed_bytes(&message, manifest, len);
	crypto_sign_detached(signature, NULL, (const uint8_t *)message.at, message.len, s->key);
	line_print(out, SIGNATURE_WORD, s->public.id, signature, sizeof signature);
}

int seal_check(const struct seal_public **by, const struct seal_public *trusted, size_t count,
	       const void *manifest, size_t manifest_len, const char *signature,
	       size_t signature_len, struct err *why)
{
	uint8_t raw[crypto_sign_BYTES];
	char id[SEAL_ID_HEX + 1];
	own(buf) struct buf message = { 0 };
	int rc = line_parse("signature", SIGNATURE_WORD, signature, signature_len, id, raw,
			    sizeof raw, why);

	if (rc)
		return rc;
	signed_bytes(&message, manifest, manifest_len);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(trusted[i].id, id))
			continue;
		if (crypto_sign_verify_detached(raw, (const uint8_t *)message.at, message.len,
						trusted[i].key))
			return err_set(why, EBADMSG, "the signature by key %s does not hold", id);
		*by = &trusted[i];
		return 0;
	}
	return err_set(why, EKEYREJECTED, "signed by key %s, which is not trusted here", id);
}
