/*
 * sarif.c - findings in the form of code scanning: SARIF 2.1.0 (OASIS standard of 27 March 2020),
 * within what GitHub takes: 25,000 results a run, of which it keeps the worst.
 *
 * A change that `tegc diff` found is a result too; its rule is "diff/opened" and so on.
 */
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "compiler/report/forms/report.h"
#include "compiler/report/pages.h"
#include "lang/base/digest.h"
#include "lang/base/version.h"

#define RESULTS_MAX 25000
#define PLACES_MAX  100 /* related locations of one result; GitHub takes 1,000 */

enum change_rule { RULE_OPENED, RULE_CLOSED, RULE_EFFECT, CHANGE_RULES };

static const struct { const char *id, *title; } change_rules[CHANGE_RULES] = {
	[RULE_OPENED] = { "diff/opened", "packets that were dropped are admitted" },
	[RULE_CLOSED] = { "diff/closed", "packets that were admitted are dropped" },
	[RULE_EFFECT] = { "diff/effect", "packets that are dropped are dropped in another way" },
};

struct sarif {
	const struct report *r;
	cJSON *rules, *results;
	int rule_of[DIAG_COUNT + CHANGE_RULES]; /* 1 + index in `rules`, or 0 */
	int rule_count;
	size_t result_count;
};

/* --- places ---------------------------------------------------------------------------------- */

/* RFC 3986: what a path may hold unescaped. */
static void put_uri(struct buf *out, const char *path)
{
	static const char plain[] = "-._~/!$&'()*+,;=@";

	if (*path == '/')
		buf_puts(out, "file://");
	for (; *path; path++) {
		unsigned char c = (unsigned char)*path;

		if ((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || strchr(plain, c))
			buf_putc(out, (char)c);
		else
			buf_printf(out, "%%%02X", c);
	}
}

static cJSON *artifact(const char *path)
{
	own(buf) struct buf uri = { 0 };
	cJSON *o = cJSON_CreateObject();

	put_uri(&uri, path);
	cJSON_AddStringToObject(o, "uri", buf_text(&uri));
	return o;
}

static cJSON *region(const struct report_span *s)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddNumberToObject(o, "endColumn", s->end_column);
	cJSON_AddNumberToObject(o, "endLine", s->end_line);
	cJSON_AddNumberToObject(o, "startColumn", s->column);
	cJSON_AddNumberToObject(o, "startLine", s->line);
	return o;
}

static cJSON *location(const struct report_span *s, const char *words)
{
	cJSON *o = cJSON_CreateObject(), *physical;

	if (words)
		cJSON_AddStringToObject(cJSON_AddObjectToObject(o, "message"), "text", words);
	physical = cJSON_AddObjectToObject(o, "physicalLocation");
	cJSON_AddItemToObject(physical, "artifactLocation", artifact(s->path));
	cJSON_AddItemToObject(physical, "region", region(s));
	return o;
}

/* Every result has a place, or it is not shown: what is nowhere is at the beginning of the file. */
static struct report_span place_of(const struct report *r, const struct report_file *f, struct span s)
{
	if (span_is_somewhere(s))
		return report_span(r, f, s);
	return (struct report_span){ report_path(r, f->path), 1, 1, 1, 1 };
}

/* --- rules ----------------------------------------------------------------------------------- */

/* Keys of everything here stand in the order of the alphabet. */
static cJSON *rule_new(const char *id, const char *name, const char *help, const char *title, const char *level)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(cJSON_AddObjectToObject(o, "defaultConfiguration"), "level", level);
	if (help)
		cJSON_AddStringToObject(cJSON_AddObjectToObject(o, "help"), "text", help);
	cJSON_AddStringToObject(o, "id", id);
	if (name)
		cJSON_AddStringToObject(o, "name", name);
	cJSON_AddStringToObject(cJSON_AddObjectToObject(o, "shortDescription"), "text", title);
	return o;
}

static int rule_number(struct sarif *s, unsigned which, cJSON *(*make)(unsigned which))
{
	if (!s->rule_of[which]) {
		cJSON_AddItemToArray(s->rules, make(which));
		s->rule_of[which] = ++s->rule_count;
	}
	return s->rule_of[which] - 1;
}

static cJSON *diag_rule(unsigned code)
{
	const struct diag_kind *k = &diag_kinds[code];
	own(buf) struct buf page = { 0 };
	bool told = report_page(&page, (enum diag_code)code);

	return rule_new(k->code, k->id, told ? buf_text(&page) : NULL, k->title, severity_name(k->severity));
}

