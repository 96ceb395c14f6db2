#include "compiler/emit/nft/make.h"

#include <string.h>

#include "compiler/emit/nft/nft.h"
#include "lang/base/digest.h"
#include "lang/bundle/nft_name.h"

enum { NFPROTO_IP4 = 2, NFPROTO_IP6 = 10, ETHERTYPE_IP4 = 0x0800, ETHERTYPE_IP6 = 0x86dd };

/* --- objects --------------------------------------------------------------------- */

/* As batches have it, with its bank before it. */
static const char *own_name(struct arena *a, const char *name)
{
	const size_t len = strlen(name);
	char *own = arena_zero(a, len + sizeof "@_");

	own[0] = BATCH_BANK;
	own[1] = '_';
	memcpy(own + 2, name, len);
	return own;
}

struct nft_chain *nft_chain_new(struct nft_maker *mk, const char *name, const char *remark)
{
	struct nft_chain *c = arena_zero(mk->arena, sizeof *c);

	c->name = own_name(mk->arena, name);
	c->remark = remark;
	vec_push(mk->arena, &mk->table->chains, c);
	strmap_put(&mk->chains, c->name + strlen("@_"), c);
	return c;
}

const char *nft_chain_named(const struct nft_maker *mk, const char *name)
{
	const struct nft_chain *c = strmap_find(&mk->chains, name);

	return c ? c->name : NULL;
}

const char *nft_counter_at(struct nft_maker *mk, const char *id)
{
	const char *name = strmap_find(&mk->counters, id);

	if (!name) {
		name = nft_name(mk->arena, id);
		strmap_put(&mk->counters, id, (void *)(uintptr_t)name);
		vec_push(mk->arena, &mk->table->counters, name);
	}
	return name;
}

addr_num nft_family_number(enum nft_table_kind kind, enum family f)
{
	if (kind == NFT_TABLE_INET)
		return f == FAMILY_IP4 ? NFPROTO_IP4 : NFPROTO_IP6;
	return f == FAMILY_IP4 ? ETHERTYPE_IP4 : ETHERTYPE_IP6;
}

static struct nft_set *nft_set_new(struct nft_maker *mk, const char *name, enum nft_type type)
{
	struct nft_set *s = arena_zero(mk->arena, sizeof *s);

	s->name = name;
	s->type = type;
	s->id = (*mk->next_id)++;
	if (name) {
		strmap_put(&mk->sets, name, s);
		vec_push(mk->arena, &mk->table->sets, s);
	}
	return s;
}

struct nft_set *nft_map_new(struct nft_maker *mk, enum nft_leads leads)
{
	struct nft_set *s = nft_set_new(mk, NULL, NFT_TYPE_NUMBER);

	s->leads = leads;
	return s;
}

/* From so many parts on a hash is worth a set of its own kind; a tree of few is as fast. */
#define HOSTS_LEAST 64u

/* How many addresses there are, if nearly every part is one: then the kernel may hash them. Else 0. */
static size_t hosts_in(const struct netset *set, enum family f)
{
	const size_t most = set->len[f] + set->len[f] / 8;
	size_t count = 0;

	for (size_t i = 0; i < set->len[f] && count <= most; i++) {
		const addr_num more = set->at[f][i].hi - set->at[f][i].lo;

		count += more < most ? (size_t)more + 1 : most + 1;
	}
	return set->len[f] >= HOSTS_LEAST && count <= most ? count : 0;
}

static const struct addr_range *hosts_of(struct nft_maker *mk, const struct netset *set, enum family f, size_t count)
{
	struct addr_range *hosts = arena_zero(mk->arena, count * sizeof *hosts);
	size_t at = 0;

	for (size_t i = 0; i < set->len[f]; i++)
		for (addr_num a = set->at[f][i].lo; at < count; a++) {
			hosts[at++] = (struct addr_range){ a, a };
			if (a == set->at[f][i].hi)
				break;
		}
	return hosts;
}

static const char *content_name(struct nft_maker *mk, char kind, const struct addr_range *at, size_t count, enum family f)
{
	const struct digest d = digest_of(at, count * sizeof *at);

	return arena_printf(mk->arena, "%c_%.12s_%d", kind, d.hex, f == FAMILY_IP4 ? 4 : 6);
}

static const struct nft_set *static_set_at(struct nft_maker *mk, const char *name, enum family f, bool interval,
					   const struct addr_range *at, size_t count)
{
	struct nft_set *s = strmap_find(&mk->sets, name);

	if (s)
		return s;
	s = nft_set_new(mk, name, f == FAMILY_IP4 ? NFT_TYPE_ADDR4 : NFT_TYPE_ADDR6);
	s->interval = interval;
	s->ranges = at;
	s->count = count;
	/* By its size the kernel chooses the faster hash; one more is there while it looks whether it has an element. */
	s->most = interval ? 0 : (uint32_t)count + 1;
	return s;
}

