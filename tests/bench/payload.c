/*
 * What looking into payloads costs: ns a byte over the same frame that lies in no box of a
 * reflex, for 1, 100 and 1,000 signatures, on ordinary web traffic and on what keeps the
 * automaton busy at every byte; also what building, proving and loading take.
 *
 *     tests/bench/payload
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>

#include "compiler/audit/audit.h"
#include "compiler/emit/emit.h"
#include "compiler/ir/packet.h"
#include "compiler/ir/proto.h"
#include "tests/lib/gen.h"
#include "tests/lib/xdp_run.h"

#define PAYLOAD 1400
#define ROUNDS	9
#define REPEAT	20000

static const struct gen_shape shape = { .zones = 1, .postures = 1, .rules = 1 };

static const char web[] =
	"GET /static/js/app.3f9a1c.js?v=20240611&lang=en HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: Mozilla/5.0 (X11; Linux "
	"x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0 Safari/537.36\r\nAccept: text/html,application/xhtml+xml,"
	"application/xml;q=0.9,image/avif,*/*;q=0.8\r\nAccept-Language: en-GB,en;q=0.7\r\nAccept-Encoding: gzip, deflate, br\r\n"
	"Referer: https://www.example.org/products/list?page=3&sort=price\r\nCookie: session=8f14e45fceea167a5a36dedd4bea2543; "
	"theme=dark; consent=yes\r\nConnection: keep-alive\r\n\r\n<html><head><title>Our products, in order of price</title></head>"
	"<body><p>There are many of these, and each has a page of its own.</p></body></html>";

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Paths, calls and agents as signature sets have them: a known beginning, and a part of its own. */
static const char *signature(struct gen *g, struct arena *a, unsigned i)
{
	static const char *const begins[] = { "/wp-content/plugins/", "/cgi-bin/", "cmd=", "eval\\(", "User-Agent: ", "\\.\\./", "select ",
					      "<script>", "\\x90\\x90", "/admin/", "jndi:", "X-Api: " };
	char own_part[9] = { 0 };

	for (int k = 0; k < 8; k++)
		own_part[k] = (char)('a' + gen_below(g, 26));
	return arena_printf(a, "%s%s%u", begins[i % (sizeof begins / sizeof *begins)], own_part, i);
}

static void ask(struct ir *ir, struct gen *g, struct arena *a, unsigned count)
{
	struct ranges all = ranges_of(a, 0, UINT16_MAX);
	struct ir_box box = { .zones = UINT64_MAX, .families = 3, .fragments = 3, .proto = PROTO_TCP, .src = { .any = true },
			      .dst = { .any = true }, .sport = all, .dport = ranges_of(a, 80, 80), .icmp = all };

	ir->lifelines.count = ir->blocks.count = ir->watches.count = 0;
	ir->reflexes = (struct ir_list){ arena_zero(a, count * sizeof(struct ir_rule)), count };
	for (unsigned i = 0; i < count; i++) {
		struct pol_payload *p = arena_zero(a, sizeof *p);
		struct pattern_fault why;
		const char *id = arena_printf(a, "reflex.s%u", i);

		*p = (struct pol_payload){ .expression = signature(g, a, i), .flags = i % 4 ? 0 : PATTERN_ICASE, .within = PAYLOAD_MOST };
		if (pattern_compile(&p->pattern, a, p->expression, p->flags, &why))
			abort();
		ir->reflexes.rules[i] = (struct ir_rule){ .id = id, .label = id, .layer = LAYER_REFLEX, .verdict = VERDICT_DROP,
							  .payload = p, .boxes = arena_copy(a, &box, sizeof box), .box_count = 1,
							  .effects.one_in = 1 };
	}
}

static double run_ns(const struct xdp_run *x, const void *frame, size_t len)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = (uint32_t)len, .repeat = REPEAT);
	double least = 1e9;

	for (int i = 0; i < ROUNDS; i++) {
		if (bpf_prog_test_run_opts(xdp_run_program(x), &run))
			abort();
		least = run.duration < least ? run.duration : least;
	}
	return least;
}

static double ns_a_byte(const struct xdp_run *x, const char *text, size_t text_len)
{
	static uint8_t frame[2048], payload[PAYLOAD];
	struct packet p = { .family = FAMILY_IP4, .proto = PROTO_TCP, .fragment = 1, .hop_limit = 64, .sport = 40000, .dport = 80,
			    .flags = 0x10, .src = { FAMILY_IP4, 0xc6336401 }, .dst = { FAMILY_IP4, 0xc0000201 } };

	for (size_t i = 0; i < PAYLOAD; i++)
		payload[i] = (uint8_t)text[i % text_len];
	size_t len = frame_build(&p, payload, PAYLOAD, frame, sizeof frame);
	double in = run_ns(x, frame, len);
	p.dport = 81;
	len = frame_build(&p, payload, PAYLOAD, frame, sizeof frame);
	return (in - run_ns(x, frame, len)) / PAYLOAD;
}

static void measure(unsigned count)
{
	own(arena) struct arena *a = arena_new();
	own(xdp_run) struct xdp_run *x = NULL;
	struct gen g = gen_new(5);
	struct ir *ir = ir_lower(gen_policy(&g, a, &shape), a);
	struct err why = { 0 };
	struct plan plan;

	ask(ir, &g, a, count);
	const double began = now_ms();
	emit_plan(&plan, ir, a);
	if (emit_xdp(&plan, ir, a, &why))
		goto out;
	const double built = now_ms();
	if (audit_payload(ir, &plan, &why))
		goto out;
	const double proved = now_ms();
	if (xdp_run_new(&x, &plan, XDP_RUN_REAL_CLOCK, &why))
		goto out;
	const double loaded = now_ms();
	xdp_run_at(x, 1, 0, 0);
	const double ordinary = ns_a_byte(x, web, sizeof web - 1);
	const double busy = ns_a_byte(x, "/wp-content/plugins/cmd=eval(jndi:/admin/cgi-bin/", 49);
	printf("%5u signatures: %.2f ns a byte of web traffic, %.2f of their beginnings; %u automata, %u KB of steps; built in %.0f ms, proved "
	       "in %.0f ms, loaded in %.0f ms\n", count, ordinary, busy, plan.config.payload.automata, plan.config.payload.steps / 256,
	       built - began, proved - built, loaded - proved);
	return;
out:
	printf("%5u signatures: %s\n", count, why.text);
}

int main(void)
{
	measure(1);
	measure(100);
	measure(1000);
	return 0;
}
