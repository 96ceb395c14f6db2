#include "compiler/audit/nft/walk.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "compiler/ir/proto.h"
#include "lang/bundle/nft_name.h"

enum { NF_DROP = 0, NF_ACCEPT = 1 }; /* linux/netfilter.h */

#define PATHS_MOST 256
#define LIST_MOST (4u << 20)

/* --- outcomes ------------------------------------------------------------------------------------------ */

void outcomes_init(struct outcomes *o, struct arena *a)
{
	*o = (struct outcomes){ .arena = a };
	strmap_init(&o->numbers, a);
}

uint32_t outcome_number(struct outcomes *o, const struct outcome_parts *p)
{
	own(buf) struct buf b = { 0 };

	buf_puts(&b, verdict_name(p->verdict));
	if (p->counter)
		buf_printf(&b, ", counted as %s", p->counter);
	if (p->log)
		buf_printf(&b, ", logged as \"%s\"", p->log);
	if (p->block_ms)
		buf_printf(&b, ", its source blocked for %llu ms", (unsigned long long)p->block_ms);

	if (p->arms)
		buf_puts(&b, ", its server armed");
	if (p->answered)
		buf_puts(&b, ", answered with a cookie or asked for one");

	void *found = strmap_find(&o->numbers, buf_text(&b));
	if (found)
		return (uint32_t)(uintptr_t)found - 1;
	const char *text = arena_strdup(o->arena, buf_text(&b));
	vec_push(o->arena, &o->texts, text);
	strmap_put(&o->numbers, text, (void *)(uintptr_t)o->texts.len);
	return (uint32_t)o->texts.len - 1;
}

/* --- a chain ----------------------------------------------------------------------------------------------- */

/* Packets on their way, and what was already done to them. */
struct path {
	struct cell cell;
	struct outcome_parts done; /* verdict not yet */
	bool tcp_gone;		   /* all of it that is TCP was decided before */
};

/* Packets that no later rule of the chain sees, unless it sends them where they have been. */
struct gone {
	struct cell cell;
	const struct nft_said_chain *to; /* of a goto; NULL of a return */
};

struct frame {
	struct nft_walk *k;
	struct nft_said_chain *chain;
	VEC(struct path) left;
	VEC(struct gone) gone;
	VEC(struct gone) asked; /* have come back from chains with limits, whose buckets they have been taken from */
	bool returns; /* some packet leaves it undecided, before its end */
};

static int refuse(struct nft_walk *k, const char *what)
{
	return err_set(k->world.why, ENOTSUP, "%s", what);
}

static int walk_chain(struct nft_walk *k, struct nft_said_chain *c, const struct path *from, bool *total);

static int put(struct frame *f, const struct path *p, enum verdict v)
{
	struct nft_walk *k = f->k;
	struct outcome_parts done = p->done;

	done.verdict = v;
	if (k->list.len == LIST_MOST)
		return err_set(k->world.why, E2BIG, "the chains have more branches than can be followed");
	vec_push(k->world.arena, &k->list, ((struct listed){ p->cell, outcome_number(k->outcomes, &done) }));
	return 0;
}

/* --- limits ---------------------------------------------------------------------------------------------------- */

/* None of these packets has ports. */
static bool has_no_ports(const struct cell *c)
{
	bool some = false;

	for (unsigned p = c->proto_lo; p <= c->proto_hi; p++)
		some = some || proto_has_ports((uint16_t)p);
	return !some || c->fragments == FRAGMENT_LATER;
}

static bool key_is_flow(const struct nft_ask_limit *l, const struct cell *c)
{
	static const enum nft_asked parts[NFT_KEYS_MOST] = { NFT_ASKED_SRC, NFT_ASKED_DST, NFT_ASKED_PROTO, NFT_ASKED_SPORT, NFT_ASKED_DPORT };

	if (!l->set || l->key_count != (has_no_ports(c) ? 3 : NFT_KEYS_MOST))
		return false;
	for (size_t i = 0; i < l->key_count; i++)
		if (l->keys[i].what != parts[i] || l->keys[i].mask != nft_value_last(l->keys[i].bytes))
			return false;
	return true;
}

