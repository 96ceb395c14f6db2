/* A batch of nft's messages: written, opened and placed in a bank; every way of spoiling it is refused. */
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>

#include "lang/bundle/batch.h"
#include "tests/lib/gen.h"
#include "tests/lib/tap.h"

struct draft {
	struct buf bytes;
	uint32_t banks[8];
	size_t bank_count;
};

static size_t begin(struct draft *d, uint16_t type, uint8_t family)
{
	struct nlmsghdr h = { .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE };
	struct nfgenmsg g = { .nfgen_family = family, .version = NFNETLINK_V0 };
	size_t at = d->bytes.len;

	buf_add(&d->bytes, &h, sizeof h);
	buf_add(&d->bytes, &g, sizeof g);
	return at;
}

static void attr(struct draft *d, uint16_t type, const char *text)
{
	struct nlattr a = { (uint16_t)(NLA_HDRLEN + strlen(text) + 1), type };

	buf_add(&d->bytes, &a, sizeof a);
	if (text[0] == BATCH_BANK)
		d->banks[d->bank_count++] = (uint32_t)d->bytes.len;
	buf_add(&d->bytes, text, strlen(text) + 1);
	while (d->bytes.len % 4)
		buf_putc(&d->bytes, '\0');
}

static void end(struct draft *d, size_t at)
{
	uint32_t len = (uint32_t)(d->bytes.len - at);

	memcpy(d->bytes.at + at, &len, sizeof len);
}

#define NFT(kind) (NFNL_SUBSYS_NFTABLES << 8 | (kind))
enum { INET = 1, NETDEV = 5 };

static void chain(struct draft *d, const char *table, const char *name)
{
	size_t at = begin(d, NFT(NFT_MSG_NEWCHAIN), INET);

	attr(d, NFTA_CHAIN_TABLE, table);
	attr(d, NFTA_CHAIN_NAME, name);
	end(d, at);
}

static struct batch as_batch(struct draft *d)
{
	return (struct batch){ (uint8_t *)d->bytes.at, d->bytes.len, d->banks, d->bank_count };
}

static void test_batch_round(void)
{
	struct draft d = { 0 };
	own(buf) struct buf out = { 0 };
	own(batch) struct batch b = { 0 };
	struct err why = { 0 };

	chain(&d, "tegumentar", "@_pre_in");
	chain(&d, "tegumentar", "@_BALANCED_in");
	struct batch drafted = as_batch(&d);
	batch_encode(&out, &drafted);
	if (!tap_ok(!batch_open(&b, out.at, out.len, &why) && !batch_check(&b, "tegumentar", &why),
		    "a batch opens and holds"))
		tap_note("%s", why.text);
	tap_ok(b.len == d.bytes.len && !memcmp(b.messages, d.bytes.at, b.len) && b.bank_count == 2,
	       "with the messages that were encoded");
	batch_place(&b, 'b');
	tap_ok(b.messages[b.banks[0]] == 'b' && !memcmp(b.messages + b.banks[1], "b_BALANCED_in", 14),
	       "and the bank in its places");

	own(batch) struct batch other = { 0 };
	out.at[4] = (char)(3 - out.at[4]);
	tap_ok(batch_open(&other, out.at, out.len, &why) < 0 && strstr(why.text, "byte order"),
	       "one of the other byte order is refused");
	out.at[0] = 9;
	tap_ok(batch_open(&other, out.at, out.len, &why) < 0 && strstr(why.text, "version"),
	       "and one of another version");

	tap_ok(batch_check(&b, "filter", &why) == -1 /* EPERM */ && strstr(why.text, "another table"),
	       "another table's messages are refused");
	buf_release(&d.bytes);
}

