/*
 * Whatever clients send, the api answers with what it defines or closes: thousands of broken,
 * oversize, unauthorised, half-sent and slow requests later it is as it was.
 *
 * TEG_SEED and TEG_ROUNDS choose other and more requests.
 */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "enforcer/api/link.h"
#include "lang/base/clock.h"
#include "tests/lib/api_stage.h"
#include "tests/lib/tap.h"

#define STATUS_END 600

static uint64_t random_state;

/* xorshift64*, so that a seed says it all. */
static uint64_t next_random(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1d;
}

static size_t below(size_t n)
{
	return n ? next_random() % n : 0;
}

static uint64_t setting(const char *name, uint64_t fallback)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : fallback;
}

/* ---- broken requests ------------------------------------------------------------------------ */

static const char *const seeds[] = {
	"GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n",
	"GET /api/tegumentar/status HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer " STAGE_TOKEN "\r\n\r\n",
	"GET /metrics HTTP/1.0\r\nAuthorization: Bearer " STAGE_TOKEN "\r\n\r\n",
	"HEAD /api/tegumentar/qualia HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer x\r\n\r\n",
	"POST /api/tegumentar/posture HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
	"Content-Length: 41\r\n\r\n{\"posture\":\"LOCKDOWN\",\"reason\":\"a\\u00e9\"}",
	"POST /api/tegumentar/posture HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
	"Authorization: Bearer " STAGE_TOKEN "\r\nContent-Length: 22\r\nExpect: 100-continue\r\n\r\n{\"posture\":\"BALANCED\"}",
	"POST /api/tegumentar/policy HTTP/1.1\r\nHost: t\r\nIf-Match: *\r\nContent-Type: application/octet-stream\r\n"
	"Authorization: Bearer " STAGE_TOKEN "\r\nContent-Length: 12\r\n\r\nno bundle...",
	"POST /api/tegumentar/policy HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n",
	"POST /api/tegumentar/plan HTTP/1.1\r\nHost: t\r\nContent-Type: application/octet-stream\r\n"
	"Authorization: Bearer " STAGE_TOKEN "\r\nContent-Length: 12\r\n\r\nno bundle...",
	"POST /api/tegumentar/blocks HTTP/1.1\r\nHost: t\r\nIf-Match: \"3-ab\"\r\nContent-Type: application/json\r\n"
	"Content-Length: 62\r\n\r\n{\"sources\":[\"198.51.100.7\",\"2001:db8::1\"],\"duration_minutes\":1}",
	"POST /api/tegumentar/rollback HTTP/1.1\r\nHost: t\r\nIf-Match: *\r\nContent-Type: application/json\r\n"
	"Authorization: Bearer " STAGE_OPERATOR "\r\nContent-Length: 16\r\n\r\n{\"generation\":1}",
	"POST /api/tegumentar/confirm HTTP/1.1\r\nHost: t\r\nIf-Match: *\r\nContent-Length: 0\r\n\r\n",
	"GET /api/tegumentar/audit HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer " STAGE_VIEWER "\r\n\r\n",
	"GET /openapi.json HTTP/1.1\r\nHost: t\r\n\r\nGET /console.js HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n",
	"GET /readyz HTTP/1.1\r\nHost: t\r\n\r\nGET /health HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n",
};

static const char *const scraps[] = {
	"\r\n", "\r\n\r\n", "\n", "\0", ":", " ", "%00", "%", "?", "a=b", "\xff", "{", "}", "[[[[[[[[[[", "\"", "\\u0000",
	"Content-Length: 0\r\n", "Content-Length: 18446744073709551616\r\n", "Content-Length: -1\r\n",
	"Transfer-Encoding: chunked\r\n", "Expect: 100-continue\r\n", "Authorization: Bearer\r\n", "Connection: close\r\n",
	"HTTP/1.1", "HTTP/9.9", "Host: u\r\n", "GET ", "\"posture\":", "99999999999999999999",
};

static void break_it(struct buf *request)
{
	for (size_t n = 1 + below(4); n; n--) {
		const char *scrap = scraps[below(ARRAY_LEN(scraps))];
		const size_t at = below(request->len), len = *scrap ? strlen(scrap) : 1;
		own(buf) struct buf rest = { 0 };

		switch (below(5)) {
		case 0: /* a byte is another */
			if (request->len)
				request->at[at] = (char)next_random();
			break;
		case 1: /* it ends early */
			request->len = at;
			break;
		case 2: /* something stands between */
			buf_add(&rest, request->at + at, request->len - at);
			request->len = at;
			buf_add(request, scrap, len);
			buf_add(request, buf_text(&rest), rest.len);
			break;
		case 3: /* a part stands twice */
			buf_add(&rest, request->at + at, request->len - at);
			buf_add(request, buf_text(&rest), rest.len);
			break;
		case 4: /* a lot of one thing */
			for (size_t i = below(2000); i; i--)
				buf_add(request, scrap, len);
			break;
		}
	}
}

