/* emit_bundle: the same policy is the same bytes, and tegd could open them. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler/emit/emit.h"
#include "lang/base/file.h"
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

/* Long enough that a batch and the text go to files in several pieces. */
static void test_beside(void)
{
	own(spool) struct spool resolved = { 0 };
	own(arena) struct arena *a = arena_new();
	own(emitted) struct emitted memory = { 0 }, files = { 0 };
	own(buf) struct buf one = { 0 }, two = { 0 };
	struct gen_shape shape = gen_shape_usual;
	struct gen g = gen_new(3);
	struct pieces p = { 0 };
	struct err why = { .text = "" };
	char dir[] = "/tmp/teg-emit-XXXXXX", to[64], saved[64];

	buf_puts(&resolved.held, "policy generated {\n}\n");
	shape.rules = 1200;
	shape.plain_percent = 0;
	if (!mkdtemp(dir))
		abort();
	snprintf(to, sizeof to, "%s/x.tegb", dir);
	snprintf(saved, sizeof saved, "%s/y.tegb", dir);
	const struct ir *ir = ir_lower(gen_policy(&g, a, &shape), a);
	tap_ok(!emit_members(&memory, ir, &resolved, true, NULL, &why) && !emit_members(&files, ir, &resolved, true, to, &why),
	       "a long policy is emitted: %s", why.text);
	tap_ok(memory.members[4].bytes && memory.members[4].len > 300 << 10, "its batch is of %zu bytes", memory.members[4].len);
	tap_ok(!files.members[0].bytes && !files.members[4].bytes && !files.members[5].bytes && !files.members[6].bytes,
	       "the plan, the batches and the text lie in files");
	bundle_write(&one, memory.members, memory.count);
	tap_ok(!bundle_pieces(&p, a, files.members, files.count, &why) && !file_save_pieces(saved, &p, 0600, &why) &&
		       !file_read(&two, saved, BUNDLE_BYTES_MAX, &why),
	       "and are put together: %s", why.text);
	tap_ok(one.len == two.len && !memcmp(one.at, two.at, one.len), "the bundle is the same");
	emitted_release(&files);
	tap_ok(!unlink(saved) && !rmdir(dir), "and nothing is left beside it");
}

int main(void)
{
	test_generated();
	test_beside();
	return tap_done();
}
