#include "compiler/ir/trial.h"

#include <assert.h>
#include <string.h>

#include "compiler/ir/moment.h"
#include "compiler/ir/partial.h"

/* What could come out, and what would have to be known to say. */
struct possible {
	struct outcome outcome;
	enum pkt_field_bits field; /* 0: this is sure, if nothing before it comes out */
};

/*
 * One packet of a test under way. `real` is the moment that eval judges in. Of
 * what is open, `least` has no bucket and no block touched, `most` every one:
 * what both say is sure, what only `most` says is possible.
 */
struct run {
	const struct ir *ir;
	struct arena *arena;
	struct addr own[FAMILY_COUNT];
	struct moment *real, *least, *most;
	enum pkt_field_bits state_doubt; /* the first field that set least and most apart */
	enum pkt_field_bits doubt;	 /* something may have decided this packet already */

	uint8_t told;			 /* bit per severity of what watches tell of this packet */

	struct partial p;
	VEC(struct possible) possible;
	VEC(struct trial_decided) decided;
};

/* --- this host while a test runs ------------------------------------------------------ */

static bool writes(const struct pol_test *test, struct addr a)
{
	for (size_t i = 0; i < test->case_count; i++) {
		const struct pol_packet *p = &test->cases[i].packet;

		if (p->family == a.family &&
		    ((!p->src_self && p->src.num == a.num) || (!p->dst_self && p->dst.num == a.num)))
			return true;
	}
	return false;
}

struct addr trial_own_address(const struct pol_test *test, enum family family)
{
	struct addr a = { family, 1 }; /* 0 is no address: not in the kernel's tables either */

	while (writes(test, a))
		a.num++;
	return a;
}

static struct netset own_addresses(struct arena *a, const struct addr own[static FAMILY_COUNT])
{
	struct netset all = { 0 };

	for (int f = 0; f < FAMILY_COUNT; f++) {
		struct netset one = netset_of_range(a, (enum family)f, (struct addr_range){ own[f].num, own[f].num });
		all = netset_join(a, &all, &one);
	}
	return all;
}

/* --- what could come out: eval's order, with doubt ------------------------------------- */

/* Notes an outcome; true when nothing after it can come out. */
static bool could(struct run *r, struct guess a, enum verdict v, enum layer l,
		  const struct ir_rule *rule, const char *why)
{
	struct possible one = { { v, l, rule, why, r->told }, a.field };

	if (rule && rule->effects.emits)
		one.outcome.emits |= (uint8_t)(1u << rule->effects.severity);

	if (a.truth == NO)
		return false;
	vec_push(r->arena, &r->possible, one);
	if (!r->doubt)
		r->doubt = a.field;
	return a.truth == YES;
}

static bool could_rule(struct run *r, struct guess a, const struct ir_rule *rule)
{
	return could(r, a, rule->verdict, rule->layer, rule, rule->label);
}

static bool could_lifeline(struct run *r, bool reply)
{
	for (size_t i = 0; i < r->ir->lifelines.count; i++) {
		const struct ir_rule *rule = &r->ir->lifelines.rules[i];

		if (could(r, partial_in_rule(&r->p, rule, reply), VERDICT_ALLOW, LAYER_LIFELINE, rule, WHY_LIFELINE))
			return true;
	}
	return false;
}

static struct guess is_blocked(const struct run *r)
{
	if (moment_is_blocked(r->least, r->p.packet.src))
		return GUESS_YES;
	return moment_is_blocked(r->most, r->p.packet.src) ? guess_maybe(r->state_doubt) : GUESS_NO;
}

/* The first field that is not given, of those that choose the bucket; 0 when all are. */
static unsigned key_doubt(const struct run *r, const struct ir_rate *rate)
{
	switch (rate->key) {
	case RATE_PER_SOURCE:
		return partial_has(&r->p, GIVEN_SRC) ? 0 : GIVEN_SRC;
	case RATE_PER_DESTINATION:
		return partial_has(&r->p, GIVEN_DST) ? 0 : GIVEN_DST;
	case RATE_PER_FLOW:
		return !partial_has(&r->p, GIVEN_SRC)	 ? GIVEN_SRC :
		       !partial_has(&r->p, GIVEN_DST)	 ? GIVEN_DST :
		       !partial_has(&r->p, GIVEN_SPORT) ? GIVEN_SPORT :
		       !partial_has(&r->p, GIVEN_DPORT) ? GIVEN_DPORT :
						   0;
	case RATE_GLOBAL:
		return 0;
	}
	return 0;
}

