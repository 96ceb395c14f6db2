#include "compiler/cmd/comparison.h"

#include <stdio.h>

#include "compiler/cmd/cmd.h"

int comparison_tell(struct report *r, const struct diff *d, enum changes_form form, bool all)
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
	report_changes(&text, d, r->files.at[0]->c, r->files.at[1]->c, form, all);
	fwrite(text.at, 1, text.len, report_text(r));
	return EXIT_YES;
}
