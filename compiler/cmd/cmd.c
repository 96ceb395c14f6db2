#include "compiler/cmd/cmd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct command commands[] = {
#define COMMAND(id, name, arguments, about) { name, arguments, about, cmd_##id },
#include "compiler/cmd/cmd.def"
#undef COMMAND
};
const size_t command_count = sizeof commands / sizeof *commands;

int cmd_usage(const char *command)
{
	for (size_t i = 0; i < command_count; i++)
		if (!strcmp(commands[i].name, command))
			fprintf(stderr, "usage: tegc %s %s\n", command, commands[i].arguments);
	return EXIT_USAGE;
}

bool cmd_steps(uint64_t *out, const char *command, const char *word)
{
	char *end;

	errno = 0;
	*out = strtoull(word, &end, 10);
	if (*word >= '0' && *word <= '9' && !*end && !errno && *out)
		return true;
	fprintf(stderr, "tegc %s: --analysis-budget takes a number of steps\n", command);
	return false;
}

bool cmd_policy_option(struct compilation *c, int option, const char *value)
{
	switch (option) {
	case 'I':
		vec_push(c->arena, &c->import_paths, arena_strdup(c->arena, value));
		return true;
	case CMD_PARAM:
		if (front_give_param(c, value))
			return true;
		fprintf(stderr, "tegc: --param takes NAME=VALUE, not `%s`\n", value);
		return false;
	case CMD_PARAMS:
		front_give_params(c, value);
		return true;
	}
	return false;
}
