#include "lang/bundle/nft_name.h"

#include <string.h>

#include "lang/base/buf.h"
#include "lang/base/digest.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define PLAIN	LETTERS "0123456789_.-"
#define HEX	"0123456789abcdef"

/* strchr would find the NUL. */
static bool among(char c, const char *set)
{
	return c && strchr(set, c);
}

const char *nft_name(struct arena *a, const char *id)
{
	own(buf) struct buf name = { 0 };

	if (!among(id[0], LETTERS))
		buf_puts(&name, "n_6e");
	for (const char *c = id; *c; c++) {
		bool reads_as_escape = *c == '_' && among(c[1], HEX) && among(c[2], HEX);

		if (among(*c, PLAIN) && !reads_as_escape)
			buf_putc(&name, *c);
		else
			buf_printf(&name, "_%02x", (unsigned char)*c);
	}
	if (name.len > NFT_NAME_MOST) {
		struct digest d = digest_of(id, strlen(id));
		return arena_printf(a, "%.*s_6e%.32s", NFT_NAME_MOST - 35, name.at, d.hex);
	}
	return arena_strdup(a, buf_text(&name));
}

static bool holds(const char *name, size_t most)
{
	size_t len = strlen(name);

	return len <= most && among(name[0], LETTERS) && strspn(name, PLAIN) == len;
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
