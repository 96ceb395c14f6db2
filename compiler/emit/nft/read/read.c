/*
 * Reads the messages themselves, attribute by attribute: libnftnl's parsers trust
 * the kernel, and a bundle may come from anywhere. An attribute that has no row
 * here, that comes twice, or whose size is wrong, refuses the batch.
 */
#include "compiler/emit/nft/read/read.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>

#include "compiler/emit/nft/read/reader.h"
#include "compiler/emit/nft/wire.h"
#include "lang/bundle/nft_name.h"

int nft_reader_refuse(struct nft_reader *rd, const char *what)
{
	return err_set(rd->why, EINVAL, "%s has no meaning here", what);
}

/* --- names ------------------------------------------------------------------------ */

/* A name that we print: nothing in it that nft would read otherwise. */
const char *nft_reader_name(struct nft_reader *rd, struct nft_attr a)
{
	const char *name = nft_attr_text(rd->arena, a);

	return name && nft_name_holds(name) ? name : NULL;
}

/* The same behind the letter of its bank. */
const char *nft_reader_chain_name(struct nft_reader *rd, struct nft_attr a)
{
	const char *name = nft_attr_text(rd->arena, a);

	if (!name || name[0] != BATCH_BANK || name[1] != '_')
		return NULL;
	return nft_chain_name_holds(arena_printf(rd->arena, "a%s", name + 1)) ? name : NULL;
}

/* --- values ---------------------------------------------------------------------- */

addr_num nft_reader_number(struct nft_attr a, unsigned width)
{
	addr_num v = 0;

	for (unsigned i = 0; i < width; i++)
		v = v << 8 | (i < a.len ? a.at[i] : 0);
	return v;
}

struct nft_set *nft_reader_set_by(struct nft_reader *rd, struct nft_attr name, struct nft_attr id)
{
	const char *text = nft_attr_text(rd->arena, name);
	char name_room[NFT_WIRE_NAME_ROOM];
	uint32_t number;

	if (!text || !nft_attr_u32(id, &number))
		return NULL;
	for (size_t i = rd->sets.len; i-- > 0;) {
		struct nft_set *s = rd->sets.at[i];

		if (s->id == number && !strcmp(nft_wire_set_name(s, name_room), text))
			return s;
	}
	return NULL;
}

bool nft_reader_lead(struct nft_reader *rd, struct nft_attr data, struct nft_lead *out)
{
	struct nft_attr verdict, in[NFT_ATTRS_MAX];
	uint32_t code;
	size_t fate = 0;

	if (!nft_attr_only(data, NFTA_DATA_VERDICT, &verdict) ||
	    !nft_attrs_of(verdict, NFT_ALLOW(NFTA_VERDICT_CODE) | NFT_ALLOW(NFTA_VERDICT_CHAIN), in) ||
	    !nft_attr_u32(in[NFTA_VERDICT_CODE], &code))
		return false;
	while (fate < nft_wire_fate_count && nft_wire_fates[fate] != (int)code)
		fate++;
	if (fate == nft_wire_fate_count)
		return false;
	out->fate = (enum nft_fate)fate;
	out->name = nft_reader_chain_name(rd, in[NFTA_VERDICT_CHAIN]);
	if (in[NFTA_VERDICT_CHAIN].at && !out->name)
		return false;
	return (out->fate == NFT_FATE_JUMP || out->fate == NFT_FATE_GOTO) == (out->name != NULL);
}

/* --- tables, chains and counters --------------------------------------------------- */

static int read_table(struct nft_reader *rd, struct nft_attr message)
{
	struct nft_attr at[NFT_ATTRS_MAX];

	return nft_attrs_of(message, NFT_ALLOW(NFTA_TABLE_NAME), at) ? 0 : nft_reader_refuse(rd, "a table's message");
}

