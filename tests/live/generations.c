/* A real warden, asked as an api may ask: history, rollback, a confirmation and its absence, a full disk. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lang/base/own.h"
#include "tests/lib/tap.h"
#include "tests/lib/warden_stage.h"

static struct warden_stage s;
static int one, two;
static const char *engine;
static const struct asker root = { "", "root (policy-admin)", "unix" };

static void sleep_ms(unsigned ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

static struct result apply(int bundle, uint32_t seconds, struct arena *a)
{
	own(buf) struct buf ask = { 0 };

	apply_encode(&ask, &(struct apply){ .confirm = seconds, .by = root });
	return warden_stage_change(&s, MESSAGE_APPLY, &ask, bundle, a);
}

static struct result roll_back(uint64_t to, struct arena *a)
{
	own(buf) struct buf ask = { 0 };

	rollback_encode(&ask, &(struct rollback){ .to = to, .by = root });
	return warden_stage_change(&s, MESSAGE_ROLLBACK, &ask, -1, a);
}

static struct result settle(enum message_kind kind, uint64_t opened_ns, struct arena *a)
{
	own(buf) struct buf ask = { 0 };

	settle_encode(&ask, &(struct settle){ opened_ns, root });
	return warden_stage_change(&s, kind, &ask, -1, a);
}

static struct result posture(const char *name, struct arena *a)
{
	own(buf) struct buf ask = { 0 };

	set_posture_encode(&ask, &(struct set_posture){ .name = name, .reason = "", .by = root });
	return warden_stage_change(&s, MESSAGE_SET_POSTURE, &ask, -1, a);
}

static void expect(struct result r, enum result_code code, const char *part, const char *text, const char *claim)
{
	if (!tap_ok(r.code == code && !strcmp(r.part, part) && strstr(r.text, text), "%s", claim))
		tap_note("code %d, part %s: %s", (int)r.code, r.part, r.text);
}

/* "generation version posture intact pending", as status has it now. */
static void stands(const char *want, const char *claim)
{
	own(arena) struct arena *a = arena_new();
	const struct status is = warden_stage_status(&s, a);

	tap_text(arena_printf(a, "%llu %s %s %s%s", (unsigned long long)is.generation, is.version, is.posture,
			      is.intact ? "intact" : is.fault, is.pending.until ? " pending" : ""), want, claim);
}

/* The newest entries, as "number how of result". */
static void remembers(const char *want, uint32_t n, const char *claim)
{
	own(arena) struct arena *a = arena_new();
	const struct history h = warden_stage_history(&s, a);
	const char *text = "";

	for (uint32_t i = 0; i < n && i < h.row_count; i++)
		text = arena_printf(a, "%s%s%llu %s %llu %s", text, i ? ", " : "", (unsigned long long)h.rows[i].number,
				    h.rows[i].how, (unsigned long long)h.rows[i].of, h.rows[i].result);
	tap_text(text, want, claim);
}

static bool start(void)
{
	return tap_ok(warden_stage_start(&s, "--engine", engine, NULL), "tegd starts");
}

static void the_past_comes_back(void)
{
	own(arena) struct arena *a = arena_new();

	expect(apply(one, 60, a), RESULT_CONFLICT, "base", "could come back", "a first policy has nothing to go back to");
	expect(apply(one, 0, a), RESULT_OK, "", "", "so it comes without a confirmation");
	expect(apply(two, 0, a), RESULT_OK, "", "", "another follows");
	remembers("2 apply 0 done, 1 apply 0 done", 3, "both are remembered");
	expect(roll_back(0, a), RESULT_OK, "", "", "a rollback needs no number");
	stands("3 1 BALANCED intact", "the old policy is in force, as a new generation");
	remembers("3 rollback 1 done, 2 apply 0 done", 2, "and it is said of which");
	expect(roll_back(99, a), RESULT_REFUSED, "history", "99 is not kept", "what never was cannot come back");
	expect(roll_back(1, a), RESULT_REFUSED, "history", "the one in force", "nor can what is in force");
	stands("3 1 BALANCED intact", "a refusal changes nothing");
}

