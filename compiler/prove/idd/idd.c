#include "compiler/prove/idd/parts.h"

#define FREE	    UINT32_MAX
#define TABLE_FIRST (1u << 10)
#define MEMO_FIRST  (1u << 11)
#define MEMO_MOST   (1u << 21)
#define ROOM_FIRST  (1u << 13)
#define OP_FIRST    16u /* beyond enum idd_op */

struct idd *idd_new(const struct idd_budget *budget)
{
	struct idd *m = memory_must(calloc(1, sizeof *m));

	_Static_assert(sizeof(struct head) == HEAD_SLOTS * sizeof(struct idd_edge), "whole slots");
	assert(budget->slots < 0x80000000u);
	m->budget = *budget;
	m->table_mask = TABLE_FIRST - 1;
	m->table = memory_must(malloc(TABLE_FIRST * sizeof *m->table));
	memset(m->table, 0xff, TABLE_FIRST * sizeof *m->table);
	m->memo_mask = MEMO_FIRST - 1;
	m->memo = memory_must(calloc(MEMO_FIRST, sizeof *m->memo));
	m->age = 1;
	m->next_op = OP_FIRST;
	return m;
}

void idd_free(struct idd *m)
{
	if (!m)
		return;
	free(m->slots);
	free(m->table);
	free(m->memo);
	free(m->stack);
	free(m->mark);
	free(m->place);
	free(m);
}

uint64_t idd_steps(const struct idd *m)
{
	return m->steps;
}

uint32_t idd_slots(const struct idd *m)
{
	return m->used;
}

bool idd_try(struct idd *m, void (*work)(struct idd *m, void *arg), void *arg)
{
	assert(!m->guarded);
	if (setjmp(m->escape)) {
		m->guarded = false;
		m->depth = 0;
		return false;
	}
	m->guarded = true;
	work(m, arg);
	m->guarded = false;
	return true;
}

static _Noreturn void give_up(struct idd *m)
{
	assert(m->guarded);
	longjmp(m->escape, 1);
}

static void count_steps(struct idd *m, uint64_t n)
{
	m->steps += n;
	if (m->steps > m->budget.steps)
		give_up(m);
}

/* Takes the nodes out of the table one by one when they are few beside its size. */
static void table_clear(struct idd *m)
{
	if (m->nodes > m->table_mask / 16) {
		memset(m->table, 0xff, ((size_t)m->table_mask + 1) * sizeof *m->table);
		return;
	}
	for (uint32_t a = 0; a < m->used; a += head_at(m, a)->len + HEAD_SLOTS) {
		uint32_t i = head_at(m, a)->hash & m->table_mask;

		while (m->table[i] != a)
			i = (i + 1) & m->table_mask;
		m->table[i] = FREE;
	}
}

void idd_reset(struct idd *m)
{
	table_clear(m);
	m->used = m->nodes = m->depth = 0;
	m->next_op = OP_FIRST;
	if (++m->age == 0) {
		memset(m->memo, 0, ((size_t)m->memo_mask + 1) * sizeof *m->memo);
		m->age = 1;
	}
}

/* --- nodes -------------------------------------------------------------------------- */

static uint32_t hash_node(unsigned level, const struct idd_edge *e, uint32_t len)
{
	uint64_t h = MUTANT(1, level, 0) * 0x9e3779b97f4a7c15ull + len;

	for (uint32_t i = 0; i < len; i++) {
		h ^= (uint64_t)e[i].hi << 32 | e[i].to;
		h *= 0xbf58476d1ce4e5b9ull;
		h ^= h >> 29;
	}
	return (uint32_t)(h >> 16);
}

static void slots_grow(struct idd *m, uint32_t need)
{
	uint64_t room = m->room ? m->room : ROOM_FIRST;

	if (need > m->budget.slots)
		give_up(m);
	while (room < need)
		room *= 2;
	if (room > m->budget.slots)
		room = m->budget.slots;

	struct idd_edge *slots = realloc(m->slots, room * sizeof *slots);

	if (!slots)
		give_up(m);
	m->slots = slots;
	m->room = (uint32_t)room;
}

static void memo_grow(struct idd *m)
{
	size_t len = ((size_t)m->memo_mask + 1) * 2;

	if (len > MEMO_MOST)
		return;
	free(m->memo);
	m->memo = memory_must(calloc(len, sizeof *m->memo));
	m->memo_mask = (uint32_t)len - 1;
}

static void table_grow(struct idd *m)
{
	size_t len = ((size_t)m->table_mask + 1) * 2;

	free(m->table);
	m->table = memory_must(malloc(len * sizeof *m->table));
	memset(m->table, 0xff, len * sizeof *m->table);
	m->table_mask = (uint32_t)len - 1;
	for (uint32_t a = 0; a < m->used; a += head_at(m, a)->len + HEAD_SLOTS) {
		uint32_t i = head_at(m, a)->hash & m->table_mask;

		while (m->table[i] != FREE)
			i = (i + 1) & m->table_mask;
		m->table[i] = a;
	}
	memo_grow(m);
}

