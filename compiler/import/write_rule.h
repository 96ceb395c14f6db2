/*
 * write_rule - one rule of the flat lists in the words of the language: its names, its sets, its line.
 *
 * What is asked to be said here can be said: write.c sees to that.
 */
#ifndef TEG_IMPORT_WRITE_RULE_H
#define TEG_IMPORT_WRITE_RULE_H

#include "compiler/import/import.h"

struct named_net {
	const char *name;
	struct netset set;
};

struct writing {
	struct import *m;
	enum direction direction;
	struct region shade;
	struct strmap names, labels, taken; /* taken: numbers behind a name that were given, in either */
	VEC(struct named_net) nets;
	struct buf limits, rules;
	const struct import_chain *chain;
	bool untracked_drop; /* is written, in this direction */
	const char *zone_names[ZONE_NO_INTERFACE];
};

/* A name like `wish` that is none `among` these yet, and is one of them now. */
const char *say_name(struct writing *w, struct strmap *among, const char *wish);

/* The text of a set, "[…]" or "any - …", and how many prefixes stand in it. */
const char *say_net(struct writing *w, const struct netset *s, size_t *count);

/* The packets of `b`, decided as `e` does; a line for each set of TCP flags that it takes. Its label is like `wish`; `limit` is a name or NULL. */
void say_rule(struct writing *w, const struct import_entry *e, struct box *b, const char *wish, const char *limit);

/* The zones that a rule of this direction can ask for. */
uint64_t *said_zones(const struct writing *w, struct box *b);

/* Every address of these families, and no other? */
bool net_is_whole(const struct netset *s, unsigned families);

bool proto_is_icmp(const struct ranges *r); /* of either family, and nothing else */
bool proto_is_every(const struct ranges *r);

#endif
