#include "tests/lib/nft_live.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <libnftnl/object.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OUR_MARK 0x77 /* on packets that live_leave() sends; the host's own are swallowed first */

bool live_may(void)
{
	return geteuid() == 0;
}

/* --- programs ------------------------------------------------------------------------ */

static bool feed_program(const char *command, const char *text)
{
	FILE *f = popen(command, "w");

	if (!f)
		return false;
	fputs(text, f);
	return pclose(f) == 0;
}

bool live_nft(const char *text)
{
	return feed_program("nft -f -", text);
}

bool live_list(const char *what, struct buf *out)
{
	char command[256], piece[4096];
	size_t n;

	snprintf(command, sizeof command, "nft -s list %s", what);
	FILE *f = popen(command, "r");
	if (!f)
		return false;
	while ((n = fread(piece, 1, sizeof piece, f)) > 0)
		buf_add(out, piece, n);
	return pclose(f) == 0;
}

/* --- the namespace --------------------------------------------------------------------- */

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return done;
}

/* Take packets from anywhere, to anywhere, and say nothing by itself. */
static void open_minded(void)
{
	static const char *const settings[][2] = {
		{ "ipv4/ip_forward", "1" },		      { "ipv6/conf/all/forwarding", "1" },
		{ "ipv4/conf/all/rp_filter", "0" },	      { "ipv4/conf/default/rp_filter", "0" },
		{ "ipv4/conf/all/accept_local", "1" },	      { "ipv4/conf/default/accept_local", "1" },
		{ "ipv6/conf/default/accept_dad", "0" },      { "ipv6/conf/default/accept_ra", "0" },
		{ "ipv6/conf/default/addr_gen_mode", "1" },   { "ipv4/icmp_echo_ignore_all", "1" },
		{ "ipv6/conf/default/router_solicitations", "0" }, { "ipv4/icmp_ratemask", "0" },
	};

	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
		char path[128];

		snprintf(path, sizeof path, "/proc/sys/net/%s", settings[i][0]);
		write_text(path, settings[i][1]);
	}
}

/* frame_build's destination; the test's side is the other end, "x" before the name. */
#define LINK_MAC "02:00:00:00:00:02"

static bool make_links(const struct live *l)
{
	own(buf) struct buf b = { 0 };

	buf_puts(&b, "link set lo up\n");
	for (unsigned i = 0; i < l->link_count; i++) {
		buf_printf(&b, "link add %s mtu 9000 address " LINK_MAC " type veth peer name x%s mtu 9000\n",
			   l->links[i], l->links[i]);
		buf_printf(&b, "link set x%s up\nlink set %s up\n", l->links[i], l->links[i]);
	}
	buf_printf(&b, "route add 0.0.0.0/0 dev %s\nroute add ::/0 dev %s\n", l->links[0], l->links[0]);
	return feed_program("ip -batch -", buf_text(&b));
}

/* Not every address of a generated world can be a host's; those the kernel refuses are left out. */
static void take_address(struct live *l, struct arena *a, enum family f, addr_num num)
{
	char text[ADDR_TEXT], command[128];
	struct netset one = netset_of_range(a, f, (struct addr_range){ num, num });

	if (f == FAMILY_IP6 && (num >> 118 == 0x3fa || num >> 120 == 0xff)) /* local on one link only, or a group's */
		return;
	if (f == FAMILY_IP4 && (num >> 28 == 0xe || num == 0 || num == 0xffffffff))
		return;
	snprintf(command, sizeof command, "ip addr add %s/%u dev lo %s 2>/dev/null",
		 addr_print((struct addr){ f, num }, text), FAMILY_BITS(f), f == FAMILY_IP6 ? "nodad" : "");
	if (!system(command))
		l->self = netset_join(a, &l->self, &one);
}

static void take_addresses(struct live *l, struct arena *a, const struct netset *self)
{
	struct netset loop4 = netset_of_range(a, FAMILY_IP4, (struct addr_range){ 0x7f000000, 0x7ffffffe });
	struct netset loop6 = netset_of_range(a, FAMILY_IP6, (struct addr_range){ 1, 1 });

	l->self = netset_join(a, &loop4, &loop6);
	for (int f = 0; f < FAMILY_COUNT; f++)
		for (size_t i = 0; i < self->len[f]; i++)
			for (addr_num n = self->at[f][i].lo; n <= self->at[f][i].hi; n++)
				take_address(l, a, (enum family)f, n);
}

