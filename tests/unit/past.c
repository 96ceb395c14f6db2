/* The generations that were in force are remembered: fifty of them, through a crash, or the change is not made. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "enforcer/warden/state/past.h"
#include "lang/base/file.h"
#include "lang/base/own.h"
#include "tests/lib/tap.h"

static char dir[96]; /* in memory where it may be: much is written, and synced each time */

static struct entry entry_of(uint64_t number, const char *content)
{
	struct entry e = { .number = number, .serial = 7, .at = 1700000000 + number, .how = HOW_APPLY };

	e.bundle = digest_of(content, strlen(content));
	snprintf(e.policy, sizeof e.policy, "edge");
	snprintf(e.version, sizeof e.version, "%s", content);
	snprintf(e.who, sizeof e.who, "root (policy-admin)");
	snprintf(e.from, sizeof e.from, "unix");
	return e;
}

static void add(struct past *p, uint64_t number, const char *content, enum past_end end)
{
	const struct entry e = entry_of(number, content);
	struct err why;

	if (past_begin(p, &e, dir, &why))
		tap_note(why.text);
	past_finish(p, end);
}

static void it_is_read_back(void)
{
	own(arena) struct arena *a = arena_new();
	static struct past in, out;
	struct history told;
	struct err why = { 0 };

	tap_num(past_load(&out, dir, &why), 0, "no file is no past");
	add(&in, 1, "one", END_DONE);
	add(&in, 2, "two", END_CONFIRMED);
	tap_ok(!past_save(&in, dir, &why) && !past_load(&out, dir, &why) && out.len == 2, "what was remembered is read back");
	past_tell(&told, &out, 2, a);
	tap_text(told.rows[0].result, "confirmed", "the newest is told first");
	tap_text(told.rows[1].version, "one", "then those before");
	tap_text(told.rows[1].who, "root (policy-admin)", "and who brought them");
}

static void every_damage_is_seen(void)
{
	own(buf) struct buf bytes = { 0 };
	static struct past out;
	struct err why = { 0 };
	char path[128];
	unsigned taken = 0;

	snprintf(path, sizeof path, "%s/history", dir);
	if (file_read(&bytes, path, 65536, &why))
		tap_note(why.text);
	for (size_t i = 0; i < bytes.len; i++) {
		bytes.at[i] ^= 1;
		file_replace(path, bytes.at, bytes.len, 0600, &why);
		taken += past_load(&out, dir, &why) != -EBADMSG || out.len;
		bytes.at[i] ^= 1;
	}
	tap_ok(bytes.len > 100 && !taken, "a bit turned anywhere is seen, and nothing is made of it");
	unlink(path);
}

static void fifty_are_kept(void)
{
	static struct past p, out;
	struct err why = { 0 };

	for (uint64_t n = 1; n <= PAST_MOST + 5; n++)
		add(&p, n, n % 2 ? "odd" : "even", END_DONE);
	tap_ok(!past_save(&p, dir, &why) && !past_load(&out, dir, &why), "many are saved");
	tap_num(out.len, PAST_MOST, "fifty are kept");
	tap_ok(!past_find(&out, 5) && past_find(&out, 6) && past_find(&out, PAST_MOST + 5), "the oldest go");
	const struct digest now = entry_of(0, "odd").bundle;
	tap_num(past_other(&out, &now)->number, PAST_MOST + 4, "the newest with another bundle is found");
}

static void what_cannot_be_remembered_is_not_begun(void)
{
	static struct past p;
	const struct entry e = entry_of(2, "two");
	struct err why = { 0 };

	add(&p, 1, "one", END_DONE);
	tap_ok(past_begin(&p, &e, "/proc/self/nowhere", &why) && p.len == 1 && p.unsaved, "a history that cannot be written refuses");
}

/* What a crash left, and what the journal says. */
static const struct {
	const char *claim;
	enum past_end first, second;
	uint64_t now;
	bool waits;
	size_t len;
	enum past_end first_is, last_is;
} crashes[] = {
	{ "begun and not come to be is forgotten", END_DONE, END_BEGUN, 1, false, 1, END_DONE, END_DONE },
	{ "begun and in force is done", END_DONE, END_BEGUN, 2, false, 2, END_DONE, END_DONE },
	{ "or it waits", END_DONE, END_BEGUN, 2, true, 2, END_DONE, END_PENDING },
	{ "what waited and was confirmed is", END_DONE, END_PENDING, 2, false, 2, END_DONE, END_CONFIRMED },
	{ "what waited and was followed was not", END_PENDING, END_BEGUN, 2, false, 2, END_NOT_CONFIRMED, END_DONE },
};

static void the_journal_decides(void)
{
	for (size_t i = 0; i < ARRAY_LEN(crashes); i++) {
		static struct past p;
		struct state s = { .now.number = crashes[i].now };

		p.len = 0;
		add(&p, 1, "one", crashes[i].first);
		add(&p, 2, "two", crashes[i].second);
		if (crashes[i].waits)
			s.now.confirm = deadline_in(60);
		past_resolve(&p, &s);
		tap_ok(p.len == crashes[i].len && p.at[0].end == crashes[i].first_is && p.at[p.len - 1].end == crashes[i].last_is,
		       "%s", crashes[i].claim);
	}
}

static void bundles_stay_while_they_are_remembered(void)
{
	struct state s = { .now.number = 2, .now.bundle = entry_of(2, "two").bundle };
	const struct digest lost = entry_of(3, "three").bundle;
	static struct past p;
	own(buf) struct buf back = { 0 };
	struct err why = { 0 };

	add(&p, 1, "one", END_DONE);
	state_keep_bundle(dir, &p.at[0].bundle, "one", 3, &why);
	state_keep_bundle(dir, &s.now.bundle, "two", 3, &why);
	state_keep_bundle(dir, &lost, "three", 5, &why);
	past_collect(&p, &s, dir);
	tap_num(state_read_bundle(&back, dir, &p.at[0].bundle, &why), 0, "a bundle that the history names is kept");
	tap_num(state_read_bundle(&back, dir, &s.now.bundle, &why), 0, "so is the one in force");
	tap_num(state_read_bundle(&back, dir, &lost, &why), -ENOENT, "another goes");
	state_collect_bundles(&(struct state){ 0 }, NULL, 0, dir);
}

static void tidy(void)
{
	char path[128];

	snprintf(path, sizeof path, "%s/history", dir);
	unlink(path);
	snprintf(path, sizeof path, "%s/bundles", dir);
	rmdir(path);
	rmdir(dir);
}

int main(void)
{
	const char *in = getenv("TMPDIR");

	snprintf(dir, sizeof dir, "%s/teg-past-XXXXXX", in && strlen(in) < 64 ? in : "/tmp");
	if (!mkdtemp(dir))
		return 1;
	it_is_read_back();
	every_damage_is_seen();
	fifty_are_kept();
	what_cannot_be_remembered_is_not_begun();
	the_journal_decides();
	bundles_stay_while_they_are_remembered();
	tidy();
	return tap_done();
}
