/*
 * tegc check FILE... - read policies, and say everything that is wrong with them.
 *
 * When a policy can be read, it is asked which names nothing uses, and the
 * prover what in it can never matter (--no-proofs leaves that out): rules that
 * never decide, postures that are one, administrative ports open to everyone.
 * Such a finding exits 2 when it is at or above --fail-level.
 *
 * --fix makes the fixes that are sure, in the files, and checks again.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "compiler/cmd/cmd.h"
#include "compiler/cmd/fix.h"
#include "compiler/ir/ir.h"
#include "compiler/prove/prove.h"
#include "compiler/report/allow.h"
#include "compiler/report/diags.h"
#include "compiler/report/findings/findings.h"

enum { NO_PROOFS = CMD_OWN, FAIL_LEVEL, FIX };

struct asked {
	bool no_proofs, fix;
	enum severity fail_level;
};

static bool level_read(struct asked *out, const char *text)
{
	if (!strcmp(text, "error"))
		out->fail_level = SEVERITY_ERROR;
	else if (!strcmp(text, "warning"))
		out->fail_level = SEVERITY_WARNING;
	else {
		fputs("tegc check: --fail-level takes error or warning\n", stderr);
		return false;
	}
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
		{ "fix", 0, NULL, FIX },
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
		case FIX:
			out->fix = true;
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
	size_t warnings = c->diags.warnings;

	front_tell_unused(c);
	if (asked->no_proofs) {
		report_allowances(c, true);
	} else {
		own(prover) struct prover *prover = prover_new(&PROVE_BUDGET);

		report_findings(c, prover, ir_lower(p, c->arena));
		report_allowances_all(c);
	}
	if (c->diags.errors || (asked->fail_level == SEVERITY_WARNING && c->diags.warnings > warnings))
		return EXIT_NO;
	return was_undecided(&c->diags) ? EXIT_UNKNOWN : EXIT_YES;
}

/* Read, and asked for what stands against it; nothing is said yet. */
static int check(struct compilation *c, struct asked *asked, const char *path, int argc, char **argv)
{
	const struct policy *p = NULL;

	options_read(asked, c, NULL, argc, argv);
	c->library_fits = true;
	c->uses.wanted = true;
	if (!front_exit(c))
		p = front_read(c, path);
	if (p)
		return find(c, p, asked);
	report_allowances(c, true);
	return front_exit(c);
}

static void say_fixed(const struct report *r, const struct report_file *f)
{
	if (f->fixed)
		fprintf(report_text(r), "%s: %zu fixed\n", f->path, f->fixed);
}

/* Until nothing more can be mended for sure. */
static int check_and_fix(struct report_file *f, struct asked *asked, int exit_code, int argc, char **argv)
{
	own(arena) struct arena *a = arena_new();
	struct fixing *fixing = fixing_new(a);
	struct err why = { 0 };
	int changed;

	while ((changed = fixing_step(fixing, f->c, &why)) > 0) {
		compilation_free(f->c);
		f->c = cmd_compilation();
		exit_code = check(f->c, asked, f->path, argc, argv);
	}
	f->fixed = fixing_made(fixing);
	if (!changed)
		return exit_code;
	fprintf(stderr, "tegc check: %s\n", why.text);
	return EXIT_IO;
}

static int check_file(struct report *r, const char *path, int argc, char **argv)
{
	struct report_file *f = report_add(r, path, cmd_compilation());
	struct asked asked;
	int exit_code = check(f->c, &asked, path, argc, argv);

	if (asked.fix)
		exit_code = check_and_fix(f, &asked, exit_code, argc, argv);
	report_diags(report_text(r), f->c);
	say_fixed(r, f);
	return exit_code;
}

int cmd_check(int argc, char **argv)
{
	own(compilation) struct compilation *once = cmd_compilation();
	own(report) struct report *r = report_new("check");
	struct asked asked;
	int worst = 0;

	if (!options_read(&asked, once, r, argc, argv))
		return cmd_usage("check");
	for (int i = optind; i < argc; i++)
		worst = cmd_worse(worst, check_file(r, argv[i], argc, argv));
	return report_write(r, worst);
}
