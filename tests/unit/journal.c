/* What the warden keeps on disk: the journal, the bundles it names, and the ledger of counters. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "enforcer/hook/ledger.h"
#include "enforcer/warden/state/state.h"
#include "lang/base/file.h"
#include "lang/base/own.h"
#include "lang/base/wire.h"
#include "tests/lib/tap.h"

static char dir[96]; /* in memory where it may be: much is written, and synced each time */

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

static struct record record_of(uint64_t number, char bank)
{
	struct record r = { .number = number, .bank = bank, .since = 1700000000, .program = { 12, 13 } };

	r.bundle = digest_of(&number, sizeof number);
	r.tables = digest_of(&bank, 1);
	snprintf(r.posture, sizeof r.posture, "BALANCED");
	snprintf(r.reason, sizeof r.reason, "because");
	snprintf(r.back, sizeof r.back, "EXPLORE");
	snprintf(r.doubt, sizeof r.doubt, "test 1 does not hold");
	r.confirm = deadline_in(60);
	r.until = (struct deadline){ 1700000300, 5000000, 300, "00000000-0000-0000-0000-000000000000" };
	return r;
}

static bool records_agree(const struct record *a, const struct record *b)
{
	return a->number == b->number && !strcmp(a->bundle.hex, b->bundle.hex) && a->bank == b->bank &&
	       !strcmp(a->posture, b->posture) && !strcmp(a->reason, b->reason) && a->since == b->since &&
	       a->program[0] == b->program[0] && a->program[1] == b->program[1] && !strcmp(a->tables.hex, b->tables.hex) &&
	       !strcmp(a->back, b->back) && a->until.until == b->until.until && a->until.boot_ms == b->until.boot_ms &&
	       !strcmp(a->doubt, b->doubt) && a->until.length == b->until.length && !strcmp(a->until.boot, b->until.boot) && a->confirm.until == b->confirm.until;
}

/* ---- the journal ---------------------------------------------------------------- */

static void the_journal_is_read_back(void)
{
	struct state in = { .committing = true, .now = record_of(3, 'a'), .next = record_of(4, 'b'), .before = record_of(2, 'b') }, out;
	struct err why = { 0 };

	tap_num(state_load(&out, dir, &why), -ENOENT, "no journal is told from a damaged one");
	tap_num(state_save(&in, dir, &why), 0, "the journal is written");
	tap_num(state_load(&out, dir, &why), 0, "and read");
	tap_ok(out.committing && records_agree(&in.now, &out.now) && records_agree(&in.next, &out.next) &&
	       records_agree(&in.before, &out.before), "as it was");
}

/* As the version before wrote it: { committing, now, next, before }, of each but one program and no doubt. */
static void put_old_record(struct buf *out, const struct record *r)
{
	wire_put_u64(out, r->number);
	wire_put_str(out, r->bundle.hex);
	wire_put_u8(out, (uint8_t)r->bank);
	wire_put_str(out, r->posture);
	wire_put_str(out, r->reason);
	wire_put_u64(out, r->since);
	for (int d = 0; d < 2; d++) {
		const struct deadline *at = d ? &r->confirm : &r->until;

		if (d) {
			wire_put_str(out, r->back);
			wire_put_u32(out, r->program[0]);
			wire_put_str(out, r->tables.hex);
		}
		wire_put_u64(out, at->until);
		wire_put_u64(out, at->boot_ms);
		wire_put_u64(out, at->length);
		wire_put_str(out, at->boot);
	}
	wire_put_u32(out, r->tests_run);
	wire_put_u32(out, r->tests_left);
}

static int load_version(struct state *out, const struct record r[static 3], uint32_t version, struct err *why)
{
	own(buf) struct buf bytes = { 0 };

	wire_put_u32(&bytes, version);
	wire_put_u8(&bytes, 0);
	for (int i = 0; i < 3; i++)
		put_old_record(&bytes, &r[i]);
	struct digest is = digest_of(bytes.at, bytes.len);
	wire_put_str(&bytes, is.hex);
	return file_replace(path_of("state"), bytes.at, bytes.len, 0600, why) ? why->code : state_load(out, dir, why);
}

static void the_version_before_is_read(void)
{
	struct record r[3] = { record_of(3, 'a'), record_of(4, 'b'), record_of(2, 'b') };
	struct state out;
	struct err why = { 0 };

	for (int i = 0; i < 3; i++) {
		r[i].program[1] = 0;
		*r[i].doubt = '\0';
	}
	tap_num(load_version(&out, r, 4, &why), 0, "the journal of the version before is read");
	tap_ok(records_agree(&r[0], &out.now) && records_agree(&r[1], &out.next) && records_agree(&r[2], &out.before), "as it was");
	tap_num(load_version(&out, r, 3, &why), -EBADMSG, "an older one is not");
	tap_ok(strstr(why.text, "of version 3; this tegd reads 4 and 5"), "and says so");
}

