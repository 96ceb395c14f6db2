#include "enforcer/warden/generation.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "enforcer/proc/say.h"
#include "enforcer/warden/ledger.h"
#include "enforcer/warden/rehearse.h"
#include "enforcer/warden/signer.h"
#include "lang/base/file.h"
#include "lang/base/memory.h"
#include "lang/bundle/bundle.h"
#include "lang/bundle/drill.h"

void generation_free(struct generation *g)
{
	if (!g)
		return;
	tables_free(g->tables);
	arena_free(g->ports_arena);
	arena_free(g->arena);
	free(g);
}

static struct generation *generation_new(void)
{
	own(generation) struct generation *g = calloc(1, sizeof *g);

	if (!g)
		return NULL;
	g->arena = arena_new();
	g->ports_arena = arena_new();
	return take(g);
}

static int refuse(struct refusal *no, enum result_code code, const char *part)
{
	no->code = code;
	no->part = part;
	return no->why.code;
}

/* ---- reading the bundle ---------------------------------------------------------- */

/* Everything that staging needs of a bundle, checked. */
struct content {
	struct bundle *bundle;
	struct batch posture, epiderme;
	struct drill drill;
};

static void content_own_(struct content *c)
{
	bundle_free(c->bundle);
	batch_release(&c->posture);
	batch_release(&c->epiderme);
}

static const struct bundle_member *member(const struct bundle *b, const char *name, struct err *why)
{
	const struct bundle_member *m = bundle_find(b, name);

	if (!m)
		err_set(why, EINVAL, "the bundle has no %s", name);
	return m;
}

static int read_batch(struct batch *out, const struct bundle *b, const char *name, struct err *why)
{
	const struct bundle_member *m = member(b, name, why);
	int rc = m ? batch_open(out, m->bytes, m->len, why) : why->code;

	if (!rc)
		rc = batch_check(out, FILTER_NAME, why);
	return rc ? err_in(why, "%s", name) : 0;
}

static int read_plan(struct plan *out, struct arena *a, const struct bundle *b, struct err *why)
{
	const struct bundle_member *m = member(b, "plan", why);

	return m ? plan_decode(out, a, m->bytes, m->len, why) : why->code;
}

/* A bundle whose policy has no tests has none. */
static int read_drill(struct drill *out, struct arena *a, const struct plan *p, const struct bundle *b, struct err *why)
{
	const struct bundle_member *m = bundle_find(b, "drill");

	return m ? drill_decode(out, a, p, m->bytes, m->len, why) : 0;
}

/* Of the needs of need.def, a bit each: what this enforcer does beyond verdicts, rates and blocks. */
static const uint64_t can = 1u << NEED_EVENTS | 1u << NEED_PAYLOAD | 1u << NEED_FLOWS;

/* Of these, what XDP alone does. */
static const uint64_t xdp_alone = 1u << NEED_EVENTS | 1u << NEED_PAYLOAD | 1u << NEED_FLOWS;

static int read_content(struct content *c, struct generation *g, const void *bytes, size_t len, struct refusal *no)
{
	if (bundle_open(&c->bundle, bytes, len, &no->why))
		return refuse(no, RESULT_REFUSED, "seal");
	g->is.bundle = *bundle_id(c->bundle);
	if (read_plan(&g->plan, g->arena, c->bundle, &no->why))
		return refuse(no, RESULT_REFUSED, "plan");
	if (!g->plan.posture_count) {
		err_set(&no->why, EINVAL, "the policy has no posture");
		return refuse(no, RESULT_REFUSED, "plan");
	}
	if (plan_is_met(&g->plan, can, &no->why))
		return refuse(no, RESULT_REFUSED, "plan");
	if (read_drill(&c->drill, g->arena, &g->plan, c->bundle, &no->why))
		return refuse(no, RESULT_REFUSED, "tests");
	if (read_batch(&c->posture, c->bundle, "nft/posture.batch", &no->why) ||
	    read_batch(&c->epiderme, c->bundle, "nft/epiderme.batch", &no->why))
		return refuse(no, RESULT_REFUSED, "nft");
	batch_place(&c->posture, g->is.bank);
	batch_place(&c->epiderme, g->is.bank);
	return 0;
}

