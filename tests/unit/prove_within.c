/* What a bundle says of postures, that one is no wider than another: what was proved of new flows, and what each does with others. */
#include <string.h>

#include "compiler/front/front.h"
#include "compiler/prove/promise.h"
#include "tests/lib/tap.h"

static const char text[] =
	"zone wan = \"eth0\"\n"
	"posture CLOSED {\n    default drop\n    default out drop\n    established cut\n}\n"
	"posture QUIET {\n    default drop\n    default out drop\n    established cut\n    ping: drop icmp echo to self\n}\n"
	"posture KEEPS {\n    default drop\n    default out drop\n    established keep\n}\n"
	"posture OPEN {\n    default allow\n}\n"
	"initial posture CLOSED\n"
	"order CLOSED <= QUIET <= KEEPS <= OPEN\n"
	"order KEEPS <= QUIET <= CLOSED\n";

static bool within(const struct ir *ir, unsigned i, unsigned wider)
{
	return ir->postures[i].within >> wider & 1;
}

int main(void)
{
	enum { CLOSED, QUIET, KEEPS, OPEN };
	own(compilation) struct compilation *c = compilation_new();
	own(prover) struct prover *p = prover_new(&PROVE_BUDGET);
	struct policy *policy = front_read_text(c, "within.teg", text, strlen(text));

	if (!tap_ok(policy, "the policy is read"))
		return tap_done();

	struct ir *ir = ir_lower(policy, c->arena);
	const struct promise_list all = prove_promises(p, ir);
	bool proved = true;

	promise_orders(ir, &all);
	for (size_t i = 0; i < all.len; i++)
		proved &= all.at[i].answer == ANSWER_PROVED;
	tap_ok(proved, "of new flows each order is proved");
	tap_ok(ir->postures[CLOSED].closed && !ir->postures[QUIET].closed, "one is closed, and one that admits no more is not");
	tap_ok(within(ir, CLOSED, QUIET) && within(ir, CLOSED, OPEN), "a closed posture is no wider");
	tap_ok(!within(ir, QUIET, CLOSED), "one that lets what is related pass is not within a closed one");
	tap_ok(within(ir, QUIET, KEEPS), "it is within one that does so too");
	tap_ok(!within(ir, KEEPS, QUIET) && !within(ir, KEEPS, CLOSED), "one that lets flows go on is within neither");
	return tap_done();
}
