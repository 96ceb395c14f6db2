/*
 * grammar - what the actions of teg.y need beyond making a node, and what is
 * said when a text does not fit.
 */
#ifndef TEG_SYNTAX_GRAMMAR_H
#define TEG_SYNTAX_GRAMMAR_H

#include "lang/syntax/parser.h"

/* More expected tokens than this are not listed. */
#define EXPECTED_MAX 64

/* A node; of those that were given back one, where there are any. */
struct node *grammar_node(struct parser *p, enum node_kind kind, struct span at, const char *text, int word);
/* Of the word of another, which ends. */
struct node *grammar_same(struct parser *p, enum node_kind kind, struct span at, struct node *x);
/* node_move(); the other ends. */
struct node *grammar_move(struct parser *p, struct node *to, struct node *from);
/* A rule or reflex that is whole: packed, where that is asked for. */
struct node *grammar_pack(struct parser *p, struct node *n);

/* What could not be read; `name` is what it would have declared, NULL when that is not known. */
struct node *grammar_hole(struct parser *p, struct span at, struct node *name);
struct node *grammar_named_hole(struct parser *p, struct node *name);

struct node *grammar_case(struct parser *p, struct span at, struct node *times, struct node *packet,
			  struct node *within, struct node *expect);

struct node *grammar_binary(struct parser *p, struct span at, enum node_kind kind, struct node *x,
			    struct node *y);

/* `a and b and c` is one node with three parts. */
struct node *grammar_both(struct parser *p, struct span at, enum node_kind kind, struct node *x,
			  struct node *y);

struct node *grammar_if(struct parser *p, struct span at, struct node *condition, struct node *then,
			struct node *otherwise);

/* `run NAME(arguments)`: `word`, at `word_at`, must be `run`. */
struct node *grammar_run(struct parser *p, struct span at, struct span word_at, const char *word,
			 struct node *name, struct node *arguments);

/* The token at hand does not fit; these would have. */
void grammar_complain(struct parser *p, struct span at, const char *const *expected, size_t count);
void grammar_overflow(struct parser *p, struct span at, const char *message);

#endif