static bool key_is(const struct nft_ask_limit *l, const struct ir_rate *rate, const struct cell *c)
{
	const enum family f = c->family;
	const addr_num all = family_max(f), host = rate->key_bits[f] < FAMILY_BITS(f) ? all >> rate->key_bits[f] : 0;
	const addr_num mask = all & ~host;

	switch (rate->key) {
	case RATE_GLOBAL:
		return !l->set && !l->crowd;
	case RATE_PER_SOURCE:
		return l->set && l->key_count == 1 && l->keys[0].what == NFT_ASKED_SRC && l->keys[0].mask == mask;
	case RATE_PER_DESTINATION:
		return l->set && l->key_count == 1 && l->keys[0].what == NFT_ASKED_DST && l->keys[0].mask == mask;
	case RATE_PER_FLOW:
		return key_is_flow(l, c);
	}
	return false;
}

/* One set for a bucket, and one bucket for a set; and it forgets no debt. */
static bool meter_is(struct nft_walk *k, const struct nft_ask_limit *l, const struct ir_rate *rate)
{
	const struct nft_said_set *set = l->set;

	if (!set)
		return true;
	if (set->timeout_ms < rate->depth_ns / 1000000)
		return false;
	for (size_t i = 0; i < k->meters->len; i++) {
		const struct metered *m = &k->meters->at[i];
		bool same = !strcmp(m->bucket, rate->bucket) && m->family == k->world.family && m->parts == l->key_count;

		if (same || m->set == set)
			return same && m->set == set;
	}
	vec_push(k->outcomes->arena, k->meters, ((struct metered){ rate->bucket, k->world.family, set, l->key_count }));
	return true;
}

/* The unknown that a limit is: the one of the rule that counts what is over it. */
static int limit_unknown(struct nft_walk *k, const struct nft_ask_limit *l, const char *counter, struct cell *of)
{
	const struct ir_rule *r = counter ? strmap_find(k->rated, counter) : NULL;

	if (!r)
		return refuse(k, "a limit that no rule of the policy has");
	if (l->rate != r->rate->rate || l->unit_s != r->rate->unit_s || l->burst != r->rate->burst || l->bytes != r->rate->bytes ||
	    !key_is(l, r->rate, of) || !meter_is(k, l, r->rate))
		return err_set(k->world.why, EPROTO, "%s: its rate is not the policy's", r->id);
	k->limits++;
	of->unknown = (int)terms_own_unknown(k->terms, r);
	return (size_t)of->unknown < k->terms->unknowns.len ? 0 : refuse(k, "a limit that the policy's terms do not know");
}

/* The unknown that a feed's set is. */
static int feed_unknown(struct nft_walk *k, const char *set, int *out)
{
	const struct terms *t = k->terms;

	for (size_t i = 0; i < t->unknowns.len; i++) {
		const struct unknown *u = &t->unknowns.at[i];

		if (u->kind != OPEN_FEED || u->copy)
			continue;
		if (!strcmp(set, nft_feed_set(k->world.arena, u->name + strlen(NFT_FEED_BEGINS), k->world.family))) {
			*out = (int)i;
			return 0;
		}
	}
	return err_set(k->world.why, EPROTO, "%s: a feed that the policy does not have", set);
}

/* --- what a rule does to the packets that come to its end --------------------------------------------------------- */

/* What the packets have behind them when the rule has done its work. */
static int path_behind(struct frame *f, const struct path *from, const struct nft_answer *a, struct path *out)
{
	int rc;

	*out = *from;
	if (((a->counter || a->mapped) && from->done.counter) || (a->log && from->done.log) || (a->blocks && from->done.block_ms))
		return refuse(f->k, "what is counted, logged or blocked twice");
	if (a->counter)
		out->done.counter = a->counter;
	if (a->log)
		out->done.log = a->log;
	if (a->blocks)
		out->done.block_ms = a->block_ms;
	out->done.arms |= a->arms;
	if (!a->limited && !a->feed)
		return 0;
	if (from->cell.unknown >= 0 || (a->limited && a->feed))
		return refuse(f->k, "a limit or a feed behind another");
	if (a->feed)
		return feed_unknown(f->k, a->feed, &out->cell.unknown);
	rc = limit_unknown(f->k, &a->limit, out->done.counter, &out->cell);
	return rc;
}

/* All of one outcome, that leave nothing: as if the rule itself had said so. */
static void fold(struct nft_walk *k, size_t from, const struct cell *c)
{
	for (size_t i = from + 1; i < k->list.len; i++)
		if (k->list.at[i].outcome != k->list.at[from].outcome)
			return;
	if (k->list.len > from) {
		k->list.at[from].cell = *c;
		k->list.len = from + 1;
	}
}

static int send(struct frame *f, const struct path *p, const struct nft_said_chain *to, bool *total)
{
	size_t before = f->k->list.len;
	int rc = walk_chain(f->k, (struct nft_said_chain *)to, p, total);

	if (!rc && *total)
		fold(f->k, before, &p->cell);
	if (!rc && !*total && (p->done.counter || p->done.log || p->done.block_ms || p->cell.unknown >= 0))
		return refuse(f->k, "what is counted, logged, blocked or over a limit, and then not decided");
	return rc;
}

