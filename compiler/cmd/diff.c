/*
 * tegc diff OLD NEW - what changed in meaning. Each is a file, a bundle, "-", or REV:path of
 * a git repository (input.h).
 *
 *     --all               every change, however many lines
 *     --fail-on LEVEL     exit 3 at this level or above: low, medium, high (default), critical
 *     --markdown          a table for a pull request
 *     --report json=F     the same for programs, into a file
 *     --analysis-budget N how many steps the prover may take
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "compiler/cmd/cmd.h"
#include "compiler/cmd/input.h"
#include "compiler/ir/ir.h"
#include "compiler/report/changes.h"
#include "compiler/report/diags.h"

enum { ALL = CMD_OWN, FAIL_ON, MARKDOWN, REPORT, BUDGET };

struct asked {
	bool all;
	enum changes_form form;
	enum risk fail_on;
	const char *json; /* path, or NULL */
	struct prove_budget budget;
	const char *old, *new;
};

static bool level_read(enum risk *out, const char *word)
{
	for (int r = RISK_LOW; r <= RISK_CRITICAL; r++)
		if (!strcmp(word, risk_name((enum risk)r))) {
			*out = (enum risk)r;
			return true;
		}
	fprintf(stderr, "tegc diff: --fail-on takes low, medium, high or critical\n");
	return false;
}

static bool budget_read(struct prove_budget *out, const char *word)
{
	char *end;

	out->steps = strtoull(word, &end, 10);
	if (*word >= '0' && *word <= '9' && !*end && out->steps)
		return true;
	fprintf(stderr, "tegc diff: --analysis-budget takes a number of steps\n");
	return false;
}

static bool report_read(struct asked *a, const char *word)
{
	if (!strncmp(word, "json=", 5) && word[5]) {
		a->json = word + 5;
		return true;
	}
	fprintf(stderr, "tegc diff: --report takes json=FILE\n");
	return false;
}

/* Both policies take the same parameters and import paths. */
static bool options_read(struct asked *a, struct compilation *old, struct compilation *new, int argc,
			 char **argv)
{
	static const struct option options[] = {
		CMD_POLICY_OPTIONS,
		{ "all", 0, NULL, ALL },
		{ "fail-on", 1, NULL, FAIL_ON },
		{ "markdown", 0, NULL, MARKDOWN },
		{ "report", 1, NULL, REPORT },
		{ "analysis-budget", 1, NULL, BUDGET },
		{ 0 },
	};

	*a = (struct asked){ .fail_on = RISK_HIGH, .budget = PROVE_BUDGET };
	optind = 0; /* GNU: from the beginning */
	for (int o; (o = getopt_long(argc, argv, CMD_POLICY_LETTERS, options, NULL)) != -1;) {
		switch (o) {
		case ALL:
			a->all = true;
			break;
		case FAIL_ON:
			if (!level_read(&a->fail_on, optarg))
				return false;
			break;
		case MARKDOWN:
			a->form = CHANGES_MARKDOWN;
			break;
		case REPORT:
			if (!report_read(a, optarg))
				return false;
			break;
		case BUDGET:
			if (!budget_read(&a->budget, optarg))
				return false;
			break;
		default:
			if (!cmd_policy_option(old, o, optarg) || !cmd_policy_option(new, o, optarg))
				return false;
		}
	}
	if (argc - optind != 2)
		return false;
	a->old = argv[optind];
	a->new = argv[optind + 1];
	return true;
}

static const struct ir *ir_read(struct compilation *c, const char *path)
{
	struct policy *p = input_read(c, path);

	report_diags(stderr, c);
	return p ? ir_lower(p, c->arena) : NULL;
}

static bool all_replay(const struct diff *d)
{
	for (size_t i = 0; i < d->change_count; i++)
		if (!d->changes[i].witness.replays)
			return false;
	return true;
}

static enum risk worst_of(const struct diff *d)
{
	enum risk worst = RISK_NONE;

	for (size_t i = 0; i < d->change_count; i++)
		worst = d->changes[i].risk > worst ? d->changes[i].risk : worst;
	for (size_t i = 0; i < d->fact_count; i++)
		worst = d->facts[i].risk > worst ? d->facts[i].risk : worst;
	return worst;
}

/* A risk that was found outranks a part that was not decided; that outranks the rest. */
static int answer(const struct diff *d, const struct asked *a)
{
	if (worst_of(d) >= a->fail_on)
		return EXIT_RISKY;
	if (d->progress.undecided)
		return EXIT_UNKNOWN;
	return d->change_count || d->fact_count ? EXIT_NO : EXIT_YES;
}

static int write_json(const struct diff *d, struct compilation *old, struct compilation *new,
		      const char *path)
{
	cJSON *json = report_changes_json(d, old, new);
	char *text = cJSON_Print(json);
	own(file) FILE *f = fopen(path, "we");
	int rc = f && text && fputs(text, f) >= 0 && fputc('\n', f) >= 0 && fflush(f) == 0 ? 0 : EX_IOERR;

	if (rc)
		fprintf(stderr, "tegc diff: cannot write %s\n", path);
	cJSON_free(text);
	cJSON_Delete(json);
	return rc;
}

static int say(const struct diff *d, const struct asked *a, struct compilation *old,
	       struct compilation *new)
{
	own(buf) struct buf text = { 0 };

	if (d->too_many_zones) {
		fputs("tegc diff: the two policies name more than 63 zones together\n", stderr);
		return EXIT_UNKNOWN;
	}
	if (!all_replay(d)) {
		fputs("tegc diff: an example does not replay; this is a mistake of tegc\n", stderr);
		return EX_SOFTWARE;
	}
	report_changes(&text, d, old, new, a->form, a->all);
	if (fwrite(text.at, 1, text.len, stdout) != text.len || fflush(stdout))
		return EX_IOERR;
	if (a->json && write_json(d, old, new, a->json))
		return EX_IOERR;
	return answer(d, a);
}

int cmd_diff(int argc, char **argv)
{
	own(compilation) struct compilation *old = compilation_new(), *new = compilation_new();
	struct asked a;

	if (!options_read(&a, old, new, argc, argv))
		return cmd_usage("diff");

	own(prover) struct prover *p = prover_new(&a.budget);
	const struct ir *x = ir_read(old, a.old), *y = ir_read(new, a.new);

	if (!x)
		return front_exit(old);
	if (!y)
		return front_exit(new);
	return say(prove_diff(p, x, y), &a, old, new);
}
