/*
 * An api that somebody took over: whatever it says to a real warden, what is in force stays in force, and the warden
 * goes on. Messages of others, damaged ones of its own, descriptors that are no bundles, questions
 * whose answers nobody takes, or that never end.
 *
 * What it may say well-formed is the most that it may do; that needs no test here.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lang/base/file.h"
#include "lang/base/own.h"
#include "tests/lib/tap.h"
#include "tests/lib/warden_stage.h"

#define ROUNDS 150
#define FLOOD  3000

static struct warden_stage s;
static unsigned starts;
static uint64_t drawn = 88172645463325252u;

static uint64_t draw(uint64_t n)
{
	drawn ^= drawn << 13;
	drawn ^= drawn >> 7;
	drawn ^= drawn << 17;
	return drawn % n;
}

static bool start(void)
{
	starts++;
	return warden_stage_start(&s, "--engine=nft", NULL);
}

static bool is_as_it_was(void)
{
	own(arena) struct arena *a = arena_new();
	const struct status now = warden_stage_status(&s, a);

	return now.generation == 1 && now.intact && !strcmp(now.posture, "BALANCED");
}

/* What must stay as it is, whoever says what: asked of a new warden when this one has cut the api off. */
static bool stands(const char *after)
{
	char bytes[4096];

	while (recv(s.sock, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
		;
	if (is_as_it_was())
		return true;
	const bool lives = !waitpid(s.warden, NULL, WNOHANG);
	warden_stage_end(&s, SIGTERM);
	if (lives && start() && is_as_it_was())
		return true;
	tap_note("after %s something is not as it was, or the warden is gone", after);
	return false;
}

struct datagram {
	uint8_t bytes[512];
	size_t len;
};

static bool say(const struct datagram *d, const int *fds, size_t fd_count)
{
	union {
		char bytes[CMSG_SPACE(4 * sizeof(int))];
		struct cmsghdr align;
	} room = { 0 };
	struct iovec part = { (void *)(uintptr_t)d->bytes, d->len };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };

	if (fd_count) {
		m.msg_control = room.bytes;
		m.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, fd_count * sizeof(int));
	}
	return sendmsg(s.sock, &m, MSG_NOSIGNAL) >= 0;
}

/* An answer, or the end of the connection; false when there is neither. */
static bool reacts(void)
{
	struct pollfd p = { .fd = s.sock, .events = POLLIN };

	return poll(&p, 1, 20000) > 0;
}

static struct datagram headed(unsigned kind, const struct buf *payload)
{
	struct datagram d = { .bytes = { (uint8_t)kind, (uint8_t)(kind >> 8), 0, 0, 7, 0, 0, 0 }, .len = 8 };

	if (payload && payload->len <= sizeof d.bytes - 8) {
		memcpy(d.bytes + 8, payload->at, payload->len);
		d.len += payload->len;
	}
	return d;
}

/* ---- what is not the api's to say -------------------------------------------------------------- */

static const struct {
	const char *name;
	bool is_apis;
} kinds[MESSAGE_COUNT] = {
#define MESSAGE(id, name, from, to, carries_fd, about) [MESSAGE_##id] = { name, ROLE_##from == ROLE_API },
#include "enforcer/proc/message.def"
#undef MESSAGE
};

static void others_words(void)
{
	for (unsigned kind = 0; kind < MESSAGE_COUNT + 2; kind++) {
		const bool is_known = kind < MESSAGE_COUNT;
		struct pollfd p = { .fd = s.sock, .events = POLLIN };
		struct datagram d = headed(kind, NULL);
		char byte;

		if (is_known && kinds[kind].is_apis)
			continue;
		bool said = say(&d, NULL, 0) && poll(&p, 1, 20000) > 0 && recv(s.sock, &byte, 1, 0) <= 0;
		tap_ok(said, "%s from the api: the connection ends", is_known ? kinds[kind].name : "a kind there is not");
		tap_ok(stands(is_known ? kinds[kind].name : "a kind there is not"), "and nothing has changed");
	}
}

/* ---- descriptors ------------------------------------------------------------------------------- */

static int empty_pipe(void)
{
	static int ends[2];

	return pipe2(ends, O_CLOEXEC) ? -1 : ends[0]; /* the other end stays: it never ends */
}

static int endless(void)
{
	int fd = memfd_create("endless", MFD_CLOEXEC);

	return fd >= 0 && !ftruncate(fd, (off_t)1 << 40) ? fd : -1;
}

