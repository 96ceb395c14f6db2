/* Frames by the thousand: each bears its number, and sets of the world's tables note where it came. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <libnftnl/set.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/ethernet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/nft_live.h"

#define MARKED	 0x80000000u /* and the frame's number */
#define AT_ONCE	 256u	     /* frames of one call, which are through before the next: a processor queues a thousand */
#define LOOKS	 2000u	     /* at sets of which less is listed than they have taken */

static const struct {
	const char *table, *set;
	const char *chains[3], *asked;
} places[LIVE_PLACES] = {
	[LIVE_ARRIVED] = { "netdev", "came_arrived", { "before" }, "" },
	[LIVE_AT_IN] = { "inet", "came_in", { "before_in" }, "" },
	[LIVE_AT_FORWARD] = { "inet", "came_forward", { "before_forward" }, "" },
	[LIVE_AT_OUT] = { "inet", "came_out", { "before_out" }, "" },
	[LIVE_NEW] = { "inet", "came_new", { "before_in", "before_forward", "before_out" }, "ct state new" },
	[LIVE_ESTABLISHED] = { "inet", "came_established", { "before_in", "before_forward", "before_out" }, "ct state established" },
	[LIVE_RELATED] = { "inet", "came_related", { "before_in", "before_forward", "before_out" }, "ct state related" },
	[LIVE_INVALID] = { "inet", "came_invalid", { "before_in", "before_forward", "before_out" }, "ct state invalid" },
	[LIVE_UNTRACKED] = { "inet", "came_untracked", { "before_in", "before_forward", "before_out" }, "ct state untracked" },
	[LIVE_REPLY] = { "inet", "came_reply", { "before_in", "before_forward", "before_out" }, "ct direction reply" },
	[LIVE_PASSED] = { "inet", "came_passed", { "behind_in", "behind_forward", "behind_out" }, "" },
};

/* --- the world ------------------------------------------------------------------------------- */

/* Of fragments put together, which number would the whole bear? */
static void take_fragments_apart(void)
{
	static const char *const thresholds[] = { "ipv4/ipfrag", "ipv6/ip6frag", "netfilter/nf_conntrack_frag6" };

	for (size_t i = 0; i < sizeof thresholds / sizeof *thresholds; i++)
		for (int high = 0; high < 2; high++) {
			char path[96];
			int fd;

			snprintf(path, sizeof path, "/proc/sys/net/%s_%s_thresh", thresholds[i], high ? "high" : "low");
			fd = open(path, O_WRONLY | O_CLOEXEC);
			if (fd >= 0 && write(fd, "0", 1) != 1)
				perror(path);
			if (fd >= 0)
				close(fd);
		}
}

bool live_marks(struct live *l)
{
	own(buf) struct buf b = { 0 };

	take_fragments_apart();
	buf_puts(&b, "table netdev world {\n\tchain before {\n\t\ttype filter hook ingress devices = { ");
	for (unsigned i = 0; i < l->link_count; i++)
		buf_printf(&b, "%s\"%s\"", i ? ", " : "", l->links[i]);
	buf_puts(&b, " } priority -10\n\t}\n}\n");
	for (size_t p = 0; p < LIVE_PLACES; p++) {
		buf_printf(&b, "add counter %s world %s\n", places[p].table, places[p].set);
		buf_printf(&b, "add set %s world %s { type mark; size %u; flags dynamic; }\n", places[p].table, places[p].set, LIVE_MANY + 1);
		for (size_t c = 0; c < 3 && places[p].chains[c]; c++)
			buf_printf(&b, "insert rule %s world %s meta mark & 0x%x != 0 %s counter name %s add @%s { meta mark }\n", places[p].table,
				   places[p].chains[c], MARKED, places[p].asked, places[p].set, places[p].set);
	}
	buf_printf(&b, "insert rule inet world first meta mark & 0x%x != 0 accept\n", MARKED);
	return live_nft(buf_text(&b));
}

/* --- sent ---------------------------------------------------------------------------------------- */

struct sending {
	struct mmsghdr messages[AT_ONCE];
	struct iovec bytes[AT_ONCE];
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(uint32_t))];
	} marks[AT_ONCE];
	struct sockaddr_storage to[AT_ONCE];
	struct live_frame *frames[AT_ONCE];
	unsigned count;
};

static socklen_t address_of(const struct live_frame *f, struct sockaddr_storage *to)
{
	struct sockaddr_in to4 = { .sin_family = AF_INET };
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6 };
	uint8_t dst[16];

	addr_to_bytes(f->to, dst);
	memcpy(&to4.sin_addr, dst, 4);
	memcpy(&to6.sin6_addr, dst, 16);
	memcpy(to, f->to.family == FAMILY_IP4 ? (void *)&to4 : (void *)&to6, f->to.family == FAMILY_IP4 ? sizeof to4 : sizeof to6);
	return f->to.family == FAMILY_IP4 ? sizeof to4 : sizeof to6;
}

static void put(struct sending *s, struct live_frame *f, uint32_t number)
{
	const unsigned i = s->count++;
	const size_t head = f->leaves ? ETH_HLEN : 0;
	struct msghdr *m = &s->messages[i].msg_hdr;
	const uint32_t mark = MARKED | number;

	s->frames[i] = f;
	s->bytes[i] = (struct iovec){ (void *)(uintptr_t)(f->bytes + head), f->len - head };
	*m = (struct msghdr){ .msg_iov = &s->bytes[i], .msg_iovlen = 1, .msg_control = &s->marks[i],
			      .msg_controllen = CMSG_SPACE(sizeof mark) };
	if (f->leaves) {
		m->msg_namelen = address_of(f, &s->to[i]);
		m->msg_name = &s->to[i];
	}
	s->marks[i].head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof mark), .cmsg_level = SOL_SOCKET, .cmsg_type = SO_MARK };
	memcpy(CMSG_DATA(&s->marks[i].head), &mark, sizeof mark);
}

