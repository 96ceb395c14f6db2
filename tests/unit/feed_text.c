/* A feed's text becomes what is on it, in every format; what is wrong in it is told with its line. */
#include <stdlib.h>
#include <string.h>

#include "enforcer/api/feed_text.h"
#include "lang/bundle/feed_pack.h"
#include "tests/lib/tap.h"

#define NO_ENTRY "no address or prefix is in it, as after a download that failed"
#define NOON 1769860800 /* 2026-01-31T12:00:00Z */

static const struct {
	const char *what;
	enum feed_format format;
	const char *member;
	uint32_t column;
	const char *text, *is; /* the set, or what is wrong */
	uint32_t entries;
} rows[] = {
	{ "addresses and prefixes", FORMAT_NETSET, "", 0, "198.51.100.7\n# a comment\n\n 203.0.113.0/24 ; SBL1\r\n2001:db8::/32\n",
	  "[198.51.100.7, 203.0.113.0/24, 2001:db8::/32]", 3 },
	{ "what lies in another, and halves", FORMAT_NETSET, "", 0, "10.0.0.0/25\n10.0.0.128/25\n10.0.0.7\n10.0.0.7", "[10.0.0.0/24]", 4 },
	{ "IPv4 in IPv6", FORMAT_NETSET, "", 0, "::ffff:192.0.2.7\n::ffff:198.51.100.0/120\n", "[192.0.2.7, 198.51.100.0/24]", 2 },
	{ "all of IPv4 in IPv6", FORMAT_NETSET, "", 0, "::ffff:0:0/96\n", "line 1: `::ffff:0:0/96` is everything: that is no feed", 0 },
	{ "a byte order mark", FORMAT_NETSET, "", 0, "\xef\xbb\xbf" "198.51.100.7\n", "[198.51.100.7]", 1 },
	{ "one in a later line", FORMAT_NETSET, "", 0, "10.0.0.1\n\xef\xbb\xbf" "10.0.0.2\n", "line 2: `???10.0.0.2` is no address or prefix", 0 },
	{ "one before an object", FORMAT_JSON_LINES, "cidr", 0, "\xef\xbb\xbf{\"cidr\":\"192.0.2.0/24\"}\n", "[192.0.2.0/24]", 1 },
	{ "one before columns", FORMAT_CSV, "", 1, "\xef\xbb\xbf" "192.0.2.1,x\n", "[192.0.2.1]", 1 },
	{ "one before indicators", FORMAT_STIX, "", 0,
	  "\xef\xbb\xbf{\"objects\":[{\"type\":\"indicator\",\"pattern\":\"[ipv4-addr:value = '192.0.2.1']\"}]}", "[192.0.2.1]", 1 },
	{ "nothing", FORMAT_NETSET, "", 0, "", NO_ENTRY, 0 },
	{ "a comment alone", FORMAT_NETSET, "", 0, "; empty\n", NO_ENTRY, 0 },
	{ "the names of columns alone", FORMAT_CSV, "", 2, "name,address\n", NO_ENTRY, 0 },
	{ "objects without the member alone", FORMAT_JSON_LINES, "cidr", 0, "{\"type\":\"metadata\"}\n", NO_ENTRY, 0 },
	{ "no indicators", FORMAT_STIX, "", 0, "{\"objects\":[]}", NO_ENTRY, 0 },
	{ "a word", FORMAT_NETSET, "", 0, "198.51.100.7\nbad\n", "line 2: `bad` is no address or prefix", 0 },
	{ "host bits", FORMAT_NETSET, "", 0, "198.51.100.7/24\n", "line 1: `198.51.100.7/24` has bits beyond its length", 0 },
	{ "everything", FORMAT_NETSET, "", 0, "::/0\n", "line 1: `::/0` is everything: that is no feed", 0 },
	{ "everything in halves", FORMAT_NETSET, "", 0, "10.0.0.1\n::/1\n8000::/1\n", "its entries together are everything: that is no feed", 0 },
	{ "a half", FORMAT_NETSET, "", 0, "128.0.0.0/1\n", "[128.0.0.0/1]", 1 },
	{ "a length of none", FORMAT_NETSET, "", 0, "10.0.0.0/33\n", "line 1: `10.0.0.0/33` is longer than an address", 0 },
	{ "signs that no terminal should get", FORMAT_NETSET, "", 0, "\x1b[2J\xff\n", "line 1: `?[2J?` is no address or prefix", 0 },
	{ "one too many", FORMAT_NETSET, "", 0, "10.0.0.1\n10.0.0.1\n10.0.0.1\n10.0.0.1\n10.0.0.1\n10.0.0.1\n",
	  "line 6: the feed has more than 5 entries, which the policy says are the most", 0 },
	{ "an object a line", FORMAT_JSON_LINES, "cidr", 0,
	  "{\"cidr\":\"192.0.2.0/24\",\"rir\":\"x\"}\n{\"cidr\":\"2001:db8::1\"}\n{\"type\":\"metadata\",\"size\":2}\n",
	  "[192.0.2.0/24, 2001:db8::1]", 2 },
	{ "a line that is no object", FORMAT_JSON_LINES, "cidr", 0, "[1]\n", "line 1: `[1]` is no JSON object", 0 },
	{ "more than an object", FORMAT_JSON_LINES, "cidr", 0, "{} {}\n", "line 1: `{} {}` is no JSON object", 0 },
	{ "a member that is a number", FORMAT_JSON_LINES, "cidr", 0, "{\"cidr\":7}\n", "line 1: `cidr` is no text there", 0 },
	{ "a column", FORMAT_CSV, "", 2, "name,address\n\"a, b\",192.0.2.1\n# what follows\nc, \"192.0.2.3\" ,x\nd,\"192.0.2.\"\"5\"\"\"\n",
	  "line 5: `192.0.2.\"5\"` is no address or prefix", 0 },
	{ "columns that are quoted", FORMAT_CSV, "", 2, "\"a, \"\"b\"\"\",192.0.2.1\nc , \"192.0.2.3\" ,x\n", "[192.0.2.1, 192.0.2.3]", 2 },
	{ "a column that is not there", FORMAT_CSV, "", 3, "a,b,192.0.2.1\na,b\n", "line 2: there is no column 3", 0 },
	{ "a quote without an end", FORMAT_CSV, "", 1, "\"192.0.2.1\n", "line 1: a quote does not end", 0 },
	{ "a second line of words", FORMAT_CSV, "", 1, "address\nmore\n", "line 2: `more` is no address or prefix", 0 },
	{ "indicators", FORMAT_STIX, "", 0,
	  "{\"type\":\"bundle\",\"objects\":[{\"type\":\"indicator\",\"pattern\":\"[ipv4-addr:value = '192.0.2.1' OR ipv6-addr:value = '2001:db8::1']\"},"
	  "{\"type\":\"indicator\",\"pattern\":\"[ipv4-addr:value ISSUBSET '198.51.100.0/24']\"},"
	  "{\"type\":\"indicator\",\"pattern\":\"[url:value = 'http://192.0.2.9/']\"},"
	  "{\"type\":\"indicator\",\"pattern\":\"[ipv4-addr:value = '192.0.2.8'] AND [url:value = 'x']\"},"
	  "{\"type\":\"indicator\",\"revoked\":true,\"pattern\":\"[ipv4-addr:value = '192.0.2.7']\"},"
	  "{\"type\":\"malware\",\"pattern\":\"[ipv4-addr:value = '192.0.2.6']\"}]}",
	  "[192.0.2.1, 198.51.100.0/24, 2001:db8::1]", 3 },
	{ "indicators whose time is over, is not, or is over now", FORMAT_STIX, "", 0,
	  "{\"objects\":[{\"type\":\"indicator\",\"valid_until\":\"2026-01-31T11:59:59.999Z\",\"pattern\":\"[ipv4-addr:value = '192.0.2.1']\"},"
	  "{\"type\":\"indicator\",\"valid_until\":\"2026-01-31T12:00:01Z\",\"pattern\":\"[ipv4-addr:value = '192.0.2.2']\"},"
	  "{\"type\":\"indicator\",\"valid_until\":\"2026-01-31T12:00:00Z\",\"pattern\":\"[ipv4-addr:value = '192.0.2.3']\"}]}",
	  "[192.0.2.2]", 1 },
	{ "indicators that are all over, or revoked", FORMAT_STIX, "", 0,
	  "{\"objects\":[{\"type\":\"indicator\",\"valid_until\":\"2026-01-31T11:59:59Z\",\"pattern\":\"[ipv4-addr:value = '192.0.2.1']\"},"
	  "{\"type\":\"indicator\",\"revoked\":true,\"pattern\":\"[ipv4-addr:value = '192.0.2.2']\"}]}",
	  "[]", 0 },
	{ "a time that is none", FORMAT_STIX, "", 0,
	  "{\"objects\":[{\"type\":\"indicator\",\"valid_until\":\"2026-01-31\",\"pattern\":\"[ipv4-addr:value = '192.0.2.1']\"}]}",
	  "object 1: `valid_until` is no time, such as 2026-01-31T12:00:00Z", 0 },
	{ "an indicator of no address", FORMAT_STIX, "", 0,
	  "{\"objects\":[{\"type\":\"indicator\",\"pattern\":\"[ipv4-addr:value = '192.0.2']\"}]}",
	  "object 1: `192.0.2` is no address or prefix", 0 },
	{ "no bundle", FORMAT_STIX, "", 0, "{\"objects\":7}", "it is no STIX bundle: a JSON object with `objects`", 0 },
};

