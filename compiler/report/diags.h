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

/*
 * How everything is shown in this run: --plain (no drawings, one line for each thing that is said:
 * for screen readers and scripts) and --color. Colour is for a terminal only, and not under NO_COLOR
 * unless it was asked for.
 */
enum colour_when { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER };

struct manner {
	bool plain;
	enum colour_when colour;
};
extern struct manner report_manner;

void report_diag(struct buf *out, struct compilation *c, const struct diag *d, bool colour);

/* All of them in the order of the source, and a last line that counts them. */
void report_diags(FILE *to, struct compilation *c);
/* One that is found after those were shown. */
void report_one_diag(FILE *to, struct compilation *c, const struct diag *d);
void diags_print(struct buf *out, struct compilation *c, bool colour);

/* "edge.teg:57:5: E0312 `late` never decides", then its places, notes and help, a line each. */
void diags_print_plain(struct buf *out, struct compilation *c);
/* "edge.teg:57:5: error[E0312]: `late` never decides": a line each, for editors. */
void diags_print_short(struct buf *out, struct compilation *c);

#endif
