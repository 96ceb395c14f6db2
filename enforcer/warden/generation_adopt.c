#include "enforcer/warden/generation_parts.h"

#include <errno.h>

#include <bpf/bpf.h>

#include "enforcer/warden/content.h"
#include "enforcer/warden/ledger.h"

/* The handle of the program in the slot, which must be the record's. */
static int adopt_tables(struct generation *g, struct kernel *k, struct err *why)
{
	char path[300];
	uint32_t number;
	int rc;

	if (!g->is.program && k->xdp && k->settings->judge != ENGINE_NFT)
		return err_set(why, ESTALE, "it was staged for nft alone, and --engine is %s now",
			       engine_name(k->settings->judge));
	if (!g->is.program)
		return 0;
	if (!k->xdp)
		return err_set(why, ENOTSUP, "XDP judged, and cannot be had now: %s", k->without);
	rc = xdp_slot(k->xdp, &number, why);
	if (rc)
		return rc;
	if (number != g->is.program)
		return err_set(why, ENOENT, "the program in the slot is number %u, not %u", number, g->is.program);
	own(fd) int program = bpf_prog_get_fd_by_id(number);
	if (program < 0)
		return err_sys(why, "cannot hold the program in the slot");
	generation_path(path, k, "ledger");
	g->slots = arena_zero(g->arena, (g->plan.counter_count + 1) * sizeof *g->slots);
	rc = ledger_read(path, &g->plan, g->slots, why);
	return rc ? rc : tables_adopt(&g->tables, TEG_HOOK_XDP, program, why);
}

static int adopt_bundle(struct generation *g, struct kernel *k, struct err *why)
{
	own(buf) struct buf bytes = { 0 };
	own(bundle) struct bundle *b = NULL;
	int rc = state_read_bundle(&bytes, k->settings->state_dir, &g->is.bundle, why);

	if (!rc)
		rc = bundle_open(&b, bytes.at, bytes.len, why);
	if (!rc)
		rc = content_plan(&g->plan, g->arena, b, why);
	if (rc)
		return rc;
	g->posture = generation_posture_find(&g->plan, g->is.posture);
	if (g->posture == UINT32_MAX)
		return err_set(why, ENOENT, "the policy has no posture %s", g->is.posture);
	return 0;
}

int generation_adopt(struct generation **out, struct kernel *k, const struct record *r, struct err *why)
{
	own(generation) struct generation *g = generation_new();
	own(arena) struct arena *a = arena_new();
	struct filter_live live;
	int rc;

	if (!g)
		return err_set(why, ENOMEM, "no memory for a generation");
	g->is = *r;
	rc = adopt_bundle(g, k, why);
	if (!rc)
		rc = adopt_tables(g, k, why);
	if (!rc)
		rc = filter_look(k->filter, &live, FILTER_WANT_CHAINS, a, why);
	if (rc)
		return rc;
	if (!layout_is_hooked(&live, g->is.bank))
		return err_set(why, ENOENT, "the hooks of bank %c are not there", g->is.bank);
	*out = take(g);
	return 0;
}
