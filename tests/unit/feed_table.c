/*
 * What is on a policy's feeds is dropped by the programs of both hooks, by the first feed that has it, after what
 * always passes and before the policy's own blocks; and is replaced while they judge.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <linux/bpf.h>

#include "compiler/audit/audit.h"
#include "compiler/emit/emit.h"
#include "compiler/ir/eval.h"
#include "compiler/ir/proto.h"
#include "tests/lib/craft.h"
#include "tests/lib/gen.h"
#include "tests/lib/tap.h"
#include "tests/lib/xdp_run.h"

static void add_feed(struct policy *p, const char *name, uint64_t most)
{
	struct pol_feed *all = arena_zero(p->arena, (p->feed_count + 1) * sizeof *all);

	for (size_t i = 0; i < p->feed_count; i++)
		all[i] = p->feeds[i];
	all[p->feed_count++] = (struct pol_feed){ .name = name, .id = arena_printf(p->arena, "feed.%s", name), .max = most,
						  .blocks = true };
	p->feeds = all;
}

/* A lifeline for 203.0.113.0/24, two feeds, and a block of 192.0.2.0/24. */
static struct ir *policy(struct arena *a)
{
	struct policy *p = craft_policy(a, "fed");
	struct pol_selector any = craft_select(a, PROTO_UDP);

	any.from = craft_end(a, "203.0.113.0/24");
	craft_lifeline(p, "admins", any);
	add_feed(p, "drop", 1000);
	add_feed(p, "more", 10);
	craft_block(p, "bogons", "192.0.2.0/24", 1);
	craft_add_posture(p, craft_posture("OPEN", VERDICT_ALLOW));
	return ir_lower(p, a);
}

static struct plan_prefix member(const char *text, uint64_t feeds)
{
	struct plan_prefix p = { .sets = feeds };

	tap_ok(prefix_parse(text, &p.prefix) == PREFIX_OK, "%s is a prefix", text);
	return p;
}

/* UDP to port 9 of this family. */
static size_t frame_from(uint8_t out[static 64], const char *source)
{
	const struct addr a = craft_addr(source);
	const bool ip6 = a.family == FAMILY_IP6;
	uint8_t *ip = out + 14, *udp = ip + (ip6 ? 40 : 20), bytes[16];

	memset(out, 0, 64);
	addr_to_bytes(a, bytes);
	out[12] = ip6 ? 0x86 : 0x08, out[13] = ip6 ? 0xdd : 0;
	if (ip6) {
		ip[0] = 0x60, ip[5] = 8, ip[6] = PROTO_UDP, ip[7] = 64;
		memcpy(ip + 8, bytes, 16);
		ip[24] = 0x20, ip[39] = 1;
	} else {
		ip[0] = 0x45, ip[3] = 28, ip[8] = 64, ip[9] = PROTO_UDP;
		memcpy(ip + 12, bytes, 4);
		ip[16] = 198, ip[17] = 18;
	}
	udp[1] = 7, udp[3] = 9, udp[5] = 8;
	return (size_t)(udp + 8 - out) < 60 ? 60 : (size_t)(udp + 8 - out);
}

static uint32_t counter(const struct plan *p, const char *id)
{
	for (uint32_t i = 0; i < p->counter_count; i++)
		if (!strcmp(p->counters[i].id, id))
			return i;
	tap_ok(false, "no counter %s", id);
	return 0;
}

/* By which counter a packet from there is dropped; "" when it goes on. */
static const char *drops(struct xdp_run *x, const struct plan *p, const char *source)
{
	static const char *const ids[] = { "feed.drop", "feed.more", "block.bogons" };
	uint64_t before[ARRAY_LEN(ids)];
	uint8_t frame[64];
	const size_t len = frame_from(frame, source);

	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		before[i] = xdp_run_counter(x, counter(p, ids[i])).packets;
	if (xdp_run_frame(x, frame, len) == XDP_PASS)
		return "";
	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		if (xdp_run_counter(x, counter(p, ids[i])).packets != before[i])
			return ids[i];
	return "nobody";
}

struct row { const char *source, *by; };

static void ask(struct xdp_run *x, const struct plan *p, const char *what, const struct row *rows, size_t count)
{
	char claim[128];

	for (size_t i = 0; i < count; i++) {
		snprintf(claim, sizeof claim, "%s: %s", what, rows[i].source);
		tap_text(drops(x, p, rows[i].source), rows[i].by, claim);
	}
}

