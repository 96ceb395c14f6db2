#include "compiler/prove/diff/diff.h"

#include <string.h>

#include "compiler/prove/diff/pairing.h"
#include "lang/base/buf.h"
#include "lang/vocab/cause.h"

const char *change_kind_name(enum change_kind k)
{
	switch (k) {
	case CHANGE_OPENED:
		return "opened";
	case CHANGE_CLOSED:
		return "closed";
	case CHANGE_EFFECT:
		break;
	}
	return "effect";
}

const char *risk_name(enum risk r)
{
	switch (r) {
	case RISK_NONE:
		return "none";
	case RISK_LOW:
		return "low";
	case RISK_MEDIUM:
		return "medium";
	case RISK_HIGH:
		return "high";
	case RISK_CRITICAL:
		break;
	}
	return "critical";
}

static void compare_responses(struct pairing *k)
{
	struct response_facts facts = { 0 };

	facts_of_responses(k->prover->arena, &facts, k->ir[OLD], k->ir[NEW]);
	for (size_t i = 0; i < facts.list.len; i++)
		vec_push(k->prover->arena, &k->facts, facts.list.at[i]);
}

static const char *passes_text(struct arena *a, uint32_t passes)
{
	own(buf) struct buf names = { 0 };

	cause_names(&names, passes);
	return names.len ? arena_printf(a, "pass %s", buf_text(&names)) : "drop";
}

/* Frames that no rule judges: what passes now and did not is more than any verdict shows. */
static void compare_passes(struct pairing *k, const char *what, uint32_t before, uint32_t after)
{
	const bool more = after & ~before;

	if (before == after || (k->access_only && !more))
		return;
	fact(k, FACT_MALFORMED, more ? RISK_MEDIUM : RISK_LOW, what, passes_text(k->prover->arena, before),
	     passes_text(k->prover->arena, after));
}

/* The one posture of `ir` that `other` has not; -1 when they are none or several. */
static int only_here(const struct ir *ir, const struct ir *other)
{
	int found = -1;
	unsigned ignored;

	for (unsigned i = 0; i < ir->posture_count; i++) {
		if (posture_named(other, ir->postures[i].name, &ignored))
			continue;
		if (found >= 0)
			return -1;
		found = (int)i;
	}
	return found;
}

/* What a new posture is measured by: the one in whose place it came, or what was in force from the start. */
static unsigned measure_of_new(const struct pairing *k)
{
	const int gone = only_here(k->ir[OLD], k->ir[NEW]);

	return gone >= 0 && only_here(k->ir[NEW], k->ir[OLD]) >= 0 ? (unsigned)gone : k->ir[OLD]->initial;
}

/* Of the changes from the one noted on, those that open; their greatest risk. */
static enum risk keep_opened(struct pairing *k, size_t from)
{
	enum risk worst = RISK_LOW;
	size_t kept = from;

	for (size_t i = from; i < k->changes.len; i++) {
		const struct change *c = &k->changes.at[i];

		if (c->kind != CHANGE_OPENED)
			continue;
		worst = c->risk > worst ? c->risk : worst;
		k->changes.at[kept++] = *c;
	}
	k->changes.len = kept;
	return worst;
}

/* A posture that is new has nothing to be compared with by name; what it opens is told, and what it closes is not. */
static void compare_new_posture(struct pairing *k, unsigned new_posture, const char *what)
{
	const unsigned measure = measure_of_new(k);
	const size_t changes = k->changes.len, idles = k->idles.len;
	const char *after = arena_printf(k->prover->arena, "present, measured by %s", k->ir[OLD]->postures[measure].name);

	for (int d = 0; d < DIRECTION_COUNT; d++)
		pairing_verdicts(k, measure, new_posture, (enum direction)d);
	k->idles.len = idles;
	fact(k, FACT_POSTURE_ADDED, keep_opened(k, changes), what, "absent", after);
}

static void compare_posture(struct pairing *k, unsigned new_posture)
{
	const struct ir_posture *b = &k->ir[NEW]->postures[new_posture];
	unsigned old_posture;
	const struct ir_posture *a = posture_named(k->ir[OLD], b->name, &old_posture);
	const char *what = arena_printf(k->prover->arena, "posture %s", b->name);

	if (!a) {
		compare_new_posture(k, new_posture, what);
		return;
	}
	if (a->established != b->established)
		fact(k, FACT_ESTABLISHED, RISK_LOW, what, established_name(a->established),
		     established_name(b->established));
	compare_passes(k, what, a->passes, b->passes);
	for (int d = 0; d < DIRECTION_COUNT; d++) {
		compare_conditions(k, &a->lists[d], &b->lists[d]);
		pairing_compare(k, old_posture, new_posture, (enum direction)d);
	}
}

static void compare_postures(struct pairing *k)
{
	const struct ir *a = k->ir[OLD], *b = k->ir[NEW];
	unsigned ignored;

	for (unsigned i = 0; i < b->posture_count; i++)
		compare_posture(k, i);
	for (unsigned i = 0; i < a->posture_count; i++)
		if (!posture_named(b, a->postures[i].name, &ignored))
			fact(k, FACT_POSTURE_REMOVED, RISK_MEDIUM,
			     arena_printf(k->prover->arena, "posture %s", a->postures[i].name),
			     "present", "absent");
	if (strcmp(a->postures[a->initial].name, b->postures[b->initial].name) != 0)
		fact(k, FACT_INITIAL, RISK_MEDIUM, "initial posture", a->postures[a->initial].name,
		     b->postures[b->initial].name);
}

/* --- in order ----------------------------------------------------------------------- */

