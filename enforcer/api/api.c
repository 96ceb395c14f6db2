#include "enforcer/api/api.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "enforcer/api/http/request.h"
#include "enforcer/api/sampling.h"
#include "lang/base/clock.h"

#define THREADS_PER_DOOR 2
#define CLIENTS_PER_DOOR 256
#define CLIENTS_PER_IP	 128 /* over TCP */
#define SILENCE_S	 15  /* nothing sent, nothing taken; http/client.h has the limits of each step */
#define TICK_NS		 UINT64_C(250000000)
#define LEAVE_NS	 (30 * SAMPLE_NS) /* for those who are still there when another api has taken over */

/* A path is taken as it is written: no %-escapes, so that nothing is spelled in two ways. */
static size_t keep_escapes(void *cls, struct MHD_Connection *connection, char *text)
{
	(void)cls;
	(void)connection;
	return strlen(text);
}

/*
 * poll and not epoll: libmicrohttpd 0.9.75 waits by edges, and when a client's last bytes and its
 * end arrive together it reads the bytes and never hears of the end.
 */
static struct MHD_Daemon *door_open(struct door *d, int listen_fd)
{
	const unsigned flags = MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;

	const bool tls = d->tls;
	const struct MHD_OptionItem secure[] = {
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, tls ? d->tls->cert.at : NULL },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, tls ? d->tls->key.at : NULL },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, (char *)(uintptr_t)TLS_PRIORITIES },
		{ tls && d->tls->wants_client ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END, 0, tls ? d->tls->client_ca.at : NULL },
		{ MHD_OPTION_END, 0, NULL },
	}, plain[] = { { MHD_OPTION_END, 0, NULL } };

	fcntl(listen_fd, F_SETFL, fcntl(listen_fd, F_GETFL) | O_NONBLOCK);
	return MHD_start_daemon(flags | (tls ? MHD_USE_TLS : 0u), 0, NULL, NULL, request_serve, d,
				MHD_OPTION_ARRAY, tls ? secure : plain,
				MHD_OPTION_LISTEN_SOCKET, listen_fd,
				MHD_OPTION_THREAD_POOL_SIZE, (unsigned)THREADS_PER_DOOR,
				MHD_OPTION_CONNECTION_LIMIT, (unsigned)CLIENTS_PER_DOOR,
				MHD_OPTION_PER_IP_CONNECTION_LIMIT, d->by_token ? (unsigned)CLIENTS_PER_IP : 0u,
				MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SILENCE_S,
				MHD_OPTION_CONNECTION_MEMORY_LIMIT, REQUEST_HEADER_MAX,
				MHD_OPTION_STRICT_FOR_CLIENT, 1,
				MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
				MHD_OPTION_NOTIFY_CONNECTION, clients_notify, d->server->clients,
				MHD_OPTION_NOTIFY_COMPLETED, request_completed, NULL,
				MHD_OPTION_END);
}

/* ---- sampling --------------------------------------------------------------------------- */

struct sampler {
	struct waiter waiter;
	struct server *server;
	struct sampling when;
	atomic_bool asking;
};

static void tell_sample(struct server *s, const struct counters *c)
{
	if (c->at_ns)
		events_blocked(s->events, c->blocked_sources);
	if (!events_anyone(s->events))
		return;
	cJSON *felt = qualia_json(s->qualia);
	own(mem) char *text = cJSON_PrintUnformatted(felt);
	cJSON_Delete(felt);
	if (text)
		events_qualia(s->events, text);
}

static void sampled(struct waiter *w, enum heard how, struct answer *a)
{
	struct sampler *s = (struct sampler *)((char *)w - offsetof(struct sampler, waiter));

	if (how == HEARD_ANSWER) {
		atomic_store(&s->when.cost_ns, a->counters.cost_ns);
		qualia_sample(s->server->qualia, &a->counters);
		tell_sample(s->server, &a->counters);
	}
	answer_put(a);
	atomic_store(&s->asking, false);
}

static void sampler_tick(struct sampler *s, uint64_t now_ns)
{
	const struct question q = { .kind = MESSAGE_ASK_COUNTERS, .fd = -1 };

	if (!sampling_is_due(&s->when, now_ns) || atomic_exchange(&s->asking, true))
		return;
	sampling_begins(&s->when, now_ns);
	link_ask(s->server->link, &q, &s->waiter, REQUEST_TIMEOUT_S * SAMPLE_NS);
}

/* ---- the loop --------------------------------------------------------------------------------- */

/* Nobody new comes in here any more, and listeners go to the next one at once. */
static void leave(struct server *s, struct MHD_Daemon *const daemons[static 2])
{
	atomic_store(&s->leaving, true);
	for (int i = 0; i < 2; i++)
		if (daemons[i])
			MHD_quiesce_daemon(daemons[i]);
	events_end(s->events);
}

