/*
 * value_service.c - ports, protocols, ICMP messages, and services, which are made of them.
 */
#include <stdlib.h>
#include <string.h>

#include "compiler/front/reading.h"
#include "compiler/ir/proto.h"
#include "lang/base/near.h"

/* --- ranges of numbers: ports, protocols, ICMP types --------------------------------------------- */

static bool number_range(struct reading *r, const struct node *n, uint64_t most, uint16_t *lo, uint16_t *hi)
{
	uint64_t from, to;

	if (!value_number(r, n->first, most, &from) || !value_number(r, n->last, most, &to))
		return false;
	if (from > to) {
		diag(r->diags, DIAG_RANGE_ORDER, n->span, "this range ends before it begins");
		return false;
	}
	*lo = (uint16_t)from;
	*hi = (uint16_t)to;
	return true;
}

static const struct pol_proto *service_proto(const struct service *s, uint16_t number)
{
	for (size_t i = 0; i < s->len; i++)
		if (s->at[i].number == number)
			return &s->at[i];
	return NULL;
}

static bool service_ports(struct reading *r, const struct node *n, const struct symbol *s, uint16_t proto,
			  struct ranges *out)
{
	bool found = false;

	*out = (struct ranges){ 0 };
	for (size_t i = 0; i < s->service.len; i++) {
		const struct pol_proto *p = &s->service.at[i];

		if (!proto_has_ports(p->number) || (proto != PROTO_ANY && p->number != proto))
			continue;
		*out = ranges_join(r->arena, out, &p->dport);
		found = true;
	}
	if (!found) {
		struct diag *d = diag(r->diags, DIAG_TYPE, n->span, "service `%s` has no ports of %s", s->name,
				      proto == PROTO_ANY ? "its own" : proto_name(proto));
		diag_at(d, s->span, "declared here");
	}
	return found;
}

static bool ports_name(struct reading *r, const struct node *n, uint16_t proto, struct ranges *out)
{
	struct symbol *s = scope_find(r, n, "port or service");

	if (!s)
		return false;
	bool port = s->kind == SYMBOL_PARAM && s->type == TYPE_PORT;
	bool service = s->kind == SYMBOL_SERVICE || (s->kind == SYMBOL_PARAM && s->type == TYPE_SERVICE);
	if (!port && !service) {
		if (s->state != SYMBOL_WRONG)
			diag_at(value_mistyped(r, n, "a port"), s->span, "declared here");
		return false;
	}
	if (!symbol_settle(r, s, n->span))
		return false;
	if (service)
		return service_ports(r, n, s, proto, out);
	*out = s->ports;
	return true;
}

static bool tell_port_minus(struct reading *r, struct span at, const struct node *x, const struct node *y)
{
	const char *from = x->kind == NODE_NUMBER ? x->text : "LOW";
	struct diag *d = diag(r->diags, DIAG_PORT_MINUS, at, "`-` takes ports away, it makes no range");

	diag_help(d, "a range is written %s..%s", from, y->text);
	if (x->kind == NODE_NUMBER && y->kind == NODE_NUMBER && atoi(x->text) < atoi(y->text))
		diag_fix(d, span_join(x->span, y->span), "%s..%s", x->text, y->text);
	return false;
}

static int by_lo(const void *x, const void *y)
{
	const struct range *a = x, *b = y;

	return a->lo < b->lo ? -1 : a->lo > b->lo;
}

/* Many at once: sorted, then merged. */
static struct ranges ranges_of_many(struct reading *r, struct range *at, size_t len)
{
	struct ranges out = { arena_zero(r->arena, len * sizeof *at), 0 };

	if (len)
		qsort(at, len, sizeof *at, by_lo);
	for (size_t i = 0; i < len; i++) {
		struct range *last = out.len ? &out.at[out.len - 1] : NULL;

		if (last && at[i].lo <= (uint32_t)last->hi + 1)
			last->hi = at[i].hi > last->hi ? at[i].hi : last->hi;
		else
			out.at[out.len++] = at[i];
	}
	return out;
}

