#include "compiler/emit/nft/tree/desk.h"

struct nft_here nft_desk_look(const struct nft_desk *d, const struct nft_part *p, struct nft_picked in)
{
	for (size_t i = 0; i < in.len; i++)
		if (in.decided[i] == NFT_ALL_AXES && d->items[in.at[i]].plain)
			in.len = i + 1;
	return (struct nft_here){ d->items, p, in };
}
