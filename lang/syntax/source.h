/*
 * source - the texts of one compilation, and what a byte of them is called:
 * file, line and column. A span's `file` is an index into this list.
 */
#ifndef TEG_SYNTAX_SOURCE_H
#define TEG_SYNTAX_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lang/base/arena.h"
#include "lang/base/span.h"

#define SOURCE_BYTES_MAX ((size_t)64 << 20)

struct source {
	const char *name; /* as reports call it: a path, "std/bogons.teg", "--param office" */
	const char *text; /* ends with a NUL that is not counted */
	size_t len;
	bool read;   /* from a file, into the compilation's arena of texts; */
	bool mapped; /* from a file without a name, where it lies since */
	uint32_t *lines; /* where each line begins; made when first asked for */
	size_t line_count;
};

struct sources {
	struct arena *arena, *trees; /* the texts' own, and that of the trees that parse.h makes of them */
	VEC(struct source) list;
	size_t len;	   /* of all texts */
	size_t packs_from; /* once `len` is that, rules and reflexes are packed when they are read: packed.h; 0: they never are */
};

/* What a person calls a place; both from 1. A column is a character, not a byte. */
struct place {
	const char *file;
	uint32_t line, column;
};

/* The text is borrowed, and must live as long as the sources. */
uint32_t source_add(struct sources *s, const char *name, const char *text, size_t len);

bool span_is_somewhere(struct span s);

/* From the beginning of one to the end of the other, which are in one file. */
struct span span_join(struct span from, struct span to);

struct place source_place(struct sources *s, uint32_t file, uint32_t at);
uint32_t source_line_of(struct sources *s, uint32_t file, uint32_t at); /* from 1 */
/* The line's bytes without its end. */
const char *source_line(struct sources *s, uint32_t file, uint32_t line, size_t *len);

/* Does the source say this there? And do two places say the same? */
bool source_says(const struct sources *s, struct span at, const char *text);
bool sources_agree(const struct sources *s, struct span a, struct span b);

/* The span and the blanks before it on its line: what goes when it goes. */
struct span source_with_blanks(const struct sources *s, struct span at);
/* The lines that the span is on, their ends included; SPAN_NOWHERE when something else stands beside it. A comment goes with it. */
struct span source_lines(const struct sources *s, struct span at);

/* How far into the text it is well-formed UTF-8 without NUL; `len` when it is throughout. */
size_t utf8_sound(const char *text, size_t len);
/* The bytes of the character that begins here, at least 1. */
size_t utf8_len(const char *at, size_t left);

#endif
