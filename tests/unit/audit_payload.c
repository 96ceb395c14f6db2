/*
 * The tables that look into payloads are taken as they are made, and refused with any of many small damages; and with any
 * step drawn that leads elsewhere, when some text shows it.
 */
#include <string.h>

#include "compiler/audit/audit.h"
#include "compiler/emit/emit.h"
#include "lang/base/own.h"
#include "tests/lib/gen.h"
#include "tests/lib/tap.h"

static const struct gen_shape shape = { .zones = 1, .reflexes = 1, .postures = 1, .rules = 1 };

struct look {
	const char *expression;
	unsigned flags;
	uint64_t within;
};

static const struct look looks[] = {
	{ "union\\s+select", PATTERN_ICASE, 512 }, { "\\.php$", 0, PAYLOAD_MOST }, { "^GET /", 0, 40 }, { "jndi:", 0, PAYLOAD_MOST },
	{ "jndi:", 0, 100 },
};

/* Of few letters, so that texts drawn meet all states. */
static const struct look tangled[] = {
	{ "abca", 0, PAYLOAD_MOST }, { "^ab", 0, PAYLOAD_MOST }, { "cab$", 0, PAYLOAD_MOST }, { "a+b{2}c", PATTERN_ICASE, PAYLOAD_MOST },
	{ "bccb", 0, PAYLOAD_MOST }, { "ab", 0, PAYLOAD_MOST }, { "cc.*aab", 0, PAYLOAD_MOST }, { "b*$", 0, PAYLOAD_MOST },
	{ "x", 0, PAYLOAD_MOST },
};

static struct ir *meant_of(struct arena *a, const struct look *asked, size_t count)
{
	struct gen g = gen_new(3);
	struct pattern_fault fault;
	struct ranges all = ranges_of(a, 0, UINT16_MAX);
	struct ir_box box = { .zones = UINT64_MAX, .families = 3, .fragments = 3, .proto = 6, .src = { .any = true },
			      .dst = { .any = true }, .sport = all, .dport = all, .icmp = all };

	struct ir *ir = ir_lower(gen_policy(&g, a, &shape), a);

	ir->lifelines.count = ir->blocks.count = ir->watches.count = 0;
	ir->reflexes = (struct ir_list){ arena_zero(a, count * sizeof(struct ir_rule)), count };
	for (size_t i = 0; i < count; i++) {
		struct pol_payload *p = arena_zero(a, sizeof *p);
		const char *id = arena_printf(a, "reflex.r%zu", i);

		*p = (struct pol_payload){ .expression = asked[i].expression, .flags = asked[i].flags, .within = asked[i].within };
		pattern_compile(&p->pattern, a, p->expression, p->flags, &fault);
		ir->reflexes.rules[i] = (struct ir_rule){ .id = id, .label = id, .layer = LAYER_REFLEX, .verdict = VERDICT_DROP, .payload = p,
							  .boxes = arena_copy(a, &box, sizeof box), .box_count = 1, .effects.one_in = 1 };
	}
	return ir;
}

static void tables_of(struct plan *plan, const struct ir *ir, struct arena *a)
{
	struct err why = { 0 };

	*plan = (struct plan){ 0 };
	emit_plan(plan, ir, a);
	if (emit_xdp(plan, ir, a, &why))
		tap_ok(false, "the tables are made: %s", why.text);
}

/* Of which no two fit into one automaton. */
static const struct look apart[] = {
	{ "a.{4}b", 0, PAYLOAD_MOST }, { "b.{4}c", 0, PAYLOAD_MOST }, { "c.{4}a", 0, PAYLOAD_MOST }, { "^a.*c$", 0, PAYLOAD_MOST },
};

static void made_of(struct ir **ir, struct plan *plan, struct arena *a, const struct look *asked, size_t count)
{
	*ir = meant_of(a, asked, count);
	tables_of(plan, *ir, a);
}