static const char *printed(struct arena *a, const struct buf *packed)
{
	struct feed_content c;
	struct err why = { 0 };
	VEC(struct addr_range) all[FAMILY_COUNT] = { 0 };
	struct addr_range *at[FAMILY_COUNT];
	size_t len[FAMILY_COUNT];
	own(buf) struct buf out = { 0 };

	if (feed_unpack(&c, packed->at, packed->len, 1000, &why))
		return arena_strdup(a, why.text);
	for (int f = 0; f < FAMILY_COUNT; f++) {
		struct addr_range r;

		for (uint32_t i = 0; feed_range(&c, (enum family)f, &i, &r);)
			vec_push(a, &all[f], r);
		at[f] = all[f].at;
		len[f] = all[f].len;
	}
	const struct netset set = netset_of_ranges(a, at, len);
	netset_print(&out, &set);
	return arena_strdup(a, buf_text(&out));
}

static void texts(struct arena *a)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct feed_text how = { rows[i].format, rows[i].member, rows[i].column, 5, NOON };
		own(buf) struct buf packed = { 0 };
		struct err why = { 0 };
		uint32_t entries = 0;
		char *text = arena_strdup(a, rows[i].text);
		int rc = feed_text_read(&packed, &entries, &how, text, strlen(text), &why);

		tap_text(rc ? why.text : printed(a, &packed), rows[i].is, rows[i].what);
		if (!rc)
			tap_num(entries, rows[i].entries, "its entries");
	}
}

