/* A real warden where hardly a place is left for blocks: who has none is named, all of them, and nobody is blocked or loses his block; then the others are. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bpf-templates/blocks.h"
#include "enforcer/hook/block_table.h"
#include "enforcer/warden/blocks/nft.h"
#include "lang/base/own.h"
#include "tests/lib/tap.h"
#include "tests/lib/warden_stage.h"

static struct warden_stage s;
static int bundle;
static const struct asker root = { "", "root (policy-admin)", "unix" };

static bool start(const char *engine)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf ask = { 0 };

	apply_encode(&ask, &(struct apply){ .by = root });
	return tap_ok(warden_stage_start(&s, "--engine", engine, NULL), "%s: tegd starts", engine) &&
	       tap_num(warden_stage_change(&s, MESSAGE_APPLY, &ask, bundle, a).code, RESULT_OK, "with a policy");
}

static struct result block(struct prefix *at, uint32_t count, struct arena *a)
{
	own(buf) struct buf ask = { 0 };

	block_encode(&ask, &(struct block){ .seconds = 600, .reason = "", .sources = at, .source_count = count, .by = root });
	return warden_stage_change(&s, MESSAGE_BLOCK, &ask, -1, a);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static struct prefix nth(uint32_t i)
{
	return block_host((struct addr){ FAMILY_IP4, (uint32_t)(i * 2654435761u) });
}

static bool is_one_of(struct prefix p, const struct prefix *at, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (at[i].addr.num == p.addr.num && at[i].len == p.len)
			return true;
	return false;
}

/* Those that are not in the list, in their order. */
static uint32_t others(struct prefix *out, const struct prefix *at, uint32_t count, const struct result *r)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < count; i++)
		if (!is_one_of(at[i], r->no_place, r->no_place_count))
			out[n++] = at[i];
	return n;
}

/* ---- XDP ------------------------------------------------------------------------------------- */

#define LONGER_NS UINT64_C(3600000000000)

static uint32_t blocked_of(const struct block_table *t, const struct prefix *at, uint32_t count)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < count; i++)
		n += block_table_get(t, at[i], now_ns()).until_ns != 0;
	return n;
}

/* Until so many find no place; the value is how many were tried. */
static uint32_t fill(struct block_table *t, uint32_t without)
{
	const uint64_t now = now_ns();
	uint32_t i = 0;

	for (uint32_t refused = 0; refused < without; i++)
		refused += !block_table_set(t, nth(i), now + LONGER_NS, TEG_BLOCK_NOBODY, now);
	return i;
}

static void in_xdp(void)
{
	enum { MANY = BLOCK_SOURCES_MAX };
	own(arena) struct arena *a = arena_new();
	own(block_table) struct block_table t = { 0 };
	own(shared) struct shared maps = SHARED_NONE;
	struct prefix ask[MANY], rest[MANY], known;
	char pins[160];
	struct err why = { 0 };

	snprintf(pins, sizeof pins, "%s/bpf/teg", s.dir);
	if (!start("generic") || !tap_ok(!shared_open(&maps, pins, &why) && !block_table_open(&t, &maps, &why), "its table %s", why.text))
		return;
	const uint32_t tried = fill(&t, 500);
	const uint64_t before = block_table_count(&t, now_ns());
	known = ask[0] = nth(1);
	for (uint32_t i = 1; i < MANY; i++)
		ask[i] = nth(tried + i);

	struct result r = block(ask, MANY, a);
	tap_num(r.code, RESULT_REFUSED, "XDP: a list of which not all find a place is refused");
	tap_text(r.part, "blocks", "as blocks");
	if (!tap_ok(r.no_place_count > 1 && r.no_place_count < MANY - 1, "not for all of them"))
		tap_note("%u of %u: %s", r.no_place_count, (unsigned)MANY, r.text);
	char first[ADDR_TEXT];
	tap_text(r.text, arena_printf(a, "no place is left to block %u of %u sources, %s the first of them: some %u may be blocked at a time", r.no_place_count,
				      (unsigned)MANY, prefix_print(r.no_place[0], first), TEG_BLOCKS_MAX), "which says how many have none, and who is the first");
	tap_num(blocked_of(&t, ask, MANY), 1, "nobody is blocked but who was");
	tap_ok(block_table_get(&t, known, now_ns()).until_ns > now_ns() + LONGER_NS / 2, "for the time that he had");
	tap_num((int64_t)block_table_count(&t, now_ns()), (int64_t)before, "and nobody else lost his block");

	const struct prefix *without = r.no_place;
	const uint32_t without_count = r.no_place_count, n = others(rest, ask, MANY, &r);
	tap_num(n, MANY - without_count, "all that have none are named, once");
	r = block(rest, n, a);
	tap_num(r.code, RESULT_OK, "without them it is done");
	tap_num(blocked_of(&t, ask, MANY), n, "all others are blocked");
	tap_num((int64_t)block_table_count(&t, now_ns()), (int64_t)before + n - 1, "and all that were");
	r = block((struct prefix *)without, 1, a);
	tap_ok(r.code == RESULT_REFUSED && r.no_place_count == 1 && strstr(r.text, "no place is left to block ") && !strstr(r.text, " of "),
	       "one alone without a place is refused by name");
	tap_num(blocked_of(&t, without, without_count), 0, "and is not blocked");
	warden_stage_end(&s, SIGTERM);
}

