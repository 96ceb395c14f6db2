/*
 * tables.c - the statements that declare tables, chains, sets and rules.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/import/nft/nft.h"

#define CHAINS_MAX 20000

struct reading {
	struct nft_ruleset *rs;
	struct nft_part rest;
	struct err *why;
	size_t chains, rules;
};

bool nft_is(const struct nft_token *t, const char *text)
{
	return (t->kind == NFT_WORD || t->kind == NFT_SIGN) && !strcmp(t->text, text);
}

const struct nft_token *nft_peek(const struct nft_part *p)
{
	static struct nft_token behind;

	if (p->at < p->end)
		return p->at;
	behind = p->end ? *p->end : (struct nft_token){ 0 };
	behind.kind = NFT_END;
	behind.text = "";
	return &behind;
}

bool nft_eat(struct nft_part *p, const char *text)
{
	bool is = nft_is(nft_peek(p), text);

	p->at += is;
	return is;
}

bool nft_skip(struct nft_part *p)
{
	unsigned open = 0;

	do {
		if (p->at == p->end || p->at->kind == NFT_END)
			return false;
		open += nft_is(p->at, "{");
		if (nft_is(p->at, "}") && !open--)
			return false;
		p->at++;
	} while (open);
	return true;
}

unsigned nft_families(const struct nft_table *t)
{
	switch (t->family) {
	case NFT_IP:
		return FAMILY_BIT(FAMILY_IP4);
	case NFT_IP6:
		return FAMILY_BIT(FAMILY_IP6);
	case NFT_INET:
		return FAMILIES_ALL;
	case NFT_ARP:
	case NFT_BRIDGE:
	case NFT_NETDEV:
		return 0;
	}
	return 0;
}

static int refuse(struct reading *r, const char *what)
{
	return nft_refuse(r->why, r->rest.at, what);
}

static void skip_lines(struct reading *r)
{
	while (r->rest.at->kind == NFT_LINE)
		r->rest.at++;
}

/* A statement ends with its line, or with the block around it. */
static int end_statement(struct reading *r)
{
	return r->rest.at->kind == NFT_LINE || r->rest.at->kind == NFT_END || nft_is(r->rest.at, "}") ? 0 : refuse(r, "the end of the line is due");
}

static struct nft_part take_line(struct reading *r)
{
	struct nft_part p = { r->rest.at, NULL };

	while (r->rest.at->kind != NFT_LINE && nft_skip(&r->rest))
		;
	p.end = r->rest.at;
	return p;
}

static int name_due(struct reading *r, const char **out)
{
	if (r->rest.at->kind != NFT_WORD && r->rest.at->kind != NFT_STRING)
		return refuse(r, "a name is due");
	*out = r->rest.at++->text;
	return 0;
}

/* --- what is declared --------------------------------------------------------------------------------- */

static struct nft_table *table_find(struct nft_ruleset *rs, enum nft_family family, const char *name)
{
	for (size_t i = 0; i < rs->tables.len; i++)
		if (rs->tables.at[i]->family == family && !strcmp(rs->tables.at[i]->name, name))
			return rs->tables.at[i];
	return NULL;
}

static struct nft_table *table_at(struct nft_ruleset *rs, enum nft_family family, const char *name)
{
	struct arena *a = rs->m->arena;
	struct nft_table *t = table_find(rs, family, name);

	if (t)
		return t;
	t = arena_zero(a, sizeof *t);
	t->name = name;
	t->family = family;
	strmap_init(&t->chains, a);
	strmap_init(&t->sets, a);
	strmap_init(&t->limits, a);
	vec_push(a, &rs->tables, t);
	return t;
}

static int chain_at(struct reading *r, struct nft_table *t, const char *name, struct nft_chain **out)
{
	struct arena *a = r->rs->m->arena;
	struct nft_chain *c = strmap_find(&t->chains, name);

	*out = c;
	if (c)
		return 0;
	if (r->chains++ == CHAINS_MAX)
		return refuse(r, "there are too many chains");
	c = arena_zero(a, sizeof *c);
	c->chain = arena_zero(a, sizeof *c->chain);
	c->chain->name = name;
	c->chain->accepts = true;
	c->chain->families = nft_families(t);
	c->chain->place = (struct import_place){ r->rest.at->path, r->rest.at->line };
	strmap_put(&t->chains, name, c);
	*out = c;
	return 0;
}

static struct nft_set *set_at(struct reading *r, struct nft_table *t, const char *name)
{
	struct nft_set *s = strmap_find(&t->sets, name);

	if (!s) {
		s = arena_zero(r->rs->m->arena, sizeof *s);
		s->name = name;
		strmap_put(&t->sets, name, s);
	}
	return s;
}

