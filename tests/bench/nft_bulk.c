/*
 * What long lists cost a packet in nftables: one rule a line, nft's best form where it can hold the
 * list, and ours; and what ours takes to make, to prove and to load. Of a list of 100,000, which is measured when asked for, only ours.
 *
 *     nft_bulk [ROUNDS [SIZE [KIND]]]
 *
 * ClassBench's lists (tests/lib/classbench.h), three of four rules accept; packets as tests/lib/nft_run.h sends them.
 * Whether each engine accepts as many packets of the trace as the list does is looked at before.
 *
 * nft's best form is one map of intervals over all five fields, which takes no two keys that overlap: it
 * holds as many rules as can be taken in order without, and its packets are those of the rules it holds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "compiler/audit/audit.h"
#include "compiler/audit/nft/said.h"
#include "compiler/emit/emit.h"
#include "compiler/ir/proto.h"
#include "tests/lib/classbench.h"
#include "tests/lib/nft_live.h"
#include "tests/lib/nft_run.h"
#include "tests/lib/tap.h"

/* --- packets ----------------------------------------------------------------------------------- */

struct drawing {
	struct gen g;
	const struct classbench_rule *rules;
	size_t count;
};

static struct packet draw(void *cls)
{
	struct drawing *d = cls;

	return classbench_packet(&d->g, d->rules, d->count);
}

static void fill(struct nft_run *n, const struct classbench_rule *rules, size_t count)
{
	nft_run_fill(n, draw, &(struct drawing){ gen_new(1), rules, count });
}

/* --- rulesets -------------------------------------------------------------------------------------- */

static bool accepts(size_t rule)
{
	return rule % 4 != 3;
}

static unsigned wanted(const struct classbench_rule *rules, size_t count, const size_t *numbers, const struct classbench_rule *from,
		       size_t from_count)
{
	struct gen g = gen_new(1);
	unsigned n = 0;

	for (unsigned i = 0; i < FLOOR_RECORDS; i++) {
		struct packet p = classbench_packet(&g, from, from_count);
		size_t first = 0;

		while (first < count && !classbench_has(&rules[first], &p))
			first++;
		n += first < count && accepts(numbers ? numbers[first] : first);
	}
	return n;
}

static double measured(const struct nft_run *n, const char *what, unsigned want)
{
	const unsigned got = nft_run_passed(n);

	if (got != want) {
		fprintf(stderr, "nft_bulk: %s accepts %u of %u packets, not %u\n", what, got, FLOOR_RECORDS, want);
		exit(1);
	}
	return nft_run_ns(n);
}

static void put_prefix(struct buf *b, const char *field, struct prefix p)
{
	char text[ADDR_TEXT];

	if (p.len)
		buf_printf(b, "%s %s/%u ", field, addr_print(p.addr, text), p.len);
}

static void put_ports(struct buf *b, const char *field, struct range r)
{
	if (r.lo != 0 || r.hi != UINT16_MAX)
		buf_printf(b, "th %s %u-%u ", field, r.lo, r.hi);
}

static bool has_ports(const struct classbench_rule *r)
{
	return r->proto != PROTO_ANY_NUMBER && proto_has_ports(r->proto);
}

/* As a person writes it: each rule with a counter of its own. */
static void print_linear(struct buf *b, const struct classbench_rule *rules, size_t count)
{
	buf_puts(b, "table ip peer { chain c { type filter hook prerouting priority -300; policy drop;\n");
	for (size_t i = 0; i < count; i++) {
		put_prefix(b, "ip saddr", rules[i].src);
		put_prefix(b, "ip daddr", rules[i].dst);
		if (rules[i].proto != PROTO_ANY_NUMBER)
			buf_printf(b, "meta l4proto %u ", rules[i].proto);
		if (has_ports(&rules[i])) {
			put_ports(b, "sport", rules[i].sport);
			put_ports(b, "dport", rules[i].dport);
		}
		buf_printf(b, "counter %s\n", accepts(i) ? "accept" : "drop");
	}
	buf_puts(b, "}\n}\n");
}

