/*
 * message_status.c - what is live, as bytes: the status and the counters.
 */
#include "enforcer/proc/message_parts.h"

static void put_interface(struct buf *out, const struct status_interface *i)
{
	wire_put_str(out, i->name);
	wire_put_str(out, i->zone);
	wire_put_str(out, i->engine);
	wire_put_str(out, i->reason);
	wire_put_u32(out, i->ifindex);
	wire_put_u64(out, i->program_tag);
}

#define INTERFACE_BYTES (4 * 4 + 4 + 8)

static void put_parts(struct buf *out, const struct status *s)
{
	wire_put_u32(out, s->part_count);
	for (uint32_t i = 0; i < s->part_count; i++) {
		wire_put_str(out, s->parts[i].name);
		wire_put_str(out, s->parts[i].is);
		wire_put_str(out, s->parts[i].should);
		wire_put_str(out, s->parts[i].fault);
	}
}

static void put_drift(struct buf *out, const struct status_drift *d)
{
	wire_put_u64(out, d->checked);
	wire_put_u64(out, d->found);
	wire_put_u64(out, d->repaired);
	wire_put_u64(out, d->last);
	wire_put_str(out, d->fault);
}

static void put_events(struct buf *out, const struct status_events *e)
{
	wire_put_str(out, e->source);
	wire_put_u64(out, e->told);
	wire_put_u64(out, e->full);
	wire_put_u64(out, e->rate);
	wire_put_u64(out, e->slow);
}

static void put_flows(struct buf *out, const struct status_flows *f)
{
	wire_put_u8(out, f->known);
	wire_put_u32(out, f->count);
	wire_put_u32(out, f->most);
	wire_put_u64(out, f->dropped);
	wire_put_u64(out, f->evicted);
	wire_put_u64(out, f->full_since);
}

void status_encode(struct buf *out, const struct status *s)
{
	wire_put_u64(out, s->generation);
	wire_put_str(out, s->bundle);
	wire_put_str(out, s->policy);
	wire_put_str(out, s->version);
	wire_put_u8(out, s->proved);
	wire_put_u32(out, s->tests_run);
	wire_put_u32(out, s->tests_left);
	wire_put_str(out, s->posture);
	wire_put_str(out, s->posture_reason);
	wire_put_u64(out, s->posture_since);
	wire_put_u64(out, s->posture_until);
	wire_put_str(out, s->posture_next);
	wire_put_u64(out, s->started);
	wire_put_u64(out, s->switch_ns);
	wire_put_str(out, s->adopted);
	wire_put_str(out, s->engine);
	wire_put_str(out, s->nft_digest);
	wire_put_u8(out, s->intact);
	wire_put_u64(out, s->unknown_since);
	wire_put_str(out, s->fault);
	wire_put_u32(out, s->posture_count);
	for (uint32_t i = 0; i < s->posture_count; i++) {
		wire_put_str(out, s->postures[i].name);
		wire_put_str(out, s->postures[i].title);
		wire_put_u8(out, s->postures[i].closed);
		wire_put_u64(out, s->postures[i].within);
	}
	wire_put_u32(out, s->interface_count);
	for (uint32_t i = 0; i < s->interface_count; i++)
		put_interface(out, &s->interfaces[i]);
	put_parts(out, s);
	wire_put_u64(out, s->pending.until);
	wire_put_u64(out, s->pending.before);
	put_drift(out, &s->drift);
	wire_put_str(out, s->own_blocked);
	wire_put_u32(out, s->own_blocked_count);
	wire_put_str(out, s->refuses);
	put_flows(out, &s->flows);
	put_events(out, &s->events);
	wire_put_str(out, s->cookies);
}

static void get_postures(struct wire_in *in, struct status *s, struct arena *a)
{
	s->posture_count = wire_get_count(in, 2 * 4 + 1 + 8);
	s->postures = arena_zero(a, s->posture_count * sizeof *s->postures);
	for (uint32_t i = 0; i < s->posture_count; i++) {
		s->postures[i].name = wire_get_str(in, a);
		s->postures[i].title = wire_get_str(in, a);
		s->postures[i].closed = wire_get_u8(in);
		s->postures[i].within = wire_get_u64(in);
	}
}

static void get_interfaces(struct wire_in *in, struct status *s, struct arena *a)
{
	s->interface_count = wire_get_count(in, INTERFACE_BYTES);
	s->interfaces = arena_zero(a, s->interface_count * sizeof *s->interfaces);
	for (uint32_t i = 0; i < s->interface_count; i++) {
		struct status_interface *at = &s->interfaces[i];

		at->name = wire_get_str(in, a);
		at->zone = wire_get_str(in, a);
		at->engine = wire_get_str(in, a);
		at->reason = wire_get_str(in, a);
		at->ifindex = wire_get_u32(in);
		at->program_tag = wire_get_u64(in);
	}
}

static void get_parts(struct wire_in *in, struct status *s, struct arena *a)
{
	s->part_count = wire_get_count(in, 4 * 4);
	s->parts = arena_zero(a, s->part_count * sizeof *s->parts);
	for (uint32_t i = 0; i < s->part_count; i++) {
		s->parts[i].name = wire_get_str(in, a);
		s->parts[i].is = wire_get_str(in, a);
		s->parts[i].should = wire_get_str(in, a);
		s->parts[i].fault = wire_get_str(in, a);
	}
}

