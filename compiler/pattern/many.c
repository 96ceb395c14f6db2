#include "compiler/pattern/many.h"

#include <stdlib.h>
#include <string.h>

#include "compiler/pattern/positions.h"
#include "lang/base/own.h"

/*
 * The patterns' machines stand side by side, their positions numbered through. A
 * state is a set of positions: all at which a match may begin, which are in every
 * state and therefore not written down, and the others, ascending. Once a pattern
 * is found, its other positions are left out: when it is found again is not asked.
 */
struct numbers {
	uint32_t *at;
	uint32_t len;
};

struct side {
	struct position p;
	uint32_t wish;
	struct numbers reach; /* where it leads: positions that ask for a byte or say something, none of them fresh */
};

struct joining {
	struct arena *arena;
	struct many *out;
	VEC(struct side) sides;
	VEC(uint32_t) firsts;	  /* a pattern's first position */
	VEC(uint32_t) starters;	  /* the fresh positions */
	bool *fresh;
	uint32_t *stamp, now;	  /* positions seen in this turn */
	uint32_t *found;	  /* by wish: it was found in this turn */
	uint32_t *stack;
	VEC(uint32_t) gathered;
	struct numbers *begins;	  /* class: where the fresh positions lead */
	unsigned char *first_of;  /* class: one of its bytes */
	VEC(struct numbers) states;
	uint32_t *slots;	  /* 1 + state */
	size_t slot_count;
};

static bool says(const struct position *p)
{
	return p->kind == POSITION_BYTES || p->kind == POSITION_FOUND || p->kind == POSITION_END;
}

/* Gathers what can be reached from a position without a byte. */
static void gather(struct joining *j, uint32_t from, bool begin, bool end)
{
	size_t n = 0;

	j->stack[n++] = from;
	while (n) {
		uint32_t at = j->stack[--n];
		const struct position *p = &j->sides.at[at].p;

		if (j->stamp[at] == j->now)
			continue;
		j->stamp[at] = j->now;
		if (says(p))
			vec_push(j->arena, &j->gathered, at);
		if (p->kind == POSITION_FORK) {
			j->stack[n++] = p->to;
			j->stack[n++] = p->other;
		} else if ((p->kind == POSITION_BEGIN && begin) || (p->kind == POSITION_END && end)) {
			j->stack[n++] = p->to;
		}
	}
}

static void gather_anew(struct joining *j)
{
	j->now++;
	j->gathered.len = 0;
}

static int by_number(const void *x, const void *y)
{
	const uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;

	return a < b ? -1 : a > b;
}

static struct numbers numbers_copy(struct joining *j)
{
	return (struct numbers){ arena_copy(j->arena, j->gathered.at, j->gathered.len * sizeof(uint32_t)),
				 (uint32_t)j->gathered.len };
}

/* What was gathered, without what is in every state. */
static void drop_fresh(struct joining *j)
{
	size_t kept = 0;

	for (size_t i = 0; i < j->gathered.len; i++)
		if (!j->fresh[j->gathered.at[i]])
			j->gathered.at[kept++] = j->gathered.at[i];
	j->gathered.len = kept;
}

/* ... and without what can only find again what has been found. */
static void drop_found(struct joining *j)
{
	size_t kept = 0;
	bool any = false;

	for (size_t i = 0; i < j->gathered.len; i++) {
		const struct side *s = &j->sides.at[j->gathered.at[i]];

		if (s->p.kind == POSITION_FOUND) {
			j->found[s->wish] = j->now;
			any = true;
		}
	}
	for (size_t i = 0; i < j->gathered.len && any; i++) {
		const struct side *s = &j->sides.at[j->gathered.at[i]];

		if (s->p.kind == POSITION_FOUND || j->found[s->wish] != j->now)
			j->gathered.at[kept++] = j->gathered.at[i];
	}
	if (any)
		j->gathered.len = kept;
}

