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
#include "lang/syntax/parse.h"

static int read_failed(const struct err *why)
{
	fprintf(stderr, "tegc fmt: %s\n", why->text);
	return why->code == -EIO ? EXIT_IO : EXIT_INPUT;
}

static int save(const char *path, const struct buf *text)
{
	struct err why = { 0 };

	if (file_save(path, text->at, text->len, 0644, &why)) {
		fprintf(stderr, "tegc fmt: %s\n", why.text);
		return EXIT_IO;
	}
	return 0;
}

static int fmt_one(struct report *r, const char *path, bool check)
{
	struct report_file *report = report_add(r, path, cmd_compilation());
	struct compilation *c = report->c;
	own(buf) struct buf before = { 0 }, after = { 0 };
	struct err why = { 0 };
	struct ast ast;
	bool stdio = !strcmp(path, "-");

	if (stdio ? file_read_fd(&before, STDIN_FILENO, SOURCE_BYTES_MAX, &why) :
		    file_read(&before, path, SOURCE_BYTES_MAX, &why))
		return read_failed(&why);
	uint32_t file = source_add(&c->sources, stdio ? "<stdin>" : path,
				   arena_strndup(c->arena, buf_text(&before), before.len), before.len);
	if (utf8_sound(buf_text(&before), before.len) != before.len) {
		fprintf(stderr, "tegc fmt: %s is not UTF-8 text\n", path);
		return EXIT_WRONG;
	}
	parse_file(&ast, c->arena, &c->sources, file, &c->diags);
	if (!ast.sound || c->diags.errors) {
		report_diags(stderr, c);
		return EXIT_WRONG;
	}
	print_file(&after, &ast, &c->sources, file);
	bool same = after.len == before.len && !memcmp(buf_text(&after), buf_text(&before), after.len);
	report->spelling = same ? SPELLING_SAME : check ? SPELLING_OTHER : SPELLING_WRITTEN;
	if (check) {
		if (!same)
			fprintf(report_text(r), "%s\n", path);
		return same ? EXIT_YES : EXIT_NO;
	}
	if (stdio) {
		fwrite(buf_text(&after), 1, after.len, stdout);
		return EXIT_YES;
	}
	return same ? EXIT_YES : save(path, &after);
}

/* The policy itself goes to standard output: a report cannot go there too. */
static bool both_to_stdout(const struct report *r, bool check, int count, char **paths)
{
	for (int i = 0; i < count; i++)
		if (!check && !strcmp(paths[i], "-") && report_text(r) != stdout) {
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
