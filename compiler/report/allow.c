#include "compiler/report/allow.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "compiler/report/pages.h"

struct allowance {
	struct diag_allowance what;
	enum diag_code code;
	struct span comment, extent;
	bool used;
};

struct allowing {
	struct compilation *c;
	bool tell, all;
	char today[sizeof "2027-01-31"];
};

/* --- what a comment says ---------------------------------------------------------------------- */

struct cursor {
	const char *at, *end;
};

static void skip_blanks(struct cursor *k)
{
	while (k->at < k->end && (*k->at == ' ' || *k->at == '\t'))
		k->at++;
}

/* The next word, which ends at a blank. */
static const char *next_word(struct arena *a, struct cursor *k)
{
	const char *from;

	skip_blanks(k);
	from = k->at;
	while (k->at < k->end && *k->at != ' ' && *k->at != '\t' && *k->at != '"')
		k->at++;
	return arena_strndup(a, from, (size_t)(k->at - from));
}

/* "text" without escapes; NULL when there is none. */
static const char *next_string(struct arena *a, struct cursor *k)
{
	const char *from, *to;

	skip_blanks(k);
	if (k->at == k->end || *k->at != '"')
		return NULL;
	from = k->at + 1;
	to = memchr(from, '"', (size_t)(k->end - from));
	if (!to || to == from)
		return NULL;
	k->at = to + 1;
	return arena_strndup(a, from, (size_t)(to - from));
}

/* A day of the calendar, as 2027-01-31. */
static bool is_date(const char *text)
{
	static const int days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int month, day, year;

	if (strlen(text) != 10)
		return false;
	for (int i = 0; i < 10; i++)
		if (i == 4 || i == 7 ? text[i] != '-' : !isdigit((unsigned char)text[i]))
			return false;
	year = atoi(text);
	month = atoi(text + 5);
	day = atoi(text + 8);
	if (month < 1 || month > 12 || day < 1 || day > days[month - 1])
		return false;
	return month != 2 || day < 29 || (year % 4 == 0 && (year % 100 || year % 400 == 0));
}

/* What comes after the reason; NULL, or what is wrong. */
static const char *read_rest(struct arena *a, struct cursor *k, struct diag_allowance *out)
{
	for (skip_blanks(k); k->at < k->end; skip_blanks(k)) {
		const char *word = next_word(a, k);

		if (!strcmp(word, "owner") && !out->owner) {
			out->owner = next_string(a, k);
			if (!out->owner)
				return "`owner` is followed by a name in quotes";
		} else if (!strcmp(word, "until") && !out->until) {
			out->until = next_word(a, k);
			if (!is_date(out->until))
				return "`until` is followed by a day, as in 2027-01-31";
		} else {
			return "behind the reason come `owner` and `until`, once each";
		}
	}
	return NULL;
}

static const char *read_allowance(struct arena *a, struct cursor *k, const char **code, struct diag_allowance *out)
{
	if (strcmp(next_word(a, k), "allow"))
		return "the only thing to say to tegc is `allow`";
	*code = next_word(a, k);
	if (!**code)
		return "`allow` is followed by a code, as in E0331";
	out->reason = next_string(a, k);
	if (!out->reason)
		return "the code is followed by a reason in quotes";
	return read_rest(a, k, out);
}

/* --- what can be allowed ---------------------------------------------------------------------- */

static bool can_be_allowed(enum diag_code code)
{
	if (!strncmp(diag_kinds[code].code, "E10", 3))
		return false;
	return diag_kinds[code].severity == SEVERITY_WARNING || !strncmp(diag_kinds[code].code, "E03", 3);
}

static void tell_code(struct allowing *k, struct span at, const char *text, enum diag_code code)
{
	struct diag *d;

	if (code == DIAG_COUNT) {
		d = diag(&k->c->diags, DIAG_ALLOW_CODE, at, "there is no code `%s`", text);
		diag_help(d, "`tegc explain --list` names them all");
	} else {
		d = diag(&k->c->diags, DIAG_ALLOW_CODE, at, "%s cannot be allowed: %s", diag_kinds[code].code,
			 diag_kinds[code].title);
		diag_help(d, "warnings can be allowed, and what the prover finds");
	}
}

