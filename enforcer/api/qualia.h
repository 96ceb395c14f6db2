/*
 * qualia - how the protected host feels, from counters sampled once a second.
 *
 *     qualia_sample(q, &counters)      once a second
 *     qualia_get(q, &now)              any time, any thread
 *
 * What is felt, and by which formula, are the rows of quale.def; the figures that the formulas
 * use stand beside them in struct qualia_now, so that a reader can do the sum again. A counter
 * that went back began anew; one that is seen for the first time counts from then on.
 */
#ifndef TEG_API_QUALIA_H
#define TEG_API_QUALIA_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "enforcer/proc/message.h"
#include "lang/base/own.h"

#define QUALIA_WINDOW_S 10
#define QUALIA_USUAL_S	300

enum quale {
#define QUALE(id, ...) QUALE_##id,
#include "enforcer/api/quale.def"
#undef QUALE
	QUALE_COUNT
};

struct quale_row {
	const char *name, *about, *formula;
};

extern const struct quale_row quale_rows[QUALE_COUNT];

struct qualia_now {
	bool felt; /* false before two samples: the rest is zero */
	double value[QUALE_COUNT];
	double window_s; /* what the samples span; up to QUALIA_WINDOW_S */
	double pps, bytes_per_s, admitted_pps, dropped_pps, hostile_pps, usual_pps, deviation_pps;
	double entropy_bits;
	uint64_t rules_active, blocked_sources;
};

struct qualia;

struct qualia *qualia_new(void);
void qualia_free(struct qualia *q);
OWN_FREE(qualia, struct qualia *)

void qualia_sample(struct qualia *q, const struct counters *c);
void qualia_get(struct qualia *q, struct qualia_now *out);

/* The same as clients are told it. */
cJSON *qualia_json(struct qualia *q);

#endif
