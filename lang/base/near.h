/*
 * near - the known word that somebody probably meant.
 *
 *     struct near n = near_to("exetnds");
 *     near_try(&n, "extends");  ...
 *     if (n.best)
 *             diag_help(d, "did you mean `%s`?", n.best);
 *
 * By edit distance: a letter more, less, other, or two changed places count one
 * each; at most a third of the word may be wrong, and never all of it.
 */
#ifndef TEG_BASE_NEAR_H
#define TEG_BASE_NEAR_H

#include <stdbool.h>
#include <stddef.h>

struct near {
	const char *word;
	const char *best; /* borrowed from the caller, or NULL */
	size_t distance, most;
	bool tied; /* another one is as near */
};

struct near near_to(const char *word);
void near_try(struct near *n, const char *candidate);

#endif
