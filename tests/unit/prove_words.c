/*
 * What a person reads: changes of a small policy, word for word. The policies
 * are put together here, so that no parser stands between.
 */
#include <string.h>

#include "compiler/front/policy.h"
#include "compiler/prove/diff/diff.h"
#include "tests/lib/tap.h"

/* --- a policy, piece by piece ---------------------------------------------------------- */

static struct pol_end any_end(void)
{
	return (struct pol_end){ .any = true };
}

static struct pol_end self_end(void)
{
	return (struct pol_end){ .self = true };
}

static struct netset net_of(struct arena *a, const char *prefix)
{
	struct prefix p;

	if (prefix_parse(prefix, &p) != PREFIX_OK)
		return (struct netset){ 0 };
	return netset_of_range(a, p.addr.family, prefix_range(p));
}

static struct pol_end net_end(struct arena *a, const char *prefix)
{
	return (struct pol_end){ .set = net_of(a, prefix) };
}

static struct pol_selector tcp(struct arena *a, struct pol_end from, struct pol_end to, uint16_t lo,
			       uint16_t hi)
{
	struct pol_proto p = { .number = 6, .dport = ranges_of(a, lo, hi),
			       .icmp = ranges_of(a, 0, UINT16_MAX) };

	return (struct pol_selector){
		.protos = arena_copy(a, &p, sizeof p),
		.proto_count = 1,
		.from = from,
		.to = to,
		.sport = ranges_of(a, 0, UINT16_MAX),
		.zones = ZONES_ANY,
		.families = FAMILIES_ANY,
	};
}

static struct pol_rule rule(struct arena *a, const char *label, enum verdict v,
			    struct pol_selector match)
{
	return (struct pol_rule){ .id = arena_printf(a, "BALANCED.%s", label), .label = label,
				  .labelled = true, .span = { UINT32_MAX, 0, 0 },
				  .direction = DIRECTION_IN, .verdict = v, .match = match };
}

#define RULES_MOST 8

/* office may always log in; two rules, drop by default. */
static struct policy *base(struct arena *a)
{
	static const char *const wan[] = { "eth0" };
	struct policy *p = arena_zero(a, sizeof *p);
	struct pol_posture *q = arena_zero(a, sizeof *q);
	struct pol_rule life;

	p->arena = a;
	p->name = "edge";
	p->zones = arena_zero(a, sizeof *p->zones);
	p->zones[0] = (struct pol_zone){ .name = "wan", .patterns = (const char **)wan,
					 .pattern_count = 1 };
	p->zone_count = 1;
	p->nets = arena_zero(a, sizeof *p->nets);
	p->nets[0] = (struct pol_net){ .name = "office", .set = net_of(a, "203.0.113.0/24") };
	p->net_count = 1;
	life = rule(a, "owner", VERDICT_ALLOW, tcp(a, net_end(a, "203.0.113.0/24"), self_end(), 22, 22));
	life.id = "lifeline.owner";
	p->lifelines = arena_copy(a, &life, sizeof life);
	p->lifeline_count = 1;
	q->name = "BALANCED";
	q->established = ESTABLISHED_KEEP;
	for (int d = 0; d < DIRECTION_COUNT; d++)
		q->defaults[d] = VERDICT_DROP;
	q->rules = arena_zero(a, RULES_MOST * sizeof *q->rules);
	q->rules[q->rule_count++] = rule(a, "web", VERDICT_ALLOW, tcp(a, any_end(), self_end(), 443, 443));
	q->rules[q->rule_count++] = rule(a, "dns", VERDICT_ALLOW,
					 tcp(a, net_end(a, "203.0.113.0/24"), self_end(), 53, 53));
	p->postures = q;
	p->posture_count = 1;
	return p;
}

/* --- edits of it, and what is said of them ------------------------------------------------- */

static void add_ssh(struct policy *p)
{
	struct pol_posture *q = p->postures;

	q->rules[q->rule_count++] = rule(p->arena, "ssh_any", VERDICT_ALLOW,
					 tcp(p->arena, any_end(), self_end(), 22, 22));
}

static void remove_web(struct policy *p)
{
	struct pol_posture *q = p->postures;

	q->rules[0] = q->rules[1];
	q->rule_count--;
}

static void swap(struct policy *p)
{
	struct pol_rule first = p->postures->rules[0];

	p->postures->rules[0] = p->postures->rules[1];
	p->postures->rules[1] = first;
}

static void rename_web(struct policy *p)
{
	p->postures->rules[0].label = "www";
	p->postures->rules[0].id = "BALANCED.www";
}

static void add_needless(struct policy *p)
{
	struct pol_posture *q = p->postures;

	q->rules[q->rule_count++] = rule(p->arena, "again", VERDICT_ALLOW,
					 tcp(p->arena, net_end(p->arena, "203.0.113.0/24"),
					     self_end(), 443, 443));
}

static void lose_lifeline(struct policy *p)
{
	p->lifeline_count = 0;
}

static void open_default(struct policy *p)
{
	p->postures->defaults[DIRECTION_IN] = VERDICT_ALLOW;
}

static void tell_senders(struct policy *p)
{
	p->postures->defaults[DIRECTION_FORWARD] = VERDICT_REJECT;
}

static void cut_flows(struct policy *p)
{
	p->postures->established = ESTABLISHED_CUT;
}

static void widen_dns(struct policy *p)
{
	p->postures->rules[1].match.from = net_end(p->arena, "203.0.112.0/23");
}

static void nothing(struct policy *p)
{
	(void)p;
}

