#include "compiler/ir/mutate.h"

#include <string.h>

#include "compiler/ir/proto.h"

/* More ports or boxes of one rule than this are not left out one by one. */
#define NARROWED_MOST 8

#define FAMILIES_BOTH (1u << FAMILY_IP4 | 1u << FAMILY_IP6)

/* --- every rule ----------------------------------------------------------------------- */

enum { LISTS_OF_ALL = 4 };

size_t ir_list_count(const struct ir *ir)
{
	return LISTS_OF_ALL + ir->posture_count * DIRECTION_COUNT;
}

static struct ir_list *list_at(struct ir *ir, size_t i)
{
	struct ir_list *const first[LISTS_OF_ALL] = { &ir->lifelines, &ir->blocks, &ir->reflexes, &ir->watches };

	if (i < LISTS_OF_ALL)
		return first[i];
	i -= LISTS_OF_ALL;
	return &ir->postures[i / DIRECTION_COUNT].lists[i % DIRECTION_COUNT];
}

const struct ir_list *ir_list_at(const struct ir *ir, size_t i, unsigned *posture)
{
	*posture = i < LISTS_OF_ALL ? 0 : (unsigned)((i - LISTS_OF_ALL) / DIRECTION_COUNT);
	return list_at((struct ir *)ir, i);
}

/* Were they written as one? */
static bool rules_are_one(const struct ir_rule *x, const struct ir_rule *y)
{
	return x->layer == y->layer && x->direction == y->direction && x->is_default == y->is_default &&
	       x->verdict == y->verdict && x->span.file == y->span.file && x->span.from == y->span.from &&
	       x->span.to == y->span.to && !strcmp(x->label, y->label);
}

static bool is_limit_of(const struct ir_rule *limit, const struct ir_rule *r)
{
	return ir_rule_is_limit(limit) && limit != r && limit->direction == r->direction &&
	       limit->span.file == r->span.file && limit->span.from == r->span.from && limit->span.to == r->span.to;
}

bool rule_counts(const struct ir *ir, const struct ir_rule *r)
{
	unsigned posture;

	if (r->rate)
		return true;
	for (size_t i = LISTS_OF_ALL; i < ir_list_count(ir); i++) {
		const struct ir_list *l = ir_list_at(ir, i, &posture);

		for (size_t j = 0; j < l->count; j++)
			if (is_limit_of(&l->rules[j], r))
				return true;
	}
	return false;
}

/* --- which mistakes -------------------------------------------------------------------- */

struct making {
	struct arena *arena;
	VEC(struct mutation) all;
};

static void add(struct making *k, struct mutation m)
{
	vec_push(k->arena, &k->all, m);
}

static bool end_asks(const struct ir_end *e)
{
	return !e->any;
}

/* The families that a box may have when it is not held to one by name. */
static uint8_t families_of(const struct ir_box *b)
{
	const struct ir_end *ends[] = { &b->src, &b->dst };
	uint8_t f = FAMILIES_BOTH;

	for (int i = 0; i < 2; i++)
		if (!ends[i]->any && !ends[i]->self)
			for (int family = 0; family < FAMILY_COUNT; family++)
				if (!ends[i]->set || !ends[i]->set->set.len[family])
					f &= (uint8_t)~(1u << family);
	if (b->proto == PROTO_ICMP)
		f &= 1u << FAMILY_IP4;
	if (b->proto == PROTO_ICMPV6)
		f &= 1u << FAMILY_IP6;
	return f;
}

static bool asks_header(const struct ir_box *b)
{
	return !ranges_are_all(&b->sport) || !ranges_are_all(&b->dport) || !ranges_are_all(&b->icmp) || b->flags_mask;
}

