/*
 * tegc test FILE... - the policies' own tests, in eval.
 *
 *     --engine LIST    eval, xdp: the same packets also through the first hook's program in this kernel
 *     --filter TEXT    only tests with TEXT in their name
 *     --allow-empty    no tests is not a failure
 *     --coverage       which rules decided no packet that a test asks about; --all: the others too
 *     --mutants        which small mistakes in the policy no test would notice; exit 2 when there are any
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "compiler/cmd/cmd.h"
#include "compiler/engine/xdp.h"
#include "compiler/prove/forall.h"
#include "compiler/report/allow.h"
#include "compiler/report/coverage.h"
#include "compiler/report/diags.h"
#include "compiler/report/trials.h"

enum { ENGINE = CMD_OWN, FILTER, ALLOW_EMPTY, COVERAGE, MUTANTS, ALL };

struct asked {
	const char *filter;
	bool allow_empty, coverage, mutants, all, xdp;
};

/* eval is always asked. */
static bool engines_read(struct asked *out, const char *list)
{
	for (const char *at = list;; at++) {
		size_t len = strcspn(at, ",");

		if (len == 3 && !memcmp(at, "xdp", len))
			out->xdp = true;
		else if (len != 4 || memcmp(at, "eval", len)) {
			fprintf(stderr, "tegc test: there is no engine `%.*s`; --engine takes eval and xdp\n", (int)len, at);
			return false;
		}
		at += len;
		if (!*at)
			return true;
	}
}

/* Each file is a compilation of its own, so the options are read for each anew. */
static bool option_read(struct asked *out, struct compilation *c, struct report *r, int option)
{
	switch (option) {
	case ENGINE:
		return engines_read(out, optarg);
	case FILTER:
		out->filter = optarg;
		return true;
	case ALLOW_EMPTY:
		out->allow_empty = true;
		return true;
	case COVERAGE:
		out->coverage = true;
		return true;
	case MUTANTS:
		out->mutants = true;
		return true;
	case ALL:
		out->all = true;
		return true;
	}
	return cmd_policy_option(c, option, optarg) || cmd_report_option(r, option, optarg);
}

static bool options_read(struct asked *out, struct compilation *c, struct report *r, int argc, char **argv)
{
	static const struct option options[] = {
		CMD_POLICY_OPTIONS,
		CMD_REPORT_OPTIONS,
		{ "engine", 1, NULL, ENGINE },
		{ "filter", 1, NULL, FILTER },
		{ "allow-empty", 0, NULL, ALLOW_EMPTY },
		{ "coverage", 0, NULL, COVERAGE },
		{ "mutants", 0, NULL, MUTANTS },
		{ "all", 0, NULL, ALL },
		{ 0 },
	};

	*out = (struct asked){ 0 };
	optind = 0; /* GNU: from the beginning */
	for (int o; (o = getopt_long(argc, argv, CMD_POLICY_LETTERS, options, NULL)) != -1;)
		if (!option_read(out, c, r, o))
			return false;
	return optind < argc;
}

static int tell_mutants(struct report *r, struct compilation *c, const struct policy *p, const struct ir *ir,
			const char *path)
{
	own(buf) struct buf out = { 0 };
	struct survey survey;

	survey_run(&survey, ir, p, c->arena);
	report_survey(&out, c, ir, path, &survey);
	report_survey_json(report_list_part(r, "mutants"), c, ir, &survey);
	fputs(buf_text(&out), report_text(r));
	return survey.survivor_count ? EXIT_NO : EXIT_YES;
}

