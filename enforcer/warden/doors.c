/*
 * doors - where the api is reached: api.sock in the run directory, and TCP where it is configured.
 *
 * A run directory that is full or read-only, and an address that the host does not have yet or that another has, do not keep the
 * policy from being in force. The api answers at the doors that are open. The others are tried again at every tick.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "enforcer/proc/say.h"
#include "enforcer/warden/inside.h"
#include "enforcer/warden/places.h"
#include "enforcer/warden/sockets.h"

bool doors_any(const struct warden *w)
{
	return w->api.unix_listen >= 0 || w->api.tcp_listen >= 0;
}

static int open_unix(struct warden *w, bool patiently, struct err *why)
{
	int rc = places_make(w->settings->run_dir, 0755, why);

	return rc ? rc : sockets_open_unix(&w->api.unix_listen, w->settings, w->group, patiently, why);
}

static int open_tcp(struct warden *w, bool patiently, struct err *why)
{
	int rc = sockets_listen_tcp(w->tcp_waits, w->settings, patiently, why);

	if (rc)
		return rc;
	w->api.tcp_listen = w->tcp_waits;
	w->tcp_waits = -1;
	return 0;
}

/* Those that are shut, each by itself; *why is the first's that stays so. */
static int open_shut(struct warden *w, bool patiently, struct err *why)
{
	struct err no = { 0 };
	int rc = w->api.unix_listen < 0 ? open_unix(w, patiently, why) : 0;
	int rc_tcp = w->tcp_waits >= 0 ? open_tcp(w, patiently, &no) : 0;

	if (!rc && rc_tcp)
		*why = no;
	return rc ? rc : rc_tcp;
}

static void note_doors(struct warden *w, int rc, struct err *why)
{
	char status[600];

	if (!rc && !*w->door_fault)
		return;
	if (rc)
		err_in(why, "the api is not reached as it should be, which is tried again");
	note_fault(w->door_fault, rc ? why->text : "");
	snprintf(status, sizeof status, "STATUS=%s", w->door_fault);
	notify_say(&w->manager, status);
}

int doors_open(struct warden *w, struct err *why)
{
	w->group = sockets_group();
	int rc = sockets_take(&w->api.unix_listen, &w->api.tcp_listen, w->settings, why);

	if (!rc && w->api.tcp_listen < 0)
		rc = sockets_make_tcp(&w->tcp_waits, w->settings, why);
	if (rc)
		return rc;
	rc = open_shut(w, true, why);
	if (rc == -ENAMETOOLONG) /* for ever */
		return rc;
	note_doors(w, rc, why);
	return 0;
}

/* By an api that has them all; who is served is served on. */
static void let_in(struct warden *w)
{
	if (w->next.pid) {
		w->next.unix_listen = w->api.unix_listen;
		w->next.tcp_listen = w->api.tcp_listen;
	}
	if (w->api.pid)
		reload_begin(w);
}

void doors_look(struct warden *w)
{
	const bool had_unix = w->api.unix_listen >= 0, had_tcp = w->api.tcp_listen >= 0;
	struct err why;

	if (!*w->door_fault)
		return;
	note_doors(w, open_shut(w, false, &why), &why);
	if (!had_unix && w->api.unix_listen >= 0)
		say("the api is reached in %s now", w->settings->run_dir);
	if (!had_tcp && w->api.tcp_listen >= 0)
		say("the api is reached on %s now", w->settings->listen);
	if (had_unix != (w->api.unix_listen >= 0) || had_tcp != (w->api.tcp_listen >= 0))
		let_in(w);
}