static bool box_asks(const struct ir_box *b, enum box_field f)
{
	switch (f) {
	case BOX_FAMILY:
		return b->families != families_of(b);
	case BOX_PROTO:
		return b->proto != PROTO_ANY_NUMBER && !asks_header(b);
	case BOX_ZONE:
		return b->zones != UINT64_MAX;
	case BOX_SRC:
		return end_asks(&b->src);
	case BOX_DST:
		return end_asks(&b->dst);
	case BOX_SPORT:
		return !ranges_are_all(&b->sport);
	case BOX_DPORT:
		return !ranges_are_all(&b->dport);
	case BOX_ICMP:
		return !ranges_are_all(&b->icmp);
	case BOX_FLAGS:
		return b->flags_mask;
	case BOX_FRAGMENT: /* follows from the header fields */
	case BOX_FIELD_COUNT:
		break;
	}
	return false;
}

static void add_widened(struct making *k, const struct ir_rule *r)
{
	for (int f = 0; f < BOX_FIELD_COUNT; f++)
		for (size_t i = 0; i < r->box_count; i++)
			if (box_asks(&r->boxes[i], (enum box_field)f)) {
				add(k, (struct mutation){ .rule = r, .kind = MUTATE_WIDEN, .field = (enum box_field)f });
				break;
			}
}

static bool told_port(const struct making *k, const struct ir_rule *r, struct range port)
{
	for (size_t i = k->all.len; i-- && k->all.at[i].rule == r;)
		if (k->all.at[i].kind == MUTATE_NARROW_PORT && k->all.at[i].port.lo == port.lo &&
		    k->all.at[i].port.hi == port.hi)
			return true;
	return false;
}

static void add_narrowed(struct making *k, const struct ir_rule *r)
{
	for (size_t i = 0; r->box_count > 1 && r->box_count <= NARROWED_MOST && i < r->box_count; i++)
		add(k, (struct mutation){ .rule = r, .kind = MUTATE_NARROW_BOX, .box = i });
	for (size_t i = 0; i < r->box_count; i++) {
		const struct ranges *ports = &r->boxes[i].dport;

		for (size_t j = 0; ports->len > 1 && ports->len <= NARROWED_MOST && j < ports->len; j++)
			if (!told_port(k, r, ports->at[j]))
				add(k, (struct mutation){ .rule = r, .kind = MUTATE_NARROW_PORT, .port = ports->at[j] });
	}
}

/* One bucket for several is mistaken once. */
static bool told_rate(const struct making *k, const struct ir_rate *rate)
{
	for (size_t i = 0; i < k->all.len; i++)
		if (k->all.at[i].kind == MUTATE_RATE_TWICE && !strcmp(k->all.at[i].rule->rate->bucket, rate->bucket))
			return true;
	return false;
}

static void add_rate(struct making *k, const struct ir_rule *r)
{
	if (r->rate && !told_rate(k, r->rate))
		add(k, (struct mutation){ .rule = r, .kind = MUTATE_RATE_TWICE });
}

static void add_reflex(struct making *k, const struct ir_rule *r)
{
	if (r->rate)
		add(k, (struct mutation){ .rule = r, .kind = MUTATE_RATE_NONE });
	if (r->payload)
		add(k, (struct mutation){ .rule = r, .kind = MUTATE_PATTERN_NONE });
	if (r->block_ns)
		add(k, (struct mutation){ .rule = r, .kind = MUTATE_BLOCK_NONE });
	if (r->except)
		add(k, (struct mutation){ .rule = r, .kind = MUTATE_EXCEPT_NONE });
}

static void add_rule(struct making *k, const struct ir_rule *r)
{
	if (!r->is_default && r->box_count)
		add(k, (struct mutation){ .rule = r, .kind = MUTATE_DELETE });
	if (r->layer == LAYER_POSTURE && r->box_count && !ir_rule_is_limit(r))
		add(k, (struct mutation){ .rule = r, .kind = MUTATE_FLIP });
	if (r->layer == LAYER_REFLEX)
		add_reflex(k, r);
	add_rate(k, r);
	if (r->effects.emits)
		add(k, (struct mutation){ .rule = r, .kind = MUTATE_SILENT });
	if (!r->is_default && !ir_rule_is_limit(r)) {
		add_widened(k, r);
		add_narrowed(k, r);
	}
}

