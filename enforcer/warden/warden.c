#include "enforcer/warden/warden.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "enforcer/proc/say.h"
#include "enforcer/warden/audit.h"
#include "enforcer/warden/blocks.h"
#include "enforcer/warden/child.h"
#include "enforcer/warden/generation.h"
#include "enforcer/warden/kernel.h"
#include "enforcer/warden/recover.h"
#include "enforcer/warden/report.h"
#include "enforcer/warden/sockets.h"
#include "lang/base/file.h"
#include "lang/base/version.h"
#include "lang/bundle/bundle.h"

#define TICK_MS 5000

struct warden {
	const struct settings *settings;
	struct kernel kernel;
	struct state state;
	struct audit audit;
	struct generation *live; /* NULL when none */
	enum recovered found;
	uint64_t started;	 /* seconds, CLOCK_REALTIME */
	/*
	 * What went wrong and is not seen in the kernel; "" when nothing: at the start, in following the
	 * host, and in returning to a posture, which is tried again at a time.
	 */
	char fault[512], follow_fault[512], return_fault[512];
	uint64_t return_again_ms;
	struct child api;
	int signals, lock;
	bool ends;
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Said once, and told by /status until it is over. */
static void note_fault(char fault[static 512], const char *text)
{
	char is[512];

	snprintf(is, sizeof is, "%.500s", text);
	if (*is && strcmp(fault, is))
		say("%s", is);
	memcpy(fault, is, sizeof is);
}

/* ---- following the host ---------------------------------------------------------------- */

static void follow(struct warden *w, unsigned changed)
{
	struct err why = { 0 };
	int rc = 0;

	if (changed & ROUTE_ADDRESSES)
		rc = kernel_follow_self(&w->kernel, &why);
	if (!rc && changed & ROUTE_LINKS && w->live)
		rc = generation_follow_links(w->live, &w->kernel, &w->state, &why);
	if (changed)
		note_fault(w->follow_fault, rc ? why.text : "");
}

/* ---- changes ------------------------------------------------------------------------- */

static int apply_bytes(struct warden *w, const struct buf *bytes, bool downgrade, struct refusal *no)
{
	own(generation) struct generation *g = NULL;
	struct stage ask = {
		.bytes = bytes->at, .len = bytes->len, .number = w->state.now.number + 1, .live = w->live,
		.from = w->live ? &w->live->is : NULL,
		.now = w->state.now.number ? &w->state.now : NULL, .downgrade = downgrade,
	};
	int rc;

	if (recover_free_bank(&w->kernel, w->live, &ask.bank, &no->why)) {
		no->code = RESULT_CANNOT;
		no->part = "nft";
		return no->why.code;
	}
	rc = generation_stage(&g, &w->kernel, &ask, no);
	if (rc)
		return rc;
	rc = generation_commit(g, &w->kernel, &w->state, no);
	if (rc) {
		generation_abort(take(g), &w->kernel);
		follow(w, ROUTE_LINKS); /* interfaces that only the new one had are left again */
		return rc;
	}
	generation_free(w->live);
	w->live = take(g);
	say("generation %llu is in force: policy %s, posture %s", (unsigned long long)w->live->is.number,
	    w->live->plan.policy, w->live->is.posture);
	note_fault(w->fault, no->why.text);
	malloc_trim(0); /* a bundle is large, and the next one may be long in coming */
	return 0;
}

/* Somebody else's descriptor: only a file can be read to its end without waiting. */
static int read_bundle(struct buf *out, int fd, struct refusal *no)
{
	struct stat st;

	no->code = RESULT_REFUSED;
	no->part = "seal";
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || lseek(fd, 0, SEEK_SET))
		return err_set(&no->why, EINVAL, "the bundle's descriptor is no file");
	return file_read_fd(out, fd, BUNDLE_BYTES_MAX, &no->why);
}

/* Is what they mean still in force? */
static int base_holds(const struct warden *w, const struct asker *by, struct refusal *no)
{
	char is[BASE_TAG_ROOM];

	base_tag(is, w->live ? w->live->is.number : 0, w->live ? w->live->is.bundle.hex : "");
	if (!*by->base || !strcmp(by->base, is))
		return 0;
	no->code = RESULT_STALE;
	no->part = "base";
	return err_set(&no->why, ESTALE, "\"%s\" is in force, not \"%s\"", is, by->base);
}