static void read_sides(struct joining *j, const struct many_wish *wishes, size_t count)
{
	for (uint32_t w = 0; w < count; w++) {
		struct positions m;
		struct pattern_fault none;
		const uint32_t base = (uint32_t)j->sides.len;

		positions_read(&m, j->arena, wishes[w].expression, wishes[w].flags, &none);
		vec_push(j->arena, &j->firsts, base + m.first);
		for (size_t i = 0; i < m.at.len; i++) {
			struct side s = { .p = m.at.at[i], .wish = w };

			s.p.to += base;
			s.p.other = s.p.kind == POSITION_FORK ? s.p.other + base : s.p.to;
			vec_push(j->arena, &j->sides, s);
		}
	}
}

static void find_fresh(struct joining *j)
{
	gather_anew(j);
	for (size_t i = 0; i < j->firsts.len; i++)
		gather(j, j->firsts.at[i], false, false);
	for (size_t i = 0; i < j->gathered.len; i++) {
		j->fresh[j->gathered.at[i]] = true;
		vec_push(j->arena, &j->starters, j->gathered.at[i]);
	}
}

static void find_reach(struct joining *j)
{
	for (size_t i = 0; i < j->sides.len; i++) {
		struct side *s = &j->sides.at[i];

		if (s->p.kind != POSITION_BYTES)
			continue;
		gather_anew(j);
		gather(j, s->p.to, false, false);
		drop_fresh(j);
		s->reach = numbers_copy(j);
	}
}

/* Bytes that every position treats alike are of one class. */
static void classify(struct joining *j)
{
	struct many *m = j->out;

	m->classes = 1;
	for (size_t i = 0; i < j->sides.len; i++) {
		unsigned in[256], became[256] = { 0 };
		const struct position *p = &j->sides.at[i].p;
		bool stays[256] = { 0 };

		if (p->kind != POSITION_BYTES)
			continue;
		for (unsigned b = 0; b < 256; b++)
			in[b] = byte_set_has(&p->bytes, b);
		for (unsigned b = 0; b < 256; b++)
			stays[m->class_of[b]] |= !in[b];
		for (unsigned b = 0; b < 256; b++) {
			const unsigned c = m->class_of[b];

			if (!in[b] || !stays[c])
				continue;
			if (!became[c])
				became[c] = m->classes++;
			m->class_of[b] = (uint8_t)became[c];
		}
	}
	j->first_of = arena_zero(j->arena, m->classes);
	for (unsigned b = 256; b-- > 0;)
		j->first_of[m->class_of[b]] = (unsigned char)b;
}

/* --- states ---------------------------------------------------------------------------------- */

static size_t slot_of(const struct joining *j, const struct numbers *n)
{
	uint64_t h = 0x9e3779b97f4a7c15;

	for (uint32_t i = 0; i < n->len; i++) {
		h = (h ^ n->at[i]) * 0xff51afd7ed558ccd;
		h ^= h >> 32;
	}
	return (size_t)h & (j->slot_count - 1);
}

static bool numbers_same(const struct numbers *x, const struct numbers *y)
{
	return x->len == y->len && (!x->len || !memcmp(x->at, y->at, x->len * sizeof *x->at));
}

/* The state of what was gathered. */
static uint32_t state_of(struct joining *j)
{
	if (j->gathered.len > 1)
		qsort(j->gathered.at, j->gathered.len, sizeof(uint32_t), by_number);
	const struct numbers n = { j->gathered.at, (uint32_t)j->gathered.len };
	size_t at = slot_of(j, &n);

	for (; j->slots[at]; at = (at + 1) & (j->slot_count - 1))
		if (numbers_same(&j->states.at[j->slots[at] - 1], &n))
			return j->slots[at] - 1;
	const struct numbers kept = numbers_copy(j);
	vec_push(j->arena, &j->states, kept);
	j->slots[at] = (uint32_t)j->states.len;
	return (uint32_t)j->states.len - 1;
}

