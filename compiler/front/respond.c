/*
 * respond.c - what runs playbooks (`on ... run`), what regulates by itself (homeostasis), decoys.
 *
 * Here are also the questions that are about all of them together: whether playbooks run each
 * other in a circle, whether a regulation swings, whether two of them pull in two directions.
 */
#include <string.h>

#include "compiler/front/responding.h"
#include "lang/base/near.h"

#define PROTO_TCP_NUMBER 6
#define PROTO_UDP_NUMBER 17

/* --- the event ---------------------------------------------------------------------------------- */

/* Of a rule its label; of a rule on sessions also what it is: `anomaly`. */
static const char *name_of_part(const struct node *part)
{
	const char *label = node_find_text(part, NODE_LABEL);

	return label ? label : node_find_text(part, NODE_PHRASE);
}

static void near_name(struct near *n, bool *there, const char *name, const char *wanted)
{
	if (!name)
		return;
	near_try(n, name);
	*there |= !strcmp(name, wanted);
}

/* Whether the policy declares what such events are named after. */
static bool event_names(const struct reading *r, enum play_event e, const char *name, struct near *near)
{
	static const struct {
		enum node_kind declares, within; /* `within`: the names are those of its parts of this kind */
	} kinds[EVENT_COUNT] = {
		[EVENT_REFLEX] = { NODE_REFLEX, NODE_FILE }, [EVENT_RULE] = { NODE_POSTURE, NODE_RULE },
		[EVENT_DERME] = { NODE_DERME, NODE_SENSE }, [EVENT_DECOY] = { NODE_DECOY, NODE_FILE },
		[EVENT_POSTURE] = { NODE_POSTURE, NODE_FILE }, [EVENT_PLAYBOOK] = { NODE_PLAYBOOK, NODE_FILE },
	};
	enum node_kind within = kinds[e].within;
	bool there = false;

	for (size_t i = 0; i < r->decls.len; i++) {
		const struct node *n = r->decls.at[i];

		if (n->kind != kinds[e].declares)
			continue;
		if (within == NODE_FILE)
			near_name(near, &there, node_find_text(n, NODE_NAME), name);
		for (const struct node *s = within == NODE_FILE ? NULL : n->first; s; s = s->next)
			if (s->kind == within)
				near_name(near, &there, name_of_part(s), name);
	}
	return there;
}

static bool event_unknown(struct reading *r, const struct node *n, const char *word)
{
	struct near near = near_to(word);
	own(buf) struct buf all = { 0 };
	struct diag *d = diag(r->diags, DIAG_EVENT_UNKNOWN, n->span, "nothing happens that is called `%s`", word);

	for (int e = 0; e < EVENT_COUNT; e++) {
		near_try(&near, event_word((enum play_event)e));
		buf_printf(&all, "%s%s", e ? ", " : "", event_word((enum play_event)e));
	}
	if (!tell_near(r, d, &near, n->span))
		diag_help(d, "events are of %s: on reflex.NAME ...", buf_text(&all));
	return false;
}

/* Packets make an event only where `emit` says so; everything else is told by what does it. */
static bool event_is_told(const struct reading *r, const struct pol_binding *b)
{
	const struct policy *p = r->policy;
	bool told = b->event != EVENT_REFLEX && b->event != EVENT_RULE;

	for (size_t i = 0; b->event == EVENT_REFLEX && i < p->reflex_count; i++)
		told |= p->reflexes[i].effects.emits && !strcmp(p->reflexes[i].label, b->of);
	for (size_t i = 0; b->event == EVENT_RULE && i < p->posture_count; i++)
		for (size_t j = 0; j < p->postures[i].rule_count; j++)
			told |= p->postures[i].rules[j].effects.emits && !strcmp(p->postures[i].rules[j].label, b->of);
	return told;
}

