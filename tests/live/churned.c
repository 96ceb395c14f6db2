/*
 * Where others change nftables faster than a listing is read: who has patience reads it when they stop, and a refusal says by whom the next change is.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enforcer/nft/filter_talk.h"
#include "lang/base/own.h"
#include "tests/lib/tap.h"

#define SENTENCE "others change nftables faster than it can be read"
#define WHO SENTENCE ", now churn.py (process " /* its number is one of the outermost namespace */
#define SETS 3000 /* of many parts */

static const char tables[] = "{ echo 'table inet a_foreign {}'; echo 'table netdev tegumentar {'; "
			     "for i in $(seq 3000); do echo \"set s$i { type ipv4_addr; }\"; done; echo '}'; } | nft -f - 2>/dev/null";

/* tests/lib/churn.py, which changes a foreign table until it is killed. */
static pid_t churn(void)
{
	const pid_t pid = fork();

	if (pid)
		return pid;
	execl("tests/lib/churn.py", "churn.py", (char *)NULL);
	_exit(127);
}

static void told_by_whom(void)
{
	struct err why = { 0 };

	/* It takes a moment to begin. */
	for (int i = 0; i < 500 && (!i || !strcmp(why.text, SENTENCE)); i++)
		filter_changes_too_fast(&why);
	if (!tap_ok(strstr(why.text, WHO) == why.text, "who changes is told, by name and number"))
		tap_note("%s", why.text);
}

/* A second later it is over. */
static pid_t end_soon(pid_t changing)
{
	const pid_t pid = fork();

	if (pid)
		return pid;
	sleep(1);
	kill(changing, SIGKILL);
	_exit(0);
}

static void read_with_patience(struct filter *f, pid_t changing)
{
	own(arena) struct arena *a = arena_new();
	struct filter_live live = { 0 };
	struct err why = { 0 };
	const pid_t ending = end_soon(changing);

	own(filter_patience) struct filter_patience p = filter_be_patient(f, 60000);
	tap_num(filter_look(f, &live, FILTER_WANT_SETS, a, &why), 0, "who has patience is not refused");
	tap_num(live.set_count, SETS, "and has all sets, once they stop");
	waitpid(ending, NULL, 0);
	waitpid(changing, NULL, 0);
}

int main(void)
{
	own(filter) struct filter *f = NULL;
	struct err why = { 0 };

	if (geteuid() || system(tables) || filter_open(&f, &why)) {
		tap_skip("needs root and nft", "a listing that others disturb");
		return tap_done();
	}
	tap_num(filter_changes_too_fast(&why), -EBUSY, "what cannot be read is refused");
	tap_text(why.text, SENTENCE, "where nobody changes anything any more, nobody is named");
	const pid_t changing = churn();
	told_by_whom();
	read_with_patience(f, changing);
	return tap_done();
}
