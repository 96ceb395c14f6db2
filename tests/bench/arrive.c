/*
 * What a packet costs from the wire to its end, on one core: through a veth,
 * XDP where there is one, and the stack as far as the packet comes.
 *
 *     arrive [-x read_only|read_drop] OUTSIDE-NETNS LINK EDGE-NETNS LINK KIND...
 *
 * The sender is BPF_PROG_TEST_RUN with live frames: each carries the next head of
 * a trace, goes out of the one link, and is received from the other in NAPI on
 * the same core before the call returns; so the time of the call is all the
 * work there is. -x puts a program of floor.bpf.c onto the receiving link.
 * Prints "KIND NANOSECONDS SENT": the median of some rounds, a packet's, since
 * in a round in which the kernel hands NAPI over to its thread packets are lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <netinet/in.h>

#include "compiler/ir/ir.h"
#include "compiler/ir/packet.h"
#include "compiler/ir/proto.h"
#include "tests/lib/floor_run.h"
#include "tests/lib/tap.h"

#define ROUNDS	7
#define PACKETS 400000u
#define WARM_UP 20000u
#define BATCH	64u /* fewer than a veth queues */

/* ---- packets ---------------------------------------------------------------------- */

static struct addr address(const char *text)
{
	struct addr a;

	floor_must(!addr_parse(text, &a), text);
	return a;
}

static struct packet to_edge(enum family f, const char *source, uint8_t flags, uint16_t dport)
{
	return (struct packet){
		.family = f, .proto = PROTO_TCP, .fragment = FRAGMENT_WHOLE, .hop_limit = 57, .flags = flags,
		.sport = 40000, .dport = dport, .src = address(source),
		.dst = address(f == FAMILY_IP4 ? "192.0.2.1" : "2001:db8:1::1"),
	};
}

static struct packet bogon4(unsigned i)
{
	struct packet p = to_edge(FAMILY_IP4, "10.0.0.0", 0x02, 443);

	p.src.num += i * 2654435761u % (1u << 24);
	return p;
}

static struct packet bogon6(unsigned i)
{
	struct packet p = to_edge(FAMILY_IP6, "fd00::1", 0x02, 443);

	p.src.num += (addr_num)(i * 2654435761u) << 64;
	return p;
}

static struct packet flood4(unsigned i)
{
	struct packet p = to_edge(FAMILY_IP4, "198.51.100.66", 0x02, 80);

	p.sport = (uint16_t)(1024 + i % 60000);
	return p;
}

static struct packet closed4(unsigned i)
{
	struct packet p = to_edge(FAMILY_IP4, "198.51.0.0", 0x10, 3306);

	p.src.num += i * 2654435761u % 4096;
	p.sport = (uint16_t)(1024 + i % 60000);
	return p;
}

static struct packet flow4(unsigned i)
{
	struct packet p = to_edge(FAMILY_IP4, "198.51.100.20", 0, 443);

	(void)i;
	p.proto = PROTO_UDP;
	return p;
}

static const struct kind {
	const char *name;
	struct packet (*packet)(unsigned i);
} kinds[] = {
	{ "bogon4", bogon4 }, { "bogon6", bogon6 }, { "flood4", flood4 }, { "closed4", closed4 }, { "flow4", flow4 },
};

static const struct kind *kind_at(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	fprintf(stderr, "arrive: there is no kind %s\n", name);
	exit(64);
}

static void fill(struct floor_trace *trace, const struct kind *k, const uint8_t *mac, unsigned out)
{
	for (unsigned i = 0; i < FLOOR_RECORDS; i++) {
		uint8_t frame[128] = { 0 };
		struct packet p = k->packet(i);

		floor_must(!frame_build(&p, NULL, 0, frame, sizeof frame), "frame");
		memcpy(frame, mac, 6);
		memcpy(trace->records[i].words, frame, FLOOR_BYTES);
	}
	trace->next = 0;
	trace->strange = 0;
	trace->out = out;
}

/* ---- links --------------------------------------------------------------------------- */

static void enter(const char *netns)
{
	char path[256];

	snprintf(path, sizeof path, "/run/netns/%s", netns);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	floor_must(fd < 0 || setns(fd, CLONE_NEWNET), path);
	close(fd);
}

