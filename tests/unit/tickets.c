/* A plan may be applied once, soon, and only with the bundle that was planned. */
#include <sodium.h>
#include <string.h>

#include "enforcer/api/tickets.h"
#include "tests/lib/tap.h"

#define SECOND UINT64_C(1000000000)
#define NOW    (1000 * SECOND)

int main(void)
{
	own(tickets) struct tickets *t = tickets_new();
	const struct digest one = digest_of("one", 3), two = digest_of("two", 3);
	char token[TICKET_TEXT], more[TICKET_TEXT], other[TICKET_TEXT], base[BASE_TAG_ROOM] = "";

	if (sodium_init() < 0)
		return 1;
	ticket_issue(t, &one, "3-5e884898da280471", NOW, token);
	tap_num(strlen(token), 32, "a plan has a token");
	tap_ok(strspn(token, "0123456789abcdef") == 32, "of hexadecimal digits");
	tap_ok(!ticket_use(t, token, &two, NOW, base) && !*base, "with another bundle it does not hold");
	tap_ok(!ticket_use(t, "", &one, NOW, base), "nor without a token");
	tap_ok(!ticket_use(t, "00000000000000000000000000000000", &one, NOW, base), "nor with another");
	tap_ok(ticket_use(t, token, &one, NOW + TICKET_SECONDS * SECOND - 1, base), "with its bundle it holds, until the end");
	tap_text(base, "3-5e884898da280471", "and says on which base");
	tap_ok(!ticket_use(t, token, &one, NOW, base), "and only once");
	ticket_issue(t, &one, "0", NOW, token);
	tap_ok(!ticket_use(t, token, &one, NOW + TICKET_SECONDS * SECOND, base), "after its time it does not");
	ticket_issue(t, &one, "0", NOW, token);
	ticket_issue(t, &one, "0", NOW, other);
	tap_ok(strcmp(token, other) != 0, "no two are the same");
	for (int i = 0; i < TICKETS_KEPT - 1; i++)
		ticket_issue(t, &two, "1", NOW, more);
	tap_ok(!ticket_use(t, token, &one, NOW, base), "the oldest makes room");
	tap_ok(ticket_use(t, other, &one, NOW, base), "the others hold");
	return tap_done();
}