static void zero_byte(void)
{
	const struct feed_text how = { .format = FORMAT_NETSET, .most = 5 };
	own(buf) struct buf packed = { 0 };
	char text[] = "10.0.0.1\0\n";
	struct err why = { 0 };
	uint32_t entries;

	feed_text_read(&packed, &entries, &how, text, sizeof text - 1, &why);
	tap_text(why.text, "a byte of it is zero: it is no text", "a zero byte");
}

/* Packed by hand: counts, then prefixes. */
static void packs(void)
{
	static const struct { const char *what; uint8_t bytes[32]; size_t len; bool holds; } given[] = {
		{ "one address", { 1, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1, 32 }, 13, true },
		{ "none", { 0 }, 8, true },
		{ "two in order", { 2, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1, 32, 10, 0, 0, 2, 32 }, 18, true },
		{ "out of order", { 2, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2, 32, 10, 0, 0, 1, 32 }, 18, false },
		{ "one twice", { 2, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1, 32, 10, 0, 0, 1, 32 }, 18, false },
		{ "one in another", { 2, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 24, 10, 0, 0, 1, 32 }, 18, false },
		{ "two halves", { 2, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2, 32, 10, 0, 0, 3, 32 }, 18, false },
		{ "host bits", { 1, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1, 24 }, 13, false },
		{ "a length of none", { 1, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 33 }, 13, false },
		{ "too few bytes", { 1, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1 }, 12, false },
		{ "a byte more", { 1, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1, 32, 0 }, 14, false },
		{ "no counts", { 1, 0, 0 }, 3, false },
		{ "more than there may be", { 6, 0, 0, 0, 0, 0, 0, 0 }, 8, false },
		{ "a number of them that wraps", { 255, 255, 255, 255, 2, 0, 0, 0 }, 8, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(given); i++) {
		struct feed_content c;
		struct err why = { 0 };

		tap_ok(!feed_unpack(&c, given[i].bytes, given[i].len, 5, &why) == given[i].holds, "packed: %s", given[i].what);
	}
}

int main(void)
{
	own(arena) struct arena *a = arena_new();

	texts(a);
	zero_byte();
	packs();
	return tap_done();
}
