/*
 * parts - what the files of a space share.
 *
 *     space.c  the order of levels, and how values are spelled on them
 *     ranks.c  addresses as ranks
 *     cells.c  cells and lists as diagrams
 */
#ifndef TEG_PROVE_SPACE_PARTS_H
#define TEG_PROVE_SPACE_PARTS_H

#include <stdlib.h>

#include "compiler/prove/space/space.h"
#include "lang/base/memory.h"

/* The window's values of a field with ports, protocols or ICMP's numbers; NULL of another. */
const struct range *space_u16(const struct space *s, enum field f);

/* --- ranks.c -------------------------------------------------------------------------------------- */

/* Every end is noted, and then cut along at once. */
void space_note_side(struct space *s, const struct side *side);
void space_cut(struct space *s, struct cuts *k, const struct addr_range *w);

/* The last cut that is not above. */
uint32_t rank_of(const struct cuts *k, addr_num a);
/* The same of an address whose rank is not below `from`, and most often near. */
uint32_t rank_from(const struct cuts *k, size_t from, addr_num a);

#endif
