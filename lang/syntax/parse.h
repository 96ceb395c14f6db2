/*
 * parse - text to tree.
 *
 *     struct ast ast;
 *     parse_file(&ast, arena, sources, file, diags);
 *
 * Every independent mistake of the text is noted in one run; what could not be
 * read is a NODE_HOLE. The nodes live in the arena of the sources' trees, what is written in them in the
 * other: it may outlive them.
 *
 * Line ends. A statement ends with its line. A line goes on inside ( ) and [ ],
 * and after an operator, a comma, `=` and `=>`. `}` also ends the statement before it.
 */
#ifndef TEG_SYNTAX_PARSE_H
#define TEG_SYNTAX_PARSE_H

#include "lang/syntax/ast.h"
#include "lang/syntax/diag.h"
#include "lang/syntax/source.h"

/* Is it a text at all? False when a diagnostic says where it is none; such a source is not to be parsed. */
bool parse_is_text(const struct sources *s, uint32_t file, struct diags *ds);

void parse_file(struct ast *out, struct arena *a, struct sources *s, uint32_t file, struct diags *ds);

/* A source that is one value, as in --param NAME=VALUE. */
void parse_value(struct ast *out, struct arena *a, struct sources *s, uint32_t file, struct diags *ds);

/* A source that is one claim, "in every posture: tcp to self port 23 is dropped", or one packet as in tests. */
void parse_claim(struct ast *out, struct arena *a, struct sources *s, uint32_t file, struct diags *ds);
void parse_packet(struct ast *out, struct arena *a, struct sources *s, uint32_t file, struct diags *ds);

/* Is it a word of the language, so that it cannot be a name? */
bool word_is_reserved(const char *text);

#endif
