/*
 * tegc disasm BUNDLE - what is in a bundle, in words.
 *
 *     --trusted-keys PATH    by which of these keys it is signed; exit 2 when by none
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "compiler/cmd/cmd.h"
#include "compiler/report/listing.h"
#include "lang/base/file.h"
#include "lang/bundle/trust.h"

static int signer_check(const char *trusted, const struct bundle *b, const char *path)
{
	own(arena) struct arena *a = arena_new();
	struct trust_signer who;
	struct trust t;
	struct err why = { 0 };

	if (trust_read(&t, a, trusted, &why)) {
		fprintf(stderr, "tegc disasm: %s\n", why.text);
		return EXIT_INPUT;
	}
	if (trust_check(&who, &t, b, &why)) {
		fprintf(stderr, "tegc disasm: %s: %s\n", path, why.text);
		return EXIT_NO;
	}
	printf("the signature holds: %s, key %s\n", who.name, who.seal.id);
	return EXIT_YES;
}

static int disasm(const char *path, const char *trusted)
{
	own(buf) struct buf bytes = { 0 }, text = { 0 };
	own(bundle) struct bundle *b = NULL;
	struct err why = { 0 };

	if (file_read(&bytes, path, BUNDLE_BYTES_MAX, &why)) {
		fprintf(stderr, "tegc disasm: %s\n", why.text);
		return why.code == -EIO ? EXIT_IO : EXIT_INPUT;
	}
	if (bundle_open(&b, bytes.at, bytes.len, &why) || listing_print(&text, b, &why)) {
		fprintf(stderr, "tegc disasm: %s: %s\n", path, why.text);
		return EXIT_WRONG;
	}
	int rc = trusted ? signer_check(trusted, b, path) : EXIT_YES;
	if (!rc)
		fwrite(text.at, 1, text.len, stdout);
	return rc;
}

int cmd_disasm(int argc, char **argv)
{
	enum { TRUSTED = CMD_OWN };
	static const struct option options[] = { { "trusted-keys", 1, NULL, TRUSTED }, { 0 } };
	const char *trusted = NULL;

	optind = 0; /* GNU: from the beginning */
	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (o != TRUSTED)
			return cmd_usage("disasm");
		trusted = optarg;
	}
	if (argc - optind != 1)
		return cmd_usage("disasm");
	return disasm(argv[optind], trusted);
}
