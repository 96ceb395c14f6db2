#include "compiler/ir/trial.h"

#include <assert.h>
#include <string.h>

#include "compiler/ir/moment.h"
#include "compiler/ir/proto.h"

/* Is it so? When MAYBE, `field` is what would have to be known. */
enum truth { NO, MAYBE, YES };

struct answer {
	enum truth truth;
	enum pkt_field_bits field;
};

static const struct answer yes = { YES, 0 }, no = { NO, 0 };

static struct answer maybe(enum pkt_field_bits field)
{
	return (struct answer){ MAYBE, field };
}

static struct answer known(bool so)
{
	return so ? yes : no;
}

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

	const struct pol_packet *given;
	struct packet packet;
	VEC(struct possible) possible;
};

/* --- a packet with open fields ------------------------------------------------------- */

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

/* This host's address while the test runs: one that it does not write. */
static struct addr own_address(const struct pol_test *test, enum family family)
{
	struct addr a = { family, 0 };

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

static struct packet packet_of(const struct pol_packet *g, struct addr own)
{
	struct packet p = {
		.zone = g->zone,
		.direction = g->direction,
		.family = g->family,
		.src = g->src_self ? own : g->src,
		.dst = g->dst_self ? own : g->dst,
		.proto = (uint8_t)g->proto,
		.fragment = FRAGMENT_WHOLE,
		.hop_limit = 64,
		.state = g->state,
		.reply = g->reply,
	};
	unsigned type = g->icmp >> 8;

	if (proto_has_ports(g->proto)) {
		p.sport = g->sport;
		p.dport = g->dport;
	}
	if (g->proto == PROTO_TCP)
		p.flags = g->flags;
	if (g->proto == PROTO_ICMP || g->proto == PROTO_ICMPV6)
		p.icmp = g->icmp;
	if (g->proto == PROTO_ICMPV6 && type >= 133 && type <= 136)
		p.hop_limit = 255;
	else if (g->proto == PROTO_ICMPV6 && icmpv6_is_listener(type))
		p.hop_limit = 1;
	p.src.family = p.dst.family = p.family; /* an address that was left out has none */
	return p;
}

static bool is_given(const struct run *r, enum pkt_field_bits field)
{
	return r->given->given & field;
}

static struct answer end_has(const struct run *r, const struct ir_end *e, struct addr a, bool self,
			     enum pkt_field_bits field)
{
	bool some = e->set && e->set->set.len[a.family];

	if (e->any || (self && e->self))
		return yes;
	if (self)
		return some ? maybe(field) : no;
	if (!is_given(r, field))
		return some || e->self ? maybe(field) : no;
	return known(some && netset_has(&e->set->set, a));
}

static struct answer range_has(const struct run *r, const struct ranges *asked, uint16_t value,
			       enum pkt_field_bits field)
{
	if (ranges_are_all(asked))
		return yes;
	return is_given(r, field) ? known(ranges_has(asked, value)) : maybe(field);
}

static struct answer zones_have(const struct run *r, uint64_t zones)
{
	uint64_t all = (1ull << r->ir->zone_count) - 1;

	if (is_given(r, GIVEN_ZONE))
		return known(zones & 1ull << r->packet.zone);
	if ((zones & all) == all)
		return yes;
	return zones & all ? maybe(GIVEN_ZONE) : no;
}

static struct answer flags_have(const struct run *r, const struct ir_box *b)
{
	if (!b->flags_mask)
		return yes;
	if (!is_given(r, GIVEN_FLAGS))
		return maybe(GIVEN_FLAGS);
	return known((r->packet.flags & b->flags_mask) == b->flags_want);
}

static struct answer all_of(const struct answer *parts, size_t count)
{
	struct answer all = yes;

