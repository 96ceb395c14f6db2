/* The sealed form: every way of spoiling a bundle is refused. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lang/bundle/bundle.h"
#include "lang/bundle/seal.h"
#include "tests/lib/gen.h"
#include "tests/lib/tap.h"

static const struct bundle_member members[] = {
	{ .name = "plan", .bytes = "a plan", .len = 6 },
	{ .name = "policy/resolved.teg", .bytes = "policy p { }\n", .len = 13 },
	{ .name = "xdp/policy.o", .bytes = "\177ELF", .len = 4 },
	{ .name = "nft/posture.batch", .bytes = "", .len = 0 },
	{ .name = "nft/epiderme.batch", .bytes = "batch", .len = 5 },
	{ .name = "nft/ruleset.nft", .bytes = "table inet tegumentar { }\n", .len = 26 },
};

static struct buf sealed(void)
{
	struct buf b = { 0 };

	bundle_write(&b, members, ARRAY_LEN(members));
	return b;
}

static void test_round(void)
{
	own(buf) struct buf one = sealed(), two = sealed();
	own(bundle) struct bundle *b = NULL;
	struct err why = { 0 };
	size_t count;

	tap_ok(one.len == two.len && !memcmp(one.at, two.at, one.len), "same input, same bytes");
	if (!tap_ok(!bundle_open(&b, one.at, one.len, &why), "what is written opens")) {
		tap_note("%s", why.text);
		return;
	}
	bool same = true;
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		const struct bundle_member *m = bundle_find(b, members[i].name);
		same &= m && m->len == members[i].len && !memcmp(m->bytes, members[i].bytes, m->len);
	}
	tap_ok(same, "and holds what was put in");
	tap_text(bundle_members(b, &count)[0].name, "manifest", "the manifest is first");
	tap_num(count, ARRAY_LEN(members) + 1, "and all others are there");
	tap_ok(!bundle_find(b, "plan/x"), "what is not there is not found");

	const struct bundle_member *manifest = bundle_find(b, "manifest");
	tap_text(bundle_id(b)->hex, digest_of(manifest->bytes, manifest->len).hex,
		 "the id is the manifest's digest");
}

static void test_pieces(void)
{
	static const struct bundle_member large[] = { { .name = "plan", .len = BUNDLE_BYTES_MAX } };
	own(buf) struct buf one = sealed(), joined = { 0 };
	own(arena) struct arena *a = arena_new();
	struct pieces p;
	struct digest d = { "" };
	struct err why = { 0 };

	if (!tap_ok(!bundle_pieces(&p, a, members, ARRAY_LEN(members), &why), "a bundle in pieces: %s", why.text))
		return;

	for (size_t i = 0; i < p.count; i++)
		buf_add(&joined, p.at[i].at, p.at[i].len);
	tap_ok(joined.len == one.len && !memcmp(joined.at, one.at, one.len), "the pieces of a bundle are the bundle");
	tap_num(pieces_len(&p), one.len, "and as long");
	tap_num(digest_of_pieces(&d, &p, &why), 0, "they are digested");
	tap_text(d.hex, digest_of(one.at, one.len).hex, "with one digest");
	tap_ok(bundle_fits(members, ARRAY_LEN(members), &why), "it may be opened");
	tap_ok(!bundle_fits(large, 1, &why) && why.code == -EFBIG && strstr(why.text, "bytes, more than"), "a larger one may not: %s",
	       why.text);
}

/* --- signed ---------------------------------------------------------------------------- */

static struct buf signature_of(const struct bundle *b, uint64_t serial)
{
	static struct seal_secret s;
	const struct bundle_member *manifest = bundle_find(b, "manifest");
	struct buf line = { 0 };
	struct err why;

	if (!s.public.id[0] && seal_keygen(&s, &why))
		exit(1);
	seal_sign(&line, &s, serial, manifest->bytes, manifest->len);
	return line;
}

static struct buf signed_again(const struct buf *from, uint64_t serial)
{
	own(bundle) struct bundle *b = NULL;
	struct buf out = { 0 };
	struct err why;

	if (bundle_open(&b, from->at, from->len, &why))
		exit(1);
	own(buf) struct buf line = signature_of(b, serial);
	bundle_write_signed(&out, b, line.at, line.len);
	return out;
}

