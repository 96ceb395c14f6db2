/*
 * trials.c - the policy's own tests. Whether they hold is asked of eval later.
 */
#include <string.h>

#include "compiler/front/reading.h"
#include "compiler/ir/proto.h"
#include "lang/base/near.h"
#include "lang/vocab/tcp_flag.h"

#define TIMES_MAX 1000000

/* --- the packet ---------------------------------------------------------------------------- */

/* `icmp` alone is of the family that the ends say. */
static bool packet_proto(struct reading *r, const struct node *head, struct pol_packet *p, bool *icmp)
{
	const struct node *name = head->first, *what = head->first->next;
	uint64_t number;

	*icmp = !strcmp(name->text, "icmp");
	if (!strcmp(name->text, "protocol") && what) {
		if (!value_number(r, what, 255, &number))
			return false;
		p->proto = (uint16_t)number;
		return true;
	}
	if (!proto_find(name->text, &p->proto) || p->proto == PROTO_ANY) {
		struct diag *d = diag(r->diags, DIAG_PROTO_UNKNOWN, name->span, "a packet cannot be of `%s`", name->text);

		diag_help(d, "it has one protocol: tcp, udp, sctp, icmp, ..., or a number: protocol 47");
		return false;
	}
	if (what && p->proto != PROTO_ICMP && p->proto != PROTO_ICMPV6) {
		diag(r->diags, DIAG_HEAD_ARGUMENT, what->span, "`%s` takes nothing after it", name->text);
		return false;
	}
	return true;
}

static bool address_of_net(struct reading *r, const struct node *n, struct addr *out)
{
	struct netset s;

	if (!value_net(r, n, &s))
		return false;
	for (int f = 0; f < FAMILY_COUNT; f++)
		if (s.len[f] == 1 && !s.len[!f] && s.at[f][0].lo == s.at[f][0].hi) {
			*out = (struct addr){ (enum family)f, s.at[f][0].lo };
			return true;
		}
	diag_help(diag(r->diags, DIAG_PACKET_ADDRESS, n->span, "a packet comes from one address and goes to one"),
		  "write an address, `self`, or `any` for whichever");
	return false;
}

struct packet_end {
	bool self, given;
	struct addr addr;
	const struct node *port;
};

static bool end_read(struct reading *r, const struct node *end, struct packet_end *out)
{
	const struct node *who = end->first;

	*out = (struct packet_end){ .port = who->next };
	switch ((unsigned)who->kind) {
	case NODE_SELF:
		out->self = out->given = true;
		return true;
	case NODE_ANY:
		return true;
	}
	out->given = true;
	return address_of_net(r, who, &out->addr);
}

static bool port_read(struct reading *r, const struct node *n, uint16_t proto, uint16_t *out)
{
	struct ranges ports;

	if (!proto_has_ports(proto)) {
		diag(r->diags, DIAG_PACKET_FIELD, n->span, "this packet has no ports");
		return false;
	}
	if (!value_ports(r, n, proto, &ports))
		return false;
	if (ports.len != 1 || ports.at[0].lo != ports.at[0].hi) {
		diag(r->diags, DIAG_PACKET_ADDRESS, n->span, "a packet has one port, and `%s` are several", n->text);
		return false;
	}
	*out = ports.at[0].lo;
	return true;
}