static bool make_world(const struct live *l)
{
	static const char *const hooks[][2] = { { "input", "in" }, { "forward", "forward" }, { "output", "out" } };
	own(buf) struct buf b = { 0 };

	buf_puts(&b, "table inet world {\n");
	static const char *const names[] = { "in", "forward", "out", "new", "established", "related", "invalid",
					     "untracked", "reply", "passed", "sent.reset", "sent.icmp", "sent.other" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		buf_printf(&b, "\tcounter %s { }\n", names[i]);
	buf_puts(&b, "\tchain first {\n\t\ttype filter hook output priority -300\n");
	buf_printf(&b, "\t\tmeta mark 0x%x accept\n", OUR_MARK);
	buf_puts(&b, "\t\ttcp flags & rst == rst counter name sent.reset drop\n"
		     "\t\tmeta l4proto icmp counter name sent.icmp drop\n");
	/* A host tells its neighbours which groups it listens to when it likes, and not for a packet's sake. */
	buf_puts(&b, "\t\tmeta l4proto igmp drop\n\t\ticmpv6 type { 131, 132, 143 } drop\n\t\tcounter name sent.other drop\n\t}\n");
	for (size_t i = 0; i < sizeof hooks / sizeof *hooks; i++) {
		buf_printf(&b, "\tchain before_%s {\n\t\ttype filter hook %s priority -6\n", hooks[i][1], hooks[i][0]);
		buf_printf(&b, "\t\tcounter name %s\n", hooks[i][1]);
		buf_puts(&b, "\t\tct direction reply counter name reply\n");
		for (size_t s = 3; s < 8; s++)
			buf_printf(&b, "\t\tct state %s counter name %s\n", names[s], names[s]);
		buf_printf(&b, "\t}\n\tchain behind_%s {\n\t\ttype filter hook %s priority 10\n", hooks[i][1], hooks[i][0]);
		buf_puts(&b, "\t\tcounter name passed drop\n\t}\n");
	}
	buf_puts(&b, "}\ntable netdev world {\n\tcounter passed { }\n\tchain behind {\n\t\ttype filter hook ingress devices = { ");
	for (unsigned i = 0; i < l->link_count; i++)
		buf_printf(&b, "%s\"%s\"", i ? ", " : "", l->links[i]);
	buf_puts(&b, " } priority 10\n\t\tcounter name passed\n\t}\n}\n");
	return live_nft(buf_text(&b));
}

bool live_flows(void)
{
	return live_nft("flush chain inet world behind_in\nadd rule inet world behind_in counter name passed\n"
			"flush chain inet world behind_out\nadd rule inet world behind_out counter name passed\n");
}

static int bound(int family, int type, int protocol, const char *link)
{
	int fd = socket(family, type | SOCK_CLOEXEC, protocol), on = 1, mark = OUR_MARK;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, link, (socklen_t)strlen(link)))
		return fd;
	setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark);
	setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
	if (family == AF_INET)
		setsockopt(fd, IPPROTO_IP, IP_HDRINCL, &on, sizeof on);
	else
		setsockopt(fd, IPPROTO_IPV6, IPV6_HDRINCL, &on, sizeof on);
	return fd;
}

static int feed(const char *link)
{
	char name[IF_NAMESIZE + 1];
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	snprintf(name, sizeof name, "x%s", link);
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(name) };
	if (fd >= 0 && bind(fd, (void *)&to, sizeof to))
		perror(name);
	return fd;
}

/* Of IEEE's for experiments: nobody else listens to it. */
#define BELL 0x88b5
#define BELLS 3000

static int bell(const char *link)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(BELL));
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(BELL), .sll_ifindex = (int)if_nametoindex(link) };
	struct timeval patience = { .tv_usec = 20000 };

	if (fd >= 0 && (bind(fd, (void *)&to, sizeof to) || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience)))
		perror(link);
	return fd;
}

/* One that is lost, as where a queue is full, is sent again: for a minute. */
static bool rings(int from, int to, uint64_t number)
{
	struct {
		struct ethhdr head;
		uint64_t number;
	} __attribute__((packed)) sent = { .head = { .h_proto = htons(BELL) }, .number = number }, heard;

	for (int i = 0; i < BELLS; i++) {
		ssize_t n;

		if (send(from, &sent, sizeof sent, 0) != sizeof sent)
			usleep(20000);
		while ((n = recv(to, &heard, sizeof heard, 0)) > 0)
			if (n == sizeof heard && heard.number == sent.number)
				return true;
	}
	return false;
}

