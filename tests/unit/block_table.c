/* Runtime blocks: a million sources have a place, each is told again, and two writers do not disturb each other. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "bpf-templates/blocks.h"
#include "enforcer/hook/block_table.h"
#include "tests/lib/tap.h"

#define NOW UINT64_C(1000000)

static struct teg_active active;
static struct teg_hints hints;

static struct block_table table_new(void)
{
	struct teg_blocks *at = calloc(1, sizeof *at);

	memset(&active, 0, sizeof active);
	at->seed[0] = 0x243f6a8885a308d3;
	at->seed[1] = 0x13198a2e03707345;
	return block_table_over(at, &active, &hints);
}

static struct addr address(const char *text)
{
	struct addr a;

	tap_ok(addr_parse(text, &a), "%s is an address", text);
	return a;
}

static uint64_t until(const struct block_table *t, struct addr a, uint64_t now)
{
	return block_table_get(t, block_host(a), now).until_ns;
}

static void one_by_one(void)
{
	struct block_table t = table_new();
	const struct addr a = address("198.51.100.7"), six = address("2001:db8:7:7::1"), near = address("2001:db8:7:7::ffff");
	const struct addr other = address("2001:db8:7:8::"), same_word = { FAMILY_IP6, (addr_num)0xc6336407 << 64 };

	tap_num((int64_t)until(&t, a, NOW), 0, "nobody is blocked at first");
	tap_ok(block_table_set(&t, block_host(a), NOW + 1000, 7, NOW), "blocked");
	tap_num((int64_t)until(&t, a, NOW), NOW + 1000, "until then");
	tap_num(block_table_get(&t, block_host(a), NOW).by, 7, "by whom");
	tap_num((int64_t)until(&t, a, NOW + 999), NOW + 1000, "to the last nanosecond");
	tap_num((int64_t)until(&t, a, NOW + 1000), 0, "and not longer");
	tap_num((int64_t)until(&t, same_word, NOW), 0, "an IPv6 /64 of the same bits is another");
	tap_ok(block_table_set(&t, block_host(a), NOW + 5000, 8, NOW), "blocked longer");
	tap_num((int64_t)until(&t, a, NOW), NOW + 5000, "it is");
	tap_ok(block_table_set(&t, block_host(a), NOW + 50, 9, NOW), "blocked shorter");
	tap_num((int64_t)until(&t, a, NOW), NOW + 50, "by a person, it is");
	tap_ok(block_table_set(&t, block_host(six), NOW + 10, TEG_BLOCK_NOBODY, NOW), "an IPv6 source");
	tap_num((int64_t)until(&t, near, NOW), NOW + 10, "stands for its /64");
	tap_num((int64_t)until(&t, other, NOW), 0, "and no other");
	tap_num((int64_t)block_table_count(&t, NOW), 2, "two are blocked");
	tap_ok(block_table_set(&t, block_host(a), 0, 0, NOW), "one no longer");
	tap_num((int64_t)block_table_count(&t, NOW), 1, "is one less");
	tap_num((int64_t)block_table_count(&t, NOW + 10), 0, "and none in time");
	free(t.at);
}

/* A reflex leaves a block that lasts longer. */
static void by_a_reflex(void)
{
	struct block_table t = table_new();
	const struct addr a = address("203.0.113.9");
	const struct blocks_key k = blocks_key(t.at, (uint64_t)a.num, false);

	tap_ok(blocks_place(t.at, &k, NOW + 100, 3, NOW), "a reflex blocks");
	active.blocks_until_ns = UINT64_MAX;
	tap_num((int64_t)until(&t, a, NOW), NOW + 100, "until then");
	tap_ok(blocks_place(t.at, &k, NOW + 50, 4, NOW), "again, for less");
	tap_num((int64_t)until(&t, a, NOW), NOW + 100, "which changes nothing");
	tap_num((int64_t)block_table_count(&t, NOW), 1, "and takes no second place");
	free(t.at);
}

static struct addr nth(uint32_t i)
{
	if (i % 3)
		return (struct addr){ FAMILY_IP4, (uint32_t)(i * 2654435761u) };
	return (struct addr){ FAMILY_IP6, (addr_num)(0x20010db800000000u + i) << 64 };
}

struct seen {
	uint64_t rows, wrong;
	uint8_t *once;
};

