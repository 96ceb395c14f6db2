#include "lang/bundle/plan_payload.h"

#include <errno.h>
#include <string.h>

#include "lang/bundle/plan.h"

#define ROW_BYTES	20
#define AUTOMATON_BYTES (20 + 256 + TEG_WINDOW_BYTES + TEG_PAIRS / 4)
#define FOLDED		((uint32_t)(TEG_WINDOW_FOLD & 0xffff))

/* --- encode --------------------------------------------------------------------- */

static void put_automaton(struct buf *out, const struct teg_automaton *t)
{
	wire_put_u32(out, t->idle);
	wire_put_u32(out, t->start);
	wire_put_u32(out, t->first_hit);
	wire_put_u32(out, t->classes);
	wire_put_u32(out, t->most);
	for (size_t i = 0; i < sizeof t->class_of; i++)
		wire_put_u8(out, t->class_of[i]);
	for (size_t i = 0; i < sizeof t->windows; i++)
		wire_put_u8(out, t->windows[i]);
	for (uint32_t pair = 0; pair < TEG_PAIRS; pair++)
		if ((pair | FOLDED) == pair) /* others are as this is */
			wire_put_u8(out, t->shifts[pair]);
}

static void put_words(struct buf *out, const uint32_t *at, uint32_t count)
{
	wire_put_u32(out, count);
	for (uint32_t i = 0; i < count; i++)
		wire_put_u32(out, at[i]);
}

void plan_payload_put(struct buf *out, const struct plan *p)
{
	const struct teg_payload *t = &p->config.payload;

	wire_put_u32(out, t->boxes);
	for (uint32_t i = 0; i < t->boxes; i++)
		plan_box_put(out, &p->payload.boxes[i]);
	wire_put_u32(out, t->rows);
	for (uint32_t i = 0; i < t->rows; i++) {
		const struct teg_row *r = &p->payload.rows[i];

		wire_put_u64(out, r->boxes);
		wire_put_u32(out, r->rule);
		wire_put_u32(out, r->within);
		wire_put_u32(out, r->mark);
	}
	wire_put_u32(out, t->automata);
	for (uint32_t i = 0; i < t->automata; i++)
		put_automaton(out, &p->payload.automata[i]);
	put_words(out, p->payload.steps, t->steps);
	put_words(out, p->payload.lists, t->lists);
	wire_put_u32(out, t->longest);
	wire_put_u32(out, t->first_rule);
	wire_put_u32(out, t->stride);
}

/* --- decode --------------------------------------------------------------------- */

static void get_automaton(struct wire_in *in, struct teg_automaton *t)
{
	t->idle = wire_get_u32(in);
	t->start = wire_get_u32(in);
	t->first_hit = wire_get_u32(in);
	t->classes = wire_get_u32(in);
	t->most = wire_get_u32(in);
	for (size_t i = 0; i < sizeof t->class_of; i++)
		t->class_of[i] = wire_get_u8(in);
	for (size_t i = 0; i < sizeof t->windows; i++)
		t->windows[i] = wire_get_u8(in);
	for (uint32_t pair = 0; pair < TEG_PAIRS; pair++)
		if ((pair | FOLDED) == pair)
			t->shifts[pair] = wire_get_u8(in);
	for (uint32_t pair = 0; pair < TEG_PAIRS; pair++)
		t->shifts[pair] = t->shifts[pair | FOLDED];
}

static uint32_t *get_words(struct wire_in *in, uint32_t *count, struct arena *a)
{
	*count = wire_get_count(in, 4);
	uint32_t *at = arena_zero(a, *count * sizeof *at);

	for (uint32_t i = 0; i < *count; i++)
		at[i] = wire_get_u32(in);
	return at;
}

void plan_payload_get(struct wire_in *in, struct plan *p, struct arena *a)
{
	struct teg_payload *t = &p->config.payload;
	struct plan_payload *to = &p->payload;

	t->boxes = wire_get_count(in, PLAN_BOX_BYTES);
	to->boxes = arena_zero(a, t->boxes * sizeof *to->boxes);
	for (uint32_t i = 0; i < t->boxes; i++)
		plan_box_get(in, &to->boxes[i]);
	t->rows = wire_get_count(in, ROW_BYTES);
	to->rows = arena_zero(a, t->rows * sizeof *to->rows);
	for (uint32_t i = 0; i < t->rows; i++) {
		to->rows[i].boxes = wire_get_u64(in);
		to->rows[i].rule = wire_get_u32(in);
		to->rows[i].within = wire_get_u32(in);
		to->rows[i].mark = wire_get_u32(in);
	}
	t->automata = wire_get_count(in, AUTOMATON_BYTES);
	to->automata = arena_zero(a, t->automata * sizeof *to->automata);
	for (uint32_t i = 0; i < t->automata; i++)
		get_automaton(in, &to->automata[i]);
	to->steps = get_words(in, &t->steps, a);
	to->lists = get_words(in, &t->lists, a);
	t->longest = wire_get_u32(in);
	t->first_rule = wire_get_u32(in);
	t->stride = wire_get_u32(in);
}

/* --- what must hold ---------------------------------------------------------------- */

