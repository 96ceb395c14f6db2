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
	int rc = seal_check(&by, trusted, count, bytes, len, signature->at, signature->len, why);

	return rc ? rc : by != &trusted[count - 1];
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

	seal_sign(&signature, &ours, manifest, sizeof manifest);
	struct seal_public both[] = { theirs.public, ours.public };
	tap_num(check(&ours.public, 1, manifest, sizeof manifest, &signature, &why), 0, "it holds");
	tap_num(check(both, 2, manifest, sizeof manifest, &signature, &why), 0,
		"it holds among several trusted keys");
	tap_num(check(&theirs.public, 1, manifest, sizeof manifest, &signature, &why), -EKEYREJECTED,
		"another's key does not do");
	tap_num(check(NULL, 0, manifest, sizeof manifest, &signature, &why), -EKEYREJECTED,
		"with no trusted key nothing holds");
	every_flipped_bit_is_noticed(&ours.public, &signature);
	return tap_done();
}