static bool was_before(const struct ir *ir, size_t list, const struct ir_rule *r)
{
	unsigned posture;

	for (size_t i = LISTS_OF_ALL; i < list; i++) {
		const struct ir_list *l = ir_list_at(ir, i, &posture);

		if ((list - i) % DIRECTION_COUNT)
			continue;
		for (size_t j = 0; j < l->count; j++)
			if (rules_are_one(&l->rules[j], r))
				return true;
	}
	return false;
}

size_t mutations_of(const struct ir *ir, struct mutation **out, struct arena *a)
{
	struct making k = { .arena = a };
	unsigned posture;

	for (size_t i = 0; i < ir_list_count(ir); i++) {
		const struct ir_list *l = ir_list_at(ir, i, &posture);

		for (size_t j = 0; j < l->count; j++)
			if (!was_before(ir, i, &l->rules[j]))
				add_rule(&k, &l->rules[j]);
	}
	*out = k.all.at;
	return k.all.len;
}

/* --- making one ------------------------------------------------------------------------- */

static struct ranges every_number(struct arena *a)
{
	return ranges_of(a, 0, UINT16_MAX);
}

/* Whole packets and fragments alike, where no header field is asked any more. */
static void loosen(struct ir_box *b)
{
	if (!asks_header(b))
		b->fragments = FRAGMENT_ANY;
}

static void box_widen(struct ir_box *b, enum box_field f, struct arena *a)
{
	bool by_name = b->families != families_of(b);

	switch (f) {
	case BOX_FAMILY:
		b->families = families_of(b);
		return;
	case BOX_PROTO:
		b->proto = PROTO_ANY_NUMBER;
		break;
	case BOX_ZONE:
		b->zones = UINT64_MAX;
		return;
	case BOX_SRC:
		b->src = (struct ir_end){ .any = true };
		break;
	case BOX_DST:
		b->dst = (struct ir_end){ .any = true };
		break;
	case BOX_SPORT:
		b->sport = every_number(a);
		break;
	case BOX_DPORT:
		b->dport = every_number(a);
		break;
	case BOX_ICMP:
		b->icmp = every_number(a);
		break;
	case BOX_FLAGS:
		b->flags_mask = b->flags_want = 0;
		break;
	case BOX_FRAGMENT:
	case BOX_FIELD_COUNT:
		return;
	}
	loosen(b);
	if (!by_name)
		b->families = families_of(b);
}

static void rule_widen(struct ir_rule *r, enum box_field f, struct arena *a)
{
	for (size_t i = 0; i < r->box_count; i++)
		if (box_asks(&r->boxes[i], f))
			box_widen(&r->boxes[i], f, a);
}

static void rule_narrow_port(struct ir_rule *r, struct range port, struct arena *a)
{
	struct ranges one = ranges_of(a, port.lo, port.hi);

	for (size_t i = 0; i < r->box_count; i++)
		if (!ranges_are_all(&r->boxes[i].dport) && r->boxes[i].dport.len > 1)
			r->boxes[i].dport = ranges_minus(a, &r->boxes[i].dport, &one);
}

static void rule_twice(struct ir_rule *r, struct arena *a)
{
	struct ir_rate *rate = arena_copy(a, r->rate, sizeof *rate);

	rate->rate *= 2;
	rate->burst *= 2;
	if (!rate->bytes) {
		rate->cost_ns = rate->cost_ns > 1 ? rate->cost_ns / 2 : 1;
		rate->depth_ns = rate->cost_ns * rate->burst;
	}
	r->rate = rate;
}