static const struct {
	const char *edit;
	void (*make)(struct policy *p);
	const char *said;
} rows[] = {
	{ "nothing", nothing,
	  "" },
	{ "a port opened to everyone", add_ssh,
	  "opened high BALANCED in + ssh_any: tcp from any except office to self port 22 | "
	  "default drop -> ssh_any allow | tcp 198.51.100.7:50000 -> self:22 syn on wan | "
	  "port 23 stays drop | admin-port from-untrusted\n" },
	{ "a rule removed", remove_web,
	  "closed low BALANCED in - web: tcp from any to self port 443 | web allow -> "
	  "default drop | tcp 198.51.100.7:50000 -> self:443 syn on wan | port 444 stays "
	  "drop |\n" },
	{ "two rules that change places", swap,
	  "moved web\n" },
	{ "a rule renamed", rename_web,
	  "renamed www\n" },
	{ "a rule that another anticipates", add_needless,
	  "added again\n" },
	{ "the lifeline gone", lose_lifeline,
	  "closed critical BALANCED in - owner: tcp from office to self port 22 | owner "
	  "allow -> default drop | tcp 203.0.113.9:50000 -> self:22 syn on wan | port 23 "
	  "stays drop | self-lockout\n"
	  "closed critical BALANCED in - owner: tcp from office to self port 22 on wan | owner allow -> "
	  "blocked drop | tcp 203.0.113.9:50000 -> self:22 syn established on wan | port 23 stays drop | "
	  "self-lockout established-cut opaque\n"
	  "closed critical BALANCED out - owner: tcp from self port 22 to office | owner "
	  "allow -> default drop | tcp self:22 -> 203.0.113.20:22 syn on wan |  | "
	  "self-lockout\n" },
	{ "a default that allows", open_default,
	  "opened critical BALANCED in + default: ip from any to any | default drop -> "
	  "default allow | tcp 198.51.100.7:50000 -> self:22 syn on wan |  | "
	  "default-opened admin-port from-untrusted any-any 100.0%, the rest: owner web dns\n" },
	{ "a reject instead of a drop", tell_senders,
	  "effect low BALANCED forward + default: ip from any to any | default drop -> "
	  "default reject | tcp 198.51.100.7:50000 -> 192.0.2.10:22 syn on wan |  |\n" },
	{ "flows that are cut", cut_flows,
	  "closed medium BALANCED in - established: ip from any to any | established allow "
	  "-> default drop | tcp 198.51.100.7:50000 -> self:22 syn established on wan |  | "
	  "established-cut 100.0%, the rest: owner established\n"
	  "closed medium BALANCED forward - established: ip from any to any | established "
	  "allow -> default drop | tcp 198.51.100.7:50000 -> 192.0.2.10:22 syn established "
	  "on wan |  | established-cut\n"
	  "closed medium BALANCED out - established: ip from any to any | established "
	  "allow -> default drop | tcp self:50000 -> 192.0.2.10:22 syn established on wan "
	  "|  | established-cut beside: owner\n"
	  "posture BALANCED: keep -> cut\n" },
	{ "a network widened", widen_dns,
	  "opened medium BALANCED in + dns: tcp from 203.0.112.0/24 to self port 53 | "
	  "default drop -> dns allow | tcp 203.0.112.1:50000 -> self:53 syn on wan | port "
	  "54 stays drop |\n" },
};

/* --- in words ------------------------------------------------------------------------------ */

static void say_change(struct buf *out, const struct change *c)
{
	buf_printf(out, "%s %s %s %s %c %s: ", change_kind_name(c->kind), risk_name(c->risk),
		   c->posture, direction_name(c->direction), c->added ? '+' : '-', c->cause.why);
	for (size_t i = 0; i < c->region_count; i++)
		buf_printf(out, "%s%s", i ? "; " : "", c->regions[i]);
	buf_printf(out, " | %s %s -> %s %s | ", c->witness.decider.why,
		   verdict_name(c->witness.decider.verdict), c->now.why, verdict_name(c->now.verdict));
	witness_print(out, &c->witness);
	buf_printf(out, " | %s |", c->edge ? c->edge : "");
	for (unsigned f = 0; f < FLAG_COUNT; f++)
		if (c->flags >> f & 1)
			buf_printf(out, " %s", flag_name((enum change_flag)f));
	if (!c->exact)
		buf_printf(out, " %.1f%%, the rest:", c->share * 100);
	if (c->beside)
		buf_puts(out, " beside:");
	for (size_t i = 0; (!c->exact || c->beside) && i < c->rest_count; i++)
		buf_printf(out, " %s", c->rest[i].why);
	buf_putc(out, '\n');
}

static void say(struct buf *out, const struct diff *d)
{
	static const char *const idle[] = { "moved", "renamed", "changed", "added", "removed" };

	for (size_t i = 0; i < d->change_count; i++)
		say_change(out, &d->changes[i]);
	for (size_t i = 0; i < d->fact_count; i++)
		buf_printf(out, "%s: %s -> %s\n", d->facts[i].what, d->facts[i].before,
			   d->facts[i].after);
	for (size_t i = 0; i < d->idle_count; i++)
		buf_printf(out, "%s %s\n", idle[d->idles[i].kind], d->idles[i].rule.why);
}

int main(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		own(arena) struct arena *a = arena_new();
		own(prover) struct prover *p = prover_new(&PROVE_BUDGET);
		own(buf) struct buf text = { 0 };
		struct policy *new = base(a);

		rows[i].make(new);
		say(&text, prove_diff(p, ir_lower(base(a), a), ir_lower(new, a)));
		tap_text(buf_text(&text), rows[i].said, rows[i].edit);
	}
	return tap_done();
}
