#include "enforcer/warden/feeds.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "enforcer/proc/say.h"
#include "enforcer/warden/feeds_keep.h"
#include "enforcer/warden/generation_parts.h"
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

struct feeds {
	struct feed *kept;
	struct filled *filled;
};

static void filled_free(struct filled *f)
{
	if (f)
		feed_free(f->is);
	free(f);
}

/* ---- what nft has, for the next process ------------------------------------------------- */

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

void feeds_close(struct kernel *k)
{
	struct feeds *all = k->feeds;

	while (all && all->kept) {
		struct feed *next = all->kept->next;

		feed_free(all->kept);
		all->kept = next;
	}
	while (all && all->filled) {
		struct filled *next = all->filled->next;

		filled_free(all->filled);
		all->filled = next;
	}
	free(all);
	k->feeds = NULL;
}

static struct feed *kept_find(const struct kernel *k, const char *name)
{
	struct feed *f = k->feeds ? k->feeds->kept : NULL;

	while (f && strcmp(f->name, name) != 0)
		f = f->next;
	return f;
}

/* ---- what is in force ---------------------------------------------------------------- */

/* A clock that was set back makes nothing older. */
static uint64_t age_of(const struct feed *f)
{
	const uint64_t now = (uint64_t)time(NULL);

	return now > f->loaded ? now - f->loaded : 0;
}

static bool is_stale(const struct plan_feed *p, const struct feed *f)
{
	return f && age_of(f) >= p->stale_s;
}

/* What of the kept is on the feed now, or NULL. */
static const struct feed *in_force(const struct plan_feed *p, const struct feed *kept)
{
	return !kept || (is_stale(p, kept) && !p->stale_keeps) ? NULL : kept;
}

static uint32_t prefixes_of(const struct feed *f)
{
	return f ? f->content.count[FAMILY_IP4] + f->content.count[FAMILY_IP6] : 0;
}

/* ---- programs ---------------------------------------------------------------------------- */

static uint32_t gather(struct plan_prefix *to, const struct feed *f, uint64_t bit)
{
	uint32_t len = 0;

	for (unsigned family = 0; f && family < FAMILY_COUNT; family++)
		for (uint32_t i = 0; i < f->content.count[family]; i++)
			to[len++] = (struct plan_prefix){ feed_at(&f->content, (enum family)family, i), bit };
	return len;
}

/* `with` stands in for the kept content of its name. */
static int make_atlas(struct atlas *out, const struct plan *p, const struct kernel *k, const struct feed *with, struct err *why)
{
	own(mem) struct plan_prefix *all = NULL;
	uint32_t len = 0, feeds = 0;
	const struct feed *is[TEG_FEEDS_MAX];

	*out = (struct atlas){ 0 };
	for (uint32_t i = 0; i < p->feed_count; i++) {
		const bool other = with && !strcmp(with->name, p->feeds[i].name);

		is[i] = in_force(&p->feeds[i], other ? with : kept_find(k, p->feeds[i].name));
		len += prefixes_of(is[i]);
		feeds += prefixes_of(is[i]) > 0;
	}
	if (!len)
		return 0;
	all = calloc(len, sizeof *all);
	if (!all)
		return err_set(why, ENOMEM, "no memory for feeds of %u prefixes", len);
	len = 0;
	for (uint32_t i = 0; i < p->feed_count; i++)
		len += gather(all + len, is[i], 1ull << i);
	if (feeds > 1) /* one alone is in order */
		len = plan_prefixes_join(all, len);
	return atlas_build(out, all, len, why);
}

int feeds_atlas(struct atlas *out, const struct plan *p, const struct kernel *k, struct err *why)
{
	return make_atlas(out, p, k, NULL, why);
}

/* ---- nft --------------------------------------------------------------------------------------- */

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

/* NULL: what they hold is not known any more. */
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
	const struct feed *kept = kept_find(k, name);
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

static void notes_read(struct kernel *k)
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
	return f && (is ? f->is && !strcmp(f->is->digest.hex, is->digest.hex) : !f->is || !prefixes_of(f->is));
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
static int fill(struct kernel *k, const char *name, const struct feed *is, struct err *why)
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