/* *id is that of the bytes, whatever they are. */
static int apply(struct warden *w, int fd, const struct apply *ask, struct refusal *no, struct digest *id)
{
	own(buf) struct buf bytes = { 0 };
	int rc = base_holds(w, &ask->by, no);

	if (!rc)
		rc = read_bundle(&bytes, fd, no);
	if (rc)
		return rc;
	*id = digest_of(bytes.at, bytes.len);
	return apply_bytes(w, &bytes, ask->downgrade, no);
}

static int posture_find(const struct plan *p, const char *name, uint32_t *out)
{
	for (*out = 0; *out < p->posture_count; ++*out)
		if (!strcmp(p->postures[*out].name, name))
			return 0;
	return -ENOENT;
}

static void journal(struct warden *w, const struct record *is)
{
	struct err why;

	w->state.now = *is;
	if (state_save(&w->state, w->settings->state_dir, &why))
		say("%s", why.text);
}

/* Where an end leads: the last posture that had none. */
static const char *lasting_posture(const struct record *is)
{
	return deadline_is_set(&is->until) ? is->back : is->posture;
}

/* What is in force, once the posture is as asked. */
static struct record record_with(const struct record *is, const struct set_posture *ask)
{
	struct record r = *is;

	r.until = (struct deadline){ 0 };
	if (ask->seconds) {
		r.until = deadline_in(ask->seconds);
		snprintf(r.back, sizeof r.back, "%s", lasting_posture(is));
	}
	if (strcmp(is->posture, ask->name)) {
		r.since = (uint64_t)time(NULL);
		snprintf(r.posture, sizeof r.posture, "%s", ask->name);
	} else if (!*ask->reason) {
		return r;
	}
	snprintf(r.reason, sizeof r.reason, "%s", ask->reason);
	return r;
}

static bool records_say_the_same(const struct record *a, const struct record *b)
{
	return !strcmp(a->posture, b->posture) && !strcmp(a->reason, b->reason) && !deadline_is_set(&a->until) &&
	       !deadline_is_set(&b->until);
}

/*
 * An end is journalled before the switch: else a crash between the two would leave a posture that was meant
 * to end, without one. A start that finds another posture in force than the journal's drops the end.
 */
static int switch_posture(struct warden *w, uint32_t posture, const struct set_posture *ask, struct err *why)
{
	const struct record wanted = record_with(&w->live->is, ask);
	const bool same = records_say_the_same(&wanted, &w->live->is);

	if (ask->seconds)
		journal(w, &wanted);
	int rc = generation_set_posture(w->live, &w->kernel, posture, why);
	if (w->live->posture == posture) {
		w->live->is = wanted;
		*w->return_fault = '\0';
	}
	if (!same && (!ask->seconds || w->live->posture != posture))
		journal(w, &w->live->is);
	if (!same && w->live->posture == posture)
		say("posture %s%s%s", ask->name, ask->seconds ? " for a time, then " : "",
		    ask->seconds ? wanted.back : "");
	return rc;
}

static int set_posture(struct warden *w, const struct set_posture *ask, struct refusal *no)
{
	uint32_t posture;
	int rc = base_holds(w, &ask->by, no);

	if (rc)
		return rc;
	no->part = "posture";
	if (!w->live) {
		no->code = RESULT_CONFLICT;
		return err_set(&no->why, ENOENT, "no policy is in force; apply a bundle first");
	}
	if (posture_find(&w->live->plan, ask->name, &posture)) {
		no->code = RESULT_REFUSED;
		return err_set(&no->why, EINVAL, "the policy %s has no posture %.128s", w->live->plan.policy, ask->name);
	}
	if (ask->seconds && !strcmp(ask->name, lasting_posture(&w->live->is))) {
		no->code = RESULT_REFUSED;
		return err_set(&no->why, EINVAL, "%s would only go back to itself; leave the duration out", ask->name);
	}
	no->code = RESULT_FAILED;
	return switch_posture(w, posture, ask, &no->why);
}

/* ---- what was changed ------------------------------------------------------------------------ */

