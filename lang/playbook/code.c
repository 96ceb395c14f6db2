/*
 * code.c - playbooks as bytes and back.
 *
 *     "tegp" version | constants | playbooks | bindings | regulations | decoys     each: count, then items
 *
 * One spelling: numbers have one width each, what a sort does not carry is not written, and
 * decode gives out only what passes playbooks_verify().
 */
#include <errno.h>
#include <string.h>

#include "lang/base/wire.h"
#include "lang/playbook/playbook.h"

#define MAGIC	0x70676574u /* "tegp" */
#define VERSION 1u

/* --- encode ------------------------------------------------------------------------------------ */

static void put_addr(struct buf *out, struct addr a)
{
	uint8_t bytes[16] = { 0 };

	addr_to_bytes(a, bytes);
	wire_put_u8(out, (uint8_t)a.family);
	buf_add(out, bytes, FAMILY_BITS(a.family) / 8);
}

static void put_constant(struct buf *out, const struct play_constant *k)
{
	wire_put_u8(out, (uint8_t)k->sort);
	switch (sort_form(k->sort)) {
	case FORM_NUMBER:
		wire_put_u64(out, k->number);
		break;
	case FORM_STRING:
		wire_put_str(out, k->text);
		break;
	case FORM_ADDRESS:
		put_addr(out, k->addr);
		break;
	case FORM_MADE:
		break;
	}
}

static void put_playbook(struct buf *out, const struct playbook *p)
{
	wire_put_str(out, p->name);
	wire_put_u8(out, (uint8_t)p->param_count);
	for (uint32_t i = 0; i < p->param_count; i++) {
		wire_put_str(out, p->params[i].name);
		wire_put_u8(out, (uint8_t)p->params[i].sort);
		wire_put_u16(out, p->params[i].otherwise);
	}
	wire_put_u64(out, p->budget.blocks);
	wire_put_u64(out, p->budget.blocks_ns);
	wire_put_u64(out, p->budget.runtime_ns);
	wire_put_u8(out, p->budget.one_param);
	wire_put_u64(out, p->budget.one_ns);
	wire_put_u16(out, (uint16_t)p->op_count);
	wire_put_u16(out, (uint16_t)p->failure);
	for (uint32_t i = 0; i < p->op_count; i++) {
		wire_put_u8(out, (uint8_t)p->ops[i].code);
		wire_put_u16(out, p->ops[i].operand);
	}
	wire_put_u32(out, p->worst.steps);
	wire_put_u64(out, p->worst.ns);
	wire_put_u32(out, p->worst.recovery_steps);
	wire_put_u64(out, p->worst.recovery_ns);
}

static void put_binding(struct buf *out, const struct play_binding *b)
{
	wire_put_u8(out, (uint8_t)b->event);
	wire_put_str(out, b->of);
	wire_put_u16(out, b->playbook);
	wire_put_u8(out, (uint8_t)b->term_count);
	for (uint32_t i = 0; i < b->term_count; i++) {
		wire_put_u8(out, (uint8_t)b->terms[i].measure);
		wire_put_u8(out, (uint8_t)b->terms[i].field);
		wire_put_u8(out, (uint8_t)b->terms[i].relation);
		wire_put_u64(out, b->terms[i].number);
		wire_put_u64(out, b->terms[i].within_ns);
	}
	wire_put_u8(out, (uint8_t)b->given_count);
	for (uint32_t i = 0; i < b->given_count; i++) {
		wire_put_u8(out, b->given[i].of_event);
		wire_put_u16(out, b->given[i].index);
	}
}

static void put_feelings(struct buf *out, const struct play_feeling *f, uint32_t count)
{
	wire_put_u8(out, (uint8_t)count);
	for (uint32_t i = 0; i < count; i++) {
		wire_put_u8(out, (uint8_t)f[i].sense);
		wire_put_u8(out, (uint8_t)f[i].relation);
		wire_put_u32(out, f[i].share);
		wire_put_u64(out, f[i].lasts_ns);
	}
}

static void put_regulation(struct buf *out, const struct play_regulation *r)
{
	put_feelings(out, r->when, r->when_count);
	wire_put_u8(out, (uint8_t)r->act);
	wire_put_str(out, r->posture);
	wire_put_u8(out, (uint8_t)r->priority);
	wire_put_u32(out, r->share);
	wire_put_u8(out, (uint8_t)r->end);
	put_feelings(out, r->until, r->until_count);
}