/* What one message may not be. Each changes a good batch of two chains. */
static void other_table(struct draft *d) { chain(d, "filter", "@_x"); }
static void no_table(struct draft *d)
{
	size_t at = begin(d, NFT(NFT_MSG_NEWCHAIN), INET);
	attr(d, NFTA_CHAIN_NAME, "x");
	end(d, at);
}
static void two_tables(struct draft *d)
{
	size_t at = begin(d, NFT(NFT_MSG_NEWCHAIN), INET);
	attr(d, NFTA_CHAIN_TABLE, "tegumentar");
	attr(d, NFTA_CHAIN_TABLE, "filter");
	end(d, at);
}
static void same_table_twice(struct draft *d)
{
	size_t at = begin(d, NFT(NFT_MSG_NEWCHAIN), INET);
	attr(d, NFTA_CHAIN_TABLE, "tegumentar");
	attr(d, NFTA_CHAIN_TABLE | NLA_F_NESTED, "tegumentar");
	end(d, at);
}
static void longer_table(struct draft *d) { chain(d, "tegumentarx", "x"); }
static void shorter_table(struct draft *d) { chain(d, "tegumenta", "x"); }
static void hooked(struct draft *d)
{
	size_t at = begin(d, NFT(NFT_MSG_NEWCHAIN), INET);
	attr(d, NFTA_CHAIN_TABLE, "tegumentar");
	attr(d, NFTA_CHAIN_HOOK | NLA_F_NESTED, "....");
	end(d, at);
}
static void of_kind(struct draft *d, uint16_t type, uint8_t family)
{
	size_t at = begin(d, type, family);
	attr(d, 1, "tegumentar");
	end(d, at);
}
static void deletes(struct draft *d) { of_kind(d, NFT(NFT_MSG_DELTABLE), INET); }
static void conntrack(struct draft *d) { of_kind(d, NFNL_SUBSYS_CTNETLINK << 8, INET); }
static void family_ip(struct draft *d) { of_kind(d, NFT(NFT_MSG_NEWCHAIN), 2); }
static void control(struct draft *d) { of_kind(d, NFNL_MSG_BATCH_END, INET); }
static void long_attr(struct draft *d)
{
	size_t at = begin(d, NFT(NFT_MSG_NEWCHAIN), INET);
	attr(d, NFTA_CHAIN_TABLE, "tegumentar");
	struct nlattr a = { 64, NFTA_CHAIN_NAME };
	buf_add(&d->bytes, &a, sizeof a);
	end(d, at);
}
static void empty_attr(struct draft *d)
{
	size_t at = begin(d, NFT(NFT_MSG_NEWCHAIN), INET);
	struct nlattr a = { 0, NFTA_CHAIN_NAME };
	buf_add(&d->bytes, &a, sizeof a);
	end(d, at);
}
static void long_message(struct draft *d)
{
	size_t at = d->bytes.len;
	chain(d, "tegumentar", "x");
	uint32_t len = (uint32_t)(d->bytes.len - at) + 4;
	memcpy(d->bytes.at + at, &len, 4);
}
static void tiny_message(struct draft *d)
{
	size_t at = d->bytes.len;
	chain(d, "tegumentar", "x");
	memcpy(d->bytes.at + at, &(uint32_t){ 16 }, 4);
}
static void numbered(struct draft *d)
{
	size_t at = d->bytes.len;
	chain(d, "tegumentar", "x");
	memcpy(d->bytes.at + at + 8, &(uint32_t){ 7 }, 4);
}
static void bank_no_letter(struct draft *d) { d->banks[1]++; }
static void bank_in_header(struct draft *d)
{
	d->banks[0] = 6;
	d->bytes.at[6] = BATCH_BANK;
}
static void bank_outside(struct draft *d) { d->banks[d->bank_count++] = (uint32_t)d->bytes.len; }
static void bank_twice(struct draft *d) { d->banks[1] = d->banks[0]; }

static const struct {
	const char *claim;
	void (*spoil)(struct draft *d);
	const char *says;
} spoilt_batches[] = {
	{ "another table", other_table, "about another table" },
	{ "no table", no_table, "names 0 tables" },
	{ "two tables", two_tables, "about another table" },
	{ "our table twice", same_table_twice, "names 2 tables" },
	{ "a longer name", longer_table, "about another table" },
	{ "a shorter name", shorter_table, "about another table" },
	{ "a hook", hooked, "hooks a chain" },
	{ "a deletion", deletes, "which makes nothing" },
	{ "a conntrack message", conntrack, "not for nftables" },
	{ "family ip", family_ip, "family 2" },
	{ "a batch's end", control, "not for nftables" },
	{ "an attribute too long", long_attr, "attribute does not fit" },
	{ "an attribute too short", empty_attr, "attribute does not fit" },
	{ "a message too long", long_message, "does not fit" },
	{ "a message too short", tiny_message, "does not fit" },
	{ "a numbered message", numbered, "is numbered" },
	{ "a bank letter that is none", bank_no_letter, "no bank letter" },
	{ "a bank letter in a header", bank_in_header, "no bank letter" },
	{ "a bank letter outside", bank_outside, "out of order" },
	{ "a bank letter twice", bank_twice, "out of order" },
};

