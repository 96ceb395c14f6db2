/*
 * resolved.c - the meaning of a policy, as .teg again: one file, no imports, no
 * parameters, sets computed, postures written out, every rule with its label.
 */
#include <string.h>

#include "compiler/front/reading.h"
#include "compiler/front/response/responding.h"
#include "compiler/ir/proto.h"
#include "lang/base/buf.h"
#include "lang/base/duration.h"
#include "lang/spell/print.h"
#include "lang/vocab/cause.h"
#include "lang/vocab/tcp_flag.h"

struct writing {
	const struct policy *policy;
	struct arena *arena;
	struct strmap nets; /* to pol_net */
	struct spool *to;
};

/* --- numbers ------------------------------------------------------------------------------- */

static void put_ranges(struct buf *out, const struct ranges *r)
{
	buf_putc(out, '[');
	for (size_t i = 0; i < r->len; i++) {
		buf_puts(out, i ? ", " : "");
		buf_number(out, r->at[i].lo);
		if (r->at[i].hi != r->at[i].lo) {
			buf_puts(out, "..");
			buf_number(out, r->at[i].hi);
		}
	}
	buf_putc(out, ']');
}

/* Codes lo to hi of one ICMP type. */
static void put_codes(struct buf *out, unsigned type, unsigned lo, unsigned hi, bool *first)
{
	if (lo == 0 && hi == 255) {
		buf_printf(out, "%s%u", *first ? "" : ", ", type);
		*first = false;
		return;
	}
	for (unsigned code = lo; code <= hi; code++) {
		buf_printf(out, "%s%u/%u", *first ? "" : ", ", type, code);
		*first = false;
	}
}

static void put_icmp(struct buf *out, const struct ranges *r)
{
	bool first = true;

	buf_putc(out, '[');
	for (size_t i = 0; i < r->len; i++)
		for (unsigned type = r->at[i].lo >> 8; type <= r->at[i].hi >> 8; type++)
			put_codes(out, type, type == r->at[i].lo >> 8 ? r->at[i].lo & 255u : 0,
				  type == r->at[i].hi >> 8 ? r->at[i].hi & 255u : 255, &first);
	buf_putc(out, ']');
}

static void put_zones(struct writing *w, uint64_t zones)
{
	bool first = true;

	if (zones == ZONES_ANY)
		return;
	buf_puts(&w->to->held, " on [");
	for (size_t i = 0; i < w->policy->zone_count; i++)
		if (zones >> i & 1) {
			buf_puts(&w->to->held, first ? "" : ", ");
			buf_puts(&w->to->held, w->policy->zones[i].name);
			first = false;
		}
	buf_putc(&w->to->held, ']');
}

/* --- selectors ------------------------------------------------------------------------------- */

static void put_proto(struct buf *out, const struct pol_proto *p)
{
	const char *name = proto_name(p->number);

	if (name)
		buf_puts(out, name);
	else
		buf_printf(out, "protocol/%u", p->number);
	if (!ranges_are_all(&p->dport)) {
		buf_putc(out, '/');
		put_ranges(out, &p->dport);
	}
	if (!ranges_are_all(&p->icmp)) {
		buf_putc(out, '/');
		put_icmp(out, &p->icmp);
	}
}

static void put_protos(struct writing *w, const struct pol_selector *s)
{
	const struct pol_proto *p = &s->protos[0];

	if (s->families != FAMILIES_ANY) {
		buf_puts(&w->to->held, s->families == 1u << FAMILY_IP4 ? "ipv4" : "ipv6");
	} else {
		buf_puts(&w->to->held, s->proto_count > 1 ? "[" : "");
		for (size_t i = 0; i < s->proto_count; i++) {
			buf_puts(&w->to->held, i ? ", " : "");
			put_proto(&w->to->held, &s->protos[i]);
		}
		buf_puts(&w->to->held, s->proto_count > 1 ? "]" : "");
	}
	if (p->flags_mask) {
		buf_puts(&w->to->held, " flags ");
		tcp_flags_print(&w->to->held, p->flags_want);
		buf_putc(&w->to->held, '/');
		tcp_flags_print(&w->to->held, p->flags_mask);
	}
}

