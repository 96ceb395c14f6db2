#include "lang/bundle/bundle.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lang/bundle/seal.h"

/*
 * A tar by hand rather than by a library: the reader stands in the privileged
 * process, and accepts exactly one spelling of each archive. A member's header
 * is compared with the one that bundle_write() would have made.
 */

#define BLOCK	  512u
#define MANIFEST  "manifest"
#define HEADING	  "teg-bundle 1\n"
#define SIGNATURE "signature"

/* Every member but the manifest and the signature, in the order in which they stand. */
static const struct {
	const char *name;
	bool when_needed; /* may be missing */
} member_rows[] = {
	{ "plan", false },
	{ "policy/resolved.teg", false },
	{ "xdp/policy.o", false },
	{ "tc/policy.o", true },
	{ "nft/posture.batch", false },
	{ "nft/epiderme.batch", false },
	{ "nft/ruleset.nft", false },
	{ "drill", true },
	{ "derme.tegd", true },
	{ "playbooks.tegp", true },
};
#define MEMBERS (sizeof member_rows / sizeof *member_rows)

/* POSIX.1-1988 ustar, as pax(1) describes it. */
struct tar_header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100];
	char magic[6], version[2], uname[32], gname[32], major[8], minor[8], prefix[155], pad[12];
};
_Static_assert(sizeof(struct tar_header) == BLOCK, "tar");

struct bundle {
	struct digest id;
	struct bundle_member members[MEMBERS + 2]; /* the manifest first, a signature last */
	size_t count;
	size_t listed; /* in the manifest: all but itself and the signature */
};

static size_t padded(size_t len)
{
	return (len + BLOCK - 1) / BLOCK * BLOCK;
}

static struct tar_header header_of(const char *name, size_t len)
{
	struct tar_header h = { 0 };
	unsigned sum = 0;

	assert(strlen(name) < sizeof h.name && len <= BUNDLE_BYTES_MAX);
	strcpy(h.name, name);
	strcpy(h.mode, "0000644");
	strcpy(h.uid, "0000000");
	strcpy(h.gid, "0000000");
	snprintf(h.size, sizeof h.size, "%011o", (unsigned)len);
	strcpy(h.mtime, "00000000000");
	h.type = '0';
	memcpy(h.magic, "ustar", 6);
	memcpy(h.version, "00", 2);

	/* The sum counts its own field as eight spaces. */
	memset(h.checksum, ' ', sizeof h.checksum);
	for (size_t i = 0; i < sizeof h; i++)
		sum += ((const unsigned char *)&h)[i];
	snprintf(h.checksum, sizeof h.checksum, "%06o", sum);
	return h;
}

static int by_name(const void *x, const void *y)
{
	const struct bundle_member *a = x, *b = y;

	return strcmp(a->name, b->name);
}

static int member_digest(struct digest *out, const struct bundle_member *m, struct err *why)
{
	struct piece whole = { m->bytes, m->len, m->in };

	if (!m->digest)
		return digest_of_pieces(out, &(struct pieces){ &whole, 1 }, why);
	snprintf(out->hex, sizeof out->hex, "%s", m->digest);
	return 0;
}

static int manifest_print(struct buf *out, const struct bundle_member *members, size_t count, struct err *why)
{
	struct bundle_member sorted[MEMBERS];
	struct digest d;

	assert(count <= MEMBERS);
	memcpy(sorted, members, count * sizeof *sorted);
	qsort(sorted, count, sizeof *sorted, by_name);
	buf_puts(out, HEADING);
	for (size_t i = 0; i < count; i++) {
		if (member_digest(&d, &sorted[i], why))
			return err_in(why, "%s", sorted[i].name);
		buf_printf(out, "%s %zu %s\n", d.hex, sorted[i].len, sorted[i].name);
	}
	return 0;
}

static void member_write(struct buf *out, const char *name, const void *bytes, size_t len)
{
	static const char zeros[BLOCK];
	struct tar_header h = header_of(name, len);

	buf_add(out, &h, sizeof h);
	buf_add(out, bytes, len);
	buf_add(out, zeros, padded(len) - len);
}

static void end_write(struct buf *out)
{
	static const char end[2 * BLOCK];

	buf_add(out, end, sizeof end);
}

/* In the order of the rows, none left out that must be there. */
static bool members_are_in_order(const struct bundle_member *members, size_t count)
{
	size_t next = 0;

	for (size_t i = 0; i < MEMBERS; i++) {
		if (next < count && !strcmp(members[next].name, member_rows[i].name))
			next++;
		else if (!member_rows[i].when_needed)
			return false;
	}
	return next == count;
}