static bool event_untold(struct reading *r, const struct node *n, const char *word)
{
	diag_help(diag(r->diags, DIAG_EVENT_UNKNOWN, n->span, "this %s tells nothing, so nothing is ever run", word),
		  "%s", strcmp(word, "rule") ? "say it in the reflex: do drop, emit high" : "say it behind the rule: emit high");
	return false;
}

static bool event_read(struct reading *r, const struct node *n, struct pol_binding *out)
{
	const char *dot, *word;
	struct near near;
	struct diag *d;

	if (n->kind != NODE_NAME)
		return value_is_not(r, n, "an event");
	dot = strchr(n->text, '.');
	word = dot ? arena_strndup(r->arena, n->text, (size_t)(dot - n->text)) : n->text;
	if (!event_find(word, &out->event))
		return event_unknown(r, n, word);
	out->of = dot ? dot + 1 : "";
	if (!play_name_fits(r, n->span, out->of))
		return false;
	near = near_to(out->of);
	if (!dot || r->poisoned)
		return true;
	use_note_event(r, out->event, out->of, n->span);
	if (event_names(r, out->event, out->of, &near))
		return event_is_told(r, out) || event_untold(r, n, word);
	d = diag(r->diags, DIAG_EVENT_UNKNOWN, n->span, "there is no %s `%s`", word, out->of);
	if (near.best)
		diag_help(d, "did you mean `%s.%s`?", word, near.best);
	fix_near(r, d, &near, n->span);
	return false;
}

/* --- what is asked of it ---------------------------------------------------------------------------- */

static bool where_wrong(struct reading *r, const struct node *n, const char *what, const char *help)
{
	diag_help(diag(r->diags, DIAG_WHERE, n->span, "%s", what), "%s", help);
	return false;
}

static bool where_field(struct reading *r, enum play_event e, const struct node *name, enum event_field *out)
{
	if (name->kind == NODE_NAME && event_field_find(name->text, out) && event_has(e, *out))
		return true;
	diag_help(diag(r->diags, DIAG_WHERE, name->span, "an event of `%s` cannot be asked this", event_word(e)),
		  "%s", event_has(e, EVENT_FIELD_SCORE) ? "it has count, distinct(source), severity and score" :
			event_has(e, EVENT_FIELD_SOURCE) ? "it has count, distinct(source) and severity" : "it has severity");
	return false;
}

/* `count >= 10 within 1m`; one event is always there, so to ask for it needs no time. */
static bool where_count(struct reading *r, const struct node *n, struct play_term *t, bool *always)
{
	const struct node *within = node_find(n, NODE_WITHIN), *number = n->first->next;
	bool sound = value_count(r, number, &t->number);

	if (t->relation != RELATION_GE && t->relation != RELATION_GT)
		return where_wrong(r, n, "events are counted up to a number, not down", "write: count >= 10 within 1m");
	if (sound && t->number > UINT32_MAX)
		return where_wrong(r, number, "this is more than is counted", "events are counted up to 4294967295");
	if (within)
		return sound & play_time(r, within->first, PLAYBOOK_TIME_NS_MAX, &t->within_ns);
	*always = sound && t->number + (t->relation == RELATION_GT) <= 1;
	return sound && (*always || where_wrong(r, n, "events are counted in a time, and none is said", "say it: within 1m"));
}

