/*
 * nft.c - a whole ruleset of nftables: which chains judge the packets of a direction.
 *
 * A chain of the hook prerouting judges what comes in and what is forwarded, one of
 * postrouting what is forwarded and what goes out; chains of the same packets do so in
 * the order of their priorities, and all must accept. Where no chain judges, all passes.
 */
#include <errno.h>
#include <string.h>

#include "compiler/import/nft/match.h"
#include "lang/vocab/verdict.h"

#define V(d) (1u << (d))

static unsigned directions(enum nft_hook h)
{
	switch (h) {
	case NFT_PREROUTING:
		return V(DIRECTION_IN) | V(DIRECTION_FORWARD);
	case NFT_INPUT:
		return V(DIRECTION_IN);
	case NFT_FORWARD:
		return V(DIRECTION_FORWARD);
	case NFT_OUTPUT:
		return V(DIRECTION_OUT);
	case NFT_POSTROUTING:
		return V(DIRECTION_FORWARD) | V(DIRECTION_OUT);
	case NFT_NO_HOOK:
	case NFT_INGRESS:
	case NFT_EGRESS:
		break;
	}
	return 0;
}

typedef int chain_act(struct nft_ruleset *rs, const struct nft_table *t, struct nft_chain *c, struct err *why);

static int each_chain(struct nft_ruleset *rs, chain_act *act, struct err *why)
{
	for (size_t i = 0; i < rs->tables.len; i++) {
		const struct nft_table *t = rs->tables.at[i];

		for (size_t k = 0; k < t->chains.entries.len; k++) {
			int rc = act(rs, t, t->chains.entries.at[k].value, why);

			if (rc)
				return rc;
		}
	}
	return 0;
}

static int read_rules(struct nft_ruleset *rs, const struct nft_table *t, struct nft_chain *c, struct err *why)
{
	for (size_t i = 0; i < c->rules.len; i++) {
		int rc = nft_read_rule(rs, t, c, c->rules.at[i], why);

		if (rc)
			return rc;
	}
	return 0;
}

/* --- which chains matter ------------------------------------------------------------------------------- */

/* Does it, or what it leads to, have such a rule? `entered` keeps it from going round. */
static bool has_rule(struct import_chain *c, bool (*is)(const struct import_rule *r))
{
	bool found = false;

	if (c->entered)
		return false;
	c->entered = true;
	for (size_t i = 0; i < c->rules.len && !found; i++)
		found = is(&c->rules.at[i]) || (c->rules.at[i].to && has_rule(c->rules.at[i].to, is));
	return found;
}

static int forget(struct nft_ruleset *rs, const struct nft_table *t, struct nft_chain *c, struct err *why)
{
	(void)rs, (void)t, (void)why;
	c->chain->entered = false;
	return 0;
}

static bool drops(const struct import_rule *r)
{
	return r->target == TARGET_DROP || r->target == TARGET_REJECT || r->target == TARGET_UNKNOWN;
}

static bool logs(const struct import_rule *r)
{
	return r->log;
}

static bool reaches(struct nft_ruleset *rs, struct nft_chain *c, bool (*is)(const struct import_rule *r))
{
	bool found = has_rule(c->chain, is);

	each_chain(rs, forget, NULL);
	return found;
}

/* Its rules see addresses that others have not yet, or have already, changed. */
static bool sees_other_addresses(const struct nft_ruleset *rs, const struct nft_chain *c)
{
	return (c->hook == NFT_PREROUTING && rs->translates_to && c->chain->priority < 0) ||
	       (c->hook == NFT_POSTROUTING && rs->translates_from && c->chain->priority >= 100);
}

