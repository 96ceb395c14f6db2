/*
 * limit.c - how much is admitted: the rates of reflexes, the limits of rules,
 * and limits that have a name, which all who name them share.
 */
#include <string.h>

#include "compiler/front/reading.h"
#include "lang/base/near.h"

#define SECOND_NS	1000000000u
#define RATE_COUNT_MAX	UINT32_MAX		  /* a burst of nft */
#define RATE_BYTES_MAX	12000000000u		  /* a second; and so many at once: */
#define BURST_BYTES_MAX 4000000000u		  /* more; then nft's sums fit its 64 bits */
#define DAY_NS		86400000000000ull
#define RATE_WINDOW_MAX (365 * DAY_NS)
#define FULL_AGAIN_MAX	(36500 * DAY_NS) /* fits the kernel's and the hook's 63 bits with room */

static const struct {
	const char *name;
	enum rate_key key;
} keys[] = {
	{ "source", RATE_PER_SOURCE },
	{ "destination", RATE_PER_DESTINATION },
	{ "flow", RATE_PER_FLOW },
};

static bool key_word(struct reading *r, const struct node *n, enum rate_key *out)
{
	struct near near = near_to(n->kind == NODE_NAME ? n->text : "");

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		near_try(&near, keys[i].name);
		if (n->kind == NODE_NAME && !strcmp(n->text, keys[i].name)) {
			*out = keys[i].key;
			return true;
		}
	}
	struct diag *d = diag(r->diags, DIAG_REFLEX_WHEN, n->span, "nothing is counted per this");
	if (!tell_near(r, d, &near, n->span))
		diag_help(d, "there are: per source, per destination, per flow; without `per` there is one bucket for all");
	return false;
}

/* `source`, `source/24`, `source/24/56`: a part is grouped to the right. */
static bool key_read(struct reading *r, const struct node *key, struct pol_rate *out)
{
	const struct node *name = key->kind == NODE_PART ? key->first : key;
	const struct node *lengths = key->kind == NODE_PART ? key->last : NULL;
	const bool both = lengths && lengths->kind == NODE_PART;
	const struct node *bits4 = both ? lengths->first : lengths, *bits6 = both ? lengths->last : NULL;
	const struct node *bits[FAMILY_COUNT] = { bits4, bits6 };
	static const uint64_t most[FAMILY_COUNT] = { 32, 128 };

	if (!key_word(r, name, &out->key))
		return false;
	if (bits4 && out->key == RATE_PER_FLOW) {
		diag_help(diag(r->diags, DIAG_REFLEX_WHEN, key->span, "a flow has no prefix"), "write `per flow`, or `per source/24`");
		return false;
	}
	for (int f = 0; f < FAMILY_COUNT; f++) {
		uint64_t n;

		if (!bits[f])
			continue;
		if (!value_number(r, bits[f], most[f], &n))
			return false;
		if (!n) {
			diag_help(diag(r->diags, DIAG_AMOUNT_ZERO, bits[f]->span, "a prefix of no bits is every address"),
				  "leave `per` out to have one bucket for all");
			return false;
		}
		out->key_bits[f] = (uint8_t)n;
	}
	return true;
}

static struct pol_rate rate_of_all(void)
{
	return (struct pol_rate){ .key = RATE_GLOBAL, .key_bits = { [FAMILY_IP4] = 32, [FAMILY_IP6] = 64 } };
}

/* Bytes in a second, rounded up. */
static uint64_t bytes_a_second(const struct pol_rate *r)
{
	return (uint64_t)(((unsigned __int128)r->count * SECOND_NS + r->window_ns - 1) / r->window_ns);
}

/* A bucket of bytes holds at least what comes in a second: nft_limit.c knows no smaller one. */
static bool bytes_read(struct reading *r, const struct node *count, const struct pol_rate *rate)
{
	const uint64_t least = bytes_a_second(rate);

	if (least > RATE_BYTES_MAX) {
		diag(r->diags, DIAG_NUMBER_RANGE, count->span, "a rate is at most 12GB a second");
		return false;
	}
	if (rate->count <= least + BURST_BYTES_MAX)
		return true;
	diag(r->diags, DIAG_NUMBER_RANGE, count->span, "what may come at once is at most 4GB more than what comes in a second");
	return false;
}