static void gather_numbers(struct joining *j, const struct numbers *n)
{
	for (uint32_t i = 0; i < n->len; i++)
		if (j->stamp[n->at[i]] != j->now) {
			j->stamp[n->at[i]] = j->now;
			vec_push(j->arena, &j->gathered, n->at[i]);
		}
}

static void gather_step(struct joining *j, const uint32_t *from, uint32_t len, unsigned byte)
{
	for (uint32_t i = 0; i < len; i++) {
		const struct side *s = &j->sides.at[from[i]];

		if (s->p.kind == POSITION_BYTES && byte_set_has(&s->p.bytes, byte))
			gather_numbers(j, &s->reach);
	}
}

static void find_begins(struct joining *j)
{
	j->begins = arena_zero(j->arena, j->out->classes * sizeof *j->begins);
	for (unsigned c = 0; c < j->out->classes; c++) {
		gather_anew(j);
		gather_step(j, j->starters.at, (uint32_t)j->starters.len, j->first_of[c]);
		j->begins[c] = numbers_copy(j);
	}
}

/* The idle state is 0, the beginning 1: all that a begin of payload lets in besides. */
static void first_states(struct joining *j)
{
	gather_anew(j);
	state_of(j);
	gather_anew(j);
	for (size_t i = 0; i < j->firsts.len; i++)
		gather(j, j->firsts.at[i], true, false);
	drop_fresh(j);
	j->out->start = state_of(j);
}

static bool determine(struct joining *j, uint32_t states_max)
{
	struct many *m = j->out;
	VEC(uint32_t) next = { 0 };

	first_states(j);
	for (uint32_t s = 0; s < j->states.len; s++)
		for (unsigned c = 0; c < m->classes; c++) {
			const struct numbers from = j->states.at[s];

			gather_anew(j);
			gather_numbers(j, &j->begins[c]);
			gather_step(j, from.at, from.len, j->first_of[c]);
			drop_found(j);
			vec_push(j->arena, &next, state_of(j));
			if (j->states.len > states_max)
				return false;
		}
	m->states = (uint32_t)j->states.len;
	m->next = next.at;
	return true;
}

/* --- what each state says ------------------------------------------------------------------------ */

static bool list_same(const struct many_list *l, const struct numbers *n)
{
	if (l->len != n->len)
		return false;
	for (uint32_t i = 0; i < n->len; i++)
		if (l->at[i] != n->at[i])
			return false;
	return true;
}

/* The list of what was gathered: by wish, each once. */
struct lists {
	VEC(struct many_list) at;
	uint32_t *slots;
};

static uint32_t list_of(struct joining *j, struct lists *all)
{
	uint32_t len = 0;

	for (size_t i = 0; i < j->gathered.len; i++)
		j->gathered.at[i] = j->sides.at[j->gathered.at[i]].wish;
	if (j->gathered.len > 1)
		qsort(j->gathered.at, j->gathered.len, sizeof(uint32_t), by_number);
	for (size_t i = 0; i < j->gathered.len; i++)
		if (!i || j->gathered.at[i] != j->gathered.at[i - 1])
			j->gathered.at[len++] = j->gathered.at[i];
	const struct numbers n = { j->gathered.at, len };
	size_t at = slot_of(j, &n);

	for (; all->slots[at]; at = (at + 1) & (j->slot_count - 1))
		if (list_same(&all->at.at[all->slots[at] - 1], &n))
			return all->slots[at] - 1;
	uint16_t *wishes = arena_zero(j->arena, (len + 1) * sizeof *wishes);
	for (uint32_t i = 0; i < len; i++)
		wishes[i] = (uint16_t)n.at[i];
	vec_push(j->arena, &all->at, ((struct many_list){ wishes, len }));
	all->slots[at] = (uint32_t)all->at.len;
	return (uint32_t)all->at.len - 1;
}