static void put_decoy(struct buf *out, const struct play_decoy *d)
{
	wire_put_str(out, d->name);
	wire_put_str(out, d->service);
	wire_put_u8(out, d->proto);
	wire_put_u16(out, d->port);
	wire_put_str(out, d->banner);
	wire_put_str(out, d->technique);
}

void playbooks_encode(struct buf *out, const struct playbooks *p)
{
	wire_put_u32(out, MAGIC);
	wire_put_u16(out, VERSION);
	wire_put_u32(out, p->constant_count);
	for (uint32_t i = 0; i < p->constant_count; i++)
		put_constant(out, &p->constants[i]);
	wire_put_u32(out, p->play_count);
	for (uint32_t i = 0; i < p->play_count; i++)
		put_playbook(out, &p->plays[i]);
	wire_put_u32(out, p->binding_count);
	for (uint32_t i = 0; i < p->binding_count; i++)
		put_binding(out, &p->bindings[i]);
	wire_put_u32(out, p->regulation_count);
	for (uint32_t i = 0; i < p->regulation_count; i++)
		put_regulation(out, &p->regulations[i]);
	wire_put_u32(out, p->decoy_count);
	for (uint32_t i = 0; i < p->decoy_count; i++)
		put_decoy(out, &p->decoys[i]);
}

/* --- decode ---------------------------------------------------------------------------------------- */

struct getting {
	struct wire_in in;
	struct arena *arena;
};

/* A number below `limit`. */
static uint8_t get_below(struct getting *g, unsigned limit)
{
	uint8_t v = wire_get_u8(&g->in);

	if (v < limit)
		return v;
	g->in.bad = true;
	return 0;
}

static uint32_t get_count(struct getting *g, size_t each, uint32_t limit)
{
	uint32_t n = wire_get_count(&g->in, each);

	if (n <= limit)
		return n;
	g->in.bad = true;
	return 0;
}

/* Never NULL. */
static const char *get_str(struct getting *g)
{
	const char *s = wire_get_str(&g->in, g->arena);

	return s ? s : "";
}

static struct addr get_addr(struct getting *g)
{
	enum family f = (enum family)get_below(g, FAMILY_COUNT);
	uint8_t bytes[16];

	for (unsigned i = 0; i < FAMILY_BITS(f) / 8; i++)
		bytes[i] = wire_get_u8(&g->in);
	return addr_from_bytes(f, bytes);
}

static void get_constant(struct getting *g, struct play_constant *k)
{
	*k = (struct play_constant){ .sort = (enum sort)get_below(g, SORT_COUNT_) };
	switch (sort_form(k->sort)) {
	case FORM_NUMBER:
		k->number = wire_get_u64(&g->in);
		break;
	case FORM_STRING:
		k->text = get_str(g);
		break;
	case FORM_ADDRESS:
		k->addr = get_addr(g);
		break;
	case FORM_MADE:
		break;
	}
}

static void get_ops(struct getting *g, struct playbook *p)
{
	p->op_count = wire_get_u16(&g->in);
	p->failure = wire_get_u16(&g->in);
	if (p->op_count > PLAYBOOK_OPS_MAX || g->in.left < (size_t)p->op_count * 3) {
		g->in.bad = true;
		p->op_count = 0;
	}
	p->ops = arena_zero(g->arena, p->op_count * sizeof *p->ops);
	for (uint32_t i = 0; i < p->op_count; i++) {
		p->ops[i].code = (enum opcode)get_below(g, OP_COUNT);
		p->ops[i].operand = wire_get_u16(&g->in);
	}
}

static void get_playbook(struct getting *g, struct playbook *p)
{
	p->name = get_str(g);
	p->param_count = get_below(g, PLAYBOOK_PARAMS_MAX + 1);
	for (uint32_t i = 0; i < p->param_count; i++) {
		p->params[i].name = get_str(g);
		p->params[i].sort = (enum sort)get_below(g, SORT_COUNT_);
		p->params[i].otherwise = wire_get_u16(&g->in);
	}
	p->budget.blocks = wire_get_u64(&g->in);
	p->budget.blocks_ns = wire_get_u64(&g->in);
	p->budget.runtime_ns = wire_get_u64(&g->in);
	p->budget.one_param = wire_get_u8(&g->in);
	p->budget.one_ns = wire_get_u64(&g->in);
	get_ops(g, p);
	p->worst.steps = wire_get_u32(&g->in);
	p->worst.ns = wire_get_u64(&g->in);
	p->worst.recovery_steps = wire_get_u32(&g->in);
	p->worst.recovery_ns = wire_get_u64(&g->in);
}