static const struct row nothing[] = {
	{ "198.51.100.7", "" }, { "192.0.2.1", "block.bogons" }, { "2001:db8::7", "" }, { "203.0.113.5", "" },
};
static const struct row first[] = {
	{ "198.51.100.7", "feed.drop" }, { "198.51.100.8", "" }, { "192.0.2.1", "feed.more" }, { "192.0.2.129", "block.bogons" },
	{ "203.0.113.5", "" } /* a lifeline */, { "203.0.112.5", "feed.drop" }, { "2001:db8::7", "feed.more" },
	{ "2001:db8::8", "" }, { "2001:db8:1::9", "feed.drop" }, { "2001:db8:1:2:3::9", "feed.drop" }, { "2001:db9::", "" },
};
static const struct row second[] = {
	{ "198.51.100.7", "" }, { "198.51.100.8", "feed.more" }, { "192.0.2.1", "block.bogons" }, { "2001:db8::7", "" },
	{ "2001:db8::8", "feed.drop" }, { "2001:db8:1::9", "" },
};

static void hook(enum teg_hook which, const char *name, const struct plan *p)
{
	own(xdp_run) struct xdp_run *x = NULL;
	struct err why = { 0 };
	int rc = xdp_run_new_in(&x, which, p, XDP_RUN_GIVEN_CLOCK, &why);

	if (rc == -EPERM) {
		tap_skip("BPF is not allowed", name);
		return;
	}
	if (rc) {
		tap_ok(false, "%s: %s", name, why.text);
		return;
	}
	struct plan_prefix one[] = { member("192.0.2.0/25", 2), member("198.51.100.7", 1), member("203.0.112.0/23", 1),
				     member("2001:db8::7", 2), member("2001:db8:1::/48", 1), member("2001:db8:1:2::/64", 3) };
	struct plan_prefix two[] = { member("198.51.100.8", 2), member("2001:db8::8", 1) };

	xdp_run_at(x, 1, 0, 1);
	ask(x, p, "before anything is on a feed", nothing, ARRAY_LEN(nothing));
	for (int turn = 0; turn < 2; turn++) {
		xdp_run_feed_beside(x, one, ARRAY_LEN(one));
		ask(x, p, "while something is written beside", turn ? second : nothing, turn ? ARRAY_LEN(second) : ARRAY_LEN(nothing));
		xdp_run_fed(x);
		ask(x, p, "with something on both", first, ARRAY_LEN(first));
		xdp_run_feed_beside(x, two, ARRAY_LEN(two));
		ask(x, p, "while something else is written beside", first, ARRAY_LEN(first));
		xdp_run_fed(x);
		ask(x, p, "with something else", second, ARRAY_LEN(second));
	}
	xdp_run_feed(x, NULL, 0);
	ask(x, p, "when nothing is on them any more", nothing, ARRAY_LEN(nothing));
}

/* Few different bytes, so that prefixes nest and touch. */
static struct addr drawn(struct gen *g)
{
	struct addr a = { gen_below(g, 2) ? FAMILY_IP4 : FAMILY_IP6, 0 };

	for (unsigned i = 0; i < FAMILY_BITS(a.family) / 8; i++)
		a.num = a.num << 8 | (unsigned)("\x20\x01\x7f\x80\xff"[gen_below(g, 5)] & 0xff);
	return a;
}

static bool has(const struct plan_prefix *at, size_t count, uint64_t feed, struct addr a)
{
	for (size_t i = 0; i < count; i++) {
		const struct addr_range r = prefix_range(at[i].prefix);

		if (at[i].sets & feed && at[i].prefix.addr.family == a.family && r.lo <= a.num && a.num <= r.hi)
			return true;
	}
	return false;
}

