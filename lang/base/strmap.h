/*
 * strmap - names to things, in an arena; remembers the order of insertion.
 */
#ifndef TEG_BASE_STRMAP_H
#define TEG_BASE_STRMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lang/base/arena.h"

struct strmap_entry {
	const char *name;
	void *value;
};

/* A name is looked at only where its hash is the same, and never when slots are made more. */
struct strmap_slot {
	uint32_t hash;
	uint32_t entry; /* 1 + index into entries, 0 when free */
};

struct strmap {
	struct arena *arena;
	VEC(struct strmap_entry) entries; /* in order of insertion */
	struct strmap_slot *slots;
	size_t slot_count;		  /* a power of two, or 0 */
};

void strmap_init(struct strmap *m, struct arena *a);

/* Borrowed, or NULL. */
void *strmap_find(const struct strmap *m, const char *name);

/* Replaces what was there. The name is borrowed, and must live as long as the map. */
void strmap_put(struct strmap *m, const char *name, void *value);
/* The same of a name that is not there; false, and nothing done, when it is. */
bool strmap_add(struct strmap *m, const char *name, void *value);

#endif