static void made(struct ir **ir, struct plan *plan, struct arena *a)
{
	made_of(ir, plan, a, looks, ARRAY_LEN(looks));
}

#define DAMAGES 18u

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

/* The first pair of long windows, with a shift of its own. */
static bool shift_first(struct teg_automaton *t, uint8_t shift)
{
	for (uint32_t pair = 0; pair < TEG_PAIRS; pair++)
		if (t->shifts[pair] < TEG_WINDOW_SHIFT(TEG_WINDOW_MIN) && (pair | 0x2020) == pair)
			return t->shifts[pair] = shift, true;
	return false;
}

/* The window with which "jndi:" itself begins: asked only to confirm others. */
static bool lose_first_window(struct teg_automaton *t)
{
	const uint64_t window = teg_window(0x3a69646e6aull, t->shifts['j' | 'n' << 8]);
	const uint32_t bit = 8 * teg_window_word(window) + teg_window_bit(window);
	const bool had = t->windows[bit / 8] >> bit % 8 & 1;

	t->windows[bit / 8] &= (uint8_t)~(1u << bit % 8);
	return had;
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
	case 16: /* the first is */
		for (uint32_t i = 0; i < p->config.payload.lists; i += p->payload.lists[i] + 1)
			if (p->payload.lists[i] == 2) {
				p->payload.lists[i + 1] = p->payload.lists[nth == 10 ? i + 1 : i + 2];
				return p->payload.lists[i] = 1, true;
			}
		return false;
	case 11: /* the patterns of two rules change places */
		for (uint32_t i = 1; i + 1 < p->config.payload.lists; i += p->payload.lists[i] + 1)
			for (uint32_t k = i + 1; k <= i + p->payload.lists[i]; k++)
				p->payload.lists[k] = p->payload.lists[k] < 2 ? 1 - p->payload.lists[k] : p->payload.lists[k];
		return true;
	case 12: /* the idle state tells of a hit, so that nothing may be skipped */
		return t->first_hit = t->idle, true;
	case 13: /* no match is said to begin with a pair with which one does */
		return shift_first(t, TEG_WINDOW_NONE);
	case 14: /* a state that waits for what began earlier is said to be young */
		for (uint32_t s = 0; s < p->config.payload.steps; s += width(p))
			if (p->payload.steps[s + classes + TEG_STEP_AGE] == 3)
				return p->payload.steps[s + classes + TEG_STEP_AGE] = 2, true;
		return false;
	case 15: /* windows of another length than those in the map */
		return shift_first(t, TEG_WINDOW_SHIFT(TEG_WINDOW_MIN));
	case 17:
		return lose_first_window(t);
	}
	return false;
}

/* --- boxes ------------------------------------------------------------------------------------ */

/* Two of the rules have a rate, so that their boxes are listed; the last looks into nothing. */
static void made_with_rates(struct ir **ir, struct plan *plan, struct arena *a)
{
	static const struct ir_rate rate = { .rate = 5, .unit_s = 1, .burst = 5, .cost_ns = 200000000, .depth_ns = 1000000000, .bucket = "b", .kin = "b" };

	*ir = meant_of(a, looks, ARRAY_LEN(looks));
	(*ir)->reflexes.rules[1].rate = (*ir)->reflexes.rules[2].rate = (*ir)->reflexes.rules[4].rate = &rate;
	(*ir)->reflexes.rules[4].payload = NULL;
	tables_of(plan, *ir, a);
}

static struct teg_box *box_of(const struct plan *p, uint32_t rule)
{
	for (uint32_t i = 0; i < p->box_count; i++)
		if (p->boxes[i].rule == rule)
			return &p->boxes[i];
	return NULL;
}

static void add_box(struct plan *p, struct arena *a, uint32_t rule)
{
	struct teg_box *more = arena_zero(a, (p->box_count + 1) * sizeof *more);

	memcpy(more, p->boxes, p->box_count * sizeof *more);
	more[p->box_count] = p->payload.boxes[0];
	more[p->box_count++].rule = rule;
	p->boxes = more;
}

