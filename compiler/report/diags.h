/*
 * diags - diagnostics for a person: code, place, the line with carets, notes, help.
 *
 * What the source holds is shown as text: tabs as spaces, control characters
 * as <1b>, so that no policy can speak to the terminal.
 */
#ifndef TEG_REPORT_DIAGS_H
#define TEG_REPORT_DIAGS_H

#include <stdbool.h>
#include <stdio.h>

#include "compiler/front/front.h"
#include "lang/base/buf.h"

void report_diag(struct buf *out, struct compilation *c, const struct diag *d, bool colour);

/* All of them in the order of the source, and a last line that counts them. */
void report_diags(FILE *to, struct compilation *c);

#endif
