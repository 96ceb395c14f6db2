#include "lang/bundle/batch.h"

#include <assert.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lang/base/wire.h"

#define BATCH_VERSION 1u

/* Netlink is in the byte order of its machine, so a batch is for machines of that order. */
#define BATCH_ORDER (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 1u : 2u)

#define FAMILY_INET   1u /* NFPROTO_INET and NFPROTO_NETDEV of linux/netfilter.h, whose */
#define FAMILY_NETDEV 5u /* other contents quarrel with the C library's */

void batch_release(struct batch *b)
{
	free(b->messages);
	free(b->banks);
	*b = (struct batch){ 0 };
}

void batch_encode_head(struct buf *out, size_t len)
{
	assert(len <= UINT32_MAX);
	wire_put_u32(out, BATCH_VERSION);
	wire_put_u32(out, BATCH_ORDER);
	wire_put_u32(out, (uint32_t)len);
}

void batch_encode_banks(struct buf *out, const uint32_t *banks, size_t count)
{
	wire_put_u32(out, (uint32_t)count);
	for (size_t i = 0; i < count; i++)
		wire_put_u32(out, banks[i]);
}

void batch_encode(struct buf *out, const struct batch *b)
{
	batch_encode_head(out, b->len);
	buf_add(out, b->messages, b->len);
	batch_encode_banks(out, b->banks, b->bank_count);
}

static const struct nlmsghdr *message_at(const struct batch *b, size_t at)
{
	return (const struct nlmsghdr *)(const void *)(b->messages + at);
}

#define HEADERS (NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct nfgenmsg)))

/* Every message whole, aligned, unnumbered. */
static int messages_hold(const struct batch *b, struct err *why)
{
	for (size_t at = 0; at < b->len;) {
		size_t left = b->len - at;
		const struct nlmsghdr *m = message_at(b, at);

		if (left < HEADERS || m->nlmsg_len < HEADERS || m->nlmsg_len > left ||
		    NLMSG_ALIGN(m->nlmsg_len) > left)
			return err_set(why, EINVAL, "message at byte %zu does not fit", at);
		if (m->nlmsg_seq || m->nlmsg_pid)
			return err_set(why, EINVAL, "message at byte %zu is numbered", at);
		at += NLMSG_ALIGN(m->nlmsg_len);
	}
	return 0;
}

/* Each bank letter in the attributes of a message, never in its headers; ascending. */
static int banks_hold(const struct batch *b, size_t from, struct err *why)
{
	size_t at = 0;

	for (size_t i = 0; i < b->bank_count; i++) {
		const size_t bank = b->banks[i] - from;

		if (b->banks[i] < from || bank >= b->len || (i && b->banks[i] <= b->banks[i - 1]))
			return err_set(why, EINVAL, "bank letter %zu is out of order", i);
		while (bank >= at + NLMSG_ALIGN(message_at(b, at)->nlmsg_len))
			at += NLMSG_ALIGN(message_at(b, at)->nlmsg_len);
		if (bank < at + HEADERS || b->messages[bank] != BATCH_BANK)
			return err_set(why, EINVAL, "no bank letter at byte %u", b->banks[i]);
	}
	return 0;
}

/* Its messages stay where they are. */
static int batch_read(struct batch *b, const void **messages, struct wire_in *in, struct err *why)
{

	if (wire_get_u32(in) != BATCH_VERSION)
		return err_set(why, EINVAL, "not a batch of version %u", BATCH_VERSION);
	if (wire_get_u32(in) != BATCH_ORDER)
		return err_set(why, EINVAL, "made for machines of the other byte order");

	*messages = wire_get_bytes(in, &b->len);
	b->bank_count = wire_get_count(in, sizeof *b->banks);
	b->banks = calloc(b->bank_count + 1, sizeof *b->banks);
	if (!b->banks)
		return err_set(why, ENOMEM, "no memory for %zu bytes", b->bank_count * sizeof *b->banks);
	for (size_t i = 0; i < b->bank_count; i++)
		b->banks[i] = wire_get_u32(in);
	if (!wire_done(in))
		return err_set(why, EINVAL, "truncated, or more than the batch");
	return 0;
}

int batch_open(struct batch *out, const void *bytes, size_t len, struct err *why)
{
	own(batch) struct batch b = { 0 };
	struct wire_in in = { bytes, len, false };
	const void *messages;
	int rc = batch_read(&b, &messages, &in, why);

	if (!rc && !(b.messages = malloc(b.len + 1)))
		return err_set(why, ENOMEM, "no memory for %zu bytes", b.len);
	if (!rc && b.len)
		memcpy(b.messages, messages, b.len);
	if (!rc)
		rc = messages_hold(&b, why);
	if (!rc)
		rc = banks_hold(&b, 0, why);
	if (rc)
		return rc;

	*out = b;
	b = (struct batch){ 0 };
	return 0;
}

