/*
 * The same lists and the same packets through the first hook and through what Linux has for it: nftables,
 * line by line and as one map of verdicts, iptables in both makes, and for blocked sources nft's sets, ipset and
 * xdp-filter. One core from the wire to the verdict, as tests/bench/arrive.c sends.
 *
 *     peers [ROUNDS [SIZE [KIND]]]
 *     peers ROUNDS FILE...
 *
 * Rules are ClassBench's, as in tests/bench/bulk.c, or those of FILE.rules with the packets of FILE.trace (tests/lib/classbench.h).
 * Everything drops, what is in no rule too, so that nobody pays for the stack
 * behind. F1 is a program that reads the frame and drops it. Least of some rounds; how many packets a round has is
 * so chosen that it takes about a third of a second. What nft lets by is compared with the rules. Namespaces of
 * the process's own: nothing stays behind, however it ends.
 */
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/if_link.h>

#include "compiler/emit/emit.h"
#include "compiler/ir/ir.h"
#include "compiler/ir/proto.h"
#include "tests/lib/classbench.h"
#include "tests/lib/craft.h"
#include "tests/lib/floor_run.h"
#include "tests/lib/tap.h"
#include "tests/lib/xdp_run.h"

#define BATCH	   64u /* fewer than a veth queues */
#define ROUND_NS   3e8
#define TURNS_MAX  40u	     /* of the trace, in a round */
#define LONGEST_NS 400000.0  /* a packet's, beyond which an engine is not asked */
#define SCRATCH	   "/mnt"    /* a tmpfs that only this process sees */

struct bench {
	struct floor_run floor;
	uint8_t mac[6];
	unsigned out, in; /* links */
	int pass;	  /* a program that lets everything by */
	unsigned rounds;
	uint64_t sent;
	double floor_ns, ours_ns;
	struct packet packets[FLOOR_RECORDS]; /* of the trace */
};

/* ---- the world ------------------------------------------------------------------------ */

static int said(const char *format, ...)
{
	char command[512];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof command, format, args);
	va_end(args);
	return system(command);
}

static void mac_of(const char *link, uint8_t *mac)
{
	struct ifreq request = { 0 };
	own(fd) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(request.ifr_name, sizeof request.ifr_name, "%s", link);
	floor_must(fd < 0 || ioctl(fd, SIOCGIFHWADDR, &request), link);
	memcpy(mac, request.ifr_hwaddr.sa_data, 6);
}

static int program(const struct bench *b, const char *name)
{
	const struct bpf_program *p = bpf_object__find_program_by_name(b->floor.object, name);

	floor_must(p ? 0 : -ENOENT, name);
	return bpf_program__fd(p);
}

static void open_world(struct bench *b)
{
	const struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	const uint32_t zero = 0;

	floor_must(unshare(CLONE_NEWNET | CLONE_NEWNS), "namespaces");
	floor_must(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts");
	floor_must(mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL), "/sys/fs/bpf");
	floor_must(mount("tmpfs", SCRATCH, "tmpfs", 0, NULL), SCRATCH);
	/* Else the links' own packets are counted too. */
	floor_must(said("sysctl -qw net.ipv6.conf.default.disable_ipv6=1"), "links without IPv6");
	floor_must(said("ip link add a0 type veth peer name b0 && ip link set lo up && ip link set a0 up && ip link set b0 up"),
		   "a pair of links");
	b->out = if_nametoindex("a0");
	b->in = if_nametoindex("b0");
	mac_of("b0", b->mac);
	b->pass = bpf_prog_load(BPF_PROG_TYPE_XDP, "pass", "GPL", pass, 2, NULL);
	floor_must(b->pass < 0 ? b->pass : 0, "a program that passes");
	int send = program(b, "send");
	floor_must(bpf_map_update_elem(b->floor.next, &zero, &send, BPF_ANY), "bench_next");
}

static void put_frame(struct bench *b, unsigned i, const struct packet *p)
{
	uint8_t frame[128] = { 0 };

	floor_must(!frame_build(p, NULL, 0, frame, sizeof frame), "frame");
	memcpy(frame, b->mac, 6);
	memcpy(b->floor.trace->records[i].words, frame, FLOOR_BYTES);
}

static void put_trace(struct bench *b)
{
	const uint32_t zero = 0;

	b->floor.trace->out = b->out;
	b->floor.trace->next = b->floor.trace->strange = 0;
	floor_must(bpf_map_update_elem(b->floor.trace_map, &zero, b->floor.trace, BPF_ANY), "bench_trace");
}

/* ---- time ------------------------------------------------------------------------------ */

