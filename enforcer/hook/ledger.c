#include "enforcer/hook/ledger.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "lang/base/file.h"
#include "lang/base/own.h"
#include "lang/base/strmap.h"
#include "lang/base/wire.h"

#define LEDGER_VERSION	 1u
#define LEDGER_BYTES_MAX ((size_t)16 << 20)

struct ledger {
	struct arena *arena;
	struct strmap slots; /* id to 1 + slot */
	const char *ids[TEG_COUNTER_SLOTS];
};

/* ---- the file ------------------------------------------------------------------ */

static bool ledger_decode(struct ledger *l, const struct buf *bytes)
{
	struct wire_in in = { (const uint8_t *)bytes->at, bytes->len, false };

	if (wire_get_u32(&in) != LEDGER_VERSION)
		return false;
	for (uint32_t n = wire_get_count(&in, 8); n; n--) {
		uint32_t slot = wire_get_u32(&in);
		const char *id = wire_get_str(&in, l->arena);

		if (in.bad || slot >= TEG_COUNTER_SLOTS || l->ids[slot] || strmap_find(&l->slots, id))
			return false;
		l->ids[slot] = id;
		strmap_put(&l->slots, id, (void *)(uintptr_t)(slot + 1));
	}
	return wire_done(&in);
}

/* A missing ledger is an empty one. So is an unreadable one: then every slot is given anew, and starts at zero. */
static int ledger_load(struct ledger *l, const char *path, struct err *why)
{
	own(buf) struct buf bytes = { 0 };
	int rc;

	memset(l->ids, 0, sizeof l->ids);
	strmap_init(&l->slots, l->arena);
	rc = file_read(&bytes, path, LEDGER_BYTES_MAX, why);
	if (rc == -ENOENT)
		return 0;
	if (rc)
		return rc;
	if (!ledger_decode(l, &bytes)) {
		memset(l->ids, 0, sizeof l->ids);
		strmap_init(&l->slots, l->arena);
	}
	return 0;
}

static int ledger_save(const struct ledger *l, const char *path, struct err *why)
{
	own(buf) struct buf bytes = { 0 };
	uint32_t count = 0;

	for (uint32_t s = 0; s < TEG_COUNTER_SLOTS; s++)
		count += l->ids[s] != NULL;
	wire_put_u32(&bytes, LEDGER_VERSION);
	wire_put_u32(&bytes, count);
	for (uint32_t s = 0; s < TEG_COUNTER_SLOTS; s++)
		if (l->ids[s]) {
			wire_put_u32(&bytes, s);
			wire_put_str(&bytes, l->ids[s]);
		}
	return file_replace(path, bytes.at, bytes.len, 0600, why);
}

/* ---- who counts in the first hook ------------------------------------------------- */

/* The value is an array as long as plan->counters. */
static bool *counted(const struct plan *p, struct arena *a)
{
	bool *used = arena_zero(a, p->counter_count + 1);

	for (uint32_t i = 0; i < p->rule_count; i++)
		used[p->rules[i].counter_slot] = true;
	used[p->config.neighbour_slot] = true;
	used[p->config.blocked_slot] = true;
	for (uint32_t i = 0; i < p->posture_count; i++)
		if (p->config.closed >> i & 1)
			used[p->config.closed_slot[i]] = true;
	return used;
}

/* ---- assigning --------------------------------------------------------------------- */

static uint32_t slot_of(const struct ledger *l, const char *id)
{
	return (uint32_t)(uintptr_t)strmap_find(&l->slots, id) - 1;
}

