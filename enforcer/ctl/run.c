/*
 * run.c - the command line: options, help, and the row of command.def that is run.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "enforcer/ctl/say.h"
#include "lang/base/near.h"
#include "lang/base/version.h"
#include "lang/base/words.h"

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

/* `command` is NULL when it is not known which. */
static enum exit_code usage(const struct ctl *c, const char *detail, const struct command_row *command)
{
	own(buf) struct buf way = { 0 };

	buf_printf(&way, "tegctl help%s%s", command ? " " : "", command ? command->name : "");
	say_problem(c, "usage", detail, buf_text(&way));
	return EXIT_USAGE;
}

static const struct command_row *find_command(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
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

static void add_command(struct buf *out, const struct command_row *r)
{
	buf_printf(out, "  %s %s", r->name, r->arguments);
	add_column(out, 24, say_width(r->name) + say_width(r->arguments) + 3);
	buf_printf(out, "%s\n", r->about);
}

/* Of which commands it is, unless all that is told is about one. */
static void add_option(struct buf *out, const struct option_row *o, bool of_one)
{
	const char *argument = o->argument ? o->argument : "";

	buf_printf(out, "  --%s %s", o->name, argument);
	add_column(out, 24, say_width(o->name) + say_width(argument) + 5);
	if (!of_one && *o->command)
		buf_printf(out, "%s: ", o->command);
	buf_printf(out, "%s%s%s\n", o->about, *o->fallback ? "; else " : "", o->fallback);
}

static void add_help(struct buf *out)
{
	buf_puts(out, "tegctl [OPTION…] COMMAND [ARGUMENT]: ask tegd, and tell it\n\ncommands:\n");
	for (size_t i = 0; i < COMMANDS; i++)
		add_command(out, &commands[i]);
	buf_puts(out, "\noptions:\n");
	for (size_t i = 0; i < OPTIONS; i++)
		add_option(out, &options[i], false);
}

/* A command and the options that are its own. */
static void add_help_on(struct buf *out, const struct command_row *r)
{
	add_command(out, r);
	for (size_t i = 0; i < OPTIONS; i++)
		if (words_have(options[i].command, r->name))
			add_option(out, &options[i], true);
	buf_puts(out, "\n`tegctl help` lists what every command takes.\n");
}

enum exit_code ctl_help(const struct ctl *c)
{
	const char *page = c->argument_count ? c->arguments[0] : NULL;
	const struct command_row *command = page ? find_command(page) : NULL;
	own(buf) struct buf out = { 0 };

	if (!page)
		add_help(&out);
	else if (command)
		add_help_on(&out, command);
	else if (!strcmp(page, "exit-codes"))
		add_exits(&out);
	else {
		add_unknown(&out, page);
		return usage(c, buf_text(&out), NULL);
	}
	return say_out(&out);
}

/* ---- the command line ----------------------------------------------------------------------- */

static const char **value_of(struct ctl *c, const struct option_row *o)
{
	return (const char **)((char *)c + o->at);
}

/* What getopt_long() did not take: an option that wants its value, or one that there is not. */
static void add_refused(struct buf *out, char **argv, int got)
{
	char word[64];

	if (optopt) /* of one letter: there are none */
		snprintf(word, sizeof word, "-%c", optopt);
	else
		snprintf(word, sizeof word, "%.*s", (int)strcspn(argv[optind - 1], "="), argv[optind - 1]);

	struct near n = near_to(word + strspn(word, "-"));

	for (size_t i = 0; i < OPTIONS; i++)
		near_try(&n, options[i].name);
	if (got == ':')
		buf_printf(out, "%s wants a value", word);
	else if (n.best && !n.distance)
		buf_printf(out, "%s takes no value", word);
	else
		buf_printf(out, "there is no option %s", word);
	if (n.best && n.distance)
		buf_printf(out, "; did you mean --%s?", n.best);
}

/* False when *why says what is wrong with them. */
static bool read_options(struct ctl *c, int argc, char **argv, struct buf *why)
{
	struct option longs[OPTIONS + 1] = { 0 };
	int i;

	for (size_t o = 0; o < OPTIONS; o++) {
		longs[o].name = options[o].name;
		longs[o].has_arg = options[o].argument ? required_argument : no_argument;
		*value_of(c, &options[o]) = options[o].fallback;
	}
	/* All flags at once: getopt_long() gives 0 for each, and says which by index. */
	for (int got; (got = getopt_long(argc, argv, ":", longs, &i)) != -1;) {
		if (got) {
			add_refused(why, argv, got);
			return false;
		}
		/* Of a script's variable that is not set, most often: it would be taken for an option that is not given. */
		if (options[i].argument && !*optarg && strcmp(options[i].argument, "TEXT") != 0) {
			buf_printf(why, "--%s is given, and is empty", options[i].name);
			return false;
		}
		*value_of(c, &options[i]) = options[i].argument ? optarg : "1";
	}
	return true;
}

/* An option that was given and is another command's; NULL when there is none. */
static const struct option_row *foreign_option(const struct command_row *command, struct ctl *c)
{
	for (size_t i = 0; i < OPTIONS; i++)
		if (*options[i].command && *value_of(c, &options[i]) != options[i].fallback &&
		    !words_have(options[i].command, command->name))
			return &options[i];
	return NULL;
}

static enum exit_code run_command(struct ctl *c, const char *name)
{
	const struct command_row *command = find_command(name);
	const struct option_row *foreign = command ? foreign_option(command, c) : NULL;
	own(buf) struct buf detail = { 0 };

	if (!command)
		add_unknown(&detail, name);
	else if (c->argument_count < command->least || c->argument_count > command->most)
		buf_printf(&detail, "it is `tegctl %s%s%s`", command->name, *command->arguments ? " " : "", command->arguments);
	else if (foreign)
		buf_printf(&detail, "`%s` takes no --%s, which is for %s", command->name, foreign->name, foreign->command);
	return detail.len ? usage(c, buf_text(&detail), command) : command->run(c);
}

int ctl_run(int argc, char **argv)
{
	struct ctl c = { 0 };
	own(buf) struct buf out = { 0 };

	if (!read_options(&c, argc, argv, &out))
		return usage(&c, buf_text(&out), NULL);
	if (*c.version) {
		buf_puts(&out, "tegctl " TEGUMENTAR_VERSION "\n");
		return say_out(&out);
	}
	if (*c.help) {
		c.arguments = argv + optind;
		c.argument_count = argc - optind > 0;
		return ctl_help(&c);
	}
	if (optind == argc)
		return usage(&c, "which command?", NULL);
	c.arguments = argv + optind + 1;
	c.argument_count = argc - optind - 1;
	return run_command(&c, argv[optind]);
}
