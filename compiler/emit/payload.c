#include "compiler/emit/payload.h"

#include <assert.h>
#include <string.h>

#include "compiler/emit/refuse.h"
#include "compiler/pattern/many.h"
#include "lang/base/own.h"
#include "lang/base/strmap.h"

/* An automaton of many may have so many times the states of each alone, all together. */
#define GROWS_MOST 4u

/* --- what is asked ------------------------------------------------------------------------ */

int payload_ask_box(struct payload_asked *p, struct arena *a, const struct teg_box *box, const struct ir_rule *rule,
		    uint32_t *number, struct err *why)
{
	struct teg_box alone = *box;

	alone.rule = 0;
	alone.mark = 0;
	for (size_t i = 0; i < p->boxes.len; i++)
		if (!memcmp(&p->boxes.at[i], &alone, sizeof alone)) {
			*number = (uint32_t)i;
			return 0;
		}
	if (p->boxes.len == TEG_PAYLOAD_BOXES_MAX)
		return refuse_rule(why, rule, "reflexes that look into payloads may together have at most %u different boxes "
				   "in the first hook; every range of ports is one", TEG_PAYLOAD_BOXES_MAX);
	*number = (uint32_t)p->boxes.len;
	vec_push(a, &p->boxes, alone);
	return 0;
}

int payload_mark(struct payload_asked *p, const struct ir_rule *rule, bool decides_at_once, uint8_t *mark,
		 struct err *why)
{
	*mark = 0;
	if (decides_at_once)
		return 0;
	if (p->marks == TEG_MARKS_MAX)
		return refuse_rule(why, rule, "at most %u reflexes that look into payloads may have a rate or only tell "
				   "in the first hook", TEG_MARKS_MAX);
	*mark = (uint8_t)++p->marks;
	return 0;
}

int payload_ask(struct payload_asked *p, struct arena *a, const struct teg_row *row, const struct ir_rule *rule,
		struct err *why)
{
	if (p->rows.len == TEG_ROWS_MAX)
		return refuse_rule(why, rule, "at most %u reflexes may look into payloads in the first hook", TEG_ROWS_MAX);
	vec_push(a, &p->rows, *row);
	vec_push(a, &p->rules, rule);
	return 0;
}

/* --- automata ------------------------------------------------------------------------------- */

/* A pattern that some rows ask for. */
struct wanted {
	struct many_wish wish;
	uint32_t states, most; /* of it alone; the longest `within` of its rows */
	uint32_t *rows, count;
	size_t room;
	const struct ir_rule *rule; /* that asks for it */
};

/* An automaton's windows, two and four bytes apart. */
struct windows {
	struct many_windows *two, *four;
};

struct making {
	struct arena *arena;
	struct plan *plan;
	struct wanted *wanted;
	size_t count;
	VEC(struct teg_automaton) automata;
	VEC(struct windows) windows; /* of each automaton */
	VEC(uint32_t) steps;
	VEC(uint32_t) lists;
	uint32_t longest;
};

static void want(struct making *m, struct strmap *known, const struct payload_asked *p, uint32_t row)
{
	const struct pol_payload *said = p->rules.at[row]->payload;
	const char *key = arena_printf(m->arena, "%u %s", said->flags, said->expression);
	struct wanted *w = strmap_find(known, key);

	if (!w) {
		w = &m->wanted[m->count++];
		*w = (struct wanted){ { said->expression, said->flags }, said->pattern.states, .rule = p->rules.at[row] };
		strmap_put(known, key, w);
	}
	if (w->count == w->room)
		w->rows = vec_grow_(m->arena, w->rows, &w->room, sizeof *w->rows);
	w->rows[w->count++] = row;
	if (p->rows.at[row].within > w->most)
		w->most = p->rows.at[row].within;
}

