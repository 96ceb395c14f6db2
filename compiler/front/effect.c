/*
 * effect.c - what a rule does beside its verdict: a line in the log, an event.
 */
#include <string.h>

#include "compiler/front/reading.h"

#define LOG_MAX 100 /* NF_LOG_PREFIXLEN of the kernel, less what stands around it */
#define SAMPLE_MAX 1000000

/* `1/100`: one of a hundred. */
static bool sample_read(struct reading *r, const struct node *option, uint32_t *one_in)
{
	const struct node *value = option->first;
	uint64_t one, of;

	if (strcmp(option->text, "sample")) {
		diag_help(diag(r->diags, DIAG_SYNTAX, option->span, "`%s` says nothing of an event", option->text),
			  "there is `sample`: emit low sample 1/100");
		return false;
	}
	if (value->kind != NODE_PART || node_count(value) != 2)
		return value_is_not(r, value, "a part, such as 1/100,");
	if (!value_number(r, value->first, SAMPLE_MAX, &one) || !value_number(r, value->last, SAMPLE_MAX, &of))
		return false;
	if (one != 1 || !of) {
		diag_help(diag(r->diags, DIAG_NUMBER_RANGE, value->span, "one of so many is taken"), "write: sample 1/100");
		return false;
	}
	*one_in = (uint32_t)of;
	return true;
}

bool emit_read(struct reading *r, const struct node *emit, struct pol_effects *out)
{
	const struct node *option = node_find(emit, NODE_OPTION);
	struct node *severity = node_text(r->arena, NODE_NAME, emit->span, emit->text);
	uint64_t amount;

	if (out->emits) {
		diag(r->diags, DIAG_CLAUSE_TWICE, emit->span, "one event is enough");
		return false;
	}
	if (!value_amount(r, severity, TYPE_SEVERITY, &amount))
		return false;
	out->emits = true;
	out->severity = (enum event_severity)amount;
	out->one_in = 1;
	return !option || sample_read(r, option, &out->one_in);
}

static bool is_plain(const char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\')
			return false;
	return true;
}

static bool log_read(struct reading *r, const struct node *log, const char *label, struct pol_effects *out)
{
	const char *text = log->first ? log->first->text : label;

	if (out->log) {
		diag(r->diags, DIAG_CLAUSE_TWICE, log->span, "one line for each packet is enough");
		return false;
	}
	if (!*text || strlen(text) > LOG_MAX || !is_plain(text)) {
		diag_help(diag(r->diags, DIAG_LOG_TEXT, log->span, "a log line cannot begin with this"),
			  "with 1 to %d letters, digits, spaces and signs of ASCII, but no quotes and backslashes", LOG_MAX);
		return false;
	}
	out->log = text;
	return true;
}

bool effects_read(struct reading *r, const struct node *rule, const char *label, struct pol_effects *out)
{
	bool sound = true;

	for (const struct node *n = rule->first; n; n = n->next) {
		if (n->kind == NODE_LOG)
			sound &= log_read(r, n, label, out);
		else if (n->kind == NODE_EMIT)
			sound &= emit_read(r, n, out);
	}
	return sound;
}
