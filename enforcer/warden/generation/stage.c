/*
 * stage.c - everything that can fail, done loose beside what is in force; or undone.
 */
#include "enforcer/warden/generation/parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "enforcer/hook/ledger.h"
#include "enforcer/proc/say.h"
#include "enforcer/warden/feeds/feeds.h"
#include "enforcer/warden/generation/content.h"
#include "enforcer/warden/generation/rehearse.h"
#include "enforcer/warden/generation/signer.h"
#include "lang/base/memory.h"

/* ---- the posture that goes on ---------------------------------------------------------- */

/* The posture to return to may have gone with its policy. */
static void keep_end(struct generation *g, const struct record *from)
{
	const char *initial = g->plan.postures[g->plan.initial].name;

	g->is.until = from->until;
	snprintf(g->is.back, sizeof g->is.back, "%s",
		 generation_posture_find(&g->plan, from->back) == UINT32_MAX ? initial : from->back);
	if (!strcmp(g->is.back, g->is.posture))
		g->is.until = (struct deadline){ 0 };
}

static void begin_in(struct generation *g, const struct record *from)
{
	const uint32_t goes_on = from ? generation_posture_find(&g->plan, from->posture) : UINT32_MAX;

	g->posture = goes_on == UINT32_MAX ? g->plan.initial : goes_on;
	snprintf(g->is.posture, sizeof g->is.posture, "%s", g->plan.postures[g->posture].name);
	g->is.since = (uint64_t)time(NULL);
	if (goes_on == UINT32_MAX)
		return;
	snprintf(g->is.reason, sizeof g->is.reason, "%s", from->reason);
	g->is.since = from->since;
	if (deadline_is_set(&from->until))
		keep_end(g, from);
}

/* ---- slots ------------------------------------------------------------------------------- */

/* A slot that had another owner starts at zero: before any program counts in it. */
static int clear_slots(struct generation *g, struct kernel *k, struct err *why)
{
	for (uint32_t i = 0; i < g->plan.counter_count; i++) {
		const uint32_t slot = g->slots[i];

		if (slot != LEDGER_NO_SLOT && slot >= TEG_SLOTS_FIRST &&
		    shared_make_more(&k->shared, k->settings->pin_dir, why))
			return why->code;
		if (g->fresh[i])
			shared_count_clear(&k->shared, slot);
	}
	return 0;
}

static int stage_slots(struct generation *g, struct kernel *k, const struct stage *ask, struct err *why)
{
	char path[300];
	int rc;

	g->slots = arena_zero(g->arena, (g->plan.counter_count + 1) * sizeof *g->slots);
	g->fresh = arena_zero(g->arena, g->plan.counter_count + 1);
	generation_path(path, k, "ledger");
	rc = ledger_assign(path, &g->plan, ask->live ? &ask->live->plan : NULL, g->slots, g->fresh, why);
	return rc ? rc : clear_slots(g, k, why);
}

/* ---- the program, and the tests in it --------------------------------------------------------- */

/* Two frames that every policy lets by: an ARP request and a neighbour solicitation (RFC 4861, 4.3). */
static const uint8_t arp[60] = {
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1,
};
static const uint8_t solicitation[78] = {
	0x33, 0x33, 0xff, 0, 0, 1, 2, 0, 0, 0, 0, 1, 0x86, 0xdd,
	0x60, 0, 0, 0, 0, 24, 58, 255,
	0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
	0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 1,
	135, 0,
};

static int try_frame(const struct tables *t, enum teg_hook hook, const void *frame, size_t len, const char *what,
		     struct err *why)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = (uint32_t)len, .repeat = 1);

	if (bpf_prog_test_run_opts(tables_program(t, hook), &run))
		return err_sys(why, "cannot try the program out");
	if (tables_verdict(hook, run.retval) != TABLES_PASS)
		return err_set(why, EPROTO, "the program does not let %s by (it answers %u)", what, run.retval);
	return 0;
}

