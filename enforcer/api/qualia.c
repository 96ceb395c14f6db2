#include "enforcer/api/qualia.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "enforcer/proc/message.h"
#include "lang/base/strmap.h"
#include "lang/vocab/cause.h"

const struct quale_row quale_rows[QUALE_COUNT] = {
#define QUALE(id, name, about, formula) [QUALE_##id] = { name, about, formula },
#include "enforcer/api/quale.def"
#undef QUALE
};

/* ---- samples ------------------------------------------------------------------------ */

/* What happened between two samples. */
struct second {
	double s;
	uint64_t packets, bytes, dropped, hostile;
};

/* One counter: its last value, and its packets in each second of the window. */
struct cell {
	const char *id;
	bool known; /* there is a last value */
	uint64_t last_packets, last_bytes;
	uint64_t packets[QUALIA_WINDOW_S];
};

struct qualia {
	pthread_mutex_t lock; /* of `now` alone: the rest is the sampling thread's */
	struct qualia_now now;

	struct arena *arena; /* of the cells, anew when the counters are others */
	struct cell *cells;
	size_t cell_count;
	struct cell causes[CAUSE_COUNT];
	uint64_t passed[CAUSE_COUNT]; /* malformed, and let go on */

	uint64_t at_ns; /* of the last sample, 0 before */
	struct second seconds[QUALIA_WINDOW_S];
	size_t count, next; /* filled; where the next goes */
	double usual_pps;
	bool usual_known;
};

struct qualia *qualia_new(void)
{
	struct qualia *q = calloc(1, sizeof *q);

	if (!q)
		return NULL;
	pthread_mutex_init(&q->lock, NULL);
	q->arena = arena_new();
	return q;
}

void qualia_free(struct qualia *q)
{
	if (!q)
		return;
	arena_free(q->arena);
	pthread_mutex_destroy(&q->lock);
	free(q);
}

/* ---- cells, one a row ------------------------------------------------------------------- */

static bool same_rows(const struct qualia *q, const struct counters *c)
{
	if (q->cell_count != c->row_count)
		return false;
	for (size_t i = 0; i < c->row_count; i++)
		if (strcmp(q->cells[i].id, c->rows[i].id))
			return false;
	return true;
}

/* Another generation has other rows: what both have is carried over. */
static void adopt_rows(struct qualia *q, const struct counters *c)
{
	struct arena *a = arena_new();
	struct cell *cells = arena_zero(a, c->row_count * sizeof *cells);
	struct strmap old;

	strmap_init(&old, a);
	for (size_t i = 0; i < q->cell_count; i++)
		strmap_put(&old, arena_strdup(a, q->cells[i].id), &q->cells[i]);
	for (size_t i = 0; i < c->row_count; i++) {
		const struct cell *was = strmap_find(&old, c->rows[i].id);

		if (was)
			cells[i] = *was;
		cells[i].id = arena_strdup(a, c->rows[i].id);
	}
	arena_free(q->arena);
	q->arena = a;
	q->cells = cells;
	q->cell_count = c->row_count;
}

/* How much more than last time; a counter that went back began anew. */
static uint64_t more(uint64_t *last, uint64_t now)
{
	uint64_t by = now >= *last ? now - *last : now;

	*last = now;
	return by;
}

/* A row seen for the first time may carry an old count: it begins with the next second. */
static struct second count_row(struct cell *cell, const struct counter_row *r, size_t at)
{
	struct second s = { .packets = more(&cell->last_packets, r->packets), .bytes = more(&cell->last_bytes, r->bytes) };

	if (!cell->known || counter_only_tells(r))
		s = (struct second){ 0 };
	cell->known = true;
	cell->packets[at] = s.packets;
	if (r->verdict != VERDICT_ALLOW)
		s.dropped = s.packets;
	if (r->layer == LAYER_BLOCK || r->layer == LAYER_REFLEX)
		s.hostile = s.dropped;
	return s;
}

static void count_rows(struct qualia *q, const struct counters *c, struct second *sum)
{
	for (size_t i = 0; i < c->row_count; i++) {
		struct second s = count_row(&q->cells[i], &c->rows[i], q->next);

		sum->packets += s.packets;
		sum->bytes += s.bytes;
		sum->dropped += s.dropped;
		sum->hostile += s.hostile;
	}
}

/* Frames that no rule judged. CAUSE_NONE is not one of them: rules counted those. */
static void count_causes(struct qualia *q, const struct counters *c, struct second *s)
{
	for (size_t i = CAUSE_NONE + 1; i < CAUSE_COUNT; i++) {
		uint64_t packets = more(&q->causes[i].last_packets, c->causes[i]);

		q->causes[i].packets[q->next] = packets;
		s->packets += packets;
		if (cause_verdict(i) != VERDICT_DROP)
			continue;
		s->dropped += packets;
		s->hostile += packets;
	}
	for (size_t i = CAUSE_NONE + 1; i < CAUSE_COUNT; i++)
		s->packets += more(&q->passed[i], c->passed[i]);
}