static void mac_of(const char *link, uint8_t *mac)
{
	struct ifreq request = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(request.ifr_name, sizeof request.ifr_name, "%s", link);
	floor_must(fd < 0 || ioctl(fd, SIOCGIFHWADDR, &request), link);
	memcpy(mac, request.ifr_hwaddr.sa_data, 6);
	close(fd);
}

/* The other end of flow4. It has answered once, so that the flow is an established one, and reads nothing. */
static int open_flow(void)
{
	struct sockaddr_in self = { .sin_family = AF_INET, .sin_port = htons(443) };
	struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = htons(40000) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	floor_must(inet_pton(AF_INET, "192.0.2.1", &self.sin_addr) != 1, "address");
	floor_must(inet_pton(AF_INET, "198.51.100.20", &peer.sin_addr) != 1, "address");
	floor_must(fd < 0 || bind(fd, (struct sockaddr *)&self, sizeof self), "port 443");
	floor_must(sendto(fd, "", 1, 0, (struct sockaddr *)&peer, sizeof peer) != 1, "the answer");
	return fd;
}

/* ---- time -------------------------------------------------------------------------------- */

static int program(const struct floor_run *b, const char *name)
{
	const struct bpf_program *p = bpf_object__find_program_by_name(b->object, name);

	floor_must(p ? 0 : -ENOENT, name);
	return bpf_program__fd(p);
}

static double run(const struct floor_run *b, uint32_t packets)
{
	static const uint8_t frame[FLOOR_BYTES + 16];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof frame, .repeat = (int)packets,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BATCH);

	floor_must(bpf_prog_test_run_opts(b->feed, &opts), "BPF_PROG_TEST_RUN");
	return opts.duration;
}

static int by_size(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;

	return (a > b) - (a < b);
}

static void measure(struct floor_run *b, const struct kind *k, const uint8_t *mac, unsigned out)
{
	const uint32_t zero = 0;
	double ns[ROUNDS];

	fill(b->trace, k, mac, out);
	floor_must(bpf_map_update_elem(b->trace_map, &zero, b->trace, BPF_ANY), "bench_trace");
	run(b, WARM_UP);
	for (int i = 0; i < ROUNDS; i++)
		ns[i] = run(b, PACKETS);
	qsort(ns, ROUNDS, sizeof *ns, by_size);
	printf("%s %.0f %u\n", k->name, ns[ROUNDS / 2], WARM_UP + ROUNDS * PACKETS);
	fflush(stdout);
}

static void meet(const struct floor_run *b, const char *xdp, const char *link)
{
	LIBBPF_OPTS(bpf_link_create_opts, native, .flags = XDP_FLAGS_DRV_MODE);
	int fd = bpf_link_create(program(b, xdp), (int)if_nametoindex(link), BPF_XDP, &native);

	floor_must(fd < 0 ? fd : 0, "a program onto the receiving link"); /* held until the end */
}

int main(int argc, char **argv)
{
	const char *self = argv[0], *xdp = NULL;
	const uint32_t zero = 0;
	struct floor_run b = { 0 };
	uint8_t mac[6];

	if (argc > 2 && !strcmp(argv[1], "-x")) {
		xdp = argv[2];
		argv += 2, argc -= 2;
	}
	if (argc < 6) {
		fputs("usage: arrive [-x read_only|read_drop] OUTSIDE-NETNS LINK EDGE-NETNS LINK KIND...\n", stderr);
		return 64;
	}
	floor_open(&b, self);
	int send = program(&b, "send");
	floor_must(bpf_map_update_elem(b.next, &zero, &send, BPF_ANY), "bench_next");

	enter(argv[3]);
	mac_of(argv[4], mac);
	int flow = open_flow();
	if (xdp)
		meet(&b, xdp, argv[4]);
	enter(argv[1]);
	unsigned out = if_nametoindex(argv[2]);
	floor_must(out ? 0 : -ENODEV, argv[2]);
	for (int i = 5; i < argc; i++)
		measure(&b, kind_at(argv[i]), mac, out);
	close(flow);
	floor_release(&b);
	return 0;
}
