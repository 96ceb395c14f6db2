/*
 * trials.c - the policy's own tests. Whether they hold is asked of eval later.
 */
#include <string.h>

#include "compiler/front/reading.h"
#include "lang/base/near.h"

#define TIMES_MAX 1000000

/* --- what is expected ------------------------------------------------------------------------------ */

static void near_labels(struct near *n, const struct reading *r, const struct posture_symbol *s)
{
	for (size_t i = 0; i < s->labels.entries.len; i++)
		near_try(n, s->labels.entries.at[i].name);
	for (size_t i = 0; i < r->policy->block_count; i++)
		near_try(n, r->policy->blocks[i].label);
	for (size_t i = 0; i < r->policy->reflex_count; i++)
		near_try(n, r->policy->reflexes[i].label);
}

static bool is_layer_label(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->block_count; i++)
		if (!strcmp(p->blocks[i].label, name) || !strcmp(p->blocks[i].id, name))
			return true;
	for (size_t i = 0; i < p->reflex_count; i++)
		if (!strcmp(p->reflexes[i].label, name) || !strcmp(p->reflexes[i].id, name))
			return true;
	for (size_t i = 0; i < p->lifeline_count; i++)
		if (!strcmp(p->lifelines[i].label, name) || !strcmp(p->lifelines[i].id, name))
			return true;
	return false;
}

/* "web_in.limit", of a rule that has one: the rule's label, else NULL. */
static const char *limited_label(struct reading *r, const struct posture_symbol *s, const char *name)
{
	const char *dot = strrchr(name, '.'), *label;
	size_t at;

	if (!dot || strcmp(dot, ".limit") || s->state != SYMBOL_KNOWN)
		return NULL;
	label = arena_strndup(r->arena, name, (size_t)(dot - name));
	at = (size_t)strmap_find(&s->labels, label);
	return at && r->policy->postures[s->index].rules[at - 1].limit ? label : NULL;
}

/* `by BALANCED.web_in`: the posture, and the rule whose label begins at `name`. */
static void by_note(struct reading *r, const struct node *by, const struct posture_symbol *s, const char *name, const char *label)
{
	uint32_t from = by->span.from + (uint32_t)(name - by->text);
	size_t at = (size_t)strmap_find(&s->labels, label);

	if (name != by->text)
		use_note(r, USE_POSTURE, s->name, (struct span){ by->span.file, by->span.from, from - 1 }, s->span);
	if (at && s->state == SYMBOL_KNOWN)
		use_note(r, USE_LABEL, label, (struct span){ by->span.file, from, from + (uint32_t)strlen(label) },
			 r->policy->postures[s->index].rules[at - 1].named);
}

static bool emits_read(struct reading *r, const struct node *n, uint8_t *emits)
{
	uint64_t severity;

	if (!value_amount(r, node_text(r->arena, NODE_NAME, n->span, n->text), TYPE_SEVERITY, &severity))
		return false;
	*emits |= (uint8_t)(1u << severity);
	return true;
}

static bool by_is_known(struct reading *r, const struct node *by, const struct posture_symbol *s)
{
	static const char *const words[] = { "default", "lifeline", "established", "related", "invalid", "neighbour", "blocked" };
	size_t prefix = strlen(s->name);
	const char *name = by->text;

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (!strcmp(name, words[i]))
			return true;
	if (!strncmp(name, s->name, prefix) && name[prefix] == '.')
		name += prefix + 1;
	const char *limited = limited_label(r, s, name);
	bool at = strmap_find(&s->labels, name);

	by_note(r, by, s, name, limited ? limited : name);
	if (!at)
		use_note_layer(r, by->text, by->span);
	if (at || limited || !strncmp(name, "default.", 8) || is_layer_label(r->policy, by->text))
		return true;
	if (r->poisoned || s->state != SYMBOL_KNOWN)
		return false; /* what it names may be what could not be read */

	struct diag *d = diag(r->diags, DIAG_BY_UNKNOWN, by->span, "nothing that decides in `%s` is called `%s`", s->name, by->text);
	struct near n = near_to(name);

	near_labels(&n, r, s);
	tell_near(r, d, &n, by->span);
	return false;
}

static bool times_read(struct reading *r, const struct node *times, uint64_t *out)
{
	*out = 1;
	if (!times)
		return true;
	if (!value_count(r, times, out))
		return false;
	if (*out && *out <= TIMES_MAX)
		return true;
	diag(r->diags, DIAG_TIMES_RANGE, times->span, "a test sends 1 to %d packets", TIMES_MAX);
	return false;
}

static const struct node *times_of(const struct node *c)
{
	return c->first->kind == NODE_NUMBER || c->first->kind == NODE_QUANTITY ? c->first : NULL;
}

static bool expect_read(struct reading *r, const struct node *expect, const struct posture_symbol *s, struct pol_case *out)
{
	const struct node *by = node_find(expect, NODE_BY);
	bool sound = true;

	out->verdict = (enum verdict)expect->word;
	out->last = node_find(expect, NODE_LAST);
	for (const struct node *e = expect->first; e; e = e->next)
		sound &= e->kind != NODE_HOLE && (e->kind != NODE_EMIT || emits_read(r, e, &out->emits));
	if (!by)
		return sound;
	out->by = by->text;
	out->by_span = by->span;
	return (!s || by_is_known(r, by, s)) && sound;
}

static bool case_read(struct reading *r, const struct node *n, const struct posture_symbol *s, struct pol_case *out)
{
	const struct node *within = node_find(n, NODE_WITHIN);
	bool sound = expect_read(r, node_find(n, NODE_EXPECT), s, out);

	sound &= times_read(r, times_of(n), &out->times);
	sound &= !within || value_duration(r, within->first, &out->within_ns);
	return packet_read(r, node_find(n, NODE_PACKET), &out->packet) && sound;
}

