/*
 * Real frames (tests/lib/pcaps.h) asked of eval and of the program of both hooks, packet by packet, with the time that passed
 * between them. What is listed there as ordinary traffic has no frame that cannot be read.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <linux/bpf.h>

#include "compiler/ir/proto.h"
#include "lang/base/file.h"
#include "lang/vocab/cause.h"
#include "tests/lib/ask.h"
#include "tests/lib/craft.h"
#include "tests/lib/pcaps.h"
#include "tests/lib/tap.h"

struct tally {
	uint64_t frames, skipped, differ, ordinary, unread, dropped;
	uint64_t by_cause[CAUSE_COUNT];
	struct pcaps_read read;
};

struct replay {
	struct ask *q;
	struct tally *t;
};

static void replay_one(void *cls, const struct pcaps_frame *f)
{
	const struct replay *r = cls;
	struct ask *q = r->q;
	struct tally *t = r->t;
	struct wanted w;

	if (!xdp_run_takes(q->x, f->at, f->len)) {
		t->skipped++;
		return;
	}
	ask_at(q, f->number % (unsigned)q->d->ir->zone_count, f->number % (unsigned)q->d->ir->posture_count, f->since_ns);
	if (!ask_frame(q, f->at, f->len, &w)) {
		tap_note("%s: packet %" PRIu64, f->capture, f->packet);
		t->differ++;
	}
	t->frames++;
	t->by_cause[w.cause]++;
	t->dropped += w.action == XDP_DROP;
	t->ordinary += f->ordinary;
	if (f->ordinary && w.cause != CAUSE_NONE && w.cause != CAUSE_NOT_IP) {
		tap_note("%s: packet %" PRIu64 " is %s", f->capture, f->packet, cause_name(w.cause));
		t->unread++;
	}
}

/* Every capture under one policy. False where BPF is not allowed. */
static bool try_policy(uint64_t seed, enum teg_hook hook, struct tally *t)
{
	own(arena) struct arena *a = arena_new();
	struct gen g = gen_new(seed);
	struct drawn d = { 0 };
	struct err why = { 0 };
	struct ask q;

	if (draw(&d, &g, seed % 2 ? DRAW_USUAL : DRAW_LOOKING, a, &why) || ask_open(&q, &d, hook, a, &why))
		return why.code != -EPERM;
	t->read = (struct pcaps_read){ .one = replay_one, .cls = &(struct replay){ &q, t } };
	pcaps_all(&t->read);
	t->differ += !ask_counters(&q);
	ask_close(&q);
	return true;
}

/* ---- cases of rates ---------------------------------------------------------------------- */

/*
 * Those of suricata-verify whose rule is a rate of ours: `detection_filter: count 1, seconds S` tells every match after the first
 * in S seconds, and a bucket of one token a S lets one by. Their `unique_on` asks for different ports, which all packets of both have.
 */
static const struct rate_case {
	const char *name, *to;
	uint16_t port; /* 0: any */
	enum rate_key key;
	unsigned seconds;
} rate_cases[] = {
	{ "detection_filter-distinct-dstport", "1.1.1.1", 0, RATE_PER_DESTINATION, 60 },
	{ "detection_filter-distinct-srcport", "2.2.2.2", 80, RATE_PER_SOURCE, 60 },
};

static struct ir *rate_policy(const struct rate_case *is, struct arena *a)
{
	struct policy *p = craft_policy(a, "filter");
	struct pol_selector syn = craft_select(a, PROTO_TCP);

	syn.protos[0].flags_mask = 0xff, syn.protos[0].flags_want = 0x02; /* flags:S */
	if (is->port)
		syn.protos[0].dport = ranges_of(a, is->port, is->port);
	syn.to = craft_end(a, is->to);
	struct pol_reflex *r = craft_reflex(p, "filter", syn);
	r->has_rate = true;
	r->rate = (struct pol_rate){ .count = 1, .window_ns = is->seconds * 1000000000ull, .key_bits = { 32, 64 }, .key = is->key };
	craft_add_posture(p, craft_posture("OPEN", VERDICT_ALLOW));
	return ir_lower(p, a);
}