/* ---- nft -------------------------------------------------------------------------------------- */

#define ROOM 3u

/* All places of the set but ROOM. */
static bool fill_set(void)
{
	FILE *nft = popen("nft -f -", "w");

	for (uint32_t i = 0; nft && i < TEG_BLOCKS_MAX - ROOM; i++)
		fprintf(nft, "%s10.%u.%u.%u%s", i % 65536 ? "," : "add element netdev tegumentar blocked4 {", i >> 16, i >> 8 & 255, i & 255,
			i % 65536 == 65535 || i + 1 == TEG_BLOCKS_MAX - ROOM ? "}\n" : "");
	return nft && !pclose(nft);
}

/* Asked for by its key: nft(8) would list them all. */
static bool in_set(struct prefix source)
{
	own(filter) struct filter *f = NULL;
	struct filter_element e;
	struct err why;

	block_element(&e, source);
	return !filter_open(&f, &why) && !filter_elements_look(f, FILTER_NETDEV, &e, 1, &why) && e.is;
}

static void in_nft(void)
{
	static const char *const texts[] = { "10.0.0.7", "198.51.100.1", "198.51.100.2", "2001:db8::", "198.51.100.3", "198.51.100.4", "198.51.100.5" };
	enum { MANY = ARRAY_LEN(texts) };
	own(arena) struct arena *a = arena_new();
	struct prefix ask[MANY], rest[MANY];

	for (size_t i = 0; i < MANY; i++) {
		struct addr one;

		addr_parse(texts[i], &one);
		ask[i] = block_host(one);
	}
	if (!start("nft") || !tap_ok(fill_set(), "its set has all but %u", ROOM))
		return;
	struct result r = block(ask, MANY, a);
	tap_num(r.code, RESULT_REFUSED, "nft: a list of which not all find a place is refused");
	tap_text(r.text, arena_printf(a, "no place is left to block 2 of %u sources, 198.51.100.4 the first of them: some %u may be blocked at a time",
				      (unsigned)MANY, TEG_BLOCKS_MAX), "which says how many have none, and who is the first");
	tap_ok(r.no_place_count == 2 && is_one_of(ask[5], r.no_place, 2) && is_one_of(ask[6], r.no_place, 2),
	       "they are named: not who is blocked already, and not another family's");
	tap_ok(!in_set(ask[1]) && !in_set(ask[3]), "nobody is blocked");
	tap_ok(in_set(ask[0]), "but who was");
	r = block(rest, others(rest, ask, MANY, &r), a);
	tap_num(r.code, RESULT_OK, "without them it is done");
	tap_ok(in_set(ask[4]) && in_set(ask[3]) && !in_set(ask[5]), "all others are blocked");
	r = block(&ask[6], 1, a);
	tap_ok(r.code == RESULT_REFUSED && r.no_place_count == 1, "one alone without a place is refused");
	warden_stage_end(&s, SIGTERM);
}

int main(int argc, char **argv)
{
	if (warden_stage_role(argc, argv))
		return 0;
	if (!warden_stage_make(&s)) {
		printf("1..0 # SKIP needs root\n");
		return 0;
	}
	bundle = warden_stage_bundle(&s, "edge", "");
	if (!tap_ok(bundle >= 0, "a bundle"))
		return tap_done();
	in_xdp();
	tap_ok(!system("rm -rf /mnt/state /mnt/run /mnt/bpf/teg && nft flush ruleset"), "nothing is left of it");
	in_nft();
	return tap_done();
}