static bool family_read(struct reading *r, const struct node *packet, const struct packet_end *src,
			const struct packet_end *dst, bool icmp, struct pol_packet *p)
{
	bool from = src->given && !src->self, to = dst->given && !dst->self;

	if (from && to && src->addr.family != dst->addr.family) {
		diag(r->diags, DIAG_PACKET_FAMILY, packet->span, "a packet goes from IPv4 to IPv4, or from IPv6 to IPv6");
		return false;
	}
	if (from || to) {
		p->family = from ? src->addr.family : dst->addr.family;
	} else if (!icmp && (p->proto == PROTO_ICMP || p->proto == PROTO_ICMPV6)) {
		p->family = p->proto == PROTO_ICMP ? FAMILY_IP4 : FAMILY_IP6;
	} else {
		diag_help(diag(r->diags, DIAG_PACKET_FAMILY, packet->span, "is this packet of IPv4 or of IPv6?"),
			  "write the address of one of its ends");
		return false;
	}
	if (icmp)
		p->proto = p->family == FAMILY_IP4 ? PROTO_ICMP : PROTO_ICMPV6;
	if ((p->proto == PROTO_ICMP && p->family == FAMILY_IP6) || (p->proto == PROTO_ICMPV6 && p->family == FAMILY_IP4)) {
		diag_help(diag(r->diags, DIAG_PACKET_FAMILY, packet->span, "this ICMP is not of the family of its ends"),
			  "`icmp` alone is of the right one");
		return false;
	}
	return true;
}

static bool icmp_read(struct reading *r, const struct node *what, struct pol_packet *p)
{
	struct service s;
	bool v6 = p->proto == PROTO_ICMPV6;

	if (!what)
		return true;
	if (!value_icmp(r, what, !v6, v6, &s))
		return false;
	if (s.at[0].icmp.len != 1) {
		diag(r->diags, DIAG_PACKET_ADDRESS, what->span, "a packet is one ICMP message");
		return false;
	}
	p->icmp = s.at[0].icmp.at[0].lo; /* the code that is not said is 0 */
	p->given |= GIVEN_ICMP;
	return true;
}

/* --- words after the ends ---------------------------------------------------------------------- */

static bool state_word(struct pol_packet *p, const char *word)
{
	if (!strcmp(word, "reply")) {
		p->reply = true;
		p->state = CT_ESTABLISHED;
		p->given |= GIVEN_STATE;
		return true;
	}
	for (int s = 0; s < CT_COUNT; s++)
		if (!strcmp(word, ct_state_name((enum ct_state)s))) {
			p->state = (enum ct_state)s;
			p->given |= GIVEN_STATE;
			return true;
		}
	return false;
}

static bool word_unknown(struct reading *r, const struct node *words)
{
	struct diag *d = diag(r->diags, DIAG_PACKET_WORD, words->span, "`%s` says nothing of a packet", words->first->text);
	struct near n = near_to(words->first->text);

	for (int s = 0; s < CT_COUNT; s++)
		near_try(&n, ct_state_name((enum ct_state)s));
	near_try(&n, "reply");
	near_try(&n, "syn");
	near_try(&n, "ack");
	if (!tell_near(r, d, &n, words->first->span))
		diag_help(d, "there are TCP flags, the states new, established, reply, related, invalid, untracked, and in, forward, out, on ZONE");
	return false;
}

static bool words_read(struct reading *r, const struct node *words, struct pol_packet *p)
{
	const char *first = words->first->text;
	uint8_t bit;

	if (!words->first->next && state_word(p, first))
		return true;
	if (!tcp_flag_find(first, &bit))
		return word_unknown(r, words);
	if (p->proto != PROTO_TCP) {
		diag(r->diags, DIAG_PACKET_FIELD, words->span, "this packet has no TCP flags");
		return false;
	}
	p->given |= GIVEN_FLAGS;
	return select_flags(r, words, &p->flags);
}

static bool on_read(struct reading *r, const struct node *on, struct pol_packet *p)
{
	uint64_t zones = 0;

	if (!value_zones(r, on->first, &zones))
		return false;
	p->zone = (unsigned)__builtin_ctzll(zones);
	p->given |= GIVEN_ZONE;
	return true;
}

#define SIZE_MOST 65535u /* of an IP packet */

