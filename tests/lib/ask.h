/*
 * ask - one frame asked of eval and of the program of a hook: same verdict, counted where eval
 * says it was decided, packets and bytes, and told what the policy asks to be told.
 *
 *     struct ask q;
 *     if (ask_open(&q, &drawn, hook, arena, &why)) ...
 *     ask_at(&q, zone, posture, pause_ns);
 *     ask_happens(&q, number);                  sources are blocked, or feeds replaced, as the number has it
 *     same = ask_frame(&q, frame, len, &wanted);
 *     same = ask_counters(&q);                  at the end: nothing else was counted
 *     ask_close(&q);
 */
#ifndef TEG_TEST_ASK_H
#define TEG_TEST_ASK_H

#include "compiler/ir/eval.h"
#include "tests/lib/draw.h"
#include "tests/lib/fed.h"
#include "tests/lib/xdp_run.h"

#define ASK_NETS 16u

/* A network blocked at run time: eval knows hosts. */
struct ask_net {
	struct prefix is;
	uint64_t until;
};

struct ask {
	struct arena *arena;
	const struct drawn *d;
	enum teg_hook hook;
	struct moment *m;
	struct xdp_run *x;
	struct teg_counter *counted; /* by slot, what eval says; and by cause after them */
	unsigned zone, posture;
	uint64_t now;
	struct fed fed;
	struct ask_net nets[ASK_NETS];
	bool quiet; /* says nothing of differences */
};

/* What eval says of a frame. */
struct wanted {
	unsigned action; /* XDP_PASS or XDP_DROP */
	enum cause cause;
	bool passed; /* though malformed, since the posture says so */
	uint32_t slot; /* of the counter that must have moved; counter_count when none */
	uint32_t bytes;
	const char *why;
	bool found;    /* something in its payload */
	uint8_t emits; /* bit per severity */
};

extern const char *const ask_hooks[TEG_HOOKS];

int ask_open(struct ask *q, const struct drawn *d, enum teg_hook hook, struct arena *a, struct err *why);
void ask_close(struct ask *q);
void ask_at(struct ask *q, unsigned zone, unsigned posture, uint64_t pause_ns);
void ask_happens(struct ask *q, uint64_t number);
bool ask_frame(struct ask *q, const uint8_t *frame, size_t len, struct wanted *out);
bool ask_counters(const struct ask *q);

#endif