static bool forall_read(struct reading *r, const struct node *n, const struct posture_symbol *s, struct pol_case *out)
{
	const struct node *direction = node_find(n, NODE_DIRECTION);
	bool sound = expect_read(r, node_find(n, NODE_EXPECT), s, out);

	if (out->emits) {
		diag(r->diags, DIAG_PACKET_WORD, n->span, "what is told of a packet is no claim of every one");
		sound = false;
	}
	out->direction = direction ? (enum direction)direction->word : DIRECTION_IN;
	return select_read(r, node_find(n, NODE_SELECTOR), out->direction, &out->match) && sound;
}

static bool code_is_known(struct reading *r, const struct node *n)
{
	struct near near = near_to(n->text);
	struct diag *d;

	for (int i = 0; i < DIAG_COUNT; i++) {
		if (!strcmp(diag_kinds[i].code, n->text))
			return true;
		near_try(&near, diag_kinds[i].code);
	}
	d = diag(r->diags, DIAG_CODE_UNKNOWN, n->span, "no mistake has the code `%s`", n->text);
	if (near.best)
		diag_help(d, "did you mean `%s`?", near.best);
	else
		diag_help(d, "`tegc explain --list` names them all");
	return false;
}

static bool refuses_read(struct reading *r, const struct node *n, struct pol_case *out)
{
	VEC(struct node *) decls = { 0 };

	for (struct node *d = n->first; d; d = d->next)
		vec_push(r->arena, &decls, d);
	out->code = n->text;
	out->decls = decls.at;
	out->decl_count = decls.len;
	return code_is_known(r, n);
}

/* --- the test --------------------------------------------------------------------------------------- */

/* A test that sends nothing is in no posture. */
static bool wants_posture(const struct node *decl)
{
	for (const struct node *n = decl->first; n; n = n->next)
		if (n->kind == NODE_CASE || n->kind == NODE_TABLE || n->kind == NODE_FORALL)
			return true;
	return !node_find(decl, NODE_REFUSES);
}

static struct posture_symbol *test_posture(struct reading *r, const struct node *decl, const struct node *title)
{
	const struct node *first = NULL;

	for (const struct node *n = decl->first; n; n = n->next) {
		if (n->kind == NODE_HOLE)
			return NULL;
		if (n->kind != NODE_IN_POSTURE)
			continue;
		if (first)
			diag_at(diag(r->diags, DIAG_TEST_POSTURE, n->span, "a test is in one posture"), first->span, "said here first");
		else
			first = n;
	}
	if (first)
		return scope_posture(r, first->first);
	if (wants_posture(decl))
		diag_help(diag(r->diags, DIAG_TEST_POSTURE, title->span, "in which posture is this tested?"),
			  "say it in the test: posture NAME");
	return NULL;
}

struct test_reading {
	struct posture_symbol *posture;
	VEC(struct pol_case) cases;
};

static bool row_read(struct reading *r, const struct node *row, const struct node *packet, void *arg)
{
	struct test_reading *t = arg;
	struct pol_case one = { .span = row->span, .times = 1 };
	bool sound = expect_read(r, node_find(row, NODE_EXPECT), t->posture, &one);

	sound &= packet_read(r, packet, &one.packet);
	if (sound)
		vec_push(r->arena, &t->cases, one);
	return sound;
}

static bool line_read(struct reading *r, const struct node *n, struct test_reading *t, struct pol_case *out)
{
	*out = (struct pol_case){ .span = n->span };
	switch ((unsigned)n->kind) {
	case NODE_CASE:
		return case_read(r, n, t->posture, out);
	case NODE_AFTER:
		out->kind = CASE_AFTER;
		return value_duration(r, n->first, &out->within_ns);
	case NODE_FORALL:
		out->kind = CASE_FORALL;
		return forall_read(r, n, t->posture, out);
	case NODE_REFUSES:
		out->kind = CASE_REFUSES;
		return refuses_read(r, n, out);
	case NODE_TABLE:
		table_read(r, n, row_read, t);
		return false; /* its rows are cases already */
	}
	return false;
}

static void test_add(struct reading *r, const struct node *decl, struct pol_test *out)
{
	const struct node *title = node_find(decl, NODE_TITLE), *todo = node_find(decl, NODE_TODO);
	struct test_reading t = { .posture = test_posture(r, decl, title) };
	struct pol_case one;

	for (const struct node *n = decl->first; n; n = n->next)
		if (line_read(r, n, &t, &one))
			vec_push(r->arena, &t.cases, one);
	*out = (struct pol_test){ .name = title_read(r, title), .span = title->span, .todo = todo ? todo->first->text : NULL,
				  .posture = t.posture ? t.posture->index : 0, .cases = t.cases.at,
				  .case_count = t.cases.len };
}

void declare_tests(struct reading *r)
{
	VEC(struct pol_test) all = { 0 };
	struct strmap names;

	strmap_init(&names, r->arena);
	for (size_t i = 0; i < r->decls.len; i++) {
		const struct node *decl = r->decls.at[i], *first;
		struct pol_test one;

		if (decl->kind != NODE_TEST)
			continue;
		const struct node *title = node_find(decl, NODE_TITLE);
		if ((first = strmap_find(&names, title->text)))
			diag_at(diag(r->diags, DIAG_TEST_TWICE, title->span, "there are two tests of this name"), first->span,
				"here is the first");
		strmap_put(&names, title->text, (void *)title);
		test_add(r, decl, &one);
		vec_push(r->arena, &all, one);
	}
	r->policy->tests = all.at;
	r->policy->test_count = all.len;
}
