#include "enforcer/api/lines.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lang/base/arena.h"

#define CELLS_MAX ((size_t)4 << 20) /* of the table of what both have: 16 MiB */
#define AROUND	  3		    /* lines kept around a difference */

struct line {
	const char *at;
	size_t len;
};

typedef VEC(struct line) text;

static void split(text *out, struct arena *a, const char *from)
{
	while (*from) {
		const size_t len = strcspn(from, "\n");

		vec_push(a, out, ((struct line){ from, len }));
		from += len + (from[len] == '\n');
	}
}

static bool same(const struct line *a, const struct line *b)
{
	return a->len == b->len && !memcmp(a->at, b->at, a->len);
}

/* '=', '-' or '+', in order, for each line of either. */
struct step {
	char what;
	const struct line *line;
	size_t number; /* of the line in the new text, or before which it stood */
};

typedef VEC(struct step) steps;

/* common[i][j]: how many lines the rests from i and j have in common. Then along the table from its corner. */
static bool compare(steps *out, struct arena *a, const struct line *was, size_t n, const struct line *is, size_t m, size_t offset)
{
	const size_t width = m + 1;
	own(mem) uint32_t *common = (n + 1) * width <= CELLS_MAX ? calloc((n + 1) * width, sizeof *common) : NULL;
	size_t i = 0, j = 0;

	if (!common)
		return false;
	for (size_t p = n; p-- > 0;)
		for (size_t q = m; q-- > 0;) {
			const uint32_t down = common[(p + 1) * width + q], right = common[p * width + q + 1];

			common[p * width + q] = same(&was[p], &is[q]) ? common[(p + 1) * width + q + 1] + 1 :
						down > right	      ? down :
									right;
		}
	while (i < n || j < m) {
		if (i < n && j < m && same(&was[i], &is[j])) {
			vec_push(a, out, ((struct step){ '=', &is[j], offset + j }));
			i++, j++;
		} else if (i < n && (j == m || common[(i + 1) * width + j] >= common[i * width + j + 1])) {
			vec_push(a, out, ((struct step){ '-', &was[i++], offset + j }));
		} else {
			vec_push(a, out, ((struct step){ '+', &is[j], offset + j }));
			j++;
		}
	}
	return true;
}

static bool is_near(const steps *s, size_t i)
{
	const size_t from = i < AROUND ? 0 : i - AROUND, to = i + AROUND < s->len ? i + AROUND : s->len - 1;

	for (size_t k = from; k <= to; k++)
		if (s->at[k].what != '=')
			return true;
	return false;
}

static void print(struct buf *out, const steps *s)
{
	bool shown = false;

	for (size_t i = 0; i < s->len; i++) {
		const struct step *one = &s->at[i];

		if (!is_near(s, i)) {
			shown = false;
			continue;
		}
		if (!shown)
			buf_printf(out, "@@ %zu @@\n", one->number + 1);
		shown = true;
		buf_putc(out, one->what == '=' ? ' ' : one->what);
		buf_add(out, one->line->at, one->line->len);
		buf_putc(out, '\n');
	}
}

bool lines_diff(struct buf *out, const char *was, const char *is)
{
	own(arena) struct arena *a = arena_new();
	text before = { 0 }, after = { 0 };
	size_t head = 0, tail = 0;
	steps s = { 0 };

	split(&before, a, was);
	split(&after, a, is);
	while (head < before.len && head < after.len && same(&before.at[head], &after.at[head]))
		head++;
	while (tail < before.len - head && tail < after.len - head &&
	       same(&before.at[before.len - 1 - tail], &after.at[after.len - 1 - tail]))
		tail++;
	if (head + tail == before.len && head + tail == after.len)
		return true;
	/* Around what differs some lines are kept. */
	const size_t front = head < AROUND ? head : AROUND, back = tail < AROUND ? tail : AROUND;
	head -= front;
	tail -= back;
	if (!compare(&s, a, before.at + head, before.len - head - tail, after.at + head, after.len - head - tail, head))
		return false;
	print(out, &s);
	return true;
}