static int counts_hold(const struct plan *p, struct err *why)
{
	const struct teg_payload *t = &p->config.payload;

	if (t->boxes > TEG_PAYLOAD_BOXES_MAX || t->rows > TEG_ROWS_MAX || t->automata > TEG_AUTOMATA_MAX ||
	    t->steps > TEG_STEPS_MAX || t->lists > TEG_LISTS_MAX || t->longest > TEG_LIST_MAX)
		return err_set(why, EINVAL, "what is looked for in payloads is more than the program takes");
	if (t->rows ? t->stride != 2 && t->stride != 4 : t->stride)
		return err_set(why, EINVAL, "windows of payloads stand neither two nor four bytes apart");
	if (!t->rows != !t->automata || (p->config.asks & TEG_ASKS_PAYLOAD ? !t->rows : t->rows || t->boxes || t->steps))
		return err_set(why, EINVAL, "the program is told other things of payloads than its tables have");
	return 0;
}

static bool row_holds(const struct plan *p, const struct teg_row *r)
{
	const struct teg_payload *t = &p->config.payload;

	return r->rule < p->rule_count && !plan_rule_is_feed(p, r->rule) && r->rule >= t->first_rule && r->within && r->within <= TEG_PAYLOAD_MOST &&
	       r->mark <= TEG_MARKS_MAX && (t->boxes == 64 || !(r->boxes >> t->boxes)) &&
	       (r->mark || (!p->rules[r->rule].cost_ns && p->rules[r->rule].act == TEG_ACT_DROP));
}

/* A list is as long as it says, and ascends. */
static bool list_holds(const struct plan *p, uint32_t at)
{
	const struct teg_payload *t = &p->config.payload;
	const uint32_t *lists = p->payload.lists;

	if (at >= t->lists || lists[at] > t->longest || lists[at] >= t->lists - at)
		return false;
	for (uint32_t i = at + 1; i <= at + lists[at]; i++)
		if (lists[i] >= t->rows || (i > at + 1 && lists[i] <= lists[i - 1]))
			return false;
	return true;
}

static bool is_state(const struct teg_automaton *t, uint32_t at, uint32_t end)
{
	return at >= t->idle && at < end && !((at - t->idle) % (t->classes + TEG_STEP_MORE));
}

/* Each leaves two bytes to eight, or next to nothing, and the same for letters of either case. */
static bool shifts_hold(const struct teg_automaton *t)
{
	for (uint32_t pair = 0; pair < TEG_PAIRS; pair++) {
		const uint8_t shift = t->shifts[pair];

		if (shift != t->shifts[pair | FOLDED] || (shift != TEG_WINDOW_NONE && (shift % 8 || shift > TEG_WINDOW_SHIFT(TEG_WINDOW_MIN))))
			return false;
	}
	return true;
}

/* The rows of the states stand from `idle` to `end`. */
static bool automaton_holds(const struct plan *p, const struct teg_automaton *t, uint32_t end)
{
	const uint32_t width = t->classes + TEG_STEP_MORE;

	if (!t->classes || t->classes > 256 || t->idle >= end || (end - t->idle) % width ||
	    (end - t->idle) / width > TEG_STATES_MAX || !is_state(t, t->start, end) ||
	    (t->first_hit != end && !is_state(t, t->first_hit, end)) || !t->most || t->most > TEG_PAYLOAD_MOST)
		return false;
	if (!shifts_hold(t))
		return false;
	for (size_t i = 0; i < sizeof t->class_of; i++)
		if (t->class_of[i] >= t->classes)
			return false;
	for (uint32_t row = t->idle; row < end; row += width) {
		const uint32_t *steps = p->payload.steps + row;

		for (uint32_t c = 0; c < t->classes; c++)
			if (!is_state(t, steps[c], end))
				return false;
		if (!list_holds(p, steps[t->classes]) || !list_holds(p, steps[t->classes + 1]))
			return false;
		if (steps[t->classes + TEG_STEP_AGE] > TEG_AGE_OLD || (row < t->first_hit && p->payload.lists[steps[t->classes]]))
			return false;
	}
	return true;
}

int plan_payload_holds(const struct plan *p, struct err *why)
{
	const struct teg_payload *t = &p->config.payload;
	int rc = counts_hold(p, why);

	for (uint32_t i = 0; i < t->boxes && !rc; i++)
		if (!plan_box_holds(p, &p->payload.boxes[i]))
			return err_set(why, EINVAL, "payload box %u is out of range", i);
	for (uint32_t i = 0; i < t->rows && !rc; i++)
		if (!row_holds(p, &p->payload.rows[i]) || (i && p->payload.rows[i].rule < p->payload.rows[i - 1].rule))
			return err_set(why, EINVAL, "payload row %u is out of range or order", i);
	for (uint32_t i = 0; i < t->automata && !rc; i++) {
		const uint32_t end = i + 1 < t->automata ? p->payload.automata[i + 1].idle : t->steps;

		if (end > t->steps || (i == 0 && p->payload.automata[i].idle) ||
		    !automaton_holds(p, &p->payload.automata[i], end))
			return err_set(why, EINVAL, "payload automaton %u is out of range", i);
	}
	return rc;
}
