#include "enforcer/warden/blocks/seen.h"

#include <stdlib.h>

#include "enforcer/warden/blocks/blocks.h"
#include "lang/base/clock.h"

int block_places_find(struct block_places *out, struct kernel *k, struct err *why)
{
	*out = (struct block_places){ .xdp = k->xdp };
	return filter_sets_look(k->filter, FILTER_NETDEV, &block_sets[0][0], &out->nft[0][0], BLOCK_KINDS * FAMILY_COUNT, why);
}

#define NO_ELEMENT UINT32_MAX

struct seeing {
	struct kernel *k;
	const struct block_question *ask;
	const struct block_table *table; /* NULL without XDP */
	uint64_t now_ns;
	struct block_seen **by_source; /* in order */
	uint32_t count;

	/* A round: of each, in that order, one prefix, or len 0. */
	struct prefix *nets;
	bool *are;
	struct filter_element *elements; /* that nft is asked for */
	struct prefix *element_nets;
	uint32_t *element_of, element_count;
	struct err *why;
};

static int by_source(const void *x, const void *y)
{
	return prefix_order(&(*(struct block_seen *const *)x)->source, &(*(struct block_seen *const *)y)->source);
}

static int seeing_begin(struct seeing *s, struct block_seen *all, struct arena *a)
{
	s->by_source = arena_zero(a, s->count * sizeof *s->by_source);
	s->nets = arena_zero(a, s->count * sizeof *s->nets);
	s->are = arena_zero(a, s->count * sizeof *s->are);
	s->elements = arena_zero(a, s->count * sizeof *s->elements);
	s->element_nets = arena_zero(a, s->count * sizeof *s->element_nets);
	s->element_of = arena_zero(a, s->count * sizeof *s->element_of);
	for (uint32_t i = 0; i < s->count; i++) {
		s->by_source[i] = &all[i];
		all[i].is = false;
		all[i].around.len = 0;
	}
	if (s->count)
		qsort(s->by_source, s->count, sizeof *s->by_source, by_source);
	s->now_ns = clock_ns(CLOCK_MONOTONIC);
	if (s->ask->at->xdp && !(s->table = kernel_blocks(s->k, s->why)))
		return s->why->code;
	return 0;
}

/* Sources are in order, so those of one network stand together. */
static uint32_t element_for(struct seeing *s, struct prefix net)
{
	const uint32_t n = s->element_count;

	if (n && !prefix_order(&s->element_nets[n - 1], &net))
		return n - 1;
	s->element_nets[n] = net;
	block_element(&s->elements[n], net);
	return s->element_count++;
}

static int see_round(struct seeing *s)
{
	int rc;

	s->element_count = 0;
	for (uint32_t i = 0; i < s->count; i++) {
		const struct prefix net = s->nets[i];

		s->are[i] = net.len && s->table && block_table_get(s->table, net, s->now_ns).until_ns;
		s->element_of[i] = net.len && !s->are[i] && block_places_nft(s->ask->at, net) ? element_for(s, net) : NO_ELEMENT;
	}
	rc = filter_elements_look(s->k->filter, FILTER_NETDEV, s->elements, s->element_count, s->why);
	for (uint32_t i = 0; i < s->count; i++)
		s->are[i] = s->are[i] || (s->element_of[i] != NO_ELEMENT && s->elements[s->element_of[i]].is);
	return rc;
}

static bool is_source(const struct seeing *s, struct prefix net)
{
	const struct block_seen key = { .source = net }, *at = &key;

	return s->count && bsearch(&at, s->by_source, s->count, sizeof *s->by_source, by_source);
}

static int see_themselves(struct seeing *s)
{
	for (uint32_t i = 0; i < s->count; i++)
		s->nets[i] = s->by_source[i]->source;
	int rc = see_round(s);
	for (uint32_t i = 0; i < s->count; i++)
		s->by_source[i]->is = s->are[i];
	return rc;
}

/* The network of that length around one who is in none yet; len 0 when there is nothing to ask. */
static struct prefix net_around(const struct seeing *s, const struct block_seen *one, unsigned len, const struct block_lengths *l)
{
	const struct prefix none = { one->source.addr, 0 };

	if (one->around.len || one->source.len <= len || !(l->in_use[one->source.addr.family] & TEG_NET_BIT(len)))
		return none;
	const struct prefix net = prefix_cut(one->source, len);
	return s->ask->apart && is_source(s, net) ? none : net;
}

static int see_around(struct seeing *s, const struct block_lengths *lengths)
{
	int rc = 0;

	for (unsigned len = 63; !rc && len >= 1; len--) {
		if (!((lengths->in_use[FAMILY_IP4] | lengths->in_use[FAMILY_IP6]) & TEG_NET_BIT(len)))
			continue;
		for (uint32_t i = 0; i < s->count; i++)
			s->nets[i] = net_around(s, s->by_source[i], len, lengths);
		rc = see_round(s);
		for (uint32_t i = 0; i < s->count; i++)
			if (s->are[i])
				s->by_source[i]->around = s->nets[i];
	}
	return rc;
}

int blocks_see(struct kernel *k, const struct block_question *ask, struct block_seen *all, uint32_t count, struct arena *a, struct err *why)
{
	struct seeing s = { .k = k, .ask = ask, .count = count, .why = why };
	struct block_lengths lengths = { 0 };
	int rc = seeing_begin(&s, all, a);

	if (!rc && ask->at->nft[BLOCK_NETS][FAMILY_IP4])
		rc = block_lengths_look(&lengths, k, why);
	for (unsigned f = 0; s.table && f < FAMILY_COUNT; f++)
		lengths.in_use[f] |= s.table->at->nets[f];
	if (!rc)
		rc = see_themselves(&s);
	return rc ? rc : see_around(&s, &lengths);
}
