#include "compiler/emit/nft_desk.h"

struct nft_here nft_desk_look(struct nft_desk *d, const struct nft_part *p, struct nft_picked in)
{
	nft_desk_clear(d, &d->decided, in.len);
	for (size_t i = 0; i < in.len; i++) {
		const struct nft_item *it = &d->items[in.at[i]];
		const unsigned decided = nft_decided(it, p);

		d->decided.at[i] = (uint8_t)decided;
		if (it->plain && decided == NFT_ALL_AXES)
			in.len = i + 1;
	}
	return (struct nft_here){ d->items, p, in, d->decided.at };
}
