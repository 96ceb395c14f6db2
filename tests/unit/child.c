/* An api that dies young is started again later and later; one that lived is started again at once. */
#include <sys/wait.h>
#include <unistd.h>

#include "enforcer/warden/child.h"
#include "tests/lib/tap.h"

static const struct {
	uint64_t lived_ms, pause_ms;
} lives[] = {
	{ 0, 100 }, { 10, 200 }, { 4999, 400 }, { 0, 800 }, { 0, 1600 }, { 0, 3200 }, { 0, 6400 }, { 0, 10000 }, { 0, 10000 },
	{ 5000, 100 }, { 0, 200 }, { 86400000, 100 },
};

int main(void)
{
	struct child c = { .talk = TALK_NONE };
	uint64_t now = 1000;

	for (size_t i = 0; i < ARRAY_LEN(lives); i++) {
		siginfo_t ended;

		c.started_ms = now;
		now += lives[i].lived_ms;
		c.pid = fork();
		if (!c.pid)
			_exit(1);
		waitid(P_PID, (id_t)c.pid, &ended, WEXITED | WNOWAIT);
		child_reap(&c, now);
		tap_ok(!c.pid && c.start_at_ms - now == lives[i].pause_ms, "after %llu ms of life it waits for %llu ms (%llu)",
		       (unsigned long long)lives[i].lived_ms, (unsigned long long)lives[i].pause_ms,
		       (unsigned long long)(c.start_at_ms - now));
		tap_num(child_tend(&c, now), (int64_t)lives[i].pause_ms, "and is not started before");
		now = c.start_at_ms;
	}
	return tap_done();
}
