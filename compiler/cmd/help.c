/*
 * tegc help - the commands, one of them, the exit codes, or the forms of reports.
 */
#include <stdio.h>
#include <string.h>

#include "compiler/cmd/cmd.h"
#include "lang/base/words.h"

static const struct {
	const char *name, *value, *commands, *about;
} options[] = {
#define OPTION(name, value, commands, about) { name, value, commands, about },
#include "compiler/cmd/option.def"
#undef OPTION
};

static int help_commands(void)
{
	puts("usage: tegc COMMAND ...\n");
	for (size_t i = 0; i < command_count; i++)
		printf("  %-13s  %s\n", commands[i].name, commands[i].about);
	puts("\n`tegc help COMMAND` lists its options.");
	return EXIT_YES;
}

static int help_command(const struct command *c)
{
	char left[64];

	printf("usage: tegc %s %s\n\n%s\n", c->name, c->arguments, c->about);
	for (size_t i = 0, told = 0; i < sizeof options / sizeof *options; i++) {
		if (!words_have(options[i].commands, c->name))
			continue;
		if (!told++)
			putchar('\n');
		snprintf(left, sizeof left, "%s %s", options[i].name, options[i].value ? options[i].value : "");
		printf("  %-24s  %s\n", left, options[i].about);
	}
	return EXIT_YES;
}

static int help_reports(void)
{
#define FORMAT(id, name, about) printf("  %-9s %s\n", name, about);
#include "compiler/report/forms/format.def"
#undef FORMAT
	return EXIT_YES;
}

static int help_exit_codes(void)
{
#define EXIT(id, number, about) printf("%4d  %s\n", number, about);
#include "lang/vocab/exit.def"
#undef EXIT
	return EXIT_YES;
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
		if (!strcmp(argv[1], commands[i].name))
			return help_command(&commands[i]);
	return cmd_usage("help");
}