/* Of those that say whether a rate is exceeded. */
static unsigned bucket_doubt(const struct run *r, const struct ir_rate *rate)
{
	const unsigned open = key_doubt(r, rate);

	return open || !rate->bytes || partial_has(&r->p, GIVEN_SIZE) ? open : GIVEN_SIZE;
}

/* Takes the tokens that surely and possibly go of a packet that matches as `in` says, and says whether it is over. */
static struct guess is_over(struct run *r, const struct ir_rate *rate, struct guess in)
{
	unsigned open = bucket_doubt(r, rate);

	if (open)
		return guess_maybe(open);
	if (r->doubt)
		in = guess_maybe(r->doubt); /* it may never have been asked */
	if (in.truth == MAYBE && !r->state_doubt)
		r->state_doubt = in.field;

	bool over_most = moment_is_over(r->most, rate, &r->p.packet);
	if (in.truth == MAYBE)
		return over_most ? in : GUESS_NO;
	if (moment_is_over(r->least, rate, &r->p.packet))
		return GUESS_YES;
	return over_most ? guess_maybe(r->state_doubt) : GUESS_NO;
}

static struct guess reflex_fires(struct run *r, const struct ir_rule *rule)
{
	struct guess in = partial_in_rule(&r->p, rule, false);

	if (in.truth == NO || rule->except & 1ull << r->real->posture)
		return GUESS_NO;
	if (rule->payload && !payload_has(r->real, rule, &r->p.packet))
		return GUESS_NO;
	if (rule->block_ns && !partial_has(&r->p, GIVEN_SRC))
		return guess_maybe(GIVEN_SRC);
	return rule->rate ? is_over(r, rule->rate, in) : in;
}

static struct guess posture_rule_decides(struct run *r, const struct ir_rule *rule)
{
	struct guess in = partial_in_rule(&r->p, rule, false);
	bool begins = r->p.packet.state == CT_NEW || r->p.packet.state == CT_UNTRACKED;

	if (in.truth == NO || !rule->rate)
		return in;
	return begins ? is_over(r, rule->rate, in) : GUESS_NO;
}

static void block_source(struct run *r, const struct ir_rule *rule)
{
	if (!rule->block_ns)
		return;
	moment_block(r->most, r->p.packet.src, rule->block_ns);
	if (!r->doubt)
		moment_block(r->least, r->p.packet.src, rule->block_ns);
	else if (!r->state_doubt)
		r->state_doubt = r->doubt;
}

/* What may be told, is: an event that is expected is no reason to write more fields. */
static void watch(struct run *r, size_t rank)
{
	for (size_t i = 0; i < r->ir->watches.count; i++) {
		const struct ir_rule *rule = &r->ir->watches.rules[i];

		if (rule->rank == rank && reflex_fires(r, rule).truth != NO)
			r->told |= (uint8_t)(1u << rule->effects.severity);
	}
}

static bool could_reflex(struct run *r)
{
	for (size_t i = 0; i < r->ir->reflexes.count; i++) {
		watch(r, i);
		const struct ir_rule *rule = &r->ir->reflexes.rules[i];
		struct guess fires = reflex_fires(r, rule);

		if (could_rule(r, fires, rule)) {
			block_source(r, rule);
			return true;
		}
		if (fires.truth == MAYBE)
			block_source(r, rule);
	}
	watch(r, r->ir->reflexes.count);
	return false;
}

/*
 * True when nothing goes on to layer 4. What a lifeline or a neighbour may
 * admit at the first hook comes up again at layer 4, where it is noted.
 */