/* The rows of a list of patterns, ascending: each pattern's are. */
static int put_list(struct making *m, const struct many_list *l, size_t from, uint32_t *place, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	uint32_t *next = arena_zero(a, (l->len + 1) * sizeof *next), count = 0;
	const uint32_t head = (uint32_t)m->lists.len;

	*place = 0;
	if (!l->len)
		return 0;
	vec_push(m->arena, &m->lists, 0);
	for (;;) {
		uint32_t least = UINT32_MAX;

		for (uint32_t i = 0; i < l->len; i++) {
			const struct wanted *w = &m->wanted[from + l->at[i]];
			if (next[i] < w->count && w->rows[next[i]] < least)
				least = w->rows[next[i]];
		}
		if (least == UINT32_MAX)
			break;
		for (uint32_t i = 0; i < l->len; i++) {
			const struct wanted *w = &m->wanted[from + l->at[i]];
			next[i] += next[i] < w->count && w->rows[next[i]] == least;
		}
		vec_push(m->arena, &m->lists, least);
		count++;
	}
	m->lists.at[head] = count;
	m->longest = count > m->longest ? count : m->longest;
	*place = head;
	if (count > TEG_LIST_MAX || m->lists.len > TEG_LISTS_MAX)
		return refuse_rule(why, m->wanted[from + l->at[0]].rule,
				   "more than %u reflexes may find something at the same byte of a payload", TEG_LIST_MAX);
	return 0;
}

/* Each state behind the one that leads to it first, by the fewest bytes from the idle one or from where reading begins. */
struct tree {
	uint32_t roots[2], root_count;
	uint32_t *child, *sibling; /* of each state; 0, the idle state, is nobody's child */
};

static struct tree tree_of(struct arena *a, const struct many *t)
{
	struct tree w = { .roots = { 0, t->start }, .root_count = t->start ? 2 : 1, .child = arena_zero(a, t->states * sizeof *w.child),
			  .sibling = arena_zero(a, t->states * sizeof *w.sibling) };
	uint32_t *met = arena_zero(a, t->states * sizeof *met), len = w.root_count;
	bool *seen = arena_zero(a, t->states);

	memcpy(met, w.roots, len * sizeof *met);
	seen[0] = seen[t->start] = true;
	for (uint32_t i = 0; i < len; i++)
		for (unsigned c = t->classes; c-- > 0;) {
			const uint32_t to = t->next[(size_t)met[i] * t->classes + c];

			if (seen[to])
				continue;
			seen[to] = true;
			met[len++] = to;
			w.sibling[to] = w.child[met[i]];
			w.child[met[i]] = to;
		}
	assert(len == t->states);
	return w;
}

/*
 * The states in the order in which they are walked into: behind each the first that it leads to and nobody before it did. So
 * the rows of one signature stand behind each other, by which the first hook lays them (enforcer/hook/tables/steps.h).
 */
static uint32_t *in_depth(struct arena *a, const struct many *t)
{
	const struct tree w = tree_of(a, t);
	uint32_t *order = arena_zero(a, t->states * sizeof *order), *waiting = arena_zero(a, t->states * sizeof *waiting);
	uint32_t depth = 0;

	for (uint32_t i = w.root_count; i-- > 0;)
		waiting[depth++] = w.roots[i];
	for (uint32_t ordered = 0; depth;) {
		const uint32_t s = waiting[--depth];

		order[ordered++] = s;
		if (w.sibling[s])
			waiting[depth++] = w.sibling[s];
		if (w.child[s])
			waiting[depth++] = w.child[s];
	}
	return order;
}

/* Where each state's row stands: those that end something last. */
static uint32_t *place_rows(struct making *m, const struct many *automaton, uint32_t *first_hit)
{
	const uint32_t width = automaton->classes + TEG_STEP_MORE;
	const uint32_t *order = in_depth(m->arena, automaton);
	uint32_t *row = arena_zero(m->arena, automaton->states * sizeof *row), at = (uint32_t)m->steps.len;

	for (int hits = 0; hits < 2; hits++) {
		*first_hit = at;
		for (uint32_t i = 0; i < automaton->states; i++)
			if (!automaton->hits[order[i]] == !hits) {
				row[order[i]] = at;
				at += width;
			}
	}
	return row;
}

static void put_rows(struct making *m, const struct many *t, const uint32_t *row, const uint32_t *place)
{
	const uint32_t width = t->classes + TEG_STEP_MORE;
	uint8_t *ages = arena_zero(m->arena, t->states);

	many_ages(ages, t);
	for (size_t i = 0; i < (size_t)t->states * width; i++)
		vec_push(m->arena, &m->steps, 0);
	for (uint32_t s = 0; s < t->states; s++) {
		uint32_t *to = m->steps.at + row[s];

		for (unsigned c = 0; c < t->classes; c++)
			to[c] = row[t->next[(size_t)s * t->classes + c]];
		to[t->classes] = place[t->hits[s]];
		to[t->classes + 1] = place[t->ends[s]];
		to[t->classes + TEG_STEP_AGE] = ages[s];
	}
}

