#include "lang/base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

addr_num family_max(enum family family)
{
	return family == FAMILY_IP4 ? UINT32_MAX : ~(addr_num)0;
}

struct addr addr_from_bytes(enum family family, const uint8_t *bytes)
{
	struct addr a = { .family = family };

	for (unsigned i = 0; i < FAMILY_BITS(family) / 8; i++)
		a.num = a.num << 8 | bytes[i];
	return a;
}

void addr_to_bytes(struct addr a, uint8_t bytes[static 16])
{
	unsigned n = FAMILY_BITS(a.family) / 8;

	memset(bytes, 0, 16);
	for (unsigned i = n; i-- > 0; a.num >>= 8)
		bytes[i] = (uint8_t)a.num;
}

bool addr_parse(const char *text, struct addr *out)
{
	uint8_t raw[16];

	if (inet_pton(AF_INET, text, raw) == 1) {
		*out = addr_from_bytes(FAMILY_IP4, raw);
		return true;
	}
	if (inet_pton(AF_INET6, text, raw) == 1) {
		*out = addr_from_bytes(FAMILY_IP6, raw);
		return true;
	}
	return false;
}

/* The digits of a number below 256; gives back where they end. */
static char *octet_print(char *at, unsigned n)
{
	if (n >= 100)
		*at++ = (char)('0' + n / 100);
	if (n >= 10)
		*at++ = (char)('0' + n / 10 % 10);
	*at++ = (char)('0' + n % 10);
	return at;
}

/* Long lists are nearly all of these: inet_ntop() takes ten times as long. */
static char *ip4_print(char *at, uint32_t num)
{
	for (int shift = 24; shift >= 0; shift -= 8) {
		at = octet_print(at, num >> shift & 255);
		*at++ = shift ? '.' : '\0';
	}
	return at - 1;
}

const char *addr_print(struct addr a, char text[static ADDR_TEXT])
{
	uint8_t raw[16];

	if (a.family == FAMILY_IP4) {
		ip4_print(text, (uint32_t)a.num);
		return text;
	}
	addr_to_bytes(a, raw);
	inet_ntop(AF_INET6, raw, text, ADDR_TEXT);
	return text;
}

/* The low bits that a prefix of `len` bits leaves to hosts. */
static addr_num host_mask(enum family family, unsigned len)
{
	unsigned bits = FAMILY_BITS(family) - len;

	return bits >= 128 ? ~(addr_num)0 : ((addr_num)1 << bits) - 1;
}

enum prefix_fault prefix_parse(const char *text, struct prefix *out)
{
	char copy[ADDR_TEXT + 4];
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);

	if (len >= sizeof copy)
		return PREFIX_NOT_AN_ADDRESS;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (!addr_parse(copy, &out->addr))
		return PREFIX_NOT_AN_ADDRESS;

	out->len = FAMILY_BITS(out->addr.family);
	if (!slash)
		return PREFIX_OK;

	const char *digits = slash + 1;
	size_t n = strspn(digits, "0123456789");
	if (n == 0 || n > 3 || digits[n] || (n > 1 && digits[0] == '0'))
		return PREFIX_LENGTH;
	unsigned bits = (unsigned)atoi(digits);
	if (bits > out->len)
		return PREFIX_LENGTH;

	out->len = bits;
	addr_num host = host_mask(out->addr.family, bits);
	bool stray = out->addr.num & host;
	out->addr.num &= ~host;
	return stray ? PREFIX_HOST_BITS : PREFIX_OK;
}

const char *prefix_print(struct prefix p, char text[static ADDR_TEXT])
{
	addr_print(p.addr, text);
	if (p.len < FAMILY_BITS(p.addr.family)) {
		char *end = text + strlen(text);

		*end++ = '/';
		*octet_print(end, p.len) = '\0';
	}
	return text;
}

struct addr_range prefix_range(struct prefix p)
{
	return (struct addr_range){ p.addr.num, p.addr.num | host_mask(p.addr.family, p.len) };
}

struct prefix prefix_cut(struct prefix p, unsigned len)
{
	return (struct prefix){ { p.addr.family, p.addr.num & ~host_mask(p.addr.family, len) }, len };
}

