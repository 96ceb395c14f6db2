#include "enforcer/hook/shared.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/membarrier.h>

#include "bpf-templates/abi.h"
#include "bpf-templates/cause.h"
#include "lang/base/file.h"

#define SHARED(field, form, type, key, value, entries, flags)                                            \
	{ "teg_" #field, offsetof(struct shared, field), form, BPF_MAP_TYPE_##type, key, value, entries, flags, false }
#define SHARED_COUNTERS(field, form, slots)                                                              \
	{ "teg_" #field, offsetof(struct shared, field), form, BPF_MAP_TYPE_ARRAY, 4, sizeof(struct teg_counter), slots, \
	  BPF_F_MMAPABLE, true }

const struct shared_map shared_maps[] = {
	SHARED(slots, 10, PROG_ARRAY, 4, 4, 1, 0),
	SHARED(active, 10, ARRAY, 4, sizeof(struct teg_active), 1, BPF_F_MMAPABLE),
	SHARED_COUNTERS(counters, 11, TEG_SLOTS_FIRST),
	SHARED(causes, 10, PERCPU_ARRAY, 4, sizeof(struct teg_counter), 2 * CAUSE_COUNT, 0),
	SHARED(self, 10, ARRAY, 4, sizeof(struct teg_self), 1, BPF_F_MMAPABLE),
	SHARED(buckets, 14, ARRAY, 4, sizeof(struct teg_buckets), 1, BPF_F_MMAPABLE),
	SHARED(blocks, 15, ARRAY, 4, TEG_BLOCK_SET_BYTES, 1 + TEG_BLOCK_SETS, BPF_F_MMAPABLE),
	SHARED(hints, 10, ARRAY, 4, sizeof(struct teg_hints), 1, BPF_F_MMAPABLE),
	SHARED(telling, 10, PERCPU_ARRAY, 4, sizeof(struct teg_telling), 1, 0),
	SHARED(events, 10, RINGBUF, 0, 0, TEG_EVENTS_BYTES, 0),
	SHARED(tc_slots, 10, PROG_ARRAY, 4, 4, 1, 0),
	SHARED_COUNTERS(more, 11, TEG_SLOTS_MORE),
};
_Static_assert(sizeof shared_maps / sizeof *shared_maps == SHARED_MAPS, "every map of struct shared has a row");

/* One more than the greatest number that a CPU may have: /sys/devices/system/cpu/possible ends with it. 0: nobody says. */
static unsigned cpu_count(void)
{
	static unsigned count;
	own(buf) struct buf text = { 0 };
	struct err ignored;

	if (count || file_read(&text, "/sys/devices/system/cpu/possible", 4096, &ignored))
		return count;
	const char *last = buf_text(&text) + text.len;
	while (last > text.at && last[-1] != '-' && last[-1] != ',')
		last--;
	if (*last >= '0' && *last <= '9')
		count = 1 + (unsigned)strtoul(last, NULL, 10);
	return count;
}

static unsigned entries_of(const struct shared_map *m)
{
	return m->each_cpu ? m->entries * cpu_count() : m->entries;
}

static uint32_t slots_of(bool more)
{
	return more ? TEG_SLOTS_MORE : TEG_SLOTS_FIRST;
}

static size_t counted_bytes(bool more)
{
	return (size_t)cpu_count() * slots_of(more) * sizeof(struct teg_counter);
}

static int *fd_of(const struct shared *s, const struct shared_map *m)
{
	return (int *)((char *)s + m->at);
}

unsigned shared_form(const struct shared_map *m)
{
	return m->form > TEG_FORM_LEAST ? m->form : TEG_FORM_LEAST;
}

static int pin_path(char out[static SHARED_PATH], const char *dir, const char *name, unsigned form, struct err *why)
{
	if ((size_t)snprintf(out, SHARED_PATH, "%s/%s_%u", dir, name, form) >= SHARED_PATH)
		return err_set(why, ENAMETOOLONG, "the pin directory's name is too long: %s", dir);
	return 0;
}

int shared_pin(char out[static SHARED_PATH], const char *dir, const struct shared_map *m, struct err *why)
{
	return pin_path(out, dir, m->name, shared_form(m), why);
}

static const struct shared_map *row_of(size_t at)
{
	const struct shared_map *m = shared_maps;

	while (m->at != at)
		m++;
	return m;
}

int shared_pin_anchor(char out[static SHARED_PATH], const char *dir, enum teg_hook hook, struct err *why)
{
	static const struct { const char *name; size_t slots; } anchors[TEG_HOOKS] = {
		[TEG_HOOK_XDP] = { "anchor", offsetof(struct shared, slots) },
		[TEG_HOOK_TC] = { "anchor_tc", offsetof(struct shared, tc_slots) },
	};

	return pin_path(out, dir, anchors[hook].name, shared_form(row_of(anchors[hook].slots)), why);
}

void shared_release(struct shared *s)
{
	for (unsigned i = 0; i < 2; i++) {
		if (s->counted[i])
			munmap(s->counted[i], counted_bytes(i));
		s->counted[i] = NULL;
	}
	for (size_t i = 0; i < SHARED_MAPS; i++) {
		int *fd = fd_of(s, &shared_maps[i]);
		if (*fd >= 0)
			close(*fd);
		*fd = -1;
	}
}

/* As long ago as can be: full, also while the host has been up for less than a bucket's depth. */
static void fill_sketch(struct teg_buckets *b)
{
	for (uint32_t i = 0; i < TEG_SKETCH_ROWS * TEG_SKETCH_WORDS; i++)
		b->sketch[i / TEG_SKETCH_WORDS][i % TEG_SKETCH_WORDS] = -(1ull << 62);
}

/* Whoever knew the seed could choose sources that share one place. */
static int seed_of(const struct shared_map *m, int fd)
{
	const bool is_blocks = m->at == offsetof(struct shared, blocks);
	const size_t bytes = (size_t)m->value * m->entries;
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	uint64_t seed[2];

	if (at == MAP_FAILED)
		return -1;
	const ssize_t got = getrandom(seed, sizeof seed, 0);
	for (int i = 0; i < 2; i++)
		(is_blocks ? ((struct teg_blocks *)at)->seed : ((struct teg_buckets *)at)->seed)[i] = seed[i] | 1;
	if (!is_blocks)
		fill_sketch(at);
	munmap(at, bytes);
	return got == sizeof seed ? 0 : -1;
}

static bool has_seed(const struct shared_map *m)
{
	return m->at == offsetof(struct shared, buckets) || m->at == offsetof(struct shared, blocks);
}

static int shared_make(int *out, const struct shared_map *m, const char *path, struct err *why)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = m->flags);
	own(fd) int fd = bpf_map_create(m->type, m->name, m->key, m->value, entries_of(m), &opts);

	if (fd < 0)
		return err_sys(why, "cannot make the map %s", m->name);
	if (has_seed(m) && seed_of(m, fd))
		return err_sys(why, "cannot seed the map %s", m->name);
	if (path && bpf_obj_pin(fd, path))
		return err_sys(why, "cannot pin %s", path);
	*out = take_fd(fd);
	return 0;
}

