/*
 * Memory is refused at every point of a stage, one after the other: the N-th allocation fails, or it and all
 * that follow. Each time the stage fails and says so, the process goes on, and it holds what it held before.
 * So it is with a commit, a change of posture and a change of blocks: each is done whole, or not at all, and the journal says which.
 *
 * The allocator is our own here, in front of the C library's, so that those of libbpf and libelf fail too. Some
 * of their failures they make do with; then the stage ends well, and is aborted.
 */
#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "enforcer/hook/slot.h"
#include "enforcer/warden/blocks/blocks.h"
#include "enforcer/warden/feeds/feeds.h"
#include "enforcer/warden/generation/generation.h"
#include "lang/base/file.h"
#include "lang/base/memory.h"
#include "lang/bundle/feed_pack.h"
#include "tests/lib/tap.h"
#include "tests/lib/warden_stage.h"

#if defined __SANITIZE_ADDRESS__
#define ALLOCATOR_IS_OURS 0
#else
#define ALLOCATOR_IS_OURS 1

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t n, size_t bytes);
void *__libc_realloc(void *at, size_t bytes);

#endif

static bool counts, all_that_follow;
static unsigned long seen, fails_at; /* 0: none */

#if ALLOCATOR_IS_OURS
static bool is_refused(void)
{
	if (!counts)
		return false;
	seen++;
	return fails_at && (seen == fails_at || (all_that_follow && seen > fails_at));
}

void *malloc(size_t bytes)
{
	return is_refused() ? errno = ENOMEM, NULL : __libc_malloc(bytes);
}

void *calloc(size_t n, size_t bytes)
{
	return is_refused() ? errno = ENOMEM, NULL : __libc_calloc(n, bytes);
}

void *realloc(void *at, size_t bytes)
{
	return is_refused() ? errno = ENOMEM, NULL : __libc_realloc(at, bytes);
}
#endif

static struct kernel k;
static struct buf bundle;

static unsigned descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (d && readdir(d))
		n++;
	closedir(d);
	return n;
}

/* What ends as it should: staged and aborted, or refused with a reason. */
static bool stage_once(unsigned long n, bool all, const char **told)
{
	const struct stage ask = { .bytes = bundle.at, .len = bundle.len, .number = 1, .bank = 'a' };
	struct generation *g = NULL;
	struct refusal no = { .code = RESULT_OK, .part = "" };

	seen = 0;
	fails_at = n;
	all_that_follow = all;
	counts = true;
	int rc = generation_stage(&g, &k, &ask, &no);
	counts = false;
	if (!rc)
		generation_abort(g, &k);
	*told = no.part;
	return !rc || (no.code != RESULT_OK && *no.part && *no.why.text);
}

static bool nothing_is_left(void)
{
	own(arena) struct arena *a = arena_new();
	struct filter_live live;
	struct err why;

	return !filter_look(k.filter, &live, FILTER_WANT_CHAINS | FILTER_WANT_TABLES, a, &why) && !live.chain_count &&
	       !live.tables[0] && !live.tables[1];
}

struct swept {
	unsigned long points, untold, left, for_memory, made_do;
};

static struct swept sweep(unsigned long points, bool all)
{
	struct swept s = { .points = points };
	const char *part;

	for (unsigned long n = 1; n <= points; n++) {
		s.untold += !stage_once(n, all, &part);
		s.for_memory += !strcmp(part, "memory");
		s.made_do += !*part;
		s.left += !all && !nothing_is_left();
	}
	return s;
}

/* libbpf drops some bytes where its own allocations fail; a stage of ours that is not released is more each time. */
#define LIBBPF_LOSES (64 << 10)