static bool same_decider(const struct decider *a, const struct decider *b)
{
	const struct ir_rule *x = a->rule, *y = b->rule;

	if (!x || !y)
		return x == y && !strcmp(a->why, b->why);
	return x == y || (!strcmp(a->why, b->why) && x->span.file == y->span.file &&
			  x->span.from == y->span.from && x->span.to == y->span.to);
}

static bool same_deciders(const struct decider *a, size_t a_count, const struct decider *b,
			  size_t b_count)
{
	if (a_count != b_count)
		return false;
	for (size_t i = 0; i < a_count; i++)
		if (!same_decider(&a[i], &b[i]))
			return false;
	return true;
}

/*
 * An edit of an inherited rule says the same in every posture that inherits it, but only where it
 * changes the same packets in the same way. Where the regions are not exact, the rules around it tell.
 */
static bool says_the_same(const struct change *a, const struct change *b, size_t unknowns)
{
	if (a->kind != b->kind || a->direction != b->direction || a->added != b->added ||
	    a->states != b->states || a->conditional != b->conditional || a->flags != b->flags ||
	    a->exact != b->exact || a->beside != b->beside || a->share != b->share ||
	    a->region_count != b->region_count ||
	    a->witness.decider.verdict != b->witness.decider.verdict ||
	    a->now.verdict != b->now.verdict || !same_decider(&a->cause, &b->cause) ||
	    (!a->exact &&
	     (!same_deciders(a->otherwise, a->otherwise_count, b->otherwise, b->otherwise_count) ||
	      !same_deciders(a->rest, a->rest_count, b->rest, b->rest_count))) ||
	    !same_circumstances(&a->witness.point, &b->witness.point, unknowns))
		return false;
	for (size_t i = 0; i < a->region_count; i++)
		if (strcmp(a->regions[i], b->regions[i]) != 0)
			return false;
	return true;
}

static void merge_postures(struct pairing *k)
{
	size_t kept = 0;

	for (size_t i = 0; i < k->changes.len; i++) {
		struct change *c = &k->changes.at[i], *twin = NULL;

		for (size_t n = 0; n < kept && !twin; n++)
			if (says_the_same(&k->changes.at[n], c, k->terms.unknowns.len))
				twin = &k->changes.at[n];
		if (twin)
			twin->posture = arena_printf(k->prover->arena, "%s, %s", twin->posture,
						     c->posture);
		else
			k->changes.at[kept++] = *c;
	}
	k->changes.len = kept;
}

/* Stable: equal ones keep the order of the policy. */
static void sort_changes(struct change *at, size_t len)
{
	for (size_t i = 1; i < len; i++) {
		struct change c = at[i];
		size_t n = i;

		for (; n && (at[n - 1].kind > c.kind ||
			     (at[n - 1].kind == c.kind && at[n - 1].risk < c.risk));
		     n--)
			at[n] = at[n - 1];
		at[n] = c;
	}
}

static void compare_owner(struct pairing *k)
{
	const struct policy *a = k->ir[OLD]->policy, *b = k->ir[NEW]->policy;

	if (a && b && a->owner && !b->owner)
		fact_flagged(k, FACT_OWNER, FLAG(NO_OWNER), "owner of the policy", a->owner, "nobody");
}

static void compare_claims(struct pairing *k, struct diff *d)
{
	struct claims_diff claims;

	claims_compare(&claims, k->prover, k->ir[OLD], k->ir[NEW]);
	for (size_t i = 0; i < claims.facts.len; i++)
		vec_push(k->prover->arena, &k->facts, claims.facts.at[i]);
	d->orders = claims.orders.at;
	d->order_count = claims.orders.len;
	d->invariant_count = claims.invariants;
}

static const struct diff *run(struct pairing *k)
{
	struct diff *d = arena_zero(k->prover->arena, sizeof *d);

	k->q = (struct asking){ .prover = k->prover, .terms = &k->terms, .most = SLICE_CELLS,
				.ask = ask_change, .arg = k };
	d->access_only = k->access_only;
	if (!terms_add(&k->terms, k->ir[OLD]) || !terms_add(&k->terms, k->ir[NEW]) ||
	    (k->permits && !terms_add(&k->terms, k->permits))) {
		d->too_many_zones = true;
		return d;
	}
	compare_postures(k);
	compare_conditions(k, &k->ir[OLD]->reflexes, &k->ir[NEW]->reflexes);
	compare_zones(k);
	compare_feeds(k);
	compare_sessions(k);
	if (!k->access_only) {
		compare_watches(k);
		compare_conditions(k, &k->ir[OLD]->watches, &k->ir[NEW]->watches);
		effects_told(k);
		compare_owner(k);
		compare_responses(k);
		compare_claims(k, d);
	}
	merge_postures(k);
	sort_changes(k->changes.at, k->changes.len);
	d->changes = k->changes.at;
	d->change_count = k->changes.len;
	d->facts = k->facts.at;
	d->fact_count = k->facts.len;
	d->idles = k->idles.at;
	d->idle_count = k->access_only ? 0 : k->idles.len;
	d->progress = k->q.progress;
	return d;
}

const struct diff *prove_diff(struct prover *p, const struct ir *old, const struct ir *new)
{
	struct pairing k = { .prover = p, .terms = terms_begin(p), .ir = { old, new } };

	return run(&k);
}

const struct diff *prove_new_access(struct prover *p, const struct ir *base, const struct ir *head,
				    const struct ir *permits)
{
	struct pairing k = { .prover = p, .terms = terms_begin(p), .ir = { base, head },
			     .access_only = true, .permits = permits };

	return run(&k);
}

bool diff_replays(const struct diff *d)
{
	for (size_t i = 0; i < d->change_count; i++)
		if (!d->changes[i].witness.replays)
			return false;
	return true;
}
