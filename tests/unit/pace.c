/* How fast an address may ask: so many a second, twice that at once, guesses dear, and one address not for another. */
#include <arpa/inet.h>
#include <string.h>

#include "enforcer/api/http/pace.h"
#include "tests/lib/tap.h"

#define SECOND UINT64_C(1000000000)
#define START  (UINT64_C(1000) * SECOND)

union from {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static union from address(const char *text)
{
	union from f = { 0 };

	if (inet_pton(AF_INET, text, &f.in.sin_addr) == 1)
		f.any.sa_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &f.in6.sin6_addr) == 1)
		f.any.sa_family = AF_INET6;
	return f;
}

/* How many of n requests at one moment pass. */
static unsigned burst(struct pace *p, const char *from, unsigned n, uint64_t at_ns)
{
	const union from f = address(from);
	unsigned passed = 0;

	for (unsigned i = 0; i < n; i++)
		passed += pace_take(p, &f.any, PACE_REQUEST, at_ns);
	return passed;
}

static void an_address_has_a_bucket(void)
{
	own(pace) struct pace *p = pace_new(100);

	tap_num(burst(p, "192.0.2.1", 1000, START), 200, "two seconds' worth at once");
	tap_num(burst(p, "192.0.2.1", 1000, START + SECOND / 2), 50, "half a second later, half of what a second gives");
	tap_num(burst(p, "192.0.2.2", 1000, START + SECOND / 2), 200, "another address has its own");
	tap_num(burst(p, "::ffff:192.0.2.2", 10, START + SECOND / 2), 0, "which it is in either writing");
	tap_num(burst(p, "2001:db8::1", 1000, START), 200, "an IPv6 address");
	tap_num(burst(p, "2001:db8::ffff:1", 1000, START), 0, "has the same as its /64");
	tap_num(burst(p, "2001:db8:0:1::1", 1000, START), 200, "and not as the next");
	tap_num(burst(p, "192.0.2.1", 1000, START + 1000 * SECOND), 200, "after a long time, no more than two seconds' worth");
	tap_num(burst(p, "192.0.2.1", 10, START), 0, "time that goes back gives nothing");
}

static void guesses_are_dear(void)
{
	own(pace) struct pace *p = pace_new(100);
	const union from f = address("192.0.2.1");
	unsigned guesses = 0;

	while (pace_take(p, &f.any, PACE_REQUEST, START)) {
		pace_fine(p, &f.any, PACE_GUESS, START);
		guesses++;
	}
	tap_num(guesses, 4, "four guesses take what two hundred requests do");
	tap_num(burst(p, "192.0.2.1", 200, START + SECOND), 96, "what they took beyond that is owed");
	for (unsigned i = 0; i < 100; i++)
		pace_fine(p, &f.any, PACE_GUESS, START + SECOND);
	tap_num(burst(p, "192.0.2.1", 200, START + 3 * SECOND), 0, "but two seconds' worth at most");
	tap_num(burst(p, "192.0.2.1", 200, START + 4 * SECOND), 100, "and after these it goes on");
}

static void many_addresses_have_room(void)
{
	own(pace) struct pace *p = pace_new(100);
	unsigned full = 0;

	for (unsigned i = 0; i < 5000; i++) {
		union from f = { .in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000000 + i) } };
		full += pace_take(p, &f.any, 200, START + i);
	}
	tap_num(full, 5000, "five thousand addresses, each with a full bucket");
	const union from last = address("10.0.19.135");
	tap_ok(!pace_take(p, &last.any, 1, START + 5000), "the last of them has used it up");
}

static void no_limit_is_none(void)
{
	own(pace) struct pace *p = pace_new(0);

	tap_num(burst(p, "192.0.2.1", 100000, START), 100000, "a rate of 0 lets all pass");
}

int main(void)
{
	an_address_has_a_bucket();
	guesses_are_dear();
	many_addresses_have_room();
	no_limit_is_none();
	return tap_done();
}