static void get_binding(struct getting *g, struct play_binding *b)
{
	b->event = (enum play_event)get_below(g, EVENT_COUNT);
	b->of = get_str(g);
	b->playbook = wire_get_u16(&g->in);
	b->term_count = get_below(g, PLAYBOOK_TERMS_MAX + 1);
	for (uint32_t i = 0; i < b->term_count; i++) {
		b->terms[i].measure = (enum measure)get_below(g, MEASURE_COUNT_);
		b->terms[i].field = (enum event_field)get_below(g, EVENT_FIELD_COUNT);
		b->terms[i].relation = (enum play_relation)get_below(g, RELATION_COUNT);
		b->terms[i].number = wire_get_u64(&g->in);
		b->terms[i].within_ns = wire_get_u64(&g->in);
	}
	b->given_count = get_below(g, PLAYBOOK_PARAMS_MAX + 1);
	for (uint32_t i = 0; i < b->given_count; i++) {
		b->given[i].of_event = get_below(g, 2);
		b->given[i].index = wire_get_u16(&g->in);
	}
}

static uint32_t get_feelings(struct getting *g, struct play_feeling f[PLAYBOOK_TERMS_MAX])
{
	uint32_t count = get_below(g, PLAYBOOK_TERMS_MAX + 1);

	for (uint32_t i = 0; i < count; i++) {
		f[i].sense = (enum sense)get_below(g, SENSE_COUNT);
		f[i].relation = (enum play_relation)get_below(g, RELATION_COUNT);
		f[i].share = wire_get_u32(&g->in);
		f[i].lasts_ns = wire_get_u64(&g->in);
	}
	return count;
}

static void get_regulation(struct getting *g, struct play_regulation *r)
{
	r->when_count = get_feelings(g, r->when);
	r->act = (enum regulation_act)get_below(g, REGULATE_COUNT);
	r->posture = get_str(g);
	r->priority = (enum priority)get_below(g, PRIORITY_COUNT);
	r->share = wire_get_u32(&g->in);
	r->end = (enum regulation_end)get_below(g, REGULATION_END_COUNT);
	r->until_count = get_feelings(g, r->until);
}

static void get_decoy(struct getting *g, struct play_decoy *d)
{
	d->name = get_str(g);
	d->service = get_str(g);
	d->proto = wire_get_u8(&g->in);
	d->port = wire_get_u16(&g->in);
	d->banner = get_str(g);
	d->technique = get_str(g);
}

static void get_all(struct getting *g, struct playbooks *p)
{
	p->constant_count = get_count(g, 5, PLAYBOOK_CONSTANTS_MAX);
	p->constants = arena_zero(g->arena, p->constant_count * sizeof *p->constants);
	for (uint32_t i = 0; i < p->constant_count; i++)
		get_constant(g, &p->constants[i]);
	p->play_count = get_count(g, 66, PLAYBOOKS_MAX);
	p->plays = arena_zero(g->arena, p->play_count * sizeof *p->plays);
	for (uint32_t i = 0; i < p->play_count; i++)
		get_playbook(g, &p->plays[i]);
	p->binding_count = get_count(g, 9, PLAYBOOK_BINDINGS_MAX);
	p->bindings = arena_zero(g->arena, p->binding_count * sizeof *p->bindings);
	for (uint32_t i = 0; i < p->binding_count; i++)
		get_binding(g, &p->bindings[i]);
	p->regulation_count = get_count(g, 13, PLAYBOOK_REGULATIONS_MAX);
	p->regulations = arena_zero(g->arena, p->regulation_count * sizeof *p->regulations);
	for (uint32_t i = 0; i < p->regulation_count; i++)
		get_regulation(g, &p->regulations[i]);
	p->decoy_count = get_count(g, 19, PLAYBOOK_DECOYS_MAX);
	p->decoys = arena_zero(g->arena, p->decoy_count * sizeof *p->decoys);
	for (uint32_t i = 0; i < p->decoy_count; i++)
		get_decoy(g, &p->decoys[i]);
}

int playbooks_decode(struct playbooks *out, struct arena *a, const void *bytes, size_t len, struct err *why)
{
	struct getting g = { { bytes, len, false }, a };
	struct playbooks p = { 0 };
	int rc;

	if (wire_get_u32(&g.in) != MAGIC || wire_get_u16(&g.in) != VERSION)
		return err_set(why, EINVAL, "these are no playbooks of version %u", VERSION);
	get_all(&g, &p);
	if (!wire_done(&g.in))
		return err_set(why, EINVAL, "the playbooks are cut short, or out of range");
	if ((rc = playbooks_verify(&p, why)))
		return rc;
	*out = p;
	return 0;
}