static int put_automaton(struct making *m, const struct many *t, size_t from, size_t count, struct err *why)
{
	struct teg_automaton out = { .idle = (uint32_t)m->steps.len, .classes = t->classes };
	uint32_t *place = arena_zero(m->arena, t->list_count * sizeof *place);
	uint32_t *row = place_rows(m, t, &out.first_hit);
	struct windows windows = { arena_zero(m->arena, sizeof *windows.two), arena_zero(m->arena, sizeof *windows.four) };

	for (uint32_t i = 0; i < t->list_count; i++) {
		int rc = put_list(m, &t->lists[i], from, &place[i], why);
		if (rc)
			return rc;
	}
	for (size_t i = 0; i < count; i++)
		if (m->wanted[from + i].most > out.most)
			out.most = m->wanted[from + i].most;
	put_rows(m, t, row, place);
	out.start = row[t->start];
	memcpy(out.class_of, t->class_of, sizeof out.class_of);
	many_windows(windows.two, t, 2);
	many_windows(windows.four, t, 4);
	vec_push(m->arena, &m->automata, out);
	vec_push(m->arena, &m->windows, windows);
	return 0;
}

static int too_many(const struct making *m, size_t from, struct err *why)
{
	return refuse_rule(why, m->wanted[from].rule, "its pattern, beside those of other reflexes, needs more than %u automata with "
			   "together %u steps in the first hook; `.*` and the like, between other signs, are what multiplies them",
			   TEG_AUTOMATA_MAX, TEG_STEPS_MAX);
}

/* One automaton for all of them, or two halves. */
static int put_patterns(struct making *m, size_t from, size_t count, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct many_wish *wishes = arena_zero(a, count * sizeof *wishes);
	uint32_t alone = 0;
	struct many t;

	for (size_t i = 0; i < count; i++) {
		wishes[i] = m->wanted[from + i].wish;
		alone += m->wanted[from + i].states;
	}
	const uint32_t most = GROWS_MOST * alone + 1024;

	if (m->automata.len < TEG_AUTOMATA_MAX &&
	    many_compile(&t, a, wishes, count, most < TEG_STATES_MAX ? most : TEG_STATES_MAX) &&
	    m->steps.len + (size_t)t.states * (t.classes + TEG_STEP_MORE) <= TEG_STEPS_MAX)
		return put_automaton(m, &t, from, count, why);
	if (count == 1 || m->automata.len == TEG_AUTOMATA_MAX)
		return too_many(m, from, why);
	int rc = put_patterns(m, from, count / 2, why);
	return rc ? rc : put_patterns(m, from + count / 2, count - count / 2, why);
}

/* One stride for all automata: the program has it as a constant. */
static uint32_t put_windows(struct making *m)
{
	double two = 0, four = 0;

	for (size_t i = 0; i < m->windows.len; i++) {
		two += m->windows.at[i].two->price;
		four += m->windows.at[i].four->price;
	}
	for (size_t i = 0; i < m->windows.len; i++) {
		const struct many_windows *w = four < two ? m->windows.at[i].four : m->windows.at[i].two;
		struct teg_automaton *t = &m->automata.at[i];

		memcpy(t->windows, w->windows, sizeof t->windows);
		memcpy(t->shifts, w->shifts, sizeof t->shifts);
	}
	return four < two ? 4 : 2;
}

int payload_lower(struct plan *plan, const struct payload_asked *p, struct arena *a, struct err *why)
{
	struct making m = { .arena = a, .plan = plan };
	struct strmap known;
	int rc;

	if (!p->rows.len)
		return 0;
	strmap_init(&known, a);
	m.wanted = arena_zero(a, p->rows.len * sizeof *m.wanted);
	for (uint32_t i = 0; i < p->rows.len; i++)
		want(&m, &known, p, i);
	vec_push(a, &m.lists, 0);
	rc = put_patterns(&m, 0, m.count, why);
	if (rc)
		return rc;
	plan->payload = (struct plan_payload){ p->boxes.at, p->rows.at, m.automata.at, m.steps.at, m.lists.at };
	plan->config.payload = (struct teg_payload){
		.boxes = (uint32_t)p->boxes.len, .rows = (uint32_t)p->rows.len, .automata = (uint32_t)m.automata.len,
		.steps = (uint32_t)m.steps.len, .lists = (uint32_t)m.lists.len, .longest = m.longest,
		.first_rule = p->rows.at[0].rule, .stride = put_windows(&m),
	};
	plan->config.asks |= TEG_ASKS_PAYLOAD;
	return 0;
}