static bool where_term(struct reading *r, enum play_event e, const struct node *n, struct play_term *t, bool *always)
{
	const struct node *left = n->first;
	struct play_scope scope = { .r = r };
	struct pol_value v;

	if (n->kind != NODE_COMPARE)
		return where_wrong(r, n, "this is no question about events",
				   n->kind == NODE_OR ? "`or` is two lines: on ... where ... run, for each" :
						       "write: where count >= 10 within 1m and severity >= high");
	relation_find(n->text, &t->relation);
	if (node_find(n, NODE_LASTS))
		return where_wrong(r, n, "an event is over at once", "for a number of them: within 1m");
	if (left->kind == NODE_CALL) {
		t->measure = MEASURE_DISTINCT;
		if (strcmp(left->text, "distinct"))
			return where_wrong(r, left, "events are counted by `distinct`, nothing else", "write: distinct(source) >= 3 within 1m");
		return where_field(r, e, left->first, &t->field) && where_count(r, n, t, always);
	}
	if (left->kind == NODE_NAME && !strcmp(left->text, "count")) {
		t->measure = MEASURE_COUNT;
		t->field = EVENT_FIELD_SOURCE;
		return where_count(r, n, t, always);
	}
	t->measure = MEASURE_FIELD;
	if (!where_field(r, e, left, &t->field))
		return false;
	if (event_field_sort(t->field) == SORT_ADDRESS)
		return where_wrong(r, left, "addresses are asked by rules", "for a set of them, write a reflex that matches it");
	if (!play_value(&scope, left->next, event_field_sort(t->field), &v))
		return false;
	t->number = v.constant.number;
	return true;
}

static bool where_read(struct reading *r, const struct node *where, struct pol_binding *out)
{
	const struct node *n = where->first->kind == NODE_AND ? where->first->first : where->first;
	bool many = where->first->kind == NODE_AND, sound = true;

	for (; n; n = many ? n->next : NULL) {
		struct play_term t = { 0 };
		bool always = false;

		if (!where_term(r, out->event, n, &t, &always))
			sound = false;
		else if (!always && out->term_count < PLAYBOOK_TERMS_MAX)
			out->terms[out->term_count++] = t;
		else if (!always)
			sound = where_wrong(r, n, "too much is asked at once", "eight questions are the most");
	}
	return sound;
}

/* --- what is run --------------------------------------------------------------------------------------- */

/* Where its name stands behind `run`. */
static struct span call_name(const struct node *call)
{
	uint32_t from = call->span.from + (uint32_t)call->word;

	return (struct span){ call->span.file, from, from + (uint32_t)strlen(call->text) };
}

static bool call_unknown(struct reading *r, const struct node *call)
{
	struct near near = near_to(call->text);
	struct diag *d;

	if (r->poisoned)
		return false;
	d = diag(r->diags, DIAG_PLAYBOOK_UNKNOWN, call->span, "there is no playbook `%s`", call->text);
	for (size_t i = 0; i < r->playbooks.entries.len; i++)
		near_try(&near, r->playbooks.entries.at[i].name);
	tell_near(r, d, &near, call_name(call));
	return false;
}

static bool call_given(struct reading *r, const struct node *call, const struct pol_playbook *p, struct pol_binding *out)
{
	struct play_scope scope = { .r = r, .event = &out->event };
	bool sound = true;

	for (const struct node *n = call->first; n; n = n->next) {
		if (out->given_count == p->param_count) {
			diag_at(diag(r->diags, DIAG_PLAYBOOK_GIVEN, n->span, "`%s` takes no more than %u", p->name, p->param_count),
				p->span, "declared here");
			return false;
		}
		sound &= play_value(&scope, n, p->params[out->given_count].sort, &out->given[out->given_count]);
		out->given_count++;
	}
	for (unsigned i = out->given_count; i < p->param_count; i++)
		if (!p->params[i].has_default) {
			diag_at(diag(r->diags, DIAG_PLAYBOOK_GIVEN, call->span, "nothing is given for `%s` of `%s`", p->params[i].name,
				     p->name), p->span, "declared here");
			return false;
		}
	return sound;
}

static bool call_read(struct reading *r, const struct node *call, struct pol_binding *out)
{
	const struct pol_responses *all = &r->policy->responses;

	for (size_t i = 0; i < all->playbook_count; i++)
		if (!strcmp(all->playbooks[i].name, call->text)) {
			out->playbook = (unsigned)i;
			use_note(r, USE_PLAYBOOK, call->text, call_name(call), all->playbooks[i].span);
			return call_given(r, call, &all->playbooks[i], out);
		}
	return call_unknown(r, call);
}

