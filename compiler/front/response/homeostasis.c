/*
 * homeostasis.c - what regulates by itself: lines of `homeostasis`, whether one swings, and whether two pull in two directions.
 */
#include <string.h>

#include "compiler/front/response/responding.h"

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

void regulations_read(struct reading *r)
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