static bool prefixes_meet(struct prefix x, struct prefix y)
{
	struct addr_range a = prefix_range(x), b = prefix_range(y);

	return a.lo <= b.hi && b.lo <= a.hi;
}

static bool rules_meet(const struct classbench_rule *x, const struct classbench_rule *y)
{
	if (!prefixes_meet(x->src, y->src) || !prefixes_meet(x->dst, y->dst))
		return false;
	if (x->proto != PROTO_ANY_NUMBER && y->proto != PROTO_ANY_NUMBER && x->proto != y->proto)
		return false;
	if (!has_ports(x) || !has_ports(y))
		return true;
	return x->sport.lo <= y->sport.hi && y->sport.lo <= x->sport.hi && x->dport.lo <= y->dport.hi && y->dport.lo <= x->dport.hi;
}

static void print_key(struct buf *b, const struct classbench_rule *r)
{
	const struct addr_range src = prefix_range(r->src), dst = prefix_range(r->dst);
	const bool ports = has_ports(r), any = r->proto == PROTO_ANY_NUMBER;
	char lo[ADDR_TEXT], hi[ADDR_TEXT];

	buf_printf(b, "%s-%s . ", addr_print((struct addr){ FAMILY_IP4, src.lo }, lo), addr_print((struct addr){ FAMILY_IP4, src.hi }, hi));
	buf_printf(b, "%s-%s . ", addr_print((struct addr){ FAMILY_IP4, dst.lo }, lo), addr_print((struct addr){ FAMILY_IP4, dst.hi }, hi));
	buf_printf(b, "%u-%u . %u-%u . %u-%u", any ? 0 : r->proto, any ? 255 : r->proto, ports ? r->sport.lo : 0,
		   ports ? r->sport.hi : UINT16_MAX, ports ? r->dport.lo : 0, ports ? r->dport.hi : UINT16_MAX);
}

/* Of the list, the rules that meet none before them among those. */
static size_t held_by_map(const struct classbench_rule *rules, size_t count, struct classbench_rule *held, size_t *numbers)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		size_t k = 0;

		if (!has_ports(&rules[i]) && rules[i].proto != PROTO_ANY_NUMBER)
			continue; /* the map asks ports of everything */
		while (k < n && !rules_meet(&rules[i], &held[k]))
			k++;
		if (k < n)
			continue;
		numbers[n] = i;
		held[n++] = rules[i];
	}
	return n;
}

static void print_map(struct buf *b, const struct classbench_rule *held, size_t count, const size_t *numbers)
{
	buf_puts(b, "table ip peer { map m { type ipv4_addr . ipv4_addr . inet_proto . inet_service . inet_service : verdict;\n"
		    "flags interval; counter; elements = {\n");
	for (size_t i = 0; i < count; i++) {
		buf_puts(b, i ? ",\n" : "");
		print_key(b, &held[i]);
		buf_printf(b, " : %s", accepts(numbers[i]) ? "accept" : "drop");
	}
	buf_puts(b, "\n}\n}\nchain c { type filter hook prerouting priority -300; policy drop;\n"
		    "ip saddr . ip daddr . meta l4proto . th sport . th dport vmap @m\n}\n}\n");
}

/* A longer list is nothing for others, and to prove it takes longer than to measure all else. */
#define PEERS_MOST 10000u

/* --- one list ------------------------------------------------------------------------------------------ */

struct ours {
	double made_ms, proved_ms, load_ms, ns;
	size_t bytes;
};

static double cpu_ms(void)
{
	return (double)clock() * 1e3 / CLOCKS_PER_SEC;
}

static double proved_ms(const struct ir *ir, struct batch *batch, struct arena *a)
{
	own(prover) struct prover *p = prover_new(&PROVE_BUDGET);
	const double begun = cpu_ms();
	struct err why;
	int rc = audit_layer4(p, ir_for_nft(ir, a), batch, &why);

	if (rc)
		fprintf(stderr, "nft_bulk: the proof: %s\n", why.text);
	return rc ? -1 : cpu_ms() - begun;
}