int generation_examine(const void *bytes, size_t len, struct err *why)
{
	own(generation) struct generation *g = generation_new();
	own(content) struct content c = { 0 };
	struct refusal no = { 0 };

	if (!g)
		return err_set(why, ENOMEM, "no memory for a generation");
	g->is.bank = 'a';
	if (read_content(&c, g, bytes, len, &no))
		*why = no.why;
	return no.why.code;
}

/* ---- staging, part by part ----------------------------------------------------------- */

static uint32_t posture_find(const struct plan *p, const char *name)
{
	for (uint32_t i = 0; i < p->posture_count; i++)
		if (!strcmp(p->postures[i].name, name))
			return i;
	return UINT32_MAX;
}

/* The posture to return to may have gone with its policy. */
static void keep_end(struct generation *g, const struct record *from)
{
	const char *initial = g->plan.postures[g->plan.initial].name;

	g->is.until = from->until;
	snprintf(g->is.back, sizeof g->is.back, "%s", posture_find(&g->plan, from->back) == UINT32_MAX ? initial : from->back);
	if (!strcmp(g->is.back, g->is.posture))
		g->is.until = (struct deadline){ 0 };
}

static void begin_in(struct generation *g, const struct record *from)
{
	const uint32_t goes_on = from ? posture_find(&g->plan, from->posture) : UINT32_MAX;

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

static void path_in(char out[static 300], const struct kernel *k, const char *name)
{
	snprintf(out, 300, "%s/%s", k->settings->state_dir, name);
}

/* A slot that had another owner starts at zero: before any program counts in it. */
static int clear_slots(struct generation *g, struct kernel *k, const bool *fresh, struct err *why)
{
	const int cpus = libbpf_num_possible_cpus();
	struct teg_counter *none = arena_zero(g->arena, (size_t)(cpus > 0 ? cpus : 1) * sizeof *none);

	for (uint32_t i = 0; i < g->plan.counter_count; i++) {
		uint32_t slot = g->slots[i];

		if (slot != LEDGER_NO_SLOT && slot >= TEG_SLOTS_FIRST &&
		    shared_make_more(&k->shared, k->settings->pin_dir, why))
			return why->code;
		const int map = shared_counters(&k->shared, &slot);
		if (fresh[i] && bpf_map_update_elem(map, &slot, none, BPF_ANY))
			return err_sys(why, "cannot clear a counter");
	}
	return 0;
}

static int stage_slots(struct generation *g, struct kernel *k, const struct stage *ask, struct err *why)
{
	char path[300];
	bool *fresh = arena_zero(g->arena, g->plan.counter_count + 1);
	int rc;

	g->slots = arena_zero(g->arena, (g->plan.counter_count + 1) * sizeof *g->slots);
	path_in(path, k, "ledger");
	rc = ledger_assign(path, &g->plan, ask->live ? &ask->live->plan : NULL, g->slots, fresh, why);
	return rc ? rc : clear_slots(g, k, fresh, why);
}

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

#define XDP_SAYS_PASS 2u /* enum xdp_action */

static int try_program(const struct tables *t, const void *frame, size_t len, const char *what, struct err *why)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = (uint32_t)len, .repeat = 1);

	if (bpf_prog_test_run_opts(tables_program(t), &run))
		return err_sys(why, "cannot try the program out");
	if (run.retval != XDP_SAYS_PASS)
		return err_set(why, EPROTO, "the program does not let %s by (it answers %u)", what, run.retval);
	return 0;
}

static int load_program(struct generation *g, struct kernel *k, const struct content *c, struct err *why)
{
	const struct bundle_member *object = member(c->bundle, "xdp/policy.o", why);
	uint64_t tag;

	if (!object)
		return why->code;
	const struct tables_load load = { .shared = &k->shared, .object = object->bytes, .object_len = object->len,
					  .plan = &g->plan, .slots = g->slots, .number = g->is.number,
					  .bank = g->is.bank == 'b' };
	int rc = tables_load(&g->tables, &load, why);
	if (!rc)
		rc = try_program(g->tables, arp, sizeof arp, "an ARP request", why);
	if (!rc)
		rc = try_program(g->tables, solicitation, sizeof solicitation, "a neighbour solicitation", why);
	return rc ? rc : xdp_program_is(tables_program(g->tables), &g->is.program, &tag, why);
}

