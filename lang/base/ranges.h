/*
 * ranges - sets of small numbers (ports, protocols, ICMP type and code) as
 * sorted, disjoint, non-touching inclusive ranges within 0..65535.
 *
 * Two equal sets have equal bytes. An empty set matches nothing.
 */
#ifndef TEG_BASE_RANGES_H
#define TEG_BASE_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lang/base/arena.h"

struct range {
	uint16_t lo, hi; /* inclusive */
};

struct ranges {
	struct range *at;
	size_t len;
};

struct ranges ranges_of(struct arena *a, uint16_t lo, uint16_t hi);
bool ranges_has(const struct ranges *r, uint16_t value);
bool ranges_equal(const struct ranges *x, const struct ranges *y);
bool ranges_are_all(const struct ranges *r);

struct ranges ranges_join(struct arena *a, const struct ranges *x, const struct ranges *y);
struct ranges ranges_minus(struct arena *a, const struct ranges *x, const struct ranges *y);
struct ranges ranges_meet(struct arena *a, const struct ranges *x, const struct ranges *y);

#endif