static void bindings_read(struct reading *r)
{
	VEC(struct pol_binding) all = { 0 };

	for (size_t i = 0; i < r->decls.len; i++) {
		const struct node *decl = r->decls.at[i], *where = node_find(decl, NODE_WHERE);
		struct pol_binding b = { .span = decl->span };

		if (decl->kind != NODE_RESPONSE || !event_read(r, decl->first, &b))
			continue;
		bool sound = !where || where_read(r, where, &b);
		if (!call_read(r, node_find(decl, NODE_CALL), &b) || !sound)
			continue;
		if (all.len == PLAYBOOK_BINDINGS_MAX) {
			diag(r->diags, DIAG_PLAYBOOK_LARGE, decl->span, "a policy has at most %d of `on ... run`", PLAYBOOK_BINDINGS_MAX);
			break;
		}
		vec_push(r->arena, &all, b);
	}
	r->policy->responses.bindings = all.at;
	r->policy->responses.binding_count = all.len;
}

/* --- playbooks that run each other ----------------------------------------------------------------------- */

enum { CALM, UNDER_WAY, DONE };

struct circling {
	const struct pol_responses *all;
	struct reading *r;
	unsigned char state[PLAYBOOKS_MAX];
	struct buf path;
};

/* Whether a step of these takes a posture. */
static bool acts_take(const struct pol_acts *acts)
{
	for (size_t i = 0; i < acts->len; i++) {
		const struct pol_act *a = &acts->at[i];

		if (a->kind == ACT_STEP && a->step == STEP_POSTURE && a->args[0].constant.text)
			return true;
		if (acts_take(&a->acts) || acts_take(&a->otherwise))
			return true;
	}
	return false;
}

/*
 * Whether a run of the playbook can make the event happen. A posture is taken for a time, and then the one
 * before is entered again, whichever that is.
 */
static bool playbook_causes(const struct pol_playbook *p, const struct pol_binding *b)
{
	switch (b->event) {
	case EVENT_POSTURE:
		return acts_take(&p->acts) || acts_take(&p->failure);
	case EVENT_PLAYBOOK:
		return !*b->of || !strcmp(b->of, p->name);
	case EVENT_REFLEX: case EVENT_RULE: case EVENT_DERME: case EVENT_DECOY: case EVENT_COUNT:
		break;
	}
	return false;
}

static void circle_from(struct circling *c, size_t from)
{
	const struct pol_playbook *p = &c->all->playbooks[from];
	size_t len = c->path.len;

	c->state[from] = UNDER_WAY;
	for (size_t i = 0; i < c->all->binding_count; i++) {
		const struct pol_binding *b = &c->all->bindings[i];

		if (!playbook_causes(p, b))
			continue;
		buf_printf(&c->path, "%s, then %s%s%s runs ", p->name, event_word(b->event), *b->of ? "." : "", b->of);
		if (c->state[b->playbook] == CALM) {
			circle_from(c, b->playbook);
		} else if (c->state[b->playbook] == UNDER_WAY) {
			struct diag *d = diag(c->r->diags, DIAG_PLAYBOOK_CIRCLE, b->span, "playbooks run each other without end");

			diag_at(d, c->all->playbooks[b->playbook].span, "this one runs itself again");
			diag_note(d, "%s%s", buf_text(&c->path), c->all->playbooks[b->playbook].name);
		}
		c->path.len = len;
		if (c->path.at)
			c->path.at[len] = '\0';
	}
	c->state[from] = DONE;
}

static void circles_find(struct reading *r)
{
	struct circling c = { .all = &r->policy->responses, .r = r };

	for (size_t i = 0; i < c.all->playbook_count; i++)
		if (c.state[i] == CALM)
			circle_from(&c, i);
	buf_release(&c.path);
}

/* --- homeostasis --------------------------------------------------------------------------------------------- */

static bool regulation_wrong(struct reading *r, const struct node *n, const char *what, const char *help)
{
	diag_help(diag(r->diags, DIAG_REGULATION, n->span, "%s", what), "%s", help);
	return false;
}