/*
 * The longest unit that nft counts in is a week: 3 per 2w is 1 or 2 of them (ir_rate_of()). What is
 * that far from what was written, a tenth and more, must not be taken for it.
 */
static bool is_slow_and_told_wrong(const struct pol_rate *r)
{
	const unsigned __int128 weeks = (unsigned __int128)r->count * 7 * DAY_NS;
	const unsigned __int128 nearest = (weeks + r->window_ns / 2) / r->window_ns;
	const unsigned __int128 made = (nearest ? nearest : 1) * r->window_ns;

	return (made > weeks ? made - weeks : weeks - made) * 10 > weeks;
}

static bool amount_read(struct reading *r, const struct node *count, const struct node *window, struct pol_rate *out)
{
	struct value_rate amount;

	if (!value_rate(r, count, window, &amount))
		return false;
	if ((!amount.bytes && amount.count > RATE_COUNT_MAX) || amount.window_ns > RATE_WINDOW_MAX) {
		diag(r->diags, DIAG_NUMBER_RANGE, count->span, "a rate counts to at most %u, within at most 365d", RATE_COUNT_MAX);
		return false;
	}
	out->count = amount.count;
	out->window_ns = amount.window_ns;
	out->bytes = amount.bytes;
	if (out->bytes)
		return bytes_read(r, count, out);
	if (is_slow_and_told_wrong(out)) {
		diag_help(diag(r->diags, DIAG_NUMBER_RANGE, count->span, "so slow a rate is a whole number a week"), "write `1 per 1w`, or `2 per 1w`");
		return false;
	}
	return true;
}

/* How long an empty bucket takes to be full. */
static unsigned __int128 full_again_ns(const struct pol_rate *r)
{
	return (unsigned __int128)r->burst * r->window_ns / r->count;
}

static bool burst_bytes_read(struct reading *r, const struct node *burst, const struct pol_rate *rate)
{
	const uint64_t least = bytes_a_second(rate);

	if (rate->burst >= least && rate->burst <= least + BURST_BYTES_MAX)
		return true;
	diag_help(diag(r->diags, DIAG_NUMBER_RANGE, burst->span, "a burst of bytes is at least what comes in a second, and at most 4GB more"),
		  "here at least %lluB", (unsigned long long)least);
	return false;
}

/* Without `burst`, what the rate lets by in its window may come at once. */
static bool burst_read(struct reading *r, const struct node *option, struct pol_rate *out)
{
	if (strcmp(option->text, "burst")) {
		struct near near = near_to(option->text);
		struct diag *d = diag(r->diags, DIAG_SYNTAX, option->span, "`%s` says nothing of a limit", option->text);

		near_try(&near, "burst");
		if (!tell_near(r, d, &near, option->span))
			diag_help(d, "there is `burst`");
		return false;
	}
	if (!value_amount(r, option->first, out->bytes ? TYPE_BYTES : TYPE_COUNT, &out->burst))
		return false;
	if (out->bytes)
		return burst_bytes_read(r, option->first, out);
	if (!out->burst || out->burst > RATE_COUNT_MAX) {
		diag(r->diags, DIAG_NUMBER_RANGE, option->first->span, "a burst is 1 to %u", RATE_COUNT_MAX);
		return false;
	}
	if (full_again_ns(out) > FULL_AGAIN_MAX) {
		diag(r->diags, DIAG_NUMBER_RANGE, option->first->span, "at this rate, so large a burst would take more than 36500d to come again");
		return false;
	}
	return true;
}

