/*
 * select.c - what a selector asks of a packet.
 */
#include <assert.h>
#include <string.h>

#include "compiler/front/reading.h"
#include "compiler/ir/proto.h"
#include "lang/spell/print.h"
#include "lang/base/near.h"
#include "lang/vocab/tcp_flag.h"

/* The clauses of a selector, each once. */
struct clauses {
	const struct node *head, *from, *to, *port, *on, *flags, *payload;
	const struct node *from_port, *to_port;
};

static const struct node **clause_slot(struct clauses *c, enum node_kind kind)
{
	switch ((unsigned)kind) {
	case NODE_HEAD:
		return &c->head;
	case NODE_FROM:
		return &c->from;
	case NODE_TO:
		return &c->to;
	case NODE_PORT:
		return &c->port;
	case NODE_ON:
		return &c->on;
	case NODE_FLAGS:
		return &c->flags;
	case NODE_PAYLOAD:
		return &c->payload;
	}
	return NULL;
}

static bool tell_twice(struct reading *r, const struct node *again, const struct node *first)
{
	struct diag *d = diag(r->diags, DIAG_CLAUSE_TWICE, again->span, "this is asked twice");

	diag_at(d, first->span, "asked here first");
	diag_help(d, "several values go into a list: [ , ]");
	if (sources_agree(&r->c->sources, again->span, first->span))
		diag_fix(d, source_with_blanks(&r->c->sources, again->span), "%s", "");
	return false;
}

static bool clauses_read(struct reading *r, const struct node *selector, struct clauses *c)
{
	bool sound = true;

	for (const struct node *n = selector->first; n; n = n->next) {
		const struct node **slot = clause_slot(c, n->kind);

		if (!slot)
			sound = false; /* a hole, told already */
		else if (*slot)
			sound = tell_twice(r, n, *slot);
		else
			*slot = n;
	}
	c->from_port = c->from ? node_find(c->from, NODE_PORT) : NULL;
	c->to_port = c->to ? node_find(c->to, NODE_PORT) : NULL;
	if (c->port && c->to_port)
		sound = tell_twice(r, c->to_port, c->port);
	if (c->port)
		c->to_port = c->port;
	return sound;
}

/* --- the protocols -------------------------------------------------------------------------- */

/* `tcp 80`: a number behind a protocol that has ports is meant as one. */
static void tell_port(struct diag *d, const struct node *name, const struct node *what)
{
	bool ports = !strcmp(name->text, "tcp") || !strcmp(name->text, "udp") || !strcmp(name->text, "sctp");

	diag_help(d, "a port is asked with `port`: %s port %s", name->text, what->kind == NODE_NUMBER ? what->text : "...");
	if (ports)
		diag_fix(d, (struct span){ what->span.file, what->span.from, what->span.from }, "port ");
}

static bool head_argument(struct reading *r, const struct node *head, struct service *out)
{
	const struct node *name = head->first, *what = head->last;
	struct diag *d;

	if (!strcmp(name->text, "icmp") || !strcmp(name->text, "icmpv4") || !strcmp(name->text, "icmpv6"))
		return value_icmp(r, what, strcmp(name->text, "icmpv6"), strcmp(name->text, "icmpv4"), out);
	if (!strcmp(name->text, "protocol"))
		return value_protocols(r, what, out);

	d = diag(r->diags, DIAG_HEAD_ARGUMENT, what->span, "`%s` takes nothing after it", name->text);
	if (what->kind == NODE_NUMBER || what->kind == NODE_RANGE)
		tell_port(d, name, what);
	else if (what->kind == NODE_NAME) {
		static const char *const words[] = { "from", "to", "port", "on", "flags", "in", "out", "forward" };
		struct near n = near_to(what->text);

		for (size_t i = 0; i < sizeof words / sizeof *words; i++)
			near_try(&n, words[i]);
		tell_near(r, d, &n, what->span);
	}
	return false;
}

static bool head_read(struct reading *r, const struct node *head, struct pol_selector *out)
{
	struct service s = { 0 };

	out->families = FAMILIES_ANY;
	if (head && head->first->next) {
		if (!head_argument(r, head, &s))
			return false;
	} else if (head && head->first->kind == NODE_NAME &&
		   (!strcmp(head->first->text, "ipv4") || !strcmp(head->first->text, "ipv6"))) {
		out->families = strcmp(head->first->text, "ipv4") ? 1u << FAMILY_IP6 : 1u << FAMILY_IP4;
	} else if (head && head->first->kind == NODE_ANY) {
		diag_help(value_mistyped(r, head->first, "a protocol or service"), "every protocol is `ip`");
		return false;
	} else if (head && !value_service(r, head->first, &s)) {
		return false;
	}
	if (!s.len) {
		struct ranges all = ranges_of(r->arena, 0, UINT16_MAX);
		struct pol_proto any = { .number = PROTO_ANY, .dport = all, .icmp = all };

		s = (struct service){ arena_copy(r->trees, &any, sizeof any), 1 };
	}
	/* A copy, since ports and flags are written into it. */
	out->protos = arena_copy(r->said, s.at, s.len * sizeof *s.at);
	out->proto_count = s.len;
	return true;
}