/* The policy's word for the set, where it wrote that and nothing else. */
static void put_set(struct writing *w, const struct netset *s, const char *name)
{
	const struct pol_net *named = name ? strmap_find(&w->nets, name) : NULL;

	if (named && netset_equal(&named->set, s))
		buf_puts(&w->to->held, named->name);
	else
		netset_print(&w->to->held, s);
}

static void put_end(struct writing *w, const char *word, const struct pol_end *e)
{
	buf_puts(&w->to->held, word);
	if (e->any) {
		buf_puts(&w->to->held, "any");
	} else if (e->self) {
		buf_puts(&w->to->held, "self");
		if (!netset_is_empty(&e->set)) {
			buf_puts(&w->to->held, " + ");
			netset_print(&w->to->held, &e->set);
		}
	} else {
		put_set(w, &e->set, e->name);
	}
}

/* A slash in the expression is written as a byte that is one, whatever stood before it. */
static void put_payload(struct buf *out, const struct pol_payload *p)
{
	buf_puts(out, " payload /");
	for (const char *c = p->expression; *c; c++) {
		if (*c == '\\' && c[1])
			buf_putc(out, *c++);
		buf_puts(out, *c == '/' && (c == p->expression || c[-1] != '\\') ? "\\/" : (char[]){ *c, 0 });
	}
	buf_printf(out, "/%s%s", p->flags & PATTERN_ICASE ? "i" : "", p->flags & PATTERN_DOT_ALL ? "s" : "");
	if (p->within < PAYLOAD_MOST)
		buf_printf(out, " within %llu", (unsigned long long)p->within);
}

static void put_selector(struct writing *w, const struct pol_selector *s)
{
	bool sport = !ranges_are_all(&s->sport);

	put_protos(w, s);
	if (!s->from.any || sport)
		put_end(w, " from ", &s->from);
	if (sport) {
		buf_puts(&w->to->held, " port ");
		put_ranges(&w->to->held, &s->sport);
	}
	if (!s->to.any)
		put_end(w, " to ", &s->to);
	put_zones(w, s->zones);
	if (s->payload)
		put_payload(&w->to->held, s->payload);
}

/* --- declarations ------------------------------------------------------------------------------ */

static void put_titled(struct buf *out, const char *word, const char *name, const char *title)
{
	buf_puts(out, word);
	buf_putc(out, ' ');
	buf_puts(out, name);
	if (title) {
		buf_putc(out, ' ');
		print_string(out, title);
	}
}

static void put_setting(struct buf *out, const char *name, const char *text)
{
	if (!text)
		return;
	buf_printf(out, "    %s ", name);
	print_string(out, text);
	buf_putc(out, '\n');
}

static void put_names(struct writing *w)
{
	const struct policy *p = w->policy;

	put_titled(&w->to->held, "policy", p->name, p->title);
	buf_puts(&w->to->held, " {\n");
	put_setting(&w->to->held, "version", p->version);
	put_setting(&w->to->held, "owner", p->owner);
	buf_puts(&w->to->held, "}\n\n");
	for (size_t i = 0; i < p->zone_count; i++) {
		buf_printf(&w->to->held, "zone %s = [", p->zones[i].name);
		for (size_t j = 0; j < p->zones[i].pattern_count; j++) {
			buf_puts(&w->to->held, j ? ", " : "");
			print_string(&w->to->held, p->zones[i].patterns[j]);
		}
		buf_puts(&w->to->held, "]\n");
	}
	for (size_t i = 0; i < p->net_count; i++) {
		buf_printf(&w->to->held, "net %s = ", p->nets[i].name);
		netset_print(&w->to->held, &p->nets[i].set);
		buf_putc(&w->to->held, '\n');
		strmap_put(&w->nets, p->nets[i].name, &p->nets[i]);
	}
}

static void put_lifelines(struct writing *w)
{
	const struct policy *p = w->policy;

	if (!p->lifeline_count)
		return;
	buf_puts(&w->to->held, "\nlifeline {\n");
	for (size_t i = 0; i < p->lifeline_count; i++) {
		buf_printf(&w->to->held, "    %s: ", p->lifelines[i].label);
		put_selector(w, &p->lifelines[i].match);
		buf_putc(&w->to->held, '\n');
	}
	buf_puts(&w->to->held, "}\n");
}

