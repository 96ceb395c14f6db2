/*
 * answer - what the api asks of the warden, and what it is told.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "enforcer/proc/say.h"
#include "enforcer/warden/blocks/blocks.h"
#include "enforcer/warden/feeds/feeds.h"
#include "enforcer/warden/inside.h"
#include "enforcer/warden/report.h"
#include "lang/base/clock.h"

static int answer(struct warden *w, const struct message *to, enum message_kind kind, const struct buf *payload,
		  struct err *why)
{
	const struct message m = { kind, to->id, payload->at, payload->len, -1 };

	return talk_say(w->heard, &m, now_ms(), why);
}

static bool asks_self(const struct generation *g)
{
	return !g || g->plan.config.asks & (TEG_ASKS_SRC_SELF | TEG_ASKS_DST_SELF);
}

static const char *own_fault(const struct warden *w)
{
	if (*w->fault)
		return w->fault;
	if (*w->follow_fault && (!w->follow_fault_is_self || asks_self(w->live)))
		return w->follow_fault;
	if (*w->door_fault)
		return w->door_fault;
	if (*w->feed_fault)
		return w->feed_fault;
	if (*w->feed_damage)
		return w->feed_damage;
	if (*w->return_fault)
		return w->return_fault;
	if (*w->revert_fault)
		return w->revert_fault;
	if (w->live && *w->live->is.doubt)
		return w->live->is.doubt;
	if (*w->keep_fault)
		return w->keep_fault;
	if (*w->kernel.stale)
		return w->kernel.stale;
	return *w->audit.fault ? w->audit.fault : NULL;
}

static int answer_status(struct warden *w, const struct message *m, struct arena *a, struct err *why)
{
	if (*w->keep_fault)
		keep_look(w);
	flows_look(w);
	own(buf) struct buf out = { 0 };
	struct status s = { .started = w->started, .adopted = recovered_name(w->found), .intact = 1, .fault = "",
			    .drift = w->drift, .refuses = w->keep_fault, .own_blocked = w->own_blocked.text,
			    .own_blocked_count = w->own_blocked.count, .flows = w->flows };

	report_status(&s, w->live, &w->kernel, a);
	told_count(w->told, &w->kernel, &s.events);
	if (!w->live && w->found == RECOVERED_UNKNOWN) {
		s.engine = "unknown";
		s.events.source = "unknown: a policy is enforced, and it is not known which";
	}
	if (w->live && !told_hears_nft(w->told))
		s.events.source = arena_printf(a, "%s; what nft tells is not heard, since the packet log is another's", s.events.source);
	s.drift.fault = w->drift_fault;
	if (is_pending(w))
		s.pending = (struct status_pending){ w->state.now.confirm.until, w->state.before.number };
	if ((s.intact || s.unknown_since) && own_fault(w)) {
		s.intact = 0;
		s.unknown_since = 0;
		s.fault = own_fault(w);
	}
	status_encode(&out, &s);
	return answer(w, m, MESSAGE_STATUS, &out, why);
}

static struct child *child_of(struct warden *w, uint64_t talk)
{
	return w->api.talk.number == talk ? &w->api : w->leaving.talk.number == talk ? &w->leaving : NULL;
}

/* Counted or not. */
static int tell_counters(struct talk *to, uint32_t id, struct counting *of, uint64_t cost_ns, int rc, struct err *why)
{
	const uint64_t from = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	own(buf) struct buf out = { 0 };
	struct counters c = { 0 };

	if (!rc)
		rc = counting_sum(&c, of, why);
	if (rc) {
		say("%s", why->text);
		c = (struct counters){ 0 };
	}
	c.cost_ns = cost_ns + clock_ns(CLOCK_THREAD_CPUTIME_ID) - from;
	counters_encode(&out, &c);
	return talk_say(to, &(struct message){ MESSAGE_COUNTERS, id, out.at, out.len, -1 }, now_ms(), why);
}

