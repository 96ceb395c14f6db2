/*
 * tegc diff OLD NEW - what changed in meaning. Each is a file, a bundle, "-", or REV:path of
 * a git repository (input.h).
 *
 *     --all               every change, however many lines
 *     --fail-on LEVEL     exit 3 at this level or above: low, medium, high (default), critical
 *     --markdown          a table for a pull request
 *     --analysis-budget N how many steps the prover may take
 *     --at PATH           OLD and NEW are versions of this path, in files of other names
 *     --git               the arguments are those that git gives an external diff driver
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "compiler/cmd/cmd.h"
#include "compiler/cmd/comparison.h"
#include "compiler/cmd/input.h"
#include "compiler/cmd/patch.h"
#include "compiler/ir/ir.h"
#include "compiler/report/changes/owners.h"
#include "compiler/report/diags.h"
#include "lang/base/file.h"

enum { FAIL_ON = COMPARISON_OWN, AT, GIT };

struct asked {
	struct comparison_asked how;
	enum risk fail_on;
	struct version {
		const char *file, *at; /* `at`: the path of which it is a version, or NULL */
		bool committed;	       /* a blob, though the file be the path itself */
		const char *where;     /* in which revision it was found */
	} old, new;
	bool git;
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

/* All zeros where git has not hashed the file. */
static bool is_object(const char *hex)
{
	return hex[strspn(hex, "0")] != 0;
}

/*
 * PATH OLD-FILE OLD-HEX OLD-MODE NEW-FILE NEW-HEX NEW-MODE, and after a rename two more; of what is
 * not merged PATH alone: GIT_EXTERNAL_DIFF in git(1).
 */
static bool git_arguments(struct asked *a, int count, char **given)
{
	if (count != 1 && count != 7 && count != 9)
		return false;
	a->old.at = given[0];
	a->new.at = count == 9 ? given[7] : given[0];
	if (count == 1)
		return true;
	a->old.file = given[1];
	a->old.committed = is_object(given[2]);
	a->new.file = given[4];
	a->new.committed = is_object(given[5]);
	return true;
}

static bool options_read(struct asked *a, struct report *r, int argc, char **argv)
{
	static const struct option options[] = {
		COMPARISON_OPTIONS,
		{ "fail-on", 1, NULL, FAIL_ON },
		{ "at", 1, NULL, AT },
		{ "git", 0, NULL, GIT },
		{ 0 },
	};

	*a = (struct asked){ .fail_on = RISK_HIGH, .how.budget = PROVE_BUDGET };
	optind = 0; /* GNU: from the beginning */
	for (int o; (o = getopt_long(argc, argv, CMD_POLICY_LETTERS, options, NULL)) != -1;) {
		switch (o) {
		case FAIL_ON:
			if (!level_read(&a->fail_on, optarg))
				return false;
			break;
		case AT:
			a->old.at = a->new.at = optarg;
			break;
		case GIT:
			a->git = true;
			break;
		default:
			if (!comparison_option(&a->how, r, o, optarg))
				return false;
		}
	}
	if (a->git)
		return git_arguments(a, argc - optind, argv + optind);
	if (argc - optind != 2)
		return false;
	a->old.file = argv[optind];
	a->new.file = argv[optind + 1];
	return true;
}

static const struct ir *ir_read(struct compilation *c, struct version *s)
{
	struct policy *p = s->at ? input_read_version(c, s->at, s->file, s->committed, &s->where) :
				   input_read(c, s->file);

	report_diags(stderr, c);
	return p ? ir_lower(p, c->arena) : NULL;
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

static int say(const struct diff *d, const struct asked *a, struct report *r)
{
	int rc = comparison_tell(r, d, &a->how);

	return rc ? rc : answer(d, a);
}

/* --- for git ------------------------------------------------------------------------ */

static bool is_nothing(const char *file)
{
	return !strcmp(file, "/dev/null");
}

/* Text that has no meaning by itself, or none that could be read, is compared as text. */
static int say_text(const struct asked *a)
{
	own(buf) struct buf old = { 0 }, new = { 0 }, out = { 0 };
	struct err why = { 0 };

	if (file_read(&old, a->old.file, SOURCE_BYTES_MAX, &why) ||
	    file_read(&new, a->new.file, SOURCE_BYTES_MAX, &why)) {
		fprintf(stderr, "tegc diff: %s\n", why.text);
		return EXIT_INPUT;
	}
	patch_print(&out, a->new.at, &old, &new);
	fwrite(out.at, 1, out.len, stdout);
	return EXIT_YES;
}

/* Git takes every other answer than 0 for a failure, so a difference is none here. */
static int diff_for_git(struct asked *a, struct report *r)
{
	struct compilation *old = r->files.at[0]->c, *new = r->files.at[1]->c;
	const struct ir *x, *y;
	int rc;

	if (!a->old.file) {
		printf("%s: not merged\n", a->old.at);
		return EXIT_YES;
	}
	if (is_nothing(a->old.file) || is_nothing(a->new.file)) {
		printf("%s: %s\n", a->new.at, is_nothing(a->old.file) ? "new" : "gone");
		return say_text(a);
	}
	old->library_fits = new->library_fits = true;
	x = ir_read(old, &a->old);
	y = ir_read(new, &a->new);
	if (!x || !y)
		return say_text(a);
	printf("%s: %s -> %s\n", a->new.at, a->old.where, a->new.where);

	own(prover) struct prover *p = prover_new(&a->how.budget);

	rc = report_write(r, say(report_owners(prove_diff(p, x, y), old, new, x, y), a, r));
	return rc < EXIT_USAGE ? EXIT_YES : rc;
}

static int diff(struct asked *a, struct report *r)
{
	own(prover) struct prover *p = prover_new(&a->how.budget);
	struct compilation *old = r->files.at[0]->c, *new = r->files.at[1]->c;
	const struct ir *x = ir_read(old, &a->old), *y = ir_read(new, &a->new);
	int rc;

	if (!x || !y)
		rc = front_exit(x ? new : old);
	else
		rc = say(report_owners(prove_diff(p, x, y), old, new, x, y), a, r);
	return report_write(r, rc);
}

int cmd_diff(int argc, char **argv)
{
	own(report) struct report *r = report_new("diff");
	struct asked a;

	report_add(r, "old", cmd_compilation());
	report_add(r, "new", cmd_compilation());
	if (!options_read(&a, r, argc, argv))
		return cmd_usage("diff");
	if (a.git)
		return diff_for_git(&a, r);
	r->files.at[0]->path = a.old.file;
	r->files.at[1]->path = a.new.file;
	return diff(&a, r);
}