static void a_damaged_bundle_stays_away(void)
{
	own(arena) struct arena *a = arena_new();
	const struct history h = warden_stage_history(&s, a);
	char path[256];
	uint8_t was, is;

	snprintf(path, sizeof path, "%s/state/bundles/%s.tegb", s.dir, h.rows[1].bundle);
	own(fd) int fd = open(path, O_RDWR | O_CLOEXEC);
	if (!tap_ok(fd >= 0 && pread(fd, &was, 1, 300) == 1, "the bundle of a generation is a file by its id"))
		return;
	is = was ^ 1;
	tap_ok(pwrite(fd, &is, 1, 300) == 1, "a bit of it is turned");
	expect(roll_back(2, a), RESULT_REFUSED, "seal", "", "its seal is checked again");
	stands("3 1 BALANCED intact", "and what is in force stays");
	tap_ok(pwrite(fd, &was, 1, 300) == 1, "the bit is turned back");
}

static void a_bundle_is_given_out(void)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf ask = { 0 }, lost = { 0 };
	struct kept_bundle kept = { "" };
	struct err why;
	char head[8] = "", want[8] = "";

	ask_bundle_encode(&ask, &(struct ask_bundle){ 2 });
	struct message m = warden_stage_ask(&s, MESSAGE_ASK_BUNDLE, &ask, -1, a);
	tap_ok(m.kind == MESSAGE_BUNDLE && !kept_bundle_decode(&kept, a, m.payload, m.len, &why) && strlen(kept.id) == 64,
	       "the bundle of a generation is given out");
	tap_ok(pread(m.fd, head, 7, 0) == 7 && pread(two, want, 7, 0) == 7 && !memcmp(head, want, 7) && write(m.fd, "x", 1) < 0,
	       "for reading only");
	close(m.fd);
	ask_bundle_encode(&lost, &(struct ask_bundle){ 77 });
	m = warden_stage_ask(&s, MESSAGE_ASK_BUNDLE, &lost, -1, a);
	tap_ok(m.kind == MESSAGE_BUNDLE && !kept_bundle_decode(&kept, a, m.payload, m.len, &why) && !*kept.id,
	       "one that is not kept has no id");
	close(m.fd);
}

static void a_confirmation_is_waited_for(void)
{
	own(arena) struct arena *a = arena_new();
	const uint64_t before = warden_stage_now_ns();
	const struct result r = apply(two, 60, a);

	tap_ok(r.code == RESULT_OK && r.pending_until >= (uint64_t)time(NULL) + 50, "a change may ask to be confirmed");
	stands("4 2 BALANCED intact pending", "it is in force, and waits");
	tap_num(warden_stage_status(&s, a).pending.before, 3, "status says what comes back");
	expect(apply(one, 0, a), RESULT_CONFLICT, "confirm", "waits to be confirmed", "meanwhile no other follows");
	expect(roll_back(1, a), RESULT_CONFLICT, "confirm", "waits to be confirmed", "nor goes one back");
	expect(posture("EXPLORE", a), RESULT_CONFLICT, "confirm", "", "nor does the posture change");
	expect(posture("LOCKDOWN", a), RESULT_OK, "", "", "but the host may be shut");
	expect(posture("BALANCED", a), RESULT_CONFLICT, "confirm", "", "and stays so");
	expect(settle(MESSAGE_CONFIRM, before, a), RESULT_REFUSED, "confirm", "opened before", "an old connection proves nothing");
	expect(settle(MESSAGE_CONFIRM, warden_stage_now_ns() + 3600 * UINT64_C(1000000000), a), RESULT_REFUSED, "confirm", "",
	       "nor does one that is yet to come");
	stands("4 2 LOCKDOWN intact pending", "it still waits");
	expect(settle(MESSAGE_CONFIRM, warden_stage_now_ns(), a), RESULT_OK, "", "", "a new one does");
	stands("4 2 LOCKDOWN intact", "it waits no more");
	expect(settle(MESSAGE_CONFIRM, warden_stage_now_ns(), a), RESULT_CONFLICT, "pending", "no generation", "once is enough");
	remembers("4 apply 0 confirmed", 1, "the history says so");
	expect(posture("BALANCED", a), RESULT_OK, "", "", "the posture may change again");
}

