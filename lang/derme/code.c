/*
 * code.c - rules on sessions as bytes and back.
 *
 *     "tegd" version | sets: ranges per family | rules: head, operations, effects
 */
#include <errno.h>
#include <string.h>

#include "lang/base/wire.h"
#include "lang/derme/derme.h"

#define MAGIC	0x64676574u /* "tegd" */
#define VERSION 1u

static void put_num(struct buf *out, addr_num n)
{
	wire_put_u64(out, (uint64_t)(n >> 64));
	wire_put_u64(out, (uint64_t)n);
}

static addr_num get_num(struct wire_in *in)
{
	addr_num hi = wire_get_u64(in);

	return hi << 64 | wire_get_u64(in);
}

static void put_set(struct buf *out, const struct netset *s)
{
	for (int f = 0; f < FAMILY_COUNT; f++) {
		wire_put_u32(out, (uint32_t)s->len[f]);
		for (size_t i = 0; i < s->len[f]; i++) {
			put_num(out, s->at[f][i].lo);
			put_num(out, s->at[f][i].hi);
		}
	}
}

static void put_op(struct buf *out, const struct derme_op *op)
{
	wire_put_u8(out, (uint8_t)op->kind);
	wire_put_u8(out, (uint8_t)op->field);
	wire_put_u8(out, (uint8_t)op->relation);
	wire_put_u64(out, op->number);
	wire_put_u64(out, op->within_ns);
	wire_put_u16(out, op->set);
}

static void put_rule(struct buf *out, const struct derme_rule *r)
{
	wire_put_str(out, r->id);
	wire_put_u8(out, (uint8_t)r->kind);
	wire_put_str(out, r->file);
	wire_put_u32(out, r->score);
	wire_put_u32(out, r->op_count);
	for (uint32_t i = 0; i < r->op_count; i++)
		put_op(out, &r->ops[i]);
	wire_put_u8(out, (uint8_t)(r->drops | r->inspects << 1 | r->emits << 2));
	wire_put_u32(out, r->capture_bytes);
	wire_put_u64(out, r->throttle_count);
	wire_put_u64(out, r->throttle_ns);
	wire_put_u8(out, (uint8_t)r->severity);
	wire_put_u32(out, r->one_in);
}

void derme_encode(struct buf *out, const struct derme *d)
{
	wire_put_u32(out, MAGIC);
	wire_put_u32(out, VERSION);
	wire_put_u32(out, d->set_count);
	for (uint32_t i = 0; i < d->set_count; i++)
		put_set(out, &d->sets[i]);
	wire_put_u32(out, d->rule_count);
	for (uint32_t i = 0; i < d->rule_count; i++)
		put_rule(out, &d->rules[i]);
}

#define RANGE_BYTES 32
#define OP_BYTES    21
#define RULE_BYTES  43

static void get_set(struct wire_in *in, struct netset *s, struct arena *a)
{
	for (int f = 0; f < FAMILY_COUNT; f++) {
		s->len[f] = wire_get_count(in, RANGE_BYTES);
		s->at[f] = arena_zero(a, (s->len[f] + 1) * sizeof *s->at[f]);
		for (size_t i = 0; i < s->len[f]; i++) {
			s->at[f][i].lo = get_num(in);
			s->at[f][i].hi = get_num(in);
		}
	}
}

static void get_op(struct wire_in *in, struct derme_op *op)
{
	op->kind = (enum derme_op_kind)wire_get_u8(in);
	op->field = (enum session)wire_get_u8(in);
	op->relation = (enum play_relation)wire_get_u8(in);
	op->number = wire_get_u64(in);
	op->within_ns = wire_get_u64(in);
	op->set = wire_get_u16(in);
}

static void get_rule(struct wire_in *in, struct derme_rule *r, struct arena *a)
{
	uint8_t does;

	r->id = wire_get_str(in, a);
	r->kind = (enum derme_kind)wire_get_u8(in);
	r->file = wire_get_str(in, a);
	r->score = wire_get_u32(in);
	r->op_count = wire_get_count(in, OP_BYTES);
	r->ops = arena_zero(a, (r->op_count + 1) * sizeof *r->ops);
	for (uint32_t i = 0; i < r->op_count; i++)
		get_op(in, &r->ops[i]);
	does = wire_get_u8(in);
	in->bad |= does > 7;
	r->drops = does & 1;
	r->inspects = does & 2;
	r->emits = does & 4;
	r->capture_bytes = wire_get_u32(in);
	r->throttle_count = wire_get_u64(in);
	r->throttle_ns = wire_get_u64(in);
	r->severity = (enum event_severity)wire_get_u8(in);
	r->one_in = wire_get_u32(in);
}

int derme_decode(struct derme *out, struct arena *a, const void *bytes, size_t len, struct err *why)
{
	struct wire_in in = { bytes, len, false };
	struct derme d = { 0 };

	if (wire_get_u32(&in) != MAGIC || wire_get_u32(&in) != VERSION)
		return err_set(why, EINVAL, "derme: not version %u of its code", VERSION);
	d.set_count = wire_get_count(&in, 8);
	d.sets = arena_zero(a, (d.set_count + 1) * sizeof *d.sets);
	for (uint32_t i = 0; i < d.set_count; i++)
		get_set(&in, &d.sets[i], a);
	d.rule_count = wire_get_count(&in, RULE_BYTES);
	d.rules = arena_zero(a, (d.rule_count + 1) * sizeof *d.rules);
	for (uint32_t i = 0; i < d.rule_count; i++)
		get_rule(&in, &d.rules[i], a);
	if (!wire_done(&in))
		return err_set(why, EINVAL, "derme: truncated, or more than rules on sessions");
	if (derme_verify(&d, why))
		return err_in(why, "derme");
	*out = d;
	return 0;
}
