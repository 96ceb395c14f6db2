#include "compiler/emit/nft/box.h"

#include <stdlib.h>

#include "compiler/ir/proto.h"

/* The fields that may be joined, in the order in which joining them is tried. */
enum part { PART_DPORT, PART_SPORT, PART_ICMP, PART_PROTOS, PART_ZONES, PART_FAMILIES, PART_COUNT };

static int order(uint64_t x, uint64_t y)
{
	return (x > y) - (x < y);
}

static int order_ranges(const struct ranges *x, const struct ranges *y)
{
	for (size_t i = 0; i < x->len && i < y->len; i++) {
		int by = order(x->at[i].lo, y->at[i].lo);

		if (!by)
			by = order(x->at[i].hi, y->at[i].hi);
		if (by)
			return by;
	}
	return order(x->len, y->len);
}

static int order_end(const struct ir_end *x, const struct ir_end *y)
{
	int by = order(x->any, y->any);

	if (!by)
		by = order(x->self, y->self);
	if (!by)
		by = order(x->set ? x->set->index + 1ull : 0, y->set ? y->set->index + 1ull : 0);
	return by;
}

static int order_part(const struct nft_box *x, const struct nft_box *y, enum part p)
{
	switch (p) {
	case PART_DPORT:
		return order_ranges(&x->box->dport, &y->box->dport);
	case PART_SPORT:
		return order_ranges(&x->box->sport, &y->box->sport);
	case PART_ICMP:
		return order_ranges(&x->box->icmp, &y->box->icmp);
	case PART_PROTOS:
		return order_ranges(&x->protos, &y->protos);
	case PART_ZONES:
		return order(x->box->zones, y->box->zones);
	case PART_FAMILIES:
		return order(x->box->families, y->box->families);
	case PART_COUNT:
		break;
	}
	return 0;
}

/* Everything but one part; that one when `but` is PART_COUNT, too. */
static int order_but(const struct nft_box *x, const struct nft_box *y, enum part but)
{
	int by = order_end(&x->box->src, &y->box->src);

	if (!by)
		by = order_end(&x->box->dst, &y->box->dst);
	if (!by)
		by = order(x->box->fragments, y->box->fragments);
	if (!by)
		by = order(x->box->flags_mask << 8 | x->box->flags_want,
			   y->box->flags_mask << 8 | y->box->flags_want);
	for (int p = 0; !by && p < PART_COUNT; p++)
		if (p != (int)but)
			by = order_part(x, y, (enum part)p);
	return by;
}

static int order_for(const void *x, const void *y, void *but)
{
	enum part p = *(enum part *)but;
	int by = order_but(x, y, p);

	return by ? by : order_part(x, y, p);
}

/* What was joined before is joined in its place; who has the box may not see it change. */
static struct ir_box *own_box(struct arena *a, struct nft_box *x)
{
	struct ir_box *own = arena_copy(a, x->box, sizeof *own);

	x->box = own;
	return own;
}

static void join_part(struct arena *a, struct nft_box *x, const struct nft_box *y, enum part p)
{
	switch (p) {
	case PART_DPORT:
		own_box(a, x)->dport = ranges_join(a, &x->box->dport, &y->box->dport);
		return;
	case PART_SPORT:
		own_box(a, x)->sport = ranges_join(a, &x->box->sport, &y->box->sport);
		return;
	case PART_ICMP:
		own_box(a, x)->icmp = ranges_join(a, &x->box->icmp, &y->box->icmp);
		return;
	case PART_PROTOS:
		x->protos = ranges_join(a, &x->protos, &y->protos);
		return;
	case PART_ZONES:
		own_box(a, x)->zones |= y->box->zones;
		return;
	case PART_FAMILIES:
		own_box(a, x)->families |= y->box->families;
		return;
	case PART_COUNT:
		return;
	}
}

/* Joins two runs at a time, so that many single ports cost n log n. */
static void join_run(struct arena *a, struct nft_box *at, size_t count, enum part p)
{
	for (size_t step = 1; step < count; step *= 2)
		for (size_t i = 0; i + step < count; i += 2 * step)
			join_part(a, &at[i], &at[i + step], p);
}

static size_t join_by(struct arena *a, struct nft_box *at, size_t count, enum part p)
{
	size_t kept = 0;

	qsort_r(at, count, sizeof *at, order_for, &p);
	for (size_t from = 0, to; from < count; from = to) {
		for (to = from + 1; to < count && !order_but(&at[from], &at[to], p);)
			to++;
		join_run(a, &at[from], to - from, p);
		at[kept++] = at[from];
	}
	return kept;
}

static struct ranges protos_of(struct arena *a, uint16_t n)
{
	static const struct range tcp = { PROTO_TCP, PROTO_TCP }, udp = { PROTO_UDP, PROTO_UDP };

	if (n == PROTO_TCP || n == PROTO_UDP) /* nobody writes into a set that is made: these are kept once */
		return (struct ranges){ (struct range *)(n == PROTO_TCP ? &tcp : &udp), 1 };
	return n == PROTO_ANY_NUMBER ? ranges_of(a, 0, UINT16_MAX) : ranges_of(a, n, n);
}

struct nft_box *nft_boxes(struct arena *a, const struct ir_box *boxes, size_t count,
			  size_t *out_count)
{
	struct nft_box *at = arena_zero(a, count * sizeof *at);
	size_t before;

	for (size_t i = 0; i < count; i++) {
		at[i].box = &boxes[i];
		at[i].protos = protos_of(a, boxes[i].proto);
	}
	do {
		before = count;
		for (int p = 0; p < PART_COUNT && count > 1; p++)
			count = join_by(a, at, count, (enum part)p);
	} while (count < before);
	*out_count = count;
	return at;
}