static void keep_kind(struct joining *j, enum position_kind kind)
{
	size_t kept = 0;

	for (size_t i = 0; i < j->gathered.len; i++)
		if (j->sides.at[j->gathered.at[i]].p.kind == kind)
			j->gathered.at[kept++] = j->gathered.at[i];
	j->gathered.len = kept;
}

static void gather_ends(struct joining *j, const uint32_t *at, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		if (j->sides.at[at[i]].p.kind == POSITION_END)
			gather(j, j->sides.at[at[i]].p.to, false, true);
}

static void tell(struct joining *j)
{
	struct many *m = j->out;
	struct lists all = { .slots = arena_zero(j->arena, j->slot_count * sizeof(uint32_t)) };

	m->hits = arena_zero(j->arena, m->states * sizeof *m->hits);
	m->ends = arena_zero(j->arena, m->states * sizeof *m->ends);
	gather_anew(j);
	list_of(j, &all);
	for (uint32_t s = 0; s < m->states; s++) {
		const struct numbers set = j->states.at[s];

		gather_anew(j);
		gather_numbers(j, &set);
		keep_kind(j, POSITION_FOUND);
		m->hits[s] = list_of(j, &all);
		gather_anew(j);
		gather_ends(j, set.at, set.len);
		gather_ends(j, j->starters.at, (uint32_t)j->starters.len);
		keep_kind(j, POSITION_FOUND);
		m->ends[s] = list_of(j, &all);
	}
	m->lists = all.at.at;
	m->list_count = (uint32_t)all.at.len;
}

/* --- the smallest machine: Moore's refinement ----------------------------------------------------- */

struct refining {
	uint32_t *kind, *fresh, *of; /* by state; of: a state of each kind */
	uint32_t count, *slots;
	size_t slot_count;
};

static bool row_same(const struct many *m, const uint32_t *kind, uint32_t x, uint32_t y)
{
	const uint32_t *p = m->next + (size_t)x * m->classes, *q = m->next + (size_t)y * m->classes;

	if (kind[x] != kind[y])
		return false;
	for (unsigned c = 0; c < m->classes; c++)
		if (kind[p[c]] != kind[q[c]])
			return false;
	return true;
}

static uint32_t kind_of(const struct many *m, struct refining *k, uint32_t s)
{
	const uint32_t *row = m->next + (size_t)s * m->classes;
	uint64_t h = k->kind[s] + 0x9e3779b97f4a7c15;

	for (unsigned c = 0; c < m->classes; c++)
		h = (h ^ k->kind[row[c]]) * 0xff51afd7ed558ccd;
	size_t at = (size_t)(h >> 32) & (k->slot_count - 1);
	for (; k->slots[at]; at = (at + 1) & (k->slot_count - 1))
		if (row_same(m, k->kind, k->of[k->slots[at] - 1], s))
			return k->slots[at] - 1;
	k->of[k->count] = s;
	k->slots[at] = ++k->count;
	return k->count - 1;
}

static void minimize(struct joining *j)
{
	struct many *m = j->out;
	struct refining k = { .slot_count = j->slot_count };
	uint32_t before;

	k.kind = arena_zero(j->arena, m->states * sizeof *k.kind);
	k.fresh = arena_zero(j->arena, m->states * sizeof *k.fresh);
	k.of = arena_zero(j->arena, m->states * sizeof *k.of);
	k.slots = arena_zero(j->arena, k.slot_count * sizeof *k.slots);
	for (uint32_t s = 0; s < m->states; s++)
		k.kind[s] = m->hits[s] * m->list_count + m->ends[s];
	do {
		before = k.count;
		k.count = 0;
		memset(k.slots, 0, k.slot_count * sizeof *k.slots);
		for (uint32_t s = 0; s < m->states; s++)
			k.fresh[s] = kind_of(m, &k, s);
		memcpy(k.kind, k.fresh, m->states * sizeof *k.kind);
	} while (k.count != before);

	for (uint32_t i = 0; i < k.count; i++) { /* a kind's first state is at or behind its place */
		const uint32_t s = k.of[i];

		for (unsigned c = 0; c < m->classes; c++)
			m->next[(size_t)i * m->classes + c] = k.kind[m->next[(size_t)s * m->classes + c]];
		m->hits[i] = m->hits[s];
		m->ends[i] = m->ends[s];
	}
	m->start = k.kind[m->start];
	m->states = k.count;
}