/* --- chains --------------------------------------------------------------------------------------------- */

static int read_hook(struct reading *r, struct nft_chain *c)
{
	static const struct { const char *name; enum nft_hook hook; } hooks[] = {
		{ "prerouting", NFT_PREROUTING }, { "input", NFT_INPUT }, { "forward", NFT_FORWARD }, { "output", NFT_OUTPUT },
		{ "postrouting", NFT_POSTROUTING }, { "ingress", NFT_INGRESS }, { "egress", NFT_EGRESS },
	};

	for (size_t i = 0; i < sizeof hooks / sizeof *hooks; i++)
		if (nft_eat(&r->rest, hooks[i].name)) {
			c->hook = hooks[i].hook;
			return 0;
		}
	return refuse(r, "a hook is due");
}

static bool number_read(const char *text, long *out)
{
	char *end;

	*out = strtol(text, &end, 0);
	return isdigit((unsigned char)*text) && !*end && *out <= INT_MAX;
}

/* "filter", "filter + 10", "-150" */
static int read_priority(struct reading *r, struct nft_chain *c)
{
	static const struct { const char *name; int at; } names[] = {
		{ "raw", -300 }, { "mangle", -150 }, { "dstnat", -100 }, { "filter", 0 }, { "security", 50 }, { "srcnat", 100 }, { "out", 100 },
	};
	long at = 0, more = 0;
	bool named = false;

	for (size_t i = 0; i < sizeof names / sizeof *names && !named; i++) {
		named = nft_eat(&r->rest, names[i].name);
		at = names[i].at;
	}
	bool minus = nft_eat(&r->rest, "-"), plus = !minus && nft_eat(&r->rest, "+");

	if (!named && !plus)
		at = 0;
	if (!named || minus || plus) {
		if (r->rest.at->kind != NFT_WORD || !number_read(r->rest.at->text, &more))
			return refuse(r, "a priority is due");
		r->rest.at++;
	}
	c->chain->priority = (int)(at + (minus ? -more : more));
	return 0;
}

/* type filter hook input [device "eth0" | devices = { .. }] priority filter */
static int read_base(struct reading *r, struct nft_chain *c)
{
	int rc = name_due(r, &c->type);

	if (!rc && !nft_eat(&r->rest, "hook"))
		rc = refuse(r, "hook is due");
	rc = rc ? rc : read_hook(r, c);
	if (rc)
		return rc;
	c->chain->base = true;
	if (nft_eat(&r->rest, "device") || nft_eat(&r->rest, "devices")) {
		nft_eat(&r->rest, "=");
		if (!nft_skip(&r->rest))
			return refuse(r, "a device is due");
	}
	if (!nft_eat(&r->rest, "priority"))
		return refuse(r, "priority is due");
	return read_priority(r, c);
}

static int read_policy(struct reading *r, struct nft_chain *c)
{
	c->drops = nft_eat(&r->rest, "drop");
	if (!c->drops && !nft_eat(&r->rest, "accept"))
		return refuse(r, "a policy is accept or drop");
	c->chain->accepts = !c->drops;
	return 0;
}

static int add_rule(struct reading *r, struct nft_chain *c, bool first)
{
	struct nft_part p = take_line(r);

	if (p.at == p.end)
		return refuse(r, "a rule is due");
	if (r->rules++ == IMPORT_RULES_MAX)
		return refuse(r, "there are too many rules");
	vec_push(r->rs->m->arena, &c->rules, p);
	for (size_t i = c->rules.len - 1; first && i > 0; i--) {
		c->rules.at[i] = c->rules.at[i - 1];
		c->rules.at[i - 1] = p;
	}
	return end_statement(r);
}

static int read_chain_line(struct reading *r, struct nft_chain *c)
{
	if (nft_eat(&r->rest, "type"))
		return read_base(r, c);
	if (nft_eat(&r->rest, "policy"))
		return read_policy(r, c);
	if (nft_is(r->rest.at, "comment") || nft_is(r->rest.at, "flags")) {
		take_line(r);
		return 0;
	}
	return add_rule(r, c, false);
}

/* { line; line }; the next token stands behind {. */
static int read_block(struct reading *r, void *of, int (*line)(struct reading *r, void *of))
{
	for (;;) {
		skip_lines(r);
		if (nft_eat(&r->rest, "}"))
			return 0;
		if (r->rest.at->kind == NFT_END)
			return refuse(r, "} is due");
		int rc = line(r, of);

		rc = rc ? rc : end_statement(r);
		if (rc)
			return rc;
	}
}

