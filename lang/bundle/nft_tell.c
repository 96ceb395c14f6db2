#include "lang/bundle/nft_tell.h"

#include <stdio.h>
#include <string.h>

#include "lang/bundle/nft_name.h"

_Static_assert(NFT_NAME_MOST + 4 <= NFT_TELL_MOST, "two letters, a digit, a space and a name fit");

static const char tellers[] = { [NFT_TELLS_RULE] = 'p', [NFT_TELLS_REFLEX] = 'r', [NFT_TELLS_DROP] = 'd' };
static const char tolds[] = { [NFT_TOLD_ALLOW] = 'a', [NFT_TOLD_DROP] = 'd', [NFT_TOLD_REJECT] = 'j', [NFT_TOLD_BLOCK] = 'b' };

void nft_tell_print(char out[static NFT_TELL_MOST + 1], const struct nft_tell *t)
{
	snprintf(out, NFT_TELL_MOST + 1, "%c%c%d %s", tellers[t->by], tolds[t->what], (int)t->severity, t->name);
}

/* Which of the letters it is, or how many there are. */
static unsigned letter_of(const char *letters, unsigned count, char c)
{
	unsigned i = 0;

	while (i < count && letters[i] != c)
		i++;
	return i;
}

bool nft_tell_parse(struct nft_tell *out, const char *prefix)
{
	if (strlen(prefix) < 5 || prefix[3] != ' ' || !nft_name_holds(prefix + 4))
		return false;

	const unsigned by = letter_of(tellers, NFT_TELLERS, prefix[0]), what = letter_of(tolds, NFT_TOLDS, prefix[1]);
	const unsigned severity = (unsigned char)prefix[2] - '0';

	if (by == NFT_TELLERS || what == NFT_TOLDS || severity >= EVENT_SEVERITY_COUNT)
		return false;
	*out = (struct nft_tell){ (enum nft_teller)by, (enum nft_told)what, (enum event_severity)severity, prefix + 4 };
	return true;
}
