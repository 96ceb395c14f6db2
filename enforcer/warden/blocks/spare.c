/*
 * spare.c - which networks nobody is let block: his own, and where a lifeline comes from. A host of IPv6 is one: its /64.
 */
#include <errno.h>

#include "enforcer/hook/block_table.h"
#include "enforcer/warden/blocks/blocks.h"
#include "lang/base/own.h"

static bool has(struct prefix net, struct prefix p)
{
	const struct addr_range out = prefix_range(net), in = prefix_range(p);

	return net.addr.family == p.addr.family && out.lo <= in.lo && in.hi <= out.hi;
}

/* Nothing less than a /64 can be blocked of IPv6 at run time. */
static const char *way_out(struct prefix net)
{
	return block_is_net(net) ? "Block the parts of it that do not have it, or write a `block` in the policy" :
				   "It is the least that is blocked of IPv6 at run time: write a `block` in the policy, which may name an address";
}

/* One of two prefixes lies in the other, or they have nothing in common. */
static int spare_own(struct prefix net, const struct addresses *own, struct err *why)
{
	char text[ADDR_TEXT], address[ADDR_TEXT];

	for (size_t i = 0; i < own->len; i++)
		if (has(net, own->at[i]) || has(own->at[i], net))
			return err_set(why, EPERM, "the network %s is not blocked: %s, an address of this host, lies in it. %s", prefix_print(net, text),
				       prefix_print(own->at[i], address), way_out(net));
	return 0;
}

struct admitted {
	struct prefix from;
	const char *lifeline;
};

/* What lifelines name as sources, gathered once: a plan may have a million prefixes, and a request two thousand networks. */
struct spared {
	struct addresses own;
	VEC(struct admitted) lifelines;
};

/* A box that names none is for everybody. */
static void gather_box(struct spared *s, const struct plan *p, const struct teg_box *b, struct arena *a)
{
	const char *lifeline = p->counters[p->rules[b->rule].counter_slot].id;

	for (uint32_t i = 0; b->src && i < p->prefix_count; i++)
		if (p->prefixes[i].sets & b->src)
			vec_push(a, &s->lifelines, ((struct admitted){ p->prefixes[i].prefix, lifeline }));
}

static int spare_lifelines(struct prefix net, const struct spared *s, struct err *why)
{
	char text[ADDR_TEXT], source[ADDR_TEXT];

	for (size_t i = 0; i < s->lifelines.len; i++)
		if (has(net, s->lifelines.at[i].from))
			return err_set(why, EPERM, "the network %s is not blocked: %s lies in it, from which %s admits. %s", prefix_print(net, text),
				       prefix_print(s->lifelines.at[i].from, source), s->lifelines.at[i].lifeline, way_out(net));
	return 0;
}

int blocks_spare(struct kernel *k, const struct plan *p, const struct block *ask, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct spared s = { 0 };
	bool gathered = false;
	int rc = 0;

	for (uint32_t i = 0; !rc && i < ask->source_count; i++) {
		if (ask->sources[i].len == FAMILY_BITS(ask->sources[i].addr.family))
			continue;
		if (!gathered)
			rc = kernel_self(k, &s.own, why);
		for (uint32_t b = 0; !rc && !gathered && b < p->config.lifeline_boxes && b < p->box_count; b++)
			gather_box(&s, p, &p->boxes[b], a);
		gathered = true;
		if (!rc)
			rc = spare_own(ask->sources[i], &s.own, why);
		if (!rc)
			rc = spare_lifelines(ask->sources[i], &s, why);
	}
	return rc;
}