static void test_signed(void)
{
	own(buf) struct buf plain = sealed(), one = signed_again(&plain, 1), two = signed_again(&one, 2),
			    back = signed_again(&two, 1);
	own(bundle) struct bundle *a = NULL, *b = NULL;
	struct err why = { 0 };
	size_t count;

	if (!tap_ok(!bundle_open(&a, plain.at, plain.len, &why) && !bundle_open(&b, two.at, two.len, &why),
		    "a signed bundle opens")) {
		tap_note("%s", why.text);
		return;
	}
	tap_text(bundle_id(a)->hex, bundle_id(b)->hex, "with the id it has unsigned");
	tap_text(bundle_members(b, &count)[count - 1].name, "signature", "the signature is last");
	tap_num(count, ARRAY_LEN(members) + 2, "and there is one, though it was signed twice");
	tap_ok(one.len == back.len && !memcmp(one.at, back.at, one.len), "same key and serial, same bytes");
}

/* The signature stands where the end was. */
enum { AT_SIGNATURE = 6656 };

static void sign_nothing(struct buf *b) { b->at[AT_SIGNATURE + 512] ^= 1; }
static void sign_twice(struct buf *b)
{
	own(buf) struct buf member = { 0 };

	buf_add(&member, b->at + AT_SIGNATURE, 1024);
	b->len = AT_SIGNATURE + 1024;
	buf_add(b, member.at, member.len);
	buf_add(b, (char[1024]){ 0 }, 1024);
}
static void sign_hidden(struct buf *b) { b->at[AT_SIGNATURE + 512 + 400] = 'x'; }
static void sign_elsewhere(struct buf *b) { b->at[AT_SIGNATURE] = 'S'; }
static void sign_mode(struct buf *b) { b->at[AT_SIGNATURE + 100 + 4] = '7'; }
static void sign_cut(struct buf *b) { b->len = AT_SIGNATURE + 600; }

