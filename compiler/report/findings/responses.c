#include "compiler/report/findings/responses.h"

#include "compiler/front/policy.h"

/* Every posture of the policy, a bit each. */
static uint64_t all_postures(const struct ir *ir)
{
	return ir->posture_count == 64 ? UINT64_MAX : (1ull << ir->posture_count) - 1;
}

/* --- decoys --------------------------------------------------------------------------------- */

static bool decoy_is_reached(struct prover *p, const struct ir *ir, const struct play_decoy *d)
{
	struct range everything = { 0, UINT16_MAX }, port = { d->port, d->port };
	const struct ranges all = { &everything, 1 };
	const struct ir_box box = {
		.zones = UINT64_MAX, .families = 3, .fragments = FRAGMENT_WHOLE | FRAGMENT_FIRST, .proto = d->proto,
		.src.any = true, .dst.self = true, .sport = all, .dport = { &port, 1 }, .icmp = all,
	};
	const struct claim dropped = { .name = d->name, .postures = all_postures(ir), .direction = DIRECTION_IN,
				       .boxes = &box, .box_count = 1 };

	return prove_claim(p, ir, &dropped).answer != ANSWER_PROVED;
}

static void find_lonely_decoys(struct diags *to, struct prover *p, const struct ir *ir)
{
	const struct pol_responses *all = &ir->policy->responses;

	for (size_t i = 0; i < all->decoy_count; i++) {
		const struct play_decoy *d = &all->decoys[i].meant;

		if (!decoy_is_reached(p, ir, d))
			diag_help(diag(to, DIAG_DECOY_LONELY, all->decoys[i].span, "no posture admits anyone to `%s`", d->name),
				  "let them in: allow %s to self port %u", d->proto == 17 ? "udp" : "tcp", d->port);
	}
}

/* --- claims that a step can break -------------------------------------------------------------- */

static const char *takes_away(const struct ir_effect *e)
{
	return e->effect == EFFECT_THROTTLE ? "throttle" : "block";
}

static void tell_breach(struct diags *to, const struct pol_claim *claim, const struct breach *b)
{
	const struct ir_effect *e = b->effect;
	own(buf) struct buf packet = { 0 };
	struct diag *g = diag(to, DIAG_PLAYBOOK_BREAKS, e->span, "`%s` can %s what is said to be allowed", e->playbook,
			      takes_away(e));

	diag_at(g, claim->span, "`%s` says so", claim->name ? claim->name : "this claim");
	witness_print(&packet, &b->witness);
	diag_note(g, "for example: %s", buf_text(&packet));
	diag_help(g, "a lifeline outranks %ss: admit it there, or claim less", takes_away(e));
}

void report_breaches(struct diags *to, struct prover *p, const struct ir *ir)
{
	for (size_t i = 0; i < ir->invariant_count; i++) {
		const struct ir_invariant *v = &ir->invariants[i];
		const struct claim claim = {
			.name = v->said->name, .postures = v->said->postures, .direction = v->said->direction,
			.boxes = v->boxes, .box_count = v->box_count, .allowed = v->said->allowed,
		};
		struct breaches all = prove_breaches(p, ir, &claim);

		for (size_t n = 0; n < all.len; n++)
			tell_breach(to, v->said, &all.at[n]);
		if (all.progress.undecided)
			diag(to, DIAG_PROVER_UNDECIDED, v->said->span, "what playbooks can do to this was too large to decide (%s)",
			     all.progress.first_undecided.text);
	}
}

void report_responses(struct diags *to, struct prover *p, const struct ir *ir)
{
	find_lonely_decoys(to, p, ir);
	report_breaches(to, p, ir);
}
