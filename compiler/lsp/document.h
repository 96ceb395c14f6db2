/*
 * document - the texts that are open in an editor, and what the compiler makes of each.
 *
 * A document is compiled as `tegc check` would, with the same options, but files that
 * are open are read from the editor and not from the disk: so a change shows in all that
 * import it before it is saved. What was compiled stays until the next time, and is what
 * questions about names are answered from.
 */
#ifndef TEG_LSP_DOCUMENT_H
#define TEG_LSP_DOCUMENT_H

#include <stdbool.h>

#include "compiler/front/front.h"
#include "compiler/front/store.h"
#include "compiler/ir/ir.h"
#include "lang/base/buf.h"

#define DOCUMENTS_MAX 1000

/* CHANGED since it was compiled; CHECKED without proofs; PROVED. */
enum document_state { DOCUMENT_CHANGED, DOCUMENT_CHECKED, DOCUMENT_PROVED };

struct document {
	char *uri, *path, *identity;
	double version;
	struct buf text;
	enum document_state state;
	struct compilation *c;	 /* or NULL: not yet */
	struct policy *policy;	 /* or NULL: it has mistakes, or is a library */
	const struct ir *ir;	 /* when it was proved */
	uint32_t file;		 /* the document among the compilation's sources */
};

/* What -I and --param say, given to each compilation anew. */
struct documents_options {
	void (*give)(struct compilation *c, void *arg);
	void *arg;
};

struct documents {
	struct store store; /* open texts before the disk */
	struct documents_options options;
	struct document **at;
	size_t count;
};

void documents_init(struct documents *ds, struct documents_options options);
void documents_release(struct documents *ds);

struct document *document_find(struct documents *ds, const char *uri);
/* A document of this name has this text from now on. NULL: there are DOCUMENTS_MAX. */
struct document *document_open(struct documents *ds, const char *uri, const char *text, double version);
void document_close(struct documents *ds, struct document *d);
/* The bytes from..to are replaced. */
void document_edit(struct document *d, size_t from, size_t to, const char *text);
/* Its text is not as it was: what is made of it, and of all who import it, is to be made again. */
void document_changed(struct documents *ds, struct document *d);

/* Up to this state, if it is not there yet. */
void document_bring(struct documents *ds, struct document *d, enum document_state state);

/* The path that a URI stands for; what is no file's URI is its own name. The caller frees it. */
char *document_path_of(const char *uri);
/* "file:///etc/edge.teg" of a whole path. The caller frees it. */
char *document_uri(const char *path);
/* The same for a file on the disk, NULL for what tegc carries. The caller frees it. */
char *document_uri_of(const struct documents *ds, const struct source *s);

#endif
