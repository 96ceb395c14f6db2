/*
 * clash - two expectations of a policy's tests that no policy could meet: one packet, in one posture and
 * one state of the world, with two ends.
 *
 *     struct clash_list l = prove_clashes(p, ir);
 *
 * Only what is judged in the world in which a test begins is compared: the first packets of a test, every
 * `forall`, and all packets where the policy remembers nothing. A field that was left out may have any
 * value, so two packets are one when what both say of them agrees. A test with `todo` expects nothing yet.
 */
#ifndef TEG_PROVE_CLASH_H
#define TEG_PROVE_CLASH_H

#include "compiler/ir/trial.h"
#include "compiler/prove/prove.h"

/* In the order of the source. */
struct expectation {
	const struct pol_test *test;
	const struct pol_case *said;
};

struct clash {
	struct expectation first, second; /* the second is told of; each is at most once */
	const char *example;		  /* of two `forall`: a packet of both; or NULL */
	struct outcome got;		  /* what the policy does to the packet; why is NULL when that is open */
};

struct clash_list {
	struct clash *at;
	size_t len;
};

struct clash_list prove_clashes(struct prover *p, const struct ir *ir);

#endif