/*
 * Only XDP tells of packets, looks into payloads and counts flows. What was in force before, as before a boot, judges
 * on without: that is less than the policy says, but no policy would be less still.
 */
static int stage_nft_alone(const struct generation *g, const struct stage *ask, struct refusal *no)
{
	if (ask->was_taken || !plan_is_met(&g->plan, can & ~xdp_alone, &no->why))
		return 0;
	err_in(&no->why, "XDP, which alone does that, does not judge (%s)",
	       *g->without ? g->without : "nft was asked for");
	return refuse(no, RESULT_CANNOT, "xdp");
}

/* With engine auto, a kernel that does not take the program leaves all to nft. */
static int stage_program(struct generation *g, struct kernel *k, const struct content *c, const struct stage *ask,
			 struct refusal *no)
{
	snprintf(g->without, sizeof g->without, "%s", k->without);
	if (!k->xdp || k->settings->judge == ENGINE_NFT)
		return stage_nft_alone(g, ask, no);
	if (stage_slots(g, k, ask, &no->why))
		return refuse(no, RESULT_CANNOT, "ledger");
	if (!load_program(g, k, c, &no->why))
		return 0;
	tables_free(take(g->tables));
	g->is.program = 0;
	if (k->settings->judge != ENGINE_AUTO)
		return refuse(no, RESULT_CANNOT, "xdp");
	snprintf(g->without, sizeof g->without, "%.250s", no->why.text);
	return stage_nft_alone(g, ask, no);
}

/*
 * The policy's tests, in the kernel that is to judge by it. What was in force before comes back even if they do not
 * hold, as nothing better could take its place; it is told then.
 */
static int stage_tests(struct generation *g, const struct content *c, const struct stage *ask, struct refusal *no)
{
	const struct bundle_member *object = bundle_find(c->bundle, "xdp/policy.o");
	const uint32_t asked = drill_asked(&c->drill);

	g->is.tests_left = asked + c->drill.elsewhere;
	if (!g->tables)
		return 0;
	const struct tables_load as = { .object = object->bytes, .object_len = object->len, .plan = &g->plan };
	int rc = rehearse(&c->drill, &as, &no->why);
	if (rc && !ask->was_taken)
		return refuse(no, rc == -EBADE ? RESULT_REFUSED : RESULT_CANNOT, "tests");
	if (rc) {
		say("%s", no->why.text);
		snprintf(g->doubt, sizeof g->doubt, "%.500s", no->why.text);
		return 0;
	}
	g->is.tests_run = asked;
	g->is.tests_left -= asked;
	return 0;
}

static struct port_wish wish_of(const struct generation *g, const struct kernel *k, bool strict)
{
	return (struct port_wish){ g->tables ? k->xdp : NULL, k->settings->judge, g->without, strict };
}

/* On an interface that is left to nft a policy that looks into payloads would do less than it says. */
static int ports_look(const struct generation *g, const struct stage *ask, struct err *why)
{
	if (ask->was_taken || !plan_is_met(&g->plan, can & ~(1ull << NEED_PAYLOAD), why))
		return 0;
	for (size_t i = 0; i < g->ports.len; i++)
		if (g->ports.at[i].engine == PORT_NFT)
			return err_in(why, "XDP, which alone looks into payloads, does not judge on %s (%s)", g->ports.at[i].name,
				      g->ports.at[i].reason);
	*why = (struct err){ 0 };
	return 0;
}

static int stage_ports(struct generation *g, struct kernel *k, const struct links *links, const struct stage *ask,
		       struct refusal *no)
{
	struct port_wish wish = wish_of(g, k, true);

	ports_match(&g->ports, &g->plan, links, g->ports_arena);
	if (ports_choose(&g->ports, &wish, &no->why))
		return refuse(no, RESULT_CANNOT, "xdp");
	if (ports_look(g, ask, &no->why)) {
		ports_abandon(&g->ports, k->xdp);
		return refuse(no, RESULT_CANNOT, "xdp");
	}
	for (size_t i = 0; g->tables && i < g->ports.len; i++)
		if (tables_set_zone(g->tables, g->ports.at[i].ifindex, g->ports.at[i].zones, &no->why))
			return refuse(no, RESULT_CANNOT, "xdp");
	return 0;
}

