/*
 * tegc build FILE -o BUNDLE - check, then compile.
 *
 * The bundle is written whole or not at all, and only when nothing is wrong.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/stat.h>

#include "compiler/cmd/cmd.h"
#include "compiler/emit/emit.h"
#include "compiler/report/diags.h"
#include "lang/base/file.h"

/* The policy under another name of the same file: it would be lost. */
static bool same_file(const char *x, const char *y)
{
	struct stat a, b;

	return stat(x, &a) == 0 && stat(y, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int build(struct compilation *c, const char *from, const char *to)
{
	own(buf) struct buf bundle = { 0 };
	struct err why = { 0 };
	const struct policy *p = front_read(c, from);

	report_diags(stderr, c);
	if (!p)
		return front_exit(c);
	if (emit_bundle(&bundle, ir_lower(p, c->arena), front_print_resolved(p, c->arena), &why)) {
		fprintf(stderr, "tegc build: %s: %s\n", from, why.text);
		return why.code == -E2BIG ? EXIT_WRONG : EXIT_OURS;
	}
	if (file_replace(to, bundle.at, bundle.len, 0644, &why)) {
		fprintf(stderr, "tegc build: %s\n", why.text);
		return EXIT_IO;
	}
	return EXIT_YES;
}

int cmd_build(int argc, char **argv)
{
	static const struct option options[] = { CMD_POLICY_OPTIONS, { "out", 1, NULL, 'o' }, { 0 } };
	own(compilation) struct compilation *c = compilation_new();
	const char *to = NULL;

	for (int o; (o = getopt_long(argc, argv, CMD_POLICY_LETTERS "o:", options, NULL)) != -1;)
		if (o == 'o')
			to = optarg;
		else if (!cmd_policy_option(c, o, optarg))
			return cmd_usage("build");
	if (!to || argc - optind != 1)
		return cmd_usage("build");
	if (same_file(argv[optind], to)) {
		fprintf(stderr, "tegc build: %s is the policy itself; name another file with -o\n", to);
		return EXIT_USAGE;
	}
	return build(c, argv[optind], to);
}
