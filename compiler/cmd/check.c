/*
 * tegc check FILE... - read policies, and say everything that is wrong with them.
 *
 * When a policy can be read, the prover is asked what in it can never matter
 * (--no-proofs leaves that out): rules that never decide, postures that are
 * one, administrative ports open to everyone. Such a finding exits 2 when it
 * is at or above --fail-level.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "compiler/cmd/cmd.h"
#include "compiler/ir/ir.h"
#include "compiler/prove/prove.h"
#include "compiler/report/diags.h"
#include "compiler/report/findings.h"

enum { NO_PROOFS = CMD_OWN, FAIL_LEVEL };

struct asked {
	bool no_proofs;
	enum severity fail_level;
};

static bool level_read(struct asked *out, const char *text)
{
	if (!strcmp(text, "error"))
		out->fail_level = SEVERITY_ERROR;
	else if (!strcmp(text, "warning"))
		out->fail_level = SEVERITY_WARNING;
	else
		return false;
	return true;
}

/* Each file is a compilation of its own, so the options are read for each anew. */
static bool options_read(struct asked *out, struct compilation *c, int argc, char **argv)
{
	static const struct option options[] = {
		CMD_POLICY_OPTIONS,
		{ "no-proofs", 0, NULL, NO_PROOFS },
		{ "fail-level", 1, NULL, FAIL_LEVEL },
		{ 0 },
	};
	bool good = true;

	*out = (struct asked){ .fail_level = SEVERITY_ERROR };
	optind = 0; /* GNU: from the beginning */
	for (int o; good && (o = getopt_long(argc, argv, CMD_POLICY_LETTERS, options, NULL)) != -1;) {
		switch (o) {
		case NO_PROOFS:
			out->no_proofs = true;
			break;
		case FAIL_LEVEL:
			good = level_read(out, optarg);
			break;
		default:
			good = cmd_policy_option(c, o, optarg);
		}
	}
	return good && optind < argc;
}

static bool was_undecided(const struct diags *ds)
{
	for (size_t i = 0; i < ds->list.len; i++)
		if (ds->list.at[i]->code == DIAG_PROVER_UNDECIDED)
			return true;
	return false;
}

/* What stands against a policy that can be read. */
static int find(struct compilation *c, const struct policy *p, const struct asked *asked)
{
	own(prover) struct prover *prover = prover_new(&PROVE_BUDGET);
	size_t warnings = c->diags.warnings;

	report_findings(&c->diags, prover, ir_lower(p, c->arena));
	report_diags(stdout, c);
	if (c->diags.errors || (asked->fail_level == SEVERITY_WARNING && c->diags.warnings > warnings))
		return EXIT_NO;
	return was_undecided(&c->diags) ? EXIT_UNKNOWN : EXIT_YES;
}

static int check_file(const char *path, int argc, char **argv)
{
	own(compilation) struct compilation *c = compilation_new();
	struct policy *p = NULL;
	struct asked asked;

	options_read(&asked, c, argc, argv);
	c->library_fits = true;
	if (!front_exit(c))
		p = front_read(c, path);
	if (p && !asked.no_proofs)
		return find(c, p, &asked);
	report_diags(stdout, c);
	return front_exit(c);
}

int cmd_check(int argc, char **argv)
{
	own(compilation) struct compilation *once = compilation_new();
	struct asked asked;
	int worst = 0;

	if (!options_read(&asked, once, argc, argv))
		return cmd_usage("check");
	for (int i = optind; i < argc; i++) {
		int exit_code = check_file(argv[i], argc, argv);

		worst = exit_code > worst ? exit_code : worst;
	}
	return fflush(stdout) ? EXIT_IO : worst;
}