static void test_signed_spoilt(void)
{
	static const struct {
		const char *claim;
		void (*spoil)(struct buf *b);
		const char *says;
	} rows[] = {
		{ "a signature that is none", sign_nothing, "not a signature" },
		{ "two signatures", sign_twice, "a member too many after signature" },
		{ "something behind the signature", sign_hidden, "something is hidden behind signature" },
		{ "another member in its place", sign_elsewhere, "a member too many after nft/ruleset.nft" },
		{ "a signature of another mode", sign_mode, "the header of signature is not as tegc writes it" },
		{ "a signature cut short", sign_cut, "truncated in signature" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		own(buf) struct buf plain = sealed(), b = signed_again(&plain, 7);
		own(bundle) struct bundle *out = NULL;
		struct err why = { 0 };

		rows[i].spoil(&b);
		int rc = bundle_open(&out, b.at, b.len, &why);
		if (!tap_ok(rc < 0 && !out && strstr(why.text, rows[i].says), "refused: %s", rows[i].claim))
			tap_note("%d %s", rc, why.text);
	}
}

/* --- a member that only some have ---------------------------------------------------------- */

static struct buf sealed_with_playbooks(void)
{
	struct bundle_member more[ARRAY_LEN(members) + 1];
	struct buf b = { 0 };

	memcpy(more, members, sizeof members);
	more[ARRAY_LEN(members)] = (struct bundle_member){ .name = "playbooks.tegp", .bytes = "tegp and code", .len = 13 };
	bundle_write(&b, more, ARRAY_LEN(more));
	return b;
}

static void test_when_needed(void)
{
	own(buf) struct buf with = sealed_with_playbooks(), without = sealed();
	own(bundle) struct bundle *b = NULL, *plain = NULL;
	struct err why = { 0 };
	size_t end = 1024, member = 1024; /* of 13 bytes: a header, a block */

	if (!tap_ok(!bundle_open(&b, with.at, with.len, &why), "a bundle with playbooks opens"))
		tap_note("%s", why.text);
	else
		tap_num(bundle_find(b, "playbooks.tegp")->len, 13, "and has them");
	own(buf) struct buf sealed_too = signed_again(&with, 1);
	own(bundle) struct bundle *signed_too = NULL;

	tap_ok(!bundle_open(&signed_too, sealed_too.at, sealed_too.len, &why) && bundle_find(signed_too, "playbooks.tegp"),
	       "one that is signed keeps them");
	tap_ok(!bundle_open(&plain, without.at, without.len, &why) && !bundle_find(plain, "playbooks.tegp"),
	       "one without has none");

	own(buf) struct buf cut = { 0 }, put = { 0 };
	own(bundle) struct bundle *no = NULL;

	buf_add(&cut, with.at, with.len - end - member);
	buf_add(&cut, with.at + with.len - end, end);
	tap_ok(bundle_open(&no, cut.at, cut.len, &why) && strstr(why.text, "the manifest"),
	       "to take them out is noticed: %s", why.text);
	buf_add(&put, without.at, without.len - end);
	buf_add(&put, with.at + with.len - end - member, end + member);
	tap_ok(bundle_open(&no, put.at, put.len, &why) && strstr(why.text, "the manifest"),
	       "to put them in is noticed: %s", why.text);
}

/* GNU tar reads it as it reads any other. */
static void test_tar_lists(void)
{
	own(buf) struct buf b = sealed();
	char path[] = "/tmp/teg-bundle-XXXXXX", command[128], line[128], all[512] = "";
	own(fd) int fd = mkstemp(path);

	if (fd < 0 || write(fd, b.at, b.len) != (ssize_t)b.len)
		exit(1);
	snprintf(command, sizeof command, "tar tf %s 2>&1", path);
	FILE *tar = popen(command, "r");
	while (tar && fgets(line, sizeof line, tar))
		strncat(all, line, sizeof all - strlen(all) - 1);
	int rc = tar ? pclose(tar) : -1;
	unlink(path);
	tap_text(all,
		 "manifest\nplan\npolicy/resolved.teg\nxdp/policy.o\nnft/posture.batch\nnft/epiderme.batch\n"
		 "nft/ruleset.nft\n",
		 "tar tf lists it");
	tap_num(rc, 0, "and has no complaint");
}

/* Offsets of headers: each member takes whole blocks of 512. */
enum { AT_PLAN = 1024, AT_POLICY = 2048, AT_XDP = 3072, AT_RULESET = 5632, AT_END = 6656 };

static void spoil_byte(struct buf *b) { b->at[AT_PLAN + 512] ^= 1; }
static void spoil_last_member(struct buf *b) { b->at[AT_RULESET + 512 + 25] ^= 1; }
static void spoil_manifest(struct buf *b) { b->at[512 + 20] ^= 1; }
static void spoil_version(struct buf *b) { b->at[512 + 11] = '2'; }
static void spoil_padding(struct buf *b) { b->at[AT_PLAN + 512 + 100] = 'x'; }
static void spoil_mode(struct buf *b) { b->at[AT_PLAN + 100 + 3] = '7'; }
static void spoil_time(struct buf *b) { b->at[AT_XDP + 136 + 5] = '7'; }
static void spoil_link(struct buf *b) { b->at[AT_XDP + 156] = '2'; }
static void spoil_name(struct buf *b) { b->at[AT_PLAN] = 'x'; }
static void spoil_size(struct buf *b) { b->at[AT_PLAN + 124] = '7'; }
static void spoil_size_digit(struct buf *b) { b->at[AT_PLAN + 124] = '9'; }
static void spoil_magic(struct buf *b) { b->at[0 + 257] = 'U'; }
static void spoil_end(struct buf *b) { b->at[AT_END + 700] = 1; }
static void cut_end(struct buf *b) { b->len -= 1; }
static void cut_block(struct buf *b) { b->len = AT_RULESET + 512; }
static void cut_half(struct buf *b) { b->len = AT_XDP + 100; }
static void cut_all(struct buf *b) { b->len = 0; }
static void add_junk(struct buf *b) { buf_add(b, "x", 1); }
static void add_zeros(struct buf *b) { for (int i = 0; i < 512; i++) buf_add(b, "", 1); }

static void swap_members(struct buf *b)
{
	char held[1024];

	memcpy(held, b->at + AT_PLAN, 1024);
	memcpy(b->at + AT_PLAN, b->at + AT_POLICY, 1024);
	memcpy(b->at + AT_POLICY, held, 1024);
}

static void repeat_member(struct buf *b)
{
	memmove(b->at + AT_POLICY, b->at + AT_PLAN, 1024);
}

static void lose_member(struct buf *b)
{
	memmove(b->at + AT_PLAN, b->at + AT_POLICY, b->len - AT_POLICY);
	b->len -= AT_POLICY - AT_PLAN;
}

static void foreign(struct buf *b)
{
	b->len = 0;
	for (int i = 0; i < 2000; i++)
		buf_puts(b, "not a bundle at all ");
}

static const struct {
	const char *claim;
	void (*spoil)(struct buf *b);
	const char *says;
} spoilt[] = {
	{ "an altered byte", spoil_byte, "plan is not what the manifest says" },
	{ "an altered byte in the last member", spoil_last_member, "nft/ruleset.nft is not what the manifest says" },
	{ "an altered manifest", spoil_manifest, "is not what the manifest says" },
	{ "another version", spoil_version, "not a bundle of version 1" },
	{ "something in the padding", spoil_padding, "something is hidden behind plan" },
	{ "another mode", spoil_mode, "the header of plan is not as tegc writes it" },
	{ "another time", spoil_time, "the header of xdp/policy.o is not as tegc writes it" },
	{ "a symbolic link", spoil_link, "the header of xdp/policy.o is not as tegc writes it" },
	{ "an unknown member", spoil_name, "member xlan stands where plan belongs" },
	{ "members in another order", swap_members, "member policy/resolved.teg stands where plan belongs" },
	{ "a member twice", repeat_member, "member plan stands where policy/resolved.teg belongs" },
	{ "a member missing", lose_member, "member policy/resolved.teg stands where plan belongs" },
	{ "a size beyond all limits", spoil_size, "the size of plan is out of range" },
	{ "a size that is no number", spoil_size_digit, "the size of plan is out of range" },
	{ "no tar", spoil_magic, "not a bundle" },
	{ "a foreign file", foreign, "not a bundle" },
	{ "an empty file", cut_all, "truncated before manifest" },
	{ "cut in a header", cut_half, "truncated before xdp/policy.o" },
	{ "cut in a member", cut_block, "truncated in nft/ruleset.nft" },
	{ "cut at the end", cut_end, "truncated at the end" },
	{ "a member too many", spoil_end, "a member too many" },
	{ "a byte behind the end", add_junk, "1 bytes behind the end" },
	{ "zeros behind the end", add_zeros, "512 bytes behind the end" },
};

static void test_spoilt(void)
{
	for (size_t i = 0; i < ARRAY_LEN(spoilt); i++) {
		own(buf) struct buf b = sealed();
		own(bundle) struct bundle *out = NULL;
		struct err why = { 0 };

		spoilt[i].spoil(&b);
		int rc = bundle_open(&out, b.at, b.len, &why);
		if (!tap_ok(rc < 0 && !out && strstr(why.text, spoilt[i].says), "refused: %s", spoilt[i].claim))
			tap_note("%d %s", rc, why.text);
	}
}

/* One flipped bit anywhere, and every shorter length. */
static void test_every_bit(void)
{
	own(buf) struct buf b = sealed();
	own(mem) uint8_t *copy = malloc(b.len);
	struct err why;
	size_t passed = 0, passed_short = 0;

	for (size_t i = 0; i < b.len * 8; i += 3) {
		own(bundle) struct bundle *out = NULL;
		memcpy(copy, b.at, b.len);
		copy[i / 8] ^= (uint8_t)(1 << i % 8);
		passed += bundle_open(&out, copy, b.len, &why) == 0;
	}
	for (size_t len = 0; len < b.len; len += 7) {
		own(bundle) struct bundle *out = NULL;
		own(mem) uint8_t *shorter = malloc(len + 1);
		memcpy(shorter, b.at, len);
		passed_short += bundle_open(&out, shorter, len, &why) == 0;
	}
	tap_num(passed, 0, "no flipped bit goes unseen");
	tap_num(passed_short, 0, "no cut goes unseen");
}

int main(void)
{
	test_round();
	test_pieces();
	test_when_needed();
	test_signed();
	test_signed_spoilt();
	test_tar_lists();
	test_spoilt();
	test_every_bit();
	return tap_done();
}