/* False when it allows nothing. */
static bool remark_read(struct allowing *k, const struct remark *remark, struct allowance *out)
{
	const char *text = k->c->sources.list.at[remark->comment.file].text;
	struct cursor at = { text + remark->comment.from + 1, text + remark->comment.to };
	const char *wrong, *code = NULL;

	*out = (struct allowance){ .comment = remark->comment, .extent = remark->extent };
	next_word(k->c->arena, &at);
	wrong = read_allowance(k->c->arena, &at, &code, &out->what);
	if (!wrong && !span_is_somewhere(remark->extent))
		wrong = "nothing follows in this block; an allowance stands above what it allows";
	if (wrong) {
		if (k->tell)
			diag_help(diag(&k->c->diags, DIAG_ALLOW, remark->comment, "%s", wrong),
				  "write: # tegc: allow E0331 \"why\" owner \"who\" until 2027-01-31");
		return false;
	}
	out->code = diag_code_find(code);
	if (out->code != DIAG_COUNT && can_be_allowed(out->code))
		return true;
	if (k->tell)
		tell_code(k, remark->comment, code, out->code);
	return false;
}

/* --- allowing --------------------------------------------------------------------------------- */

static void today(char out[static sizeof "2027-01-31"])
{
	const char *given = getenv("SOURCE_DATE_EPOCH");
	char *end = NULL;
	long long epoch = given && *given ? strtoll(given, &end, 10) : 0;
	time_t now = end && !*end ? (time_t)epoch : time(NULL);
	struct tm day;

	gmtime_r(&now, &day);
	if (!strftime(out, sizeof "2027-01-31", "%Y-%m-%d", &day))
		strcpy(out, "9999-12-31");
}

static bool is_over(const struct allowing *k, const struct allowance *a)
{
	return a->what.until && strcmp(a->what.until, k->today) < 0;
}

static bool holds(const struct allowance *a, struct span s)
{
	return s.file == a->extent.file && a->extent.from <= s.from && s.from < a->extent.to;
}

static void apply(struct allowing *k, struct allowance *a)
{
	struct diags *ds = &k->c->diags;

	for (size_t i = 0; i < ds->list.len; i++) {
		struct diag *d = ds->list.at[i];

		if (d->code != a->code || !holds(a, d->span))
			continue;
		diag_allow(ds, d, &a->what);
		a->used = true;
	}
}

static void tell_over(struct allowing *k, const struct allowance *a)
{
	struct diag *d = diag(&k->c->diags, DIAG_ALLOW_EXPIRED, a->comment, "this allowance of %s ended with %s",
			      diag_kinds[a->code].code, a->what.until);

	if (a->what.owner)
		diag_note(d, "its owner is %s", a->what.owner);
	diag_help(d, "mend what it allowed, or give it another day");
}

static void tell_unused(struct allowing *k, const struct allowance *a)
{
	struct diag *d = diag(&k->c->diags, DIAG_ALLOW_UNUSED, a->comment, "nothing here needs %s to be allowed", diag_kinds[a->code].code);
	struct span lines = source_lines(&k->c->sources, a->comment);

	diag_help(d, "leave the comment out");
	diag_fix(d, span_is_somewhere(lines) ? lines : source_with_blanks(&k->c->sources, a->comment), "%s", "");
}

static void take_allowance(struct allowing *k, struct allowance *a)
{
	if (is_over(k, a)) {
		if (k->tell)
			tell_over(k, a);
		return;
	}
	apply(k, a);
	/* Tests find what their codes name; nothing else looks for it. */
	if (k->all && !a->used && strncmp(diag_kinds[a->code].code, "E08", 3))
		tell_unused(k, a);
}

static void allow(struct allowing *k)
{
	today(k->today);
	for (size_t i = 0; i < k->c->remarks.len; i++) {
		struct allowance *a = arena_zero(k->c->arena, sizeof *a);

		if (remark_read(k, &k->c->remarks.at[i], a))
			take_allowance(k, a);
	}
}

void report_allowances(struct compilation *c, bool tell)
{
	allow(&(struct allowing){ .c = c, .tell = tell });
}

void report_allowances_all(struct compilation *c)
{
	allow(&(struct allowing){ .c = c, .tell = true, .all = true });
}

struct allowances allowances_said(struct compilation *c)
{
	struct allowing k = { .c = c };
	struct allowances all = { 0 };

	today(k.today);
	for (size_t i = 0; i < c->remarks.len; i++) {
		struct allowance a;

		if (!remark_read(&k, &c->remarks.at[i], &a) || is_over(&k, &a))
			continue;
		struct allowance_said said = { a.code, a.what };
		vec_push(c->arena, &all, said);
	}
	return all;
}
