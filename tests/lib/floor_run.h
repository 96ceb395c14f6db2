/*
 * floor_run - what a program costs a packet, beside one that only reads the frame (bpf-templates/floor.bpf.c).
 *
 *     floor_open(&f, argv[0]);
 *     ... fill f.trace ...
 *     struct floor_times t = floor_compare(&f, xdp_run_program(x), rounds, repeat);
 *
 * Both stand behind the same feeder and one tail call. Their rounds alternate,
 * so that a disturbance hits both; thread CPU time of BPF_PROG_TEST_RUN. What
 * cannot be done ends the bench with a sentence.
 */
#ifndef TEG_TEST_FLOOR_RUN_H
#define TEG_TEST_FLOOR_RUN_H

#include "bpf-templates/abi.h"
#include "bpf-templates/floor.h"

#define FLOOR_ROUNDS_MAX 101

struct bpf_object;

struct floor_run {
	enum teg_hook hook;
	struct bpf_object *object; /* of floor.bpf.c, loaded */
	int feed, floor, next, trace_map;
	struct floor_trace *trace;
};

struct floor_times {
	double floor_ns, policy_ns;		   /* the least */
	double floor_median_ns, policy_median_ns;
};

/* Stays on this CPU from now on. `self` is argv[0] of a program in BUILD/tests/bench. */
void floor_open(struct floor_run *b, const char *self);
/* The same for another hook than XDP, with its own floor. */
void floor_open_in(struct floor_run *b, enum teg_hook hook, const char *self);
void floor_release(struct floor_run *b);

struct floor_times floor_compare(struct floor_run *b, int program, unsigned rounds, unsigned repeat);

/* The same by hand, for what is to begin without a packet before: the trace, from its next record on, and the mean of so many packets. */
void floor_put_trace(const struct floor_run *b);
double floor_mean(const struct floor_run *b, int program, unsigned packets);

/* Ends the program unless rc is 0. */
void floor_must(int rc, const char *what);

#endif
