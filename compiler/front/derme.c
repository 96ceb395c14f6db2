/*
 * derme.c - rules on sessions: conditions become code as they are read.
 */
#include <string.h>

#include "compiler/front/response/responding.h"
#include "lang/base/near.h"

struct building {
	struct reading *r;
	VEC(struct netset) sets;
	VEC(struct derme_op) ops; /* of the rule at hand */
	unsigned depth, deepest;  /* of truths */
	bool told;
};

/* --- conditions ---------------------------------------------------------------------------- */

static void push(struct building *b, struct derme_op op, int grows)
{
	vec_push(b->r->arena, &b->ops, op);
	b->depth += (unsigned)grows;
	b->deepest = b->depth > b->deepest ? b->depth : b->deepest;
}

static bool wrong(struct building *b, const struct node *n, const char *what, const char *help)
{
	diag_help(diag(b->r->diags, DIAG_SESSION, n->span, "%s", what), "%s", help);
	return false;
}

static bool field_read(struct building *b, const struct node *n, enum session *out)
{
	struct near near;
	struct diag *d;

	if (n->kind == NODE_NAME && session_find(n->text, out))
		return true;
	d = diag(b->r->diags, DIAG_SESSION, n->span, "this is not known of a session");
	near = near_to(n->kind == NODE_NAME ? n->text : "");
	for (int f = 0; f < SESSION_FIELDS; f++)
		near_try(&near, session_name((enum session)f));
	if (!tell_near(b->r, d, &near, n->span))
		diag_help(d, "there are %s, %s, %s and others", session_name(SESSION_SYN_COUNT), session_name(SESSION_BYTES_OUT),
			  session_name(SESSION_ESTABLISHED));
	return false;
}

static bool number_read(struct building *b, const struct node *n, enum sort sort, uint64_t *out)
{
	switch ((unsigned)sort) {
	case SORT_COUNT:
		return value_count(b->r, n, out);
	case SORT_BYTES:
		return value_amount(b->r, n, TYPE_BYTES, out);
	case SORT_DURATION:
		return value_duration(b->r, n, out);
	}
	return play_share(b->r, n, out);
}

static bool compare_read(struct building *b, const struct node *n)
{
	const struct node *within = node_find(n, NODE_WITHIN), *lasts = node_find(n, NODE_LASTS);
	struct derme_op op = { .kind = DERME_COMPARE };

	if (n->first->kind == NODE_CALL)
		return wrong(b, n->first, "nothing is computed of a session", "ask a field: session.syn_count > 10");
	if (lasts)
		return wrong(b, lasts, "what holds of a session holds from packet to packet", "for what adds up: within 5s");
	if (!field_read(b, n->first, &op.field))
		return false;
	if (session_sort(op.field) == SORT_BOOLEAN)
		return wrong(b, n, "this is true or false, and no number", "write it alone, or behind `not`");
	relation_find(n->text, &op.relation);
	if (!number_read(b, n->first->next, session_sort(op.field), &op.number))
		return false;
	if (within && !session_sums(op.field))
		return wrong(b, within, "this does not add up over a time", "leave `within` out");
	if (within && !play_time(b->r, within->first, DERME_WINDOW_NS_MAX, &op.within_ns))
		return false;
	push(b, op, 1);
	return true;
}

static bool end_read(struct building *b, const struct node *n)
{
	struct derme_op op = { .kind = n->kind == NODE_FROM ? DERME_FROM : DERME_TO, .set = (uint16_t)b->sets.len };
	struct netset set;

	if (!value_net(b->r, n->first, &set))
		return false;
	vec_push(b->r->arena, &b->sets, set);
	push(b, op, 1);
	return true;
}

static bool condition_read(struct building *b, const struct node *n);

static bool join_read(struct building *b, const struct node *n)
{
	struct derme_op op = { .kind = n->kind == NODE_AND ? DERME_AND : DERME_OR };
	bool sound = condition_read(b, n->first);

	for (const struct node *part = n->first->next; part; part = part->next) {
		sound &= condition_read(b, part);
		push(b, op, -1);
	}
	return sound;
}