static void tell_event(struct warden *w, const struct audit_entry *e)
{
	own(buf) struct buf out = { 0 };
	const struct event event = { w->audit.chain.seq, (uint64_t)time(NULL), e->what, e->summary, e->result, e->posture,
				     e->generation };
	struct err why;

	event_encode(&out, &event);
	const struct message m = { MESSAGE_EVENT, 0, out.at, out.len, -1 };
	if (w->api.sock >= 0 && message_send(w->api.sock, &m, &why))
		child_break(&w->api, why.text);
}

static void note_entry(struct warden *w, struct audit_entry *e)
{
	e->generation = w->live ? w->live->is.number : 0;
	e->posture = w->live ? w->live->is.posture : "";
	audit_add(&w->audit, e);
	if (*w->audit.fault)
		say("%s", w->audit.fault);
	tell_event(w, e);
}

static const char *outcome_name(int rc, const struct refusal *no)
{
	if (!rc)
		return "done";
	switch (no->code) {
	case RESULT_REFUSED:
		return "refused";
	case RESULT_CANNOT:
		return "cannot";
	case RESULT_CONFLICT:
		return "conflict";
	case RESULT_STALE:
		return "stale";
	case RESULT_OK:
	case RESULT_FAILED:
	case RESULT_COUNT:
		break;
	}
	return "failed";
}

/* `by` is NULL for what tegd does by itself. */
static void note_change(struct warden *w, const char *what, const struct asker *by, const char *summary, int rc,
			const struct refusal *no)
{
	note_entry(w, &(struct audit_entry){ .what = what, .by = by, .summary = summary, .result = outcome_name(rc, no),
					     .detail = no->why.text });
}

/* ---- answers ---------------------------------------------------------------------------- */

static int answer(struct warden *w, const struct message *to, enum message_kind kind, const struct buf *payload,
		  struct err *why)
{
	const struct message m = { kind, to->id, payload->at, payload->len, -1 };

	return message_send(w->api.sock, &m, why);
}

static const char *own_fault(const struct warden *w)
{
	if (*w->fault)
		return w->fault;
	if (*w->follow_fault)
		return w->follow_fault;
	if (*w->return_fault)
		return w->return_fault;
	if (*w->audit.fault)
		return w->audit.fault;
	return w->state.unsaved ? "the journal cannot be written: after a reboot the generation before would be restored" :
				  NULL;
}

static int answer_status(struct warden *w, const struct message *m, struct arena *a, struct err *why)
{
	own(buf) struct buf out = { 0 };
	struct status s = { .started = w->started, .adopted = recovered_name(w->found), .intact = 1, .fault = "" };

	report_status(&s, w->live, &w->kernel, a);
	if (s.intact && own_fault(w)) {
		s.intact = 0;
		s.fault = own_fault(w);
	}
	status_encode(&out, &s);
	return answer(w, m, MESSAGE_STATUS, &out, why);
}

static int answer_counters(struct warden *w, const struct message *m, struct arena *a, struct err *why)
{
	own(buf) struct buf out = { 0 };
	struct counters c;

	if (report_counters(&c, w->live, &w->kernel, a, why)) {
		say("%s", why->text);
		c = (struct counters){ 0 };
	}
	counters_encode(&out, &c);
	return answer(w, m, MESSAGE_COUNTERS, &out, why);
}

static int answer_result(struct warden *w, const struct message *m, int rc, const struct refusal *no, struct err *why)
{
	own(buf) struct buf out = { 0 };
	struct result r = {
		.code = rc ? no->code : RESULT_OK, .part = rc ? no->part : "", .text = rc || *no->why.text ? no->why.text : "",
		.generation = w->live ? w->live->is.number : 0, .posture = w->live ? w->live->is.posture : "",
	};

	result_encode(&out, &r);
	return answer(w, m, MESSAGE_RESULT, &out, why);
}

static const char *posture_summary(const struct set_posture *ask, struct arena *a)
{
	return arena_printf(a, "%s%s%s%s", ask->name, ask->seconds ? arena_printf(a, " for %u s", ask->seconds) : "",
			    *ask->reason ? ": " : "", ask->reason);
}

static int answer_set_posture(struct warden *w, const struct message *m, struct arena *a, struct err *why)
{
	struct refusal no = { 0 };
	struct set_posture ask;
	int rc = set_posture_decode(&ask, a, m->payload, m->len, why);

	if (rc)
		return rc;
	rc = set_posture(w, &ask, &no);
	note_change(w, "posture", &ask.by, posture_summary(&ask, a), rc, &no);
	return answer_result(w, m, rc, &no, why);
}

