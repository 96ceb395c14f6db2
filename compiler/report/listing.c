#include "compiler/report/listing.h"

#include <stdio.h>
#include <string.h>

#include "compiler/emit/nft/read/read.h"
#include "compiler/ir/proto.h"
#include "lang/bundle/batch.h"
#include "lang/bundle/plan.h"
#include "lang/bundle/seal.h"
#include "lang/derme/derme.h"
#include "lang/playbook/playbook.h"
#include "lang/vocab/cause.h"

static void print_members(struct buf *out, const struct bundle *b)
{
	size_t count;
	const struct bundle_member *m = bundle_members(b, &count);

	buf_puts(out, "\nmembers\n");
	for (size_t i = 0; i < count; i++)
		buf_printf(out, "    %9zu  %s\n", m[i].len, m[i].name);
}

static void print_zones(struct buf *out, const struct plan *p)
{
	buf_puts(out, "\nzones\n");
	for (uint32_t i = 0; i < p->zone_count; i++) {
		buf_printf(out, "    %-12s", p->zones[i].name);
		for (uint32_t j = 0; j < p->zones[i].pattern_count; j++)
			buf_printf(out, " %s", p->zones[i].patterns[j]);
		buf_putc(out, '\n');
	}
}

static void print_passes(struct buf *out, const struct plan *p, uint32_t posture)
{
	uint32_t passes = 0;

	for (unsigned c = 0; c < CAUSE_COUNT; c++)
		passes |= (uint32_t)(p->config.passes[c] >> posture & 1) << c;
	if (!passes)
		return;
	buf_puts(out, "                 malformed pass ");
	cause_names(out, passes);
	buf_putc(out, '\n');
}

static void print_postures(struct buf *out, const struct plan *p)
{
	buf_puts(out, "\npostures\n");
	for (uint32_t i = 0; i < p->posture_count; i++) {
		const struct plan_posture *s = &p->postures[i];

		buf_printf(out, "    %-12s established %s%s%s", s->name, established_name(s->established),
			   s->closed ? ", closed" : "", i == p->initial ? ", initial" : "");
		for (uint32_t w = 0; w < p->posture_count; w++)
			if (w != i && s->within >> w & 1)
				buf_printf(out, ", <= %s", p->postures[w].name);
		buf_printf(out, "%s%s\n", *s->title ? "  # " : "", s->title);
		print_passes(out, p, i);
	}
}

/* --- the first hook's tables -------------------------------------------------------------- */

static void print_bit_names(struct buf *out, uint64_t bits, uint32_t count, const char *(*name)(const void *, uint32_t),
			    const void *of)
{
	const char *comma = "";

	for (uint32_t i = 0; i < count; i++) {
		if (!(bits & 1ull << i))
			continue;
		buf_printf(out, "%s%s", comma, name(of, i));
		comma = ",";
	}
}

static const char *zone_at(const void *plan, uint32_t i)
{
	return ((const struct plan *)plan)->zones[i].name;
}

static const char *posture_at(const void *plan, uint32_t i)
{
	return ((const struct plan *)plan)->postures[i].name;
}

static void print_end(struct buf *out, const char *word, uint64_t sets)
{
	const char *plus = "";

	if (!sets)
		return;
	buf_printf(out, " %s ", word);
	if (sets & TEG_SET_SELF) {
		buf_puts(out, "self");
		plus = "+";
	}
	for (unsigned i = 0; i < TEG_SETS_MAX; i++) {
		if (!(sets & 1ull << i))
			continue;
		buf_printf(out, "%sset%u", plus, i);
		plus = "+";
	}
}

static void print_range(struct buf *out, const char *word, unsigned lo, unsigned hi)
{
	if (lo == 0 && hi == UINT16_MAX)
		return;
	if (lo == hi)
		buf_printf(out, " %s %u", word, lo);
	else
		buf_printf(out, " %s %u-%u", word, lo, hi);
}

