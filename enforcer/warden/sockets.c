#include "enforcer/warden/sockets.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "lang/base/own.h"

#define BACKLOG 64

/* An api whose warden was killed ends a moment later, and holds its address until then. */
#define PATIENCE_TRIES 100
#define PATIENCE_NS    20000000 /* between two */

/* Left by a tegd that was killed: nobody answers there. */
static void remove_stale(const struct sockaddr_un *at)
{
	own(fd) int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (probe >= 0 && connect(probe, (const struct sockaddr *)at, sizeof *at) && errno == ECONNREFUSED)
		unlink(at->sun_path);
}

static int bind_patiently(int fd, const struct sockaddr *at, socklen_t len)
{
	const struct timespec pause = { .tv_nsec = PATIENCE_NS };

	for (int tries = 1;; tries++) {
		if (at->sa_family == AF_UNIX)
			remove_stale((const struct sockaddr_un *)at);
		if (!bind(fd, at, len))
			return 0;
		if (errno != EADDRINUSE || tries == PATIENCE_TRIES)
			return -1;
		nanosleep(&pause, NULL);
	}
}

/* The group of those who may administer, when there is one; else root alone. */
static int admit_group(const char *path, struct err *why)
{
	const struct group *g = getgrnam("tegumentar");

	if ((g && chown(path, 0, g->gr_gid)) || chmod(path, 0660))
		return err_sys(why, "cannot say who may use %s", path);
	return 0;
}

int sockets_open_unix(int *out, const struct settings *s, struct err *why)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	own(fd) int fd = -1;
	int rc;

	if ((size_t)snprintf(at.sun_path, sizeof at.sun_path, "%s/api.sock", s->run_dir) >= sizeof at.sun_path)
		return err_set(why, ENAMETOOLONG, "%s is too long for a socket's path", s->run_dir);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	mode_t before = umask(0177);
	rc = fd < 0 || bind_patiently(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, BACKLOG) ?
		err_sys(why, "cannot listen on %s", at.sun_path) : 0;
	umask(before);
	if (!rc)
		rc = admit_group(at.sun_path, why);
	if (!rc)
		*out = take_fd(fd);
	return rc;
}

/* An IPv4 address stands mapped in the settings; here it is itself, for hosts without IPv6. */
static socklen_t address_of(const struct sockaddr_in6 *from, struct sockaddr_storage *to)
{
	if (!IN6_IS_ADDR_V4MAPPED(&from->sin6_addr)) {
		memcpy(to, from, sizeof *from);
		return sizeof *from;
	}
	struct sockaddr_in ip4 = { .sin_family = AF_INET, .sin_port = from->sin6_port };
	memcpy(&ip4.sin_addr, from->sin6_addr.s6_addr + 12, 4);
	memcpy(to, &ip4, sizeof ip4);
	return sizeof ip4;
}

int sockets_open_tcp(int *out, const struct settings *s, struct err *why)
{
	struct sockaddr_storage at = { 0 };
	const int yes = 1;

	*out = -1;
	if (!s->tcp.sin6_port)
		return 0;
	socklen_t len = address_of(&s->tcp, &at);
	own(fd) int fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) ||
	    bind_patiently(fd, (struct sockaddr *)&at, len) || listen(fd, BACKLOG))
		return err_sys(why, "cannot listen on %s", s->listen);
	*out = take_fd(fd);
	return 0;
}
