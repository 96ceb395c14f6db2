/*
 * commit.c - the bridge from one generation to the next, and what is left to settle once it
 * is crossed.
 */
#include "enforcer/warden/generation/parts.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "enforcer/proc/say.h"
#include "enforcer/warden/hurry.h"
#include "lang/base/memory.h"

/* The two transactions of a switch, made ahead: between them both generations judge. */
struct bridge {
	struct filter_change open, close;
};

static void bridge_own_(struct bridge *b)
{
	filter_change_own_(&b->open);
	filter_change_own_(&b->close);
}

/*
 * With programs, all of the new bank's hooks come first. Where nft judges all layers, the first hook may be the one that
 * judges by both: what layer 4 alone decides otherwise than before is then decided so from one packet to the next.
 */
static int bridge_make(struct bridge *b, const struct generation *g, struct kernel *k, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct filter_live live;
	int rc = filter_look(k->filter, &live, FILTER_WANT_CHAINS, a, why);

	if (rc)
		return rc;
	layout_hook_ports(&b->open, g->is.bank, g->is.posture, &g->ports, LAYOUT_HERE);
	layout_hook_layer4(g->tables ? &b->open : &b->close, g->is.bank, g->is.posture, LAYOUT_HERE);
	layout_hook_cookies(g->tables ? &b->open : &b->close, &live, g->is.bank);
	layout_drop_others(&b->close, &live, g->is.bank);
	return 0;
}

/* The other bank's hooks go, as a look finds them; with `instead`, layer 4's of this one come in the same transaction. */
static int unhook_others(struct generation *g, struct kernel *k, bool instead, struct err *why)
{
	own(sight) struct sight seen = { 0 };
	int rc = sight_look(&seen, k->filter, FILTER_WANT_CHAINS, why);

	if (rc)
		return rc;
	if (instead) {
		layout_hook_layer4(&seen.change, g->is.bank, g->is.posture, LAYOUT_HERE);
		layout_hook_cookies(&seen.change, &seen.live, g->is.bank);
	}
	layout_drop_others(&seen.change, &seen.live, g->is.bank);
	return filter_commit(k->filter, &seen.change, why);
}

/* When somebody else has changed the hooks meanwhile, what was made ahead is refused, and made again. */
static int close_bridge(struct bridge *b, struct generation *g, struct kernel *k, struct err *why)
{
	return filter_commit(k->filter, &b->close, why) ? unhook_others(g, k, !g->tables, why) : 0;
}

/* Back to the bank that was there before: the new bank's hooks go, its chains stay loose. */
static void unhook_new(struct generation *g, struct kernel *k)
{
	own(sight) struct sight seen = { 0 };
	struct err ignored;

	if (sight_look(&seen, k->filter, FILTER_WANT_CHAINS, &ignored))
		return;
	layout_drop_others(&seen.change, &seen.live, bank_other(g->is.bank));
	filter_commit(k->filter, &seen.change, &ignored);
}

struct before {
	int program[TEG_HOOKS]; /* what was in each slot, -1 when it was empty */
};

static void before_own_(struct before *b)
{
	for (int hook = 0; hook < TEG_HOOKS; hook++)
		if (b->program[hook] >= 0)
			close(b->program[hook]);
}

static int hold_slot(int *out, int slots, struct err *why)
{
	uint32_t number;
	int rc = slot_read(slots, &number, why);

	*out = !rc && number ? bpf_prog_get_fd_by_id(number) : -1;
	if (!rc && number && *out < 0)
		return err_sys(why, "cannot hold the program in the slot");
	return rc;
}

/*
 * Two slots are two stores. XDP's is the one that decides: a start that finds it changed goes on to the new generation,
 * and the other program must then still be there. So that one is pinned until both are in place.
 */
static int switch_slots(struct generation *g, struct kernel *k, struct err *why)
{
	const int tc = tables_program(g->tables, TEG_HOOK_TC);
	char path[PATH_MAX];
	int rc;

	generation_next_tc(path, k);
	unlink(path);
	if (tc >= 0 && bpf_obj_pin(tc, path))
		return err_sys(why, "cannot pin %s", path);
	rc = slot_put(k->shared.slots, tables_program(g->tables, TEG_HOOK_XDP), why);
	if (!rc && tc >= 0)
		rc = slot_put(k->shared.tc_slots, tc, why);
	unlink(path);
	return rc;
}

static int switch_program(struct generation *g, struct kernel *k, struct before *b, struct err *why)
{
	const struct port_hooks hooks = kernel_hooks(k);
	int rc = 0;

	if (!g->tables)
		return 0;
	for (int hook = 0; !rc && hook < TEG_HOOKS; hook++)
		rc = hold_slot(&b->program[hook], kernel_slot(k, (enum teg_hook)hook), why);
	if (!rc)
		rc = switch_slots(g, k, why);
	return rc ? rc : ports_arm(&g->ports, &hooks, why);
}

/* Anchors first: what was before them judges by the slots of before, and where there is none the anchor lets all pass. */
static void unswitch_program(struct generation *g, struct kernel *k, const struct before *b)
{
	const struct port_hooks hooks = kernel_hooks(k);
	struct err ignored;

	if (g->tables)
		ports_disarm(&g->ports, &hooks);
	for (int hook = 0; g->tables && hook < TEG_HOOKS; hook++) {
		const int slots = kernel_slot(k, (enum teg_hook)hook);

		if (b->program[hook] >= 0)
			slot_put(slots, b->program[hook], &ignored);
		else
			slot_clear(slots, &ignored);
	}
}

