#include "compiler/emit/nft/tree/item.h"

struct nft_picked nft_picked_new(struct arena *a, size_t room)
{
	return (struct nft_picked){ arena_zero(a, (room + 1) * sizeof(uint32_t)), arena_zero(a, room + 1), 0 };
}

bool nft_covers(const struct nft_item *it, const struct nft_part *p, enum nft_axis x)
{
	const struct nft_spans *s = &it->on[x];

	for (size_t i = 0; i < s->len && s->at[i].lo <= p->lo[x]; i++)
		if (s->at[i].hi >= p->hi[x])
			return true;
	return false;
}

unsigned nft_decided(const struct nft_item *it, const struct nft_part *p)
{
	unsigned decided = 0;

	for (int x = 0; x < NFT_AXES; x++)
		if (nft_covers(it, p, (enum nft_axis)x))
			decided |= 1u << x;
	return decided;
}

static bool spans_meet(const struct nft_spans *x, const struct nft_spans *y)
{
	for (size_t i = 0, k = 0; i < x->len && k < y->len;) {
		if (x->at[i].hi < y->at[k].lo)
			i++;
		else if (y->at[k].hi < x->at[i].lo)
			k++;
		else
			return true;
	}
	return false;
}

/* What tells most apart is looked at first. */
bool nft_items_meet(const struct nft_item *x, const struct nft_item *y)
{
	if (!nft_reach_meet(x->reach[0], y->reach[0]) || !nft_reach_meet(x->reach[1], y->reach[1]))
		return false;
	for (int axis = NFT_AXES - 1; axis >= 0; axis--) {
		const struct nft_spans *a = &x->on[axis], *b = &y->on[axis];

		if (a->len == 1 && b->len == 1 ? a->at->lo > b->at->hi || b->at->lo > a->at->hi : !spans_meet(a, b))
			return false;
	}
	return true;
}

bool nft_takes_all(const struct nft_item *it, const struct nft_part *p)
{
	return it->plain && nft_decided(it, p) == NFT_ALL_AXES;
}

bool nft_has_ports(const struct nft_part *p)
{
	static const addr_num with[] = { 6, 17, 33, 132, 136 }; /* TCP, UDP, DCCP, SCTP, UDP-Lite */

	for (size_t i = 0; i < sizeof with / sizeof *with; i++)
		if (p->lo[NFT_AXIS_PROTO] == with[i] && p->hi[NFT_AXIS_PROTO] == with[i])
			return true;
	return false;
}

bool nft_has_family(const struct nft_part *p)
{
	return p->lo[NFT_AXIS_FAMILY] == p->hi[NFT_AXIS_FAMILY];
}

struct nft_part nft_everything(void)
{
	struct nft_part p = { .hi = {
		[NFT_AXIS_FAMILY] = FAMILY_COUNT - 1, [NFT_AXIS_PROTO] = UINT8_MAX,
		[NFT_AXIS_SRC] = ~(addr_num)0, [NFT_AXIS_DST] = ~(addr_num)0,
		[NFT_AXIS_SPORT] = UINT16_MAX, [NFT_AXIS_DPORT] = UINT16_MAX,
	} };

	return p;
}
