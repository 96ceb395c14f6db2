/* An atlas of address sets gives the bits of the longest prefix, as a plain search does. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void touched(uint64_t at);
#define ATLAS_TOUCHES(v, at) touched(at)

#include "bpf-templates/atlas.h"
#include "enforcer/hook/atlas/atlas.h"
#include "tests/lib/tap.h"

static struct prefix cut(struct addr a, unsigned len)
{
	a.num &= ~prefix_range((struct prefix){ { a.family, 0 }, len }).hi;
	return (struct prefix){ a, len };
}

static int by_place(const void *x, const void *y)
{
	const struct prefix *a = &((const struct plan_prefix *)x)->prefix, *b = &((const struct plan_prefix *)y)->prefix;

	if (a->addr.family != b->addr.family)
		return a->addr.family < b->addr.family ? -1 : 1;
	if (a->addr.num != b->addr.num)
		return a->addr.num < b->addr.num ? -1 : 1;
	return a->len < b->len ? -1 : a->len > b->len;
}

static bool covers(const struct prefix *p, struct addr a)
{
	struct addr_range r = prefix_range(*p);

	return p->addr.family == a.family && r.lo <= a.num && a.num <= r.hi;
}

/* In the plan's order, each with the bits of what is around it, none twice. */
static uint32_t in_order(struct plan_prefix *p, uint32_t count)
{
	uint32_t len = 0;

	qsort(p, count, sizeof *p, by_place);
	for (uint32_t i = 0; i < count; i++) {
		if (len && !by_place(&p[len - 1], &p[i]))
			p[len - 1].sets |= p[i].sets;
		else
			p[len++] = p[i];
	}
	for (uint32_t i = 0; i < len; i++)
		for (uint32_t j = 0; j < i; j++)
			if (p[j].prefix.len < p[i].prefix.len && covers(&p[j].prefix, p[i].prefix.addr))
				p[i].sets |= p[j].sets;
	return len;
}

static uint64_t longest(const struct plan_prefix *p, uint32_t count, struct addr a)
{
	unsigned best = 0;
	uint64_t sets = 0;

	for (uint32_t i = 0; i < count; i++)
		if (covers(&p[i].prefix, a) && p[i].prefix.len >= best) {
			best = p[i].prefix.len;
			sets = p[i].sets;
		}
	return sets;
}

static struct addr address(const char *text)
{
	struct addr a;

	tap_ok(addr_parse(text, &a), "%s is an address", text);
	return a;
}

static struct plan_prefix member(const char *text, uint64_t sets)
{
	struct plan_prefix p = { .sets = sets };

	tap_ok(prefix_parse(text, &p.prefix) == PREFIX_OK, "%s is a prefix", text);
	return p;
}

static const struct { const char *addr; uint64_t sets; } rows[] = {
	{ "9.255.255.255", 0 },	  { "10.0.0.0", 1 },	 { "10.1.2.2", 1 },	  { "10.1.2.3", 3 },
	{ "10.1.2.4", 1 },	  { "10.127.255.255", 1 }, { "10.128.0.0", 5 },	  { "10.255.255.255", 5 },
	{ "11.0.0.0", 0 },	  { "10.1.2.129", 65 },	 { "10.1.2.191", 65 },	  { "10.1.2.192", 1 },
	{ "255.255.255.255", 128 }, { "255.255.255.254", 0 }, { "0.0.0.0", 0 },
	{ "::", 8 },		  { "::1", 24 },	 { "2001:db8::", 40 },	  { "2001:db8:7fff::1", 40 },
	{ "2001:db8:8000::", 8 }, { "2001:db8:1:2::", 40 }, { "2001:db8:1:3::", 296 }, { "2001:db8:1:3::9", 296 },
	{ "2001:db8:1:3::a", 808 }, { "ffff::", 8 },	 { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1032 },
};

