#include "compiler/emit/nft.h"

#include <string.h>

#include "compiler/emit/emit.h"
#include "compiler/emit/nft_lower.h"
#include "lang/base/strmap.h"

/* Names of both tables, each once; they outlive the tables. */
static void keep_names(struct plan *plan, const struct nft_ruleset *rs, struct arena *a)
{
	const struct nft_table *tables[] = { &rs->inet, &rs->netdev };
	const char **names;
	struct strmap seen;

	strmap_init(&seen, rs->inet.arena);
	for (size_t t = 0; t < 2; t++) {
		for (size_t i = 0; i < tables[t]->counters.len; i++)
			strmap_put(&seen, tables[t]->counters.at[i], plan);
		for (size_t i = 0; i < tables[t]->sets.len; i++)
			strmap_put(&seen, tables[t]->sets.at[i]->name, plan);
	}
	names = arena_zero(a, (seen.entries.len + 1) * sizeof *names);
	for (size_t i = 0; i < seen.entries.len; i++)
		names[i] = arena_strdup(a, seen.entries.at[i].name);
	plan->nft_keep = names;
	plan->nft_keep_count = (uint32_t)seen.entries.len;
}

static void print_all(struct buf *out, struct nft_ruleset *rs, const struct ir *ir)
{
	buf_printf(out,
		   "# What Tegumentar asks of nftables, in posture %s, as it stands in bank a.\n"
		   "# Layer 4 is table inet %s. Table netdev %s is layers 1 to 3, for hosts where "
		   "XDP does not\n"
		   "# run them. `nft -f` loads this file; `nft delete table inet %s` and its "
		   "netdev sister undo it.\n\n",
		   ir->postures[ir->initial].name, NFT_TABLE_NAME, NFT_TABLE_NAME, NFT_TABLE_NAME);
	nft_hook_up(rs, ir);
	nft_print(out, &rs->inet, 'a');
	buf_putc(out, '\n');
	nft_print(out, &rs->netdev, 'a');
}

int emit_nft(struct emit_nft *out, struct plan *plan, const struct ir *ir, struct arena *a,
	     struct err *why)
{
	own(arena) struct arena *scratch = arena_new();
	struct nft_ruleset rs;
	struct emit_nft n = { 0 };
	int rc = nft_lower(&rs, ir, scratch, why);

	if (rc)
		return err_in(why, "nft");

	nft_encode(&n.posture, &rs.inet);
	nft_encode(&n.epiderme, &rs.netdev);
	print_all(&n.text, &rs, ir);
	keep_names(plan, &rs, a);
	*out = n;
	return 0;
}

void emit_nft_release(struct emit_nft *n)
{
	batch_release(&n->posture);
	batch_release(&n->epiderme);
	buf_release(&n->text);
}