static int only_to_write(void) { return open("/mnt/w", O_WRONLY | O_CREAT | O_CLOEXEC, 0600); }
static int path_only(void) { return open("/mnt/w", O_PATH | O_CLOEXEC); }
static int zeroes(void) { return open("/dev/zero", O_RDONLY | O_CLOEXEC); }
static int directory(void) { return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC); }
static int waiting(void) { return epoll_create1(EPOLL_CLOEXEC); }
static int network(void) { return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); }
static int terminal(void) { return posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC); }
static int text(void) { return open("/proc/self/status", O_RDONLY | O_CLOEXEC); }
static int nothing(void) { return open("/dev/null", O_RDONLY | O_CLOEXEC); }

static const struct {
	const char *claim;
	int (*open)(void);
} no_bundles[] = {
	{ "a pipe that never ends", empty_pipe }, { "a file of a terabyte", endless }, { "a file to write", only_to_write },
	{ "a place", path_only }, { "zeroes without end", zeroes }, { "a directory", directory }, { "an epoll", waiting },
	{ "a socket", network }, { "a terminal", terminal }, { "another text", text }, { "nothing", nothing },
};

static void no_bundles_come_in(void)
{
	for (size_t i = 0; i < ARRAY_LEN(no_bundles); i++) {
		own(arena) struct arena *a = arena_new();
		own(buf) struct buf payload = { 0 };
		own(fd) int fd = no_bundles[i].open();
		struct result r = { .code = RESULT_OK };
		struct err why;

		apply_encode(&payload, &(struct apply){ .by = { "", "root (policy-admin)", "unix" } });
		const struct message m = warden_stage_ask(&s, MESSAGE_APPLY, &payload, fd, a);
		bool refused = m.kind == MESSAGE_RESULT && !result_decode(&r, a, m.payload, m.len, &why) && r.code != RESULT_OK;
		tap_ok(fd >= 0 && refused && stands(no_bundles[i].claim), "%s is no bundle: %s", no_bundles[i].claim, refused ? r.text : "no answer");
	}
}

/* What the warden gives away is for reading. */
static void gifts_are_for_reading(void)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf ask = { 0 }, which = { 0 };

	ask_audit_encode(&ask, &(struct ask_audit){ 0 });
	ask_bundle_encode(&which, &(struct ask_bundle){ 1 });
	const struct message log = warden_stage_ask(&s, MESSAGE_ASK_AUDIT, &ask, -1, a);
	const struct message bundle = warden_stage_ask(&s, MESSAGE_ASK_BUNDLE, &which, -1, a);
	tap_ok(log.fd >= 0 && (fcntl(log.fd, F_GETFL) & O_ACCMODE) == O_RDONLY && write(log.fd, "x", 1) < 0, "the log is for reading");
	tap_ok(bundle.fd >= 0 && (fcntl(bundle.fd, F_GETFL) & O_ACCMODE) == O_RDONLY && write(bundle.fd, "x", 1) < 0,
	       "and so is a bundle");
	close(log.fd);
	close(bundle.fd);
}

/* ---- damaged words of its own -------------------------------------------------------------------- */

static struct datagram one_of_its_own(void)
{
	const struct asker by = { "", "root (policy-admin)", "unix" };
	const struct prefix one = { { FAMILY_IP4, 0x0a000000 }, 24 };
	own(buf) struct buf b = { 0 };

	switch (draw(7)) {
	case 0:
		set_posture_encode(&b, &(struct set_posture){ "NOWHERE", "a reason", 60, by });
		return headed(MESSAGE_SET_POSTURE, &b);
	case 1:
		block_encode(&b, &(struct block){ .seconds = 60, .reason = "", .by = by, .source_count = 1, .sources = (struct prefix *)&one });
		return headed(MESSAGE_BLOCK, &b);
	case 2:
		rollback_encode(&b, &(struct rollback){ 77, 0, by });
		return headed(MESSAGE_ROLLBACK, &b);
	case 3:
		settle_encode(&b, &(struct settle){ 1, by });
		return headed(draw(2) ? MESSAGE_CONFIRM : MESSAGE_CANCEL, &b);
	case 4:
		ask_bundle_encode(&b, &(struct ask_bundle){ draw(5) });
		return headed(MESSAGE_ASK_BUNDLE, &b);
	case 5:
		ask_audit_encode(&b, &(struct ask_audit){ draw(5) });
		return headed(MESSAGE_ASK_AUDIT, &b);
	default:
		return headed((unsigned)draw(MESSAGE_COUNT), NULL);
	}
}

static void damage(struct datagram *d)
{
	for (uint64_t n = draw(4); n--;)
		d->bytes[draw(d->len)] = (uint8_t)draw(256);
	if (!draw(3))
		d->len = draw(sizeof d->bytes);
}

