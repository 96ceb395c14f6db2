/*
 * askers - what several reflexes ask of one limit.
 *
 * Each reflex that has the packet takes a token, the ones that only tell too. So one that asks behind others finds
 * fewer than they did: what it asks is "are fewer tokens left than those before it and itself take?". That is another
 * truth than theirs. How many take before is told by the packet, and so the truths of a limit are few: fewer than one
 * token, than two, than three. Who is over at fewer is over at more, and who asks behind as many as the bucket holds is
 * always over.
 *
 * It is not told by the packet where one that takes looks for a pattern, or where an end is self and addresses. There
 * a truth has the name of all that ask before, by their packets.
 */
#include "compiler/prove/judgement/parts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lang/base/buf.h"

/* --- what is asked, in words that two policies compare ----------------------------------------------- */

static void say_ranges(struct buf *out, const struct ranges *r)
{
	buf_putc(out, ' ');
	for (size_t i = 0; i < r->len; i++)
		buf_printf(out, "%u-%u,", r->at[i].lo, r->at[i].hi);
}

static void say_number(struct buf *out, addr_num n)
{
	buf_printf(out, "%" PRIx64 ":%" PRIx64, (uint64_t)(n >> 64), (uint64_t)n);
}

static void say_end(struct buf *out, const struct ir_end *e)
{
	buf_printf(out, " %d%d", e->any, e->self);
	for (int f = 0; !e->any && e->set && f < FAMILY_COUNT; f++) {
		const struct netset *s = &e->set->set;

		buf_printf(out, "/%zu ", s->len[f]);
		for (size_t i = 0; i < s->len[f]; i++) {
			say_number(out, s->at[f][i].lo);
			buf_putc(out, '-');
			say_number(out, s->at[f][i].hi);
			buf_putc(out, ',');
		}
	}
}

static void say_zones(struct buf *out, const struct ir *ir, uint64_t zones)
{
	for (size_t i = 0; zones != UINT64_MAX && i < ir->zone_count; i++)
		if (zones >> i & 1)
			buf_printf(out, "%s,", ir->zones[i].name);
}

static void say_box(struct buf *out, const struct ir *ir, const struct ir_box *b)
{
	say_zones(out, ir, b->zones);
	buf_printf(out, " %u %u %u %u/%u", b->families, b->fragments, b->proto, b->flags_want, b->flags_mask);
	say_end(out, &b->src);
	say_end(out, &b->dst);
	say_ranges(out, &b->sport);
	say_ranges(out, &b->dport);
	say_ranges(out, &b->icmp);
}

static const char *what_it_asks(struct arena *a, const struct ir *ir, const struct ir_rule *r)
{
	own(buf) struct buf out = { 0 };

	for (size_t i = 0; i < r->box_count; i++) {
		say_box(&out, ir, &r->boxes[i]);
		buf_putc(&out, ';');
	}
	if (r->payload)
		buf_printf(&out, " %u %" PRIu64 " /%s/", r->payload->flags, r->payload->within, r->payload->expression);
	for (size_t i = 0; i < ir->posture_count; i++)
		if (r->except >> i & 1)
			buf_printf(&out, " except %s", ir->postures[i].name);
	return arena_printf(a, "%s", buf_text(&out));
}

/* --- who asks before --------------------------------------------------------------------------------- */

static int by_what(const void *x, const void *y)
{
	const struct taker *a = x, *b = y;

	return strcmp(a->asks, b->asks);
}

/* May one packet be asked of both? */
static bool may_share(struct terms *t, const struct ir *ir, const struct ir_rule *a, const struct ir_rule *b)
{
	const uint64_t postures = ir->posture_count < 64 ? (UINT64_C(1) << ir->posture_count) - 1 : UINT64_MAX;
	struct cell x[FAMILY_COUNT], y[FAMILY_COUNT], both;
	bool exact;

	if ((a->except | b->except) == postures)
		return false;
	for (size_t i = 0; i < a->box_count; i++)
		for (size_t k = 0; k < b->box_count; k++) {
			const size_t xs = cells_of_box(t, ir, &a->boxes[i], DIRECTION_IN, x);
			const size_t ys = cells_of_box(t, ir, &b->boxes[k], DIRECTION_IN, y);

			for (size_t n = 0; n < xs * ys; n++)
				if (cell_meet(t->arena, &x[n / ys], &y[n % ys], &both, &exact))
					return true;
		}
	return false;
}

