/* rows - which rows look for which pattern, and in which lists of the tables they stand. */
#include <string.h>

#include "compiler/audit/payload/reading.h"
#include "compiler/ir/named.h"

int payload_rows(struct payload_reading *r)
{
	const struct plan *p = r->plan;
	const uint32_t rows = p->config.payload.rows;
	const struct strmap named = ir_early_named(r->meant, r->arena);
	struct strmap known;
	uint64_t marks = 0;

	strmap_init(&known, r->arena);
	r->of_row = arena_zero(r->arena, (rows + 1) * sizeof *r->of_row);
	for (uint32_t i = 0; i < rows; i++) {
		const struct teg_row *row = &p->payload.rows[i];
		const struct ir_rule *m = strmap_find(&named, p->counters[p->rules[row->rule].counter_slot].id);

		if (!m || !m->payload || m->payload->within != row->within)
			return payload_refuse(r, m ? m->id : "a rule", "what is looked for in payloads is not what the policy says");
		if ((i && row->rule == row[-1].rule) || (row->mark && marks >> (row->mark - 1) & 1))
			return payload_refuse(r, m->id, "it shares what it looks for in payloads with another");
		marks |= row->mark ? 1ull << (row->mark - 1) : 0;
		const char *key = arena_printf(r->arena, "%u %s", m->payload->flags, m->payload->expression);
		struct looked_for *l = strmap_find(&known, key);
		if (!l) {
			l = arena_zero(r->arena, sizeof *l);
			*l = (struct looked_for){ .said = m->payload, .id = m->id, .automaton = PAYLOAD_NOBODY };
			strmap_put(&known, key, l);
			vec_push(r->arena, &r->patterns, l);
		}
		vec_push(r->arena, &l->rows, i);
		r->of_row[i] = l;
	}
	return 0;
}

/* The list names all rows of each pattern in it, and is of the automaton in which the pattern is. */
static int read_list(struct payload_reading *r, uint32_t place, uint32_t automaton)
{
	const uint32_t *list = r->plan->payload.lists + place;

	for (uint32_t i = 1; i <= list[0]; i++) {
		struct looked_for *l = r->of_row[list[i]];

		if (l->automaton != PAYLOAD_NOBODY && l->automaton != automaton)
			return payload_refuse(r, l->id, "two automata look for its pattern");
		l->automaton = automaton;
		if (l->places.len && l->places.at[l->places.len - 1] == place)
			continue;
		if (list[i] != l->rows.at[0])
			return payload_refuse(r, l->id, "some rules that look for the same are left out of a list");
		vec_push(r->arena, &l->places, place);
	}
	for (uint32_t i = 1; i <= list[0]; i++) {
		const struct looked_for *l = r->of_row[list[i]];
		uint32_t named = 0;

		for (uint32_t k = 1; k <= list[0] && l->rows.len > 1; k++)
			named += r->of_row[list[k]] == l;
		if (l->rows.len > 1 && named != l->rows.len)
			return payload_refuse(r, l->id, "some rules that look for the same are left out of a list");
	}
	return 0;
}

int payload_lists(struct payload_reading *r)
{
	const struct plan *p = r->plan;
	bool *seen = arena_zero(r->arena, p->config.payload.lists);
	int rc = 0;

	for (uint32_t n = 0; n < p->config.payload.automata; n++) {
		const struct teg_automaton *t = &p->payload.automata[n];

		for (uint32_t s = t->idle; s < payload_end(p, n) && !rc; s += t->classes + TEG_STEP_MORE)
			for (uint32_t c = t->classes; c < t->classes + 2 && !rc; c++) {
				const uint32_t place = p->payload.steps[s + c];

				if (!seen[place])
					rc = read_list(r, place, n);
				seen[place] = true;
			}
		memset(seen, 0, p->config.payload.lists);
	}
	return rc;
}
