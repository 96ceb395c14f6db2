/* Roles speak in typed messages: what is encoded is decoded, and whoever speaks out of turn is refused. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "enforcer/proc/message.h"
#include "lang/base/own.h"
#include "tests/lib/tap.h"

static struct status whole_status(void)
{
	static struct status_posture postures[] = { { "LOCKDOWN", "Owner only", 1, 3 }, { "BALANCED", "", 0, 2 } };
	static struct status_interface interfaces[] = {
		{ "eth0", "wan", "xdp-native", "the driver runs XDP", 2, 0x0123456789abcdef },
		{ "eth1", "lan, dmz", "nft", "another XDP program is attached", 3, 0 },
	};

	static struct status_part parts[] = { { "nft", "cc", "bb", "altered" }, { "links", "2", "2", "" } };

	return (struct status){
		.generation = 41, .bundle = "aa", .policy = "edge", .version = "3.2.0", .proved = 1, .tests_run = 12, .tests_left = 3, .posture = "BALANCED",
		.posture_reason = "quiet again", .posture_since = 1700000000, .posture_until = 1700003600, .posture_next = "LOCKDOWN", .started = 1600000000, .switch_ns = 250000, .adopted = "adopted",
		.engine = "mixed", .nft_digest = "bb", .unknown_since = 1700000040, .fault = "nft: unread", .postures = postures, .posture_count = 2,
		.interfaces = interfaces, .interface_count = 2, .parts = parts, .part_count = 2,
		.pending = { 1700000060, 40 }, .drift = { 1700000030, 2, 1, 1700000020, "nft: altered" }, .own_blocked = "192.0.2.7 lies in it", .own_blocked_count = 3, .refuses = "it is full",
		.flows = { 1, 262144, 262144, 9, 11, 1700000050 }, .events = { "xdp", 7, 3, 2, 1 }, .cookies = "on arrival",
	};
}

static void statuses_are_decoded(void)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf once = { 0 }, twice = { 0 };
	struct status in = whole_status(), out;
	struct err why = { 0 };

	status_encode(&once, &in);
	tap_num(status_decode(&out, a, once.at, once.len, &why), 0, "a status is decoded");
	status_encode(&twice, &out);
	tap_ok(once.len == twice.len && !memcmp(once.at, twice.at, once.len), "and encodes to the same bytes");
	tap_text(out.interfaces[1].reason, "another XDP program is attached", "an interface's reason arrives");

	unsigned taken = 0;
	for (size_t len = 0; len < once.len; len++)
		taken += !status_decode(&out, a, once.at, len, &why);
	tap_num(taken, 0, "cut short anywhere, it is refused");
	buf_putc(&once, 0);
	tap_num(status_decode(&out, a, once.at, once.len, &why), -EPROTO, "with a byte left over, too");
}

static void counters_are_decoded(void)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf bytes = { 0 };
	struct counter_row rows[] = { { "reflex.syn_flood", LAYER_REFLEX, VERDICT_DROP, "", 7, 420 } };
	struct counters in = { .at_ns = 5, .cost_ns = 6, .rows = rows, .row_count = 1, .blocked_sources = 2, .crowded = 3 }, out;
	struct err why = { 0 };

	in.causes[CAUSE_BAD_TCP] = 9;
	in.passed[CAUSE_BAD_UDP] = 4;
	counters_encode(&bytes, &in);
	tap_num(counters_decode(&out, a, bytes.at, bytes.len, &why), 0, "counters are decoded");
	tap_text(out.rows[0].id, "reflex.syn_flood", "by their ids");
	tap_ok(out.rows[0].packets == 7 && out.rows[0].bytes == 420 && out.causes[CAUSE_BAD_TCP] == 9 && out.passed[CAUSE_BAD_UDP] == 4 &&
	       out.blocked_sources == 2 && out.crowded == 3 && out.at_ns == 5 && out.cost_ns == 6, "with every number");

	char *verdict = memmem(bytes.at, bytes.len, "syn_flood", 9);
	verdict[10] = VERDICT_COUNT;
	tap_num(counters_decode(&out, a, bytes.at, bytes.len, &why), -EPROTO, "a verdict there is not is refused");
}

static void results_are_decoded(void)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf bytes = { 0 }, ask = { 0 }, wordy = { 0 };
	struct prefix free_before[] = { { { FAMILY_IP4, 0xc6336407 }, 32 } };
	struct prefix still[] = { free_before[0], { { FAMILY_IP4, 0xc6336400 }, 24 } };
	struct result in = { RESULT_CANNOT, "xdp", "no such interface", 3, "BALANCED", 1700000060, 12, 3, free_before, 1, still, 2, free_before, 1 }, out;
	struct set_posture to = { "LOCKDOWN", "under attack", 300, { "3-aa", "root", "unix" } }, got;
	struct err why = { 0 };
	char words[REASON_MAX + 2];

	result_encode(&bytes, &in);
	tap_num(result_decode(&out, a, bytes.at, bytes.len, &why), 0, "a result is decoded");
	tap_ok(out.code == RESULT_CANNOT && !strcmp(out.part, "xdp") && out.generation == 3 &&
	       out.pending_until == 1700000060 && out.tests_run == 12 && out.tests_left == 3 &&
	       out.not_blocked_count == 1 && out.not_blocked[0].addr.num == 0xc6336407, "as it was");
	tap_ok(out.still_blocked_count == 2 && out.still_blocked[1].addr.num == 0xc6336400 && out.still_blocked[1].len == 24,
	       "with the network that blocks all the same");
	tap_ok(out.no_place_count == 1 && out.no_place[0].addr.num == 0xc6336407, "and who has no place");
	bytes.at[0] = RESULT_COUNT;
	tap_num(result_decode(&out, a, bytes.at, bytes.len, &why), -EPROTO, "a code there is not is refused");

	set_posture_encode(&ask, &to);
	tap_num(set_posture_decode(&got, a, ask.at, ask.len, &why), 0, "a posture's change is decoded");
	tap_text(got.reason, "under attack", "with its reason");
	tap_num(got.seconds, 300, "and its duration");
	tap_ok(!strcmp(got.by.base, "3-aa") && !strcmp(got.by.who, "root") && !strcmp(got.by.from, "unix"),
	       "and who asks, from where, and on which base");
	memset(words, 'x', sizeof words);
	words[REASON_MAX + 1] = '\0';
	to.reason = words;
	set_posture_encode(&wordy, &to);
	tap_num(set_posture_decode(&got, a, wordy.at, wordy.len, &why), -EPROTO, "a reason longer than REASON_MAX is refused");
}

static void blocks_are_decoded(void)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf bytes = { 0 }, list = { 0 };
	struct prefix sources[] = { { { FAMILY_IP4, 0xc6336407 }, 32 }, { { FAMILY_IP6, (addr_num)0x20010db8 << 96 }, 48 } };
	struct blocked_row rows[] = { { sources[1], 1700000000, "reflex.syn_flood" } };
	struct block in = { 3600, "scans", sources, 2, { "", "root", "unix" } }, out;
	struct blocks all = { rows, 1, 70000, true }, got;
	struct err why = { 0 };
	unsigned taken = 0;

	block_encode(&bytes, &in);
	tap_num(block_decode(&out, a, bytes.at, bytes.len, &why), 0, "a block is decoded");
	tap_ok(out.seconds == 3600 && out.source_count == 2 && out.sources[0].addr.num == sources[0].addr.num && out.sources[0].len == 32 &&
	       out.sources[1].addr.family == FAMILY_IP6 && out.sources[1].addr.num == sources[1].addr.num && out.sources[1].len == 48,
	       "with its sources");
	for (size_t len = 0; len < bytes.len; len++)
		taken += !block_decode(&out, a, bytes.at, len, &why);
	tap_num(taken, 0, "cut short anywhere, it is refused");
	bytes.at[4 + 4 + 5 + 4 + 1 + 15] = 1;
	tap_num(block_decode(&out, a, bytes.at, bytes.len, &why), -EPROTO, "an IPv4 address with more than four bytes is refused");
	bytes.at[4 + 4 + 5 + 4 + 1 + 15] = 0;
	bytes.at[4 + 4 + 5 + 4 + 17] = 31;
	tap_num(block_decode(&out, a, bytes.at, bytes.len, &why), -EPROTO, "an address with bits behind its length is refused");
	bytes.at[4 + 4 + 5 + 4 + 17] = 33;
	tap_num(block_decode(&out, a, bytes.at, bytes.len, &why), -EPROTO, "and a length that the family does not have");
	bytes.at[4 + 4 + 5 + 4 + 17] = 0;
	tap_num(block_decode(&out, a, bytes.at, bytes.len, &why), -EPROTO, "or none");
	bytes.at[4 + 4 + 5 + 4 + 17] = 32;
	bytes.at[4 + 4 + 5 + 4] = FAMILY_COUNT; /* after the seconds, the reason and the count */
	tap_num(block_decode(&out, a, bytes.at, bytes.len, &why), -EPROTO, "a family there is not is refused");
	in.source_count = 0;
	buf_release(&bytes);
	block_encode(&bytes, &in);
	tap_num(block_decode(&out, a, bytes.at, bytes.len, &why), -EPROTO, "and so is a block of nothing");
	blocks_encode(&list, &all);
	tap_num(blocks_decode(&got, a, list.at, list.len, &why), 0, "a list of blocks is decoded");
	tap_ok(got.known && got.total == 70000 && got.row_count == 1 && !strcmp(got.rows[0].by, "reflex.syn_flood") &&
	       got.rows[0].until == 1700000000, "as it was");
}

