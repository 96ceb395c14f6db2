/*
 * Posture changes under load: how long until packets notice, and what is lost.
 *
 *     switch OUTSIDE-NETNS EDGE-NETNS SOURCE TARGET TEGCTL SOCKET CHANGES
 *
 * A sender in one namespace numbers its packets to two ports of the other, in
 * turn, at a steady pace; tests/bench/switch.teg admits port 9999 in both
 * postures and port 9998 in OPEN alone. tegctl changes the posture over and
 * over. Every packet to 9999 must arrive; the first to 9998 after a change to
 * OPEN says when the change took effect.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PACE_NS	      8000u /* between two packets: 125,000 a second, where there is a core for it */
#define BETWEEN_MS    80    /* at least, between two changes, */
#define BETWEEN	      10500 /* and so many packets: 100 changes are a million */
#define PORT_ALWAYS   9999
#define PORT_SOMETIMES 9998

extern char **environ;

static const char *outside, *edge, *source, *target, *tegctl, *api;
static atomic_bool sending = true, receiving = true;
static atomic_uint_fast64_t sent, arrived;
static atomic_uint_fast64_t last_sometimes_ns, first_sometimes_ns; /* the first since it was set to 0 */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void must(bool held, const char *what)
{
	if (held)
		return;
	fprintf(stderr, "switch: %s: %s\n", what, strerror(errno));
	exit(69);
}

static void enter(const char *netns)
{
	char path[256];

	snprintf(path, sizeof path, "/run/netns/%s", netns);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	must(fd >= 0 && !setns(fd, CLONE_NEWNET), path);
	close(fd);
}

static struct sockaddr_in address(const char *text, uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

	must(inet_pton(AF_INET, text, &a.sin_addr) == 1, text);
	return a;
}

static int udp_to(uint16_t port)
{
	struct sockaddr_in from = address(source, 0), to = address(target, port);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	must(fd >= 0 && !bind(fd, (struct sockaddr *)&from, sizeof from), "source");
	must(!connect(fd, (struct sockaddr *)&to, sizeof to), "target");
	return fd;
}

static void *send_all(void *unused)
{
	enter(outside);
	int always = udp_to(PORT_ALWAYS), sometimes = udp_to(PORT_SOMETIMES);
	uint64_t next = now_ns(), number = 0;

	while (sending) {
		while (now_ns() < next)
			;
		next += PACE_NS;
		must(send(always, &number, sizeof number, 0) == sizeof number, "send");
		number++;
		/* Refusals of the port come back as errors of later calls: they are the point. */
		if (send(sometimes, &number, sizeof number, 0) < 0 && errno != ECONNREFUSED)
			must(false, "send");
		sent = number;
	}
	return unused;
}

static int udp_at(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct timeval patience = { .tv_usec = 100000 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), room = 128 << 20;

	must(fd >= 0 && !bind(fd, (struct sockaddr *)&a, sizeof a), "receiver");
	must(!setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room), "receive buffer");
	must(!setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), "patience");
	return fd;
}

static void *receive_always(void *unused)
{
	enter(edge);
	int fd = udp_at(PORT_ALWAYS);
	uint64_t number;

	while (receiving)
		if (recv(fd, &number, sizeof number, 0) == sizeof number)
			arrived++;
	return unused;
}

static void *receive_sometimes(void *unused)
{
	enter(edge);
	int fd = udp_at(PORT_SOMETIMES);
	uint64_t number, never = 0;

	while (receiving) {
		if (recv(fd, &number, sizeof number, 0) != sizeof number)
			continue;
		uint64_t now = now_ns();
		last_sometimes_ns = now;
		atomic_compare_exchange_strong(&first_sometimes_ns, &never, now);
		never = 0;
	}
	return unused;
}

