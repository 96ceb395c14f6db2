/*
 * filter_words.c - why the kernel refused a transaction: which message it was about, and the way out.
 */
#include "enforcer/nft/filter_talk.h"

#include <errno.h>
#include <string.h>

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include "lang/base/own.h"

/* ---- what a message was about ------------------------------------------------------- */

static const struct {
	const char *what;
	uint16_t name; /* attribute */
} kinds[] = {
	[NFT_MSG_NEWTABLE] = { "the table", 0 },
	[NFT_MSG_DELTABLE] = { "removing the table", 0 },
	[NFT_MSG_NEWCHAIN] = { "chain", NFTA_CHAIN_NAME },
	[NFT_MSG_DELCHAIN] = { "removing chain", NFTA_CHAIN_NAME },
	[NFT_MSG_NEWRULE] = { "a rule of chain", NFTA_RULE_CHAIN },
	[NFT_MSG_DELRULE] = { "removing the rules of chain", NFTA_RULE_CHAIN },
	[NFT_MSG_NEWSET] = { "set", NFTA_SET_NAME },
	[NFT_MSG_DELSET] = { "removing set", NFTA_SET_NAME },
	[NFT_MSG_NEWSETELEM] = { "elements of set", NFTA_SET_ELEM_LIST_SET },
	[NFT_MSG_DELSETELEM] = { "removing elements of set", NFTA_SET_ELEM_LIST_SET },
	[NFT_MSG_NEWOBJ] = { "counter", NFTA_OBJ_NAME },
	[NFT_MSG_DELOBJ] = { "removing counter", NFTA_OBJ_NAME },
};

/* " (meta, cmp, counter)": the expressions of a rule. */
static void describe_expressions(struct buf *out, const struct nlmsghdr *h)
{
	const struct nlattr *list = filter_attribute(h, NFTA_RULE_EXPRESSIONS), *one, *a;

	if (!list)
		return;
	buf_puts(out, " (");
	mnl_attr_for_each_nested(one, list)
		mnl_attr_for_each_nested(a, one)
			if (mnl_attr_get_type(a) == NFTA_EXPR_NAME)
				buf_printf(out, "%s%.20s", buf_text(out)[out->len - 1] == '(' ? "" : ", ",
					   mnl_attr_get_str(a));
	buf_putc(out, ')');
}

static void describe(struct buf *out, const struct nlmsghdr *h)
{
	const unsigned kind = NFNL_MSG_TYPE(h->nlmsg_type);
	const struct nfgenmsg *g = mnl_nlmsg_get_payload(h);
	const struct nlattr *name;

	if (kind >= sizeof kinds / sizeof *kinds || !kinds[kind].what) {
		buf_printf(out, "message of kind %u", kind);
		return;
	}
	buf_puts(out, kinds[kind].what);
	name = kinds[kind].name ? filter_attribute(h, kinds[kind].name) : NULL;
	if (name)
		buf_printf(out, " %.128s", mnl_attr_get_str(name));
	if (kind == NFT_MSG_NEWRULE)
		describe_expressions(out, h);
	buf_printf(out, " in table %s %s", filter_family_names[g->nfgen_family == filter_families[FILTER_NETDEV]], FILTER_NAME);
}

static bool is_removal(const struct nlmsghdr *h)
{
	switch (h ? NFNL_MSG_TYPE(h->nlmsg_type) : NFT_MSG_NEWTABLE) {
	case NFT_MSG_DELTABLE:
	case NFT_MSG_DELCHAIN:
	case NFT_MSG_DELRULE:
	case NFT_MSG_DELSET:
	case NFT_MSG_DELSETELEM:
	case NFT_MSG_DELOBJ:
		return true;
	}
	return false;
}

/* `h` is what was refused, or NULL. */
static const char *way_out(int code, const struct nlmsghdr *h)
{
	if (code == ENOENT && is_removal(h))
		return "; somebody else has removed it";
	switch (code) {
	case ENOENT:
	case EOPNOTSUPP:
	case EAFNOSUPPORT:
	case EPROTONOSUPPORT:
		return "; this kernel lacks a part of nf_tables that the policy needs: install the kernel's netfilter "
		       "modules (nf_tables, nft_ct, nft_fib_inet, nft_reject_inet, nft_limit, nft_objref)";
	case EPERM:
		return "; tegd needs the capability CAP_NET_ADMIN in this network namespace";
	case EEXIST:
		return "; somebody else made it";
	case ENFILE: /* nft_add_set_elem() */
		return "; no place is left in the set";
	default:
		return "";
	}
}

/* ---- why it failed ------------------------------------------------------------------- */

/* The kernel's own words for an error (NETLINK_EXT_ACK), or "". */
static const char *kernel_words(const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);
	const struct nlattr *a;
	size_t skip = sizeof *e;

	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return "";
	if (!(h->nlmsg_flags & NLM_F_CAPPED))
		skip += e->msg.nlmsg_len - sizeof e->msg;
	mnl_attr_for_each(a, h, skip)
		if (mnl_attr_get_type(a) == NLMSGERR_ATTR_MSG && !mnl_attr_validate(a, MNL_TYPE_NUL_STRING))
			return mnl_attr_get_str(a);
	return "";
}

static const struct nlmsghdr *message_at(const struct filter_change *c, uint32_t index)
{
	const uint8_t *at = (const uint8_t *)c->messages.at;

	for (uint32_t i = 0; i < index; i++)
		at += NLMSG_ALIGN(((const struct nlmsghdr *)(const void *)at)->nlmsg_len);
	return (const struct nlmsghdr *)(const void *)at;
}

int filter_refused(const struct filter_change *c, uint32_t index, const struct nlmsghdr *answer, struct err *why)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(answer);
	const char *words = kernel_words(answer);
	own(buf) struct buf what = { 0 };

	const struct nlmsghdr *refused = index < c->count ? message_at(c, index) : NULL;

	if (refused)
		describe(&what, refused);
	else
		buf_puts(&what, "the whole change");
	return err_set(why, -e->error, "the kernel refuses %s: %s%s%s%s", buf_text(&what), strerror(-e->error),
		       *words ? ": " : "", words, way_out(-e->error, refused));
}