static void every_damage_is_seen(void)
{
	own(buf) struct buf bytes = { 0 };
	struct state out;
	struct err why = { 0 };
	unsigned taken = 0;

	if (file_read(&bytes, path_of("state"), 65536, &why))
		return;
	for (size_t i = 0; i < bytes.len; i++) {
		bytes.at[i] ^= 1;
		file_replace(path_of("state"), bytes.at, bytes.len, 0600, &why);
		taken += state_load(&out, dir, &why) != -EBADMSG;
		bytes.at[i] ^= 1;
	}
	tap_num(taken, 0, "a bit turned anywhere in the journal is seen");
	taken = 0;
	for (size_t len = 0; len < bytes.len; len += 7) {
		file_replace(path_of("state"), bytes.at, len, 0600, &why);
		taken += state_load(&out, dir, &why) != -EBADMSG;
	}
	tap_num(taken, 0, "so is an end that is missing");
}

static void a_failed_write_is_remembered(void)
{
	struct state s = { .now = record_of(1, 'a') };
	struct err why = { 0 };

	tap_ok(state_save(&s, "/proc/self/nowhere", &why) && s.unsaved, "a journal that cannot be written says so");
	tap_ok(!state_save(&s, dir, &why) && !s.unsaved, "until it can");
}

/* What a generation goes back to is what was there when it came, however often it is put in anew. */
static void it_goes_back_to_what_was_before(void)
{
	struct state s = { .now = record_of(1, 'a') };
	struct record waits = record_of(2, 'b'), anew = record_of(2, 'a'), lasts = record_of(3, 'b');

	state_advance(&s, &waits);
	tap_ok(s.now.number == 2 && s.before.number == 1, "one that must be confirmed goes back to the one before");
	state_advance(&s, &anew);
	tap_ok(s.now.number == 2 && s.now.bank == 'a' && s.before.number == 1, "also when it was put in anew");
	lasts.confirm = (struct deadline){ 0 };
	state_advance(&s, &lasts);
	tap_ok(s.now.number == 3 && !s.before.number, "one that need not goes back to none");
}

static void bundles_stay_while_they_are_named(void)
{
	struct state s = { .now = record_of(1, 'a') };
	struct record old = record_of(9, 'b');
	own(buf) struct buf back = { 0 };
	struct err why = { 0 };

	state_keep_bundle(dir, &s.now.bundle, "first", 5, &why);
	state_keep_bundle(dir, &old.bundle, "second", 6, &why);
	state_collect_bundles(&s, NULL, 0, dir);
	tap_ok(!state_read_bundle(&back, dir, &s.now.bundle, &why) && back.len == 5, "the bundle in force is kept");
	tap_num(state_read_bundle(&back, dir, &old.bundle, &why), -ENOENT, "one that no record names goes");

	struct record next = record_of(11, 'a'), before = record_of(12, 'b');
	state_keep_bundle(dir, &next.bundle, "third", 5, &why);
	state_keep_bundle(dir, &before.bundle, "fourth", 6, &why);
	state_keep_bundle(dir, &old.bundle, "second", 6, &why);
	s = (struct state){ .now = s.now, .next = next, .before = before, .committing = true };
	state_collect_bundles(&s, &old.bundle, 1, dir);
	tap_ok(!state_read_bundle(&back, dir, &before.bundle, &why), "what goes back to is kept");
	tap_ok(!state_read_bundle(&back, dir, &next.bundle, &why), "what takes over is");
	tap_ok(!state_read_bundle(&back, dir, &old.bundle, &why), "what history names is");
	s.committing = false;
	state_collect_bundles(&s, NULL, 0, dir);
	tap_num(state_read_bundle(&back, dir, &next.bundle, &why), -ENOENT, "what did not take over goes");
}

/* ---- the ledger ------------------------------------------------------------------- */

/* A plan of reflexes by these ids, each counted in the first hook, beside what always is. */
static struct plan *plan_of(struct arena *a, unsigned from, unsigned to)
{
	struct plan *p = arena_zero(a, sizeof *p);

	p->counter_count = 2 + to - from;
	p->counters = arena_zero(a, p->counter_count * sizeof *p->counters);
	p->rules = arena_zero(a, p->counter_count * sizeof *p->rules);
	p->counters[0].id = "neighbour";
	p->counters[1].id = "blocked";
	p->config.blocked_slot = 1;
	for (unsigned i = 2; i < p->counter_count; i++) {
		p->counters[i].id = arena_printf(a, "reflex.r%u", from + i - 2);
		p->rules[p->rule_count++].counter_slot = i;
	}
	return p;
}

static void a_rule_keeps_its_slot(void)
{
	own(arena) struct arena *a = arena_new();
	struct plan *first = plan_of(a, 0, 4), *second = plan_of(a, 2, 6);
	uint32_t one[6], two[6], read[6];
	bool fresh[6];
	struct err why = { 0 };

	tap_num(ledger_assign(path_of("ledger"), first, NULL, one, fresh, &why), 0, "slots are given");
	tap_ok(fresh[0] && fresh[5], "all of them new");
	tap_num(ledger_assign(path_of("ledger"), second, first, two, fresh, &why), 0, "and given again");
	tap_ok(two[0] == one[0] && two[2] == one[4] && two[3] == one[5], "a rule that stays keeps its slot");
	tap_ok(!fresh[2] && fresh[4], "and a rule that comes gets a new one");
	tap_ok(!ledger_read(path_of("ledger"), second, read, &why) && !memcmp(read, two, sizeof two), "they are read back");
	tap_num(ledger_read(path_of("ledger"), plan_of(a, 90, 91), read, &why), -ENOENT, "an unknown id is told");
}

