/*
 * say - to a person at a terminal, or to whatever reads the pipe.
 */
#ifndef TEG_CTL_SAY_H
#define TEG_CTL_SAY_H

#include "enforcer/ctl/ctl.h"
#include "lang/base/buf.h"

enum colour { COLOUR_NONE, COLOUR_GOOD, COLOUR_BAD, COLOUR_DIM, COLOUR_STRONG };

/* Text of others has no control characters when it reaches a terminal; appended with the colour where one shows. */
void say_add(struct buf *out, enum colour colour, const char *text);

size_t say_width(const char *text); /* in characters, not bytes */

#define SAY_COLUMNS 8

/* Columns as wide as they must be, SAY_COLUMNS at most; rows of `columns` texts each, the first row the heading. */
void say_table(struct buf *out, const char *const *cells, size_t columns, size_t rows);

/* "edge 1.2.0", or "edge" of a policy that says no version. */
void say_policy(struct buf *out, const char *name, const char *version);

/* "intact", "not intact" or "not known whether intact", of a STATUS of the API. */
void say_intact(struct buf *out, const cJSON *status);

/* "12 run, 3 not run on this engine", of TESTS of the API; nothing when there are none. */
void say_tests(struct buf *out, const cJSON *tests);

/* To stdout; EXIT_IO when it cannot be written. */
enum exit_code say_out(const struct buf *out);

/* "tegctl: PROBLEM: detail" and the way out to stderr, or with --json as one object to stdout. */
void say_problem(const struct ctl *c, const char *name, const char *detail, const char *advice);

#endif