/* What an earlier attempt left in the bank goes in the same transaction. */
static int stage_batch(struct kernel *k, const struct batch *b, char bank, bool clear, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	own(filter_change) struct filter_change c = { 0 };
	struct filter_live live;
	int rc = filter_look(k->filter, &live, FILTER_WANT_CHAINS, a, why);

	if (rc)
		return rc;
	if (clear)
		layout_clear(&c, &live, bank);
	filter_change_batch(&c, b);
	return filter_commit(k->filter, &c, why);
}

static int stage_parts(struct generation *g, struct kernel *k, const struct stage *ask, struct content *c,
		       struct refusal *no)
{
	struct links links;
	int rc = read_content(c, g, ask->bytes, ask->len, no);

	if (rc)
		return rc;
	if (!ask->was_taken && signer_check(k->settings, c->bundle, ask->now, ask->downgrade, &no->why))
		return refuse(no, RESULT_REFUSED, "signature");
	g->serial = signer_serial(c->bundle);
	begin_in(g, ask->from);
	if (ask->from && ask->from->number == ask->number)
		g->is.confirm = ask->from->confirm;
	else if (ask->confirm)
		g->is.confirm = deadline_in(ask->confirm);
	if (route_links(k->route, &links, g->arena, &no->why) ||
	    (!ask->was_taken && ports_are_there(&g->plan, &links, &no->why)))
		return refuse(no, RESULT_CANNOT, "interfaces");
	if (state_keep_bundle(k->settings->state_dir, &g->is.bundle, ask->bytes, ask->len, &no->why))
		return refuse(no, RESULT_CANNOT, "journal");
	rc = stage_program(g, k, c, ask, no);
	if (!rc)
		rc = stage_tests(g, c, ask, no);
	if (rc)
		return rc;
	if (stage_batch(k, &c->posture, g->is.bank, true, &no->why))
		return refuse(no, RESULT_CANNOT, "nft");
	rc = stage_ports(g, k, &links, ask, no);
	if (rc)
		return rc;
	if (ports_use(&g->ports, PORT_NFT) && stage_batch(k, &c->epiderme, g->is.bank, false, &no->why))
		return refuse(no, RESULT_CANNOT, "nft");
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
	s->g->is.bank = s->ask->bank;
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
		s.rc = refuse(no, RESULT_CANNOT, "memory");
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
	own(arena) struct arena *a = arena_new();
	own(filter_change) struct filter_change c = { 0 };
	struct filter_live live;
	struct err ignored;

	if (filter_look(k->filter, &live, FILTER_WANT_CHAINS | FILTER_WANT_TABLES, a, &ignored))
		return;
	layout_clear(&c, &live, s->g->is.bank);
	for (unsigned t = 0; !any_hook(&live) && t < FILTER_TABLES; t++)
		if (live.tables[t])
			filter_change_no_table(&c, (enum filter_table)t);
	filter_commit(k->filter, &c, &ignored);
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
	ports_abandon(&g->ports, k->xdp);
	memory_try(clear_loose, &(struct staging){ .g = g, .k = k });
}

/* ---- commit ---------------------------------------------------------------------------- */

static int look(struct kernel *k, struct filter_live *out, unsigned want, struct arena *a, struct err *why)
{
	return filter_look(k->filter, out, want, a, why);
}

static int hook_new(struct generation *g, struct kernel *k, struct err *why)
{
	own(filter_change) struct filter_change c = { 0 };

	layout_hook(&c, g->is.bank, g->is.posture, &g->ports, LAYOUT_HERE);
	return filter_commit(k->filter, &c, why);
}

static int unhook_others(struct generation *g, struct kernel *k, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	own(filter_change) struct filter_change c = { 0 };
	struct filter_live live;
	int rc = look(k, &live, FILTER_WANT_CHAINS, a, why);

	if (rc)
		return rc;
	layout_drop_others(&c, &live, g->is.bank);
	return filter_commit(k->filter, &c, why);
}

/* Back to the bank that was there before: the new bank's hooks go, its chains stay loose. */
static void unhook_new(struct generation *g, struct kernel *k)
{
	own(arena) struct arena *a = arena_new();
	own(filter_change) struct filter_change c = { 0 };
	struct filter_live live;
	struct err ignored;

	if (look(k, &live, FILTER_WANT_CHAINS, a, &ignored))
		return;
	layout_drop_others(&c, &live, bank_other(g->is.bank));
	filter_commit(k->filter, &c, &ignored);
}

