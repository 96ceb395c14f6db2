/* Trusted keys are read strictly, and decide whose bundles are taken. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lang/base/file.h"
#include "lang/bundle/trust.h"
#include "tests/lib/tap.h"

static char dir[] = "/tmp/teg-trust-XXXXXX";
static struct seal_secret alice, bob;

static const char *in(const char *name)
{
	static char path[2][128];
	static int turn;

	turn = !turn;
	snprintf(path[turn], sizeof *path, "%s/%s", dir, name);
	return path[turn];
}

static void put(const char *name, const char *text, mode_t mode)
{
	struct err why;

	if (file_replace(in(name), text, strlen(text), 0600, &why) || chmod(in(name), mode))
		exit(1);
}

static struct buf public_of(const struct seal_secret *s)
{
	struct buf b = { 0 };

	seal_public_print(&b, &s->public);
	return b;
}

static struct buf bundle_by(const struct seal_secret *s, uint64_t serial)
{
	static const struct bundle_member members[] = {
		{ .name = "plan", .bytes = "a plan", .len = 6 },
		{ .name = "policy/resolved.teg", .bytes = "policy p { }\n", .len = 13 },
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
	if (!s)
		return plain;
	if (bundle_open(&b, plain.at, plain.len, &why))
		exit(1);
	const struct bundle_member *manifest = bundle_find(b, "manifest");
	seal_sign(&line, s, serial, manifest->bytes, manifest->len);
	bundle_write_signed(&out, b, line.at, line.len);
	buf_release(&plain);
	return out;
}

static int read_from(struct trust *out, struct arena *a, const char *name, const char *says)
{
	struct err why = { 0 };
	int rc = trust_read(out, a, in(name), &why);

	if (says && !strstr(why.text, says))
		tap_note("it says: %s", why.text);
	return rc ? (says && strstr(why.text, says) ? rc : 1) : 0;
}

static void directories(struct arena *a)
{
	own(buf) struct buf of_alice = public_of(&alice), of_bob = public_of(&bob), both = { 0 };
	struct trust t;

	put("one.pub", of_alice.at, 0644);
	tap_ok(!read_from(&t, a, "one.pub", NULL) && t.count == 1 && !strcmp(t.names[0], "one.pub"), "a file with a key");
	buf_puts(&both, of_alice.at);
	buf_puts(&both, of_bob.at);
	put("both", both.at, 0644);
	tap_ok(!read_from(&t, a, "both", NULL) && t.count == 2, "a file with two");

	mkdir(in("keys"), 0755);
	tap_num(read_from(&t, a, "keys", "no key"), -ENOKEY, "a directory without keys is refused");
	put("keys/bob.pub", of_bob.at, 0644);
	put("keys/alice.pub", of_alice.at, 0444);
	put("keys/README", "not a key", 0644);
	tap_ok(!read_from(&t, a, "keys", NULL) && t.count == 2, "a directory: its *.pub, and nothing else");
	tap_text(t.names[0], "alice.pub", "in the order of their names");

	put("keys/bob.pub", of_bob.at, 0664);
	tap_num(read_from(&t, a, "keys", "bob.pub: others than its owner"), -EPERM, "a key that others may write is refused");
	put("keys/bob.pub", "teg-public-key 1 nonsense\n", 0644);
	tap_num(read_from(&t, a, "keys", "bob.pub: line 1: a public key is one line"), -EINVAL, "a key that is none is refused");
	put("keys/bob.pub", of_bob.at, 0644);
	chmod(in("keys"), 0777);
	tap_num(read_from(&t, a, "keys", "others than its owner"), -EPERM, "a directory that others may write is refused");
	chmod(in("keys"), 0755);
	tap_num(read_from(&t, a, "nowhere", "cannot open"), -ENOENT, "what is not there is refused");
	put("empty", "", 0644);
	tap_num(read_from(&t, a, "empty", "no key"), -ENOKEY, "an empty file is refused");
	of_alice.at[of_alice.len - 1] = '\0'; /* the newline */
	put("cut", of_alice.at, 0644);
	tap_num(read_from(&t, a, "cut", "line 1: a public key is one line"), -EINVAL, "a line that does not end is refused");
	mkfifo(in("fifo.pub"), 0600);
	tap_num(read_from(&t, a, "fifo.pub", "it is no file"), -EINVAL, "a pipe is refused, and not waited for");
}

static void judgement(struct arena *a)
{
	own(buf) struct buf by_alice = bundle_by(&alice, 7), by_bob = bundle_by(&bob, 8), by_none = bundle_by(NULL, 0);
	const struct { const char *claim; const struct buf *bytes; int rc; } rows[] = {
		{ "what a trusted key signed is taken", &by_alice, 0 },
		{ "what a stranger signed is not", &by_bob, -EKEYREJECTED },
		{ "nor what nobody signed", &by_none, -ENOKEY },
	};
	struct trust t;
	struct trust_signer who = { 0 };
	struct err why;

	if (read_from(&t, a, "one.pub", NULL))
		return;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		own(bundle) struct bundle *b = NULL;

		if (bundle_open(&b, rows[i].bytes->at, rows[i].bytes->len, &why))
			exit(1);
		tap_num(trust_check(&who, &t, b, &why), rows[i].rc, rows[i].claim);
	}
	tap_ok(!strcmp(who.name, "one.pub") && who.seal.serial == 7 && !strcmp(who.seal.id, alice.public.id),
	       "and it is told who, and which serial");
}

int main(void)
{
	own(arena) struct arena *a = arena_new();
	struct err why;
	char command[64];

	if (!mkdtemp(dir) || seal_keygen(&alice, &why) || seal_keygen(&bob, &why))
		return 1;
	directories(a);
	judgement(a);
	snprintf(command, sizeof command, "rm -rf %s", dir);
	return system(command) | tap_done();
}
