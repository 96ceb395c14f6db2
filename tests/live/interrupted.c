/*
 * A warden that died around the store that decides: its journal says that a switch was under way, and the kernel says
 * whether it came through. killed.c dies at every call, as far as time allows; here the two that matter are made.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "enforcer/warden/state/state.h"
#include "lang/base/own.h"
#include "tests/lib/tap.h"
#include "tests/lib/warden_stage.h"

static struct warden_stage s;
static const char *engine;

static bool start(void)
{
	char flag[64];

	snprintf(flag, sizeof flag, "--engine=%s", engine);
	return warden_stage_start(&s, flag, NULL);
}

static bool apply(const char *name, const char *script)
{
	own(fd) int fd = warden_stage_bundle(&s, name, script);

	return warden_stage_apply(&s, fd);
}

static struct state journal(void)
{
	char dir[160];
	struct state is = { 0 };
	struct err why;

	snprintf(dir, sizeof dir, "%s/state", s.dir);
	if (state_load(&is, dir, &why))
		tap_note("%s", why.text);
	return is;
}

/* Dies, and the journal is as it was when the switch was under way. */
static bool dies_with(struct state *left)
{
	char dir[160];
	struct err why;

	snprintf(dir, sizeof dir, "%s/state", s.dir);
	warden_stage_end(&s, SIGKILL);
	left->committing = true;
	return !state_save(left, dir, &why) && start();
}

static void stands(const char *claim, uint64_t generation, const char *version)
{
	own(arena) struct arena *a = arena_new();
	const struct status now = warden_stage_status(&s, a);
	const struct state is = journal();

	tap_ok(now.generation == generation && !strcmp(now.version, version) && now.intact && !strcmp(now.adopted, "adopted"),
	       "%s: generation %llu, version %s, %s, %s", claim, (unsigned long long)now.generation, now.version, now.adopted,
	       now.intact ? "intact" : now.fault);
	tap_ok(!is.committing && is.now.number == generation, "%s: which is noted", claim);
}

static void both_ways(void)
{
	tap_ok(start() && apply("one", ""), "%s: one policy", engine);
	const struct state first = journal();
	tap_ok(apply("two", "s/version \"1\"/version \"2\"/"), "%s: and another", engine);
	const struct state second = journal();

	struct state left = { .now = first.now, .next = second.now };
	tap_ok(dies_with(&left), "%s: a warden that died when the new one had taken over", engine);
	stands("it is finished", second.now.number, "2");

	left = (struct state){ .now = second.now, .next = second.now };
	left.next.number++;
	left.next.bank = second.now.bank == 'a' ? 'b' : 'a';
	memset(left.next.program, 0, sizeof left.next.program);
	tap_ok(dies_with(&left), "%s: one that died before", engine);
	stands("what was in force stays", second.now.number, "2");
	tap_ok(apply("three", "s/version \"1\"/version \"3\"/"), "%s: and the next is taken", engine);
	warden_stage_end(&s, SIGTERM);
}

int main(int argc, char **argv)
{
	if (warden_stage_role(argc, argv))
		return 0;
	signal(SIGPIPE, SIG_IGN);
	if (!warden_stage_make(&s)) {
		tap_skip("needs root", "a switch that was interrupted");
		return tap_done();
	}
	engine = argc > 1 ? argv[1] : "nft";
	both_ways();
	return tap_done();
}