static double run(struct bench *b, uint32_t packets)
{
	static const uint8_t frame[FLOOR_BYTES + 16];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof frame, .repeat = (int)packets,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BATCH);

	floor_must(bpf_prog_test_run_opts(b->floor.feed, &opts), "BPF_PROG_TEST_RUN");
	b->sent += packets;
	return opts.duration;
}

/* Whole turns of the trace, so that what is counted can be compared. 0: too slow to be asked. */
static double least(struct bench *b)
{
	double first = run(b, FLOOR_RECORDS), best = first;
	unsigned turns = (unsigned)(ROUND_NS / (first * FLOOR_RECORDS));

	if (first > LONGEST_NS)
		return first;
	turns = turns < 1 ? 1 : turns > TURNS_MAX ? TURNS_MAX : turns;
	for (unsigned i = 0; i < b->rounds; i++) {
		double ns = run(b, turns * FLOOR_RECORDS);
		best = ns < best ? ns : best;
	}
	return best;
}

/* With this program on the receiving link; -1: with what is there. */
static double least_with(struct bench *b, int fd)
{
	LIBBPF_OPTS(bpf_link_create_opts, native, .flags = XDP_FLAGS_DRV_MODE);
	own(fd) int link = fd < 0 ? -1 : bpf_link_create(fd, (int)b->in, BPF_XDP, &native);

	floor_must(fd >= 0 && link < 0 ? link : 0, "a program onto the receiving link");
	return least(b);
}

static void tell(const struct bench *b, const char *list, const char *who, double ns, const char *note)
{
	printf("%-11s %-28s %9.0f ns  F1 x%-7.2f ours x%-7.2f %s\n", list, who, ns, ns / b->floor_ns, ns / b->ours_ns, note);
	fflush(stdout);
}

/* ---- ours ------------------------------------------------------------------------------- */

/* The posture is closed, so the first hook also drops what no rule does. */
static void ours(struct bench *b, const char *list, struct ir *ir, struct arena *a)
{
	own(xdp_run) struct xdp_run *x = NULL;
	struct plan plan = { 0 };
	struct err why = { 0 };

	ir->postures[0].closed = true;
	emit_plan(&plan, ir, a);
	if (emit_xdp(&plan, ir, a, &why) || xdp_run_new(&x, &plan, XDP_RUN_REAL_CLOCK, &why)) {
		fprintf(stderr, "peers: %s\n", why.text);
		exit(1);
	}
	xdp_run_at(x, 1, 0, 0);
	b->floor_ns = least_with(b, program(b, "read_drop"));
	b->ours_ns = least_with(b, xdp_run_program(x));
	double again = least_with(b, program(b, "read_drop"));
	b->floor_ns = again < b->floor_ns ? again : b->floor_ns;
	again = least_with(b, xdp_run_program(x));
	b->ours_ns = again < b->ours_ns ? again : b->ours_ns;
	tell(b, list, "F1: read and drop", b->floor_ns, "");
	tell(b, list, "ours", b->ours_ns, "");
}

/* ---- peers that list rules ------------------------------------------------------------------ */

struct rules {
	const struct classbench_rule *at;
	size_t count;
	unsigned missed; /* of the trace */
};

static FILE *script(const char *name)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", SCRATCH, name);
	FILE *f = fopen(path, "w");
	floor_must(!f, path);
	return f;
}

static bool has_ports(const struct classbench_rule *r)
{
	return r->proto != PROTO_ANY_NUMBER && proto_has_ports(r->proto);
}

static bool is_any(struct range r)
{
	return !r.lo && r.hi == UINT16_MAX;
}

static const char *text_of(struct prefix p)
{
	static char text[4][32];
	static unsigned turn;
	char *t = text[turn++ % 4];
	const uint32_t n = (uint32_t)p.addr.num;

	snprintf(t, 32, "%u.%u.%u.%u/%u", n >> 24, n >> 16 & 255, n >> 8 & 255, n & 255, p.len);
	return t;
}

static void nft_begin(FILE *f, bool ingress)
{
	fprintf(f, "table %s peers {}\ndelete table %s peers\ntable %s peers {\n", ingress ? "netdev" : "ip",
		ingress ? "netdev" : "ip", ingress ? "netdev" : "ip");
	fprintf(f, " counter rest {}\n");
}

static void nft_chain(FILE *f, bool ingress)
{
	fprintf(f, ingress ? " chain c { type filter hook ingress device \"b0\" priority 0; policy drop;\n"
			   : " chain c { type filter hook prerouting priority raw; policy drop;\n");
}

