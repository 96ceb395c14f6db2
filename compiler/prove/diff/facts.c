/*
 * facts.c - what changes beside verdicts: zones, and how whatever else does is told as a fact.
 */
#include "compiler/prove/diff/pairing.h"

#include <stdlib.h>
#include <string.h>


/* Does more pass by it, though no verdict need change? */
static bool may_admit(enum fact_kind kind)
{
	switch (kind) {
	case FACT_RATE_UP:
	case FACT_ZONE:
	case FACT_INITIAL:
	case FACT_POSTURE_ADDED:
	case FACT_FEED: /* the same */
	case FACT_MALFORMED: /* told to who asks for more access only when more pass */
	case FACT_PATTERN:
	case FACT_SESSION: /* the same: where it takes away, then and now */
		return true;
	case FACT_RATE_DOWN:
	case FACT_POSTURE_REMOVED:
	case FACT_PLAYBOOK:
	case FACT_RESPONSE:
	case FACT_ORDER_BROKEN:
	case FACT_INVARIANT_BROKEN:
	case FACT_CLAIM:
	case FACT_EFFECTS:
	case FACT_BLOCK_TIME: /* fact_flagged() */
	case FACT_SIGNATURE:
	case FACT_OWNER:
	case FACT_ESTABLISHED: /* what it lets pass is asked packet by packet */
		break;
	}
	return false;
}

void fact(struct pairing *k, enum fact_kind kind, enum risk risk, const char *what,
		 const char *before, const char *after)
{
	struct fact f = { kind, risk, what, before, after, 0, NULL };

	if (k->access_only && !may_admit(kind))
		return;
	vec_push(k->prover->arena, &k->facts, f);
}

void fact_flagged(struct pairing *k, enum fact_kind kind, unsigned flags, const char *what, const char *before,
		  const char *after)
{
	struct fact f = { kind, flags_risk(flags, RISK_LOW), what, before, after, flags, NULL };

	vec_push(k->prover->arena, &k->facts, f);
}

bool fact_is_told(const struct pairing *k, const char *what, const char *before, const char *after)
{
	for (size_t i = 0; i < k->facts.len; i++) {
		const struct fact *f = &k->facts.at[i];

		if (!strcmp(f->what, what) && !strcmp(f->before, before) && !strcmp(f->after, after))
			return true;
	}
	return false;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted: a zone is a set of interfaces. */
static const char *patterns_text(struct arena *a, const struct ir *ir, const char *zone)
{
	own(buf) struct buf b = { 0 };

	for (size_t i = 0; i < ir->zone_count; i++) {
		const struct ir_zone *z = &ir->zones[i];
		const char **sorted;

		if (strcmp(z->name, zone) != 0)
			continue;
		sorted = arena_copy(a, z->patterns, z->pattern_count * sizeof *sorted);
		qsort(sorted, z->pattern_count, sizeof *sorted, by_text);
		for (size_t p = 0; p < z->pattern_count; p++)
			buf_printf(&b, "%s%s", p ? ", " : "", sorted[p]);
	}
	return b.len ? arena_strdup(a, buf_text(&b)) : "no interface";
}

/* What is permitted says it of the zone in so many words. */
static bool permits_zone(const struct pairing *k, const char *zone, const char *patterns)
{
	return k->permits && !strcmp(patterns_text(k->prover->arena, k->permits, zone), patterns);
}

void compare_zones(struct pairing *k)
{
	struct arena *mem = k->prover->arena;

	for (size_t i = 0; i < k->terms.zones.len; i++) {
		const char *zone = k->terms.zones.at[i];
		const char *before = patterns_text(mem, k->ir[OLD], zone);
		const char *after = patterns_text(mem, k->ir[NEW], zone);

		if (strcmp(before, after) != 0 && !permits_zone(k, zone, after))
			fact(k, FACT_ZONE, RISK_MEDIUM, arena_printf(mem, "zone %s", zone), before,
			     after);
	}
}
