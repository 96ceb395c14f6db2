#include "enforcer/warden/feeds/nft.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "enforcer/warden/feeds/feeds.h"
#include "lang/base/file.h"
#include "lang/base/memory.h"
#include "lang/base/wire.h"
#include "lang/bundle/nft_name.h"

/* nft's sets of a feed; what is made anew has other handles. */
struct sets {
	uint64_t table, set[FAMILY_COUNT];
	bool there;
};

/* What they hold, as far as this process put it there. */
struct filled {
	struct filled *next;
	char name[PLAN_FEED_NAME_MOST + 1];
	struct sets sets;
	struct feed *is; /* a content of its own; NULL: nothing */
	bool read;	 /* from the file of an earlier process: true only of what is adopted */
};

static void filled_free(struct filled *f)
{
	if (f)
		feed_free(f->is);
	free(f);
}

/*
 * feeds/.nft says what the sets hold, by their handles. It is taken back before they are changed and written again after, so
 * that whoever dies in between leaves nothing said.
 */
#define NOTES_MAGIC "tegfill1"
#define NOTES_BYTES_MAX 65536

static void notes_path(char out[static PATH_MAX], const struct kernel *k)
{
	snprintf(out, PATH_MAX, "%s/feeds/.nft", k->settings->state_dir);
}

struct noting {
	const struct kernel *k;
	const char *but;
	bool said;
};

static void note_filled(void *context)
{
	struct noting *n = context;
	own(buf) struct buf bytes = { 0 };
	char path[PATH_MAX];
	struct err ignored;

	buf_puts(&bytes, NOTES_MAGIC);
	for (const struct filled *f = n->k->feeds->filled; f; f = f->next) {
		if (n->but && !strcmp(f->name, n->but))
			continue;
		wire_put_str(&bytes, f->name);
		wire_put_str(&bytes, f->is ? f->is->digest.hex : "");
		wire_put_u64(&bytes, f->sets.table);
		for (unsigned family = 0; family < FAMILY_COUNT; family++)
			wire_put_u64(&bytes, f->sets.set[family]);
	}
	const struct digest is = digest_of(bytes.at, bytes.len);
	wire_put_str(&bytes, is.hex);
	notes_path(path, n->k);
	n->said = !file_replace(path, bytes.at, bytes.len, 0600, &ignored);
}

/*
 * But for one, whose sets are being changed. What cannot be written, for want of memory too, is not said, and the next process
 * fills anew: a change that is half-way must not end here.
 */
static void notes_write(const struct kernel *k, const char *but)
{
	struct noting n = { k, but, false };
	char path[PATH_MAX];

	notes_path(path, k);
	if (!memory_try(note_filled, &n) || !n.said)
		unlink(path);
}

static void filled_own_(struct filled **f)
{
	filled_free(*f);
}

void feeds_filled_free(struct kernel *k)
{
	while (k->feeds && k->feeds->filled) {
		struct filled *next = k->feeds->filled->next;

		filled_free(k->feeds->filled);
		k->feeds->filled = next;
	}
}

static struct filled *filled_find(const struct kernel *k, const char *name)
{
	struct filled *f = k->feeds->filled;

	while (f && strcmp(f->name, name) != 0)
		f = f->next;
	return f;
}

typedef VEC(struct addr_range) ranges;

static bool range_before(const struct addr_range *x, const struct addr_range *y)
{
	return x->lo != y->lo ? x->lo < y->lo : x->hi < y->hi;
}

/* Ranges that only the one has, or only the other: both are ascending. */
static void differ(struct arena *a, const struct feed_content *was, const struct feed_content *is, enum family f, ranges *gone,
		   ranges *come)
{
	uint32_t old_at = 0, new_at = 0;
	struct addr_range old, new;
	bool has_old = feed_range(was, f, &old_at, &old), has_new = feed_range(is, f, &new_at, &new);

	while (has_old || has_new) {
		const bool only_old = has_old && (!has_new || range_before(&old, &new));
		const bool only_new = has_new && (!has_old || range_before(&new, &old));

		if (only_old)
			vec_push(a, gone, old);
		if (only_new)
			vec_push(a, come, new);
		if (!only_new)
			has_old = feed_range(was, f, &old_at, &old);
		if (!only_old)
			has_new = feed_range(is, f, &new_at, &new);
	}
}