static void see(void *cls, const struct block_row *row)
{
	struct seen *s = cls;
	uint32_t i = (uint32_t)(row->until_ns - NOW - 1);

	s->rows++;
	if (i >= 1000000 || s->once[i]++ || row->source.addr.family != nth(i).family || row->source.addr.num != nth(i).num || row->by != i % 1000)
		s->wrong++;
}

static void a_million(void)
{
	enum { MANY = 1000000 };
	struct block_table t = table_new();
	struct seen seen = { .once = calloc(MANY, 1) };
	unsigned refused = 0, wrong = 0;

	for (uint32_t i = 0; i < MANY; i++)
		refused += !block_table_set(&t, block_host(nth(i)), NOW + 1 + i, i % 1000, NOW);
	tap_num(refused, 0, "of a million sources without a place");
	for (uint32_t i = 0; i < MANY; i++)
		wrong += until(&t, nth(i), NOW) != NOW + 1 + i || until(&t, nth(i + MANY), NOW) != 0;
	tap_num(wrong, 0, "of them are not blocked as they should be, or another is");
	block_table_each(&t, NOW, see, &seen);
	tap_num((int64_t)seen.rows, MANY, "are told");
	tap_num((int64_t)seen.wrong, 0, "of these otherwise than they were placed");
	tap_ok(sizeof *t.at / MANY <= 16, "in %.1f bytes each", (double)sizeof *t.at / MANY);
	for (uint32_t i = 0; i < MANY; i += 2)
		block_table_set(&t, block_host(nth(i)), 0, 0, NOW);
	for (uint32_t i = wrong = 0; i < MANY; i++)
		wrong += until(&t, nth(i), NOW) != (i % 2 ? NOW + 1 + i : 0);
	tap_num(wrong, 0, "are wrong when every other is taken back");
	free(seen.once);
	free(t.at);
}

/* Full: who has no place is told so, and nobody loses his. */
static void full(void)
{
	enum { MORE = TEG_BLOCKS_MAX + 5000 };
	struct block_table t = table_new();
	uint8_t *has = calloc(MORE, 1);
	unsigned refused = 0, wrong = 0;

	for (uint32_t i = 0; i < MORE; i++)
		refused += !(has[i] = block_table_set(&t, block_host(nth(i)), NOW + 9, 1, NOW));
	tap_ok(refused >= 5000 && refused < 30000, "%u of %u find no place", refused, MORE);
	for (uint32_t i = 0; i < MORE; i++)
		wrong += (until(&t, nth(i), NOW) != 0) != has[i];
	tap_num(wrong, 0, "of them are blocked otherwise than was said");
	tap_ok(block_table_set(&t, block_host(nth(MORE)), NOW + 99, 1, NOW + 9), "those whose time is over make room");
	free(has);
	free(t.at);
}

#define OF_EACH 50000u

struct writer {
	struct block_table *t;
	uint32_t from;
	bool placed[OF_EACH]; /* not all are, when the others have filled both sets of one before: the program moves none */
};

/* As the program does, beside the others. */
static void *places(void *cls)
{
	struct writer *w = cls;

	for (uint32_t i = 0; i < 2 * OF_EACH; i++) {
		const struct addr a = nth(w->from + i % OF_EACH);
		const struct blocks_key k = blocks_key(w->t->at, (uint64_t)(a.family == FAMILY_IP4 ? a.num : a.num >> 64), a.family == FAMILY_IP6);

		w->placed[i % OF_EACH] |= blocks_place(w->t->at, &k, NOW + 1000 + i, 5, NOW);
	}
	return NULL;
}

static void together(void)
{
	struct block_table t = table_new();
	static struct writer w[3];
	const uint32_t from[ARRAY_LEN(w)] = { 0, OF_EACH / 2, 2000000 };
	pthread_t threads[ARRAY_LEN(w)];
	unsigned wrong = 0, placed = 0;

	for (size_t i = 0; i < ARRAY_LEN(w); i++) {
		w[i].t = &t;
		w[i].from = from[i];
		pthread_create(&threads[i], NULL, places, &w[i]);
	}
	for (uint32_t i = 0; i < 600000; i++)
		wrong += !block_table_set(&t, block_host(nth(1000000 + i)), NOW + 7, 6, NOW);
	for (size_t i = 0; i < ARRAY_LEN(w); i++)
		pthread_join(threads[i], NULL);
	for (size_t k = 0; k < ARRAY_LEN(w); k++)
		for (uint32_t i = 0; i < OF_EACH; i++) {
			placed += w[k].placed[i];
			wrong += w[k].placed[i] && until(&t, nth(w[k].from + i), NOW) < NOW + 1000;
		}
	for (uint32_t i = 0; i < 600000; i++)
		wrong += until(&t, nth(1000000 + i), NOW) != NOW + 7;
	tap_num(wrong, 0, "of the sources are lost or wrong, placed by four at once");
	tap_ok(placed > 2 * OF_EACH, "%u of %u found a place beside", placed, 3 * OF_EACH);
	free(t.at);
}

