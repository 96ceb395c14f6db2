/*
 * tegc disasm BUNDLE - what is in a bundle, in words.
 */
#include <errno.h>
#include <stdio.h>

#include "compiler/cmd/cmd.h"
#include "compiler/report/listing.h"
#include "lang/base/file.h"

int cmd_disasm(int argc, char **argv)
{
	own(buf) struct buf bytes = { 0 }, text = { 0 };
	own(bundle) struct bundle *b = NULL;
	struct err why = { 0 };

	if (argc != 2 || argv[1][0] == '-')
		return cmd_usage("disasm");
	if (file_read(&bytes, argv[1], BUNDLE_BYTES_MAX, &why)) {
		fprintf(stderr, "tegc disasm: %s\n", why.text);
		return why.code == -EIO ? EXIT_IO : EXIT_INPUT;
	}
	if (bundle_open(&b, bytes.at, bytes.len, &why) || listing_print(&text, b, &why)) {
		fprintf(stderr, "tegc disasm: %s: %s\n", argv[1], why.text);
		return EXIT_WRONG;
	}
	if (fwrite(text.at, 1, text.len, stdout) != text.len || fflush(stdout))
		return EXIT_IO;
	return EXIT_YES;
}