static bool feeling_read(struct reading *r, const struct node *n, struct play_feeling *out)
{
	const struct node *lasts = node_find(n, NODE_LASTS);
	uint64_t share;

	if (n->kind != NODE_COMPARE || n->first->kind == NODE_CALL)
		return regulation_wrong(r, n, "this is no feeling", "write: qualia.pain > 0.6 for 30s");
	relation_find(n->text, &out->relation);
	if (!play_sense(r, n->first, &out->sense) || !play_share(r, n->first->next, &share))
		return false;
	out->share = (uint32_t)share;
	if (out->relation == RELATION_EQ || out->relation == RELATION_NE)
		return regulation_wrong(r, n, "a figure is never exactly this, or always something else", "ask with <, <=, >= or >");
	if (!lasts)
		return regulation_wrong(r, n, "how long it is felt is not said: every flicker would count", "say it: for 30s");
	return play_time(r, lasts->first, PLAYBOOK_TIME_NS_MAX, &out->lasts_ns);
}

static bool feelings_read(struct reading *r, const struct node *where, struct play_feeling *out, uint32_t *count)
{
	const struct node *n = where->first->kind == NODE_AND ? where->first->first : where->first;
	bool many = where->first->kind == NODE_AND, sound = true;

	for (; n; n = many ? n->next : NULL) {
		if (*count == PLAYBOOK_TERMS_MAX)
			return regulation_wrong(r, n, "too much is asked at once", "eight feelings are the most");
		sound &= feeling_read(r, n, &out[*count]);
		(*count)++;
	}
	return sound;
}

/* `throttle priority low to 20%` */
static bool throttle_read(struct reading *r, const struct node *phrase, struct play_regulation *out)
{
	const struct node *word = phrase->first, *which = word ? word->next : NULL, *to = which ? which->next : NULL;
	const struct node *share = to ? to->next : NULL;
	uint64_t part;

	out->act = REGULATE_THROTTLE;
	out->posture = "";
	if (!share || share->next || word->kind != NODE_NAME || strcmp(word->text, "priority") || which->kind != NODE_NAME ||
	    to->kind != NODE_KEYWORD || strcmp(to->text, "to"))
		return regulation_wrong(r, phrase, "homeostasis throttles by priority", "write: throttle priority low to 20%");
	for (int i = 0; i < PRIORITY_COUNT; i++)
		if (!strcmp(which->text, priority_name((enum priority)i))) {
			out->priority = (enum priority)i;
			if (!play_share(r, share, &part))
				return false;
			out->share = (uint32_t)part;
			return part || regulation_wrong(r, share, "a throttle to nothing is a block", "leave a part, at least 1%");
		}
	return regulation_wrong(r, which, "there is no such priority", "there are low and normal");
}

static bool posture_read(struct reading *r, const struct node *phrase, struct play_regulation *out)
{
	const struct node *name = phrase->first;

	out->act = REGULATE_POSTURE;
	if (!name || name->next || name->kind != NODE_NAME)
		return regulation_wrong(r, phrase, "homeostasis takes one posture", "write: posture NAME until ...");
	out->posture = name->text;
	if (!play_name_fits(r, name->span, name->text))
		return false;
	return scope_posture(r, name) != NULL;
}

static bool act_read(struct reading *r, const struct node *phrase, struct play_regulation *out)
{
	if (!strcmp(phrase->text, "posture"))
		return posture_read(r, phrase, out);
	if (!strcmp(phrase->text, "throttle"))
		return throttle_read(r, phrase, out);
	return regulation_wrong(r, phrase, "homeostasis takes a posture or throttles, nothing else",
				"what does more is a playbook: on posture.NAME run ...");
}