static bool ports_list(struct reading *r, const struct node *n, uint16_t proto, struct ranges *out)
{
	VEC(struct range) all = { 0 };
	bool sound = true;

	for (const struct node *part = n->first; part; part = part->next) {
		struct ranges one;

		if (!value_ports(r, part, proto, &one)) {
			sound = false;
			continue;
		}
		for (size_t i = 0; i < one.len; i++)
			vec_push(r->arena, &all, one.at[i]);
	}
	*out = ranges_of_many(r, all.at, all.len);
	return sound;
}

static bool ports_computed(struct reading *r, const struct node *n, uint16_t proto, struct ranges *out)
{
	struct ranges next;

	if (n->kind == NODE_MINUS && n->first->kind == NODE_NUMBER && n->first->next->kind == NODE_NUMBER)
		return tell_port_minus(r, n->span, n->first, n->first->next);
	if (!value_ports(r, n->first, proto, out))
		return false;
	for (const struct node *part = n->first->next; part; part = part->next) {
		if (!value_ports(r, part, proto, &next))
			return false;
		*out = n->kind == NODE_MINUS ? ranges_minus(r->arena, out, &next) : ranges_meet(r->arena, out, &next);
	}
	return true;
}

bool value_ports(struct reading *r, const struct node *n, uint16_t proto, struct ranges *out)
{
	uint16_t lo, hi;
	uint64_t one;

	switch ((unsigned)n->kind) {
	case NODE_NUMBER:
		if (!value_number(r, n, UINT16_MAX, &one))
			return false;
		*out = ranges_of(r->arena, (uint16_t)one, (uint16_t)one);
		return true;
	case NODE_RANGE:
		if (!number_range(r, n, UINT16_MAX, &lo, &hi))
			return false;
		*out = ranges_of(r->arena, lo, hi);
		return true;
	case NODE_ANY:
		*out = ranges_of(r->arena, 0, UINT16_MAX);
		return true;
	case NODE_NAME:
		return ports_name(r, n, proto, out);
	case NODE_LIST:
	case NODE_JOIN:
		return ports_list(r, n, proto, out);
	case NODE_MINUS:
	case NODE_MEET:
		return ports_computed(r, n, proto, out);
	}
	return value_is_not(r, n, "a port");
}

/* --- protocols, ICMP, services ------------------------------------------------------------------ */

static const struct proto_row {
	const char *name;
	uint16_t number;
} proto_rows[] = {
#define PROTO(name, number, about) { name, number },
#include "lang/vocab/proto.def"
#undef PROTO
	{ "icmp", PROTO_ICMP }, /* both families' */
	{ "ip", PROTO_ANY },
};

bool proto_find(const char *name, uint16_t *number)
{
	for (size_t i = 0; i < sizeof proto_rows / sizeof *proto_rows; i++)
		if (!strcmp(proto_rows[i].name, name)) {
			*number = proto_rows[i].number;
			return true;
		}
	return false;
}

const char *proto_name(uint16_t number)
{
	for (size_t i = 0; i < sizeof proto_rows / sizeof *proto_rows; i++)
		if (proto_rows[i].number == number)
			return proto_rows[i].name;
	return NULL;
}

static void near_protos(struct reading *r, struct diag *d, const char *name)
{
	struct near n = near_to(name);

	for (size_t i = 0; i < sizeof proto_rows / sizeof *proto_rows; i++)
		near_try(&n, proto_rows[i].name);
	for (size_t i = 0; d->arena && i < r->symbols.entries.len; i++) {
		const struct symbol *s = r->symbols.entries.at[i].value;

		if (s->kind == SYMBOL_SERVICE || s->kind == SYMBOL_PARAM)
			near_try(&n, s->name);
	}
	tell_near(r, d, &n, d->span);
}

static struct pol_proto proto_whole(struct reading *r, uint16_t number)
{
	struct ranges all = ranges_of(r->arena, 0, UINT16_MAX);

	return (struct pol_proto){ .number = number, .dport = all, .icmp = all };
}

static struct service service_of(struct reading *r, struct pol_proto p)
{
	return (struct service){ arena_copy(r->trees, &p, sizeof p), 1 };
}

typedef struct ranges ranges_fn(struct arena *a, const struct ranges *x, const struct ranges *y);

