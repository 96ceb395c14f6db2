/*
 * What runtime blocks take to follow an interface to another engine: a warden is started anew with the other one, until it answers.
 *
 *     carry [COUNT…]
 *
 * As many hosts of IPv4 are blocked, as drawn. "rollout" is one more policy of the same with all of them in both engines' tables.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "enforcer/hook/block_table.h"
#include "enforcer/nft/filter.h"
#include "enforcer/warden/blocks/nft.h"
#include "lang/base/clock.h"
#include "lang/base/own.h"
#include "tests/lib/warden_stage.h"

static struct warden_stage s;
static int bundle;

/* The warden's, all its threads. */
static double cpu_seconds(void)
{
	unsigned long user = 0, system = 0;
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/stat", (int)s.warden);
	FILE *f = fopen(path, "r");
	if (f && fscanf(f, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
		user = system = 0;
	if (f)
		fclose(f);
	return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static struct prefix nth(uint32_t i)
{
	return block_host((struct addr){ FAMILY_IP4, (uint32_t)(i * 2654435761u) });
}

static bool open_table(struct shared *maps, struct block_table *t)
{
	char pins[160];
	struct err why;

	snprintf(pins, sizeof pins, "%s/bpf/teg", s.dir);
	return !shared_open(maps, pins, &why) && !block_table_open(t, maps, &why);
}

static uint64_t in_xdp(void)
{
	own(block_table) struct block_table t = { 0 };
	own(shared) struct shared maps = SHARED_NONE;

	return open_table(&maps, &t) ? block_table_count(&t, clock_ns(CLOCK_MONOTONIC)) : 0;
}

static bool fill(uint32_t count)
{
	own(block_table) struct block_table t = { 0 };
	own(shared) struct shared maps = SHARED_NONE;
	const uint64_t now = clock_ns(CLOCK_MONOTONIC);
	bool all = open_table(&maps, &t);

	for (uint32_t i = 0; all && i < count; i++)
		all = block_table_set(&t, nth(i), now + UINT64_C(36000000000000), TEG_BLOCK_NOBODY, now);
	return all;
}

static uint64_t in_nft(void)
{
	own(filter) struct filter *f = NULL;
	uint64_t count = 0;
	struct err why;

	if (filter_open(&f, &why) || filter_set_size(f, FILTER_NETDEV, block_sets[BLOCK_HOSTS][FAMILY_IP4], &count, &why))
		return 0;
	return count;
}

static bool measured(const char *what, const char *engine)
{
	own(arena) struct arena *a = arena_new();
	const uint64_t from = clock_ns(CLOCK_MONOTONIC);
	const double before = engine ? 0 : cpu_seconds();

	if (engine ? !warden_stage_start(&s, "--engine", engine, NULL) : !warden_stage_apply(&s, bundle))
		return false;
	warden_stage_status(&s, a);
	printf("  %-10s %7.2f s   %7.2f s of the warden's processor time   %8llu in XDP, %8llu in nft\n", what,
	       (double)(clock_ns(CLOCK_MONOTONIC) - from) / 1e9, cpu_seconds() - before, (unsigned long long)in_xdp(), (unsigned long long)in_nft());
	fflush(stdout);
	return true;
}

static bool measure(uint32_t count)
{
	if (!warden_stage_start(&s, "--engine", "generic", NULL) || !warden_stage_apply(&s, bundle) || !fill(count))
		return false;
	warden_stage_end(&s, SIGTERM);
	printf("%u sources\n", count);
	bool all = measured("to nft", "nft") && measured("rollout", NULL);
	warden_stage_end(&s, SIGTERM);
	all = all && measured("to XDP", "generic") && measured("rollout", NULL);
	warden_stage_end(&s, SIGTERM);
	return all && !system("rm -rf /mnt/state /mnt/run /mnt/bpf/teg && nft flush ruleset");
}

int main(int argc, char **argv)
{
	static char *usual[] = { "100000", "300000", "1000000" };

	if (warden_stage_role(argc, argv))
		return 0;
	if (!warden_stage_make(&s) || (bundle = warden_stage_bundle(&s, "edge", "")) < 0) {
		fprintf(stderr, "carry: it needs root, and build/tegc\n");
		return 1;
	}
	char **counts = argc > 1 ? argv + 1 : usual;
	for (int i = 0; i < (argc > 1 ? argc - 1 : 3); i++)
		if (!measure((uint32_t)atoi(counts[i])))
			return 1;
	return 0;
}
