/*
 * flatten.c - chains become one list per direction; see import.h for why it is stricter at most.
 */
#include "compiler/import/import.h"

#include <errno.h>
#include <stdlib.h>

#define LOGS_MAX 64
#define LOG_BOXES_MAX 4 /* a rule that was logged in part is not told apart into more */

struct logged {
	const char *log;
	struct region region;
};

struct walk {
	struct import *m;
	enum direction direction;
	size_t steps;
	struct err *why;
	const char *doubt;	       /* what a jump on the way asks that is not known, or NULL */
	bool last;		       /* no chain judges behind the one that is walked */
	struct region sure, perhaps;   /* what the chain accepts, when it is not the last */
	VEC(struct logged) logs;
	VEC(struct import_entry) ends; /* policies of last chains */
};

static void emit_part(struct walk *w, struct import_entry e, struct region part, const char *log)
{
	region_tidy(w->m->arena, &part);
	e.region = part;
	e.log = log;
	if (!e.rule && w->last)
		vec_push(w->m->arena, &w->ends, e);
	else
		vec_push(w->m->arena, &w->m->entries[w->direction], e);
}

static bool lies_in(const struct region *r, const struct region *in)
{
	bool within = true;

	for (size_t i = 0; i < r->len && within; i++) {
		within = false;
		for (size_t k = 0; k < in->len && !within; k++)
			within = box_within(&r->at[i], &in->at[k]);
	}
	return within;
}

/* What has been logged on the way is logged by the rule that decides, or by one before it that decides the same. */
static void emit(struct walk *w, struct import_entry e)
{
	struct arena *a = w->m->arena;

	if (!w->last) /* first match has no say here: what the chain accepted went on to the next */
		region_minus(a, &e.region, &w->sure, false);
	if (!e.region.len)
		return;
	for (size_t i = w->logs.len; i > 0 && !(e.rule && e.rule->log); i--) {
		const struct logged *l = &w->logs.at[i - 1];
		struct import_entry part = e;

		if (lies_in(&e.region, &l->region)) {
			emit_part(w, e, e.region, l->log);
			return;
		}
		if (e.region.len * l->region.len > LOG_BOXES_MAX)
			continue;
		part.region = region_meet(a, &e.region, &l->region);
		part.logs_only = part.region.len;
		if (part.logs_only)
			emit_part(w, part, part.region, l->log);
	}
	emit_part(w, e, e.region, e.rule ? e.rule->log : NULL);
}

static bool begins_flows(const struct region *r)
{
	for (size_t i = 0; i < r->len; i++)
		if (r->at[i].states & 1u << CT_NEW)
			return true;
	return false;
}

/* Why these packets only perhaps come here and match; NULL when they all do. */
static const char *unknown_of(const struct walk *w, const struct import_rule *r, const struct region *surely, const struct region *may)
{
	const char *why = r->unknown ? r->unknown : w->doubt;

	return why && begins_flows(may) && !lies_in(may, surely) ? why : NULL;
}

static void note_accept(struct walk *w, const struct import_rule *r, const struct region *surely, const struct region *may)
{
	const char *why = unknown_of(w, r, surely, may);

	if (why)
		import_note(w->m, r->place, NOTE_LEFT_OUT, "%s: %s is not known here, so this admits %s", r->text, why, surely->len ? "less" : "nothing");
}

bool import_matters(const struct import *m, enum direction d, const struct import_entry *drop, const struct box *b)
{
	for (const struct import_entry *e = drop + 1; e < m->entries[d].at + m->entries[d].len; e++)
		for (size_t i = 0; i < e->region.len && e->verdict == VERDICT_ALLOW; i++)
			if (e->region.at[i].states >> CT_NEW & 1 && box_touches(&e->region.at[i], b))
				return true;
	return false;
}

/* Drops that apply to more than they should, and where that is to be seen. */
static void note_drops(struct import *m, enum direction d)
{
	for (size_t i = 0; i < m->entries[d].len; i++) {
		const struct import_entry *e = &m->entries[d].at[i];
		bool matters = false;

		if (!e->widened || e->logs_only)
			continue;
		for (size_t k = 0; k < e->region.len && !matters; k++)
			matters = import_matters(m, d, e, &e->region.at[k]);
		if (matters && e->rule->target == TARGET_UNKNOWN)
			import_note(m, e->rule->place, NOTE_WIDENED, "%s: what this does is not known here, so it drops", e->rule->text);
		else if (matters)
			import_note(m, e->rule->place, NOTE_WIDENED, "%s: %s is not known here, so this applies to every value of it",
				    e->rule->text, e->widened);
	}
}

