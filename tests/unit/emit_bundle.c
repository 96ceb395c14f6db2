/* emit_bundle: the same policy is the same bytes, and tegd could open them. */
#include <string.h>

#include "compiler/emit/emit.h"
#include "lang/bundle/bundle.h"
#include "tests/lib/gen.h"
#include "tests/lib/tap.h"

/* Lowered anew, from another arena: no address may leak into the bytes. */
static int emitted(struct buf *out, uint64_t seed, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct gen g = gen_new(seed);

	return emit_bundle(out, ir_lower(gen_policy(&g, a, &gen_shape_usual), a), "policy generated {\n}\n", true, why);
}

static void test_generated(void)
{
	unsigned made = 0, same = 0, differ = 0;
	struct digest before = { "" };

	for (uint64_t seed = 1; seed <= 60; seed++) {
		own(buf) struct buf one = { 0 }, two = { 0 };
		own(bundle) struct bundle *b = NULL;
		struct err why = { 0 };

		if (emitted(&one, seed, &why) || emitted(&two, seed, &why)) {
			tap_note("seed %lu: %s", seed, why.text);
			continue;
		}
		made++;
		same += one.len == two.len && !memcmp(one.at, two.at, one.len);
		if (!bundle_open(&b, one.at, one.len, &why)) {
			differ += strcmp(before.hex, bundle_id(b)->hex) != 0;
			before = *bundle_id(b);
		}
	}
	tap_num(made, 60, "every generated policy becomes a bundle");
	tap_num(same, made, "the same policy becomes the same bytes");
	tap_num(differ, made, "another policy has another id");
}

int main(void)
{
	test_generated();
	return tap_done();
}
