/*
 * rule.c - the statements of a rule. Matches narrow it, one after the other, as in the
 * kernel; a map of verdicts makes a rule for each of its elements.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/import/nft/match.h"
#include "compiler/ir/proto.h"

struct rule {
	struct nft_context *cx;
	struct nft_chain *chain;
	struct nft_part rest;
	struct import_rule to;	  /* as it is so far */
	struct region rated;	  /* what `sure` was before a limit */
	bool limited, over;	  /* it has a limit; what is over it is asked for */
	bool decided;		  /* by a map of verdicts: rules have been added */
	bool changes;		  /* marks, counts, helps: beside the verdicts */
	const struct nft_token *first;
};

static int refuse(struct rule *r, const char *what)
{
	return nft_refuse(r->cx->why, nft_peek(&r->rest), what);
}

static bool eat(struct rule *r, const char *word)
{
	return nft_eat(&r->rest, word);
}

static bool is_value(const struct nft_token *t)
{
	return t->kind == NFT_WORD || t->kind == NFT_STRING;
}

static void doubt(struct rule *r, const char *what)
{
	r->to.sure = r->rated = (struct region){ 0 };
	if (!r->to.unknown)
		r->to.unknown = what;
}

static void narrow(struct rule *r, const struct region *sure, const struct region *perhaps)
{
	struct arena *a = r->cx->rs->m->arena;

	r->to.sure = region_meet(a, &r->to.sure, sure);
	r->rated = region_meet(a, &r->rated, sure);
	r->to.perhaps = region_meet(a, &r->to.perhaps, perhaps);
}

/* --- verdicts --------------------------------------------------------------------------------------- */

/* jump NAME, goto NAME */
static int read_jump(struct rule *r, struct nft_part *p, enum import_target target, struct import_rule *to)
{
	const struct nft_token *t = nft_peek(p);
	struct nft_chain *c = is_value(t) ? strmap_find(&r->cx->table->chains, t->text) : NULL;

	if (!c)
		return nft_refuse(r->cx->why, t, "there is no such chain");
	p->at++;
	to->target = target;
	to->to = c->chain;
	return 0;
}

/* *found: it is a verdict. */
static int read_verdict(struct rule *r, struct nft_part *p, struct import_rule *to, bool *found)
{
	static const struct { const char *name; enum import_target target; } rows[] = {
		{ "accept", TARGET_ACCEPT }, { "drop", TARGET_DROP }, { "return", TARGET_RETURN }, { "continue", TARGET_NOTHING },
		{ "queue", TARGET_UNKNOWN },
	};

	*found = true;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (nft_eat(p, rows[i].name)) {
			to->target = rows[i].target;
			return 0;
		}
	if (nft_eat(p, "jump"))
		return read_jump(r, p, TARGET_JUMP, to);
	if (nft_eat(p, "goto"))
		return read_jump(r, p, TARGET_GOTO, to);
	*found = false;
	return 0;
}

/* reject; with tcp reset; with icmp port-unreachable: nft asks for the protocol or family by itself. */
static int read_reject(struct rule *r)
{
	struct arena *a = r->cx->rs->m->arena;
	struct region by;

	r->to.target = TARGET_REJECT;
	if (!eat(r, "with"))
		return 0;
	bool tcp = eat(r, "tcp"), icmp = !tcp && eat(r, "icmp"), icmpv6 = !tcp && !icmp && eat(r, "icmpv6");

	if (!tcp && !icmp && !icmpv6 && !eat(r, "icmpx"))
		return refuse(r, "how it is rejected is due");
	eat(r, "type");
	if (!is_value(nft_peek(&r->rest)))
		return refuse(r, "how it is rejected is due");
	r->rest.at++;
	by = nft_domain(a, icmp ? FAMILY_BIT(FAMILY_IP4) : icmpv6 ? FAMILY_BIT(FAMILY_IP6) : FAMILIES_ALL, tcp ? PROTO_TCP : NFT_ANY_PROTO);
	narrow(r, &by, &by);
	return 0;
}

/* --- limits ------------------------------------------------------------------------------------------ */

static bool number_read(const char *text, unsigned long most, unsigned long *out)
{
	char *end;

	*out = strtoul(text, &end, 10);
	return isdigit((unsigned char)*text) && !*end && *out && *out <= most;
}

