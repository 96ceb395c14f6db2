/*
 * Where the program has the rows of automata: each state of the plan is one there and says the same, no two rows share a cell,
 * and what is read of a signature is in few lines of the cache.
 */
#include <string.h>

#include "compiler/emit/emit.h"
#include "enforcer/hook/tables/steps.h"
#include "lang/base/own.h"
#include "tests/lib/gen.h"
#include "tests/lib/tap.h"

#define NOWHERE UINT32_MAX
#define LINE	64u

static const struct gen_shape shape = { .zones = 1, .reflexes = 1, .postures = 1, .rules = 1 };

/* One of so many in either case. */
static void plan_of(struct plan *plan, struct arena *a, const char *const *expressions, size_t count, unsigned folded)
{
	struct gen g = gen_new(3);
	struct err why = { 0 };
	struct ranges all = ranges_of(a, 0, UINT16_MAX);
	const struct ir_box box = { .zones = UINT64_MAX, .families = 3, .fragments = 3, .proto = 6, .src = { .any = true },
				    .dst = { .any = true }, .sport = all, .dport = all, .icmp = all };
	struct ir *ir = ir_lower(gen_policy(&g, a, &shape), a);

	ir->lifelines.count = ir->blocks.count = ir->watches.count = 0;
	ir->reflexes = (struct ir_list){ arena_zero(a, count * sizeof(struct ir_rule)), count };
	for (size_t i = 0; i < count; i++) {
		struct pol_payload *p = arena_zero(a, sizeof *p);
		struct pattern_fault fault;
		const char *id = arena_printf(a, "reflex.r%zu", i);

		*p = (struct pol_payload){ .expression = expressions[i], .flags = i % folded ? 0 : PATTERN_ICASE, .within = PAYLOAD_MOST };
		pattern_compile(&p->pattern, a, p->expression, p->flags, &fault);
		ir->reflexes.rules[i] = (struct ir_rule){ .id = id, .label = id, .layer = LAYER_REFLEX, .verdict = VERDICT_DROP, .payload = p,
							  .boxes = arena_copy(a, &box, sizeof box), .box_count = 1, .effects.one_in = 1 };
	}
	*plan = (struct plan){ 0 };
	emit_plan(plan, ir, a);
	if (emit_xdp(plan, ir, a, &why))
		tap_ok(false, "the tables are made: %s", why.text);
}

/* --- the same automaton ------------------------------------------------------------------- */

struct pairing {
	struct arena *arena;
	const struct plan *plan;
	struct steps_laid laid;
	const struct teg_automaton *was, *is;
	uint32_t *of; /* by place in the plan: the state there */
	bool *taken;  /* cells */
	VEC(uint32_t) waiting;
	bool same;
};

static void pair(struct pairing *w, uint32_t was, uint32_t is)
{
	if (w->of[was] == NOWHERE) {
		w->of[was] = is;
		vec_push(w->arena, &w->waiting, was);
	}
	w->same &= w->of[was] == is;
}

/* A cell of the row, which is nobody else's. */
static uint32_t take_cell(struct pairing *w, uint32_t is, uint32_t column)
{
	const uint32_t at = is / 4 + TEG_STEP_APART * column;

	if (is % 4 || at >= w->laid.count || w->taken[at])
		return w->same = false, 0;
	w->taken[at] = true;
	return w->laid.steps[at];
}

static void pair_row(struct pairing *w, uint32_t was)
{
	const uint32_t *row = w->plan->payload.steps + was, is = w->of[was];

	for (uint32_t c = 0; c < w->was->classes; c++)
		pair(w, row[c], take_cell(w, is, c));
	for (uint32_t c = w->was->classes; c < w->was->classes + TEG_STEP_MORE; c++)
		w->same &= row[c] == take_cell(w, is, c);
	w->same &= (was >= w->was->first_hit) == (is >= w->is->first_hit);
}

static bool one_is_the_same(struct pairing *w)
{
	w->waiting.len = 0;
	w->same = w->was->classes == w->is->classes && w->was->most == w->is->most;
	pair(w, w->was->idle, w->is->idle);
	pair(w, w->was->start, w->is->start);
	for (size_t i = 0; i < w->waiting.len && w->same; i++)
		pair_row(w, w->waiting.at[i]);
	return w->same;
}