static void silence_is_no_confirmation(void)
{
	own(arena) struct arena *a = arena_new();

	expect(apply(one, 1, a), RESULT_OK, "", "", "a change asks to be confirmed within a second");
	expect(posture("LOCKDOWN", a), RESULT_OK, "", "", "the host is shut meanwhile");
	sleep_ms(1500);
	stands("6 2 LOCKDOWN intact", "nobody does: what was before is back, and the host still shut");
	remembers("6 revert 4 done, 5 apply 0 not-confirmed", 2, "the history says so");
	expect(posture("BALANCED", a), RESULT_OK, "", "", "then it is opened");
	expect(apply(one, 60, a), RESULT_OK, "", "", "another change");
	expect(settle(MESSAGE_CANCEL, 0, a), RESULT_OK, "", "", "is cancelled");
	stands("8 2 BALANCED intact", "at once");
	remembers("8 revert 6 done, 7 apply 0 cancelled", 2, "and remembered");
}

static void a_crash_does_not_confirm(void)
{
	own(arena) struct arena *a = arena_new();

	expect(apply(one, 60, a), RESULT_OK, "", "", "a change that waits");
	warden_stage_end(&s, SIGKILL);
	start();
	stands("9 1 BALANCED intact pending", "waits through a crash");
	expect(settle(MESSAGE_CONFIRM, warden_stage_now_ns(), a), RESULT_OK, "", "", "and can be confirmed then");
	expect(apply(two, 2, a), RESULT_OK, "", "", "another one");
	warden_stage_end(&s, SIGKILL);
	sleep_ms(2200);
	start();
	stands("11 1 BALANCED intact", "whose time is over while tegd is down, is gone when it starts");
	remembers("11 revert 9 done, 10 apply 0 not-confirmed, 9 apply 0 confirmed", 3, "and the history is whole");
}

/* Whatever is written fails once no page is left. */
static bool fill(const char *path)
{
	static char page[65536];
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return false;
	while (write(fd, page, sizeof page) > 0)
		;
	while (write(fd, page, 1) > 0)
		;
	return !close(fd);
}

static void a_full_disk_refuses(void)
{
	own(arena) struct arena *a = arena_new();
	char state[160], junk[180];

	warden_stage_end(&s, SIGTERM);
	snprintf(state, sizeof state, "%s/state", s.dir);
	snprintf(junk, sizeof junk, "%s/junk", state);
	char copy[1024];
	snprintf(copy, sizeof copy, "cp -a %s %s/kept && mount -t tmpfs -o size=4m tmpfs %s && cp -a %s/kept/. %s", state, s.dir,
		 state, s.dir, state);
	if (!tap_ok(!system(copy), "the state directory is on a small disk"))
		return;
	start();
	tap_ok(fill(junk), "which is full");
	for (int i = 0; i < 12; i++) /* until the audit log's last page is full, too */
		roll_back(10, a);
	expect(roll_back(10, a), RESULT_CANNOT, "journal", "No space", "then no other generation follows");
	char want[512];
	snprintf(want, sizeof want, "11 1 BALANCED changes are refused until they can be remembered; make room, or make it writable: "
		 "the state directory %s cannot be written: No space left on device", state);
	stands(want, "the one in force stays, and status complains");
	expect(posture("LOCKDOWN", a), RESULT_OK, "", "", "but the host can be shut");
	tap_ok(!unlink(junk), "there is room again");
	expect(roll_back(10, a), RESULT_OK, "", "", "and it follows");
	stands("12 2 LOCKDOWN intact", "whole");
}

int main(int argc, char **argv)
{
	if (warden_stage_role(argc, argv))
		return 0;
	engine = argc > 1 ? argv[1] : "nft";
	if (!warden_stage_make(&s)) {
		tap_skip("needs root", "generations come and go");
		return tap_done();
	}
	one = warden_stage_bundle(&s, "one", "");
	two = warden_stage_bundle(&s, "two", "s/version \"1\"/version \"2\"/; s/port 80$/port [80, 8080]/");
	if (!tap_ok(one >= 0 && two >= 0, "there are two policies") || !start())
		return tap_done();
	the_past_comes_back();
	a_damaged_bundle_stays_away();
	a_bundle_is_given_out();
	a_confirmation_is_waited_for();
	silence_is_no_confirmation();
	a_crash_does_not_confirm();
	a_full_disk_refuses();
	warden_stage_end(&s, SIGTERM);
	return tap_done();
}