/* By protocol; what only `x` has is kept when `lone` says so, what only `y` has when `other` does. */
static struct service service_combine(struct reading *r, const struct service *x, const struct service *y,
				      ranges_fn *fn, bool lone, bool other)
{
	struct service out = { arena_zero(r->trees, (x->len + y->len) * sizeof *out.at), 0 };
	size_t i = 0, j = 0;

	while (i < x->len || j < y->len) {
		bool left = j == y->len || (i < x->len && x->at[i].number < y->at[j].number);
		bool right = i == x->len || (j < y->len && y->at[j].number < x->at[i].number);

		if (left) {
			if (lone)
				out.at[out.len++] = x->at[i];
			i++;
		} else if (right) {
			if (other)
				out.at[out.len++] = y->at[j];
			j++;
		} else {
			struct pol_proto p = x->at[i];

			p.dport = fn(r->arena, &x->at[i].dport, &y->at[j].dport);
			p.icmp = fn(r->arena, &x->at[i].icmp, &y->at[j].icmp);
			i++;
			j++;
			/* A difference of whole protocols is nothing; of ports or types, what is left of either. */
			if (fn == ranges_minus && p.dport.len && !p.icmp.len)
				p.icmp = ranges_of(r->arena, 0, UINT16_MAX);
			else if (fn == ranges_minus && p.icmp.len && !p.dport.len)
				p.dport = ranges_of(r->arena, 0, UINT16_MAX);
			if (p.dport.len && p.icmp.len)
				out.at[out.len++] = p;
		}
	}
	return out;
}

static struct service service_join(struct reading *r, const struct service *x, const struct service *y)
{
	return service_combine(r, x, y, ranges_join, true, true);
}

static int by_number(const void *x, const void *y)
{
	const struct pol_proto *a = x, *b = y;

	return (int)a->number - (int)b->number;
}

/* Many at once: each protocol's ranges are merged in one go. Reorders what it is given. */
static struct service service_of_many(struct reading *r, struct pol_proto *all, size_t len)
{
	struct service out = { arena_zero(r->trees, len * sizeof *out.at), 0 };

	if (len)
		qsort(all, len, sizeof *all, by_number);
	for (size_t i = 0, end; i < len; i = end) {
		VEC(struct range) dport = { 0 }, icmp = { 0 };

		for (end = i; end < len && all[end].number == all[i].number; end++) {
			for (size_t j = 0; j < all[end].dport.len; j++)
				vec_push(r->arena, &dport, all[end].dport.at[j]);
			for (size_t j = 0; j < all[end].icmp.len; j++)
				vec_push(r->arena, &icmp, all[end].icmp.at[j]);
		}
		out.at[out.len] = all[i];
		out.at[out.len].dport = ranges_of_many(r, dport.at, dport.len);
		out.at[out.len++].icmp = ranges_of_many(r, icmp.at, icmp.len);
	}
	return out;
}

static const struct icmp_row {
	const char *name;
	int type[FAMILY_COUNT], code[FAMILY_COUNT];
} icmp_rows[] = {
#define ICMP(name, t4, c4, t6, c6) { name, { t4, t6 }, { c4, c6 } },
#include "lang/vocab/icmp.def"
#undef ICMP
};

static struct ranges icmp_range(struct reading *r, int type, int code)
{
	uint16_t from = (uint16_t)(type << 8 | (code < 0 ? 0 : code)), to = (uint16_t)(type << 8 | (code < 0 ? 255 : code));

	return ranges_of(r->arena, from, to);
}

static struct service icmp_of(struct reading *r, enum family f, struct ranges types)
{
	struct pol_proto p = proto_whole(r, f == FAMILY_IP4 ? PROTO_ICMP : PROTO_ICMPV6);

	p.icmp = types;
	return service_of(r, p);
}

static bool icmp_named(struct reading *r, const struct node *n, bool v4, bool v6, struct service *out)
{
	bool asked[FAMILY_COUNT] = { v4, v6 };
	struct near near = near_to(n->text);

	*out = (struct service){ 0 };
	for (size_t i = 0; i < sizeof icmp_rows / sizeof *icmp_rows; i++) {
		const struct icmp_row *row = &icmp_rows[i];

		near_try(&near, row->name);
		if (strcmp(row->name, n->text))
			continue;
		for (int f = 0; f < FAMILY_COUNT; f++)
			if (asked[f] && row->type[f] >= 0) {
				struct service one = icmp_of(r, (enum family)f, icmp_range(r, row->type[f], row->code[f]));

				*out = service_join(r, out, &one);
			}
		if (out->len)
			return true;
		diag(r->diags, DIAG_ICMP_UNKNOWN, n->span, "`%s` is no message of %s", n->text, v4 ? "ICMPv4" : "ICMPv6");
		return false;
	}
	struct diag *d = diag(r->diags, DIAG_ICMP_UNKNOWN, n->span, "there is no ICMP message `%s`", n->text);
	tell_near(r, d, &near, n->span);
	return false;
}

