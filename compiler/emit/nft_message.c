#include "compiler/emit/nft_message.h"

#include <assert.h>
#include <endian.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/emit/nft_wire.h"
#include "lang/base/memory.h"

#define MESSAGE_ROOM ((size_t)256 << 10)

void nft_messages_init(struct nft_messages *ms, enum nft_table_kind kind)
{
	*ms = (struct nft_messages){
		.family = kind == NFT_TABLE_INET ? NFT_WIRE_INET : NFT_WIRE_NETDEV,
		.scratch = memory_zeroed(MESSAGE_ROOM),
	};
}

struct batch nft_messages_take(struct nft_messages *ms)
{
	const struct batch b = { (uint8_t *)ms->bytes.at, ms->bytes.len, ms->banks, ms->bank_count };

	memory_release(ms->scratch);
	*ms = (struct nft_messages){ 0 };
	return b;
}

struct nlmsghdr *nft_message(struct nft_messages *ms, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(ms->scratch);
	struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof *g);

	h->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	g->nfgen_family = (uint8_t)ms->family;
	g->version = NFNETLINK_V0;
	return h;
}

void nft_message_done(struct nft_messages *ms, struct nlmsghdr *h)
{
	assert(h->nlmsg_len <= MESSAGE_ROOM);
	buf_add(&ms->bytes, h, NLMSG_ALIGN(h->nlmsg_len));
	memset(h, 0, NLMSG_ALIGN(h->nlmsg_len)); /* libmnl leaves the padding of attributes as it is */
}

static void note_bank(struct nft_messages *ms, const char *name)
{
	if (ms->bank_count == ms->bank_room) {
		ms->bank_room = ms->bank_room ? 2 * ms->bank_room : 256;
		ms->banks = memory_resized(ms->banks, ms->bank_room * sizeof *ms->banks);
	}
	ms->banks[ms->bank_count++] = (uint32_t)(ms->bytes.len + (size_t)(name - ms->scratch));
}

static void put_name(struct nft_messages *ms, struct nlmsghdr *h, uint16_t type, const char *name, size_t nul)
{
	if (name[0] == BATCH_BANK)
		note_bank(ms, (const char *)mnl_nlmsg_get_payload_tail(h) + MNL_ATTR_HDRLEN);
	mnl_attr_put(h, type, strlen(name) + nul, name);
}

void nft_message_name(struct nft_messages *ms, struct nlmsghdr *h, uint16_t type, const char *name)
{
	put_name(ms, h, type, name, 1);
}

void nft_message_bare_name(struct nft_messages *ms, struct nlmsghdr *h, uint16_t type, const char *name)
{
	put_name(ms, h, type, name, 0);
}

void nft_message_u64(struct nlmsghdr *h, uint16_t type, uint64_t v)
{
	mnl_attr_put_u64(h, type, htobe64(v));
}