static void put_blocks(struct writing *w)
{
	const struct policy *p = w->policy;

	for (size_t i = 0; i < p->block_count; i++) {
		buf_printf(&w->to->held, "\n%s: block ", p->blocks[i].label);
		put_set(w, &p->blocks[i].set, p->blocks[i].label);
		put_zones(w, p->blocks[i].zones);
		buf_putc(&w->to->held, '\n');
	}
}

static void put_key(struct buf *out, const struct pol_rate *r)
{
	static const char *const names[] = { "source", "destination", "flow" };
	bool whole4 = r->key_bits[FAMILY_IP4] == 32, whole6 = r->key_bits[FAMILY_IP6] == 64;

	if (r->key == RATE_GLOBAL)
		return;
	buf_printf(out, " per %s", names[r->key]);
	if (!whole4 || !whole6)
		buf_printf(out, "/%u", r->key_bits[FAMILY_IP4]);
	if (!whole6)
		buf_printf(out, "/%u", r->key_bits[FAMILY_IP6]);
}

/* `1000 per 100ms per source burst 2000 shared` */
static void put_limit(struct buf *out, const struct pol_rate *r)
{
	const char *unit = r->bytes ? "B" : "";

	buf_printf(out, "%llu%s per ", (unsigned long long)r->count, unit);
	duration_print(out, r->window_ns);
	put_key(out, r);
	if (r->burst)
		buf_printf(out, " burst %llu%s", (unsigned long long)r->burst, unit);
	buf_puts(out, r->fleet ? " shared" : "");
}

static void put_limits(struct writing *w)
{
	const struct policy *p = w->policy;

	for (size_t i = 0; i < p->limit_count; i++) {
		buf_printf(&w->to->held, "limit %s = ", p->limits[i].name);
		put_limit(&w->to->held, &p->limits[i].rate);
		buf_putc(&w->to->held, '\n');
	}
}

static const char *bucket_name(const struct pol_rate *r)
{
	return r->bucket + strlen("limit.");
}

static void put_emit(struct buf *out, const struct pol_effects *e)
{
	buf_printf(out, "emit %s", event_severity_name(e->severity));
	if (e->one_in > 1)
		buf_printf(out, " sample 1/%u", e->one_in);
}

static void put_effects(struct buf *out, const struct pol_effects *e)
{
	if (e->log) {
		buf_puts(out, " log ");
		print_string(out, e->log);
	}
	if (e->emits) {
		buf_putc(out, ' ');
		put_emit(out, e);
	}
}

static void put_rule(struct writing *w, const struct pol_rule *r)
{
	const char *words[] = { "    ", r->label, ": ", verdict_name(r->verdict), " ", direction_name(r->direction), " " };

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		buf_puts(&w->to->held, words[i]);
	put_selector(w, &r->match);
	if (r->limit && r->limit->bucket) {
		buf_printf(&w->to->held, " limit %s", bucket_name(r->limit));
	} else if (r->limit) {
		buf_puts(&w->to->held, " limit ");
		put_limit(&w->to->held, r->limit);
	}
	put_effects(&w->to->held, &r->effects);
	buf_putc(&w->to->held, '\n');
	spool_settle(w->to);
}

static void put_passes(struct buf *out, uint32_t passes)
{
	if (!passes)
		return;
	buf_puts(out, "    malformed pass ");
	cause_names(out, passes);
	buf_putc(out, '\n');
}

static void put_postures(struct writing *w)
{
	const struct policy *p = w->policy;

	for (size_t i = 0; i < p->posture_count; i++) {
		const struct pol_posture *q = &p->postures[i];

		buf_putc(&w->to->held, '\n');
		put_titled(&w->to->held, "posture", q->name, q->title);
		buf_printf(&w->to->held, " {\n    established %s\n", established_name(q->established));
		for (int d = 0; d < DIRECTION_COUNT; d++)
			buf_printf(&w->to->held, "    default %s %s\n", direction_name((enum direction)d), verdict_name(q->defaults[d]));
		put_passes(&w->to->held, q->passes);
		for (size_t j = 0; j < q->rule_count; j++)
			put_rule(w, &q->rules[j]);
		buf_puts(&w->to->held, "}\n");
	}
	buf_printf(&w->to->held, "\ninitial posture %s\n", p->postures[p->initial].name);
}