static void print_icmp(struct buf *out, const struct teg_box *b)
{
	if (b->icmp_lo == 0 && b->icmp_hi == UINT16_MAX)
		return;
	buf_printf(out, " type %u", b->icmp_lo >> 8);
	if (b->icmp_lo == b->icmp_hi)
		buf_printf(out, " code %u", b->icmp_lo & 255u);
	else if (b->icmp_hi != (b->icmp_lo | 255))
		buf_printf(out, " code %u to type %u code %u", b->icmp_lo & 255u, b->icmp_hi >> 8, b->icmp_hi & 255u);
}

static void print_proto(struct buf *out, unsigned proto)
{
	switch (proto) {
	case PROTO_ICMP:
		buf_puts(out, "icmp");
		return;
	case PROTO_TCP:
		buf_puts(out, "tcp");
		return;
	case PROTO_UDP:
		buf_puts(out, "udp");
		return;
	case PROTO_ICMPV6:
		buf_puts(out, "icmpv6");
		return;
	case PROTO_SCTP:
		buf_puts(out, "sctp");
		return;
	case TEG_PROTO_ANY:
		buf_puts(out, "ip");
		return;
	}
	buf_printf(out, "proto %u", proto);
}

/* An end of the trees: one prefix, or none. */
static void print_prefix(struct buf *out, const char *word, const __u64 addr[static 2], const __u64 mask[static 2])
{
	addr_num num = (addr_num)addr[0] << 64 | addr[1];
	unsigned bits = (unsigned)(__builtin_popcountll(mask[0]) + __builtin_popcountll(mask[1]));
	bool mapped = bits >= 96 && num >> 32 == 0xffff;
	struct prefix p = { { mapped ? FAMILY_IP4 : FAMILY_IP6, mapped ? (uint32_t)num : num }, mapped ? bits - 96 : bits };
	char text[ADDR_TEXT];

	if (bits)
		buf_printf(out, " %s %s", word, prefix_print(p, text));
}

static void print_box(struct buf *out, const struct plan *p, const struct teg_box *b, const struct teg_bulk_box *bulk)
{
	buf_puts(out, "        ");
	print_proto(out, b->proto);
	if (b->families == TEG_IP4)
		buf_puts(out, " IPv4");
	if (b->families == TEG_IP6)
		buf_puts(out, " IPv6");
	print_end(out, "from", b->src);
	if (bulk)
		print_prefix(out, "from", bulk->addr, bulk->mask);
	print_range(out, "sport", b->sport_lo, b->sport_hi);
	print_end(out, "to", b->dst);
	if (bulk)
		print_prefix(out, "to", bulk->addr + 2, bulk->mask + 2);
	print_range(out, "port", b->dport_lo, b->dport_hi);
	print_icmp(out, b);
	if (b->flags_mask)
		buf_printf(out, " flags 0x%02x/0x%02x", b->flags_want, b->flags_mask);
	if (!(b->fragments & TEG_LATER))
		buf_puts(out, " not-later-fragment");
	if (b->zones != UINT64_MAX) {
		buf_puts(out, " on ");
		print_bit_names(out, b->zones, p->zone_count, zone_at, p);
	}
	buf_putc(out, '\n');
}

static void print_rate(struct buf *out, const struct teg_rule *r)
{
	buf_printf(out, ", what is over: %lluns ", (unsigned long long)r->cost_ns);
	if (r->bytes)
		buf_printf(out, "for %llu bytes", (unsigned long long)r->bytes);
	else
		buf_puts(out, "a packet");
	buf_printf(out, " of %lluns", (unsigned long long)r->depth_ns);
	if (r->key == TEG_KEY_FLOW)
		buf_puts(out, ", per flow");
	else if (r->key != TEG_KEY_ALL)
		buf_printf(out, ", per %s /%u and /%u", r->key == TEG_KEY_SOURCE ? "source" : "destination", r->key_bits4,
			   r->key_bits6);
}