static const char *proto_word(struct reading *r, uint16_t number)
{
	const char *name = proto_name(number);

	return name ? name : arena_printf(r->arena, "protocol %u", number);
}

static bool protos_have_ports(struct reading *r, const struct pol_selector *s, const struct node *port)
{
	for (size_t i = 0; i < s->proto_count; i++) {
		if (proto_has_ports(s->protos[i].number))
			continue;
		struct diag *d = diag(r->diags, DIAG_PORT_WITHOUT, port->span, "`%s` has no ports",
				      proto_word(r, s->protos[i].number));
		diag_help(d, "ports are asked of tcp, udp and sctp");
		return false;
	}
	return true;
}

static bool dport_read(struct reading *r, const struct node *port, struct pol_selector *out)
{
	if (!protos_have_ports(r, out, port))
		return false;
	for (size_t i = 0; i < out->proto_count; i++) {
		struct pol_proto *p = &out->protos[i];

		if (!ranges_are_all(&p->dport)) {
			struct diag *d = diag(r->diags, DIAG_CLAUSE_TWICE, port->span, "the service says its ports already");

			diag_help(d, "write the protocol instead of the service, or leave the port out");
			return false;
		}
		if (!value_ports(r, port->first, p->number, &p->dport))
			return false;
		if (!p->dport.len) {
			diag(r->diags, DIAG_SET_EMPTY, port->span, "nothing is in this set");
			return false;
		}
	}
	return true;
}

static bool sport_read(struct reading *r, const struct node *port, struct pol_selector *out)
{
	if (!protos_have_ports(r, out, port))
		return false;
	if (!value_ports(r, port->first, out->proto_count == 1 ? out->protos[0].number : PROTO_ANY, &out->sport))
		return false;
	if (!out->sport.len)
		diag(r->diags, DIAG_SET_EMPTY, port->span, "nothing is in this set");
	return out->sport.len;
}

/* --- flags ------------------------------------------------------------------------------------ */

bool select_flags(struct reading *r, const struct node *words, uint8_t *out)
{
	bool sound = true;

	*out = 0;
	for (const struct node *n = words->first; n; n = n->next) {
		struct near near = near_to(n->text);
		uint8_t bit;

		if (tcp_flag_find(n->text, &bit)) {
			*out |= bit;
			continue;
		}
		struct diag *d = diag(r->diags, DIAG_FLAG_UNKNOWN, n->span, "TCP has no flag `%s`", n->text);
		for (unsigned i = 0; tcp_flag_word(i); i++)
			near_try(&near, tcp_flag_word(i));
		if (!tell_near(r, d, &near, n->span))
			diag_help(d, "there are fin, syn, rst, psh, ack, urg, ece, cwr; all and none");
		sound = false;
	}
	return sound;
}

/* `flags syn/syn+ack`: of these, exactly those. `flags syn`: it is set. */
static bool flags_read(struct reading *r, const struct node *flags, struct pol_selector *out)
{
	uint8_t want, mask;

	for (size_t i = 0; i < out->proto_count; i++)
		if (out->protos[i].number != PROTO_TCP) {
			struct diag *d = diag(r->diags, DIAG_FLAGS_WITHOUT, flags->span, "`%s` has no TCP flags",
					      proto_word(r, out->protos[i].number));
			diag_help(d, "flags are asked of tcp alone");
			return false;
		}
	if (!select_flags(r, flags->first, &want))
		return false;
	mask = want;
	if (flags->first->next && !select_flags(r, flags->first->next, &mask))
		return false;
	if (!mask || (want & ~mask)) {
		struct diag *d = diag(r->diags, DIAG_FLAGS_NEVER, flags->span,
				      mask ? "a flag is wanted that is not looked at" : "no flag is looked at");
		diag_help(d, "after `/` stand all flags that are looked at, before it those of them that are set");
		return false;
	}
	for (size_t i = 0; i < out->proto_count; i++) {
		out->protos[i].flags_want = want;
		out->protos[i].flags_mask = mask;
	}
	return true;
}

/* --- ends ---------------------------------------------------------------------------------------- */

