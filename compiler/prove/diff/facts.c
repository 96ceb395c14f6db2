/*
 * facts.c - what changes beside verdicts: rates, zones, and what else is told as a fact.
 */
#include "compiler/prove/diff/pairing.h"

#include <stdlib.h>
#include <string.h>

#include "lang/base/strmap.h"

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

static const char *rate_text(struct arena *a, const struct ir_rate *r)
{
	return arena_printf(a, "%lu%s per %lus, burst %lu", (unsigned long)r->rate, r->bytes ? " bytes" : "",
			    (unsigned long)r->unit_s, (unsigned long)r->burst);
}

static bool rates_differ(const struct ir_rate *a, const struct ir_rate *b)
{
	return a->bytes != b->bytes || a->cost_ns != b->cost_ns || a->depth_ns != b->depth_ns ||
	       (a->bytes && a->rate != b->rate);
}

/* Does b let more by? Packets and bytes cannot be compared: then it may. */
static bool rate_may_be_more(const struct ir_rate *a, const struct ir_rate *b)
{
	const unsigned __int128 was = (unsigned __int128)a->rate * b->unit_s, is = (unsigned __int128)b->rate * a->unit_s;

	return a->bytes != b->bytes || is > was || (is == was && b->depth_ns > a->depth_ns);
}

static void compare_rate(struct pairing *k, const struct ir_rule *a, const struct ir_rule *b)
{
	struct arena *mem = k->prover->arena;

	if (a->rate && b->rate && rates_differ(a->rate, b->rate)) {
		bool up = rate_may_be_more(a->rate, b->rate);

		fact(k, up ? FACT_RATE_UP : FACT_RATE_DOWN, up ? RISK_MEDIUM : RISK_LOW, b->id,
		     rate_text(mem, a->rate), rate_text(mem, b->rate));
	}
	if (a->block_ns != b->block_ns && !(k->access_only && b->block_ns))
		fact_flagged(k, FACT_BLOCK_TIME, b->block_ns ? 0 : FLAG(EFFECT_LOST), b->id,
			     arena_printf(mem, "%gs", (double)a->block_ns / 1e9),
			     arena_printf(mem, "%gs", (double)b->block_ns / 1e9));
	if (a->cookies != b->cookies && !(k->access_only && a->cookies)) /* who answers a cookie gets in over the rate */
		fact_flagged(k, FACT_EFFECTS, b->cookies ? FLAG(EFFECT_LOST) : 0, b->id, a->cookies ? "cookies" : "drop",
			     b->cookies ? "cookies" : "drop");
}

/* Reflexes, and the limits of a posture's rules. */
static bool has_amounts(const struct ir_rule *r)
{
	return r->rate || r->block_ns;
}

/* Does the rule that the limit belongs to, "HARDENED.web_in.limit", stand in the list? */
static bool has_limited(const struct ir_list *l, const struct ir_rule *limit)
{
	size_t len = strlen(limit->id) - strlen(".limit");

	for (size_t i = 0; i < l->count; i++)
		if (strlen(l->rules[i].id) == len && !strncmp(l->rules[i].id, limit->id, len))
			return true;
	return false;
}

/* A limit that came or went while its rule stayed: what else the rule's change opens must not hide it. */
static void limit_alone(struct pairing *k, const struct ir_rule *limit, const struct ir_list *others, bool added)
{
	const char *rate;

	if (!ir_rule_is_limit(limit) || !has_limited(others, limit))
		return;
	rate = rate_text(k->prover->arena, limit->rate);
	if (added)
		fact(k, FACT_RATE_DOWN, RISK_LOW, limit->id, "no limit", rate);
	else
		fact(k, FACT_RATE_UP, RISK_HIGH, limit->id, rate, "no limit");
}

static void map_amounts(struct strmap *out, struct arena *a, const struct ir_list *l)
{
	strmap_init(out, a);
	for (size_t i = 0; i < l->count; i++)
		if (has_amounts(&l->rules[i]))
			strmap_put(out, l->rules[i].id, &l->rules[i]);
}

void compare_rates(struct pairing *k, const struct ir_list *a, const struct ir_list *b)
{
	struct strmap before, after;

	map_amounts(&before, k->prover->arena, a);
	map_amounts(&after, k->prover->arena, b);
	for (size_t i = 0; i < before.entries.len; i++) {
		const struct ir_rule *old = before.entries.at[i].value;
		const struct ir_rule *same = strmap_find(&after, old->id);

		if (same)
			compare_rate(k, old, same);
		else
			limit_alone(k, old, b, false);
	}
	for (size_t i = 0; i < after.entries.len; i++)
		if (!strmap_find(&before, after.entries.at[i].name))
			limit_alone(k, after.entries.at[i].value, a, true);
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