static void table(void)
{
	struct plan_prefix p[] = {
		member("10.0.0.0/8", 1),     member("10.1.2.3", 2),	     member("10.128.0.0/9", 4),
		member("10.1.2.128/26", 64), member("255.255.255.255", 128), member("::/0", 8),
		member("::1", 16),	     member("2001:db8::/33", 32),    member("2001:db8:1:3::/64", 256),
		member("2001:db8:1:3::a", 512), member("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1024),
	};
	own(atlas) struct atlas a = { 0 };
	uint32_t count = in_order(p, ARRAY_LEN(p));
	struct err why;

	tap_ok(!atlas_build(&a, p, count, &why), "built");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		tap_num((int64_t)atlas_find(&a, address(rows[i].addr)), (int64_t)rows[i].sets, rows[i].addr);
}

/* Few different bytes, so that prefixes nest, touch and fill pages. */
static struct addr drawn(void)
{
	struct addr a = { rand() & 1 ? FAMILY_IP4 : FAMILY_IP6, 0 };

	for (unsigned i = 0; i < FAMILY_BITS(a.family) / 8; i++)
		a.num = a.num << 8 | (unsigned)("\x00\x01\x7f\x80\xff"[rand() % 5] & 0xff);
	return a;
}

static unsigned wrong_of(const struct atlas *a, const struct plan_prefix *p, uint32_t count, unsigned asked)
{
	unsigned wrong = 0;

	while (asked--) {
		struct addr at = drawn();

		if (count && rand() & 1) { /* beside an edge of a prefix */
			struct addr_range r = prefix_range(p[rand() % count].prefix);
			at.family = p[rand() % count].prefix.addr.family;
			at.num = (rand() & 1 ? r.lo : r.hi) + (addr_num)(rand() % 3 - 1);
			at.num &= family_max(at.family);
		}
		wrong += atlas_find(a, at) != longest(p, count, at);
	}
	return wrong;
}

static void drawn_prefixes(void)
{
	static struct plan_prefix p[600];
	unsigned wrong = 0;

	for (int seed = 0; seed < 40; seed++) {
		own(atlas) struct atlas a = { 0 };
		struct err why;

		srand((unsigned)seed);
		for (size_t i = 0; i < ARRAY_LEN(p); i++) {
			struct addr at = drawn();
			unsigned bits = FAMILY_BITS(at.family), len = (unsigned)rand() % (bits + 1);

			if (rand() & 1)
				len = bits - (unsigned)rand() % 12;
			p[i] = (struct plan_prefix){ cut(at, len), 1ull << rand() % 62 };
		}
		uint32_t count = in_order(p, (uint32_t)seed * 15);
		if (atlas_build(&a, p, count, &why))
			tap_ok(false, "%s", why.text);
		else
			wrong += wrong_of(&a, p, count, 5000);
	}
	tap_num(wrong, 0, "addresses of 200000 that drawn prefixes answer otherwise");
}

/* How prefixes of a kind are drawn, and which form they then take. */
static const struct kind {
	const char *words;
	enum family family;
	unsigned count, heads; /* of IPv6: so many /32s */
	unsigned least, most;  /* bits */
	unsigned sets;	       /* masks that occur */
	unsigned others;       /* one of so many is of any length; 0: none */
} kinds[] = {
	{ "IPv4 hosts", FAMILY_IP4, 3000, 0, 32, 32, 2, 0 },
	{ "IPv4 hosts side by side, and a few networks", FAMILY_IP4, 3000, 0, 30, 32, 3, 40 },
	{ "IPv4 hosts of many combinations of sets", FAMILY_IP4, 3000, 0, 32, 32, 62, 30 },
	{ "IPv6 hosts of many heads", FAMILY_IP6, 3000, 900, 128, 128, 2, 0 },
	{ "IPv6 hosts side by side in one head", FAMILY_IP6, 3000, 1, 126, 128, 3, 0 },
	{ "IPv6 hosts of more combinations than their table has room for", FAMILY_IP6, 3000, 3, 128, 128, 62, 30 },
	{ "IPv6 networks in one deep tree", FAMILY_IP6, 3000, 1, 33, 64, 5, 0 },
	{ "IPv6 networks in many trees", FAMILY_IP6, 3000, 500, 40, 64, 5, 20 },
	{ "IPv6 prefixes of all lengths", FAMILY_IP6, 3000, 20, 0, 128, 62, 0 },
};

/* Hosts of few bits are side by side often. */
static struct addr drawn_of(const struct kind *k)
{
	struct addr a = { k->family, 0 };

	for (unsigned i = 0; i < FAMILY_BITS(a.family) / 8; i++)
		a.num = a.num << 8 | (addr_num)(rand() & 255);
	if (k->family == FAMILY_IP4)
		return k->least == 30 ? (struct addr){ FAMILY_IP4, a.num & 0xc0001fff } : a;
	a.num = (a.num << 32 >> 32) | (addr_num)(0x20010000u + (unsigned)rand() % k->heads * 7919u) << 96;
	if (k->least == 126)
		a.num &= ~(addr_num)0 << 96 | 0x7ff;
	return a;
}

static unsigned kind_wrong(const struct kind *k, struct plan_prefix *p, struct atlas *a)
{
	unsigned wrong = 0;
	struct err why;

	for (unsigned i = 0; i < k->count; i++) {
		const bool other = k->others && rand() % (int)k->others == 0;
		const unsigned least = other ? k->family == FAMILY_IP4 ? 8 : 20 : k->least;

		p[i] = (struct plan_prefix){ cut(drawn_of(k), least + (unsigned)rand() % (k->most - least + 1)),
					     1ull << rand() % (int)k->sets };
	}
	const uint32_t count = in_order(p, k->count);
	if (atlas_build(a, p, count, &why))
		return UINT32_MAX;
	for (unsigned i = 0; i < 4000; i++) {
		const struct addr_range r = prefix_range(p[rand() % (int)count].prefix);
		struct addr at = i & 1 ? drawn_of(k) : (struct addr){ k->family, (i & 2 ? r.lo : r.hi) + (addr_num)(rand() % 3 - 1) };

		at.num &= family_max(k->family);
		wrong += atlas_find(a, at) != longest(p, count, at);
	}
	return wrong;
}

static void drawn_kinds(void)
{
	static struct plan_prefix p[3000];

	srand(11);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		own(atlas) struct atlas a = { 0 };

		tap_num(kind_wrong(&kinds[i], p, &a), 0, kinds[i].words);
	}
}