static bool size_read(struct reading *r, const struct node *size, struct pol_packet *p)
{
	uint64_t bytes;

	if (!value_amount(r, size, TYPE_BYTES, &bytes))
		return false;
	if (p->given & GIVEN_SIZE) {
		diag(r->diags, DIAG_CLAUSE_TWICE, size->span, "this is said twice");
		return false;
	}
	p->given |= GIVEN_SIZE;
	p->size = bytes <= SIZE_MOST ? (uint32_t)bytes : 0;
	if (p->size)
		return true;
	diag(r->diags, DIAG_NUMBER_RANGE, size->span, "a packet has 1 to %u bytes", SIZE_MOST);
	return false;
}

/* The shortest headers that frame_build() of packet.h writes. */
static uint32_t header_bytes(const struct pol_packet *p)
{
	const uint32_t ip = p->family == FAMILY_IP4 ? 20 : 40;

	if (p->proto == PROTO_TCP)
		return ip + 20;
	return p->proto == PROTO_SCTP ? ip + 12 : p->proto == PROTO_UDP || p->proto == PROTO_ICMP || p->proto == PROTO_ICMPV6 ? ip + 8 : ip;
}

/* What the size leaves behind the payload is zeros. */
static bool size_fill(struct reading *r, const struct node *packet, struct pol_packet *p)
{
	const uint32_t least = header_bytes(p) + (uint32_t)p->payload_len;
	char *bytes;

	if (p->size < least) {
		diag(r->diags, DIAG_NUMBER_RANGE, packet->span, "this packet has at least %u bytes", least);
		return false;
	}
	if (p->proto != PROTO_TCP && p->proto != PROTO_UDP)
		return true;
	bytes = arena_zero(r->arena, p->size - header_bytes(p) + 1);
	memcpy(bytes, p->payload ? p->payload : "", p->payload_len);
	p->payload = bytes;
	p->payload_len = p->size - header_bytes(p);
	return true;
}

static bool clauses_read(struct reading *r, const struct node *packet, struct pol_packet *p)
{
	bool sound = true;

	for (const struct node *n = packet->first; n; n = n->next) {
		switch ((unsigned)n->kind) {
		case NODE_WORDS:
			sound &= words_read(r, n, p);
			break;
		case NODE_DIRECTION:
			p->direction = (enum direction)n->word;
			break;
		case NODE_ON:
			sound &= on_read(r, n, p);
			break;
		case NODE_PAYLOAD:
			p->payload = n->first->text;
			p->payload_len = strlen(p->payload);
			break;
		case NODE_QUANTITY:
			sound &= size_read(r, n, p);
			break;
		case NODE_HOLE:
			sound = false;
			break;
		}
	}
	if (p->payload && p->proto != PROTO_TCP && p->proto != PROTO_UDP) {
		diag(r->diags, DIAG_PACKET_FIELD, packet->span, "only packets of TCP and UDP are given a payload");
		return false;
	}
	return sound && (!(p->given & GIVEN_SIZE) || size_fill(r, packet, p));
}

static bool ports_read(struct reading *r, struct pol_packet *p, const struct packet_end *src, const struct packet_end *dst)
{
	bool sound = true;

	if (src->port) {
		sound &= port_read(r, src->port, p->proto, &p->sport);
		p->given |= GIVEN_SPORT;
	}
	if (dst->port) {
		sound &= port_read(r, dst->port, p->proto, &p->dport);
		p->given |= GIVEN_DPORT;
	}
	return sound;
}

bool packet_read(struct reading *r, const struct node *packet, struct pol_packet *p)
{
	const struct node *head = packet->first, *from = head->next, *to = from->next;
	struct packet_end src, dst;
	bool icmp;

	*p = (struct pol_packet){ .span = packet->span, .state = CT_NEW };
	bool sound = packet_proto(r, head, p, &icmp);
	sound &= end_read(r, from, &src);
	sound &= end_read(r, to, &dst);
	if (!sound || !family_read(r, packet, &src, &dst, icmp, p))
		return false;
	p->given = (src.given ? GIVEN_SRC : 0u) | (dst.given ? GIVEN_DST : 0u);
	p->src_self = src.self;
	p->dst_self = dst.self;
	p->src = src.addr;
	p->dst = dst.addr;
	p->src.family = p->dst.family = p->family;
	if (p->proto == PROTO_ICMP || p->proto == PROTO_ICMPV6)
		sound &= icmp_read(r, head->first->next, p);
	sound &= ports_read(r, p, &src, &dst);
	return clauses_read(r, packet, p) && sound;
}

