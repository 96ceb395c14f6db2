#include "compiler/ir/eval.h"

#include "compiler/ir/moment.h"
#include "compiler/ir/proto.h"
#include "lang/vocab/cause.h"

/* --- does a packet lie in a box? -------------------------------------------------- */

static bool end_has(const struct moment *m, const struct ir_end *e, struct addr a)
{
	return e->any || (e->self && netset_has(m->self, a)) ||
	       (e->set && netset_has(&e->set->set, a));
}

bool box_has(const struct moment *m, const struct ir_box *box, const struct packet *p)
{
	return (box->zones & 1ull << p->zone) &&
	       (box->families & 1u << p->family) &&
	       (box->fragments & p->fragment) &&
	       (box->proto == PROTO_ANY_NUMBER || box->proto == p->proto) &&
	       end_has(m, &box->src, p->src) &&
	       end_has(m, &box->dst, p->dst) &&
	       ranges_has(&box->sport, p->sport) &&
	       ranges_has(&box->dport, p->dport) &&
	       ranges_has(&box->icmp, p->icmp) &&
	       (p->flags & box->flags_mask) == box->flags_want;
}

static bool rule_has(const struct moment *m, const struct ir_rule *r, const struct packet *p)
{
	for (size_t i = 0; i < r->box_count; i++)
		if (box_has(m, &r->boxes[i], p))
			return true;
	return false;
}

static bool rule_has_reply(const struct moment *m, const struct ir_rule *r, const struct packet *p)
{
	for (size_t i = 0; i < r->box_count; i++) {
		struct ir_box reply = ir_box_reply(&r->boxes[i]);

		if (box_has(m, &reply, p))
			return true;
	}
	return false;
}

static const struct ir_rule *first_match(const struct moment *m, const struct ir_list *list,
					 const struct packet *p)
{
	for (size_t i = 0; i < list->count; i++)
		if (rule_has(m, &list->rules[i], p))
			return &list->rules[i];
	return NULL;
}

/* --- what is always admitted -------------------------------------------------------- */

static bool is_icmpv6(const struct packet *p)
{
	return p->family == FAMILY_IP6 && p->proto == PROTO_ICMPV6 && p->fragment != FRAGMENT_LATER;
}

bool icmpv6_is_listener(unsigned type)
{
	return (type >= 130 && type <= 132) || type == 143;
}

/* Link-local; or, of a report, unspecified: a host that has no address yet (RFC 3590). */
static bool is_listener_source(addr_num a, unsigned type)
{
	return a >> 118 == 0xfe80 >> 6 || (a == 0 && (type == 131 || type == 143));
}

bool packet_is_neighbour(const struct packet *p)
{
	unsigned type = p->icmp >> 8, code = p->icmp & 0xff;

	if (!is_icmpv6(p))
		return false;
	if (type >= 133 && type <= 136)
		return code == 0 && p->hop_limit == 255;
	return icmpv6_is_listener(type) && p->hop_limit == 1 && is_listener_source(p->src.num, type);
}

bool packet_is_icmp_error(const struct packet *p)
{
	unsigned type = p->icmp >> 8;

	if (is_icmpv6(p))
		return type >= 1 && type <= 4;
	return p->family == FAMILY_IP4 && p->proto == PROTO_ICMP && p->fragment != FRAGMENT_LATER &&
	       (type == 3 || type == 11 || type == 12);
}

/* --- outcomes ----------------------------------------------------------------------- */

static uint8_t told_by(const struct ir_rule *r)
{
	return r->effects.emits ? (uint8_t)(1u << r->effects.severity) : 0;
}

static struct outcome by_rule(const struct ir_rule *r)
{
	return (struct outcome){ r->verdict, r->layer, r, r->label, told_by(r) };
}

static struct outcome by_word(enum verdict v, enum layer l, const char *why)
{
	return (struct outcome){ v, l, NULL, why, 0 };
}

