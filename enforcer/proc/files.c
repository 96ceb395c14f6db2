#include "enforcer/proc/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/landlock.h>

#include "lang/base/own.h"

/* Every right of the first version, which later ones have too. */
#define RIGHTS (((uint64_t)LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)

#ifdef __SANITIZE_ADDRESS__ /* whose runtime looks where memory is, and which threads there are */
#define READING (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define ALSO	, "/proc"
#else
#define READING LANDLOCK_ACCESS_FS_READ_FILE
#define ALSO
#endif

static const char *const may_be_read[] = { "/etc/localtime", "/usr/share/zoneinfo" ALSO };

/* What is not there needs no leave. */
static int let_read(int rules, const char *path, struct err *why)
{
	own(fd) int fd = open(path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr leave = { LANDLOCK_ACCESS_FS_READ_FILE, fd };
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return 0;
	if (S_ISDIR(st.st_mode))
		leave.allowed_access = READING; /* of a file there is no such right as to list it */
	if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &leave, 0))
		return err_sys(why, "cannot let the process read %s", path);
	return 0;
}

int files_only(struct err *why)
{
	const struct landlock_ruleset_attr all = { .handled_access_fs = RIGHTS };
	own(fd) int rules = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof all, 0);
	int rc = 0;

	if (rules < 0 && (errno == ENOSYS || errno == EOPNOTSUPP || errno == EPERM))
		return 0; /* not in this kernel, or not in this container */
	if (rules < 0)
		return err_sys(why, "cannot give files up");
	for (size_t i = 0; !rc && i < sizeof may_be_read / sizeof *may_be_read; i++)
		rc = let_read(rules, may_be_read[i], why);
	if (!rc && syscall(SYS_landlock_restrict_self, rules, 0))
		rc = err_sys(why, "cannot give files up");
	return rc;
}