/* The packets that a RETURN or goto takes away from the rest of the chain. */
static void leave(struct walk *w, const struct import_rule *r, struct region *sure, struct region *perhaps,
		  const struct region *gone_surely, const struct region *gone_perhaps)
{
	struct arena *a = w->m->arena;
	bool exact = region_minus(a, sure, gone_perhaps, true);

	exact &= region_minus(a, perhaps, gone_surely, false);
	if (!exact)
		import_note(w->m, r->place, NOTE_WIDENED, "%s: too many exceptions to write down; fewer packets are admitted", r->text);
	if (r->unknown && begins_flows(gone_perhaps))
		import_note(w->m, r->place, NOTE_WIDENED, "%s: %s is not known here; the packets it may spare are not spared",
			    r->text, r->unknown);
}

static void gather(struct walk *w, const struct region *sure, const struct region *perhaps)
{
	region_add(w->m->arena, &w->sure, sure);
	region_add(w->m->arena, &w->perhaps, perhaps);
}

static void end_of(struct walk *w, const struct import_chain *base, const struct import_rule *rule, const struct region *sure,
		   const struct region *perhaps)
{
	if (base->accepts && !w->last)
		gather(w, sure, perhaps);
	else if (base->accepts && sure->len)
		emit(w, (struct import_entry){ .rule = rule, .chain = base, .verdict = VERDICT_ALLOW, .region = *sure });
	if (!base->accepts && perhaps->len)
		emit(w, (struct import_entry){ .rule = rule, .chain = base, .verdict = VERDICT_DROP, .region = *perhaps });
}

static int walk_chain(struct walk *w, struct import_chain *c, struct region sure, struct region perhaps);

static int enter(struct walk *w, const struct import_rule *r, const struct region *sure, const struct region *perhaps)
{
	const char *before = w->doubt;
	int rc;

	if (r->to->entered)
		return err_set(w->why, EINVAL, "line %u: chain %s leads into itself", r->place.line, r->to->name);
	w->doubt = r->unknown ? r->unknown : before;
	rc = walk_chain(w, r->to, *sure, *perhaps);
	w->doubt = before;
	return rc;
}

/* An accept of a chain that others judge behind. */
static void pass_on(struct walk *w, const struct import_rule *r, struct region *sure, struct region *perhaps, const struct region *surely,
		    const struct region *may)
{
	note_accept(w, r, surely, may);
	gather(w, surely, may);
	region_minus(w->m->arena, sure, surely, true);
	region_minus(w->m->arena, perhaps, surely, false);
}

static void accept(struct walk *w, const struct import_chain *c, const struct import_rule *r, const struct region *sure,
		   const struct region *surely, const struct region *may)
{
	struct region rated = r->rate ? region_meet(w->m->arena, sure, &r->rated) : (struct region){ 0 };

	if (rated.len)
		emit(w, (struct import_entry){ .rule = r, .chain = c, .verdict = VERDICT_ALLOW, .limited = true, .region = rated });
	else if (surely->len)
		emit(w, (struct import_entry){ .rule = r, .chain = c, .verdict = VERDICT_ALLOW, .region = *surely });
	if (!rated.len)
		note_accept(w, r, surely, may);
	else
		import_note(w->m, r->place, NOTE_LEFT_OUT, "%s: what is over the limit is dropped here, and goes on there", r->text);
}

/* Later decisions about these packets log them. One that is limited, or asks what is not known, may log too often. */
static void log_later(struct walk *w, const struct import_rule *r, const struct region *may)
{
	struct logged l = { r->log, *may };

	if (r->log && w->logs.len < LOGS_MAX)
		vec_push(w->m->arena, &w->logs, l);
}

static int walk_rule(struct walk *w, struct import_chain *c, const struct import_rule *r, struct region *sure,
		     struct region *perhaps)
{
	struct arena *a = w->m->arena;
	struct region surely = region_meet(a, sure, &r->sure), may = region_meet(a, perhaps, &r->perhaps);
	int rc;

