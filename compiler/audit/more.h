/* more - what a cell says beside its own words, read back: the same for trees and for bit vectors. */
#ifndef TEG_AUDIT_MORE_H
#define TEG_AUDIT_MORE_H

#include "lang/bundle/bulk_pack.h"

/* Is the `more`-th all that the box asks of zones, sets, flags and postures? */
bool audit_more_is(const struct plan *plan, const struct bulk_words *words, uint64_t more, const struct teg_box *b);

/* Where a plain drop is counted, without a look at its rule: then it is one, and that is the place. */
bool audit_drop_is(uint64_t last, const struct teg_rule *r);

#endif