static int chain_line(struct reading *r, void *of)
{
	return read_chain_line(r, of);
}

static int read_chain(struct reading *r, struct nft_table *t)
{
	struct nft_chain *c;
	const char *name = NULL;
	int rc = name_due(r, &name);

	rc = rc ? rc : chain_at(r, t, name, &c);
	if (rc || !nft_eat(&r->rest, "{"))
		return rc;
	return read_block(r, c, chain_line);
}

/* --- sets ------------------------------------------------------------------------------------------------- */

static int read_elements(struct reading *r, struct nft_set *s)
{
	struct nft_part p = { r->rest.at, NULL };

	if (!nft_is(r->rest.at, "{"))
		return refuse(r, "{ is due");
	if (!nft_skip(&r->rest))
		return refuse(r, "} is due");
	p.at++;
	p.end = r->rest.at - 1;
	vec_push(r->rs->m->arena, &s->elements, p);
	return 0;
}

static int set_line(struct reading *r, void *of)
{
	struct nft_set *s = of;

	if (nft_eat(&r->rest, "type") || nft_eat(&r->rest, "typeof")) {
		s->type = take_line(r);
		return 0;
	}
	if (nft_eat(&r->rest, "elements"))
		return nft_eat(&r->rest, "=") ? read_elements(r, s) : refuse(r, "= is due");
	if (nft_eat(&r->rest, "flags")) {
		for (struct nft_part p = take_line(r); p.at < p.end; p.at++)
			s->changes |= nft_is(p.at, "dynamic") || nft_is(p.at, "timeout");
		return 0;
	}
	for (size_t i = 0; i < 8; i++) {
		static const char *const others[] = { "timeout", "gc-interval", "size", "policy", "auto-merge", "comment", "counter", "limit" };

		if (nft_is(r->rest.at, others[i])) {
			s->changes |= i == 0 || i == 7;
			take_line(r);
			return 0;
		}
	}
	return refuse(r, "this is not known of a set");
}

static int read_set(struct reading *r, struct nft_table *t)
{
	const char *name = NULL;
	int rc = name_due(r, &name);

	if (rc)
		return rc;
	struct nft_set *s = set_at(r, t, name);

	return nft_eat(&r->rest, "{") ? read_block(r, s, set_line) : refuse(r, "{ is due");
}

/* --- tables ------------------------------------------------------------------------------------------------- */

/* counter, quota, flowtable, ct helper, ...: nothing that decides, but limits are named by rules. */
static int read_object(struct reading *r, struct nft_table *t)
{
	bool limit = nft_is(r->rest.at, "limit");
	const char *name = r->rest.at[1].kind == NFT_WORD || r->rest.at[1].kind == NFT_STRING ? r->rest.at[1].text : NULL;
	struct nft_part *p;

	while (r->rest.at->kind == NFT_WORD || r->rest.at->kind == NFT_STRING)
		r->rest.at++;
	p = arena_zero(r->rs->m->arena, sizeof *p);
	p->at = r->rest.at + 1;
	if (nft_is(r->rest.at, "{") && !nft_skip(&r->rest))
		return refuse(r, "} is due");
	p->end = r->rest.at - 1;
	if (limit && name && p->end > p->at)
		strmap_put(&t->limits, name, p);
	return 0;
}

static bool is_object(const struct nft_token *t)
{
	static const char *const objects[] = { "counter", "quota", "limit", "flowtable", "ct", "secmark", "synproxy" };

	for (size_t i = 0; i < sizeof objects / sizeof *objects; i++)
		if (nft_is(t, objects[i]))
			return true;
	return false;
}

static int table_line(struct reading *r, void *of)
{
	struct nft_table *t = of;

	if (nft_eat(&r->rest, "chain"))
		return read_chain(r, t);
	if (nft_eat(&r->rest, "set") || nft_eat(&r->rest, "map"))
		return read_set(r, t);
	if (nft_eat(&r->rest, "flags")) {
		for (struct nft_part p = take_line(r); p.at < p.end; p.at++)
			t->dormant |= nft_is(p.at, "dormant");
		return 0;
	}
	if (nft_is(r->rest.at, "comment")) {
		take_line(r);
		return 0;
	}
	return is_object(r->rest.at) ? read_object(r, t) : refuse(r, "this is not known in a table");
}

