/* The nft lowering: what is sent says what was meant, and can be read again. */
#include <stdlib.h>
#include <string.h>

#include "compiler/emit/emit.h"
#include "compiler/emit/nft/box.h"
#include "compiler/emit/nft/lower.h"
#include "compiler/emit/nft/read/read.h"
#include "compiler/front/front.h"
#include "compiler/ir/proto.h"
#include "lang/bundle/nft_name.h"
#include "tests/lib/gen.h"
#include "tests/lib/tap.h"

/* What a batch cannot carry. */
static void forget_remarks(struct nft_table *t)
{
	for (size_t i = 0; i < t->chains.len; i++) {
		t->chains.at[i]->remark = NULL;
		for (size_t k = 0; k < t->chains.at[i]->rules.len; k++)
			t->chains.at[i]->rules.at[k].remark = NULL;
	}
}

static bool reads_back(struct nft_table *t, struct arena *a, struct buf *want, struct buf *got)
{
	own(batch) struct batch sent = { 0 };
	struct nft_table read;
	struct err why = { 0 };

	forget_remarks(t);
	nft_print(want, t, 'a');
	nft_encode(&sent, t);
	if (nft_read(&read, a, &sent, &why)) {
		buf_printf(got, "refused: %s\n", why.text);
		return false;
	}
	nft_print(got, &read, 'a');
	return !strcmp(buf_text(want), buf_text(got));
}

/* The first line in which they differ. */
static void note_difference(const char *want, const char *got)
{
	while (*want && *want == *got)
		want++, got++;
	tap_note("wanted … %.60s", want);
	tap_note("got    … %.60s", got);
}

static void generated_rulesets_read_back(void)
{
	for (unsigned seed = 1; seed <= 200; seed++) {
		own(arena) struct arena *a = arena_new();
		own(buf) struct buf want = { 0 }, got = { 0 };
		struct gen g = gen_new(seed);
		struct policy *p = gen_policy(&g, a, seed % 2 ? &gen_shape_telling : &gen_shape_usual);
		struct nft_ruleset rs;
		struct err why = { 0 };

		if (nft_lower(&rs, ir_lower(p, a), a, &why)) {
			tap_ok(false, "seed %u lowers: %s", seed, why.text);
			return;
		}
		if (!reads_back(&rs.inet, a, &want, &got) || !reads_back(&rs.netdev, a, &want, &got)) {
			tap_ok(false, "seed %u: the text of what is sent is the text of what was meant", seed);
			note_difference(buf_text(&want), buf_text(&got));
			return;
		}
	}
	tap_ok(true, "of 200 generated policies, the text of what is sent is the text of what was meant");
}

/* In keys of several parts, addresses of 128 bits beside ports. */
static void wide_keys_are_whole(void)
{
	struct compilation *c = compilation_new();
	own(buf) struct buf policy = { 0 }, want = { 0 }, got = { 0 };
	struct nft_ruleset rs;
	struct err why = { 0 };

	buf_puts(&policy, "zone wan = \"eth0\"\nposture P {\n    default drop\n");
	for (unsigned i = 0; i < 200; i++)
		buf_printf(&policy, "    r%u: allow forward tcp from 2001:db8:%x::7/128 to any port %u\n", i, i + 16, 1000 + i);
	buf_puts(&policy, "}\ninitial posture P\n");
	const struct policy *p = front_read_text(c, "wide.teg", buf_text(&policy), policy.len);
	if (tap_ok(p && !nft_lower(&rs, ir_lower(p, c->arena), c->arena, &why), "200 hosts of IPv6 and a port each lower")) {
		const bool same = reads_back(&rs.inet, c->arena, &want, &got);

		tap_ok(strstr(buf_text(&want), "2001:db8:d7::7 . 1199 : \"P.r199\""), "to keys that hold the whole address");
		if (!tap_ok(same, "and read back"))
			note_difference(buf_text(&want), buf_text(&got));
	}
	compilation_free(c);
}

/* Whatever a bundle brings, reading ends with a table or a reason. */
static void altered_batches_are_read_or_refused(void)
{
	enum { TIMES = 4000 };
	struct gen g = gen_new(17);
	unsigned read = 0, refused = 0;
	own(arena) struct arena *of_policy = arena_new();
	struct nft_ruleset rs;
	struct err why = { 0 };
	own(batch) struct batch sent = { 0 };
	struct policy *p = gen_policy(&g, of_policy, &gen_shape_usual);

	tap_num(nft_lower(&rs, ir_lower(p, of_policy), of_policy, &why), 0, "lowers");
	nft_encode(&sent, &rs.netdev);
	for (unsigned i = 0; i < TIMES; i++) {
		own(arena) struct arena *a = arena_new();
		own(buf) struct buf sealed = { 0 };
		own(batch) struct batch opened = { 0 };
		struct nft_table t;

		batch_encode(&sealed, &sent);
		for (unsigned n = 1 + gen_below(&g, 3); n; n--)
			sealed.at[gen_below(&g, (unsigned)sealed.len)] = (char)gen_u64(&g);
		if (batch_open(&opened, sealed.at, sealed.len, &why) || nft_read(&t, a, &opened, &why)) {
			refused++;
			continue;
		}
		own(buf) struct buf text = { 0 };
		nft_print(&text, &t, 'a');
		read++;
	}
	tap_ok(read && refused, "%u altered batches: %u read, %u refused, none believed blindly", TIMES, read, refused);
}

static bool batches_equal(const struct batch *x, const struct batch *y)
{
	return x->len == y->len && !memcmp(x->messages, y->messages, x->len) &&
	       x->bank_count == y->bank_count &&
	       !memcmp(x->banks, y->banks, x->bank_count * sizeof *x->banks);
}

