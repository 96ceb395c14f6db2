#include "compiler/report/responses.h"

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

void report_responses(struct diags *to, struct prover *p, const struct ir *ir)
{
	find_lonely_decoys(to, p, ir);
}