static bool icmp_numbered(struct reading *r, const struct node *n, bool v4, bool v6, struct service *out)
{
	uint16_t lo, hi;
	uint64_t type, code;

	if (v4 && v6) {
		struct diag *d = diag(r->diags, DIAG_ICMP_UNKNOWN, n->span, "the families number their messages differently");

		diag_help(d, "write `icmpv4` or `icmpv6` before a number, or a name that means both");
		return false;
	}
	enum family f = v4 ? FAMILY_IP4 : FAMILY_IP6;
	if (n->kind == NODE_RANGE) {
		if (!number_range(r, n, 255, &lo, &hi))
			return false;
		*out = icmp_of(r, f, ranges_of(r->arena, (uint16_t)(lo << 8), (uint16_t)(hi << 8 | 255)));
		return true;
	}
	if (!value_number(r, n->kind == NODE_PART ? n->first : n, 255, &type))
		return false;
	if (n->kind == NODE_PART && !value_number(r, n->last, 255, &code))
		return false;
	*out = icmp_of(r, f, icmp_range(r, (int)type, n->kind == NODE_PART ? (int)code : -1));
	return true;
}

bool value_icmp(struct reading *r, const struct node *n, bool v4, bool v6, struct service *out)
{
	bool sound = true;
	struct service one;

	switch ((unsigned)n->kind) {
	case NODE_NAME:
		return icmp_named(r, n, v4, v6, out);
	case NODE_NUMBER:
	case NODE_PART:
	case NODE_RANGE:
		return icmp_numbered(r, n, v4, v6, out);
	case NODE_LIST:
	case NODE_JOIN:
		*out = (struct service){ 0 };
		for (const struct node *part = n->first; part; part = part->next) {
			bool good = value_icmp(r, part, v4, v6, &one);

			sound &= good;
			if (good)
				*out = service_join(r, out, &one);
		}
		return sound && (out->len || value_is_empty(r, n));
	}
	return value_is_not(r, n, "an ICMP message");
}

bool value_protocols(struct reading *r, const struct node *n, struct service *out)
{
	uint16_t lo, hi, number;
	uint64_t one;
	bool sound = true;

	*out = (struct service){ 0 };
	switch ((unsigned)n->kind) {
	case NODE_NUMBER:
		if (!value_number(r, n, 255, &one))
			return false;
		*out = service_of(r, proto_whole(r, (uint16_t)one));
		return true;
	case NODE_RANGE:
		if (!number_range(r, n, 255, &lo, &hi))
			return false;
		for (number = lo; number <= hi; number++) {
			struct service next = service_of(r, proto_whole(r, number));
			*out = service_join(r, out, &next);
		}
		return true;
	case NODE_LIST:
		for (const struct node *part = n->first; part; part = part->next) {
			struct service next;
			bool good = value_protocols(r, part, &next);

			sound &= good;
			if (good)
				*out = service_join(r, out, &next);
		}
		return sound && (out->len || value_is_empty(r, n));
	}
	return value_is_not(r, n, "a protocol number");
}

static void service_unknown(struct reading *r, const struct node *n)
{
	struct diag *d = diag(r->diags, DIAG_PROTO_UNKNOWN, n->span, "there is no protocol or service `%s`", n->text);
	struct diag_part **before = d->last;

	if (!tell_carried(r, d, n->text, n->span.file))
		near_protos(r, d, n->text);
	if (d->last == before)
		diag_help(d, "names of well-known services come with: import \"std/services.teg\"");
}