static int cross_with_programs(struct bridge *b, struct generation *g, struct kernel *k, struct refusal *no)
{
	own(before) struct before was = { .program = { -1, -1 } };

	if (switch_program(g, k, &was, &no->why)) {
		unswitch_program(g, k, &was);
		unhook_new(g, k);
		return generation_refuse(no, RESULT_FAILED, "xdp");
	}
	kernel_wait_for_packets();
	if (close_bridge(b, g, k, &no->why)) {
		unswitch_program(g, k, &was);
		kernel_wait_for_packets();
		unhook_new(g, k);
		return generation_refuse(no, RESULT_FAILED, "nft");
	}
	return 0;
}

static int cross_with_nft(struct bridge *b, struct generation *g, struct kernel *k, struct refusal *no)
{
	kernel_wait_for_packets();
	if (close_bridge(b, g, k, &no->why)) {
		unhook_new(g, k);
		return generation_refuse(no, RESULT_FAILED, "nft");
	}
	return 0;
}

static int cross(struct generation *g, struct kernel *k, struct refusal *no)
{
	own(bridge) struct bridge b = { 0 };

	if (bridge_make(&b, g, k, &no->why))
		return generation_refuse(no, RESULT_CANNOT, "nft");
	own(hurry) struct hurry h = hurry_begin(&k->switch_ns);
	if (filter_commit(k->filter, &b.open, &no->why))
		return generation_refuse(no, RESULT_CANNOT, "nft");
	return g->tables ? cross_with_programs(&b, g, k, no) : cross_with_nft(&b, g, k, no);
}

/* ---- committing ------------------------------------------------------------------------------ */

struct committing {
	struct generation *g;
	struct kernel *k;
	struct state *s;
	struct refusal *no;
	int rc;
};

static int commit(struct generation *g, struct kernel *k, struct state *s, struct refusal *no)
{
	s->committing = true;
	s->next = g->is;
	if (state_save(s, k->settings->state_dir, &no->why) && !g->was_taken) {
		s->committing = false;
		return generation_refuse(no, RESULT_CANNOT, "journal");
	}
	if (g->tables && k->older.pins)
		older_carry(&k->older, &k->shared, g->slots, g->fresh, g->plan.counter_count);
	const struct port_hooks hooks = kernel_hooks(k);
	int rc = cross(g, k, no);
	while (rc && ports_forget_gone(&g->ports, &hooks))
		rc = cross(g, k, no);
	if (rc) {
		s->committing = false;
		state_note(s, k->settings->state_dir);
		return rc;
	}
	no->why.text[0] = '\0';
	generation_settle(g, k, s, &no->why);
	return 0;
}

static void commit_all(void *context)
{
	struct committing *c = context;

	c->rc = commit(c->g, c->k, c->s, c->no);
}

/* It is small, and must not end between its steps for want of memory. */
int generation_commit(struct generation *g, struct kernel *k, struct state *s, struct refusal *no)
{
	struct committing c = { g, k, s, no, 0 };

	memory_finish(commit_all, &c);
	return c.rc;
}

/* ---- settling ------------------------------------------------------------------------------ */

/* Chains that are not of this bank, and objects nobody names. Harmless where they stay; the next settling tries again. */
static void sweep(void *context)
{
	const struct committing *c = context;
	struct generation *g = c->g;
	struct kernel *k = c->k;
	own(arena) struct arena *a = arena_new();
	own(filter_change) struct filter_change chains = { 0 }, objects = { 0 };
	struct filter_live live;
	struct err ignored;

	if (filter_look(k->filter, &live, FILTER_WANT_CHAINS, a, &ignored))
		return;
	layout_clear_others(&chains, &live, g->is.bank);
	if (filter_commit(k->filter, &chains, &ignored) || filter_look(k->filter, &live, FILTER_WANT_SETS | FILTER_WANT_COUNTERS, a, &ignored))
		return;
	layout_collect(&objects, &live, &g->plan);
	filter_commit(k->filter, &objects, &ignored);
}

/* The tables of a large policy are long. */
static void read_digest(void *context)
{
	struct committing *c = context;

	c->rc = filter_digest(c->k->filter, bank_other(c->g->is.bank), &c->g->is.tables, &c->no->why);
}

static void carry(void *context)
{
	const struct committing *c = context;

	generation_carry(c->k, c->g->is.bank, &c->g->plan, &c->g->ports, true);
}

int generation_settle(struct generation *g, struct kernel *k, struct state *s, struct err *why)
{
	int rc = unhook_others(g, k, false, why);

	if (rc)
		return rc;
	struct refusal no = { 0 };
	struct committing c = { g, k, s, &no, 0 };
	if (!memory_try(carry, &c)) /* those that the old engine placed while the new one came */
		say("blocks and feeds are not carried: there is not enough memory");
	memory_try(sweep, &c); /* before the digest: what somebody else had put there is not taken for ours */
	if (!memory_try(read_digest, &c))
		c.rc = err_set(&no.why, ENOMEM, "tegd has not enough memory to read its tables");
	if (c.rc) { /* no digest matches the empty one: the check will say that it cannot tell */
		*why = no.why;
		rc = c.rc;
	}
	state_advance(s, &g->is);
	state_note(s, k->settings->state_dir);
	generation_leave_others(g, k);
	return generation_cut_flows(g, k, why) ? why->code : rc;
}
