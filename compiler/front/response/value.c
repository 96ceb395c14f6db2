/*
 * value.c - values of playbooks: constants, parameters, what an event tells, what is felt.
 */
#include <string.h>

#include "compiler/front/response/responding.h"
#include "lang/base/duration.h"
#include "lang/base/near.h"
#include "lang/vocab/verdict.h"

/* --- which sort ------------------------------------------------------------------------------- */

static const enum sort param_sorts[] = { SORT_ADDRESS, SORT_SEVERITY, SORT_DURATION, SORT_COUNT, SORT_BYTES, SORT_BANDWIDTH,
					 SORT_SHARE, SORT_TEXT, SORT_BOOLEAN };

bool play_param_sort(const char *type, enum sort *out)
{
	for (size_t i = 0; i < sizeof param_sorts / sizeof *param_sorts; i++)
		if (!strcmp(sort_name(param_sorts[i]), type)) {
			*out = param_sorts[i];
			return true;
		}
	return false;
}

static const struct {
	enum sort sort;
	enum type type;
} amount_sorts[] = {
	{ SORT_DURATION, TYPE_DURATION }, { SORT_COUNT, TYPE_COUNT }, { SORT_BYTES, TYPE_BYTES },
	{ SORT_BANDWIDTH, TYPE_BANDWIDTH }, { SORT_SEVERITY, TYPE_SEVERITY }, { SORT_BOOLEAN, TYPE_BOOLEAN },
};

static enum type type_of_sort(enum sort s)
{
	for (size_t i = 0; i < sizeof amount_sorts / sizeof *amount_sorts; i++)
		if (amount_sorts[i].sort == s)
			return amount_sorts[i].type;
	return TYPE_END;
}

static bool sort_of_unit(const char *quantity, enum sort *out)
{
	static const struct {
		const char *suffix;
		enum sort sort;
	} units[] = {
#define SORT_PERCENT SORT_SHARE
#define UNIT(suffix, dimension, worth) { suffix, SORT_##dimension },
#include "lang/vocab/unit.def"
#undef UNIT
#undef SORT_PERCENT
	};
	const char *suffix = quantity + strspn(quantity, "0123456789.");

	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (!strcmp(units[i].suffix, suffix)) {
			*out = units[i].sort;
			return true;
		}
	return false;
}

static bool severity_is(const char *word)
{
	for (int s = 0; s < EVENT_SEVERITY_COUNT; s++)
		if (!strcmp(event_severity_name((enum event_severity)s), word))
			return true;
	return false;
}

/* What the policy's own parameters and words are here. */
static bool sort_of_name(struct reading *r, const char *name, enum sort *out)
{
	const struct symbol *s = scope_peek(r, name);
	enum sense sense;

	*out = SORT_SEVERITY;
	if (s && s->kind == SYMBOL_PARAM)
		return play_param_sort(type_name(s->type), out);
	if (severity_is(name))
		return true;
	*out = SORT_BOOLEAN;
	if (!strcmp(name, "true") || !strcmp(name, "false"))
		return true;
	*out = SORT_SHARE;
	return sense_find(name, &sense);
}

/* --- constants ---------------------------------------------------------------------------------- */

/* A number without a unit; with a point in it the scanner calls it a quantity. */
static bool is_decimal(const struct node *n)
{
	return (n->kind == NODE_NUMBER || n->kind == NODE_QUANTITY) && !n->text[strspn(n->text, "0123456789.")];
}

/* "0.25": at most six digits behind the point. */
static bool decimal_read(const char *text, uint64_t *millionths)
{
	uint64_t whole = 0, part = 0, scale = SHARE_WHOLE;
	const char *c = text;

	for (; *c >= '0' && *c <= '9' && whole <= 1; c++)
		whole = whole * 10 + (uint64_t)(*c - '0');
	if (*c == '.')
		for (c++; *c >= '0' && *c <= '9' && scale > 1; c++) {
			scale /= 10;
			part += (uint64_t)(*c - '0') * scale;
		}
	*millionths = whole * SHARE_WHOLE + part;
	return !*c && *millionths <= SHARE_WHOLE;
}

/* A whole number beyond 1 was meant in hundredths. */
static void share_out_of_range(struct reading *r, const struct node *n)
{
	struct diag *d = diag(r->diags, DIAG_NUMBER_RANGE, n->span, "a share of a whole is from 0 to 1");

	diag_help(d, "write 0.6, or 60%%");
	if (n->kind == NODE_NUMBER && strlen(n->text) <= 3 && atoi(n->text) <= 100)
		diag_fix(d, n->span, "%s%%", n->text);
}

