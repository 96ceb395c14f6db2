/*
 * Rates before, between and behind a rule that has none and lies in trees: who decides a packet is the first that does, and no rate
 * behind it is asked. With so few rates the first is asked where the program stands (docs/packet-path.md).
 */
#include <errno.h>
#include <string.h>

#include "compiler/ir/packet.h"
#include "compiler/ir/proto.h"
#include "tests/lib/limits.h"
#include "tests/lib/tap.h"
#include "tests/lib/text_plan.h"

#define BEGINS "posture P { default allow }\ninitial posture P\n"
#define RATE(name, port, count) "reflex " name " { match udp to any port " port "\n when rate per source > " count " per 1h\n do drop }\n"
/* Boxes so many that trees are worth it. */
#define PLAIN "reflex plain { match udp from 192.0.2.0/24 to any port [53, 101, 103, 105, 107, 109, 111, 113, 115, 117, 119, 121, 123, 125, " \
	      "127, 129, 131, 133, 135, 137, 139, 141, 143, 145, 147, 149, 151, 153, 155, 157, 159, 161, 163, 165, 167, 169]\n do drop }\n"

/* Six packets from 192.0.2.9 to UDP port 53. */
static const struct row {
	const char *what, *text;
	struct {
		const char *id;
		unsigned count;
	} counted[2];
} rows[] = {
	{ "one rate", BEGINS RATE("a", "53", "2") PLAIN, { { "reflex.plain", 2 }, { "reflex.a", 4 } } },
	{ "one rate behind", BEGINS PLAIN RATE("a", "53", "2"), { { "reflex.plain", 6 }, { "reflex.a", 0 } } },
	{ "rates of another port", BEGINS RATE("a", "54", "2") PLAIN RATE("b", "55", "2"), { { "reflex.plain", 6 }, { "reflex.b", 0 } } },
	{ "a rate before and one behind", BEGINS RATE("a", "53", "4") PLAIN RATE("b", "53", "1"), { { "reflex.plain", 4 }, { "reflex.b", 0 } } },
	{ "two rates before", BEGINS RATE("a", "53", "4") RATE("b", "53", "2") PLAIN, { { "reflex.plain", 2 }, { "reflex.b", 2 } } },
};

static int64_t counted(const struct xdp_run *x, const struct plan *plan, const char *id)
{
	for (uint32_t i = 0; i < plan->counter_count; i++)
		if (!strcmp(plan->counters[i].id, id))
			return (int64_t)xdp_run_counter(x, i).packets;
	return -1;
}

static void send_six(struct xdp_run *x)
{
	struct packet p = { .proto = PROTO_UDP, .hop_limit = 64, .sport = 40000, .dport = 53 };
	uint8_t frame[128];

	addr_parse("192.0.2.9", &p.src);
	addr_parse("198.51.100.1", &p.dst);
	const size_t len = frame_build(&p, "0123456789", 10, frame, sizeof frame);

	xdp_run_at(x, 1, 0, LIMITS_NOW);
	for (unsigned i = 0; i < 6; i++)
		xdp_run_frame(x, frame, len);
}

/* False where BPF is not allowed. */
static bool row(const struct row *r, enum teg_hook hook)
{
	own(compilation) struct compilation *c = compilation_new();
	own(xdp_run) struct xdp_run *x = NULL;
	struct plan plan = { 0 };
	struct err why = { 0 };
	int rc = text_plan(&plan, c, r->text, &why);

	if (!rc)
		rc = xdp_run_new_in(&x, hook, &plan, XDP_RUN_GIVEN_CLOCK, &why);
	if (rc == -EPERM)
		return false;
	if (!tap_ok(!rc && plan.config.bulk.cells && plan.box_count <= 2, "%s, and a rule in trees: %s", r->what, why.text) || rc)
		return true;
	send_six(x);
	for (size_t i = 0; i < ARRAY_LEN(r->counted); i++)
		tap_num(counted(x, &plan, r->counted[i].id), r->counted[i].count, r->counted[i].id);
	return true;
}

int main(void)
{
	const enum teg_hook hooks[] = { xdp_run_hook(), TEG_HOOK_TC };

	for (size_t h = 0; h < ARRAY_LEN(hooks); h++)
		for (size_t i = 0; i < ARRAY_LEN(rows); i++)
			if (!row(&rows[i], hooks[h])) {
				tap_skip("BPF is not allowed here", "who decides among rates and trees");
				return tap_done();
			}
	return tap_done();
}