	for (size_t i = 0; i < count; i++) {
		if (parts[i].truth == NO)
			return no;
		if (parts[i].truth == MAYBE && all.truth == YES)
			all = parts[i];
	}
	return all;
}

/* box_has of eval, for a packet with open fields. */
static struct answer box_asks(const struct run *r, const struct ir_box *b)
{
	const struct packet *p = &r->packet;
	const struct answer parts[] = {
		known(b->families & 1u << p->family),
		known(b->fragments & p->fragment),
		known(b->proto == PROTO_ANY_NUMBER || b->proto == p->proto),
		zones_have(r, b->zones),
		end_has(r, &b->src, p->src, r->given->src_self, GIVEN_SRC),
		end_has(r, &b->dst, p->dst, r->given->dst_self, GIVEN_DST),
		range_has(r, &b->sport, p->sport, GIVEN_SPORT),
		range_has(r, &b->dport, p->dport, GIVEN_DPORT),
		range_has(r, &b->icmp, p->icmp, GIVEN_ICMP),
		flags_have(r, b),
	};

	return all_of(parts, sizeof parts / sizeof *parts);
}

static struct answer any_box(const struct run *r, const struct ir_rule *rule, bool reply)
{
	struct answer any = no;

	for (size_t i = 0; i < rule->box_count && any.truth != YES; i++) {
		struct ir_box box = reply ? ir_box_reply(&rule->boxes[i]) : rule->boxes[i];
		struct answer one = box_asks(r, &box);

		if (one.truth > any.truth)
			any = one;
	}
	return any;
}

static struct answer icmp_among(const struct run *r, bool (*among)(const struct packet *p))
{
	bool icmp = r->packet.proto == PROTO_ICMP || r->packet.proto == PROTO_ICMPV6;

	if (icmp && !is_given(r, GIVEN_ICMP))
		return maybe(GIVEN_ICMP);
	return known(among(&r->packet));
}

/* What listeners send is known by its source, and `self` may or may not be link-local. */
static struct answer is_neighbour(const struct run *r)
{
	const struct packet *p = &r->packet;
	bool has_source = is_given(r, GIVEN_SRC) && !r->given->src_self;

	if (p->proto == PROTO_ICMPV6 && is_given(r, GIVEN_ICMP) && icmpv6_is_listener(p->icmp >> 8) && !has_source)
		return maybe(GIVEN_SRC);
	return icmp_among(r, packet_is_neighbour);
}

/* --- what could come out: eval's order, with doubt ------------------------------------- */

/* Notes an outcome; true when nothing after it can come out. */
static bool could(struct run *r, struct answer a, enum verdict v, enum layer l,
		  const struct ir_rule *rule, const char *why)
{
	struct possible one = { { v, l, rule, why }, a.field };

	if (a.truth == NO)
		return false;
	vec_push(r->arena, &r->possible, one);
	if (!r->doubt)
		r->doubt = a.field;
	return a.truth == YES;
}

static bool could_rule(struct run *r, struct answer a, const struct ir_rule *rule)
{
	return could(r, a, rule->verdict, rule->layer, rule, rule->label);
}

static bool could_lifeline(struct run *r, bool reply)
{
	for (size_t i = 0; i < r->ir->lifelines.count; i++) {
		const struct ir_rule *rule = &r->ir->lifelines.rules[i];

		if (could(r, any_box(r, rule, reply), VERDICT_ALLOW, LAYER_LIFELINE, rule, WHY_LIFELINE))
			return true;
	}
	return false;
}

static struct answer is_blocked(const struct run *r)
{
	if (moment_is_blocked(r->least, r->packet.src))
		return yes;
	return moment_is_blocked(r->most, r->packet.src) ? maybe(r->state_doubt) : no;
}

/* Takes the tokens that surely and possibly go, and says whether the reflex fires. */
static struct answer reflex_fires(struct run *r, const struct ir_rule *rule)
{
	struct answer in = any_box(r, rule, false);

	if (in.truth == NO || rule->except & 1ull << r->real->posture)
		return no;
	if ((rule->rate || rule->block_ns) && !is_given(r, GIVEN_SRC) && !r->given->src_self)
		return maybe(GIVEN_SRC);
	if (!rule->rate)
		return in;
	if (r->doubt)
		in = maybe(r->doubt); /* it may never have been asked */
	if (in.truth == MAYBE && !r->state_doubt)
		r->state_doubt = in.field;

