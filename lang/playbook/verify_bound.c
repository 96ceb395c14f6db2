/*
 * verify_bound.c - what stands beside the code: constants, bindings, regulations, decoys.
 */
#include <errno.h>
#include <string.h>

#include "lang/playbook/verify.h"

static bool text_is_sound(const char *s)
{
	return strlen(s) <= PLAYBOOK_TEXT_MAX;
}

static bool constant_is_sound(const struct play_constant *k)
{
	switch (sort_form(k->sort)) {
	case FORM_NUMBER:
		if (k->sort == SORT_DURATION)
			return play_time_is_sound(k->number);
		return k->number <= INT64_MAX && (!sort_values(k->sort) || k->number < sort_values(k->sort));
	case FORM_STRING:
		return k->sort == SORT_TEXT ? text_is_sound(k->text) : play_name_is_sound(k->text);
	case FORM_ADDRESS:
		return k->addr.num <= family_max(k->addr.family);
	case FORM_MADE:
		break;
	}
	return false;
}

bool play_constant_equal(const struct play_constant *a, const struct play_constant *b)
{
	if (a->sort != b->sort)
		return false;
	switch (sort_form(a->sort)) {
	case FORM_NUMBER:
		return a->number == b->number;
	case FORM_STRING:
		return !strcmp(a->text, b->text);
	case FORM_ADDRESS:
		return a->addr.family == b->addr.family && a->addr.num == b->addr.num;
	case FORM_MADE:
		break;
	}
	return false;
}

static void use(bool *used, const struct playbooks *p, uint16_t constant)
{
	if (constant < p->constant_count)
		used[constant] = true;
}

static int constants_hold(const struct playbooks *p, struct err *why)
{
	bool used[PLAYBOOK_CONSTANTS_MAX] = { false };

	for (uint32_t i = 0; i < p->play_count; i++) {
		const struct playbook *b = &p->plays[i];

		for (uint32_t j = 0; j < b->op_count; j++)
			if (op_operand(b->ops[j].code) == OPERAND_CONSTANT)
				use(used, p, b->ops[j].operand);
		for (uint32_t j = 0; j < b->param_count; j++)
			use(used, p, b->params[j].otherwise);
	}
	for (uint32_t i = 0; i < p->binding_count; i++)
		for (uint32_t j = 0; j < p->bindings[i].given_count; j++)
			if (!p->bindings[i].given[j].of_event)
				use(used, p, p->bindings[i].given[j].index);
	for (uint32_t i = 0; i < p->constant_count; i++) {
		bool twice = false;

		for (uint32_t j = 0; j < i; j++)
			twice |= play_constant_equal(&p->constants[i], &p->constants[j]);
		if (!constant_is_sound(&p->constants[i]) || twice || !used[i])
			return err_set(why, EINVAL, "constant %u is out of range, stands twice, or is not used", i);
	}
	return 0;
}

static bool term_is_sound(enum play_event e, const struct play_term *t)
{
	enum sort sort = event_field_sort(t->field);

	if (!event_has(e, t->field) && !(t->measure == MEASURE_COUNT && t->field == EVENT_FIELD_SOURCE))
		return false;
	switch (t->measure) {
	case MEASURE_COUNT:
	case MEASURE_DISTINCT:
		return (t->measure == MEASURE_DISTINCT || t->field == EVENT_FIELD_SOURCE) && play_time_is_sound(t->within_ns) &&
		       (t->relation == RELATION_GE || t->relation == RELATION_GT) && t->number <= UINT32_MAX;
	case MEASURE_FIELD:
		return !t->within_ns && sort_values(sort) && t->number < sort_values(sort);
	case MEASURE_COUNT_:
		break;
	}
	return false;
}

static int given_holds(const struct playbooks *all, const struct play_binding *b, struct err *why)
{
	const struct playbook *p = &all->plays[b->playbook];

	if (b->given_count > p->param_count)
		return err_set(why, EINVAL, "more is given to %s than it takes", p->name);
	for (uint32_t i = 0; i < p->param_count; i++) {
		const struct play_given *g = &b->given[i];
		enum sort sort;

		if (i >= b->given_count && p->params[i].otherwise == PLAY_NO_CONSTANT)
			return err_set(why, EINVAL, "nothing is given for %s of %s", p->params[i].name, p->name);
		if (i >= b->given_count)
			continue;
		if (g->of_event ? g->index >= EVENT_FIELD_COUNT || !event_has(b->event, (enum event_field)g->index) :
				  g->index >= all->constant_count)
			return err_set(why, EINVAL, "what is given to %s is out of range", p->name);
		sort = g->of_event ? event_field_sort((enum event_field)g->index) : all->constants[g->index].sort;
		if (sort != p->params[i].sort)
			return err_set(why, EINVAL, "%s of %s is given a value of another sort", p->params[i].name, p->name);
	}
	return 0;
}

