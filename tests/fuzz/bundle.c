/*
 * Fuzz target: what the privileged process reads of a bundle.
 *
 *     make fuzz FUZZERS=bundle
 *
 * The first byte says which reader gets the rest: a whole bundle never gets past
 * its digests, so the plan, the batch and the drill are also read alone.
 */
#include <stdlib.h>
#include <string.h>

#include "lang/bundle/batch.h"
#include "lang/bundle/bundle.h"
#include "lang/bundle/drill.h"
#include "lang/bundle/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void read_plan(const void *bytes, size_t len)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf again = { 0 };
	struct plan p;
	struct err why;

	if (plan_decode(&p, a, bytes, len, &why))
		return;
	plan_encode(&again, &p);
	if (again.len != len || memcmp(again.at, bytes, len))
		abort(); /* what is read is what is written */
}

/* Against a plan with something of everything that a drill may name. */
static void read_drill(const void *bytes, size_t len)
{
	const struct plan plan = { .zone_count = 2, .posture_count = 3, .counter_count = 9 };
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf again = { 0 };
	struct drill d;
	struct err why;

	if (drill_decode(&d, a, &plan, bytes, len, &why))
		return;
	drill_encode(&again, &d);
	if (again.len != len || memcmp(again.at, bytes, len))
		abort();
}

static void read_batch(const void *bytes, size_t len)
{
	own(batch) struct batch b = { 0 };
	struct err why;

	if (batch_open(&b, bytes, len, &why) || batch_check(&b, "tegumentar", &why))
		return;
	batch_place(&b, 'b');
}

static void read_bundle(const void *bytes, size_t len)
{
	own(bundle) struct bundle *b = NULL;
	struct err why;

	if (bundle_open(&b, bytes, len, &why))
		return;

	const struct bundle_member *plan = bundle_find(b, "plan");
	const struct bundle_member *batch = bundle_find(b, "nft/posture.batch");
	read_plan(plan->bytes, plan->len);
	read_batch(batch->bytes, batch->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	if (!len)
		return 0;
	switch (bytes[0] % 4) {
	case 0:
		read_bundle(bytes + 1, len - 1);
		break;
	case 1:
		read_plan(bytes + 1, len - 1);
		break;
	case 2:
		read_batch(bytes + 1, len - 1);
		break;
	case 3:
		read_drill(bytes + 1, len - 1);
		break;
	}
	return 0;
}
