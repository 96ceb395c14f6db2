/*
 * conditions.c - what open conditions ask. To diagrams a rate, a pattern, a feed or a rule on sessions is
 * a truth that may be either, and what both policies call by one name is one truth. So what each means by
 * the name is compared here.
 */
#include <string.h>

#include "compiler/prove/diff/pairing.h"
#include "lang/base/strmap.h"

/* --- rates and patterns ------------------------------------------------------------------- */

static bool keys_differ(const struct ir_rate *a, const struct ir_rate *b)
{
	return a->key != b->key || memcmp(a->key_bits, b->key_bits, sizeof a->key_bits) != 0;
}

static const char *key_text(struct arena *a, const struct ir_rate *r)
{
	switch (r->key) {
	case RATE_PER_SOURCE:
	case RATE_PER_DESTINATION:
		return arena_printf(a, " per %s/%u/%u", r->key == RATE_PER_SOURCE ? "source" : "destination",
				    r->key_bits[FAMILY_IP4], r->key_bits[FAMILY_IP6]);
	case RATE_PER_FLOW:
		return " per flow";
	case RATE_GLOBAL:
		break;
	}
	return " for all";
}

static const char *rate_text(struct arena *a, const struct ir_rate *r, bool with_key)
{
	if (!r)
		return "no rate";
	return arena_printf(a, "%lu%s per %lus, burst %lu%s", (unsigned long)r->rate, r->bytes ? " bytes" : "",
			    (unsigned long)r->unit_s, (unsigned long)r->burst, with_key ? key_text(a, r) : "");
}

/* Do fewer share a bucket of b? */
static bool key_may_be_finer(const struct ir_rate *a, const struct ir_rate *b)
{
	if (b->key == RATE_GLOBAL || !keys_differ(a, b))
		return false;
	return a->key != b->key || b->key_bits[FAMILY_IP4] > a->key_bits[FAMILY_IP4] ||
	       b->key_bits[FAMILY_IP6] > a->key_bits[FAMILY_IP6];
}

/* So many packets, or bytes, may come at once. */
static uint64_t at_once(const struct ir_rate *r)
{
	return r->bytes ? r->burst + r->rate : r->burst;
}

/* Does b let more by? Packets and bytes cannot be compared: then it may. */
static bool rate_may_be_more(const struct ir_rate *a, const struct ir_rate *b)
{
	const unsigned __int128 was = (unsigned __int128)a->rate * b->unit_s, is = (unsigned __int128)b->rate * a->unit_s;

	return a->bytes != b->bytes || is > was || at_once(b) > at_once(a) || key_may_be_finer(a, b);
}

/* Of two that are one truth, either may have no rate: what looks for a pattern alone acts on each that it finds. */
static void compare_rate(struct pairing *k, const struct ir_rule *a, const struct ir_rule *b)
{
	const bool both = a->rate && b->rate, up = both ? rate_may_be_more(a->rate, b->rate) : !a->rate;
	const bool with_key = both && keys_differ(a->rate, b->rate);
	const char *before, *after;

	if ((!a->rate && !b->rate) || (both && ir_rate_is_same(a->rate, b->rate)))
		return;
	before = rate_text(k->prover->arena, a->rate, with_key);
	after = rate_text(k->prover->arena, b->rate, with_key);
	if (!fact_is_told(k, b->id, before, after))
		fact(k, up ? FACT_RATE_UP : FACT_RATE_DOWN, up ? RISK_MEDIUM : RISK_LOW, b->id, before, after);
}

static const char *pattern_text(struct arena *a, const struct pol_payload *p)
{
	if (!p)
		return "no pattern";
	return arena_printf(a, "/%s/%s%s within %lu", p->expression, p->flags & PATTERN_ICASE ? "i" : "",
			    p->flags & PATTERN_DOT_ALL ? "s" : "", (unsigned long)p->within);
}

static void compare_pattern(struct pairing *k, const struct ir_rule *a, const struct ir_rule *b)
{
	const char *before = pattern_text(k->prover->arena, a->payload), *after = pattern_text(k->prover->arena, b->payload);

	if (strcmp(before, after))
		fact(k, FACT_PATTERN, RISK_MEDIUM, b->id, before, after);
}

