#include "compiler/cmd/comparison.h"

#include <stdio.h>

/* Of both policies. */
static bool policy_option(struct report *r, int option, const char *value)
{
	return cmd_policy_option(r->files.at[0]->c, option, value) && cmd_policy_option(r->files.at[1]->c, option, value);
}

bool comparison_option(struct comparison_asked *a, struct report *r, int option, const char *value)
{
	switch (option) {
	case COMPARISON_ALL:
		a->all = true;
		return true;
	case COMPARISON_MARKDOWN:
		a->form = CHANGES_MARKDOWN;
		return true;
	case COMPARISON_BUDGET:
		return cmd_steps(&a->budget.steps, r->command, value);
	}
	return cmd_report_option(r, option, value) || policy_option(r, option, value);
}

int comparison_tell(struct report *r, const struct diff *d, const struct comparison_asked *a)
{
	own(buf) struct buf text = { 0 };

	if (d->too_many_zones) {
		fprintf(stderr, "tegc %s: the policies name more than 63 zones together\n", r->command);
		return EXIT_UNKNOWN;
	}
	if (!diff_replays(d)) {
		fprintf(stderr, "tegc %s: an example does not replay; this is a mistake of tegc\n", r->command);
		return EXIT_OURS;
	}
	r->diff = d;
	report_changes(&text, d, r->files.at[0]->c, r->files.at[1]->c, a->form, a->all);
	fwrite(text.at, 1, text.len, report_text(r));
	return EXIT_YES;
}