/* What the kernel refuses is not sent: it is seen nowhere. */
static bool flush(struct live *l, struct sending *s, int fd)
{
	const bool none = !s->count;

	for (unsigned from = 0; from < s->count;) {
		const int n = sendmmsg(fd, s->messages + from, s->count - from, 0);

		s->frames[from]->refused = n <= 0;
		from += n > 0 ? (unsigned)n : 1;
	}
	s->count = 0;
	return none || live_settles(l);
}

static bool send_by(struct live *l, int fd, unsigned link, int family, struct live_frame *at, unsigned count)
{
	struct sending s = { .count = 0 };
	bool through = true;

	for (unsigned i = 0; i < count && through; i++) {
		if (at[i].link != link || (at[i].leaves ? (int)at[i].to.family : -1) != family)
			continue;
		put(&s, &at[i], i);
		if (s.count == AT_ONCE)
			through = flush(l, &s, fd);
	}
	return through && flush(l, &s, fd);
}

bool live_send(struct live *l, struct live_frame *at, unsigned count)
{
	for (unsigned link = 0; link < l->link_count; link++) {
		if (!send_by(l, l->feeds[link], link, -1, at, count))
			return false;
		for (int f = 0; f < FAMILY_COUNT; f++)
			if (!send_by(l, l->raws[link][f], link, f, at, count))
				return false;
	}
	return true;
}

/* --- what has come where ----------------------------------------------------------------------------- */

struct coming {
	uint16_t *came;
	uint16_t bit;
	uint64_t known, taken; /* of the frames: these were listed at least once; so many the set has taken */
};

static int take_element(struct nftnl_set_elem *e, void *to)
{
	struct coming *c = to;
	uint32_t len, mark;
	const void *key = nftnl_set_elem_get(e, NFTNL_SET_ELEM_KEY, &len);

	if (!key || len != sizeof mark)
		return -1;
	memcpy(&mark, key, sizeof mark);
	mark &= ~MARKED;
	if (mark >= LIVE_MANY || c->came[mark] & c->bit)
		return 0;
	c->came[mark] |= c->bit;
	c->known++;
	return 0;
}

static int take_elements(const struct nlmsghdr *h, void *to)
{
	struct nftnl_set *s = nftnl_set_alloc();

	if (!s || nftnl_set_elems_nlmsg_parse(h, s) < 0 || nftnl_set_elem_foreach(s, take_element, to) < 0)
		abort();
	nftnl_set_free(s);
	return MNL_CB_OK;
}

static uint16_t family_of(enum live_place p)
{
	return !strcmp(places[p].table, "inet") ? 1 : 5; /* NFPROTO_INET, NFPROTO_NETDEV */
}

static bool list_place(struct live *l, enum live_place p, struct coming *c)
{
	char buffer[65536] = { 0 };
	struct nlmsghdr *h = nftnl_nlmsg_build_hdr(buffer, NFT_MSG_GETSETELEM, family_of(p), NLM_F_DUMP, ++l->seq);
	int rc;

	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, "world");
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, places[p].set);
	if (mnl_socket_sendto(l->nl, h, h->nlmsg_len) < 0)
		return false;
	do {
		ssize_t n = mnl_socket_recvfrom(l->nl, buffer, sizeof buffer);

		rc = n < 0 ? -1 : mnl_cb_run(buffer, (size_t)n, l->seq, mnl_socket_get_portid(l->nl), take_elements, c);
	} while (rc > 0);
	return rc == 0;
}

/* What a listing has is in the set, so many listings have no more than that. */
static bool list_all(struct live *l, enum live_place p, struct coming *c)
{
	for (unsigned i = 0; i < LOOKS && c->known < c->taken; i++) {
		if (i)
			usleep(1000);
		if (!list_place(l, p, c))
			return false;
	}
	return c->known == c->taken;
}

static bool forget(struct live *l)
{
	char buffer[4096] = { 0 };
	char *at = buffer;

	nftnl_batch_begin(at, ++l->seq);
	at += ((struct nlmsghdr *)at)->nlmsg_len;
	for (int p = 0; p < LIVE_PLACES; p++) {
		struct nlmsghdr *h = nftnl_nlmsg_build_hdr(at, NFT_MSG_DELSETELEM, family_of((enum live_place)p), 0, ++l->seq);

		mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, "world");
		mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, places[p].set);
		at += h->nlmsg_len;
	}
	nftnl_batch_end(at, ++l->seq);
	at += ((struct nlmsghdr *)at)->nlmsg_len;
	return mnl_socket_sendto(l->nl, buffer, (size_t)(at - buffer)) > 0;
}

bool live_came(struct live *l, uint16_t came[static LIVE_MANY])
{
	struct live_seen *seen = calloc(1, sizeof *seen);
	bool known = seen && live_look(l, seen);

	memset(came, 0, LIVE_MANY * sizeof *came);
	for (int p = 0; known && p < LIVE_PLACES; p++) {
		const char *table = family_of((enum live_place)p) == 1 ? "inet world" : "netdev world";
		struct coming c = { .came = came, .bit = (uint16_t)(1u << p), .taken = live_count(seen, table, places[p].set) };

		known = list_all(l, (enum live_place)p, &c);
		if (!known)
			fprintf(stderr, "%s: %llu known of %llu\n", places[p].set, (unsigned long long)c.known, (unsigned long long)c.taken);
	}
	free(seen);
	return forget(l) && known;
}