/* Is it a time, so that `1000 per 100ms per source` has its window here? */
static bool is_time(struct reading *r, const struct node *n)
{
	const struct symbol *s = n->kind == NODE_NAME ? scope_peek(r, n->text) : NULL;

	return n->kind == NODE_QUANTITY || (s && s->kind == SYMBOL_PARAM && s->type == TYPE_DURATION);
}

struct pers {
	const struct node *window, *key;
};

static bool pers_read(struct reading *r, const struct node *first, struct pers *out)
{
	for (const struct node *n = first; n; n = n->next) {
		if (n->kind != NODE_PER)
			continue;
		const struct node **slot = is_time(r, n->first) ? &out->window : &out->key;

		if (*slot) {
			diag_at(diag(r->diags, DIAG_CLAUSE_TWICE, n->span, "this is said twice"), (*slot)->span, "here first");
			return false;
		}
		*slot = n->first;
	}
	return true;
}

/* NODE_LIMIT, but for a name alone. */
static bool limit_amount(struct reading *r, const struct node *limit, struct pol_rate *out)
{
	const struct node *option = node_find(limit, NODE_OPTION);
	struct pers pers = { 0 };

	*out = rate_of_all();
	out->fleet = node_find(limit, NODE_SHARED);
	return pers_read(r, limit->first->next, &pers) && amount_read(r, limit->first, pers.window, out) &&
	       (!pers.key || key_read(r, pers.key, out)) && (!option || burst_read(r, option, out));
}

/* --- limits with a name ------------------------------------------------------------------------ */

void declare_limits(struct reading *r)
{
	VEC(struct pol_limit) all = { 0 };

	for (size_t i = 0; i < r->decls.len; i++) {
		const struct node *n = r->decls.at[i];
		struct pol_limit l = { 0 };
		struct symbol *s;

		if (n->kind != NODE_BUCKET)
			continue;
		s = scope_peek(r, n->first->text);
		if (!s || s->kind != SYMBOL_LIMIT || s->span.from != n->first->span.from || s->span.file != n->first->span.file)
			continue; /* declared twice */
		l.name = n->first->text;
		l.id = arena_printf(r->arena, "limit.%s", l.name);
		l.span = n->first->span;
		s->state = limit_amount(r, node_find(n, NODE_LIMIT), &l.rate) ? SYMBOL_KNOWN : SYMBOL_WRONG;
		l.rate.bucket = l.id;
		s->limit = arena_copy(r->arena, &l.rate, sizeof l.rate);
		vec_push(r->arena, &all, l);
	}
	r->policy->limits = all.at;
	r->policy->limit_count = all.len;
}

static bool limit_named(struct reading *r, const struct node *name, struct pol_rate *out)
{
	struct symbol *s = scope_find(r, name, "limit");

	if (!s)
		return false;
	if (s->kind != SYMBOL_LIMIT) {
		diag_at(value_mistyped(r, name, "a limit"), s->span, "declared here");
		return false;
	}
	if (s->state != SYMBOL_KNOWN)
		return false;
	*out = *s->limit;
	return true;
}

/* Who names a limit first; all others must be of its kind, and without `per` there are none: that bucket stands in a rule of nft. */
struct limit_use {
	const struct pol_rate *rate;
	struct span span;
	bool arrival;
};

static void share(struct reading *r, struct strmap *first, struct limit_use u)
{
	const struct limit_use *before = u.rate->bucket ? strmap_find(first, u.rate->bucket) : NULL;
	struct diag *d;

	if (!u.rate->bucket)
		return;
	if (!before) {
		strmap_put(first, u.rate->bucket, arena_copy(r->arena, &u, sizeof u));
		return;
	}
	if (before->arrival != u.arrival) {
		d = diag(r->diags, DIAG_LIMIT_APART, u.span, "`%s` is counted by a reflex and by a rule", u.rate->bucket);
		diag_at(d, before->span, "the other is here");
		diag_help(d, "reflexes count on arrival, rules once flows are known: give each a limit of its own");
	} else if (u.rate->key == RATE_GLOBAL) {
		const char *who = u.arrival ? "reflex" : "rule";

		d = diag(r->diags, DIAG_LIMIT_APART, u.span, "`%s` is one bucket for all, and two %s count with it", u.rate->bucket,
			 u.arrival ? "reflexes" : "rules");
		diag_at(d, before->span, "the other is here");
		diag_help(d, "count per source or per destination, or put both into one %s", who);
	}
}

