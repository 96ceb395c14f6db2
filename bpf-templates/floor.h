/*
 * floor - the trace that floor.bpf.c feeds: the heads of frames, one after
 * another, written over the frame of a test run.
 */
#ifndef TEG_FLOOR_H
#define TEG_FLOOR_H

#include <linux/types.h>

#define FLOOR_BYTES 80	   /* Ethernet, IPv6, TCP, and 6 more */
#define FLOOR_RECORDS 8192 /* a power of two */

#define FLOOR_PEERS 1048576 /* entries of the kernel's maps that sets are held against */

/* A key of bench_lpm. */
struct floor_prefix {
	__u32 bits;
	__u32 addr_be;
};

struct floor_record {
	__u64 words[FLOOR_BYTES / 8];
};

/* All of a struct pkt that is read before any policy, so that nothing of it is left out. */
#define FLOOR_SINK(p) (((p)->src.hi ^ (p)->src.lo ^ (p)->dst.hi ^ (p)->dst.lo) + (p)->proto + (p)->sport + (p)->dport + (p)->icmp + (p)->flags)

struct floor_trace {
	__u64 next;   /* record; wraps */
	__u64 strange; /* each turn of the trace has other IPv4 sources */
	__u64 out;     /* where `send` sends to */
	struct floor_record records[FLOOR_RECORDS];
};

#endif