static void nft_line(FILE *f, const struct classbench_rule *r)
{
	if (r->src.len)
		fprintf(f, " ip saddr %s", text_of(r->src));
	if (r->dst.len)
		fprintf(f, " ip daddr %s", text_of(r->dst));
	if (r->proto != PROTO_ANY_NUMBER)
		fprintf(f, " meta l4proto %u", r->proto);
	if (has_ports(r) && !is_any(r->sport))
		fprintf(f, " th sport %u-%u", r->sport.lo, r->sport.hi);
	if (has_ports(r) && !is_any(r->dport))
		fprintf(f, " th dport %u-%u", r->dport.lo, r->dport.hi);
	fprintf(f, " drop\n");
}

static bool overlap(struct prefix x, struct prefix y)
{
	struct addr_range a = prefix_range(x), b = prefix_range(y);

	return a.lo <= b.hi && b.lo <= a.hi;
}

static bool rules_meet(const struct classbench_rule *x, const struct classbench_rule *y)
{
	const bool ports = has_ports(x) && has_ports(y);

	return overlap(x->src, y->src) && overlap(x->dst, y->dst) &&
	       (x->proto == PROTO_ANY_NUMBER || y->proto == PROTO_ANY_NUMBER || x->proto == y->proto) &&
	       (!ports || (x->sport.lo <= y->sport.hi && y->sport.lo <= x->sport.hi && x->dport.lo <= y->dport.hi &&
			   y->dport.lo <= x->dport.hi));
}

static unsigned missed_by(const struct bench *b, const struct classbench_rule *rules, size_t count)
{
	unsigned missed = 0;

	for (unsigned i = 0; i < FLOOR_RECORDS; i++) {
		size_t at = 0;

		while (at < count && !classbench_has(&rules[at], &b->packets[i]))
			at++;
		missed += at == count;
	}
	return missed;
}

static uint64_t counted_rest(bool ingress)
{
	char line[256];
	unsigned long long packets = 0;
	FILE *f = popen(ingress ? "nft list counter netdev peers rest" : "nft list counter ip peers rest", "r");

	while (f && fgets(line, sizeof line, f))
		sscanf(line, " packets %llu", &packets);
	if (f)
		pclose(f);
	return packets;
}

/* What is in the file, and whether it lets by as many as it must. */
static void nft_run(struct bench *b, const char *list, const char *who, bool ingress, unsigned missed, const char *note)
{
	char words[160];

	if (said("timeout 120 nft -f %s/nft 2>%s/said", SCRATCH, SCRATCH)) {
		printf("%-11s %-28s does not load\n", list, who);
		return;
	}
	b->sent = 0;
	double ns = least_with(b, b->pass);
	uint64_t rest = counted_rest(ingress), want = b->sent / FLOOR_RECORDS * missed;
	snprintf(words, sizeof words, "%s%s", note, rest == want ? "" : "  COUNTS DIFFER");
	tell(b, list, who, ns, words);
	said("nft flush ruleset");
}

static void nft_linear(struct bench *b, const char *list, const struct rules *r, bool ingress)
{
	FILE *f = script("nft");

	nft_begin(f, ingress);
	nft_chain(f, ingress);
	for (size_t i = 0; i < r->count; i++)
		nft_line(f, &r->at[i]);
	fprintf(f, "  counter name rest drop\n }\n}\n");
	fclose(f);
	nft_run(b, list, ingress ? "nft, a rule a line, ingress" : "nft, a rule a line, raw", ingress, r->missed, "");
}

/* nft refuses elements that overlap in part: those that overlap none before them. */
static void nft_map(struct bench *b, const char *list, const struct rules *r, struct arena *a)
{
	struct classbench_rule *kept = arena_zero(a, (r->count + 1) * sizeof *kept);
	size_t len = 0;
	char note[64];
	FILE *f = script("nft");

	nft_begin(f, true);
	fprintf(f, " map m { type ipv4_addr . ipv4_addr . inet_proto . inet_service . inet_service : verdict; flags interval; elements = {\n");
	for (size_t i = 0; i < r->count; i++) {
		const struct classbench_rule *x = &r->at[i];
		size_t k = 0;

		while (k < len && !rules_meet(&kept[k], x))
			k++;
		if (k < len)
			continue;
		kept[len++] = *x;
		fprintf(f, "%s . %s . ", text_of(x->src), text_of(x->dst));
		fprintf(f, x->proto == PROTO_ANY_NUMBER ? "0-255" : "%u", x->proto);
		fprintf(f, has_ports(x) ? " . %u-%u . %u-%u : drop,\n" : " . 0-65535 . 0-65535 : drop,\n", x->sport.lo, x->sport.hi,
			x->dport.lo, x->dport.hi);
	}
	fprintf(f, " } }\n");
	nft_chain(f, true);
	fprintf(f, "  ip saddr . ip daddr . meta l4proto . th sport . th dport vmap @m\n  counter name rest drop\n }\n}\n");
	fclose(f);
	snprintf(note, sizeof note, "%zu of the rules", len);
	nft_run(b, list, "nft, map of verdicts, ingress", true, missed_by(b, kept, len), note);
}