static struct outcome by_lifeline(const struct ir_rule *r)
{
	return (struct outcome){ VERDICT_ALLOW, LAYER_LIFELINE, r, WHY_LIFELINE, 0 };
}

/* --- the first hook: layers 1 to 3 ---------------------------------------------------- */

/* What is not there holds nothing, not even a pattern that finds nothing. */
bool payload_has(const struct moment *m, const struct ir_rule *r, const struct packet *p)
{
	if (moment_is_found(m, r->id))
		return true;
	return p->payload_len && p->fragment != FRAGMENT_LATER &&
	       pattern_finds(&r->payload->pattern, p->payload, p->payload_len, r->payload->within);
}

static bool reflex_fires(struct moment *m, const struct ir_rule *r, const struct packet *p)
{
	if (r->except & 1ull << m->posture)
		return false;
	if (!rule_has(m, r, p) || (r->payload && !payload_has(m, r, p)))
		return false;
	return !r->rate || moment_is_over(m, r->rate, p);
}

/* Limits count flows: by their first packets. */
static const struct ir_rule *posture_rule_of(struct moment *m, const struct ir_list *list, const struct packet *p)
{
	bool begins = p->state == CT_NEW || p->state == CT_UNTRACKED;

	for (size_t i = 0; i < list->count; i++) {
		const struct ir_rule *r = &list->rules[i];

		if (rule_has(m, r, p) && (!r->rate || (begins && moment_is_over(m, r->rate, p))))
			return r;
	}
	return NULL; /* never: a list ends with its default */
}

static uint8_t told_before(struct moment *m, const struct packet *p, size_t rank)
{
	uint8_t told = 0;

	for (size_t i = 0; i < m->ir->watches.count; i++) {
		const struct ir_rule *r = &m->ir->watches.rules[i];

		if (r->rank == rank && reflex_fires(m, r, p))
			told |= told_by(r);
	}
	return told;
}

/* The first that drops; what watches before it tell is in *told. */
static const struct ir_rule *reflex_of(struct moment *m, const struct packet *p, uint8_t *told)
{
	const struct ir_list *reflexes = &m->ir->reflexes;

	for (size_t i = 0; i <= reflexes->count; i++) {
		*told |= told_before(m, p, i);
		if (i < reflexes->count && reflex_fires(m, &reflexes->rules[i], p))
			return &reflexes->rules[i];
	}
	return NULL;
}

/* Nothing is on a feed but what the enforcer was given: none, unless it is taken to be so. */
static const struct ir_rule *feed_of(const struct moment *m)
{
	for (size_t i = 0; i < m->ir->feeds.count; i++)
		if (moment_is_found(m, m->ir->feeds.rules[i].id))
			return &m->ir->feeds.rules[i];
	return NULL;
}

struct outcome eval_epiderme(struct moment *m, const struct packet *p)
{
	const struct ir_rule *r;
	struct outcome o;
	uint8_t told = 0;

	if ((r = first_match(m, &m->ir->lifelines, p)))
		return by_lifeline(r);
	if (packet_is_neighbour(p))
		return by_word(VERDICT_ALLOW, LAYER_LIFELINE, WHY_NEIGHBOUR);
	if (moment_is_blocked(m, p->src))
		return by_word(VERDICT_DROP, LAYER_BLOCK, WHY_BLOCKED);
	if ((r = feed_of(m)))
		return by_rule(r);
	if ((r = first_match(m, &m->ir->blocks, p)))
		return by_rule(r);
	r = reflex_of(m, p, &told);
	if (r && r->block_ns)
		moment_block(m, p->src, r->block_ns);
	o = r ? by_rule(r) : by_word(VERDICT_ALLOW, LAYER_POSTURE, WHY_GOES_ON);
	o.emits |= told;
	return o;
}

bool eval_closed_drops(const struct moment *m, const struct packet *p)
{
	return m->ir->postures[m->posture].closed && p->fragment != FRAGMENT_LATER &&
	       !packet_is_icmp_error(p);
}

/* --- layer 4 ---------------------------------------------------------------------------- */

