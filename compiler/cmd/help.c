/*
 * tegc help - the commands, one of them, the exit codes, or the forms of reports.
 */
#include <stdio.h>
#include <string.h>

#include "compiler/cmd/cmd.h"

static int help_commands(void)
{
	puts("usage: tegc COMMAND ...\n");
	for (size_t i = 0; i < command_count; i++)
		printf("  %-8s %s\n", commands[i].name, commands[i].about);
	puts("\nPolicies take -I DIR (where imports are looked for), --param NAME=VALUE and --params FILE.json.");
	puts("check, build, test, fmt and diff take --report FORMAT=FILE, --plain and --color auto|always|never.");
	return 0;
}

static int help_reports(void)
{
#define FORMAT(id, name, about) printf("  %-9s %s\n", name, about);
#include "compiler/report/format.def"
#undef FORMAT
	return 0;
}

static int help_exit_codes(void)
{
#define EXIT(id, number, about) printf("%4d  %s\n", number, about);
#include "lang/vocab/exit.def"
#undef EXIT
	return 0;
}

int cmd_help(int argc, char **argv)
{
	if (argc < 2)
		return help_commands();
	if (!strcmp(argv[1], "exit-codes"))
		return help_exit_codes();
	if (!strcmp(argv[1], "reports"))
		return help_reports();
	for (size_t i = 0; i < command_count; i++)
		if (!strcmp(argv[1], commands[i].name)) {
			printf("usage: tegc %s %s\n\n%s\n", commands[i].name, commands[i].arguments, commands[i].about);
			return 0;
		}
	return cmd_usage("help");
}
