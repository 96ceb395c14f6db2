/* A signature says who made a bundle, and nothing else passes for one. */
#include <errno.h>
#include <string.h>

#include "lang/bundle/seal.h"
#include "tests/lib/tap.h"

static const char manifest[] = "teg-bundle 1\nabc 3 plan\n";

static int check(const struct seal_public *trusted, size_t count, const void *bytes, size_t len,
		 const struct buf *signature, struct err *why)
{
	const struct seal_public *by = NULL;
	struct seal seal;
	int rc = seal_check(&seal, &by, trusted, count, bytes, len, signature->at, signature->len, why);

	return rc ? rc : by != &trusted[count - 1] || seal.serial != 41;
}

/* RFC 8032, 7.1, test 1 gives the key pair; the line is our spelling of it. */
static void known_key_reads(void)
{
	static const char line[] =
		"teg-public-key 1 21fe31dfa154a261 "
		"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a\n";
	struct seal_public p;
	struct err why = { 0 };
	own(buf) struct buf again = { 0 };

	if (tap_ok(!seal_public_parse(&p, line, strlen(line), &why), "RFC 8032's key: %s", why.text))
		seal_public_print(&again, &p);
	tap_text(buf_text(&again), line, "prints as it was read");
}

static void every_flipped_bit_is_noticed(const struct seal_public *trusted, const struct buf *signature)
{
	bool noticed = true;
	struct err why = { 0 };

	for (size_t bit = 0; bit < 8 * signature->len; bit++) {
		own(buf) struct buf bent = { 0 };
		buf_add(&bent, signature->at, signature->len);
		bent.at[bit / 8] ^= (char)(1 << bit % 8);
		noticed = noticed && check(trusted, 1, manifest, sizeof manifest, &bent, &why);
	}
	tap_ok(noticed, "a signature with any one bit flipped is refused");

	for (size_t bit = 0; bit < 8 * sizeof manifest; bit++) {
		char bent[sizeof manifest];
		memcpy(bent, manifest, sizeof bent);
		bent[bit / 8] ^= (char)(1 << bit % 8);
		noticed = noticed && check(trusted, 1, bent, sizeof bent, signature, &why) == -EBADMSG;
	}
	tap_ok(noticed, "a manifest with any one bit flipped is refused: %s", why.text);
}

/* A line with its serial replaced by this one. */
static int parse_with(const struct buf *signature, const char *serial, struct seal *out)
{
	own(buf) struct buf line = { 0 };
	struct err why;
	size_t head = strlen("teg-signature 1 ") + SEAL_ID_HEX + 1;

	buf_add(&line, signature->at, head);
	buf_puts(&line, serial);
	buf_puts(&line, signature->at + head + 20);
	return seal_parse(out, line.at, line.len, &why);
}

static void serials(const struct seal_public *trusted, const struct buf *signature)
{
	static const struct { const char *digits; int64_t is; } rows[] = {
		{ "00000000000000000000", 0 },	 { "00000000000000000042", 42 },
		{ "09223372036854775807", INT64_MAX }, { "09223372036854775808", -1 },
		{ "18446744073709551616", -1 },	 { "99999999999999999999", -1 },
		{ "0000000000000000004", -1 },	 { "000000000000000000042", -1 },
		{ "                  42", -1 },	 { "+0000000000000000042", -1 },
		{ "0000000000000000004a", -1 },
	};
	own(buf) struct buf moved = { 0 };
	struct err why = { 0 };
	struct seal seal = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int rc = parse_with(signature, rows[i].digits, &seal);
		tap_num(rc ? -1 : (int64_t)seal.serial, rows[i].is, rows[i].digits);
	}
	buf_add(&moved, signature->at, signature->len);
	moved.at[strlen("teg-signature 1 ") + SEAL_ID_HEX + 20] = '9';
	tap_num(check(trusted, 1, manifest, sizeof manifest, &moved, &why), -EBADMSG,
		"another serial is not what was signed");
}

int main(void)
{
	own(seal_secret) struct seal_secret ours = { 0 }, theirs = { 0 }, again = { 0 };
	own(buf) struct buf signature = { 0 }, secret = { 0 }, public = { 0 };
	struct err why = { 0 };
	struct seal_public read;

	known_key_reads();
	tap_ok(!seal_keygen(&ours, &why) && !seal_keygen(&theirs, &why), "keys are made");
	tap_ok(memcmp(ours.key, theirs.key, sizeof ours.key), "no two are alike");

	seal_secret_print(&secret, &ours);
	seal_public_print(&public, &ours.public);
	tap_ok(!seal_secret_parse(&again, secret.at, secret.len, &why) &&
	       !memcmp(&again, &ours, sizeof again), "a secret key reads back");
	tap_ok(!seal_public_parse(&read, public.at, public.len, &why) &&
	       !memcmp(&read, &ours.public, sizeof read), "a public key reads back");
	tap_num(seal_public_parse(&read, secret.at, secret.len, &why), -EINVAL,
		"a secret key is no public key");
	public.at[20] = public.at[20] == '0' ? '1' : '0';
	tap_num(seal_public_parse(&read, public.at, public.len, &why), -EINVAL,
		"an id that is not the key's is refused");

	seal_sign(&signature, &ours, 41, manifest, sizeof manifest);
	struct seal_public both[] = { theirs.public, ours.public };
	tap_num(check(&ours.public, 1, manifest, sizeof manifest, &signature, &why), 0, "it holds");
	tap_num(check(both, 2, manifest, sizeof manifest, &signature, &why), 0,
		"it holds among several trusted keys");
	tap_num(check(&theirs.public, 1, manifest, sizeof manifest, &signature, &why), -EKEYREJECTED,
		"another's key does not do");
	tap_num(check(NULL, 0, manifest, sizeof manifest, &signature, &why), -EKEYREJECTED,
		"with no trusted key nothing holds");
	serials(&ours.public, &signature);
	every_flipped_bit_is_noticed(&ours.public, &signature);
	return tap_done();
}