static void posture(const char *name)
{
	char *argv[] = { (char *)tegctl, "--socket", (char *)api, "posture", (char *)name, NULL };
	posix_spawn_file_actions_t quiet;
	pid_t pid;
	int status;

	posix_spawn_file_actions_init(&quiet);
	posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	must(!posix_spawn(&pid, tegctl, &quiet, NULL, argv, environ), tegctl);
	must(waitpid(pid, &status, 0) == pid && status == 0, "tegctl posture failed");
	posix_spawn_file_actions_destroy(&quiet);
}

/* Waits for what a change does, while packets flow. */
static void let_flow(void)
{
	const struct timespec least = { .tv_nsec = BETWEEN_MS * 1000000 }, more = { .tv_nsec = 1000000 };
	uint64_t enough = sent + BETWEEN;

	nanosleep(&least, NULL);
	while (sent < enough)
		nanosleep(&more, NULL);
}

static int by_value(const void *x, const void *y)
{
	const uint64_t *a = x, *b = y;

	return *a < *b ? -1 : *a > *b;
}

static void report(const char *what, uint64_t *ns, size_t n)
{
	qsort(ns, n, sizeof *ns, by_value);
	printf("%-46s %8.3f %8.3f %8.3f %8.3f\n", what, (double)ns[0] / 1e6, (double)ns[n / 2] / 1e6,
	       (double)ns[n * 99 / 100] / 1e6, (double)ns[n - 1] / 1e6);
}

int main(int argc, char **argv)
{
	if (argc != 8) {
		fputs("usage: switch OUTSIDE-NETNS EDGE-NETNS SOURCE TARGET TEGCTL SOCKET CHANGES\n", stderr);
		return 64;
	}
	outside = argv[1], edge = argv[2], source = argv[3], target = argv[4];
	tegctl = argv[5], api = argv[6];
	size_t changes = (size_t)atoi(argv[7]), pairs = changes / 2;
	uint64_t *opens = calloc(pairs, sizeof *opens), *closes = calloc(pairs, sizeof *closes);
	uint64_t *calls = calloc(pairs, sizeof *calls);
	const struct timespec a_moment = { .tv_nsec = 100000000 };
	pthread_t threads[3];

	must(pairs && opens && closes && calls, "nothing to measure");
	pthread_create(&threads[0], NULL, receive_always, NULL);
	pthread_create(&threads[1], NULL, receive_sometimes, NULL);
	nanosleep(&a_moment, NULL);
	pthread_create(&threads[2], NULL, send_all, NULL);
	nanosleep(&a_moment, NULL);

	for (size_t i = 0; i < pairs; i++) {
		uint64_t begun = now_ns();
		posture("TIGHT");
		calls[i] = now_ns() - begun;
		let_flow();
		closes[i] = last_sometimes_ns > begun ? last_sometimes_ns - begun : 0;

		first_sometimes_ns = 0;
		begun = now_ns();
		posture("OPEN");
		let_flow();
		must(first_sometimes_ns != 0, "nothing arrived after a change to OPEN");
		opens[i] = first_sometimes_ns - begun;
	}
	sending = false;
	pthread_join(threads[2], NULL);
	nanosleep(&a_moment, NULL);
	nanosleep(&a_moment, NULL);
	receiving = false;
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);

	printf("%-46s %8s %8s %8s %8s\n", "milliseconds from the start of tegctl", "min", "median", "p99", "max");
	report("to the first packet that only OPEN admits", opens, pairs);
	report("to the last packet that TIGHT does not admit", closes, pairs);
	report("to the end of tegctl", calls, pairs);
	if (changes >= 100)
		must(sent >= 1000000, "fewer packets than a million");
	printf("%zu changes under load: %" PRIuFAST64 " packets sent, %" PRIuFAST64 " arrived, %" PRIdFAST64 " lost\n",
	       2 * pairs, sent, arrived, (int_fast64_t)(sent - arrived));
	free(opens);
	free(closes);
	free(calls);
	return sent == arrived ? 0 : 1;
}