static bool all_are_the_same(struct arena *a, const struct plan *p)
{
	struct pairing w = { .arena = a, .plan = p, .laid = steps_lay(a, p), .of = arena_zero(a, p->config.payload.steps * sizeof(uint32_t)) };
	bool same = true;

	w.taken = arena_zero(a, w.laid.count);
	memset(w.of, 0xff, p->config.payload.steps * sizeof *w.of);
	for (uint32_t i = 0; i < p->config.payload.automata; i++) {
		w.was = &p->payload.automata[i];
		w.is = &w.laid.automata[i];
		same &= one_is_the_same(&w);
	}
	return same;
}

static void lays_the_same(const char *of, const char *const *expressions, size_t count, uint32_t automata)
{
	own(arena) struct arena *a = arena_new();
	struct plan plan;

	plan_of(&plan, a, expressions, count, 3);
	tap_num(plan.config.payload.automata, automata, of);
	tap_ok(all_are_the_same(a, &plan), "%s: each state is there once, and says the same", of);
}

/* --- near each other ------------------------------------------------------------------------ */

static const char *const *drawn_words(struct arena *a, size_t count)
{
	struct gen g = gen_new(7);
	const char **words = arena_zero(a, count * sizeof *words);

	for (size_t i = 0; i < count; i++) {
		const unsigned len = 8 + gen_below(&g, 13);
		char *word = arena_zero(a, len + 1);

		for (unsigned k = 0; k < len; k++)
			word[k] = (char)('a' + gen_below(&g, 26));
		words[i] = word;
	}
	return words;
}

/* Of the cells that are read of the words, all but the first two of each and the last: in how many lines they are. */
static unsigned lines_of(const struct plan *p, const struct steps_laid *laid, const char *const *words, size_t count, unsigned *cells)
{
	const struct teg_automaton *t = &laid->automata[0];
	unsigned lines = 0;

	*cells = 0;
	for (size_t i = 0; i < count; i++) {
		uint32_t is = t->idle, before = NOWHERE;

		for (size_t k = 0; k + 1 < strlen(words[i]); k++) {
			const uint32_t at = is + 4 * TEG_STEP_APART * p->payload.automata[0].class_of[(uint8_t)words[i][k]];

			is = laid->steps[at / 4];
			if (k < 2)
				continue;
			lines += at / LINE != before;
			before = at / LINE;
			++*cells;
		}
	}
	return lines;
}

static void leads_on_in_few_lines(void)
{
	own(arena) struct arena *a = arena_new();
	const char *const *words = drawn_words(a, 300);
	struct plan plan;
	unsigned cells, lines;

	plan_of(&plan, a, words, 300, 300);
	const struct steps_laid laid = steps_lay(a, &plan);
	lines = lines_of(&plan, &laid, words, 300, &cells);
	tap_ok(plan.config.payload.automata == 1 && cells > 3000 && lines < 300 + 300 / 2, "300 words of %u cells are read in %u lines", cells, lines);
	tap_ok(laid.count < plan.config.payload.steps + plan.config.payload.steps / 8, "what is left unused is less than an eighth: %u of %u cells",
	       laid.count - plan.config.payload.steps, laid.count);
}

int main(void)
{
	static const char *const one[] = { "x" };
	static const char *const long_one[] = { "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz" };
	static const char *const tangled[] = { "abca", "^ab", "cab$", "a+b{2}c", "bccb", "ab", "cc.*aab", "b*$", "x", "^GET /", "sel[^ ]ect" };
	static const char *const apart[] = { "a.{4}b", "b.{4}c", "c.{4}a", "^a.*c$" };
	own(arena) struct arena *a = arena_new();

	lays_the_same("one byte", one, ARRAY_LEN(one), 1);
	lays_the_same("one chain of more states than a line has", long_one, ARRAY_LEN(long_one), 1);
	lays_the_same("what is tangled", tangled, ARRAY_LEN(tangled), 1);
	lays_the_same("several automata", apart, ARRAY_LEN(apart), 2);
	lays_the_same("words drawn", drawn_words(a, 300), 300, 1);
	leads_on_in_few_lines();
	return tap_done();
}
