/*
 * tegd - the enforcer. One binary, several processes: without --role it is the
 * warden, which starts the others from itself (proc/role.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "enforcer/api/api.h"
#include "enforcer/proc/role.h"
#include "enforcer/proc/say.h"
#include "enforcer/proc/settings.h"
#include "enforcer/warden/warden.h"
#include "lang/base/version.h"
#include "lang/vocab/exit.h"

static void help(void)
{
	puts("tegd enforces a compiled policy, and answers tegctl.\n\n"
	     "usage: tegd [--config FILE] [--SETTING VALUE]…\n"
	     "       tegd --foreground … the same: it never leaves it\n"
	     "       tegd --check …      may it run so, here?\n"
	     "       tegd --settings …   what is set, from everywhere; passwords are not shown\n"
	     "       tegd --version\n\n"
	     "settings, also as TEGUMENTAR_SETTING and as `setting = value` in " SETTINGS_FILE ":");
	settings_help(stdout);
}

static int failed(int code, const struct err *why)
{
	say("%s", why->text);
	return code;
}

/* An answer that could not be written is none. */
static int answered(void)
{
	struct err why;

	if (!fflush(stdout) && !ferror(stdout))
		return EXIT_YES;
	err_sys(&why, "cannot write to standard output");
	return failed(EXIT_IO, &why);
}

/* Those that do not listen yet were not handed over (proc/role.h). */
static int door(enum role_fd at)
{
	return fcntl(at, F_GETFD) < 0 ? -1 : (int)at;
}

/* Still root: what only root may read is read, then privilege ends for good. */
static int run_api(struct settings *s)
{
	own(roster) struct roster *roster = NULL;
	own(tls) struct tls *tls = NULL;
	const int unix_listen = door(ROLE_FD_UNIX), tcp_listen = door(ROLE_FD_TCP);
	struct err why;

	if (roster_load(&roster, s, &why) || tls_load(&tls, s, &why) || role_confine(s->user, &why))
		return failed(EXIT_UNAVAILABLE, &why);
	const struct api_keys keys = { roster, tls, s->rate };
	return api_run(ROLE_FD_WARDEN, unix_listen, tcp_listen, &keys);
}

/* What the api will need is read, and forgotten: here it fails where somebody sees it. */
static int check_keys(const struct settings *s, struct err *why)
{
	own(roster) struct roster *roster = NULL;
	own(tls) struct tls *tls = NULL;
	int rc = roster_load(&roster, s, why);

	if (!rc)
		rc = tls_load(&tls, s, why);
	return rc ? rc : role_check_user(s->user, why);
}

static int run_warden(struct settings *s, char **argv)
{
	struct err why;

	if (geteuid()) {
		err_set(&why, EPERM, "tegd must be started as root: it loads programs into the kernel");
		return failed(EXIT_DENIED, &why);
	}
	settings_say_strangers();
	if (check_keys(s, &why))
		return failed(EXIT_USAGE, &why);
	if (s->ask == ASK_CHECK)
		return warden_check(s, &why) ? failed(EXIT_UNAVAILABLE, &why) : 0;
	return warden_run(s, argv);
}

int main(int argc, char **argv)
{
	own(arena) struct arena *a = arena_new();
	struct settings s;
	struct err why;

	if (settings_read(&s, a, argc, argv, &why))
		return failed(EXIT_USAGE, &why);
	switch (s.ask) {
	case ASK_HELP:
		help();
		return answered();
	case ASK_SETTINGS:
		settings_print(stdout, &s);
		return answered();
	case ASK_VERSION:
		puts("tegd " TEGUMENTAR_VERSION);
		return answered();
	case ASK_RUN:
	case ASK_CHECK:
		break;
	}
	switch (s.role) {
	case ROLE_API:
		return run_api(&s);
	case ROLE_WARDEN:
	case ROLE_COUNT:
		break;
	}
	return run_warden(&s, argv);
}
