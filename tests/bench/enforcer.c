/*
 * What tegd takes for a change, and what packets notice of it.
 *
 *     enforcer OUTSIDE-NETNS EDGE-NETNS SOURCE TARGET SOCKET postures CHANGES FIRST SECOND
 *     enforcer …                                             policies CHANGES FIRST.tegb SECOND.tegb
 *     enforcer …                                             requests SECONDS RATE
 *     enforcer …                                             blocks CHANGES SOURCE
 *
 * Numbered packets flow (tests/lib/flow.h) while the postures or policies take turns, or while
 * requests come at RATE a second, whatever their answers take. Every packet that both sides of a
 * change admit must arrive, and none may be judged by the old side after another was by the new;
 * otherwise the exit code is 1.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "lang/base/own.h"
#include "tests/lib/asker.h"
#include "tests/lib/flow.h"

#define FAST_NS	    12000u /* between two numbers, each of which is three packets */
#define GENTLE_NS   100000u
#define BETWEEN	    4000u /* numbers, at least, between two changes, */
#define LEAST_MS    25u   /* and milliseconds */
#define CONNECTIONS 4u
#define BLOCKED_FOR 200u /* numbers */

static const char *socket_path;

static void must(bool held, const char *what)
{
	if (held)
		return;
	fprintf(stderr, "enforcer: %s\n", what);
	exit(69);
}

/* ---- figures --------------------------------------------------------------------------------- */

struct figures {
	int64_t *ns;
	size_t count;
};

static struct figures figures_new(size_t most)
{
	struct figures f = { calloc(most, sizeof *f.ns), 0 };

	must(f.ns != NULL, "no memory");
	return f;
}

static void figures_add(struct figures *f, uint64_t from, uint64_t to)
{
	f->ns[f->count++] = (int64_t)(to - from);
}

static int by_value(const void *x, const void *y)
{
	const int64_t *a = x, *b = y;

	return *a < *b ? -1 : *a > *b;
}

static void figures_say(const char *what, struct figures *f)
{
	qsort(f->ns, f->count, sizeof *f->ns, by_value);
	printf("%-52s %9.3f %9.3f %9.3f %9.3f\n", what, (double)f->ns[0] / 1e6, (double)f->ns[f->count / 2] / 1e6,
	       (double)f->ns[f->count * 99 / 100] / 1e6, (double)f->ns[f->count - 1] / 1e6);
	free(f->ns);
}

static void heading(const char *what)
{
	printf("%-52s %9s %9s %9s %9s\n", what, "min", "median", "p99", "max");
}

/* ---- changes --------------------------------------------------------------------------------- */

struct request {
	const char *path, *type;
	char *body;
	size_t len;
};

static struct request posture_request(const char *name)
{
	struct request r = { "/api/tegumentar/posture", "application/json", NULL, 0 };
	const int n = asprintf(&r.body, "{\"posture\":\"%s\"}", name);

	must(n > 0, "no memory");
	r.len = (size_t)n;
	return r;
}

static struct request policy_request(const char *path)
{
	struct request r = { "/api/tegumentar/policy", "application/octet-stream", NULL, 0 };
	FILE *f = fopen(path, "rbe");
	struct stat st;

	must(f && !fstat(fileno(f), &st), path);
	r.len = (size_t)st.st_size;
	r.body = malloc(r.len);
	must(r.body && fread(r.body, 1, r.len, f) == r.len, path);
	fclose(f);
	return r;
}

struct outcome {
	struct figures notice, window, both, call;
	unsigned mixed;
};

/* How long both sides judged in the last change, as tegd has measured it. */
static uint64_t both_judged_ns(struct asker *a)
{
	static const char name[] = "\"switch_seconds\":";
	const char *at;

	must(asker_ask(a, "GET", "/api/tegumentar/status", NULL, NULL, 0) == 200, "no status");
	at = strstr(a->said, name);
	must(at != NULL, "the status does not say how long a switch took");
	return (uint64_t)(strtod(at + sizeof name - 1, NULL) * 1e9);
}

