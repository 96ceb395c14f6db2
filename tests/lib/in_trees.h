/* in_trees - a plan's many boxes in trees, also where bit vectors would cost less: for tests of trees. */
#ifndef TEG_TEST_IN_TREES_H
#define TEG_TEST_IN_TREES_H

#include <stdbool.h>

#include "lang/base/arena.h"
#include "lang/bundle/plan.h"

/* False when they cannot be. */
bool in_trees(struct plan *p, struct arena *a);

#endif
