/*
 * pages - the pages on diagnostics, docs/errors/CODE.md, which tegc carries.
 *
 *     if (!report_page(&out, DIAG_NAME_TWICE)) ...
 *
 * What was written for the web is shown for a terminal: a wrong policy and a right one, both indented.
 */
#ifndef TEG_REPORT_PAGES_H
#define TEG_REPORT_PAGES_H

#include <stdbool.h>

#include "lang/base/buf.h"
#include "lang/syntax/diag.h"

/* The code of "E0312", "e0312" or "DEAD_RULE"; DIAG_COUNT when there is none. */
enum diag_code diag_code_find(const char *text);

/* False when the kind has no page. */
bool report_page(struct buf *out, enum diag_code code);

#endif
