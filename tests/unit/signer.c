/* Which bundle may follow the one in force: signatures, serials, downgrades. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "enforcer/warden/generation/signer.h"
#include "lang/base/file.h"
#include "lang/bundle/seal.h"
#include "tests/lib/tap.h"

static char dir[] = "/tmp/teg-signer-XXXXXX";
static struct seal_secret keys[2]; /* of alice, whom the host trusts, and of bob */
enum who { ALICE, BOB, NOBODY };

static struct buf sealed(const char *policy, enum who who, uint64_t serial)
{
	const struct bundle_member members[] = {
		{ .name = "plan", .bytes = "a plan", .len = 6 },
		{ .name = "policy/resolved.teg", .bytes = policy, .len = strlen(policy) },
		{ .name = "xdp/policy.o", .bytes = "\177ELF", .len = 4 },
		{ .name = "nft/posture.batch", .bytes = "", .len = 0 },
		{ .name = "nft/epiderme.batch", .bytes = "batch", .len = 5 },
		{ .name = "nft/ruleset.nft", .bytes = "table\n", .len = 6 },
	};
	own(bundle) struct bundle *b = NULL;
	own(buf) struct buf line = { 0 };
	struct buf plain = { 0 }, out = { 0 };
	struct err why;

	bundle_write(&plain, members, ARRAY_LEN(members));
	if (who == NOBODY)
		return plain;
	if (bundle_open(&b, plain.at, plain.len, &why))
		exit(1);
	const struct bundle_member *manifest = bundle_find(b, "manifest");
	seal_sign(&line, &keys[who], serial, manifest->bytes, manifest->len);
	bundle_write_signed(&out, b, line.at, line.len);
	buf_release(&plain);
	return out;
}

/* The last byte of the signature is another one. */
static void forge(struct buf *bytes)
{
	char *digit = strstr(memmem(bytes->at, bytes->len, "teg-signature", 13), "\n") - 1;

	*digit = *digit == '0' ? '1' : '0';
}

enum { TRUSTS = 1, REQUIRES = 2, DOWNGRADE = 4, FORGED = 8, FIRST = 16, LOST = 32 };

static const struct {
	const char *claim;
	enum who was;
	uint64_t was_serial;
	enum who by;
	uint64_t serial;
	const char *policy; /* "one" is in force */
	unsigned how;
	int rc;
	const char *says;
} rows[] = {
	{ "without trusted keys nobody looks", ALICE, 9, NOBODY, 0, "two", 0, 0, "" },
	{ "not even at what is forged", ALICE, 9, ALICE, 1, "two", FORGED, 0, "" },
	{ "the next serial", ALICE, 9, ALICE, 10, "two", TRUSTS | REQUIRES, 0, "" },
	{ "a first bundle", ALICE, 9, ALICE, 1, "two", TRUSTS | REQUIRES | FIRST, 0, "" },
	{ "a first one without a serial", ALICE, 9, ALICE, 0, "two", TRUSTS | REQUIRES | FIRST, 0, "" },
	{ "a stranger's", ALICE, 9, BOB, 10, "two", TRUSTS, -EKEYREJECTED, "which is not trusted here" },
	{ "a stranger's first", ALICE, 9, BOB, 10, "two", TRUSTS | FIRST, -EKEYREJECTED, "which is not trusted here" },
	{ "a forged one", ALICE, 9, ALICE, 10, "two", TRUSTS | FORGED, -EBADMSG, "does not hold" },
	{ "a forged one, downgrade or not", ALICE, 9, ALICE, 10, "two", TRUSTS | FORGED | DOWNGRADE, -EBADMSG, "does not hold" },
	{ "an unsigned one where that is required", NOBODY, 0, NOBODY, 0, "two", TRUSTS | REQUIRES, -ENOKEY, "it is not signed" },
	{ "that is no downgrade either", NOBODY, 0, NOBODY, 0, "two", TRUSTS | REQUIRES | DOWNGRADE, -ENOKEY, "it is not signed" },
	{ "an unsigned one where it is not", NOBODY, 0, NOBODY, 0, "two", TRUSTS, 0, "" },
	{ "an unsigned one after a serial", ALICE, 9, NOBODY, 0, "two", TRUSTS, -ESTALE, "its serial is 0, and 9 is in force" },
	{ "an older one", ALICE, 9, ALICE, 8, "two", TRUSTS, -ESTALE, "tegctl apply --allow-downgrade takes it" },
	{ "an older one of the same content", ALICE, 9, ALICE, 8, "one", TRUSTS, -ESTALE, "its serial is 8, and 9 is in force" },
	{ "an older one that was asked for", ALICE, 9, ALICE, 8, "two", TRUSTS | REQUIRES | DOWNGRADE, 0, "" },
	{ "the one in force again", ALICE, 9, ALICE, 9, "one", TRUSTS | REQUIRES, 0, "" },
	{ "its serial on another content", ALICE, 9, ALICE, 9, "two", TRUSTS, -ESTALE, "serial 9 is in force with another content" },
	{ "both without a serial", ALICE, 0, ALICE, 0, "two", TRUSTS | REQUIRES, 0, "" },
	{ "the old content signed anew", ALICE, 9, ALICE, 10, "one", TRUSTS | REQUIRES, 0, "" },
	{ "the largest serial", ALICE, SEAL_SERIAL_MAX - 1, ALICE, SEAL_SERIAL_MAX, "two", TRUSTS, 0, "" },
	{ "when what is in force cannot be read", ALICE, 9, ALICE, 10, "two", TRUSTS | LOST, -EIO, "its serial is not known" },
	{ "unless a downgrade was asked for", ALICE, 9, ALICE, 10, "two", TRUSTS | LOST | DOWNGRADE, 0, "" },
};