bool live_settles(struct live *l)
{
	return rings(l->bell, l->bell, ++l->rung);
}

/* A link that is up may lose all frames still: its queue is made when the kernel finds the time (net/core/link_watch.c). */
static bool links_carry(const struct live *l)
{
	bool all = true;

	for (unsigned i = 0; i < l->link_count && all; i++) {
		const int from = feed(l->links[i]), to = bell(l->links[i]);

		all = from >= 0 && to >= 0 && rings(from, to, i + 1);
		close(from);
		close(to);
	}
	return all;
}

static int open_sockets(struct live *l, struct err *why)
{
	int bytes = 64 << 20;

	l->bell = bell("lo");
	if (l->bell < 0)
		return err_sys(why, "cannot open a socket on the loopback");

	for (unsigned i = 0; i < l->link_count; i++) {
		l->feeds[i] = feed(l->links[i]);
		l->raws[i][0] = bound(AF_INET, SOCK_RAW, IPPROTO_RAW, l->links[i]);
		l->raws[i][1] = bound(AF_INET6, SOCK_RAW, IPPROTO_RAW, l->links[i]);
		if (l->feeds[i] < 0 || l->raws[i][0] < 0 || l->raws[i][1] < 0)
			return err_sys(why, "cannot open sockets on %s", l->links[i]);
	}
	l->nl = mnl_socket_open(NETLINK_NETFILTER);
	if (!l->nl || mnl_socket_bind(l->nl, 0, MNL_SOCKET_AUTOPID))
		return err_sys(why, "cannot open netlink");
	setsockopt(mnl_socket_get_fd(l->nl), SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes);
	setsockopt(mnl_socket_get_fd(l->nl), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
	return 0;
}

static bool stay_here(struct live *l)
{
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET((unsigned)sched_getcpu(), &here);
	return !sched_getaffinity(0, sizeof l->before, &l->before) && !sched_setaffinity(0, sizeof here, &here);
}

int live_enter(struct live *l, struct arena *a, const char *const *links, unsigned count,
	       const struct netset *self, struct err *why)
{
	*l = (struct live){ .link_count = count };
	memcpy(l->links, links, count * sizeof *links);
	if (unshare(CLONE_NEWNET))
		return err_sys(why, "cannot make a network namespace");
	if (!stay_here(l))
		return err_sys(why, "cannot stay on one processor");
	open_minded();
	if (!make_links(l) || !links_carry(l))
		return err_set(why, EIO, "cannot make links");
	take_addresses(l, a, self);
	if (!make_world(l))
		return err_set(why, EIO, "cannot make the world's tables");
	return open_sockets(l, why);
}

void live_exit(struct live *l)
{
	for (unsigned i = 0; i < l->link_count; i++) {
		close(l->feeds[i]);
		close(l->raws[i][0]);
		close(l->raws[i][1]);
	}
	close(l->bell);
	if (l->nl)
		mnl_socket_close(l->nl);
	sched_setaffinity(0, sizeof l->before, &l->before);
	*l = (struct live){ 0 };
}

/* --- netlink --------------------------------------------------------------------------------- */

static void put_frame(struct buf *b, uint16_t type, uint32_t seq)
{
	struct {
		struct nlmsghdr h;
		struct nfgenmsg g;
	} m = { { sizeof m, type, NLM_F_REQUEST, seq, 0 }, { AF_UNSPEC, NFNETLINK_V0, htons(NFNL_SUBSYS_NFTABLES) } };

	buf_add(b, &m, sizeof m);
}

static int error_of(const struct nlmsghdr *h, struct err *why)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

	if (h->nlmsg_type != NLMSG_ERROR || !e->error)
		return 0;
	return err_set(why, -e->error, "message %u", h->nlmsg_seq);
}

/* What the kernel has to complain about: the first of it. It is silent about success. */
static int read_answers(struct live *l, struct err *why)
{
	char answer[65536];
	ssize_t n;
	int rc = 0;

	while ((n = recv(mnl_socket_get_fd(l->nl), answer, sizeof answer, MSG_DONTWAIT)) > 0)
		if (!rc)
			rc = error_of((const void *)answer, why);
	if (n < 0 && errno != EAGAIN)
		return err_sys(why, "cannot read the kernel's answer");
	return rc;
}

