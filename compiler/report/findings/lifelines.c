#include "compiler/report/findings/lifelines.h"

#include <string.h>

#include "compiler/front/policy.h"

/*
 * Sources and destinations that the kernel takes from no interface but the loopback: ip_route_input_slow()
 * of net/ipv4/route.c and ip6_rcv_core() of net/ipv6/ip6_input.c, Linux 6.1.
 */
static const char *const never_sources[] = { "127.0.0.0/8", "224.0.0.0/4", "::1/128", "::ffff:0.0.0.0/96", "ff00::/8" };
static const char *const never_destinations[] = { "127.0.0.0/8", "::1/128" };

static struct netset set_of(struct arena *a, const char *const *texts, size_t count)
{
	struct netset all = { 0 };

	for (size_t i = 0; i < count; i++) {
		struct prefix p;

		if (prefix_parse(texts[i], &p) != PREFIX_OK)
			abort();
		struct netset one = netset_of_range(a, p.addr.family, prefix_range(p));
		all = netset_join(a, &all, &one);
	}
	return all;
}

struct lifelines {
	struct diags *to;
	struct prover *prover;
	const struct ir *ir;
	struct netset sources, destinations; /* that never come in */
};

enum hindrance { HINDRANCE_NONE, HINDRANCE_SOURCE, HINDRANCE_DESTINATION };

/* --- what hinders ------------------------------------------------------------------------- */

static bool end_never_crosses(const struct lifelines *k, const struct ir_end *e, uint8_t families, const struct netset *never)
{
	struct netset left;

	if (e->any || e->self || !e->set)
		return false;
	left = netset_minus(k->to->arena, &e->set->set, never);
	return !(families & 1u << FAMILY_IP4 && left.len[FAMILY_IP4]) && !(families & 1u << FAMILY_IP6 && left.len[FAMILY_IP6]);
}

static enum hindrance hindrance_of(const struct lifelines *k, const struct ir_box *b)
{
	if (end_never_crosses(k, &b->src, b->families, &k->sources))
		return HINDRANCE_SOURCE;
	if (end_never_crosses(k, &b->dst, b->families, &k->destinations))
		return HINDRANCE_DESTINATION;
	return HINDRANCE_NONE;
}

/* --- telling ------------------------------------------------------------------------------ */

static void note_packet(const struct lifelines *k, struct diag *g, const struct ir_rule *r)
{
	const struct claim dropped = { .name = r->label, .postures = 1, .direction = DIRECTION_IN,
				       .boxes = r->boxes, .box_count = r->box_count };
	struct claim_answer a = prove_claim(k->prover, k->ir, &dropped);
	own(buf) struct buf text = { 0 };

	if (a.answer != ANSWER_REFUTED && a.answer != ANSWER_CONDITIONAL)
		return;
	witness_print(&text, &a.witness);
	diag_note(g, "for example: %s", buf_text(&text));
}

static void tell_end(const struct lifelines *k, struct diag *g, const struct ir_set *set, const char *what)
{
	diag_label(g, "these %s come in by no interface", what);
	for (size_t i = 0; set->name && i < k->ir->policy->net_count; i++)
		if (!strcmp(k->ir->policy->nets[i].name, set->name))
			diag_at(g, k->ir->policy->nets[i].span, "`%s` holds nothing else", set->name);
	diag_note(g, "the kernel takes loopback addresses, and multicast as a source, from no network");
}

static void tell(const struct lifelines *k, const struct ir_rule *r, const struct ir_box *b, enum hindrance h)
{
	struct diag *g = diag(k->to, DIAG_LIFELINE_UNREACHED, r->span, "nobody can come in by the lifeline `%s`", r->label);

	switch (h) {
	case HINDRANCE_SOURCE:
		tell_end(k, g, b->src.set, "sources");
		break;
	case HINDRANCE_DESTINATION:
		tell_end(k, g, b->dst.set, "destinations");
		break;
	case HINDRANCE_NONE:
		break;
	}
	note_packet(k, g, r);
}

void report_lifelines(struct diags *to, struct prover *p, const struct ir *ir)
{
	struct arena *a = to->arena;
	struct lifelines k = {
		to, p, ir,
		set_of(a, never_sources, sizeof never_sources / sizeof *never_sources),
		set_of(a, never_destinations, sizeof never_destinations / sizeof *never_destinations),
	};

	for (size_t i = 0; i < ir->lifelines.count; i++) {
		const struct ir_rule *r = &ir->lifelines.rules[i];
		size_t hindered = 0;

		while (hindered < r->box_count && hindrance_of(&k, &r->boxes[hindered]) != HINDRANCE_NONE)
			hindered++;
		if (r->box_count && hindered == r->box_count)
			tell(&k, r, &r->boxes[0], hindrance_of(&k, &r->boxes[0]));
	}
}
