/*
 * reload - SIGHUP: what the api reads at its start (settings, tokens, certificates) is read anew, by another api.
 *
 *     next starts beside api ──┬── it asks something: it serves ──► api is leaving: it takes nobody new,
 *                              │                                    answers whom it has, and ends
 *                              └── it ends: what it read is wrong ► api stays
 *
 * Both serve the same sockets meanwhile, so no connection is refused, and none is cut. Trusted keys are read
 * whenever a bundle is staged.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enforcer/proc/say.h"
#include "enforcer/warden/inside.h"

static const struct child nobody = { .unix_listen = -1, .tcp_listen = -1, .talk.sock = -1 };

/* `failed` says why not, or is NULL. */
static void is_over(struct warden *w, const char *failed)
{
	struct refusal no = { .code = RESULT_CANNOT, .part = "api" };

	say("the api's settings, tokens and certificates are %s%s", failed ? "not read anew: " : "read anew", failed ? failed : "");
	if (failed)
		err_set(&no.why, EINVAL, "%s", failed);
	note_change(w, "reload", NULL, "settings, tokens and certificates of the api", failed ? -EINVAL : 0, &no);
	notify_say(&w->manager, "READY=1");
}

void reload_begin(struct warden *w)
{
	char state[64];

	if (w->next.pid) {
		w->reload_again = true;
		return;
	}
	/* systemd.service(5), notify-reload: when the reload began, by CLOCK_MONOTONIC */
	snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)now_ms() * 1000);
	notify_say(&w->manager, state);
	w->reload_again = false;
	w->next = (struct child){ .argv = w->api.argv, .unix_listen = w->api.unix_listen, .tcp_listen = w->api.tcp_listen,
				  .talk.sock = -1 };
	child_tend(&w->next, now_ms());
	if (!w->next.pid)
		is_over(w, "the api cannot be started");
}

static void again(struct warden *w)
{
	if (w->reload_again)
		reload_begin(w);
}

bool reload_heard(struct warden *w)
{
	char first;

	if (recv(w->next.talk.sock, &first, 1, MSG_PEEK | MSG_DONTWAIT) <= 0) {
		talk_end(&w->next.talk); /* it is ending: reload_reap() hears why */
		return false;
	}
	if (w->leaving.pid)
		child_end(&w->leaving);
	w->leaving = w->api;
	w->api = w->next;
	w->next = nobody;
	if (w->leaving.pid)
		kill(w->leaving.pid, SIGUSR1);
	is_over(w, NULL);
	again(w);
	return true;
}

void reload_reap(struct warden *w)
{
	int status;

	child_is_gone(&w->leaving, &status);
	if (!child_is_gone(&w->next, &status))
		return;
	is_over(w, "the api that read them ended; the one before goes on");
	again(w);
}
