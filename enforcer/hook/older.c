#include "enforcer/hook/older.h"

#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "bpf-templates/cause.h"
#include "enforcer/hook/ledger.h"

/* ---- which pins ------------------------------------------------------------------------ */

static bool is_at(const char *path, const char *dir, const char *name)
{
	const size_t len = strlen(dir);

	return !strncmp(path, dir, len) && path[len] == '/' && !strcmp(path + len + 1, name);
}

/* Of this version, by its name. */
static bool is_present(const char *dir, const char *name)
{
	char path[SHARED_PATH];
	struct err ignored;

	for (size_t i = 0; i < SHARED_MAPS; i++)
		if (!shared_pin(path, dir, &shared_maps[i], &ignored) && is_at(path, dir, name))
			return true;
	for (int hook = 0; hook < TEG_HOOKS; hook++)
		if (!shared_pin_anchor(path, dir, (enum teg_hook)hook, &ignored) && is_at(path, dir, name))
			return true;
	return false;
}

static bool is_older(const char *dir, const char *name)
{
	return (!strncmp(name, "teg_", 4) || !strncmp(name, "anchor", 6)) && !is_present(dir, name);
}

/* Calls one() for every pin of another version. */
static int each(const char *dir, void (*one)(void *cls, int at, const char *name), void *cls, struct err *why)
{
	const struct dirent *e;
	DIR *d = opendir(dir);

	if (!d)
		return err_sys(why, "cannot read the pin directory %s", dir);
	while ((e = readdir(d)))
		if (is_older(dir, e->d_name))
			one(cls, dirfd(d), e->d_name);
	closedir(d);
	return 0;
}

/* ---- opening ----------------------------------------------------------------------------- */

/* The layout that a pin's name says; 0 when it says none, as before names did. */
static unsigned form_of(const char *name, const struct shared_map *m)
{
	const size_t len = strlen(m->name);
	char *end;

	if (strncmp(name, m->name, len) || name[len] != '_' || name[len + 1] < '1' || name[len + 1] > '9')
		return 0;
	const unsigned long form = strtoul(name + len + 1, &end, 10);
	return *end || form > UINT32_MAX ? 0 : (unsigned)form;
}

static int *map_of(struct older *o, const struct shared_map *m)
{
	return (int *)((char *)&o->maps + m->at);
}

/* Up to form 13 far places were sets too, behind the near ones and with gates of their own. */
#define FAR_SETS_12 32768u
struct buckets_12 {
	__u64 seed[2], pad[6];
	__u64 gate[TEG_NEAR_SETS + FAR_SETS_12];
	struct teg_bucket at[TEG_NEAR_SETS + FAR_SETS_12][TEG_BUCKET_WAYS];
	__u64 sketch[TEG_SKETCH_ROWS][TEG_SKETCH_WORDS];
};

/* Of a form before 15 no block is a network. From forms 10 to 12 the blocks' table was one value: in memory, which is all that is read, it is the same. */
static struct shared_map before(const struct shared_map *m, unsigned form)
{
	struct shared_map was = *m;

	if (form >= 10 && form < m->form && m->at == offsetof(struct shared, blocks)) {
		was.form = form;
		was.value = form < 12 ? m->value * m->entries : m->value;
		was.entries = form < 12 ? 1 : m->entries;
	}
	if (form >= 12 && form < 14 && m->at == offsetof(struct shared, buckets)) {
		was.form = form;
		was.value = sizeof(struct buckets_12);
	}
	return was;
}

/* One that can be read is of this layout under an older number. */
static void open_map(struct older *o, const struct shared_map *m, const char *path, const char *name)
{
	const unsigned form = form_of(name, m);
	const struct shared_map was = before(m, form);
	struct err ignored;

	if (form < was.form || form >= shared_form(m))
		return;
	own(fd) int fd = bpf_obj_get(path);
	if (fd < 0 || shared_map_holds(&was, fd, path, &ignored))
		return;
	if (*map_of(o, m) >= 0)
		close(*map_of(o, m));
	*map_of(o, m) = take_fd(fd);
}

struct opening {
	struct older *o;
	const char *dir;
};

