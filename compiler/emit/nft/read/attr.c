#include "compiler/emit/nft/read/attr.h"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netlink.h>
#include <string.h>

bool nft_attr_next(struct nft_attr *list, uint16_t *type, struct nft_attr *out)
{
	struct nlattr a;

	if (list->len < sizeof a)
		return false;
	memcpy(&a, list->at, sizeof a);
	if (a.nla_len < sizeof a || a.nla_len > list->len)
		return false;
	size_t step = (size_t)NLA_ALIGN(a.nla_len);
	if (step > list->len)
		step = list->len;
	*type = a.nla_type & NLA_TYPE_MASK;
	*out = (struct nft_attr){ list->at + sizeof a, a.nla_len - sizeof a };
	list->at += step;
	list->len -= step;
	return true;
}

bool nft_attrs_of(struct nft_attr list, uint32_t allowed, struct nft_attr out[static NFT_ATTRS_MAX])
{
	struct nft_attr a;
	uint16_t type;

	memset(out, 0, NFT_ATTRS_MAX * sizeof *out);
	while (nft_attr_next(&list, &type, &a)) {
		if (type >= NFT_ATTRS_MAX || !(allowed & NFT_ALLOW(type)) || out[type].at)
			return false;
		out[type] = a;
	}
	return !list.len;
}

bool nft_attr_u32(struct nft_attr a, uint32_t *out)
{
	if (!a.at || a.len != sizeof *out)
		return false;
	memcpy(out, a.at, sizeof *out);
	*out = ntohl(*out);
	return true;
}

bool nft_attr_u32_or_none(struct nft_attr a, uint32_t *out)
{
	*out = 0;
	return !a.at || nft_attr_u32(a, out);
}

bool nft_attr_u64_or_none(struct nft_attr a, uint64_t *out)
{
	*out = 0;
	if (!a.at)
		return true;
	if (a.len != sizeof *out)
		return false;
	memcpy(out, a.at, sizeof *out);
	*out = be64toh(*out);
	return true;
}

bool nft_attr_says(struct nft_attr a, uint32_t wanted)
{
	uint32_t v;

	return nft_attr_u32(a, &v) && v == wanted;
}

bool nft_attr_says16(struct nft_attr a, uint16_t wanted)
{
	uint16_t v;

	if (!a.at || a.len != sizeof v)
		return false;
	memcpy(&v, a.at, sizeof v);
	return ntohs(v) == wanted;
}

const char *nft_attr_text(struct arena *arena, struct nft_attr a)
{
	if (!a.at)
		return NULL;
	size_t len = strnlen((const char *)a.at, a.len);
	if (!len || (len != a.len && len + 1 != a.len))
		return NULL;
	return arena_strndup(arena, (const char *)a.at, len);
}

bool nft_attr_only(struct nft_attr nest, uint16_t kind, struct nft_attr *out)
{
	struct nft_attr at[NFT_ATTRS_MAX];

	if (!nest.at || !nft_attrs_of(nest, NFT_ALLOW(kind), at) || !at[kind].at)
		return false;
	*out = at[kind];
	return true;
}
