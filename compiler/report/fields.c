#include "compiler/report/fields.h"

#include "compiler/front/reading.h"
#include "compiler/ir/proto.h"
#include "lang/vocab/tcp_flag.h"

const char *box_field_name(enum box_field f)
{
	switch (f) {
	case BOX_FAMILY:
		return "address family";
	case BOX_FRAGMENT:
		return "fragment";
	case BOX_PROTO:
		return "protocol";
	case BOX_ZONE:
		return "zone";
	case BOX_SRC:
		return "source address";
	case BOX_DST:
		return "destination address";
	case BOX_SPORT:
		return "source port";
	case BOX_DPORT:
		return "destination port";
	case BOX_ICMP:
		return "ICMP message";
	case BOX_FLAGS:
		return "TCP flags";
	case BOX_FIELD_COUNT:
		break;
	}
	return "direction";
}

/* --- values ---------------------------------------------------------------------------- */

static void put_more(struct buf *out, size_t count)
{
	if (count > FIELDS_SHOWN)
		buf_printf(out, " and %zu more", count - FIELDS_SHOWN);
}

static void put_family(struct buf *out, enum family f)
{
	buf_puts(out, f == FAMILY_IP4 ? "IPv4" : "IPv6");
}

static void put_proto(struct buf *out, uint16_t number)
{
	const char *name = proto_name(number);

	if (name)
		buf_puts(out, name);
	else
		buf_printf(out, "protocol %u", number);
}

static void put_zones(struct buf *out, const struct ir *ir, uint64_t zones)
{
	const char *comma = "";

	for (size_t i = 0; i < ir->zone_count; i++)
		if (zones >> i & 1) {
			buf_printf(out, "%s%s", comma, ir->zones[i].name);
			comma = ", ";
		}
}

static void put_set(struct buf *out, const struct ir_set *set)
{
	own(arena) struct arena *a = arena_new();
	char text[ADDR_TEXT];
	size_t len;

	if (set->name) {
		buf_puts(out, set->name);
		return;
	}
	struct prefix *at = netset_prefixes(a, &set->set, &len);
	for (size_t i = 0; i < len && i < FIELDS_SHOWN; i++)
		buf_printf(out, "%s%s", i ? ", " : "", prefix_print(at[i], text));
	put_more(out, len);
}

static void put_end(struct buf *out, const struct ir_end *e)
{
	if (e->self)
		buf_puts(out, e->set ? "self, " : "self");
	if (e->set)
		put_set(out, e->set);
}

static void put_ranges(struct buf *out, const struct ranges *r)
{
	for (size_t i = 0; i < r->len && i < FIELDS_SHOWN; i++) {
		buf_printf(out, "%s%u", i ? ", " : "", r->at[i].lo);
		if (r->at[i].hi != r->at[i].lo)
			buf_printf(out, "..%u", r->at[i].hi);
	}
	put_more(out, r->len);
}

/* Type and code; the code is left out where every one is meant. */
static void put_messages(struct buf *out, const struct ranges *r)
{
	for (size_t i = 0; i < r->len && i < FIELDS_SHOWN; i++) {
		unsigned lo = r->at[i].lo, hi = r->at[i].hi;
		bool whole = !(lo & 255) && (hi & 255) == 255;

		buf_printf(out, whole ? "%s%u" : "%s%u/%u", i ? ", " : "", lo >> 8, lo & 255);
		if (whole ? hi >> 8 != lo >> 8 : hi != lo)
			buf_printf(out, whole ? "..%u" : "..%u/%u", hi >> 8, hi & 255);
	}
	put_more(out, r->len);
}

/* --- asked and had ------------------------------------------------------------------------ */

void box_field_wants(struct buf *out, const struct ir *ir, const struct ir_box *box, enum box_field f,
		     const struct ranges *ranges)
{
	switch (f) {
	case BOX_FAMILY:
		put_family(out, box->families & 1u << FAMILY_IP4 ? FAMILY_IP4 : FAMILY_IP6);
		return;
	case BOX_FRAGMENT:
		buf_puts(out, "a later fragment");
		return;
	case BOX_PROTO:
		put_proto(out, box->proto);
		return;
	case BOX_ZONE:
		put_zones(out, ir, box->zones);
		return;
	case BOX_SRC:
		put_end(out, &box->src);
		return;
	case BOX_DST:
		put_end(out, &box->dst);
		return;
	case BOX_SPORT:
	case BOX_DPORT:
		put_ranges(out, ranges);
		return;
	case BOX_ICMP:
		put_messages(out, ranges);
		return;
	case BOX_FLAGS:
		tcp_flags_print(out, box->flags_want);
		buf_putc(out, '/');
		tcp_flags_print(out, box->flags_mask);
		return;
	case BOX_FIELD_COUNT:
		return;
	}
}

static void put_address(struct buf *out, struct addr a, bool self)
{
	char text[ADDR_TEXT];

	buf_puts(out, self ? "self" : addr_print(a, text));
}

void box_field_has(struct buf *out, const struct ir *ir, const struct partial *p, enum box_field f)
{
	const struct packet *k = &p->packet;

	switch (f) {
	case BOX_FAMILY:
		put_family(out, k->family);
		return;
	case BOX_FRAGMENT:
		buf_puts(out, "a whole packet");
		return;
	case BOX_PROTO:
		put_proto(out, k->proto);
		return;
	case BOX_ZONE:
		buf_puts(out, ir->zones[k->zone].name);
		return;
	case BOX_SRC:
		put_address(out, k->src, p->given->src_self);
		return;
	case BOX_DST:
		put_address(out, k->dst, p->given->dst_self);
		return;
	case BOX_SPORT:
		buf_printf(out, "%u", k->sport);
		return;
	case BOX_DPORT:
		buf_printf(out, "%u", k->dport);
		return;
	case BOX_ICMP:
		buf_printf(out, "%u/%u", k->icmp >> 8, k->icmp & 255);
		return;
	case BOX_FLAGS:
		tcp_flags_print(out, k->flags);
		return;
	case BOX_FIELD_COUNT:
		buf_puts(out, direction_name(k->direction));
		return;
	}
}