static void feeds_are_decoded(void)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf bytes = { 0 }, list = { 0 };
	struct feed_given in = { "drop", 7, 0, { "", "root", "unix" } }, out;
	struct feed_row rows[] = { { "drop", FORMAT_CSV, "", 2, 100, 3600, 1, 1700000000, 7, 5, "ab", 1, 0 } };
	struct feeds_told all = { rows, 1 }, got;
	struct err why = { 0 };

	feed_given_encode(&bytes, &in);
	tap_ok(!feed_given_decode(&out, a, bytes.at, bytes.len, &why) && !strcmp(out.name, "drop") && out.entries == 7 &&
	       !strcmp(out.by.who, "root"), "a feed that is given is decoded");
	in.entries = TEG_FEED_ENTRIES_MAX + 1;
	bytes.len = 0;
	feed_given_encode(&bytes, &in);
	tap_num(feed_given_decode(&out, a, bytes.at, bytes.len, &why), -EPROTO, "more entries than any feed has are refused");
	feeds_told_encode(&list, &all);
	tap_ok(!feeds_told_decode(&got, a, list.at, list.len, &why) && got.row_count == 1 && got.rows[0].column == 2 &&
	       got.rows[0].prefixes == 5 && got.rows[0].stale && !got.rows[0].in_force, "so is what is on feeds");
	tap_num(feeds_told_decode(&got, a, list.at, list.len - 1, &why), -EPROTO, "but not most of it");
	rows[0].format = FORMAT_COUNT;
	list.len = 0;
	feeds_told_encode(&list, &all);
	tap_num(feeds_told_decode(&got, a, list.at, list.len, &why), -EPROTO, "nor a format there is not");
}

