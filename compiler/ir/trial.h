/*
 * trial - the tests of a policy, run in eval.
 *
 *     struct trial t;
 *     trial_run(&t, ir, &policy->tests[i], arena);
 *     for (size_t i = 0; i < t.count; i++)
 *             if (t.findings[i].fault != TRIAL_HELD) ...
 *
 * A test begins with full buckets, no blocks, and the clock at 0. Its cases come
 * one after the other; time passes only by `in T`: N packets in T come at its
 * beginning, which is the harshest that T allows, and after them T has passed.
 *
 * What is no packet is for others to answer, and held here: `forall` for prove_trial() of
 * compiler/prove/forall.h, `refuses` for front_refuses().
 *
 * No packet field is invented. One that was left out is open: every value of it
 * is possible, and where two values could have different ends, the case fails
 * with TRIAL_OPEN, naming the field and the rule that asks for it. `self` is some
 * address of this host, and whether it lies in an address set is open too; an
 * address that is written is not this host's. The ports of a protocol without
 * ports, and the like, are not open. Every packet of a test is whole, and crosses
 * an interface of a zone; its hop limit is 255 for neighbour discovery (ICMPv6 133 to
 * 136), else 64.
 */
#ifndef TEG_IR_TRIAL_H
#define TEG_IR_TRIAL_H

#include "compiler/front/policy.h"
#include "compiler/ir/eval.h"

enum trial_fault {
	TRIAL_HELD,
	TRIAL_VERDICT, /* another verdict than expected */
	TRIAL_BY,      /* the expected verdict, decided by something else */
	TRIAL_EMITS,   /* an event that was expected is not told */
	TRIAL_OPEN,    /* a field that was left out could change the answer */
	TRIAL_SOME,    /* forall: `example` fares otherwise */
	TRIAL_UNKNOWN, /* forall: too large to be proved */
	TRIAL_ACCEPTED, /* refuses: it is no mistake, or `told` is another one */
	TRIAL_FAULT_COUNT
};

struct trial_finding {
	const struct pol_case *asked;
	enum trial_fault fault;
	uint64_t packet;	    /* which of N, from 1 */
	struct outcome got;
	enum pkt_field_bits field;  /* TRIAL_OPEN: left out ... */
	const struct ir_rule *asks; /* ... and asked for by this rule; NULL: by `asks_why` */
	const char *asks_why;	    /* what would be decided: "neighbour", "web_in" */
	const char *example;	    /* TRIAL_SOME: a packet, as tests write it */
	const char *told;	    /* TRIAL_ACCEPTED: a code, or NULL */
};

/* How many packets that the test asks about one rule decided. */
struct trial_decided {
	const struct ir_rule *rule;
	uint64_t packets;
};

struct trial {
	const struct pol_test *test;
	struct trial_finding *findings; /* one for each case, in order */
	size_t count, failed, unknown;
	struct trial_decided *decided;
	size_t decided_count;
};

/* What came of one case, found later. */
void trial_settle(struct trial *t, size_t i, enum trial_fault fault);

void trial_run(struct trial *out, const struct ir *ir, const struct pol_test *test, struct arena *a);

/* Could a packet of the test, or an answer to it, lie in the rule? If not, the rule is nothing to the test. */
bool trial_meets(const struct ir *ir, const struct pol_test *test, const struct ir_rule *rule);

/* What `self` is while the test runs: an address that it does not write. */
struct addr trial_own_address(const struct pol_test *test, enum family family);

/* The field as a person calls it: "source port". */
const char *trial_field_name(enum pkt_field_bits field);

#endif
