/*
 * payload - the tables find in a payload what the policy's patterns find, each where it should.
 *
 * A pattern's own automaton (compiler/pattern, made anew from the policy) and the one of the
 * tables read the same bytes side by side, from every pair of states that can be reached together,
 * until the pattern is found: all patterns of an automaton at once, and alone those of which one state
 * of the tables means two. And every window that could change what is read must be in the map.
 */
#include "compiler/audit/audit.h"
#include "compiler/audit/payload/reading.h"
#include "lang/base/own.h"

int audit_payload(const struct ir *ir, const struct plan *plan, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct payload_reading r = { .arena = a, .meant = ir, .plan = plan, .why = why };
	const uint32_t automata = plan->config.payload.automata;
	int rc = payload_rows(&r) ?: payload_boxes(&r) ?: payload_lists(&r);

	for (uint32_t i = 0; i < automata && !rc; i++)
		rc = payload_abreast(&r, i);
	rc = rc ?: payload_alone(&r);
	for (uint32_t i = 0; i < automata && !rc; i++)
		rc = payload_windows(&r, i) ?: payload_ages(&r, i);
	return rc;
}