/* Both lists are in the rules' order; *list and *bulk are how far they have been printed. */
static void print_rule(struct buf *out, const struct plan *p, uint32_t at, uint32_t *list, uint32_t *bulk)
{
	const struct teg_rule *r = &p->rules[at];

	static const char *const acts[] = { [TEG_ACT_PASS] = "pass", [TEG_ACT_DROP] = "drop", [TEG_ACT_TELL] = "tell",
					      [TEG_ACT_COOKIES] = "cookies" };

	buf_printf(out, "    %s %s", acts[r->act], p->counters[r->counter_slot].id);
	if (r->cost_ns)
		print_rate(out, r);
	if (r->block_ns)
		buf_printf(out, ", blocks the source for %llums", (unsigned long long)r->block_ns / 1000000);
	if (r->tells)
		buf_printf(out, ", emits %s", event_severity_name((enum event_severity)(r->tells - 1)));
	if (r->one_in > 1)
		buf_printf(out, " sample 1/%u", r->one_in);
	if (r->except) {
		buf_puts(out, ", except in ");
		print_bit_names(out, r->except, p->posture_count, posture_at, p);
	}
	bool listed = *list < p->box_count && p->boxes[*list].rule == at;

	if (plan_rule_is_feed(p, at))
		buf_printf(out, ", of at most %u entries", p->feeds[at - p->config.feed_first].most);
	else if (!listed && !(*bulk < p->config.bulk.cells && p->bulk_boxes[*bulk].box.rule == at))
		buf_puts(out, ", which never decides");
	buf_putc(out, '\n');
	for (; *list < p->box_count && p->boxes[*list].rule == at; ++*list)
		print_box(out, p, &p->boxes[*list], NULL);
	for (; *bulk < p->config.bulk.cells && p->bulk_boxes[*bulk].box.rule == at; ++*bulk)
		print_box(out, p, &p->bulk_boxes[*bulk].box, &p->bulk_boxes[*bulk]);
}

/* Of a long set, this many prefixes are shown. */
#define PREFIXES_SHOWN 8

/* In the table a prefix carries the bits of all that cover it; only the outermost is the set's own. */
static void print_set(struct buf *out, const struct plan *p, unsigned bit)
{
	own(arena) struct arena *a = arena_new();
	VEC(struct addr_range) of[FAMILY_COUNT] = { 0 };
	char text[ADDR_TEXT];
	size_t count;

	for (uint32_t i = 0; i < p->prefix_count; i++)
		if (p->prefixes[i].sets & 1ull << bit)
			vec_push(a, &of[p->prefixes[i].prefix.addr.family], prefix_range(p->prefixes[i].prefix));
	struct netset set = netset_of_ranges(a, (struct addr_range *[]){ of[0].at, of[1].at },
					     (size_t[]){ of[0].len, of[1].len });
	const struct prefix *prefixes = netset_prefixes(a, &set, &count);
	if (!count)
		return;

	buf_printf(out, "    set%-3u", bit);
	for (size_t i = 0; i < count && i < PREFIXES_SHOWN; i++)
		buf_printf(out, " %s", prefix_print(prefixes[i], text));
	if (count > PREFIXES_SHOWN)
		buf_printf(out, " and %zu more", count - PREFIXES_SHOWN);
	buf_putc(out, '\n');
}

static void print_first_hook(struct buf *out, const struct plan *p)
{
	const struct teg_bulk *t = &p->config.bulk;
	uint32_t list = 0, bulk = 0;

	buf_printf(out, "\nfirst hook (XDP): %u rules, %u boxes, %u prefixes\n", p->rule_count, p->box_count + t->cells,
		   p->prefix_count);
	if (t->cells)
		buf_printf(out, "    %u boxes in %u trees: %u nodes, %u deep, %u entries, at most %u to a leaf\n", t->cells,
			   t->groups[0] + t->groups[1], t->nodes, t->depth, t->leaves, t->longest);
	for (uint32_t i = 0; i < p->rule_count; i++)
		print_rule(out, p, i, &list, &bulk);
	if (p->config.closed) {
		buf_puts(out, "    drop what goes on to layer 4 in ");
		print_bit_names(out, p->config.closed, p->posture_count, posture_at, p);
		buf_puts(out, ", but for ICMP errors and later fragments\n");
	}
	if (p->prefix_count)
		buf_puts(out, "\naddress sets\n");
	for (unsigned bit = 0; bit < TEG_SETS_MAX; bit++)
		print_set(out, p, bit);
}

