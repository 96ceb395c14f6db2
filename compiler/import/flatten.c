/*
 * flatten.c - chains become one list per direction; see import.h for why it is stricter at most.
 */
#include "compiler/import/import.h"

#include <errno.h>

struct walk {
	struct import *m;
	enum direction direction;
	size_t steps;
	struct err *why;
};

static void emit(struct walk *w, const struct import_chain *chain, const struct import_rule *rule,
		 enum verdict verdict, struct region region, bool limited)
{
	struct import_entry e = { rule, chain, verdict, limited, region };

	region_tidy(w->m->arena, &e.region);
	vec_push(w->m->arena, &w->m->entries[w->direction], e);
}

static bool begins_flows(const struct region *r)
{
	for (size_t i = 0; i < r->len; i++)
		if (r->at[i].states & 1u << CT_NEW)
			return true;
	return false;
}

static void note_accept(struct walk *w, const struct import_rule *r, const struct region *perhaps)
{
	if (r->unknown && begins_flows(perhaps))
		import_note(w->m, r->line, NOTE_LEFT_OUT, "%s: %s is not known here, so this admits nothing", r->text, r->unknown);
}

static void note_drop(struct walk *w, const struct import_rule *r, const struct region *perhaps)
{
	if (r->unknown && begins_flows(perhaps))
		import_note(w->m, r->line, NOTE_WIDENED, "%s: %s is not known here, so this applies to every value of it",
			    r->text, r->unknown);
}

/* The packets that a RETURN or goto takes away from the rest of the chain. */
static void leave(struct walk *w, const struct import_rule *r, struct region *sure, struct region *perhaps,
		  const struct region *gone_surely, const struct region *gone_perhaps)
{
	struct arena *a = w->m->arena;
	bool exact = region_minus(a, sure, gone_perhaps, true);

	exact &= region_minus(a, perhaps, gone_surely, false);
	if (!exact)
		import_note(w->m, r->line, NOTE_WIDENED, "%s: too many exceptions to write down; fewer packets are admitted", r->text);
	if (r->unknown && begins_flows(gone_perhaps))
		import_note(w->m, r->line, NOTE_WIDENED, "%s: %s is not known here; the packets it may spare are not spared",
			    r->text, r->unknown);
}

static void end_of(struct walk *w, struct import_chain *base, const struct import_rule *rule,
		   const struct region *sure, const struct region *perhaps)
{
	if (base->accepts && sure->len)
		emit(w, base, rule, VERDICT_ALLOW, *sure, false);
	if (!base->accepts && perhaps->len)
		emit(w, base, rule, VERDICT_DROP, *perhaps, false);
}

static int walk_chain(struct walk *w, struct import_chain *c, struct region sure, struct region perhaps);

static int enter(struct walk *w, const struct import_rule *r, const struct region *sure, const struct region *perhaps)
{
	struct import_chain *to = strmap_find(&w->m->chains, r->chain);

	if (!to)
		return err_set(w->why, EINVAL, "line %u: there is no chain %s", r->line, r->chain);
	if (to->entered)
		return err_set(w->why, EINVAL, "line %u: chain %s leads into itself", r->line, r->chain);
	return walk_chain(w, to, *sure, *perhaps);
}

static int walk_rule(struct walk *w, struct import_chain *c, const struct import_rule *r, struct region *sure,
		     struct region *perhaps)
{
	struct arena *a = w->m->arena;
	struct region surely = region_meet(a, sure, &r->sure), may = region_meet(a, perhaps, &r->perhaps);
	struct region rated;
	int rc;