static int answer_counters(struct warden *w, const struct message *m, struct err *why)
{
	const uint64_t from = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	own(counting) struct counting of = { 0 };
	int rc = counting_begin(&of, w->live, &w->kernel, why);

	if (!rc && !counting_is_over(&of) && !w->counts.talk) {
		w->counts.of = of;
		w->counts.talk = w->heard->number;
		w->counts.id = m->id;
		w->counts.cost_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - from;
		of = (struct counting){ 0 };
		return 0;
	}
	while (!rc && !counting_is_over(&of))
		rc = counting_go_on(&of, why);
	return tell_counters(w->heard, m->id, &of, clock_ns(CLOCK_THREAD_CPUTIME_ID) - from, rc, why);
}

bool answer_is_due(const struct warden *w)
{
	return w->counts.talk;
}

/* Another generation has other counters: it is counted anew. */
static int count_on(struct warden *w, struct err *why)
{
	struct counting *of = &w->counts.of;

	if (of->g == w->live && (!of->g || of->number == w->live->is.number))
		return counting_go_on(of, why);
	counting_release(of);
	return counting_begin(of, w->live, &w->kernel, why);
}

void answer_go_on(struct warden *w)
{
	const uint64_t from = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	struct child *to = child_of(w, w->counts.talk);
	struct err why = { 0 };
	int rc = to ? count_on(w, &why) : 0;

	w->counts.cost_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - from;
	if (to && !rc && !counting_is_over(&w->counts.of))
		return;
	if (to && tell_counters(&to->talk, w->counts.id, &w->counts.of, w->counts.cost_ns, rc, &why))
		child_break(to, why.text);
	counting_release(&w->counts.of);
	w->counts.talk = 0;
}

static int answer_told(struct warden *w, const struct message *m, int rc, const struct refusal *no, const struct blocks_told *u, struct err *why)
{
	const struct record *rolled_out = w->live && (m->kind == MESSAGE_APPLY || m->kind == MESSAGE_ROLLBACK) ? &w->live->is : NULL;
	own(buf) struct buf out = { 0 };
	struct result r = {
		.code = rc ? no->code : RESULT_OK, .part = rc ? no->part : "", .text = rc || *no->why.text ? no->why.text : "",
		.generation = w->live ? w->live->is.number : 0, .posture = w->live ? w->live->is.posture : "",
		.pending_until = is_pending(w) ? w->state.now.confirm.until : 0,
		.tests_run = rolled_out ? rolled_out->tests_run : 0, .tests_left = rolled_out ? rolled_out->tests_left : 0,
		.not_blocked = u->not_blocked, .not_blocked_count = u->not_blocked_count,
		.still_blocked = u->still_blocked, .still_blocked_count = u->still_blocked_count,
		.no_place = u->no_place, .no_place_count = u->no_place_count,
	};

	result_encode(&out, &r);
	return answer(w, m, MESSAGE_RESULT, &out, why);
}

static int answer_result(struct warden *w, const struct message *m, int rc, const struct refusal *no, struct err *why)
{
	return answer_told(w, m, rc, no, &(struct blocks_told){ 0 }, why);
}

static const char *posture_summary(const struct set_posture *ask, struct arena *a)
{
	return arena_printf(a, "%s%s%s%s", ask->name, ask->seconds ? arena_printf(a, " for %u s", ask->seconds) : "",
			    *ask->reason ? ": " : "", ask->reason);
}

/*
 * While a generation waits to be confirmed it may be made tighter, and nothing else. An end that is not remembered
 * would not come after a crash.
 */
static int may_switch(struct warden *w, const struct set_posture *ask, struct refusal *no)
{
	int rc = ask->seconds ? keep_refuses(w, no) : 0;

	if (rc)
		return err_in(&no->why, "a posture without a duration is taken, one with is not");
	if (!is_pending(w) || (w->live && posture_is_no_wider(&w->live->plan, ask->name, &w->live->is)))
		return 0;
	refuse_pending(w, no);
	return w->live ? err_set(&no->why, EBUSY, "generation %llu waits to be confirmed, and %.128s is not known to be no wider than %s; "
				 "confirm or cancel it first", (unsigned long long)w->state.now.number, ask->name,
				 lasting_posture(&w->live->is)) : -EBUSY;
}