static bool service_name(struct reading *r, const struct node *n, struct service *out)
{
	struct symbol *s = scope_peek(r, n->text);
	uint16_t number;

	if (!strcmp(n->text, "icmp")) {
		struct service v4 = service_of(r, proto_whole(r, PROTO_ICMP)), v6 = service_of(r, proto_whole(r, PROTO_ICMPV6));

		*out = service_join(r, &v4, &v6);
		return true;
	}
	if (proto_find(n->text, &number)) {
		*out = service_of(r, proto_whole(r, number));
		return true;
	}
	if (s)
		use_note_symbol(r, n, s);
	if (!s && !r->poisoned)
		service_unknown(r, n);
	if (!s || s->kind == SYMBOL_HOLE)
		return false;
	if (s->kind != SYMBOL_SERVICE && !(s->kind == SYMBOL_PARAM && s->type == TYPE_SERVICE)) {
		if (s->state != SYMBOL_WRONG)
			diag_at(value_mistyped(r, n, "a protocol or service"), s->span, "declared here");
		return false;
	}
	if (!symbol_settle(r, s, n->span))
		return false;
	*out = s->service;
	return true;
}

/* `tcp/80`, `udp/[53, 5353]`, `icmp/echo`, `protocol/47` */
static bool service_part(struct reading *r, const struct node *n, struct service *out)
{
	const struct node *proto = n->first, *what = n->last;
	struct pol_proto p;
	uint16_t number;

	if (proto->kind != NODE_NAME)
		return value_is_not(r, proto, "a protocol");
	if (!strcmp(proto->text, "protocol"))
		return value_protocols(r, what, out);
	if (!proto_find(proto->text, &number)) {
		struct diag *d = diag(r->diags, DIAG_PROTO_UNKNOWN, proto->span, "there is no protocol `%s`", proto->text);

		near_protos(r, d, proto->text);
		return false;
	}
	if (number == PROTO_ICMP || number == PROTO_ICMPV6)
		return value_icmp(r, what, number == PROTO_ICMP, number == PROTO_ICMPV6 || !strcmp(proto->text, "icmp"), out);
	if (!proto_has_ports(number)) {
		diag(r->diags, DIAG_PORT_WITHOUT, what->span, "`%s` has no ports", proto->text);
		return false;
	}
	p = proto_whole(r, number);
	if (!value_ports(r, what, number, &p.dport))
		return false;
	if (!p.dport.len)
		return value_is_empty(r, what);
	*out = service_of(r, p);
	return true;
}

static bool service_list(struct reading *r, const struct node *n, struct service *out)
{
	VEC(struct pol_proto) all = { 0 };
	struct service one;
	bool sound = true;

	for (const struct node *part = n->first; part; part = part->next) {
		if (!value_service(r, part, &one)) {
			sound = false;
			continue;
		}
		for (size_t i = 0; i < one.len; i++)
			vec_push(r->arena, &all, one.at[i]);
	}
	*out = service_of_many(r, all.at, all.len);
	return sound && (out->len || value_is_empty(r, n));
}

static bool service_computed(struct reading *r, const struct node *n, struct service *out)
{
	struct service next;

	if (!value_service(r, n->first, out))
		return false;
	for (const struct node *part = n->first->next; part; part = part->next) {
		if (n->kind == NODE_MINUS && part->kind == NODE_NUMBER && n->first->kind == NODE_PART)
			return tell_port_minus(r, n->span, n->first->last, part);
		if (!value_service(r, part, &next))
			return false;
		if (service_proto(out, PROTO_ANY) || service_proto(&next, PROTO_ANY)) {
			diag(r->diags, DIAG_TYPE, n->span, "`ip` is every protocol: nothing can be taken from it");
			return false;
		}
		*out = n->kind == NODE_MINUS ? service_combine(r, out, &next, ranges_minus, true, false) :
					       service_combine(r, out, &next, ranges_meet, false, false);
	}
	return out->len || value_is_empty(r, n);
}

bool value_service(struct reading *r, const struct node *n, struct service *out)
{
	switch ((unsigned)n->kind) {
	case NODE_NAME:
		return service_name(r, n, out);
	case NODE_PART:
		return service_part(r, n, out);
	case NODE_LIST:
	case NODE_JOIN:
		return service_list(r, n, out);
	case NODE_MINUS:
	case NODE_MEET:
		return service_computed(r, n, out);
	}
	diag_help(value_mistyped(r, n, "a protocol or service"), "write tcp/80, or a name");
	return false;
}