static int place_chain(struct nft_ruleset *rs, const struct nft_table *t, struct nft_chain *c, struct err *why)
{
	struct import *m = rs->m;
	bool nat, can_drop;

	(void)why;
	if (!c->chain->base)
		return 0;
	if (t->dormant) {
		import_note(m, c->chain->place, NOTE_BESIDE, "chain %s: its table is dormant", c->chain->name);
		return 0;
	}
	nat = !strcmp(c->type, "nat");
	can_drop = c->drops || reaches(rs, c, drops);
	if (nat || !directions(c->hook) || !nft_families(t)) {
		import_note(m, c->chain->place, can_drop ? NOTE_ADMITS : NOTE_BESIDE, "chain %s: %s", c->chain->name,
			    can_drop ? "it drops, which is not carried" : "it is not carried");
		return 0;
	}
	if (can_drop && sees_other_addresses(rs, c)) {
		import_note(m, c->chain->place, NOTE_ADMITS, "chain %s: it drops by addresses that others change, which is not carried", c->chain->name);
		return 0;
	}
	m->families |= nft_families(t);
	for (enum direction d = 0; d < DIRECTION_COUNT; d++)
		if (directions(c->hook) & V(d))
			vec_push(m->arena, &m->base[d], c->chain);
	return 0;
}

static struct nft_chain *owner(struct nft_ruleset *rs, const struct import_chain *c)
{
	for (size_t i = 0; i < rs->tables.len; i++) {
		struct nft_chain *found = strmap_find(&rs->tables.at[i]->chains, c->name);

		if (found && found->chain == c)
			return found;
	}
	return NULL;
}

/* A chain that neither drops nor logs decides nothing, but the last of its direction is where names are found. */
static void leave_idle(struct nft_ruleset *rs, enum direction d)
{
	struct import *m = rs->m;
	size_t kept = 0, count = m->base[d].len;

	for (size_t i = 0; i < count; i++) {
		struct nft_chain *c = owner(rs, m->base[d].at[i]);
		bool idle = c && !c->drops && !reaches(rs, c, drops) && !reaches(rs, c, logs);

		if (!idle)
			m->base[d].at[kept++] = m->base[d].at[i];
		else if (c->hook == NFT_PREROUTING || c->hook == NFT_POSTROUTING || !c->chain->rules.len)
			continue;
		else if (!kept && i + 1 == count)
			m->base[d].at[kept++] = m->base[d].at[i];
	}
	m->base[d].len = kept;
}

/* Where nothing judges, all passes. */
static void fill(struct import *m, enum direction d, const char *path)
{
	unsigned covered = 0;

	for (size_t i = 0; i < m->base[d].len; i++)
		covered |= m->base[d].at[i]->families;
	if (covered == m->families)
		return;
	struct import_chain *c = arena_zero(m->arena, sizeof *c);

	c->name = direction_name(d);
	c->place.path = path;
	c->base = c->accepts = true;
	c->families = m->families & ~covered;
	vec_push(m->arena, &m->base[d], c);
}

static int forget_rules(struct nft_ruleset *rs, const struct nft_table *t, struct nft_chain *c, struct err *why)
{
	(void)rs, (void)t, (void)why;
	memset(&c->chain->rules, 0, sizeof c->chain->rules);
	return 0;
}

/* Reads all rules once, into an import of its own, for the interfaces that they name. */
static int gather_interfaces(struct nft_ruleset *rs, struct err *why)
{
	own(import) struct import *aside = import_new();
	struct import *m = rs->m;
	struct words names = { 0 }, kept = { 0 };
	int rc;

	rs->m = aside;
	rs->names = &names;
	rc = each_chain(rs, read_rules, why);
	rs->m = m;
	rs->names = NULL;
	each_chain(rs, forget_rules, NULL);
	for (size_t i = 0; i < names.len; i++)
		vec_push(aside->arena, &kept, arena_strdup(m->arena, names.at[i]));
	m->untracks |= aside->untracks;
	import_interfaces(m, &kept);
	return rc;
}

int import_nft(struct import *m, const struct import_text *text, struct err *why)
{
	struct nft_ruleset rs = { .m = m };
	struct nft_tokens tokens = { 0 };
	int rc = nft_lex(m, text, &tokens, why);

	rc = rc ? rc : nft_read_tables(&rs, &tokens, why);
	rc = rc ? rc : gather_interfaces(&rs, why);
	rc = rc ? rc : each_chain(&rs, read_rules, why);
	rc = rc ? rc : each_chain(&rs, place_chain, why);
	if (rc)
		return rc;
	if (!m->families && !import_notes(m, NOTE_ADMITS))
		return err_set(why, EINVAL, "no chain of type filter judges what comes in, is forwarded or goes out");
	for (enum direction d = 0; d < DIRECTION_COUNT; d++) {
		leave_idle(&rs, d);
		fill(m, d, text->path);
	}
	return 0;
}
