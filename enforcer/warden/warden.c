#include "enforcer/warden/warden.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "enforcer/proc/say.h"
#include "enforcer/warden/blocks/blocks.h"
#include "enforcer/warden/confine.h"
#include "enforcer/warden/feeds/feeds.h"
#include "enforcer/warden/inside.h"
#include "enforcer/warden/places.h"
#include "enforcer/warden/sockets.h"
#include "lang/base/clock.h"
#include "lang/base/file.h"
#include "lang/base/memory.h"
#include "lang/base/version.h"
#include "lang/bundle/bundle.h"
#include "lang/bundle/trust.h"

uint64_t now_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

/* To finish a switch with: what looking at some thousand chains takes. */
#define MEMORY_ASIDE ((size_t)2 << 20)

/* ---- following the host ---------------------------------------------------------------- */

static void look_at_own(void *context)
{
	struct warden *w = context;
	struct blocks_own own = { .count = 0 };
	struct err why;

	if (blocks_own(&own, &w->kernel, &why)) {
		say("%s", why.text);
		return; /* what was told stays */
	}
	if (*own.text && strcmp(own.text, w->own_blocked.text))
		say("%s", own.text);
	w->own_blocked = own;
}

void warden_look_at_own(struct warden *w)
{
	memory_try(look_at_own, w); /* else at the next tick, or when an address comes */
}

void warden_follow(struct warden *w, unsigned changed)
{
	struct err own = { 0 }, links = { 0 };
	int no_self = 0, no_links = 0;

	if (changed && w->follows_again)
		changed = ROUTE_LINKS | ROUTE_ADDRESSES;
	if (changed & ROUTE_ADDRESSES || (changed && *w->follow_fault))
		no_self = kernel_follow_self(&w->kernel, &own);
	/* An interface is judged also where not all of the host's addresses are known. */
	if (changed & ROUTE_LINKS && w->live) {
		drift_before_following(w);
		no_links = generation_follow_links(w->live, &w->kernel, &w->state, &links);
	}
	if (!changed)
		return;
	w->follow_fault_is_self = !no_links && no_self == -E2BIG;
	w->follows_again = no_links || (no_self && no_self != -E2BIG);
	note_fault(w->follow_fault, no_links ? links.text : no_self ? own.text : "");
	if (changed & ROUTE_ADDRESSES && w->live)
		warden_look_at_own(w);
}

/* After a change of what is on them that nobody asked for. */
static void follow_feeds(struct warden *w)
{
	struct err why = { 0 };
	int rc = w->live ? feeds_follow(w->live, &w->kernel, &why) : 0;

	note_fault(w->feed_fault, rc ? why.text : "");
	w->feeds_again_ms = now_ms() + TICK_MS;
}

/* Those that became stale, and were to be cleared then. */
static void clear_feeds(struct warden *w)
{
	follow_feeds(w);
	note_entry(w, &(struct audit_entry){ .what = "feed", .summary = "what is stale is on no feed any more",
					     .result = *w->feed_fault ? "failed" : "done", .detail = w->feed_fault });
}

static uint64_t feeds_wait_ms(const struct warden *w, uint64_t now)
{
	const uint64_t left = feeds_in_ms(w->live, &w->kernel), again = w->feeds_again_ms > now ? w->feeds_again_ms - now : 0;

	return left > again ? left : again;
}

/* ---- what happens by itself --------------------------------------------------------------- */

static void hear_api(struct warden *w, struct child *c)
{
	own(arena) struct arena *a = arena_new();
	struct message m = { .fd = -1 };
	struct err why = { 0 };
	int rc = talk_hear(&c->talk, a, &m, now_ms(), &why);

	w->heard = &c->talk;
	if (rc > 0)
		rc = answer_any(w, &m, a, &why);
	if (m.fd >= 0)
		close(m.fd);
	if (rc < 0)
		child_break(c, why.text);
}

