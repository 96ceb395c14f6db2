/*
 * words - one line of a saved ruleset as words: split at blanks, "..." and
 * '...' kept together, a backslash takes the next byte as it is.
 */
#ifndef TEG_IMPORT_WORDS_H
#define TEG_IMPORT_WORDS_H

#include <stdbool.h>

#include "lang/base/arena.h"

struct words {
	const char **at;
	size_t len, room;
};

/* False when a quote does not end. */
bool words_split(struct arena *a, const char *line, struct words *out);

/* The next line of a text, without its end and blanks around it; NULL after the last. */
struct lines {
	const char *at, *end;
	unsigned number; /* of the line given last */
};
const char *lines_next(struct lines *l, struct arena *a);

/* "a,b,c" apart. */
struct words words_at_commas(struct arena *a, const char *text);

#endif