static bool could_stop_early(struct run *r)
{
	struct guess passes = partial_is_neighbour(&r->p);

	for (size_t i = 0; i < r->ir->lifelines.count && passes.truth != YES; i++) {
		struct guess one = partial_in_rule(&r->p, &r->ir->lifelines.rules[i], false);
		if (one.truth > passes.truth)
			passes = one;
	}
	if (passes.truth == YES)
		return false;
	r->doubt = passes.field;

	bool stops = could(r, is_blocked(r), VERDICT_DROP, LAYER_BLOCK, NULL, WHY_BLOCKED);
	for (size_t i = 0; i < r->ir->blocks.count && !stops; i++)
		stops = could_rule(r, partial_in_rule(&r->p, &r->ir->blocks.rules[i], false), &r->ir->blocks.rules[i]);
	stops = stops || could_reflex(r);
	if (passes.truth == NO)
		return stops;

	/* Whatever stops it does so only if no lifeline or neighbour lets it pass. */
	for (size_t i = 0; i < r->possible.len; i++)
		if (!r->possible.at[i].field)
			r->possible.at[i].field = passes.field;
	return false;
}

static bool could_state(struct run *r, const struct ir_posture *posture)
{
	switch (r->p.packet.state) {
	case CT_INVALID:
		return could(r, GUESS_YES, VERDICT_DROP, LAYER_POSTURE, NULL, WHY_INVALID);
	case CT_ESTABLISHED:
		return could(r, guess_known(posture_passes_established(posture, &r->p.packet)), VERDICT_ALLOW,
			     LAYER_POSTURE, NULL, WHY_ESTABLISHED);
	case CT_RELATED:
		return could(r, posture->closed ? partial_is_icmp(&r->p, packet_is_icmp_error) : GUESS_YES, VERDICT_ALLOW,
			     LAYER_POSTURE, NULL, WHY_RELATED);
	case CT_NEW:
	case CT_UNTRACKED:
	case CT_COUNT:
		break;
	}
	return false;
}

static void could_posture(struct run *r)
{
	const struct ir_posture *posture = &r->ir->postures[r->real->posture];
	enum direction d = r->p.packet.direction;

	if (d != DIRECTION_FORWARD) {
		if (could_lifeline(r, d == DIRECTION_OUT))
			return;
		if (could(r, partial_is_neighbour(&r->p), VERDICT_ALLOW, LAYER_LIFELINE, NULL,
			  WHY_NEIGHBOUR))
			return;
	}
	if (could_state(r, posture))
		return;
	for (size_t i = 0; i < posture->lists[d].count; i++)
		if (could_rule(r, posture_rule_decides(r, &posture->lists[d].rules[i]), &posture->lists[d].rules[i]))
			return;
}

static void could_packet(struct run *r)
{
	r->possible.len = 0;
	r->told = 0;
	r->doubt = 0;
	if (r->p.packet.direction != DIRECTION_OUT && could_stop_early(r))
		return;
	could_posture(r);
}

/* --- cases ----------------------------------------------------------------------------- */

static bool decided_by(const struct outcome *o, const char *name)
{
	return !strcmp(name, o->why) ||
	       (o->rule && (!strcmp(name, o->rule->label) || !strcmp(name, o->rule->id)));
}

static enum trial_fault fault_of(const struct pol_case *c, const struct outcome *o)
{
	if (o->verdict != c->verdict)
		return TRIAL_VERDICT;
	if (c->by && !decided_by(o, c->by))
		return TRIAL_BY;
	return c->emits & ~o->emits ? TRIAL_EMITS : TRIAL_HELD;
}

static bool same_outcome(const struct outcome *x, const struct outcome *y)
{
	return x->verdict == y->verdict && x->rule == y->rule && !strcmp(x->why, y->why);
}

/*
 * The first thing that could come out and would be answered otherwise. What it
 * would take to know is its own field, or that of something before it which
 * would have come out instead.
 */
static const struct possible *otherwise(const struct run *r, const struct pol_case *c, enum trial_fault real)
{
	const struct possible *doubt = NULL;

	for (size_t i = 0; i < r->possible.len; i++) {
		const struct possible *one = &r->possible.at[i];

		if (one->field && !doubt)
			doubt = one;
		if (fault_of(c, &one->outcome) != real)
			return one->field ? one : doubt;
	}
	return NULL;
}

static void tally(struct run *r, const struct ir_rule *rule)
{
	struct trial_decided one = { rule, 1 };

	for (size_t i = 0; i < r->decided.len; i++)
		if (r->decided.at[i].rule == rule) {
			r->decided.at[i].packets++;
			return;
		}
	if (rule)
		vec_push(r->arena, &r->decided, one);
}

