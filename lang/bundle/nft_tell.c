#include "lang/bundle/nft_tell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lang/bundle/nft_name.h"

_Static_assert(NFT_NAME_MOST + 7 <= NFT_TELL_MOST, "a letter, five digits, a space and a name fit");

void nft_tell_print(char out[static NFT_TELL_MOST + 1], const struct nft_tell *t)
{
	const int what = 'a' + 3 * (int)t->severity + (int)t->verdict;
	const uint32_t one_in = t->one_in < 1 ? 1 : t->one_in > NFT_TELL_ONE_IN_MAX ? NFT_TELL_ONE_IN_MAX : t->one_in;

	snprintf(out, NFT_TELL_MOST + 1, "%c%x %s", what, one_in, t->name);
}

bool nft_tell_parse(struct nft_tell *out, const char *prefix)
{
	const unsigned what = (unsigned char)prefix[0] - 'a';
	const char *digits = prefix + 1;
	const size_t len = strspn(digits, "0123456789abcdef");

	if (what >= 3 * EVENT_SEVERITY_COUNT || !len || len > 5 || digits[len] != ' ' || !nft_name_holds(digits + len + 1))
		return false;
	*out = (struct nft_tell){
		.verdict = (enum verdict)(what % 3), .severity = (enum event_severity)(what / 3),
		.one_in = (uint32_t)strtoul(digits, NULL, 16), .name = digits + len + 1,
	};
	return out->one_in > 0;
}
