/* abi_payload - what reflexes look for in payloads: boxes, automata, lists and rows. See abi.h. */
#ifndef TEG_ABI_PAYLOAD_H
#define TEG_ABI_PAYLOAD_H

#include <linux/types.h>

/* What the program knows of it. */
struct teg_payload {
	__u32 boxes, rows, automata, steps, lists;
	__u32 longest;	  /* rows of the longest list */
	__u32 first_rule; /* that looks into payloads */
	__u32 stride;	  /* 2 or 4: bytes from one window to the next */
};
_Static_assert(sizeof(struct teg_payload) == 32, "abi");

/*
 * What reflexes look for in payloads. A packet that lies in a box of theirs is read
 * by each automaton once, and what is found decides for all of them:
 *
 *     packet ──► boxes ──► automata ──► lists ──► rows ──┬──► the first rule that decides at once
 *                  └── in none: not looked into          └──► marks: what the boxes of gen_cells may ask for
 *
 * gen_payload_cells: one value of `boxes` cells; their numbers are bits of a word.
 *
 * gen_automata: one value of `automata`. A state is the place of its row in gen_steps, in bytes. From one cell of a row to its next are
 * TEG_STEP_APART, with those of other rows between: enforcer/hook/tables/steps.h draws how. (In a plan a row's cells stand behind each other, and
 * states are in cells.) Behind the rows stand TEG_STEPS_BEYOND cells, so that a place below all of them may have any class added to it:
 *
 *     gen_steps   next state by class of byte | list of what ends here | list of what ends if the payload does | age
 *
 * The first row of an automaton is its idle state: no match has begun. Those that end
 * something begin behind all others. A list is a place in gen_lists: how many, and then numbers of rows, ascending;
 * the list at 0 is empty. Rows (gen_rows) are in the order of their rules.
 *
 * In the idle state every second or fourth byte begins a window of two to eight bytes, which is looked up in
 * `windows`. One that is not in it says: neither at its first byte nor at the one or three before does a match begin (so those between confirm it).
 * How long a window is, its first two bytes say: a short match makes only those windows short that begin as it does.
 *
 *     eval(base64 │ ev ──► shifts ──► 0: eight bytes ──► eval(bas ──► windows
 *     id;         │ id ──► shifts ──► 40: three      ──► id;
 *
 * Of a state of age n the last n bytes are all that matters. When no match begins with any of them, the idle
 * state says the same. So the automaton is left as soon as what it was asked for has come to nothing.
 */
#define TEG_STEP_MORE 3u /* columns behind those of the classes: two lists, */
#define TEG_STEP_AGE  2u /* and the age, 1 to 8, or */
#define TEG_AGE_OLD   9u
#define TEG_PAYLOAD_BOXES_MAX 64u
#define TEG_MARKS_MAX 64u
#define TEG_ROWS_MAX 16384u
#define TEG_AUTOMATA_MAX 8u
#define TEG_STATES_MAX 65536u  /* of an automaton */
#define TEG_STEPS_MAX 2097152u /* 8 MB */
#define TEG_STEP_APART 16u /* so many fill a line of the cache */
#define TEG_STEPS_BEYOND (256u * TEG_STEP_APART)
#define TEG_LISTS_MAX 262144u
#define TEG_LIST_MAX 256u      /* rows in a list */
#define TEG_PAYLOAD_MOST 65535u
#define TEG_WINDOW_WORDS 16384u /* one begins at each byte */
#define TEG_WINDOW_BYTES (TEG_WINDOW_WORDS + 7)
#define TEG_PAIRS	 65536u
#define TEG_WINDOW_MIN	 2u
#define TEG_WINDOW_MAX	 8u

/* What is set in a window before it is looked up: what tells letters' cases apart. */
#define TEG_WINDOW_FOLD 0x2020202020202020ull
#define TEG_WINDOW_FACTOR 0x9e3779b97f4a7c15ull
#define TEG_WINDOW_SHIFT(n) (8 * (TEG_WINDOW_MAX - (n))) /* what pushes out all but the first `n` bytes */

#define TEG_WINDOW_NONE 63u /* leaves a bit of the first byte: of a pair with which no match begins */

/* Of eight bytes in the order of their addresses, the first in the lowest 8 bits: where it is looked up. */
static inline __u64 teg_window(__u64 word, __u32 shift)
{
	return ((word | TEG_WINDOW_FOLD) << shift) * TEG_WINDOW_FACTOR;
}

static inline __u32 teg_window_word(__u64 window) /* the byte at which 64 bits of `windows` begin */
{
	return (__u32)(window >> 50);
}

static inline __u32 teg_window_bit(__u64 window) /* of these */
{
	return window >> 44 & 63;
}

struct teg_row {
	__u64 boxes;  /* any in common with the packet's */
	__u32 rule;   /* index into gen_rules */
	__u32 within; /* it ends within so many bytes */
	__u32 mark;   /* 1 + bit: the rule is asked in gen_cells; 0: it decides at once */
	__u32 pad;
};
_Static_assert(sizeof(struct teg_row) == 24, "abi");

struct teg_automaton {
	__u32 idle, start, first_hit; /* states; those from first_hit on end something */
	__u32 classes;
	__u32 most;		      /* so many bytes are looked at */
	__u32 pad;
	__u8 class_of[256];
	__u8 windows[TEG_WINDOW_BYTES]; /* a bit each */
	__u8 pad_to_word;
	__u8 shifts[TEG_PAIRS]; /* by a window's first two bytes, the first in the lowest 8 bits */
};
_Static_assert(sizeof(struct teg_automaton) == 24 + 256 + 16392 + 65536, "abi");

#endif
