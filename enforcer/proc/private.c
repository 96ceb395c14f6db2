#include "enforcer/proc/private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "lang/base/own.h"

/* O_NONBLOCK: a pipe is refused, and nobody waits for who would write to it. */
int private_open(const char *what, const char *path, struct err *why)
{
	own(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return err_sys(why, "cannot open %s%s", what, path);
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_mode & 077)
		return err_set(why, EPERM, "%s%s must be a file that only its owner may read, and its owner who starts tegd: "
			       "chmod 600", what, path);
	return take_fd(fd);
}