static void the_same_policy_gives_the_same_bytes(void)
{
	struct emit_nft n[2];

	for (int i = 0; i < 2; i++) {
		own(arena) struct arena *a = arena_new();
		struct gen g = gen_new(7);
		struct policy *p = gen_policy(&g, a, &gen_shape_usual);
		struct plan plan = { 0 };
		struct err why = { 0 };

		tap_num(emit_nft(&n[i], &plan, ir_lower(p, a), a, &why), 0, "emits");
	}
	tap_ok(batches_equal(&n[0].posture, &n[1].posture), "posture.batch is the same twice");
	tap_ok(batches_equal(&n[0].epiderme, &n[1].epiderme), "epiderme.batch is the same twice");
	tap_text(buf_text(&n[0].text), buf_text(&n[1].text), "ruleset.nft is the same twice");
	for (int i = 0; i < 2; i++)
		emit_nft_release(&n[i]);
}

/* Every place where '@' begins a name is listed, and nothing else. */
static void banks_are_all_listed(void)
{
	own(arena) struct arena *a = arena_new();
	struct gen g = gen_new(11);
	struct policy *p = gen_policy(&g, a, &gen_shape_usual);
	struct plan plan = { 0 };
	struct err why = { 0 };
	struct emit_nft n;
	size_t left = 0;

	tap_num(emit_nft(&n, &plan, ir_lower(p, a), a, &why), 0, "emits");
	tap_num(batch_check(&n.posture, NFT_TABLE_NAME, &why), 0, "posture.batch passes the warden's check");
	tap_num(batch_check(&n.epiderme, NFT_TABLE_NAME, &why), 0, "epiderme.batch passes the warden's check");
	batch_place(&n.posture, 'b');
	for (size_t i = 0; i + 1 < n.posture.len; i++)
		left += n.posture.messages[i] == '@' && n.posture.messages[i + 1] == '_';
	tap_num((int64_t)left, 0, "after placing, no bank letter is left");
	emit_nft_release(&n);
}

static bool is_kept(const struct plan *plan, const char *name)
{
	for (uint32_t i = 0; i < plan->nft_keep_count; i++)
		if (!strcmp(plan->nft_keep[i], name))
			return true;
	return false;
}

static void the_plan_keeps_every_name(void)
{
	own(arena) struct arena *a = arena_new();
	struct gen g = gen_new(3);
	struct ir *ir = ir_lower(gen_policy(&g, a, &gen_shape_usual), a);
	struct plan plan = { 0 };
	struct err why = { 0 };
	struct emit_nft n;
	size_t missing = 0;

	emit_plan(&plan, ir, a);
	tap_num(emit_nft(&n, &plan, ir, a, &why), 0, "emits");
	for (uint32_t i = 0; i < plan.counter_count; i++) {
		const char *name = plan.counters[i].nft_name;

		if (!*name || is_kept(&plan, name))
			continue;
		missing++;
		tap_note("counter %s (%s) is in no table", name, plan.counters[i].id);
	}
	tap_num((int64_t)missing, 0, "every counter that the plan says nft has is there");
	tap_ok(is_kept(&plan, "blocked4") && is_kept(&plan, "blocked6"), "the sets of runtime blocks are kept");
	emit_nft_release(&n);
}

/* --- merging ---------------------------------------------------------------------------- */

static struct ir_box port_box(struct arena *a, uint16_t proto, uint16_t port)
{
	return (struct ir_box){
		.zones = UINT64_MAX, .families = 3, .fragments = FRAGMENT_WHOLE | FRAGMENT_FIRST, .proto = proto,
		.src = { .any = true }, .dst = { .self = true },
		.sport = ranges_of(a, 0, UINT16_MAX), .dport = ranges_of(a, port, port),
		.icmp = ranges_of(a, 0, UINT16_MAX),
	};
}

static void boxes_join(void)
{
	own(arena) struct arena *a = arena_new();
	enum { MANY = 2000 };
	struct ir_box *many = arena_zero(a, MANY * sizeof *many);
	struct ir_box web[] = { port_box(a, PROTO_TCP, 80), port_box(a, PROTO_TCP, 443), port_box(a, PROTO_UDP, 443) };
	struct ir_box dns[] = { port_box(a, PROTO_TCP, 53), port_box(a, PROTO_UDP, 53) };
	size_t count;

	nft_boxes(a, web, 3, &count);
	tap_num((int64_t)count, 2, "tcp/80, tcp/443 and udp/443 are two rules");
	struct nft_box *b = nft_boxes(a, dns, 2, &count);
	tap_num((int64_t)count, 1, "tcp/53 and udp/53 are one rule");
	tap_ok(ranges_has(&b->protos, PROTO_TCP) && ranges_has(&b->protos, PROTO_UDP) &&
		       !ranges_has(&b->protos, PROTO_SCTP), "for both protocols and no other");
	for (uint16_t i = 0; i < MANY; i++)
		many[i] = port_box(a, PROTO_TCP, (uint16_t)(2 * i));
	b = nft_boxes(a, many, MANY, &count);
	tap_num((int64_t)count, 1, "2000 ports are one rule");
	tap_num((int64_t)b->box->dport.len, MANY, "with 2000 ranges");
	tap_ok(many[0].dport.len == 1 && many[MANY - 1].dport.len == 1, "and the boxes that were joined are as they were");
	many[0].flags_mask = many[0].flags_want = 2;
	nft_boxes(a, many, MANY, &count);
	tap_num((int64_t)count, 2, "what differs in flags, too, stays apart");
}

int main(void)
{
	boxes_join();
	generated_rulesets_read_back();
	wide_keys_are_whole();
	altered_batches_are_read_or_refused();
	the_same_policy_gives_the_same_bytes();
	banks_are_all_listed();
	the_plan_keeps_every_name();
	return tap_done();
}