static struct digest keep(const struct buf *bytes, bool lost)
{
	own(bundle) struct bundle *b = NULL;
	char command[96];
	struct err why;

	if (bundle_open(&b, bytes->at, bytes->len, &why) ||
	    state_keep_bundle(dir, bundle_id(b), bytes->at, bytes->len, &why))
		exit(1);
	snprintf(command, sizeof command, "rm -rf %s/bundles", dir);
	if (lost && system(command))
		exit(1);
	return *bundle_id(b);
}

static void judge(size_t i, const char *trusted)
{
	own(buf) struct buf was = sealed("one", rows[i].was, rows[i].was_serial), next = sealed(rows[i].policy, rows[i].by, rows[i].serial);
	own(bundle) struct bundle *b = NULL;
	const unsigned how = rows[i].how;
	const struct settings s = { .state_dir = dir, .trusted_keys = how & TRUSTS ? trusted : "", .signed_only = how & REQUIRES };
	const struct record now = { .number = 1, .bundle = keep(&was, how & LOST) };
	struct err why = { 0 };

	if (how & FORGED)
		forge(&next);
	if (bundle_open(&b, next.at, next.len, &why))
		exit(1);
	int rc = signer_check(&s, b, how & FIRST ? NULL : &now, how & DOWNGRADE, &why);
	if (!tap_ok(rc == rows[i].rc && strstr(why.text, rows[i].says), "%s: %s", rows[i].claim, rows[i].rc ? "refused" : "taken"))
		tap_note("%d %s", rc, why.text);
}

int main(void)
{
	own(buf) struct buf public = { 0 };
	char trusted[64], command[64];
	struct err why;

	if (!mkdtemp(dir) || seal_keygen(&keys[ALICE], &why) || seal_keygen(&keys[BOB], &why))
		return 1;
	snprintf(trusted, sizeof trusted, "%s/alice.pub", dir);
	seal_public_print(&public, &keys[ALICE].public);
	if (file_replace(trusted, public.at, public.len, 0644, &why))
		return 1;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		judge(i, trusted);

	const struct settings s = { .state_dir = dir, .trusted_keys = "/nowhere/keys" };
	own(buf) struct buf bytes = sealed("one", ALICE, 1);
	own(bundle) struct bundle *b = NULL;
	tap_ok(!bundle_open(&b, bytes.at, bytes.len, &why) && signer_check(&s, b, NULL, true, &why) == -ENOENT &&
	       strstr(why.text, "trusted keys /nowhere/keys"), "keys that cannot be read trust nobody");
	snprintf(command, sizeof command, "rm -rf %s", dir);
	return system(command) | tap_done();
}