int feeds_fill(struct kernel *k, const struct plan *p, struct err *why)
{
	int rc = 0;

	for (uint32_t i = 0; i < p->feed_count && !rc; i++)
		rc = fill(k, p->feeds[i].name, in_force(&p->feeds[i], kept_find(k, p->feeds[i].name)), why);
	return rc;
}

int feeds_open(struct kernel *k, struct err *why)
{
	k->feeds = calloc(1, sizeof *k->feeds);
	if (!k->feeds)
		return err_set(why, ENOMEM, "no memory for feeds");
	int rc = feeds_read(&k->feeds->kept, k->settings->state_dir, why);
	notes_read(k);
	return rc;
}

/* ---- another content ------------------------------------------------------------------------- */

static const struct plan_feed *plan_find(const struct plan *p, const char *name)
{
	for (uint32_t i = 0; i < p->feed_count; i++)
		if (!strcmp(p->feeds[i].name, name))
			return &p->feeds[i];
	return NULL;
}

struct replacing {
	struct generation *g;
	struct kernel *k;
	const struct feed_given *ask;
	int fd;
	struct refusal *no;
	struct feed *next;
	int rc;
};

static void replacing_own_(struct replacing *r)
{
	feed_free(r->next);
}

static int refuse(struct replacing *r, enum result_code code)
{
	r->no->part = "feeds";
	r->no->code = code;
	return r->no->why.code;
}

/* Somebody else's descriptor: only a file can be read to its end without waiting. */
static int read_given(struct replacing *r, const struct plan_feed *p)
{
	own(buf) struct buf bytes = { 0 };
	struct err *why = &r->no->why;
	struct stat st;
	int rc;

	if (fstat(r->fd, &st) || !S_ISREG(st.st_mode) || lseek(r->fd, 0, SEEK_SET))
		return err_set(why, EINVAL, "the feed's descriptor is no file");
	rc = file_read_fd(&bytes, r->fd, FEED_PACK_BYTES_MAX(p->most), why);
	if (!rc && r->ask->entries > p->most)
		rc = err_set(why, E2BIG, "the feed %s has at most %u entries, not %u", p->name, p->most, r->ask->entries);
	if (!rc)
		rc = feed_new(&r->next, p->name, &bytes, p->most, why);
	if (rc)
		return rc;
	r->next->loaded = (uint64_t)time(NULL);
	r->next->entries = r->ask->entries;
	return 0;
}

/* Written beside the tables that are read, where it harms nobody. */
static int feed_programs(struct generation *g, const struct kernel *k, const struct feed *with, struct err *why)
{
	own(atlas) struct atlas atlas = { 0 };

	if (!g->tables)
		return 0;
	int rc = make_atlas(&atlas, &g->plan, k, with, why);
	return rc ? rc : tables_feed(g->tables, atlas.at ? &atlas : NULL, why);
}

static int switch_programs(struct generation *g, struct err *why)
{
	if (!g->tables)
		return 0;
	int rc = tables_fed(g->tables, why);
	kernel_wait_for_packets(); /* who reads the other bank, which the next content is written to */
	return rc;
}

static void keep_in_memory(struct replacing *r)
{
	struct feed **at = &r->k->feeds->kept;

	while (*at && strcmp((*at)->name, r->next->name) != 0)
		at = &(*at)->next;
	struct feed *was = *at;
	if (was) {
		*at = was->next;
		feed_free(was);
	}
	r->next->next = r->k->feeds->kept;
	r->k->feeds->kept = take(r->next);
}

/* nft, the file, the programs. What came before a step that fails goes back. */
static int put(struct replacing *r, const struct plan_feed *p)
{
	const char *dir = r->k->settings->state_dir;
	struct err *why = &r->no->why, ignored;
	int rc = fill(r->k, p->name, in_force(p, r->next), why);

	if (rc) {
		feed_keep_not(dir, p->name);
		return refuse(r, RESULT_CANNOT);
	}
	rc = feed_keep(dir, p->name, why);
	if (rc) {
		feed_keep_not(dir, p->name);
		fill(r->k, p->name, in_force(p, kept_find(r->k, p->name)), &ignored);
		return refuse(r, RESULT_CANNOT);
	}
	keep_in_memory(r);
	rc = switch_programs(r->g, why);
	return rc ? refuse(r, RESULT_FAILED) : 0;
}