/* What is in force now, or what was not taken: the SHA-256 of the file. */
static const char *apply_summary(const struct warden *w, const struct digest *file, bool downgrade, int rc, struct arena *a)
{
	const char *allowed = downgrade ? ", a downgrade allowed" : "";

	if (rc && !*file->hex)
		return arena_printf(a, "a file that was not read%s", allowed);
	if (rc)
		return arena_printf(a, "a file with the SHA-256 %s%s", file->hex, allowed);
	return arena_printf(a, "policy %s %s, bundle %s%s", w->live->plan.policy, w->live->plan.version,
			    w->live->is.bundle.hex, allowed);
}

static int answer_apply(struct warden *w, const struct message *m, struct arena *a, struct err *why)
{
	struct refusal no = { 0 };
	struct digest id = { "" };
	struct apply ask;
	int rc = apply_decode(&ask, a, m->payload, m->len, why);

	if (rc)
		return rc;
	rc = apply(w, m->fd, &ask, &no, &id);
	note_change(w, "apply", &ask.by, apply_summary(w, &id, ask.downgrade, rc, a), rc, &no);
	return answer_result(w, m, rc, &no, why);
}

/* "2 sources for 3600 s: scans: 198.51.100.7, 2001:db8::", the first few of them. */
static const char *block_summary(const struct block *ask, struct arena *a)
{
	const char *text = arena_printf(a, "%u source%s %s%s%s:", ask->source_count, ask->source_count > 1 ? "s" : "",
					ask->seconds ? arena_printf(a, "for %u s", ask->seconds) : "no longer",
					*ask->reason ? ": " : "", ask->reason);
	char one[ADDR_TEXT];

	for (uint32_t i = 0; i < ask->source_count && i < 8; i++)
		text = arena_printf(a, "%s%s %s", text, i ? "," : "", addr_print(ask->sources[i], one));
	return ask->source_count > 8 ? arena_printf(a, "%s, …", text) : text;
}

static int change_blocks(struct warden *w, const struct block *ask, struct refusal *no)
{
	int rc = base_holds(w, &ask->by, no);

	if (rc)
		return rc;
	no->part = "blocks";
	if (!w->live) {
		no->code = RESULT_CONFLICT;
		return err_set(&no->why, ENOENT, "no policy is in force; apply a bundle first");
	}
	no->code = RESULT_FAILED;
	return blocks_change(&w->kernel, ask, &no->why);
}

static int answer_block(struct warden *w, const struct message *m, struct arena *a, struct err *why)
{
	struct refusal no = { 0 };
	struct block ask;
	int rc = block_decode(&ask, a, m->payload, m->len, why);

	if (rc)
		return rc;
	rc = change_blocks(w, &ask, &no);
	note_change(w, ask.seconds ? "block" : "unblock", &ask.by, block_summary(&ask, a), rc, &no);
	return answer_result(w, m, rc, &no, why);
}

/* None when they cannot be read, which is said: the counters' number of them is another way to see it. */
static int answer_blocks(struct warden *w, const struct message *m, struct arena *a, struct err *why)
{
	own(buf) struct buf out = { 0 };
	struct blocks b;

	if (blocks_list(&b, &w->kernel, w->live, a, why)) {
		say("%s", why->text);
		b = (struct blocks){ 0 };
	}
	blocks_encode(&out, &b);
	return answer(w, m, MESSAGE_BLOCKS, &out, why);
}

static int answer_audit(struct warden *w, const struct message *to, struct err *why)
{
	const struct audit_head head = { w->audit.chain.seq, w->audit.len };
	own(buf) struct buf out = { 0 };
	own(fd) int fd = -1;
	int rc = audit_reader(&w->audit, &fd, why);

	audit_head_encode(&out, &head);
	const struct message m = { MESSAGE_AUDIT, to->id, out.at, out.len, fd };
	return rc ? rc : message_send(w->api.sock, &m, why);
}

/* What changes nothing. */
static int answer_look(struct warden *w, const struct message *m, struct arena *a, struct err *why)
{
	if (m->kind == MESSAGE_ASK_AUDIT)
		return answer_audit(w, m, why);
	if (m->kind == MESSAGE_ASK_BLOCKS)
		return answer_blocks(w, m, a, why);
	return m->kind == MESSAGE_ASK_STATUS ? answer_status(w, m, a, why) : answer_counters(w, m, a, why);
}