bool play_share(struct reading *r, const struct node *n, uint64_t *out)
{
	uint64_t hundredths;

	if (is_decimal(n)) {
		if (decimal_read(n->text, out))
			return true;
		share_out_of_range(r, n);
		return false;
	}
	if (!value_amount(r, n, TYPE_PERCENTAGE, &hundredths))
		return false;
	if (hundredths > 10000) {
		diag(r->diags, DIAG_NUMBER_RANGE, n->span, "a share of a whole is at most 100%%");
		return false;
	}
	*out = hundredths * (SHARE_WHOLE / 10000);
	return true;
}

bool play_time(struct reading *r, const struct node *n, uint64_t most, uint64_t *out)
{
	own(buf) struct buf words = { 0 };

	if (!value_duration(r, n, out))
		return false;
	if (*out <= most)
		return true;
	duration_say(&words, most);
	diag(r->diags, DIAG_NUMBER_RANGE, n->span, "this is longer than %s", buf_text(&words));
	return false;
}

bool play_sense(struct reading *r, const struct node *n, enum sense *out)
{
	struct near near;

	if (n->kind != NODE_NAME)
		return value_is_not(r, n, "a sense");
	if (sense_find(n->text, out))
		return true;
	struct diag *d = diag(r->diags, DIAG_SENSE_UNKNOWN, n->span, "nothing is felt as `%s`", n->text);
	near = near_to(n->text);
	for (int s = 0; s < SENSE_COUNT; s++)
		near_try(&near, sense_name((enum sense)s));
	if (!tell_near(r, d, &near, n->span))
		diag_help(d, "for example `%s`: %s", sense_name(SENSE_PAIN), sense_about(SENSE_PAIN));
	return false;
}

bool play_name_fits(struct reading *r, struct span at, const char *name)
{
	if (strlen(name) <= PLAYBOOK_NAME_MAX)
		return true;
	diag(r->diags, DIAG_NUMBER_RANGE, at, "a name is at most %d bytes long", PLAYBOOK_NAME_MAX);
	return false;
}

static bool address_read(struct reading *r, const struct node *n, struct addr *out)
{
	struct netset set;

	if (!value_prefix(r, n, TYPE_ADDRESS, &set))
		return false;
	out->family = set.len[FAMILY_IP4] ? FAMILY_IP4 : FAMILY_IP6;
	out->num = set.at[out->family][0].lo;
	return true;
}

static bool text_read(struct reading *r, const struct node *n, const char **out)
{
	if (!value_text(r, n, TYPE_TEXT, out))
		return false;
	if (strlen(*out) <= PLAYBOOK_TEXT_MAX)
		return true;
	diag(r->diags, DIAG_NUMBER_RANGE, n->span, "a text is at most %d bytes long", PLAYBOOK_TEXT_MAX);
	return false;
}

/* A bare name: of a channel, a zone, a posture. */
static bool name_read(struct reading *r, const struct node *n, enum sort sort, const char **out)
{
	const struct symbol *zone;

	if (n->kind != NODE_NAME)
		return value_is_not(r, n, sort_with_article(sort));
	*out = n->text;
	if (!play_name_fits(r, n->span, n->text))
		return false;
	if (sort == SORT_POSTURE)
		return scope_posture(r, n) != NULL;
	if (sort != SORT_ZONE)
		return true;
	zone = scope_find(r, n, "zone");
	return zone && (zone->kind == SYMBOL_ZONE || value_is_not(r, n, "a zone"));
}

static bool choice_read(struct reading *r, const struct node *n, uint64_t *out)
{
	for (int c = 0; c < CHOICE_COUNT; c++)
		if (n->kind == NODE_NAME && !strcmp(n->text, choice_name((enum choice)c))) {
			*out = (uint64_t)c;
			return true;
		}
	return value_is_not(r, n, sort_with_article(SORT_CHOICE));
}

static bool constant_read(struct reading *r, const struct node *n, enum sort due, struct play_constant *out)
{
	enum play_relation relation;
	enum sense sense;
	bool sound;

	*out = (struct play_constant){ .sort = due };
	switch (due) {
	case SORT_ADDRESS:
		return address_read(r, n, &out->addr);
	case SORT_DURATION:
		return play_time(r, n, PLAYBOOK_TIME_NS_MAX, &out->number);
	case SORT_SEVERITY: case SORT_COUNT: case SORT_BYTES: case SORT_BANDWIDTH: case SORT_BOOLEAN:
		return value_amount(r, n, type_of_sort(due), &out->number);
	case SORT_SHARE:
		return play_share(r, n, &out->number);
	case SORT_TEXT:
		return text_read(r, n, &out->text);
	case SORT_NAME: case SORT_ZONE: case SORT_POSTURE:
		return name_read(r, n, due, &out->text);
	case SORT_SENSE:
		sound = play_sense(r, n, &sense);
		out->number = sound ? sense : 0;
		return sound;
	case SORT_RELATION: /* the text of a comparison */
		sound = relation_find(n->text, &relation);
		out->number = relation;
		return sound;
	case SORT_CHOICE:
		return choice_read(r, n, &out->number);
	case SORT_RECORD: case SORT_COUNT_:
		break;
	}
	return value_is_not(r, n, sort_with_article(due));
}

