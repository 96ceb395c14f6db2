/*
 * tegc lsp - the language server: an editor talks to it on standard input and output.
 */
#include <getopt.h>
#include <unistd.h>

#include "compiler/cmd/cmd.h"
#include "compiler/lsp/server.h"

struct asked {
	int argc;
	char **argv;
};

static bool options_read(struct compilation *c, const struct asked *asked)
{
	static const struct option options[] = { CMD_POLICY_OPTIONS, { "stdio", 0, NULL, 's' }, { 0 } };
	bool good = true;

	optind = 0;
	for (int o; good && (o = getopt_long(asked->argc, asked->argv, CMD_POLICY_LETTERS, options, NULL)) != -1;)
		good = o == 's' || cmd_policy_option(c, o, optarg);
	return good && optind == asked->argc;
}

static void give(struct compilation *c, void *asked)
{
	cmd_libraries(c);
	options_read(c, asked);
}

int cmd_lsp(int argc, char **argv)
{
	own(compilation) struct compilation *once = cmd_compilation();
	struct asked asked = { argc, argv };

	if (!options_read(once, &asked))
		return cmd_usage("lsp");
	return lsp_serve(STDIN_FILENO, STDOUT_FILENO, (struct documents_options){ give, &asked });
}