static int read_chain(struct nft_reader *rd, struct nft_attr message)
{
	struct nft_attr at[NFT_ATTRS_MAX];
	struct nft_chain *c = arena_zero(rd->arena, sizeof *c);

	if (!nft_attrs_of(message, NFT_ALLOW(NFTA_CHAIN_TABLE) | NFT_ALLOW(NFTA_CHAIN_NAME), at) ||
	    !(c->name = nft_reader_chain_name(rd, at[NFTA_CHAIN_NAME])) || strmap_find(&rd->chains, c->name))
		return nft_reader_refuse(rd, "a chain's message");
	strmap_put(&rd->chains, c->name, c);
	vec_push(rd->arena, &rd->table->chains, c);
	return 0;
}

/* A counter begins at nothing: one that did not would be printed as one that does. */
static bool counts_from_zero(struct nft_attr data)
{
	struct nft_attr at[NFT_ATTRS_MAX];
	uint64_t bytes, packets;

	return !data.at ||
	       (nft_attrs_of(data, NFT_ALLOW(NFTA_COUNTER_BYTES) | NFT_ALLOW(NFTA_COUNTER_PACKETS), at) &&
		nft_attr_u64_or_none(at[NFTA_COUNTER_BYTES], &bytes) &&
		nft_attr_u64_or_none(at[NFTA_COUNTER_PACKETS], &packets) && !bytes && !packets);
}

#define OBJ_ATTRS                                                                                  \
	(NFT_ALLOW(NFTA_OBJ_TABLE) | NFT_ALLOW(NFTA_OBJ_NAME) | NFT_ALLOW(NFTA_OBJ_TYPE) | NFT_ALLOW(NFTA_OBJ_DATA))

static int read_counter(struct nft_reader *rd, struct nft_attr message)
{
	struct nft_attr at[NFT_ATTRS_MAX];

	if (!nft_attrs_of(message, OBJ_ATTRS, at) || !nft_attr_says(at[NFTA_OBJ_TYPE], NFT_OBJECT_COUNTER) ||
	    !counts_from_zero(at[NFTA_OBJ_DATA]))
		return nft_reader_refuse(rd, "an object's message");
	const char *name = nft_reader_name(rd, at[NFTA_OBJ_NAME]);
	if (!name)
		return nft_reader_refuse(rd, "an object's name");
	vec_push(rd->arena, &rd->table->counters, name);
	return 0;
}

/* --- all ---------------------------------------------------------------------------- */

static int read_message(struct nft_reader *rd, const struct nlmsghdr *h)
{
	size_t head = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct nfgenmsg));
	struct nft_attr body = { (const uint8_t *)h + head, h->nlmsg_len - head };

	switch (NFNL_MSG_TYPE(h->nlmsg_type)) {
	case NFT_MSG_NEWTABLE:
		return read_table(rd, body);
	case NFT_MSG_NEWOBJ:
		return read_counter(rd, body);
	case NFT_MSG_NEWSET:
		return nft_reader_set(rd, body);
	case NFT_MSG_NEWSETELEM:
		return nft_reader_elements(rd, body);
	case NFT_MSG_NEWCHAIN:
		return read_chain(rd, body);
	case NFT_MSG_NEWRULE:
		return nft_reader_rule(rd, body);
	}
	return nft_reader_refuse(rd, "a message of this kind");
}

/* All messages are about one table of one family. */
static bool family_of(struct nft_reader *rd, const struct nlmsghdr *h, bool first)
{
	const struct nfgenmsg *g = NLMSG_DATA(h);
	enum nft_table_kind kind =
		g->nfgen_family == NFT_WIRE_INET ? NFT_TABLE_INET : NFT_TABLE_NETDEV;

	if (first)
		rd->table->kind = kind;
	return rd->table->kind == kind;
}

int nft_read(struct nft_table *out, struct arena *a, const struct batch *b, struct err *why)
{
	struct nft_reader rd = { .table = out, .arena = a, .why = why };
	int rc = batch_check(b, NFT_TABLE_NAME, why);

	if (rc)
		return rc;
	*out = (struct nft_table){ .arena = a };
	strmap_init(&rd.chains, a);
	for (size_t at = 0; at < b->len;) {
		const struct nlmsghdr *h = (const void *)(b->messages + at);

		rc = family_of(&rd, h, !at) ? read_message(&rd, h) : nft_reader_refuse(&rd, "a second table");
		if (rc)
			return err_in(why, "message at byte %zu", at);
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
	return 0;
}