static bool asks_to_leave(int signals)
{
	struct signalfd_siginfo got;

	return read(signals, &got, sizeof got) == sizeof got && got.ssi_signo == SIGUSR1;
}

/* Until the warden is gone (an error), a signal ends it (0), or it has left (0). */
static int serve(struct server *s, struct MHD_Daemon *const daemons[static 2], int warden_sock, int signals, struct err *why)
{
	struct sampler sampler = { .waiter.then = sampled, .server = s, .when.next_ns = clock_ns(CLOCK_MONOTONIC) };
	struct pollfd watched[] = { { .fd = warden_sock, .events = POLLIN }, { .fd = signals, .events = POLLIN } };
	uint64_t gone_at_ns = UINT64_MAX;
	int rc = 0;

	for (bool ends = false; !rc && !ends;) {
		uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);

		link_tick(s->link, now_ns);
		clients_tick(s->clients, now_ns);
		sampler_tick(&sampler, now_ns);
		if (poll(watched, 2, TICK_NS / 1000000) < 0 && errno != EINTR)
			return err_sys(why, "cannot wait for the warden");
		if (watched[0].revents)
			rc = link_read(s->link, why);
		if (watched[1].revents && asks_to_leave(signals)) {
			leave(s, daemons);
			gone_at_ns = now_ns + LEAVE_NS;
		} else if (watched[1].revents) {
			ends = true;
		}
		if (atomic_load(&s->leaving) && (now_ns > gone_at_ns || clients_are_gone(s->clients)))
			ends = true;
	}
	link_end(s->link); /* the sampler hears before it goes */
	return rc;
}

/*
 * The socket is not only ours: the next api has it, and a service manager may. What MHD_stop_daemon() does to one that
 * it still has, shutdown(), would hold for all of them: whoever connects is refused from then on.
 */
static void door_close(struct MHD_Daemon *daemon)
{
	MHD_quiesce_daemon(daemon);
	MHD_stop_daemon(daemon);
}

static int open_and_serve(struct server *s, struct door doors[static 2], const int listen_fds[static 2],
			  int warden_sock, int signals, struct err *why)
{
	struct MHD_Daemon *daemons[2] = { 0 };
	int rc = 0;

	for (int i = 0; i < 2 && !rc; i++) {
		if (listen_fds[i] < 0)
			continue;
		daemons[i] = door_open(&doors[i], listen_fds[i]);
		if (!daemons[i])
			rc = err_set(why, EIO, "cannot serve HTTP on the %s socket", i ? "TCP" : "Unix");
	}
	tls_forget(doors[1].tls);
	if (!rc)
		rc = serve(s, daemons, warden_sock, signals, why);
	link_end(s->link);
	events_end(s->events);
	for (int i = 0; i < 2; i++)
		if (daemons[i])
			door_close(daemons[i]);
	return rc;
}

/* SIGTERM, SIGINT, and SIGUSR1 when another api has taken over, arrive in the loop, in no other thread; a client that went away is no signal. */
static int catch_signals(void)
{
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &ends, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &ends, SFD_CLOEXEC);
}

static void heard_event(void *cls, const struct event *what)
{
	events_change(cls, what);
}

static void heard_packets(void *cls, const struct packets *some)
{
	events_packets(cls, some);
}

static int run(int warden_sock, int unix_listen, int tcp_listen, const struct api_keys *keys,
	       struct err *why)
{
	own(fd) int signals = catch_signals();
	own(events) struct events *events = events_new();
	const struct link_unasked unasked = { heard_event, heard_packets, events };
	own(link) struct link *link = events ? link_new(warden_sock, &unasked) : NULL;
	own(clients) struct clients *clients = clients_new();
	own(qualia) struct qualia *qualia = qualia_new();
	own(tickets) struct tickets *tickets = tickets_new();
	own(pace) struct pace *pace = pace_new(keys->rate);
	own(mem) struct server *s = calloc(1, sizeof *s);

	if (sodium_init() < 0 || signals < 0 || !link || !clients || !qualia || !pace || !tickets || !s)
		return err_set(why, ENOMEM, "cannot begin");
	s->link = link;
	s->clients = clients;
	s->qualia = qualia;
	s->events = events;
	s->roster = keys->roster;
	s->pace = pace;
	s->tickets = tickets;

	struct door doors[2] = {
		{ s, false, access_socket_group(unix_listen), NULL },
		{ s, true, (gid_t)-1, keys->tls },
	};
	const int listen_fds[2] = { unix_listen, tcp_listen };
	return open_and_serve(s, doors, listen_fds, warden_sock, signals, why);
}

int api_run(int warden_sock, int unix_listen, int tcp_listen, const struct api_keys *keys)
{
	struct err why = { 0 };

	if (!run(warden_sock, unix_listen, tcp_listen, keys, &why))
		return 0;
	fprintf(stderr, "tegd api: %s\n", why.text);
	return why.code == -EPIPE ? 0 : 1;
}
