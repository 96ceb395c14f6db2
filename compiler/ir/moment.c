#include "compiler/ir/moment.h"

#include <stdlib.h>
#include <string.h>

#include "lang/base/memory.h"

/* Leading source bits that share a runtime block. */
static const uint8_t block_bits[FAMILY_COUNT] = { 32, 64 };

static struct addr addr_cut(struct addr a, unsigned bits)
{
	struct prefix host = { { a.family, 0 }, bits };

	a.num &= ~prefix_range(host).hi;
	return a;
}

static bool addr_equal(struct addr x, struct addr y)
{
	return x.family == y.family && x.num == y.num;
}

/* Buckets are shared by name: two policies' texts may be compared. */
static bool key_equal(const struct moment_key *x, const struct moment_key *y)
{
	if (!x->bucket != !y->bucket || (x->bucket && x->bucket != y->bucket && strcmp(x->bucket, y->bucket)))
		return false;
	return addr_equal(x->one, y->one) && addr_equal(x->other, y->other) && x->ports == y->ports;
}

static uint64_t mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * 0x9e3779b97f4a7c15;
	return h ^ h >> 29;
}

static size_t key_hash(const struct moment_key *k)
{
	uint64_t h = k->one.family;

	for (const char *c = k->bucket; c && *c; c++)
		h = mix(h, (unsigned char)*c);
	h = mix(mix(h, (uint64_t)k->one.num), (uint64_t)(k->one.num >> 64));
	h = mix(mix(h, (uint64_t)k->other.num), (uint64_t)(k->other.num >> 64));
	return (size_t)(mix(h, k->ports) >> 32);
}

/* The slot of the key, or the free one where it belongs. */
static size_t *slot_of(const struct moment_table *t, const struct moment_key *k)
{
	size_t mask = 2 * t->room - 1, i = key_hash(k) & mask;

	while (t->slots[i] && !key_equal(&t->entries[t->slots[i] - 1].key, k))
		i = (i + 1) & mask;
	return &t->slots[i];
}

static void table_grow(struct moment_table *t)
{
	t->room = t->room ? 2 * t->room : 16;
	t->entries = memory_must(reallocarray(t->entries, t->room, sizeof *t->entries));
	free(t->slots);
	t->slots = memory_must(calloc(2 * t->room, sizeof *t->slots));
	for (size_t i = 0; i < t->count; i++)
		*slot_of(t, &t->entries[i].key) = i + 1;
}

static struct moment_entry *table_find(const struct moment_table *t, const struct moment_key *k)
{
	size_t at = t->room ? *slot_of(t, k) : 0;

	return at ? &t->entries[at - 1] : NULL;
}

static struct moment_entry *table_add(struct moment_table *t, const struct moment_key *k)
{
	if (t->count == t->room)
		table_grow(t);
	*slot_of(t, k) = t->count + 1;
	t->entries[t->count] = (struct moment_entry){ .key = *k };
	return &t->entries[t->count++];
}

static void table_release(struct moment_table *t)
{
	free(t->entries);
	free(t->slots);
}

struct moment *moment_new(const struct ir *ir)
{
	static const struct netset nothing;
	struct moment *m = memory_must(calloc(1, sizeof *m));

	m->ir = ir;
	m->posture = ir->initial;
	m->self = &nothing;
	return m;
}

void moment_free(struct moment *m)
{
	if (!m)
		return;
	table_release(&m->buckets);
	table_release(&m->blocks);
	free(m->found);
	free(m);
}

void moment_set_posture(struct moment *m, unsigned posture)
{
	m->posture = posture;
}

void moment_set_self(struct moment *m, const struct netset *self)
{
	m->self = self;
}

void moment_pass(struct moment *m, uint64_t ns)
{
	m->now_ns += ns;
}

static struct moment_key key_of(const struct ir_rate *rate, const struct packet *p)
{
	struct moment_key k = { .bucket = rate->bucket };

	switch (rate->key) {
	case RATE_PER_SOURCE:
		k.one = addr_cut(p->src, rate->key_bits[p->family]);
		break;
	case RATE_PER_DESTINATION:
		k.one = addr_cut(p->dst, rate->key_bits[p->family]);
		break;
	case RATE_PER_FLOW:
		k.one = p->src;
		k.other = p->dst;
		k.ports = (uint64_t)p->proto << 32 | (uint32_t)p->sport << 16 | p->dport;
		break;
	case RATE_GLOBAL:
		break;
	}
	return k;
}

static struct moment_entry *bucket_at(struct moment *m, const struct ir_rate *rate, const struct packet *p)
{
	struct moment_key key = key_of(rate, p);
	struct moment_entry *b = table_find(&m->buckets, &key);

	if (!b) {
		b = table_add(&m->buckets, &key);
		b->tokens_ns = rate->depth_ns;
		b->last_ns = m->now_ns;
	}
	return b;
}

void moment_leave(struct moment *m, const struct ir_rate *rate, const struct packet *p, unsigned packets)
{
	struct moment_entry *b = bucket_at(m, rate, p);
	const uint64_t wanted = packets * ir_rate_cost(rate, p->len);

	b->tokens_ns = wanted < rate->depth_ns ? wanted : rate->depth_ns;
	b->last_ns = m->now_ns;
}

bool moment_is_over(struct moment *m, const struct ir_rate *rate, const struct packet *p)
{
	struct moment_entry *b = bucket_at(m, rate, p);
	uint64_t idle_ns = m->now_ns - b->last_ns;
	uint64_t room_ns = rate->depth_ns - b->tokens_ns;
	b->tokens_ns += idle_ns < room_ns ? idle_ns : room_ns;
	b->last_ns = m->now_ns;
	const uint64_t cost_ns = ir_rate_cost(rate, p->len);

	if (b->tokens_ns < cost_ns)
		return true;
	b->tokens_ns -= cost_ns;
	return false;
}

void moment_block(struct moment *m, struct addr source, uint64_t for_ns)
{
	struct moment_key key = { .one = addr_cut(source, block_bits[source.family]) };
	struct moment_entry *b = table_find(&m->blocks, &key);

	if (!b)
		b = table_add(&m->blocks, &key);
	b->until_ns = m->now_ns + for_ns;
}

bool moment_is_blocked(const struct moment *m, struct addr source)
{
	struct moment_key key = { .one = addr_cut(source, block_bits[source.family]) };
	const struct moment_entry *b = table_find(&m->blocks, &key);

	return b && m->now_ns < b->until_ns;
}

void moment_find(struct moment *m, const char *rule)
{
	m->found = memory_must(reallocarray(m->found, m->found_count + 1, sizeof *m->found));
	m->found[m->found_count++] = rule;
}

bool moment_is_found(const struct moment *m, const char *rule)
{
	for (size_t i = 0; i < m->found_count; i++)
		if (!strcmp(m->found[i], rule))
			return true;
	return false;
}