/* --- what is expected ------------------------------------------------------------------------------ */

static void near_labels(struct near *n, const struct reading *r, const struct posture_symbol *s)
{
	for (size_t i = 0; i < s->labels.entries.len; i++)
		near_try(n, s->labels.entries.at[i].name);
	for (size_t i = 0; i < r->policy->block_count; i++)
		near_try(n, r->policy->blocks[i].label);
	for (size_t i = 0; i < r->policy->reflex_count; i++)
		near_try(n, r->policy->reflexes[i].label);
}

static bool is_layer_label(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->block_count; i++)
		if (!strcmp(p->blocks[i].label, name) || !strcmp(p->blocks[i].id, name))
			return true;
	for (size_t i = 0; i < p->reflex_count; i++)
		if (!strcmp(p->reflexes[i].label, name) || !strcmp(p->reflexes[i].id, name))
			return true;
	for (size_t i = 0; i < p->lifeline_count; i++)
		if (!strcmp(p->lifelines[i].label, name) || !strcmp(p->lifelines[i].id, name))
			return true;
	return false;
}

/* "web_in.limit", of a rule that has one: the rule's label, else NULL. */
static const char *limited_label(struct reading *r, const struct posture_symbol *s, const char *name)
{
	const char *dot = strrchr(name, '.'), *label;
	size_t at;

	if (!dot || strcmp(dot, ".limit") || s->state != SYMBOL_KNOWN)
		return NULL;
	label = arena_strndup(r->arena, name, (size_t)(dot - name));
	at = (size_t)strmap_find(&s->labels, label);
	return at && r->policy->postures[s->index].rules[at - 1].limit ? label : NULL;
}

/* `by BALANCED.web_in`: the posture, and the rule whose label begins at `name`. */
static void by_note(struct reading *r, const struct node *by, const struct posture_symbol *s, const char *name, const char *label)
{
	uint32_t from = by->span.from + (uint32_t)(name - by->text);
	size_t at = (size_t)strmap_find(&s->labels, label);

	if (name != by->text)
		use_note(r, USE_POSTURE, s->name, (struct span){ by->span.file, by->span.from, from - 1 }, s->span);
	if (at && s->state == SYMBOL_KNOWN)
		use_note(r, USE_LABEL, label, (struct span){ by->span.file, from, from + (uint32_t)strlen(label) },
			 r->policy->postures[s->index].rules[at - 1].named);
}

static bool emits_read(struct reading *r, const struct node *n, uint8_t *emits)
{
	uint64_t severity;

	if (!value_amount(r, node_text(r->arena, NODE_NAME, n->span, n->text), TYPE_SEVERITY, &severity))
		return false;
	*emits |= (uint8_t)(1u << severity);
	return true;
}

static bool by_is_known(struct reading *r, const struct node *by, const struct posture_symbol *s)
{
	static const char *const words[] = { "default", "lifeline", "established", "related", "invalid", "neighbour", "blocked" };
	size_t prefix = strlen(s->name);
	const char *name = by->text;

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (!strcmp(name, words[i]))
			return true;
	if (!strncmp(name, s->name, prefix) && name[prefix] == '.')
		name += prefix + 1;
	const char *limited = limited_label(r, s, name);
	bool at = strmap_find(&s->labels, name);

	by_note(r, by, s, name, limited ? limited : name);
	if (!at)
		use_note_layer(r, by->text, by->span);
	if (at || limited || !strncmp(name, "default.", 8) || is_layer_label(r->policy, by->text))
		return true;
	if (r->poisoned || s->state != SYMBOL_KNOWN)
		return false; /* what it names may be what could not be read */

	struct diag *d = diag(r->diags, DIAG_BY_UNKNOWN, by->span, "nothing that decides in `%s` is called `%s`", s->name, by->text);
	struct near n = near_to(name);

	near_labels(&n, r, s);
	tell_near(r, d, &n, by->span);
	return false;
}

