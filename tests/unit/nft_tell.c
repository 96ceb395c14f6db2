/* What a rule of nft tells: written by the compiler, read by tegd. */
#include <stdio.h>
#include <string.h>

#include "lang/base/arena.h"
#include "lang/bundle/nft_name.h"
#include "lang/bundle/nft_tell.h"
#include "tests/lib/tap.h"

static void inverses(void)
{
	static const uint32_t ones[] = { 1, 2, 20, 0xfffff };
	unsigned wrong = 0;

	for (int v = 0; v < VERDICT_COUNT; v++)
		for (int s = 0; s < EVENT_SEVERITY_COUNT; s++)
			for (size_t i = 0; i < ARRAY_LEN(ones); i++) {
				const struct nft_tell t = { (enum verdict)v, (enum event_severity)s, ones[i], "BALANCED.web" };
				char text[NFT_TELL_MOST + 1];
				struct nft_tell back;

				nft_tell_print(text, &t);
				wrong += !nft_tell_parse(&back, text) || back.verdict != t.verdict || back.severity != t.severity ||
					 back.one_in != t.one_in || strcmp(back.name, t.name);
			}
	tap_num(wrong, 0, "what is written is read again");
}

static void longest(void)
{
	own(arena) struct arena *a = arena_new();
	char id[400], text[NFT_TELL_MOST + 1];
	struct nft_tell back;

	memset(id, 'x', sizeof id - 1);
	id[sizeof id - 1] = '\0';
	const struct nft_tell t = { VERDICT_DROP, EVENT_CRITICAL, UINT32_MAX, nft_name(a, id) };
	nft_tell_print(text, &t);
	tap_ok(strlen(text) <= NFT_TELL_MOST && nft_tell_parse(&back, text) && !strcmp(back.name, t.name),
	       "the longest name stays whole");
	tap_num(back.one_in, NFT_TELL_ONE_IN_MAX, "and the largest sample is the largest there is");
}

static void refused(void)
{
	static const char *const texts[] = { "", "b", "b1", "b1 ", "b BALANCED.web", "b0 BALANCED.web", "m1 BALANCED.web", "A1 BALANCED.web",
					     "b123456 BALANCED.web", "b1  BALANCED.web", "b1 a\"b", "IN: kernel" };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		tap_ok(!nft_tell_parse(&(struct nft_tell){ 0 }, texts[i]), "refused: \"%s\"", texts[i]);
}

int main(void)
{
	inverses();
	longest();
	refused();
	return tap_done();
}
