/*
 * pcaps - real frames: every capture of ../shared/data/pcaps, and those of suricata-verify's cases.
 *
 *     if (!pcaps_there()) skip
 *     struct pcaps_read r = { .one = one_frame, .cls = &mine };
 *     pcaps_all(&r);                     one_frame() for each; what cannot be given is counted in r
 *
 * Bare IP, and frames of the loopback and of Linux's cooked captures, are put behind a header of Ethernet. Other links are left out;
 * what was cut is given as it was kept.
 */
#ifndef TEG_TEST_PCAPS_H
#define TEG_TEST_PCAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PCAPS "../shared/data/pcaps/"
#define PCAPS_VERIFY "../shared/data/signatures/sv-cases/"
#define PCAPS_FRAME_MOST 66000

struct pcaps_frame {
	const uint8_t *at;
	size_t len;
	const char *capture;
	unsigned number;   /* of the capture; the first is 1 */
	uint64_t packet;   /* in it; the first is 1 */
	uint64_t since_ns; /* the one before */
	bool ordinary;	   /* listed so, and not cut */
};

struct pcaps_read {
	void (*one)(void *cls, const struct pcaps_frame *f);
	void *cls;
	uint64_t frames, cut;	   /* cut: given all the same, as they were kept */
	uint64_t others;	   /* not given: empty, longer than any packet, or of another link */
	unsigned captures, closed; /* closed: no reader opens it */
};

bool pcaps_there(void);
void pcaps_all(struct pcaps_read *r);
void pcaps_file(struct pcaps_read *r, const char *path, bool ordinary);

#endif
