#include "enforcer/warden/blocks/nft.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "enforcer/nft/filter_nets.h"
#include "enforcer/warden/blocks/blocks.h"

const char *const block_sets[BLOCK_KINDS][FAMILY_COUNT] = {
	[BLOCK_HOSTS] = { "blocked4", "blocked6" },
	[BLOCK_NETS] = { FILTER_NETS4, FILTER_NETS6 },
};
#define LENGTHS_SET "blockedlengths"

bool blocks_is_set(const char *name)
{
	for (unsigned i = 0; i < BLOCK_KINDS * FAMILY_COUNT; i++)
		if (!strcmp(name, block_sets[i / FAMILY_COUNT][i % FAMILY_COUNT]))
			return true;
	return false;
}

/* ---- elements ------------------------------------------------------------------------------- */

static addr_num mark_of(enum family f, unsigned len)
{
	return (addr_num)1 << (FAMILY_BITS(f) - 1 - len);
}

static size_t key_of(struct prefix p, uint8_t key[static 16])
{
	if (block_is_net(p))
		p.addr.num |= mark_of(p.addr.family, p.len);
	addr_to_bytes(p.addr, key);
	return FAMILY_BITS(p.addr.family) / 8;
}

void block_change_element(struct filter_change *c, struct prefix source, uint64_t timeout_ms)
{
	uint8_t key[16];
	const size_t len = key_of(source, key);

	filter_change_element(c, FILTER_NETDEV, block_sets[block_kind(source)][source.addr.family], key, len, timeout_ms);
}

void block_timed(struct filter_timed *out, struct prefix source, uint64_t timeout_ms)
{
	out->len = (uint8_t)key_of(source, out->key);
	out->timeout_ms = timeout_ms;
}

void block_element(struct filter_element *out, struct prefix source)
{
	out->set = block_sets[block_kind(source)][source.addr.family];
	out->len = (uint8_t)key_of(source, out->key);
}

bool block_of_key(struct prefix *out, enum block_kind kind, enum family f, const void *key, size_t len)
{
	if (len != FAMILY_BITS(f) / 8)
		return false;
	const struct addr a = addr_from_bytes(f, key);
	*out = block_host(a);
	if (kind == BLOCK_HOSTS)
		return true;
	for (unsigned bits = 1; bits < out->len; bits++)
		if (!(a.num & (mark_of(f, bits) - 1)) && a.num & mark_of(f, bits)) {
			*out = prefix_cut((struct prefix){ a, bits }, bits);
			return true;
		}
	return false;
}

/* ---- lengths: the set -------------------------------------------------------------------------- */

int block_too_many_lengths(struct prefix source, struct err *why)
{
	char text[ADDR_TEXT];

	return err_set(why, ENOSPC, "networks of %u lengths are blocked already, and none of %s's: block one of a length that there is",
		       TEG_NET_LENGTHS, prefix_print(source, text));
}

void block_length_lasts(struct block_lengths *l, struct prefix net, uint64_t left_ms)
{
	uint64_t *left = &l->left_ms[net.addr.family][net.len];

	l->in_use[net.addr.family] |= TEG_NET_BIT(net.len);
	*left = *left > left_ms ? *left : left_ms;
}

static void see_length(void *cls, const void *key, size_t len, uint64_t left_ms)
{
	const uint8_t *at = key;
	const enum family f = len == 4 && at[2] == 6 ? FAMILY_IP6 : FAMILY_IP4;

	if (len == 4 && at[3] && at[3] < 64)
		block_length_lasts(cls, (struct prefix){ { f, 0 }, at[3] }, left_ms);
}

static void see_none(void *cls)
{
	*(struct block_lengths *)cls = (struct block_lengths){ 0 };
}

int block_lengths_look(struct block_lengths *out, struct kernel *k, struct err *why)
{
	const struct filter_elements to = { see_none, see_length, out };

	see_none(out);
	return filter_set_elements(k->filter, FILTER_NETDEV, LENGTHS_SET, &to, why);
}

static void change_length(struct filter_change *c, enum family f, unsigned len, uint64_t left_ms)
{
	const uint8_t key[4] = { 0, 0, f == FAMILY_IP4 ? 4 : 6, (uint8_t)len };

	filter_change_element(c, FILTER_NETDEV, LENGTHS_SET, key, sizeof key, left_ms);
}

static void add_lengths(struct filter_change *c, const struct block_lengths *is, const struct block_lengths *more)
{
	for (unsigned f = 0; f < FAMILY_COUNT; f++)
		for (unsigned len = 1; len < 64; len++)
			if (more->left_ms[f][len] > is->left_ms[f][len])
				change_length(c, (enum family)f, len, more->left_ms[f][len]);
}

int block_lengths_add(struct filter_change *c, struct kernel *k, const struct block_lengths *more, struct err *why)
{
	struct block_lengths is;
	int rc = more->in_use[0] | more->in_use[1] ? block_lengths_look(&is, k, why) : 0;

	if (!rc && more->in_use[0] | more->in_use[1])
		add_lengths(c, &is, more);
	return rc;
}

/* A larger set is not read for this: that takes a time that grows with its square. */
#define RECOUNTED_MOST 20000u

struct recount {
	struct block_lengths *into;
	enum family family;
};

static void recount_element(void *cls, const void *key, size_t len, uint64_t left_ms)
{
	const struct recount *r = cls;
	struct prefix net;

	if (block_of_key(&net, BLOCK_NETS, r->family, key, len))
		block_length_lasts(r->into, net, left_ms);
}