static void add_tree_box(struct plan *p, struct arena *a, uint32_t rule, uint8_t mark)
{
	p->bulk_boxes = arena_zero(a, sizeof *p->bulk_boxes);
	p->bulk_boxes[0].box.rule = rule;
	p->bulk_boxes[0].box.mark = mark;
	p->config.bulk.cells = 1;
}

static const char *const boxes_damaged[] = {
	"a box that does not ask for its mark", "a box that asks for another's mark", "a box of other ports than those that are looked into",
	"a box beside the row of a rule without a rate", "a box with a mark, of a rule that looks into nothing",
	"a tree's box with a mark", "a tree's box of a rule that looks into payloads",
};

static bool damage_box(struct plan *p, struct arena *a, size_t nth)
{
	struct teg_box *first = box_of(p, 1), *second = box_of(p, 2), *plain = box_of(p, 4);

	if (!first || !second || !plain || plain->mark)
		return false;
	switch (nth) {
	case 0:
		return first->mark && !(first->mark = 0);
	case 1:
		return first->mark != second->mark && (first->mark = second->mark);
	case 2:
		return ++first->dport_lo;
	case 3:
		return !box_of(p, 0) && (add_box(p, a, 0), true);
	case 4:
		return (plain->mark = 1);
	case 5:
		return add_tree_box(p, a, 4, 1), true;
	case 6:
		return add_tree_box(p, a, 1, 0), true;
	}
	return false;
}

static void try_boxes(void)
{
	own(arena) struct arena *a = arena_new();
	struct err none = { 0 };
	struct plan plan;
	struct ir *ir;

	made_with_rates(&ir, &plan, a);
	tap_ok(!audit_payload(ir, &plan, &none), "boxes of rules with a rate are taken as they are made %s", none.text);
	for (size_t i = 0; i < ARRAY_LEN(boxes_damaged); i++) {
		struct err why = { 0 };

		made_with_rates(&ir, &plan, a);
		tap_ok(damage_box(&plan, a, i) && audit_payload(ir, &plan, &why), "%s: %s", boxes_damaged[i], why.text);
	}
}

/* --- steps drawn ------------------------------------------------------------------------------ */

#define TURNS	   400u
#define TEXTS	   4000u
#define TEXT_LEN   14u

static void find_listed(const struct plan *p, uint32_t place, bool *found)
{
	for (uint32_t i = 1; i <= p->payload.lists[place]; i++)
		found[p->payload.lists[place + i]] = true;
}

/* What the tables find in a text, by row. */
static void find_by_tables(const struct plan *p, const uint8_t *text, size_t len, bool *found)
{
	for (uint32_t n = 0; n < p->config.payload.automata; n++) {
		const struct teg_automaton *t = &p->payload.automata[n];
		uint32_t is = t->start;

		for (size_t i = 0; i < len; i++) {
			is = p->payload.steps[is + t->class_of[text[i]]];
			find_listed(p, p->payload.steps[is + t->classes], found);
		}
		find_listed(p, p->payload.steps[is + t->classes + 1], found);
	}
}

/* Some text shows that the tables do not find what the patterns do. */
static bool is_seen(const struct plan *p, const struct ir *ir, struct gen *g)
{
	for (unsigned turn = 0; turn < TEXTS; turn++) {
		bool found[ARRAY_LEN(tangled) + ARRAY_LEN(apart)] = { 0 };
		const size_t len = 1 + gen_below(g, TEXT_LEN);
		uint8_t text[TEXT_LEN];

		for (size_t i = 0; i < len; i++)
			text[i] = (uint8_t)"abcabcabcAx\n"[gen_below(g, 12)];
		find_by_tables(p, text, len, found);
		for (size_t i = 0; i < ir->reflexes.count; i++)
			if (found[i] != pattern_finds(&ir->reflexes.rules[i].payload->pattern, text, len, len))
				return true;
	}
	return false;
}

