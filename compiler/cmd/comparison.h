/*
 * comparison - what `tegc diff` and `tegc no-new-access` found, told.
 */
#ifndef TEG_CMD_COMPARISON_H
#define TEG_CMD_COMPARISON_H

#include "compiler/cmd/cmd.h"
#include "compiler/prove/diff/diff.h"
#include "compiler/report/changes/changes.h"
#include "compiler/report/forms/report.h"

/*
 * What both take, as CMD_POLICY_OPTIONS are taken; parameters and import paths are those of both policies,
 * which are the report's first two files. False when the option is none of these, or was told to be wrong.
 */
struct comparison_asked {
	bool all;
	enum changes_form form;
	struct prove_budget budget;
};
enum { COMPARISON_ALL = CMD_OWN, COMPARISON_MARKDOWN, COMPARISON_BUDGET, COMPARISON_OWN };
#define COMPARISON_OPTIONS                                                                         \
	CMD_POLICY_OPTIONS, CMD_REPORT_OPTIONS, { "all", 0, NULL, COMPARISON_ALL },                \
	{ "markdown", 0, NULL, COMPARISON_MARKDOWN }, { "analysis-budget", 1, NULL, COMPARISON_BUDGET }
bool comparison_option(struct comparison_asked *a, struct report *r, int option, const char *value);

/*
 * In words, where the report has them go, and noted in the report; its first two files are what was compared. EXIT_YES
 * when that could be told, whatever it says; else why not went to stderr, and the exit code is that of the command.
 */
int comparison_tell(struct report *r, const struct diff *d, const struct comparison_asked *a);

#endif