/* ---- figures ---------------------------------------------------------------------------- */

static struct second sum_of(const struct qualia *q)
{
	struct second sum = { 0 };

	for (size_t i = 0; i < q->count; i++) {
		sum.s += q->seconds[i].s;
		sum.packets += q->seconds[i].packets;
		sum.bytes += q->seconds[i].bytes;
		sum.dropped += q->seconds[i].dropped;
		sum.hostile += q->seconds[i].hostile;
	}
	return sum;
}

static double deviation(const struct qualia *q, double mean_pps)
{
	double sum = 0;

	for (size_t i = 0; i < q->count; i++) {
		double off = (double)q->seconds[i].packets / q->seconds[i].s - mean_pps;
		sum += off * off;
	}
	return sqrt(sum / (double)q->count);
}

/* Shannon's, in bits, of the window's packets over what counted them. */
static double entropy(const struct qualia *q, uint64_t total, uint64_t *active)
{
	const struct { const struct cell *at; size_t len; } parts[] = {
		{ q->cells, q->cell_count }, { q->causes, CAUSE_COUNT },
	};
	double bits = 0;

	*active = 0;
	for (size_t p = 0; p < 2; p++)
		for (size_t i = 0; i < parts[p].len; i++) {
			uint64_t packets = 0;

			for (size_t s = 0; s < q->count; s++)
				packets += parts[p].at[i].packets[s];
			if (!packets)
				continue;
			double share = (double)packets / (double)total;
			bits -= share * log2(share);
			++*active;
		}
	return bits > 0 ? bits : 0;
}

static void feel(struct qualia_now *n)
{
	const double c = n->pps > 0 ? n->deviation_pps / n->pps : 0;

	n->value[QUALE_PRESSURE] = fmin(1, log10(1 + n->pps) / 6);
	n->value[QUALE_TEMPERATURE] = (1 + n->pps) / (2 + n->pps + n->usual_pps);
	n->value[QUALE_PAIN] = n->pps > 0 ? n->hostile_pps / n->pps * n->hostile_pps / (100 + n->hostile_pps) : 0;
	n->value[QUALE_VIBRATION] = c / (1 + c);
	n->value[QUALE_TEXTURE] = n->rules_active > 1 ? fmin(1, n->entropy_bits / log2((double)n->rules_active)) : 0;
}

static struct qualia_now figures(const struct qualia *q, uint64_t blocked_sources)
{
	const struct second sum = sum_of(q);
	struct qualia_now n = { .felt = true, .window_s = sum.s, .blocked_sources = blocked_sources };

	n.pps = (double)sum.packets / sum.s;
	n.bytes_per_s = (double)sum.bytes / sum.s;
	n.dropped_pps = (double)sum.dropped / sum.s;
	n.hostile_pps = (double)sum.hostile / sum.s;
	n.admitted_pps = n.pps - n.dropped_pps;
	n.usual_pps = q->usual_pps;
	n.deviation_pps = deviation(q, n.pps);
	n.entropy_bits = entropy(q, sum.packets, &n.rules_active);
	feel(&n);
	return n;
}

/* ---- sampling ----------------------------------------------------------------------------- */

/* Exponential: a second weighs s / QUALIA_USUAL_S. The first one is all that is known, and so is usual. */
static void learn_usual(struct qualia *q, const struct second *s)
{
	const double pps = (double)s->packets / s->s;
	const double weight = q->usual_known ? -expm1(-s->s / QUALIA_USUAL_S) : 1;

	q->usual_pps += (pps - q->usual_pps) * weight;
	q->usual_known = true;
}

void qualia_sample(struct qualia *q, const struct counters *c)
{
	const bool first = !q->at_ns;
	struct second s = { .s = (double)(c->at_ns - q->at_ns) / 1e9 };

	if (c->at_ns <= q->at_ns)
		return; /* 0: they could not be read */
	if (!same_rows(q, c))
		adopt_rows(q, c);
	count_rows(q, c, &s);
	count_causes(q, c, &s);
	q->at_ns = c->at_ns;
	if (first)
		return; /* since when, nobody knows */

	q->seconds[q->next] = s;
	q->next = (q->next + 1) % QUALIA_WINDOW_S;
	q->count += q->count < QUALIA_WINDOW_S;
	learn_usual(q, &s);

	struct qualia_now n = figures(q, c->blocked_sources);
	pthread_mutex_lock(&q->lock);
	q->now = n;
	pthread_mutex_unlock(&q->lock);
}

void qualia_get(struct qualia *q, struct qualia_now *out)
{
	pthread_mutex_lock(&q->lock);
	*out = q->now;
	pthread_mutex_unlock(&q->lock);
}