static bool times_read(struct reading *r, const struct node *times, uint64_t *out)
{
	*out = 1;
	if (!times)
		return true;
	if (!value_count(r, times, out))
		return false;
	if (*out && *out <= TIMES_MAX)
		return true;
	diag(r->diags, DIAG_TIMES_RANGE, times->span, "a test sends 1 to %d packets", TIMES_MAX);
	return false;
}

static const struct node *times_of(const struct node *c)
{
	return c->first->kind == NODE_NUMBER || c->first->kind == NODE_QUANTITY ? c->first : NULL;
}

static bool expect_read(struct reading *r, const struct node *expect, const struct posture_symbol *s, struct pol_case *out)
{
	const struct node *by = node_find(expect, NODE_BY);
	bool sound = true;

	out->verdict = (enum verdict)expect->word;
	out->last = node_find(expect, NODE_LAST);
	for (const struct node *e = expect->first; e; e = e->next)
		sound &= e->kind != NODE_HOLE && (e->kind != NODE_EMIT || emits_read(r, e, &out->emits));
	if (!by)
		return sound;
	out->by = by->text;
	out->by_span = by->span;
	return (!s || by_is_known(r, by, s)) && sound;
}

static bool case_read(struct reading *r, const struct node *n, const struct posture_symbol *s, struct pol_case *out)
{
	const struct node *within = node_find(n, NODE_WITHIN);
	bool sound = expect_read(r, node_find(n, NODE_EXPECT), s, out);

	sound &= times_read(r, times_of(n), &out->times);
	sound &= !within || value_duration(r, within->first, &out->within_ns);
	return packet_read(r, node_find(n, NODE_PACKET), &out->packet) && sound;
}

static bool forall_read(struct reading *r, const struct node *n, const struct posture_symbol *s, struct pol_case *out)
{
	const struct node *direction = node_find(n, NODE_DIRECTION);
	bool sound = expect_read(r, node_find(n, NODE_EXPECT), s, out);

	if (out->emits) {
		diag(r->diags, DIAG_PACKET_WORD, n->span, "what is told of a packet is no claim of every one");
		sound = false;
	}
	out->direction = direction ? (enum direction)direction->word : DIRECTION_IN;
	return select_read(r, node_find(n, NODE_SELECTOR), out->direction, &out->match) && sound;
}

static bool code_is_known(struct reading *r, const struct node *n)
{
	struct near near = near_to(n->text);
	struct diag *d;

	for (int i = 0; i < DIAG_COUNT; i++) {
		if (!strcmp(diag_kinds[i].code, n->text))
			return true;
		near_try(&near, diag_kinds[i].code);
	}
	d = diag(r->diags, DIAG_CODE_UNKNOWN, n->span, "no mistake has the code `%s`", n->text);
	if (near.best)
		diag_help(d, "did you mean `%s`?", near.best);
	else
		diag_help(d, "`tegc explain --list` names them all");
	return false;
}

static bool refuses_read(struct reading *r, const struct node *n, struct pol_case *out)
{
	VEC(struct node *) decls = { 0 };

	for (struct node *d = n->first; d; d = d->next)
		vec_push(r->arena, &decls, d);
	out->code = n->text;
	out->decls = decls.at;
	out->decl_count = decls.len;
	return code_is_known(r, n);
}

/* --- the test --------------------------------------------------------------------------------------- */

