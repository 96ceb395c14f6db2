/*
 * parser - what lexer, layout and grammar share while one source is read.
 *
 *     teg_raw_lex() ──► teg_lex() ──► teg_parse()
 *     teg.l: words      layout.c: line ends, lost brackets      teg.y: the tree
 */
#ifndef TEG_SYNTAX_PARSER_H
#define TEG_SYNTAX_PARSER_H

#include "lang/base/buf.h"
#include "lang/base/strmap.h"
#include "lang/base/near.h"
#include "lang/syntax/parse.h"

#define NESTING_MAX 100

/* An open bracket. */
struct opened {
	char bracket;
	struct span span;
	int construct; /* the word that began the statement it stands in */
};

struct token {
	int kind;
	struct span span;
	const char *text; /* of names, numbers and strings */
};

struct parser {
	struct arena *arena, *trees;
	struct sources *sources;
	struct diags *diags;
	struct ast *out;
	uint32_t file, at; /* the next byte to scan */
	void *scanner;
	struct strmap words; /* to struct word */
	const char *texts[256]; /* of tokens; of those with one hash the last */
	struct node *spare; /* that ended: parser_piece() */
	bool packs;	    /* rules and reflexes: packed.h */
	struct buf packed;  /* while a rule is */

	struct token queue[2 * NESTING_MAX + 8]; /* tokens that layout put in, first in first out */
	size_t queue_from, queue_len;
	struct token raw_again; /* scanned, but not yet taken */
	bool has_raw_again;
	struct opened open[NESTING_MAX];
	size_t depth;
	struct token last, before; /* what the grammar was given */
	uint32_t complained;	   /* where a token did not fit last */
	int construct;	/* the word that began this statement */
	bool line_begins;
	bool quiet;	/* layout has told what is wrong on this line */
	bool stopped;	/* too deep: what follows is not read */
};

/* Room for a node, or for the text of a literal. */
static inline void *parser_piece(struct parser *p)
{
	struct node *n = p->spare;

	if (!n)
		return arena_zero(p->trees, sizeof *n);
	p->spare = n->next;
	return n;
}

enum begins { BEGINS_NOTHING, BEGINS_STATEMENT, BEGINS_DECLARATION };

struct word {
	const char *text;
	int token;
	enum begins begins;
};

/* The scanner: one word, comments noted, line ends as tokens. */
void scanner_begin(struct parser *p, const char *text, size_t len);
void scanner_end(struct parser *p);
int teg_raw_next(struct parser *p, struct token *out);
void words_init(struct parser *p);
/* The words that begin declarations, for those who misspell one. */
void words_near(struct near *n);

#endif
