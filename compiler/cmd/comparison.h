/*
 * comparison - what `tegc diff` and `tegc no-new-access` found, told.
 */
#ifndef TEG_CMD_COMPARISON_H
#define TEG_CMD_COMPARISON_H

#include "compiler/prove/diff.h"
#include "compiler/report/changes.h"
#include "compiler/report/report.h"

/*
 * In words, where the report has them go, and noted in the report; its first two files are what was compared. EXIT_YES
 * when that could be told, whatever it says; else why not went to stderr, and the exit code is that of the command.
 */
int comparison_tell(struct report *r, const struct diff *d, enum changes_form form, bool all);

#endif