int shared_map_holds(const struct shared_map *m, int fd, const char *path, struct err *why)
{
	struct bpf_map_info is = { 0 };
	uint32_t len = sizeof is;

	if (bpf_obj_get_info_by_fd(fd, &is, &len))
		return err_sys(why, "cannot read what %s is", path);
	if (is.type != m->type || is.key_size != m->key || is.value_size != m->value ||
	    is.max_entries != entries_of(m) || (is.map_flags & m->flags) != m->flags)
		return err_set(why, EEXIST, "%s is a map of another version (%u-byte values, %u entries; here %u, %u)",
			       path, is.value_size, is.max_entries, m->value, entries_of(m));
	return 0;
}

static int shared_adopt(int *out, const struct shared_map *m, int held, const char *path, struct err *why)
{
	own(fd) int fd = held;
	int rc = shared_map_holds(m, fd, path, why);

	if (!rc)
		*out = take_fd(fd);
	return rc;
}

/* Made when it is needed. */
static bool is_late(const struct shared_map *m)
{
	return m->at == offsetof(struct shared, more);
}

int shared_make_more(struct shared *s, const char *dir, struct err *why)
{
	const struct shared_map *m = row_of(offsetof(struct shared, more));
	char path[SHARED_PATH];

	if (s->more >= 0)
		return 0;
	if (dir && shared_pin(path, dir, m, why))
		return why->code;
	return shared_make(&s->more, m, dir ? path : NULL, why) ? why->code : shared_see_counters(s, why);
}

