/*
 * responses.c - what changes in playbooks, what runs them, homeostasis and decoys.
 *
 * Compared as words: a playbook by its name, down to the first instruction that differs,
 * everything else by its line. What is moved or spelled otherwise has the same words.
 */
#include <string.h>

#include "compiler/prove/diff/diff.h"
#include "compiler/prove/prover.h"

/* A line, and for a playbook those that belong to it. */
struct words {
	const char *head, *name; /* name: of the playbook, or NULL */
	VEC(const char *) lines; /* its instructions and its budget */
	bool matched;
};

struct wording {
	struct arena *arena;
	VEC(struct words) parts;
};

/* "      12  push     1h" → "push 1h" */
static const char *without_place(struct arena *a, const char *line, size_t len)
{
	own(buf) struct buf out = { 0 };
	size_t i = strspn(line, " 0123456789");

	for (; i < len; i++) {
		bool gap = line[i] == ' ' && (i + 1 == len || line[i + 1] == ' ');

		if (!gap)
			buf_putc(&out, line[i]);
	}
	return arena_strdup(a, buf_text(&out));
}

static const char *playbook_name(struct arena *a, const char *head)
{
	static const char word[] = "playbook ";

	if (strncmp(head, word, sizeof word - 1))
		return NULL;
	head += sizeof word - 1;
	return arena_strndup(a, head, strcspn(head, "("));
}

static void wording_of(struct wording *w, const struct ir *ir)
{
	own(buf) struct buf text = { 0 };

	playbooks_print(&text, &ir->responses.code);
	for (const char *line = buf_text(&text); *line;) {
		size_t len = strcspn(line, "\n");

		if (*line == ' ') {
			struct words *of = &w->parts.at[w->parts.len - 1];

			vec_push(w->arena, &of->lines, without_place(w->arena, line, len));
		} else {
			struct words part = { .head = arena_strndup(w->arena, line, len) };

			part.name = playbook_name(w->arena, part.head);
			vec_push(w->arena, &w->parts, part);
		}
		line += len + (line[len] == '\n');
	}
}

static bool same_part(const struct words *x, const struct words *y)
{
	if (x->name || y->name)
		return x->name && y->name && !strcmp(x->name, y->name);
	return !strcmp(x->head, y->head);
}

static struct words *partner_of(const struct words *x, struct wording *in)
{
	for (size_t i = 0; i < in->parts.len; i++)
		if (!in->parts.at[i].matched && same_part(x, &in->parts.at[i]))
			return &in->parts.at[i];
	return NULL;
}

static void tell(struct arena *a, struct response_facts *out, const struct words *w, bool lost, const char *before,
		 const char *after)
{
	enum risk risk = lost ? RISK_MEDIUM : RISK_LOW;
	const char *what = w->name ? arena_printf(a, "playbook %s", w->name) : w->head;
	struct fact f = { w->name ? FACT_PLAYBOOK : FACT_RESPONSE, risk, what, before, after, lost ? 1u << FLAG_EFFECT_LOST : 0, NULL };

	vec_push(a, &out->list, f);
}

static const char *line_at(const struct words *w, size_t i)
{
	return i < w->lines.len ? w->lines.at[i] : "nothing more";
}

static size_t times_in(const struct words *w, const char *line)
{
	size_t n = 0;

	for (size_t i = 0; i < w->lines.len; i++)
		n += !strcmp(w->lines.at[i], line);
	return n;
}

/* The first step that is done less often than before, or NULL. */
static const char *lost_step(const struct words *old, const struct words *new)
{
	static const char call[] = "call ";

	for (size_t i = 0; i < old->lines.len; i++)
		if (!strncmp(old->lines.at[i], call, sizeof call - 1) &&
		    times_in(new, old->lines.at[i]) < times_in(old, old->lines.at[i]))
			return old->lines.at[i] + sizeof call - 1;
	return NULL;
}

static void compare(struct arena *a, struct response_facts *out, const struct words *old, const struct words *new)
{
	const char *lost = lost_step(old, new);

	if (strcmp(old->head, new->head)) {
		tell(a, out, new, false, old->head, new->head);
		return;
	}
	for (size_t i = 0; i < old->lines.len || i < new->lines.len; i++)
		if (strcmp(line_at(old, i), line_at(new, i))) {
			tell(a, out, new, lost != NULL, lost ? lost : line_at(old, i), lost ? "gone" : line_at(new, i));
			return;
		}
}

/* A response that is gone may be the one that was counted on. */
void facts_of_responses(struct arena *a, struct response_facts *out, const struct ir *old, const struct ir *new)
{
	struct wording x = { .arena = a }, y = { .arena = a };

	wording_of(&x, old);
	wording_of(&y, new);
	for (size_t i = 0; i < x.parts.len; i++) {
		struct words *other = partner_of(&x.parts.at[i], &y);

		if (!other) {
			tell(a, out, &x.parts.at[i], true, "present", "absent");
			continue;
		}
		other->matched = true;
		compare(a, out, &x.parts.at[i], other);
	}
	for (size_t i = 0; i < y.parts.len; i++)
		if (!y.parts.at[i].matched)
			tell(a, out, &y.parts.at[i], false, "absent", "present");
}