void limits_check(struct reading *r)
{
	struct policy *p = r->policy;
	struct strmap first;

	strmap_init(&first, r->arena);
	for (size_t i = 0; i < p->reflex_count; i++)
		if (p->reflexes[i].has_rate)
			share(r, &first, (struct limit_use){ &p->reflexes[i].rate, p->reflexes[i].span, true });
	for (size_t i = 0; i < p->posture_count; i++) {
		struct strmap own = first;

		/* Of one posture at a time: no two are active. */
		strmap_init(&own, r->arena);
		for (size_t j = 0; j < first.entries.len; j++)
			strmap_put(&own, first.entries.at[j].name, first.entries.at[j].value);
		for (size_t j = 0; j < p->postures[i].rule_count; j++) {
			const struct pol_rule *rule = &p->postures[i].rules[j];

			if (rule->limit)
				share(r, &own, (struct limit_use){ rule->limit, rule->span, false });
		}
	}
}

/* --- rules and reflexes ------------------------------------------------------------------------- */

/* A rate has a name of its own too: `limit per_client`, and a parameter: `limit calm`. */
static bool is_named(struct reading *r, const struct node *limit)
{
	const struct symbol *s = limit->first->kind == NODE_NAME ? scope_peek(r, limit->first->text) : NULL;

	return limit->first->kind == NODE_NAME && !limit->first->next && !(s && s->kind == SYMBOL_PARAM);
}

bool limit_read(struct reading *r, const struct node *limit, enum verdict v, struct pol_rate *out)
{
	if (v == VERDICT_DROP) {
		diag_help(diag(r->diags, DIAG_LIMIT_DROP, limit->span, "what is dropped has no limit"),
			  "a limit says how much is admitted; a reflex drops what exceeds a rate");
		return false;
	}
	if (!(is_named(r, limit) ? limit_named(r, limit->first, out) : limit_amount(r, limit, out)))
		return false;
	if (out->bytes) {
		diag_help(diag(r->diags, DIAG_LIMIT_BYTES, limit->span, "a rule counts flows, and a flow that begins has no bytes yet"),
			  "bytes are counted as they arrive: reflex NAME { match … when rate per source > 10MB/s do drop }");
		return false;
	}
	if (out->key != RATE_PER_FLOW)
		return true;
	diag_help(diag(r->diags, DIAG_LIMIT_FLOW, limit->span, "a rule counts flows, and of one flow there is one"),
		  "count per source, per destination, or all together");
	return false;
}

bool when_read(struct reading *r, const struct node *when, struct pol_reflex *out)
{
	const struct node *key = when->first->kind == NODE_PER ? when->first : NULL;
	const struct node *count = key ? key->next : when->first;
	struct pers pers = { 0 };

	if (strcmp(when->text, "rate")) {
		diag_help(diag(r->diags, DIAG_REFLEX_WHEN, when->span, "a reflex cannot measure `%s`", when->text),
			  "write: when rate per source > 1000 per 100ms");
		return false;
	}
	out->has_rate = true;
	out->rate = rate_of_all();
	if (!pers_read(r, count->next, &pers))
		return false;
	if (pers.key) {
		diag_help(diag(r->diags, DIAG_UNIT_MISSING, pers.key->span, "a time is due here"),
			  "what is counted for each stands first: when rate per source > 1000 per 100ms");
		return false;
	}
	return (!key || key_read(r, key->first, &out->rate)) && amount_read(r, count, pers.window, &out->rate);
}

bool exceeds_read(struct reading *r, const struct node *exceeds, struct pol_reflex *out)
{
	out->has_rate = true;
	return limit_named(r, exceeds->first, &out->rate);
}
