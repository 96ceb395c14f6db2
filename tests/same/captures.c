/*
 * Real frames: every capture of ../shared/data/pcaps, and those of suricata-verify's cases, asked
 * of eval and of the program of both hooks, packet by packet, with the time that passed between
 * them. What is listed there as ordinary traffic has no frame that cannot be read. Bare IP
 * is put behind a header of Ethernet; other links are left out, and counted.
 */
#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PCAP_DONT_INCLUDE_PCAP_BPF_H /* the kernel has those names too */
#include <pcap/dlt.h>
#include <pcap/pcap.h>

#include <cjson/cJSON.h>
#include <linux/bpf.h>

#include "compiler/ir/proto.h"
#include "lang/base/file.h"
#include "lang/vocab/cause.h"
#include "tests/lib/ask.h"
#include "tests/lib/craft.h"
#include "tests/lib/tap.h"

#define CAPTURES "../shared/data/pcaps/"
#define VERIFY "../shared/data/signatures/sv-cases/"
#define CASES VERIFY "pcap/*"
#define FRAME_MOST 60000 /* BPF_PROG_TEST_RUN takes no more */

struct tally {
	uint64_t frames, skipped, differ, ordinary, unread, dropped;
	uint64_t by_cause[CAUSE_COUNT];
	unsigned captures, closed; /* that no reader opens, or of a kind of link that is none of ours */
};

/* The frame as Ethernet has it, or 0. */
static size_t framed(int link, const struct pcap_pkthdr *h, const uint8_t *at, uint8_t *frame)
{
	if (h->caplen != h->len || h->caplen > FRAME_MOST || !h->caplen)
		return 0;
	if (link == DLT_EN10MB) {
		memcpy(frame, at, h->caplen);
		return h->caplen;
	}
	if (link != DLT_RAW && link != DLT_IPV4 && link != DLT_IPV6)
		return 0;
	memset(frame, 0, 14);
	memcpy(frame + 12, at[0] >> 4 == 6 ? "\x86\xdd" : "\x08\x00", 2);
	memcpy(frame + 14, at, h->caplen);
	return 14 + h->caplen;
}

/* Some captures were cut without saying so: IPv4's total length has more than was kept. */
static bool was_cut(const uint8_t *frame, size_t len)
{
	return len >= 34 && frame[12] == 8 && frame[13] == 0 && 14u + (frame[16] << 8 | frame[17]) > len;
}

static uint64_t since(const struct timeval *last, const struct timeval *now)
{
	const int64_t us = (now->tv_sec - last->tv_sec) * 1000000ll + (now->tv_usec - last->tv_usec);

	return last->tv_sec && us > 0 && us < 86400000000ll ? (uint64_t)us * 1000 : 0;
}

static void replay(struct ask *q, pcap_t *capture, const char *name, bool ordinary, struct tally *t)
{
	static uint8_t frame[FRAME_MOST + 14];
	struct timeval last = { 0 };
	struct pcap_pkthdr *h;
	const uint8_t *at;
	uint64_t number = 0;

	while (pcap_next_ex(capture, &h, &at) == 1) {
		const size_t len = framed(pcap_datalink(capture), h, at, frame);
		struct wanted w;

		number++;
		if (!len || !xdp_run_takes(q->x, frame, len)) {
			t->skipped++;
			continue;
		}
		ask_at(q, q->zone, q->posture, since(&last, &h->ts));
		last = h->ts;
		if (!ask_frame(q, frame, len, &w)) {
			tap_note("%s: packet %" PRIu64, name, number);
			t->differ++;
		}
		t->frames++;
		t->by_cause[w.cause]++;
		t->dropped += w.action == XDP_DROP;
		if (!ordinary || was_cut(frame, len))
			continue;
		t->ordinary++;
		if (w.cause != CAUSE_NONE && w.cause != CAUSE_NOT_IP) {
			tap_note("%s: packet %" PRIu64 " is %s", name, number, cause_name(w.cause));
			t->unread++;
		}
	}
}

static void replay_file(struct ask *q, const char *path, bool ordinary, struct tally *t)
{
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *capture = pcap_open_offline(path, why);

	if (!capture) {
		t->closed++;
		return;
	}
	t->captures++;
	q->zone = t->captures % (unsigned)q->d->ir->zone_count;
	q->posture = t->captures % (unsigned)q->d->ir->posture_count;
	replay(q, capture, path, ordinary, t);
	pcap_close(capture);
}

