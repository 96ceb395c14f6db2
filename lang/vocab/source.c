#include "lang/vocab/source.h"

#include <stdlib.h>

#include "lang/base/own.h"

/* ::ffff:192.0.2.1 is how a socket of both versions writes down an IPv4 client (RFC 4291, 2.5.5.2); no packet has it. */
static struct prefix unmapped(struct prefix p)
{
	if (p.addr.family == FAMILY_IP6 && p.addr.num >> 32 == 0xffff && p.len >= 96)
		return (struct prefix){ { FAMILY_IP4, p.addr.num & UINT32_MAX }, p.len - 96 };
	return p;
}

enum source_fault source_parse(const char *text, struct prefix *out)
{
	struct prefix p;
	const enum prefix_fault fault = prefix_parse(text, &p);

	if (fault == PREFIX_NOT_AN_ADDRESS || fault == PREFIX_LENGTH)
		return SOURCE_NONE;
	p = unmapped(p);
	const bool is_part = p.addr.family == FAMILY_IP6 && p.len > 64;
	*out = is_part ? prefix_cut(p, 64) : p;
	if (is_part && p.len < 128)
		return SOURCE_PART;
	if (fault == PREFIX_HOST_BITS)
		return SOURCE_HOST_BITS;
	return p.len ? SOURCE_OK : SOURCE_EVERYBODY;
}

static int by_prefix(const void *x, const void *y)
{
	const struct prefix *a = *(const struct prefix *const *)x, *b = *(const struct prefix *const *)y;
	const int order = prefix_order(a, b);

	return order ? order : (a > b) - (a < b);
}

static bool are_one(const struct prefix *a, const struct prefix *b)
{
	return a->len && !prefix_order(a, b);
}

void sources_again(bool *again, const struct prefix *at, size_t count)
{
	own(arena) struct arena *a = arena_new();
	const struct prefix **in_order = arena_zero(a, (count + 1) * sizeof *in_order);

	for (size_t i = 0; i < count; i++)
		in_order[i] = &at[i];
	if (count)
		qsort(in_order, count, sizeof *in_order, by_prefix);
	for (size_t i = 0; i < count; i++)
		again[in_order[i] - at] = i && are_one(in_order[i - 1], in_order[i]);
}
