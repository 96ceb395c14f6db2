#include "tests/lib/pcaps.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PCAP_DONT_INCLUDE_PCAP_BPF_H /* the kernel has those names too */
#include <pcap/dlt.h>
#include <pcap/pcap.h>

#include "lang/base/file.h"

#define CASES PCAPS_VERIFY "pcap/*"

/* How much stands before IP, and what says which. */
static const struct link {
	int is;
	size_t head;
	enum { SAYS_NOTHING, SAYS_TYPE, SAYS_FAMILY } says; /* its first byte; an EtherType at `at`; a family as some system numbers it */
	size_t at;
} links[] = {
	{ DLT_RAW, 0, SAYS_NOTHING, 0 },   { DLT_IPV4, 0, SAYS_NOTHING, 0 },   { DLT_IPV6, 0, SAYS_NOTHING, 0 },
	{ DLT_NULL, 4, SAYS_FAMILY, 0 },   { DLT_LOOP, 4, SAYS_FAMILY, 0 },	{ DLT_LINUX_SLL, 16, SAYS_TYPE, 14 },
	{ DLT_LINUX_SLL2, 20, SAYS_TYPE, 0 },
};

static const struct link *link_of(int is)
{
	for (size_t i = 0; i < sizeof links / sizeof *links; i++)
		if (links[i].is == is)
			return &links[i];
	return NULL;
}

/* The frame as Ethernet has it; 0 when it cannot be said. */
static size_t framed(int is, const uint8_t *at, size_t len, uint8_t *frame)
{
	const struct link *l = link_of(is);

	if (is == DLT_EN10MB) {
		memcpy(frame, at, len);
		return len;
	}
	if (!l || len <= l->head)
		return 0;
	memset(frame, 0, 14);
	if (l->says == SAYS_TYPE)
		memcpy(frame + 12, at + l->at, 2);
	else
		memcpy(frame + 12, at[l->head] >> 4 == 6 ? "\x86\xdd" : "\x08\x00", 2);
	memcpy(frame + 14, at + l->head, len - l->head);
	return 14 + len - l->head;
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

static void read_frames(struct pcaps_read *r, pcap_t *capture, const char *path, bool ordinary)
{
	static uint8_t frame[PCAPS_FRAME_MOST + 14];
	struct timeval last = { 0 };
	struct pcap_pkthdr *h;
	const uint8_t *at;
	uint64_t number = 0;

	while (pcap_next_ex(capture, &h, &at) == 1) {
		const bool taken = h->caplen && h->caplen <= PCAPS_FRAME_MOST, cut = h->caplen != h->len;
		const size_t len = taken ? framed(pcap_datalink(capture), at, h->caplen, frame) : 0;

		number++;
		r->cut += cut;
		r->others += !len;
		if (!len)
			continue;
		r->frames++;
		r->one(r->cls, &(struct pcaps_frame){ frame, len, path, r->captures, number, since(&last, &h->ts),
						      ordinary && !cut && !was_cut(frame, len) });
		last = h->ts;
	}
}

void pcaps_file(struct pcaps_read *r, const char *path, bool ordinary)
{
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *capture = pcap_open_offline(path, why);

	if (!capture) {
		r->closed++;
		return;
	}
	r->captures++;
	read_frames(r, capture, path, ordinary);
	pcap_close(capture);
}

bool pcaps_there(void)
{
	return !access(PCAPS "index.tsv", R_OK);
}

void pcaps_all(struct pcaps_read *r)
{
	own(file) FILE *index = fopen(PCAPS "index.tsv", "re");
	char line[1024], path[2048];
	glob_t found;

	/* Each line: file, bytes, packets, linktype, …, expect, upstream. */
	for (bool head = true; index && fgets(line, sizeof line, index); head = false) {
		char *rest = line;
		const char *name = strsep(&rest, "\t");

		snprintf(path, sizeof path, PCAPS "%s", name);
		if (!head)
			pcaps_file(r, path, rest && strstr(rest, "no drop in"));
	}
	if (!glob(CASES, 0, NULL, &found))
		for (size_t i = 0; i < found.gl_pathc; i++)
			pcaps_file(r, found.gl_pathv[i], false);
	globfree(&found);
}