static void rollouts_are_decoded(void)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf apply = { 0 }, back = { 0 }, settle = { 0 }, bundle = { 0 }, log = { 0 };
	struct apply in = { 1, 60, { "3-aa", "root", "unix" } }, out;
	struct rollback to = { 2, 90, { "3-aa", "root", "unix" } }, to_got;
	struct settle yes = { 12345678901, { "", "root", "unix" } }, yes_got;
	struct ask_bundle which = { 17 }, which_got;
	struct ask_audit log_got;
	struct err why = { 0 };

	apply_encode(&apply, &in);
	tap_ok(!apply_decode(&out, a, apply.at, apply.len, &why) && out.downgrade && out.confirm == 60, "an apply is decoded");
	rollback_encode(&back, &to);
	tap_ok(!rollback_decode(&to_got, a, back.at, back.len, &why) && to_got.to == 2 && to_got.confirm == 90 &&
	       !strcmp(to_got.by.who, "root"), "so is a rollback");
	settle_encode(&settle, &yes);
	tap_ok(!settle_decode(&yes_got, a, settle.at, settle.len, &why) && yes_got.opened_ns == 12345678901, "and a confirmation");
	ask_bundle_encode(&bundle, &which);
	tap_ok(!ask_bundle_decode(&which_got, bundle.at, bundle.len, &why) && which_got.number == 17, "and who asks for a bundle");
	tap_num(ask_bundle_decode(&which_got, bundle.at, bundle.len - 1, &why), -EPROTO, "but not the half of it");
	ask_audit_encode(&log, &(struct ask_audit){ 41 });
	tap_ok(!ask_audit_decode(&log_got, log.at, log.len, &why) && log_got.before == 41, "and who asks for the log");
	tap_num(ask_audit_decode(&log_got, log.at, 0, &why), -EPROTO, "but not for nothing");
	in.confirm = CONFIRM_SECONDS_MAX + 1;
	apply.len = 0;
	apply_encode(&apply, &in);
	tap_num(apply_decode(&out, a, apply.at, apply.len, &why), -EPROTO, "longer than CONFIRM_SECONDS_MAX nobody waits");
}