/* A name that is another's beginning, as teg_slots is not of teg_slots_tc: a digit or nothing follows. */
static bool is_named(const char *name, const char *map)
{
	const size_t len = strlen(map);

	return !strncmp(name, map, len) && (!name[len] || (name[len] == '_' && name[len + 1] >= '0' && name[len + 1] <= '9'));
}

static void open_one(void *cls, int at, const char *name)
{
	const struct opening *is = cls;
	struct older *o = is->o;
	char path[SHARED_PATH];

	(void)at;
	o->pins++;
	if ((size_t)snprintf(path, sizeof path, "%s/%s", is->dir, name) >= sizeof path)
		return;
	if (is_named(name, "teg_slots") && o->slots < 0)
		o->slots = bpf_obj_get(path);
	o->blocks_lost = o->blocks_lost || is_named(name, "teg_blocks");
	for (size_t i = 0; i < SHARED_MAPS; i++)
		open_map(o, &shared_maps[i], path, name);
}

static void older_own_(struct older *o)
{
	older_release(o);
}

/* What both versions have in common, and the older's blocks are read with. */
static void open_present(struct older *o, size_t at, const char *dir)
{
	char path[SHARED_PATH];
	struct err ignored;

	for (size_t i = 0; i < SHARED_MAPS; i++)
		if (shared_maps[i].at == at && *map_of(o, &shared_maps[i]) < 0 && !shared_pin(path, dir, &shared_maps[i], &ignored))
			*map_of(o, &shared_maps[i]) = bpf_obj_get(path);
}

int older_open(struct older *out, const char *dir, struct err *why)
{
	static const size_t beside[] = { offsetof(struct shared, active), offsetof(struct shared, hints) };
	own(older) struct older o = OLDER_NONE;
	struct err ignored;
	int rc = each(dir, open_one, &(struct opening){ &o, dir }, why);

	if (!rc)
		rc = shared_see_counters(&o.maps, why);
	if (rc)
		return rc;
	for (size_t i = 0; i < sizeof beside / sizeof *beside && o.maps.blocks >= 0; i++)
		open_present(&o, beside[i], dir);
	if (o.maps.blocks >= 0 && o.maps.active >= 0 && o.maps.hints >= 0)
		o.blocks_lost = block_table_open(&o.blocks, &o.maps, &ignored) != 0;
	*out = o;
	o = (struct older)OLDER_NONE;
	return 0;
}

void older_release(struct older *o)
{
	block_table_close(&o->blocks);
	shared_release(&o->maps);
	if (o->slots >= 0)
		close(o->slots);
	*o = (struct older)OLDER_NONE;
}

/* ---- carrying ---------------------------------------------------------------------------- */

static void carry_element(int from, int to, uint32_t at, void *room)
{
	if (!bpf_map_lookup_elem(from, &at, room))
		bpf_map_update_elem(to, &at, room, BPF_ANY);
}

/*
 * A place that was renamed between its gate's copy and its own is not where the gate says, and what changes by
 * differences is never right again: so each gate is made of the names behind it. Until when all are kept stays as it
 * was: a place that was kept is kept since for no shorter time.
 */
static void mend_gates(struct teg_buckets *b)
{
	for (uint32_t set = 0; set < TEG_NEAR_SETS; set++) {
		uint64_t gate = b->gate[set] & ((1u << TEG_BUCKET_UNTIL) - 1);

		for (uint32_t i = 0; i < TEG_BUCKET_WAYS; i++)
			gate |= b->near[set][i].who >> (64 - TEG_GATE_BITS) << (TEG_BUCKET_UNTIL + i * TEG_GATE_BITS);
		b->gate[set] = gate;
	}
}

/* Says in its word who stands at a far place; false when there is no room there, or its tag is another's. */
static bool say_far(struct teg_buckets *b, uint32_t at)
{
	const uint64_t who = b->far[at].who, tag = teg_far_tag(who);
	const uint64_t part = tag << TEG_FAR_LINE_BITS | at % TEG_FAR_ROW / TEG_BUCKET_WAYS;
	__u64 *word = &b->word[teg_far_word(who)];
	uint32_t i = 0;

	for (; i < TEG_BUCKET_WAYS && *word >> 16 * i & 0xffff; i++)
		if ((*word >> 16 * i & 0xffff) >> TEG_FAR_LINE_BITS == tag)
			return false;
	if (i == TEG_BUCKET_WAYS)
		return false;
	*word |= part << 16 * i;
	return true;
}

