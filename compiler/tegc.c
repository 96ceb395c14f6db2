/*
 * tegc - the compiler: reads .teg policies, says what is wrong with them, tests
 * them, and seals them into bundles. Commands are rows of compiler/cmd/cmd.def.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "compiler/cmd/cmd.h"
#include "compiler/cmd/revision.h"
#include "lang/base/near.h"
#include "lang/base/version.h"

static int help_on(const char *command)
{
	char *words[] = { "help", (char *)command, NULL };

	return cmd_help(command ? 2 : 1, words);
}

/* `tegc build --help`, wherever it stands among the options. */
static bool asks_for_help(char *const *words)
{
	for (; *words && strcmp(*words, "--"); words++)
		if (!strcmp(*words, "--help"))
			return true;
	return false;
}

/* Policies by the names of input.h. */
static bool takes_revisions(const char *command)
{
	static const char *const all[] = { "diff", "explain", "no-new-access", "prove" };

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (!strcmp(command, all[i]))
			return true;
	return false;
}

static int unknown(const char *word)
{
	struct near n = near_to(word);

	for (size_t i = 0; i < command_count; i++)
		near_try(&n, commands[i].name);
	fprintf(stderr, "tegc: there is no command `%s`", word);
	if (n.best)
		fprintf(stderr, "; did you mean `%s`?\n", n.best);
	else
		fputs("; `tegc help` lists them\n", stderr);
	return EXIT_USAGE;
}

static int run(int argc, char **argv)
{
	char name[64];

	if (argc < 2) {
		help_on(NULL);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help"))
		return help_on(NULL);
	if (!strcmp(argv[1], "--version")) {
		puts("tegc " TEGUMENTAR_VERSION);
		return EXIT_YES;
	}
	for (size_t i = 0; i < command_count; i++) {
		if (strcmp(argv[1], commands[i].name))
			continue;
		if (asks_for_help(argv + 2))
			return help_on(argv[1]);
		if (takes_revisions(argv[1]))
			revision_program(argv);
		snprintf(name, sizeof name, "tegc %s", argv[1]); /* who speaks, in what getopt says */
		argv[1] = name;
		return commands[i].run(argc - 1, argv + 1);
	}
	return unknown(argv[1]);
}

/* An answer that could not be written is none. */
int main(int argc, char **argv)
{
	int rc = run(argc, argv);

	if (!fflush(stdout) && !ferror(stdout))
		return rc;
	fprintf(stderr, "tegc: cannot write to standard output: %s\n", strerror(errno));
	return EXIT_IO;
}