/* Who comes back from limits goes on; the same limits would count it again. */
static int come_back(struct frame *f, const struct cell *c, const struct nft_said_chain *from)
{
	for (size_t i = 0; i < f->asked.len; i++)
		if (f->asked.at[i].to == from && nft_meets(f->k->world.arena, &f->asked.at[i].cell, c))
			return refuse(f->k, "a limit that counts a packet twice");
	vec_push(f->k->world.arena, &f->asked, ((struct gone){ *c, from }));
	return 0;
}

static void leaves(struct frame *f, const struct cell *c, const struct nft_said_chain *to)
{
	vec_push(f->k->world.arena, &f->gone, ((struct gone){ *c, to }));
	f->returns = true;
}

/* A reset is for TCP, and nothing else is. */
static int put_reject(struct frame *f, const struct path *p, bool reset)
{
	const struct cell *c = &p->cell;
	bool only_tcp = c->proto_lo == PROTO_TCP && c->proto_hi == PROTO_TCP;
	bool no_tcp = p->tcp_gone || c->proto_lo > PROTO_TCP || c->proto_hi < PROTO_TCP;

	if (reset ? !only_tcp : !no_tcp)
		return err_set(f->k->world.why, EPROTO, "TCP is not refused by a reset, or something else is");
	return put(f, p, VERDICT_REJECT);
}

/* A SYN or an acknowledgement of TCP, which alone synproxy takes. */
static int put_answered(struct frame *f, const struct path *p)
{
	struct path one = *p;

	if (p->cell.proto_lo != PROTO_TCP || p->cell.proto_hi != PROTO_TCP)
		return refuse(f->k, "synproxy of what is no TCP");
	one.done.answered = true;
	return put(f, &one, VERDICT_DROP);
}

static int end_as(struct frame *f, const struct path *p, const struct nft_said_verdict *v, bool *decided)
{
	size_t limits;
	int rc;

	*decided = true;
	switch (v->code) {
	case NFT_ASK_SYNPROXY:
		return put_answered(f, p);
	case NF_ACCEPT:
		return put(f, p, VERDICT_ALLOW);
	case NF_DROP:
		return put(f, p, VERDICT_DROP);
	case NFT_ASK_REJECT_RESET:
	case NFT_ASK_REJECT_ICMP:
		return put_reject(f, p, v->code == NFT_ASK_REJECT_RESET);
	case NFT_JUMP:
		limits = f->k->limits;
		rc = send(f, p, v->chain, decided);
		return rc || *decided || f->k->limits == limits ? rc : come_back(f, &p->cell, v->chain);
	case NFT_GOTO:
		rc = send(f, p, v->chain, decided);
		if (!rc && !*decided)
			leaves(f, &p->cell, v->chain);
		return rc;
	}
	*decided = false;
	if (p->done.counter || p->done.log || p->cell.unknown >= 0)
		return refuse(f->k, "what is counted, logged or over a limit, and then not decided");
	if (v->code == NFT_RETURN)
		leaves(f, &p->cell, NULL);
	else if (v->code != NFT_ASK_FALLS_ON)
		return refuse(f->k, "a verdict of an unknown kind");
	return 0;
}

/* --- a rule -------------------------------------------------------------------------------------------------------- */

/* Where an unconditional last expression sends, or NULL. */
static const struct nft_said_chain *goes_to(const struct nft_walk *k, const struct nft_said_rule *r)
{
	const struct nft_said_expr *last = r->len ? &r->exprs[r->len - 1] : NULL;
	struct nft_said_verdict v = { 0 };
	struct nft_attr at[NFT_ATTRS_MAX];

	if (!last || strcmp(last->name, "immediate") ||
	    !nft_attrs_of(last->data, NFT_ALLOW(NFTA_IMMEDIATE_DREG) | NFT_ALLOW(NFTA_IMMEDIATE_DATA), at) ||
	    !nft_said_verdict(k->world.said, at[NFTA_IMMEDIATE_DATA], &v) || v.code != NFT_GOTO)
		return NULL;
	return v.chain;
}

