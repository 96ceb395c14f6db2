#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "enforcer/ctl/say.h"
#include "lang/base/near.h"
#include "lang/base/version.h"

static const struct option_row {
	const char *name, *argument, *command, *fallback, *about;
	size_t at; /* in struct ctl */
} options[] = {
#define OPTION(field, name, argument, command, fallback, about)                                    \
	{ name, argument, command, fallback, about, offsetof(struct ctl, field) },
#include "enforcer/ctl/option.def"
#undef OPTION
};
#define OPTIONS (sizeof options / sizeof *options)

static const struct command_row {
	const char *name, *arguments;
	int least, most;
	const char *about;
	enum exit_code (*run)(const struct ctl *c);
} commands[] = {
#define COMMAND(id, name, arguments, least, most, about)                                           \
	{ name, arguments, least, most, about, ctl_##id },
#include "enforcer/ctl/command.def"
#undef COMMAND
};
#define COMMANDS (sizeof commands / sizeof *commands)

static const struct {
	int code;
	const char *about;
} exits[] = {
#define EXIT(id, number, about) { number, about },
#include "lang/vocab/exit.def"
#undef EXIT
};

/* ---- help --------------------------------------------------------------------------------- */

static void add_exits(struct buf *out)
{
	for (size_t i = 0; i < sizeof exits / sizeof *exits; i++)
		buf_printf(out, "  %2d  %s\n", exits[i].code, exits[i].about);
}

/* Up to the column, or on a line of its own when the words are too long for that. */
static void add_column(struct buf *out, size_t column, size_t used)
{
	if (used + 1 > column)
		buf_putc(out, '\n');
	buf_printf(out, "%*s", (int)(used + 1 > column ? column : column - used), "");
}

static void add_help(struct buf *out)
{
	buf_puts(out, "tegctl [OPTION…] COMMAND [ARGUMENT]: ask tegd, and tell it\n\ncommands:\n");
	for (size_t i = 0; i < COMMANDS; i++) {
		buf_printf(out, "  %s %s", commands[i].name, commands[i].arguments);
		add_column(out, 24, say_width(commands[i].name) + say_width(commands[i].arguments) + 3);
		buf_printf(out, "%s\n", commands[i].about);
	}
	buf_puts(out, "\noptions:\n");
	for (size_t i = 0; i < OPTIONS; i++) {
		const struct option_row *o = &options[i];
		const char *argument = o->argument ? o->argument : "";

		buf_printf(out, "  --%s %s", o->name, argument);
		add_column(out, 24, say_width(o->name) + say_width(argument) + 5);
		buf_printf(out, "%s%s%s%s%s\n", o->command, *o->command ? ": " : "", o->about,
			   *o->fallback ? "; else " : "", o->fallback);
	}
}

enum exit_code ctl_help(const struct ctl *c)
{
	own(buf) struct buf out = { 0 };

	if (c->argument_count && strcmp(c->arguments[0], "exit-codes")) {
		say_problem(c, "usage", "help knows one more page: exit-codes", "tegctl help exit-codes");
		return EXIT_USAGE;
	}
	if (c->argument_count)
		add_exits(&out);
	else
		add_help(&out);
	return say_out(&out);
}

/* ---- the command line ----------------------------------------------------------------------- */

static const char **value_of(struct ctl *c, const struct option_row *o)
{
	return (const char **)((char *)c + o->at);
}

static bool read_options(struct ctl *c, int argc, char **argv)
{
	struct option longs[OPTIONS + 1] = { 0 };
	int i;

	for (size_t o = 0; o < OPTIONS; o++) {
		longs[o].name = options[o].name;
		longs[o].has_arg = options[o].argument ? required_argument : no_argument;
		*value_of(c, &options[o]) = options[o].fallback;
	}
	/* All flags at once: getopt_long() gives 0 for each, and says which by index. */
	for (int got; (got = getopt_long(argc, argv, "", longs, &i)) != -1;) {
		if (got)
			return false; /* it has said what */
		*value_of(c, &options[i]) = options[i].argument ? optarg : "1";
	}
	return true;
}

static enum exit_code usage(const struct ctl *c, const char *detail)
{
	say_problem(c, "usage", detail, "tegctl help");
	return EXIT_USAGE;
}

static const struct command_row *find_command(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

/* Is the command among the words? */
static bool is_for(const char *words, const char *command)
{
	const size_t len = strlen(command);

	for (const char *at = words; (at = strstr(at, command)); at += len)
		if ((at == words || at[-1] == ' ') && (!at[len] || at[len] == ' '))
			return true;
	return false;
}

/* An option that was given and is another command's; NULL when there is none. */
static const struct option_row *foreign_option(const struct command_row *command, struct ctl *c)
{
	for (size_t i = 0; i < OPTIONS; i++)
		if (*options[i].command && *value_of(c, &options[i]) != options[i].fallback &&
		    !is_for(options[i].command, command->name))
			return &options[i];
	return NULL;
}

static void add_unknown(struct buf *detail, const char *name)
{
	struct near n = near_to(name);

	for (size_t i = 0; i < COMMANDS; i++)
		near_try(&n, commands[i].name);
	buf_printf(detail, "there is no command `%s`", name);
	if (n.best)
		buf_printf(detail, "; did you mean `%s`?", n.best);
}

static enum exit_code run_command(struct ctl *c, const char *name)
{
	const struct command_row *command = find_command(name);
	const struct option_row *foreign = command ? foreign_option(command, c) : NULL;
	own(buf) struct buf detail = { 0 };

	if (!command)
		add_unknown(&detail, name);
	else if (c->argument_count < command->least || c->argument_count > command->most)
		buf_printf(&detail, "it is `tegctl %s %s`", command->name, command->arguments);
	else if (foreign)
		buf_printf(&detail, "`%s` takes no --%s, which is for %s", command->name, foreign->name, foreign->command);
	return detail.len ? usage(c, buf_text(&detail)) : command->run(c);
}

int ctl_run(int argc, char **argv)
{
	struct ctl c = { 0 };

	if (!read_options(&c, argc, argv)) {
		fputs("  try: tegctl help\n", stderr);
		return EXIT_USAGE;
	}
	if (*c.version) {
		puts("tegctl " TEGUMENTAR_VERSION);
		return EXIT_YES;
	}
	if (*c.help)
		return ctl_help(&c);
	if (optind == argc)
		return usage(&c, "which command?");
	c.arguments = argv + optind + 1;
	c.argument_count = argc - optind - 1;
	return run_command(&c, argv[optind]);
}