/* What the kernel calls it, once it does what every program does: where that can be tried. */
static int try_program(struct generation *g, enum teg_hook hook, struct err *why)
{
	const bool may = tables_may_run(hook, &(struct err){ 0 });
	uint64_t tag;
	int rc = may ? try_frame(g->tables, hook, arp, sizeof arp, "an ARP request", why) : 0;

	if (!rc && may)
		rc = try_frame(g->tables, hook, solicitation, sizeof solicitation, "a neighbour solicitation", why);
	return rc ? rc : slot_program_is(tables_program(g->tables, hook), &g->is.program[hook], &tag, why);
}

static int load_program(struct generation *g, struct kernel *k, const struct bundle *b, struct err *why)
{
	struct tables_load load = { .shared = &k->shared, .hook = TEG_HOOK_XDP, .plan = &g->plan, .slots = g->slots,
				    .number = g->is.number, .bank = g->is.bank == 'b' };
	int rc = content_program(&load.object, &load.object_len, TEG_HOOK_XDP, &g->plan, b, why);
	own(atlas) struct atlas feeds = { 0 };

	if (!rc)
		rc = feeds_atlas(&feeds, &g->plan, k, why);
	load.feeds = feeds.at ? &feeds : NULL;
	if (!rc)
		rc = tables_load(&g->tables, &load, why);
	return rc ? rc : try_program(g, TEG_HOOK_XDP, why);
}

int generation_join_tc(struct generation *g, const struct bundle *b, struct err *why)
{
	struct tables_load load = { .hook = TEG_HOOK_TC, .plan = &g->plan };
	int rc = content_program(&load.object, &load.object_len, TEG_HOOK_TC, &g->plan, b, why);

	if (!rc)
		rc = tables_join(g->tables, &load, why);
	return rc ? rc : try_program(g, TEG_HOOK_TC, why);
}

/*
 * Only programs look into payloads. What was in force before, as before a boot, judges
 * on without: that is less than the policy says, but no policy would be less still.
 */
static int stage_nft_alone(const struct generation *g, const struct stage *ask, struct refusal *no)
{
	if (ask->was_taken || !plan_is_met(&g->plan, content_can & ~content_xdp_alone, &no->why))
		return 0;
	err_in(&no->why, "XDP and TC, which alone do that, do not judge (%s)",
	       *g->without ? g->without : "nft was asked for");
	return generation_refuse(no, RESULT_CANNOT, "xdp");
}

/* With engine auto, a kernel that does not take the program leaves all to nft. */
static int stage_program(struct generation *g, struct kernel *k, const struct content *c, const struct stage *ask,
			 struct refusal *no)
{
	snprintf(g->without, sizeof g->without, "%s", k->without);
	if (!k->xdp || k->settings->judge == ENGINE_NFT)
		return stage_nft_alone(g, ask, no);
	if (stage_slots(g, k, ask, &no->why))
		return generation_refuse(no, RESULT_CANNOT, "ledger");
	if (!load_program(g, k, c->bundle, &no->why))
		return 0;
	tables_free(take(g->tables));
	g->is.program[TEG_HOOK_XDP] = 0;
	if (k->settings->judge != ENGINE_AUTO)
		return generation_refuse(no, RESULT_CANNOT, "xdp");
	snprintf(g->without, sizeof g->without, "%.250s", no->why.text);
	return stage_nft_alone(g, ask, no);
}

/*
 * The policy's tests, in the kernel that is to judge by it. What was in force before comes back even if they do not
 * hold, as nothing better could take its place; it is told then.
 */