static bool condition_read(struct building *b, const struct node *n)
{
	struct derme_op op = { .kind = DERME_IS };
	bool sound;

	switch ((unsigned)n->kind) {
	case NODE_AND:
	case NODE_OR:
		return join_read(b, n);
	case NODE_NOT:
		sound = n->first->kind == NODE_FROM || n->first->kind == NODE_TO ? end_read(b, n->first) :
										   condition_read(b, n->first);
		push(b, (struct derme_op){ .kind = DERME_NOT }, 0);
		return sound;
	case NODE_COMPARE:
		return compare_read(b, n);
	}
	if (!field_read(b, n, &op.field))
		return false;
	if (session_sort(op.field) != SORT_BOOLEAN)
		return wrong(b, n, "this is a number, and neither true nor false", "compare it: session.syn_count > 10");
	push(b, op, 1);
	return true;
}

static bool when_read_here(struct building *b, const struct node *where, struct derme_rule *out)
{
	bool sound;

	b->ops.at = NULL;
	b->ops.len = b->ops.room = 0;
	b->depth = b->deepest = 0;
	sound = condition_read(b, where->first);
	if (sound && (b->ops.len > DERME_OPS_MAX || b->deepest > DERME_STACK_MAX))
		return wrong(b, where->first, "this condition is too long for one rule", "make several rules of it");
	out->kind = DERME_WHEN;
	out->ops = b->ops.at;
	out->op_count = (uint32_t)b->ops.len;
	return sound;
}

/* --- files --------------------------------------------------------------------------------------- */

static bool file_name(struct building *b, const struct node *n, struct derme_rule *out)
{
	if (!n || n->kind != NODE_STRING || !*n->text || strlen(n->text) > DERME_FILE_MAX)
		return n && n->kind != NODE_STRING ? value_is_not(b->r, n, "the name of a file, as a string,") : false;
	out->file = n->text;
	return true;
}

/* `signatures "FILE"` */
static bool signatures_read(struct building *b, const struct node *phrase, struct derme_rule *out)
{
	out->kind = DERME_SIGNATURES;
	if (phrase->first && !phrase->first->next)
		return file_name(b, phrase->first, out);
	return wrong(b, phrase, "signatures stand in a file", "write: signatures \"signatures/web.rules\" do drop");
}

/* `anomaly model "FILE" score > 0.95` */
static bool anomaly_read(struct building *b, const struct node *phrase, struct derme_rule *out)
{
	const struct node *model = phrase->first, *file = model ? model->next : NULL, *score = file ? file->next : NULL;
	uint64_t share;

	out->kind = DERME_ANOMALY;
	if (!score || score->next || model->kind != NODE_NAME || strcmp(model->text, "model") != 0 || score->kind != NODE_COMPARE ||
	    score->first->kind != NODE_NAME || strcmp(score->first->text, "score") != 0 || strcmp(score->text, ">") != 0)
		return wrong(b, phrase, "an anomaly is told by a model, above a score",
			     "write: anomaly model \"models/edge.tegm\" score > 0.95 do inspect");
	if (!file_name(b, file, out) || !play_share(b->r, score->first->next, &share))
		return false;
	out->score = (uint32_t)share;
	return true;
}

static bool phrase_read(struct building *b, const struct node *phrase, struct derme_rule *out)
{
	if (!strcmp(phrase->text, "signatures"))
		return signatures_read(b, phrase, out);
	if (!strcmp(phrase->text, "anomaly"))
		return anomaly_read(b, phrase, out);
	return wrong(b, phrase, arena_printf(b->r->arena, "a session is not judged by `%s`", phrase->text),
		     "a rule begins with when, signatures or anomaly");
}

/* --- what is done ------------------------------------------------------------------------------------ */

static bool do_wrong(struct building *b, const struct node *n)
{
	diag_help(diag(b->r->diags, DIAG_SESSION_DO, n->span, "this cannot be done with a session"),
		  "there are drop, throttle 100/s, inspect, capture 512B and emit high");
	return false;
}

static bool capture_read(struct building *b, const struct node *n, struct derme_rule *out)
{
	uint64_t bytes;

	if (!n->first || n->first->next)
		return do_wrong(b, n);
	if (!value_amount(b->r, n->first, TYPE_BYTES, &bytes))
		return false;
	if (!bytes || bytes > DERME_CAPTURE_MAX) {
		diag(b->r->diags, DIAG_NUMBER_RANGE, n->first->span, "1 to %u bytes of a packet are captured", DERME_CAPTURE_MAX);
		return false;
	}
	out->capture_bytes = (uint32_t)bytes;
	return true;
}

