/*
 * tegc fmt FILE... - policies in their one spelling, in place.
 *
 * --check writes nothing and exits 2 when something would change; - reads
 * standard input and writes standard output. A file with mistakes in its syntax
 * stays as it is.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "compiler/cmd/cmd.h"
#include "compiler/report/diags.h"
#include "lang/base/file.h"
#include "lang/spell/print.h"

static bool is_stdin(const char *path)
{
	return !strcmp(path, "-");
}

static int failed(const struct err *why, int code)
{
	fprintf(stderr, "tegc fmt: %s\n", why->text);
	return code;
}

static int put(const char *path, const struct buf *text)
{
	struct err why = { 0 };

	if (is_stdin(path))
		fwrite(buf_text(text), 1, text->len, stdout);
	else if (file_save(path, text->at, text->len, 0644, &why))
		return failed(&why, EXIT_IO);
	return EXIT_YES;
}

static int fmt_one(struct report *r, const char *path, bool check)
{
	struct report_file *report = report_add(r, path, cmd_compilation());
	struct compilation *c = report->c;
	own(buf) struct buf before = { 0 }, after = { 0 };
	struct err why = { 0 };

	if (is_stdin(path) ? file_read_fd(&before, STDIN_FILENO, SOURCE_BYTES_MAX, &why) :
			     file_read(&before, path, SOURCE_BYTES_MAX, &why))
		return failed(&why, why.code == -EIO ? EXIT_IO : EXIT_INPUT);
	uint32_t file = source_add(&c->sources, is_stdin(path) ? "<stdin>" : path,
				   arena_strndup(c->arena, buf_text(&before), before.len), before.len);
	if (!print_source(&after, c->arena, &c->sources, file, &c->diags)) {
		report_diags(stderr, c);
		return EXIT_WRONG;
	}
	bool same = after.len == before.len && !memcmp(buf_text(&after), buf_text(&before), after.len);
	report->spelling = same ? SPELLING_SAME : check ? SPELLING_OTHER : SPELLING_WRITTEN;
	if (!check)
		return same && !is_stdin(path) ? EXIT_YES : put(path, &after);
	if (!same)
		fprintf(report_text(r), "%s\n", path);
	return same ? EXIT_YES : EXIT_NO;
}

/* The policy itself goes to standard output: a report cannot go there too. */
static bool both_to_stdout(const struct report *r, bool check, int count, char **paths)
{
	for (int i = 0; i < count; i++)
		if (!check && is_stdin(paths[i]) && report_text(r) != stdout) {
			fputs("tegc fmt: the policy goes to standard output; name a file for the report\n", stderr);
			return true;
		}
	return false;
}

int cmd_fmt(int argc, char **argv)
{
	static const struct option options[] = { { "check", 0, NULL, 'c' }, CMD_REPORT_OPTIONS, { 0 } };
	own(report) struct report *r = report_new("fmt");
	bool check = false;
	int o, worst = 0;

	optind = 0;
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'c')
			check = true;
		else if (!cmd_report_option(r, o, optarg))
			return cmd_usage("fmt");
	}
	if (optind == argc)
		return cmd_usage("fmt");
	if (both_to_stdout(r, check, argc - optind, argv + optind))
		return EXIT_USAGE;
	for (int i = optind; i < argc; i++)
		worst = cmd_worse(worst, fmt_one(r, argv[i], check));
	return report_write(r, worst);
}
