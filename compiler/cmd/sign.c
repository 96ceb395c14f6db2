/*
 * tegc sign --key FILE BUNDLE - sign a bundle that is there; where the key is, the policy need not be.
 *
 *     --serial N    the signer's count; hosts that took N go back to no lower one by themselves
 *     -o OUT        the signed bundle; BUNDLE itself when left out
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "compiler/cmd/cmd.h"
#include "compiler/cmd/key.h"
#include "lang/base/file.h"
#include "lang/bundle/bundle.h"

static int failed(const struct err *why, int code)
{
	fprintf(stderr, "tegc sign: %s\n", why->text);
	return code;
}

static int sign(const char *key, uint64_t serial, const char *from, const char *to)
{
	own(seal_secret) struct seal_secret s = { 0 };
	own(buf) struct buf bundle = { 0 }, out = { 0 };
	struct err why = { 0 };

	if (key_read(&s, key, &why) || file_read(&bundle, from, BUNDLE_BYTES_MAX, &why))
		return failed(&why, why.code == -EIO ? EXIT_IO : EXIT_INPUT);
	if (key_sign(&out, &bundle, &s, serial, &why)) {
		err_in(&why, "%s", from);
		return failed(&why, EXIT_WRONG);
	}
	if (file_save(to, out.at, out.len, 0644, &why))
		return failed(&why, EXIT_IO);
	return EXIT_YES;
}

int cmd_sign(int argc, char **argv)
{
	enum { KEY = CMD_OWN, SERIAL };
	static const struct option options[] = {
		{ "key", 1, NULL, KEY }, { "serial", 1, NULL, SERIAL }, { "out", 1, NULL, 'o' }, { 0 }
	};
	const char *key = NULL, *to = NULL;
	uint64_t serial = 0;
	struct err why = { 0 };

	optind = 0; /* GNU: from the beginning */
	for (int o; (o = getopt_long(argc, argv, "o:", options, NULL)) != -1;)
		switch (o) {
		case KEY:
			key = optarg;
			break;
		case SERIAL:
			if (key_serial(&serial, optarg, &why))
				return failed(&why, EXIT_USAGE);
			break;
		case 'o':
			to = cmd_out(optarg);
			break;
		default:
			return cmd_usage("sign");
		}
	if (argc - optind != 1)
		return cmd_usage("sign");
	if (!key) {
		fputs("tegc sign: --key names the secret key\n", stderr);
		return EXIT_USAGE;
	}
	return sign(key, serial, argv[optind], to ? to : argv[optind]);
}
