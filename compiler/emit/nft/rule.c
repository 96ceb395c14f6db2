#include "compiler/emit/nft/rule.h"

#include <linux/netfilter/nf_tables.h>

const struct nft_field_row nft_fields[NFT_FIELD_COUNT] = {
#define NFT_FIELD(id_, text_, load_, ...)                                                          \
	[NFT_FIELD_##id_] = { .text = text_, .load = NFT_LOAD_##load_, __VA_ARGS__ },
#include "compiler/emit/nft/field.def"
#undef NFT_FIELD
};

const char *nft_table_family(enum nft_table_kind kind)
{
	switch (kind) {
	case NFT_TABLE_INET:
		return "inet";
	case NFT_TABLE_NETDEV:
		return "netdev";
	}
	return "";
}