static struct pollfd watch_api(const struct child *c)
{
	return (struct pollfd){ .fd = c->talk.sock, .events = talk_events(&c->talk) };
}

/* What it was asked comes before what it says. */
static void tend_talk(struct warden *w, struct child *c, const struct pollfd *saw)
{
	struct err why = { 0 };

	if (!saw->revents || saw->fd != c->talk.sock || c->talk.sock < 0)
		return;
	if (talk_is_taken(&c->talk))
		hear_api(w, c);
	else if (talk_go_on(&c->talk, now_ms(), &why))
		child_break(c, why.text);
}

static void end_patience(struct child *c)
{
	if (!talk_in_ms(&c->talk, now_ms()))
		child_break(c, talk_complaint(&c->talk));
}

static void hear_packets(struct warden *w)
{
	struct err why = { 0 };

	if (told_read(w->told, &w->kernel, &w->api.talk, now_ms(), &why))
		child_break(&w->api, why.text);
}

static void hear_signal(struct warden *w)
{
	struct signalfd_siginfo got;

	if (read(w->signals, &got, sizeof got) != sizeof got)
		return;
	if (got.ssi_signo == SIGCHLD) {
		child_reap(&w->api, now_ms());
		reload_reap(w);
	} else if (got.ssi_signo == SIGHUP) {
		reload_begin(w);
	} else {
		w->ends = true;
	}
}

static void tidy_nft(void *context)
{
	struct warden *w = context;
	struct err why;

	if (blocks_tidy(&w->kernel, w->live->is.bank, &why) && why.code != -EUCLEAN) /* that is the drift check's */
		say("%s", why.text);
}

