/* abreast_tells - what the tables tell of a state, held to the states in which the patterns are there. */
#include "compiler/audit/payload/abreast.h"

void abreast_tells_prepare(struct abreast *w)
{
	w->in_hit = arena_zero(w->arena, w->patterns.len * sizeof *w->in_hit);
	w->in_end = arena_zero(w->arena, w->patterns.len * sizeof *w->in_end);
	w->asked = arena_zero(w->arena, w->patterns.len * sizeof *w->asked);
	w->telling = arena_zero(w->arena, w->class_count * sizeof *w->telling);
	for (unsigned c = 0; c < w->class_count; c++) {
		w->next.len = 0;
		for (uint32_t i = 0; i < w->patterns.len; i++) {
			const struct pattern *own_one = abreast_pattern(w, i);
			const uint32_t is = abreast_idle(w, i, c);

			if (is != ABREAST_OVER && (own_one->found[is] || own_one->ends[is]))
				vec_push(w->arena, &w->next, ((struct moved){ (uint16_t)i, (uint16_t)is }));
		}
		w->telling[c] = abreast_keep(w);
	}
}

static void stamp_list(const struct abreast *w, uint32_t place, uint32_t *stamp)
{
	const uint32_t *list = w->r->plan->payload.lists + place;

	for (uint32_t i = 1; i <= list[0]; i++)
		stamp[w->r->of_row[list[i]]->nth] = w->now;
}

/* What the tables tell of a pattern that is in this state: the first answer counts. */
static bool tells_right(struct abreast *w, uint32_t nth, uint32_t state)
{
	const struct pattern *own_one = abreast_pattern(w, nth);

	if (w->asked[nth] == w->now)
		return true;
	w->asked[nth] = w->now;
	return state == ABREAST_OVER || ((w->in_hit[nth] == w->now) == own_one->found[state] &&
				 (own_one->found[state] || (w->in_end[nth] == w->now) == own_one->ends[state]));
}

static bool list_right(struct abreast *w, uint32_t place, unsigned class, uint32_t *wrong)
{
	const uint32_t *list = w->r->plan->payload.lists + place;

	for (uint32_t i = 1; i <= list[0]; i++) {
		*wrong = w->r->of_row[list[i]]->nth;
		if (!tells_right(w, *wrong, abreast_idle(w, *wrong, class)))
			return false;
	}
	return true;
}

static bool moves_right(struct abreast *w, const struct moved *at, size_t len, uint32_t *wrong)
{
	for (size_t i = 0; i < len; i++) {
		*wrong = at[i].nth;
		if (!tells_right(w, *wrong, at[i].state))
			return false;
	}
	return true;
}

bool abreast_tells_right(struct abreast *w, uint32_t state, unsigned class, uint32_t *wrong)
{
	const uint32_t *lists = w->steps + state + w->t->classes;
	const struct moves *telling = &w->telling[class];

	w->now++;
	stamp_list(w, lists[0], w->in_hit);
	stamp_list(w, lists[1], w->in_end);
	return moves_right(w, w->next.at, w->next.len, wrong) && moves_right(w, telling->at, telling->len, wrong) &&
	       list_right(w, lists[0], class, wrong) && list_right(w, lists[1], class, wrong);
}
