#include "enforcer/warden/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "enforcer/proc/say.h"
#include "lang/base/own.h"

#define BACKLOG 64

/* An api whose warden was killed ends a moment later, and holds its address until then. */
#define PATIENCE_TRIES 100
#define PATIENCE_NS    20000000 /* between two */
#define NETWORK_TRIES  10 /* its child has the name until it is another program */

/* Left by a tegd that was killed: nobody answers there. */
static void remove_stale(const struct sockaddr_un *at)
{
	own(fd) int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (probe >= 0 && connect(probe, (const struct sockaddr *)at, sizeof *at) && errno == ECONNREFUSED)
		unlink(at->sun_path);
}

static int bind_patiently(int fd, const struct sockaddr *at, socklen_t len, bool patiently)
{
	const struct timespec pause = { .tv_nsec = PATIENCE_NS };

	for (int tries = 1;; tries++) {
		if (at->sa_family == AF_UNIX)
			remove_stale((const struct sockaddr_un *)at);
		if (!bind(fd, at, len))
			return 0;
		if (errno != EADDRINUSE || !patiently || tries == PATIENCE_TRIES)
			return -1;
		nanosleep(&pause, NULL);
	}
}

gid_t sockets_group(void)
{
	const struct group *g = getgrnam("tegumentar");

	return g ? g->gr_gid : (gid_t)-1;
}

int sockets_open_unix(int *out, const struct settings *s, gid_t group, bool patiently, struct err *why)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	own(fd) int fd = -1;
	int rc;

	if ((size_t)snprintf(at.sun_path, sizeof at.sun_path, "%s/api.sock", s->run_dir) >= sizeof at.sun_path)
		return err_set(why, ENAMETOOLONG, "%s is too long for a socket's path", s->run_dir);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	mode_t before = umask(0117);
	rc = fd < 0 || bind_patiently(fd, (struct sockaddr *)&at, sizeof at, patiently) ? err_sys(why, "cannot listen on %s", at.sun_path) : 0;
	umask(before);
	if (!rc && group != (gid_t)-1 && chown(at.sun_path, 0, group))
		rc = err_sys(why, "cannot say who may use %s", at.sun_path);
	if (!rc && listen(fd, BACKLOG))
		rc = err_sys(why, "cannot listen on %s", at.sun_path);
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

int sockets_make_tcp(int *out, const struct settings *s, struct err *why)
{
	struct sockaddr_storage at = { 0 };
	const int yes = 1;

	*out = -1;
	if (!s->tcp.sin6_port)
		return 0;
	address_of(&s->tcp, &at);
	own(fd) int fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes))
		return err_sys(why, "cannot make a socket for %s", s->listen);
	*out = take_fd(fd);
	return 0;
}

int sockets_listen_tcp(int fd, const struct settings *s, bool patiently, struct err *why)
{
	struct sockaddr_storage at = { 0 };
	const socklen_t len = address_of(&s->tcp, &at);

	/* EINVAL: it has the address already, and only listen() was refused before. */
	if ((bind_patiently(fd, (struct sockaddr *)&at, len, patiently) && errno != EINVAL) || listen(fd, BACKLOG))
		return err_sys(why, "cannot listen on %s", s->listen);
	return 0;
}

/* ---- one tegd a network namespace ---------------------------------------------------------- */

/* A name that is no path belongs to the network namespace, as what judges its packets does. */
#define NETWORK_NAME "tegumentar"

/* Who listens there; the process is 0 where it is not seen from here. *out stays as it is when that cannot be told. */
static void holder(const struct sockaddr_un *at, socklen_t len, struct ucred *out)
{
	own(fd) int probe = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t room = sizeof *out;

	if (probe >= 0 && !connect(probe, (const struct sockaddr *)at, len))
		getsockopt(probe, SOL_SOCKET, SO_PEERCRED, out, &room);
}

/* Anybody may take the name: who may not change the network does not keep a tegd from starting. */
static int yield_to(const struct ucred *by, struct err *why)
{
	if (by->uid) {
		say("@" NETWORK_NAME " is the name of a process that is not known to be root's (%d, user %d): whether another tegd runs in this network namespace is not known",
		    (int)by->pid, (int)by->uid);
		return 0;
	}
	if (!by->pid)
		return err_set(why, EBUSY, "another tegd, whose process is not seen from here, runs in this network namespace");
	return err_set(why, EBUSY, "another tegd, process %d, runs in this network namespace", (int)by->pid);
}

int sockets_hold_network(int *out, struct err *why)
{
	const struct timespec pause = { .tv_nsec = PATIENCE_NS };
	const struct sockaddr_un at = { AF_UNIX, "\0" NETWORK_NAME };
	const socklen_t len = offsetof(struct sockaddr_un, sun_path) + sizeof NETWORK_NAME;
	own(fd) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct ucred by = { .uid = (uid_t)-1 };

	for (int tries = 0; tries < NETWORK_TRIES; tries++) {
		if (fd >= 0 && !bind(fd, (const struct sockaddr *)&at, len) && !listen(fd, BACKLOG)) {
			*out = take_fd(fd);
			return 0;
		}
		if (errno != EADDRINUSE)
			return err_sys(why, "cannot take the name @" NETWORK_NAME);
		holder(&at, len, &by);
		nanosleep(&pause, NULL);
	}
	return yield_to(&by, why);
}

void sockets_let_go(int network)
{
	int asked;

	while (network >= 0 && (asked = accept4(network, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		close(asked);
}

/* ---- from the service manager ------------------------------------------------------------- */

#define FIRST_FD 3 /* SD_LISTEN_FDS_START */

static unsigned count_passed(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	const bool ours = pid && count && strtoull(pid, NULL, 10) == (unsigned long long)getpid();
	const unsigned long n = ours ? strtoul(count, NULL, 10) : 0;

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return n < 16 ? (unsigned)n : 16;
}

static bool is_listening(int fd)
{
	int listens = 0, type = 0;
	socklen_t len = sizeof listens;

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len))
		return false;
	len = sizeof type;
	return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) && listens && type == SOCK_STREAM;
}

static int take_one(int fd, int *unix_listen, int *tcp_listen, const struct settings *s, struct err *why)
{
	struct sockaddr_storage is = { 0 }, wanted = { 0 };
	socklen_t len = sizeof is;

	if (fcntl(fd, F_SETFD, FD_CLOEXEC) || !is_listening(fd) || getsockname(fd, (struct sockaddr *)&is, &len))
		return err_set(why, EINVAL, "descriptor %d from the service manager is no socket that listens for streams", fd);
	int *to = is.ss_family == AF_UNIX ? unix_listen : tcp_listen;
	if (*to >= 0)
		return err_set(why, EINVAL, "the service manager made two sockets of one kind");
	const socklen_t wanted_len = s->tcp.sin6_port ? address_of(&s->tcp, &wanted) : 0;
	if (to == tcp_listen && (len != wanted_len || memcmp(&is, &wanted, len)))
		return err_set(why, EINVAL, "the service manager's TCP socket is not at the address that `listen` says");
	*to = fd;
	return 0;
}

int sockets_take(int *unix_listen, int *tcp_listen, const struct settings *s, struct err *why)
{
	const unsigned n = count_passed();
	int rc = 0;

	for (unsigned i = 0; !rc && i < n; i++)
		rc = take_one(FIRST_FD + (int)i, unix_listen, tcp_listen, s, why);
	return rc;
}