struct before {
	int program; /* what was in the slot, -1 when it was empty */
};

static void before_own_(struct before *b)
{
	if (b->program >= 0)
		close(b->program);
}

static int switch_program(struct generation *g, struct kernel *k, struct before *b, struct err *why)
{
	uint32_t number;
	int rc;

	if (!g->tables)
		return 0;
	rc = xdp_slot(k->xdp, &number, why);
	if (rc)
		return rc;
	b->program = number ? bpf_prog_get_fd_by_id(number) : -1;
	if (number && b->program < 0)
		return err_sys(why, "cannot hold the program in the slot");
	rc = xdp_set_slot(k->xdp, tables_program(g->tables), why);
	return rc ? rc : ports_arm(&g->ports, k->xdp, why);
}

static void unswitch_program(struct generation *g, struct kernel *k, const struct before *b)
{
	struct err ignored;

	if (!g->tables)
		return;
	if (b->program >= 0)
		xdp_set_slot(k->xdp, b->program, &ignored);
	else
		xdp_clear_slot(k->xdp, &ignored);
}

static int bridge(struct generation *g, struct kernel *k, struct refusal *no)
{
	own(before) struct before b = { .program = -1 };

	if (hook_new(g, k, &no->why))
		return refuse(no, RESULT_CANNOT, "nft");
	if (switch_program(g, k, &b, &no->why)) {
		unswitch_program(g, k, &b);
		unhook_new(g, k);
		return refuse(no, RESULT_FAILED, "xdp");
	}
	kernel_wait_for_packets();
	if (unhook_others(g, k, &no->why)) {
		unswitch_program(g, k, &b);
		kernel_wait_for_packets();
		unhook_new(g, k);
		return refuse(no, RESULT_FAILED, "nft");
	}
	return 0;
}

int generation_commit(struct generation *g, struct kernel *k, struct state *s, struct refusal *no)
{
	struct err ignored;

	s->committing = true;
	s->next = g->is;
	if (state_save(s, k->settings->state_dir, &no->why)) {
		s->committing = false;
		return refuse(no, RESULT_CANNOT, "journal");
	}
	int rc = bridge(g, k, no);
	if (rc) {
		s->committing = false;
		state_save(s, k->settings->state_dir, &ignored);
		return rc;
	}
	no->why.text[0] = '\0';
	generation_settle(g, k, s, &no->why);
	return 0;
}

/* ---- settling ------------------------------------------------------------------------------ */

static bool is_xdp_port(uint32_t ifindex, void *context)
{
	const struct port *p = ports_find(context, ifindex);

	return p && p->engine != PORT_NFT;
}

/* Links of interfaces that are in no zone any more, or that nft judges now. */
static void leave_others(struct generation *g, struct kernel *k)
{
	struct err ignored;

	if (!k->xdp)
		return;
	xdp_leave_others(k->xdp, is_xdp_port, &g->ports);
	if (!g->tables)
		xdp_clear_slot(k->xdp, &ignored);
}

/* Chains that are not of this bank, and objects nobody names. Harmless where they stay; the next settling tries again. */
static void sweep(struct generation *g, struct kernel *k)
{
	own(arena) struct arena *a = arena_new();
	own(filter_change) struct filter_change chains = { 0 }, objects = { 0 };
	struct filter_live live;
	struct err ignored;

	if (look(k, &live, FILTER_WANT_CHAINS | FILTER_WANT_SETS | FILTER_WANT_COUNTERS, a, &ignored))
		return;
	layout_clear_others(&chains, &live, g->is.bank);
	if (!filter_commit(k->filter, &chains, &ignored)) {
		layout_collect(&objects, &live, &g->plan);
		filter_commit(k->filter, &objects, &ignored);
	}
}

static int cut_flows(const struct generation *g, struct kernel *k, struct err *why)
{
	if (g->plan.postures[g->posture].established != ESTABLISHED_CUT)
		return 0;
	return filter_flush_conntrack(k->filter, why);
}