static void histories_are_decoded(void)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf once = { 0 }, twice = { 0 };
	struct history_row rows[] = {
		{ 3, "aa", "edge", "1", 5, 1700000000, "rollback", 1, "root", "unix", "done" },
		{ 2, "bb", "edge", "2", 6, 1600000000, "apply", 0, "token ci", "198.51.100.7:4000", "not-confirmed" },
	};
	struct history in = { rows, 2, 3 }, out;
	struct err why = { 0 };
	unsigned taken = 0;

	history_encode(&once, &in);
	tap_num(history_decode(&out, a, once.at, once.len, &why), 0, "a history is decoded");
	history_encode(&twice, &out);
	tap_ok(once.len == twice.len && !memcmp(once.at, twice.at, once.len), "and encodes to the same bytes");
	for (size_t len = 0; len < once.len; len++)
		taken += !history_decode(&out, a, once.at, len, &why);
	tap_num(taken, 0, "cut short anywhere, it is refused");
}

static void packets_are_decoded(void)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf once = { 0 }, twice = { 0 };
	struct packet_row rows[2] = {
		{ 1700000000000000000, 41, "reflex.null_scan", "", "BALANCED", "eth0",
		  { .at_ns = 5, .who = 3, .family = TEG_IP4, .does = TEG_DOES_DROP | TEG_DOES_TELL, .severity = EVENT_CRITICAL,
		    .head_len = TEG_EVENT_HEAD, .head = { 1, 2, 3 } } },
		{ 1700000001000000000, 41, "blocked", "reflex.syn_flood", "", "", { .who = TEG_WHO_CAUSE | CAUSE_BAD_IP } },
	};
	struct packets in = { rows, 2 }, out;
	struct err why = { 0 };
	unsigned taken = 0;

	packets_encode(&once, &in);
	tap_num(packets_decode(&out, a, once.at, once.len, &why), 0, "packets are decoded");
	tap_ok(out.row_count == 2 && !strcmp(out.rows[0].by, "reflex.null_scan") && !strcmp(out.rows[1].placed, "reflex.syn_flood") &&
	       !memcmp(&out.rows[0].is, &rows[0].is, sizeof rows[0].is), "with their names, and the kernel's record");
	packets_encode(&twice, &out);
	tap_ok(once.len == twice.len && !memcmp(once.at, twice.at, once.len), "and encode to the same bytes");
	for (size_t len = 0; len < once.len; len++)
		taken += !packets_decode(&out, a, once.at, len, &why);
	tap_num(taken, 0, "cut short anywhere, they are refused");

	rows[0].is.head_len = TEG_EVENT_HEAD + 1;
	buf_release(&once);
	packets_encode(&once, &in);
	tap_num(packets_decode(&out, a, once.at, once.len, &why), -EPROTO, "and with more of a frame than there is");
	rows[0].is.head_len = 0;
	rows[0].is.severity = EVENT_SEVERITY_COUNT;
	buf_release(&once);
	packets_encode(&once, &in);
	tap_num(packets_decode(&out, a, once.at, once.len, &why), -EPROTO, "and a severity there is not");
	rows[0].is.severity = 0;
	rows[0].is.family = 3;
	buf_release(&once);
	packets_encode(&once, &in);
	tap_num(packets_decode(&out, a, once.at, once.len, &why), -EPROTO, "and a family there is not");
	buf_release(&once);
	packets_encode(&once, &(struct packets){ arena_zero(a, (PACKETS_MAX + 1) * sizeof *rows), 0 });
	tap_num(packets_decode(&out, a, once.at, once.len, &why), 0, "none are some");
}

/* ---- over a pair of sockets --------------------------------------------------------- */

static int hear(int sock, enum role me, struct message *out, struct arena *a, struct err *why)
{
	*out = (struct message){ .fd = -1 };
	return message_receive(sock, me, a, out, why);
}

