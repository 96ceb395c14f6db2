/*
 * tegc prove FILE CLAIM - one claim about a policy, in the words of its invariants and orders:
 *
 *     tegc prove edge.teg 'in every posture: tcp to self port 23 is dropped'
 *     tegc prove edge.teg 'order LOCKDOWN <= HARDENED'
 *
 *     --analysis-budget N    how many steps the prover may take
 *     --report FORMAT=FILE   the answer in another form too
 *
 * Proved exits 0, refuted 2; 4 when it is undecided, or holds only under an assumption.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "compiler/cmd/cmd.h"
#include "compiler/cmd/input.h"
#include "compiler/ir/ir.h"
#include "compiler/prove/promise.h"
#include "compiler/report/diags.h"
#include "compiler/report/findings/promises.h"

/* Of an order's pairs the one that is told: the first that is not proved, broken ones before others. */
static struct promise worst_pair(struct prover *p, const struct ir *ir, const struct pol_order *o)
{
	struct promise worst = { .answer = ANSWER_PROVED };

	for (size_t i = 1; i < o->count && !promise_is_broken(&worst); i++) {
		struct promise one = prove_ordered(p, ir, o->postures[i - 1], o->postures[i]);

		one.span = o->span;
		if (worst.answer == ANSWER_PROVED || promise_is_broken(&one))
			worst = one;
	}
	return worst;
}

static int say(struct report *r, struct compilation *c, const struct promise *a, const char *claim)
{
	FILE *out = report_text(r);

	report_add_part(r, "proof", report_promise_json(a, claim));
	if (a->answer == ANSWER_PROVED) {
		fputs("proved\n", out);
		return EXIT_YES;
	}
	if (a->answer != ANSWER_UNDECIDED && !a->witness.replays) {
		fputs("tegc prove: an example does not replay; this is a mistake of tegc\n", stderr);
		return EXIT_OURS;
	}
	fprintf(out, "%s\n", promise_is_broken(a) ? "refuted" : answer_name(a->answer));
	report_promise(&c->diags, a);
	report_diags(out, c);
	return promise_is_broken(a) ? EXIT_NO : EXIT_UNKNOWN;
}

static int prove(struct report *r, const char *file, const char *text, const struct prove_budget *budget)
{
	struct compilation *c = r->files.at[0]->c;
	own(prover) struct prover *p = prover_new(budget);
	const struct policy *policy = input_read(c, file);
	struct pol_claim claim = { 0 };
	struct pol_order order = { 0 };
	struct promise answer;

	if (!policy || !front_read_claim(c, REPORT_CLAIM, text, &claim, &order)) {
		report_diags(stderr, c);
		return front_exit(c);
	}
	c->diags.list.len = c->diags.errors = c->diags.warnings = 0; /* of the policy: not what was asked */

	const struct ir *ir = ir_lower(policy, c->arena);

	if (order.count) {
		answer = worst_pair(p, ir, &order);
	} else {
		struct ir_invariant lowered = ir_lower_claim(ir, &claim, c->arena);

		answer = prove_invariant(p, ir, &lowered);
	}
	return say(r, c, &answer, text);
}

int cmd_prove(int argc, char **argv)
{
	enum { BUDGET = CMD_OWN };
	static const struct option options[] = {
		CMD_POLICY_OPTIONS, CMD_REPORT_OPTIONS, { "analysis-budget", 1, NULL, BUDGET }, { 0 },
	};
	own(report) struct report *r = report_new("prove");
	struct report_file *f = report_add(r, NULL, cmd_compilation());
	struct prove_budget budget = PROVE_BUDGET;

	optind = 0; /* GNU: from the beginning */
	for (int o; (o = getopt_long(argc, argv, CMD_POLICY_LETTERS, options, NULL)) != -1;)
		if (o == BUDGET ? !cmd_steps(&budget.steps, "prove", optarg) :
				  !cmd_policy_option(f->c, o, optarg) && !cmd_report_option(r, o, optarg))
			return cmd_usage("prove");
	if (argc - optind != 2)
		return cmd_usage("prove");
	f->path = argv[optind];
	return report_write(r, prove(r, f->path, argv[optind + 1], &budget));
}