int generation_settle(struct generation *g, struct kernel *k, struct state *s, struct err *why)
{
	struct err ignored;
	int rc = unhook_others(g, k, why);

	if (rc)
		return rc;
	sweep(g, k); /* before the digest: what somebody else had put there is not taken for ours */
	if (filter_digest(k->filter, bank_other(g->is.bank), &g->is.tables, why))
		rc = why->code; /* no digest matches the empty one: the check will say that it cannot tell */
	state_advance(s, &g->is);
	state_save(s, k->settings->state_dir, &ignored); /* s->unsaved says so, and the warden tries on */
	leave_others(g, k);
	return cut_flows(g, k, why) ? why->code : rc;
}

/* ---- the posture ------------------------------------------------------------------------------ */

/* Do layers 1 to 3 judge alike in both? Then layer 4 alone changes, in one transaction, and no bridge is needed. */
static bool first_layers_agree(const struct plan *p, uint32_t a, uint32_t b)
{
	for (uint32_t i = 0; i < p->rule_count; i++)
		if ((p->rules[i].except >> a & 1) != (p->rules[i].except >> b & 1))
			return false;
	return true;
}

static int select_posture(struct generation *g, struct kernel *k, const struct filter_live *live, uint32_t posture,
			  struct err *why)
{
	own(filter_change) struct filter_change c = { 0 };

	layout_select(&c, live, g->is.bank, g->plan.postures[posture].name);
	layout_drop_next(&c, live);
	return filter_commit(k->filter, &c, why);
}

/*
 * A closed posture's drop in the first hook is layer 4's own, taken early: whichever of the two a
 * packet meets, the new posture's rules or the old one's early drop, it gets a whole posture's
 * verdict. So layer 4 goes first, and the word follows.
 */
static int switch_at_once(struct generation *g, struct kernel *k, const struct filter_live *live, uint32_t posture,
			  struct err *why)
{
	int rc = select_posture(g, k, live, posture, why);

	if (!rc)
		kernel_set_posture(k, g->is.bank, posture);
	return rc;
}

static int hook_next(struct generation *g, struct kernel *k, const struct filter_live *live, uint32_t posture,
		     struct err *why)
{
	own(filter_change) struct filter_change c = { 0 };

	layout_drop_next(&c, live);
	layout_hook(&c, g->is.bank, g->plan.postures[posture].name, &g->ports, LAYOUT_NEXT);
	return filter_commit(k->filter, &c, why);
}

static int switch_bridged(struct generation *g, struct kernel *k, uint32_t posture, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct filter_live live;
	struct err ignored;
	int rc = look(k, &live, FILTER_WANT_CHAINS, a, why);

	if (!rc)
		rc = hook_next(g, k, &live, posture, why);
	if (rc)
		return rc;
	kernel_set_posture(k, g->is.bank, posture);
	kernel_wait_for_packets();
	rc = look(k, &live, FILTER_WANT_CHAINS, a, why);
	if (!rc)
		rc = select_posture(g, k, &live, posture, why);
	if (!rc)
		return 0;
	kernel_set_posture(k, g->is.bank, g->posture);
	kernel_wait_for_packets();
	select_posture(g, k, &live, g->posture, &ignored);
	return rc;
}

static bool posture_stands(const struct generation *g, struct kernel *k, const struct filter_live *live)
{
	uint32_t now;
	struct err differs;

	return !layout_posture(k->filter, live, g->is.bank, &g->plan, LAYOUT_HERE, &now, &differs) &&
	       now == g->posture && (!g->tables || kernel_posture(k, g->is.bank) == g->posture);
}

int generation_set_posture(struct generation *g, struct kernel *k, uint32_t posture, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct filter_live live;
	int rc = look(k, &live, FILTER_WANT_CHAINS, a, why);

	if (rc)
		return rc;
	if (posture == g->posture && posture_stands(g, k, &live))
		return 0;
	if (first_layers_agree(&g->plan, g->posture, posture))
		rc = switch_at_once(g, k, &live, posture, why);
	else
		rc = switch_bridged(g, k, posture, why);
	if (rc)
		return rc;
	g->posture = posture;
	snprintf(g->is.posture, sizeof g->is.posture, "%s", g->plan.postures[posture].name);
	return cut_flows(g, k, why);
}

/* ---- interfaces ---------------------------------------------------------------------------------- */