static int answer_any(struct warden *w, const struct message *m, struct arena *a, struct err *why)
{
	switch (m->kind) {
	case MESSAGE_ASK_STATUS:
	case MESSAGE_ASK_COUNTERS:
	case MESSAGE_ASK_AUDIT:
	case MESSAGE_ASK_BLOCKS:
		return m->len ? err_set(why, EPROTO, "%s has a payload", message_name(m->kind)) : answer_look(w, m, a, why);
	case MESSAGE_SET_POSTURE:
		return answer_set_posture(w, m, a, why);
	case MESSAGE_BLOCK:
		return answer_block(w, m, a, why);
	case MESSAGE_APPLY:
		return answer_apply(w, m, a, why);
	case MESSAGE_STATUS:
	case MESSAGE_COUNTERS:
	case MESSAGE_RESULT:
	case MESSAGE_AUDIT:
	case MESSAGE_BLOCKS:
	case MESSAGE_EVENT:
	case MESSAGE_COUNT:
		break;
	}
	return err_set(why, EPROTO, "the message is not for the warden");
}

static void hear_api(struct warden *w)
{
	own(arena) struct arena *a = arena_new();
	struct message m = { .fd = -1 };
	struct err why = { 0 };
	int rc = message_receive(w->api.sock, ROLE_WARDEN, a, &m, &why);

	if (!rc)
		rc = answer_any(w, &m, a, &why);
	if (m.fd >= 0)
		close(m.fd);
	if (rc)
		child_break(&w->api, why.text);
}

/* ---- what happens by itself --------------------------------------------------------------- */

static void hear_signal(struct warden *w)
{
	struct signalfd_siginfo got;

	if (read(w->signals, &got, sizeof got) != sizeof got)
		return;
	if (got.ssi_signo == SIGCHLD)
		child_reap(&w->api, now_ms());
	else
		w->ends = true;
}

static void tick(struct warden *w)
{
	uint64_t in_force;
	struct err why;

	if (kernel_sweep_blocks(&w->kernel, &in_force, &why))
		say("%s", why.text);
	if (w->state.unsaved && !state_save(&w->state, w->settings->state_dir, &why))
		say("the journal is written again");
}

/* Until the posture's end, or until it is tried again. */
static uint64_t return_in_ms(const struct warden *w, uint64_t now)
{
	if (!w->live || !deadline_is_set(&w->live->is.until))
		return UINT64_MAX;
	const uint64_t left = deadline_left_ms(&w->live->is.until);
	const uint64_t again = w->return_again_ms > now ? w->return_again_ms - now : 0;
	return left > again ? left : again;
}

static void return_posture(struct warden *w)
{
	own(buf) struct buf reason = { 0 };
	own(buf) struct buf name = { 0 };
	struct refusal no = { 0 };

	buf_puts(&name, w->live->is.back);
	buf_printf(&reason, "the time of %s was over", w->live->is.posture);
	const struct set_posture back = { .name = buf_text(&name), .reason = buf_text(&reason), .by = { "", "tegd", "" } };
	int rc = set_posture(w, &back, &no);
	note_change(w, "return", NULL, back.name, rc, &no);
	if (rc)
		err_in(&no.why, "posture %s is over, but %s does not come", w->live->is.posture, back.name);
	w->return_again_ms = now_ms() + TICK_MS;
	note_fault(w->return_fault, rc && deadline_is_set(&w->live->is.until) ? no.why.text : "");
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static int wait_ms(struct warden *w, uint64_t next_tick)
{
	const uint64_t now = now_ms();
	const int restart = child_tend(&w->api, now);
	uint64_t wait = least(now < next_tick ? next_tick - now : 0, return_in_ms(w, now));

	return (int)(restart >= 0 ? least(wait, (uint64_t)restart) : wait);
}

static void loop(struct warden *w)
{
	uint64_t next_tick = now_ms() + TICK_MS;

	while (!w->ends) {
		const int wait = wait_ms(w, next_tick); /* may start the api: its socket is watched */
		struct pollfd watched[] = { { .fd = w->signals, .events = POLLIN },
					    { .fd = route_fd(w->kernel.route), .events = POLLIN },
					    { .fd = w->api.sock, .events = POLLIN } };

		if (poll(watched, 3, wait) < 0 && errno != EINTR)
			return;
		if (watched[0].revents)
			hear_signal(w);
		if (watched[1].revents)
			follow(w, route_drain(w->kernel.route));
		if (watched[2].revents && w->api.sock == watched[2].fd && w->api.sock >= 0)
			hear_api(w);
		if (!return_in_ms(w, now_ms()))
			return_posture(w);
		if (now_ms() >= next_tick) {
			tick(w);
			next_tick = now_ms() + TICK_MS;
		}
	}
}

/* ---- beginning and end ------------------------------------------------------------------------ */

/* The path and those above it. */
static int make_directory(const char *path, mode_t mode, struct err *why)
{
	char part[PATH_MAX];

	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
		if (mkdir(part, 0755) && errno != EEXIST)
			return err_sys(why, "cannot make %s", part);
	}
	if (mkdir(path, mode) && errno != EEXIST)
		return err_sys(why, "cannot make %s", path);
	return 0;
}

