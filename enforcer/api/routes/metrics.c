/*
 * metrics - every counter, as Prometheus reads it (text format 0.0.4).
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "enforcer/api/http/request.h"
#include "lang/base/utf8.h"
#include "lang/base/version.h"
#include "lang/vocab/cause.h"

enum metric {
#define METRIC(id, ...) METRIC_##id,
#include "enforcer/api/routes/metric.def"
#undef METRIC
	METRIC_COUNT
};

static const struct {
	const char *name, *type, *help;
} rows[METRIC_COUNT] = {
#define METRIC(id, name, type, help) [METRIC_##id] = { name, type, help },
#include "enforcer/api/routes/metric.def"
#undef METRIC
};

/* What the metrics are made of. */
struct scrape {
	struct server *server;
	const struct status *status;
	const struct counters *counters;
	const struct feeds_told *feeds;
};

/* ---- the text format ------------------------------------------------------------------- */

static void add_escaped(struct buf *out, const char *text)
{
	own(buf) struct buf clean = { 0 };

	utf8_add_clean(&clean, text);
	for (const char *c = buf_text(&clean); *c; c++) {
		if (*c == '\\' || *c == '"')
			buf_putc(out, '\\');
		if (*c == '\n')
			buf_puts(out, "\\n");
		else
			buf_putc(out, *c);
	}
}

struct label {
	const char *name, *value;
};

#define LABELS(...) (const struct label[]){ __VA_ARGS__, { NULL, NULL } }

static void add_name(struct buf *out, enum metric m, const struct label *labels)
{
	buf_puts(out, rows[m].name);
	for (size_t i = 0; labels && labels[i].name; i++) {
		buf_printf(out, "%s%s=\"", i ? "," : "{", labels[i].name);
		add_escaped(out, labels[i].value);
		buf_putc(out, '"');
	}
	buf_puts(out, labels ? "} " : " ");
}

static void add_count(struct buf *out, enum metric m, const struct label *labels, uint64_t value)
{
	add_name(out, m, labels);
	buf_printf(out, "%" PRIu64 "\n", value);
}

/* ---- the metrics, one by one ----------------------------------------------------------- */

static void add_policy(struct buf *out, const struct status *s)
{
	if (s->generation)
		add_count(out, METRIC_POLICY, LABELS({ "policy", s->policy }, { "version", s->version },
						     { "bundle", s->bundle }), 1);
}

static void add_postures(struct buf *out, const struct status *s)
{
	for (uint32_t i = 0; i < s->posture_count; i++)
		add_count(out, METRIC_POSTURE, LABELS({ "posture", s->postures[i].name }),
			  !strcmp(s->postures[i].name, s->posture));
}

static void add_interfaces(struct buf *out, const struct status *s)
{
	for (uint32_t i = 0; i < s->interface_count; i++)
		add_count(out, METRIC_INTERFACE, LABELS({ "interface", s->interfaces[i].name },
							{ "zone", s->interfaces[i].zone },
							{ "engine", s->interfaces[i].engine }), 1);
}

static void add_rules(struct buf *out, enum metric m, const struct counters *c)
{
	for (uint32_t i = 0; i < c->row_count; i++) {
		const struct counter_row *r = &c->rows[i];

		add_count(out, m, LABELS({ "id", r->id }, { "layer", layer_name(r->layer) },
					 { "verdict", counter_verdict(r) }, { "posture", r->posture }),
			  m == METRIC_RULE_BYTES ? r->bytes : r->packets);
	}
}

/* Packets without a cause were judged: they are counted by their rules. */
static void add_causes(struct buf *out, const struct counters *c)
{
	for (size_t i = CAUSE_NONE + 1; i < CAUSE_COUNT; i++) {
		add_count(out, METRIC_UNJUDGED, LABELS({ "cause", cause_name(i) }, { "verdict", verdict_name(cause_verdict(i)) }),
			  c->causes[i]);
		if (cause_is_said((enum cause)i))
			add_count(out, METRIC_UNJUDGED, LABELS({ "cause", cause_name(i) }, { "verdict", "allow" }), c->passed[i]);
	}
}

static void add_lost(struct buf *out, const struct status_events *e, uint64_t missed)
{
	const struct { const char *where; uint64_t count; } lost[] = {
		{ "ring", e->full }, { "rate", e->rate }, { "api", e->slow }, { "listener", missed },
	};

	for (size_t i = 0; i < sizeof lost / sizeof *lost; i++)
		add_count(out, METRIC_LOST, LABELS({ "where", lost[i].where }), lost[i].count);
}

static void add_qualia(struct buf *out, struct qualia *q)
{
	struct qualia_now now;

	qualia_get(q, &now);
	for (size_t i = 0; now.felt && i < QUALE_COUNT; i++) {
		add_name(out, METRIC_QUALIA, LABELS({ "channel", quale_rows[i].name }));
		buf_printf(out, "%.4f\n", now.value[i]);
	}
}

static uint64_t flows_figure(enum metric m, const struct status_flows *f)
{
	return m == METRIC_FLOWS ? f->count : m == METRIC_FLOWS_MOST ? f->most : m == METRIC_FLOWS_FULL ? f->full_since != 0 :
	       m == METRIC_FLOWS_DROPPED ? f->dropped : f->evicted;
}

static uint64_t feed_figure(enum metric m, const struct feed_row *f)
{
	return m == METRIC_FEED_ENTRIES ? f->entries : m == METRIC_FEED_LOADED ? f->loaded : f->stale;
}

static void add_feeds(struct buf *out, enum metric m, const struct feeds_told *feeds)
{
	for (uint32_t i = 0; i < feeds->row_count; i++)
		add_count(out, m, LABELS({ "feed", feeds->rows[i].name }), feed_figure(m, &feeds->rows[i]));
}

