/*
 * What eval cannot say of the program besides limits (limit.c): blocks and own addresses that are set from user space, frames of
 * several buffers, and the anchor before it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "enforcer/hook/anchor.h"
#include "enforcer/hook/block_table.h"
#include "enforcer/hook/tables/tables.h"
#include "tests/lib/limits.h"
#include "tests/lib/tap.h"

/* ---- from user space ----------------------------------------------------------------- */

static struct addr address(const char *text)
{
	struct addr a;

	if (!addr_parse(text, &a))
		abort();
	return a;
}

/* Places that are claimed, and given to nobody. */
static unsigned claimed(const struct block_table *t)
{
	unsigned found = 0;

	for (unsigned i = 0; i < TEG_BLOCK_SETS * TEG_BLOCK_WAYS; i++)
		found += (t->at->at[i / TEG_BLOCK_WAYS][i % TEG_BLOCK_WAYS].meta & TEG_BLOCK_CLAIMED) != 0;
	return found;
}

/* What the program writes into the table of blocks: whoever is over has one place, also when blocked anew. */
static void placed(void)
{
	struct plan strict = limits_plan;
	own(xdp_run) struct xdp_run *x = NULL;
	own(block_table) struct block_table t = { 0 };
	struct err why;

	strict.rules = limits_strict;
	if (xdp_run_new_in(&x, xdp_run_hook(), &strict, XDP_RUN_GIVEN_CLOCK, &why) || block_table_open(&t, xdp_run_shared(x), &why)) {
		tap_ok(false, "a policy that blocks: %s", why.text);
		return;
	}
	for (unsigned i = 0; i < 2; i++) {
		const uint64_t now = LIMITS_NOW + i * SECOND;

		xdp_run_at(x, 1, 0, now);
		limits_clients(x, 12);
		tap_num(block_table_count(&t, now), LIMITS_CLIENTS, i ? "sources blocked, that were a second ago" : "sources that the program has blocked");
	}
	tap_num(claimed(&t), 0, "places that are claimed for nobody");
}

static void blocks(struct xdp_run *x)
{
	static const struct { const char *blocked, *asked; bool passes; } rows[] = {
		{ "203.0.113.7", "203.0.113.7", false },
		{ "203.0.113.7", "203.0.113.8", true },
		{ "2001:db8:7::7", "2001:db8:7::7", false },
		{ "2001:db8:7::7", "2001:db8:7::ffff", false }, /* the /64 is blocked */
		{ "2001:db8:7::7", "2001:db8:7:1::7", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct addr source = address(rows[i].blocked);

		tap_ok(limits_passes(x, rows[i].asked, 0), "%s passes", rows[i].asked);
		xdp_run_block(x, source, LIMITS_NOW + 1000);
		tap_ok(limits_passes(x, rows[i].asked, 0) == rows[i].passes, "%s %s while %s is blocked", rows[i].asked,
		       rows[i].passes ? "passes" : "does not pass", rows[i].blocked);
		xdp_run_at(x, 1, 0, LIMITS_NOW + 1000);
		tap_ok(limits_passes(x, rows[i].asked, 0), "%s passes when the block is over", rows[i].asked);
		xdp_run_at(x, 1, 0, LIMITS_NOW);
		xdp_run_block(x, source, 0);
		tap_ok(limits_passes(x, rows[i].asked, 0), "%s passes when the block is taken back", rows[i].asked);
	}
}

static bool is_lifeline(struct xdp_run *x, const char *dst)
{
	uint8_t frame[128];
	uint64_t before = xdp_run_counter(x, 2).packets;
	const char *src = strchr(dst, ':') ? "2001:db8:99::1" : "198.51.100.99";

	xdp_run_frame(x, frame, limits_syn(frame, sizeof frame, src, 0, dst, 22, 0));
	return xdp_run_counter(x, 2).packets == before + 1;
}

static void own_addresses(struct xdp_run *x)
{
	struct addr first[] = { address("192.0.2.1"), address("2001:db8:2::1") };
	struct addr many[TEG_SELF_MAX];
	unsigned found = 0;

	xdp_run_self(x, first, ARRAY_LEN(first));
	tap_ok(is_lifeline(x, "192.0.2.1") && is_lifeline(x, "2001:db8:2::1"), "own addresses are `self`");
	tap_ok(!is_lifeline(x, "192.0.2.2") && !is_lifeline(x, "2001:db8:2::2"), "others are not");
	for (unsigned i = 0; i < TEG_SELF_MAX; i++) {
		many[i] = address(i & 1 ? "10.1.0.0" : "2001:db8:3::");
		many[i].num += i;
	}
	xdp_run_self(x, many, TEG_SELF_MAX);
	for (unsigned i = 0; i < TEG_SELF_MAX; i++) {
		char text[ADDR_TEXT];

		found += is_lifeline(x, addr_print(many[i], text));
	}
	tap_num(found, TEG_SELF_MAX, "own addresses found of as many as may be");
	tap_ok(!is_lifeline(x, "192.0.2.1"), "an address that the host has no more is not `self`");
}

/* ---- long frames ------------------------------------------------------------------------ */

static void long_frames(struct xdp_run *x)
{
	static uint8_t frame[9100];
	size_t len = limits_syn(frame, sizeof frame, "198.51.100.50", 0, "192.0.2.1", 443, 8000);

	tap_num(xdp_run_frame(x, frame, len), XDP_PASS, "a frame of several buffers passes");
	uint64_t before = xdp_run_cause(x, CAUSE_BAD_IP).packets;
	tap_num(xdp_run_frame(x, frame, len - 1), XDP_DROP, "one byte short, it does not");
	tap_num(xdp_run_cause(x, CAUSE_BAD_IP).packets - before, 1, "and is counted as bad-ip");
}

/* ---- behind the anchor --------------------------------------------------------------------- */

static unsigned ask(int program, const uint8_t *frame, size_t len)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = (uint32_t)len, .repeat = 1);

	return bpf_prog_test_run_opts(program, &run) ? XDP_ABORTED : run.retval;
}