/* Contents of two feeds, replaced again and again, against a plain search. */
static void as_a_search(enum teg_hook which, const char *name, const struct plan *p, uint64_t seed)
{
	struct gen g = gen_new(seed);
	own(xdp_run) struct xdp_run *x = NULL;
	struct err why = { 0 };
	char text[ADDR_TEXT];
	unsigned wrong = 0, dropped = 0;

	if (xdp_run_new_in(&x, which, p, XDP_RUN_GIVEN_CLOCK, &why)) {
		tap_skip("BPF is not allowed", name);
		return;
	}
	xdp_run_at(x, 1, 0, 1);
	for (int turn = 0; turn < 30; turn++) {
		struct plan_prefix said[200], joined[200];
		const uint32_t count = (uint32_t)gen_below(&g, ARRAY_LEN(said));

		for (uint32_t i = 0; i < count; i++) {
			struct addr a = drawn(&g);
			const unsigned len = 8 + (unsigned)gen_below(&g, FAMILY_BITS(a.family) - 7);

			a.num &= ~prefix_range((struct prefix){ { a.family, 0 }, len }).hi;
			said[i] = joined[i] = (struct plan_prefix){ { a, len }, 1 + gen_below(&g, 3) };
		}
		xdp_run_feed(x, joined, plan_prefixes_join(joined, count));
		for (int ask = 0; ask < 200; ask++) {
			const struct addr a = count && gen_below(&g, 2) ? said[gen_below(&g, count)].prefix.addr : drawn(&g);
			const char *want = has(said, count, 1, a) ? "feed.drop" : has(said, count, 2, a) ? "feed.more" : "";

			if (strcmp(drops(x, p, addr_print(a, text)), want) != 0 && ++wrong < 5)
				tap_note("%s: %s, not %s", text, drops(x, p, text), want);
			dropped += *want != 0;
		}
	}
	tap_num(wrong, 0, "30 contents of two feeds, 6,000 sources: as a plain search has it");
	tap_ok(dropped > 500 && dropped < 5500, "of which some are dropped (%u)", dropped);
}

static void decoded(const struct plan *p, struct arena *a)
{
	own(buf) struct buf bytes = { 0 };
	struct plan back;
	struct err why = { 0 };

	plan_encode(&bytes, p);
	tap_ok(!plan_decode(&back, a, bytes.at, bytes.len, &why), "the plan of feeds is read again: %s", why.text);
	tap_ok(back.feed_count == 2 && back.config.feed_count == 2 && back.feeds[0].most == 1000 && !strcmp(back.feeds[1].name, "more"),
	       "with both feeds");

	struct plan wrong = *p;
	wrong.config.feed_first++;
	bytes.len = 0;
	plan_encode(&bytes, &wrong);
	tap_ok(plan_decode(&back, a, bytes.at, bytes.len, &why) != 0, "rules of feeds that are not theirs are refused");
	wrong = *p;
	wrong.boxes = arena_copy(a, p->boxes, p->box_count * sizeof *p->boxes);
	wrong.boxes[0].rule = p->config.feed_first;
	bytes.len = 0;
	plan_encode(&bytes, &wrong);
	tap_ok(plan_decode(&back, a, bytes.at, bytes.len, &why) != 0, "and a box that has the rule of a feed");
}

/* How it is read and for how long is in the bundle too, and no packet shows it: the audit compares each. */
static void audited(const struct plan *p, const struct ir *ir)
{
	const struct plan_feed was = p->feeds[1];
	struct plan_feed wrong[] = { was, was, was, was, was, was, was };
	static const char *const damages[] = { "name", "format", "member", "column", "entries", "time", "end" };
	own(prover) struct prover *prover = prover_new(&PROVE_BUDGET);
	struct err why = { 0 };

	wrong[0].name = "less";
	wrong[1].format++;
	wrong[2].member = "ip";
	wrong[3].column++;
	wrong[4].most++;
	wrong[5].stale_s++;
	wrong[6].stale_keeps ^= 1;
	tap_ok(!audit_first_hook(prover, ir, p, &why), "feeds as they were made are proved %s", why.text);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		p->feeds[1] = wrong[i];
		tap_ok(audit_first_hook(prover, ir, p, &why), "a feed with another %s is refused: %s", damages[i], why.text);
	}
	p->feeds[1] = was;
}

int main(void)
{
	own(arena) struct arena *a = arena_new();
	struct plan p = { 0 };
	struct ir *ir = policy(a);
	struct err why = { 0 };

	emit_plan(&p, ir, a);
	tap_ok(!emit_xdp(&p, ir, a, &why), "a policy with feeds has tables: %s", why.text);
	audited(&p, ir);
	decoded(&p, a);
	hook(TEG_HOOK_XDP, "XDP", &p);
	hook(TEG_HOOK_TC, "TC", &p);
	as_a_search(TEG_HOOK_XDP, "XDP", &p, 1);
	as_a_search(TEG_HOOK_TC, "TC", &p, 2);
	return tap_done();
}
