#include "compiler/pattern/pattern.h"

#include <stdlib.h>
#include <string.h>

#include "compiler/pattern/positions.h"
#include "lang/base/own.h"

/*
 * A state is the set of positions at which the machine may be, and whether nothing has been read: one
 * bit behind those of the positions. Only positions that ask for a byte, and the signs of what was
 * found, are kept: the others only lead on.
 */
struct state {
	uint64_t *set;
	bool found, ends;
};

struct building {
	struct arena *arena;
	const struct positions *m;
	size_t words; /* of a set */
	VEC(struct state) states;
	uint32_t *slots; /* 1 + state, by the hash of its set */
	size_t slot_count;
	uint32_t *stack;
	uint64_t *fresh; /* positions reached without a byte from the beginning of a search */
	struct pattern *out;
};

static bool has(const uint64_t *set, uint32_t p)
{
	return set[p / 64] >> p % 64 & 1;
}

/* Where a position leads without a byte: `begin` while nothing has been read, `end` when nothing will be. */
static void reach(struct building *b, uint64_t *set, uint32_t from, bool begin, bool end)
{
	size_t n = 0;

	b->stack[n++] = from;
	while (n) {
		uint32_t at = b->stack[--n];
		const struct position *p = &b->m->at.at[at];

		if (has(set, at))
			continue;
		set[at / 64] |= 1ull << at % 64;
		if (p->kind == POSITION_FORK) {
			b->stack[n++] = p->to;
			if (p->other != at)
				b->stack[n++] = p->other;
		} else if ((p->kind == POSITION_BEGIN && begin) || (p->kind == POSITION_END && end)) {
			b->stack[n++] = p->to;
		}
	}
}

static bool is_found(const struct building *b, const uint64_t *set)
{
	for (uint32_t i = 0; i < b->m->at.len; i++)
		if (has(set, i) && b->m->at.at[i].kind == POSITION_FOUND)
			return true;
	return false;
}

/* Would it be found if the payload ended here? */
static bool is_end(struct building *b, const uint64_t *set)
{
	const bool begin = has(set, (uint32_t)b->m->at.len);
	own(arena) struct arena *a = arena_new();
	uint64_t *all = arena_zero(a, b->words * sizeof *all);

	for (uint32_t i = 0; i < b->m->at.len; i++)
		if (has(set, i) && b->m->at.at[i].kind == POSITION_END)
			reach(b, all, b->m->at.at[i].to, begin, true);
	return is_found(b, all);
}

static size_t hash_of(const struct building *b, const uint64_t *set)
{
	uint64_t h = 0x9e3779b97f4a7c15;

	for (size_t i = 0; i < b->words; i++) {
		h = (h ^ set[i]) * 0xff51afd7ed558ccd;
		h ^= h >> 32;
	}
	return (size_t)h & (b->slot_count - 1);
}

/* The state of the set, made when there is none; UINT32_MAX when there are too many. */
static uint32_t state_of(struct building *b, const uint64_t *set)
{
	size_t at = hash_of(b, set);

	for (; b->slots[at]; at = (at + 1) & (b->slot_count - 1))
		if (!memcmp(b->states.at[b->slots[at] - 1].set, set, b->words * sizeof *set))
			return b->slots[at] - 1;
	if (b->states.len == PATTERN_STATES_MAX)
		return UINT32_MAX;
	struct state s = { .set = arena_copy(b->arena, set, b->words * sizeof *set), .found = is_found(b, set) };
	s.ends = s.found || is_end(b, set);
	vec_push(b->arena, &b->states, s);
	b->slots[at] = (uint32_t)b->states.len;
	return (uint32_t)b->states.len - 1;
}

/* Bytes that every position treats alike are of one class. */
static void classify(struct building *b)
{
	struct pattern *p = b->out;
	uint8_t first[256];

	p->classes = 0;
	for (unsigned byte = 0; byte < 256; byte++) {
		unsigned c = 0;

		for (; c < p->classes; c++) {
			bool same = true;

			for (size_t i = 0; i < b->m->at.len && same; i++)
				same = byte_set_has(&b->m->at.at[i].bytes, byte) == byte_set_has(&b->m->at.at[i].bytes, first[c]);
			if (same)
				break;
		}
		if (c == p->classes)
			first[p->classes++] = (uint8_t)byte;
		p->class_of[byte] = (uint8_t)c;
	}
}