static enum nft_family read_family(struct reading *r)
{
	static const char *const names[] = {
		[NFT_IP] = "ip", [NFT_IP6] = "ip6", [NFT_INET] = "inet", [NFT_ARP] = "arp", [NFT_BRIDGE] = "bridge", [NFT_NETDEV] = "netdev",
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (nft_eat(&r->rest, names[i]))
			return (enum nft_family)i;
	return NFT_IP;
}

static int read_table(struct reading *r)
{
	enum nft_family family = read_family(r);
	const char *name = NULL;
	int rc = name_due(r, &name);

	if (rc)
		return rc;
	struct nft_table *t = table_at(r->rs, family, name);

	return nft_eat(&r->rest, "{") ? read_block(r, t, table_line) : 0;
}

/* [FAMILY] TABLE, which must be there */
static int table_due(struct reading *r, struct nft_table **out)
{
	enum nft_family family = read_family(r);
	const struct nft_token *at = r->rest.at;
	const char *name = NULL;
	int rc = name_due(r, &name);

	*out = rc ? NULL : table_find(r->rs, family, name);
	return rc ? rc : *out ? 0 : nft_refuse(r->why, at, "there is no such table");
}

/* --- commands of scripts --------------------------------------------------------------------------------------- */

static int rule_command(struct reading *r, bool first)
{
	struct nft_table *t;
	struct nft_chain *c;
	int rc = table_due(r, &t);

	if (rc)
		return rc;
	c = r->rest.at->kind == NFT_WORD || r->rest.at->kind == NFT_STRING ? strmap_find(&t->chains, r->rest.at->text) : NULL;
	if (!c)
		return refuse(r, "there is no such chain");
	r->rest.at++;
	if (nft_is(r->rest.at, "position") || nft_is(r->rest.at, "handle") || nft_is(r->rest.at, "index"))
		return refuse(r, "a rule at a place of its own is not known here");
	return add_rule(r, c, first);
}

static int element_command(struct reading *r)
{
	struct nft_table *t;
	const char *name = NULL;
	int rc = table_due(r, &t);

	rc = rc ? rc : name_due(r, &name);
	return rc ? rc : read_elements(r, set_at(r, t, name));
}

static int add_command(struct reading *r, bool insert)
{
	struct nft_table *t;
	int rc;

	if (nft_eat(&r->rest, "table"))
		return read_table(r);
	if (nft_eat(&r->rest, "element"))
		return element_command(r);
	if (nft_eat(&r->rest, "rule"))
		return rule_command(r, insert);
	bool chain = nft_eat(&r->rest, "chain"), set = !chain && (nft_eat(&r->rest, "set") || nft_eat(&r->rest, "map"));

	if (!chain && !set)
		return refuse(r, "this is not known here");
	rc = table_due(r, &t);
	return rc ? rc : chain ? read_chain(r, t) : read_set(r, t);
}

static void empty_table(struct nft_table *t)
{
	for (size_t i = 0; i < t->chains.entries.len; i++)
		((struct nft_chain *)t->chains.entries.at[i].value)->rules.len = 0;
}

/* flush ruleset, flush table T, delete table T: as scripts begin. */
static int clear_command(struct reading *r, bool whole)
{
	enum nft_family family;
	const char *name = NULL;

	if (!whole && nft_eat(&r->rest, "ruleset")) {
		r->rs->tables.len = 0;
		return 0;
	}
	if (!nft_eat(&r->rest, "table"))
		return refuse(r, "this is not known here");
	family = read_family(r);
	int rc = name_due(r, &name);

	for (size_t i = 0; i < r->rs->tables.len && !rc; i++) {
		struct nft_table *t = r->rs->tables.at[i];

		if (t->family != family || strcmp(t->name, name))
			continue;
		if (!whole)
			empty_table(t);
		else
			r->rs->tables.at[i] = r->rs->tables.at[--r->rs->tables.len];
		break;
	}
	return rc;
}

static int read_command(struct reading *r)
{
	if (nft_eat(&r->rest, "table"))
		return read_table(r);
	if (nft_eat(&r->rest, "flush"))
		return clear_command(r, false);
	if (nft_eat(&r->rest, "delete") || nft_eat(&r->rest, "destroy"))
		return clear_command(r, true);
	if (nft_eat(&r->rest, "insert"))
		return add_command(r, true);
	if (!nft_eat(&r->rest, "add"))
		nft_eat(&r->rest, "create");
	return add_command(r, false);
}

int nft_read_tables(struct nft_ruleset *rs, const struct nft_tokens *tokens, struct err *why)
{
	struct reading r = { .rs = rs, .rest = { tokens->at, tokens->at + tokens->len - 1 }, .why = why };

	for (;;) {
		skip_lines(&r);
		if (r.rest.at->kind == NFT_END)
			return 0;
		int rc = read_command(&r);

		rc = rc ? rc : end_statement(&r);
		if (rc)
			return rc;
	}
}
