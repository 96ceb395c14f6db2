#include "enforcer/warden/child.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "enforcer/proc/role.h"
#include "enforcer/proc/say.h"

#define PAUSE_LEAST_MS 100
#define PAUSE_MOST_MS  10000
#define YOUNG_MS       5000

static int start(struct child *c, struct err *why)
{
	int ends[2];
	int rc = message_pair(ends, why);

	if (rc)
		return rc;
	own(fd) int theirs = ends[1];
	talk_begin(&c->talk, ends[0]);
	const int fds[] = { theirs, c->unix_listen, c->tcp_listen };
	rc = role_start(&c->pid, ROLE_API, c->argv, fds, why);
	if (rc)
		talk_end(&c->talk);
	return rc;
}

static void pause_then(struct child *c, uint64_t now_ms)
{
	bool young = now_ms - c->started_ms < YOUNG_MS;

	c->pause_ms = young && c->pause_ms ? 2 * c->pause_ms : PAUSE_LEAST_MS;
	if (c->pause_ms > PAUSE_MOST_MS)
		c->pause_ms = PAUSE_MOST_MS;
	c->start_at_ms = now_ms + c->pause_ms;
}

int child_tend(struct child *c, uint64_t now_ms)
{
	struct err why;

	if (c->pid)
		return -1;
	if (now_ms < c->start_at_ms)
		return (int)(c->start_at_ms - now_ms);
	c->started_ms = now_ms;
	if (!start(c, &why))
		return -1;
	say("%s", why.text);
	pause_then(c, now_ms);
	return (int)c->pause_ms;
}

void child_break(struct child *c, const char *why)
{
	if (c->pid) {
		say("the api is ended: %s", why);
		kill(c->pid, SIGKILL);
	}
	talk_end(&c->talk);
}

static void tell_end(int status)
{
	if (WIFSIGNALED(status))
		say("the api was ended by signal %d; it is started again", WTERMSIG(status));
	else
		say("the api ended with code %d; it is started again", WEXITSTATUS(status));
}

bool child_is_gone(struct child *c, int *status)
{
	if (!c->pid || waitpid(c->pid, status, WNOHANG) != c->pid)
		return false;
	c->pid = 0;
	talk_end(&c->talk);
	return true;
}

void child_reap(struct child *c, uint64_t now_ms)
{
	int status;

	if (!child_is_gone(c, &status))
		return;
	tell_end(status);
	pause_then(c, now_ms);
}

void child_end(struct child *c)
{
	const struct timespec tick = { .tv_nsec = 10000000 };

	talk_end(&c->talk);
	if (!c->pid)
		return;
	kill(c->pid, SIGTERM);
	for (int i = 0; i < 200; i++) {
		if (waitpid(c->pid, NULL, WNOHANG) == c->pid) {
			c->pid = 0;
			return;
		}
		nanosleep(&tick, NULL);
	}
	kill(c->pid, SIGKILL);
	waitpid(c->pid, NULL, 0);
	c->pid = 0;
}