int live_batch(struct live *l, const struct batch *b, struct err *why)
{
	own(buf) struct buf all = { 0 };
	uint32_t n = 0;

	put_frame(&all, NFNL_MSG_BATCH_BEGIN, 0);
	size_t from = all.len;
	buf_add(&all, b->messages, b->len);
	for (size_t at = from; at < all.len;) {
		struct nlmsghdr *h = (void *)(all.at + at);

		h->nlmsg_seq = ++n;
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
	put_frame(&all, NFNL_MSG_BATCH_END, ++n);
	if (mnl_socket_sendto(l->nl, all.at, all.len) < 0)
		return err_sys(why, "cannot send %zu bytes", all.len);
	return read_answers(l, why);
}

static int take_row(const struct nlmsghdr *h, void *to)
{
	struct live_seen *seen = to;
	const struct nfgenmsg *g = mnl_nlmsg_get_payload(h);
	struct nftnl_obj *o = nftnl_obj_alloc();

	if (!o || nftnl_obj_nlmsg_parse(h, o) < 0)
		abort();
	uint64_t packets = nftnl_obj_get_u64(o, NFTNL_OBJ_CTR_PKTS);
	if (packets && seen->count++ < LIVE_SEEN) {
		struct live_row *r = &seen->at[seen->count - 1];

		snprintf(r->table, sizeof r->table, "%s %s", g->nfgen_family == 1 ? "inet" : "netdev",
			 nftnl_obj_get_str(o, NFTNL_OBJ_TABLE));
		snprintf(r->name, sizeof r->name, "%s", nftnl_obj_get_str(o, NFTNL_OBJ_NAME));
		r->packets = packets;
	}
	nftnl_obj_free(o);
	return MNL_CB_OK;
}

static int pass_over(const struct nlmsghdr *h, void *to)
{
	(void)h;
	(void)to;
	return MNL_CB_OK;
}

static bool dump_counters(struct live *l, uint16_t kind, mnl_cb_t take, void *to)
{
	char buffer[65536];
	struct nlmsghdr *h = nftnl_nlmsg_build_hdr(buffer, kind, AF_UNSPEC, NLM_F_DUMP, ++l->seq);
	int rc;

	mnl_attr_put_u32(h, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
	if (mnl_socket_sendto(l->nl, h, h->nlmsg_len) < 0)
		return false;
	do {
		ssize_t n = mnl_socket_recvfrom(l->nl, buffer, sizeof buffer);

		rc = n < 0 ? -1 : mnl_cb_run(buffer, (size_t)n, l->seq, mnl_socket_get_portid(l->nl), take, to);
	} while (rc > 0);
	return rc == 0;
}

bool live_look(struct live *l, struct live_seen *out)
{
	out->count = 0;
	return dump_counters(l, NFT_MSG_GETOBJ, take_row, out) && out->count <= LIVE_SEEN;
}

/* What a dump that resets says of counters is not believed: one that has no room in a part any more is zero already
 * when it comes in the next (nf_tables_fill_obj_info() of kernel 6.18). */
bool live_seen(struct live *l, struct live_seen *out)
{
	return live_look(l, out) && dump_counters(l, NFT_MSG_GETOBJ_RESET, pass_over, NULL);
}

uint64_t live_count(const struct live_seen *s, const char *table, const char *name)
{
	for (unsigned i = 0; i < s->count && i < LIVE_SEEN; i++)
		if (!strcmp(s->at[i].table, table) && !strcmp(s->at[i].name, name))
			return s->at[i].packets;
	return 0;
}

/* --- packets ---------------------------------------------------------------------------------- */

bool live_arrive(struct live *l, unsigned link, const uint8_t *frame, size_t len)
{
	return send(l->feeds[link], frame, len, 0) == (ssize_t)len && live_settles(l);
}

bool live_leave(struct live *l, unsigned link, const struct packet *p)
{
	uint8_t frame[256];
	size_t len = frame_build(p, NULL, 0, frame, sizeof frame);
	struct sockaddr_in to4 = { .sin_family = AF_INET };
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6 };
	uint8_t dst[16];

	if (len <= ETH_HLEN)
		return false;
	addr_to_bytes(p->dst, dst);
	memcpy(&to4.sin_addr, dst, 4);
	memcpy(&to6.sin6_addr, dst, 16);
	if (p->family == FAMILY_IP4)
		return sendto(l->raws[link][0], frame + ETH_HLEN, len - ETH_HLEN, 0, (void *)&to4, sizeof to4) > 0;
	return sendto(l->raws[link][1], frame + ETH_HLEN, len - ETH_HLEN, 0, (void *)&to6, sizeof to6) > 0;
}
