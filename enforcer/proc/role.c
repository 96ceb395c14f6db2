#include "enforcer/proc/role.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "enforcer/proc/allow.h"
#include "enforcer/proc/files.h"
#include "enforcer/proc/say.h"
#include "enforcer/proc/settings.h"
#include "lang/base/arena.h"

/* ---- starting ---------------------------------------------------------------- */

/* Descriptors move above their places first, so that none is written over before it has moved. */
static int place_fds(const int fds[static ROLE_FD_END - ROLE_FD_WARDEN])
{
	int high[ROLE_FD_END - ROLE_FD_WARDEN];

	for (int i = 0; i < ROLE_FD_END - ROLE_FD_WARDEN; i++) {
		high[i] = fds[i] < 0 ? -1 : fcntl(fds[i], F_DUPFD, 64);
		if (fds[i] >= 0 && high[i] < 0)
			return -1;
	}
	for (int i = 0; i < ROLE_FD_END - ROLE_FD_WARDEN; i++) {
		close(ROLE_FD_WARDEN + i);
		if (high[i] >= 0 && dup2(high[i], ROLE_FD_WARDEN + i) < 0)
			return -1;
	}
	return close_range(ROLE_FD_END, ~0u, 0);
}

static char **child_arguments(struct arena *a, enum role role, char *const *argv)
{
	VEC(char *) args = { 0 };

	for (size_t i = 0; argv[i]; i++)
		vec_push(a, &args, argv[i]);
	vec_push(a, &args, arena_printf(a, "--role=%s", role_name(role)));
	vec_push(a, &args, NULL);
	return args.at;
}

/* Our settings; and in a build that has the sanitizers, theirs. */
static bool is_for_child(const char *e)
{
	static const char ours[] = "TEGUMENTAR_";

#ifdef __SANITIZE_ADDRESS__
	if (!strncmp(e, "ASAN_OPTIONS=", 13) || !strncmp(e, "LSAN_OPTIONS=", 13))
		return true;
#endif
	return !strncmp(e, ours, sizeof ours - 1) && !settings_is_secret(e);
}

static char **child_environment(struct arena *a)
{
	VEC(char *) kept = { 0 };

	for (char **e = environ; *e; e++)
		if (is_for_child(*e))
			vec_push(a, &kept, *e);
	vec_push(a, &kept, NULL);
	return kept.at;
}

/* The program that runs, also when another has its name by now. There valgrind is itself; what the link says, it alters. */
#ifdef TEG_VALGRIND
static const char *this_program(void)
{
	static char name[PATH_MAX];
	const ssize_t n = readlink("/proc/self/exe", name, sizeof name - 1);

	name[n > 0 ? n : 0] = 0;
	return name;
}
#else
static const char *this_program(void)
{
	return "/proc/self/exe";
}
#endif

int role_start(pid_t *out, enum role role, char *const *argv,
	       const int fds[static ROLE_FD_END - ROLE_FD_WARDEN], struct err *why)
{
	own(arena) struct arena *a = arena_new();
	char **args = child_arguments(a, role, argv), **environment = child_environment(a);
	pid_t child = fork();

	if (child < 0)
		return err_sys(why, "cannot start the %s", role_name(role));
	if (child == 0) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		if (!place_fds(fds))
			execve(this_program(), args, environment);
		say("the %s cannot be started: %s", role_name(role),
		    errno == EINVAL || errno == EMFILE ? "it may not have enough open files (ulimit -n, LimitNOFILE=)" : strerror(errno));
		_exit(127);
	}
	*out = child;
	return 0;
}

/* ---- confining ----------------------------------------------------------------- */

static int find_user(const char *name, struct passwd *out, char room[static 4096], struct err *why)
{
	const bool given = name && *name;
	const char *const names[] = { given ? name : "tegumentar", given ? name : "nobody" };

	for (size_t i = 0; i < 2; i++) {
		struct passwd *found;
		int rc = getpwnam_r(names[i], out, room, 4096, &found);

		if (rc)
			return err_set(why, rc, "cannot look up the user %s: %s", names[i], strerror(rc));
		if (found)
			return out->pw_uid ? 0 : err_set(why, EPERM, "the api must not run as root");
	}
	return err_set(why, ENOENT, "there is no user %s", names[1]);
}

int role_check_user(const char *user, struct err *why)
{
	struct passwd who;
	char room[4096];

	return find_user(user, &who, room, why) ? err_in(why, "user") : 0;
}

/* No program executed from here on can have a capability, whoever owns it. */
static int drop_bounding_set(struct err *why)
{
	const unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP_LOCKED |
				   SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
				   SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

	for (unsigned long c = 0; c <= 63; c++)
		if (prctl(PR_CAPBSET_DROP, c, 0, 0, 0) && errno != EINVAL)
			return err_sys(why, "cannot drop capability %lu", c);
	if (prctl(PR_SET_SECUREBITS, bits, 0, 0, 0))
		return err_sys(why, "cannot lock the capabilities' rules");
	return 0;
}

static int has_no_capability(struct err *why)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[2] = { 0 };

	if (syscall(SYS_capset, &head, sets) || syscall(SYS_capget, &head, sets))
		return err_sys(why, "cannot give the capabilities up");
	for (size_t i = 0; i < 2; i++)
		if (sets[i].effective | sets[i].permitted | sets[i].inheritable)
			return err_set(why, EPERM, "a capability is left");
	return 0;
}

int role_confine(const char *user, struct err *why)
{
	const pid_t parent = getppid();
	struct passwd who;
	char room[4096];
	int rc = find_user(user, &who, room, why);

	if (!rc)
		rc = drop_bounding_set(why);
	if (rc)
		return rc;
	if (setgroups(0, NULL) || setresgid(who.pw_gid, who.pw_gid, who.pw_gid) ||
	    setresuid(who.pw_uid, who.pw_uid, who.pw_uid))
		return err_sys(why, "cannot become %s", who.pw_name);
	rc = has_no_capability(why);
	if (rc)
		return rc;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
		return err_sys(why, "cannot confine the process");
	if (getppid() != parent)
		return err_set(why, ESRCH, "the warden is gone");
	umask(077);
	if (chdir("/"))
		return err_sys(why, "cannot leave the directory");
	rc = files_only(why);
	return rc ? rc : allow_only(ROLE_API, why);
}