/* Forgets every id that neither plan has. */
static void ledger_collect(struct ledger *l, const struct plan *plan, const struct plan *keep)
{
	const struct plan *const plans[] = { plan, keep };
	const char **kept = arena_zero(l->arena, sizeof l->ids);

	for (size_t p = 0; p < 2 && plans[p]; p++)
		for (uint32_t i = 0; i < plans[p]->counter_count; i++) {
			uint32_t slot = slot_of(l, plans[p]->counters[i].id);
			if (slot != LEDGER_NO_SLOT)
				kept[slot] = l->ids[slot];
		}
	memcpy(l->ids, kept, sizeof l->ids);
	strmap_init(&l->slots, l->arena);
	for (uint32_t s = 0; s < TEG_COUNTER_SLOTS; s++)
		if (l->ids[s])
			strmap_put(&l->slots, l->ids[s], (void *)(uintptr_t)(s + 1));
}

/* A free slot from *from on, or LEDGER_NO_SLOT. */
static uint32_t free_slot(const struct ledger *l, uint32_t *from)
{
	while (*from < TEG_COUNTER_SLOTS && l->ids[*from])
		++*from;
	return *from < TEG_COUNTER_SLOTS ? *from : LEDGER_NO_SLOT;
}

static int assign(struct ledger *l, const struct plan *plan, const struct plan *keep, const bool *used,
		  uint32_t *slots, bool *fresh, struct err *why)
{
	uint32_t next = 0;
	bool collected = false;

	for (uint32_t i = 0; i < plan->counter_count; i++) {
		const char *id = plan->counters[i].id;

		fresh[i] = false;
		slots[i] = used[i] ? slot_of(l, id) : LEDGER_NO_SLOT;
		if (!used[i] || slots[i] != LEDGER_NO_SLOT)
			continue;
		slots[i] = free_slot(l, &next);
		if (slots[i] >= TEG_SLOTS_FIRST && !collected) {
			ledger_collect(l, plan, keep);
			collected = true;
			next = 0;
			slots[i] = free_slot(l, &next);
		}
		if (slots[i] == LEDGER_NO_SLOT)
			return err_set(why, ENOSPC, "all %u counters of the first hook are taken", TEG_COUNTER_SLOTS);
		fresh[i] = true;
		l->ids[slots[i]] = id;
		strmap_put(&l->slots, id, (void *)(uintptr_t)(slots[i] + 1));
	}
	return 0;
}

static void ledger_own_(struct ledger **l)
{
	if (*l)
		arena_free((*l)->arena);
	free(*l);
}

static int ledger_open(struct ledger **out, const char *path, struct err *why)
{
	own(ledger) struct ledger *l = calloc(1, sizeof *l);

	if (!l)
		return err_set(why, ENOMEM, "no memory for the ledger");
	l->arena = arena_new();
	int rc = ledger_load(l, path, why);
	if (!rc)
		*out = take(l);
	return rc;
}

int ledger_assign(const char *path, const struct plan *plan, const struct plan *keep, uint32_t *slots, bool *fresh,
		  struct err *why)
{
	own(ledger) struct ledger *l = NULL;
	bool changed = false;
	int rc = ledger_open(&l, path, why);

	if (!rc)
		rc = assign(l, plan, keep, counted(plan, l->arena), slots, fresh, why);
	for (uint32_t i = 0; !rc && i < plan->counter_count; i++)
		changed = changed || fresh[i];
	if (!rc && changed)
		rc = ledger_save(l, path, why);
	return rc ? err_in(why, "the ledger of counters") : 0;
}

int ledger_read(const char *path, const struct plan *plan, uint32_t *slots, struct err *why)
{
	own(ledger) struct ledger *l = NULL;
	int rc = ledger_open(&l, path, why);

	if (rc)
		return rc;
	const bool *used = counted(plan, l->arena);
	for (uint32_t i = 0; i < plan->counter_count; i++) {
		slots[i] = used[i] ? slot_of(l, plan->counters[i].id) : LEDGER_NO_SLOT;
		if (used[i] && slots[i] == LEDGER_NO_SLOT)
			return err_set(why, ENOENT, "the ledger of counters lacks %s", plan->counters[i].id);
	}
	return 0;
}