static void put_rate(struct buf *out, const struct pol_rate *r)
{
	if (r->bucket) {
		buf_printf(out, "    when exceeds %s\n", bucket_name(r));
		return;
	}
	buf_puts(out, "    when rate");
	put_key(out, r);
	buf_printf(out, " > %llu%s per ", (unsigned long long)r->count, r->bytes ? "B" : "");
	duration_print(out, r->window_ns);
	buf_putc(out, '\n');
}

static void put_except(struct writing *w, uint64_t postures)
{
	bool first = true;

	for (size_t i = 0; i < w->policy->posture_count; i++)
		if (postures >> i & 1) {
			buf_printf(&w->to->held, "%s%s", first ? "    except in " : ", ", w->policy->postures[i].name);
			first = false;
		}
	buf_puts(&w->to->held, first ? "" : "\n");
}

static void put_reflexes(struct writing *w)
{
	const struct policy *p = w->policy;

	for (size_t i = 0; i < p->reflex_count; i++) {
		const struct pol_reflex *r = &p->reflexes[i];

		buf_printf(&w->to->held, "\nreflex %s {\n    match ", r->label);
		put_selector(w, &r->match);
		buf_putc(&w->to->held, '\n');
		if (r->has_rate)
			put_rate(&w->to->held, &r->rate);
		buf_puts(&w->to->held, r->only_tells ? "    do " : r->cookies ? "    do cookies" : "    do drop");
		if (r->block_ns) {
			buf_puts(&w->to->held, " source for ");
			duration_print(&w->to->held, r->block_ns);
		}
		if (r->effects.emits) {
			buf_puts(&w->to->held, r->only_tells ? "" : ", ");
			put_emit(&w->to->held, &r->effects);
		}
		buf_putc(&w->to->held, '\n');
		put_except(w, r->except);
		buf_puts(&w->to->held, "}\n");
		spool_settle(w->to);
	}
}

/* --- tests -------------------------------------------------------------------------------------- */

static void put_packet_end(struct buf *out, bool self, bool given, struct addr a, bool port_given, unsigned port)
{
	char text[ADDR_TEXT];
	bool brackets = port_given && given && !self && a.family == FAMILY_IP6;

	buf_printf(out, "%s%s%s", brackets ? "[" : "", !given ? "any" : self ? "self" : addr_print(a, text), brackets ? "]" : "");
	if (port_given)
		buf_printf(out, ":%u", port);
}

static void put_packet(struct writing *w, const struct pol_packet *p)
{
	struct buf *out = &w->to->held;
	const char *name = proto_name(p->proto);

	if (name)
		buf_printf(out, "%s ", name);
	else
		buf_printf(out, "protocol %u ", p->proto);
	if (p->given & GIVEN_ICMP)
		buf_printf(out, "%u/%u ", p->icmp >> 8, p->icmp & 255u);
	put_packet_end(out, p->src_self, p->given & GIVEN_SRC, p->src, p->given & GIVEN_SPORT, p->sport);
	buf_puts(out, " -> ");
	put_packet_end(out, p->dst_self, p->given & GIVEN_DST, p->dst, p->given & GIVEN_DPORT, p->dport);
	if (p->given & GIVEN_FLAGS) {
		buf_putc(out, ' ');
		tcp_flags_print(out, p->flags);
	}
	if (p->given & GIVEN_STATE)
		buf_printf(out, " %s", p->reply ? "reply" : ct_state_name(p->state));
	buf_printf(out, " %s", direction_name(p->direction));
	if (p->given & GIVEN_SIZE)
		buf_printf(out, " %uB", p->size);
	if (p->given & GIVEN_ZONE)
		buf_printf(out, " on %s", w->policy->zones[p->zone].name);
	if (p->payload && *p->payload) {
		buf_puts(out, " payload ");
		print_string(out, p->payload);
	}
}

static void put_expect(struct writing *w, const struct pol_case *c)
{
	buf_printf(&w->to->held, " => %s%s", c->last ? "last " : "", verdict_name(c->verdict));
	if (c->by)
		buf_printf(&w->to->held, " by %s", c->by);
	for (int s = 0; s < EVENT_SEVERITY_COUNT; s++)
		if (c->emits >> s & 1)
			buf_printf(&w->to->held, ", emits %s", event_severity_name((enum event_severity)s));
	buf_putc(&w->to->held, '\n');
}