/* Send, say that nothing more comes, read to the end. */
static int send_broken(const struct api_stage *s, const struct buf *request)
{
	own(buf) struct buf answer = { 0 };
	int fd = api_stage_connect(s, below(2) ? DOOR_UNIX : DOOR_TCP);

	for (size_t at = 0; at < request->len;) {
		ssize_t sent = send(fd, request->at + at, request->len - at, MSG_NOSIGNAL);
		if (sent <= 0)
			break;
		at += (size_t)sent;
	}
	if (below(8))
		shutdown(fd, SHUT_WR);
	else
		return close(fd); /* or do not even wait for the answer */
	return http_ask(&answer, fd, "", 0);
}

static bool is_defined(int status)
{
	return status == 0 || status == 200 || (status >= 400 && status < 500) || status == 501 || status == 503 ||
	       status == 505;
}

static void broken_requests_are_answered(const struct api_stage *s, unsigned rounds)
{
	unsigned count[STATUS_END] = { 0 }, undefined = 0;
	own(buf) struct buf said = { 0 };

	for (unsigned i = 0; i < rounds; i++) {
		own(buf) struct buf request = { 0 };

		buf_puts(&request, seeds[below(ARRAY_LEN(seeds))]);
		break_it(&request);
		int status = send_broken(s, &request);
		if (!is_defined(status) && !undefined++)
			tap_note("got %d for: %.400s", status, buf_text(&request));
		if (status >= 0 && status < STATUS_END)
			count[status]++;
	}
	for (unsigned i = 0; i < STATUS_END; i++)
		if (count[i])
			buf_printf(&said, " %u:%u", i, count[i]);
	tap_num(undefined, 0, "broken requests get defined answers");
	tap_note("status:count%s", buf_text(&said));
	tap_ok(count[200] && count[400] && count[401] && count[404], "of many kinds");
}

/* ---- too much ----------------------------------------------------------------------------------- */

static void large_heads_are_refused(const struct api_stage *s)
{
	static const struct { const char *before, *after; int status; } heads[] = {
		{ "GET /healthz HTTP/1.1\r\nHost: t\r\nX: ", "\r\n\r\n", 431 },
		{ "GET /", " HTTP/1.1\r\nHost: t\r\n\r\n", 414 },
	};

	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		own(buf) struct buf request = { 0 }, answer = { 0 };

		buf_puts(&request, heads[i].before);
		for (size_t n = 0; n < 200000; n++)
			buf_putc(&request, 'a');
		buf_puts(&request, heads[i].after);
		int status = http_ask(&answer, api_stage_connect(s, DOOR_UNIX), request.at, request.len);
		tap_ok(status == heads[i].status || status == 0, "a head of 200 kB: %d, or cut off (%d)", heads[i].status,
		       status);
	}
}

/* ---- slow ones -------------------------------------------------------------------------------------- */

#define SLOW 40

static bool is_closed(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char byte;

	return poll(&p, 1, 0) > 0 && recv(fd, &byte, 1, MSG_DONTWAIT) <= 0;
}

static unsigned count_closed(const int *fds, size_t n)
{
	unsigned closed = 0;

	for (size_t i = 0; i < n; i++)
		closed += is_closed(fds[i]);
	return closed;
}

/* Half say nothing, half send a byte a second: a limit on silence alone would keep those for ever. */
static void slow_ones_are_cut_off(const struct api_stage *s)
{
	static const char head[] = "GET /healthz HTTP/1.1\r\nHost: t\r\nX-Slow: ";
	int fds[SLOW];
	double worst = 0;
	unsigned alive = 0, second;

	for (size_t i = 0; i < SLOW; i++)
		fds[i] = api_stage_connect(s, i % 4 < 2 ? DOOR_UNIX : DOOR_TCP);
	for (size_t i = 0; i < SLOW; i += 2)
		(void)!send(fds[i], head, sizeof head - 1, MSG_NOSIGNAL);
	for (second = 0; second < 30 && count_closed(fds, SLOW) < SLOW; second++) {
		own(buf) struct buf answer = { 0 };
		uint64_t from = clock_ns(CLOCK_MONOTONIC);

		for (size_t i = 0; i < SLOW; i += 2)
			(void)!send(fds[i], "a", 1, MSG_NOSIGNAL);
		alive += http_ask_text(&answer, api_stage_connect(s, DOOR_UNIX),
				       "GET /healthz HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n") == 200;
		double took = (double)(clock_ns(CLOCK_MONOTONIC) - from) / 1e9;
		worst = took > worst ? took : worst;
		sleep(1);
	}
	tap_num(count_closed(fds, SLOW), SLOW, "slow clients are cut off, even those who send a byte now and then");
	tap_ok(second >= 10 && second <= 25, "after %u s", second);
	tap_num(alive, second, "meanwhile others are served");
	tap_ok(worst < 0.5, "at once (%.3f s at most)", worst);
	for (size_t i = 0; i < SLOW; i++)
		close(fds[i]);
}

