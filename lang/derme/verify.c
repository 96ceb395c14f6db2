/*
 * verify.c - what is known of a session, by name; and may this code be run: every operation has what it takes, and one
 * truth is left.
 */
#include <errno.h>
#include <string.h>

#include "lang/derme/derme.h"

/* --- what is known of a session --------------------------------------------------------------- */

static const struct {
	const char *name;
	enum sort sort;
	bool sums;
} fields[SESSION_FIELDS] = {
#define SESSION(id, name, sort, sums, about) [SESSION_##id] = { name, SORT_##sort, sums },
#include "lang/vocab/session.def"
#undef SESSION
};

const char *session_name(enum session f)
{
	return fields[f].name;
}

enum sort session_sort(enum session f)
{
	return fields[f].sort;
}

bool session_sums(enum session f)
{
	return fields[f].sums;
}

bool session_find(const char *name, enum session *out)
{
	for (int f = 0; f < SESSION_FIELDS; f++)
		if (!strcmp(fields[f].name, name)) {
			*out = (enum session)f;
			return true;
		}
	return false;
}

/* --- does the code hold? ------------------------------------------------------------------------ */

static bool range_holds(const struct addr_range *r, size_t i, enum family f)
{
	return r[i].lo <= r[i].hi && r[i].hi <= family_max(f) && (!i || r[i - 1].hi < r[i].lo);
}

static bool set_holds(const struct netset *s)
{
	for (int f = 0; f < FAMILY_COUNT; f++)
		for (size_t i = 0; i < s->len[f]; i++)
			if (!range_holds(s->at[f], i, (enum family)f))
				return false;
	return true;
}

static bool compare_holds(const struct derme_op *op)
{
	if (op->field >= SESSION_FIELDS || op->relation >= RELATION_COUNT || session_sort(op->field) == SORT_BOOLEAN)
		return false;
	if (session_sort(op->field) == SORT_SHARE && op->number > SHARE_WHOLE)
		return false;
	return !op->within_ns || (session_sums(op->field) && op->within_ns <= DERME_WINDOW_NS_MAX);
}

/* How many truths it takes and gives, and whether its operands are in range. */
static bool op_holds(const struct derme *d, const struct derme_op *op, unsigned *takes)
{
	*takes = 0;
	switch (op->kind) {
	case DERME_COMPARE:
		return compare_holds(op);
	case DERME_IS:
		return op->field < SESSION_FIELDS && session_sort(op->field) == SORT_BOOLEAN;
	case DERME_FROM:
	case DERME_TO:
		return op->set < d->set_count;
	case DERME_NOT:
		*takes = 1;
		return true;
	case DERME_AND:
	case DERME_OR:
		*takes = 2;
		return true;
	case DERME_OP_COUNT:
		break;
	}
	return false;
}

static bool condition_holds(const struct derme *d, const struct derme_rule *r)
{
	unsigned depth = 0, takes;

	if (!r->op_count || r->op_count > DERME_OPS_MAX)
		return false;
	for (uint32_t i = 0; i < r->op_count; i++) {
		if (!op_holds(d, &r->ops[i], &takes) || depth < takes)
			return false;
		depth += 1 - takes;
		if (depth > DERME_STACK_MAX)
			return false;
	}
	return depth == 1;
}

static bool head_holds(const struct derme *d, const struct derme_rule *r)
{
	bool file = *r->file && strlen(r->file) <= DERME_FILE_MAX;

	switch (r->kind) {
	case DERME_WHEN:
		return !*r->file && !r->score && condition_holds(d, r);
	case DERME_SIGNATURES:
		return file && !r->score && !r->op_count;
	case DERME_ANOMALY:
		return file && r->score <= SHARE_WHOLE && !r->op_count;
	case DERME_KIND_COUNT:
		break;
	}
	return false;
}

static bool effects_hold(const struct derme_rule *r)
{
	bool does = r->drops || r->inspects || r->emits || r->capture_bytes || r->throttle_count;

	return does && r->capture_bytes <= DERME_CAPTURE_MAX && !r->throttle_count == !r->throttle_ns &&
	       r->severity < EVENT_SEVERITY_COUNT && !r->one_in == !r->emits;
}

int derme_verify(const struct derme *d, struct err *why)
{
	if (d->set_count > DERME_SETS_MAX || d->rule_count > DERME_RULES_MAX)
		return err_set(why, E2BIG, "at most %d rules on sessions, with %d sets of addresses", DERME_RULES_MAX,
			       DERME_SETS_MAX);
	for (uint32_t i = 0; i < d->set_count; i++)
		if (!set_holds(&d->sets[i]))
			return err_set(why, EINVAL, "set %u is out of range or order", i);
	for (uint32_t i = 0; i < d->rule_count; i++) {
		const struct derme_rule *r = &d->rules[i];

		if (!*r->id || strlen(r->id) > DERME_NAME_MAX)
			return err_set(why, EINVAL, "rule %u has no proper name", i);
		if (!head_holds(d, r))
			return err_set(why, EINVAL, "%s: its condition does not hold together", r->id);
		if (!effects_hold(r))
			return err_set(why, EINVAL, "%s: what it does is out of range", r->id);
		for (uint32_t j = 0; j < i; j++)
			if (!strcmp(d->rules[j].id, r->id))
				return err_set(why, EINVAL, "%s is there twice", r->id);
	}
	return 0;
}
