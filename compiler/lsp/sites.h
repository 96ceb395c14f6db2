/*
 * sites - where one thing stands, in every policy that knows it.
 *
 *     struct sites all;
 *     sites_find(&all, s, d, use, arena);
 *
 * A file means what the policy that is read makes of it. So each open document is asked as a
 * policy of its own, and so is each file of the editor's folders that imports anything; what
 * is open is read from the editor. Lives in the arena.
 */
#ifndef TEG_LSP_SITES_H
#define TEG_LSP_SITES_H

#include "compiler/lsp/server.h"

struct site {
	const char *uri; /* NULL: in a file that tegc carries */
	const char *text;
	size_t len;
	uint32_t from, to;
	bool declares;
};

/* A policy that knows the thing, and how it stood when it was asked. */
struct site_reader {
	const char *uri, *text;
	size_t errors, places;
};

struct sites {
	struct arena *arena;
	const char *declared_in; /* a URI, or what tegc calls a file that it carries */
	VEC(struct site) list;	 /* by file and place, each once */
	VEC(struct site_reader) readers;
	bool ambiguous; /* one of them stands for something else too */
};

void sites_find(struct sites *out, struct server *s, struct document *d, const struct use *u, struct arena *a);

/* In how many places what is declared there stands, as the document's compilation has it. */
size_t sites_count(const struct documents *ds, const struct document *d, const char *declared_in, uint32_t from, uint32_t to);

#endif
