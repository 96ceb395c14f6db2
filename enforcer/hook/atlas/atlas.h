/*
 * atlas - address sets of up to millions of prefixes in the form that the first hook
 * reads: gen_atlas of bpf-templates/abi.h.
 *
 *     hosts     ──► gate ──► bucket
 *     IPv4      ──► page of the /16 ──► entry of the /24
 *     IPv6      ──► page of the first 16 bits ──► entry, up to /32
 *               └─► head of the /32 ──► tree of intervals, up to /64
 *
 * Of a million each takes less than 16 bytes; a /16 that is in one piece shares its page with its equals.
 */
#ifndef TEG_HOOK_ATLAS_ATLAS_H
#define TEG_HOOK_ATLAS_ATLAS_H

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
