#include "compiler/import/words.h"

#include <ctype.h>
#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

bool words_split(struct arena *a, const char *line, struct words *out)
{
	char *text = arena_strdup(a, line), *to = text, *from = text;

	*out = (struct words){ 0 };
	while (*from) {
		char quote = 0;

		while (is_blank(*from))
			from++;
		if (!*from)
			break;
		vec_push(a, out, to);
		for (; *from && (quote || !is_blank(*from)); from++) {
			if (*from == '\\' && from[1])
				*to++ = *++from;
			else if (quote ? *from == quote : *from == '"' || *from == '\'')
				quote = quote ? 0 : *from;
			else
				*to++ = *from;
		}
		if (quote)
			return false;
		from += *from != 0;
		*to++ = '\0';
	}
	return true;
}

const char *lines_next(struct lines *l, struct arena *a)
{
	const char *from = l->at, *stop;

	if (from == l->end)
		return NULL;
	stop = memchr(from, '\n', (size_t)(l->end - from));
	if (!stop)
		stop = l->end;
	l->at = stop + (stop != l->end);
	l->number++;
	while (from < stop && is_blank(*from))
		from++;
	while (from < stop && is_blank(stop[-1]))
		stop--;
	return arena_strndup(a, from, (size_t)(stop - from));
}

struct words words_at_commas(struct arena *a, const char *text)
{
	struct words w = { 0 };

	for (;; text++) {
		size_t len = strcspn(text, ",");

		vec_push(a, &w, arena_strndup(a, text, len));
		text += len;
		if (!*text)
			return w;
	}
}