static int stage_tests(struct generation *g, const struct content *c, const struct stage *ask, struct refusal *no)
{
	const uint32_t asked = drill_asked(&c->drill);
	struct tables_load as = { .plan = &g->plan };

	g->is.tests_left = asked + c->drill.elsewhere;
	if (!g->tables || !tables_may_run(TEG_HOOK_XDP, &(struct err){ 0 }))
		return 0;
	if (content_program(&as.object, &as.object_len, TEG_HOOK_XDP, &g->plan, c->bundle, &no->why))
		return generation_refuse(no, RESULT_CANNOT, "tests");
	int rc = rehearse(&c->drill, &as, &no->why);
	if (rc && !ask->was_taken)
		return generation_refuse(no, rc == -EBADE ? RESULT_REFUSED : RESULT_CANNOT, "tests");
	if (rc) {
		say("%s", no->why.text);
		snprintf(g->is.doubt, sizeof g->is.doubt, "%.*s", STATE_DOUBT_MAX, no->why.text);
		return 0;
	}
	g->is.tests_run = asked;
	g->is.tests_left -= asked;
	return 0;
}

/* ---- interfaces ----------------------------------------------------------------------------- */

/* On an interface that is left to nft a policy that looks into payloads would do less than it says. */
static int ports_look(const struct generation *g, const struct stage *ask, struct err *why)
{
	if (ask->was_taken || !plan_is_met(&g->plan, content_can & ~(1ull << NEED_PAYLOAD), why))
		return 0;
	for (size_t i = 0; i < g->ports.len; i++)
		if (g->ports.at[i].engine == PORT_NFT)
			return err_in(why, "XDP and TC, which alone look into payloads, do not judge on %s (%s)",
				      g->ports.at[i].name, g->ports.at[i].reason);
	*why = (struct err){ 0 };
	return 0;
}

/* The program of TC, where an interface has it. With engine auto, nft judges there when it cannot be had. */
static int stage_tc(struct generation *g, struct kernel *k, const struct bundle *b, struct err *why)
{
	const struct port_hooks hooks = kernel_hooks(k);
	int rc = ports_use(&g->ports, PORT_TC) ? generation_join_tc(g, b, why) : 0;

	if (!rc || k->settings->judge == ENGINE_TC)
		return rc;
	ports_without_tc(&g->ports, &hooks, why->text);
	g->is.program[TEG_HOOK_TC] = 0;
	return 0;
}

static int stage_ports(struct generation *g, struct kernel *k, const struct content *c, const struct links *links,
		       const struct stage *ask, struct refusal *no)
{
	const struct port_wish wish = generation_wish(g, k, ask->live ? &ask->live->ports : NULL, true);

	ports_match(&g->ports, &g->plan, links, g->ports_arena);
	if (ports_choose(&g->ports, &wish, &no->why))
		return generation_refuse(no, RESULT_CANNOT, k->settings->judge == ENGINE_TC ? "tc" : "xdp");
	if (stage_tc(g, k, c->bundle, &no->why))
		return generation_refuse(no, RESULT_CANNOT, "tc");
	if (ports_look(g, ask, &no->why))
		return generation_refuse(no, RESULT_CANNOT, "xdp");
	for (size_t i = 0; g->tables && i < g->ports.len; i++)
		if (tables_set_zone(g->tables, g->ports.at[i].ifindex, g->ports.at[i].zones, &no->why))
			return generation_refuse(no, RESULT_CANNOT, "xdp");
	return 0;
}

/* ---- staging -------------------------------------------------------------------------------- */

/* Who signed it, after what, and whether tegc proved it: what was in force once is not asked again. */
static int may_follow(const struct generation *g, const struct kernel *k, const struct stage *ask, const struct content *c,
		      struct refusal *no)
{
	if (signer_check(k->settings, c->bundle, ask->now, ask->downgrade, &no->why))
		return generation_refuse(no, RESULT_REFUSED, "signature");
	if (g->plan.proved || k->settings->unproved_too)
		return 0;
	err_set(&no->why, EPERM, "it was made without proofs, and require-proofs is set; tegc build without --no-proofs proves it");
	return generation_refuse(no, RESULT_REFUSED, "proofs");
}

static int stage_parts(struct generation *g, struct kernel *k, const struct stage *ask, struct content *c,
		       struct refusal *no)
{
	struct links links;
	int rc = content_read(c, g, ask->bytes, ask->len, no);

