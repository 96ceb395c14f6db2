/*
 * shared - the first hook's maps that outlive generations, so that a rollout
 * keeps counts, buckets and blocks. Layouts: bpf-templates/abi.h, teg_*.
 *
 *     shared_open(&shared, "/sys/fs/bpf/teg", why)          makes or adopts, and pins
 *     shared_set_self(&shared, addresses, count, why)       whenever the host's change
 *
 * A pin's name says the layout: teg_blocks_10 is as of version 10 of abi.h, and stays where another version of tegd
 * has another layout of it, which it then makes beside; see older.h. What has not changed both have in common.
 */
#ifndef TEG_HOOK_SHARED_H
#define TEG_HOOK_SHARED_H

#include <stddef.h>
#include <stdint.h>

#include "bpf-templates/abi.h"
#include "lang/base/addr.h"
#include "lang/base/err.h"
#include "lang/base/own.h"

/* Descriptors. */
struct shared {
	int slots, active, counters, causes, self, buckets, blocks, hints, telling, events, tc_slots;
	int more; /* -1 until a policy has counters there */
	struct teg_counter *counted[2]; /* counters, more: mapped, where they are */
};
#define SHARED_MAPS 12

/*
 * Pinned maps of that name in `dir` are adopted when they are what abi.h says,
 * refused otherwise; missing ones are made and pinned. A NULL dir pins nothing.
 */
#define SHARED_NONE { -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, { NULL, NULL } }
int shared_open(struct shared *out, const char *dir, struct err *why);
void shared_release(struct shared *s);

/* Makes and pins teg_more, where it is not there yet. */
int shared_make_more(struct shared *s, const char *dir, struct err *why);

/* What was counted in a slot, on all CPUs: packets and bytes. Nothing where there is no such slot. */
struct teg_counter shared_count(const struct shared *s, uint32_t slot);
void shared_count_clear(const struct shared *s, uint32_t slot);
void shared_count_carry(const struct shared *from, const struct shared *to, uint32_t slot);

/* Maps what counters there are. All others here have done so. */
int shared_see_counters(struct shared *s, struct err *why);

static inline void shared_own_(struct shared *s)
{
	shared_release(s);
}

/* These addresses, and no others, are the host's own: all at once. -E2BIG when only the first TEG_SELF_MAX of them are.
 * Waits for packets that are being judged (some milliseconds). */
int shared_set_self(const struct shared *s, const struct addr *at, size_t count, struct err *why);

/* Every bucket is full and nothing is blocked: for tests, which begin so. */
int shared_forget(const struct shared *s, struct err *why);

/* The source as hints of blocks know it. */
struct teg_source;
struct teg_source shared_source(struct addr source);

/* What each map is; for who loads a program that uses them. */
struct shared_map {
	const char *name;
	size_t at; /* of the descriptor in struct shared */
	unsigned form; /* the version of abi.h since which its layout is this one */
	unsigned type, key, value, entries, flags;
	bool each_cpu; /* so many entries for each CPU */
};
extern const struct shared_map shared_maps[SHARED_MAPS];

#define SHARED_PATH 300
/* Where a map is pinned, and the anchor of a hook, whose layout is that of its slots; with the form that this version gives it. */
int shared_pin(char out[static SHARED_PATH], const char *dir, const struct shared_map *m, struct err *why);
int shared_pin_anchor(char out[static SHARED_PATH], const char *dir, enum teg_hook hook, struct err *why);
unsigned shared_form(const struct shared_map *m);

/* Is the map what its row says? */
int shared_map_holds(const struct shared_map *m, int fd, const char *path, struct err *why);

/* Borrowed. */
int shared_map_fd(const struct shared *s, const struct shared_map *m);

/* The pins of these very maps that are in the directory; repair makes the others. *lost is the first that was not there, or NULL. */
unsigned shared_pins(const struct shared *s, const char *dir, bool repair, const char **lost);

#endif