/* The second time is what counts: the first fills the caches of the allocator and of libbpf. */
static void starve(bool all)
{
	const char *part;

	stage_once(0, false, &part);
	stage_once(0, false, &part);
	sweep(seen, all);
	stage_once(0, false, &part);
	const unsigned open_before = descriptors();
	const size_t held_before = mallinfo2().uordblks;
	const struct swept s = sweep(seen, all);
	const long grown = (long)(mallinfo2().uordblks - held_before);

	stage_once(0, false, &part);
	tap_note("%lu points; %lu refused for want of memory, %lu for a part that lacked it, %lu made do", s.points,
		 s.for_memory, s.points - s.for_memory - s.made_do, s.made_do);
	tap_ok(s.points > 200 && s.for_memory > 10, "memory is refused at every point of a stage, %s",
	       all ? "and from there on" : "once");
	tap_ok(s.made_do * 10 < s.points, "a program that lacked it is not loaded in another way");
	tap_num((long)s.untold, 0, "each time it ends well, or says why not");
	tap_num((long)s.left, 0, "and nothing is left in the kernel");
	tap_num(descriptors(), open_before, "no descriptor is lost");
	tap_ok(grown < LIBBPF_LOSES, "nor memory: %ld bytes", grown);
	tap_ok(!*part && nothing_is_left(), "and with enough of it the stage succeeds");
}

/* ---- what must not end half-way ------------------------------------------------------- */

static struct generation *live;
static struct state journal;
static uint64_t next_number;

static void begin_starving(unsigned long n, bool all)
{
	seen = 0;
	fails_at = n;
	all_that_follow = all;
	counts = true;
}

static bool journal_says(uint64_t number)
{
	struct state is;
	struct err why;

	return !state_load(&is, k.settings->state_dir, &why) && !is.committing && is.now.number == number;
}

/* The live generation's hooks and program stand, and nobody else's. */
static bool one_stands(void)
{
	own(arena) struct arena *a = arena_new();
	struct filter_live now;
	struct err why;
	uint32_t posture, in_slot;

	return !filter_look(k.filter, &now, FILTER_WANT_CHAINS, a, &why) && layout_is_hooked(&now, live->is.bank) &&
	       !layout_is_hooked(&now, bank_other(live->is.bank)) &&
	       !layout_posture(k.filter, &now, live->is.bank, &live->plan, LAYOUT_HERE, &posture, &why) && posture == live->posture &&
	       kernel_posture(&k, live->is.bank) == posture && !slot_read(k.shared.slots, &in_slot, &why) &&
	       in_slot == live->is.program[TEG_HOOK_XDP];
}

/* One more generation, for which memory is refused from its commit on. */
static bool commit_once(unsigned long n, bool all)
{
	const struct stage ask = { .bytes = bundle.at, .len = bundle.len, .number = ++next_number, .live = live,
				   .bank = live ? bank_other(live->is.bank) : 'a' };
	struct generation *g = NULL;
	struct refusal no = { .code = RESULT_OK, .part = "" };

	if (generation_stage(&g, &k, &ask, &no))
		return false;
	begin_starving(n, all);
	int rc = generation_commit(g, &k, &journal, &no);
	counts = false;
	if (rc) {
		generation_abort(g, &k);
		return live && *no.why.text && one_stands() && journal_says(live->is.number);
	}
	generation_free(live);
	live = g;
	return one_stands() && journal_says(live->is.number);
}

static bool posture_once(unsigned long n, bool all)
{
	const uint32_t to = (live->posture + 1) % live->plan.posture_count;
	struct err why = { 0 };

	begin_starving(n, all);
	int rc = generation_set_posture(live, &k, to, &why);
	counts = false;
	return (rc ? *why.text && live->posture != to : live->posture == to) && one_stands();
}

static bool is_blocked(struct prefix source)
{
	own(arena) struct arena *a = arena_new();
	struct blocks list;
	struct err why;

	if (blocks_list(&list, &k, live, a, &why))
		return false;
	for (uint32_t i = 0; i < list.row_count; i++)
		if (list.rows[i].source.len == source.len && list.rows[i].source.addr.num == source.addr.num)
			return true;
	return false;
}

static bool block_once(unsigned long n, bool all)
{
	static uint32_t last;
	struct prefix sources[3]; /* the last is a network */
	struct err why = { 0 };

	for (uint32_t i = 0; i < 3; i++)
		sources[i] = i < 2 ? block_host((struct addr){ FAMILY_IP4, 0xc6336400u + ++last % 0xffff }) :
				     (struct prefix){ { FAMILY_IP4, (0xcb0000u + ++last % 0xffff) << 8 }, 24 };
	const struct block ask = { .sources = sources, .source_count = 3, .seconds = 600, .reason = "", .by = { "", "", "" } };
	begin_starving(n, all);
	int rc = blocks_change(&k, '\0', &ask, NULL, &why);
	counts = false;
	for (int i = 0; i < 3; i++)
		if (is_blocked(sources[i]) != !rc)
			return false;
	return !rc || *why.text;
}

