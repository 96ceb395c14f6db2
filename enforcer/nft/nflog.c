#include "enforcer/nft/nflog.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>

#define ROOM_BYTES 65536
#define READS_AT_ONCE 16
#define QUEUE_BYTES (1 << 20) /* of the socket: as much as the first hook's ring has */

struct nflog {
	int sock;
	uint32_t next; /* the number of the next one */
	bool began;
	_Alignas(8) char room[ROOM_BYTES]; /* of netlink messages */
};

/* ---- opening ----------------------------------------------------------------------- */

static struct nlmsghdr *config_new(struct nflog *n, uint16_t group)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(n->room);

	h->nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof *g);
	g->nfgen_family = AF_UNSPEC;
	g->version = NFNETLINK_V0;
	g->res_id = htons(group);
	return h;
}

static int config_send(struct nflog *n, const struct nlmsghdr *h, struct err *why)
{
	const struct nlmsghdr *answer = (void *)n->room;

	if (send(n->sock, h, h->nlmsg_len, 0) < 0)
		return err_sys(why, "cannot ask for logged packets");
	const ssize_t got = recv(n->sock, n->room, sizeof n->room, 0);
	if (got < (ssize_t)mnl_nlmsg_size(sizeof(struct nlmsgerr)) || answer->nlmsg_type != NLMSG_ERROR)
		return err_set(why, EPROTO, "the packet log does not answer");
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(answer);
	if (!e->error)
		return 0;
	return err_set(why, -e->error, "group %u of the packet log: %s", NFT_TELL_GROUP,
		       e->error == -EBUSY || e->error == -EEXIST ? "another process has it" : strerror(-e->error));
}

static int bind_group(struct nflog *n, struct err *why)
{
	const struct nfulnl_msg_config_cmd bind_it = { .command = NFULNL_CFG_CMD_BIND };
	const struct nfulnl_msg_config_mode mode = { .copy_range = htonl(NFT_TELL_BYTES), .copy_mode = NFULNL_COPY_PACKET };
	struct nlmsghdr *h = config_new(n, NFT_TELL_GROUP);

	mnl_attr_put(h, NFULA_CFG_CMD, sizeof bind_it, &bind_it);
	int rc = config_send(n, h, why);
	if (rc)
		return rc;
	h = config_new(n, NFT_TELL_GROUP);
	mnl_attr_put(h, NFULA_CFG_MODE, sizeof mode, &mode);
	mnl_attr_put_u32(h, NFULA_CFG_QTHRESH, htonl(1));
	mnl_attr_put_u16(h, NFULA_CFG_FLAGS, htons(NFULNL_CFG_F_SEQ));
	return config_send(n, h, why);
}