/* More than a door admits; whoever waits outside is served when those inside are cut off. */
static void a_full_door_empties(const struct api_stage *s)
{
	own(buf) struct buf answer = { 0 };
	int fds[300];

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = api_stage_connect(s, DOOR_TCP);
	tap_num(http_ask_text(&answer, api_stage_connect(s, DOOR_UNIX),
			      "GET /healthz HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"), 200,
		"a full TCP door leaves the Unix door open");
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	int status = 0;
	for (int i = 0; i < 100 && status != 200; i++) { /* the api must notice their ends first */
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
		status = http_ask_text(&answer, api_stage_connect(s, DOOR_TCP),
				       "GET /healthz HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
	}
	tap_num(status, 200, "and is open again when they are gone");
}

static void same_memory(size_t before_kib, size_t after_kib)
{
#ifdef __SANITIZE_ADDRESS__
	tap_note("%zu kB before, %zu kB after", before_kib, after_kib);
	tap_skip("the sanitizer keeps what is freed", "memory stays");
#else
	tap_ok(after_kib < before_kib + 4096, "memory stays: %zu kB before, %zu kB after", before_kib, after_kib);
#endif
}

/* ---- who listens and does not read ------------------------------------------------------------------------ */

#define FLOOD 6000

static bool tell(struct api_stage *s, unsigned n)
{
	own(buf) struct buf out = { 0 };
	char summary[1000];
	struct err why;

	memset(summary, 'x', sizeof summary - 1);
	summary[sizeof summary - 1] = '\0';
	event_encode(&out, &(struct event){ n, 1700000000, "posture", summary, "done", "BALANCED", 1 });
	return !message_send(s->sock, &(struct message){ MESSAGE_EVENT, 0, out.at, out.len, -1 }, &why);
}

/* How many events of a stream come until it ends. */
static unsigned hear_to_the_end(int fd)
{
	own(buf) struct buf answer = { 0 };
	unsigned n = 0;

	http_ask(&answer, fd, "", 0);
	for (const char *at = buf_text(&answer); (at = strstr(at, "event: change")); at++)
		n++;
	return n;
}

/* The stream has begun: what is told from now on is for this one too. Its bytes stay unread. */
static bool listens(int fd)
{
	char room[4096];

	for (int i = 0; i < 2000; i++) {
		const ssize_t len = recv(fd, room, sizeof room - 1, MSG_PEEK | MSG_DONTWAIT);

		room[len > 0 ? len : 0] = '\0';
		if (strstr(room, "retry: "))
			return true;
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	}
	return false;
}

static void who_does_not_read_is_cut_off(struct api_stage *s)
{
	static const char request[] = "GET /api/tegumentar/events HTTP/1.1\r\nHost: t\r\nLast-Event-ID: \r\n\r\n";
	const size_t before_kib = api_stage_rss_kib(s);
	int fds[8];
	unsigned told = 0, listening = 0;

	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = api_stage_connect(s, DOOR_UNIX);
		(void)!send(fds[i], request, sizeof request - 1, MSG_NOSIGNAL);
	}
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		listening += listens(fds[i]);
	tap_num(listening, ARRAY_LEN(fds), "some listen");
	for (unsigned i = 0; i < FLOOD; i++)
		told += tell(s, i);
	tap_num(told, FLOOD, "events by the thousand, and nobody reads");
	same_memory(before_kib + 4096, api_stage_rss_kib(s));
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		unsigned heard = hear_to_the_end(fds[i]);

		tap_ok(heard < FLOOD, "listener %zu is cut off after %u of %u", i, heard, FLOOD);
	}
}

/* ---- before and after ---------------------------------------------------------------------------------- */

/* Connections end a moment after their clients. */
static size_t settled_fds(const struct api_stage *s, size_t want)
{
	size_t n = api_stage_fds(s);

	for (int i = 0; i < 100 && n > want; i++) {
		nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
		n = api_stage_fds(s);
	}
	return n;
}

int main(void)
{
	struct api_stage *s = api_stage_new();
	const unsigned rounds = (unsigned)setting("TEG_ROUNDS", 6000);

	signal(SIGPIPE, SIG_IGN);
	random_state = setting("TEG_SEED", 1) * 0x9e3779b97f4a7c15 | 1;
	s->play.result.code = RESULT_REFUSED;
	broken_requests_are_answered(s, 100); /* it has begun, and its buffers have grown */
	const size_t fds = settled_fds(s, 0), rss = api_stage_rss_kib(s);
	broken_requests_are_answered(s, rounds);
	large_heads_are_refused(s);
	slow_ones_are_cut_off(s);
	a_full_door_empties(s);
	who_does_not_read_is_cut_off(s);
	tap_num(settled_fds(s, fds), fds, "no descriptor is left behind");
	same_memory(rss, api_stage_rss_kib(s));
	tap_num(api_stage_end(s), 0, "the api ends well, and leaks nothing");
	return tap_done();
}