static int tell_reach(struct report *r, struct compilation *c, const struct policy *p,
		      const struct coverage *coverage, const struct ir *ir, const char *path, const struct asked *asked)
{
	own(buf) struct buf out = { 0 };

	if (asked->coverage) {
		report_coverage(&out, c, path, coverage, asked->all);
		report_coverage_json(report_list_part(r, "coverage"), c, coverage);
		fputs(buf_text(&out), report_text(r));
	}
	return asked->mutants ? tell_mutants(r, c, p, ir, path) : EXIT_YES;
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

/* The same packets in the kernel: EXIT_YES when they fare alike. */
static int ask_kernel(struct compilation *c, const struct ir *ir, const struct pol_test *test, size_t *packets)
{
	struct err why = { 0 };
	struct xdp_trial x;
	int rc = xdp_trial_run(&x, ir, test, c->arena, &why);

	if (rc == -E2BIG && why.at.file != SPAN_NOWHERE_FILE) {
		report_one_diag(stderr, c, diag(&c->diags, DIAG_ROOM, why.at, "%s", why.text));
		return EXIT_WRONG;
	}
	if (rc) {
		fprintf(stderr, "tegc test: --engine xdp: %s\n", why.text);
		return rc == -EPERM ? EXIT_DENIED : EXIT_UNAVAILABLE;
	}
	*packets += x.packets;
	report_engine(&c->diags, test, &x);
	return x.differs ? EXIT_OURS : EXIT_YES;
}

static int ask_kernel_all(const struct report *r, struct report_file *f, const struct policy *p, const struct ir *ir,
			  const struct asked *asked)
{
	int exit_code = EXIT_YES;
	size_t packets = 0;

	for (size_t i = 0; i < p->test_count && !exit_code; i++)
		if (!asked->filter || strstr(p->tests[i].name, asked->filter))
			exit_code = ask_kernel(f->c, ir, &p->tests[i], &packets);
	if (exit_code == EXIT_OURS)
		report_diags(report_text(r), f->c);
	if (!exit_code)
		fprintf(report_text(r), "%s: %zu packets fare alike in this kernel's XDP\n", f->path, packets);
	return exit_code;
}

static enum test_end end_of(const struct trial *t)
{
	if (t->test->todo)
		return TEST_TODO;
	return t->failed ? TEST_FAILED : t->unknown ? TEST_UNKNOWN : TEST_PASSED;
}

static void count(struct counts *n, enum test_end end)
{
	n->run++;
	n->todo += end == TEST_TODO;
	n->failed += end == TEST_FAILED;
	n->unknown += end == TEST_UNKNOWN;
}

static int tell_counts(FILE *to, const char *path, const struct counts *n, const struct asked *asked)
{
	if (!n->run) {
		fprintf(to, "%s: no tests%s\n", path, asked->filter ? " of that name" : "");
		return asked->allow_empty ? EXIT_YES : EXIT_UNKNOWN;
	}
	fprintf(to, "%s: %zu passed, %zu failed", path, n->run - n->failed - n->unknown - n->todo, n->failed);
	if (n->unknown)
		fprintf(to, ", %zu unknown", n->unknown);
	if (n->todo)
		fprintf(to, ", %zu to do", n->todo);
	fputc('\n', to);
	return n->failed ? EXIT_NO : n->unknown ? EXIT_UNKNOWN : EXIT_YES;
}

static int run_tests(struct report *r, struct report_file *f, const struct policy *p, const struct asked *asked)
{
	struct compilation *c = f->c;
	const struct ir *ir = ir_lower(p, c->arena);
	struct coverage *coverage = coverage_new(ir, c->arena);
	struct counts n = { 0 };

	for (size_t i = 0; i < p->test_count; i++) {
		size_t before = c->diags.list.len;
		struct trial t;

		if (asked->filter && !strstr(p->tests[i].name, asked->filter))
			continue;
		trial_run(&t, ir, &p->tests[i], c->arena);
		settle(&t, c, ir);
		report_trial(&c->diags, &t);
		report_add_test(f, t.test->name, t.test->span, end_of(&t), before);
		coverage_add(coverage, &t);
		count(&n, end_of(&t));
	}
	report_allowances(c, false);
	report_diags(report_text(r), c);
	int exit_code = tell_counts(report_text(r), f->path, &n, asked);
	if (exit_code == EXIT_YES && asked->xdp)
		exit_code = ask_kernel_all(r, f, p, ir, asked);
	return exit_code == EXIT_YES && n.run ? tell_reach(r, c, p, coverage, ir, f->path, asked) : exit_code;
}

static int test_file(struct report *r, const char *path, int argc, char **argv)
{
	struct report_file *f = report_add(r, path, cmd_compilation());
	struct asked asked;

	options_read(&asked, f->c, NULL, argc, argv);
	const struct policy *p = front_read(f->c, path);
	if (p)
		return run_tests(r, f, p, &asked);
	report_diags(stderr, f->c);
	return front_exit(f->c);
}

int cmd_test(int argc, char **argv)
{
	own(compilation) struct compilation *c = cmd_compilation();
	own(report) struct report *r = report_new("test");
	struct asked asked;
	int worst = EXIT_YES;

	if (!options_read(&asked, c, r, argc, argv))
		return cmd_usage("test");
	for (int i = optind; i < argc; i++) /* the first reading has put the files last */
		worst = cmd_worse(worst, test_file(r, argv[i], argc, argv));
	return report_write(r, worst);
}
