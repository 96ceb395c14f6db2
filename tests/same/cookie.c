/*
 * What the XDP program makes of SYNs that are over the rate of a reflex that does cookies, in
 * a network of its own with a listener of its own. That its queue is full is said, not done:
 * with tcp_syncookies 2 the kernel asks for cookies whatever the queue holds.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "compiler/ir/ir.h"
#include "compiler/ir/packet.h"
#include "compiler/ir/proto.h"
#include "lang/base/own.h"
#include "tests/lib/tap.h"
#include "tests/lib/xdp_run.h"

#define OPEN 80
#define CLOSED 81
#define SEQ 0x01020304u
#define REFLEX 2

/* SYNs without ACK over one an hour; cookies. */
static struct plan_counter counters[] = { { .id = "neighbour" }, { .id = "blocked" }, { .id = "reflex.syn" } };
static struct teg_box boxes[] = {
	{ .zones = ~0ull, .dport_hi = 65535, .sport_hi = 65535, .icmp_hi = 65535, .proto = PROTO_TCP, .families = 3,
	  .fragments = TEG_WHOLE | TEG_FIRST, .flags_mask = 0x12, .flags_want = 0x02 },
};
static struct teg_rule rules[] = {
	{ .counter_slot = REFLEX, .act = TEG_ACT_COOKIES, .key = TEG_KEY_ALL, .cost_ns = 3600000000000, .depth_ns = 3600000000000,
	  .one_in = 1, .tells = 1 + EVENT_HIGH },
};
static const struct plan plan = {
	.policy = "cookies", .counters = counters, .counter_count = ARRAY_LEN(counters), .posture_count = 1,
	.boxes = boxes, .box_count = ARRAY_LEN(boxes), .rules = rules, .rule_count = ARRAY_LEN(rules),
	.config = { .abi = TEG_ABI_VERSION, .asks = TEG_ASKS_CLOCK | TEG_ASKS_COOKIES, .box_count = ARRAY_LEN(boxes),
		    .rule_count = ARRAY_LEN(rules), .neighbour_slot = 0, .blocked_slot = 1 },
};

/* ---- the network ------------------------------------------------------------------------- */

static bool listens(uint16_t port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_any };
	int fd = socket(AF_INET6, SOCK_STREAM, 0); /* both families; open until the test ends */

	return fd >= 0 && !bind(fd, (struct sockaddr *)&any, sizeof any) && !listen(fd, 16);
}

static bool cookies(const char *how)
{
	own(fd) int fd = open("/proc/sys/net/ipv4/tcp_syncookies", O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, how, strlen(how)) == (ssize_t)strlen(how);
}

static bool network(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	own(fd) int fd = -1;

	if (unshare(CLONE_NEWNET))
		return false;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	return fd >= 0 && !ioctl(fd, SIOCSIFFLAGS, &lo) && listens(OPEN);
}

/* ---- frames ---------------------------------------------------------------------------------- */

struct syn {
	const char *src, *dst;
	uint16_t dport;
	uint8_t flags;
	unsigned tags;	  /* VLAN */
	size_t options;	  /* bytes of TCP's */
	size_t payload;
	unsigned ip_options; /* bytes */
	bool to_all;	  /* a link address of many */
};

static const uint8_t mss_option[40] = { 2, 4, 1440 >> 8, 1440 & 0xff, 1, 1, 4, 2 };

/* frame_build() knows no options and no tags. */
static size_t make(const struct syn *s, uint8_t *frame, size_t room)
{
	struct packet p = { .proto = PROTO_TCP, .fragment = FRAGMENT_WHOLE, .hop_limit = 57, .sport = 40000,
			    .dport = s->dport, .flags = s->flags ? s->flags : 0x02 };
	uint8_t rest[1500] = { 0 };
	size_t len;

	memcpy(rest, mss_option, sizeof mss_option);
	if (!addr_parse(s->src, &p.src) || !addr_parse(s->dst, &p.dst))
		return 0;
	p.family = p.src.family;
	len = frame_build(&p, rest, s->options + s->payload, frame, room);
	uint8_t *ip = frame + 14, *tcp = ip + (p.family == FAMILY_IP4 ? 20 : 40);
	memcpy(tcp + 4, (uint8_t[]){ 1, 2, 3, 4 }, 4);
	tcp[12] = (uint8_t)((20 + s->options) / 4 << 4);
	if (s->ip_options) {
		memmove(tcp + s->ip_options, tcp, len - (size_t)(tcp - frame));
		memset(tcp, 1, s->ip_options);
		len += s->ip_options;
		ip[0] = (uint8_t)(0x45 + s->ip_options / 4);
		ip[3] = (uint8_t)(ip[3] + s->ip_options);
	}
	memcpy(frame, "\x02\0\0\0\0\x11\x02\0\0\0\0\x22", 12);
	frame[0] |= s->to_all;
	for (unsigned i = 0; i < s->tags; i++, len += 4) {
		memmove(frame + 16, frame + 12, len - 12);
		memcpy(frame + 12, "\x81\0\0\x07", 4);
	}
	return len;
}