/* One change, from where port OLD passes to where port NEW does. */
static void change(struct outcome *o, struct asker *a, const struct request *r, enum flow_port old,
		   enum flow_port new)
{
	flow_forget(new);
	const uint64_t begun = flow_now_ns();
	const long status = asker_ask(a, "POST", r->path, r->type, r->body, r->len);

	figures_add(&o->call, begun, flow_now_ns());
	must(status == 200, "a change was refused");
	flow_wait(BETWEEN, LEAST_MS);
	const bool arrives = flow_arrives(new);
	const struct flow_seen last = flow_seen(old), first = flow_seen(new);

	must(arrives, "nothing that only the new side admits arrived after a change");
	figures_add(&o->notice, begun, first.first_ns);
	figures_add(&o->window, last.last_ns, first.first_ns);
	o->mixed += last.last_number > first.first_number;
	figures_add(&o->both, 0, both_judged_ns(a));
}

static int changes_under_load(size_t changes, struct request first, struct request second)
{
	own(asker) struct asker a = asker_open(socket_path);
	struct outcome o = { figures_new(changes), figures_new(changes), figures_new(changes), figures_new(changes), 0 };

	for (size_t i = 0; i < changes; i++) {
		const bool forth = i % 2 == 0;

		change(&o, &a, forth ? &second : &first, forth ? FLOW_FIRST : FLOW_SECOND,
		       forth ? FLOW_SECOND : FLOW_FIRST);
	}
	const struct flow_sum sum = flow_end();

	heading("milliseconds");
	figures_say("from the request to the first packet of the new side", &o.notice);
	figures_say("from the last of the old side to the first of the new", &o.window);
	figures_say("in which both sides judged, as tegd says", &o.both);
	figures_say("from the request to its answer", &o.call);
	printf("%zu changes under load: %" PRIu64 " packets sent, %" PRIu64 " arrived, %" PRId64 " lost, %u changes mixed\n",
	       changes, sum.sent, sum.arrived, (int64_t)(sum.sent - sum.arrived), o.mixed);
	free(first.body);
	free(second.body);
	return sum.sent == sum.arrived && !o.mixed ? 0 : 1;
}

/* ---- requests --------------------------------------------------------------------------------- */

static struct {
	uint64_t begun, each_ns, count;
	int64_t *ns;
	atomic_uint_fast64_t next, wrong;
} load;

/* Latency counts from when a request was due, so that a slow answer delays no later one unseen. */
static void *ask_all(void *unused)
{
	own(asker) struct asker a = asker_open(socket_path);

	for (uint64_t i; (i = load.next++) < load.count;) {
		const uint64_t due = load.begun + i * load.each_ns;
		const struct timespec at = { .tv_sec = (time_t)(due / 1000000000u),
					     .tv_nsec = (long)(due % 1000000000u) };

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
		load.wrong += asker_ask(&a, "GET", "/api/tegumentar/status", NULL, NULL, 0) != 200;
		load.ns[i] = (int64_t)(flow_now_ns() - due);
	}
	return unused;
}

static int requests_under_load(uint64_t seconds, uint64_t rate)
{
	pthread_t threads[CONNECTIONS];
	struct figures latency = figures_new(seconds * rate);

	load.each_ns = 1000000000u / rate;
	load.count = latency.count = seconds * rate;
	load.ns = latency.ns;
	load.begun = flow_now_ns();
	for (unsigned i = 0; i < CONNECTIONS; i++)
		must(!pthread_create(&threads[i], NULL, ask_all, NULL), "a thread");
	for (unsigned i = 0; i < CONNECTIONS; i++)
		pthread_join(threads[i], NULL);
	const struct flow_sum sum = flow_end();

	heading("milliseconds");
	figures_say("from when a request is due to its answer", &latency);
	printf("%" PRIu64 " requests at %" PRIu64 " a second, %" PRIuFAST64 " not answered 200; %" PRIu64
	       " packets sent, %" PRId64 " lost\n",
	       load.count, rate, load.wrong, sum.sent, (int64_t)(sum.sent - sum.arrived));
	return sum.sent == sum.arrived && !load.wrong ? 0 : 1;
}

