#include "enforcer/warden/feeds/feeds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "enforcer/warden/feeds/nft.h"
#include "enforcer/warden/generation/parts.h"
#include "lang/base/file.h"
#include "lang/base/memory.h"

void feeds_close(struct kernel *k)
{
	struct feeds *all = k->feeds;

	while (all && all->kept) {
		struct feed *next = all->kept->next;

		feed_free(all->kept);
		all->kept = next;
	}
	feeds_filled_free(k);
	free(all);
	k->feeds = NULL;
}

struct feed *feeds_kept(const struct kernel *k, const char *name)
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

		is[i] = in_force(&p->feeds[i], other ? with : feeds_kept(k, p->feeds[i].name));
		len += feed_prefixes(is[i]);
		feeds += feed_prefixes(is[i]) > 0;
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

int feeds_fill(struct kernel *k, const struct plan *p, struct err *why)
{
	int rc = 0;

	for (uint32_t i = 0; i < p->feed_count && !rc; i++)
		rc = feed_fill(k, p->feeds[i].name, in_force(&p->feeds[i], feeds_kept(k, p->feeds[i].name)), why);
	return rc;
}

int feeds_open(struct kernel *k, struct err *why)
{
	k->feeds = calloc(1, sizeof *k->feeds);
	if (!k->feeds)
		return err_set(why, ENOMEM, "no memory for feeds");
	int rc = feeds_read(&k->feeds->kept, k->settings->state_dir, why);
	feeds_filled_read(k);
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
	int rc = feed_fill(r->k, p->name, in_force(p, r->next), why);

	if (rc) {
		feed_keep_not(dir, p->name);
		return refuse(r, RESULT_CANNOT);
	}
	rc = feed_keep(dir, p->name, why);
	if (rc) {
		feed_keep_not(dir, p->name);
		feed_fill(r->k, p->name, in_force(p, feeds_kept(r->k, p->name)), &ignored);
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
	r->rc = ports_use(&r->g->ports, PORT_NFT) ? feed_has_sets(r->k, p->name, why) : 0;
	if (!r->rc)
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
		struct feed *f = feeds_kept(k, g->plan.feeds[i].name);

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
		const struct feed *f = feeds_kept(k, p->name);

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
		feed_filled_not(k, f->name);
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
		const struct feed *f = feeds_kept(k, p->name);

		out->rows[i] = (struct feed_row){
			.name = p->name, .format = p->format, .member = p->member, .column = p->column, .most = p->most,
			.stale_s = p->stale_s, .stale_keeps = p->stale_keeps, .digest = f ? f->digest.hex : "",
			.loaded = f ? f->loaded : 0, .entries = f ? f->entries : 0, .prefixes = feed_prefixes(f),
			.stale = is_stale(p, f), .in_force = in_force(p, f) != NULL,
		};
	}
}
