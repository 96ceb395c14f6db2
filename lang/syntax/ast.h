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
	NODE_REFLEX,   /* NAME, then MATCH, WHEN, ACTION or EMIT or PHRASE..., EXCEPT */
	NODE_TEST,     /* TITLE, then IN_POSTURE, CASE, FORALL, AFTER, TABLE, REFUSES, TODO... */
	NODE_IF,       /* a condition, THEN, ELSE?; among declarations, in postures, in playbooks */
	NODE_BUCKET,   /* `limit NAME = ...`: NAME, LIMIT */
	NODE_FEED,     /* NAME, PHRASE... */
	NODE_DERME,    /* SENSE... */
	NODE_DECOY,    /* NAME, PHRASE... */
	NODE_PLAYBOOK, /* NAME, PARAM..., then steps: BUDGET, PHASE, PARALLEL, IF, FAILURE, PHRASE */
	NODE_RESPONSE, /* NAME (of the event), WHERE?, CALL */
	NODE_HOMEOSTASIS, /* REGULATION... */
	NODE_INVARIANT,	  /* NAME, CLAIM... */
	NODE_ORDER,	  /* NAME..., the tightest first */
	NODE_HOLE,     /* what could not be read; NAME? of what it would have declared */

	/* parts of declarations */
	NODE_LABEL,   /* text; "~1f0c93aa" in resolved policies */
	NODE_TITLE,   /* text */
	NODE_TYPE,    /* text */
	NODE_EXTENDS, /* text */
	NODE_SETTING, /* text, and values */
	NODE_DEFAULT, /* word: verdict; DIRECTION? */
	NODE_MALFORMED, /* text: "drop" or "pass"; NAME... of causes, none: all */
	NODE_WITHOUT, /* NAME... */
	NODE_RULE,    /* word: verdict; LABEL? DIRECTION? SELECTOR, then LIMIT, LOG, EMIT */
	NODE_DIRECTION, /* word: direction */
	NODE_MATCH,   /* SELECTOR */
	NODE_WHEN,    /* text: what is measured; PER? (the key), a value (how many), PER? (in which time) */
	NODE_EXCEEDS, /* NAME: of a limit */
	NODE_ACTION,  /* word: verdict; `drop source for 60s` has two values */
	NODE_EXCEPT,  /* NAME... */
	NODE_LIMIT,   /* a value (how many, or a limit's name), PER..., BURST?, SHARED? */
	NODE_PER,     /* a value */
	NODE_OPTION,  /* text: `burst`, `sample`; a value */
	NODE_SHARED,
	NODE_LOG,     /* STRING? */
	NODE_EMIT,    /* text: severity; OPTION? */
	NODE_THEN,    /* what an IF guards */
	NODE_ELSE,

	/* what is written as a word and its arguments; which there are is not the grammar's to know */
	NODE_PHRASE, /* text: its first word; values, COMPARE, KEYWORD, RECORD */
	NODE_KEYWORD, /* text: a word of the language among arguments: `for`, `to`, `else` */
	NODE_RECORD, /* FIELD... */
	NODE_FIELD,  /* text; a value */

	/* sessions, incidents, regulation */
	NODE_SENSE,	 /* LABEL?, then WHERE, or PHRASE; then ACTION or EMIT or PHRASE... */
	NODE_BUDGET,	 /* PHRASE... */
	NODE_PHASE,	 /* NAME, steps */
	NODE_PARALLEL,	 /* steps */
	NODE_FAILURE,	 /* NAME (`failure`), steps */
	NODE_REGULATION, /* WHERE, PHRASE, UNTIL? */
	NODE_WHERE,	 /* a condition */
	NODE_UNTIL,	 /* a condition */
	NODE_CALL,	 /* text: what is called; word: how far behind the beginning its name stands; values */

	/* conditions; a value is one too */
	NODE_COMPARE, /* text: `<`, `<=`, `==`, `!=`, `>=`, `>`; two values, CALL as the first; WITHIN or LASTS? */
	NODE_LASTS,   /* `for T`: a value */
	NODE_AND,     /* conditions */
	NODE_OR,      /* conditions */
	NODE_NOT,     /* a condition, FROM or TO */

	/* claims */
	NODE_CLAIM, /* text: `allowed`, `dropped`; SCOPE, DIRECTION?, SELECTOR */
	NODE_SCOPE, /* text: `every`, or NULL and a value: a posture, a list or range of them */

	/* selectors */
	NODE_SELECTOR, /* HEAD? then clauses */
	NODE_HEAD,     /* a value, and perhaps another: `icmp echo`, `protocol 47` */
	NODE_FROM,     /* a value, PORT? */
	NODE_TO,       /* a value, PORT? */
	NODE_PORT,     /* a value */
	NODE_ON,       /* a value */
	NODE_FLAGS,    /* WORDS (want), WORDS? (mask) */
	NODE_WORDS,    /* NAME... joined by + */
	NODE_PAYLOAD,  /* REGEX or NAME, WITHIN?; in a packet: STRING */
	NODE_REGEX,    /* text: with its slashes and letters, as written */

	/* tests */
	NODE_IN_POSTURE, /* NAME */
	NODE_CASE,	 /* text: how many, or NULL; PACKET, WITHIN?, EXPECT */
	NODE_WITHIN,	 /* a value */
	NODE_FORALL,	 /* DIRECTION? SELECTOR, EXPECT */
	NODE_AFTER,	 /* a value: so much time passes */
	NODE_TABLE,	 /* PACKET with column names in it, ROW (the names), then ROW... */
	NODE_ROW,	 /* values; EXPECT in all but the first */
	NODE_REFUSES,	 /* text: the code; declarations */
	NODE_TODO,	 /* STRING */
	NODE_PACKET,	 /* HEAD, END, END, then WORDS, DIRECTION, ON, PAYLOAD */
	NODE_END,	 /* a value, and perhaps a port */
	NODE_EXPECT,	 /* word: verdict; LAST?, BY?, EMIT... */
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

/* 48 bytes, of which a long policy has millions. */
struct node {
	enum node_kind kind : 8;
	int word : 24;
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
/* Is it this word, whether the language reserves it or not? False of NULL. */
bool node_is_word(const struct node *n, const char *word);
/* The text of the first child of the kind, or NULL. */
const char *node_find_text(const struct node *n, enum node_kind kind);
size_t node_count(const struct node *n);
bool node_is_value(const struct node *n);

#endif