static void get_drift(struct wire_in *in, struct status_drift *d, struct arena *a)
{
	d->checked = wire_get_u64(in);
	d->found = wire_get_u64(in);
	d->repaired = wire_get_u64(in);
	d->last = wire_get_u64(in);
	d->fault = wire_get_str(in, a);
}

static void get_events(struct wire_in *in, struct status_events *e, struct arena *a)
{
	e->source = wire_get_str(in, a);
	e->told = wire_get_u64(in);
	e->full = wire_get_u64(in);
	e->rate = wire_get_u64(in);
	e->slow = wire_get_u64(in);
}

static void get_flows(struct wire_in *in, struct status_flows *f)
{
	f->known = wire_get_u8(in);
	f->count = wire_get_u32(in);
	f->most = wire_get_u32(in);
	f->dropped = wire_get_u64(in);
	f->evicted = wire_get_u64(in);
	f->full_since = wire_get_u64(in);
}

int status_decode(struct status *out, struct arena *a, const void *bytes, size_t len, struct err *why)
{
	struct wire_in in = { bytes, len, false };
	struct status s = { 0 };

	s.generation = wire_get_u64(&in);
	s.bundle = wire_get_str(&in, a);
	s.policy = wire_get_str(&in, a);
	s.version = wire_get_str(&in, a);
	s.proved = wire_get_u8(&in);
	s.tests_run = wire_get_u32(&in);
	s.tests_left = wire_get_u32(&in);
	s.posture = wire_get_str(&in, a);
	s.posture_reason = wire_get_str(&in, a);
	s.posture_since = wire_get_u64(&in);
	s.posture_until = wire_get_u64(&in);
	s.posture_next = wire_get_str(&in, a);
	s.started = wire_get_u64(&in);
	s.switch_ns = wire_get_u64(&in);
	s.adopted = wire_get_str(&in, a);
	s.engine = wire_get_str(&in, a);
	s.nft_digest = wire_get_str(&in, a);
	s.intact = wire_get_u8(&in);
	s.unknown_since = wire_get_u64(&in);
	s.fault = wire_get_str(&in, a);
	get_postures(&in, &s, a);
	get_interfaces(&in, &s, a);
	get_parts(&in, &s, a);
	s.pending.until = wire_get_u64(&in);
	s.pending.before = wire_get_u64(&in);
	get_drift(&in, &s.drift, a);
	s.own_blocked = wire_get_str(&in, a);
	s.own_blocked_count = wire_get_u32(&in);
	s.refuses = wire_get_str(&in, a);
	get_flows(&in, &s.flows);
	get_events(&in, &s.events, a);
	s.cookies = wire_get_str(&in, a);
	int rc = message_decoded(&in, s.intact <= 1 && !(s.intact && s.unknown_since) && s.proved <= 1 && s.flows.known <= 1, "status", why);
	if (!rc)
		*out = s;
	return rc;
}

#define COUNTER_BYTES (4 + 1 + 1 + 4 + 8 + 8)

const char *counter_verdict(const struct counter_row *r)
{
	return counter_only_tells(r) ? "goes-on" : verdict_name(r->verdict);
}

void counters_encode(struct buf *out, const struct counters *c)
{
	wire_put_u64(out, c->at_ns);
	wire_put_u64(out, c->cost_ns);
	wire_put_u32(out, c->row_count);
	for (uint32_t i = 0; i < c->row_count; i++) {
		wire_put_str(out, c->rows[i].id);
		wire_put_u8(out, (uint8_t)c->rows[i].layer);
		wire_put_u8(out, (uint8_t)c->rows[i].verdict);
		wire_put_str(out, c->rows[i].posture);
		wire_put_u64(out, c->rows[i].packets);
		wire_put_u64(out, c->rows[i].bytes);
	}
	for (size_t i = 0; i < CAUSE_COUNT; i++)
		wire_put_u64(out, c->causes[i]);
	for (size_t i = 0; i < CAUSE_COUNT; i++)
		wire_put_u64(out, c->passed[i]);
	wire_put_u64(out, c->blocked_sources);
	wire_put_u64(out, c->crowded);
}

int counters_decode(struct counters *out, struct arena *a, const void *bytes, size_t len, struct err *why)
{
	struct wire_in in = { bytes, len, false };
	struct counters c = { 0 };
	bool holds = true;

	c.at_ns = wire_get_u64(&in);
	c.cost_ns = wire_get_u64(&in);
	c.row_count = wire_get_count(&in, COUNTER_BYTES);
	c.rows = arena_zero(a, c.row_count * sizeof *c.rows);
	for (uint32_t i = 0; i < c.row_count; i++) {
		struct counter_row *r = &c.rows[i];

		r->id = wire_get_str(&in, a);
		r->layer = (enum layer)wire_get_u8(&in);
		r->verdict = (enum verdict)wire_get_u8(&in);
		r->posture = wire_get_str(&in, a);
		r->packets = wire_get_u64(&in);
		r->bytes = wire_get_u64(&in);
		holds = holds && r->layer < LAYER_COUNT && r->verdict < VERDICT_COUNT;
	}
	for (size_t i = 0; i < CAUSE_COUNT; i++)
		c.causes[i] = wire_get_u64(&in);
	for (size_t i = 0; i < CAUSE_COUNT; i++)
		c.passed[i] = wire_get_u64(&in);
	c.blocked_sources = wire_get_u64(&in);
	c.crowded = wire_get_u64(&in);
	int rc = message_decoded(&in, holds, "counters", why);
	if (!rc)
		*out = c;
	return rc;
}