static int take_away(struct frame *f, const struct cell *gone)
{
	struct arena *a = f->k->world.arena;
	VEC(struct path) left = { 0 };

	for (size_t i = 0; i < f->left.len; i++) {
		nft_cells cells = { 0 };

		if (!nft_minus(a, &f->left.at[i].cell, gone, &cells))
			return refuse(f->k, "what does not come back from a chain");
		for (size_t c = 0; c < cells.len; c++)
			vec_push(a, &left, ((struct path){ cells.at[c], f->left.at[i].done, f->left.at[i].tcp_gone }));
	}
	if (left.len > PATHS_MOST)
		return err_set(f->k->world.why, E2BIG, "the chains have more branches than can be followed");
	f->left.at = left.at;
	f->left.len = left.len;
	f->left.room = left.room;
	return 0;
}

/* A packet that has been through a chain comes out as it did, so often as it is sent there. */
static int take_away_gone(struct frame *f, const struct nft_said_chain *but)
{
	size_t kept = 0;
	int rc = 0;

	for (size_t i = 0; i < f->gone.len && !rc; i++) {
		if (but && f->gone.at[i].to == but)
			f->gone.at[kept++] = f->gone.at[i];
		else
			rc = take_away(f, &f->gone.at[i].cell);
	}
	f->gone.len = kept;
	return rc;
}

static bool is_its_tcp(const struct cell *c, const struct cell *of)
{
	struct cell tcp = *of;

	tcp.proto_lo = tcp.proto_hi = PROTO_TCP;
	return cell_same(c, &tcp);
}

static bool is_of_its_fragments(const struct cell *c, const struct cell *of)
{
	struct cell some = *of;

	some.fragments = c->fragments;
	return c->fragments != of->fragments && cell_same(c, &some);
}

/* *over: nothing of the path is left behind the rule. */
static int walk_path(struct frame *f, const struct nft_said_rule *r, struct path *p, bool *over)
{
	struct nft_answer a;
	struct path behind;
	int rc = nft_ask_rule(&f->k->world, r, &p->cell, &a);

	*over = false;
	if (rc || !a.alts.len)
		return rc;
	rc = path_behind(f, p, &a, &behind);
	for (size_t i = 0; i < a.alts.len && !rc; i++) {
		bool decided, all = !a.asked && !a.limited;
		struct path one = { a.alts.at[i].cell, behind.done, p->tcp_gone };

		one.cell.unknown = behind.cell.unknown;
		one.done.counter = a.mapped ? a.alts.at[i].counter : behind.done.counter;
		if ((a.blocks || a.arms) && a.alts.at[i].verdict.code == NFT_ASK_FALLS_ON) {
			p->done = behind.done;
			return all ? 0 : refuse(f->k, "a source that is blocked, or a server armed, and the packet not decided");
		}
		rc = end_as(f, &one, &a.alts.at[i].verdict, &decided);
		*over = all && decided;
		p->tcp_gone |= decided && is_its_tcp(&one.cell, &p->cell);
		if (decided && is_of_its_fragments(&one.cell, &p->cell))
			p->cell.fragments &= (uint8_t)~one.cell.fragments;
	}
	return rc;
}

static int walk_rule(struct frame *f, const struct nft_said_rule *r)
{
	size_t kept = 0, count;
	int rc = f->gone.len ? take_away_gone(f, goes_to(f->k, r)) : 0;

	count = f->left.len;
	for (size_t i = 0; i < count && !rc; i++) {
		bool over;

		rc = walk_path(f, r, &f->left.at[i], &over);
		if (!over)
			f->left.at[kept++] = f->left.at[i];
	}
	f->left.len = kept;
	return rc;
}

static int walk_rules(struct frame *f)
{
	for (size_t i = 0; i < f->chain->rules.len && f->left.len; i++) {
		int rc = walk_rule(f, &f->chain->rules.at[i]);

		if (rc)
			return err_in(f->k->world.why, "chain %s, rule %zu", f->chain->name, i + 1);
	}
	return 0;
}

static int walk_chain(struct nft_walk *k, struct nft_said_chain *c, const struct path *from, bool *total)
{
	struct frame f = { .k = k, .chain = c };
	int rc;

	if (c->entered)
		return refuse(k, "a chain that comes back to itself");
	c->entered = true;
	vec_push(k->world.arena, &f.left, *from);
	rc = walk_rules(&f);
	c->entered = false;
	*total = !f.left.len && !f.returns;
	return rc;
}

int nft_walk(struct nft_walk *k, const char *chain, const struct cell *path)
{
	struct nft_said_chain *c = nft_said_chain(k->world.said, chain);
	struct path from = { .cell = *path };
	bool total;

	if (!c)
		return err_set(k->world.why, EPROTO, "there is no chain %s", chain);
	return walk_chain(k, c, &from, &total);
}
