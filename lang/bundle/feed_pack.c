#include "lang/bundle/feed_pack.h"

#include <errno.h>

#include "lang/base/wire.h"

void feed_pack(struct buf *out, struct arena *a, const struct netset *set)
{
	size_t len;
	const struct prefix *p = netset_prefixes(a, set, &len);
	uint32_t ip4 = 0;

	while (ip4 < len && p[ip4].addr.family == FAMILY_IP4)
		ip4++;
	wire_put_u32(out, ip4);
	wire_put_u32(out, (uint32_t)len - ip4);
	for (size_t i = 0; i < len; i++) {
		uint8_t bytes[17];
		const size_t each = FEED_PACK_EACH(p[i].addr.family);

		addr_to_bytes(p[i].addr, bytes);
		bytes[each - 1] = (uint8_t)p[i].len;
		buf_add(out, bytes, each);
	}
}

struct prefix feed_at(const struct feed_content *c, enum family f, uint32_t i)
{
	const size_t each = FEED_PACK_EACH(f);
	const uint8_t *at = c->at[f] + i * each;

	return (struct prefix){ addr_from_bytes(f, at), at[each - 1] };
}

bool feed_range(const struct feed_content *c, enum family f, uint32_t *at, struct addr_range *out)
{
	if (*at == c->count[f])
		return false;
	*out = prefix_range(feed_at(c, f, (*at)++));
	for (; *at < c->count[f]; (*at)++) {
		const struct addr_range next = prefix_range(feed_at(c, f, *at));

		if (next.lo != out->hi + 1)
			break;
		out->hi = next.hi;
	}
	return true;
}

/* Two halves of one prefix would be that. */
static bool are_one(const struct prefix *x, const struct prefix *y)
{
	if (x->len != y->len || !x->len)
		return false;
	const addr_num bit = (addr_num)1 << (FAMILY_BITS(x->addr.family) - x->len);
	return (x->addr.num ^ y->addr.num) == bit;
}

static bool family_holds(const struct feed_content *c, enum family f)
{
	struct prefix before = { 0 };

	for (uint32_t i = 0; i < c->count[f]; i++) {
		const struct prefix p = feed_at(c, f, i);

		if (p.len > FAMILY_BITS(f) || p.addr.num & prefix_range((struct prefix){ { f, 0 }, p.len }).hi)
			return false;
		if (i && (p.addr.num <= prefix_range(before).hi || are_one(&before, &p)))
			return false;
		before = p;
	}
	return true;
}

int feed_unpack(struct feed_content *out, const void *bytes, size_t len, uint32_t most, struct err *why)
{
	struct wire_in in = { bytes, len, false };
	struct feed_content c = { 0 };

	for (unsigned f = 0; f < FAMILY_COUNT; f++)
		c.count[f] = wire_get_u32(&in);
	if (in.bad || (uint64_t)c.count[FAMILY_IP4] + c.count[FAMILY_IP6] > most ||
	    in.left != (size_t)5 * c.count[FAMILY_IP4] + (size_t)17 * c.count[FAMILY_IP6])
		return err_set(why, EINVAL, "it is no content of a feed of at most %u prefixes", most);
	c.at[FAMILY_IP4] = in.at;
	c.at[FAMILY_IP6] = in.at + (size_t)5 * c.count[FAMILY_IP4];
	for (unsigned f = 0; f < FAMILY_COUNT; f++)
		if (!family_holds(&c, (enum family)f))
			return err_set(why, EINVAL, "it is no content of a feed: its prefixes overlap, touch, or are out of order");
	*out = c;
	return 0;
}