	if (!may.len)
		return 0;
	switch (r->target) {
	case TARGET_NOTHING:
		log_later(w, r, &may);
		return 0;
	case TARGET_ACCEPT:
		if (w->last)
			accept(w, c, r, sure, &surely, &may);
		else
			pass_on(w, r, sure, perhaps, &surely, &may);
		return 0;
	case TARGET_DROP:
	case TARGET_REJECT:
		emit(w, (struct import_entry){ .rule = r, .chain = c, .verdict = r->target == TARGET_DROP ? VERDICT_DROP : VERDICT_REJECT,
					       .widened = unknown_of(w, r, &surely, &may), .region = may });
		return 0;
	case TARGET_UNKNOWN:
		emit(w, (struct import_entry){ .rule = r, .chain = c, .verdict = VERDICT_DROP, .widened = begins_flows(&may) ? r->text : NULL, .region = may });
		return 0;
	case TARGET_JUMP:
		return enter(w, r, &surely, &may);
	case TARGET_GOTO:
	case TARGET_RETURN:
		rc = r->target == TARGET_GOTO ? enter(w, r, &surely, &may) : 0;
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
				       c->rules.at[i].place.line);
		int rc = walk_rule(w, c, &c->rules.at[i], &sure, &perhaps);

		if (rc)
			return rc;
	}
	c->entered = false;
	if (c->base)
		end_of(w, c, NULL, &sure, &perhaps);
	return 0;
}

/* --- directions --------------------------------------------------------------------------------------- */

static struct region of_state(struct arena *a, const struct box *all, enum ct_state s)
{
	struct box b = *all;

	b.states = 1u << s;
	return region_of(a, &b);
}

static struct box direction_box(struct import *m, enum direction d, unsigned families)
{
	struct box all = box_all(families);

	all.inward = d == DIRECTION_OUT ? 1ull << ZONE_NO_INTERFACE : import_zones(m);
	all.kinds = d == DIRECTION_IN ? KINDS_HERE : KINDS_ALL;
	all.outward = d == DIRECTION_IN ? 1ull << ZONE_NO_INTERFACE : import_zones(m);
	return all;
}

/* The base chains that judge these families, one after the other. */
static int walk_families(struct walk *w, unsigned families)
{
	struct import *m = w->m;
	struct box all = direction_box(m, w->direction, families);
	size_t left = 0;

	w->logs.len = 0;
	w->sure = w->perhaps = region_of(m->arena, &all);
	for (size_t i = 0; i < m->base[w->direction].len; i++)
		left += (m->base[w->direction].at[i]->families & families) == families;
	for (size_t i = 0; i < m->base[w->direction].len && left; i++) {
		struct import_chain *c = m->base[w->direction].at[i];
		struct region sure = w->sure, perhaps = w->perhaps;

		if ((c->families & families) != families)
			continue;
		w->last = !--left;
		w->sure = w->perhaps = (struct region){ 0 };
		region_tidy(m->arena, &sure);
		region_tidy(m->arena, &perhaps);
		int rc = walk_chain(w, c, sure, perhaps);

		if (rc)
			return rc;
	}
	return 0;
}

static int by_priority(const void *x, const void *y)
{
	const struct import_chain *a = *(struct import_chain *const *)x, *b = *(struct import_chain *const *)y;

	return a->priority != b->priority ? (a->priority < b->priority ? -1 : 1) :
	       a->place.line != b->place.line ? (a->place.line < b->place.line ? -1 : 1) : 0;
}

/* Together when every chain judges the same families, else each family by itself. */
static int walk_direction(struct import *m, enum direction d, struct err *why)
{
	struct walk w = { .m = m, .direction = d, .why = why };
	bool together = true;
	int rc = 0;

	if (m->base[d].len)
		qsort(m->base[d].at, m->base[d].len, sizeof *m->base[d].at, by_priority);
	for (size_t i = 0; i < m->base[d].len; i++)
		together &= m->base[d].at[i]->families == m->families;
	if (together)
		rc = walk_families(&w, m->families);
	for (enum family f = 0; f < FAMILY_COUNT && !together && !rc; f++)
		if (m->families & FAMILY_BIT(f))
			rc = walk_families(&w, FAMILY_BIT(f));
	for (size_t i = 0; i < w.ends.len; i++)
		vec_push(m->arena, &m->entries[d], w.ends.at[i]);
	note_drops(m, d);
	return rc;
}

