/*
 * report - what a command found, and the forms in which it is told beside the text at the prompt.
 *
 *     own(report) struct report *r = report_new("check");
 *
 *     report_ask(r, "sarif=out.sarif");                       once for each --report
 *     report_add(r, "edge.teg", c);                           c is the report's from now on
 *     ...                                                     the command's own part, below
 *     return report_write(r, exit_code);
 *
 * A form is a row of format.def and a function that turns the report into text. Files are
 * replaced in one step, and written whatever the answer is. They have no times in them, and
 * paths relative to the repository around (or, without one, to the working directory):
 * the same input gives the same bytes.
 */
#ifndef TEG_REPORT_FORMS_REPORT_H
#define TEG_REPORT_FORMS_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "compiler/front/front.h"
#include "compiler/prove/diff/diff.h"
#include "lang/base/buf.h"

enum test_end { TEST_PASSED, TEST_FAILED, TEST_UNKNOWN, TEST_TODO };

struct report_test {
	const char *name;
	struct span span;
	enum test_end end;
	const struct diag **found;
	size_t found_count;
};

enum spelling { SPELLING_NOT_ASKED, SPELLING_SAME, SPELLING_OTHER, SPELLING_WRITTEN };

/* A policy that was read, or could not be. */
struct report_file {
	const char *path; /* as it was named */
	struct compilation *c;
	VEC(struct report_test) tests; /* tegc test */
	enum spelling spelling;	       /* tegc fmt */
	size_t fixed;		       /* tegc check --fix: how many fixes were made */
};

/* A bundle that was written. */
struct report_bundle {
	const char *path;
	const char *sha256;
	size_t len;
	bool proved;
};

struct cJSON;
struct report;
typedef void report_form(struct buf *out, const struct report *r);

struct report_sink {
	const char *path; /* "-" is standard output */
	report_form *form;
};

struct report {
	struct arena *arena;
	const char *command;
	int exit;
	const char *root; /* that paths are relative to, with a slash at its end */
	VEC(struct report_file *) files;
	VEC(struct report_sink) sinks;
	const struct diff *diff; /* tegc diff: from files 0 to 1 */
	struct cJSON *parts;	 /* an object: what only programs are told of, by its key in the envelope */
	struct report_bundle bundle;
};

struct report *report_new(const char *command);
void report_free(struct report *r); /* and the compilations */
OWN_FREE(report, struct report *)

/* "FORMAT=FILE"; false when there is no such format, or no file. */
bool report_ask(struct report *r, const char *asked);

/* Where the text for the person at the prompt goes: standard error when a report has standard output. */
FILE *report_text(const struct report *r);

struct report_file *report_add(struct report *r, const char *path, struct compilation *c);

/* The end of a test, with what was found since `from` diagnostics were there. */
void report_add_test(struct report_file *f, const char *name, struct span span, enum test_end end, size_t from);

/* `value` belongs to the report from now on. */
void report_add_part(struct report *r, const char *key, struct cJSON *value);
/* A part that is a list, made when first asked for; borrowed. */
struct cJSON *report_list_part(struct report *r, const char *key);

/* All that were asked for; the exit code, or that of a report that could not be written. */
int report_write(struct report *r, int exit_code);

/* --- what the forms share -------------------------------------------------------------------- */

#define FORMAT(id, ...) report_form report_##id;
#include "compiler/report/forms/format.def"
#undef FORMAT

/* What reports call a claim of the command line. */
#define REPORT_CLAIM "the claim"
/* Is it a file, and not a value of the command line? */
bool report_is_file(const struct source *s);

/* The exit code in one word: "yes", "wrong", "no" ... */
const char *report_result(const struct report *r);

/* Relative to the root, when it is a file below it. */
const char *report_path(const struct report *r, const char *name);

/* A span as people count it: from line and column to line and column, behind its end. Of what is no file, the policy's first line. */
struct report_span {
	const char *path;
	uint32_t line, column, end_line, end_column;
};
struct report_span report_span(const struct report *r, const struct report_file *f, struct span s);

struct report_counts {
	size_t errors, warnings, allowed, left_out; /* left_out: counted, but not kept */
	size_t tests, passed, failed, unknown, todo;
	size_t opened, closed, effect, facts, idle, undecided;
	size_t fixed;
};
struct report_counts report_count(const struct report *r);

/* What is asked for when a change needs a place: the rule that causes it, or NULL. */
const struct report_file *report_change_file(const struct report *r, const struct change *c);

const char *severity_name(enum severity s); /* "error", "warning" */

#endif