static void replace(void *context)
{
	struct replacing *r = context;
	const struct plan_feed *p = plan_find(&r->g->plan, r->ask->name);
	struct err *why = &r->no->why;

	if (!p) {
		r->rc = err_set(why, ENOENT, "the policy has no feed %.128s", r->ask->name);
		refuse(r, RESULT_REFUSED);
		return;
	}
	r->rc = read_given(r, p);
	if (r->rc) {
		refuse(r, RESULT_REFUSED);
		return;
	}
	r->rc = feed_programs(r->g, r->k, r->next, why);
	if (!r->rc)
		r->rc = feed_keep_beside(r->k->settings->state_dir, r->next, why);
	if (r->rc)
		refuse(r, RESULT_CANNOT);
	else
		r->rc = put(r, p);
}

int feeds_replace(struct generation *g, struct kernel *k, const struct feed_given *ask, int fd, struct refusal *no)
{
	own(replacing) struct replacing r = { .g = g, .k = k, .ask = ask, .fd = fd, .no = no };

	if (k->feeds && memory_try(replace, &r))
		return r.rc;
	err_set(&no->why, ENOMEM, "tegd has not enough memory for this feed");
	return refuse(&r, RESULT_CANNOT);
}

/* ---- what time and others do ---------------------------------------------------------------------- */

struct following {
	struct generation *g;
	struct kernel *k;
	struct err *why;
	int rc;
};

static void follow(void *context)
{
	struct following *f = context;

	f->rc = feed_programs(f->g, f->k, NULL, f->why);
	if (!f->rc)
		f->rc = feeds_fill(f->k, &f->g->plan, f->why);
	if (!f->rc)
		f->rc = switch_programs(f->g, f->why);
}

static void note_cleared(const struct generation *g, struct kernel *k)
{
	for (uint32_t i = 0; i < g->plan.feed_count; i++) {
		struct feed *f = kept_find(k, g->plan.feeds[i].name);

		if (f)
			f->cleared = !in_force(&g->plan.feeds[i], f);
	}
}

int feeds_follow(struct generation *g, struct kernel *k, struct err *why)
{
	struct following f = { .g = g, .k = k, .why = why };

	if (!g->plan.feed_count || !k->feeds)
		return 0;
	if (!memory_try(follow, &f))
		return err_set(why, ENOMEM, "tegd has not enough memory for what is on the feeds");
	if (!f.rc)
		note_cleared(g, k);
	return f.rc ? err_in(why, "not everything knows what is on the feeds") : 0;
}

uint64_t feeds_in_ms(const struct generation *g, const struct kernel *k)
{
	uint64_t least = UINT64_MAX;

	for (uint32_t i = 0; g && i < g->plan.feed_count; i++) {
		const struct plan_feed *p = &g->plan.feeds[i];
		const struct feed *f = kept_find(k, p->name);

		if (!f || p->stale_keeps || f->cleared)
			continue;
		const uint64_t age = age_of(f), left = age < p->stale_s ? (p->stale_s - age) * 1000 : 0;
		least = left < least ? left : least;
	}
	return least;
}

void feeds_collect(struct kernel *k, const struct plan *p)
{
	struct feed **at = k->feeds ? &k->feeds->kept : NULL;

	while (at && *at) {
		struct feed *f = *at;

		if (plan_find(p, f->name)) {
			at = &f->next;
			continue;
		}
		*at = f->next;
		filled_is(k, f->name, NULL);
		feed_forget(k->settings->state_dir, f->name);
		feed_free(f);
	}
}

void feeds_tell(struct feeds_told *out, const struct generation *g, const struct kernel *k, struct arena *a)
{
	out->row_count = g->plan.feed_count;
	out->rows = arena_zero(a, (out->row_count + 1) * sizeof *out->rows);
	for (uint32_t i = 0; i < out->row_count; i++) {
		const struct plan_feed *p = &g->plan.feeds[i];
		const struct feed *f = kept_find(k, p->name);

		out->rows[i] = (struct feed_row){
			.name = p->name, .format = p->format, .member = p->member, .column = p->column, .most = p->most,
			.stale_s = p->stale_s, .stale_keeps = p->stale_keeps, .digest = f ? f->digest.hex : "",
			.loaded = f ? f->loaded : 0, .entries = f ? f->entries : 0, .prefixes = prefixes_of(f),
			.stale = is_stale(p, f), .in_force = in_force(p, f) != NULL,
		};
	}
}