/* From what the sets are known to hold; with nothing known, all is taken out first. */
static void change_sets(struct filter_change *c, const char *name, const struct filled *was, const struct feed *is)
{
	static const struct feed_content nothing;
	const struct feed_content *from = was && was->is ? &was->is->content : &nothing;
	const struct feed_content *to = is ? &is->content : &nothing;

	for (unsigned f = 0; f < FAMILY_COUNT; f++) {
		own(arena) struct arena *a = arena_new();
		const char *set = nft_feed_set(a, name, (enum family)f);
		ranges gone = { 0 }, come = { 0 };

		differ(a, from, to, (enum family)f, &gone, &come);
		if (!was)
			filter_change_empty(c, FILTER_NETDEV, set);
		filter_change_ranges(c, FILTER_NETDEV, set, (enum family)f, gone.at, gone.len, false);
		filter_change_ranges(c, FILTER_NETDEV, set, (enum family)f, come.at, come.len, true);
	}
}

static int copy_of(struct feed **out, const struct feed *f, struct err *why)
{
	own(buf) struct buf bytes = { 0 };

	*out = NULL;
	if (!f)
		return 0;
	buf_add(&bytes, f->packed.at, f->packed.len);
	return feed_new(out, f->name, &bytes, TEG_FEED_ENTRIES_MAX, why);
}

/* A note of what the sets will hold, made before they do: later it cannot fail. */
static int filled_new(struct filled **out, const char *name, const struct feed *is, struct err *why)
{
	own(filled) struct filled *f = calloc(1, sizeof *f);

	if (!f)
		return err_set(why, ENOMEM, "no memory for a feed");
	int rc = copy_of(&f->is, is, why);
	if (rc)
		return rc;
	memcpy(f->name, name, strlen(name) + 1);
	*out = take(f);
	return 0;
}

