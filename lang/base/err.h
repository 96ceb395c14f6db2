/*
 * err - why the world refused, as one sentence that grows on the way up.
 *
 *     if (fd < 0)
 *             return err_sys(why, "cannot open %s", path);
 *     ...
 *     if (rc)
 *             return err_in(why, "bundle %s", path);
 *
 * gives "bundle edge.tegb: cannot open edge.tegb: No such file or directory".
 * Every function here returns a negative errno, so that it can be returned.
 * A wrong policy is not an err but a diagnostic; our own mistake is an assert.
 */
#ifndef TEG_BASE_ERR_H
#define TEG_BASE_ERR_H

#include "lang/base/span.h"

struct err {
	int code;	/* negative errno of the innermost failure, 0 when none */
	struct span at; /* of a failure, where the policy asks for what cannot be had, or SPAN_NOWHERE */
	char text[1024];
};

/* Notes errno (or EIO when it is 0) and says what was attempted, on what. */
int err_sys(struct err *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same with a code of the caller's own, given as a positive errno. */
int err_set(struct err *why, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "FORMAT: " before what is already noted; keeps the code. */
int err_in(struct err *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