/* With maps and ages of which nothing can be wrong: only the steps are asked. */
static void forgive(struct plan *p)
{
	for (uint32_t n = 0; n < p->config.payload.automata; n++) {
		struct teg_automaton *t = &p->payload.automata[n];
		const uint32_t end = n + 1 < p->config.payload.automata ? t[1].idle : p->config.payload.steps;

		memset(t->windows, 0xff, sizeof t->windows);
		for (uint32_t s = t->idle; s < end; s += t->classes + TEG_STEP_MORE)
			p->payload.steps[s + t->classes + TEG_STEP_AGE] = TEG_AGE_OLD;
	}
}

/* A step, or a list of a state, becomes another state's. */
static void draw_damage(struct plan *p, struct gen *g)
{
	const uint32_t n = gen_below(g, p->config.payload.automata);
	const struct teg_automaton *t = &p->payload.automata[n];
	const uint32_t end = n + 1 < p->config.payload.automata ? t[1].idle : p->config.payload.steps;
	const uint32_t wide = t->classes + TEG_STEP_MORE, states = (end - t->idle) / wide;
	const uint32_t column = gen_below(g, t->classes + 2);
	uint32_t *steps = p->payload.steps + t->idle;

	if (column < t->classes)
		steps[gen_below(g, states) * wide + column] = t->idle + gen_below(g, states) * wide;
	else
		steps[gen_below(g, states) * wide + column] = steps[gen_below(g, states) * wide + column];
}

static void try_drawn(const char *what, const struct look *asked, size_t count)
{
	own(arena) struct arena *a = arena_new();
	struct gen g = gen_new(11);
	struct err why = { 0 };
	struct plan plan;
	struct ir *ir;
	unsigned seen = 0, refused = 0, missed = 0;

	made_of(&ir, &plan, a, asked, count);
	forgive(&plan);
	tap_ok(!audit_payload(ir, &plan, &why) && !is_seen(&plan, ir, &g), "%s patterns, in %u automata, are taken %s", what,
	       plan.config.payload.automata, why.text);
	const size_t bytes = plan.config.payload.steps * sizeof *plan.payload.steps;
	uint32_t *kept = arena_copy(a, plan.payload.steps, bytes);

	for (unsigned i = 0; i < TURNS; i++) {
		why = (struct err){ 0 };
		draw_damage(&plan, &g);
		const bool shown = is_seen(&plan, ir, &g), refuses = audit_payload(ir, &plan, &why);

		seen += shown;
		refused += refuses;
		missed += shown && !refuses;
		memcpy(plan.payload.steps, kept, bytes);
	}
	tap_ok(!missed && seen > TURNS / 4 && refused < TURNS, "of %u steps that lead elsewhere %u are shown by a text, %u refused", TURNS, seen,
	       refused);
}

/* A state of one automaton leads into another, or tells what is looked for there. */
static void try_other_automaton(void)
{
	own(arena) struct arena *a = arena_new();
	struct err step = { 0 }, list = { 0 };
	struct plan plan;
	struct ir *ir;

	made_of(&ir, &plan, a, apart, ARRAY_LEN(apart));
	forgive(&plan);
	const struct teg_automaton *t = plan.payload.automata;
	const uint32_t was = plan.payload.steps[t->idle];

	plan.payload.steps[t->idle] = t[1].idle;
	tap_ok(audit_payload(ir, &plan, &step), "a step into another automaton: %s", step.text);
	plan.payload.steps[t->idle] = was;
	for (uint32_t s = t[1].idle; s < plan.config.payload.steps; s += t[1].classes + TEG_STEP_MORE)
		if (plan.payload.steps[s + t[1].classes])
			plan.payload.steps[t->idle + t->classes] = plan.payload.steps[s + t[1].classes];
	tap_ok(audit_payload(ir, &plan, &list) && strstr(list.text, "two automata"), "what two automata look for: %s", list.text);
}

