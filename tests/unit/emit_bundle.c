/* emit_bundle: the same policy is the same bytes, and tegd could open them. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler/audit/audit.h"
#include "compiler/emit/emit.h"
#include "compiler/front/front.h"
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

/* So many reflexes that drop, and so many with a rate. */
static struct ir *reflexes(struct compilation *c, unsigned plain, unsigned rates)
{
	own(buf) struct buf text = { 0 };

	buf_printf(&text, "zone wan = \"eth0\"\nposture P {\n    default drop\n}\n");
	for (unsigned i = 0; i < plain; i++)
		buf_printf(&text, "reflex r%u {\n    match tcp from 10.%u.%u.0/24 to any port %u on wan\n    do drop\n}\n", i, i >> 8 & 255,
			   i & 255, i % 60000 + 1);
	for (unsigned i = 0; i < rates; i++)
		buf_printf(&text, "reflex m%u {\n    match udp to any port %u\n    when rate per source > 9/s\n    do drop\n}\n", i, i + 1);
	struct policy *p = front_read_text(c, "long.teg", text.at, text.len);
	return p ? ir_lower(p, c->arena) : NULL;
}

/* Long enough that a batch goes to a file in several pieces. */
static void test_beside(void)
{
	own(spool) struct spool resolved = { 0 };
	own(arena) struct arena *a = arena_new();
	own(compilation) struct compilation *c = compilation_new();
	own(emitted) struct emitted memory = { 0 }, files = { 0 };
	own(buf) struct buf one = { 0 }, two = { 0 };
	struct pieces p = { 0 };
	struct err why = { .text = "" };
	char dir[] = "/tmp/teg-emit-XXXXXX", to[64], saved[64];

	buf_puts(&resolved.held, "policy generated {\n}\n");
	if (!mkdtemp(dir))
		abort();
	snprintf(to, sizeof to, "%s/x.tegb", dir);
	snprintf(saved, sizeof saved, "%s/y.tegb", dir);
	const struct ir *ir = reflexes(c, 20000, 0);
	tap_ok(!emit_members(&memory, ir, &resolved, true, NULL, &why) && !emit_members(&files, ir, &resolved, true, to, &why),
	       "a long policy is emitted: %s", why.text);
	tap_ok(memory.members[5].bytes && memory.members[5].len > 5 << 19, "its batch is of %zu bytes", memory.members[5].len);
	tap_ok(!files.members[5].bytes && files.members[4].bytes, "and lies in a file, what is short in memory");
	bundle_write(&one, memory.members, memory.count);
	tap_ok(!bundle_pieces(&p, a, files.members, files.count, &why) && !file_save_pieces(saved, &p, 0600, &why) &&
		       !file_read(&two, saved, BUNDLE_BYTES_MAX, &why),
	       "and are put together: %s", why.text);
	tap_ok(one.len == two.len && !memcmp(one.at, two.at, one.len), "the bundle is the same");
	emitted_release(&files);
	tap_ok(!unlink(saved) && !rmdir(dir), "and nothing is left beside it");
}

static void is_proved(const char *text, size_t len, const char *what)
{
	own(compilation) struct compilation *c = compilation_new();
	own(buf) struct buf bundle = { 0 };
	struct err why = { .text = "" };
	struct policy *p = front_read_text(c, "some.teg", text, len);
	const struct ir *ir = p ? ir_lower(p, c->arena) : NULL;

	tap_ok(ir && !emit_bundle(&bundle, ir, "policy some {\n}\n", true, &why), "%s are emitted: %s", what, why.text);
	tap_ok(bundle.len && !audit_bundle(ir, bundle.at, bundle.len, &why), "and are proved of the bundle: %s", why.text);
}

/* A range, and behind it one that begins where it does and ends 1024 ports later. */
static void test_ranges(void)
{
	own(buf) struct buf text = { 0 };

	buf_printf(&text, "zone wan = \"eth0\"\nposture P {\n    default drop\n");
	for (unsigned i = 0; i < 400; i++)
		buf_printf(&text, "    %s tcp port %u..%u\n", i % 3 ? "allow" : "drop", 1000 + 20 * (i / 2), 1009 + 20 * (i / 2) + i % 2 * 1024);
	buf_printf(&text, "}\n");
	is_proved(text.at, text.len, "400 ranges of ports");
}

/* Those that one posture has, and the other has not, between those that both have. */
static void test_gaps(void)
{
	own(buf) struct buf text = { 0 };

	buf_printf(&text, "zone wan = \"eth0\"\nposture P {\n    default drop\n}\nposture Q {\n    default drop\n}\ninitial posture P\n");
	for (unsigned i = 0; i < 60; i++)
		buf_printf(&text, "reflex r%u {\n    match tcp from 10.%u.0.0/16 to any port %u on wan\n    do drop\n%s}\n", i, i, i + 1,
			   i % 3 == 1 ? "    except in Q\n" : "");
	is_proved(text.at, text.len, "reflexes with gaps");
}

static bool keeps(const struct buf *bundle, const char *name)
{
	own(arena) struct arena *a = arena_new();
	own(bundle) struct bundle *b = NULL;
	struct plan plan = { 0 };
	struct err why;

	if (bundle_open(&b, bundle->at, bundle->len, &why) ||
	    plan_decode(&plan, a, bundle_find(b, "plan")->bytes, bundle_find(b, "plan")->len, &why))
		return false;
	for (uint32_t i = 0; i < plan.nft_keep_count; i++)
		if (!strcmp(plan.nft_keep[i], name))
			return true;
	return false;
}

/* So many that one engine's lowering is gone before the other's begins: what is proved of them is proved of that too. */
static void test_in_turn(void)
{
	own(compilation) struct compilation *c = compilation_new();
	const struct ir *ir = reflexes(c, 30100, 0);
	own(buf) struct buf bundle = { 0 };
	struct err why = { .text = "" };

	tap_ok(ir && !emit_bundle(&bundle, ir, "policy long {\n}\n", true, &why), "30,100 reflexes are emitted: %s", why.text);
	tap_ok(bundle.len && !audit_bundle(ir, bundle.at, bundle.len, &why), "and are proved of the bundle: %s", why.text);
	tap_ok(bundle.len && keeps(&bundle, "reflex.r30099"), "its plan names nft's objects");
}

/* What the first hook cannot hold is told before what nft cannot name, whatever is made first. */
static void test_faults(void)
{
	static const struct {
		unsigned plain, rates;
		bool misnamed; /* the posture, as no policy can say it */
		const char *told;
	} rows[] = {
		{ 0, 600, false, "reflex.m" }, { 30100, 600, false, "reflex.m" },
		{ 0, 0, true, "nft: a posture" }, { 30100, 0, true, "nft: a posture" },
		{ 0, 600, true, "reflex.m" }, { 30100, 600, true, "reflex.m" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		own(compilation) struct compilation *c = compilation_new();
		own(buf) struct buf bundle = { 0 };
		struct err why = { .text = "" };
		struct ir *ir = reflexes(c, rows[i].plain, rows[i].rates);

		if (ir && rows[i].misnamed)
			ir->postures[0].name = "pre";
		tap_ok(ir && emit_bundle(&bundle, ir, "policy long {\n}\n", true, &why) && !strncmp(why.text, rows[i].told, strlen(rows[i].told)),
		       "%u reflexes, %u with a rate: %.60s", rows[i].plain + rows[i].rates, rows[i].rates, why.text);
	}
}

int main(void)
{
	test_generated();
	test_beside();
	test_ranges();
	test_gaps();
	test_in_turn();
	test_faults();
	return tap_done();
}
