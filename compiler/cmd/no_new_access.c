/*
 * tegc no-new-access BASE HEAD - does HEAD admit only what BASE did? Named as for tegc diff.
 *
 *     --allow FILE         or what this policy permits: its lifelines and the rules of its posture of
 *                          the same name, or else of its initial one
 *     --all, --markdown, --analysis-budget N, --report FORMAT=FILE    as for tegc diff
 */
#include <getopt.h>
#include <stdio.h>

#include "compiler/cmd/cmd.h"
#include "compiler/cmd/comparison.h"
#include "compiler/cmd/input.h"
#include "compiler/ir/ir.h"
#include "compiler/report/diags.h"

enum { ALLOW = COMPARISON_OWN };

enum which { BASE, HEAD, PERMITS, INPUTS };

struct asked {
	const char *name[INPUTS]; /* the last may be NULL */
	struct comparison_asked how;
};

static bool options_read(struct asked *a, struct report *r, int argc, char **argv)
{
	static const struct option options[] = {
		COMPARISON_OPTIONS,
		{ "allow", 1, NULL, ALLOW },
		{ 0 },
	};

	*a = (struct asked){ .how.budget = PROVE_BUDGET };
	optind = 0; /* GNU: from the beginning */
	for (int o; (o = getopt_long(argc, argv, CMD_POLICY_LETTERS, options, NULL)) != -1;) {
		if (o == ALLOW)
			a->name[PERMITS] = optarg;
		else if (!comparison_option(&a->how, r, o, optarg))
			return false;
	}
	if (argc - optind != 2)
		return false;
	a->name[BASE] = argv[optind];
	a->name[HEAD] = argv[optind + 1];
	return true;
}

static int say(struct report *r, const struct diff *d, const struct asked *a)
{
	int rc = comparison_tell(r, d, &a->how);

	if (rc)
		return rc;
	if (d->change_count || d->fact_count)
		return EXIT_NO;
	return d->progress.undecided ? EXIT_UNKNOWN : EXIT_YES;
}

static int answer(struct report *r, struct prover *p, const struct asked *a)
{
	const struct ir *ir[INPUTS] = { NULL };

	for (size_t i = 0; i < r->files.len; i++) {
		struct compilation *c = r->files.at[i]->c;
		const struct policy *policy = input_read(c, a->name[i]);

		report_diags(stderr, c);
		if (!policy)
			return front_exit(c);
		ir[i] = ir_lower(policy, c->arena);
	}
	return say(r, prove_new_access(p, ir[BASE], ir[HEAD], ir[PERMITS]), a);
}

int cmd_no_new_access(int argc, char **argv)
{
	own(report) struct report *r = report_new("no-new-access");
	struct asked a;

	report_add(r, NULL, cmd_compilation());
	report_add(r, NULL, cmd_compilation());
	if (!options_read(&a, r, argc, argv))
		return cmd_usage("no-new-access");
	if (a.name[PERMITS])
		report_add(r, NULL, cmd_compilation());
	for (size_t i = 0; i < r->files.len; i++)
		r->files.at[i]->path = a.name[i];

	own(prover) struct prover *p = prover_new(&a.how.budget); /* the report tells what it found */
	return report_write(r, answer(r, p, &a));
}