static bool column_same(const struct many *m, unsigned x, unsigned y)
{
	for (size_t at = 0; at < (size_t)m->states * m->classes; at += m->classes)
		if (m->next[at + x] != m->next[at + y])
			return false;
	return true;
}

/* Classes that no state tells apart become one; what is kept goes into the caller's arena. */
static void keep(struct joining *j, struct arena *a)
{
	struct many *m = j->out;
	unsigned kept[256], count = 0;
	uint8_t becomes[256];
	uint32_t *next;

	for (unsigned c = 0; c < m->classes; c++) {
		unsigned k = 0;

		while (k < count && !column_same(m, kept[k], c))
			k++;
		if (k == count)
			kept[count++] = c;
		becomes[c] = (uint8_t)k;
	}
	next = arena_zero(a, (size_t)m->states * count * sizeof *next);
	for (uint32_t s = 0; s < m->states; s++)
		for (unsigned k = 0; k < count; k++)
			next[(size_t)s * count + k] = m->next[(size_t)s * m->classes + kept[k]];
	for (unsigned byte = 0; byte < 256; byte++)
		m->class_of[byte] = becomes[m->class_of[byte]];
	m->next = next;
	m->classes = count;
	m->hits = arena_copy(a, m->hits, m->states * sizeof *m->hits);
	m->ends = arena_copy(a, m->ends, m->states * sizeof *m->ends);
	m->lists = arena_copy(a, m->lists, m->list_count * sizeof *m->lists);
	for (uint32_t i = 0; i < m->list_count; i++)
		m->lists[i].at = arena_copy(a, m->lists[i].at, (m->lists[i].len + 1) * sizeof(uint16_t));
}

/* --- for everyone ------------------------------------------------------------------------------------ */

bool many_compile(struct many *out, struct arena *a, const struct many_wish *wishes, size_t count, uint32_t states_max)
{
	own(arena) struct arena *scratch = arena_new();
	struct joining j = { .arena = scratch, .out = out, .slot_count = 1024 };

	*out = (struct many){ 0 };
	while (j.slot_count < 2 * ((size_t)states_max + 256))
		j.slot_count *= 2;
	read_sides(&j, wishes, count);
	j.fresh = arena_zero(scratch, j.sides.len);
	j.stamp = arena_zero(scratch, j.sides.len * sizeof *j.stamp);
	j.found = arena_zero(scratch, count * sizeof *j.found);
	j.stack = arena_zero(scratch, (2 * j.sides.len + 2) * sizeof *j.stack);
	j.slots = arena_zero(scratch, j.slot_count * sizeof *j.slots);
	find_fresh(&j);
	find_reach(&j);
	classify(&j);
	find_begins(&j);
	if (!determine(&j, states_max))
		return false;
	tell(&j);
	minimize(&j);
	keep(&j, a);
	return true;
}

static void mark(const struct many *m, uint32_t list, bool *found)
{
	for (uint32_t i = 0; i < m->lists[list].len; i++)
		found[m->lists[list].at[i]] = true;
}

void many_find(const struct many *m, const void *bytes, size_t len, size_t within, bool *found)
{
	const size_t most = len < within ? len : within;
	const uint8_t *at = bytes;
	uint32_t s = m->start;

	for (size_t i = 0; i < most; i++) {
		s = m->next[(size_t)s * m->classes + m->class_of[at[i]]];
		mark(m, m->hits[s], found);
	}
	if (len <= within)
		mark(m, m->ends[s], found);
}
