#include "enforcer/warden/shared.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
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

#define SHARED(field, type, key, value, entries, flags)                                            \
	{ "teg_" #field, offsetof(struct shared, field), BPF_MAP_TYPE_##type, key, value, entries, flags }

const struct shared_map shared_maps[] = {
	SHARED(slots, PROG_ARRAY, 4, 4, 1, 0),
	SHARED(active, ARRAY, 4, sizeof(struct teg_active), 1, BPF_F_MMAPABLE),
	SHARED(counters, PERCPU_ARRAY, 4, sizeof(struct teg_counter), TEG_SLOTS_FIRST, 0),
	SHARED(causes, PERCPU_ARRAY, 4, sizeof(struct teg_counter), CAUSE_COUNT, 0),
	SHARED(self, ARRAY, 4, sizeof(struct teg_self), 1, BPF_F_MMAPABLE),
	SHARED(buckets, ARRAY, 4, sizeof(struct teg_buckets), 1, BPF_F_MMAPABLE),
	SHARED(blocks, HASH, sizeof(struct teg_source), sizeof(struct teg_blocked), TEG_BLOCKS_MAX,
	       BPF_F_NO_PREALLOC),
	SHARED(hints, ARRAY, 4, sizeof(struct teg_hints), 1, BPF_F_MMAPABLE),
	SHARED(telling, PERCPU_ARRAY, 4, sizeof(struct teg_telling), 1, 0),
	SHARED(events, RINGBUF, 0, 0, TEG_EVENTS_BYTES, 0),
	SHARED(tc_slots, PROG_ARRAY, 4, 4, 1, 0),
	SHARED(more, PERCPU_ARRAY, 4, sizeof(struct teg_counter), TEG_COUNTER_SLOTS - TEG_SLOTS_FIRST, 0),
};
_Static_assert(sizeof shared_maps / sizeof *shared_maps == SHARED_MAPS, "every map of struct shared has a row");

static int *fd_of(const struct shared *s, const struct shared_map *m)
{
	return (int *)((char *)s + m->at);
}

void shared_release(struct shared *s)
{
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

/* Whoever knew the seed could choose sources that share one bucket. */
static int buckets_seed(int fd)
{
	struct teg_buckets *b = mmap(NULL, sizeof *b, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ssize_t got;

	if (b == MAP_FAILED)
		return -1;
	got = getrandom(b->seed, sizeof b->seed, 0);
	b->seed[0] |= 1;
	b->seed[1] |= 1;
	fill_sketch(b);
	munmap(b, sizeof *b);
	return got == sizeof b->seed ? 0 : -1;
}

static int shared_make(int *out, const struct shared_map *m, const char *path, struct err *why)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = m->flags);
	own(fd) int fd = bpf_map_create(m->type, m->name, m->key, m->value, m->entries, &opts);

	if (fd < 0)
		return err_sys(why, "cannot make the map %s", m->name);
	if (m->at == offsetof(struct shared, buckets) && buckets_seed(fd))
		return err_sys(why, "cannot seed the map %s", m->name);
	if (path && bpf_obj_pin(fd, path))
		return err_sys(why, "cannot pin %s", path);
	*out = take_fd(fd);
	return 0;
}

static int shared_adopt(int *out, const struct shared_map *m, int held, const char *path, struct err *why)
{
	own(fd) int fd = held;
	struct bpf_map_info is = { 0 };
	uint32_t len = sizeof is;

	if (bpf_obj_get_info_by_fd(fd, &is, &len))
		return err_sys(why, "cannot read what %s is", path);
	if (is.type != m->type || is.key_size != m->key || is.value_size != m->value ||
	    is.max_entries != m->entries || (is.map_flags & m->flags) != m->flags)
		return err_set(why, EEXIST, "%s is a map of another version (%u-byte values, %u entries; here %u, %u)",
			       path, is.value_size, is.max_entries, m->value, m->entries);
	*out = take_fd(fd);
	return 0;
}

/* Made when it is needed. */
static bool is_late(const struct shared_map *m)
{
	return m->at == offsetof(struct shared, more);
}

int shared_make_more(struct shared *s, const char *dir, struct err *why)
{
	const struct shared_map *m = shared_maps;
	char path[256];

	while (!is_late(m))
		m++;
	if (s->more >= 0)
		return 0;
	if (dir && (size_t)snprintf(path, sizeof path, "%s/%s", dir, m->name) >= sizeof path)
		return err_set(why, ENAMETOOLONG, "the pin directory's name is too long: %s", dir);
	return shared_make(&s->more, m, dir ? path : NULL, why);
}

int shared_open(struct shared *out, const char *dir, struct err *why)
{
	own(shared) struct shared s = SHARED_NONE;

	for (size_t i = 0; i < SHARED_MAPS; i++) {
		const struct shared_map *m = &shared_maps[i];
		char path[256];
		int fd = -1, rc;

		if (dir && (size_t)snprintf(path, sizeof path, "%s/%s", dir, m->name) >= sizeof path)
			return err_set(why, ENAMETOOLONG, "the pin directory's name is too long: %s", dir);
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
	*out = s;
	s = (struct shared)SHARED_NONE;
	return 0;
}

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
		char path[256];

		if (is_late(m) && s->more < 0) {
			there++;
			continue;
		}
		snprintf(path, sizeof path, "%s/%s", dir, m->name);
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

	if (count > TEG_SELF_MAX)
		return err_set(why, E2BIG, "this host has %zu addresses; `self` can be at most %u", count, TEG_SELF_MAX);
	self = mmap(NULL, sizeof *self, PROT_READ | PROT_WRITE, MAP_SHARED, s->self, 0);
	if (self == MAP_FAILED)
		return err_sys(why, "cannot map teg_self");

	/* A packet that began to read the other bank when it was the one is done by now. */
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	unsigned other = !(self->bank & 1);
	if (bank_seed(self, other, at, count))
		rc = err_set(why, E2BIG, "no seed gives each of this host's %zu addresses a place in teg_self", count);
	else
		__atomic_store_n(&self->bank, other, __ATOMIC_RELEASE);
	munmap(self, sizeof *self);
	return rc;
}

/* ---- blocks at run time ------------------------------------------------------------ */

static struct teg_source source_of(struct addr a, uint64_t words[static 2])
{
	struct teg_source source = { 0 };
	unsigned bits = a.family == FAMILY_IP4 ? TEG_BLOCK_BITS4 : TEG_BLOCK_BITS6;

	a.num &= ~prefix_range((struct prefix){ { a.family, 0 }, bits }).hi;
	words_of(a, words);
	memcpy(&source.addr, words, sizeof source.addr);
	return source;
}

struct teg_source shared_source(struct addr source)
{
	uint64_t words[2];

	return source_of(source, words);
}

struct addr shared_source_address(const struct teg_source *key, const struct teg_blocked *block)
{
	const bool is_ip4 = block->key_bits == TEG_BLOCK_BITS4;

	return addr_from_bytes(is_ip4 ? FAMILY_IP4 : FAMILY_IP6, key->addr.bytes + (is_ip4 ? 12 : 0));
}

static void raise_to(__u64 *word, uint64_t to)
{
	__u64 seen = __atomic_load_n(word, __ATOMIC_RELAXED);

	while (seen < to &&
	       !__atomic_compare_exchange_n(word, &seen, to, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		;
}

/* The hints say that the source may be blocked until then. */
static int hint(const struct shared *s, const uint64_t words[static 2], uint64_t until_ns, struct err *why)
{
	struct teg_active *active = mmap(NULL, sizeof *active, PROT_READ | PROT_WRITE, MAP_SHARED, s->active, 0);
	struct teg_hints *hints = mmap(NULL, sizeof *hints, PROT_READ | PROT_WRITE, MAP_SHARED, s->hints, 0);
	int rc = 0;

	if (active == MAP_FAILED || hints == MAP_FAILED) {
		rc = err_sys(why, "cannot map the hints of blocks");
	} else {
		raise_to(&active->blocks_until_ns, until_ns);
		raise_to(&hints->until_ns[teg_hint(words[0], words[1])], until_ns);
	}
	if (active != MAP_FAILED)
		munmap(active, sizeof *active);
	if (hints != MAP_FAILED)
		munmap(hints, sizeof *hints);
	return rc;
}

int shared_block(const struct shared *s, struct addr source, uint64_t until_ns, uint32_t slot, struct err *why)
{
	char text[ADDR_TEXT];
	uint64_t words[2];
	struct teg_source key = source_of(source, words);
	struct teg_blocked block = {
		.until_ns = until_ns,
		.counter_slot = slot,
		.key_bits = source.family == FAMILY_IP4 ? TEG_BLOCK_BITS4 : TEG_BLOCK_BITS6,
	};

	if (hint(s, words, until_ns, why))
		return why->code;
	if (bpf_map_update_elem(s->blocks, &key, &block, BPF_ANY))
		return err_sys(why, "cannot block %s", addr_print(source, text));
	return 0;
}

int shared_unblock(const struct shared *s, struct addr source, struct err *why)
{
	char text[ADDR_TEXT];
	uint64_t words[2];
	struct teg_source key = source_of(source, words);

	if (bpf_map_delete_elem(s->blocks, &key) && errno != ENOENT)
		return err_sys(why, "cannot take the block of %s back", addr_print(source, text));
	return 0;
}

static int forget_blocks(const struct shared *s, struct err *why)
{
	struct teg_source key;

	while (!bpf_map_get_next_key(s->blocks, NULL, &key))
		if (bpf_map_delete_elem(s->blocks, &key))
			return err_sys(why, "cannot take a block back");
	return 0;
}

/* Hints stay: at most a look-up is made that finds nothing. */
int shared_forget(const struct shared *s, struct err *why)
{
	struct teg_buckets *b = mmap(NULL, sizeof *b, PROT_READ | PROT_WRITE, MAP_SHARED, s->buckets, 0);

	if (b == MAP_FAILED)
		return err_sys(why, "cannot map teg_buckets");
	memset(b->at, 0, sizeof b->at);
	fill_sketch(b);
	munmap(b, sizeof *b);
	return forget_blocks(s, why);
}