const struct nft_set *nft_net_set_at(struct nft_maker *mk, const struct netset *set, enum family f)
{
	const size_t hosts = hosts_in(set, f);
	const char *name = content_name(mk, hosts ? 'h' : 'n', set->at[f], set->len[f], f);

	return static_set_at(mk, name, f, !hosts, hosts ? hosts_of(mk, set, f, hosts) : set->at[f], hosts ? hosts : set->len[f]);
}

const struct nft_set *nft_value_set_at(struct nft_maker *mk, const struct addr_range *at, size_t count, enum family f)
{
	struct addr_range *joined = arena_zero(mk->arena, (count + 1) * sizeof *joined);
	size_t len = 0;

	for (size_t i = 0; i < count; i++)
		if (len && joined[len - 1].hi + 1 == at[i].lo)
			joined[len - 1].hi = at[i].hi;
		else
			joined[len++] = at[i];
	return static_set_at(mk, content_name(mk, 'h', joined, len, f), f, false, at, count);
}

const struct nft_set *nft_dynamic_set_at(struct nft_maker *mk, const char *name, enum family f,
					 uint32_t most, uint64_t timeout_ms)
{
	struct nft_set *s = strmap_find(&mk->sets, name);

	if (s)
		return s;
	s = nft_set_new(mk, name, f == FAMILY_IP4 ? NFT_TYPE_ADDR4 : NFT_TYPE_ADDR6);
	s->dynamic = true;
	s->most = most;
	s->timeout_ms = timeout_ms;
	s->gc_ms = timeout_ms ? 0 : NFT_BLOCKED_GC_MS;
	return s;
}

const struct nft_set *nft_filled_set_at(struct nft_maker *mk, const char *name, enum family f)
{
	struct nft_set *s = strmap_find(&mk->sets, name);

	if (!s)
		s = nft_set_new(mk, name, f == FAMILY_IP4 ? NFT_TYPE_ADDR4 : NFT_TYPE_ADDR6);
	s->interval = true;
	return s;
}

const struct nft_set *nft_parted_set_at(struct nft_maker *mk, const char *name, const enum nft_field *fields, unsigned count,
					uint32_t most, uint64_t timeout_ms)
{
	struct nft_set *s = strmap_find(&mk->sets, name);

	if (s)
		return s;
	s = nft_set_new(mk, name, nft_fields[fields[0]].type);
	s->dynamic = true;
	s->most = most;
	s->timeout_ms = timeout_ms;
	s->part_count = count;
	for (unsigned i = 0; i < count; i++)
		s->part_types[i] = nft_fields[fields[i]].type;
	return s;
}

/* --- rules, expression by expression --------------------------------------------- */

/* A rule is built where one was built before, and kept in as much as it takes: there are rules by the hundred thousand. */
static void make_room(struct nft_maker *mk, struct nft_rule *r)
{
	struct nft_expr *at = mk->spare.at;
	size_t room = mk->spare.room;

	if (room > r->exprs.len) {
		mk->spare.room = 0;
	} else {
		room = r->exprs.room ? 2 * r->exprs.room : 8;
		at = arena_zero(mk->arena, room * sizeof *at);
	}
	if (r->exprs.len)
		memcpy(at, r->exprs.at, r->exprs.len * sizeof *at);
	r->exprs.at = at;
	r->exprs.room = room;
}

void nft_push(struct nft_maker *mk, struct nft_rule *r, struct nft_expr e)
{
	if (r->exprs.len == r->exprs.room)
		make_room(mk, r);
	r->exprs.at[r->exprs.len++] = e;
}

void nft_push_match(struct nft_maker *mk, struct nft_rule *r, struct nft_match m)
{
	if (!m.bytes)
		m.bytes = nft_fields[m.field].bytes;
	nft_push(mk, r, (struct nft_expr){ .kind = NFT_EXPR_MATCH, .match = m });
}

void nft_ask(struct nft_maker *mk, struct nft_rule *r, enum nft_field f, enum nft_test t,
	     addr_num v)
{
	nft_push_match(mk, r, (struct nft_match){ .field = f, .test = t, .lo = v, .hi = v });
}

void nft_ask_masked(struct nft_maker *mk, struct nft_rule *r, enum nft_field f, addr_num mask,
		    enum nft_test t, addr_num v)
{
	nft_push_match(
		mk, r,
		(struct nft_match){
			.field = f, .test = t, .masked = true, .mask = mask, .lo = v, .hi = v });
}

