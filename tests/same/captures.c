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

#include <linux/bpf.h>

#include "lang/vocab/cause.h"
#include "tests/lib/ask.h"
#include "tests/lib/tap.h"

#define CAPTURES "../shared/data/pcaps/"
#define CASES "../shared/data/signatures/sv-cases/pcap/*"
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
	tap_ok(!t.unread && t.ordinary > 0, "of %" PRIu64 " frames of ordinary traffic every one can be read", t.ordinary);
	return tap_done();
}