static bool throttle_read(struct building *b, const struct node *n, struct derme_rule *out)
{
	struct value_rate rate;

	if (!n->first || n->first->next)
		return do_wrong(b, n);
	if (!value_rate(b->r, n->first, NULL, &rate))
		return false;
	if (rate.bytes || rate.window_ns != 1000000000)
		return do_wrong(b, n);
	out->throttle_count = rate.count;
	out->throttle_ns = rate.window_ns;
	return true;
}

static bool effect_read(struct building *b, const struct node *n, struct derme_rule *out)
{
	struct pol_effects effects = { 0 };

	if (n->kind == NODE_ACTION) {
		out->drops = n->word == VERDICT_DROP && !n->first;
		return out->drops || do_wrong(b, n);
	}
	if (n->kind == NODE_EMIT) {
		if (out->emits || !emit_read(b->r, n, &effects))
			return out->emits ? do_wrong(b, n) : false;
		out->emits = true;
		out->severity = effects.severity;
		out->one_in = effects.one_in;
		return true;
	}
	if (!strcmp(n->text, "capture"))
		return capture_read(b, n, out);
	if (!strcmp(n->text, "throttle"))
		return throttle_read(b, n, out);
	out->inspects = !strcmp(n->text, "inspect") && !n->first;
	return out->inspects || do_wrong(b, n);
}

/* --- rules ----------------------------------------------------------------------------------------------- */

static const char *name_of(struct building *b, const struct node *sense, const struct node *head)
{
	const char *label = node_find_text(sense, NODE_LABEL);

	if (label || head->kind == NODE_PHRASE)
		return label ? label : head->text;
	diag_help(diag(b->r->diags, DIAG_SESSION_NAME, head->span, "this rule has no name to be counted under"),
		  "give it one: NAME: when ...");
	return NULL;
}

static bool sense_read(struct building *b, const struct node *sense, struct derme_rule *out)
{
	const struct node *where = node_find(sense, NODE_WHERE);
	const struct node *head = where ? where : node_find(sense, NODE_PHRASE);
	const struct node *label = node_find(sense, NODE_LABEL);
	const char *name = name_of(b, sense, head);
	bool sound = name != NULL;

	if (label)
		use_note(b->r, USE_SENSE, label->text, label->span, label->span);

	*out = (struct derme_rule){ .id = name ? arena_printf(b->r->arena, "derme.%s", name) : "", .file = "" };
	sound &= where ? when_read_here(b, where, out) : phrase_read(b, head, out);
	for (const struct node *n = head->next; n; n = n->next)
		sound &= effect_read(b, n, out);
	return sound;
}

void declare_derme(struct reading *r)
{
	struct building b = { .r = r };
	VEC(struct derme_rule) rules = { 0 };
	struct strmap names;

	strmap_init(&names, r->arena);
	for (size_t i = 0; i < r->decls.len; i++) {
		const struct node *first;

		if (r->decls.at[i]->kind != NODE_DERME)
			continue;
		for (const struct node *n = r->decls.at[i]->first; n; n = n->next) {
			struct derme_rule rule;

			if (n->kind != NODE_SENSE || !sense_read(&b, n, &rule))
				continue;
			if ((first = strmap_find(&names, rule.id))) {
				diag_at(diag(r->diags, DIAG_LABEL_TWICE, n->span, "`%s` is there twice", rule.id), first->span,
					"here first");
				continue;
			}
			strmap_put(&names, rule.id, (void *)n);
			vec_push(r->arena, &rules, rule);
		}
	}
	if (rules.len > DERME_RULES_MAX || b.sets.len > DERME_SETS_MAX)
		diag(r->diags, DIAG_SESSION, SPAN_NOWHERE, "there may be at most %d rules on sessions, with %d sets of addresses",
		     DERME_RULES_MAX, DERME_SETS_MAX);
	r->policy->derme = (struct derme){ b.sets.at, (uint32_t)b.sets.len, rules.at, (uint32_t)rules.len };
}