int nflog_open(struct nflog **out, struct err *why)
{
	own(nflog) struct nflog *n = calloc(1, sizeof *n);
	const struct sockaddr_nl here = { .nl_family = AF_NETLINK };
	const int bytes = QUEUE_BYTES;

	if (!n)
		return err_set(why, ENOMEM, "no memory for logged packets");
	n->sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	if (n->sock < 0 || bind(n->sock, (const void *)&here, sizeof here))
		return err_sys(why, "cannot open the packet log");
	setsockopt(n->sock, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
	int rc = bind_group(n, why);
	if (!rc)
		*out = take(n);
	return rc;
}

void nflog_free(struct nflog *n)
{
	if (!n)
		return;
	if (n->sock >= 0)
		close(n->sock);
	free(n);
}

int nflog_fd(const struct nflog *n)
{
	return n->sock;
}

/* ---- reading ------------------------------------------------------------------------- */

/* The attributes of one packet; what is longer than it may be was not sent by the kernel. */
struct logged {
	const struct nlattr *at[NFULA_MAX + 1];
};

static int note_attr(const struct nlattr *a, void *cls)
{
	struct logged *l = cls;

	if (mnl_attr_get_type(a) <= NFULA_MAX)
		l->at[mnl_attr_get_type(a)] = a;
	return MNL_CB_OK;
}

static const void *value_of(const struct logged *l, int type, size_t len)
{
	const struct nlattr *a = l->at[type];

	return a && mnl_attr_get_payload_len(a) >= len ? mnl_attr_get_payload(a) : NULL;
}

static uint32_t number_of(const struct logged *l, int type)
{
	const uint32_t *v = value_of(l, type, sizeof *v);

	return v ? ntohl(*v) : 0;
}

/* The Ethernet header, and then what the log has copied. */
static void copy_head(struct teg_event *e, const struct logged *l)
{
	const uint16_t *hardware_len = value_of(l, NFULA_HWLEN, sizeof *hardware_len);
	const uint8_t *hardware = value_of(l, NFULA_HWHEADER, ETH_HLEN);
	const struct nfulnl_msg_packet_hdr *about = value_of(l, NFULA_PACKET_HDR, sizeof *about);
	const struct nlattr *payload = l->at[NFULA_PAYLOAD];
	const size_t most = sizeof e->head - ETH_HLEN, has = payload ? mnl_attr_get_payload_len(payload) : 0;

	if (hardware && hardware_len && ntohs(*hardware_len) == ETH_HLEN)
		memcpy(e->head, hardware, 2 * ETH_ALEN);
	if (about)
		memcpy(e->head + 2 * ETH_ALEN, &about->hw_protocol, sizeof about->hw_protocol);
	e->head_len = (uint16_t)(ETH_HLEN + (has < most ? has : most));
	if (payload)
		memcpy(e->head + ETH_HLEN, mnl_attr_get_payload(payload), e->head_len - ETH_HLEN);
}

/* Its numbers are of 8 bytes, and attributes lie at multiples of 4. */
static uint64_t time_of(const struct logged *l)
{
	struct nfulnl_msg_packet_timestamp t;
	const void *at = value_of(l, NFULA_TIMESTAMP, sizeof t);

	if (!at)
		return 0;
	memcpy(&t, at, sizeof t);
	return be64toh(t.sec) * 1000000000u + be64toh(t.usec) * 1000u;
}

static void count_lost(struct nflog *n, const struct logged *l, struct nflog_reader *to)
{
	const uint32_t *v = value_of(l, NFULA_SEQ, sizeof *v);

	if (!v)
		return;
	const uint32_t number = ntohl(*v);
	if (n->began)
		to->lost += number - n->next;
	n->next = number + 1;
	n->began = true;
}

static void read_one(struct nflog *n, const struct nlmsghdr *h, struct nflog_reader *to)
{
	static const uint8_t tellers[] = { [NFT_TELLS_RULE] = TEG_DOES_TELL | TEG_DOES_RULE, [NFT_TELLS_REFLEX] = TEG_DOES_TELL,
					   [NFT_TELLS_DROP] = 0 };
	static const uint8_t does[] = { [NFT_TOLD_ALLOW] = 0, [NFT_TOLD_DROP] = TEG_DOES_DROP, [NFT_TOLD_REJECT] = TEG_DOES_REJECT,
					[NFT_TOLD_BLOCK] = TEG_DOES_DROP | TEG_DOES_BLOCK };
	struct logged l = { 0 };
	struct nft_tell said;
	char prefix[NFT_TELL_MOST + 1] = "";

	if (h->nlmsg_type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET) ||
	    mnl_attr_parse(h, sizeof(struct nfgenmsg), note_attr, &l) < 0)
		return;
	count_lost(n, &l, to);
	const char *text = value_of(&l, NFULA_PREFIX, 1);
	if (text)
		memcpy(prefix, text, strnlen(text, mnl_attr_get_payload_len(l.at[NFULA_PREFIX]) < NFT_TELL_MOST ?
						   mnl_attr_get_payload_len(l.at[NFULA_PREFIX]) : NFT_TELL_MOST));
	if (!nft_tell_parse(&said, prefix))
		return;
	const uint32_t in = number_of(&l, NFULA_IFINDEX_INDEV);
	struct teg_event e = {
		.at_ns = time_of(&l), .ifindex = in ? in : number_of(&l, NFULA_IFINDEX_OUTDEV), .by = TEG_WHO_NOBODY,
		.severity = (uint8_t)said.severity, .does = TEG_DOES_UNREAD | tellers[said.by] | does[said.what],
	};
	copy_head(&e, &l);
	to->one(to->cls, &said, &e);
}

void nflog_read(struct nflog *n, struct nflog_reader *to)
{
	for (int i = 0; i < READS_AT_ONCE; i++) {
		const ssize_t got = recv(n->sock, n->room, sizeof n->room, MSG_DONTWAIT);
		int left = (int)got;

		if (got < 0 && (errno == ENOBUFS || errno == EINTR))
			continue; /* the next number says how many */
		if (got <= 0)
			return;
		for (const struct nlmsghdr *h = (void *)n->room; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
			read_one(n, h, to);
	}
}