/* A test that sends nothing is in no posture. */
static bool wants_posture(const struct node *decl)
{
	for (const struct node *n = decl->first; n; n = n->next)
		if (n->kind == NODE_CASE || n->kind == NODE_TABLE || n->kind == NODE_FORALL)
			return true;
	return !node_find(decl, NODE_REFUSES);
}

static struct posture_symbol *test_posture(struct reading *r, const struct node *decl, const struct node *title)
{
	const struct node *first = NULL;

	for (const struct node *n = decl->first; n; n = n->next) {
		if (n->kind == NODE_HOLE)
			return NULL;
		if (n->kind != NODE_IN_POSTURE)
			continue;
		if (first)
			diag_at(diag(r->diags, DIAG_TEST_POSTURE, n->span, "a test is in one posture"), first->span, "said here first");
		else
			first = n;
	}
	if (first)
		return scope_posture(r, first->first);
	if (wants_posture(decl))
		diag_help(diag(r->diags, DIAG_TEST_POSTURE, title->span, "in which posture is this tested?"),
			  "say it in the test: posture NAME");
	return NULL;
}

struct test_reading {
	struct posture_symbol *posture;
	VEC(struct pol_case) cases;
};

static bool row_read(struct reading *r, const struct node *row, const struct node *packet, void *arg)
{
	struct test_reading *t = arg;
	struct pol_case one = { .span = row->span, .times = 1 };
	bool sound = expect_read(r, node_find(row, NODE_EXPECT), t->posture, &one);

	sound &= packet_read(r, packet, &one.packet);
	if (sound)
		vec_push(r->arena, &t->cases, one);
	return sound;
}

static bool line_read(struct reading *r, const struct node *n, struct test_reading *t, struct pol_case *out)
{
	*out = (struct pol_case){ .span = n->span };
	switch ((unsigned)n->kind) {
	case NODE_CASE:
		return case_read(r, n, t->posture, out);
	case NODE_AFTER:
		out->kind = CASE_AFTER;
		return value_duration(r, n->first, &out->within_ns);
	case NODE_FORALL:
		out->kind = CASE_FORALL;
		return forall_read(r, n, t->posture, out);
	case NODE_REFUSES:
		out->kind = CASE_REFUSES;
		return refuses_read(r, n, out);
	case NODE_TABLE:
		table_read(r, n, row_read, t);
		return false; /* its rows are cases already */
	}
	return false;
}

static void test_add(struct reading *r, const struct node *decl, struct pol_test *out)
{
	const struct node *title = node_find(decl, NODE_TITLE), *todo = node_find(decl, NODE_TODO);
	struct test_reading t = { .posture = test_posture(r, decl, title) };
	struct pol_case one;

	for (const struct node *n = decl->first; n; n = n->next)
		if (line_read(r, n, &t, &one))
			vec_push(r->arena, &t.cases, one);
	*out = (struct pol_test){ .name = title_read(r, title), .span = title->span, .todo = todo ? todo->first->text : NULL,
				  .posture = t.posture ? t.posture->index : 0, .cases = t.cases.at,
				  .case_count = t.cases.len };
}

void declare_tests(struct reading *r)
{
	VEC(struct pol_test) all = { 0 };
	struct strmap names;

	strmap_init(&names, r->arena);
	for (size_t i = 0; i < r->decls.len; i++) {
		const struct node *decl = r->decls.at[i], *first;
		struct pol_test one;

		if (decl->kind != NODE_TEST)
			continue;
		const struct node *title = node_find(decl, NODE_TITLE);
		if ((first = strmap_find(&names, title->text)))
			diag_at(diag(r->diags, DIAG_TEST_TWICE, title->span, "there are two tests of this name"), first->span,
				"here is the first");
		strmap_put(&names, title->text, (void *)title);
		test_add(r, decl, &one);
		vec_push(r->arena, &all, one);
	}
	r->policy->tests = all.at;
	r->policy->test_count = all.len;
}
