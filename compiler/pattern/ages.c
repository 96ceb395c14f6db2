/*
 * ages - of which states the last few bytes are all that matters.
 *
 * A state's age is n when whoever comes to it has come there by n bytes that lead
 * there from the idle state too: nothing that began before them is under way. Pairs
 * are followed, any state beside the idle one, by the same bytes:
 *
 *     (any, idle) ──► after one byte ──► after two ──► … a state that stands beside another
 *                                                       than itself after n is not of age n
 */
#include <string.h>

#include "compiler/pattern/many.h"
#include "lang/base/own.h"

#define PAIRS_MAX (1u << 20) /* of a number of bytes; beyond it, states are old */

struct pair {
	uint32_t any, idle;
};

struct pairs {
	VEC(struct pair) at;
	uint64_t *slots, turn; /* a turn's number, and 1 + place */
};

static bool pairs_add(struct arena *a, struct pairs *p, struct pair new)
{
	uint64_t h = ((uint64_t)new.any << 32 | new.idle) * 0x9e3779b97f4a7c15;
	size_t at = h >> 32 & (2 * PAIRS_MAX - 1);

	for (; p->slots[at] >> 32 == p->turn; at = (at + 1) & (2 * PAIRS_MAX - 1)) {
		const struct pair *have = &p->at.at[(uint32_t)p->slots[at] - 1];

		if (have->any == new.any && have->idle == new.idle)
			return true;
	}
	if (p->at.len == PAIRS_MAX)
		return false;
	vec_push(a, &p->at, new);
	p->slots[at] = p->turn << 32 | p->at.len;
	return true;
}

static bool follow(struct arena *a, struct pairs *to, const struct pairs *from, const struct many *m)
{
	to->at.len = 0;
	to->turn++;
	for (size_t i = 0; i < from->at.len; i++) {
		const uint32_t *any = m->next + (size_t)from->at.at[i].any * m->classes;
		const uint32_t *idle = m->next + (size_t)from->at.at[i].idle * m->classes;

		for (unsigned c = 0; c < m->classes; c++)
			if (any[c] != idle[c] && !pairs_add(a, to, (struct pair){ any[c], idle[c] }))
				return false;
	}
	return true;
}

void many_ages(uint8_t *ages, const struct many *m)
{
	own(arena) struct arena *a = arena_new();
	struct pairs now = { .slots = arena_zero(a, 2 * PAIRS_MAX * sizeof *now.slots) };
	struct pairs next = { .slots = arena_zero(a, 2 * PAIRS_MAX * sizeof *next.slots) };
	bool *beside_another = arena_zero(a, m->states);

	memset(ages, TEG_AGE_OLD, m->states);
	for (uint32_t s = 1; s < m->states; s++)
		vec_push(a, &now.at, ((struct pair){ s, 0 }));
	for (uint8_t age = 1; age < TEG_AGE_OLD && follow(a, &next, &now, m); age++) {
		memset(beside_another, 0, m->states);
		for (size_t i = 0; i < next.at.len; i++)
			beside_another[next.at.at[i].any] = true;
		for (uint32_t s = 0; s < m->states; s++)
			if (!beside_another[s] && ages[s] == TEG_AGE_OLD)
				ages[s] = age;
		const struct pairs was = now;
		now = next;
		next = was;
	}
}