static void test_batch_spoilt(void)
{
	for (size_t i = 0; i < ARRAY_LEN(spoilt_batches); i++) {
		struct draft d = { 0 };
		own(buf) struct buf out = { 0 };
		own(batch) struct batch b = { 0 };
		struct err why = { 0 };

		chain(&d, "tegumentar", "@_pre_in");
		chain(&d, "tegumentar", "@_pre_out");
		spoilt_batches[i].spoil(&d);
		struct batch drafted = as_batch(&d);
		batch_encode(&out, &drafted);
		int rc = batch_open(&b, out.at, out.len, &why);
		if (!rc)
			rc = batch_check(&b, "tegumentar", &why);
		if (!tap_ok(rc < 0 && strstr(why.text, spoilt_batches[i].says), "batch refused: %s",
			    spoilt_batches[i].claim))
			tap_note("%d %s", rc, why.text);
		buf_release(&d.bytes);
	}
}

/* Message by message, with the offsets of the whole. */
static bool parts_are_sound(const struct batch *b)
{
	struct err why;
	bool sound = true;
	size_t bank = 0;

	for (size_t at = 0, len; at < b->len; at += len) {
		struct batch part = { .messages = b->messages + at, .banks = b->banks + bank };

		part.len = len = NLMSG_ALIGN(((const struct nlmsghdr *)(const void *)part.messages)->nlmsg_len);
		for (; bank < b->bank_count && b->banks[bank] < at + len; bank++)
			part.bank_count++;
		sound &= !batch_inspect_part(&part, at, "tegumentar", &why);
		part.banks = &(uint32_t){ (uint32_t)(at + len) };
		part.bank_count = 1;
		sound &= batch_inspect_part(&part, at, "tegumentar", &why) == -EINVAL; /* it is the next one's */
	}
	return sound;
}

/* Flips and cuts: refused or harmless, never past an end (the sanitizers watch). */
static void test_batch_mutants(void)
{
	struct draft d = { 0 };
	own(buf) struct buf whole = { 0 };
	struct gen g = gen_new(7);
	unsigned opened = 0;
	bool placed_well = true, agreed = true;

	for (int i = 0; i < 4; i++)
		chain(&d, "tegumentar", "@_some_chain");
	struct batch drafted = as_batch(&d);
	batch_encode(&whole, &drafted);
	for (int i = 0; i < 20000; i++) {
		size_t len = gen_chance(&g, 20) ? gen_below(&g, (unsigned)whole.len + 1) : whole.len;
		own(mem) uint8_t *bytes = malloc(len + 1);
		own(batch) struct batch b = { 0 };
		struct err why;

		memcpy(bytes, whole.at, len);
		for (unsigned n = gen_below(&g, 3); n && len; n--)
			bytes[gen_below(&g, (unsigned)len)] ^= (uint8_t)(1u << gen_below(&g, 8));
		const bool sound = !batch_inspect(bytes, len, "tegumentar", &why);
		if (batch_open(&b, bytes, len, &why)) {
			agreed &= !sound;
			continue;
		}
		opened++;
		agreed &= sound == !batch_check(&b, "tegumentar", &why);
		agreed &= sound == parts_are_sound(&b);
		for (size_t k = 0; k < b.bank_count; k++)
			placed_well &= b.messages[b.banks[k]] == BATCH_BANK;
		batch_place(&b, 'a');
	}
	tap_ok(placed_well && opened > 100, "20000 mutants of a batch do no harm (%u open)", opened);
	tap_ok(agreed, "and looking at one where it lies says what opening and checking it do");
	buf_release(&d.bytes);
}

int main(void)
{
	test_batch_round();
	test_batch_spoilt();
	test_batch_mutants();
	return tap_done();
}