/* One network in each of so many /32s side by side, of which every third is left out. */
static void many_heads(uint32_t count)
{
	struct plan_prefix *p = calloc(count, sizeof *p);
	own(atlas) struct atlas a = { 0 };
	unsigned wrong = 0;
	struct err why;

	for (uint32_t i = 0; p && i < count; i++)
		p[i] = (struct plan_prefix){ { { FAMILY_IP6, (addr_num)(0x24000000u + i * 3 / 2) << 96 | (addr_num)0x10000 << 64 }, 48 }, 1 };
	tap_ok(p && !atlas_build(&a, p, count, &why), "%u /32s side by side", count);
	for (uint32_t i = 0; i < count * 3 / 2; i++)
		for (unsigned in = 0; in < 2; in++) {
			const struct addr at = { FAMILY_IP6, (addr_num)(0x24000000u + i) << 96 | (addr_num)(in * 0x10000 + 7) << 64 };

			wrong += atlas_find(&a, at) != (in && i % 3 != 2);
		}
	tap_num(wrong, 0, "have their networks, and those between them none");
	free(p);
}

/* What stands in the tables is compared with their length before it is followed. */
static void damaged(void)
{
	static struct plan_prefix p[200];
	own(atlas) struct atlas a = { 0 };
	struct err why;
	uint64_t sum = 0;

	srand(3);
	for (size_t i = 0; i < ARRAY_LEN(p); i++) {
		struct addr at = drawn();
		unsigned len = FAMILY_BITS(at.family) - (unsigned)rand() % 20;

		if (at.family == FAMILY_IP6 && rand() & 1)
			len = 33 + (unsigned)rand() % 32;
		p[i] = (struct plan_prefix){ cut(at, len), 1ull << rand() % 62 };
	}
	uint32_t count = in_order(p, ARRAY_LEN(p));
	if (atlas_build(&a, p, count, &why)) {
		tap_ok(false, "%s", why.text);
		return;
	}
	for (int i = 0; i < 20000; i++) {
		uint64_t *word = &a.at[(uint32_t)rand() % a.words], was = *word;

		*word ^= 1ull << rand() % 64 | (uint64_t)rand() << 30;
		for (int j = 0; j < 4; j++)
			sum += atlas_find(&a, drawn());
		*word = was;
	}
	tap_ok(sum != 1, "damaged tables are read within their bounds");
	tap_num(wrong_of(&a, p, count, 1000), 0, "and undamaged they answer as before");
}

/* The cache lines that the look-up has read so far, none twice. */
static uint64_t lines[64];
static unsigned line_count;