/* ---- networks ------------------------------------------------------------------------------------ */

static struct prefix net(const char *text)
{
	struct prefix p;

	tap_ok(prefix_parse(text, &p) == PREFIX_OK, "%s is a network", text);
	return p;
}

static void networks(void)
{
	struct block_table t = table_new();
	const struct prefix a = net("203.0.113.0/24"), wide = net("203.0.0.0/8"), six = net("2001:db8::/32"), half = net("128.0.0.0/1");
	const struct prefix host = block_host(address("203.0.113.0")), six_host = block_host(address("2001:db8::"));

	tap_ok(block_table_set(&t, a, NOW + 100, TEG_BLOCK_NOBODY, NOW), "a network is blocked");
	tap_num((int64_t)block_table_get(&t, a, NOW).until_ns, NOW + 100, "until then");
	tap_num((int64_t)block_table_get(&t, host, NOW).until_ns, 0, "which is no block of the host of that address");
	tap_num((int64_t)t.at->nets[FAMILY_IP4], (int64_t)TEG_NET_BIT(24), "packets are asked for its length");
	tap_num(active.nets, TEG_IP4, "and those of IPv6 for none");
	tap_ok(block_table_set(&t, wide, NOW + 200, TEG_BLOCK_NOBODY, NOW) && block_table_set(&t, half, NOW + 300, TEG_BLOCK_NOBODY, NOW) &&
	       block_table_set(&t, six, NOW + 200, 7, NOW) && block_table_set(&t, six_host, NOW + 100, 7, NOW), "wider ones, and of IPv6");
	tap_num((int64_t)block_table_count(&t, NOW), 5, "each counts once");
	tap_ok(block_table_set(&t, wide, 0, 0, NOW), "one is taken back");
	tap_num((int64_t)block_table_get(&t, half, NOW).until_ns, NOW + 300, "the next wider one stays");
	block_table_tidy(&t, NOW);
	tap_num((int64_t)t.at->nets[FAMILY_IP4], (int64_t)(TEG_NET_BIT(24) | TEG_NET_BIT(1)), "nobody is asked for its length any more");
	block_table_tidy(&t, NOW + 100);
	tap_num((int64_t)t.at->nets[FAMILY_IP4], (int64_t)TEG_NET_BIT(1), "nor for one whose last is over");
	block_table_tidy(&t, NOW + 300);
	tap_ok(!t.at->nets[0] && !t.at->nets[1] && !active.nets, "nor for any when all are");
	free(t.at);
}

static struct prefix nth_net(uint32_t i)
{
	if (i % 2)
		return (struct prefix){ { FAMILY_IP4, (addr_num)(i << 9) & 0xffffff00 }, 24 };
	return (struct prefix){ { FAMILY_IP6, (addr_num)(0x20010db800000000u + ((uint64_t)i << 16)) << 64 }, 48 };
}

static void see_net(void *cls, const struct block_row *row)
{
	struct seen *s = cls;
	const uint32_t i = (uint32_t)(row->until_ns - NOW - 1);

	s->rows++;
	s->wrong += i >= 1000000 || s->once[i]++ || row->source.len != nth_net(i).len || row->source.addr.num != nth_net(i).addr.num;
}

static void a_million_networks(void)
{
	enum { MANY = 1000000 };
	struct block_table t = table_new();
	struct seen seen = { .once = calloc(MANY, 1) };
	unsigned refused = 0, wrong = 0;

	for (uint32_t i = 0; i < MANY; i++)
		refused += !block_table_set(&t, nth_net(i), NOW + 1 + i, TEG_BLOCK_NOBODY, NOW);
	tap_num(refused, 0, "of a million networks without a place");
	for (uint32_t i = 0; i < MANY; i++)
		wrong += block_table_get(&t, nth_net(i), NOW).until_ns != NOW + 1 + i;
	tap_num(wrong, 0, "of them are not blocked as they should be");
	block_table_each(&t, NOW, see_net, &seen);
	tap_ok(seen.rows == MANY && !seen.wrong, "each is told as it was placed");
	free(seen.once);
	free(t.at);
}