static cJSON *change_rule(unsigned which)
{
	return rule_new(change_rules[which - DIAG_COUNT].id, NULL, NULL, change_rules[which - DIAG_COUNT].title,
			"warning");
}

/* --- results --------------------------------------------------------------------------------- */

/* The same finding keeps its name when lines above it come and go. */
static void add_fingerprint(cJSON *o, const char *rule, const char *path, const char *words)
{
	own(buf) struct buf b = { 0 };
	struct digest d;

	buf_printf(&b, "%s\n%s\n%s", rule, path, words);
	d = digest_of(b.at, b.len);
	cJSON_AddStringToObject(cJSON_AddObjectToObject(o, "partialFingerprints"), "finding/v1", d.hex);
}

/* What every result has. */
static void add_message(cJSON *o, const char *level, cJSON *place, const char *words)
{
	cJSON_AddStringToObject(o, "level", level);
	cJSON_AddItemToArray(cJSON_AddArrayToObject(o, "locations"), place);
	cJSON_AddStringToObject(cJSON_AddObjectToObject(o, "message"), "text", words);
}

static void add_rule(cJSON *o, const char *rule, int number)
{
	cJSON_AddStringToObject(o, "ruleId", rule);
	cJSON_AddNumberToObject(o, "ruleIndex", number);
}

static const char *words_of(struct buf *out, const struct diag *d)
{
	buf_puts(out, d->text);
	diag_add_notes(out, d);
	return buf_text(out);
}

static void add_related(cJSON *o, const struct report *r, const struct report_file *f, const struct diag *d)
{
	cJSON *list = NULL;
	int n = 0;

	for (const struct diag_part *p = d->parts; p && n < PLACES_MAX; p = p->next) {
		struct report_span at;

		if (p->kind != DIAG_PLACE)
			continue;
		if (!list)
			list = cJSON_AddArrayToObject(o, "relatedLocations");
		at = place_of(r, f, p->span);
		cJSON_AddItemToArray(list, location(&at, p->text));
		n++;
	}
}

/* One change for each file that the edits touch, which are in its order. */
static void add_fix(cJSON *o, const struct report *r, const struct report_file *f, const struct diag *d)
{
	cJSON *fix, *changes, *replacements = NULL;
	uint32_t file = 0;

	if (!d->edits)
		return;
	fix = cJSON_CreateObject();
	cJSON_AddItemToArray(cJSON_AddArrayToObject(o, "fixes"), fix);
	changes = cJSON_AddArrayToObject(fix, "artifactChanges");
	for (const struct diag_edit *e = d->edits; e; e = e->next) {
		struct report_span at = place_of(r, f, e->span);
		cJSON *edit = cJSON_CreateObject();

		if (!replacements || e->span.file != file) {
			cJSON *change = cJSON_CreateObject();

			cJSON_AddItemToArray(changes, change);
			cJSON_AddItemToObject(change, "artifactLocation", artifact(at.path));
			replacements = cJSON_AddArrayToObject(change, "replacements");
			file = e->span.file;
		}
		cJSON_AddItemToObject(edit, "deletedRegion", region(&at));
		cJSON_AddStringToObject(cJSON_AddObjectToObject(edit, "insertedContent"), "text", e->text);
		cJSON_AddItemToArray(replacements, edit);
	}
}

static void add_allowance(cJSON *o, const struct diag_allowance *a)
{
	own(buf) struct buf why = { 0 };
	cJSON *s;

	if (!a)
		return;
	buf_puts(&why, a->reason);
	if (a->owner)
		buf_printf(&why, " (%s)", a->owner);
	if (a->until)
		buf_printf(&why, ", until %s", a->until);
	s = cJSON_CreateObject();
	cJSON_AddStringToObject(s, "justification", buf_text(&why));
	cJSON_AddStringToObject(s, "kind", "inSource");
	cJSON_AddItemToArray(cJSON_AddArrayToObject(o, "suppressions"), s);
}

static void add_result(struct sarif *s, const struct report_file *f, const struct diag *d)
{
	const char *code = diag_kinds[d->code].code;
	own(buf) struct buf words = { 0 };
	struct report_span at = place_of(s->r, f, d->span);
	cJSON *o;

	if (s->result_count++ >= RESULTS_MAX)
		return;
	o = cJSON_CreateObject();
	add_fix(o, s->r, f, d);
	add_message(o, severity_name(d->severity), location(&at, d->label), words_of(&words, d));
	add_fingerprint(o, code, at.path, d->text);
	add_related(o, s->r, f, d);
	add_rule(o, code, rule_number(s, d->code, diag_rule));
	add_allowance(o, d->allowed);
	cJSON_AddItemToArray(s->results, o);
}