/*
 * What a batch may do: make things in our table. Removing is the warden's, as
 * is hooking: a chain with a hook would judge packets before its generation is
 * committed.
 */
static const struct {
	uint8_t kind;
	uint16_t hook; /* attribute that would attach it to a hook; 0: it has none */
} allowed[] = {
	{ NFT_MSG_NEWTABLE, 0 },
	{ NFT_MSG_NEWCHAIN, NFTA_CHAIN_HOOK },
	{ NFT_MSG_NEWRULE, 0 },
	{ NFT_MSG_NEWSET, 0 },
	{ NFT_MSG_NEWSETELEM, 0 },
	{ NFT_MSG_NEWOBJ, 0 },
};

/*
 * In all these messages attribute 1 is the name of the table: NFTA_TABLE_NAME,
 * NFTA_CHAIN_TABLE, NFTA_RULE_TABLE, NFTA_SET_TABLE, NFTA_SET_ELEM_LIST_TABLE,
 * NFTA_OBJ_TABLE. The kernel takes the last of equal attributes (nla_parse), so
 * a second one is refused.
 */
_Static_assert(NFTA_TABLE_NAME == 1 && NFTA_CHAIN_TABLE == 1 && NFTA_RULE_TABLE == 1 &&
	       NFTA_SET_TABLE == 1 && NFTA_SET_ELEM_LIST_TABLE == 1 && NFTA_OBJ_TABLE == 1,
	       "attribute 1 names the table");

static bool text_is(const struct nlattr *a, const char *text)
{
	const char *value = (const char *)a + NLA_HDRLEN;
	size_t len = a->nla_len - NLA_HDRLEN;

	if (len && value[len - 1] == '\0')
		len--;
	return len == strlen(text) && !memcmp(value, text, len);
}

static int attributes_hold(const struct nlmsghdr *m, const char *table, uint16_t hook,
			   struct err *why)
{
	size_t left = m->nlmsg_len - HEADERS;
	const uint8_t *at = (const uint8_t *)m + HEADERS;
	unsigned tables = 0;

	while (left) {
		const struct nlattr *a = (const void *)at;

		if (left < NLA_HDRLEN || a->nla_len < NLA_HDRLEN || a->nla_len > left)
			return err_set(why, EINVAL, "an attribute does not fit");
		uint16_t type = a->nla_type & NLA_TYPE_MASK;
		if (type == 1) {
			tables++;
			if (!text_is(a, table))
				return err_set(why, EPERM, "it is about another table than %s", table);
		}
		if (hook && type == hook)
			return err_set(why, EPERM, "it hooks a chain");
		size_t step = NLA_ALIGN(a->nla_len);
		if (step > left)
			return err_set(why, EINVAL, "an attribute does not fit");
		at += step;
		left -= step;
	}
	if (tables != 1)
		return err_set(why, EPERM, "it names %u tables, not one", tables);
	return 0;
}

static int message_holds(const struct nlmsghdr *m, const char *table, struct err *why)
{
	const struct nfgenmsg *g = NLMSG_DATA(m);

	if (NFNL_SUBSYS_ID(m->nlmsg_type) != NFNL_SUBSYS_NFTABLES)
		return err_set(why, EPERM, "it is not for nftables");
	if (g->nfgen_family != FAMILY_INET && g->nfgen_family != FAMILY_NETDEV)
		return err_set(why, EPERM, "it is of family %u, neither inet nor netdev",
			       g->nfgen_family);
	for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
		if (allowed[i].kind == NFNL_MSG_TYPE(m->nlmsg_type))
			return attributes_hold(m, table, allowed[i].hook, why);
	return err_set(why, EPERM, "it is of kind %u, which makes nothing",
		       (unsigned)NFNL_MSG_TYPE(m->nlmsg_type));
}

int batch_check(const struct batch *b, const char *table, struct err *why)
{
	for (size_t at = 0; at < b->len; at += NLMSG_ALIGN(message_at(b, at)->nlmsg_len))
		if (message_holds(message_at(b, at), table, why))
			return err_in(why, "message at byte %zu", at);
	return 0;
}

int batch_inspect_part(const struct batch *part, size_t from, const char *table, struct err *why)
{
	int rc = messages_hold(part, why);

	if (!rc)
		rc = banks_hold(part, from, why);
	return rc ? rc : batch_check(part, table, why);
}

int batch_inspect(const void *bytes, size_t len, const char *table, struct err *why)
{
	struct batch b = { 0 };
	struct wire_in in = { bytes, len, false };
	const void *messages = NULL;
	int rc = batch_read(&b, &messages, &in, why);

	b.messages = (uint8_t *)messages;
	if (!rc)
		rc = batch_inspect_part(&b, 0, table, why);
	free(b.banks);
	return rc;
}

void batch_place(struct batch *b, char bank)
{
	for (size_t i = 0; i < b->bank_count; i++)
		b->messages[b->banks[i]] = (uint8_t)bank;
}