/* --- ages ------------------------------------------------------------------------------------- */

#define STATES_TRIED 256u

/* Which states stand beside another after so many bytes from any state, and from the idle one. */
static void go_by_one(const struct plan *p, bool (*now)[STATES_TRIED], bool (*next)[STATES_TRIED], uint32_t states)
{
	const struct teg_automaton *t = p->payload.automata;

	memset(next, 0, states * sizeof *next);
	for (uint32_t s = 0; s < states; s++)
		for (uint32_t o = 0; o < states; o++)
			for (uint32_t c = 0; now[s][o] && c < t->classes; c++)
				next[p->payload.steps[s * width(p) + c] / width(p)][p->payload.steps[o * width(p) + c] / width(p)] = true;
}

/* Every age of every state is refused or taken, as pairs of states say that are all walked. */
static void try_ages(void)
{
	static bool pairs[2][STATES_TRIED][STATES_TRIED];
	own(arena) struct arena *a = arena_new();
	unsigned wrong = 0, refused = 0, taken = 0;
	struct plan plan;
	struct ir *ir;

	made_of(&ir, &plan, a, tangled, ARRAY_LEN(tangled));
	forgive(&plan);
	const struct teg_automaton *t = plan.payload.automata;
	const uint32_t states = plan.config.payload.steps / width(&plan);

	if (!tap_ok(plan.config.payload.automata == 1 && t->idle == 0 && states < STATES_TRIED, "tangled patterns have one automaton of %u states", states))
		return;
	for (uint32_t s = 0; s < states; s++)
		pairs[0][s][0] = true;
	for (unsigned age = 0; age < TEG_AGE_OLD; age++) {
		for (uint32_t s = 0; s < states; s++) {
			uint32_t *says = &plan.payload.steps[s * width(&plan) + t->classes + TEG_STEP_AGE];
			struct err why = { 0 };
			bool older = false;

			for (uint32_t o = 0; o < states; o++)
				older |= o != s && pairs[age & 1][s][o];
			*says = age;
			const bool refuses = audit_payload(ir, &plan, &why);
			*says = TEG_AGE_OLD;
			wrong += refuses != older;
			refused += refuses;
			taken += !refuses;
		}
		go_by_one(&plan, pairs[age & 1], pairs[!(age & 1)], states);
	}
	tap_ok(!wrong && refused && taken, "ages: %u refused, %u taken, all as they are", refused, taken);
}

/* --- lists ------------------------------------------------------------------------------------ */

/* Whatever list a state has in place of its own: what is taken is shown by no text. */
static void try_lists(void)
{
	own(arena) struct arena *a = arena_new();
	struct gen g = gen_new(12);
	unsigned tried = 0, missed = 0;
	struct plan plan;
	struct ir *ir;

	made_of(&ir, &plan, a, tangled, ARRAY_LEN(tangled));
	forgive(&plan);
	const struct teg_automaton *t = &plan.payload.automata[0];
	const uint32_t end = plan.config.payload.automata > 1 ? t[1].idle : plan.config.payload.steps;

	for (uint32_t at = t->classes; at < end; at += width(&plan))
		for (uint32_t place = 0; place < plan.config.payload.lists; place += plan.payload.lists[place] + 1) {
			struct err why = { 0 };
			const uint32_t was = plan.payload.steps[at];

			plan.payload.steps[at] = place;
			missed += !audit_payload(ir, &plan, &why) && is_seen(&plan, ir, &g);
			plan.payload.steps[at] = was;
			tried++;
		}
	tap_ok(!missed && tried > TURNS, "of %u lists in the place of others each is refused that a text shows", tried);
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
	try_boxes();
	try_drawn("tangled", tangled, ARRAY_LEN(tangled));
	try_drawn("other", apart, ARRAY_LEN(apart));
	try_other_automaton();
	try_lists();
	try_ages();
	return tap_done();
}
