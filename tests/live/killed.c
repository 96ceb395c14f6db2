/*
 * tegd is killed at its system calls, one after the other: in a rollout, a rollback, going back from what
 * was not confirmed, in changes of posture, and while what is on a feed is replaced.
 *
 *     trace the warden ─► ask for the change ─► kill it as it enters its N-th call ─► probe ─► start ─► probe
 *
 * After the kill what passes is what one whole generation lets pass, and what both admit does pass. After
 * the start it is exactly the generation and the posture that status tells. Some calls of each change are taken, as many as
 * fit into KILL_SECONDS (24); KILL_SECONDS=0 takes every one.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lang/base/own.h"
#include "lang/bundle/feed_pack.h"
#include "tests/lib/tap.h"
#include "tests/lib/warden_stage.h"

static struct warden_stage s;
static int bundles[3]; /* by version */
static int contents[3]; /* of the feed */
static const char *engine;
static const struct asker root = { "", "root", "unix" };

/* ---- probes ----------------------------------------------------------------------------- */

/* Who sends to which port, under which versions and postures it passes, and which content of the feed has it. */
static const struct {
	const char *from;
	uint16_t port;
	bool one, two, wide_only;
	unsigned feed;
} probes[] = {
	{ "10.9.0.3", 1001, true, false, false, 0 },
	{ "10.9.0.3", 1002, false, true, false, 0 },
	{ "10.9.0.3", 1003, true, true, false, 0 },
	{ "10.9.0.3", 1009, true, true, true, 0 },
	{ "10.9.0.4", 1003, false, true, false, 0 }, /* blocked by the first */
	{ "10.9.0.5", 1003, true, false, false, 0 }, /* by the second */
	{ "10.9.0.6", 1003, false, false, false, 0 }, /* by both */
	{ "10.9.0.3", 1010, false, false, false, 0 },
	{ "10.9.0.7", 1003, true, true, false, 1 },
	{ "10.9.0.8", 1003, true, true, false, 2 },
};
static const uint16_t ports[] = { 9, 1001, 1002, 1003, 1009, 1010 };
static int inbox[ARRAY_LEN(ports)], outside = -1, inside = -1;

static unsigned passes(unsigned version, bool wide, unsigned feed)
{
	unsigned set = 0;

	for (size_t i = 0; i < ARRAY_LEN(probes); i++)
		if ((version == 1 ? probes[i].one : probes[i].two) && (wide || !probes[i].wide_only) &&
		    (!probes[i].feed || probes[i].feed != feed))
			set |= 1u << i;
	return set;
}

static struct sockaddr_in at(const char *address, uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, address, &to.sin_addr);
	return to;
}

static bool send_one(const char *from, uint16_t port, char mark)
{
	const struct sockaddr_in me = at(from, 0), to = at("10.9.0.1", port);
	own(fd) int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return sock >= 0 && !bind(sock, (const struct sockaddr *)&me, sizeof me) &&
	       sendto(sock, &mark, 1, 0, (const struct sockaddr *)&to, sizeof to) == 1;
}

/* What passes now. The last one is a lifeline's: when it has arrived, so have the others, or they were dropped. */
static unsigned probe(void)
{
	struct pollfd last = { .fd = inbox[0], .events = POLLIN };
	unsigned seen = 0;
	bool sent = true;
	char mark;

	for (size_t i = 0; i < ARRAY_LEN(ports); i++)
		while (recv(inbox[i], &mark, 1, MSG_DONTWAIT) > 0)
			;
	setns(outside, CLONE_NEWNET);
	for (size_t i = 0; i < ARRAY_LEN(probes); i++)
		sent = sent && send_one(probes[i].from, probes[i].port, (char)i);
	sent = sent && send_one("10.9.0.2", 9, 'x');
	setns(inside, CLONE_NEWNET);
	if (!sent || poll(&last, 1, 2000) != 1)
		return ~0u; /* not even the lifeline */
	for (size_t i = 1; i < ARRAY_LEN(ports); i++)
		while (recv(inbox[i], &mark, 1, MSG_DONTWAIT) > 0)
			seen |= 1u << mark;
	return seen;
}

static bool make_network(void)
{
	static const char script[] =
		"mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns && ip netns add outside && ip link set c0 netns outside && ip addr add 10.9.0.1/24 dev w0 && ip -n outside link set c0 up"
		" && for i in 2 3 4 5 6 7 8; do ip -n outside addr add 10.9.0.$i/24 dev c0; done"
		" && ip -n outside neigh add 10.9.0.1 dev c0 nud permanent lladdr $(ip -j link show w0 | jq -r .[0].address)";

	if (system(script))
		return false;
	outside = open("/run/netns/outside", O_RDONLY | O_CLOEXEC);
	inside = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
		const struct sockaddr_in me = at("10.9.0.1", ports[i]);

		inbox[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (inbox[i] < 0 || bind(inbox[i], (const struct sockaddr *)&me, sizeof me))
			return false;
	}
	return outside >= 0 && inside >= 0;
}

