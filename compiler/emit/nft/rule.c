#include "compiler/emit/nft/rule.h"

#include <linux/netfilter/nf_tables.h>

const struct nft_field_row nft_fields[NFT_FIELD_COUNT] = {
#define NFT_FIELD(id_, text_, load_, ...)                                                          \
	[NFT_FIELD_##id_] = { .text = text_, .load = NFT_LOAD_##load_, __VA_ARGS__ },
#include "compiler/emit/nft/field.def"
#undef NFT_FIELD
};

unsigned nft_key_words(const struct nft_set *s)
{
	for (unsigned i = 0; i < s->part_count; i++)
		if (s->part_types[i] == NFT_TYPE_ADDR6 || s->part_types[i] == NFT_TYPE_IFNAME)
			return 4;
	return 1;
}

addr_num nft_key_part(const struct nft_set *s, size_t element, unsigned part)
{
	const unsigned words = nft_key_words(s);
	const uint32_t *at = &s->keys[(element * s->part_count + part) * words];
	addr_num v = 0;

	for (unsigned w = words; w--;)
		v = v << 32 | at[w];
	return v;
}

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