/* NULL: that is not known any more. */
static void filled_is(struct kernel *k, const char *name, struct filled *is)
{
	struct filled **at = &k->feeds->filled;

	while (*at && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	if (*at) {
		struct filled *was = *at;

		*at = was->next;
		filled_free(was);
	}
	if (is) {
		is->next = k->feeds->filled;
		k->feeds->filled = is;
	}
}

void feed_filled_not(struct kernel *k, const char *name)
{
	filled_is(k, name, NULL);
}

static int sets_find(struct sets *out, struct kernel *k, const char *name, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct filter_live live;
	unsigned there = 0;
	int rc = filter_look(k->filter, &live, FILTER_WANT_SETS | FILTER_WANT_TABLES, a, why);

	*out = (struct sets){ 0 };
	for (unsigned f = 0; !rc && f < FAMILY_COUNT; f++) {
		const char *set = nft_feed_set(a, name, (enum family)f);

		for (size_t i = 0; i < live.set_count; i++) {
			if (live.sets[i].table != FILTER_NETDEV || strcmp(live.sets[i].name, set) != 0)
				continue;
			out->set[f] = live.sets[i].handle;
			there++;
		}
	}
	out->table = rc ? 0 : live.handles[FILTER_NETDEV];
	out->there = there == FAMILY_COUNT;
	return rc;
}

int feed_has_sets(struct kernel *k, const char *name, struct err *why)
{
	struct sets sets;
	int rc = sets_find(&sets, k, name, why);

	if (!rc && !sets.there)
		rc = err_set(why, ENOENT, "nft judges what arrives, and its sets of the feed %s are gone: somebody else has removed them", name);
	return rc;
}

/* The note of what these very sets hold; another one is of sets that went, and goes. */
static struct filled *filled_in(struct kernel *k, const char *name, const struct sets *sets)
{
	struct filled *f = filled_find(k, name);

	if (!f || (sets->there && f->sets.table == sets->table && !memcmp(f->sets.set, sets->set, sizeof sets->set)))
		return f;
	filled_is(k, name, NULL);
	return NULL;
}

/* One row of the file: of a content that is kept, or of none. */
static bool notes_row(struct kernel *k, struct wire_in *in, struct arena *a)
{
	const char *name = wire_get_str(in, a), *digest = wire_get_str(in, a);
	const struct feed *kept = feeds_kept(k, name);
	struct sets sets = { .table = wire_get_u64(in), .there = true };
	struct filled *f;
	struct err ignored;

	for (unsigned family = 0; family < FAMILY_COUNT; family++)
		sets.set[family] = wire_get_u64(in);
	if (in->bad)
		return false;
	if (strlen(name) > PLAN_FEED_NAME_MOST || (*digest && (!kept || strcmp(digest, kept->digest.hex) != 0)) ||
	    filled_new(&f, name, *digest ? kept : NULL, &ignored))
		return true; /* the next, perhaps */
	f->sets = sets;
	f->read = true;
	filled_is(k, name, f);
	return true;
}

void feeds_filled_read(struct kernel *k)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf bytes = { 0 };
	const size_t end = 4 + DIGEST_HEX, magic = strlen(NOTES_MAGIC);
	char path[PATH_MAX];
	struct err ignored;

	notes_path(path, k);
	if (file_read(&bytes, path, NOTES_BYTES_MAX, &ignored) || bytes.len < magic + end || memcmp(bytes.at, NOTES_MAGIC, magic) != 0)
		return;
	const struct digest is = digest_of(bytes.at, bytes.len - end);
	if (memcmp(bytes.at + bytes.len - DIGEST_HEX, is.hex, DIGEST_HEX) != 0)
		return;
	struct wire_in in = { (const uint8_t *)bytes.at + magic, bytes.len - magic - end, false };
	while (in.left && notes_row(k, &in, a))
		;
}

void feeds_adopted(struct kernel *k)
{
	for (struct filled *f = k->feeds ? k->feeds->filled : NULL; f; f = f->next)
		f->read = false;
}

void feeds_doubt(struct kernel *k)
{
	struct filled *next;

	for (struct filled *f = k->feeds ? k->feeds->filled : NULL; f; f = next) {
		next = f->next;
		if (f->read)
			filled_is(k, f->name, NULL);
	}
}

static bool holds(const struct filled *f, const struct feed *is)
{
	return f && (is ? f->is && !strcmp(f->is->digest.hex, is->digest.hex) : !f->is || !feed_prefixes(f->is));
}

static int change_to(struct kernel *k, const char *name, const struct filled *was, const struct feed *is, struct err *why)
{
	own(filter_change) struct filter_change c = { 0 };

	change_sets(&c, name, was, is);
	return filter_commit(k->filter, &c, why);
}

/*
 * What the sets of a feed hold becomes this, where nft has them. When they did not hold what was noted, as when somebody
 * took an element out, the difference is refused, and they are filled anew.
 */
int feed_fill(struct kernel *k, const char *name, const struct feed *is, struct err *why)
{
	own(filled) struct filled *note = NULL;
	struct sets sets;
	int rc = sets_find(&sets, k, name, why);
	const struct filled *was = rc ? NULL : filled_in(k, name, &sets);

	if (rc || !sets.there || holds(was, is))
		return rc;
	rc = filled_new(&note, name, is, why);
	if (rc)
		return rc;
	note->sets = sets;
	notes_write(k, name);
	rc = change_to(k, name, was, is, why);
	if (rc && was)
		rc = change_to(k, name, NULL, is, why);
	filled_is(k, name, rc ? NULL : take(note));
	notes_write(k, NULL);
	return rc ? err_in(why, "feed %s", name) : 0;
}