static struct ours measure_ours(struct nft_run *n, const struct classbench_rule *rules, size_t count, unsigned want)
{
	own(arena) struct arena *a = arena_new();
	struct ir *ir = classbench_posture(rules, count, a);
	struct emit_nft nft;
	struct plan plan = { 0 };
	struct ours o = { .load_ms = 1e9 };
	struct err why;
	const double begun = cpu_ms();

	floor_must(emit_nft(&nft, &plan, ir, a, &why), why.text);
	o.made_ms = cpu_ms() - begun;
	o.bytes = nft.posture.len;
	batch_place(&nft.posture, NFT_SAID_BANK);
	o.proved_ms = count > PEERS_MOST ? 0 : proved_ms(ir, &nft.posture, a);
	for (int i = 0; i < 3; i++) {
		const double ms = nft_load_ms(n->filter, &nft.posture);

		o.load_ms = ms < o.load_ms ? ms : o.load_ms;
		if (i < 2)
			nft_unload("inet tegumentar");
	}
	floor_must(!live_nft("table inet tegumentar { chain b_hook { type filter hook prerouting priority -300; policy drop;\n"
			     "goto b_P_forward\n}\n}\n"), "nft");
	o.ns = measured(n, "our tree", want);
	nft_unload("inet tegumentar");
	emit_nft_release(&nft);
	return o;
}

static bool measure(struct nft_run *n, const char *kind, size_t size)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf linear = { 0 }, map = { 0 };
	size_t count, held_count;
	struct classbench_rule *rules = classbench_sized(&count, a, kind, size);

	if (!rules)
		return false;
	struct classbench_rule *held = arena_zero(a, count * sizeof *held);
	size_t *numbers = arena_zero(a, count * sizeof *numbers);

	fill(n, rules, count);
	const unsigned want = wanted(rules, count, NULL, rules, count);
	const struct ours o = measure_ours(n, rules, count, want);

	if (count > PEERS_MOST) {
		printf("%-3s %6zu %6.0f %52s %6.0f          %6.0f          %7zu\n", kind, count, o.ns, "", o.made_ms, o.load_ms, o.bytes / 1024);
		fflush(stdout);
		return true;
	}
	print_linear(&linear, rules, count);
	const double linear_ms = nft_text_ms(&linear), linear_ns = measured(n, "the linear list", want);
	nft_unload("ip peer");

	held_count = held_by_map(rules, count, held, numbers);
	print_map(&map, held, held_count, numbers);
	fill(n, held, held_count);
	nft_text_ms(&map);
	const double map_ns = measured(n, "nft's map", wanted(held, held_count, numbers, held, held_count));
	nft_unload("ip peer");

	printf("%-3s %5zu  %6.0f  %8.0f x%-6.1f %6.0f x%-5.1f (%zu rules)  %5.0f  %6.0f  %6.0f  %6.0f  %7zu\n", kind, count, o.ns,
	       linear_ns, linear_ns / o.ns, map_ns, map_ns / o.ns, held_count, o.made_ms, o.proved_ms, o.load_ms, linear_ms,
	       o.bytes / 1024);
	fflush(stdout);
	return true;
}

int main(int argc, char **argv)
{
	static const char *const kinds[] = { "acl", "fw", "ipc" };
	static const size_t sizes[] = { 10, 100, 1000, 10000, 100000 };
	const size_t only = argc > 2 ? (size_t)atol(argv[2]) : 0;
	struct nft_run n;

	if (!live_may()) {
		printf("skipped: needs root\n");
		return 0;
	}
	nft_run_open(&n, argv[0], argc > 1 ? (unsigned)atoi(argv[1]) : 3);
	printf("              ns a packet, beyond the way to the hook                     ms\n"
	       "    rules    ours    linear           nft's map                       made  proved  loaded  nft -f  KiB sent\n");
	for (size_t s = 0; s < ARRAY_LEN(sizes); s++)
		for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
			if ((only ? only == sizes[s] : sizes[s] <= PEERS_MOST) && (argc < 4 || !strcmp(argv[3], kinds[k])) && !measure(&n, kinds[k], sizes[s])) {
				printf("skipped: ../shared/data/rulesets/classbench is not here\n");
				return 0;
			}
	nft_run_close(&n);
	return 0;
}
