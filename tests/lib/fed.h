/*
 * fed - what is on the feeds of a drawn policy.
 *
 *     struct fed f = { 0 };                   nothing is on any
 *     fed_draw(&f, &g, ir, aim, arena)        from now on other networks are on them
 *     fed_find(&f, moment, ir, source)        before eval is asked of a packet from there
 */
#ifndef TEG_TEST_FED_H
#define TEG_TEST_FED_H

#include "compiler/ir/moment.h"
#include "tests/lib/gen.h"

#define FED_MOST 3u

struct fed {
	struct netset on[FED_MOST]; /* by the feed's number in the policy */
};

/* Now and then nothing is on one. */
void fed_draw(struct fed *f, struct gen *g, const struct ir *ir, const struct gen_aim *aim, struct arena *a);

void fed_find(const struct fed *f, struct moment *m, const struct ir *ir, struct addr source);

#endif
