/*
 * lex - the text of `nft list ruleset`, or a script of nft, as tokens.
 *
 * What `define` names is put where it is used, so that a reader meets values alone; such
 * tokens stand where they are used. An `include` is read through the caller.
 */
#ifndef TEG_IMPORT_NFT_LEX_H
#define TEG_IMPORT_NFT_LEX_H

#include "compiler/import/import.h"

#define NFT_TOKENS_MAX 1000000

enum nft_token_kind {
	NFT_WORD,   /* a name, number, address: whatever stands without blanks */
	NFT_STRING, /* "..." */
	NFT_SIGN,   /* one of { } ( ) [ ] , : . - / * & | ^ ! < > = @ $ + ~ or two of them: != == <= >= << >> */
	NFT_LINE,   /* the end of a line, or ; */
	NFT_END,    /* of all; stands last */
};

struct nft_token {
	enum nft_token_kind kind;
	const char *text; /* a string without its quotes */
	const char *path;
	unsigned line, column;
	const char *from, *to; /* in what was read */
};

struct nft_tokens {
	struct nft_token *at;
	size_t len, room;
};

int nft_lex(struct import *m, const struct import_text *text, struct nft_tokens *out, struct err *why);

/* "line 3, column 14: WHAT: WORD"; the file too, when it is an included one. */
int nft_refuse(struct err *why, const struct nft_token *t, const char *what);

#endif
