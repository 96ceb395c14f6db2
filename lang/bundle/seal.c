#include "lang/bundle/seal.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#define SECRET_WORD    "teg-secret-key 1 "
#define PUBLIC_WORD    "teg-public-key 1 "
#define SIGNATURE_WORD "teg-signature 1 "
#define SIGNED_PREFIX  "tegumentar bundle manifest 1\n"
#define SERIAL_DIGITS  20

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

/* --- one line: word, key id, perhaps a serial, hex -------------------------------------- */

struct line {
	const char *what, *word;
	char id[SEAL_ID_HEX + 1];
	uint64_t *serial; /* NULL when the line has none */
	uint8_t *raw;
	size_t len;
};

static void line_print(struct buf *out, const struct line *l)
{
	char hex[2 * crypto_sign_SECRETKEYBYTES + 1];

	sodium_bin2hex(hex, sizeof hex, l->raw, l->len);
	buf_printf(out, "%s%s ", l->word, l->id);
	if (l->serial)
		buf_printf(out, "%0*llu ", SERIAL_DIGITS, (unsigned long long)*l->serial);
	buf_printf(out, "%s\n", hex);
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

static int serial_parse(uint64_t *out, const char *digits)
{
	uint64_t n = 0;

	for (int i = 0; i < SERIAL_DIGITS; i++) {
		if (digits[i] < '0' || digits[i] > '9' || n > SEAL_SERIAL_MAX / 10)
			return -EINVAL;
		n = 10 * n + (uint64_t)(digits[i] - '0');
	}
	*out = n;
	return n > SEAL_SERIAL_MAX ? -EINVAL : 0;
}

static int line_parse(struct line *l, const char *text, size_t text_len, struct err *why)
{
	size_t word_len = strlen(l->word), serial_len = l->serial ? SERIAL_DIGITS + 1 : 0;
	size_t len = word_len + SEAL_ID_HEX + 1 + serial_len + 2 * l->len;
	uint8_t id_raw[SEAL_ID_HEX / 2];

	if (text_len < word_len || memcmp(text, l->word, word_len))
		return err_set(why, EINVAL, "not a %s: it does not begin with \"%s\"", l->what, l->word);
	if (text_len != len + 1 || text[len] != '\n')
		return err_set(why, EINVAL, "a %s is one line of %zu characters", l->what, len);

	const char *id = text + word_len, *serial = id + SEAL_ID_HEX + 1, *hex = serial + serial_len;
	if (hex_parse(id_raw, sizeof id_raw, id) || serial[-1] != ' ' || hex[-1] != ' ' ||
	    hex_parse(l->raw, l->len, hex))
		return err_set(why, EINVAL, "a %s is lower-case hex digits after its first words", l->what);
	if (l->serial && serial_parse(l->serial, serial))
		return err_set(why, EINVAL, "the serial of a %s is %d digits", l->what, SERIAL_DIGITS);

	memcpy(l->id, id, SEAL_ID_HEX);
	l->id[SEAL_ID_HEX] = '\0';
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

static struct line secret_line(const uint8_t key[static crypto_sign_SECRETKEYBYTES])
{
	return (struct line){ .what = "secret key", .word = SECRET_WORD, .raw = (uint8_t *)(uintptr_t)key,
			      .len = crypto_sign_SECRETKEYBYTES };
}

static struct line public_line(const uint8_t key[static crypto_sign_PUBLICKEYBYTES])
{
	return (struct line){ .what = "public key", .word = PUBLIC_WORD, .raw = (uint8_t *)(uintptr_t)key,
			      .len = crypto_sign_PUBLICKEYBYTES };
}

static struct line signature_line(uint8_t raw[static crypto_sign_BYTES], uint64_t *serial)
{
	return (struct line){ .what = "signature", .word = SIGNATURE_WORD, .raw = raw,
			      .len = crypto_sign_BYTES, .serial = serial };
}

static void print_with_id(struct buf *out, struct line l, const char *id)
{
	memcpy(l.id, id, sizeof l.id);
	line_print(out, &l);
}

void seal_secret_print(struct buf *out, const struct seal_secret *s)
{
	print_with_id(out, secret_line(s->key), s->public.id);
}

int seal_secret_parse(struct seal_secret *out, const char *text, size_t len, struct err *why)
{
	struct line l = secret_line(out->key);
	int rc = line_parse(&l, text, len, why);

	if (rc)
		return rc;
	crypto_sign_ed25519_sk_to_pk(out->public.key, out->key);
	id_fill(&out->public);
	return id_holds("secret key", l.id, &out->public, why);
}

void seal_public_print(struct buf *out, const struct seal_public *p)
{
	print_with_id(out, public_line(p->key), p->id);
}

int seal_public_parse(struct seal_public *out, const char *text, size_t len, struct err *why)
{
	struct line l = public_line(out->key);
	int rc = line_parse(&l, text, len, why);

	if (rc)
		return rc;
	id_fill(out);
	return id_holds("public key", l.id, out, why);
}

/* --- signing -------------------------------------------------------------------------- */

static void signed_bytes(struct buf *out, uint64_t serial, const void *manifest, size_t len)
{
	buf_puts(out, SIGNED_PREFIX);
	buf_printf(out, "serial %0*llu\n", SERIAL_DIGITS, (unsigned long long)serial);
	buf_add(out, manifest, len);
}

void seal_sign(struct buf *out, const struct seal_secret *s, uint64_t serial, const void *manifest,
	       size_t len)
{
	own(buf) struct buf message = { 0 };
	uint8_t signature[crypto_sign_BYTES];

	signed_bytes(&message, serial, manifest, len);
	crypto_sign_detached(signature, NULL, (const uint8_t *)message.at, message.len, s->key);
	print_with_id(out, signature_line(signature, &serial), s->public.id);
}

static int signature_parse(struct seal *out, uint8_t raw[static crypto_sign_BYTES], const char *text,
			   size_t len, struct err *why)
{
	struct line l = signature_line(raw, &out->serial);
	int rc = line_parse(&l, text, len, why);

	if (!rc)
		memcpy(out->id, l.id, sizeof out->id);
	return rc;
}

int seal_parse(struct seal *out, const char *text, size_t len, struct err *why)
{
	uint8_t raw[crypto_sign_BYTES];

	return signature_parse(out, raw, text, len, why);
}

int seal_check(struct seal *out, const struct seal_public **by, const struct seal_public *trusted,
	       size_t count, const void *manifest, size_t manifest_len, const char *signature,
	       size_t signature_len, struct err *why)
{
	uint8_t raw[crypto_sign_BYTES];
	struct seal s;
	own(buf) struct buf message = { 0 };
	int rc = signature_parse(&s, raw, signature, signature_len, why);

	if (rc)
		return rc;
	signed_bytes(&message, s.serial, manifest, manifest_len);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(trusted[i].id, s.id))
			continue;
		if (crypto_sign_verify_detached(raw, (const uint8_t *)message.at, message.len,
						trusted[i].key))
			return err_set(why, EBADMSG, "the signature by key %s does not hold", s.id);
		*out = s;
		*by = &trusted[i];
		return 0;
	}
	return err_set(why, EKEYREJECTED, "signed by key %s, which is not trusted here", s.id);
}