/* Two wardens over one journal would undo each other's work. */
static int lock_state(struct warden *w, struct err *why)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/lock", w->settings->state_dir);
	w->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (w->lock < 0)
		return err_sys(why, "cannot open %s", path);
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
	sigprocmask(SIG_BLOCK, &ours, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	w->signals = signalfd(-1, &ours, SFD_CLOEXEC);
	return w->signals < 0 ? err_sys(why, "cannot receive signals") : 0;
}

static int prepare(struct warden *w, struct err *why)
{
	int rc = make_directory(w->settings->state_dir, 0700, why);

	if (!rc)
		rc = make_directory(w->settings->run_dir, 0755, why);
	if (!rc)
		rc = lock_state(w, why);
	if (!rc)
		rc = catch_signals(w, why);
	if (!rc)
		rc = sockets_open_unix(&w->api.unix_listen, w->settings, why);
	if (!rc)
		rc = sockets_open_tcp(&w->api.tcp_listen, w->settings, why);
	return rc ? rc : kernel_open(&w->kernel, w->settings, why);
}

static void apply_first(struct warden *w)
{
	own(buf) struct buf bytes = { 0 };
	struct refusal no = { .part = "seal" };
	int rc = file_read(&bytes, w->settings->bundle, BUNDLE_BYTES_MAX, &no.why);

	if (!rc)
		rc = apply_bytes(w, &bytes, false, &no);
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

	if (audit_open(&w->audit, w->settings->state_dir, &why))
		say("%s", why.text);
	memcpy(log_fault, w->audit.fault, sizeof log_fault);

	follow(w, ROUTE_ADDRESSES);
	if (recover(&w->live, &w->found, &w->kernel, &w->state, &why))
		note_fault(w->fault, why.text);
	if (w->live)
		say("generation %llu is %s after %llu ms: policy %s, posture %s",
		    (unsigned long long)w->live->is.number, recovered_name(w->found),
		    (unsigned long long)(now_ms() - from), w->live->plan.policy, w->live->is.posture);
	else if (*w->settings->bundle && !w->state.now.number)
		apply_first(w);
	note_start(w, log_fault);
}

static void end(struct warden *w)
{
	child_end(&w->api);
	audit_close(&w->audit);
	generation_free(w->live);
	kernel_release(&w->kernel);
	const int fds[] = { w->api.unix_listen, w->api.tcp_listen, w->signals, w->lock };
	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

int warden_run(const struct settings *s, char *const *argv)
{
	struct warden w = {
		.settings = s, .started = (uint64_t)time(NULL), .signals = -1, .lock = -1,
		.kernel = { .shared = SHARED_NONE }, .audit.fd = -1,
		.api = { .argv = argv, .unix_listen = -1, .tcp_listen = -1, .sock = -1 },
	};
	struct err why;
	int rc = prepare(&w, &why);

	if (rc) {
		say("%s", why.text);
	} else {
		take_up(&w);
		loop(&w);
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

int warden_check(const struct settings *s, struct err *why)
{
	own(filter) struct filter *f = NULL;
	uint32_t number;
	int rc = filter_open(&f, why);

	if (!rc)
		rc = filter_generation(f, &number, why);
	if (!rc && *s->bundle)
		rc = check_bundle(s->bundle, why);
	return rc;
}
