/*
 * addr - addresses, prefixes and sets of addresses, IPv4 and IPv6 alike.
 *
 * An address is a number in host order: 32 bits of it for IPv4, 128 for IPv6.
 * A netset is, per family, a sorted list of disjoint, non-touching inclusive
 * ranges: so two equal sets have equal bytes, and set algebra is one sweep.
 */
#ifndef TEG_BASE_ADDR_H
#define TEG_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lang/base/arena.h"
#include "lang/base/buf.h"

enum family { FAMILY_IP4, FAMILY_IP6, FAMILY_COUNT };

#define FAMILY_BITS(family) ((family) == FAMILY_IP4 ? 32u : 128u)

typedef unsigned __int128 addr_num;

struct addr {
	enum family family;
	addr_num num;
};

struct prefix {
	struct addr addr; /* host bits are zero */
	unsigned len;	  /* bits */
};

struct addr_range {
	addr_num lo, hi; /* inclusive */
};

struct netset {
	struct addr_range *at[FAMILY_COUNT];
	size_t len[FAMILY_COUNT];
};

/* Text as RFC 4291 and RFC 5952 have it; parse accepts nothing around it. */
#define ADDR_TEXT 48
bool addr_parse(const char *text, struct addr *out);
const char *addr_print(struct addr a, char text[static ADDR_TEXT]);

enum prefix_fault { PREFIX_OK, PREFIX_NOT_AN_ADDRESS, PREFIX_LENGTH, PREFIX_HOST_BITS };

/* "10.0.0.0/8", "::1"; host bits beyond the length are PREFIX_HOST_BITS, *out then masked. */
enum prefix_fault prefix_parse(const char *text, struct prefix *out);
const char *prefix_print(struct prefix p, char text[static ADDR_TEXT]);
struct addr_range prefix_range(struct prefix p);
struct prefix prefix_cut(struct prefix p, unsigned len); /* of that length, around it */
int prefix_order(const struct prefix *a, const struct prefix *b); /* by family, address and length: < 0, 0 or > 0 */

/* The 16 bytes (IPv4: 4) in network order. */
void addr_to_bytes(struct addr a, uint8_t bytes[static 16]);
struct addr addr_from_bytes(enum family family, const uint8_t *bytes);

addr_num family_max(enum family family);

bool netset_is_empty(const struct netset *s);
bool netset_has(const struct netset *s, struct addr a);
bool netset_equal(const struct netset *a, const struct netset *b);

/* Every address of both families. */
struct netset netset_all(struct arena *a);
struct netset netset_of_range(struct arena *a, enum family family, struct addr_range r);

/* Many ranges at once, in any order, overlapping or not. */
struct netset netset_of_ranges(struct arena *a, struct addr_range *at[static FAMILY_COUNT],
			       const size_t len[static FAMILY_COUNT]);

struct netset netset_join(struct arena *a, const struct netset *x, const struct netset *y);
struct netset netset_minus(struct arena *a, const struct netset *x, const struct netset *y);
struct netset netset_meet(struct arena *a, const struct netset *x, const struct netset *y);

/* The fewest prefixes that cover exactly the set, IPv4 first, ascending. */
struct prefix *netset_prefixes(struct arena *a, const struct netset *s, size_t *len);

/* The same where they are few: into `out`, which has room for `most`. Returns how many there are, or, of more, most + 1. */
size_t netset_few_prefixes(const struct netset *s, struct prefix *out, size_t most);

/* "[10.0.0.0/8, 2001:db8::/32]", as .teg writes a set. */
void netset_print(struct buf *out, const struct netset *s);

#endif
