#include "lang/vocab/tcp_flag.h"

#include <string.h>

static const struct {
	const char *word;
	uint8_t bits;
} rows[] = {
#define FLAG(word, bits) { word, bits },
#include "lang/vocab/flag.def"
#undef FLAG
};

#define ROWS (sizeof rows / sizeof *rows)

bool tcp_flag_find(const char *word, uint8_t *bits)
{
	for (size_t i = 0; i < ROWS; i++)
		if (!strcmp(rows[i].word, word)) {
			*bits = rows[i].bits;
			return true;
		}
	return false;
}

const char *tcp_flag_word(unsigned i)
{
	return i < ROWS ? rows[i].word : NULL;
}

void tcp_flags_print(struct buf *out, uint8_t bits)
{
	const char *before = "";

	for (size_t i = 0; i < ROWS; i++) {
		const bool is_one = __builtin_popcount(rows[i].bits) == 1;

		if (!is_one || !(bits & rows[i].bits))
			continue;
		buf_printf(out, "%s%s", before, rows[i].word);
		before = "+";
	}
	if (!bits)
		buf_puts(out, "none");
}