/* What "second" is in a policy; NULL of a week, which has no word there. False when no unit stands here. */
static bool read_rate_unit(struct nft_part *p, const char **said)
{
	static const struct { const char *unit, *said; } units[] = {
		{ "second", "s" }, { "minute", "min" }, { "hour", "h" }, { "day", "d" }, { "week", NULL },
	};

	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (nft_eat(p, units[i].unit)) {
			*said = units[i].said;
			return true;
		}
	return false;
}

/* "burst 5 packets"; `known` stays true where a policy can say so. */
static int read_burst(struct rule *r, struct nft_part *p, unsigned long *burst, bool *known)
{
	*known &= is_value(nft_peek(p)) && number_read(nft_peek(p)->text, 1000000, burst);
	if (!nft_skip(p) || !is_value(nft_peek(p)))
		return nft_refuse(r->cx->why, nft_peek(p), "a burst is due");
	*known &= nft_is(nft_peek(p), "packets");
	p->at++;
	return 0;
}

/* rate [over] 10/second [burst 5 packets]; what cannot be said here is not known. */
static int read_rate(struct rule *r, struct nft_part *p)
{
	struct arena *a = r->cx->rs->m->arena;
	const struct nft_token *t;
	unsigned long rate = 0, burst = 5;
	const char *said = NULL;
	bool known = true, timed = false;

	if (!nft_eat(p, "rate"))
		return nft_refuse(r->cx->why, nft_peek(p), "rate is due");
	known = !(r->over = nft_eat(p, "over"));
	t = nft_peek(p);
	if (!is_value(t))
		return nft_refuse(r->cx->why, t, "a rate is due");
	known &= number_read(t->text, 10000, &rate);
	p->at++;
	if (is_value(nft_peek(p))) { /* "kbytes/second" is one word */
		known = false;
		timed = strchr(nft_peek(p)->text, '/');
		p->at++;
	}
	if (!timed && !nft_eat(p, "/"))
		return nft_refuse(r->cx->why, nft_peek(p), "/ and a time are due");
	if (!timed && !read_rate_unit(p, &said))
		return nft_refuse(r->cx->why, nft_peek(p), "a time is due");
	known &= said != NULL;
	int rc = nft_eat(p, "burst") ? read_burst(r, p, &burst, &known) : 0;
	r->to.rate = !rc && known ? arena_printf(a, "%lu/%s burst %lu", rate, said, burst) : NULL;
	return rc;
}

/* tcp dport map { 80 : "web" }: an object by what a packet has */
static int skip_object(struct rule *r)
{
	struct nft_lhs l;
	int rc = nft_read_lhs(r->cx, &r->rest, &l);

	if (rc)
		return rc;
	if (!eat(r, "map"))
		return refuse(r, "a map is due");
	eat(r, "@");
	return nft_skip(&r->rest) ? 0 : refuse(r, "a map is due");
}

static int read_limit(struct rule *r)
{
	struct nft_part *p = &r->rest, named;
	const bool twice = r->limited; /* both must hold: neither alone is what the rule says */
	int rc;

	if (nft_eat(p, "name")) {
		if (nft_begins_selector(p)) {
			doubt(r, "a limit from a map");
			return skip_object(r);
		}
		const struct nft_part *limit = is_value(nft_peek(p)) ? strmap_find(&r->cx->table->limits, nft_peek(p)->text) : NULL;

		if (!limit)
			return refuse(r, "there is no such limit");
		p->at++;
		named = *limit;
		while (named.at < named.end && !nft_is(named.at, "rate"))
			named.at++;
		p = &named;
	}
	rc = read_rate(r, p);
	if (rc)
		return rc;
	r->limited = true;
	if (twice)
		r->to.rate = NULL;
	r->to.sure = (struct region){ 0 };
	if (!r->to.unknown)
		r->to.unknown = IMPORT_OVER;
	return 0;
}

/* --- what decides nothing -------------------------------------------------------------------------------- */