static void iptables(struct bench *b, const char *list, const struct rules *r, const char *make)
{
	static const char *const names[] = { [PROTO_TCP] = "tcp", [PROTO_UDP] = "udp", [PROTO_SCTP] = "sctp" };
	char who[64];
	FILE *f = script("ipt");

	fprintf(f, "*raw\n:PREROUTING DROP [0:0]\n");
	for (size_t i = 0; i < r->count; i++) {
		const struct classbench_rule *x = &r->at[i];

		fprintf(f, "-A PREROUTING -s %s -d %s", text_of(x->src), text_of(x->dst));
		if (x->proto != PROTO_ANY_NUMBER)
			fprintf(f, " -p %u", x->proto);
		if (has_ports(x) && (!is_any(x->sport) || !is_any(x->dport)))
			fprintf(f, " -m %s --sport %u:%u --dport %u:%u", names[x->proto], x->sport.lo, x->sport.hi, x->dport.lo,
				x->dport.hi);
		fprintf(f, " -j DROP\n");
	}
	fprintf(f, "COMMIT\n");
	fclose(f);
	snprintf(who, sizeof who, "iptables-%s, raw", make);
	if (said("timeout 120 iptables-%s-restore <%s/ipt 2>%s/said", make, SCRATCH, SCRATCH))
		printf("%-11s %-28s does not load\n", list, who);
	else
		tell(b, list, who, least_with(b, b->pass), "");
	said("printf '*raw\\n:PREROUTING ACCEPT [0:0]\\nCOMMIT\\n' | iptables-%s-restore", make);
	said("nft flush ruleset");
}

static bool lists(struct bench *b, const char *kind, size_t want)
{
	own(arena) struct arena *a = arena_new();
	const char *slash = strrchr(kind, '/');
	size_t count;
	struct classbench_rule *rules = classbench_sized(&count, a, kind, want);
	char list[32];

	if (!rules || !classbench_trace(b->packets, FLOOR_RECORDS, kind, rules, count))
		return false;
	for (unsigned i = 0; i < FLOOR_RECORDS; i++)
		put_frame(b, i, &b->packets[i]);
	put_trace(b);
	struct rules r = { rules, count, missed_by(b, rules, count) };

	snprintf(list, sizeof list, slash ? "%s" : "%s %zu", slash ? slash + 1 : kind, count);
	ours(b, list, classbench_ir(rules, count, 1, a), a);
	nft_map(b, list, &r, a);
	iptables(b, list, &r, "legacy");
	nft_linear(b, list, &r, false);
	nft_linear(b, list, &r, true);
	iptables(b, list, &r, "nft");
	return true;
}

/* ---- peers that hold sources ----------------------------------------------------------------- */

static uint32_t source_at(uint32_t i)
{
	return 0x0b000000 + (uint32_t)(i * 2654435761u % (200u << 24));
}

static const char *source_text(uint32_t i)
{
	return inet_ntoa((struct in_addr){ htonl(source_at(i)) });
}

static struct ir *sources_ir(uint32_t count, struct arena *a)
{
	struct policy *p = craft_policy(a, "sources");
	char *text = arena_zero(a, count * (size_t)17 + 1), *at = text;

	for (uint32_t i = 0; i < count; i++)
		at += sprintf(at, "%s ", source_text(i));
	craft_block(p, "listed", text, UINT64_MAX);
	craft_add_posture(p, craft_posture("OPEN", VERDICT_ALLOW));
	return ir_lower(p, a);
}

static void sources_nft(struct bench *b, const char *list, uint32_t count)
{
	FILE *f = script("nft");

	nft_begin(f, true);
	fprintf(f, " set s { type ipv4_addr; elements = {\n");
	for (uint32_t i = 0; i < count; i++)
		fprintf(f, "%s,\n", source_text(i));
	fprintf(f, " } }\n");
	nft_chain(f, true);
	fprintf(f, "  ip saddr @s drop\n  counter name rest drop\n }\n}\n");
	fclose(f);
	nft_run(b, list, "nft, set, ingress", true, 0, "");
}