static void recount_none(void *cls)
{
	const struct recount *r = cls;

	r->into->in_use[r->family] = 0;
	memset(r->into->left_ms[r->family], 0, sizeof r->into->left_ms[r->family]);
}

/* Lengths whose networks were all taken back before their time are given up; their rules go at the next tick. */
static int give_up_unused(struct filter_change *c, struct block_lengths *is, struct kernel *k, enum family f, struct err *why)
{
	struct recount r = { is, f };
	const struct filter_elements to = { recount_none, recount_element, &r };
	const uint64_t was = is->in_use[f];
	uint64_t size;
	int rc = filter_set_size(k->filter, FILTER_NETDEV, block_sets[BLOCK_NETS][f], &size, why);

	if (rc || size > RECOUNTED_MOST)
		return rc;
	recount_none(&r);
	rc = filter_set_elements(k->filter, FILTER_NETDEV, block_sets[BLOCK_NETS][f], &to, why);
	for (unsigned len = 1; !rc && len < 64; len++)
		if (was & ~is->in_use[f] & TEG_NET_BIT(len))
			change_length(c, f, len, 0);
	return rc;
}

/* ---- and the rules ------------------------------------------------------------------------------- */

static void put_rules(struct filter_change *c, char bank, const uint64_t want[static FAMILY_COUNT])
{
	for (unsigned f = 0; f < FAMILY_COUNT; f++)
		for (unsigned len = 63; len >= 1; len--)
			if (want[f] & TEG_NET_BIT(len))
				filter_change_net(c, bank, (enum family)f, len);
}

static bool are_too_many(uint64_t lengths)
{
	return __builtin_popcountll(lengths) > (int)TEG_NET_LENGTHS;
}

int block_lengths_use(struct filter_change *c, struct kernel *k, char bank, const struct block *ask, struct err *why)
{
	struct block_lengths more = { 0 }, is;
	uint64_t rules[FAMILY_COUNT];
	int rc;

	for (uint32_t i = 0; i < ask->source_count; i++)
		if (block_is_net(ask->sources[i]))
			block_length_lasts(&more, ask->sources[i], UINT64_C(1000) * ask->seconds);
	if (!(more.in_use[0] | more.in_use[1]))
		return 0;
	rc = block_lengths_look(&is, k, why);
	for (unsigned f = 0; !rc && f < FAMILY_COUNT; f++)
		if (are_too_many(is.in_use[f] | more.in_use[f]))
			rc = give_up_unused(c, &is, k, (enum family)f, why);
	for (uint32_t i = 0; !rc && i < ask->source_count; i++) {
		const enum family f = ask->sources[i].addr.family;

		if (block_is_net(ask->sources[i]) && are_too_many(is.in_use[f] | more.in_use[f]))
			rc = block_too_many_lengths(ask->sources[i], why);
	}
	if (!rc)
		add_lengths(c, &is, &more);
	if (rc || !bank)
		return rc;
	rc = filter_nets(k->filter, bank, rules, why);
	for (unsigned f = 0; f < FAMILY_COUNT; f++)
		more.in_use[f] &= ~rules[f];
	if (!rc)
		put_rules(c, bank, more.in_use);
	return rc;
}

static int sync_rules(struct filter_change *c, struct kernel *k, char bank, const uint64_t want[static FAMILY_COUNT], struct err *why)
{
	uint64_t rules[FAMILY_COUNT];
	int rc = filter_nets(k->filter, bank, rules, why);

	if (!rc && rules[0] == want[0] && rules[1] == want[1])
		return 0;
	if (rc && rc != -EUCLEAN)
		return rc;
	*why = (struct err){ 0 };
	filter_change_nets_flush(c, bank);
	put_rules(c, bank, want);
	return 0;
}

int block_lengths_sync(struct kernel *k, char bank, struct err *why)
{
	own(filter_change) struct filter_change c = { 0 };
	struct block_lengths is;
	int rc = block_lengths_look(&is, k, why);

	if (!rc)
		rc = sync_rules(&c, k, bank, is.in_use, why);
	return rc ? rc : filter_commit(k->filter, &c, why);
}

/* A set that is empty needs none: what it had was taken back before its time. */
int blocks_tidy(struct kernel *k, char bank, struct err *why)
{
	own(filter_change) struct filter_change c = { 0 };
	uint64_t rules[FAMILY_COUNT], size;
	struct block_lengths is;
	int rc = filter_nets(k->filter, bank, rules, why);

	if (rc || !(rules[0] | rules[1]))
		return rc;
	rc = block_lengths_look(&is, k, why);
	for (unsigned f = 0; !rc && f < FAMILY_COUNT; f++) {
		rc = filter_set_size(k->filter, FILTER_NETDEV, block_sets[BLOCK_NETS][f], &size, why);
		for (unsigned len = 1; !rc && !size && len < 64; len++)
			if (is.in_use[f] & TEG_NET_BIT(len))
				change_length(&c, (enum family)f, len, 0);
		if (!size)
			is.in_use[f] = 0;
	}
	if (!rc)
		rc = sync_rules(&c, k, bank, is.in_use, why);
	return rc ? rc : filter_commit(k->filter, &c, why);
}

int blocks_check(struct kernel *k, char bank, struct err *why)
{
	uint64_t rules[FAMILY_COUNT];
	struct block_lengths is;
	int rc = filter_nets(k->filter, bank, rules, why);

	if (!rc)
		rc = block_lengths_look(&is, k, why);
	if (!rc && (is.in_use[0] & ~rules[0] || is.in_use[1] & ~rules[1]))
		rc = err_set(why, EUCLEAN, "nft: rules are gone that look for blocked networks");
	return rc;
}
