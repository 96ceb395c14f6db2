/*
 * tegc explain CODE - the page on a diagnostic: a wrong policy, why, the right one.
 *
 *     --list    every code, with what it is about
 */
#include <getopt.h>
#include <stdio.h>

#include "compiler/cmd/cmd.h"
#include "compiler/report/pages.h"
#include "lang/syntax/near.h"

enum { LIST = CMD_OWN };

static int list_codes(void)
{
	for (int i = 0; i < DIAG_COUNT; i++)
		printf("%s  %s\n", diag_kinds[i].code, diag_kinds[i].title);
	return EXIT_YES;
}

static int unknown_code(const char *text)
{
	struct near n = near_to(text);

	for (int i = 0; i < DIAG_COUNT; i++) {
		near_try(&n, diag_kinds[i].code);
		near_try(&n, diag_kinds[i].id);
	}
	fprintf(stderr, "tegc: no diagnostic is called `%s`", text);
	if (n.best)
		fprintf(stderr, "; did you mean `%s`?", n.best);
	fputs("\ntegc explain --list names them all\n", stderr);
	return EXIT_USAGE;
}

static int explain_code(const char *text)
{
	own(buf) struct buf page = { 0 };
	enum diag_code code = diag_code_find(text);

	if (code == DIAG_COUNT || !report_page(&page, code))
		return unknown_code(text);
	fputs(buf_text(&page), stdout);
	return EXIT_YES;
}

int cmd_explain(int argc, char **argv)
{
	static const struct option options[] = { { "list", 0, NULL, LIST }, { 0 } };
	bool list = false;
	int exit_code;

	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (o != LIST)
			return cmd_usage("explain");
		list = true;
	}
	if (argc - optind != !list)
		return cmd_usage("explain");
	exit_code = list ? list_codes() : explain_code(argv[optind]);
	return fflush(stdout) ? EXIT_IO : exit_code;
}
