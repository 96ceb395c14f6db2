#include "enforcer/hook/block_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bpf-templates/blocks.h"

#define MOVES_DEEP 4 /* 4^5 places are looked at before a table is full */

/* Newton: each step doubles the bits that are right; an odd number is its own inverse in three. */
static uint64_t inverse(uint64_t odd)
{
	uint64_t x = odd;

	for (int i = 0; i < 5; i++)
		x *= 2 - odd * x;
	return x;
}

static void *map_of(int fd, size_t len)
{
	void *at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return at == MAP_FAILED ? NULL : at;
}

void block_table_close(struct block_table *t)
{
	if (t->at)
		munmap(t->at, sizeof *t->at);
	if (t->active)
		munmap(t->active, sizeof *t->active);
	if (t->hints)
		munmap(t->hints, sizeof *t->hints);
	*t = (struct block_table){ 0 };
}

struct block_table block_table_over(struct teg_blocks *at, struct teg_active *active, struct teg_hints *hints)
{
	return (struct block_table){ .at = at, .active = active, .hints = hints, .back = { inverse(at->seed[0]), inverse(at->seed[1]) },
				     .nets_doubtful = true };
}

int block_table_open(struct block_table *out, const struct shared *s, struct err *why)
{
	struct block_table t = { .at = map_of(s->blocks, sizeof *t.at), .active = map_of(s->active, sizeof *t.active),
				 .hints = map_of(s->hints, sizeof *t.hints) };

	if (!t.at || !t.active || !t.hints) {
		err_sys(why, "cannot map teg_blocks");
		block_table_close(&t);
		return why->code;
	}
	*out = block_table_over(t.at, t.active, t.hints);
	return 0;
}

/* ---- sources ------------------------------------------------------------------------- */

static unsigned host_len(enum family f)
{
	return f == FAMILY_IP4 ? TEG_BLOCK_BITS4 : TEG_BLOCK_BITS6;
}

struct prefix block_host(struct addr a)
{
	return prefix_cut((struct prefix){ a, FAMILY_BITS(a.family) }, host_len(a.family));
}

bool block_is_net(struct prefix source)
{
	return source.len < host_len(source.addr.family);
}

static uint64_t net_word(struct prefix net)
{
	const uint64_t top = (uint64_t)(net.addr.family == FAMILY_IP4 ? net.addr.num << 32 : net.addr.num >> 64);

	return blocks_net_word(top, TEG_NET_BIT(net.len));
}

static struct prefix net_of(enum family f, uint64_t word)
{
	const uint64_t top = word & (word - 1);

	return (struct prefix){ { f, f == FAMILY_IP4 ? (addr_num)(top >> 32) : (addr_num)top << 64 },
				63 - (unsigned)__builtin_ctzll(word) };
}

static struct blocks_key key_of(const struct block_table *t, struct prefix source)
{
	const bool is_ip6 = source.addr.family == FAMILY_IP6;

	if (block_is_net(source))
		return blocks_net_key(t->at, net_word(source), is_ip6);
	return blocks_key(t->at, (uint64_t)(is_ip6 ? source.addr.num >> 64 : source.addr.num), is_ip6);
}

/* What blocks_mix() was given. */
static uint64_t unmix(const struct block_table *t, uint64_t x)
{
	x ^= x >> 32;
	x *= t->back[1];
	x ^= x >> 32;
	x *= t->back[0];
	return x ^ x >> 32;
}

static struct block_row row_of(const struct block_table *t, uint32_t set, uint64_t key, uint64_t meta)
{
	const uint64_t rest = key >> TEG_BLOCK_BY_BITS;
	const uint32_t first = meta & TEG_BLOCK_SECOND ? teg_block_other(set, rest) : set;
	const uint64_t word = unmix(t, (uint64_t)first << TEG_BLOCK_REST_BITS | rest);
	const enum family f = meta & TEG_BLOCK_IP6 ? FAMILY_IP6 : FAMILY_IP4;
	struct block_row row = { .until_ns = TEG_BLOCK_UNTIL(meta), .by = key & TEG_BLOCK_BY };

	if (meta & TEG_BLOCK_NET)
		row.source = net_of(f, word | !word); /* one that is being written may be no word of a network yet */
	else
		row.source = block_host((struct addr){ f, f == FAMILY_IP4 ? (addr_num)(uint32_t)word : (addr_num)word << 64 });
	return row;
}

/* ---- changes ---------------------------------------------------------------------------- */

