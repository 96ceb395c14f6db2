/* terms - zones and open conditions as numbers: what cells of several policies are said in. */
#include "compiler/prove/judgement/parts.h"

#include <string.h>

#include "compiler/prove/mutant.h"

static size_t zone_find(const struct terms *t, const char *name)
{
	size_t i = 0;

	while (i < t->zones.len && strcmp(t->zones.at[i], name))
		i++;
	return i;
}

static bool are_the_same(const struct takers *x, const struct takers *y)
{
	return x->len == y->len && x->count == y->count && takers_are_among(x, y);
}

size_t terms_unknown(const struct terms *t, const char *name, unsigned copy, const struct takers *before)
{
	size_t i = 0;

	while (i < t->unknowns.len && (t->unknowns.at[i].copy != copy || strcmp(t->unknowns.at[i].name, name) ||
				       !are_the_same(&t->unknowns.at[i].before, before)))
		i++;
	return i;
}

size_t terms_own_unknown(const struct terms *t, const struct ir_rule *r)
{
	static const struct takers none;

	return terms_unknown(t, asker_name(t->arena, r), 0, &none);
}

uint64_t terms_zone(const struct terms *t, const char *name)
{
	return UINT64_C(1) << zone_find(t, name);
}

static enum open_kind open_kind(const struct ir_rule *r)
{
	return r->feed ? OPEN_FEED : r->payload ? OPEN_PATTERN : OPEN_RATE;
}

static void add(struct terms *t, const char *name, enum open_kind kind, unsigned copy)
{
	const struct unknown u = { .name = name, .kind = kind, .copy = copy, .said = name };

	if (terms_unknown(t, name, copy, &u.before) == t->unknowns.len)
		vec_push(t->arena, &t->unknowns, u);
}

/* Their own, and for a second policy of which nothing is known to fill alike. */
static void unknowns_add(struct terms *t, const struct ir_list *l)
{
	for (size_t i = 0; i < l->count; i++) {
		const char *name = ir_rule_condition(&l->rules[i]);

		for (unsigned copy = 0; name && copy <= condition_copy(&l->rules[i], 1); copy++)
			add(t, name, open_kind(&l->rules[i]), copy);
	}
}

bool terms_add(struct terms *t, const struct ir *ir)
{
	for (size_t i = 0; i < ir->zone_count; i++) {
		if (zone_find(t, ir->zones[i].name) < t->zones.len)
			continue;
		if (t->zones.len == ZONE_NONE)
			return false;
		vec_push(t->arena, &t->zones, ir->zones[i].name);
	}
	unknowns_add(t, &ir->feeds);
	unknowns_add(t, &ir->reflexes);
	askers_add(t, ir, &ir->reflexes);
	for (uint32_t i = 0; ir->derme && i < ir->derme->rule_count; i++)
		for (unsigned copy = 0; copy < 2 && derme_takes_away(&ir->derme->rules[i]); copy++)
			add(t, ir->derme->rules[i].id, OPEN_SESSION, copy);
	for (size_t i = 0; i < ir->posture_count; i++)
		for (int d = 0; d < DIRECTION_COUNT; d++)
			unknowns_add(t, &ir->postures[i].lists[d]);
	return true;
}

uint64_t terms_zones(const struct terms *t, const struct ir *ir, uint64_t zones)
{
	uint64_t out = 0, known = 0;

	for (size_t i = 0; i < ir->zone_count; i++) {
		uint64_t bit = UINT64_C(1) << zone_find(t, ir->zones[i].name);

		known |= bit;
		if (zones >> i & 1)
			out |= bit;
	}
	if (zones >> ZONE_NONE & 1) {
		uint64_t all = (UINT64_C(1) << t->zones.len) - 1;

		out |= UINT64_C(1) << ZONE_NONE | MUTANT(16, all & ~known, 0);
	}
	return out;
}
