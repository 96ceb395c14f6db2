/*
 * log.c - rules that tell, in chains of their own, behind their counters:
 *
 *     @_tell.ID   a line as far as a rate lets it, and then the verdict               a drop that nobody asked to be told
 *
 *     @_told.ID   a line as far as a rate lets it; the counter, and the verdict       the same, from a map of a long list
 *
 *     @_tell.ID   one of so many jumps to the line, and then the verdict, for all     what emits
 *                      └──► @_line.ID   what is over the rate is counted as untold; the line for the rest
 *
 *     @_tell.ID   the counter; one of so many jumps to the line; back                 a reflex that only tells
 *
 * No verdict hangs on a lot or a rate.
 */
#include "compiler/emit/nft/layers.h"

#include <string.h>

#include "lang/bundle/nft_name.h"
#include "lang/bundle/nft_tell.h"

static bool is_few(const struct nft_maker *mk, const struct ir_rule *r)
{
	const size_t count = r->layer == LAYER_BLOCK ? mk->ir->blocks.count : mk->ir->reflexes.count;

	return count <= NFT_TELL_APART_MOST;
}

/* On arrival every drop tells; in a posture, what emits. */
static bool tells(const struct nft_maker *mk, const struct ir_rule *r)
{
	return r->effects.emits || (mk->table->kind == NFT_TABLE_NETDEV && r->verdict != VERDICT_ALLOW);
}

bool nft_tells_apart(const struct nft_maker *mk, const struct ir_rule *r)
{
	return r->effects.emits || (tells(mk, r) && is_few(mk, r));
}

bool nft_drop_is_told(const struct nft_maker *mk, const struct ir_rule *r)
{
	return !r->effects.emits && nft_tells_apart(mk, r);
}

/* --- lines ------------------------------------------------------------------------ */

static enum nft_told told_of(const struct ir_rule *r, bool known)
{
	switch (r->verdict) {
	case VERDICT_ALLOW:
		return NFT_TOLD_ALLOW;
	case VERDICT_DROP:
		return r->block_ns && known ? NFT_TOLD_BLOCK : NFT_TOLD_DROP;
	case VERDICT_REJECT:
		return NFT_TOLD_REJECT;
	case VERDICT_COUNT:
		break;
	}
	return NFT_TOLD_DROP;
}

static void put_line(struct nft_maker *mk, struct nft_rule *r, const struct nft_tell *t, bool bounded)
{
	char prefix[NFT_TELL_MOST + 1];

	nft_tell_print(prefix, t);
	nft_push(mk, r, (struct nft_expr){ .kind = NFT_EXPR_TELL, .tell = { arena_strdup(mk->arena, prefix), bounded } });
}

static const char *line_chain(struct nft_maker *mk, const char *name, const struct nft_tell *t)
{
	const struct nft_limit most = { .rate = NFT_TELL_RATE, .unit_s = 1, .burst = NFT_TELL_BURST };
	struct nft_chain *c = nft_chain_new(mk, nft_name(mk->arena, arena_printf(mk->arena, "line.%s", name)), NULL);
	struct nft_rule over = { 0 }, line = { 0 };

	nft_push(mk, &over, (struct nft_expr){ .kind = NFT_EXPR_LIMIT, .limit = most });
	nft_count_as(mk, &over, NFT_UNTOLD);
	nft_ends(mk, &over, NFT_FATE_RETURN);
	nft_put_rule(mk, c, over, NULL);
	put_line(mk, &line, t, false);
	nft_put_rule(mk, c, line, NULL);
	return c->name;
}

/* Jumps to the line, as often as the policy says. */
static void put_sample(struct nft_maker *mk, struct nft_chain *c, const struct ir_rule *r, const char *line)
{
	struct nft_rule some = { 0 };

	if (r->effects.one_in > 1)
		nft_push(mk, &some, (struct nft_expr){ .kind = NFT_EXPR_ONE_OF, .one_of = r->effects.one_in });
	nft_ends_in(mk, &some, NFT_FATE_JUMP, line);
	nft_put_rule(mk, c, some, NULL);
}

/* --- chains ------------------------------------------------------------------------ */

static void end_at_last(struct nft_maker *mk, struct nft_rule *r, const struct ir_rule *rule, bool known)
{
	switch (rule->verdict) {
	case VERDICT_ALLOW:
		nft_ends(mk, r, NFT_FATE_ACCEPT);
		return;
	case VERDICT_DROP:
		if (rule->block_ns && known)
			nft_ends_in(mk, r, NFT_FATE_GOTO, nft_block_chain(mk, rule->block_ns));
		else
			nft_ends(mk, r, NFT_FATE_DROP);
		return;
	case VERDICT_REJECT:
		nft_ends_in(mk, r, NFT_FATE_GOTO, "@_reject");
		return;
	case VERDICT_COUNT:
		return;
	}
}

/* By the rule's name; or, where there are many, by that of them all. */
static const char *teller_of(const struct nft_maker *mk, const struct ir_rule *r)
{
	if (nft_tells_apart(mk, r))
		return r->id;
	return r->layer == LAYER_BLOCK ? NFT_TELL_BLOCKS : NFT_TELL_REFLEXES;
}