static unsigned byte_of_class(const struct pattern *p, unsigned class)
{
	unsigned byte = 0;

	while (p->class_of[byte] != class)
		byte++;
	return byte;
}

static void step(struct building *b, uint64_t *to, const uint64_t *from, unsigned byte)
{
	memcpy(to, b->fresh, b->words * sizeof *to);
	for (uint32_t i = 0; i < b->m->at.len; i++)
		if (has(from, i) && b->m->at.at[i].kind == POSITION_BYTES && byte_set_has(&b->m->at.at[i].bytes, byte))
			reach(b, to, b->m->at.at[i].to, false, false);
}

static bool determine(struct building *b)
{
	struct pattern *p = b->out;
	uint64_t *set = arena_zero(b->arena, b->words * sizeof *set);
	VEC(uint16_t) next = { 0 };

	reach(b, b->fresh, b->m->first, false, false);
	reach(b, set, b->m->first, true, false);
	set[b->m->at.len / 64] |= 1ull << b->m->at.len % 64;
	state_of(b, set);
	for (uint32_t s = 0; s < b->states.len; s++)
		for (unsigned c = 0; c < p->classes; c++) {
			uint32_t to = s;

			if (!b->states.at[s].found) {
				step(b, set, b->states.at[s].set, byte_of_class(p, c));
				to = state_of(b, set);
			}
			if (to == UINT32_MAX)
				return false;
			vec_push(b->arena, &next, (uint16_t)to);
		}
	p->states = (uint32_t)b->states.len;
	p->next = next.at;
	p->found = arena_zero(b->arena, p->states * sizeof *p->found);
	p->ends = arena_zero(b->arena, p->states * sizeof *p->ends);
	for (uint32_t s = 0; s < p->states; s++) {
		p->found[s] = b->states.at[s].found;
		p->ends[s] = b->states.at[s].ends;
	}
	return true;
}

/* --- the smallest machine, its states numbered as they are met ----------------------------------- */

#define ROW_SLOTS (2 * PATTERN_STATES_MAX)

/* Rows are (kind now, kinds of all successors); states with equal rows are of one kind. */
struct refining {
	uint32_t *rows, *kind, *fresh;
	size_t width;
	uint32_t count;
	uint32_t slots[ROW_SLOTS]; /* 1 + kind */
};

static uint32_t kind_of_row(struct refining *k, const uint32_t *row)
{
	uint64_t h = 0x9e3779b97f4a7c15;

	for (size_t i = 0; i < k->width; i++)
		h = (h ^ row[i]) * 0xff51afd7ed558ccd;
	size_t at = (size_t)(h >> 40) % ROW_SLOTS;
	for (; k->slots[at]; at = (at + 1) % ROW_SLOTS)
		if (!memcmp(k->rows + (k->slots[at] - 1) * k->width, row, k->width * sizeof *row))
			return k->slots[at] - 1;
	memcpy(k->rows + k->count * k->width, row, k->width * sizeof *row);
	k->slots[at] = ++k->count;
	return k->count - 1;
}

static void refine(const struct pattern *p, struct refining *k)
{
	uint32_t row[257];

	memset(k->slots, 0, sizeof k->slots);
	k->count = 0;
	for (uint32_t s = 0; s < p->states; s++) {
		row[0] = k->kind[s];
		for (unsigned c = 0; c < p->classes; c++)
			row[1 + c] = k->kind[p->next[s * p->classes + c]];
		k->fresh[s] = kind_of_row(k, row);
	}
	memcpy(k->kind, k->fresh, p->states * sizeof *k->kind);
}

