/* The text of a bundle and its batches make the same live ruleset: of generated policies, and of lists that stand in trees. */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/nft_lab.h"
#include "tests/lib/tap.h"

/* The text's ingress chain has only the devices that are named without a star. */
static bool load_text(const struct nft_lab *lab)
{
	return live_nft(buf_text(&lab->nft.text));
}

/* The line in which two listings differ. */
static void note_lines(const char *want, const char *got)
{
	const char *from = want;
	size_t line;

	for (; *want && *want == *got; want++, got++)
		if (*want == '\n')
			from = want + 1;
	line = strcspn(want, "\n");
	tap_note("text:  %.*s", (int)(want - from + (ptrdiff_t)line), from);
	tap_note("batch: %.*s%.*s", (int)(want - from), from, (int)strcspn(got, "\n"), got);
}

/* A listing has sets and chains in the order in which they came; base chains come last in both. */
static bool lists_alike(struct nft_lab *lab, unsigned seed)
{
	own(buf) struct buf text = { 0 }, batch = { 0 };
	struct err why = { 0 };
	bool ok = load_text(lab) && live_list("table " NFT_OURS_INET, &text) && live_list("table " NFT_OURS_NETDEV, &text) && nft_lab_unload();

	if (!tap_ok(ok, "policy %u: nft -f takes the text", seed))
		return false;
	ok = nft_lab_send(lab, 'a', &why) && nft_lab_hook(lab, 'a') && live_list("table " NFT_OURS_INET, &batch) &&
	     live_list("table " NFT_OURS_NETDEV, &batch) && nft_lab_unload();
	if (!tap_ok(ok, "policy %u: the kernel takes the batches", seed)) {
		tap_note("%s", why.text);
		return false;
	}
	if (tap_ok(!strcmp(buf_text(&text), buf_text(&batch)), "policy %u: both make the same live ruleset", seed))
		return true;
	note_lines(buf_text(&text), buf_text(&batch));
	return false;
}

static void texts_and_batches_agree(const struct gen_shape *shape, unsigned first, unsigned count)
{
	for (unsigned seed = first; seed < first + count; seed++) {
		own(arena) struct arena *a = arena_new();
		struct gen g = gen_new(seed);
		struct policy *p = gen_policy(&g, a, shape);
		struct netset self = gen_self(&g, a);
		struct err why = { 0 };
		struct nft_lab lab;

		nft_lab_widen(a, p, "br-x1", "br-y*");
		if (nft_lab_open(&lab, p, a, &self, &why)) {
			tap_ok(false, "policy %u: %s", seed, why.text);
			return;
		}
		bool ok = lists_alike(&lab, seed);
		nft_lab_close(&lab);
		if (!ok)
			return;
	}
}

int main(int argc, char **argv)
{
	unsigned seed = argc > 1 ? (unsigned)atoi(argv[1]) : 1;

	if (!live_may()) {
		tap_skip("needs root for a network namespace", "the text is what is sent");
		return tap_done();
	}
	texts_and_batches_agree(&gen_shape_usual, seed, 8);
	texts_and_batches_agree(&gen_shape_telling, seed, 8);
	texts_and_batches_agree(&nft_long_lists, seed, 2);
	return tap_done();
}