static int read_log(struct rule *r)
{
	static const char *const words[] = { "level", "group", "snaplen", "queue-threshold" };

	r->to.log = "";
	for (;;) {
		bool more = false;

		if (eat(r, "prefix")) {
			if (!is_value(nft_peek(&r->rest)))
				return refuse(r, "a prefix is due");
			r->to.log = r->rest.at++->text;
			more = true;
		}
		for (size_t i = 0; i < sizeof words / sizeof *words; i++)
			if (eat(r, words[i])) {
				if (!nft_skip(&r->rest))
					return refuse(r, "a value is due");
				more = true;
			}
		if (eat(r, "flags")) {
			more = true;
			do {
				bool tcp = eat(r, "tcp") || eat(r, "ip");

				if (!nft_skip(&r->rest))
					return refuse(r, "a flag is due");
				while (tcp && eat(r, ","))
					nft_skip(&r->rest);
			} while (eat(r, ","));
		}
		if (!more)
			return 0;
	}
}

/* A value that is put somewhere: "1", "ct mark or 0x10", "numgen inc mod 2 map { 0 : 1, 1 : 2 }", "rt mtu" */
static int skip_given(struct rule *r)
{
	static const char *const joints[] = { "and", "or", "xor", "&", "|", "^", "<<", ">>", ",", ":", "-", "." };
	bool more = true;

	r->changes = true;
	while (more) {
		struct nft_lhs l;
		int rc = 0;

		if (nft_begins_selector(&r->rest))
			rc = nft_read_lhs(r->cx, &r->rest, &l);
		else if (eat(r, "("))
			while (!eat(r, ")") && !rc)
				rc = nft_skip(&r->rest) ? 0 : refuse(r, ") is due");
		else
			rc = is_value(nft_peek(&r->rest)) && nft_skip(&r->rest) ? 0 : refuse(r, "a value is due");
		if (!rc && eat(r, "map") && ((eat(r, "@") && !is_value(nft_peek(&r->rest))) || !nft_skip(&r->rest)))
			rc = refuse(r, "a map is due");
		if (rc)
			return rc;
		more = false;
		for (size_t i = 0; i < sizeof joints / sizeof *joints && !more; i++)
			more = eat(r, joints[i]);
	}
	return 0;
}

/* What does more than is known here, whatever stands behind it. */
static void give_up(struct rule *r)
{
	r->to.target = TARGET_UNKNOWN;
	r->rest.at = r->rest.end;
}

/* add @set { ip saddr timeout 5m limit rate 3/minute }: goes on while there is room, and within the limit */
static int read_update(struct rule *r)
{
	if (!nft_is(nft_peek(&r->rest), "@") || !nft_skip(&r->rest) || !is_value(nft_peek(&r->rest)))
		return refuse(r, "a set is due");
	struct nft_set *s = strmap_find(&r->cx->table->sets, r->rest.at->text);

	if (!s)
		return refuse(r, "there is no such set");
	r->rest.at++;
	if (!nft_is(nft_peek(&r->rest), "{") || !nft_skip(&r->rest))
		return refuse(r, "an element is due");
	s->changes = true;
	doubt(r, arena_printf(r->cx->rs->m->arena, "whether the set %s takes this", s->name));
	r->changes = true;
	return 0;
}

/* quota over 25 mbytes used 3 bytes; quota name "x" */
static int read_quota(struct rule *r)
{
	doubt(r, "a quota");
	if (eat(r, "name"))
		return nft_begins_selector(&r->rest) ? skip_object(r) : nft_skip(&r->rest) ? 0 : refuse(r, "a quota is due");
	if (!eat(r, "over"))
		eat(r, "until");
	do
		if (!nft_skip(&r->rest) || !nft_skip(&r->rest))
			return refuse(r, "an amount is due");
	while (eat(r, "used"));
	return 0;
}

static int read_counter(struct rule *r)
{
	if (eat(r, "name"))
		return nft_begins_selector(&r->rest) ? skip_object(r) : nft_skip(&r->rest) ? 0 : refuse(r, "a counter is due");
	while (eat(r, "packets") || eat(r, "bytes"))
		if (!nft_skip(&r->rest))
			return refuse(r, "a number is due");
	if (nft_peek(&r->rest)->kind == NFT_STRING)
		r->rest.at++;
	return 0;
}