int prefix_order(const struct prefix *a, const struct prefix *b)
{
	if (a->addr.family != b->addr.family)
		return a->addr.family > b->addr.family ? 1 : -1;
	if (a->addr.num != b->addr.num)
		return a->addr.num > b->addr.num ? 1 : -1;
	return (a->len > b->len) - (a->len < b->len);
}

bool netset_is_empty(const struct netset *s)
{
	return s->len[FAMILY_IP4] + s->len[FAMILY_IP6] == 0;
}

bool netset_has(const struct netset *s, struct addr a)
{
	const struct addr_range *at = s->at[a.family];
	size_t lo = 0, hi = s->len[a.family];

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (at[mid].hi < a.num)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->len[a.family] && at[lo].lo <= a.num;
}

bool netset_equal(const struct netset *a, const struct netset *b)
{
	for (int f = 0; f < FAMILY_COUNT; f++) {
		if (a->len[f] != b->len[f])
			return false;
		if (a->len[f] && memcmp(a->at[f], b->at[f], a->len[f] * sizeof *a->at[f]))
			return false;
	}
	return true;
}

static int by_lo(const void *x, const void *y)
{
	const struct addr_range *a = x, *b = y;

	return a->lo < b->lo ? -1 : a->lo > b->lo;
}

/* Merges sorted ranges that overlap or touch; returns how many are left. */
static size_t ranges_merge(struct addr_range *at, size_t len)
{
	size_t out = 0;

	for (size_t i = 0; i < len; i++) {
		struct addr_range *last = out ? &at[out - 1] : NULL;

		if (last && (last->hi == ~(addr_num)0 || at[i].lo <= last->hi + 1)) {
			if (at[i].hi > last->hi)
				last->hi = at[i].hi;
		} else {
			at[out++] = at[i];
		}
	}
	return out;
}

struct netset netset_of_ranges(struct arena *a, struct addr_range *at[static FAMILY_COUNT],
			       const size_t len[static FAMILY_COUNT])
{
	struct netset s = { 0 };

	for (int f = 0; f < FAMILY_COUNT; f++) {
		if (!len[f])
			continue;
		s.at[f] = arena_copy(a, at[f], len[f] * sizeof *at[f]);
		qsort(s.at[f], len[f], sizeof *s.at[f], by_lo);
		s.len[f] = ranges_merge(s.at[f], len[f]);
	}
	return s;
}

struct netset netset_of_range(struct arena *a, enum family family, struct addr_range r)
{
	struct netset s = { 0 };

	s.at[family] = arena_copy(a, &r, sizeof r);
	s.len[family] = 1;
	return s;
}

struct netset netset_all(struct arena *a)
{
	struct netset s = { 0 };

	for (int f = 0; f < FAMILY_COUNT; f++) {
		struct addr_range all = { 0, family_max((enum family)f) };
		s.at[f] = arena_copy(a, &all, sizeof all);
		s.len[f] = 1;
	}
	return s;
}

struct netset netset_join(struct arena *a, const struct netset *x, const struct netset *y)
{
	struct netset s = { 0 };

	for (int f = 0; f < FAMILY_COUNT; f++) {
		size_t nx = x->len[f], ny = y->len[f];

		if (nx + ny == 0)
			continue;
		s.at[f] = arena_zero(a, (nx + ny) * sizeof *s.at[f]);
		for (size_t i = 0, j = 0; i < nx || j < ny;) {
			bool from_x = j == ny || (i < nx && x->at[f][i].lo <= y->at[f][j].lo);
			s.at[f][s.len[f]++] = from_x ? x->at[f][i++] : y->at[f][j++];
		}
		s.len[f] = ranges_merge(s.at[f], s.len[f]);
	}
	return s;
}

static struct netset netset_other(struct arena *a, const struct netset *x)
{
	struct netset s = { 0 };

	for (int f = 0; f < FAMILY_COUNT; f++) {
		addr_num next = 0;
		bool over = false;

		s.at[f] = arena_zero(a, (x->len[f] + 1) * sizeof *s.at[f]);
		for (size_t i = 0; i < x->len[f]; i++) {
			if (x->at[f][i].lo > next)
				s.at[f][s.len[f]++] = (struct addr_range){ next, x->at[f][i].lo - 1 };
			over = x->at[f][i].hi == family_max((enum family)f);
			next = x->at[f][i].hi + 1;
		}
		if (!over)
			s.at[f][s.len[f]++] = (struct addr_range){ next, family_max((enum family)f) };
	}
	return s;
}