/* ---- blocks ------------------------------------------------------------------------------------ */

static void ask_block(struct asker *a, const char *path, const char *body)
{
	must(asker_ask(a, "POST", path, "application/json", body, strlen(body)) == 200, "a block was refused");
}

/* The flow's own source is blocked, and again no longer: when did its last packet pass? */
static int blocks_under_load(size_t changes, const char *source)
{
	own(asker) struct asker a = asker_open(socket_path);
	struct figures notice = figures_new(changes), call = figures_new(changes);
	char block[128], unblock[128];

	snprintf(block, sizeof block, "{\"sources\":[\"%s\"],\"duration_minutes\":5}", source);
	snprintf(unblock, sizeof unblock, "{\"sources\":[\"%s\"]}", source);
	for (size_t i = 0; i < changes; i++) {
		const uint64_t begun = flow_now_ns();

		ask_block(&a, "/api/tegumentar/blocks", block);
		figures_add(&call, begun, flow_now_ns());
		flow_wait(BLOCKED_FOR, 2);
		const uint64_t passed = flow_seen(FLOW_ALWAYS).last_ns;

		figures_add(&notice, begun, passed > begun ? passed + FAST_NS : begun + FAST_NS);
		ask_block(&a, "/api/tegumentar/blocks/remove", unblock);
		flow_forget(FLOW_ALWAYS);
		for (int wait = 0; wait < 500 && !flow_seen(FLOW_ALWAYS).first_number; wait++)
			flow_wait(BLOCKED_FOR, 2);
		must(flow_seen(FLOW_ALWAYS).first_number, "nothing arrived when the block was taken back");
	}
	flow_end();
	heading("milliseconds");
	figures_say("from the request to the first dropped packet", &notice);
	figures_say("from the request to its answer", &call);
	return 0;
}

static int usage(void)
{
	fputs("usage: enforcer OUTSIDE-NETNS EDGE-NETNS SOURCE TARGET SOCKET postures|policies CHANGES FIRST SECOND\n"
	      "       enforcer OUTSIDE-NETNS EDGE-NETNS SOURCE TARGET SOCKET requests SECONDS RATE\n"
	      "       enforcer OUTSIDE-NETNS EDGE-NETNS SOURCE TARGET SOCKET blocks CHANGES SOURCE\n",
	      stderr);
	return 64;
}

int main(int argc, char **argv)
{
	if (argc < 9)
		return usage();
	const char *what = argv[6];
	const bool requests = !strcmp(what, "requests") && argc == 9;
	const bool postures = !strcmp(what, "postures") && argc == 10;
	const bool policies = !strcmp(what, "policies") && argc == 10;
	const bool blocks = !strcmp(what, "blocks") && argc == 9;
	const unsigned long count = strtoul(argv[7], NULL, 10), rate = strtoul(argv[8], NULL, 10);

	if (!count || !(postures || policies || blocks || (requests && rate)))
		return usage();
	socket_path = argv[5];
	flow_begin(&(struct flow){ .outside = argv[1], .edge = argv[2], .source = argv[3], .target = argv[4],
				   .pace_ns = requests ? GENTLE_NS : FAST_NS });
	if (requests)
		return requests_under_load(count, rate);
	if (blocks)
		return blocks_under_load(count, argv[8]);
	return changes_under_load(count, postures ? posture_request(argv[8]) : policy_request(argv[8]),
				  postures ? posture_request(argv[9]) : policy_request(argv[9]));
}