static void uncounted_ids_take_no_slot(void)
{
	own(arena) struct arena *a = arena_new();
	struct plan *p = plan_of(a, 0, 2);
	uint32_t slots[4];
	bool fresh[4];
	struct err why = { 0 };

	p->rule_count = 1;
	ledger_assign(path_of("ledger2"), p, NULL, slots, fresh, &why);
	tap_ok(slots[2] != LEDGER_NO_SLOT && slots[3] == LEDGER_NO_SLOT && !fresh[3],
	       "what the first hook does not count takes no slot");
}

static void slots_are_given_away_last(void)
{
	own(arena) struct arena *a = arena_new();
	const unsigned most = TEG_COUNTER_SLOTS - 2;
	struct plan *full = plan_of(a, 0, most), *next = plan_of(a, most - 10, most + 20);
	own(mem) uint32_t *slots = calloc(TEG_COUNTER_SLOTS, sizeof *slots), *later = calloc(TEG_COUNTER_SLOTS, sizeof *later);
	own(mem) bool *fresh = calloc(TEG_COUNTER_SLOTS, 1);
	struct err why = { 0 };

	tap_num(ledger_assign(path_of("ledger3"), full, NULL, slots, fresh, &why), 0, "every slot can be taken");
	tap_num(ledger_assign(path_of("ledger3"), next, full, later, fresh, &why), -ENOSPC,
		"none is taken from the generation in force");
	tap_num(ledger_assign(path_of("ledger3"), next, NULL, later, fresh, &why), 0,
		"but from one that is gone");
	tap_ok(later[2] == slots[most - 8] && !fresh[2] && fresh[20], "what stays, stays; what comes starts at zero");
}

static const struct {
	const char *claim, *id[2];
	uint32_t slot[2];
	bool holds;
} twice[] = {
	{ "two ids in two slots are a ledger", { "reflex.r0", "reflex.r1" }, { 7, 9 }, true },
	{ "two ids in one slot are none", { "reflex.r0", "reflex.r1" }, { 7, 7 }, false },
	{ "nor is one id in two slots", { "reflex.r0", "reflex.r0" }, { 7, 9 }, false },
	{ "nor is a slot that there is not", { "reflex.r0", "reflex.r1" }, { 7, TEG_COUNTER_SLOTS }, false },
};

static void a_damaged_ledger_starts_anew(void)
{
	own(arena) struct arena *a = arena_new();
	struct plan *p = plan_of(a, 0, 2);
	uint32_t slots[4];
	bool fresh[4];
	struct err why = { 0 };

	file_replace(path_of("ledger4"), "\1\0\0\0\377\377\377\377", 8, 0600, &why);
	tap_ok(!ledger_assign(path_of("ledger4"), p, NULL, slots, fresh, &why) && fresh[0] && fresh[2],
	       "a ledger that cannot be read gives every slot anew, so that no count is another's");
	for (unsigned i = 0; i < ARRAY_LEN(twice); i++) {
		own(buf) struct buf bytes = { 0 };

		wire_put_u32(&bytes, 1);
		wire_put_u32(&bytes, 2);
		for (unsigned row = 0; row < 2; row++) {
			wire_put_u32(&bytes, twice[i].slot[row]);
			wire_put_str(&bytes, twice[i].id[row]);
		}
		file_replace(path_of("ledger4"), bytes.at, bytes.len, 0600, &why);
		const bool taken = !ledger_assign(path_of("ledger4"), p, NULL, slots, fresh, &why);
		tap_ok(taken && fresh[2] == !twice[i].holds && fresh[3] == !twice[i].holds, "%s", twice[i].claim);
	}
}

int main(void)
{
	static const char *const files[] = { "state", "ledger", "ledger2", "ledger3", "ledger4", "bundles" };
	char command[128];

	const char *in = getenv("TMPDIR");

	snprintf(dir, sizeof dir, "%s/teg-journal-XXXXXX", in && strlen(in) < 64 ? in : "/tmp");
	if (!mkdtemp(dir))
		return 1;
	the_journal_is_read_back();
	every_damage_is_seen();
	a_failed_write_is_remembered();
	the_version_before_is_read();
	it_goes_back_to_what_was_before();
	bundles_stay_while_they_are_named();
	a_rule_keeps_its_slot();
	uncounted_ids_take_no_slot();
	slots_are_given_away_last();
	a_damaged_ledger_starts_anew();
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		unlink(path_of(files[i]));
	snprintf(command, sizeof command, "rm -rf %s", dir);
	return tap_done() | !!system(command);
}
