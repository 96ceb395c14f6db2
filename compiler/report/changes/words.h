/*
 * words - what each form of a diff says of a change: text, Markdown and JSON say it alike.
 */
#ifndef TEG_REPORT_CHANGES_WORDS_H
#define TEG_REPORT_CHANGES_WORDS_H

#include "compiler/front/front.h"
#include "compiler/prove/diff/diff.h"
#include "lang/base/buf.h"

/* A diff, and in whose sources a rule's place is. */
struct telling {
	const struct diff *d;
	struct compilation *old, *new;
};

struct change_counts {
	size_t opened, high, closed, rate, effect, other, moved, renamed, changed, added, removed;
};

struct compilation *telling_source(const struct telling *k, bool of_new);

/* "edge.teg:41", or nothing when no text says it. */
void decider_print_place(struct buf *out, struct compilation *c, const struct decider *d);
/* With their places; of many the first. */
void decider_print_some(struct buf *out, struct compilation *c, const struct decider *at, size_t count);

const char *change_word(enum change_kind k);
const char *fact_word(enum fact_kind k);
const char *idle_word(enum idle_kind k);

void change_print_regions(struct buf *out, const struct change *c, const char *between);
/* The share of the regions that changes; never rounded up to all, and nothing when it is all. */
void change_print_share(struct buf *out, const struct change *c);
void change_print_because(struct buf *out, const struct telling *k, const struct change *c);
void change_print_flags(struct buf *out, unsigned flags);
void change_print_states(struct buf *out, const struct change *c);
void change_print_assumes(struct buf *out, const struct witness *w);

struct change_counts changes_count(const struct diff *d);
/* A line each: what is proved of all that is not told, and how much is told. */
void changes_print_proof(struct buf *out, const struct diff *d, const struct change_counts *n);
void changes_print_count(struct buf *out, const struct diff *d, const struct change_counts *n);

/* The form for a pull request: markdown.c. */
void changes_markdown(struct buf *out, const struct telling *k);

#endif