void nft_ask_set(struct nft_maker *mk, struct nft_rule *r, enum nft_field f, enum nft_test t,
		 const struct nft_set *s)
{
	nft_push_match(mk, r, (struct nft_match){ .field = f, .test = t, .set = s });
}

void nft_ask_ranges(struct nft_maker *mk, struct nft_rule *r, enum nft_field f,
		    const struct addr_range *at, size_t count)
{
	if (count == 1) {
		nft_push_match(mk, r,
			       (struct nft_match){ .field = f,
						   .test = at->lo == at->hi ? NFT_TEST_EQ
									    : NFT_TEST_WITHIN,
						   .lo = at->lo,
						   .hi = at->hi });
		return;
	}

	struct nft_set *s = nft_set_new(mk, NULL, nft_fields[f].type);
	s->ranges = at;
	s->count = count;
	for (size_t i = 0; i < count; i++)
		s->interval |= at[i].lo != at[i].hi;
	nft_ask_set(mk, r, f, NFT_TEST_IN, s);
}

void nft_ask_numbers(struct nft_maker *mk, struct nft_rule *r, enum nft_field f,
		     const struct ranges *set)
{
	const struct addr_range one = set->len ? (struct addr_range){ set->at->lo, set->at->hi } : (struct addr_range){ 0, 0 };
	struct addr_range *at;

	if (set->len == 1) {
		nft_ask_ranges(mk, r, f, &one, 1);
		return;
	}
	at = arena_zero(mk->arena, (set->len + 1) * sizeof *at);
	for (size_t i = 0; i < set->len; i++)
		at[i] = (struct addr_range){ set->at[i].lo, set->at[i].hi };
	nft_ask_ranges(mk, r, f, at, set->len);
}

void nft_ask_any(struct nft_maker *mk, struct nft_rule *r, enum nft_field f, enum nft_test t,
		 const uint16_t *values, size_t count)
{
	struct addr_range *at = arena_zero(mk->arena, count * sizeof *at);
	struct nft_set *s = nft_set_new(mk, NULL, nft_fields[f].type);

	for (size_t i = 0; i < count; i++)
		at[i] = (struct addr_range){ values[i], values[i] };
	s->ranges = at;
	s->count = count;
	nft_ask_set(mk, r, f, t, s);
}

void nft_count_at(struct nft_maker *mk, struct nft_rule *r, const char *counter)
{
	nft_push(mk, r, (struct nft_expr){ .kind = NFT_EXPR_COUNTER, .counter = counter });
}

void nft_count_as(struct nft_maker *mk, struct nft_rule *r, const char *id)
{
	nft_count_at(mk, r, nft_counter_at(mk, id));
}

void nft_log(struct nft_maker *mk, struct nft_rule *r, const struct ir_rule *rule)
{
	if (rule->effects.log)
		nft_push(mk, r, (struct nft_expr){ .kind = NFT_EXPR_LOG,
						   .log = arena_printf(mk->arena, "%s: ", rule->effects.log) });
}

void nft_ends(struct nft_maker *mk, struct nft_rule *r, enum nft_fate fate)
{
	nft_push(mk, r, (struct nft_expr){ .kind = NFT_EXPR_FATE, .fate = fate });
}

void nft_ends_in(struct nft_maker *mk, struct nft_rule *r, enum nft_fate fate, const char *chain)
{
	nft_push(mk, r, (struct nft_expr){ .kind = NFT_EXPR_FATE, .fate = fate, .chain = chain });
}

void nft_put_rule(struct nft_maker *mk, struct nft_chain *c, struct nft_rule r, const char *remark)
{
	struct nft_rule kept = { .remark = remark };

	kept.exprs.at = arena_copy(mk->arena, r.exprs.at, r.exprs.len * sizeof *r.exprs.at);
	kept.exprs.len = kept.exprs.room = r.exprs.len;
	vec_push(mk->arena, &c->rules, kept);
	if (r.exprs.room > mk->spare.room) {
		mk->spare.at = r.exprs.at;
		mk->spare.room = r.exprs.room;
	}
}

void nft_put_jump(struct nft_maker *mk, struct nft_chain *c, const char *to)
{
	struct nft_rule r = { 0 };

	nft_ends_in(mk, &r, NFT_FATE_JUMP, to);
	nft_put_rule(mk, c, r, NULL);
}

void nft_ask_family(struct nft_maker *mk, struct nft_rule *r, enum family f)
{
	nft_ask(mk, r, mk->table->kind == NFT_TABLE_INET ? NFT_FIELD_NFPROTO : NFT_FIELD_PROTOCOL, NFT_TEST_EQ,
		nft_family_number(mk->table->kind, f));
}
