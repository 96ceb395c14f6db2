/*
 * respond.c - what runs playbooks, `on ... run`, and whether they run each other in a circle.
 */
#include <string.h>

#include "compiler/front/response/responding.h"
#include "lang/base/near.h"

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

void declare_responses(struct reading *r)
{
	decoys_read(r);
	bindings_read(r);
	circles_find(r);
	regulations_read(r);
}