static void touched(uint64_t at)
{
	for (unsigned i = 0; i < line_count; i++)
		if (lines[i] == at / TEG_ATLAS_LINE)
			return;
	if (line_count < ARRAY_LEN(lines))
		lines[line_count++] = at / TEG_ATLAS_LINE;
}

static unsigned lines_of(const struct atlas *a, struct addr at)
{
	const struct atlas_view v = { (const __u64 *)a->at, (const struct teg_atlas *)a->at, a->words, 0 };

	line_count = 0;
	if (at.family == FAMILY_IP6)
		atlas_ip6(&v, (uint64_t)(at.num >> 64), (uint64_t)at.num);
	else
		atlas_ip4(&v, (uint32_t)at.num);
	return line_count;
}

/*
 * A million, evenly apart, and how many hundredths of a cache line a look-up may read at most; of a hit that of its mask is one, and of
 * IPv6 that of a pilot, which are never far.
 */
static const struct { const char *words; enum family family; unsigned len; uint64_t apart; bool sets; unsigned miss, hit; } bulk[] = {
	{ "IPv4 hosts", FAMILY_IP4, 32, 4294, false, 110, 305 },
	{ "IPv4 hosts of many combinations of sets", FAMILY_IP4, 32, 4294, true, 115, 320 },
	{ "IPv4 networks", FAMILY_IP4, 28, 4288, false, 100, 400 },
	{ "IPv6 networks", FAMILY_IP6, 64, 4294, false, 800, 900 },
	{ "IPv6 hosts", FAMILY_IP6, 128, 4294967291, false, 118, 520 },
};

/* Twenty sets are usual, forty others rare: tags have room for 31 values. */
static uint64_t bulk_sets(size_t row, uint32_t i)
{
	return !bulk[row].sets ? 1 : 1ull << (i % 1000 < 990 ? i % 20 : 20 + i % 40);
}

static void in_bulk(void)
{
	enum { COUNT = 1000000 };
	struct plan_prefix *p = calloc(COUNT, sizeof *p);
	unsigned wrong = 0;
	struct err why;

	for (size_t row = 0; p && row < ARRAY_LEN(bulk); row++) {
		own(atlas) struct atlas a = { 0 };
		const unsigned shift = bulk[row].len == 64 ? 64 : 0;
		uint64_t miss = 0, hit = 0;
		const addr_num base = bulk[row].family ? (addr_num)0x20010db8 << 96 : 0;

		for (uint32_t i = 0; i < COUNT; i++)
			p[i] = (struct plan_prefix){ { { bulk[row].family, base + ((addr_num)(i * bulk[row].apart) << shift) },
						       bulk[row].len }, bulk_sets(row, i) };
		tap_ok(!atlas_build(&a, p, COUNT, &why), "a million %s", bulk[row].words);
		for (uint32_t i = 0; i < COUNT; i++) {
			struct addr at = p[i].prefix.addr, beside = at;

			beside.num += (addr_num)(bulk[row].apart / 2) << shift;
			wrong += atlas_find(&a, at) != bulk_sets(row, i) || atlas_find(&a, beside) != 0;
			hit += lines_of(&a, at);
			miss += lines_of(&a, beside);
		}
		tap_num(wrong, 0, "are there, and what is beside them is not");
		tap_ok(a.words * 8.0 / COUNT < 16, "in %.1f bytes each", a.words * 8.0 / COUNT);
		tap_ok(miss <= bulk[row].miss * (COUNT / 100ull) && hit <= bulk[row].hit * (COUNT / 100ull),
		       "%.2f lines of the cache say that an address is not there, %.2f that it is", (double)miss / COUNT,
		       (double)hit / COUNT);
	}
	free(p);
}

static void none(void)
{
	own(atlas) struct atlas a = { 0 };
	struct err why;

	tap_ok(!atlas_build(&a, NULL, 0, &why), "no prefix is an atlas too");
	tap_num((int64_t)atlas_find(&a, address("10.0.0.1")), 0, "in which no address");
	tap_num((int64_t)atlas_find(&a, address("::1")), 0, "of either family is");
}

int main(void)
{
	none();
	table();
	drawn_prefixes();
	drawn_kinds();
	many_heads(2);
	many_heads(1000);
	many_heads(200000);
	damaged();
	in_bulk();
	return tap_done();
}