int shared_open(struct shared *out, const char *dir, struct err *why)
{
	own(shared) struct shared s = SHARED_NONE;

	for (size_t i = 0; i < SHARED_MAPS; i++) {
		const struct shared_map *m = &shared_maps[i];
		char path[SHARED_PATH];
		int fd = -1, rc;

		if (dir && shared_pin(path, dir, m, why))
			return why->code;
		if (dir)
			fd = bpf_obj_get(path);
		if (dir && fd < 0 && errno != ENOENT)
			return err_sys(why, "cannot open %s", path);
		if (fd >= 0)
			rc = shared_adopt(fd_of(&s, m), m, fd, path, why);
		else
			rc = is_late(m) ? 0 : shared_make(fd_of(&s, m), m, dir ? path : NULL, why);
		if (rc)
			return rc;
	}
	if (shared_see_counters(&s, why))
		return why->code;
	*out = s;
	s = (struct shared)SHARED_NONE;
	return 0;
}

/* ---- counters --------------------------------------------------------------------- */

/* Where a slot of the first CPU is; the next CPU's is *step behind it. NULL: there is none. */
static struct teg_counter *counter_at(const struct shared *s, uint32_t slot, size_t *step)
{
	const bool more = slot >= TEG_SLOTS_FIRST;

	*step = slots_of(more);
	if (slot >= TEG_COUNTER_SLOTS || !s->counted[more])
		return NULL;
	return s->counted[more] + (more ? slot - TEG_SLOTS_FIRST : slot);
}

int shared_see_counters(struct shared *s, struct err *why)
{
	const int fds[2] = { s->counters, s->more };

	for (unsigned i = 0; i < 2; i++) {
		if (fds[i] < 0 || s->counted[i])
			continue;
		void *at = mmap(NULL, counted_bytes(i), PROT_READ | PROT_WRITE, MAP_SHARED, fds[i], 0);
		if (at == MAP_FAILED)
			return err_sys(why, "cannot map the counters");
		s->counted[i] = at;
	}
	return 0;
}

struct teg_counter shared_count(const struct shared *s, uint32_t slot)
{
	size_t step;
	const struct teg_counter *at = counter_at(s, slot, &step);
	struct teg_counter sum = { 0 };

	for (unsigned cpu = 0; at && cpu < cpu_count(); cpu++, at += step) {
		sum.packets += __atomic_load_n(&at->packets, __ATOMIC_RELAXED);
		sum.bytes += __atomic_load_n(&at->bytes, __ATOMIC_RELAXED);
	}
	return sum;
}

void shared_count_clear(const struct shared *s, uint32_t slot)
{
	size_t step;
	struct teg_counter *at = counter_at(s, slot, &step);

	for (unsigned cpu = 0; at && cpu < cpu_count(); cpu++, at += step)
		*at = (struct teg_counter){ 0 };
}

void shared_count_carry(const struct shared *from, const struct shared *to, uint32_t slot)
{
	size_t step;
	const struct teg_counter *was = counter_at(from, slot, &step);
	struct teg_counter *is = counter_at(to, slot, &step);

	for (unsigned cpu = 0; was && is && cpu < cpu_count(); cpu++, was += step, is += step)
		*is = *was;
}

/* ---- pins ------------------------------------------------------------------------- */

static uint32_t map_number(int fd)
{
	struct bpf_map_info is = { 0 };
	uint32_t len = sizeof is;

	return fd < 0 || bpf_obj_get_info_by_fd(fd, &is, &len) ? 0 : is.id;
}

unsigned shared_pins(const struct shared *s, const char *dir, bool repair, const char **lost)
{
	unsigned there = 0;

	*lost = NULL;
	for (size_t i = 0; i < SHARED_MAPS; i++) {
		const struct shared_map *m = &shared_maps[i];
		char path[SHARED_PATH];
		struct err ignored;

		if (is_late(m) && s->more < 0) {
			there++;
			continue;
		}
		if (shared_pin(path, dir, m, &ignored))
			continue;
		own(fd) int pinned = bpf_obj_get(path);
		const uint32_t number = map_number(pinned);
		bool is_there = number && number == map_number(*fd_of(s, m));
		if (!is_there && !*lost)
			*lost = m->name;
		if (!is_there && repair) {
			unlink(path);
			is_there = !bpf_obj_pin(*fd_of(s, m), path);
		}
		there += is_there;
	}
	return there;
}

int shared_map_fd(const struct shared *s, const struct shared_map *m)
{
	return *fd_of((struct shared *)s, m);
}

