/*
 * packed - rules and reflexes as they were said, in a fifth of the room of their trees: a long policy has a hundred thousand.
 *
 *     sources.packs_from = 1;                 before they are read: then the parser packs each as soon as it is whole; of
 *                                             so much text and more, since packing and opening take time too
 *     node_find(n, NODE_LABEL)                a packed node has its label or name, and nothing else of its children
 *     packed_open(scratch, sources, n)        the node as it was read; one that is not packed is given back itself
 *
 * What was opened ends with `scratch`, but for the texts of names and strings, which stay as long as the sources.
 */
#ifndef TEG_SYNTAX_PACKED_H
#define TEG_SYNTAX_PACKED_H

#include "lang/base/buf.h"
#include "lang/syntax/ast.h"
#include "lang/syntax/source.h"

bool packed_is(const struct node *n);
const struct node *packed_open(struct arena *scratch, const struct sources *s, const struct node *n);

/* Is its text what the source says there, and needs not be kept? Of numbers and addresses it is. */
bool packed_is_literal(const struct node *n);

/* The children of a rule or reflex behind the label, as bytes. Its parser calls this: grammar_pack(). */
void packed_put(struct buf *out, const struct sources *s, const struct node *n);

#endif