/* The edges are on the stack and neighbours differ; a node that exists is found. */
static idd_ref node_of(struct idd *m, unsigned level, uint32_t from)
{
	const struct idd_edge *e = m->stack + from;
	uint32_t len = m->depth - from;

	if (len == 1)
		return e[0].to;

	uint32_t hash = hash_node(level, e, len);
	uint32_t i = hash & m->table_mask;

	for (; m->table[i] != FREE; i = (i + 1) & m->table_mask) {
		uint32_t a = m->table[i];
		const struct head *h = head_at(m, a);

		if (h->hash == hash && h->len == len && MUTANT(1, h->level == level, true) &&
		    !memcmp(edges_at(m, a), e, len * sizeof *e))
			return a;
	}
	if (m->used + HEAD_SLOTS + len > m->room)
		slots_grow(m, m->used + HEAD_SLOTS + len);

	uint32_t a = m->used;

	*head_at(m, a) = (struct head){ .len = len, .hash = hash, .level = level };
	memcpy(edges_at(m, a), e, len * sizeof *e);
	m->used += HEAD_SLOTS + len;
	m->table[i] = a;
	if (++m->nodes > m->table_mask / 2)
		table_grow(m);
	return a;
}

static void push(struct idd *m, uint32_t from, uint32_t hi, idd_ref to)
{
	if (m->depth > from && m->stack[m->depth - 1].to == to && MUTANT(2, true, hi & 1)) {
		m->stack[m->depth - 1].hi = hi;
		return;
	}
	if (m->depth == m->stack_room) {
		m->stack_room = m->stack_room ? 2 * m->stack_room : 1024;
		m->stack = memory_must(realloc(m->stack, m->stack_room * sizeof *m->stack));
	}
	m->stack[m->depth++] = (struct idd_edge){ hi, to };
}

static idd_ref pop_node(struct idd *m, unsigned level, uint32_t from)
{
	idd_ref a = node_of(m, level, from);

	m->depth = from;
	return a;
}

idd_ref idd_node(struct idd *m, unsigned level, const struct idd_edge *edges, size_t len)
{
	uint32_t from = m->depth;

	assert(len && edges[len - 1].hi == IDD_TOP);
	count_steps(m, len);
	for (size_t i = 0; i < len; i++)
		push(m, from, edges[i].hi, edges[i].to);
	return pop_node(m, level, from);
}

idd_ref idd_interval(struct idd *m, unsigned level, uint32_t lo, uint32_t hi, idd_ref inside,
		     idd_ref outside)
{
	struct idd_edge e[3];
	size_t len = 0;

	if (lo)
		e[len++] = (struct idd_edge){ lo - 1, outside };
	e[len++] = (struct idd_edge){ hi, inside };
	if (hi != IDD_TOP)
		e[len++] = (struct idd_edge){ IDD_TOP, outside };
	return idd_node(m, level, e, len);
}

/* --- operations --------------------------------------------------------------------- */

static struct memo *memo_at(struct idd *m, uint32_t op, idd_ref a, idd_ref b)
{
	uint64_t h = ((uint64_t)a << 32 | b) * 0x9e3779b97f4a7c15ull;

	h ^= h >> 29;
	h = (h + MUTANT(3, op, 0)) * 0xbf58476d1ce4e5b9ull;
	return &m->memo[(uint32_t)(h >> 32) & m->memo_mask];
}

static bool memo_holds(const struct idd *m, const struct memo *at, uint32_t op, idd_ref a, idd_ref b)
{
	return at->a == a && at->b == b && MUTANT(3, at->op == op, true) && at->age == m->age;
}

/* The memo may have moved since it was asked. */
static idd_ref remember(struct idd *m, uint32_t op, idd_ref a, idd_ref b, idd_ref result)
{
	*memo_at(m, op, a, b) = (struct memo){ a, b, op, m->age, result };
	return result;
}

/* What needs no descent. True when *out is the answer. */
static bool at_once(enum idd_op op, idd_ref a, idd_ref b, idd_ref *out)
{
	bool known = true;

	switch (op) {
	case IDD_AND:
		if (a == IDD_FALSE || b == IDD_FALSE)
			*out = IDD_FALSE;
		else if (a == IDD_TRUE || a == b)
			*out = MUTANT(4, b, IDD_TRUE);
		else if (b == IDD_TRUE)
			*out = a;
		else
			known = false;
		break;
	case IDD_OR:
		if (a == IDD_TRUE || b == IDD_TRUE)
			*out = IDD_TRUE;
		else if (a == IDD_FALSE || a == b)
			*out = b;
		else if (b == IDD_FALSE)
			*out = a;
		else
			known = false;
		break;
	case IDD_DIFF:
		if (a == IDD_FALSE || b == IDD_TRUE || a == b)
			*out = MUTANT(5, IDD_FALSE, a);
		else if (b == IDD_FALSE)
			*out = a;
		else
			known = false;
		break;
	case IDD_XOR:
		if (a == b)
			*out = IDD_FALSE;
		else if (IDD_IS_NUMBER(a) && IDD_IS_NUMBER(b))
			*out = IDD_TRUE;
		else
			known = false;
		break;
	case IDD_OVER:
		if (a == IDD_NONE || a == b)
			*out = b;
		else if (b == IDD_NONE)
			*out = a;
		else if (IDD_IS_NUMBER(a))
			*out = MUTANT(6, a, b);
		else
			known = false;
		break;
	case IDD_MASK:
		if (a == IDD_FALSE || b == IDD_NONE)
			*out = IDD_NONE;
		else if (a == IDD_TRUE)
			*out = b;
		else
			known = false;
		break;
	}
	return known;
}

