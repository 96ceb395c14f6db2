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
#include "compiler/report/allow.h"
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
static bool options_read(struct asked *out, struct compilation *c, struct report *r, int argc, char **argv)
{
	static const struct option options[] = {
		CMD_POLICY_OPTIONS,
		CMD_REPORT_OPTIONS,
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
			good = cmd_policy_option(c, o, optarg) || cmd_report_option(r, o, optarg);
		}
	}
	return good && optind < argc;
}

static bool was_undecided(const struct diags *ds)
{
	for (size_t i = 0; i < ds->list.len; i++)
		if (ds->list.at[i]->code == DIAG_PROVER_UNDECIDED && !ds->list.at[i]->allowed)
			return true;
	return false;
}

/* What stands against a policy that can be read. */
static int find(struct compilation *c, const struct policy *p, const struct asked *asked)
{
	own(prover) struct prover *prover = prover_new(&PROVE_BUDGET);
	size_t warnings = c->diags.warnings;

	report_findings(&c->diags, prover, ir_lower(p, c->arena));
	report_allowances_all(c);
	if (c->diags.errors || (asked->fail_level == SEVERITY_WARNING && c->diags.warnings > warnings))
		return EXIT_NO;
	return was_undecided(&c->diags) ? EXIT_UNKNOWN : EXIT_YES;
}

static int check_file(struct report *r, const char *path, int argc, char **argv)
{
	struct compilation *c = compilation_new();
	struct policy *p = NULL;
	struct asked asked;
	int exit_code;

	report_add(r, path, c);
	options_read(&asked, c, NULL, argc, argv);
	c->library_fits = true;
	if (!front_exit(c))
		p = front_read(c, path);
	if (p && !asked.no_proofs) {
		exit_code = find(c, p, &asked);
	} else {
		report_allowances(c, true);
		exit_code = front_exit(c);
	}
	report_diags(report_text(r), c);
	return exit_code;
}

int cmd_check(int argc, char **argv)
{
	own(compilation) struct compilation *once = compilation_new();
	own(report) struct report *r = report_new("check");
	struct asked asked;
	int worst = 0;

	if (!options_read(&asked, once, r, argc, argv))
		return cmd_usage("check");
	for (int i = optind; i < argc; i++)
		worst = cmd_worse(worst, check_file(r, argv[i], argc, argv));
	worst = report_write(r, worst);
	return fflush(stdout) ? EXIT_IO : worst;
}
