/*
 * tables - one generation in the first hook: its programs, with its own tables.
 *
 *     shared_open(&shared, "/sys/fs/bpf/teg", why)      shared.h
 *     tables_load(&tables, &load, why)                  verified, filled, judging nothing yet
 *     tables_set_zone(tables, ifindex, bits, why)       for every interface of a zone
 *     bpf_map_update_elem(shared.slots, 0, program)     judges
 *
 *     tables_join(tables, &load, why)                   the same policy for the other hook, by the same tables
 *
 * The program holds its tables: once it is in a slot, freeing the handle leaves
 * both alive. After a restart tables_adopt() finds them again by the program.
 * The layouts are in bpf-templates/abi.h.
 */
#ifndef TEG_HOOK_TABLES_TABLES_H
#define TEG_HOOK_TABLES_TABLES_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf-templates/abi.h"
#include "enforcer/hook/shared.h"
#include "lang/base/err.h"
#include "lang/base/own.h"
#include "lang/bundle/plan.h"

struct tables;
struct atlas;

/* What a load took, of processor time, for those who measure; and the verifier's own count of what it looked at. */
struct tables_spent {
	double make_ms; /* the plan's tables, in the form that the program reads */
	double open_ms; /* the object, read and sized */
	double load_ms; /* maps made, the program verified and translated */
	double fill_ms;
	char said[600];
};

/* What loops of the programs are like (bpf-templates/loop.h). Said for tests alone. */
enum tables_loops {
	TABLES_LOOPS_AS_TAKEN, /* free where the kernel may have them and takes the program so, else counted */
	TABLES_LOOPS_FREE,
	TABLES_LOOPS_COUNTED,
};

struct tables_load {
	const struct shared *shared;
	enum teg_hook hook;
	const void *object; /* the bundle's xdp/policy.o, or tc/policy.o */
	size_t object_len;
	const struct plan *plan; /* as plan_decode() checks it */
	const struct atlas *feeds; /* what is on the plan's feeds, a bit each; NULL: nothing */
	const uint32_t *slots; /* of teg_counters, by index into plan->counters */
	uint64_t number;       /* of the generation: events say it */
	unsigned bank;	       /* 0 or 1: whose word of teg_active says the posture */
	bool given_clock;      /* time is what tables_set_clock() says: for tests */
	enum tables_loops loops;
	bool tell_all;	       /* every event is told, none is sampled: for tests */
	struct tables_spent *spent; /* NULL: nobody measures */
};

/* The verifier's last words are in *why when it refuses. */
int tables_load(struct tables **out, const struct tables_load *load, struct err *why);

/* One more program for the same tables; of *load only what it is for and the object count. */
int tables_join(struct tables *t, const struct tables_load *load, struct err *why);

/* The tables of a program that an earlier process loaded, and then its other programs; duplicates the descriptor. */
int tables_adopt(struct tables **out, enum teg_hook hook, int program, struct err *why);
int tables_adopt_more(struct tables *t, enum teg_hook hook, int program, struct err *why);

void tables_free(struct tables *t);
OWN_FREE(tables, struct tables *)

/* Borrowed descriptor, -1 when none is for this hook. */
int tables_program(const struct tables *t, enum teg_hook hook);

/* What its answer to BPF_PROG_TEST_RUN says: does the packet go on? Programs have no other answers than two. */
enum tables_verdict { TABLES_PASS, TABLES_DROP, TABLES_NEITHER };
enum tables_verdict tables_verdict(enum teg_hook hook, uint32_t answer);

/*
 * May this kernel be asked for BPF_PROG_TEST_RUN of the hook's programs? Before Linux 6.1 not for XDP: each such run rewrites the
 * code through which the kernel calls every XDP program (net/core/filter.c, bpf_dispatcher_xdp), and what passes at that
 * moment may run what is half written. *why says so.
 */
bool tables_may_run(enum teg_hook hook, struct err *why);

/* The zone's bits of an interface; 0 takes it out of every zone. */
int tables_set_zone(struct tables *t, uint32_t ifindex, uint64_t bits, struct err *why);

/*
 * What is on the feeds from now on, a bit each in the plan's order; NULL: nothing. It is written beside what is read, and
 * tables_fed() makes it what is read, all at once. Whoever calls waits between one switch and the next until no
 * packet is judged that began before: what such a one reads is written the next time.
 */
int tables_feed(struct tables *t, const struct atlas *a, struct err *why);
int tables_fed(struct tables *t, struct err *why);

int tables_set_clock(struct tables *t, uint64_t ns, struct err *why);

/* Does this kernel run XDP on frames of several buffers (5.18)? What it does not know is
 * loaded without BPF_F_XDP_HAS_FRAGS, the anchor too: a slot takes only what its anchor is. */
bool tables_kernel_has_frags(void);

/*
 * May this kernel have loops that it ends? Linux 6.9 can, but before 6.11 its verifier may read beyond its own memory where such a loop
 * comes to have less on the stack (stacksafe() of kernel/bpf/verifier.c). 6.12 is the first that is tried.
 */
bool tables_kernel_ends_loops(void);

#endif