static void messages_arrive_whole(void)
{
	static const size_t sizes[] = { 0, 1, MESSAGE_CHUNK - 1, MESSAGE_CHUNK, MESSAGE_CHUNK + 1, 150000 };
	own(arena) struct arena *a = arena_new();
	own(mem) char *bytes = malloc(200000);
	int ends[2];
	struct err why = { 0 };

	if (message_pair(ends, &why) || !bytes) {
		tap_ok(false, "a pair of sockets: %s", why.text);
		return;
	}
	for (size_t i = 0; i < 200000; i++)
		bytes[i] = (char)(i * 7);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		const struct message in = { MESSAGE_COUNTERS, (uint32_t)i, bytes, sizes[i], -1 };
		struct message out;
		int rc = message_send(ends[0], &in, &why);

		if (!rc)
			rc = hear(ends[1], ROLE_API, &out, a, &why);
		tap_ok(!rc && out.kind == MESSAGE_COUNTERS && out.id == i && out.len == sizes[i] &&
		       !memcmp(out.payload, bytes, sizes[i]), "%zu bytes arrive as they were sent", sizes[i]);
	}
	close(ends[0]);
	struct message out;
	tap_num(hear(ends[1], ROLE_API, &out, a, &why), -EPIPE, "when the peer is gone, that is what is said");
	close(ends[1]);
}

static void descriptors_travel(void)
{
	own(arena) struct arena *a = arena_new();
	own(fd) int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int ends[2];
	struct err why = { 0 };
	struct message out;

	if (message_pair(ends, &why))
		return;
	const struct message in = { MESSAGE_APPLY, 1, NULL, 0, null };
	message_send(ends[0], &in, &why);
	tap_ok(!hear(ends[1], ROLE_WARDEN, &out, a, &why) && out.fd >= 0 && fcntl(out.fd, F_GETFD) == FD_CLOEXEC,
	       "a descriptor arrives, closed on exec");
	close(out.fd);
	close(ends[0]);
	close(ends[1]);
}

/* What a broken or hostile peer may say: raw datagrams. `with_fd` counts descriptors. */
static const struct {
	const char *claim;
	uint8_t bytes[12];
	size_t len;
	unsigned with_fd;
	enum role me;
} wrong[] = {
	{ "a datagram shorter than a header", { 0, 0, 0 }, 3, 0, ROLE_WARDEN },
	{ "a kind there is not", { 200, 0, 0, 0, 1, 0, 0, 0 }, 8, 0, ROLE_WARDEN },
	{ "an answer sent to the warden", { MESSAGE_STATUS, 0, 0, 0, 1, 0, 0, 0 }, 8, 0, ROLE_WARDEN },
	{ "a question sent to the api", { MESSAGE_ASK_STATUS, 0, 0, 0, 1, 0, 0, 0 }, 8, 0, ROLE_API },
	{ "an apply without a bundle", { MESSAGE_APPLY, 0, 0, 0, 1, 0, 0, 0 }, 8, 0, ROLE_WARDEN },
	{ "a question with a descriptor", { MESSAGE_ASK_STATUS, 0, 0, 0, 1, 0, 0, 0 }, 8, 1, ROLE_WARDEN },
	{ "an apply with two descriptors", { MESSAGE_APPLY, 0, 0, 0, 1, 0, 0, 0 }, 8, 2, ROLE_WARDEN },
	{ "a part that says more and is short", { MESSAGE_ASK_STATUS, 0, 1, 0, 1, 0, 0, 0, 9 }, 9, 0, ROLE_WARDEN },
	{ "a more that is neither 0 nor 1", { MESSAGE_ASK_STATUS, 0, 2, 0, 1, 0, 0, 0 }, 8, 0, ROLE_WARDEN },
};

