/* The tables that look into payloads are taken as they are made, and refused with any of many small damages. */
#include <string.h>

#include "compiler/audit/audit.h"
#include "compiler/emit/emit.h"
#include "lang/base/own.h"
#include "tests/lib/gen.h"
#include "tests/lib/tap.h"

static const struct gen_shape shape = { .zones = 1, .reflexes = 1, .postures = 1, .rules = 1 };

static const struct {
	const char *expression;
	unsigned flags;
	uint64_t within;
} looks[] = {
	{ "union\\s+select", PATTERN_ICASE, 512 }, { "\\.php$", 0, PAYLOAD_MOST }, { "^GET /", 0, 40 }, { "jndi:", 0, PAYLOAD_MOST },
	{ "jndi:", 0, 100 },
};

static void made(struct ir **ir, struct plan *plan, struct arena *a)
{
	struct gen g = gen_new(3);
	struct pattern_fault fault;
	struct err why = { 0 };
	struct ranges all = ranges_of(a, 0, UINT16_MAX);
	struct ir_box box = { .zones = UINT64_MAX, .families = 3, .fragments = 3, .proto = 6, .src = { .any = true },
			      .dst = { .any = true }, .sport = all, .dport = all, .icmp = all };

	*ir = ir_lower(gen_policy(&g, a, &shape), a);
	(*ir)->lifelines.count = (*ir)->blocks.count = (*ir)->watches.count = 0;
	(*ir)->reflexes = (struct ir_list){ arena_zero(a, ARRAY_LEN(looks) * sizeof(struct ir_rule)), ARRAY_LEN(looks) };
	for (size_t i = 0; i < ARRAY_LEN(looks); i++) {
		struct pol_payload *p = arena_zero(a, sizeof *p);
		const char *id = arena_printf(a, "reflex.r%zu", i);

		*p = (struct pol_payload){ .expression = looks[i].expression, .flags = looks[i].flags, .within = looks[i].within };
		pattern_compile(&p->pattern, a, p->expression, p->flags, &fault);
		(*ir)->reflexes.rules[i] = (struct ir_rule){ .id = id, .label = id, .layer = LAYER_REFLEX, .verdict = VERDICT_DROP, .payload = p,
							     .boxes = arena_copy(a, &box, sizeof box), .box_count = 1, .effects.one_in = 1 };
	}
	*plan = (struct plan){ 0 };
	emit_plan(plan, *ir, a);
	if (emit_xdp(plan, *ir, a, &why))
		tap_ok(false, "the tables are made: %s", why.text);
}

#define DAMAGES 16u

static uint32_t width(const struct plan *p)
{
	return p->payload.automata[0].classes + TEG_STEP_MORE;
}

/* A row of a state with a list in this column. */
static uint32_t *telling(const struct plan *p, uint32_t column)
{
	for (uint32_t s = 0; s < p->config.payload.steps; s += width(p))
		if (p->payload.steps[s + column])
			return &p->payload.steps[s + column];
	return NULL;
}

static bool damage(struct plan *p, unsigned nth)
{
	struct teg_automaton *t = &p->payload.automata[0];
	const uint32_t classes = t->classes;

	switch (nth) {
	case 0:
		return *telling(p, classes) = 0, true;
	case 1:
		return *telling(p, classes + 1) = 0, true;
	case 2:
		return p->payload.rows[0].within++, true;
	case 3:
		return t->most = 100, true;
	case 4:
		return t->start = t->idle, true;
	case 5:
		return t->class_of['u'] = t->class_of['z'], true;
	case 6:
		for (size_t i = 0; i < sizeof t->windows; i++)
			if (t->windows[i])
				return t->windows[i] &= (uint8_t)(t->windows[i] - 1), true;
		return false;
	case 7:
		for (uint32_t i = 0; i < classes; i++)
			if (p->payload.steps[t->start + i] != t->idle)
				return p->payload.steps[t->start + i] = t->idle, true;
		return false;
	case 8:
		return p->payload.rows[1].rule = 0, true;
	case 9:
		return p->payload.rows[0].mark = 1, p->payload.rows[1].mark = 1, true;
	case 10: /* the second rule that looks for the same is left out of its list */
		for (uint32_t i = 1; i < p->config.payload.lists; i++)
			if (p->payload.lists[i] == 2)
				return p->payload.lists[i] = 1, p->payload.rows[3].within = 7, true;
		return false;
	case 11: /* the patterns of two rules change places */
		for (uint32_t i = 1; i + 1 < p->config.payload.lists; i += p->payload.lists[i] + 1)
			for (uint32_t k = i + 1; k <= i + p->payload.lists[i]; k++)
				p->payload.lists[k] = p->payload.lists[k] < 2 ? 1 - p->payload.lists[k] : p->payload.lists[k];
		return true;
	case 12: /* the idle state tells of a hit, so that nothing may be skipped */
		return t->first_hit = t->idle, true;
	case 13:
		for (size_t i = 0; i < sizeof t->begins; i++)
			if (t->begins[i])
				return t->begins[i] &= (uint8_t)(t->begins[i] - 1), true;
		return false;
	case 14: /* a state that waits for what began earlier is said to be young */
		for (uint32_t s = 0; s < p->config.payload.steps; s += width(p))
			if (p->payload.steps[s + classes + TEG_STEP_AGE] == 3)
				return p->payload.steps[s + classes + TEG_STEP_AGE] = 2, true;
		return false;
	case 15: /* windows of another length than those in the map */
		return t->mask = TEG_WINDOW_MASK(t->mask == TEG_WINDOW_MASK(2) ? 3 : 2), true;
	}
	return false;
}

int main(void)
{
	own(arena) struct arena *whole = arena_new();
	struct err none = { 0 };
	struct ir *ir;
	struct plan plan;

	made(&ir, &plan, whole);
	tap_ok(!audit_payload(ir, &plan, &none), "the tables as they are made are taken %s", none.text);
	for (unsigned i = 0; i < DAMAGES; i++) {
		own(arena) struct arena *a = arena_new();
		struct err why = { 0 };

		made(&ir, &plan, a);
		tap_ok(damage(&plan, i) && audit_payload(ir, &plan, &why), "damage %u is refused: %s", i, why.text);
	}
	return tap_done();
}