static int policy(unsigned version)
{
	char text[2048];

	snprintf(text, sizeof text,
		 "policy edge \"Killed\" {\n    version \"%u\"\n    owner \"tests@example.org\"\n}\n\n"
		 "zone wan = \"w0\"\n\nnet owner = [10.9.0.2]\nnet shut = [10.9.0.%u, 10.9.0.6]\n\n"
		 "feed bad {\n    url \"https://feeds.example/bad\"\n    format netset\n    refresh 15m\n    max 10\n    stale after 1h keep\n"
		 "    action block\n}\n\nlifeline {\n    probe: udp from owner to self port 9\n}\n\nblock shut on wan\n\n"
		 "posture NORMAL \"Known services\" {\n    default drop\n    web: allow udp to self port [%u, 1003]\n}\n\n"
		 "posture WIDE \"And one more\" {\n    default drop\n    web: allow udp to self port [%u, 1003, 1009]\n}\n\n"
		 "posture LIKE \"The same\" {\n    default drop\n    web: allow udp to self port [%u, 1003]\n}\n\n"
		 "initial posture NORMAL\n\nreflex flood {\n    match  tcp flags syn/syn+ack on wan\n"
		 "    when   rate per source > 30 per 1s\n    do     drop source for 3s\n    except in WIDE\n}\n",
		 version, version == 1 ? 4u : 5u, 1000 + version, 1000 + version, 1000 + version);
	return warden_stage_build(&s, version == 1 ? "one" : "two", text);
}

/* The first has 10.9.0.7; the second 10.9.0.8, and one more. */
static int content(unsigned number)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf packed = { 0 };
	const addr_num first = 0x0a090007, more = 0xc0000200;
	struct addr_range all[] = { { first - 1 + number, first - 1 + number }, { more, more } }, *ranges[FAMILY_COUNT] = { all };
	const size_t len[FAMILY_COUNT] = { number };
	const struct netset set = netset_of_ranges(a, ranges, len);
	int fd = memfd_create("content", MFD_CLOEXEC);

	feed_pack(&packed, a, &set);
	return write(fd, packed.at, packed.len) == (ssize_t)packed.len ? fd : -1;
}

/* ---- changes --------------------------------------------------------------------------------- */

/* What is asked for, as bytes; the warden may die before it answers. */
struct change {
	enum message_kind kind;
	struct buf payload;
	int fd;
};

struct standing {
	unsigned version, feed; /* which content is on it */
	bool wide, waits, intact;
	const char *posture, *fault;
};

/* The contents have as many entries as their numbers say. */
static unsigned look_at_feed(struct arena *a)
{
	const struct message m = warden_stage_ask(&s, MESSAGE_ASK_FEEDS, NULL, -1, a);
	struct feeds_told told = { 0 };
	struct err why;

	return m.kind == MESSAGE_FEEDS && !feeds_told_decode(&told, a, m.payload, m.len, &why) && told.row_count ? told.rows[0].entries : 0;
}

static struct standing look(struct arena *a)
{
	const struct status is = warden_stage_status(&s, a);

	return (struct standing){ (unsigned)atoi(is.version), look_at_feed(a), !strcmp(is.posture, "WIDE"), is.pending.until, is.intact, is.posture,
				  is.fault };
}

static bool done(struct change *c, struct arena *a)
{
	const struct message m = warden_stage_ask(&s, c->kind, &c->payload, c->fd, a);
	struct result r = { .code = RESULT_COUNT };
	struct err why;

	buf_release(&c->payload);
	if (m.kind == MESSAGE_RESULT && !result_decode(&r, a, m.payload, m.len, &why) && r.code == RESULT_OK)
		return true;
	tap_note("a preparation fails: %s", r.code == RESULT_COUNT ? "no answer" : r.text);
	return false;
}

static struct change apply_of(unsigned version, uint32_t seconds)
{
	struct change c = { MESSAGE_APPLY, { 0 }, bundles[version] };

	apply_encode(&c.payload, &(struct apply){ .confirm = seconds, .by = root });
	return c;
}

static struct change settle_of(enum message_kind kind)
{
	struct change c = { kind, { 0 }, -1 };

	settle_encode(&c.payload, &(struct settle){ warden_stage_now_ns(), root });
	return c;
}

static struct change rollback_of(void)
{
	struct change c = { MESSAGE_ROLLBACK, { 0 }, -1 };

	rollback_encode(&c.payload, &(struct rollback){ .to = 0, .by = root });
	return c;
}

static struct change posture_of(const char *name)
{
	struct change c = { MESSAGE_SET_POSTURE, { 0 }, -1 };

