#include "lang/bundle/nft_name.h"

#include <string.h>

#include "lang/base/buf.h"
#include "lang/base/digest.h"

/* Of ASCII, whatever the locale. */
static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_plain(char c)
{
	return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* As far as the name is written as it is. */
static size_t plain_len(const char *s)
{
	size_t len = 0;

	while (is_plain(s[len]) && !(s[len] == '_' && is_hex(s[len + 1]) && is_hex(s[len + 2])))
		len++;
	return len;
}

const char *nft_name(struct arena *a, const char *id)
{
	own(buf) struct buf name = { 0 };
	size_t plain;

	if (is_letter(id[0]) && !id[plain = plain_len(id)] && plain <= NFT_NAME_MOST)
		return id;
	if (!is_letter(id[0]))
		buf_puts(&name, "n_6e");
	for (const char *c = id; *c; c += plain) {
		plain = plain_len(c);
		buf_add(&name, c, plain);
		if (!plain)
			buf_printf(&name, "_%02x", (unsigned char)*c++);
	}
	if (name.len > NFT_NAME_MOST) {
		struct digest d = digest_of(id, strlen(id));
		return arena_printf(a, "%.*s_6e%.32s", NFT_NAME_MOST - 35, name.at, d.hex);
	}
	return arena_strdup(a, buf_text(&name));
}

static bool holds(const char *name, size_t most)
{
	size_t len = 0;

	while (is_plain(name[len]))
		len++;
	return len <= most && is_letter(name[0]) && !name[len];
}

bool nft_name_holds(const char *name)
{
	return holds(name, NFT_NAME_MOST);
}

bool nft_chain_name_holds(const char *name)
{
	return holds(name, NFT_CHAIN_MOST);
}

const char *nft_feed_set(struct arena *a, const char *feed, enum family f)
{
	return nft_name(a, arena_printf(a, NFT_FEED_BEGINS "%s.%c", feed, f == FAMILY_IP4 ? '4' : '6'));
}