static bool end_read(struct reading *r, const struct node *clause, struct pol_end *out)
{
	if (!clause) {
		*out = (struct pol_end){ .any = true };
		return true;
	}
	if (!value_end(r, clause->first, out))
		return false;
	out->name = clause->first->kind == NODE_NAME ? clause->first->text : NULL;
	return true;
}

static uint8_t end_families(const struct pol_end *e)
{
	if (e->any || e->self)
		return FAMILIES_ANY;
	return (uint8_t)((e->set.len[FAMILY_IP4] ? 1u << FAMILY_IP4 : 0) | (e->set.len[FAMILY_IP6] ? 1u << FAMILY_IP6 : 0));
}

static bool families_meet(struct reading *r, const struct node *selector, const struct pol_selector *s)
{
	uint8_t ends = end_families(&s->from) & end_families(&s->to) & s->families;
	uint8_t protos = 0;
	static const char *const names[] = { "neither family", "IPv4", "IPv6", "both families" };

	for (size_t i = 0; i < s->proto_count; i++)
		protos |= s->protos[i].number == PROTO_ICMP   ? 1u << FAMILY_IP4 :
			  s->protos[i].number == PROTO_ICMPV6 ? 1u << FAMILY_IP6 :
								FAMILIES_ANY;
	if (ends & protos)
		return true;
	struct diag *d = diag(r->diags, DIAG_NEVER, selector->span, "no packet can be all of this");
	if (!(end_families(&s->from) & end_families(&s->to)))
		diag_note(d, "it comes from %s and goes to %s", names[end_families(&s->from)], names[end_families(&s->to)]);
	else
		diag_note(d, "the ends are of %s, the protocol of %s",
			  names[end_families(&s->from) & end_families(&s->to)], names[protos & s->families]);
	return false;
}

/* --- zones -------------------------------------------------------------------------------------- */

static bool names_zone(struct reading *r, const struct node *n)
{
	const struct symbol *s = n->kind == NODE_NAME ? scope_peek(r, n->text) : NULL;

	if (n->kind == NODE_LIST || n->kind == NODE_JOIN)
		return n->first && names_zone(r, n->first);
	return s && s->kind == SYMBOL_ZONE;
}

static bool wrong_side(struct reading *r, const struct node *n, enum direction d)
{
	struct diag *at = diag(r->diags, DIAG_ZONE_SIDE, n->span,
			       d == DIRECTION_OUT ? "a packet that leaves has not come from a zone" :
						    "the zone into which this packet would leave is not known here");

	diag_help(at, d == DIRECTION_OUT ? "for the zone it leaves by, write `to %s` or `on %s`" :
					   "for the zone it comes from, write `from %s` or `on %s`",
		  n->kind == NODE_NAME ? n->text : "ZONE", n->kind == NODE_NAME ? n->text : "ZONE");
	return false;
}

/* `from lan` is `on lan`, of packets that arrive; of packets that leave, `to lan` is. */
static bool zones_read(struct reading *r, struct clauses *c, enum direction d, struct pol_selector *out)
{
	const struct node **arrival = d == DIRECTION_OUT ? &c->to : &c->from, **other = d == DIRECTION_OUT ? &c->from : &c->to;
	const struct node *zone = *arrival && names_zone(r, (*arrival)->first) ? *arrival : NULL;

	if (*other && names_zone(r, (*other)->first)) {
		wrong_side(r, (*other)->first, d);
		*other = NULL;
		return false;
	}
	if (zone)
		*arrival = NULL;
	if (zone && c->on)
		return tell_twice(r, c->on, zone);
	if (!zone && !c->on)
		return true;
	out->zones = 0;
	return value_zones(r, (zone ? zone : c->on)->first, &out->zones);
}

bool select_read(struct reading *r, const struct node *selector, enum direction d, struct pol_selector *out)
{
	struct clauses c = { 0 };
	bool sound = clauses_read(r, selector, &c);

	*out = (struct pol_selector){ .sport = ranges_of(r->arena, 0, UINT16_MAX), .zones = ZONES_ANY };
	if (head_read(r, c.head, out)) {
		sound &= !c.to_port || dport_read(r, c.to_port, out);
		sound &= !c.from_port || sport_read(r, c.from_port, out);
		sound &= !c.flags || flags_read(r, c.flags, out);
		sound &= !c.payload || payload_read(r, c.payload, out);
	} else {
		sound = false;
	}
	sound &= zones_read(r, &c, d, out);
	sound &= end_read(r, c.from, &out->from);
	sound &= end_read(r, c.to, &out->to);
	return sound && families_meet(r, selector, out);
}
