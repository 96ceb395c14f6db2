#include "compiler/front/uses.h"

#include <string.h>

#include "compiler/front/reading.h"

const struct use *uses_at(const struct uses *u, uint32_t file, uint32_t offset)
{
	for (size_t i = 0; i < u->list.len; i++) {
		const struct span s = u->list.at[i].at;

		if (s.file == file && s.from <= offset && offset <= s.to)
			return &u->list.at[i];
	}
	return NULL;
}

static bool is_span(struct span x, struct span y)
{
	return x.file == y.file && x.from == y.from && x.to == y.to;
}

const struct use *uses_declared(const struct uses *u, enum use_kind kind, const char *name)
{
	for (size_t i = 0; i < u->list.len; i++)
		if (u->list.at[i].kind == kind && !strcmp(u->list.at[i].name, name))
			return &u->list.at[i];
	return NULL;
}

const char *use_kind_name(enum use_kind k)
{
	static const char *const names[USE_COUNT] = { "param", "zone", "net", "service", "limit", "posture",
						      "reflex", "block", "lifeline", "rule", "playbook", "parameter",
						      "rule on sessions", "decoy" };

	return names[k];
}

bool use_is_same(const struct use *x, const struct use *y)
{
	return is_span(x->declared, y->declared);
}

void use_note(struct reading *r, enum use_kind kind, const char *name, struct span at, struct span declared)
{
	struct use u = { kind, at, declared, name };

	if (r->c->uses.wanted)
		vec_push(r->arena, &r->c->uses.list, u);
}

void use_note_symbol(struct reading *r, const struct node *name, const struct symbol *s)
{
	switch (s->kind) {
	case SYMBOL_PARAM:
		use_note(r, USE_PARAM, s->name, name->span, s->span);
		return;
	case SYMBOL_ZONE:
		use_note(r, USE_ZONE, s->name, name->span, s->span);
		return;
	case SYMBOL_NET:
		use_note(r, USE_NET, s->name, name->span, s->span);
		return;
	case SYMBOL_SERVICE:
		use_note(r, USE_SERVICE, s->name, name->span, s->span);
		return;
	case SYMBOL_LIMIT:
		use_note(r, USE_LIMIT, s->name, name->span, s->span);
		return;
	case SYMBOL_HOLE:
		return;
	}
	abort();
}

/* The last bytes of the span, where a dotted name ends with this one. */
static struct span tail(struct span s, const char *name)
{
	uint32_t len = (uint32_t)strlen(name);

	return (struct span){ s.file, s.to - s.from > len ? s.to - len : s.from, s.to };
}

/* The name of that kind, at the end of what stands there, `reflex.flood`; false when none is noted. */
static bool use_note_named(struct reading *r, enum use_kind kind, const char *name, struct span at)
{
	const struct use *u = r->c->uses.wanted ? uses_declared(&r->c->uses, kind, name) : NULL;

	if (u)
		use_note(r, u->kind, u->name, tail(at, u->name), u->declared);
	return u != NULL;
}

void use_note_event(struct reading *r, enum play_event e, const char *name, struct span at)
{
	static const enum use_kind kinds[EVENT_COUNT] = {
		[EVENT_REFLEX] = USE_REFLEX, [EVENT_RULE] = USE_LABEL, [EVENT_DERME] = USE_SENSE,
		[EVENT_DECOY] = USE_DECOY, [EVENT_POSTURE] = USE_POSTURE, [EVENT_PLAYBOOK] = USE_PLAYBOOK,
	};
	const struct policy *p = r->policy;

	if (e != EVENT_RULE)
		use_note_named(r, kinds[e], name, at);
	for (size_t i = 0; e == EVENT_RULE && i < p->posture_count; i++)
		for (size_t j = 0; j < p->postures[i].rule_count; j++) {
			const struct pol_rule *rule = &p->postures[i].rules[j];

			if (rule->labelled && !strcmp(rule->label, name))
				use_note(r, USE_LABEL, rule->label, tail(at, name), rule->named);
		}
}

void use_note_layer(struct reading *r, const char *name, struct span at)
{
	const char *last = strrchr(name, '.') ? strrchr(name, '.') + 1 : name;

	if (!use_note_named(r, USE_BLOCK, last, at) && !use_note_named(r, USE_REFLEX, last, at))
		use_note_named(r, USE_LIFELINE, last, at);
}
