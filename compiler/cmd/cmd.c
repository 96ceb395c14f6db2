#include "compiler/cmd/cmd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/report/diags.h"

const struct command commands[] = {
#define COMMAND(id, name, arguments, about) { name, arguments, about, cmd_##id },
#include "compiler/cmd/cmd.def"
#undef COMMAND
};
const size_t command_count = sizeof commands / sizeof *commands;

const char *cmd_out(const char *path)
{
	return strcmp(path, "-") ? path : "/dev/stdout";
}

int cmd_usage(const char *command)
{
	for (size_t i = 0; i < command_count; i++)
		if (!strcmp(commands[i].name, command))
			fprintf(stderr, "usage: tegc %s %s\n`tegc help %s` says what that means\n", command, commands[i].arguments, command);
	return EXIT_USAGE;
}

void cmd_libraries(struct compilation *c)
{
	const char *path = getenv("TEG_PATH");

	for (size_t len; path && *path; path += len + (path[len] == ':')) {
		len = strcspn(path, ":");
		if (len)
			vec_push(c->arena, &c->libraries, arena_strndup(c->arena, path, len));
	}
	c->last_library = CMD_LIBRARY;
}

struct compilation *cmd_compilation(void)
{
	struct compilation *c = compilation_new();

	cmd_libraries(c);
	return c;
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

static bool colour_read(const char *value)
{
	static const struct { const char *word; enum colour_when when; } words[] = {
		{ "auto", COLOUR_AUTO }, { "always", COLOUR_ALWAYS }, { "never", COLOUR_NEVER },
	};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (!strcmp(value, words[i].word)) {
			report_manner.colour = words[i].when;
			return true;
		}
	fputs("tegc: --color takes auto, always or never\n", stderr);
	return false;
}

bool cmd_report_option(struct report *r, int option, const char *value)
{
	switch (option) {
	case CMD_REPORT:
		return !r || report_ask(r, value);
	case CMD_PLAIN:
		report_manner.plain = true;
		return true;
	case CMD_COLOR:
		return colour_read(value);
	}
	return false;
}

int cmd_worse(int x, int y)
{
	static const int order[] = { EXIT_YES, EXIT_UNKNOWN, EXIT_NO, EXIT_WRONG };
	size_t rank_x = 0, rank_y = 0, all = sizeof order / sizeof *order;

	while (rank_x < all && order[rank_x] != x)
		rank_x++;
	while (rank_y < all && order[rank_y] != y)
		rank_y++;
	return rank_y > rank_x ? y : x;
}