static const char *path_of(size_t route)
{
	return route < ROUTE_COUNT ? routes[route].path : "other";
}

/* Routes of several methods have one path, and the path one series: `route` is the first of it. */
static void add_path(struct buf *out, struct server *s, size_t route)
{
	size_t same[ROUTE_COUNT + 1], len = 0;

	for (size_t r = route; r <= ROUTE_COUNT; r++)
		if (!strcmp(path_of(r), path_of(route)))
			same[len++] = r;
	for (size_t status = 0; status < SERVER_STATUS_END; status++) {
		uint64_t n = 0;
		char code[8];

		for (size_t i = 0; i < len; i++)
			n += atomic_load(&s->answered[same[i]][status]);
		if (!n)
			continue;
		snprintf(code, sizeof code, "%zu", status);
		add_count(out, METRIC_HTTP, LABELS({ "path", path_of(route) }, { "code", code }), n);
	}
}

static bool is_first_of_path(size_t route)
{
	for (size_t before = 0; before < route; before++)
		if (!strcmp(path_of(before), path_of(route)))
			return false;
	return true;
}

static void add_http(struct buf *out, struct server *s)
{
	for (size_t route = 0; route <= ROUTE_COUNT; route++)
		if (is_first_of_path(route))
			add_path(out, s, route);
}

static void add_metric(struct buf *out, enum metric m, const struct scrape *s)
{
	switch (m) {
	case METRIC_BUILD:
		add_count(out, m, LABELS({ "version", TEGUMENTAR_VERSION }), 1);
		break;
	case METRIC_GENERATION:
		add_count(out, m, NULL, s->status->generation);
		break;
	case METRIC_INTACT:
		add_count(out, m, NULL, s->status->generation && s->status->intact);
		break;
	case METRIC_UNKNOWN:
		add_count(out, m, NULL, s->status->unknown_since != 0);
		break;
	case METRIC_REFUSES:
		add_count(out, m, NULL, *s->status->refuses != '\0');
		break;
	case METRIC_POLICY:
		add_policy(out, s->status);
		break;
	case METRIC_POSTURE:
		add_postures(out, s->status);
		break;
	case METRIC_POSTURE_SINCE:
		add_count(out, m, NULL, s->status->posture_since);
		break;
	case METRIC_SWITCH:
		add_name(out, m, NULL);
		buf_printf(out, "%" PRIu64 ".%09" PRIu64 "\n", s->status->switch_ns / 1000000000u, s->status->switch_ns % 1000000000u);
		break;
	case METRIC_WARDEN_STARTED:
		add_count(out, m, NULL, s->status->started);
		break;
	case METRIC_INTERFACE:
		add_interfaces(out, s->status);
		break;
	case METRIC_RULE_PACKETS:
	case METRIC_RULE_BYTES:
		add_rules(out, m, s->counters);
		break;
	case METRIC_UNJUDGED:
		add_causes(out, s->counters);
		break;
	case METRIC_BLOCKED:
		add_count(out, m, NULL, s->counters->blocked_sources);
		break;
	case METRIC_OWN_BLOCKED:
		add_count(out, m, NULL, s->status->own_blocked_count);
		break;
	case METRIC_FLOWS:
	case METRIC_FLOWS_MOST:
	case METRIC_FLOWS_FULL:
	case METRIC_FLOWS_DROPPED:
	case METRIC_FLOWS_EVICTED:
		if (s->status->flows.known)
			add_count(out, m, NULL, flows_figure(m, &s->status->flows));
		break;
	case METRIC_FEED_ENTRIES:
	case METRIC_FEED_LOADED:
	case METRIC_FEED_STALE:
		add_feeds(out, m, s->feeds);
		break;
	case METRIC_CROWDED:
		add_count(out, m, NULL, s->counters->crowded);
		break;
	case METRIC_TOLD:
		add_count(out, m, NULL, s->status->events.told);
		break;
	case METRIC_LOST:
		add_lost(out, &s->status->events, events_missed(s->server->events));
		break;
	case METRIC_QUALIA:
		add_qualia(out, s->server->qualia);
		break;
	case METRIC_HTTP:
		add_http(out, s->server);
		break;
	case METRIC_COUNT:
		break;
	}
}

static void add_metrics(struct buf *out, const struct scrape *s)
{
	for (enum metric m = 0; m < METRIC_COUNT; m++) {
		buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", rows[m].name, rows[m].help, rows[m].name, rows[m].type);
		add_metric(out, m, s);
	}
}

/* ---- the route -------------------------------------------------------------------------- */

static void feeds_told(struct request *r, struct answer *a)
{
	const struct scrape s = { request_server(r), &request_answer(r, 0)->status, &request_answer(r, 1)->counters, &a->feeds };
	own(buf) struct buf out = { 0 };

	add_metrics(&out, &s);
	request_reply_text(r, "text/plain; version=0.0.4; charset=utf-8", &out);
}

static void counters_told(struct request *r, struct answer *a)
{
	if (!a->counters.at_ns) { /* zeros would look like a counter that began anew */
		request_refuse(r, PROBLEM_UNREADABLE, NULL, NULL, "the warden could not read them");
		return;
	}
	request_ask(r, &(struct question){ .kind = MESSAGE_ASK_FEEDS, .fd = -1 }, feeds_told);
}

static void status_told(struct request *r, struct answer *a)
{
	(void)a; /* kept as the request's first */
	request_ask(r, &(struct question){ .kind = MESSAGE_ASK_COUNTERS, .fd = -1 }, counters_told);
}

void route_metrics(struct request *r)
{
	request_ask(r, &(struct question){ .kind = MESSAGE_ASK_STATUS, .fd = -1 }, status_told);
}
