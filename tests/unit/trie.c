/* The trie of address sets gives the bits of the longest prefix, as a plain search does. */
#include <stdlib.h>

#include "enforcer/hook/trie.h"
#include "tests/lib/tap.h"

static struct plan_prefix member(const char *text, uint64_t sets)
{
	struct plan_prefix p = { .sets = sets };

	tap_ok(prefix_parse(text, &p.prefix) == PREFIX_OK, "%s is a prefix", text);
	return p;
}

static uint64_t longest(const struct plan_prefix *p, uint32_t count, struct addr a)
{
	unsigned best = 0;
	uint64_t sets = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct addr_range r = prefix_range(p[i].prefix);

		if (p[i].prefix.addr.family == a.family && r.lo <= a.num && a.num <= r.hi && p[i].prefix.len >= best) {
			best = p[i].prefix.len;
			sets = p[i].sets;
		}
	}
	return sets;
}

static const struct { const char *addr; uint64_t sets; } rows[] = {
	{ "9.255.255.255", 0 },	 { "10.0.0.0", 1 },    { "10.1.2.3", 3 },      { "10.1.2.4", 1 },
	{ "10.127.255.255", 1 }, { "10.128.0.0", 5 },  { "10.255.255.255", 5 }, { "11.0.0.0", 0 },
	{ "::", 8 },		 { "::1", 8 | 16 },    { "2001:db8::", 8 | 32 }, { "ffff::", 8 },
	{ "2001:db8:7fff::1", 8 | 32 },		       { "2001:db8:8000::", 8 },
};

static void table(struct arena *a)
{
	const struct plan_prefix p[] = {
		member("10.0.0.0/8", 1),   member("10.1.2.3", 3),	    member("10.128.0.0/9", 5),
		member("::/0", 8),	   member("::1", 8 | 16),	    member("2001:db8::/33", 8 | 32),
	};
	struct trie t = trie_build(a, p, ARRAY_LEN(p));

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct addr addr;

		tap_ok(addr_parse(rows[i].addr, &addr), "%s is an address", rows[i].addr);
		tap_num((int64_t)trie_find(&t, addr), (int64_t)rows[i].sets, rows[i].addr);
	}
}

static struct addr drawn(void)
{
	struct addr a = { rand() & 1 ? FAMILY_IP4 : FAMILY_IP6, 0 };

	for (unsigned i = 0; i < FAMILY_BITS(a.family) / 8; i++)
		a.num = a.num << 8 | (unsigned)("\x00\x01\x7f\x80\xff"[rand() % 5] & 0xff);
	return a;
}

static void drawn_prefixes(struct arena *a)
{
	struct plan_prefix p[200] = { 0 };
	unsigned wrong = 0;

	srand(7);
	for (size_t i = 0; i < ARRAY_LEN(p); i++) {
		p[i].prefix.addr = drawn();
		p[i].prefix.len = (unsigned)rand() % (FAMILY_BITS(p[i].prefix.addr.family) + 1);
		p[i].prefix.addr.num &= ~prefix_range((struct prefix){ { p[i].prefix.addr.family, 0 }, p[i].prefix.len }).hi;
		p[i].sets = 1ull << rand() % 62;
		for (size_t j = 0; j < i; j++) /* one prefix, one mask */
			if (p[j].prefix.len == p[i].prefix.len && p[j].prefix.addr.num == p[i].prefix.addr.num &&
			    p[j].prefix.addr.family == p[i].prefix.addr.family)
				p[i].sets = p[j].sets;
	}
	struct trie t = trie_build(a, p, ARRAY_LEN(p));
	for (int i = 0; i < 100000; i++) {
		struct addr addr = drawn();

		wrong += trie_find(&t, addr) != longest(p, ARRAY_LEN(p), addr);
	}
	tap_num(wrong, 0, "addresses of 100000 that 200 drawn prefixes answer otherwise");
}

static void too_many(struct arena *a)
{
	enum { HOSTS = 20000 };
	struct plan_prefix *p = arena_zero(a, HOSTS * sizeof *p);

	for (uint32_t i = 0; i < HOSTS; i++)
		p[i] = (struct plan_prefix){ { { FAMILY_IP4, (addr_num)i << 12 }, 32 }, 1 };
	struct trie t = trie_build(a, p, HOSTS);
	tap_ok(!t.node_count && !t.mask_count, "what needs more nodes than there may be is left to an atlas");
	t = trie_build(a, p, 0);
	tap_ok(t.node_count == 2 && t.mask_count == 1, "no sets: two roots and the mask of none");
}

int main(void)
{
	own(arena) struct arena *a = arena_new();

	table(a);
	drawn_prefixes(a);
	too_many(a);
	return tap_done();
}