static void anchored(struct xdp_run *x)
{
	static const uint8_t cut[14] = { [12] = 0x08 }; /* IPv4, and nothing of it */
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "anchor");
	struct bpf_object *o = bpf_object__open_mem(anchor_object, (size_t)(anchor_object_end - anchor_object), &opts);
	struct bpf_program *program = o ? bpf_object__find_program_by_name(o, "anchor") : NULL;
	struct bpf_map *slots = o ? bpf_object__find_map_by_name(o, "teg_slots") : NULL;
	const uint32_t zero = 0;
	int policy = xdp_run_program(x);

	if (!tap_ok(program && slots, "the anchor has its program and its slots"))
		return;
	bpf_program__set_flags(program, tables_kernel_has_frags() ? BPF_F_XDP_HAS_FRAGS : 0);
	tap_ok(!bpf_map__reuse_fd(slots, xdp_run_shared(x)->slots) && !bpf_object__load(o), "the anchor loads");
	tap_num(ask(bpf_program__fd(program), cut, sizeof cut), XDP_PASS, "an empty slot passes what no policy forbids");
	tap_num(bpf_map_update_elem(xdp_run_shared(x)->slots, &zero, &policy, BPF_ANY), 0, "the slot takes the policy");
	tap_num(ask(bpf_program__fd(program), cut, sizeof cut), XDP_DROP, "and the policy judges");

	own(tables) struct tables *found = NULL;
	struct err why = { 0 };
	tap_ok(!tables_adopt(&found, TEG_HOOK_XDP, policy, &why) && !tables_set_zone(found, 5000, 1, &why),
	       "its tables are found again by the program alone");
	tap_ok(tables_adopt(&found, TEG_HOOK_XDP, bpf_program__fd(program), &why) < 0, "the anchor is not taken for a policy: %s",
	       why.text);
	bpf_object__close(o);
}

int main(void)
{
	own(xdp_run) struct xdp_run *x = NULL;
	struct err why = { 0 };

	if (xdp_run_new_in(&x, xdp_run_hook(), &limits_plan, XDP_RUN_GIVEN_CLOCK, &why)) {
		if (why.code == -EPERM)
			tap_skip("BPF is not allowed here", "blocks and own addresses are looked up in the XDP program");
		else
			tap_ok(false, "the program loads: %s", why.text);
		return tap_done();
	}
	xdp_run_at(x, 1, 0, LIMITS_NOW);
	placed();
	blocks(x);
	own_addresses(x);
	if (xdp_run_hook() == TEG_HOOK_XDP) {
		long_frames(x);
		anchored(x);
	} else {
		tap_skip("the kernel may not be asked for XDP, and TC has neither", "frames of several buffers, and the anchor");
	}
	return tap_done();
}
