#include "enforcer/ctl/say.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "enforcer/ctl/call.h"

static bool shows_colour(void)
{
	const char *none = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(none && *none) && term && strcmp(term, "dumb");
}

static const char *colour_code(enum colour c)
{
	switch (c) {
	case COLOUR_NONE:
		return "";
	case COLOUR_GOOD:
		return "\x1b[32m";
	case COLOUR_BAD:
		return "\x1b[1;31m";
	case COLOUR_DIM:
		return "\x1b[2m";
	case COLOUR_STRONG:
		return "\x1b[1m";
	}
	return "";
}

/* C0, DEL, and C1 (which UTF-8 writes as C2 80 to C2 9F): what a terminal might obey. */
static size_t control_length(const char *at)
{
	const uint8_t *b = (const uint8_t *)at;

	if (b[0] < 0x20 || b[0] == 0x7f)
		return 1;
	return b[0] == 0xc2 && b[1] >= 0x80 && b[1] <= 0x9f ? 2 : 0;
}

void say_add(struct buf *out, enum colour colour, const char *text)
{
	const bool coloured = colour != COLOUR_NONE && shows_colour();

	if (coloured)
		buf_puts(out, colour_code(colour));
	while (*text) {
		size_t control = control_length(text);

		buf_putc(out, control ? '?' : *text);
		text += control ? control : 1;
	}
	if (coloured)
		buf_puts(out, "\x1b[0m");
}

size_t say_width(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static size_t widest_of(const char *const *cells, size_t columns, size_t rows)
{
	size_t widest = 0;

	for (size_t r = 0; r < rows; r++) {
		const size_t w = say_width(cells[r * columns]);
		widest = w > widest ? w : widest;
	}
	return widest;
}

void say_table(struct buf *out, const char *const *cells, size_t columns, size_t rows)
{
	size_t widest[SAY_COLUMNS];

	for (size_t col = 0; col < columns; col++)
		widest[col] = widest_of(cells + col, columns, rows);
	for (size_t r = 0; r < rows; r++) {
		for (size_t col = 0; col < columns; col++) {
			const char *cell = cells[r * columns + col];

			say_add(out, r ? COLOUR_NONE : COLOUR_DIM, cell);
			if (col + 1 < columns)
				buf_printf(out, "%*s", (int)(widest[col] - say_width(cell) + 2), "");
		}
		buf_putc(out, '\n');
	}
}

enum exit_code say_out(const struct buf *out)
{
	if (fwrite(buf_text(out), 1, out->len, stdout) == out->len && !fflush(stdout))
		return EXIT_YES;
	fputs("tegctl: cannot write the answer\n", stderr);
	return EXIT_IO;
}

void say_problem(const struct ctl *c, const char *name, const char *detail, const char *advice)
{
	own(buf) struct buf out = { 0 };

	if (*c->json) {
		cJSON *problem = cJSON_CreateObject();

		cJSON_AddStringToObject(problem, "problem", name);
		cJSON_AddStringToObject(problem, "detail", detail);
		cJSON_AddStringToObject(problem, "try", advice);
		char *text = cJSON_PrintUnformatted(problem);
		if (text)
			puts(text);
		free(text);
		cJSON_Delete(problem);
		return;
	}
	buf_puts(&out, "tegctl: ");
	say_add(&out, COLOUR_NONE, detail);
	buf_puts(&out, "\n  try: ");
	say_add(&out, COLOUR_NONE, advice);
	fprintf(stderr, "%s\n", buf_text(&out));
}

void say_intact(struct buf *out, const cJSON *status)
{
	const bool is_known = cJSON_IsBool(cJSON_GetObjectItemCaseSensitive(status, "intact"));
	const bool is_intact = json_is_true(status, "intact");

	say_add(out, is_intact ? COLOUR_GOOD : COLOUR_BAD, is_intact ? "intact" : is_known ? "not intact" : "not known whether intact");
}

void say_policy(struct buf *out, const char *name, const char *version)
{
	buf_printf(out, "%s%s%s", name, *version ? " " : "", version);
}

void say_tests(struct buf *out, const cJSON *tests)
{
	const double run = json_number(tests, "run"), not_run = json_number(tests, "not_run");

	if (run + not_run > 0)
		buf_printf(out, "%.0f run, %.0f not run on this engine", run, not_run);
}
