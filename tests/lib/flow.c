#include "tests/lib/flow.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SPIN_NS	   60000u /* a wait that sleeping would overshoot */
#define PATIENCE_US 100000
#define LATE_MS	    5000u

static const uint16_t number_of[FLOW_PORTS] = { 9999, 9998, 9997 };

struct arrivals {
	atomic_uint_fast64_t count, first_number, first_ns, last_number, last_ns;
};

static struct flow flow;
static struct arrivals arrivals[FLOW_PORTS];
static atomic_bool sending, receiving;
static atomic_uint_fast64_t sent;
static pthread_t sender, receivers[FLOW_PORTS];

uint64_t flow_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void must(bool held, const char *what)
{
	if (held)
		return;
	fprintf(stderr, "flow: %s: %s\n", what, strerror(errno));
	exit(69);
}

static void sleep_ms(unsigned ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L }, NULL);
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

static int socket_to(uint16_t port)
{
	struct sockaddr_in from = address(flow.source, 0), to = address(flow.target, port);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	must(fd >= 0 && !bind(fd, (struct sockaddr *)&from, sizeof from), "source");
	must(!connect(fd, (struct sockaddr *)&to, sizeof to), "target");
	return fd;
}

static int socket_at(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct timeval patience = { .tv_usec = PATIENCE_US };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), room = 128 << 20;

	must(fd >= 0 && !bind(fd, (struct sockaddr *)&a, sizeof a), "receiver");
	must(!setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room), "receive buffer");
	must(!setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), "patience");
	return fd;
}

static void wait_until(uint64_t ns)
{
	for (uint64_t now = flow_now_ns(); now < ns; now = flow_now_ns())
		if (ns - now > SPIN_NS)
			nanosleep(&(struct timespec){ .tv_nsec = (long)(ns - now - SPIN_NS) }, NULL);
}

static void *send_all(void *unused)
{
	int fds[FLOW_PORTS];

	enter(flow.outside);
	for (unsigned p = 0; p < FLOW_PORTS; p++)
		fds[p] = socket_to(number_of[p]);
	uint64_t next = flow_now_ns();

	for (uint64_t number = 1; sending; number++) {
		wait_until(next);
		next += flow.pace_ns;
		for (unsigned p = 0; p < FLOW_PORTS; p++) {
			const ssize_t n = send(fds[p], &number, sizeof number, 0);

			/* Refusals of a port come back as errors of later calls: they are the point. */
			must(n == sizeof number || (p != FLOW_ALWAYS && errno == ECONNREFUSED), "send");
		}
		sent = number;
	}
	for (unsigned p = 0; p < FLOW_PORTS; p++)
		close(fds[p]);
	return unused;
}

static void *receive(void *at)
{
	struct arrivals *a = at;

	enter(flow.edge);
	const int fd = socket_at(number_of[a - arrivals]);
	uint64_t number;

	/* To the end of what has come to the socket: who had no time for it until now has not lost it. */
	for (;;) {
		if (recv(fd, &number, sizeof number, 0) != sizeof number) {
			if (!receiving)
				break;
			continue;
		}
		uint64_t now = flow_now_ns(), never = 0;

		a->count++;
		a->last_number = number;
		a->last_ns = now;
		if (atomic_compare_exchange_strong(&a->first_number, &never, number))
			a->first_ns = now;
	}
	close(fd);
	return NULL;
}

void flow_begin(const struct flow *begun)
{
	flow = *begun;
	sending = receiving = true;
	for (unsigned p = 0; p < FLOW_PORTS; p++)
		must(!pthread_create(&receivers[p], NULL, receive, &arrivals[p]), "a thread");
	sleep_ms(100);
	must(!pthread_create(&sender, NULL, send_all, NULL), "a thread");
	sleep_ms(100);
}

void flow_forget(enum flow_port port)
{
	arrivals[port].first_ns = 0;
	arrivals[port].first_number = 0;
}

struct flow_seen flow_seen(enum flow_port port)
{
	struct arrivals *a = &arrivals[port];

	return (struct flow_seen){ .first_number = a->first_number, .first_ns = a->first_ns,
				   .last_number = a->last_number, .last_ns = a->last_ns };
}

bool flow_arrives(enum flow_port port)
{
	for (unsigned ms = 0; ms < LATE_MS && !arrivals[port].first_number; ms += 10)
		sleep_ms(10);
	return arrivals[port].first_number;
}

void flow_wait(uint64_t numbers, unsigned ms)
{
	const uint64_t enough = sent + numbers;

	sleep_ms(ms);
	while (sent < enough)
		sleep_ms(1);
}

uint64_t flow_sent(void)
{
	return sent;
}

struct flow_sum flow_end(void)
{
	sending = false;
	pthread_join(sender, NULL);
	sleep_ms(200);
	for (unsigned ms = 0; ms < LATE_MS && arrivals[FLOW_ALWAYS].count < sent; ms += 10)
		sleep_ms(10);
	receiving = false;
	for (unsigned p = 0; p < FLOW_PORTS; p++)
		pthread_join(receivers[p], NULL);
	return (struct flow_sum){ .sent = sent, .arrived = arrivals[FLOW_ALWAYS].count };
}
