/* What a rule of nft tells: written by the compiler, read by tegd. */
#include <stdio.h>
#include <string.h>

#include "lang/base/arena.h"
#include "lang/bundle/nft_name.h"
#include "lang/bundle/nft_tell.h"
#include "tests/lib/tap.h"

static bool comes_back(const struct nft_tell *t)
{
	char text[NFT_TELL_MOST + 1];
	struct nft_tell back;

	nft_tell_print(text, t);
	return nft_tell_parse(&back, text) && back.by == t->by && back.what == t->what && back.severity == t->severity &&
	       !strcmp(back.name, t->name);
}

static void inverses(void)
{
	unsigned wrong = 0, all = 0;

	for (int by = 0; by < NFT_TELLERS; by++)
		for (int what = 0; what < NFT_TOLDS; what++)
			for (int s = 0; s < EVENT_SEVERITY_COUNT; s++, all++)
				wrong += !comes_back(&(struct nft_tell){ (enum nft_teller)by, (enum nft_told)what,
									 (enum event_severity)s, "BALANCED.web" });
	tap_ok(!wrong, "what is written is read again: %u ways", all);
}

static void longest(void)
{
	own(arena) struct arena *a = arena_new();
	char id[400];

	memset(id, 'x', sizeof id - 1);
	id[sizeof id - 1] = '\0';
	tap_ok(comes_back(&(struct nft_tell){ NFT_TELLS_DROP, NFT_TOLD_BLOCK, EVENT_CRITICAL, nft_name(a, id) }),
	       "the longest name stays whole");
}

static void refused(void)
{
	static const char *const texts[] = { "",		 "p",		     "pa",		 "pa1",		    "pa1 ",
					     "pa BALANCED.web",  "pax BALANCED.web", "pa9 BALANCED.web", "xa1 BALANCED.web", "px1 BALANCED.web",
					     "pa1  BALANCED.web", "pa1 a\"b",	     "Pa1 BALANCED.web", "IN: kernel" };

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
