/*
 * plan - what a bundle tells the warden: everything it must know that is not
 * a program or a ruleset, in binary. tegc encodes it, tegd decodes it.
 *
 * A plan names counters by the stable id of what they count; the warden gives
 * each id a slot, so that a rule keeps its counts through rollouts.
 */
#ifndef TEG_BUNDLE_PLAN_H
#define TEG_BUNDLE_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf-templates/abi.h"
#include "lang/base/addr.h"
#include "lang/base/arena.h"
#include "lang/base/buf.h"
#include "lang/base/err.h"
#include "lang/base/spool.h"
#include "lang/bundle/plan_payload.h"
#include "lang/vocab/format.h"
#include "lang/vocab/verdict.h"

struct plan_zone {
	const char *name;
	const char **patterns; /* interface names; a trailing '*' matches any rest */
	uint32_t pattern_count;
};

struct plan_posture {
	const char *name, *title;
	enum established established;
	uint8_t closed;
	/*
	 * A bit per posture that this one is no wider than, its own among them: this one was proved to admit no new flow that
	 * the other does not, and lets no flow go on that the other judges again. What was not claimed, or not proved, is no bit.
	 */
	uint64_t within;
};

/*
 * Something that is counted. In the first layers (engine XDP) the slot of
 * teg_counters counts it; in nft a named counter does. One that both count has both.
 */
struct plan_counter {
	const char *id;		/* "HARDENED.web_in", "reflex.syn_flood", "neighbour" */
	const char *nft_name;	/* name of the counter object, "" when nft does not count it */
	enum layer layer;
	enum verdict verdict;	/* what becomes of the packets it counts */
	uint8_t posture;	/* index, 255 when of no posture */
};

/* Members of an address set: the longest that has an address says in which sets it is. */
struct plan_prefix {
	struct prefix prefix;
	uint64_t sets;
};

/* A list of addresses, whose content comes at run time. What is on it is dropped, by row config.feed_first + its index of the rules. */
#define PLAN_FEED_NAME_MOST 128u
#define PLAN_FEED_SECONDS_MOST (366u * 86400u)
struct plan_feed {
	const char *name;	/* "spamhaus_drop": its rule is counted as "feed.spamhaus_drop" */
	enum feed_format format;
	const char *member;	/* of JSON_LINES, else "" */
	uint32_t column;	/* of CSV, from 1; else 0 */
	uint32_t most;		/* entries */
	uint32_t stale_s;	/* so long after it was loaded it is stale: */
	uint8_t stale_keeps;	/* it is in force all the same, or nothing is on it */
};

enum need {
#define NEED(id, words) NEED_##id,
#include "lang/vocab/need.def"
#undef NEED
	NEED_COUNT
};

/* What the policy asks beyond verdicts, and which of its parts does. */
struct plan_need {
	enum need need;
	const char *by; /* "reflex.sql_union" */
};

struct plan {
	const char *policy, *title, *version;
	uint8_t proved; /* its claims hold, and what was made is what was meant: tegc proved it. Else nobody knows */
	struct plan_zone *zones;
	uint32_t zone_count;
	struct plan_posture *postures;
	uint32_t posture_count, initial;
	struct plan_counter *counters;
	uint32_t counter_count;

	/* The XDP tables. counter_slot fields hold an index into counters until staged. */
	struct teg_config config;
	struct teg_box *boxes;
	uint32_t box_count;
	struct teg_rule *rules;
	uint32_t rule_count;
	struct plan_prefix *prefixes;
	uint32_t prefix_count;

	/* Trees, when boxes are many; config.bulk says how long each is. */
	struct teg_bulk_box *bulk_boxes;
	uint64_t *bulk_nodes;
	uint32_t *bulk_leaves;

	struct plan_payload payload;

	struct plan_feed *feeds;
	uint32_t feed_count;

	/* The nft objects this policy needs, so that others of ours can be collected. */
	const char **nft_keep; /* names of sets and counters */
	uint32_t nft_keep_count;

	struct plan_need *needs;
	uint32_t need_count;
};

/*
 * Puts them in order: by family, then by first address, the wider before what lies in it. Equal ones become one, and
 * each has the sets of what is around it. Returns how many there are then.
 */
uint32_t plan_prefixes_join(struct plan_prefix *at, uint32_t len);

/* Does the rule drop who is on a feed? Then no box has it. */
static inline bool plan_rule_is_feed(const struct plan *p, uint32_t rule)
{
	return rule - p->config.feed_first < p->config.feed_count;
}

/* Is the posture known to admit no more than the wider one? A closed one admits no more than any. */
bool plan_is_within(const struct plan *p, uint32_t posture, uint32_t wider);

void plan_encode(struct buf *out, const struct plan *p);
/* The same, which of a long policy is tens of megabytes. */
void plan_spool(struct spool *out, const struct plan *p);

/* Refuses, with a reason, what is truncated, out of range or of another version. */
int plan_decode(struct plan *out, struct arena *a, const void *bytes, size_t len, struct err *why);

const char *need_words(enum need n);
/* Is everything it needs among `can`, a bit per need? Else ENOTSUP, with a reason that names what and who. */
int plan_is_met(const struct plan *p, uint64_t can, struct err *why);

#endif