/* --- what is no constant ---------------------------------------------------------------------------- */

static const struct pol_play_param *param_find(const struct play_scope *in, const struct node *n, unsigned *index)
{
	for (unsigned i = 0; in->playbook && n->kind == NODE_NAME && i < in->playbook->param_count; i++)
		if (!strcmp(in->playbook->params[i].name, n->text)) {
			*index = i;
			return &in->playbook->params[i];
		}
	return NULL;
}

#define EVENT_PREFIX "event."

static bool is_of_event(const struct node *n)
{
	return n->kind == NODE_NAME && !strncmp(n->text, EVENT_PREFIX, strlen(EVENT_PREFIX));
}

static bool event_read(const struct play_scope *in, const struct node *n, struct pol_value *out)
{
	const char *name = n->text + strlen(EVENT_PREFIX);
	struct near near = near_to(name);
	enum event_field f;
	struct diag *d;

	if (!in->event) {
		diag_help(diag(in->r->diags, DIAG_EVENT_FIELD, n->span, "no event is known here"),
			  "give it to the playbook as a parameter, where an event runs it");
		return false;
	}
	if (event_field_find(name, &f) && event_has(*in->event, f)) {
		*out = (struct pol_value){ .kind = VALUE_EVENT, .sort = event_field_sort(f), .index = f };
		return true;
	}
	d = diag(in->r->diags, DIAG_EVENT_FIELD, n->span, "an event of `%s` has no `%s`", event_word(*in->event), name);
	for (int i = 0; i < EVENT_FIELD_COUNT; i++)
		if (event_has(*in->event, (enum event_field)i))
			near_try(&near, event_field_name((enum event_field)i));
	if (near.best)
		diag_help(d, "did you mean `event.%s`?", near.best);
	fix_near(in->r, d, &near, n->span);
	return false;
}

static bool sort_is(const struct play_scope *in, const struct node *n, enum sort due, const struct pol_value *v)
{
	if (v->sort == due)
		return true;
	diag_label(diag(in->r->diags, DIAG_TYPE, n->span, "%s is due here", sort_with_article(due)), "this is %s",
		   sort_with_article(v->sort));
	return false;
}

static bool record_read(const struct play_scope *in, const struct node *n, struct pol_value *out)
{
	VEC(struct pol_field) fields = { 0 };
	bool sound = true;

	for (const struct node *f = n->first; f; f = f->next) {
		struct pol_field field = { .name = f->text };

		for (size_t i = 0; i < fields.len; i++)
			if (!strcmp(fields.at[i].name, f->text)) {
				diag(in->r->diags, DIAG_STEP_EXTRA, f->span, "`%s` stands twice in this record", f->text);
				sound = false;
			}
		sound &= play_name_fits(in->r, f->span, f->text);
		sound &= play_value_any(in, f->first, &field.value);
		vec_push(in->r->arena, &fields, field);
	}
	if (fields.len > PLAYBOOK_FIELDS_MAX) {
		diag(in->r->diags, DIAG_STEP_EXTRA, n->span, "a record has at most %d fields", PLAYBOOK_FIELDS_MAX);
		return false;
	}
	*out = (struct pol_value){ .kind = VALUE_RECORD, .sort = SORT_RECORD, .fields = fields.at, .field_count = fields.len };
	return sound;
}

bool play_value(const struct play_scope *in, const struct node *n, enum sort due, struct pol_value *out)
{
	const struct pol_play_param *p;
	unsigned index;

	if (is_of_event(n))
		return event_read(in, n, out) && sort_is(in, n, due, out);
	if ((p = param_find(in, n, &index))) {
		*out = (struct pol_value){ .kind = VALUE_PARAM, .sort = p->sort, .index = index };
		use_note(in->r, USE_PARAMETER, p->name, n->span, p->span);
		return sort_is(in, n, due, out);
	}
	if (due == SORT_RECORD && n->kind == NODE_RECORD)
		return record_read(in, n, out);
	*out = (struct pol_value){ .kind = VALUE_CONSTANT, .sort = due };
	return constant_read(in->r, n, due, &out->constant);
}

