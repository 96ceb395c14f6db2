/*
 * pattern - regular expressions over bytes, as finite automata.
 *
 *     struct pattern p;
 *     struct pattern_fault f;
 *     if (pattern_compile(&p, arena, "union\\s+select", PATTERN_ICASE, &f)) ...    f.at, f.words
 *     pattern_finds(&p, payload, len, 512)
 *
 * A pattern is looked for anywhere in a payload; ^ is the payload's beginning and
 * $ its end. What compiles is what a finite automaton can do:
 *
 *     c  \n \r \t \f \v \0 \xHH \.     a byte; any sign that has a meaning, behind a backslash
 *     .                                any byte but a line feed (with `s`: any byte)
 *     [a-z\d] [^"]                     one of a set, or none of it
 *     \d \w \s \D \W \S                digits, letters digits and _, blanks; and what they are not
 *     (x) (?:x) xy x|y                 groups, sequence, choice
 *     x* x+ x? x{n} x{n,} x{n,m}       repetition, at most 255 times when counted
 *
 * Back-references, look-around, word boundaries, lazy and possessive repetition and
 * flags inside a pattern are refused by name.
 *
 * The automaton (Rabin and Scott 1959: subsets of the pattern's positions; then
 * Moore's refinement, so that equal patterns make equal tables) reads a byte with one
 * look-up of its class and one of the next state.
 */
#ifndef TEG_PATTERN_PATTERN_H
#define TEG_PATTERN_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lang/base/arena.h"

#define PATTERN_STATES_MAX    4096
#define PATTERN_POSITIONS_MAX 4096
#define PATTERN_REPEAT_MAX    255

enum pattern_flags { PATTERN_ICASE = 1, PATTERN_DOT_ALL = 2 };

struct pattern {
	uint8_t class_of[256];
	unsigned classes;
	uint32_t states; /* 0 is where reading begins */
	uint16_t *next;	 /* [state * classes + class] */
	bool *found;	 /* state: the pattern has been found, whatever follows */
	bool *ends;	 /* state: found if the payload ends here */
};

/* What is wrong, and where in the expression. */
struct pattern_fault {
	size_t at, len;
	const char *words;
};

/* 0, or -1 with the fault filled in. Everything lives in the arena. */
int pattern_compile(struct pattern *out, struct arena *a, const char *expression, unsigned flags,
		    struct pattern_fault *why);

/* The bytes, one at least, of the shortest payload that has it; PATTERN_NEVER when none has, as of `$^`. */
#define PATTERN_NEVER SIZE_MAX
size_t pattern_shortest(const struct pattern *p, struct arena *a);

/* Looks at `within` bytes at most; what is longer has no end there. */
bool pattern_finds(const struct pattern *p, const void *bytes, size_t len, size_t within);

#endif