static void sources_ipset(struct bench *b, const char *list, uint32_t count)
{
	FILE *f = script("ipset");

	fprintf(f, "create peers hash:ip family inet hashsize %u maxelem 2000000\n", count < 64 ? 64 : count);
	for (uint32_t i = 0; i < count; i++)
		fprintf(f, "add peers %s -exist\n", source_text(i));
	fclose(f);
	if (said("ipset restore <%s/ipset && printf '*raw\\n:PREROUTING DROP [0:0]\\n-A PREROUTING -m set --match-set peers src -j "
		 "DROP\\nCOMMIT\\n' | iptables-legacy-restore", SCRATCH))
		printf("%-11s %-28s does not load\n", list, "ipset");
	else
		tell(b, list, "ipset in iptables-legacy", least_with(b, b->pass), "");
	said("printf '*raw\\n:PREROUTING ACCEPT [0:0]\\nCOMMIT\\n' | iptables-legacy-restore; ipset destroy peers");
}

/* Its own tool adds one address a process; the others are written as the first one is. */
static void sources_xdp_filter(struct bench *b, const char *list, uint32_t count)
{
	const uint32_t first = htonl(source_at(0));
	uint64_t value[256] = { 0 };

	if (count > 10000)
		return; /* as many as it holds */
	if (said("xdp-filter load -m native -f ipv4 -p allow b0 >%s/said 2>&1 && xdp-filter ip -m src %s >>%s/said", SCRATCH, source_text(0),
		 SCRATCH)) {
		printf("%-11s %-28s does not load\n", list, "xdp-filter");
		return;
	}
	own(fd) int map = bpf_obj_get("/sys/fs/bpf/xdp-filter/filter_ipv4");
	floor_must(map < 0 ? map : 0, "the map of xdp-filter");
	floor_must(bpf_map_lookup_elem(map, &first, value), "its first address");
	for (uint32_t i = 0; i < count; i++) {
		uint32_t key = htonl(source_at(i));
		floor_must(bpf_map_update_elem(map, &key, value, BPF_ANY), "an address of xdp-filter");
	}
	tell(b, list, "xdp-filter", least_with(b, -1), "");
	said("xdp-filter unload --all >/dev/null 2>&1");
}

/* Every packet is from a listed source. */
static void sources(struct bench *b, uint32_t count)
{
	own(arena) struct arena *a = arena_new();
	struct gen g = gen_new(3);
	char list[32];

	for (unsigned i = 0; i < FLOOR_RECORDS; i++) {
		struct packet p = craft_packet(PROTO_TCP, "11.0.0.0", 1024 + i % 60000, "192.0.2.1", 80);

		p.src.num = source_at(gen_below(&g, count));
		put_frame(b, i, &p);
	}
	put_trace(b);
	snprintf(list, sizeof list, "src %u", count);
	ours(b, list, sources_ir(count, a), a);
	sources_xdp_filter(b, list, count);
	sources_nft(b, list, count);
	sources_ipset(b, list, count);
}

/* ClassBench's, and sources. */
static void all_lists(struct bench *b, size_t only, const char *kind)
{
	static const char *const kinds[] = { "acl", "fw", "ipc" };
	static const size_t sizes[] = { 10, 100, 1000, 10000 };
	static const uint32_t many[] = { 100, 1000, 10000 };

	for (size_t s = 0; s < ARRAY_LEN(sizes); s++)
		for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
			if ((!only || only == sizes[s]) && (!kind || !strcmp(kind, kinds[k])) && !lists(b, kinds[k], sizes[s])) {
				printf("skipped: ../shared/data/rulesets/classbench is not here\n");
				s = ARRAY_LEN(sizes) - 1, k = ARRAY_LEN(kinds);
			}
	for (size_t s = 0; s < ARRAY_LEN(many); s++)
		if ((!only || only == many[s]) && (!kind || !strcmp(kind, "src")))
			sources(b, many[s]);
}

int main(int argc, char **argv)
{
	const bool files = argc > 2 && strchr(argv[2], '/');
	static struct bench b;
	int bad = 0;

	b.rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 5;
	if (b.rounds < 1) {
		fputs("usage: peers [ROUNDS [SIZE [KIND]]]\n       peers ROUNDS DIRECTORY/FILE...\n", stderr);
		return 64;
	}
	floor_open(&b.floor, argv[0]);
	open_world(&b);
	if (!files)
		all_lists(&b, argc > 2 ? (size_t)atol(argv[2]) : 0, argc > 3 ? argv[3] : NULL);
	for (int i = 2; files && i < argc && !bad; i++)
		bad = lists(&b, argv[i], 0) ? 0 : 66;
	if (bad)
		fprintf(stderr, "peers: no such list, or fewer than %d packets with it\n", FLOOR_RECORDS);
	floor_release(&b.floor);
	return bad;
}