bool play_value_any(const struct play_scope *in, const struct node *n, struct pol_value *out)
{
	const struct pol_play_param *p;
	enum sense sense;
	enum sort sort;
	unsigned index;
	bool known = false;

	if ((p = param_find(in, n, &index)))
		return play_value(in, n, p->sort, out);
	if (is_of_event(n))
		return event_read(in, n, out);
	if (n->kind == NODE_NAME && sense_find(n->text, &sense)) {
		*out = (struct pol_value){ .kind = VALUE_SENSE, .sort = SORT_SHARE, .index = sense };
		return true;
	}
	switch ((unsigned)n->kind) {
	case NODE_STRING:
		return play_value(in, n, SORT_TEXT, out);
	case NODE_ADDRESS:
		return play_value(in, n, SORT_ADDRESS, out);
	case NODE_NUMBER:
		return play_value(in, n, SORT_COUNT, out);
	case NODE_QUANTITY:
		sort = SORT_SHARE;
		known = is_decimal(n) || sort_of_unit(n->text, &sort);
		break;
	case NODE_NAME:
		known = sort_of_name(in->r, n->text, &sort);
		break;
	}
	if (known)
		return play_value(in, n, sort, out);
	diag_help(value_mistyped(in->r, n, "a value of a playbook"), "a parameter, \"a text\", an amount with its unit, or an address");
	return false;
}

/* --- conditions ----------------------------------------------------------------------------------------- */

static bool compare_read(const struct play_scope *in, const struct node *n, struct pol_condition *out)
{
	const struct node *left = n->first, *right = left->next, *more = right->next;
	unsigned index;
	bool turned = !param_find(in, left, &index) && param_find(in, right, &index);

	out->kind = CONDITION_COMPARE;
	relation_find(n->text, &out->relation);
	if (left->kind == NODE_CALL || more) {
		diag_help(diag(in->r->diags, DIAG_PLAYBOOK_PART, left->kind == NODE_CALL ? left->span : more->span,
			       "a playbook's `if` asks what is, not what was in a time"), "to wait for something: expect ... within ...");
		return false;
	}
	if (turned)
		return play_value_any(in, right, &out->right) && play_value(in, left, out->right.sort, &out->left);
	return play_value_any(in, left, &out->left) && play_value(in, right, out->left.sort, &out->right);
}

static bool order_fits(const struct play_scope *in, const struct node *n, const struct pol_condition *c)
{
	bool equal = c->relation == RELATION_EQ || c->relation == RELATION_NE;

	switch (c->left.sort) {
	case SORT_SEVERITY: case SORT_DURATION: case SORT_COUNT: case SORT_BYTES: case SORT_BANDWIDTH: case SORT_SHARE:
		return true;
	case SORT_ADDRESS: case SORT_TEXT: case SORT_BOOLEAN: case SORT_NAME: case SORT_ZONE: case SORT_POSTURE: case SORT_SENSE:
	case SORT_RELATION: case SORT_CHOICE: case SORT_RECORD: case SORT_COUNT_:
		break;
	}
	if (!equal)
		diag_help(diag(in->r->diags, DIAG_TYPE, n->span, "%s is not more or less than another", sort_with_article(c->left.sort)),
			  "ask with == or !=");
	return equal;
}

static bool parts_read(const struct play_scope *in, const struct node *n, struct pol_condition *out)
{
	VEC(struct pol_condition) parts = { 0 };
	bool sound = true;

	for (const struct node *c = n->first; c; c = c->next) {
		struct pol_condition part = { 0 };

		sound &= play_condition(in, c, &part);
		vec_push(in->r->arena, &parts, part);
	}
	out->parts = parts.at;
	out->part_count = parts.len;
	return sound;
}

bool play_condition(const struct play_scope *in, const struct node *n, struct pol_condition *out)
{
	switch ((unsigned)n->kind) {
	case NODE_COMPARE:
		return compare_read(in, n, out) && order_fits(in, n, out);
	case NODE_AND:
	case NODE_OR:
		out->kind = n->kind == NODE_AND ? CONDITION_AND : CONDITION_OR;
		return parts_read(in, n, out);
	case NODE_NOT:
		if (n->first->kind == NODE_FROM || n->first->kind == NODE_TO)
			return value_is_not(in->r, n, "a condition on values");
		out->kind = CONDITION_NOT;
		return parts_read(in, n, out);
	}
	out->kind = CONDITION_VALUE;
	return play_value(in, n, SORT_BOOLEAN, &out->left);
}
