#include "lang/base/near.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#define NEAR_WORD_MAX 64 /* longer words are not compared */

struct near near_to(const char *word)
{
	size_t len = strlen(word);

	return (struct near){ .word = word,
			      .most = len > NEAR_WORD_MAX ? 0 : len < 3 ? (len > 1) : (len + 2) / 3,
			      .distance = SIZE_MAX };
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Optimal string alignment: Levenshtein, and neighbours that changed places. */
static size_t distance(const char *x, size_t m, const char *y, size_t n)
{
	size_t rows[3][NEAR_WORD_MAX + 1], *before = rows[0], *above = rows[1], *row = rows[2];

	for (size_t j = 0; j <= n; j++)
		above[j] = j;
	for (size_t i = 1; i <= m; i++) {
		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			int a = tolower((unsigned char)x[i - 1]), b = tolower((unsigned char)y[j - 1]);

			row[j] = least(least(above[j] + 1, row[j - 1] + 1), above[j - 1] + (a != b));
			if (i > 1 && j > 1 && a == tolower((unsigned char)y[j - 2]) &&
			    b == tolower((unsigned char)x[i - 2]))
				row[j] = least(row[j], before[j - 2] + 1);
		}
		size_t *free_row = before;
		before = above;
		above = row;
		row = free_row;
	}
	return above[n];
}

void near_try(struct near *n, const char *candidate)
{
	size_t len = strlen(n->word), other = strlen(candidate);
	size_t apart = len > other ? len - other : other - len;

	if (other > NEAR_WORD_MAX || len > NEAR_WORD_MAX || apart > n->most)
		return;

	size_t d = distance(n->word, len, candidate, other);
	if (d > n->most || d >= len || d > n->distance)
		return;
	if (d == n->distance) {
		n->tied |= strcmp(n->best, candidate) != 0;
		return;
	}
	n->best = candidate;
	n->distance = d;
	n->tied = false;
}