/* Room for members, each its header, its bytes and what fills its last block; and for the end. */
struct laying {
	struct arena *arena;
	struct pieces out;
};

static void lay(struct laying *l, struct piece p)
{
	if (p.len)
		l->out.at[l->out.count++] = p;
}

static void lay_member(struct laying *l, const char *name, struct piece bytes)
{
	static const char zeros[BLOCK];
	struct tar_header h = header_of(name, bytes.len);

	lay(l, (struct piece){ .at = arena_copy(l->arena, &h, sizeof h), .len = sizeof h });
	lay(l, bytes);
	lay(l, (struct piece){ .at = zeros, .len = padded(bytes.len) - bytes.len });
}

int bundle_pieces(struct pieces *out, struct arena *a, const struct bundle_member *members, size_t count, struct err *why)
{
	static const char end[2 * BLOCK];
	own(buf) struct buf manifest = { 0 };
	struct laying l = { .arena = a };

	assert(members_are_in_order(members, count));
	l.out.at = arena_zero(a, (3 * (count + 1) + 1) * sizeof *l.out.at);
	if (manifest_print(&manifest, members, count, why))
		return why->code;
	lay_member(&l, MANIFEST, (struct piece){ .at = arena_copy(a, manifest.at, manifest.len), .len = manifest.len });
	for (size_t i = 0; i < count; i++)
		lay_member(&l, members[i].name, (struct piece){ members[i].bytes, members[i].len, members[i].in });
	lay(&l, (struct piece){ .at = end, .len = sizeof end });
	*out = l.out;
	return 0;
}

void bundle_write(struct buf *out, const struct bundle_member *members, size_t count)
{
	own(arena) struct arena *a = arena_new();
	struct pieces p = { 0 };
	const int rc = bundle_pieces(&p, a, members, count, &(struct err){ 0 });

	assert(!rc);
	buf_reserve(out, pieces_len(&p));
	for (size_t i = 0; i < p.count; i++)
		buf_add(out, p.at[i].at, p.at[i].len);
}

/* The manifest's lines are of 100 bytes and a name each, at most. */
bool bundle_fits(const struct bundle_member *members, size_t count, struct err *why)
{
	size_t len = BLOCK + padded(sizeof HEADING + count * (100 + sizeof ((struct tar_header *)0)->name)) + 2 * BLOCK;

	for (size_t i = 0; i < count; i++)
		len += BLOCK + padded(members[i].len);
	if (len > BUNDLE_BYTES_MAX)
		err_set(why, EFBIG, "%zu bytes, more than %zu", len, BUNDLE_BYTES_MAX);
	return len <= BUNDLE_BYTES_MAX;
}

void bundle_write_signed(struct buf *out, const struct bundle *b, const void *signature, size_t len)
{
	for (size_t i = 0; i < b->listed + 1; i++)
		member_write(out, b->members[i].name, b->members[i].bytes, b->members[i].len);
	member_write(out, SIGNATURE, signature, len);
	end_write(out);
}

/* --- reading ------------------------------------------------------------------------ */

struct reader {
	const uint8_t *at;
	size_t left;
};

/* Eleven octal digits and a NUL. */
static bool size_parse(const char field[static 12], size_t *out)
{
	size_t size = 0;

	for (int i = 0; i < 11; i++) {
		if (field[i] < '0' || field[i] > '7')
			return false;
		size = size << 3 | (size_t)(field[i] - '0');
	}
	*out = size;
	return field[11] == '\0';
}

static int member_read(struct reader *r, const char *name, struct bundle_member *out,
		       struct err *why)
{
	struct tar_header h;
	size_t len;

	if (r->left < sizeof h)
		return err_set(why, EINVAL, "truncated before %s", name);
	memcpy(&h, r->at, sizeof h);
	if (memcmp(h.magic, "ustar", 6))
		return err_set(why, EINVAL, "not a bundle: no tar header where %s belongs", name);
	if (strncmp(h.name, name, sizeof h.name))
		return err_set(why, EINVAL, "member %.100s stands where %s belongs", h.name, name);
	if (!size_parse(h.size, &len) || len > BUNDLE_BYTES_MAX)
		return err_set(why, EINVAL, "the size of %s is out of range", name);

	struct tar_header wanted = header_of(name, len);
	if (memcmp(&h, &wanted, sizeof h))
		return err_set(why, EINVAL, "the header of %s is not as tegc writes it", name);
	if (padded(len) > r->left - sizeof h)
		return err_set(why, EINVAL, "truncated in %s", name);