static void tick(struct warden *w)
{
	uint64_t left_out;
	struct err why;

	if (kernel_blocks_left_out(&w->kernel, &left_out, &why))
		say("%s", why.text);
	else if (left_out)
		say("%llu times a reflex could not block its source: the table of runtime blocks is full", (unsigned long long)left_out);
	if (w->live && ports_use(&w->live->ports, PORT_NFT))
		memory_try(tidy_nft, w); /* else at the next tick */
	if (w->follows_again) /* the host may not change again */
		warden_follow(w, ROUTE_LINKS | ROUTE_ADDRESSES);
	else if (w->live)
		warden_look_at_own(w); /* blocks end, and a reflex makes some */
	doors_look(w);
	keep_look(w);
	flows_look(w);
	sockets_let_go(w->network);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static int wait_ms(struct warden *w, uint64_t next_tick)
{
	const uint64_t now = now_ms();
	const int restart = doors_any(w) ? child_tend(&w->api, now) : -1;
	uint64_t wait = least(now < next_tick ? next_tick - now : 0, least(return_in_ms(w, now), revert_in_ms(w, now)));

	wait = least(wait, least(drift_in_ms(w, now), notify_alive(&w->manager, now)));
	wait = least(wait, told_in_ms(w->told, now));
	wait = least(wait, feeds_wait_ms(w, now));
	wait = least(wait, least(talk_in_ms(&w->api.talk, now), talk_in_ms(&w->leaving.talk, now)));

	if (answer_is_due(w))
		return 0;
	return (int)(restart >= 0 ? least(wait, (uint64_t)restart) : wait);
}

static void loop(struct warden *w)
{
	uint64_t next_tick = now_ms() + TICK_MS;

	w->drift_at_ms = now_ms();
	while (!w->ends) {
		told_follow(w->told, w->live);
		const int wait = wait_ms(w, next_tick); /* may start the api: its socket is watched */
		int told[TOLD_FDS];
		told_fds(w->told, now_ms(), told);
		struct pollfd watched[] = { { .fd = w->signals, .events = POLLIN },
					    { .fd = route_fd(w->kernel.route), .events = POLLIN },
					    watch_api(&w->api),
					    { .fd = told[0], .events = POLLIN },
					    watch_api(&w->next),
					    watch_api(&w->leaving),
					    { .fd = told[1], .events = POLLIN } };

		if (poll(watched, 7, wait) < 0 && errno != EINTR)
			return;
		if (watched[0].revents)
			hear_signal(w);
		if (watched[1].revents)
			warden_follow(w, route_drain(w->kernel.route));
		tend_talk(w, &w->api, &watched[2]);
		tend_talk(w, &w->leaving, &watched[5]);
		if (watched[4].revents && w->next.talk.sock == watched[4].fd && w->next.talk.sock >= 0 && reload_heard(w))
			hear_api(w, &w->api);
		told_follow(w->told, w->live); /* a change that the api asked for */
		if (watched[3].revents || watched[6].revents)
			hear_packets(w);
		if (answer_is_due(w))
			answer_go_on(w);
		end_patience(&w->api);
		end_patience(&w->leaving);
		if (!return_in_ms(w, now_ms()))
			return_posture(w);
		if (!revert_in_ms(w, now_ms()))
			revert_overdue(w);
		if (!drift_in_ms(w, now_ms()))
			drift_check(w);
		if (!feeds_wait_ms(w, now_ms()))
			clear_feeds(w);
		if (now_ms() >= next_tick) {
			tick(w);
			next_tick = now_ms() + TICK_MS;
		}
	}
}

/* ---- beginning and end ------------------------------------------------------------------------ */

/* Two wardens over one journal would undo each other's work. The directory itself is locked: it may be read-only. */
static int lock_state(struct warden *w, struct err *why)
{
	w->lock = open(w->settings->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->lock < 0)
		return err_sys(why, "cannot open %s", w->settings->state_dir);
	if (flock(w->lock, LOCK_EX | LOCK_NB))
		return err_set(why, EBUSY, "another tegd runs with the state directory %s", w->settings->state_dir);
	return 0;
}

static int catch_signals(struct warden *w, struct err *why)
{
	sigset_t ours;

	sigemptyset(&ours);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGCHLD);
	sigaddset(&ours, SIGHUP);
	sigprocmask(SIG_BLOCK, &ours, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file beyond the limit fails, as on a full disk */
	w->signals = signalfd(-1, &ours, SFD_CLOEXEC);
	return w->signals < 0 ? err_sys(why, "cannot receive signals") : 0;
}

static int prepare(struct warden *w, struct err *why)
{
	int rc = places_check(w->settings, why);

	if (!rc)
		rc = places_make(w->settings->state_dir, 0700, why);
	if (!rc)
		rc = lock_state(w, why);
	if (!rc)
		rc = sockets_hold_network(&w->network, why);
	if (!rc)
		rc = catch_signals(w, why);
	if (!rc)
		rc = doors_open(w, why);
	if (!rc)
		rc = kernel_open(&w->kernel, w->settings, why);
	if (!rc)
		w->told = told_new(&w->kernel);
	return rc ? rc : warden_confine(why);
}

static void apply_setting(struct warden *w)
{
	own(buf) struct buf bytes = { 0 };
	struct refusal no = { .part = "seal" };
	int rc = file_read(&bytes, w->settings->bundle, BUNDLE_BYTES_MAX, &no.why);

	if (!rc)
		rc = apply_first(w, &bytes, &no);
	if (rc) {
		err_in(&no.why, "%s is not applied (%s)", w->settings->bundle, no.part);
		note_fault(w->fault, no.why.text);
	}
}

/* How the kernel was found; a change that no entry tells of shows here. */
static void note_start(struct warden *w, const char *log_fault)
{
	char summary[64];

	snprintf(summary, sizeof summary, "tegd " TEGUMENTAR_VERSION ", %s", recovered_name(w->found));
	note_entry(w, &(struct audit_entry){ .what = "start", .summary = summary, .result = *w->fault ? "failed" : "done",
					     .detail = *w->fault ? w->fault : log_fault });
}

static void take_up(struct warden *w)
{
	const uint64_t from = now_ms();
	char log_fault[512];
	struct err why;

	if (audit_open(&w->audit, w->settings, &why))
		say("%s", why.text);
	memcpy(log_fault, w->audit.fault, sizeof log_fault);

	warden_follow(w, ROUTE_ADDRESSES);
	if (feeds_open(&w->kernel, &why))
		note_fault(w->feed_damage, why.text);
	if (past_load(&w->past, w->settings->state_dir, &why))
		note_fault(w->fault, why.text);
	if (recover(&w->live, &w->found, &w->kernel, &w->state, &why))
		note_fault(w->fault, why.text);
	keep_look(w);
	if (*w->kernel.stale)
		say("%s", w->kernel.stale);
	if (w->live)
		say("generation %llu is %s after %llu ms: policy %s, posture %s",
		    (unsigned long long)w->live->is.number, recovered_name(w->found),
		    (unsigned long long)(now_ms() - from), w->live->plan.policy, w->live->is.posture);
	else if (*w->settings->bundle && !w->state.now.number)
		apply_setting(w);
	if (w->live && w->found == RECOVERED_ADOPTED) {
		feeds_adopted(&w->kernel);
		follow_feeds(w); /* who died before may have put a content into some of all */
	}
	if (w->live)
		warden_look_at_own(w);
	if (w->state.now.number)
		past_resolve(&w->past, &w->state);
	if (!revert_in_ms(w, now_ms()))
		revert_overdue(w);
	note_start(w, log_fault);
	note_taken(w);
}

static void end(struct warden *w)
{
	child_end(&w->next);
	child_end(&w->leaving);
	child_end(&w->api);
	counting_release(&w->counts.of);
	told_free(w->told);
	audit_close(&w->audit);
	generation_free(w->live);
	feeds_close(&w->kernel);
	kernel_release(&w->kernel);
	notify_close(&w->manager);
	const int fds[] = { w->api.unix_listen, w->api.tcp_listen, w->tcp_waits, w->signals, w->lock, w->network };
	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

int warden_run(const struct settings *s, char *const *argv)
{
	struct warden w = {
		.settings = s, .started = (uint64_t)time(NULL), .signals = -1, .lock = -1, .network = -1, .tcp_waits = -1,
		.kernel = KERNEL_NONE, .audit.fd = -1,
		.api = { .argv = argv, .unix_listen = -1, .tcp_listen = -1, .talk = TALK_NONE },
		.next.talk = TALK_NONE, .leaving.talk = TALK_NONE,
	};
	struct err why;

	w.manager = notify_open();
	int rc = memory_set_aside(MEMORY_ASIDE) ? prepare(&w, &why) : err_set(&why, ENOMEM, "cannot begin: there is no memory");

	if (rc) {
		say("%s", why.text);
	} else {
		take_up(&w);
		notify_say(&w.manager, "READY=1");
		loop(&w);
		notify_say(&w.manager, "STOPPING=1");
	}
	end(&w);
	return rc ? 1 : 0;
}

/* ---- the check ---------------------------------------------------------------------------------- */

static int check_bundle(const char *path, struct err *why)
{
	own(buf) struct buf bytes = { 0 };
	int rc = file_read(&bytes, path, BUNDLE_BYTES_MAX, why);

	if (!rc)
		rc = generation_examine(bytes.at, bytes.len, why);
	return rc ? err_in(why, "bundle %s", path) : 0;
}

static int check_trust(const char *path, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct trust t;

	return trust_read(&t, a, path, why) ? err_in(why, "trusted-keys") : 0;
}

int warden_check(const struct settings *s, struct err *why)
{
	own(filter) struct filter *f = NULL;
	uint32_t number;
	int rc = places_check(s, why);

	if (!rc)
		rc = places_check_pins(s, why);
	if (!rc && *s->trusted_keys)
		rc = check_trust(s->trusted_keys, why);
	if (!rc)
		rc = filter_open(&f, why);
	if (!rc)
		rc = filter_generation(f, &number, why);
	if (!rc && *s->bundle)
		rc = check_bundle(s->bundle, why);
	return rc;
}