static void rule_mutate(struct ir_rule *r, const struct mutation *m, struct arena *a)
{
	r->boxes = arena_copy(a, r->boxes, r->box_count * sizeof *r->boxes);
	switch (m->kind) {
	case MUTATE_DELETE:
		r->box_count = 0;
		return;
	case MUTATE_FLIP:
		r->verdict = r->verdict == VERDICT_ALLOW ? VERDICT_DROP : VERDICT_ALLOW;
		return;
	case MUTATE_WIDEN:
		rule_widen(r, m->field, a);
		return;
	case MUTATE_NARROW_PORT:
		rule_narrow_port(r, m->port, a);
		return;
	case MUTATE_NARROW_BOX:
		r->boxes[m->box] = r->boxes[--r->box_count];
		return;
	case MUTATE_RATE_NONE:
		r->rate = NULL;
		return;
	case MUTATE_RATE_TWICE:
		rule_twice(r, a);
		return;
	case MUTATE_BLOCK_NONE:
		r->block_ns = 0;
		return;
	case MUTATE_EXCEPT_NONE:
		r->except = 0;
		return;
	case MUTATE_SILENT:
		r->effects.emits = false;
		return;
	case MUTATE_PATTERN_NONE:
		r->payload = NULL;
		return;
	}
}

/* Is the rule another's that changes with the one that is mistaken: its limit, or one that shares its bucket? */
static bool goes_along(const struct ir_rule *r, const struct mutation *m)
{
	switch (m->kind) {
	case MUTATE_DELETE:
	case MUTATE_WIDEN:
	case MUTATE_NARROW_PORT:
	case MUTATE_NARROW_BOX:
		return is_limit_of(r, m->rule);
	case MUTATE_RATE_TWICE:
		return r->rate && !strcmp(r->rate->bucket, m->rule->rate->bucket);
	case MUTATE_FLIP:
	case MUTATE_RATE_NONE:
	case MUTATE_BLOCK_NONE:
	case MUTATE_EXCEPT_NONE:
	case MUTATE_SILENT:
	case MUTATE_PATTERN_NONE:
		break;
	}
	return false;
}

static bool list_mutate(struct ir_list *l, const struct mutation *m, struct arena *a)
{
	struct ir_rule *rules = NULL;

	for (size_t i = 0; i < l->count; i++) {
		if (!rules_are_one(&l->rules[i], m->rule) && !goes_along(&l->rules[i], m))
			continue;
		if (!rules)
			rules = arena_copy(a, l->rules, l->count * sizeof *rules);
		rule_mutate(&rules[i], m, a);
	}
	if (rules)
		l->rules = rules;
	return rules;
}

static bool list_drops(const struct ir_list *l)
{
	for (size_t i = 0; i + 1 < l->count; i++)
		if (l->rules[i].box_count)
			return false;
	return l->rules[l->count - 1].verdict == VERDICT_DROP;
}

/* As lower.c says it of the text: see ir.h, `closed`. */
static bool posture_is_closed(const struct ir_posture *p)
{
	const struct ir_list *out = &p->lists[DIRECTION_OUT];

	for (size_t i = 0; i < out->count; i++)
		if (out->rules[i].verdict == VERDICT_ALLOW && out->rules[i].box_count)
			return false;
	return p->established == ESTABLISHED_CUT && list_drops(&p->lists[DIRECTION_IN]) &&
	       list_drops(&p->lists[DIRECTION_FORWARD]);
}


struct ir *mutate(const struct ir *ir, const struct mutation *m, struct arena *a)
{
	struct ir *out = arena_copy(a, ir, sizeof *ir);

	out->postures = arena_copy(a, ir->postures, ir->posture_count * sizeof *ir->postures);
	for (size_t i = 0; i < ir_list_count(out); i++)
		if (list_mutate(list_at(out, i), m, a) && i >= LISTS_OF_ALL) {
			struct ir_posture *p = &out->postures[(i - LISTS_OF_ALL) / DIRECTION_COUNT];

			p->closed = posture_is_closed(p);
		}
	return out;
}