/* Layers 1 to 3 for nft, when no port needed them so far: from the bundle that was kept. */
static int load_epiderme(struct generation *g, struct kernel *k, struct err *why)
{
	own(buf) struct buf bytes = { 0 };
	own(content) struct content c = { 0 };
	int rc = state_read_bundle(&bytes, k->settings->state_dir, &g->is.bundle, why);

	if (!rc)
		rc = bundle_open(&c.bundle, bytes.at, bytes.len, why);
	if (!rc)
		rc = read_batch(&c.epiderme, c.bundle, "nft/epiderme.batch", why);
	if (rc)
		return rc;
	batch_place(&c.epiderme, g->is.bank);
	return stage_batch(k, &c.epiderme, g->is.bank, false, why);
}

/* New hooks before old ones go: a port that changes engines is judged twice for a moment, never not at all. */
static int follow_filter(struct generation *g, struct kernel *k, const struct ports *now, bool *changed, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	own(filter_change) struct filter_change c = { 0 };
	struct filter_live live;
	int rc = look(k, &live, FILTER_WANT_CHAINS, a, why);

	if (!rc && ports_use(now, PORT_NFT) && !layout_has_epiderme(&live, g->is.bank)) {
		rc = load_epiderme(g, k, why);
		*changed = true;
	}
	if (rc)
		return rc;
	layout_drop_ports(&c, &live, g->is.bank, now);
	for (size_t i = 0; i < now->len; i++)
		if (now->at[i].engine == PORT_NFT && !layout_has_port(&live, g->is.bank, &now->at[i]))
			layout_hook_port(&c, g->is.bank, g->is.posture, &now->at[i], LAYOUT_HERE);
	return filter_commit(k->filter, &c, why);
}

static int follow_zones(struct generation *g, const struct ports *now, struct err *why)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < now->len; i++)
		rc = tables_set_zone(g->tables, now->at[i].ifindex, now->at[i].zones, why);
	for (size_t i = 0; !rc && i < g->ports.len; i++)
		if (!ports_find(now, g->ports.at[i].ifindex))
			rc = tables_set_zone(g->tables, g->ports.at[i].ifindex, 0, why);
	return rc;
}

int generation_follow_links(struct generation *g, struct kernel *k, struct state *s, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct port_wish wish = wish_of(g, k, false);
	struct links links;
	struct ports now;
	bool changed = false;
	int rc = route_links(k->route, &links, a, why);

	if (rc)
		return rc;
	ports_match(&now, &g->plan, &links, a);
	ports_choose(&now, &wish, why);
	if (g->tables)
		rc = follow_zones(g, &now, why);
	if (!rc)
		rc = ports_arm(&now, wish.x, why);
	if (!rc)
		rc = follow_filter(g, k, &now, &changed, why);
	if (rc)
		return rc;
	arena_free(g->ports_arena);
	g->ports_arena = take(a);
	g->ports = now;
	leave_others(g, k);
	if (!changed)
		return 0;
	rc = filter_digest(k->filter, bank_other(g->is.bank), &g->is.tables, why);
	s->now = g->is;
	return rc ? rc : state_save(s, k->settings->state_dir, why);
}

/* ---- adopting --------------------------------------------------------------------------- */

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
	path_in(path, k, "ledger");
	g->slots = arena_zero(g->arena, (g->plan.counter_count + 1) * sizeof *g->slots);
	rc = ledger_read(path, &g->plan, g->slots, why);
	return rc ? rc : tables_adopt(&g->tables, program, why);
}

static int adopt_bundle(struct generation *g, struct kernel *k, struct err *why)
{
	own(buf) struct buf bytes = { 0 };
	own(bundle) struct bundle *b = NULL;
	int rc = state_read_bundle(&bytes, k->settings->state_dir, &g->is.bundle, why);

	if (!rc)
		rc = bundle_open(&b, bytes.at, bytes.len, why);
	if (!rc)
		rc = read_plan(&g->plan, g->arena, b, why);
	if (rc)
		return rc;
	g->posture = posture_find(&g->plan, g->is.posture);
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
		rc = look(k, &live, FILTER_WANT_CHAINS, a, why);
	if (rc)
		return rc;
	if (!layout_is_hooked(&live, g->is.bank))
		return err_set(why, ENOENT, "the hooks of bank %c are not there", g->is.bank);
	*out = take(g);
	return 0;
}