struct netset netset_meet(struct arena *a, const struct netset *x, const struct netset *y)
{
	struct netset s = { 0 };

	for (int f = 0; f < FAMILY_COUNT; f++) {
		size_t nx = x->len[f], ny = y->len[f];

		s.at[f] = arena_zero(a, (nx + ny) * sizeof *s.at[f]);
		for (size_t i = 0, j = 0; i < nx && j < ny;) {
			struct addr_range p = x->at[f][i], q = y->at[f][j];
			struct addr_range both = { p.lo > q.lo ? p.lo : q.lo, p.hi < q.hi ? p.hi : q.hi };

			if (both.lo <= both.hi)
				s.at[f][s.len[f]++] = both;
			if (p.hi < q.hi)
				i++;
			else
				j++;
		}
	}
	return s;
}

struct netset netset_minus(struct arena *a, const struct netset *x, const struct netset *y)
{
	struct netset other = netset_other(a, y);

	return netset_meet(a, x, &other);
}

/* Bits that are 0 behind the lowest that is 1. */
static unsigned zeros_below(addr_num v)
{
	if ((uint64_t)v)
		return (unsigned)__builtin_ctzll((uint64_t)v);
	return v ? 64 + (unsigned)__builtin_ctzll((uint64_t)(v >> 64)) : 128;
}

/* The highest bit that is 1. */
static unsigned highest_bit(addr_num v)
{
	return v >> 64 ? 127 - (unsigned)__builtin_clzll((uint64_t)(v >> 64)) : 63 - (unsigned)__builtin_clzll((uint64_t)v);
}

/* The largest aligned block that begins where the range does, and ends in it. */
static struct prefix first_block(enum family family, struct addr_range r)
{
	unsigned host = zeros_below(r.lo), fits = r.hi - r.lo == ~(addr_num)0 ? 128 : highest_bit(r.hi - r.lo + 1);

	if (host > fits)
		host = fits;
	if (host > FAMILY_BITS(family))
		host = FAMILY_BITS(family);
	return (struct prefix){ { family, r.lo }, FAMILY_BITS(family) - host };
}

/* A set's blocks, IPv4 first, ascending. */
struct blocks {
	const struct netset *set;
	enum family family;
	size_t next; /* of the family's ranges */
	struct addr_range left;
	bool within; /* something is left of one */
};

static bool blocks_next(struct blocks *b, struct prefix *out)
{
	while (!b->within) {
		if (b->next < b->set->len[b->family]) {
			b->left = b->set->at[b->family][b->next++];
			b->within = true;
		} else if (++b->family == FAMILY_COUNT) {
			return false;
		} else {
			b->next = 0;
		}
	}
	*out = first_block(b->family, b->left);

	addr_num end = prefix_range(*out).hi;
	b->within = end < b->left.hi;
	b->left.lo = end + 1;
	return true;
}

struct prefix *netset_prefixes(struct arena *a, const struct netset *s, size_t *len)
{
	struct prefix one, *out;

	*len = 0;
	for (struct blocks b = { .set = s }; blocks_next(&b, &one);)
		++*len;
	out = arena_zero(a, *len * sizeof *out);
	*len = 0;
	for (struct blocks b = { .set = s }; blocks_next(&b, &one);)
		out[(*len)++] = one;
	return out;
}

size_t netset_few_prefixes(const struct netset *s, struct prefix *out, size_t most)
{
	struct prefix one;
	size_t len = 0;

	for (struct blocks b = { .set = s }; len <= most && blocks_next(&b, &one); len++)
		if (len < most)
			out[len] = one;
	return len;
}

void netset_print(struct buf *out, const struct netset *s)
{
	const char *between = "[";
	char text[ADDR_TEXT];
	struct prefix one;

	for (struct blocks b = { .set = s }; blocks_next(&b, &one); between = ", ") {
		buf_puts(out, between);
		buf_puts(out, prefix_print(one, text));
	}
	buf_puts(out, *between == '[' ? "[]" : "]");
}
