/*
 * ledger - which counter slot belongs to which stable id, on disk.
 *
 *     ids   HARDENED.web_in ── slot 3 ── teg_counters[3]
 *
 * A rule that a new generation still has keeps its slot, and with it its
 * counts. A slot is given away again only when all are taken and neither
 * generation, the active one or the staged, speaks of its id.
 */
#ifndef TEG_HOOK_LEDGER_H
#define TEG_HOOK_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "lang/base/err.h"
#include "lang/bundle/plan.h"

#define LEDGER_NO_SLOT UINT32_MAX

/*
 * slots[i] becomes the slot of plan->counters[i], or LEDGER_NO_SLOT when the first hook does not
 * count it. `fresh` says which of them no id had before: their counts are of somebody else.
 * Written to the file before it returns. `keep` may be NULL.
 */
int ledger_assign(const char *path, const struct plan *plan, const struct plan *keep, uint32_t *slots, bool *fresh,
		  struct err *why);

/* The slots as they are; -ENOENT when the ledger lacks one. */
int ledger_read(const char *path, const struct plan *plan, uint32_t *slots, struct err *why);

#endif
