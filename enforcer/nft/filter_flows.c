/*
 * filter_flows.c - what connection tracking holds in this network namespace.
 */
#include "enforcer/nft/filter.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "enforcer/nft/filter_talk.h"

static uint32_t number(const struct nlmsghdr *h, uint16_t type)
{
	const struct nlattr *a = filter_attribute(h, type);

	return a && mnl_attr_get_payload_len(a) == sizeof(uint32_t) ? ntohl(mnl_attr_get_u32(a)) : 0;
}

static void see_room(const struct nlmsghdr *h, void *context)
{
	struct filter_flows *out = context;

	out->count = number(h, CTA_STATS_GLOBAL_ENTRIES);
	out->most = number(h, CTA_STATS_GLOBAL_MAX_ENTRIES);
}

/* A message is one processor's. */
static void add_lost(const struct nlmsghdr *h, void *context)
{
	struct filter_flows *out = context;

	out->dropped += number(h, CTA_STATS_DROP);
	out->evicted += number(h, CTA_STATS_EARLY_DROP);
}

static void see_none(void *context)
{
	*(struct filter_flows *)context = (struct filter_flows){ 0 };
}

static void add_none(void *context)
{
	struct filter_flows *out = context;

	out->dropped = out->evicted = 0;
}

int filter_flows_look(struct filter *f, struct filter_flows *out, struct err *why)
{
	_Alignas(8) uint8_t room[FILTER_SCRATCH_BYTES];
	struct filter_flows is = { 0 };
	int rc = filter_ask(f, filter_message(room, NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET_STATS, NLM_F_ACK, AF_UNSPEC), see_room, see_none,
			    &is, why);

	if (!rc)
		rc = filter_ask(f, filter_message(room, NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET_STATS_CPU, NLM_F_DUMP, AF_UNSPEC), add_lost,
				add_none, &is, why);
	if (rc)
		return err_in(why, "cannot read how full the connection table is");
	*out = is;
	return 0;
}