/* Kinds are numbered by their first state, so state 0 is kind 0. */
static void minimize(struct pattern *p, struct arena *a)
{
	own(arena) struct arena *scratch = arena_new();
	struct refining *k = arena_zero(scratch, sizeof *k);
	uint32_t *kind = arena_zero(scratch, p->states * sizeof *kind), before;
	struct pattern small = *p;

	k->width = p->classes + 1;
	k->kind = kind;
	k->fresh = arena_zero(scratch, p->states * sizeof *k->fresh);
	k->rows = arena_zero(scratch, p->states * k->width * sizeof *k->rows);

	for (uint32_t s = 0; s < p->states; s++)
		kind[s] = p->found[s] ? 2u : p->ends[s];
	do {
		before = k->count;
		refine(p, k);
	} while (k->count != before);
	small.states = k->count;
	small.next = arena_zero(a, (size_t)k->count * p->classes * sizeof *small.next);
	small.found = arena_zero(a, k->count);
	small.ends = arena_zero(a, k->count);
	for (uint32_t s = 0; s < p->states; s++) {
		small.found[kind[s]] = p->found[s];
		small.ends[kind[s]] = p->ends[s];
		for (unsigned c = 0; c < p->classes; c++)
			small.next[kind[s] * p->classes + c] = (uint16_t)kind[p->next[s * p->classes + c]];
	}
	*p = small;
}

static bool same_column(const struct pattern *p, unsigned x, unsigned y)
{
	for (uint32_t s = 0; s < p->states; s++)
		if (p->next[s * p->classes + x] != p->next[s * p->classes + y])
			return false;
	return true;
}

/* Classes that no state tells apart become one. */
static void merge_classes(struct pattern *p, struct arena *a)
{
	unsigned kept[256], count = 0;
	uint8_t becomes[256];

	for (unsigned c = 0; c < p->classes; c++) {
		unsigned k = 0;

		while (k < count && !same_column(p, kept[k], c))
			k++;
		if (k == count)
			kept[count++] = c;
		becomes[c] = (uint8_t)k;
	}
	uint16_t *next = arena_zero(a, (size_t)p->states * count * sizeof *next);
	for (uint32_t s = 0; s < p->states; s++)
		for (unsigned k = 0; k < count; k++)
			next[s * count + k] = p->next[s * p->classes + kept[k]];
	for (unsigned byte = 0; byte < 256; byte++)
		p->class_of[byte] = becomes[p->class_of[byte]];
	p->next = next;
	p->classes = count;
}

/* --- for everyone ------------------------------------------------------------------------------------ */

int pattern_compile(struct pattern *out, struct arena *a, const char *expression, unsigned flags,
		    struct pattern_fault *why)
{
	own(arena) struct arena *scratch = arena_new();
	struct positions m;
	struct building b = { .arena = scratch, .m = &m, .out = out, .slot_count = 2 * PATTERN_STATES_MAX };

	*out = (struct pattern){ 0 };
	if (positions_read(&m, scratch, expression, flags, why))
		return -1;
	b.words = m.at.len / 64 + 1;
	b.slots = arena_zero(scratch, b.slot_count * sizeof *b.slots);
	b.stack = arena_zero(scratch, (2 * m.at.len + 2) * sizeof *b.stack);
	b.fresh = arena_zero(scratch, b.words * sizeof *b.fresh);
	classify(&b);
	if (!determine(&b)) {
		*why = (struct pattern_fault){ 0, strlen(expression), "this pattern needs too many states: of a counted dot, or one before more of the pattern, "
							       "each byte may be a new beginning" };
		return -1;
	}
	minimize(out, scratch);
	merge_classes(out, a);
	out->found = arena_copy(a, out->found, out->states);
	out->ends = arena_copy(a, out->ends, out->states);
	return 0;
}

size_t pattern_shortest(const struct pattern *p, struct arena *a)
{
	uint32_t *reached = arena_zero(a, p->states * sizeof *reached), len = 1, read = 0;
	bool *seen = arena_zero(a, p->states * sizeof *seen);

	seen[0] = true;
	for (size_t bytes = 1; read < len; bytes++) {
		for (const uint32_t until = len; read < until; read++) {
			for (unsigned c = 0; c < p->classes; c++) {
				const uint32_t next = p->next[reached[read] * p->classes + c];

				if (p->found[next] || p->ends[next])
					return bytes;
				if (!seen[next])
					reached[len++] = next;
				seen[next] = true;
			}
		}
	}
	return PATTERN_NEVER;
}

bool pattern_finds(const struct pattern *p, const void *bytes, size_t len, size_t within)
{
	size_t most = len < within ? len : within;
	const uint8_t *at = bytes;
	uint32_t s = 0;

	for (size_t i = 0; i < most && !p->found[s]; i++)
		s = p->next[s * p->classes + p->class_of[at[i]]];
	return p->found[s] || (len <= within && p->ends[s]);
}
