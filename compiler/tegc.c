/*
 * tegc - the compiler: reads .teg policies, says what is wrong with them, tests
 * them, and seals them into bundles. Commands are rows of compiler/cmd/cmd.def.
 */
#include <stdio.h>
#include <string.h>

#include "compiler/cmd/cmd.h"
#include "lang/base/version.h"

int main(int argc, char **argv)
{
	if (argc < 2) {
		char *help[] = { "help", NULL };

		cmd_help(1, help);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--version")) {
		puts("tegc " TEGUMENTAR_VERSION);
		return 0;
	}
	for (size_t i = 0; i < command_count; i++)
		if (!strcmp(argv[1], commands[i].name) ||
		    (!strcmp(argv[1], "--help") && commands[i].run == cmd_help))
			return commands[i].run(argc - 1, argv + 1);
	fprintf(stderr, "tegc: there is no command `%s`; `tegc help` lists them\n", argv[1]);
	return EXIT_USAGE;
}