	set_posture_encode(&c.payload, &(struct set_posture){ .name = name, .reason = "", .by = root });
	return c;
}

static struct change feed_of(unsigned content)
{
	struct change c = { MESSAGE_FEED, { 0 }, contents[content] };

	feed_given_encode(&c.payload, &(struct feed_given){ "bad", content, 0, root });
	return c;
}

enum op { OP_APPLY, OP_ROLLBACK, OP_REVERT, OP_POSTURE, OP_BRIDGED, OP_FEED, OP_COUNT };
static const char *const op_names[OP_COUNT] = {
	[OP_APPLY] = "a rollout that is to be confirmed", [OP_ROLLBACK] = "a rollback", [OP_REVERT] = "going back",
	[OP_POSTURE] = "a change of posture", [OP_BRIDGED] = "a bridged change of posture",
	[OP_FEED] = "another content of a feed",
};

/* What leads to a state in which the change can be asked for, and the change. */
static bool prepare(enum op op, struct change *out, struct arena *a)
{
	struct standing is = look(a);

	if (is.waits && op != OP_REVERT) {
		struct change yes = settle_of(MESSAGE_CONFIRM);
		if (!done(&yes, a))
			return false;
	}
	switch (op) {
	case OP_APPLY:
		*out = apply_of(3 - is.version, 600);
		return true;
	case OP_ROLLBACK:
		*out = rollback_of();
		return true;
	case OP_REVERT:
		if (!is.waits) {
			struct change first = apply_of(3 - is.version, 600);
			if (!done(&first, a))
				return false;
		}
		*out = settle_of(MESSAGE_CANCEL);
		return true;
	case OP_POSTURE:
		if (is.wide) {
			struct change narrow = posture_of("NORMAL");
			if (!done(&narrow, a))
				return false;
		}
		*out = posture_of(strcmp(is.posture, "LIKE") ? "LIKE" : "NORMAL");
		return true;
	case OP_BRIDGED:
		*out = posture_of(is.wide ? "NORMAL" : "WIDE");
		return true;
	case OP_FEED:
		*out = feed_of(is.feed == 1 ? 2 : 1);
		return true;
	case OP_COUNT:
		break;
	}
	return false;
}

/* ---- the kill ----------------------------------------------------------------------------------- */

#define ALL 1000000u
/* However slow the host is. */
#define POINTS_LEAST 8

/* Killed as it enters the call; the value is how many it entered before it waited again, when it was not. */
static unsigned trace(unsigned kill_at, struct change *c)
{
	const struct message m = { c->kind, ++s.last_id, c->payload.at, c->payload.len, c->fd };
	unsigned entered = 0;
	struct err why;
	int status;

	if (ptrace(PTRACE_SEIZE, s.warden, 0, PTRACE_O_TRACESYSGOOD) || ptrace(PTRACE_INTERRUPT, s.warden, 0, 0) ||
	    waitpid(s.warden, &status, 0) != s.warden || message_send(s.sock, &m, &why))
		return 0;
	while (!ptrace(PTRACE_SYSCALL, s.warden, 0, 0) && waitpid(s.warden, &status, 0) == s.warden && WIFSTOPPED(status)) {
		struct __ptrace_syscall_info in;

		if (WSTOPSIG(status) != (SIGTRAP | 0x80))
			continue;
		if (ptrace(PTRACE_GET_SYSCALL_INFO, s.warden, sizeof in, &in) < 0)
			return 0;
		if (in.op != PTRACE_SYSCALL_INFO_ENTRY)
			continue;
		if (++entered == kill_at)
			break;
		if ((in.entry.nr == SYS_poll || in.entry.nr == SYS_ppoll) && entered > 4) {
			ptrace(PTRACE_DETACH, s.warden, 0, 0);
			return entered;
		}
	}
	warden_stage_end(&s, SIGKILL);
	return 0;
}

static bool start(void)
{
	if (warden_stage_start(&s, "--engine", engine, "--drift-seconds", "0", NULL))
		return true;
	tap_note("tegd does not start:");
	fflush(stdout);
	if (system("tail -n 5 /mnt/log | sed 's/^/# /'"))
		tap_note("and says nothing");
	return false;
}

/* The answer is in the socket, and the bundle's descriptor may be read again. */
static bool hear_answer(struct arena *a)
{
	struct message m = { .kind = MESSAGE_COUNT, .fd = -1 };
	struct err why;

	while (m.kind != MESSAGE_RESULT)
		if (message_receive(s.sock, ROLE_API, a, &m, &why))
			return false;
	return true;
}

/* Of what was in force and what was to be. */
static bool is_of_one(unsigned seen, unsigned before, unsigned after)
{
	const bool within_one = !(seen & ~before) || !(seen & ~after);

	return within_one && (seen & before & after) == (before & after);
}

