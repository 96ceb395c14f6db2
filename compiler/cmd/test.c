/*
 * tegc test FILE... - the policies' own tests, in eval.
 *
 *     --filter TEXT    only tests with TEXT in their name
 *     --plain          one line for each finding, for screen readers and scripts
 *     --allow-empty    no tests is not a failure
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "compiler/cmd/cmd.h"
#include "compiler/report/diags.h"
#include "compiler/report/trials.h"

enum { FILTER = CMD_OWN, PLAIN, ALLOW_EMPTY };

struct asked {
	const char *filter;
	bool plain, allow_empty;
};

/* Each file is a compilation of its own, so the options are read for each anew. */
static bool options_read(struct asked *out, struct compilation *c, int argc, char **argv)
{
	static const struct option options[] = {
		CMD_POLICY_OPTIONS,
		{ "filter", 1, NULL, FILTER },
		{ "plain", 0, NULL, PLAIN },
		{ "allow-empty", 0, NULL, ALLOW_EMPTY },
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

static int run_tests(struct compilation *c, const struct policy *p, const char *path, const struct asked *asked)
{
	const struct ir *ir = ir_lower(p, c->arena);
	size_t run = 0, failed = 0;

	for (size_t i = 0; i < p->test_count; i++) {
		struct trial t;

		if (asked->filter && !strstr(p->tests[i].name, asked->filter))
			continue;
		trial_run(&t, ir, &p->tests[i], c->arena);
		report_trial(&c->diags, &t);
		run++;
		failed += t.failed > 0;
	}
	if (asked->plain)
		print_plain(c);
	else
		report_diags(stdout, c);
	if (!run) {
		printf("%s: no tests%s\n", path, asked->filter ? " of that name" : "");
		return asked->allow_empty ? EXIT_YES : EXIT_UNKNOWN;
	}
	printf("%s: %zu passed, %zu failed\n", path, run - failed, failed);
	return failed ? EXIT_NO : EXIT_YES;
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