static unsigned level_of(const struct idd *m, idd_ref a)
{
	return IDD_IS_NUMBER(a) ? UINT32_MAX : head_at(m, a)->level;
}

/* One of two edge lists being swept; a node of a deeper level counts as one wide edge. */
struct hand {
	idd_ref node;
	bool here;
	uint32_t at;
};

static struct idd_edge hand_edge(const struct idd *m, const struct hand *h)
{
	if (!h->here)
		return (struct idd_edge){ IDD_TOP, h->node };
	return edges_at(m, h->node)[h->at];
}

idd_ref idd_apply(struct idd *m, enum idd_op op, idd_ref a, idd_ref b)
{
	idd_ref known;

	if (at_once(op, a, b, &known))
		return known;

	struct memo *seen = memo_at(m, op, a, b);

	if (memo_holds(m, seen, op, a, b))
		return seen->result;

	unsigned la = level_of(m, a), lb = level_of(m, b), level = la < lb ? la : lb;
	struct hand x = { a, la == level, 0 }, y = { b, lb == level, 0 };
	uint32_t from = m->depth;

	for (;;) {
		struct idd_edge ex = hand_edge(m, &x), ey = hand_edge(m, &y);
		uint32_t hi = ex.hi < ey.hi ? ex.hi : ey.hi;
		idd_ref to = idd_apply(m, op, ex.to, ey.to);

		push(m, from, hi, to);
		if (hi == IDD_TOP)
			break;
		x.at += ex.hi == hi;
		y.at += MUTANT(7, ey.hi == hi, ey.hi == hi && ex.hi != hi);
	}
	count_steps(m, x.at + y.at + 2);
	return remember(m, op, a, b, pop_node(m, level, from));
}

/* A function of one diagram: what becomes of its numbers, or of its levels. */
struct change {
	idd_mapping *to; /* of numbers */
	const void *arg;
	const bool *chosen;	/* levels that go */
	const uint32_t *value;	/* ... by taking this value, or, when NULL, */
	enum idd_op join;	/* by joining all of them */
	uint32_t op;
};

static idd_ref change_below(struct idd *m, idd_ref a, const struct change *c);

/* The node's level goes. */
static idd_ref change_away(struct idd *m, idd_ref a, const struct change *c)
{
	if (c->value)
		return change_below(m, idd_child(m, a, c->value[head_at(m, a)->level]), c);

	idd_ref all = change_below(m, edges_at(m, a)[0].to, c);

	for (uint32_t i = 1; i < head_at(m, a)->len; i++)
		all = idd_apply(m, c->join, all, change_below(m, edges_at(m, a)[i].to, c));
	return all;
}

static idd_ref change_through(struct idd *m, idd_ref a, const struct change *c)
{
	uint32_t from = m->depth;

	for (uint32_t i = 0; i < head_at(m, a)->len; i++) {
		struct idd_edge e = edges_at(m, a)[i];
		idd_ref to = change_below(m, e.to, c);

		push(m, from, e.hi, to);
	}
	return pop_node(m, head_at(m, a)->level, from);
}

static idd_ref change_below(struct idd *m, idd_ref a, const struct change *c)
{
	if (IDD_IS_NUMBER(a))
		return a == IDD_NONE || !c->to ? a : c->to(c->arg, IDD_VALUE(a));

	struct memo *seen = memo_at(m, c->op, a, 0);

	if (memo_holds(m, seen, c->op, a, 0))
		return seen->result;

	bool away = c->chosen && c->chosen[head_at(m, a)->level];

	count_steps(m, head_at(m, a)->len);
	return remember(m, c->op, a, 0, away ? change_away(m, a, c) : change_through(m, a, c));
}

idd_ref idd_map(struct idd *m, idd_ref a, idd_mapping *to, const void *arg)
{
	struct change c = { .to = to, .arg = arg, .op = MUTANT(8, m->next_op++, OP_FIRST) };

	return change_below(m, a, &c);
}

idd_ref idd_for_all(struct idd *m, idd_ref a, const bool *chosen)
{
	struct change c = { .chosen = chosen, .join = MUTANT(9, IDD_AND, IDD_OR), .op = m->next_op++ };

	return change_below(m, a, &c);
}

idd_ref idd_for_some(struct idd *m, idd_ref a, const bool *chosen)
{
	struct change c = { .chosen = chosen, .join = IDD_OR, .op = m->next_op++ };

	return change_below(m, a, &c);
}

idd_ref idd_fix(struct idd *m, idd_ref a, const bool *chosen, const uint32_t *value)
{
	struct change c = { .chosen = chosen, .value = value, .op = m->next_op++ };

	return change_below(m, a, &c);
}
