/*
 * atlas - address sets of up to millions of prefixes in the form that the first hook
 * reads: gen_atlas of bpf-templates/abi.h.
 *
 *     address ──► page of its /16 ──► entry of its /24 ──► mask
 *                    └── no entry: what the page says
 *
 * An IPv4 host is 12 bytes when hosts lie evenly; a /16 that is in one piece shares its page with its equals.
 * The first 32 bits of IPv6 are as an IPv4 address; longer prefixes are hashed by length.
 */
#ifndef TEG_WARDEN_ATLAS_H
#define TEG_WARDEN_ATLAS_H

#include <stdint.h>

#include "lang/base/err.h"
#include "lang/base/own.h"
#include "lang/bundle/plan.h"

struct atlas {
	uint64_t *at; /* one block of memory, of whole cache lines */
	uint32_t words;
};

/* Of prefixes in the plan's order, each with the bits of all sets that cover it. */
int atlas_build(struct atlas *out, const struct plan_prefix *prefixes, uint32_t count, struct err *why);
void atlas_release(struct atlas *a);

static inline void atlas_own_(struct atlas *a)
{
	atlas_release(a);
}

/* The sets of an address, as the program finds them. */
uint64_t atlas_find(const struct atlas *a, struct addr addr);

#endif
