/*
 * many - several patterns as one automaton, which says at each byte what has been found.
 *
 *     struct many m;
 *     if (!many_compile(&m, arena, wishes, count, 65536)) ...       or it needs more states
 *
 *     state = MANY_START of m; for each byte: state = m.next[state * m.classes + m.class_of[byte]]
 *     m.hits[state]   the patterns that end with this byte, a list of m.lists
 *     m.ends[state]   those that are found if the payload ends here
 *
 * Reading begins in m.start. State 0 is the idle one: nothing has begun. It says what
 * each pattern's own automaton says (pattern.h): one that is found is in a hit of the
 * first byte at which it is, and perhaps in later ones.
 *
 * Most payloads hold nothing that is looked for. So windows of up to eight bytes, two or
 * four bytes apart, are looked up in a bit map (abi.h, teg_window): whether a match may begin there:
 *
 *     idle, before byte j ──► bytes from j+1 on in the map? ──► no: idle before byte j+2 says the same
 *                                                          └─► yes: the automaton reads on from j
 */
#ifndef TEG_PATTERN_MANY_H
#define TEG_PATTERN_MANY_H

#include "bpf-templates/abi.h"
#include "compiler/pattern/pattern.h"

struct many_wish {
	const char *expression;
	unsigned flags; /* enum pattern_flags */
};

struct many_list {
	const uint16_t *at; /* indices of wishes, ascending */
	uint32_t len;
};

struct many {
	uint8_t class_of[256];
	unsigned classes;
	uint32_t states, start;
	uint32_t *next;	       /* [state * classes + class] */
	uint32_t *hits, *ends; /* by state, indices of lists; 0 is the empty one */
	struct many_list *lists;
	uint32_t list_count;
};

/* False when that needs more states. Every expression is one that pattern_compile() takes. */
bool many_compile(struct many *out, struct arena *a, const struct many_wish *wishes, size_t count, uint32_t states_max);

/* What it finds: sets found[i] for each wish. Looks at `within` bytes at most; what is longer has no end there. */
void many_find(const struct many *m, const void *bytes, size_t len, size_t within, bool *found);

/*
 * many_windows - the map for windows that stand two or four bytes apart, each as long
 * as what may begin with its first two bytes lets it be. The price is a guess, good enough to choose the stride by.
 */
struct many_windows {
	double price, likely; /* ns for eight bytes of text; about how often its windows are in the map */
	uint8_t windows[TEG_WINDOW_BYTES], shifts[TEG_PAIRS];
};
void many_windows(struct many_windows *out, const struct many *m, unsigned stride);

/* By state: so many bytes before it are all that matters, TEG_AGE_OLD when that is more than eight. Where no window
 * with one of them as its match's first byte is in the map, the idle state finds what this one does. */
void many_ages(uint8_t *ages, const struct many *m);

#endif