static void say_raw(int sock, const void *bytes, size_t len, unsigned with_fd)
{
	union {
		char bytes[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} room = { 0 };
	struct iovec part = { (void *)(uintptr_t)bytes, len };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };
	const int fds[2] = { 0, 1 };

	if (with_fd) {
		m.msg_control = room.bytes;
		m.msg_controllen = CMSG_SPACE(with_fd * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(with_fd * sizeof(int));
		memcpy(CMSG_DATA(c), fds, with_fd * sizeof(int));
	}
	if (sendmsg(sock, &m, 0) < 0)
		tap_note("cannot send");
}

static unsigned open_fds(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void the_wrong_is_refused(void)
{
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		own(arena) struct arena *a = arena_new();
		const unsigned before = open_fds();
		int ends[2];
		struct err why = { 0 };
		struct message out;

		if (message_pair(ends, &why))
			continue;
		say_raw(ends[0], wrong[i].bytes, wrong[i].len, wrong[i].with_fd);
		int rc = hear(ends[1], wrong[i].me, &out, a, &why);
		if (!rc && out.fd >= 0)
			close(out.fd);
		close(ends[0]);
		close(ends[1]);
		tap_ok(rc == -EPROTO, "%s is refused", wrong[i].claim);
		tap_num(open_fds(), before, "and no descriptor of it stays open");
	}
}

static void parts_must_fit(void)
{
	own(arena) struct arena *a = arena_new();
	own(mem) uint8_t *bytes = calloc(1, 8 + MESSAGE_CHUNK);
	int ends[2];
	struct err why = { 0 };
	struct message out;

	if (!bytes || message_pair(ends, &why))
		return;
	bytes[0] = MESSAGE_SET_POSTURE;
	bytes[2] = 1;
	say_raw(ends[0], bytes, 8 + MESSAGE_CHUNK, 0);
	bytes[4] = 77; /* another id */
	bytes[2] = 0;
	say_raw(ends[0], bytes, 20, 0);
	tap_num(hear(ends[1], ROLE_WARDEN, &out, a, &why), -EPROTO, "a part of another message in between is refused");
	close(ends[0]);
	close(ends[1]);
}

/* Who may not wait sends what there is room for, and goes on when there is more; the other end gets it once, and whole. */
static void nobody_waits(void)
{
	own(arena) struct arena *a = arena_new();
	own(message_half) struct message_half half = { 0 };
	own(mem) char *bytes = malloc(MESSAGE_BYTES_MAX);
	own(fd) int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	unsigned full = 0, partly = 0;
	int ends[2], sent = 0, got = 0;
	size_t at = 0;
	struct err why = { 0 };
	struct message out;

	if (!bytes || message_pair(ends, &why))
		return;
	for (size_t i = 0; i < MESSAGE_BYTES_MAX; i++)
		bytes[i] = (char)(i * 11 >> 3);
	const struct message in = { MESSAGE_BUNDLE, 9, bytes, MESSAGE_BYTES_MAX, null };
	tap_num(message_receive_some(ends[1], ROLE_API, &half, a, &out, &why), 0, "where nothing is said nothing is heard");
	while (!got) {
		if (!sent)
			sent = message_send_some(ends[0], &in, &at, &why);
		full += !sent;
		got = message_receive_some(ends[1], ROLE_API, &half, a, &out, &why);
		partly += !got && half.begun;
	}
	tap_ok(sent == 1 && got == 1 && full && partly, "4 MiB go over in parts (%u times there was no more room, %u times not yet all)", full, partly);
	tap_ok(got == 1 && out.len == MESSAGE_BYTES_MAX && out.id == 9 && out.fd >= 0 && !memcmp(out.payload, bytes, out.len),
	       "and arrive as they were sent, with their descriptor");
	if (got == 1 && out.fd >= 0)
		close(out.fd);
	tap_num(message_receive_some(ends[1], ROLE_API, &half, a, &out, &why), 0, "once");

	const unsigned before = open_fds();
	at = 0;
	message_send_some(ends[0], &in, &at, &why);
	message_receive_some(ends[1], ROLE_API, &half, a, &out, &why);
	tap_ok(half.begun && half.fd >= 0 && open_fds() == before + 1, "one that is half there holds its descriptor");
	message_half_release(&half);
	tap_num(open_fds(), before, "until it is let go");
	close(ends[0]);
	close(ends[1]);
}

static void a_stall_ends(void)
{
	own(arena) struct arena *a = arena_new();
	const struct timeval limit = { .tv_usec = 50000 };
	int ends[2];
	struct err why = { 0 };
	struct message out;

	if (message_pair(ends, &why))
		return;
	setsockopt(ends[1], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	tap_num(hear(ends[1], ROLE_WARDEN, &out, a, &why), -ETIMEDOUT, "who says nothing is not waited for beyond the limit");
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	statuses_are_decoded();
	counters_are_decoded();
	results_are_decoded();
	blocks_are_decoded();
	feeds_are_decoded();
	rollouts_are_decoded();
	histories_are_decoded();
	packets_are_decoded();
	messages_arrive_whole();
	descriptors_travel();
	the_wrong_is_refused();
	parts_must_fit();
	nobody_waits();
	a_stall_ends();
	return tap_done();
}