/* The same with words. A place that was just being made is of nobody in its row. */
static void mend_words(struct teg_buckets *b)
{
	memset(b->word, 0, sizeof b->word);
	for (uint32_t at = 0; at < TEG_FAR_ROWS * TEG_FAR_ROW; at++) {
		struct teg_bucket *far = &b->far[at];

		if (far->who && (teg_far_row(far->who) != at / TEG_FAR_ROW || !say_far(b, at)))
			*far = (struct teg_bucket){ 0 };
	}
}

static void carry_far_12(struct teg_buckets *is, const struct teg_bucket *was)
{
	struct teg_bucket_row *row = &is->row[teg_far_row(was->who)];
	const uint32_t at = teg_far_row(was->who) * TEG_FAR_ROW + (uint32_t)row->head;

	if (!was->who || row->head == TEG_FAR_ROW)
		return;
	is->far[at] = *was;
	if (say_far(is, at))
		row->head++;
	else
		is->far[at] = (struct teg_bucket){ 0 };
}

static void carry_12(struct teg_buckets *is, const struct buckets_12 *was)
{
	memcpy(is->seed, was->seed, sizeof is->seed);
	memcpy(is->gate, was->gate, sizeof is->gate);
	memcpy(is->near, was->at, sizeof is->near);
	memcpy(is->sketch, was->sketch, sizeof is->sketch);
	for (uint32_t set = TEG_NEAR_SETS; set < TEG_NEAR_SETS + FAR_SETS_12; set++)
		for (uint32_t i = 0; i < TEG_BUCKET_WAYS; i++) {
			const struct teg_bucket b = was->at[set][i];

			carry_far_12(is, &b);
		}
	mend_gates(is);
}

static void carry_14(struct teg_buckets *is, const struct teg_buckets *was)
{
	memcpy(is, was, sizeof *is);
	mend_gates(is);
	mend_words(is);
}

/* The seeds too: a bucket's name is a hash under them. */
static void carry_buckets(int from, int to)
{
	struct bpf_map_info info = { 0 };
	__u32 info_len = sizeof info;

	if (bpf_obj_get_info_by_fd(from, &info, &info_len))
		return;
	void *was = mmap(NULL, info.value_size, PROT_READ, MAP_SHARED, from, 0);
	void *is = mmap(NULL, sizeof(struct teg_buckets), PROT_READ | PROT_WRITE, MAP_SHARED, to, 0);

	if (was != MAP_FAILED && is != MAP_FAILED && info.value_size == sizeof(struct teg_buckets))
		carry_14(is, was);
	else if (was != MAP_FAILED && is != MAP_FAILED)
		carry_12(is, was);
	if (was != MAP_FAILED)
		munmap(was, info.value_size);
	if (is != MAP_FAILED)
		munmap(is, sizeof(struct teg_buckets));
}

void older_carry(const struct older *o, const struct shared *to, const uint32_t *slots, const bool *fresh, uint32_t count)
{
	const int cpus = libbpf_num_possible_cpus();
	const size_t most = sizeof(struct teg_telling) > sizeof(struct teg_counter) ? sizeof(struct teg_telling) : sizeof(struct teg_counter);
	own(mem) void *room = calloc((size_t)(cpus > 0 ? cpus : 1), most);

	if (!room)
		return;
	for (uint32_t i = 0; i < count; i++)
		if (slots[i] != LEDGER_NO_SLOT && !fresh[i])
			shared_count_carry(&o->maps, to, slots[i]);
	for (uint32_t i = 0; i < 2 * CAUSE_COUNT && o->maps.causes >= 0; i++)
		carry_element(o->maps.causes, to->causes, i, room);
	if (o->maps.telling >= 0)
		carry_element(o->maps.telling, to->telling, 0, room);
	if (o->maps.buckets >= 0)
		carry_buckets(o->maps.buckets, to->buckets);
}

/* ---- the end ------------------------------------------------------------------------------ */

static void remove_one(void *cls, int at, const char *name)
{
	(void)cls;
	unlinkat(at, name, 0);
}

void older_end(struct older *o, const char *dir)
{
	struct err ignored;

	each(dir, remove_one, NULL, &ignored);
	older_release(o);
}