static bool end_read(struct reading *r, const struct node *n, struct play_regulation *out)
{
	const struct node *until = node_find(n, NODE_UNTIL);

	if (!until && out->act == REGULATE_POSTURE) {
		diag_help(diag(r->diags, DIAG_REGULATION_RETURN, n->span, "the posture has no way back"),
			  "say when it ends: until qualia.pain < 0.2 for 5m; or that someone decides: until approved");
		return false;
	}
	if (!until)
		return true;
	if (until->first->kind == NODE_NAME && !strcmp(until->first->text, "approved")) {
		out->end = REGULATION_APPROVED;
		return true;
	}
	out->end = REGULATION_UNTIL;
	return feelings_read(r, until, out->until, &out->until_count);
}

static bool is_upward(const struct play_feeling *f)
{
	return f->relation == RELATION_GT || f->relation == RELATION_GE;
}

/* Between what begins it and what ends it lies a stretch that does neither. */
static bool feelings_are_apart(const struct play_feeling *when, const struct play_feeling *until)
{
	if (when->sense != until->sense || is_upward(when) == is_upward(until))
		return false;
	return is_upward(when) ? until->share < when->share : until->share > when->share;
}

static void swing_check(struct reading *r, const struct pol_regulation *g)
{
	const struct play_regulation *m = &g->meant;

	if (m->end != REGULATION_UNTIL)
		return;
	for (uint32_t i = 0; i < m->when_count; i++)
		for (uint32_t j = 0; j < m->until_count; j++)
			if (feelings_are_apart(&m->when[i], &m->until[j]))
				return;
	diag_help(diag(r->diags, DIAG_REGULATION_SWINGS, g->span, "what ends this does not lie apart from what begins it"),
		  "of one sense that begins it, `until` asks for clearly less (or more): when qualia.pain > 0.6 ... until qualia.pain < 0.2");
}

/* Every state in which y holds is one of x's. */
static bool feeling_follows(const struct play_feeling *x, const struct play_feeling *y)
{
	if (x->sense != y->sense || is_upward(x) != is_upward(y))
		return false;
	if (x->share == y->share)
		return x->relation == y->relation || x->relation == RELATION_GE || x->relation == RELATION_LE;
	return is_upward(x) ? y->share > x->share : y->share < x->share;
}

static bool when_follows(const struct play_regulation *x, const struct play_regulation *y)
{
	for (uint32_t i = 0; i < x->when_count; i++) {
		bool follows = false;

		for (uint32_t j = 0; j < y->when_count; j++)
			follows |= feeling_follows(&x->when[i], &y->when[j]);
		if (!follows)
			return false;
	}
	return true;
}

static bool feelings_exclude(const struct play_feeling *x, const struct play_feeling *y)
{
	bool strict = x->relation == RELATION_GT || x->relation == RELATION_LT || y->relation == RELATION_GT ||
		      y->relation == RELATION_LT;
	uint32_t low, high;

	if (x->sense != y->sense || is_upward(x) == is_upward(y))
		return false;
	low = is_upward(x) ? x->share : y->share;
	high = is_upward(x) ? y->share : x->share;
	return low > high || (low == high && strict);
}

static bool whens_exclude(const struct play_regulation *x, const struct play_regulation *y)
{
	for (uint32_t i = 0; i < x->when_count; i++)
		for (uint32_t j = 0; j < y->when_count; j++)
			if (feelings_exclude(&x->when[i], &y->when[j]))
				return true;
	return false;
}

/* An `order` says which of two postures is the tighter one. */
static bool order_knows(const struct reading *r, const char *a, const char *b)
{
	for (size_t i = 0; i < r->decls.len; i++) {
		bool has_a = false, has_b = false;

		if (r->decls.at[i]->kind != NODE_ORDER)
			continue;
		for (const struct node *n = r->decls.at[i]->first; n; n = n->next) {
			has_a |= n->kind == NODE_NAME && !strcmp(n->text, a);
			has_b |= n->kind == NODE_NAME && !strcmp(n->text, b);
		}
		if (has_a && has_b)
			return true;
	}
	return false;
}

