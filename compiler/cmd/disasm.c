/*
 * tegc disasm BUNDLE - what is in a bundle, in words.
 */
#include <errno.h>
#include <stdio.h>
#include <sysexits.h>

#include "compiler/cmd/disasm.h"
#include "compiler/report/listing.h"
#include "lang/base/file.h"

/* 1: the bundle is not one that would be enforced. */
static int refused(const char *path, const struct err *why)
{
	fprintf(stderr, "tegc disasm: %s: %s\n", path, why->text);
	return 1;
}

int cmd_disasm(int argc, char **argv)
{
	own(buf) struct buf bytes = { 0 }, text = { 0 };
	own(bundle) struct bundle *b = NULL;
	struct err why = { 0 };

	if (argc != 2 || argv[1][0] == '-') {
		fputs("usage: tegc disasm BUNDLE\n", stderr);
		return EX_USAGE;
	}
	if (file_read(&bytes, argv[1], BUNDLE_BYTES_MAX, &why)) {
		fprintf(stderr, "tegc disasm: %s\n", why.text);
		return why.code == -ENOENT ? EX_NOINPUT : EX_IOERR;
	}
	if (bundle_open(&b, bytes.at, bytes.len, &why) || listing_print(&text, b, &why))
		return refused(argv[1], &why);
	if (fwrite(text.at, 1, text.len, stdout) != text.len || fflush(stdout))
		return EX_IOERR;
	return 0;
}