static const struct ir_rule *lifeline_of(const struct moment *m, const struct packet *p)
{
	const struct ir_list *lifelines = &m->ir->lifelines;

	switch (p->direction) {
	case DIRECTION_IN:
		return first_match(m, lifelines, p);
	case DIRECTION_OUT:
		for (size_t i = 0; i < lifelines->count; i++)
			if (rule_has_reply(m, &lifelines->rules[i], p))
				return &lifelines->rules[i];
		return NULL;
	case DIRECTION_FORWARD:
	case DIRECTION_COUNT:
		return NULL;
	}
	return NULL;
}

bool posture_passes_established(const struct ir_posture *posture, const struct packet *p)
{
	if (posture->closed)
		return false;
	switch (posture->established) {
	case ESTABLISHED_KEEP:
		return true;
	case ESTABLISHED_RECHECK:
	case ESTABLISHED_CUT:
		return p->reply;
	case ESTABLISHED_COUNT:
		break;
	}
	return false;
}

/* The rule on sessions that is taken to hold and drops, whatever the posture says; one packet shows no session. */
static const char *session_drops(const struct moment *m)
{
	for (uint32_t i = 0; m->ir->derme && i < m->ir->derme->rule_count; i++)
		if (derme_takes_away(&m->ir->derme->rules[i]) && moment_is_found(m, m->ir->derme->rules[i].id))
			return m->ir->derme->rules[i].id;
	return NULL;
}

struct outcome eval_layer4(struct moment *m, const struct packet *p)
{
	const struct ir_posture *posture = &m->ir->postures[m->posture];
	const struct ir_rule *r = lifeline_of(m, p);
	const char *session;

	if (r)
		return by_lifeline(r);
	if (p->direction != DIRECTION_FORWARD && packet_is_neighbour(p))
		return by_word(VERDICT_ALLOW, LAYER_LIFELINE, WHY_NEIGHBOUR);
	if ((session = session_drops(m)))
		return by_word(VERDICT_DROP, LAYER_POSTURE, session);
	if (p->state == CT_INVALID)
		return by_word(VERDICT_DROP, LAYER_POSTURE, WHY_INVALID);
	if (p->state == CT_ESTABLISHED && posture_passes_established(posture, p))
		return by_word(VERDICT_ALLOW, LAYER_POSTURE, WHY_ESTABLISHED);
	if (p->state == CT_RELATED && (!posture->closed || packet_is_icmp_error(p)))
		return by_word(VERDICT_ALLOW, LAYER_POSTURE, WHY_RELATED);
	return by_rule(posture_rule_of(m, &posture->lists[p->direction], p));
}

/* --- the whole judgement ------------------------------------------------------------------ */

struct outcome eval_packet(struct moment *m, const struct packet *p)
{
	bool first_hook = p->direction != DIRECTION_OUT && p->zone != ZONE_NONE;
	uint8_t told = 0;
	struct outcome o;

	if (first_hook) {
		o = eval_epiderme(m, p);
		if (o.verdict != VERDICT_ALLOW)
			return o;
		told = o.emits;
	}
	o = eval_layer4(m, p);
	o.emits |= told;
	return o;
}

enum verdict eval_cause(const struct moment *m, enum cause c)
{
	return m->ir->postures[m->posture].passes >> c & 1 ? VERDICT_ALLOW : cause_verdict(c);
}

struct outcome eval_frame(struct moment *m, const uint8_t *frame, size_t len, unsigned zone,
			  enum direction direction)
{
	struct packet p;
	enum cause cause = frame_parse(frame, len, &p);

	if (cause == CAUSE_NOT_IP)
		return by_word(VERDICT_ALLOW, LAYER_LIFELINE, WHY_NOT_IP);
	if (cause != CAUSE_NONE)
		return by_word(eval_cause(m, cause), LAYER_BLOCK, cause_id(cause));

	p.zone = zone;
	p.direction = direction;
	return eval_packet(m, &p);
}
