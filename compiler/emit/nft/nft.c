#include "compiler/emit/nft/nft.h"

#include <string.h>

#include "compiler/emit/emit.h"
#include "compiler/emit/nft/lower.h"

/* Names of both tables, each once: they are the tables'. Sets have no names that a counter has. */
static void keep_names(struct plan *plan, const struct nft_ruleset *rs, struct arena *a)
{
	const struct nft_table *tables[] = { &rs->inet, &rs->netdev };
	size_t most = 0, len = 0;
	const char **names;

	for (size_t t = 0; t < 2; t++)
		most += tables[t]->counters.len + tables[t]->sets.len;
	names = arena_zero(a, (most + 1) * sizeof *names);
	for (size_t t = 0; t < 2; t++) {
		for (size_t i = 0; i < tables[t]->counters.len; i++)
			if (!t || !strmap_find(&rs->inet.by_id, tables[t]->by_id.entries.at[i].name))
				names[len++] = tables[t]->counters.at[i];
		for (size_t i = 0; i < tables[t]->sets.len; i++)
			if (!t || !strmap_find(&rs->inet.by_name, tables[t]->sets.at[i]->name))
				names[len++] = tables[t]->sets.at[i]->name;
	}
	plan->nft_keep = names;
	plan->nft_keep_count = (uint32_t)len;
}

int emit_nft_lower(struct nft_ruleset *out, struct plan *plan, const struct ir *ir, struct arena *a, struct err *why)
{
	if (nft_lower(out, ir, a, why))
		return err_in(why, "nft");
	keep_names(plan, out, a);
	return 0;
}

void emit_nft_print(struct spool *out, const struct nft_ruleset *rs, const struct ir *ir)
{
	buf_printf(&out->held,
		   "# What Tegumentar asks of nftables, in posture %s, as it stands in bank a.\n"
		   "# Layer 4 is table inet %s. Table netdev %s is layers 1 to 3, for hosts where "
		   "XDP does not\n"
		   "# run them. `nft -f` loads this file; `nft delete table inet %s` and its "
		   "netdev sister undo it.\n\n",
		   ir->postures[ir->initial].name, NFT_TABLE_NAME, NFT_TABLE_NAME, NFT_TABLE_NAME);
	nft_print_to(out, &rs->inet, 'a');
	buf_putc(&out->held, '\n');
	nft_print_to(out, &rs->netdev, 'a');
}

int emit_nft(struct emit_nft *out, struct plan *plan, const struct ir *ir, struct arena *a, struct err *why)
{
	struct nft_ruleset rs;
	struct spool text = { 0 };

	if (emit_nft_lower(&rs, plan, ir, a, why))
		return why->code;
	*out = (struct emit_nft){ 0 };
	nft_encode(&out->posture, &rs.inet);
	nft_encode(&out->epiderme, &rs.netdev);
	nft_hook_up(&rs, ir);
	emit_nft_print(&text, &rs, ir);
	out->text = text.held;
	return 0;
}

void emit_nft_release(struct emit_nft *n)
{
	batch_release(&n->posture);
	batch_release(&n->epiderme);
	buf_release(&n->text);
}
