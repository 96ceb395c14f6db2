/*
 * printer - what the two halves of this room share: statement.c finds the words of a
 * statement (words.h), print.c lays lines, comments and columns.
 */
#ifndef TEG_SPELL_PRINTER_H
#define TEG_SPELL_PRINTER_H

#include "lang/base/buf.h"
#include "lang/syntax/ast.h"
#include "lang/syntax/source.h"

/* What is aligned with what: only lines of one kind that follow each other. */
enum line_kind { LINE_PLAIN, LINE_BLANK, LINE_COMMENT, LINE_RULE, LINE_SETTING, LINE_DECLARATION, LINE_CASE };

struct line {
	enum line_kind kind;
	int indent;
	const char *cell, *body, *comment; /* or NULL */
};

struct printer {
	struct arena *arena;
	const struct ast *ast;
	struct sources *sources;
	uint32_t file;
	VEC(struct line) lines;
	size_t next_comment;
	uint32_t done;	/* the source is printed up to here */
	bool block_begins; /* no empty line here */
	bool breaking;	/* lists that hold a comment go on lines of their own, */
	bool wide;	/* and so do the others with more than one value */
	bool normal;	/* for an id: words that ask nothing are left out */
	int indent;
	enum line_kind kind;
	const size_t *widths; /* of the columns of the table at hand */
	struct buf cell, body;
};

/* print.c: the line at hand ends here, and the next one begins. */
void printer_end_line(struct printer *p);
/* Comments before this place, each on its own line. */
void printer_comments(struct printer *p, uint32_t before);
/* The comment behind what ends at `end`, on its line and before `limit`, goes to the last line. */
void printer_comment_behind(struct printer *p, uint32_t end, uint32_t limit);
bool printer_comment_within(const struct printer *p, struct span s);

/* statement.c: writes one statement's cell and body; true when it is the head of a block, whose items follow. */
bool spell_statement(struct printer *p, const struct node *n, const struct node *parent);
/* Whether a child of a block is a statement of its own, and not a part of the block's head. */
bool spell_is_item(const struct node *n, const struct node *parent);
/* phrase.c: whether two children of a block that follow each other are one statement: a reflex's effects are. */
bool spell_is_one(const struct node *before, const struct node *after, const struct node *parent);

#endif
