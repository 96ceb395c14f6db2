#include "enforcer/warden/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lang/base/own.h"

/* A path, or with @ a name that is no file. -1 when it is neither. */
static int open_socket(const char *name)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const size_t len = strlen(name);

	if ((*name != '/' && *name != '@') || len >= sizeof to.sun_path)
		return -1;
	memcpy(to.sun_path, name, len);
	if (*name == '@')
		to.sun_path[0] = '\0';
	own(fd) int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sock < 0 || connect(sock, (struct sockaddr *)&to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)))
		return -1;
	return take_fd(sock);
}

/* Half of what the manager allows; the time may be meant for another process. */
static uint64_t pause_of(const char *usec, const char *pid)
{
	if (!usec || (pid && strtoull(pid, NULL, 10) != (unsigned long long)getpid()))
		return 0;
	const uint64_t ms = strtoull(usec, NULL, 10) / 2000;
	return ms ? ms : 1;
}

struct notify notify_open(void)
{
	const char *name = getenv("NOTIFY_SOCKET");
	struct notify n = NOTIFY_NONE;

	if (name)
		n.sock = open_socket(name);
	if (n.sock >= 0)
		n.pause_ms = pause_of(getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"));
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	return n;
}

void notify_close(struct notify *n)
{
	if (n->sock >= 0)
		close(n->sock);
	n->sock = -1;
}

void notify_say(const struct notify *n, const char *state)
{
	if (n->sock >= 0)
		(void)!send(n->sock, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT);
}

uint64_t notify_alive(struct notify *n, uint64_t now_ms)
{
	if (n->sock < 0 || !n->pause_ms)
		return UINT64_MAX;
	if (now_ms >= n->alive_at_ms) {
		notify_say(n, "WATCHDOG=1");
		n->alive_at_ms = now_ms + n->pause_ms;
	}
	return n->alive_at_ms - now_ms;
}
