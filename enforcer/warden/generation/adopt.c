/*
 * adopt.c - what the journal says is in force, found again in the kernel as it stands.
 */
#include "enforcer/warden/generation/parts.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "enforcer/hook/ledger.h"
#include "enforcer/warden/generation/content.h"

/* A descriptor of the program in the hook's slot, which must be the record's. */
static int hold_program(int *out, const struct generation *g, struct kernel *k, enum teg_hook hook, struct err *why)
{
	uint32_t number;
	int rc = slot_read(kernel_slot(k, hook), &number, why);

	if (rc)
		return rc;
	if (number != g->is.program[hook])
		return err_set(why, ENOENT, "the program in the slot is number %u, not %u", number, g->is.program[hook]);
	*out = bpf_prog_get_fd_by_id(number);
	return *out < 0 ? err_sys(why, "cannot hold the program in the slot") : 0;
}

/* A switch that ended between the two slots left the second program pinned: see switch_slots(). */
static void finish_slots(const struct generation *g, struct kernel *k)
{
	char path[PATH_MAX];
	uint32_t number;
	uint64_t tag;
	struct err ignored;

	generation_next_tc(path, k);
	own(fd) int next = bpf_obj_get(path);
	if (next >= 0 && !slot_program_is(next, &number, &tag, &ignored) && number == g->is.program[TEG_HOOK_TC] &&
	    !slot_put(k->shared.tc_slots, next, &ignored))
		kernel_wait_for_packets();
	unlink(path);
}

static int adopt_tc(struct generation *g, struct kernel *k, struct err *why)
{
	own(fd) int program = -1;

	if (!g->is.program[TEG_HOOK_TC])
		return 0;
	int rc = hold_program(&program, g, k, TEG_HOOK_TC, why);
	return rc ? rc : tables_adopt_more(g->tables, TEG_HOOK_TC, program, why);
}

/* The handle of the programs in the slots. */
static int adopt_tables(struct generation *g, struct kernel *k, struct err *why)
{
	own(fd) int program = -1;
	char path[300];

	if (!g->is.program[TEG_HOOK_XDP] && k->xdp && k->settings->judge != ENGINE_NFT)
		return err_set(why, ESTALE, "it was staged for nft alone, and --engine is %s now",
			       engine_name(k->settings->judge));
	if (!g->is.program[TEG_HOOK_XDP])
		return 0;
	if (!k->xdp)
		return err_set(why, ENOTSUP, "XDP judged, and cannot be had now: %s", k->without);
	int rc = hold_program(&program, g, k, TEG_HOOK_XDP, why);
	if (rc)
		return rc;
	finish_slots(g, k);
	generation_path(path, k, "ledger");
	g->slots = arena_zero(g->arena, (g->plan.counter_count + 1) * sizeof *g->slots);
	rc = ledger_read(path, &g->plan, g->slots, why);
	if (!rc)
		rc = tables_adopt(&g->tables, TEG_HOOK_XDP, program, why);
	return rc ? rc : adopt_tc(g, k, why);
}

static int adopt_bundle(struct generation *g, struct kernel *k, struct err *why)
{
	own(buf) struct buf bytes = { 0 };
	own(bundle) struct bundle *b = NULL;
	int rc = generation_bundle(&b, &bytes, g, k, why);

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