/* Two postures at once, and nothing says which: neither is a stronger case of the other, nor tighter. */
static void fight_check(struct reading *r, const struct pol_regulation *x, const struct pol_regulation *y)
{
	const struct play_regulation *a = &x->meant, *b = &y->meant;
	bool stronger = when_follows(a, b) != when_follows(b, a);
	struct diag *d;

	if (a->act != REGULATE_POSTURE || b->act != REGULATE_POSTURE || !strcmp(a->posture, b->posture) || stronger ||
	    whens_exclude(a, b) || order_knows(r, a->posture, b->posture))
		return;
	d = diag(r->diags, DIAG_REGULATIONS_FIGHT, y->span, "two rules can ask for two postures at once");
	diag_at(d, x->span, "this one asks for %s", a->posture);
	diag_help(d, "say which is tighter, and it wins: order %s <= %s", b->posture, a->posture);
}

static void regulations_read(struct reading *r)
{
	VEC(struct pol_regulation) all = { 0 };

	for (size_t i = 0; i < r->decls.len; i++) {
		const struct node *decl = r->decls.at[i];

		for (const struct node *n = decl->kind == NODE_HOMEOSTASIS ? decl->first : NULL; n; n = n->next) {
			struct pol_regulation g = { .span = n->span };

			if (n->kind != NODE_REGULATION)
				continue;
			bool felt = feelings_read(r, node_find(n, NODE_WHERE), g.meant.when, &g.meant.when_count);
			bool acts = act_read(r, node_find(n, NODE_PHRASE), &g.meant);
			if (!acts || !end_read(r, n, &g.meant) || !felt)
				continue;
			if (all.len == PLAYBOOK_REGULATIONS_MAX) {
				diag(r->diags, DIAG_PLAYBOOK_LARGE, n->span, "homeostasis has at most %d lines", PLAYBOOK_REGULATIONS_MAX);
				break;
			}
			swing_check(r, &g);
			for (size_t j = 0; j < all.len; j++)
				fight_check(r, &all.at[j], &g);
			vec_push(r->arena, &all, g);
		}
	}
	r->policy->responses.regulations = all.at;
	r->policy->responses.regulation_count = all.len;
}

/* --- decoys ----------------------------------------------------------------------------------------------------- */

static bool decoy_wrong(struct reading *r, const struct node *n, const char *what)
{
	diag_help(diag(r->diags, DIAG_DECOY_PART, n->span, "%s", what),
		  "write: decoy NAME { service ssh port 2222  reply banner \"SSH-2.0\"  technique T1110 }");
	return false;
}

/* `service ssh`, or with its port behind it */
static const struct node *word_value(const struct node *phrase)
{
	return phrase->first && phrase->first->kind == NODE_NAME ? phrase->first : NULL;
}

static bool decoy_port(struct reading *r, const struct node *value, struct play_decoy *out)
{
	uint64_t port;
	bool udp = value && value->kind == NODE_PART && value->first->kind == NODE_NAME && !strcmp(value->first->text, "udp");
	bool tcp = value && value->kind == NODE_PART && value->first->kind == NODE_NAME && !strcmp(value->first->text, "tcp");

	if (!value)
		return false;
	if (!value_number(r, udp || tcp ? value->last : value, UINT16_MAX, &port))
		return false;
	if (!port)
		return decoy_wrong(r, value, "port 0 is none");
	out->proto = udp ? PROTO_UDP_NUMBER : PROTO_TCP_NUMBER;
	out->port = (uint16_t)port;
	return true;
}

/* T1110, T1021.004 */
static bool technique_is_sound(const char *t)
{
	size_t digits = *t == 'T' ? strspn(t + 1, "0123456789") : 0;
	const char *rest = t + 1 + digits;

	return digits == 4 && (!*rest || (*rest == '.' && strspn(rest + 1, "0123456789") == 3 && !rest[4]));
}