static void put_packets(struct writing *w, const struct pol_case *c)
{
	bool many = c->times != 1 || c->within_ns;

	buf_puts(&w->to->held, "    ");
	if (many)
		buf_printf(&w->to->held, "%llu * (", (unsigned long long)c->times);
	put_packet(w, &c->packet);
	buf_puts(&w->to->held, many ? ")" : "");
	if (c->within_ns) {
		buf_puts(&w->to->held, " in ");
		duration_print(&w->to->held, c->within_ns);
	}
	put_expect(w, c);
}

/* What a policy must refuse is about its source, and is left there. */
static void put_case(struct writing *w, const struct pol_case *c)
{
	switch (c->kind) {
	case CASE_PACKETS:
		put_packets(w, c);
		return;
	case CASE_AFTER:
		buf_puts(&w->to->held, "    after ");
		duration_print(&w->to->held, c->within_ns);
		buf_putc(&w->to->held, '\n');
		return;
	case CASE_FORALL:
		buf_printf(&w->to->held, "    forall %s ", direction_name(c->direction));
		put_selector(w, &c->match);
		put_expect(w, c);
		return;
	case CASE_REFUSES:
		return;
	}
}

static void put_tests(struct writing *w)
{
	const struct policy *p = w->policy;

	for (size_t i = 0; i < p->test_count; i++) {
		const struct pol_test *t = &p->tests[i];

		buf_puts(&w->to->held, "\ntest ");
		print_string(&w->to->held, t->name);
		buf_printf(&w->to->held, " {\n    posture %s\n", p->postures[t->posture].name);
		if (t->todo) {
			buf_puts(&w->to->held, "    todo ");
			print_string(&w->to->held, t->todo);
			buf_putc(&w->to->held, '\n');
		}
		for (size_t j = 0; j < t->case_count; j++)
			put_case(w, &t->cases[j]);
		buf_puts(&w->to->held, "}\n");
	}
}

static void put_claim(struct writing *w, const struct pol_claim *c)
{
	const struct policy *p = w->policy;
	const char *sep = "";

	buf_puts(&w->to->held, "    in [");
	for (size_t i = 0; i < p->posture_count; i++) {
		if (!(c->postures >> i & 1))
			continue;
		buf_printf(&w->to->held, "%s%s", sep, p->postures[i].name);
		sep = ", ";
	}
	buf_printf(&w->to->held, "]: %s ", direction_name(c->direction));
	put_selector(w, &c->match);
	buf_printf(&w->to->held, " is %s\n", c->allowed ? "allowed" : "dropped");
}

static void put_claims(struct writing *w)
{
	const struct policy *p = w->policy;

	for (size_t i = 0; i < p->order_count; i++) {
		buf_puts(&w->to->held, "\norder ");
		for (size_t j = 0; j < p->orders[i].count; j++)
			buf_printf(&w->to->held, "%s%s", j ? " <= " : "", p->postures[p->orders[i].postures[j]].name);
		buf_putc(&w->to->held, '\n');
	}
	for (size_t i = 0; i < p->claim_count; i++) {
		const char *name = p->claims[i].name;

		if (!i || strcmp(p->claims[i - 1].name, name) != 0)
			buf_printf(&w->to->held, "\ninvariant %s {\n", name);
		put_claim(w, &p->claims[i]);
		if (i + 1 == p->claim_count || strcmp(p->claims[i + 1].name, name) != 0)
			buf_puts(&w->to->held, "}\n");
	}
}

void front_spool_resolved(struct spool *out, const struct policy *p, struct arena *a)
{
	struct writing w = { .policy = p, .arena = a, .to = out };

	strmap_init(&w.nets, a);
	put_names(&w);
	put_limits(&w);
	put_lifelines(&w);
	put_blocks(&w);
	put_reflexes(&w);
	put_postures(&w);
	print_senses(&w.to->held, p);
	print_responses(&w.to->held, p);
	put_claims(&w);
	put_tests(&w);
}

char *front_print_resolved(const struct policy *p, struct arena *a)
{
	own(spool) struct spool text = { 0 };

	front_spool_resolved(&text, p, a);
	return arena_strndup(a, buf_text(&text.held), text.held.len);
}