struct tally {
	unsigned points, mixed, wrong, old, changed, between;
};

static bool kill_once(enum op op, unsigned n, struct tally *t)
{
	own(arena) struct arena *a = arena_new();
	struct change c = { 0 };

	if (!prepare(op, &c, a))
		return false;
	const struct standing was = look(a);
	const unsigned before = passes(was.version, was.wide, was.feed);
	const unsigned survived = trace(n, &c);
	buf_release(&c.payload);
	if (survived)
		return hear_answer(a);
	const unsigned seen = probe();
	if (!start())
		return false;
	const struct standing is = look(a);
	const unsigned now = passes(is.version, is.wide, is.feed), then = probe();
	const bool rolls = op == OP_APPLY || op == OP_ROLLBACK || op == OP_REVERT;
	const unsigned after = passes(rolls ? 3 - was.version : was.version, op == OP_BRIDGED ? !was.wide : was.wide,
				      op == OP_FEED ? 3 - was.feed : was.feed);
	t->points++;
	t->old += is.version == was.version && !strcmp(is.posture, was.posture) && is.feed == was.feed;
	t->changed += is.version != was.version || strcmp(is.posture, was.posture) || is.feed != was.feed;
	t->between += seen != before && seen != after;
	if (!is_of_one(seen, before, after)) {
		tap_note("call %u: %02x passes, which is neither of %02x and %02x", n, seen, before, after);
		t->mixed++;
	}
	if (then != now || !is.intact) {
		tap_note("call %u, and a start: %02x passes, not %02x; %s", n, then, now, is.fault);
		t->wrong++;
	}
	return true;
}

/* How many calls the change makes. */
static unsigned count_calls(enum op op)
{
	own(arena) struct arena *a = arena_new();
	struct change c = { 0 };

	if (!prepare(op, &c, a))
		return 0;
	const unsigned n = trace(ALL, &c);
	buf_release(&c.payload);
	return n && hear_answer(a) ? n : 0;
}

static uint64_t now_ms(void)
{
	return warden_stage_now_ns() / 1000000;
}

static unsigned bits_of(unsigned total)
{
	unsigned bits = 0;

	while (1u << bits < total)
		bits++;
	return bits;
}

/* 0, a half, a quarter, three quarters, an eighth, …: whenever time is over, those that were taken are spread. */
static unsigned spread(unsigned i, unsigned bits)
{
	unsigned reversed = 0;

	for (unsigned b = 0; b < bits; b++)
		reversed |= (i >> b & 1) << (bits - 1 - b);
	return reversed;
}

static void killed_in(enum op op, uint64_t seconds)
{
	const unsigned calls = count_calls(op);
	const uint64_t until = now_ms() + seconds * 1000;
	struct tally t = { 0 };
	bool goes_on = calls > 0;
	const unsigned bits = bits_of(calls);
	for (unsigned i = 0; goes_on && i < 1u << bits && (!seconds || t.points < POINTS_LEAST || now_ms() < until); i++) {
		const unsigned n = spread(i, bits);

		if (n >= 1 && n < calls)
			goes_on = kill_once(op, n, &t);
	}
	tap_ok(goes_on && t.points >= POINTS_LEAST, "%s makes %u calls; killed at %u of them", op_names[op], calls, t.points);
	tap_num(t.mixed, 0, "what passes then is what one generation lets pass");
	tap_num(t.wrong, 0, "and after a start exactly what status tells");
	printf("# %u stayed, %u went on; %u were found between the hooks\n", t.old, t.changed, t.between);
}

int main(int argc, char **argv)
{
	if (warden_stage_role(argc, argv))
		return 0;
	const char *budget = getenv("KILL_SECONDS");
	const uint64_t seconds = budget ? strtoull(budget, NULL, 10) : 24;

	engine = argc > 1 ? argv[1] : "nft";
	if (!warden_stage_make(&s) || !make_network()) {
		tap_skip("needs root", "tegd is killed at its calls");
		return tap_done();
	}
	bundles[1] = policy(1);
	bundles[2] = policy(2);
	contents[1] = content(1);
	contents[2] = content(2);
	if (!tap_ok(bundles[1] >= 0 && bundles[2] >= 0 && start(), "there are two policies, and tegd"))
		return tap_done();
	own(arena) struct arena *a = arena_new();
	struct change first = apply_of(2, 0), second = apply_of(1, 0), feed = feed_of(1);
	if (!tap_ok(done(&first, a) && done(&second, a) && done(&feed, a), "both were in force"))
		return tap_done();
	tap_num(probe(), passes(1, false, 1), "and packets tell them apart");
	for (enum op op = 0; op < OP_COUNT; op++)
		killed_in(op, budget && !seconds ? 0 : seconds / OP_COUNT);
	warden_stage_end(&s, SIGTERM);
	return tap_done();
}