static void damaged_words(void)
{
	unsigned silent = 0, fell = 0;

	for (unsigned i = 0; i < ROUNDS; i++) {
		const int fds[4] = { 0, 1, 2, 0 };
		struct datagram d = one_of_its_own();

		damage(&d);
		if (say(&d, fds, draw(4) ? 0 : 1 + draw(4)))
			silent += !reacts() && d.len >= 8;
		fell += !stands("a damaged message");
	}
	tap_ok(!silent, "%d damaged messages: each has an answer, or ends the connection (%u did not)", ROUNDS, silent);
	tap_ok(!fell, "and none changes what is in force (%u did)", fell);
}

/* ---- answers that nobody takes, questions without an end ------------------------------------------- */

static unsigned asked;

static void ask_and_take_nothing(void)
{
	struct datagram d = headed(MESSAGE_ASK_STATUS, NULL);
	struct pollfd room = { .fd = s.sock, .events = POLLOUT };

	for (asked = 0; asked < FLOOD && poll(&room, 1, 300) > 0 && !(room.revents & POLLHUP); )
		asked += send(s.sock, d.bytes, d.len, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

static void begin_and_say_no_more(void)
{
	own(mem) uint8_t *part = calloc(1, 8 + MESSAGE_CHUNK);

	if (!part)
		return;
	part[0] = MESSAGE_BLOCK;
	part[2] = 1; /* more */
	asked = send(s.sock, part, 8 + MESSAGE_CHUNK, MSG_NOSIGNAL) > 0;
}

/* How many times a posture's time was over, as the log says. */
static unsigned returns(void)
{
	own(buf) struct buf log = { 0 };
	char path[160];
	struct err why;
	unsigned n = 0;

	snprintf(path, sizeof path, "%s/state/audit.log", s.dir);
	if (file_read(&log, path, (size_t)1 << 24, &why))
		return 0;
	for (const char *at = buf_text(&log); (at = strstr(at, "\"what\":\"return\"")); at++)
		n++;
	return n;
}

static const struct {
	const char *claim;
	void (*begin)(void);
} stalls[] = {
	{ "who asks and takes no answer", ask_and_take_nothing },
	{ "who begins to say something and does not go on", begin_and_say_no_more },
};

/* What is due meanwhile is done in its time, not when the api is ended. */
static void nobody_is_waited_for(const char *claim, void (*begin)(void))
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf payload = { 0 };
	const unsigned before = returns();
	struct pollfd p = { .fd = s.sock };

	set_posture_encode(&payload, &(struct set_posture){ "LOCKDOWN", "", 1, { "", "a test", "unix" } });
	tap_ok(warden_stage_ask(&s, MESSAGE_SET_POSTURE, &payload, -1, a).kind == MESSAGE_RESULT, "a posture for a second");
	begin();
	const uint64_t from = warden_stage_now_ns();
	while (returns() == before && !poll(&p, 1, 20))
		;
	const bool in_time = !poll(&p, 1, 0);
	tap_ok(asked && in_time && returns() == before + 1, "%s (%u times) does not keep the posture from going back, after %.1f s", claim,
	       asked, (double)(warden_stage_now_ns() - from) / 1e9);
	const bool is_over = poll(&p, 1, 20000) > 0;
	tap_ok(is_over, "and is cut off, after %.1f s", (double)(warden_stage_now_ns() - from) / 1e9);
	tap_ok(stands(claim), "and nothing has changed");
}

int main(int argc, char **argv)
{
	own(arena) struct arena *a = arena_new();

	if (warden_stage_role(argc, argv))
		return 0;
	signal(SIGPIPE, SIG_IGN);
	if (!warden_stage_make(&s)) {
		tap_skip("needs root", "an api that was taken over");
		return tap_done();
	}
	own(fd) int bundle = warden_stage_bundle(&s, "one", "");
	own(buf) struct buf payload = { 0 };
	apply_encode(&payload, &(struct apply){ .by = { "", "a test", "unix" } });
	tap_ok(start() && bundle >= 0, "a warden");
	tap_ok(warden_stage_ask(&s, MESSAGE_APPLY, &payload, bundle, a).kind == MESSAGE_RESULT && stands("its first"), "and a policy");
	others_words();
	no_bundles_come_in();
	gifts_are_for_reading();
	damaged_words();
	for (size_t i = 0; i < ARRAY_LEN(stalls); i++)
		nobody_is_waited_for(stalls[i].claim, stalls[i].begin);
	tap_note("%u wardens", starts);
	warden_stage_end(&s, SIGTERM);
	return tap_done();
}