/* How many entries the policy's feed has. */
static uint32_t on_feed(void)
{
	own(arena) struct arena *a = arena_new();
	struct feeds_told told;

	feeds_tell(&told, live, &k, a);
	return told.row_count == 1 ? told.rows[0].entries : 0;
}

/* As many sources as asked, in a file. */
static int feed_file(uint32_t sources)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf packed = { 0 };
	struct addr_range range = { 0xc6336400u, 0xc6336400u + sources - 1 }, *at[FAMILY_COUNT] = { &range };
	const size_t len[FAMILY_COUNT] = { 1 };
	const struct netset set = netset_of_ranges(a, at, len);
	int fd = memfd_create("feed", MFD_CLOEXEC);

	feed_pack(&packed, a, &set);
	return fd >= 0 && write(fd, packed.at, packed.len) == (ssize_t)packed.len ? fd : -1;
}

static bool feed_once(unsigned long n, bool all)
{
	const uint32_t before = on_feed(), after = before == 3 ? 5 : 3;
	own(fd) int fd = feed_file(after);
	struct refusal no = { .code = RESULT_OK, .part = "" };

	begin_starving(n, all);
	int rc = feeds_replace(live, &k, &(struct feed_given){ "bad", after, 0, { "", "", "" } }, fd, &no);
	counts = false;
	return on_feed() == (rc ? before : after) && (!rc || *no.why.text) && one_stands();
}

#define POINTS_MOST 60 /* of each, spread over all of them */

static void never_half(const char *what, bool (*once)(unsigned long n, bool all))
{
	unsigned long half[2] = { 0 };

	tap_ok(once(0, false) && once(0, false), "%s, with enough memory", what);
	const unsigned long points = seen, step = points / POINTS_MOST + 1;
	for (unsigned all = 0; all < 2; all++)
		for (unsigned long n = 1; n <= points; n += step)
			half[all] += !once(n, all);
	tap_ok(points > 1 && !half[0], "%s: at each of %lu allocations, one every %lu, memory is refused once: %lu times it is half-way",
	       what, points, step, half[0]);
	tap_ok(!half[1], "%s: and from there on: %lu times it is half-way", what, half[1]);
	tap_ok(once(0, false), "%s: and it goes on", what);
}

static bool open_kernel(const struct warden_stage *s, struct settings *settings, struct arena *a, struct err *why)
{
	char state[160], pins[160];
	char *argv[] = { (char *)"tegd", state, pins, (char *)"--engine=native", NULL };

	snprintf(state, sizeof state, "--state-dir=%s", s->dir);
	snprintf(pins, sizeof pins, "--pin-dir=%s/bpf/teg", s->dir);
	unsetenv("TEGUMENTAR_STAGE");
	return !settings_read(settings, a, 4, argv, why) && !kernel_open(&k, settings, why);
}

int main(void)
{
	own(arena) struct arena *a = arena_new();
	struct warden_stage s;
	struct settings settings;
	struct err why = { 0 };

	if (!ALLOCATOR_IS_OURS || !warden_stage_make(&s)) {
		printf("1..0 # SKIP needs root, and an allocator that is no sanitizer's\n");
		return 0;
	}
	own(fd) int fd = warden_stage_bundle(&s, "edge", "s|^initial posture|feed bad {\\n    url \"https://feeds.example/bad\"\\n    format netset\\n"
					     "    refresh 15m\\n    max 10\\n    stale after 1h keep\\n    action block\\n}\\n\\n&|");
	if (!open_kernel(&s, &settings, a, &why) || feeds_open(&k, &why) || fd < 0 || file_read_fd(&bundle, fd, 1 << 24, &why)) {
		printf("Bail out! %s\n", why.text);
		return 1;
	}
	starve(false);
	starve(true);
	tap_ok(memory_set_aside(2 << 20), "some memory is set aside");
	never_half("a commit", commit_once);
	never_half("a posture", posture_once);
	never_half("blocks", block_once);
	never_half("what is on a feed", feed_once);
	feeds_close(&k);
	generation_free(live);
	kernel_release(&k);
	buf_release(&bundle);
	return tap_done();
}