static int answer_set_posture(struct warden *w, const struct message *m, struct arena *a, struct err *why)
{
	struct refusal no = { 0 };
	struct set_posture ask;
	int rc = set_posture_decode(&ask, a, m->payload, m->len, why);

	if (rc)
		return rc;
	rc = may_switch(w, &ask, &no);
	if (!rc)
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

static const char *with_confirm(const char *summary, uint32_t seconds, struct arena *a)
{
	return seconds ? arena_printf(a, "%s, to be confirmed within %u s", summary, seconds) : summary;
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
	note_change(w, "apply", &ask.by,
		    with_confirm(apply_summary(w, &id, ask.downgrade, rc, a), ask.confirm, a), rc, &no);
	return answer_result(w, m, rc, &no, why);
}

static int answer_rollback(struct warden *w, const struct message *m, struct arena *a, struct err *why)
{
	struct refusal no = { 0 };
	struct rollback ask;
	const char *summary;
	int rc = rollback_decode(&ask, a, m->payload, m->len, why);

	if (rc)
		return rc;
	rc = roll_back(w, &ask, &no, a, &summary);
	note_change(w, "rollback", &ask.by, with_confirm(summary, ask.confirm, a), rc, &no);
	return answer_result(w, m, rc, &no, why);
}

static int answer_settle(struct warden *w, const struct message *m, struct arena *a, struct err *why)
{
	const bool confirms = m->kind == MESSAGE_CONFIRM;
	const char *summary = arena_printf(a, "generation %llu", (unsigned long long)w->state.now.number);
	struct refusal no = { 0 };
	struct settle ask;
	int rc = settle_decode(&ask, a, m->payload, m->len, why);

	if (rc)
		return rc;
	rc = confirms ? confirm(w, &ask, &no) : cancel(w, &ask, &no);
	note_change(w, confirms ? "confirm" : "cancel", &ask.by, summary, rc, &no);
	return answer_result(w, m, rc, &no, why);
}

static int answer_history(struct warden *w, const struct message *m, struct arena *a, struct err *why)
{
	own(buf) struct buf out = { 0 };
	struct history h;

	past_tell(&h, &w->past, w->state.now.number, a);
	history_encode(&out, &h);
	return answer(w, m, MESSAGE_HISTORY, &out, why);
}

static int answer_bundle(struct warden *w, const struct message *m, struct err *why)
{
	own(buf) struct buf out = { 0 };
	own(fd) int fd = -1;
	struct ask_bundle ask;
	struct err lost;
	int rc = ask_bundle_decode(&ask, m->payload, m->len, why);

	if (rc)
		return rc;
	const struct entry *e = past_find(&w->past, ask.number);
	const bool is_kept = e && !state_open_bundle(&fd, w->settings->state_dir, &e->bundle, &lost);
	if (!is_kept)
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	kept_bundle_encode(&out, &(struct kept_bundle){ is_kept ? e->bundle.hex : "" });
	const struct message to = { MESSAGE_BUNDLE, m->id, out.at, out.len, take_fd(fd) };
	return talk_say(w->heard, &to, now_ms(), why);
}

/* "2 sources for 3600 s: scans: 198.51.100.7, 2001:db8::/48", the first few of them. */
static const char *block_summary(const struct block *ask, struct arena *a)
{
	const char *text = arena_printf(a, "%u source%s %s%s%s:", ask->source_count, ask->source_count > 1 ? "s" : "",
					ask->seconds ? arena_printf(a, "for %u s", ask->seconds) : "no longer",
					*ask->reason ? ": " : "", ask->reason);
	char one[ADDR_TEXT];

	for (uint32_t i = 0; i < ask->source_count && i < 8; i++)
		text = arena_printf(a, "%s%s %s", text, i ? "," : "", prefix_print(ask->sources[i], one));
	return ask->source_count > 8 ? arena_printf(a, "%s, …", text) : text;
}

static int change_blocks(struct warden *w, const struct block *ask, struct blocks_told *told, struct refusal *no)
{
	int rc = base_holds(w, &ask->by, no);
	const char bank = w->live && ports_use(&w->live->ports, PORT_NFT) ? w->live->is.bank : '\0';

	if (rc)
		return rc;
	no->part = "blocks";
	if (!w->live)
		return refuse_without(w, no);
	if (ask->seconds && !w->live->plan.zone_count) {
		no->code = RESULT_CONFLICT;
		return err_set(&no->why, EINVAL, "nothing is judged on arrival: the policy %s has no zone; give it one, and apply it", w->live->plan.policy);
	}
	rc = ask->seconds ? blocks_spare(&w->kernel, &w->live->plan, ask, &no->why) : 0;
	no->code = rc == -EPERM ? RESULT_REFUSED : RESULT_FAILED;
	if (rc)
		return rc;
	rc = blocks_change(&w->kernel, bank, ask, told, &no->why);
	if (rc == -ENOENT && drift_put_right(w)) {
		no->why = (struct err){ 0 };
		rc = blocks_change(&w->kernel, bank ? w->live->is.bank : bank, ask, told, &no->why);
	}
	if (rc == -ENOSPC)
		no->code = RESULT_REFUSED;
	return rc ? rc : drift_after(w, &no->why);
}

static int answer_block(struct warden *w, const struct message *m, struct arena *a, struct err *why)
{
	struct refusal no = { 0 };
	struct blocks_told u = { 0 };
	struct block ask;
	int rc = block_decode(&ask, a, m->payload, m->len, why);

	if (rc)
		return rc;
	u.not_blocked = arena_zero(a, ask.source_count * sizeof *u.not_blocked);
	u.still_blocked = arena_zero(a, 2 * ask.source_count * sizeof *u.still_blocked);
	u.no_place = arena_zero(a, ask.source_count * sizeof *u.no_place);
	rc = change_blocks(w, &ask, &u, &no);
	if (w->own_blocked.count)
		warden_look_at_own(w);
	note_change(w, ask.seconds ? "block" : "unblock", &ask.by, block_summary(&ask, a), rc, &no);
	return answer_told(w, m, rc, &no, &u, why);
}

/* None when they cannot be read, which is said: the counters' number of them is another way to see it. */
static int answer_blocks(struct warden *w, const struct message *m, struct arena *a, struct err *why)
{
	own(buf) struct buf out = { 0 };
	struct blocks b;

	if (blocks_list(&b, &w->kernel, w->live, a, why)) {
		say("%s", why->text);
		b = (struct blocks){ 0 };
	} else {
		b.known = w->live || b.total;
	}
	blocks_encode(&out, &b);
	return answer(w, m, MESSAGE_BLOCKS, &out, why);
}

static int answer_audit(struct warden *w, const struct message *to, struct err *why)
{
	struct audit_head head = { w->audit.chain.seq, 0 };
	own(buf) struct buf out = { 0 };
	own(fd) int fd = -1;
	struct ask_audit ask;
	int rc = ask_audit_decode(&ask, to->payload, to->len, why);

	if (!rc)
		rc = audit_reader(&w->audit, ask.before, &fd, &head.len, why);
	if (rc)
		return rc;
	audit_head_encode(&out, &head);
	const struct message m = { MESSAGE_AUDIT, to->id, out.at, out.len, take_fd(fd) };
	return talk_say(w->heard, &m, now_ms(), why);
}

/* "drop: 1200 entries", "drop: nothing, as was asked". */
static const char *feed_summary(const struct feed_given *ask, struct arena *a)
{
	return ask->clears ? arena_printf(a, "%.128s: nothing, as was asked", ask->name) :
			     arena_printf(a, "%.128s: %u entries", ask->name, ask->entries);
}

/* The file of that feed could not be read, and is another now. */
static void mend_damage(struct warden *w, const char *name)
{
	char path[PLAN_FEED_NAME_MOST + 16];

	snprintf(path, sizeof path, "/feeds/%s ", name);
	if (strstr(w->feed_damage, path))
		note_fault(w->feed_damage, "");
}

static int change_feed(struct warden *w, int fd, const struct feed_given *ask, struct refusal *no)
{
	int rc = base_holds(w, &ask->by, no);

	if (!rc)
		rc = keep_refuses(w, no);
	if (!rc && !w->live) {
		no->part = "feeds";
		rc = refuse_without(w, no);
	}
	if (!rc)
		rc = feeds_replace(w->live, &w->kernel, ask, fd, no);
	/* As for a block: nobody is told that it is loaded where nothing would hold it. */
	if (rc == -ENOENT && no->code == RESULT_CANNOT && drift_put_right(w)) {
		no->why = (struct err){ 0 };
		rc = feeds_replace(w->live, &w->kernel, ask, fd, no);
	}
	if (rc)
		return rc;
	mend_damage(w, ask->name);
	no->code = RESULT_FAILED;
	no->part = "feeds";
	return drift_after(w, &no->why);
}

static int answer_feed(struct warden *w, const struct message *m, struct arena *a, struct err *why)
{
	struct refusal no = { 0 };
	struct feed_given ask;
	int rc = feed_given_decode(&ask, a, m->payload, m->len, why);

	if (rc)
		return rc;
	rc = change_feed(w, m->fd, &ask, &no);
	note_change(w, "feed", &ask.by, feed_summary(&ask, a), rc, &no);
	return answer_result(w, m, rc, &no, why);
}

static int answer_feeds(struct warden *w, const struct message *m, struct arena *a, struct err *why)
{
	own(buf) struct buf out = { 0 };
	struct feeds_told f = { 0 };

	if (w->live)
		feeds_tell(&f, w->live, &w->kernel, a);
	feeds_told_encode(&out, &f);
	return answer(w, m, MESSAGE_FEEDS, &out, why);
}

/* What changes nothing. */
static int answer_look(struct warden *w, const struct message *m, struct arena *a, struct err *why)
{
	if (m->kind == MESSAGE_ASK_HISTORY)
		return answer_history(w, m, a, why);
	if (m->kind == MESSAGE_ASK_BLOCKS)
		return answer_blocks(w, m, a, why);
	if (m->kind == MESSAGE_ASK_FEEDS)
		return answer_feeds(w, m, a, why);
	return m->kind == MESSAGE_ASK_STATUS ? answer_status(w, m, a, why) : answer_counters(w, m, why);
}

int answer_any(struct warden *w, const struct message *m, struct arena *a, struct err *why)
{
	switch (m->kind) {
	case MESSAGE_ASK_STATUS:
	case MESSAGE_ASK_COUNTERS:
	case MESSAGE_ASK_HISTORY:
	case MESSAGE_ASK_BLOCKS:
	case MESSAGE_ASK_FEEDS:
		return m->len ? err_set(why, EPROTO, "%s has a payload", message_name(m->kind)) : answer_look(w, m, a, why);
	case MESSAGE_SET_POSTURE:
		return answer_set_posture(w, m, a, why);
	case MESSAGE_APPLY:
		return answer_apply(w, m, a, why);
	case MESSAGE_BLOCK:
		return answer_block(w, m, a, why);
	case MESSAGE_FEED:
		return answer_feed(w, m, a, why);
	case MESSAGE_ROLLBACK:
		return answer_rollback(w, m, a, why);
	case MESSAGE_CONFIRM:
	case MESSAGE_CANCEL:
		return answer_settle(w, m, a, why);
	case MESSAGE_ASK_BUNDLE:
		return answer_bundle(w, m, why);
	case MESSAGE_ASK_AUDIT:
		return answer_audit(w, m, why);
	case MESSAGE_STATUS:
	case MESSAGE_COUNTERS:
	case MESSAGE_RESULT:
	case MESSAGE_AUDIT:
	case MESSAGE_HISTORY:
	case MESSAGE_BUNDLE:
	case MESSAGE_BLOCKS:
	case MESSAGE_FEEDS:
	case MESSAGE_EVENT:
	case MESSAGE_PACKETS:
	case MESSAGE_COUNT:
		break;
	}
	return err_set(why, EPROTO, "the message is not for the warden");
}