struct answer {
	uint32_t action;
	uint8_t frame[2048];
	uint32_t len;
};

static struct answer ask(struct xdp_run *x, const struct syn *s)
{
	uint8_t frame[2048] = { 0 };
	struct answer a = { .len = 0 };
	size_t len = make(s, frame, sizeof frame);
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = (uint32_t)len, .data_out = a.frame,
		    .data_size_out = sizeof a.frame, .repeat = 1);

	if (bpf_prog_test_run_opts(xdp_run_program(x), &run))
		return (struct answer){ .action = XDP_ABORTED };
	a.action = run.retval;
	a.len = run.data_size_out;
	return a;
}

/* RFC 1071; 0 when the checksum among the bytes is right. */
static uint16_t summed(uint64_t sum, const uint8_t *at, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint64_t)at[i] << 8 | at[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static bool checks(const uint8_t *ip, size_t tcp_len, bool six)
{
	const size_t head = six ? 40 : 20, ends = six ? 32 : 8;
	uint64_t pseudo = (uint16_t)~summed(PROTO_TCP + tcp_len, ip + head - ends, ends);

	return (six || !summed(0, ip, 20)) && !summed(pseudo, ip + head, tcp_len);
}

/* The SYN-ACK that belongs to the SYN, with the client's MSS where there is room for one. */
static bool is_answer(const struct answer *a, const struct syn *s)
{
	const bool six = strchr(s->src, ':');
	const size_t tcp_len = s->options ? 24 : 20, link = 14 + 4 * s->tags, want = link + (six ? 40 : 20) + tcp_len;
	const uint8_t *ip = a->frame + link, *tcp = ip + (six ? 40 : 20);
	struct packet p;
	struct addr src, dst;

	if (a->action != XDP_TX || a->len < want || a->len > (want > 60 ? want : 60) || frame_parse(a->frame, a->len, &p) ||
	    !addr_parse(s->src, &src) || !addr_parse(s->dst, &dst))
		return false;
	return p.src.num == dst.num && p.dst.num == src.num && p.sport == s->dport && p.dport == 40000 &&
	       p.flags == 0x12 && !memcmp(a->frame, "\x02\0\0\0\0\x22\x02\0\0\0\0\x11", 12) &&
	       !memcmp(tcp + 8, (uint8_t[]){ 1, 2, 3, 5 }, 4) && tcp[12] >> 4 == tcp_len / 4 &&
	       (!s->options || !memcmp(tcp + 20, mss_option, 4)) && checks(ip, tcp_len, six);
}

/* ---- what becomes of them ---------------------------------------------------------------------- */

#define V4 .src = "198.51.100.7", .dst = "127.0.0.1"
#define V6 .src = "2001:db8::7", .dst = "::1"

static const struct row {
	const char *what;
	struct syn syn;
	enum { ANSWERED, DROPPED, ON } becomes;
} rows[] = {
	{ "IPv4", { V4, .dport = OPEN, .options = 8 }, ANSWERED },
	{ "IPv6", { V6, .dport = OPEN, .options = 8 }, ANSWERED },
	{ "all options", { V4, .dport = OPEN, .options = 40 }, ANSWERED },
	{ "all options, IPv6", { V6, .dport = OPEN, .options = 40 }, ANSWERED },
	{ "no options", { V4, .dport = OPEN }, ANSWERED },
	{ "no options, IPv6", { V6, .dport = OPEN }, ANSWERED },
	{ "a VLAN tag", { V4, .dport = OPEN, .options = 8, .tags = 1 }, ANSWERED },
	{ "two VLAN tags, IPv6", { V6, .dport = OPEN, .options = 8, .tags = 2 }, ANSWERED },
	{ "a payload, which is not sent back", { V4, .dport = OPEN, .options = 8, .payload = 1000 }, ANSWERED },
	{ "ECN asked for", { V4, .dport = OPEN, .options = 8, .flags = 0xc2 }, ANSWERED },
	{ "options of IP", { V4, .dport = OPEN, .options = 8, .ip_options = 4 }, DROPPED },
	{ "FIN as well", { V4, .dport = OPEN, .options = 8, .flags = 0x03 }, DROPPED },
	{ "a link address of many", { V4, .dport = OPEN, .options = 8, .to_all = true }, DROPPED },
	{ "nobody listens", { V4, .dport = CLOSED, .options = 8 }, DROPPED },
	{ "nobody listens, IPv6", { V6, .dport = CLOSED, .options = 8 }, DROPPED },
	{ "another host's, which layer 4 answers for", { .src = "198.51.100.7", .dst = "192.0.2.9", .dport = OPEN, .options = 8 }, ON },
	{ "the listener has room", { V4, .dport = OPEN, .options = 8 }, ON },
	{ "the listener has room, IPv6", { V6, .dport = OPEN, .options = 8 }, ON },
	{ "an ACK", { V4, .dport = OPEN, .flags = 0x10 }, ON },
};

static void judged(struct xdp_run *x, const struct row *r)
{
	uint64_t before = xdp_run_counter(x, REFLEX).packets;

	tap_ok(cookies(r->becomes == ON ? "1" : "2"), "%s", r->becomes == ON ? "room" : "no room");
	struct answer a = ask(x, &r->syn);
	uint64_t counted = xdp_run_counter(x, REFLEX).packets - before;

	xdp_run_told(x);
	switch (r->becomes) {
	case ANSWERED:
		tap_ok(is_answer(&a, &r->syn), "%s: answered (action %u, %u bytes)", r->what, a.action, a.len);
		break;
	case DROPPED:
		tap_num(a.action, XDP_DROP, r->what);
		break;
	case ON:
		tap_num(a.action, XDP_PASS, r->what);
		break;
	}
	tap_num(counted, r->becomes != ON, r->becomes == ON ? "and not counted" : "and counted");
}

static void told(struct xdp_run *x)
{
	const struct syn full = { V4, .dport = OPEN, .options = 8 }, closed = { V4, .dport = CLOSED, .options = 8 };

	xdp_run_told(x);
	xdp_run_tick(x, 1);
	ask(x, &full);
	struct xdp_run_told answered = xdp_run_told(x);
	tap_ok(answered.count == 1 && answered.last.does == (TEG_DOES_DROP | TEG_DOES_TELL | TEG_DOES_ANSWER) &&
	       answered.last.flags == 0x02 && answered.last.dport == OPEN, "an event shows the SYN, and that it was answered");
	ask(x, &closed);
	struct xdp_run_told refused = xdp_run_told(x);
	tap_ok(refused.count == 1 && refused.last.does == (TEG_DOES_DROP | TEG_DOES_TELL), "or that it was not");
}

static void cookies_differ(struct xdp_run *x)
{
	const struct syn one = { V4, .dport = OPEN, .options = 8 };
	const struct syn other = { .src = "198.51.100.8", .dst = "127.0.0.1", .dport = OPEN, .options = 8 };
	struct answer a = ask(x, &one), b = ask(x, &other);

	tap_ok(memcmp(a.frame + 38, b.frame + 38, 4), "another client gets another cookie");
}

int main(void)
{
	own(xdp_run) struct xdp_run *x = NULL;
	const struct syn first = { V4, .dport = OPEN, .options = 8 };
	struct err why = { 0 };

	if (!network()) {
		tap_skip("needs a network of its own", "SYNs are answered");
		return tap_done();
	}
	if (xdp_run_new(&x, &plan, XDP_RUN_REAL_CLOCK, &why)) {
		if (why.code == -EPERM)
			tap_skip("BPF is not allowed here", "SYNs are answered");
		else
			tap_ok(false, "the program loads: %s", why.text);
		return tap_done();
	}
	struct addr self[2] = { 0 };
	addr_parse("127.0.0.1", &self[0]);
	addr_parse("::1", &self[1]);
	xdp_run_self(x, self, ARRAY_LEN(self));
	xdp_run_at(x, 1, 0, 0);
	if (!tap_ok(cookies("2"), "tcp_syncookies is ours to set"))
		return tap_done();
	tap_num(ask(x, &first).action, XDP_PASS, "within the rate the listener has it");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		judged(x, &rows[i]);
	tap_ok(cookies("2"), "no room");
	cookies_differ(x);
	told(x);
	return tap_done();
}