static bool is_taker(struct terms *t, const struct ir *ir, const struct ir_rule *taker, const struct ir_rule *of)
{
	return taker->rate && !strcmp(taker->rate->bucket, of->rate->bucket) && strcmp(taker->id, of->id) != 0 &&
	       may_share(t, ir, taker, of);
}

static void take_note(struct terms *t, const struct ir *ir, const struct ir_list *l, size_t at)
{
	const struct ir_rule *of = &l->rules[at];
	VEC(struct taker) before = { 0 };
	struct asker asker = { .rule = of };

	for (size_t i = 0; i < at; i++)
		if (is_taker(t, ir, &l->rules[i], of))
			vec_push(t->arena, &before, ((struct taker){ &l->rules[i], what_it_asks(t->arena, ir, &l->rules[i]) }));
	for (size_t i = 0; i < ir->watches.count && ir->watches.rules[i].rank <= at; i++)
		if (is_taker(t, ir, &ir->watches.rules[i], of))
			vec_push(t->arena, &before, ((struct taker){ &ir->watches.rules[i], what_it_asks(t->arena, ir, &ir->watches.rules[i]) }));
	if (!before.len)
		return;
	qsort(before.at, before.len, sizeof *before.at, by_what);
	asker.before = (struct takers){ .at = before.at, .len = before.len };
	vec_push(t->arena, &t->askers, asker);
}

struct takers terms_takers(const struct terms *t, const struct ir_rule *r)
{
	for (size_t i = 0; i < t->askers.len; i++)
		if (t->askers.at[i].rule == r)
			return t->askers.at[i].before;
	return (struct takers){ 0 };
}

bool takers_have(const struct takers *of, const struct taker *x)
{
	return of->len && bsearch(x, of->at, of->len, sizeof *of->at, by_what);
}

/* Two of the same packets take two tokens: each is found for itself. */
bool takers_are_among(const struct takers *few, const struct takers *all)
{
	size_t found = 0;

	for (size_t i = 0; i < all->len && found < few->len; i++)
		found += !by_what(&few->at[found], &all->at[i]);
	return found == few->len;
}

/* --- as open conditions ------------------------------------------------------------------------------ */

/* "limit.calm behind reflex.first" */
static const char *in_words(struct arena *a, const char *name, const struct takers *before)
{
	own(buf) struct buf out = { 0 };

	buf_puts(&out, name);
	if (before->count)
		buf_printf(&out, " behind %u other%s", before->count, before->count > 1 ? "s" : "");
	for (size_t i = 0; i < before->len; i++)
		buf_printf(&out, "%s%s", !i ? " behind " : i + 1 < before->len ? ", " : " and ", before->at[i].rule->id);
	return arena_printf(a, "%s", buf_text(&out));
}

const char *asker_name(struct arena *a, const struct ir_rule *r)
{
	const char *name = ir_rule_condition(r);

	return r->layer == LAYER_REFLEX && r->rate && strcmp(name, r->id) != 0 ? arena_printf(a, "%s of %s", r->id, name) : name;
}

static void add(struct terms *t, const struct ir_rule *r, const char *name, const struct takers *before)
{
	struct unknown u = { .name = name, .kind = r->payload ? OPEN_PATTERN : OPEN_RATE, .before = *before };

	for (u.copy = 0; u.copy <= condition_copy(r, 1); u.copy++) {
		if (terms_unknown(t, u.name, u.copy, before) < t->unknowns.len)
			continue;
		u.said = in_words(t->arena, u.name, before);
		vec_push(t->arena, &t->unknowns, u);
	}
}

void askers_add(struct terms *t, const struct ir *ir, const struct ir_list *l)
{
	for (size_t i = 0; i < l->count; i++) {
		const struct ir_rule *r = &l->rules[i];
		struct takers before, some = { 0 };
		const char *name = ir_rule_condition(r);

		if (!r->rate)
			continue;
		if (!terms_takers(t, r).len)
			take_note(t, ir, l, i);
		before = terms_takers(t, r);
		add(t, r, name, &before);
		add(t, r, asker_name(t->arena, r), &some);
		for (some.count = 1; some.count <= before.len && before.len <= TAKERS_COUNTED; some.count++)
			add(t, r, name, &some);
	}
}
