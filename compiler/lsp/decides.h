/*
 * decides - for hover: which of its packets a rule still decides, posture by posture, and a packet of them.
 */
#ifndef TEG_LSP_DECIDES_H
#define TEG_LSP_DECIDES_H

#include "compiler/lsp/document.h"

/*
 * Of the rule, block, reflex or lifeline that the name stands for; without a name (NULL), of the rule
 * around the offset, whose extent is then put into *where. Nothing is added when there is none, or the
 * document has mistakes.
 */
void say_decides(struct buf *out, struct document *d, const struct use *u, uint32_t at, struct span *where);

#endif