/* Where the case's capture is, and how many alerts it expects. */
static bool rate_expects(const char *name, char *capture, size_t room, uint64_t *alerts)
{
	own(buf) struct buf text = { 0 };
	char path[512];
	struct err why = { 0 };

	snprintf(path, sizeof path, PCAPS_VERIFY "%s/case.json", name);
	if (file_read(&text, path, 65536, &why))
		return false;
	cJSON *is = cJSON_ParseWithLength((const char *)text.at, text.len);
	const cJSON *from = cJSON_GetObjectItem(is, "pcap");
	const cJSON *first = cJSON_GetArrayItem(cJSON_GetObjectItem(is, "expected"), 0);
	const cJSON *type = cJSON_GetObjectItem(first, "event_type"), *count = cJSON_GetObjectItem(first, "count");
	const bool says = cJSON_IsString(from) && cJSON_IsString(type) && !strcmp(type->valuestring, "alert") && cJSON_IsNumber(count);

	if (says) {
		snprintf(capture, room, PCAPS_VERIFY "%s", from->valuestring);
		*alerts = (uint64_t)count->valuedouble;
	}
	cJSON_Delete(is);
	return says;
}

static void try_rate(const struct rate_case *is, enum teg_hook hook)
{
	own(arena) struct arena *a = arena_new();
	struct drawn d = { .ir = rate_policy(is, a) };
	struct tally t = { 0 };
	struct err why = { 0 };
	char capture[512];
	uint64_t alerts = 0;
	struct ask q;

	if (!rate_expects(is->name, capture, sizeof capture, &alerts)) {
		tap_skip("suricata-verify's case is not here", is->name);
		return;
	}
	if (!tap_ok(!draw_plan(&d, a, &why) && !ask_open(&q, &d, hook, a, &why), "%s: a policy of its rate is loaded", is->name))
		return;
	t.read = (struct pcaps_read){ .one = replay_one, .cls = &(struct replay){ &q, &t } };
	pcaps_file(&t.read, capture, false);
	tap_ok(!t.differ && t.frames > alerts, "%s, %s: eval and the program agree", is->name, ask_hooks[hook]);
	tap_num(t.dropped, alerts, "packets over the rate, as many as Suricata is to tell");
	ask_close(&q);
}

int main(void)
{
	enum { POLICIES = 6 };
	struct tally t = { 0 };

	if (!pcaps_there()) {
		tap_skip("../shared/data/pcaps is not here", "captures are judged as eval judges them");
		return tap_done();
	}
	for (unsigned i = 0; i < POLICIES; i++)
		if (!try_policy(1 + i, i / 2 % TEG_HOOKS, &t)) {
			tap_skip("BPF is not allowed here", "captures are judged as eval judges them");
			return tap_done();
		}
	tap_ok(!t.differ && t.frames > 0, "%" PRIu64 " frames of %u captures, under %d policies: eval and the program agree", t.frames,
	       t.read.captures, POLICIES);
	tap_note("%u captures are of no reader, %" PRIu64 " frames were cut, %" PRIu64 " are of other links; not taken for a test %" PRIu64
		 ", dropped %" PRIu64, t.read.closed, t.read.cut, t.read.others, t.skipped, t.dropped);
	for (unsigned c = CAUSE_NONE; c < CAUSE_COUNT; c++)
		if (t.by_cause[c])
			tap_note("%s: %" PRIu64, cause_name((enum cause)c), t.by_cause[c]);
	for (size_t i = 0; i < ARRAY_LEN(rate_cases); i++)
		for (enum teg_hook hook = 0; hook < TEG_HOOKS; hook++)
			try_rate(&rate_cases[i], hook);
	tap_ok(!t.unread && t.ordinary > 0, "of %" PRIu64 " frames of ordinary traffic every one can be read", t.ordinary);
	return tap_done();
}