static bool are_one_truth(const struct ir_rule *a, const struct ir_rule *b)
{
	const char *x = ir_rule_condition(a), *y = ir_rule_condition(b);

	return x && y && !strcmp(x, y);
}

static void compare_rule(struct pairing *k, const struct ir_rule *a, const struct ir_rule *b)
{
	const bool one = are_one_truth(a, b);
	struct arena *mem = k->prover->arena;

	if (one || (a->rate && b->rate))
		compare_rate(k, a, b);
	if (one)
		compare_pattern(k, a, b);
	if (a->block_ns != b->block_ns && !(k->access_only && b->block_ns > a->block_ns))
		fact_flagged(k, FACT_BLOCK_TIME, b->block_ns ? 0 : FLAG(EFFECT_LOST), b->id,
			     arena_printf(mem, "%gs", (double)a->block_ns / 1e9),
			     arena_printf(mem, "%gs", (double)b->block_ns / 1e9));
	if (a->cookies != b->cookies && !(k->access_only && a->cookies)) /* who answers a cookie gets in over the rate */
		fact_flagged(k, FACT_EFFECTS, b->cookies ? FLAG(EFFECT_LOST) : 0, b->id, a->cookies ? "cookies" : "drop",
			     b->cookies ? "cookies" : "drop");
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
	rate = rate_text(k->prover->arena, limit->rate, false);
	if (added)
		fact(k, FACT_RATE_DOWN, RISK_LOW, limit->id, "no limit", rate);
	else
		fact(k, FACT_RATE_UP, RISK_HIGH, limit->id, rate, "no limit");
}

/* Reflexes, and the limits of a posture's rules: by id, and by the name of what they ask. */
struct asking_rules {
	struct strmap ids, conditions;
};

static void map_rules(struct asking_rules *out, struct arena *a, const struct ir_list *l)
{
	strmap_init(&out->ids, a);
	strmap_init(&out->conditions, a);
	for (size_t i = 0; i < l->count; i++) {
		struct ir_rule *r = &l->rules[i];

		if (ir_rule_condition(r))
			strmap_put(&out->conditions, ir_rule_condition(r), r);
		if (ir_rule_condition(r) || r->block_ns)
			strmap_put(&out->ids, r->id, r);
	}
}

static const struct ir_rule *asks_the_same(const struct asking_rules *of, const struct ir_rule *r)
{
	return ir_rule_condition(r) ? strmap_find(&of->conditions, ir_rule_condition(r)) : NULL;
}

/* Rules of one id; and where there is none, rules of other ids that ask one truth. */
void compare_conditions(struct pairing *k, const struct ir_list *a, const struct ir_list *b)
{
	struct asking_rules before, after;
	const struct ir_rule *same;

	map_rules(&before, k->prover->arena, a);
	map_rules(&after, k->prover->arena, b);
	for (size_t i = 0; i < before.ids.entries.len; i++) {
		const struct ir_rule *old = before.ids.entries.at[i].value;

		if ((same = strmap_find(&after.ids, old->id))) {
			compare_rule(k, old, same);
			continue;
		}
		if ((same = asks_the_same(&after, old)))
			compare_rate(k, old, same);
		limit_alone(k, old, b, false);
	}
	for (size_t i = 0; i < after.ids.entries.len; i++) {
		const struct ir_rule *new = after.ids.entries.at[i].value;

		if (strmap_find(&before.ids, new->id))
			continue;
		if ((same = asks_the_same(&before, new)))
			compare_rate(k, same, new);
		limit_alone(k, new, a, true);
	}
}

/* --- feeds --------------------------------------------------------------------------------- */

/* Whom it lists. */
static const char *list_text(struct arena *a, const struct pol_feed *f)
{
	const char *how = f->member ? f->member : f->column ? arena_printf(a, "column %lu", (unsigned long)f->column) : "";

	return arena_printf(a, "%s%s%s, %s", feed_format_name(f->format), *how ? " " : "", how, f->url);
}