static int binding_holds(const struct playbooks *all, const struct play_binding *b, struct err *why)
{
	if (b->event >= EVENT_COUNT || b->playbook >= all->play_count || b->term_count > PLAYBOOK_TERMS_MAX ||
	    b->given_count > PLAYBOOK_PARAMS_MAX || (*b->of && !play_name_is_sound(b->of)))
		return err_set(why, EINVAL, "a binding has parts out of range");
	for (uint32_t i = 0; i < b->term_count; i++)
		if (b->terms[i].measure >= MEASURE_COUNT_ || b->terms[i].field >= EVENT_FIELD_COUNT ||
		    b->terms[i].relation >= RELATION_COUNT || !term_is_sound(b->event, &b->terms[i]))
			return err_set(why, EINVAL, "a binding to %s asks what it cannot", event_word(b->event));
	return given_holds(all, b, why);
}

static bool feelings_are_sound(const struct play_feeling *f, uint32_t count)
{
	for (uint32_t i = 0; i < count && i < PLAYBOOK_TERMS_MAX; i++)
		if (f[i].sense >= SENSE_COUNT || f[i].relation >= RELATION_COUNT || f[i].relation == RELATION_EQ ||
		    f[i].relation == RELATION_NE || f[i].share > SHARE_WHOLE || !play_time_is_sound(f[i].lasts_ns))
			return false;
	return count <= PLAYBOOK_TERMS_MAX;
}

static int regulation_holds(const struct play_regulation *r, struct err *why)
{
	bool posture = r->act == REGULATE_POSTURE;

	if (!r->when_count || !feelings_are_sound(r->when, r->when_count) || !feelings_are_sound(r->until, r->until_count) ||
	    r->act >= REGULATE_COUNT || r->end >= REGULATION_END_COUNT || (r->end == REGULATION_UNTIL) != (r->until_count > 0))
		return err_set(why, EINVAL, "a regulation has parts out of range");
	if (posture ? !play_name_is_sound(r->posture) || r->priority || r->share :
		      *r->posture || r->priority >= PRIORITY_COUNT || !r->share || r->share > SHARE_WHOLE)
		return err_set(why, EINVAL, "a regulation does what it cannot");
	if (posture && r->end == REGULATION_OVER)
		return err_set(why, EINVAL, "a posture that regulation takes has no way back");
	return 0;
}

static int decoy_holds(const struct play_decoy *d, struct err *why)
{
	if (!play_name_is_sound(d->name) || !play_name_is_sound(d->service) || (d->proto != 6 && d->proto != 17) || !d->port ||
	    !text_is_sound(d->banner) || (*d->technique && !play_name_is_sound(d->technique)))
		return err_set(why, EINVAL, "a decoy has parts out of range");
	return 0;
}

static int names_hold(const struct playbooks *p, struct err *why)
{
	for (uint32_t i = 0; i < p->play_count; i++)
		for (uint32_t j = 0; j < i; j++)
			if (!strcmp(p->plays[i].name, p->plays[j].name))
				return err_set(why, EINVAL, "two playbooks are called %s", p->plays[i].name);
	for (uint32_t i = 0; i < p->decoy_count; i++)
		for (uint32_t j = 0; j < i; j++)
			if (!strcmp(p->decoys[i].name, p->decoys[j].name))
				return err_set(why, EINVAL, "two decoys are called %s", p->decoys[i].name);
	return 0;
}

static bool counts_hold(const struct playbooks *p)
{
	return p->constant_count <= PLAYBOOK_CONSTANTS_MAX && p->play_count <= PLAYBOOKS_MAX &&
	       p->binding_count <= PLAYBOOK_BINDINGS_MAX && p->regulation_count <= PLAYBOOK_REGULATIONS_MAX &&
	       p->decoy_count <= PLAYBOOK_DECOYS_MAX;
}

int playbooks_verify(const struct playbooks *p, struct err *why)
{
	struct play_worst worst;
	int rc;

	if (!counts_hold(p))
		return err_set(why, E2BIG, "there is more than there is room for");
	for (uint32_t i = 0; i < p->play_count; i++) {
		const struct playbook *b = &p->plays[i];

		if ((rc = playbook_verify(&worst, p, b, why)))
			return rc;
		if (worst.steps != b->worst.steps || worst.ns != b->worst.ns ||
		    worst.recovery_steps != b->worst.recovery_steps || worst.recovery_ns != b->worst.recovery_ns)
			return err_set(why, EINVAL, "playbook %s: its worst case is not what is said", b->name);
	}
	for (uint32_t i = 0; i < p->binding_count; i++)
		if ((rc = binding_holds(p, &p->bindings[i], why)))
			return rc;
	for (uint32_t i = 0; i < p->regulation_count; i++)
		if ((rc = regulation_holds(&p->regulations[i], why)))
			return rc;
	for (uint32_t i = 0; i < p->decoy_count; i++)
		if ((rc = decoy_holds(&p->decoys[i], why)))
			return rc;
	return (rc = names_hold(p, why)) ? rc : constants_hold(p, why);
}

bool playbooks_are_empty(const struct playbooks *p)
{
	return !p->play_count && !p->binding_count && !p->regulation_count && !p->decoy_count;
}
