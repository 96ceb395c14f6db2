/*
 * ast - a .teg file as it was said: one tree, every node with its place.
 *
 * Nodes are uniform: a kind, what was written (`text` or `word`), and children
 * in the order of the source. What a kind's children may be is said beside it;
 * clauses come in any order and any number, and whether that makes sense is
 * asked later, where several mistakes can be told at once.
 *
 *     for (struct node *n = rule->first; n; n = n->next)
 *     struct node *label = node_find(rule, NODE_LABEL);        or NULL
 *
 * Comments are not in the tree but beside it, in the order of the source: the
 * printer puts them back by their place.
 */
#ifndef TEG_SYNTAX_AST_H
#define TEG_SYNTAX_AST_H

#include <stdbool.h>
#include <stddef.h>

#include "lang/base/arena.h"
#include "lang/base/span.h"

enum node_kind {
	/* declarations */
	NODE_FILE,     /* declarations */
	NODE_POLICY,   /* NAME TITLE? SETTING... */
	NODE_IMPORT,   /* STRING */
	NODE_PARAM,    /* NAME, TYPE, a value? */
	NODE_ZONE,     /* NAME, a value */
	NODE_NET,      /* NAME, a value */
	NODE_SERVICE,  /* NAME, a value */
	NODE_LIFELINE, /* RULE... */
	NODE_BLOCK,    /* LABEL? a value, ON? */
	NODE_POSTURE,  /* NAME TITLE? EXTENDS? then DEFAULT, SETTING, RULE... */
	NODE_INITIAL,  /* NAME */
	NODE_REFLEX,   /* NAME, then MATCH, WHEN, ACTION..., EXCEPT */
	NODE_TEST,     /* TITLE, then IN_POSTURE, CASE... */
	NODE_HOLE,     /* what could not be read; NAME? of what it would have declared */

	/* parts of declarations */
	NODE_LABEL,   /* text; "~1f0c93aa" in resolved policies */
	NODE_TITLE,   /* text */
	NODE_TYPE,    /* text */
	NODE_EXTENDS, /* text */
	NODE_SETTING, /* text, and values */
	NODE_DEFAULT, /* word: verdict; DIRECTION? */
	NODE_RULE,    /* word: verdict; LABEL? DIRECTION? SELECTOR */
	NODE_DIRECTION, /* word: direction */
	NODE_MATCH,   /* SELECTOR */
	NODE_WHEN,    /* text: what is measured, key; PER (key), COUNT, WINDOW values */
	NODE_ACTION,  /* word: verdict; `drop source for` has SOURCE and a value */
	NODE_EXCEPT,  /* NAME... */

	/* selectors */
	NODE_SELECTOR, /* HEAD? then clauses */
	NODE_HEAD,     /* a value, and perhaps another: `icmp echo`, `protocol 47` */
	NODE_FROM,     /* a value, PORT? */
	NODE_TO,       /* a value, PORT? */
	NODE_PORT,     /* a value */
	NODE_ON,       /* a value */
	NODE_FLAGS,    /* WORDS (want), WORDS? (mask) */
	NODE_WORDS,    /* NAME... joined by + */

	/* tests */
	NODE_IN_POSTURE, /* NAME */
	NODE_CASE,	 /* text: how many, or NULL; PACKET, WITHIN?, EXPECT */
	NODE_WITHIN,	 /* a value */
	NODE_PACKET,	 /* HEAD, END, END, then WORDS, DIRECTION, ON */
	NODE_END,	 /* a value, and perhaps a port */
	NODE_EXPECT,	 /* word: verdict; LAST?, BY? */
	NODE_LAST,
	NODE_BY, /* text */

	/* values */
	NODE_NAME,     /* text */
	NODE_STRING,   /* text, unescaped */
	NODE_NUMBER,   /* text */
	NODE_QUANTITY, /* text: "10s", "200k", "20%" */
	NODE_ADDRESS,  /* text: an address or a prefix */
	NODE_ANY,
	NODE_SELF,
	NODE_LIST,  /* values */
	NODE_JOIN,  /* left + right */
	NODE_MINUS, /* left - right */
	NODE_MEET,  /* left & right */
	NODE_PART,  /* left / right */
	NODE_RANGE, /* left .. right */

	NODE_COUNT
};

struct node {
	enum node_kind kind;
	int word;
	struct span span;
	const char *text;
	struct node *first, *last, *next;
};

struct comment {
	struct span span; /* from # to the end of the line */
	bool own_line;	  /* nothing stands before it */
};

/* One file, read. */
struct ast {
	struct node *root; /* NODE_FILE, or a value when a value was asked for; NULL when nothing could be read */
	VEC(struct comment) comments;
	bool sound; /* no hole anywhere */
	bool nameless_hole; /* some hole may have declared anything */
};

struct node *node_new(struct arena *a, enum node_kind kind, struct span span);
struct node *node_text(struct arena *a, enum node_kind kind, struct span span, const char *text);
struct node *node_word(struct arena *a, enum node_kind kind, struct span span, int word);
/* Adds a child at the end, when there is one; gives back the parent, whose span grows to cover it. */
struct node *node_add(struct node *parent, struct node *child);
struct node *node_of1(struct arena *a, enum node_kind kind, struct span span, struct node *child);
struct node *node_of2(struct arena *a, enum node_kind kind, struct span span, struct node *x, struct node *y);
/* All children of another node, which is then empty. */
struct node *node_move(struct node *parent, struct node *from);

/* The first child of the kind, or NULL. */
struct node *node_find(const struct node *n, enum node_kind kind);
/* The text of the first child of the kind, or NULL. */
const char *node_find_text(const struct node *n, enum node_kind kind);
size_t node_count(const struct node *n);
bool node_is_value(const struct node *n);

#endif
