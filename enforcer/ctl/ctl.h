/*
 * ctl - tegctl: the api at the prompt.
 *
 *     main() ─► ctl_run() ─► a row of command.def ─► call() ─HTTP─► tegd's api
 *
 * Results go to stdout, talk to stderr. With --json the api's own answer goes to stdout, a
 * refusal (RFC 9457) too; the exit code says which it was.
 */
#ifndef TEG_CTL_CTL_H
#define TEG_CTL_CTL_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "lang/vocab/exit.h"

struct ctl {
#define OPTION(field, ...) const char *field;
#include "enforcer/ctl/option.def"
#undef OPTION
	char **arguments; /* of the command */
	int argument_count;
};

int ctl_run(int argc, char **argv);

#define COMMAND(id, ...) enum exit_code ctl_##id(const struct ctl *c);
#include "enforcer/ctl/command.def"
#undef COMMAND

#endif
