/*
 * some_nets - networks as long as those of lists of networks are: half are /24s, one of six a host.
 *
 *     size_t n = some_nets(prefixes, want);               ascending, none within another, below 128.0.0.0
 *     struct netset set = some_nets_set(a, prefixes, n);
 */
#ifndef TEG_TEST_SOME_NETS_H
#define TEG_TEST_SOME_NETS_H

#include "lang/base/addr.h"
#include "lang/base/arena.h"

/* Room for `want`; returns how many are left. */
size_t some_nets(struct prefix *p, size_t want);
struct netset some_nets_set(struct arena *a, const struct prefix *p, size_t n);

#endif
