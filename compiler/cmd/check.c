/*
 * tegc check FILE... - read policies, and say everything that is wrong with them.
 */
#include <getopt.h>
#include <stdio.h>

#include "compiler/cmd/cmd.h"
#include "compiler/ir/ir.h"
#include "compiler/prove/prove.h"
#include "compiler/report/diags.h"
#include "compiler/report/findings.h"

/* Options before the files; applied to each file's compilation. */
static int options_apply(struct compilation *c, int argc, char **argv)
{
	static const struct option options[] = { CMD_POLICY_OPTIONS, { 0 } };
	int o;

	optind = 0;
	while ((o = getopt_long(argc, argv, CMD_POLICY_LETTERS, options, NULL)) != -1)
		if (!cmd_policy_option(c, o, optarg))
			return cmd_usage("check");
	return optind < argc ? 0 : cmd_usage("check");
}

/* What holds of each rule by itself may not hold of all together. */
static void find(struct compilation *c, const struct policy *p)
{
	own(prover) struct prover *prover = prover_new(&PROVE_BUDGET);

	if (p)
		report_findings(&c->diags, prover, ir_lower(p, c->arena));
}

static int check_one(const char *path, int argc, char **argv)
{
	own(compilation) struct compilation *c = compilation_new();
	int wrong = options_apply(c, argc, argv);

	if (wrong)
		return wrong;
	c->library_fits = true;
	if (!c->input_fault)
		find(c, front_read(c, path));
	report_diags(stdout, c);
	return front_exit(c);
}

int cmd_check(int argc, char **argv)
{
	own(compilation) struct compilation *once = compilation_new();
	int worst = options_apply(once, argc, argv);

	if (worst)
		return worst;
	for (int i = optind, end = argc; i < end; i++) {
		int exit_code = check_one(argv[i], argc, argv);

		worst = exit_code > worst ? exit_code : worst;
	}
	return fflush(stdout) ? EXIT_IO : worst;
}