static const char *feed_text(struct arena *a, const struct pol_feed *f)
{
	return arena_printf(a, "%s, at most %lu, stale after %lus: %s", list_text(a, f), (unsigned long)f->max,
			    (unsigned long)(f->stale_ns / 1000000000), f->stale_keeps ? "keep" : "clear");
}

/* Is nothing on it sooner than before, or of a list that is longer? */
static bool lists_fewer(const struct pol_feed *a, const struct pol_feed *b)
{
	return b->max < a->max || (!b->stale_keeps && (a->stale_keeps || b->stale_ns < a->stale_ns));
}

/* Feeds that come or go are changes of verdicts; here what they say differently. */
void compare_feeds(struct pairing *k)
{
	const struct ir_list *old = &k->ir[OLD]->feeds, *new = &k->ir[NEW]->feeds;
	struct arena *a = k->prover->arena;

	for (size_t i = 0; i < old->count; i++)
		for (size_t j = 0; j < new->count; j++) {
			const struct pol_feed *x = old->rules[i].feed, *y = new->rules[j].feed;

			if (strcmp(x->name, y->name) != 0)
				continue;
			const char *before = feed_text(a, x), *after = feed_text(a, y);
			const bool fewer = lists_fewer(x, y), others = strcmp(list_text(a, x), list_text(a, y)) != 0;
			if (strcmp(before, after) != 0 && (fewer || others || !k->access_only))
				fact(k, FACT_FEED, fewer || others ? RISK_MEDIUM : RISK_LOW, arena_printf(a, "feed %s", x->name),
				     before, after);
		}
}

/* --- sessions ------------------------------------------------------------------------------ */

static const struct derme_rule *session_rule(const struct ir *ir, const char *id)
{
	for (uint32_t i = 0; ir->derme && i < ir->derme->rule_count; i++)
		if (!strcmp(ir->derme->rules[i].id, id))
			return &ir->derme->rules[i];
	return NULL;
}

/* "session.count > 10 => drop" */
static const char *session_text(struct arena *a, const struct ir *ir, const struct derme_rule *r)
{
	own(buf) struct buf text = { 0 };
	struct derme one = *ir->derme;
	const char *said;

	one.rules = arena_copy(a, r, sizeof *r);
	one.rule_count = 1;
	derme_print(&text, &one);
	said = strstr(buf_text(&text), ": ") + 2;
	return arena_printf(a, "%.*s", (int)strcspn(said, "\n"), said);
}

/* The same of what it takes away alone. */
static const char *taking_text(struct arena *a, const struct ir *ir, const struct derme_rule *r)
{
	struct derme_rule bare = *r;

	bare.emits = bare.inspects = false;
	bare.capture_bytes = 0;
	return session_text(a, ir, &bare);
}

/* Where one takes away and the other does not, or is not there, that is a change of verdicts. */
static void compare_session(struct pairing *k, const struct derme_rule *a, const struct derme_rule *b)
{
	struct arena *mem = k->prover->arena;
	const char *before = a ? session_text(mem, k->ir[OLD], a) : "absent", *after = b ? session_text(mem, k->ir[NEW], b) : "absent";
	const bool takes = a && b && derme_takes_away(a) && derme_takes_away(b) &&
			   strcmp(taking_text(mem, k->ir[OLD], a), taking_text(mem, k->ir[NEW], b)) != 0;

	if (strcmp(before, after) && (takes || !k->access_only))
		fact(k, FACT_SESSION, takes || !b ? RISK_MEDIUM : RISK_LOW, (a ? a : b)->id, before, after);
}

void compare_sessions(struct pairing *k)
{
	const struct derme *old = k->ir[OLD]->derme, *new = k->ir[NEW]->derme;

	for (uint32_t i = 0; old && i < old->rule_count; i++)
		compare_session(k, &old->rules[i], session_rule(k->ir[NEW], old->rules[i].id));
	for (uint32_t i = 0; new && i < new->rule_count; i++)
		if (!session_rule(k->ir[OLD], new->rules[i].id))
			compare_session(k, NULL, &new->rules[i]);
}