/* Addresses and ports that a rule changes are those that later rules see. */
static bool read_translation(struct rule *r)
{
	static const struct { const char *name; bool to; } rows[] = {
		{ "dnat", true }, { "redirect", true }, { "tproxy", true }, { "snat", false }, { "masquerade", false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (eat(r, rows[i].name)) {
			*(rows[i].to ? &r->cx->rs->translates_to : &r->cx->rs->translates_from) = true;
			give_up(r);
			if (*rows[i].name != 't') {
				r->changes = true;
				r->to.target = TARGET_ACCEPT;
			}
			return true;
		}
	return false;
}

/* --- rules ------------------------------------------------------------------------------------------------- */

static void add(struct rule *r, struct import_rule to)
{
	struct arena *a = r->cx->rs->m->arena;
	struct import *m = r->cx->rs->m;

	to.rated = r->rated;
	if (to.log && r->limited && to.target == TARGET_NOTHING) {
		import_note(m, to.place, NOTE_BESIDE, "%s: a log with a limit is not carried", to.text);
		to.log = NULL;
	}
	if (r->limited && !import_unlimit(m, &to, r->over))
		return;
	region_tidy(a, &to.sure);
	region_tidy(a, &to.perhaps);
	region_tidy(a, &to.rated);
	vec_push(a, &r->chain->chain->rules, to);
	m->rule_count++;
}

static int read_case(struct rule *r, const struct nft_case *c)
{
	struct arena *a = r->cx->rs->m->arena;
	struct import_rule to = r->to;
	struct nft_part verdict = c->verdict;
	struct region rated = r->rated;
	bool found = true;
	int rc = 0;

	to.target = TARGET_UNKNOWN;
	if (verdict.at)
		rc = read_verdict(r, &verdict, &to, &found);
	while (!rc && nft_peek(&verdict)->kind == NFT_LINE)
		verdict.at++;
	if (!rc && (!found || verdict.at < verdict.end))
		return nft_refuse(r->cx->why, nft_peek(&verdict), "a verdict is due");
	if (rc)
		return rc;
	to.place.line = c->place->line;
	to.sure = region_meet(a, &to.sure, &c->match.sure);
	to.perhaps = region_meet(a, &to.perhaps, &c->match.perhaps);
	r->rated = region_meet(a, &r->rated, &c->match.sure);
	to.unknown = to.unknown ? to.unknown : c->match.unknown;
	add(r, to);
	r->rated = rated;
	r->decided = true;
	return 0;
}

/* A port of a protocol that is not known to have any. */
static void doubt_odd(struct rule *r, const struct nft_lhs *l)
{
	if (!r->to.unknown && region_meet(r->cx->rs->m->arena, &r->to.perhaps, &l->odd).len)
		r->to.unknown = arena_printf(r->cx->rs->m->arena, "%s of other protocols", l->at[0].words);
}

/* An expression, and what is done with it: compared, looked up in a map, or set. */
static int read_expression(struct rule *r)
{
	struct nft_lhs l;
	struct nft_match match;
	struct nft_cases cases;
	const struct nft_token *first = nft_peek(&r->rest);
	int rc;

	if (nft_is(first, "ct") && r->rest.end - r->rest.at > 2 && nft_is(first + 2, "set")) {
		r->rest.at += 3;
		return skip_given(r);
	}
	rc = nft_read_lhs(r->cx, &r->rest, &l);
	if (rc)
		return rc;
	if (eat(r, "set"))
		return skip_given(r);
	if (!eat(r, "vmap")) {
		rc = nft_read_rhs(r->cx, &r->rest, &l, &match);
		if (rc)
			return rc;
		narrow(r, &match.sure, &match.perhaps);
		if (match.unknown && !r->to.unknown)
			r->to.unknown = match.unknown;
		doubt_odd(r, &l);
		return 0;
	}
	doubt_odd(r, &l);
	rc = nft_read_vmap(r->cx, &r->rest, &l, &cases);
	for (size_t i = 0; i < cases.len && !rc; i++)
		rc = read_case(r, &cases.at[i]);
	return rc;
}

static int read_comment(struct rule *r)
{
	if (!is_value(nft_peek(&r->rest)))
		return refuse(r, "a comment is due");
	r->to.comment = r->rest.at++->text;
	return 0;
}

static int read_notrack(struct rule *r)
{
	r->changes = r->cx->rs->m->untracks = true;
	return 0;
}

/* flow add @f, flow offload @f */
static int read_flow(struct rule *r)
{
	r->changes = true;
	return nft_skip(&r->rest) && eat(r, "@") && nft_skip(&r->rest) ? 0 : refuse(r, "a flowtable is due");
}

static int read_dup(struct rule *r)
{
	int rc = eat(r, "to") ? skip_given(r) : refuse(r, "to is due");

	return rc ? rc : eat(r, "device") ? skip_given(r) : 0;
}

static int read_last(struct rule *r)
{
	return !eat(r, "used") || nft_skip(&r->rest) ? 0 : refuse(r, "a time is due");
}

static int read_given_up(struct rule *r)
{
	give_up(r);
	return 0;
}

/* What iptables-nft has put there. */
static int read_extension(struct rule *r)
{
	bool target = eat(r, "target");

	if ((!target && !eat(r, "match")) || !nft_skip(&r->rest))
		return refuse(r, "match or target is due");
	doubt(r, "an extension of iptables");
	r->to.target = target ? TARGET_UNKNOWN : r->to.target;
	return 0;
}

static int read_statement(struct rule *r)
{
	static const struct { const char *word; int (*read)(struct rule *r); } rows[] = {
		{ "reject", read_reject }, { "counter", read_counter }, { "log", read_log }, { "limit", read_limit }, { "add", read_update },
		{ "update", read_update }, { "delete", read_update }, { "comment", read_comment }, { "notrack", read_notrack }, { "flow", read_flow },
		{ "dup", read_dup }, { "last", read_last }, { "quota", read_quota }, { "synproxy", read_given_up }, { "fwd", read_given_up },
		{ "xt", read_extension },
	};
	bool found = false;
	int rc = read_verdict(r, &r->rest, &r->to, &found);

	if (rc || found) {
		if (r->to.target == TARGET_UNKNOWN) /* queue num 1-3 bypass */
			give_up(r);
		return rc;
	}
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (eat(r, rows[i].word))
			return rows[i].read(r);
	if (read_translation(r))
		return 0;
	if (nft_begins_selector(&r->rest))
		return read_expression(r);
	return refuse(r, "this is not known here");
}

/* As it stands, blanks and ends of lines as one blank. */
static const char *text_of(struct arena *a, struct nft_part p)
{
	own(buf) struct buf b = { 0 };
	const char *from = p.at->from, *to = p.at->to;

	for (const struct nft_token *t = p.at; t < p.end && t->path == p.at->path && t->from >= from; t++)
		to = t->to > to ? t->to : to;
	for (bool blank = false; from < to; from++) {
		if (isspace((unsigned char)*from)) {
			blank = true;
			continue;
		}
		buf_printf(&b, "%s%c", blank ? " " : "", *from);
		blank = false;
	}
	return arena_strdup(a, buf_text(&b));
}

int nft_read_rule(struct nft_ruleset *rs, const struct nft_table *t, struct nft_chain *c, struct nft_part rule, struct err *why)
{
	struct nft_context cx = { rs, t, c->hook, c->chain->base ? c->chain->priority : 0, why };
	struct arena *a = rs->m->arena;
	struct rule r = { .cx = &cx, .chain = c, .rest = rule };

	r.to = (struct import_rule){ .place = { rule.at->path, rule.at->line }, .text = text_of(a, rule), .target = TARGET_NOTHING };
	r.to.sure = r.to.perhaps = r.rated = nft_domain(a, nft_families(t) ? nft_families(t) : FAMILIES_ALL, NFT_ANY_PROTO);
	for (struct nft_part p = rule; p.at < p.end; p.at++) /* a comment stands last, and names what a map makes */
		if (nft_is(p.at, "comment") && p.end - p.at > 1 && p.at[1].kind == NFT_STRING)
			r.to.comment = p.at[1].text;
	while (r.rest.at < r.rest.end) {
		bool ended = (r.to.target != TARGET_NOTHING && r.to.target != TARGET_UNKNOWN) || r.decided;
		int rc;

		if (ended && !nft_is(r.rest.at, "comment"))
			return refuse(&r, "nothing stands behind a verdict");
		rc = read_statement(&r);
		if (rc)
			return rc;
	}
	if (r.changes && !rs->names)
		import_note(rs->m, r.to.place, NOTE_BESIDE, "%s: what this changes is not carried", r.to.text);
	if (!r.decided)
		add(&r, r.to);
	return 0;
}