	if (!may.len)
		return 0;
	switch (r->target) {
	case TARGET_NOTHING:
		return 0;
	case TARGET_ACCEPT:
		rated = r->rate ? region_meet(a, sure, &r->rated) : (struct region){ 0 };
		if (rated.len)
			emit(w, c, r, VERDICT_ALLOW, rated, true);
		else if (surely.len)
			emit(w, c, r, VERDICT_ALLOW, surely, false);
		if (!rated.len)
			note_accept(w, r, &may);
		else
			import_note(w->m, r->line, NOTE_LEFT_OUT, "%s: what is over the limit is dropped here, and goes on there", r->text);
		return 0;
	case TARGET_DROP:
	case TARGET_REJECT:
		note_drop(w, r, &may);
		emit(w, c, r, r->target == TARGET_DROP ? VERDICT_DROP : VERDICT_REJECT, may, false);
		return 0;
	case TARGET_UNKNOWN:
		import_note(w->m, r->line, NOTE_WIDENED, "%s: what this does is not known here, so it drops", r->text);
		emit(w, c, r, VERDICT_DROP, may, false);
		return 0;
	case TARGET_RETURN:
		if (c->base)
			end_of(w, c, r, &surely, &may);
		leave(w, r, sure, perhaps, &surely, &may);
		return 0;
	case TARGET_JUMP:
		return enter(w, r, &surely, &may);
	case TARGET_GOTO:
		rc = enter(w, r, &surely, &may);
		if (rc)
			return rc;
		if (c->base)
			end_of(w, c, r, &surely, &may);
		leave(w, r, sure, perhaps, &surely, &may);
		return 0;
	}
	return 0;
}

static int walk_chain(struct walk *w, struct import_chain *c, struct region sure, struct region perhaps)
{
	c->entered = true;
	for (size_t i = 0; i < c->rules.len && perhaps.len; i++) {
		if (w->steps++ == IMPORT_STEPS_MAX)
			return err_set(w->why, E2BIG, "line %u: the chains are entered too often to be written as one list",
				       c->rules.at[i].line);
		int rc = walk_rule(w, c, &c->rules.at[i], &sure, &perhaps);

		if (rc)
			return rc;
	}
	c->entered = false;
	if (c->base)
		end_of(w, c, NULL, &sure, &perhaps);
	return 0;
}

static bool box_is_whole(const struct box *b, const struct box *all)
{
	return box_equal_but(b, all, BOX_STATES);
}

/* Do packets of this state pass before anything drops one? */
static bool state_passes(const struct import *m, enum direction d, const struct box *all, enum ct_state s, unsigned *line)
{
	for (size_t i = 0; i < m->entries[d].len; i++) {
		const struct import_entry *e = &m->entries[d].at[i];

		for (size_t b = 0; b < e->region.len; b++) {
			const struct box *box = &e->region.at[b];

			if (!(box->states >> s & 1))
				continue;
			if (e->verdict == VERDICT_ALLOW && !e->limited && box_is_whole(box, all))
				return true;
			if (e->verdict != VERDICT_ALLOW) {
				*line = e->rule ? e->rule->line : e->chain->line;
				return false;
			}
		}
	}
	*line = m->base[d] ? m->base[d]->line : 0;
	return false;
}

static struct box direction_box(struct import *m, enum direction d)
{
	struct box all = box_all(m->arena, m->family);

	all.inward = d == DIRECTION_OUT ? 1ull << ZONE_NO_INTERFACE : import_zones(m);
	all.outward = d == DIRECTION_IN ? 1ull << ZONE_NO_INTERFACE : import_zones(m);
	return all;
}

int import_flatten(struct import *m, struct err *why)
{
	m->stateful = true;
	for (enum direction d = 0; d < DIRECTION_COUNT; d++) {
		struct walk w = { m, d, 0, why };
		struct box all = direction_box(m, d);
		struct region start = region_of(m->arena, &all);
		unsigned line = 0;
		int rc = m->base[d] ? walk_chain(&w, (struct import_chain *)m->base[d], start, start) : 0;

		if (rc)
			return rc;
		if (!m->base[d] || (state_passes(m, d, &all, CT_ESTABLISHED, &line) && state_passes(m, d, &all, CT_RELATED, &line)))
			continue;
		m->stateful = false;
		import_note(m, line, NOTE_ANSWERS, "%s: packets of known flows are judged one by one there; here the answers of an admitted flow pass",
			    m->base[d]->name);
	}
	return 0;
}
