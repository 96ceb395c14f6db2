/* abreast_bases - where patterns are by the last byte alone, and what a byte makes of those that are not there. */
#include "compiler/audit/payload/abreast.h"

struct moves abreast_keep(struct abreast *w)
{
	return (struct moves){ arena_copy(w->arena, w->next.at, w->next.len * sizeof *w->next.at), (uint32_t)w->next.len };
}

static void add(struct abreast *w, uint32_t nth, uint32_t state)
{
	vec_push(w->arena, &w->next, ((struct moved){ (uint16_t)nth, (uint16_t)state }));
}

/* Notes where a pattern is, unless the class's base says so. */
static void note(struct abreast *w, uint32_t nth, uint32_t state, unsigned class)
{
	if (state != abreast_idle(w, nth, class))
		add(w, nth, state);
}

/* --- before the walk ---------------------------------------------------------------------- */

/* The state from which most bytes lead nowhere. */
static uint32_t idle_of(const struct pattern *p)
{
	uint32_t best = 0;
	unsigned most = 0;

	for (uint32_t s = 0; s < p->states; s++) {
		unsigned stay = 0;

		for (unsigned c = 0; c < p->classes; c++)
			stay += p->next[s * p->classes + c] == s;
		if (stay > most && !p->found[s]) {
			most = stay;
			best = s;
		}
	}
	return best;
}

/* Whether all bytes of a class are of one class there. */
static bool tells_more(const uint8_t *class_of, const uint8_t *other)
{
	uint16_t is[256];

	memset(is, 0xff, sizeof is);
	for (unsigned b = 0; b < 256; b++) {
		if (is[class_of[b]] != 0xffff && is[class_of[b]] != other[b])
			return true;
		is[class_of[b]] = other[b];
	}
	return false;
}

static void find_classes(struct abreast *w)
{
	const uint8_t all_one[256] = { 0 };
	struct payload_joined j;

	payload_join(&j, all_one, w->t->class_of);
	for (uint32_t i = 0; i < w->patterns.len; i++)
		if (tells_more(j.of, abreast_pattern(w, i)->class_of)) {
			struct payload_joined finer;

			payload_join(&finer, j.of, abreast_pattern(w, i)->class_of);
			j = finer;
		}
	w->class_count = j.count;
	for (unsigned b = 256; b-- > 0;)
		w->byte[j.of[b]] = (uint8_t)b;
}

static void find_bases(struct abreast *w)
{
	const size_t count = w->class_count + 1;

	w->base = arena_zero(w->arena, count * sizeof *w->base);
	w->from = arena_zero(w->arena, count * count * sizeof *w->from);
	w->from_made = arena_zero(w->arena, count * count);
	w->like[w->class_count] = w->class_count;
	for (unsigned c = 0; c < w->class_count; c++) {
		w->next.len = 0;
		for (uint32_t i = 0; i < w->patterns.len; i++)
			if (abreast_idle(w, i, c) != w->patterns.at[i]->idle)
				add(w, i, abreast_idle(w, i, c));
		w->base[c] = abreast_keep(w);
		while (!moves_same(&w->base[w->like[c]], &w->base[c]))
			w->like[c]++;
	}
}

void abreast_prepare(struct abreast *w)
{
	for (uint32_t i = 0; i < w->patterns.len; i++) {
		w->patterns.at[i]->nth = i;
		w->patterns.at[i]->idle = idle_of(abreast_pattern(w, i));
	}
	find_classes(w);
	find_bases(w);
}

/* --- while it is walked ------------------------------------------------------------------ */

void abreast_begin(struct abreast *w)
{
	w->next.len = 0;
	for (uint32_t i = 0; i < w->patterns.len; i++)
		note(w, i, 0, w->class_count);
}

static const struct moves *from_base(struct abreast *w, unsigned last, unsigned class)
{
	const size_t at = (size_t)last * (w->class_count + 1) + class;

	if (!w->from_made[at]) {
		w->next.len = 0;
		for (uint32_t i = 0; i < w->base[last].len; i++)
			note(w, w->base[last].at[i].nth, abreast_step(w, w->base[last].at[i], class), class);
		w->from[at] = abreast_keep(w);
		w->from_made[at] = true;
	}
	return &w->from[at];
}

/* Both lists ascend, and what the state says goes before. */
void abreast_step_all(struct abreast *w, const struct met *m, unsigned class)
{
	const struct moves *others = from_base(w, m->last, class);
	uint32_t o = 0;

	w->next.len = 0;
	for (uint32_t i = 0; i < m->off.len; i++) {
		const struct moved *is = &m->off.at[i];

		for (; o < others->len && others->at[o].nth < is->nth; o++)
			vec_push(w->arena, &w->next, others->at[o]);
		o += o < others->len && others->at[o].nth == is->nth;
		note(w, is->nth, abreast_step(w, *is, class), class);
	}
	for (; o < others->len; o++)
		vec_push(w->arena, &w->next, others->at[o]);
	w->r->steps += 1 + m->off.len + others->len;
}
