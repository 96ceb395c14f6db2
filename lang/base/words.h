/*
 * words - a list as a row of a .def file has it: names with a space between each.
 */
#ifndef TEG_BASE_WORDS_H
#define TEG_BASE_WORDS_H

#include <stdbool.h>
#include <string.h>

static inline bool words_have(const char *words, const char *word)
{
	const size_t len = strlen(word);

	for (const char *at = words; (at = strstr(at, word)); at += len)
		if ((at == words || at[-1] == ' ') && (!at[len] || at[len] == ' '))
			return true;
	return false;
}

#endif