	bool over_most = moment_is_over(r->most, rule, r->packet.src);
	if (in.truth == MAYBE)
		return over_most ? in : no;
	if (moment_is_over(r->least, rule, r->packet.src))
		return yes;
	return over_most ? maybe(r->state_doubt) : no;
}

static void block_source(struct run *r, const struct ir_rule *rule)
{
	if (!rule->block_ns)
		return;
	moment_block(r->most, r->packet.src, rule->block_ns);
	if (!r->doubt)
		moment_block(r->least, r->packet.src, rule->block_ns);
	else if (!r->state_doubt)
		r->state_doubt = r->doubt;
}

static bool could_reflex(struct run *r)
{
	for (size_t i = 0; i < r->ir->reflexes.count; i++) {
		const struct ir_rule *rule = &r->ir->reflexes.rules[i];
		struct answer fires = reflex_fires(r, rule);

		if (could_rule(r, fires, rule)) {
			block_source(r, rule);
			return true;
		}
		if (fires.truth == MAYBE)
			block_source(r, rule);
	}
	return false;
}

/*
 * True when nothing goes on to layer 4. What a lifeline or a neighbour may
 * admit at the first hook comes up again at layer 4, where it is noted.
 */
static bool could_stop_early(struct run *r)
{
	struct answer passes = is_neighbour(r);

	for (size_t i = 0; i < r->ir->lifelines.count && passes.truth != YES; i++) {
		struct answer one = any_box(r, &r->ir->lifelines.rules[i], false);
		if (one.truth > passes.truth)
			passes = one;
	}
	if (passes.truth == YES)
		return false;
	r->doubt = passes.field;

	bool stops = could(r, is_blocked(r), VERDICT_DROP, LAYER_BLOCK, NULL, WHY_BLOCKED);
	for (size_t i = 0; i < r->ir->blocks.count && !stops; i++)
		stops = could_rule(r, any_box(r, &r->ir->blocks.rules[i], false), &r->ir->blocks.rules[i]);
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
	switch (r->packet.state) {
	case CT_INVALID:
		return could(r, yes, VERDICT_DROP, LAYER_POSTURE, NULL, WHY_INVALID);
	case CT_ESTABLISHED:
		return could(r, known(posture_passes_established(posture, &r->packet)), VERDICT_ALLOW,
			     LAYER_POSTURE, NULL, WHY_ESTABLISHED);
	case CT_RELATED:
		return could(r, posture->closed ? icmp_among(r, packet_is_icmp_error) : yes, VERDICT_ALLOW,
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
	enum direction d = r->packet.direction;

	if (d != DIRECTION_FORWARD) {
		if (could_lifeline(r, d == DIRECTION_OUT))
			return;
		if (could(r, is_neighbour(r), VERDICT_ALLOW, LAYER_LIFELINE, NULL,
			  WHY_NEIGHBOUR))
			return;
	}
	if (could_state(r, posture))
		return;
	for (size_t i = 0; i < posture->lists[d].count; i++)
		if (could_rule(r, any_box(r, &posture->lists[d].rules[i], false), &posture->lists[d].rules[i]))
			return;
}

static void could_packet(struct run *r)
{
	r->possible.len = 0;
	r->doubt = 0;
	if (r->packet.direction != DIRECTION_OUT && could_stop_early(r))
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
	return c->by && !decided_by(o, c->by) ? TRIAL_BY : TRIAL_HELD;
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

/* Judges one packet; when it is asked about, the finding says how it went. */
static void judge(struct run *r, const struct pol_case *c, bool asked, struct trial_finding *f)
{
	struct outcome o = eval_packet(r->real, &r->packet);

	could_packet(r);
	bool foreseen = false;
	for (size_t i = 0; i < r->possible.len && !foreseen; i++)
		foreseen = same_outcome(&r->possible.at[i].outcome, &o);
	assert(foreseen);
	if (!asked)
		return;

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
	uint64_t times = c->times ? c->times : 1;

	r->given = &c->packet;
	r->packet = packet_of(&c->packet, r->own[c->packet.family]);
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

void trial_run(struct trial *out, const struct ir *ir, const struct pol_test *test, struct arena *a)
{
	own(arena) struct arena *scratch = arena_new();
	struct run r = { .ir = ir, .arena = scratch, .own = { own_address(test, FAMILY_IP4),
							      own_address(test, FAMILY_IP6) } };
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
		out->failed += out->findings[i].fault != TRIAL_HELD;
	}
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
	}
	return "field";
}
