/*
 * tegc test FILE... - the policies' own tests, in eval.
 *
 *     --filter TEXT    only tests with TEXT in their name
 *     --plain          one line for each finding, for screen readers and scripts
 *     --allow-empty    no tests is not a failure
 *     --coverage       which rules decided no packet that a test asks about; --all: the others too
 *     --mutants        which small mistakes in the policy no test would notice; exit 2 when there are any
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "compiler/cmd/cmd.h"
#include "compiler/prove/forall.h"
#include "compiler/report/coverage.h"
#include "compiler/report/diags.h"
#include "compiler/report/trials.h"

enum { FILTER = CMD_OWN, PLAIN, ALLOW_EMPTY, COVERAGE, MUTANTS, ALL };

struct asked {
	const char *filter;
	bool plain, allow_empty, coverage, mutants, all;
};

/* Each file is a compilation of its own, so the options are read for each anew. */
static bool options_read(struct asked *out, struct compilation *c, int argc, char **argv)
{
	static const struct option options[] = {
		CMD_POLICY_OPTIONS,
		{ "filter", 1, NULL, FILTER },
		{ "plain", 0, NULL, PLAIN },
		{ "allow-empty", 0, NULL, ALLOW_EMPTY },
		{ "coverage", 0, NULL, COVERAGE },
		{ "mutants", 0, NULL, MUTANTS },
		{ "all", 0, NULL, ALL },
		{ 0 },
	};

	*out = (struct asked){ 0 };
	optind = 0; /* GNU: from the beginning */
	for (int o; (o = getopt_long(argc, argv, CMD_POLICY_LETTERS, options, NULL)) != -1;) {
		switch (o) {
		case FILTER:
			out->filter = optarg;
			break;
		case PLAIN:
			out->plain = true;
			break;
		case ALLOW_EMPTY:
			out->allow_empty = true;
			break;
		case COVERAGE:
			out->coverage = true;
			break;
		case MUTANTS:
			out->mutants = true;
			break;
		case ALL:
			out->all = true;
			break;
		default:
			if (!cmd_policy_option(c, o, optarg))
				return false;
		}
	}
	return optind < argc;
}

static void print_plain(struct compilation *c)
{
	diags_sort(&c->diags);
	for (size_t i = 0; i < c->diags.list.len; i++) {
		const struct diag *d = c->diags.list.at[i];

		if (span_is_somewhere(d->span)) {
			struct place at = source_place(&c->sources, d->span.file, d->span.from);
			printf("%s:%u:%u: ", at.file, at.line, at.column);
		}
		printf("%s %s\n", diag_kinds[d->code].code, d->text);
	}
}

static int tell_mutants(struct compilation *c, const struct policy *p, const struct ir *ir, const char *path)
{
	own(buf) struct buf out = { 0 };
	struct survey survey;

	survey_run(&survey, ir, p, c->arena);
	report_survey(&out, c, ir, path, &survey);
	fputs(buf_text(&out), stdout);
	return survey.survivor_count ? EXIT_NO : EXIT_YES;
}

static int tell_reach(struct compilation *c, const struct policy *p, const struct coverage *coverage, const struct ir *ir,
		      const char *path, const struct asked *asked)
{
	own(buf) struct buf out = { 0 };

	if (asked->coverage) {
		report_coverage(&out, c, path, coverage, asked->all);
		fputs(buf_text(&out), stdout);
	}
	return asked->mutants ? tell_mutants(c, p, ir, path) : EXIT_YES;
}

/* What is no packet: claims are proved, expected mistakes made. */
static void settle(struct trial *t, struct compilation *c, const struct ir *ir)
{
	if (trial_has_forall(t->test)) {
		own(prover) struct prover *p = prover_new(&PROVE_BUDGET);

		prove_trial(t, p, ir, c->arena);
	}
	for (size_t i = 0; i < t->count; i++) {
		struct trial_finding *f = &t->findings[i];

		if (f->asked->kind == CASE_REFUSES && !front_refuses(c, f->asked, &f->told))
			trial_settle(t, i, TRIAL_ACCEPTED);
	}
}

/* What became of the tests of a file. */
struct counts {
	size_t run, failed, unknown, todo;
};

static void count(struct counts *n, const struct trial *t)
{
	n->run++;
	if (t->test->todo)
		n->todo++;
	else if (t->failed)
		n->failed++;
	else if (t->unknown)
		n->unknown++;
}

static int tell_counts(const char *path, const struct counts *n, const struct asked *asked)
{
	if (!n->run) {
		printf("%s: no tests%s\n", path, asked->filter ? " of that name" : "");
		return asked->allow_empty ? EXIT_YES : EXIT_UNKNOWN;
	}
	printf("%s: %zu passed, %zu failed", path, n->run - n->failed - n->unknown - n->todo, n->failed);
	if (n->unknown)
		printf(", %zu unknown", n->unknown);
	if (n->todo)
		printf(", %zu to do", n->todo);
	putchar('\n');
	return n->failed ? EXIT_NO : n->unknown ? EXIT_UNKNOWN : EXIT_YES;
}

static int run_tests(struct compilation *c, const struct policy *p, const char *path, const struct asked *asked)
{
	const struct ir *ir = ir_lower(p, c->arena);
	struct coverage *coverage = coverage_new(ir, c->arena);
	struct counts n = { 0 };

	for (size_t i = 0; i < p->test_count; i++) {
		struct trial t;

		if (asked->filter && !strstr(p->tests[i].name, asked->filter))
			continue;
		trial_run(&t, ir, &p->tests[i], c->arena);
		settle(&t, c, ir);
		report_trial(&c->diags, &t);
		coverage_add(coverage, &t);
		count(&n, &t);
	}
	if (asked->plain)
		print_plain(c);
	else
		report_diags(stdout, c);
	int exit_code = tell_counts(path, &n, asked);
	return exit_code == EXIT_YES && n.run ? tell_reach(c, p, coverage, ir, path, asked) : exit_code;
}

static int test_file(const char *path, int argc, char **argv)
{
	own(compilation) struct compilation *c = compilation_new();
	struct asked asked;

	options_read(&asked, c, argc, argv);
	const struct policy *p = front_read(c, path);
	if (p)
		return run_tests(c, p, path, &asked);
	report_diags(stderr, c);
	return front_exit(c);
}

/* Of several files, what is told to the caller: a wrong policy before a failed test before none. */
static int worse(int x, int y)
{
	static const int order[] = { EXIT_YES, EXIT_UNKNOWN, EXIT_NO, EXIT_WRONG };
	size_t rank_x = 0, rank_y = 0, all = sizeof order / sizeof *order;

	while (rank_x < all && order[rank_x] != x)
		rank_x++;
	while (rank_y < all && order[rank_y] != y)
		rank_y++;
	return rank_y > rank_x ? y : x;
}

int cmd_test(int argc, char **argv)
{
	own(compilation) struct compilation *c = compilation_new();
	struct asked asked;
	int worst = EXIT_YES;

	if (!options_read(&asked, c, argc, argv))
		return cmd_usage("test");
	for (int i = optind; i < argc; i++) /* the first reading has put the files last */
		worst = worse(worst, test_file(argv[i], argc, argv));
	return fflush(stdout) ? EXIT_IO : worst;
}
