#include "compiler/emit/nft/message/message.h"

#include <assert.h>
#include <endian.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/emit/nft/wire.h"
#include "lang/base/memory.h"

#define MESSAGE_ROOM ((size_t)256 << 10)
#define PART_BYTES   ((size_t)256 << 10) /* that are inspected together */

void nft_messages_init(struct nft_messages *ms, enum nft_table_kind kind, struct spool *out)
{
	*ms = (struct nft_messages){
		.family = kind == NFT_TABLE_INET ? NFT_WIRE_INET : NFT_WIRE_NETDEV,
		.out = out,
		.head = spool_len(out),
		.scratch = memory_zeroed(MESSAGE_ROOM),
	};
}

void nft_messages_release(struct nft_messages *ms)
{
	memory_release(ms->scratch);
	memory_release(ms->banks);
	*ms = (struct nft_messages){ 0 };
}

size_t nft_messages_len(const struct nft_messages *ms)
{
	return spool_len(ms->out) - ms->head;
}

/* What tegd will look at, in pieces that are still in memory. */
static void inspect(struct nft_messages *ms)
{
	const struct batch part = {
		.messages = (uint8_t *)ms->out->held.at + (ms->head + ms->looked_at - ms->out->in_file),
		.len = nft_messages_len(ms) - ms->looked_at,
		.banks = ms->banks + ms->banks_looked_at,
		.bank_count = ms->bank_count - ms->banks_looked_at,
	};

	if (!ms->fault.code)
		batch_inspect_part(&part, ms->looked_at, NFT_TABLE_NAME, &ms->fault);
	ms->looked_at += part.len;
	ms->banks_looked_at = ms->bank_count;
}

int nft_messages_hold(struct nft_messages *ms, struct err *why)
{
	inspect(ms);
	if (ms->fault.code)
		*why = ms->fault;
	return ms->fault.code;
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
	buf_add(&ms->out->held, h, NLMSG_ALIGN(h->nlmsg_len));
	memset(h, 0, NLMSG_ALIGN(h->nlmsg_len)); /* libmnl leaves the padding of attributes as it is */
	if (nft_messages_len(ms) - ms->looked_at >= PART_BYTES) {
		inspect(ms);
		spool_settle(ms->out);
	}
}

static void note_bank(struct nft_messages *ms, const char *name)
{
	if (ms->bank_count == ms->bank_room) {
		ms->bank_room = ms->bank_room ? 2 * ms->bank_room : 256;
		ms->banks = memory_resized(ms->banks, ms->bank_room * sizeof *ms->banks);
	}
	ms->banks[ms->bank_count++] = (uint32_t)(nft_messages_len(ms) + (size_t)(name - ms->scratch));
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

void nft_message_verdict(struct nft_messages *ms, struct nlmsghdr *h, uint16_t type, uint32_t code, const char *chain)
{
	struct nlattr *data = mnl_attr_nest_start(h, type);
	struct nlattr *verdict = mnl_attr_nest_start(h, NFTA_DATA_VERDICT);

	nft_message_u32(h, NFTA_VERDICT_CODE, code);
	if (chain)
		nft_message_name(ms, h, NFTA_VERDICT_CHAIN, chain);
	mnl_attr_nest_end(h, verdict);
	mnl_attr_nest_end(h, data);
}

void nft_message_u64(struct nlmsghdr *h, uint16_t type, uint64_t v)
{
	mnl_attr_put_u64(h, type, htobe64(v));
}