static void raise_to(__u64 *word, uint64_t to)
{
	__u64 seen = __atomic_load_n(word, __ATOMIC_RELAXED);

	while (seen < to && !__atomic_compare_exchange_n(word, &seen, to, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		;
}

static void hint(struct block_table *t, struct prefix source, uint64_t until_ns)
{
	const struct teg_source s = shared_source(source.addr);
	uint64_t words[2] = { block_is_net(source) ? net_word(source) : 0, 0 };

	if (!block_is_net(source))
		memcpy(words, &s.addr, sizeof words);
	raise_to(&t->active->blocks_until_ns, until_ns);
	raise_to(&t->hints->until_ns[teg_hint(words[0], words[1])], until_ns);
}

static void give_back(struct teg_block *b)
{
	__atomic_fetch_and(&b->meta, TEG_BLOCK_SPILLED, __ATOMIC_SEQ_CST);
}

static struct teg_block *make_room(struct block_table *t, uint32_t set, uint64_t now, unsigned deep);

/* The place of a block that stands in the set, claimed, once the block stands in its other set too. */
static struct teg_block *move_out(struct block_table *t, uint32_t set, struct teg_block *b, uint64_t now, unsigned deep)
{
	/* Its name behind its end: one that is being written has none, and one that is given to another since has another. */
	const uint64_t meta = blocks_meta(b), key = __atomic_load_n(&b->key, __ATOMIC_ACQUIRE), rest = key >> TEG_BLOCK_BY_BITS;
	const uint32_t other = teg_block_other(set, rest);
	const bool becomes_second = !(meta & TEG_BLOCK_SECOND);
	const struct blocks_key k = { rest, meta & (TEG_BLOCK_NET | TEG_BLOCK_IP6), { becomes_second ? set : other, becomes_second ? other : set } };

	if (meta & TEG_BLOCK_CLAIMED)
		return NULL;
	struct teg_block *to = blocks_claim(t->at->at[other], now);
	if (!to && deep)
		to = make_room(t, other, now, deep - 1);
	if (!to)
		return NULL;
	if (becomes_second)
		blocks_spill(t->at->at[set]);
	blocks_name(to, &k, becomes_second, TEG_BLOCK_UNTIL(meta), key & TEG_BLOCK_BY);
	const uint64_t seen = blocks_meta(b);
	if (((seen ^ meta) & ~TEG_BLOCK_SPILLED) || !blocks_swap(b, seen, (seen & TEG_BLOCK_SPILLED) | TEG_BLOCK_CLAIMED)) {
		give_back(to); /* the program has renewed it meanwhile: it stays where it is */
		return NULL;
	}
	return b;
}

static struct teg_block *make_room(struct block_table *t, uint32_t set, uint64_t now, unsigned deep)
{
	struct teg_block *b = NULL;

	for (unsigned i = 0; i < TEG_BLOCK_WAYS && !b; i++)
		b = move_out(t, set, &t->at->at[set][i], now, deep);
	return b;
}

static bool place(struct block_table *t, const struct blocks_key *k, uint64_t until_ns, uint32_t by, uint64_t now)
{
	if (blocks_place(t->at, k, until_ns, by, now))
		return true;
	struct teg_block *b = NULL;
	for (unsigned deep = 0; deep <= MOVES_DEEP && !b; deep++) /* the fewest moves */
		b = make_room(t, k->set[0], now, deep);
	if (b)
		blocks_name(b, k, 0, until_ns, by);
	return b;
}

static void clear(struct block_table *t, const struct blocks_key *k)
{
	struct teg_block *b;

	while ((b = blocks_find(t->at, k, 0)))
		give_back(b);
}

/* Where it stands, so that there is no moment without it. False when none ended later. */
static bool shorten(struct block_table *t, const struct blocks_key *k, uint64_t until_ns)
{
	struct teg_block *b;
	bool was = false;

	while ((b = blocks_find(t->at, k, until_ns))) {
		const uint64_t meta = blocks_meta(b);

		was = true;
		if (TEG_BLOCK_UNTIL(meta) > until_ns && blocks_is(b, meta, k, (meta & TEG_BLOCK_SECOND) != 0))
			blocks_swap(b, meta, TEG_BLOCK_META(until_ns) | (meta & TEG_BLOCK_FLAGS));
	}
	return was;
}

/* ---- lengths ---------------------------------------------------------------------------------- */

/* The programs look at them, and at a family only while it has some. The warden alone writes them. */
static void say_lengths(struct block_table *t, enum family f, uint64_t lengths)
{
	const uint32_t bit = f == FAMILY_IP4 ? TEG_IP4 : TEG_IP6;

	__atomic_store_n(&t->at->nets[f], lengths, __ATOMIC_SEQ_CST);
	if (lengths)
		__atomic_fetch_or(&t->active->nets, bit, __ATOMIC_SEQ_CST);
	else
		__atomic_fetch_and(&t->active->nets, ~bit, __ATOMIC_SEQ_CST);
}

bool block_table_takes_length(const struct block_table *t, struct prefix source)
{
	const uint64_t lengths = t->at->nets[source.addr.family] | TEG_NET_BIT(source.len);

	return __builtin_popcountll(lengths) <= (int)TEG_NET_LENGTHS;
}

struct lengths {
	uint64_t in_use[FAMILY_COUNT];
	struct block_table *of;
};

static void raise_end(struct block_table *t, struct prefix net, uint64_t until_ns)
{
	uint64_t *end = &t->nets_end[net.addr.family][net.len];

	*end = *end > until_ns ? *end : until_ns;
}

static void see_length(void *cls, const struct block_row *row)
{
	struct lengths *l = cls;

	if (!block_is_net(row->source))
		return;
	l->in_use[row->source.addr.family] |= TEG_NET_BIT(row->source.len);
	raise_end(l->of, row->source, row->until_ns);
}

/* Is some length's last end over? */
static bool a_length_ends(const struct block_table *t, uint64_t now_ns)
{
	for (unsigned f = 0; f < FAMILY_COUNT; f++)
		for (unsigned len = 0; len < 64; len++)
			if (t->at->nets[f] & TEG_NET_BIT(len) && t->nets_end[f][len] <= now_ns)
				return true;
	return false;
}

void block_table_tidy(struct block_table *t, uint64_t now_ns)
{
	struct lengths l = { .of = t };

	if (!(t->at->nets[0] | t->at->nets[1] | t->active->nets) || !(t->nets_doubtful || a_length_ends(t, now_ns)))
		return;
	memset(t->nets_end, 0, sizeof t->nets_end);
	block_table_each(t, now_ns, see_length, &l);
	for (unsigned f = 0; f < FAMILY_COUNT; f++)
		say_lengths(t, (enum family)f, l.in_use[f]);
	t->nets_doubtful = false;
}

/* Is there room for its length? Then that is asked for from now on. */
static bool use_length(struct block_table *t, struct prefix net, uint64_t until_ns, uint64_t now_ns)
{
	if (!block_table_takes_length(t, net))
		block_table_tidy(t, now_ns);
	if (!block_table_takes_length(t, net))
		return false;
	raise_end(t, net, until_ns);
	say_lengths(t, net.addr.family, t->at->nets[net.addr.family] | TEG_NET_BIT(net.len));
	return true;
}

/* ---- one source -------------------------------------------------------------------------------- */

bool block_table_set(struct block_table *t, struct prefix source, uint64_t until_ns, uint32_t by, uint64_t now_ns)
{
	const struct blocks_key k = key_of(t, source);

	if (!until_ns) {
		clear(t, &k);
		t->nets_doubtful = t->nets_doubtful || block_is_net(source);
		return true;
	}
	if (block_is_net(source) && !use_length(t, source, until_ns, now_ns))
		return false;
	hint(t, source, until_ns);
	if (shorten(t, &k, until_ns) && block_is_net(source))
		t->nets_doubtful = true;
	return place(t, &k, until_ns, by, now_ns);
}

/* ---- looking ------------------------------------------------------------------------------ */

struct block_row block_table_get(const struct block_table *t, struct prefix source, uint64_t now_ns)
{
	const struct blocks_key k = key_of(t, source);
	const struct teg_block *b = blocks_find(t->at, &k, now_ns);

	return b ? (struct block_row){ source, TEG_BLOCK_UNTIL(blocks_meta(b)), b->key & TEG_BLOCK_BY } :
		   (struct block_row){ source, 0, TEG_BLOCK_NOBODY };
}

static bool none_is_left(const struct block_table *t, uint64_t now_ns)
{
	return __atomic_load_n(&t->active->blocks_until_ns, __ATOMIC_RELAXED) <= now_ns;
}

void block_table_each(const struct block_table *t, uint64_t now_ns, void (*one)(void *cls, const struct block_row *row), void *cls)
{
	for (uint32_t set = 0; set < TEG_BLOCK_SETS && !none_is_left(t, now_ns); set++)
		for (unsigned i = 0; i < TEG_BLOCK_WAYS; i++) {
			const struct teg_block *b = &t->at->at[set][i];
			uint64_t meta = blocks_meta(b), key = *(const volatile __u64 *)&b->key;

			while (blocks_meta(b) != meta) { /* the key of one is not read with the end of another */
				meta = blocks_meta(b);
				key = *(const volatile __u64 *)&b->key;
			}
			if (TEG_BLOCK_UNTIL(meta) > now_ns) {
				const struct block_row row = row_of(t, set, key, meta);
				one(cls, &row);
			}
		}
}

uint64_t block_table_count(const struct block_table *t, uint64_t now_ns)
{
	const struct teg_block *b = t->at->at[0];
	uint64_t count = 0;

	if (none_is_left(t, now_ns))
		return 0;
	for (uint32_t i = 0; i < TEG_BLOCKS_MAX; i++)
		count += TEG_BLOCK_UNTIL(b[i].meta) > now_ns;
	return count;
}

int block_table_once(const struct shared *s, struct prefix source, uint64_t until_ns, uint32_t by, struct err *why)
{
	own(block_table) struct block_table t = { 0 };
	char text[ADDR_TEXT];
	int rc = block_table_open(&t, s, why);

	if (!rc && !block_table_set(&t, source, until_ns, by, 0))
		rc = err_set(why, ENOSPC, "no place is left to block %s", prefix_print(source, text));
	return rc;
}
