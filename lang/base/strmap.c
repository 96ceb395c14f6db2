#include "lang/base/strmap.h"

#include <stdint.h>
#include <string.h>

void strmap_init(struct strmap *m, struct arena *a)
{
	*m = (struct strmap){ .arena = a };
}

/* FNV-1a, 64 bits. */
static uint64_t hash_of(const char *name)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 0x100000001b3u;
	return h;
}

/* The slot that holds the name, or the free one where it belongs. */
static size_t *slot_of(const struct strmap *m, const char *name)
{
	size_t i = hash_of(name) & (m->slot_count - 1);

	while (m->slots[i] && strcmp(m->entries.at[m->slots[i] - 1].name, name))
		i = (i + 1) & (m->slot_count - 1);
	return &m->slots[i];
}

void *strmap_find(const struct strmap *m, const char *name)
{
	if (!m->slot_count)
		return NULL;

	size_t index = *slot_of(m, name);
	return index ? m->entries.at[index - 1].value : NULL;
}

static void strmap_widen(struct strmap *m)
{
	m->slot_count = m->slot_count ? 2 * m->slot_count : 16;
	m->slots = arena_zero(m->arena, m->slot_count * sizeof *m->slots);
	for (size_t i = 0; i < m->entries.len; i++)
		*slot_of(m, m->entries.at[i].name) = i + 1;
}

void strmap_put(struct strmap *m, const char *name, void *value)
{
	if (2 * (m->entries.len + 1) > m->slot_count)
		strmap_widen(m);

	size_t *slot = slot_of(m, name);
	if (*slot) {
		m->entries.at[*slot - 1].value = value;
		return;
	}
	struct strmap_entry e = { name, value };
	vec_push(m->arena, &m->entries, e);
	*slot = m->entries.len;
}