static void too_many_lengths(void)
{
	struct block_table t = table_new();
	const struct addr a = address("2001:db8::");
	unsigned taken = 0;

	for (unsigned len = 33; len < 33 + TEG_NET_LENGTHS; len++)
		taken += block_table_set(&t, (struct prefix){ a, len }, NOW + len, TEG_BLOCK_NOBODY, NOW);
	tap_num(taken, TEG_NET_LENGTHS, "so many lengths are taken");
	tap_ok(!block_table_set(&t, (struct prefix){ a, 32 }, NOW + 99, TEG_BLOCK_NOBODY, NOW) &&
	       !block_table_takes_length(&t, (struct prefix){ a, 32 }), "one more is not");
	tap_ok(block_table_set(&t, (struct prefix){ { FAMILY_IP4, 0xcb007100 }, 24 }, NOW + 99, TEG_BLOCK_NOBODY, NOW), "the other family has its own");
	tap_ok(block_table_set(&t, (struct prefix){ a, 32 }, NOW + 99, TEG_BLOCK_NOBODY, NOW + 33), "when the last of a length is over, there is room");
	tap_num((int64_t)block_table_get(&t, (struct prefix){ a, 34 }, NOW + 33).until_ns, NOW + 34, "and the others stay");
	free(t.at);
}

/* A length whose last network is to end sooner than it was is free by then. */
static void shortened(void)
{
	struct block_table t = table_new();
	const struct addr a = address("2001:db8::");

	for (unsigned len = 33; len < 33 + TEG_NET_LENGTHS; len++)
		block_table_set(&t, (struct prefix){ a, len }, NOW + 1000, TEG_BLOCK_NOBODY, NOW);
	tap_ok(!block_table_set(&t, (struct prefix){ a, 32 }, NOW + 99, TEG_BLOCK_NOBODY, NOW), "all lengths are taken");
	tap_ok(block_table_set(&t, (struct prefix){ a, 40 }, NOW + 10, TEG_BLOCK_NOBODY, NOW), "a network is blocked for less");
	tap_num((int64_t)block_table_count(&t, NOW), TEG_NET_LENGTHS, "and stands once");
	tap_ok(!block_table_set(&t, (struct prefix){ a, 32 }, NOW + 99, TEG_BLOCK_NOBODY, NOW + 9), "until it is over");
	tap_ok(block_table_set(&t, (struct prefix){ a, 32 }, NOW + 99, TEG_BLOCK_NOBODY, NOW + 10), "then there is room for another length");
	free(t.at);
}

struct watcher {
	struct block_table *t;
	struct prefix source;
	uint64_t looked, missed;
	bool over;
};

static void *watches(void *cls)
{
	struct watcher *w = cls;

	while (!__atomic_load_n(&w->over, __ATOMIC_RELAXED)) {
		w->missed += !block_table_get(w->t, w->source, NOW).until_ns;
		__atomic_fetch_add(&w->looked, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* Longer, shorter, longer: to a packet it is blocked all the time. */
static void never_without(struct prefix source, const char *what)
{
	struct block_table t = table_new();
	struct watcher w = { .t = &t, .source = source };
	pthread_t thread;

	block_table_set(&t, source, NOW + 500, TEG_BLOCK_NOBODY, NOW);
	pthread_create(&thread, NULL, watches, &w);
	for (uint32_t i = 0; i < 200000 || __atomic_load_n(&w.looked, __ATOMIC_RELAXED) < 200000; i++)
		block_table_set(&t, source, NOW + (i % 2 ? 500 : 900), TEG_BLOCK_NOBODY, NOW);
	__atomic_store_n(&w.over, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	tap_num((int64_t)w.missed, 0, what);
	tap_num((int64_t)block_table_count(&t, NOW), 1, "and it stands once");
	free(t.at);
}

int main(void)
{
	one_by_one();
	networks();
	a_million_networks();
	too_many_lengths();
	shortened();
	never_without(block_host((struct addr){ FAMILY_IP4, 0xc6336407 }), "a host is never without its block while its end changes");
	never_without((struct prefix){ { FAMILY_IP4, 0xcb007100 }, 24 }, "nor is a network");
	by_a_reflex();
	a_million();
	full();
	together();
	return tap_done();
}