static void print_counters(struct buf *out, const struct plan *p)
{
	buf_puts(out, "\ncounters\n");
	for (uint32_t i = 0; i < p->counter_count; i++) {
		const struct plan_counter *c = &p->counters[i];

		buf_printf(out, "    %-9s %-7s %s", layer_name(c->layer), verdict_name(c->verdict), c->id);
		if (strcmp(c->id, c->nft_name))
			buf_printf(out, " (%s)", c->nft_name);
		buf_putc(out, '\n');
	}
}

/* --- nft ------------------------------------------------------------------------------------ */

static int print_batch(struct buf *out, const struct bundle *b, const char *member, struct err *why)
{
	const struct bundle_member *m = bundle_find(b, member);
	own(arena) struct arena *a = arena_new();
	own(batch) struct batch batch = { 0 };
	struct nft_table table = { 0 };

	if (batch_open(&batch, m->bytes, m->len, why) || batch_check(&batch, "tegumentar", why) ||
	    nft_read(&table, a, &batch, why))
		return err_in(why, "%s", member);
	buf_printf(out, "\n%s: %zu bytes of messages, in bank a\n", member, batch.len);
	nft_print(out, &table, 'a');
	return 0;
}

/* As the signature says; whether it holds is for those to say who have the key. */
static void print_signer(struct buf *out, const struct bundle *b)
{
	const struct bundle_member *m = bundle_find(b, "signature");
	struct seal seal;
	struct err ignored;

	if (!m || seal_parse(&seal, m->bytes, m->len, &ignored)) {
		buf_puts(out, "not signed\n");
		return;
	}
	buf_printf(out, "signed, as it says, by key %s, ", seal.id);
	if (seal.serial)
		buf_printf(out, "serial %llu\n", (unsigned long long)seal.serial);
	else
		buf_puts(out, "without a serial\n");
}

static void print_needs(struct buf *out, const struct plan *p)
{
	if (p->need_count)
		buf_puts(out, "\nneeds of its enforcer\n");
	for (uint32_t i = 0; i < p->need_count; i++)
		buf_printf(out, "    %s: %s\n", need_words(p->needs[i].need), p->needs[i].by);
}

static int print_playbooks(struct buf *out, const struct bundle *b, struct arena *a, struct err *why)
{
	const struct bundle_member *m = bundle_find(b, "playbooks.tegp");
	struct playbooks p;

	if (!m)
		return 0;
	if (playbooks_decode(&p, a, m->bytes, m->len, why))
		return err_in(why, "%s", m->name);
	buf_puts(out, "\nresponses\n");
	playbooks_print(out, &p);
	return 0;
}

static int print_derme(struct buf *out, const struct bundle *b, struct arena *a, struct err *why)
{
	const struct bundle_member *m = bundle_find(b, "derme.tegd");
	struct derme d;

	if (!m)
		return 0;
	if (derme_decode(&d, a, m->bytes, m->len, why))
		return why->code;
	buf_puts(out, "\nsessions\n");
	derme_print(out, &d);
	return 0;
}

int listing_print(struct buf *out, const struct bundle *b, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	const struct bundle_member *m = bundle_find(b, "plan");
	struct plan p;
	int rc = plan_decode(&p, a, m->bytes, m->len, why);

	if (rc)
		return rc;
	buf_printf(out, "policy %s%s%s%s%s\nbundle %s\n", p.policy, *p.version ? " " : "", p.version,
		   *p.title ? "  # " : "", p.title, bundle_id(b)->hex);
	print_signer(out, b);
	buf_puts(out, p.proved ? "proved\n" : "NOT PROVED: made without proofs, so nobody knows that it does what its policy says\n");
	print_members(out, b);
	print_zones(out, &p);
	print_postures(out, &p);
	print_needs(out, &p);
	print_first_hook(out, &p);
	print_counters(out, &p);
	if ((rc = print_batch(out, b, "nft/epiderme.batch", why)))
		return rc;
	if ((rc = print_batch(out, b, "nft/posture.batch", why)))
		return rc;
	if ((rc = print_derme(out, b, a, why)))
		return rc;
	return print_playbooks(out, b, a, why);
}