/* ---- this host's addresses ---------------------------------------------------- */

#define SEEDS_TRIED 10000

static void words_of(struct addr a, uint64_t words[static 2])
{
	struct teg_addr mapped = { .bytes = { [10] = 0xff, [11] = 0xff } };
	uint8_t bytes[16];

	addr_to_bytes(a, bytes);
	if (a.family == FAMILY_IP4)
		memcpy(mapped.bytes + 12, bytes, 4);
	else
		memcpy(mapped.bytes, bytes, 16);
	memcpy(words, &mapped, sizeof mapped);
}

/* Puts all addresses into an empty bank; false when some set would need a fifth place. */
static bool bank_fill(__u64 bank[TEG_SELF_SETS][TEG_SELF_WAYS][2], uint64_t seed, const struct addr *at,
		      size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t words[2];
		unsigned way = 0;

		words_of(at[i], words);
		__u64(*set)[2] = bank[teg_self_set(seed, words[0], words[1])];
		while (way < TEG_SELF_WAYS && (set[way][0] | set[way][1]) && memcmp(set[way], words, sizeof words))
			way++;
		if (way == TEG_SELF_WAYS)
			return false;
		memcpy(set[way], words, sizeof words);
	}
	return true;
}

static int bank_seed(struct teg_self *self, unsigned bank, const struct addr *at, size_t count)
{
	uint64_t seed = 0x9e3779b97f4a7c15;

	for (int i = 0; i < SEEDS_TRIED; i++) {
		memset(self->at[bank], 0, sizeof self->at[bank]);
		if (bank_fill(self->at[bank], seed, at, count)) {
			self->seed[bank] = seed;
			return 0;
		}
		seed = seed * 6364136223846793005u + 1442695040888963406u; /* Knuth's MMIX; odd stays odd */
	}
	return -1;
}

int shared_set_self(const struct shared *s, const struct addr *at, size_t count, struct err *why)
{
	struct teg_self *self;
	int rc = 0;
	const size_t known = count < TEG_SELF_MAX ? count : TEG_SELF_MAX;

	self = mmap(NULL, sizeof *self, PROT_READ | PROT_WRITE, MAP_SHARED, s->self, 0);
	if (self == MAP_FAILED)
		return err_sys(why, "cannot map teg_self");

	/* A packet that began to read the other bank when it was the one is done by now. */
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	unsigned other = !(self->bank & 1);
	if (bank_seed(self, other, at, known))
		rc = err_set(why, E2BIG, "no seed gives each of this host's %zu addresses a place in teg_self", known);
	else
		__atomic_store_n(&self->bank, other, __ATOMIC_RELEASE);
	munmap(self, sizeof *self);
	if (!rc && known < count) /* without the number: what is found at each change is told once */
		rc = err_set(why, E2BIG, "this host has more than %u addresses, those of local routes among them, and the first hook takes only so many for `self`: name their networks in "
			     "the policy's lifelines and reflexes, or let nft judge", TEG_SELF_MAX);
	return rc;
}

/* ---- blocks at run time ------------------------------------------------------------ */

struct teg_source shared_source(struct addr a)
{
	struct teg_source source = { 0 };
	uint64_t words[2];

	a.num &= ~prefix_range((struct prefix){ { a.family, 0 }, a.family == FAMILY_IP4 ? TEG_BLOCK_BITS4 : TEG_BLOCK_BITS6 }).hi;
	words_of(a, words);
	memcpy(&source.addr, words, sizeof source.addr);
	return source;
}

/* Hints stay: at most a look-up is made that finds nothing. */
int shared_forget(const struct shared *s, struct err *why)
{
	struct teg_buckets *b = mmap(NULL, sizeof *b, PROT_READ | PROT_WRITE, MAP_SHARED, s->buckets, 0);
	struct teg_blocks *t = mmap(NULL, sizeof *t, PROT_READ | PROT_WRITE, MAP_SHARED, s->blocks, 0);

	if (b == MAP_FAILED || t == MAP_FAILED)
		return err_sys(why, "cannot map teg_buckets and teg_blocks");
	memset(b->gate, 0, offsetof(struct teg_buckets, sketch) - offsetof(struct teg_buckets, gate));
	fill_sketch(b);
	memset(t->at, 0, sizeof t->at);
	memset(t->nets, 0, sizeof t->nets);
	munmap(b, sizeof *b);
	munmap(t, sizeof *t);
	return 0;
}