/* Errors, then warnings, then what is allowed: what is too much is cut from the end. */
static unsigned rank(const struct diag *d)
{
	return d->allowed ? SEVERITY_COUNT : d->severity;
}

static void add_diags(struct sarif *s)
{
	for (unsigned which = 0; which <= SEVERITY_COUNT; which++)
		for (size_t i = 0; i < s->r->files.len; i++) {
			const struct report_file *f = s->r->files.at[i];

			diags_sort(&f->c->diags);
			for (size_t n = 0; n < f->c->diags.list.len; n++)
				if (rank(f->c->diags.list.at[n]) == which)
					add_result(s, f, f->c->diags.list.at[n]);
		}
}

static const char *const risk_levels[] = {
#define LEVEL(risk, command, level) [RISK_##risk] = level,
#include "compiler/report/forms/level.def"
#undef LEVEL
};

static enum change_rule rule_of_change(enum change_kind k)
{
	switch (k) {
	case CHANGE_OPENED:
		return RULE_OPENED;
	case CHANGE_CLOSED:
		return RULE_CLOSED;
	case CHANGE_EFFECT:
		break;
	}
	return RULE_EFFECT;
}

static void add_change(struct sarif *s, const struct change *c)
{
	const struct report_file *f = report_change_file(s->r, c), *new = s->r->files.at[1];
	enum change_rule rule = rule_of_change(c->kind);
	own(buf) struct buf words = { 0 };
	struct report_span at = f ? report_span(s->r, f, c->cause.rule->span) : place_of(s->r, new, SPAN_NOWHERE);
	cJSON *o;

	if (s->result_count++ >= RESULTS_MAX)
		return;
	buf_printf(&words, "%s in %s: ", change_kind_name(c->kind), c->posture);
	for (size_t i = 0; i < c->region_count; i++)
		buf_printf(&words, "%s%s", i ? "; " : "", c->regions[i]);
	buf_printf(&words, " (%s), because of %s\nfor example: ", risk_name(c->risk), c->cause.why);
	witness_print(&words, &c->witness);
	o = cJSON_CreateObject();
	add_message(o, risk_levels[c->risk], location(&at, NULL), buf_text(&words));
	add_fingerprint(o, change_rules[rule].id, at.path, buf_text(&words));
	add_rule(o, change_rules[rule].id, rule_number(s, DIAG_COUNT + rule, change_rule));
	cJSON_AddItemToArray(s->results, o);
}

void report_sarif(struct buf *out, const struct report *r)
{
	struct sarif s = { .r = r };
	cJSON *log = cJSON_CreateObject(), *run = cJSON_CreateObject(), *driver, *invocation;
	char *text;

	cJSON_AddStringToObject(log, "$schema", "https://json.schemastore.org/sarif-2.1.0.json");
	cJSON_AddItemToArray(cJSON_AddArrayToObject(log, "runs"), run);
	cJSON_AddStringToObject(log, "version", "2.1.0");

	cJSON_AddStringToObject(cJSON_AddObjectToObject(run, "automationDetails"), "id",
				arena_printf(r->arena, "tegc/%s/", r->command));
	cJSON_AddStringToObject(run, "columnKind", "unicodeCodePoints");
	invocation = cJSON_CreateObject();
	cJSON_AddBoolToObject(invocation, "executionSuccessful", r->exit < 64);
	cJSON_AddNumberToObject(invocation, "exitCode", r->exit);
	cJSON_AddItemToArray(cJSON_AddArrayToObject(run, "invocations"), invocation);
	s.results = cJSON_AddArrayToObject(run, "results");
	driver = cJSON_AddObjectToObject(cJSON_AddObjectToObject(run, "tool"), "driver");
	cJSON_AddStringToObject(driver, "name", "tegc");
	s.rules = cJSON_AddArrayToObject(driver, "rules");
	cJSON_AddStringToObject(driver, "semanticVersion", TEGUMENTAR_VERSION);

	add_diags(&s);
	for (size_t i = 0; r->diff && i < r->diff->change_count; i++)
		add_change(&s, &r->diff->changes[i]);

	text = cJSON_Print(log);
	buf_puts(out, text ? text : "");
	buf_putc(out, '\n');
	cJSON_free(text);
	cJSON_Delete(log);
}
