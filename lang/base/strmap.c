#include "lang/base/strmap.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

void strmap_init(struct strmap *m, struct arena *a)
{
	*m = (struct strmap){ .arena = a };
}

/* FNV-1a, 64 bits, folded. */
static uint32_t hash_of(const char *name)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 0x100000001b3u;
	return (uint32_t)(h ^ h >> 32);
}

/* The slot that holds the name, or the free one where it belongs. */
static struct strmap_slot *slot_of(const struct strmap *m, const char *name, uint32_t hash)
{
	for (size_t i = hash & (m->slot_count - 1);; i = (i + 1) & (m->slot_count - 1)) {
		struct strmap_slot *s = &m->slots[i];

		if (!s->entry || (s->hash == hash && !strcmp(m->entries.at[s->entry - 1].name, name)))
			return s;
	}
}

void *strmap_find(const struct strmap *m, const char *name)
{
	if (!m->slot_count)
		return NULL;

	uint32_t entry = slot_of(m, name, hash_of(name))->entry;
	return entry ? m->entries.at[entry - 1].value : NULL;
}

static void strmap_widen(struct strmap *m)
{
	const struct strmap_slot *old = m->slots;
	const size_t had = m->slot_count;

	m->slot_count = had ? 2 * had : 16;
	m->slots = arena_zero(m->arena, m->slot_count * sizeof *m->slots);
	for (size_t i = 0; i < had; i++) {
		size_t at = old[i].hash & (m->slot_count - 1);

		while (old[i].entry && m->slots[at].entry)
			at = (at + 1) & (m->slot_count - 1);
		if (old[i].entry)
			m->slots[at] = old[i];
	}
}

/* The name's entry: a new one has no value yet. */
static struct strmap_entry *entry_of(struct strmap *m, const char *name, bool *is_new)
{
	if (2 * (m->entries.len + 1) > m->slot_count)
		strmap_widen(m);

	uint32_t hash = hash_of(name);
	struct strmap_slot *slot = slot_of(m, name, hash);
	*is_new = !slot->entry;
	if (*is_new) {
		assert(m->entries.len < UINT32_MAX);
		struct strmap_entry e = { name, NULL };
		vec_push(m->arena, &m->entries, e);
		*slot = (struct strmap_slot){ hash, (uint32_t)m->entries.len };
	}
	return &m->entries.at[slot->entry - 1];
}

void strmap_put(struct strmap *m, const char *name, void *value)
{
	bool is_new;

	entry_of(m, name, &is_new)->value = value;
}

bool strmap_add(struct strmap *m, const char *name, void *value)
{
	bool is_new;
	struct strmap_entry *e = entry_of(m, name, &is_new);

	if (is_new)
		e->value = value;
	return is_new;
}
