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
#include <sys/stat.h>

#include "compiler/cmd/cmd.h"
#include "compiler/report/diags.h"
#include "lang/base/file.h"
#include "lang/syntax/parse.h"
#include "lang/syntax/print.h"

static int read_failed(const struct err *why)
{
	fprintf(stderr, "tegc fmt: %s\n", why->text);
	return why->code == -EIO ? EXIT_IO : EXIT_INPUT;
}

static int replace(const char *path, const struct buf *text)
{
	struct err why = { 0 };
	struct stat st;

	if (stat(path, &st) || file_replace(path, text->at, text->len, st.st_mode & 07777, &why)) {
		fprintf(stderr, "tegc fmt: %s\n", why.text[0] ? why.text : strerror(errno));
		return EXIT_IO;
	}
	return 0;
}

static int fmt_one(const char *path, bool check)
{
	own(compilation) struct compilation *c = compilation_new();
	own(buf) struct buf before = { 0 }, after = { 0 };
	struct err why = { 0 };
	struct ast ast;
	bool stdio = !strcmp(path, "-");

	if (stdio ? file_read_fd(&before, STDIN_FILENO, SOURCE_BYTES_MAX, &why) :
		    file_read(&before, path, SOURCE_BYTES_MAX, &why))
		return read_failed(&why);
	uint32_t file = source_add(&c->sources, stdio ? "<stdin>" : path, buf_text(&before), before.len);
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
	if (check) {
		if (!same)
			printf("%s\n", path);
		return same ? EXIT_YES : EXIT_NO;
	}
	if (stdio)
		return fwrite(buf_text(&after), 1, after.len, stdout) == after.len ? EXIT_YES : EXIT_IO;
	return same ? EXIT_YES : replace(path, &after);
}

int cmd_fmt(int argc, char **argv)
{
	static const struct option options[] = { { "check", 0, NULL, 'c' }, { 0 } };
	bool check = false;
	int o, worst = 0;

	optind = 0;
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o != 'c')
			return cmd_usage("fmt");
		check = true;
	}
	if (optind == argc)
		return cmd_usage("fmt");
	for (int i = optind; i < argc; i++) {
		int exit_code = fmt_one(argv[i], check);

		worst = exit_code > worst ? exit_code : worst;
	}
	return fflush(stdout) ? EXIT_IO : worst;
}