static enum nft_teller kind_of(const struct ir_rule *r)
{
	if (!r->effects.emits)
		return NFT_TELLS_DROP;
	return r->layer == LAYER_POSTURE ? NFT_TELLS_RULE : NFT_TELLS_REFLEX;
}

/* What tells alike and ends alike is one. */
static const char *name_of(struct nft_maker *mk, const struct ir_rule *r, bool known)
{
	const char *how = known || !r->block_ns ? "" : "crowd.", *who = teller_of(mk, r);

	if (who == r->id || !r->block_ns)
		return arena_printf(mk->arena, "%s%s", how, who);
	return arena_printf(mk->arena, "%s%s.%llu", how, who, (unsigned long long)nft_ms_of(r->block_ns));
}

static void put_bounded(struct nft_maker *mk, struct nft_chain *c, const struct nft_tell *t)
{
	struct nft_rule line = { 0 };

	put_line(mk, &line, t, true);
	nft_put_rule(mk, c, line, NULL);
}

static const char *tell_chain(struct nft_maker *mk, const struct ir_rule *rule, bool known)
{
	const char *own_name = name_of(mk, rule, known), *who = teller_of(mk, rule);
	const char *name = nft_name(mk->arena, arena_printf(mk->arena, "tell.%s", own_name)), *full = nft_chain_named(mk, name);
	const bool emits = rule->effects.emits;
	const struct nft_tell t = { kind_of(rule), told_of(rule, known), emits ? rule->effects.severity : EVENT_LOW,
				    nft_name(mk->arena, who) };
	struct nft_rule ends = { 0 };

	if (full)
		return full;
	struct nft_chain *c = nft_chain_new(mk, name, arena_printf(mk->arena, "%s %s", who, emits ? "emits" : "is told of"));
	if (emits)
		put_sample(mk, c, rule, line_chain(mk, own_name, &t));
	else
		put_bounded(mk, c, &t);
	end_at_last(mk, &ends, rule, known);
	nft_put_rule(mk, c, ends, NULL);
	return c->name;
}

const char *nft_told_chain(struct nft_maker *mk, const struct ir_rule *r)
{
	const char *name = nft_name(mk->arena, arena_printf(mk->arena, "told.%s", r->id)), *full = nft_chain_named(mk, name);
	const struct nft_tell t = { NFT_TELLS_DROP, told_of(r, true), EVENT_LOW, nft_name(mk->arena, r->id) };
	struct nft_rule ends = { 0 };

	if (full)
		return full;
	struct nft_chain *c = nft_chain_new(mk, name, arena_printf(mk->arena, "%s is told of", r->id));
	put_bounded(mk, c, &t);
	nft_count_as(mk, &ends, r->id);
	end_at_last(mk, &ends, r, true);
	nft_put_rule(mk, c, ends, NULL);
	return c->name;
}

void nft_ends_told(struct nft_maker *mk, struct nft_rule *r, const struct ir_rule *rule, bool known)
{
	if (tells(mk, rule))
		nft_ends_in(mk, r, NFT_FATE_GOTO, tell_chain(mk, rule, known));
	else
		end_at_last(mk, r, rule, known);
}

void nft_put_line(struct nft_maker *mk, struct nft_chain *c, const struct ir_rule *rule)
{
	const struct nft_tell t = { NFT_TELLS_REFLEX, NFT_TOLD_DROP, rule->effects.severity, nft_name(mk->arena, rule->id) };

	put_sample(mk, c, rule, line_chain(mk, rule->id, &t));
}

void nft_drops_told(struct nft_maker *mk, struct nft_rule *r, const char *id)
{
	const char *name = nft_name(mk->arena, arena_printf(mk->arena, "tell.%s", id)), *full = nft_chain_named(mk, name);
	const struct nft_tell t = { NFT_TELLS_DROP, NFT_TOLD_DROP, EVENT_LOW, nft_name(mk->arena, id) };
	struct nft_rule ends = { 0 };

	nft_ends_in(mk, r, NFT_FATE_GOTO, arena_printf(mk->arena, "%c_%s", BATCH_BANK, name));
	if (full)
		return;
	struct nft_chain *c = nft_chain_new(mk, name, arena_printf(mk->arena, "%s is told of", id));
	put_bounded(mk, c, &t);
	nft_ends(mk, &ends, NFT_FATE_DROP);
	nft_put_rule(mk, c, ends, NULL);
}

const char *nft_watch_chain(struct nft_maker *mk, const struct ir_rule *watch)
{
	const char *name = nft_name(mk->arena, arena_printf(mk->arena, "tell.%s", watch->id)), *full = nft_chain_named(mk, name);
	const struct nft_tell t = { NFT_TELLS_REFLEX, NFT_TOLD_ALLOW, watch->effects.severity, nft_name(mk->arena, watch->id) };
	struct nft_rule counts = { 0 };

	if (full)
		return full;
	struct nft_chain *c = nft_chain_new(mk, name, arena_printf(mk->arena, "%s only tells", watch->id));
	nft_count_as(mk, &counts, watch->id);
	nft_put_rule(mk, c, counts, NULL);
	put_sample(mk, c, watch, line_chain(mk, watch->id, &t));
	return c->name;
}
