/*
 * cmd - the commands of tegc. A command is a row of cmd.def and a file here.
 *
 * A handler gets its own name as argv[0] and returns the exit code, which is
 * a row of exit.def. What it writes to stdout may fail: tegc.c looks, once for all, and
 * answers --help for each.
 */
#ifndef TEG_CMD_CMD_H
#define TEG_CMD_CMD_H

#include <stddef.h>
#include <stdint.h>

#include "compiler/front/front.h"
#include "compiler/report/forms/report.h"
#include "lang/vocab/exit.h"

struct command {
	const char *name, *arguments, *about;
	int (*run)(int argc, char **argv);
};
extern const struct command commands[];
extern const size_t command_count;

#define COMMAND(id, name, arguments, about) int cmd_##id(int argc, char **argv);
#include "compiler/cmd/cmd.def"
#undef COMMAND

/* The usage line of a command on stderr; EXIT_USAGE. */
int cmd_usage(const char *command);
/* What -o names: "-" is standard output. */
const char *cmd_out(const char *path);

/* Of two exit codes, what is told of both: an unread file before a wrong policy, that before "no", that before "unknown". */
int cmd_worse(int x, int y);

/*
 * What every command that reads a policy takes: -I DIR, --import-path DIR, --param NAME=VALUE,
 * --params FILE. With getopt_long(3):
 *
 *     static const struct option options[] = { CMD_POLICY_OPTIONS, { "out", 1, NULL, 'o' }, { 0 } };
 *     while ((o = getopt_long(argc, argv, CMD_POLICY_LETTERS "o:", options, NULL)) != -1)
 *             if (o == 'o') ...
 *             else if (!cmd_policy_option(c, o, optarg))
 *                     return cmd_usage("build");
 */
enum { CMD_PARAM = 256, CMD_PARAMS, CMD_REPORT, CMD_PLAIN, CMD_COLOR, CMD_OWN /* a command's own long options count from here */ };
#define CMD_POLICY_LETTERS "I:"
#define CMD_POLICY_OPTIONS                                                                         \
	{ "import-path", 1, NULL, 'I' }, { "param", 1, NULL, CMD_PARAM },                          \
	{                                                                                          \
		"params", 1, NULL, CMD_PARAMS                                                      \
	}
bool cmd_policy_option(struct compilation *c, int option, const char *value);

/*
 * A compilation that finds imports in the libraries of this host too: the directories of TEG_PATH, and
 * CMD_LIBRARY behind what tegc carries. For one that is made elsewhere, cmd_libraries().
 */
#define CMD_LIBRARY "/etc/tegumentar/policies"
struct compilation *cmd_compilation(void);
void cmd_libraries(struct compilation *c);

/* --analysis-budget N: a number of steps; false when it was told that it is none. */
bool cmd_steps(uint64_t *out, const char *command, const char *word);

/*
 * What every command that finds something takes: --report FORMAT=FILE, --plain, --color WHEN. The
 * report may be NULL, where the options are read again for another file.
 */
#define CMD_REPORT_OPTIONS                                                                         \
	{ "report", 1, NULL, CMD_REPORT }, { "plain", 0, NULL, CMD_PLAIN },                        \
	{                                                                                          \
		"color", 1, NULL, CMD_COLOR                                                        \
	}
bool cmd_report_option(struct report *r, int option, const char *value);

#endif