	*out = (struct bundle_member){ .name = name, .bytes = r->at + sizeof h, .len = len };
	for (size_t i = len; i < padded(len); i++)
		if (r->at[sizeof h + i])
			return err_set(why, EINVAL, "something is hidden behind %s", name);
	r->at += sizeof h + padded(len);
	r->left -= sizeof h + padded(len);
	return 0;
}

static bool comes_next(const struct reader *r, const char *name)
{
	return r->left >= sizeof(struct tar_header) && !memcmp(r->at, name, strlen(name) + 1);
}

static int members_read(struct reader *r, struct bundle *b, struct err *why)
{
	int rc = member_read(r, MANIFEST, &b->members[b->count++], why);

	for (size_t i = 0; !rc && i < MEMBERS; i++) {
		if (member_rows[i].when_needed && !comes_next(r, member_rows[i].name))
			continue;
		rc = member_read(r, member_rows[i].name, &b->members[b->count++], why);
	}
	b->listed = b->count - 1;
	return rc;
}

/* Read when it is there: then its name is what comes next. */
static int signature_read(struct reader *r, struct bundle *b, struct err *why)
{
	struct bundle_member *m = &b->members[b->count];
	struct seal ignored;

	if (!comes_next(r, SIGNATURE))
		return 0;
	int rc = member_read(r, SIGNATURE, m, why);
	if (rc || (rc = seal_parse(&ignored, m->bytes, m->len, why)))
		return rc;
	b->count++;
	return 0;
}

static int end_read(const struct reader *r, const char *last, struct err *why)
{
	static const char end[2 * BLOCK];

	if (r->left < sizeof end)
		return err_set(why, EINVAL, "truncated at the end");
	if (memcmp(r->at, end, sizeof end))
		return err_set(why, EINVAL, "a member too many after %s", last);
	if (r->left > sizeof end)
		return err_set(why, EINVAL, "%zu bytes behind the end", r->left - sizeof end);
	return 0;
}

/* Which line differs: that is the member that was altered, when its header was not. */
static int manifest_differs(const struct bundle_member *manifest, const struct buf *wanted,
			    struct err *why)
{
	const char *a = manifest->bytes, *b = wanted->at;
	size_t most = manifest->len < wanted->len ? manifest->len : wanted->len;
	size_t same = 0;

	while (same < most && a[same] == b[same])
		same++;
	if (same < strlen(HEADING))
		return err_set(why, EINVAL, "not a bundle of version 1");
	if (same == wanted->len)
		return err_set(why, EINVAL, "the manifest lists more than there is");

	const char *end = memchr(b + same, '\n', wanted->len - same);
	const char *name = end;
	while (name[-1] != ' ' && name[-1] != '\n')
		name--;
	return err_set(why, EINVAL, "%.*s is not what the manifest says (SHA-256 and size)",
		       (int)(end - name), name);
}

static int members_hold(const struct bundle *b, struct err *why)
{
	const struct bundle_member *manifest = &b->members[0];
	own(buf) struct buf wanted = { 0 };

	if (manifest_print(&wanted, b->members + 1, b->listed, why))
		return why->code;
	if (manifest->len == wanted.len && !memcmp(manifest->bytes, wanted.at, wanted.len))
		return 0;
	return manifest_differs(manifest, &wanted, why);
}

int bundle_open(struct bundle **out, const void *bytes, size_t len, struct err *why)
{
	own(bundle) struct bundle *b = calloc(1, sizeof *b);
	struct reader r = { bytes, len };
	int rc;

	if (!b)
		return err_set(why, ENOMEM, "no memory for a bundle");
	if (len > BUNDLE_BYTES_MAX)
		return err_set(why, EFBIG, "%zu bytes, more than %zu", len, BUNDLE_BYTES_MAX);
	if ((rc = members_read(&r, b, why)) || (rc = signature_read(&r, b, why)) ||
	    (rc = end_read(&r, b->members[b->count - 1].name, why)) || (rc = members_hold(b, why)))
		return rc;

	b->id = digest_of(b->members[0].bytes, b->members[0].len);
	*out = take(b);
	return 0;
}

void bundle_free(struct bundle *b)
{
	free(b);
}

const struct digest *bundle_id(const struct bundle *b)
{
	return &b->id;
}

const struct bundle_member *bundle_find(const struct bundle *b, const char *name)
{
	for (size_t i = 0; i < b->count; i++)
		if (!strcmp(b->members[i].name, name))
			return &b->members[i];
	return NULL;
}

const struct bundle_member *bundle_members(const struct bundle *b, size_t *count)
{
	*count = b->count;
	return b->members;
}