/* --- answers ------------------------------------------------------------------------------------------- */

/* Does the direction admit new flows with such packets, whatever their flags? */
static bool admits(const struct import *m, enum direction d, struct box b)
{
	struct region rest;

	b.states = 1u << CT_NEW;
	b.flags = UINT64_MAX;
	b.kinds = d == DIRECTION_IN ? KINDS_HERE : KINDS_ALL;
	rest = region_of(m->arena, &b);
	for (size_t i = 0; i < m->entries[d].len && rest.len; i++) {
		const struct import_entry *e = &m->entries[d].at[i];

		if (e->verdict != VERDICT_ALLOW)
			region_minus(m->arena, &rest, &e->region, false);
		else if (region_meet(m->arena, &rest, &e->region).len)
			return true;
	}
	return false;
}

/* The packets whose answers these are: which message answers which is not asked. */
static struct box answered(struct arena *a, const struct box *b)
{
	struct box back = *b;

	back.src = b->dst;
	back.dst = b->src;
	back.sport = b->dport;
	back.dport = b->sport;
	back.inward = b->outward;
	back.outward = b->inward;
	back.icmp = ranges_of(a, 0, UINT16_MAX);
	back.kinds = KINDS_ALL;
	return back;
}

static enum direction opposite(enum direction d)
{
	return d == DIRECTION_IN ? DIRECTION_OUT : d == DIRECTION_OUT ? DIRECTION_IN : DIRECTION_FORWARD;
}

/*
 * Can there be a flow that has such a packet? An established one is of a flow that this direction
 * admits, or answers one that the opposite does. A related one, such as an error from anywhere, is of
 * any flow that passes here, and the host itself tells of those that it forwards.
 */
static bool has_flow(struct import *m, enum direction d, const struct box *b, enum ct_state s)
{
	enum direction from = opposite(d);

	if (s == CT_ESTABLISHED)
		return admits(m, d, *b) || admits(m, from, answered(m->arena, b));
	return admits(m, d, direction_box(m, d, m->families)) || admits(m, from, direction_box(m, from, m->families)) ||
	       (d == DIRECTION_OUT && admits(m, DIRECTION_FORWARD, direction_box(m, DIRECTION_FORWARD, m->families)));
}

static bool any_has_flow(struct import *m, enum direction d, const struct region *r, enum ct_state s)
{
	for (size_t i = 0; i < r->len; i++)
		if (has_flow(m, d, &r->at[i], s))
			return true;
	return false;
}

/* Do packets of this state pass before anything drops one, if there can be such? */
static bool state_passes(struct import *m, enum direction d, const struct box *all, enum ct_state s, struct import_place *place)
{
	struct region rest = of_state(m->arena, all, s);

	for (size_t i = 0; i < m->entries[d].len && rest.len; i++) {
		const struct import_entry *e = &m->entries[d].at[i];
		struct region dropped = { 0 };

		if (e->verdict != VERDICT_ALLOW)
			dropped = region_meet(m->arena, &rest, &e->region);
		if (any_has_flow(m, d, &dropped, s)) {
			*place = e->rule ? e->rule->place : e->chain->place;
			return false;
		}
		if (!e->limited)
			region_minus(m->arena, &rest, &e->region, false);
	}
	return !any_has_flow(m, d, &rest, s);
}

static void note_answers(struct import *m, enum direction d)
{
	struct box all = direction_box(m, d, m->families);
	struct import_place place = { 0 };

	if (!m->base[d].len || (state_passes(m, d, &all, CT_ESTABLISHED, &place) && state_passes(m, d, &all, CT_RELATED, &place)))
		return;
	m->stateful = false;
	import_note(m, place.path ? place : m->base[d].at[0]->place, NOTE_ANSWERS,
		    "%s: packets of known flows are judged one by one there; here the answers of an admitted flow pass", m->base[d].at[0]->name);
}

int import_flatten(struct import *m, struct err *why)
{
	for (enum direction d = 0; d < DIRECTION_COUNT; d++) {
		int rc = walk_direction(m, d, why);

		if (rc)
			return rc;
	}
	m->stateful = true;
	for (enum direction d = 0; d < DIRECTION_COUNT; d++)
		note_answers(m, d);
	return 0;
}