/* Judges one packet; when it is asked about, the finding says how it went. */
static void judge(struct run *r, const struct pol_case *c, bool asked, struct trial_finding *f)
{
	struct outcome o = eval_packet(r->real, &r->p.packet);

	could_packet(r);
	bool foreseen = false;
	for (size_t i = 0; i < r->possible.len && !foreseen; i++)
		foreseen = same_outcome(&r->possible.at[i].outcome, &o);
	assert(foreseen);
	if (!asked)
		return;

	tally(r, o.rule);
	f->got = o;
	f->fault = fault_of(c, &o);
	const struct possible *other = otherwise(r, c, f->fault);
	if (!other)
		return;
	f->fault = TRIAL_OPEN;
	f->field = other->field;
	f->asks = other->outcome.rule;
	f->asks_why = other->outcome.why;
}

static struct trial_finding case_run(struct run *r, const struct pol_case *c)
{
	struct trial_finding f = { .asked = c };
	uint64_t times = c->kind != CASE_PACKETS ? 0 : c->times ? c->times : 1;

	r->p = partial_of(&c->packet, r->own[c->packet.family], r->ir->zone_count);
	while (f.packet < times && f.fault == TRIAL_HELD) {
		f.packet++;
		judge(r, c, !c->last || f.packet == times, &f);
	}
	moment_pass(r->real, c->within_ns);
	moment_pass(r->least, c->within_ns);
	moment_pass(r->most, c->within_ns);
	return f;
}

static struct moment *moment_for(const struct ir *ir, const struct pol_test *test, const struct netset *self)
{
	struct moment *m = moment_new(ir);

	moment_set_posture(m, test->posture);
	moment_set_self(m, self);
	return m;
}

void trial_settle(struct trial *t, size_t i, enum trial_fault fault)
{
	t->findings[i].fault = fault;
	t->unknown += fault == TRIAL_UNKNOWN;
	t->failed += fault != TRIAL_HELD && fault != TRIAL_UNKNOWN;
}

void trial_run(struct trial *out, const struct ir *ir, const struct pol_test *test, struct arena *a)
{
	own(arena) struct arena *scratch = arena_new();
	struct run r = { .ir = ir, .arena = scratch, .own = { trial_own_address(test, FAMILY_IP4),
							      trial_own_address(test, FAMILY_IP6) } };
	struct netset self = own_addresses(scratch, r.own);
	own(moment) struct moment *real = moment_for(ir, test, &self);
	own(moment) struct moment *least = moment_for(ir, test, &self);
	own(moment) struct moment *most = moment_for(ir, test, &self);

	r.real = real;
	r.least = least;
	r.most = most;
	*out = (struct trial){ .test = test, .count = test->case_count };
	out->findings = arena_zero(a, test->case_count * sizeof *out->findings);
	for (size_t i = 0; i < test->case_count; i++) {
		out->findings[i] = case_run(&r, &test->cases[i]);
		trial_settle(out, i, out->findings[i].fault);
	}
	out->decided = arena_copy(a, r.decided.at, r.decided.len * sizeof *out->decided);
	out->decided_count = r.decided.len;
}

bool trial_meets(const struct ir *ir, const struct pol_test *test, const struct ir_rule *rule)
{
	for (size_t i = 0; i < test->case_count; i++) {
		const struct pol_packet *given = &test->cases[i].packet;

		if (test->cases[i].kind != CASE_PACKETS)
			continue;
		struct partial p = partial_of(given, trial_own_address(test, given->family), ir->zone_count);

		if (partial_in_rule(&p, rule, false).truth != NO || partial_in_rule(&p, rule, true).truth != NO)
			return true;
	}
	return false;
}

const char *trial_field_name(enum pkt_field_bits field)
{
	switch (field) {
	case GIVEN_SRC:
		return "source address";
	case GIVEN_SPORT:
		return "source port";
	case GIVEN_DST:
		return "destination address";
	case GIVEN_DPORT:
		return "destination port";
	case GIVEN_FLAGS:
		return "TCP flags";
	case GIVEN_ICMP:
		return "ICMP type";
	case GIVEN_ZONE:
		return "zone";
	case GIVEN_STATE:
		return "connection state";
	case GIVEN_SIZE:
		return "size";
	}
	return "field";
}
