/*
 * print - trees as text, in their one spelling.
 *
 * parse(print(tree)) is the tree, and print(parse(print(tree))) the same text.
 * Clauses are put in one order, comments stay where they were, one empty line
 * stays where one or more were.
 */
#ifndef TEG_SPELL_PRINT_H
#define TEG_SPELL_PRINT_H

#include "lang/base/buf.h"
#include "lang/syntax/ast.h"
#include "lang/syntax/diag.h"
#include "lang/syntax/source.h"

/* A whole file; the tree must be sound. */
void print_file(struct buf *out, const struct ast *ast, struct sources *s, uint32_t file);

/* The text of a source in its one spelling; false when its syntax has mistakes, which *ds tells. */
bool print_source(struct buf *out, struct arena *a, struct sources *s, uint32_t file, struct diags *ds);

void print_value(struct buf *out, const struct node *value);
/* A rule without its label and without words that ask nothing, such as `in` and `from any`. */
void print_rule_normal(struct buf *out, const struct node *rule);
/* A string with quotes and escapes. */
void print_string(struct buf *out, const char *text);

#endif