/* Each line of index.tsv: file, bytes, packets, linktype, …, expect, upstream. */
static void replay_index(struct ask *q, FILE *index, struct tally *t)
{
	char line[1024], path[2048];

	for (bool head = true; fgets(line, sizeof line, index); head = false) {
		char *rest = line;
		const char *name = strsep(&rest, "\t");

		snprintf(path, sizeof path, CAPTURES "%s", name);
		if (!head)
			replay_file(q, path, rest && strstr(rest, "no drop in"), t);
	}
}

static void replay_cases(struct ask *q, struct tally *t)
{
	glob_t found;

	if (!glob(CASES, 0, NULL, &found))
		for (size_t i = 0; i < found.gl_pathc; i++)
			replay_file(q, found.gl_pathv[i], false, t);
	globfree(&found);
}

/* Every capture under one policy. False where BPF is not allowed. */
static bool try_policy(uint64_t seed, enum teg_hook hook, struct tally *t)
{
	own(arena) struct arena *a = arena_new();
	own(file) FILE *index = fopen(CAPTURES "index.tsv", "re");
	struct gen g = gen_new(seed);
	struct drawn d = { 0 };
	struct err why = { 0 };
	struct ask q;

	if (!index || draw(&d, &g, seed % 2 ? DRAW_USUAL : DRAW_LOOKING, a, &why) || ask_open(&q, &d, hook, a, &why))
		return why.code != -EPERM;
	replay_index(&q, index, t);
	replay_cases(&q, t);
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

	snprintf(path, sizeof path, VERIFY "%s/case.json", name);
	if (file_read(&text, path, 65536, &why))
		return false;
	cJSON *is = cJSON_ParseWithLength((const char *)text.at, text.len);
	const cJSON *from = cJSON_GetObjectItem(is, "pcap");
	const cJSON *first = cJSON_GetArrayItem(cJSON_GetObjectItem(is, "expected"), 0);
	const cJSON *type = cJSON_GetObjectItem(first, "event_type"), *count = cJSON_GetObjectItem(first, "count");
	const bool says = cJSON_IsString(from) && cJSON_IsString(type) && !strcmp(type->valuestring, "alert") && cJSON_IsNumber(count);

	if (says) {
		snprintf(capture, room, VERIFY "%s", from->valuestring);
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
	replay_file(&q, capture, false, &t);
	tap_ok(!t.differ && t.frames > alerts, "%s, %s: eval and the program agree", is->name, ask_hooks[hook]);
	tap_num(t.dropped, alerts, "packets over the rate, as many as Suricata is to tell");
	ask_close(&q);
}

int main(void)
{
	enum { POLICIES = 6 };
	struct tally t = { 0 };

	if (access(CAPTURES "index.tsv", R_OK)) {
		tap_skip("../shared/data/pcaps is not here", "captures are judged as eval judges them");
		return tap_done();
	}
	for (unsigned i = 0; i < POLICIES; i++)
		if (!try_policy(1 + i, i / 2 % TEG_HOOKS, &t)) {
			tap_skip("BPF is not allowed here", "captures are judged as eval judges them");
			return tap_done();
		}
	tap_ok(!t.differ && t.frames > 0, "%" PRIu64 " frames of %u captures, under %d policies: eval and the program agree", t.frames,
	       t.captures / POLICIES, POLICIES);
	tap_note("%u captures are of no reader, %" PRIu64 " frames cut or of other links; %" PRIu64 " dropped", t.closed / POLICIES,
		 t.skipped, t.dropped);
	for (unsigned c = CAUSE_NONE; c < CAUSE_COUNT; c++)
		if (t.by_cause[c])
			tap_note("%s: %" PRIu64, cause_name((enum cause)c), t.by_cause[c]);
	for (size_t i = 0; i < ARRAY_LEN(rate_cases); i++)
		for (enum teg_hook hook = 0; hook < TEG_HOOKS; hook++)
			try_rate(&rate_cases[i], hook);
	tap_ok(!t.unread && t.ordinary > 0, "of %" PRIu64 " frames of ordinary traffic every one can be read", t.ordinary);
	return tap_done();
}