	if (rc)
		return rc;
	if (!ask->was_taken && (rc = may_follow(g, k, ask, c, no)))
		return rc;
	g->serial = signer_serial(c->bundle);
	begin_in(g, ask->from);
	if (ask->from && ask->from->number == ask->number)
		g->is.confirm = ask->from->confirm;
	else if (ask->confirm)
		g->is.confirm = deadline_in(ask->confirm);
	if (route_links(k->route, &links, g->arena, &no->why) ||
	    (!ask->was_taken && ports_are_there(&g->plan, &links, &no->why)))
		return generation_refuse(no, RESULT_CANNOT, "interfaces");
	if (state_keep_bundle(k->settings->state_dir, &g->is.bundle, ask->bytes, ask->len, &no->why))
		return generation_refuse(no, RESULT_CANNOT, "journal");
	rc = stage_program(g, k, c, ask, no);
	if (!rc)
		rc = stage_tests(g, c, ask, no);
	if (rc)
		return rc;
	if (generation_put_batch(k, &c->posture, g->is.bank, true, &no->why))
		return generation_refuse(no, RESULT_CANNOT, "nft");
	rc = stage_ports(g, k, c, &links, ask, no);
	if (rc)
		return rc;
	if (ports_use(&g->ports, PORT_NFT) && generation_put_batch(k, &c->epiderme, g->is.bank, false, &no->why))
		return generation_refuse(no, RESULT_CANNOT, "nft");
	generation_carry(k, g->is.bank, &g->plan, &g->ports, false);
	kernel_set_posture(k, g->is.bank, g->posture);
	return 0;
}

struct staging {
	struct generation *g;
	struct kernel *k;
	const struct stage *ask;
	struct refusal *no;
	int rc;
};

static void stage_begin(void *context)
{
	struct staging *s = context;

	s->g = generation_new();
	if (!s->g)
		memory_out();
	s->g->is.number = s->ask->number;
	feeds_doubt(s->k);
	s->g->is.bank = s->ask->bank;
	s->g->was_taken = s->ask->was_taken;
}

static void stage_all(void *context)
{
	struct staging *s = context;
	own(content) struct content c = { 0 };

	s->rc = stage_parts(s->g, s->k, s->ask, &c, s->no);
}

int generation_stage(struct generation **out, struct kernel *k, const struct stage *ask, struct refusal *no)
{
	struct staging s = { .k = k, .ask = ask, .no = no };

	if (!memory_try(stage_begin, &s) || !memory_try(stage_all, &s)) {
		err_set(&no->why, ENOMEM, "tegd has not enough memory for this generation");
		s.rc = generation_refuse(no, RESULT_CANNOT, "memory");
	}
	if (s.rc)
		generation_abort(s.g, k);
	else
		*out = s.g;
	return s.rc;
}

static bool any_hook(const struct filter_live *live)
{
	for (size_t i = 0; i < live->chain_count; i++)
		if (live->chains[i].hooked)
			return true;
	return false;
}

static void clear_loose(void *context)
{
	const struct staging *s = context;
	struct kernel *k = s->k;
	own(sight) struct sight seen = { 0 };
	struct err ignored;

	if (sight_look(&seen, k->filter, FILTER_WANT_CHAINS | FILTER_WANT_TABLES, &ignored))
		return;
	layout_clear(&seen.change, &seen.live, s->g->is.bank);
	for (unsigned t = 0; !any_hook(&seen.live) && t < FILTER_TABLES; t++)
		if (seen.live.tables[t])
			filter_change_no_table(&seen.change, (enum filter_table)t);
	filter_commit(k->filter, &seen.change, &ignored);
}

/*
 * Takes the loose chains away again, and where nothing judges yet, the tables too. What cannot be
 * taken away, as when memory is short, harms nobody, and the next stage tries anew.
 */
void generation_abort(struct generation *held, struct kernel *k)
{
	own(generation) struct generation *g = held;

	if (!g)
		return;
	const struct port_hooks hooks = kernel_hooks(k);
	ports_abandon(&g->ports, &hooks);
	memory_try(clear_loose, &(struct staging){ .g = g, .k = k });
}