static bool decoy_phrase(struct reading *r, const struct node *n, struct play_decoy *out)
{
	const struct node *first = n->first, *word = word_value(n);

	if (!strcmp(n->text, "service")) {
		if (!word || *out->service)
			return decoy_wrong(r, n, "a decoy pretends to be one service");
		out->service = word->text;
		if (!play_name_fits(r, word->span, word->text))
			return false;
		if (!word->next)
			return true;
		if (word->next->kind == NODE_KEYWORD && !strcmp(word->next->text, "port") && word->next->next && !out->port)
			return decoy_port(r, word->next->next, out);
		return decoy_wrong(r, word->next, "after a service stands at most its port");
	}
	if (!strcmp(n->text, "port"))
		return first && !first->next && !out->port ? decoy_port(r, first, out) : decoy_wrong(r, n, "a decoy listens on one port");
	if (!strcmp(n->text, "reply")) {
		if (!word || strcmp(word->text, "banner") || !word->next || word->next->kind != NODE_STRING || word->next->next ||
		    *out->banner || strlen(word->next->text) > PLAYBOOK_TEXT_MAX)
			return decoy_wrong(r, n, "a decoy replies with one banner");
		out->banner = word->next->text;
		return true;
	}
	if (strcmp(n->text, "technique"))
		return decoy_wrong(r, n, "a decoy has no such part");
	if (!word || word->next || *out->technique || !technique_is_sound(word->text))
		return decoy_wrong(r, n, "a technique is one of MITRE ATT&CK, like T1110 or T1021.004");
	out->technique = word->text;
	return true;
}

static bool decoy_read(struct reading *r, const struct node *decl, struct play_decoy *out)
{
	const struct node *name = node_find(decl, NODE_NAME);
	bool sound = play_name_fits(r, name->span, name->text);

	*out = (struct play_decoy){ .name = name->text, .service = "", .banner = "", .technique = "" };
	for (const struct node *n = decl->first; n; n = n->next) {
		sound &= n->kind != NODE_HOLE;
		if (n->kind == NODE_PHRASE)
			sound &= decoy_phrase(r, n, out);
	}
	if (sound && (!*out->service || !out->port))
		return decoy_wrong(r, name, *out->service ? "this decoy has no port" : "this decoy pretends to be no service");
	return sound;
}

static bool decoy_is_alone(struct reading *r, const struct pol_decoy *d, const struct pol_decoy *other)
{
	const struct play_decoy *a = &d->meant, *b = &other->meant;

	if (!strcmp(a->name, b->name))
		diag_at(diag(r->diags, DIAG_NAME_TWICE, d->span, "`%s` is declared twice", a->name), other->span, "declared here first");
	else if (a->proto == b->proto && a->port == b->port)
		diag_at(diag(r->diags, DIAG_DECOY_PART, d->span, "two decoys listen on port %u", a->port), other->span, "the first one");
	else
		return true;
	return false;
}

static void decoys_read(struct reading *r)
{
	VEC(struct pol_decoy) all = { 0 };

	for (size_t i = 0; i < r->decls.len; i++) {
		const struct node *decl = r->decls.at[i];
		struct pol_decoy d;
		bool alone = true;

		if (decl->kind != NODE_DECOY)
			continue;
		const struct node *name = node_find(decl, NODE_NAME);
		d.span = name->span;
		use_note(r, USE_DECOY, name->text, name->span, name->span);
		if (!decoy_read(r, decl, &d.meant))
			continue;
		for (size_t j = 0; alone && j < all.len; j++)
			alone = decoy_is_alone(r, &d, &all.at[j]);
		if (all.len == PLAYBOOK_DECOYS_MAX) {
			diag(r->diags, DIAG_PLAYBOOK_LARGE, d.span, "a policy has at most %d decoys", PLAYBOOK_DECOYS_MAX);
			break;
		}
		vec_push(r->arena, &all, d);
	}
	r->policy->responses.decoys = all.at;
	r->policy->responses.decoy_count = all.len;
}

void declare_responses(struct reading *r)
{
	decoys_read(r);
	bindings_read(r);
	circles_find(r);
	regulations_read(r);
}
