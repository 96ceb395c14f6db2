/*
 * What looking into payloads costs: ns a byte over the same frame that lies in no box of a
 * reflex; and what building, proving and loading take.
 *
 *     tests/bench/payload                           signatures of its own: 1, 100 and 1,000 of two kinds
 *     tests/bench/payload TEXT COUNT WORDS...       COUNT of the words in files, a line each, on a text of one's own
 *
 * Signatures are words behind a dozen common beginnings, or drawn, so that none begins as another does.
 * Texts are a request and a page; a script; bytes that say nothing, as of TLS or of what is compressed; and what
 * costs most: nothing but beginnings, and signatures that each lack their last byte.
 * Behind each time stands how many groups of eight bytes, of a hundred, the automaton reads.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>

#include "compiler/audit/audit.h"
#include "compiler/emit/emit.h"
#include "compiler/ir/packet.h"
#include "compiler/ir/proto.h"
#include "lang/base/file.h"
#include "tests/lib/gen.h"
#include "tests/lib/xdp_run.h"

#define PAYLOAD 1400
#define FRAMES	8 /* of a text, taken evenly from it */
#define ROUNDS	9
#define REPEAT	1000
#define WORD_MIN 4

static const struct gen_shape shape = { .zones = 1, .postures = 1, .rules = 1 };

static const char web[] =
	"GET /static/js/app.3f9a1c.js?v=20240611&lang=en HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: Mozilla/5.0 (X11; Linux "
	"x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0 Safari/537.36\r\nAccept: text/html,application/xhtml+xml,"
	"application/xml;q=0.9,image/avif,*/*;q=0.8\r\nAccept-Language: en-GB,en;q=0.7\r\nAccept-Encoding: gzip, deflate, br\r\n"
	"Referer: https://www.example.org/products/list?page=3&sort=price\r\nCookie: session=8f14e45fceea167a5a36dedd4bea2543; "
	"theme=dark; consent=yes\r\nConnection: keep-alive\r\n\r\n<html><head><title>Our products, in order of price</title></head>"
	"<body><p>There are many of these, and each has a page of its own.</p></body></html>";
static const char beginnings[] = "/wp-content/plugins/cmd=eval(jndi:/admin/cgi-bin/";

struct text {
	const char *name;
	const uint8_t *at;
	size_t len;
};

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static struct text of_file(struct arena *a, const char *name, const char *path)
{
	own(buf) struct buf b = { 0 };
	struct err why = { 0 };

	if (file_read(&b, path, 16 << 20, &why) || !b.len) {
		fprintf(stderr, "%s\n", b.len ? why.text : "an empty file");
		exit(1);
	}
	char *text = arena_zero(a, b.len + 1);
	memcpy(text, b.at, b.len);
	return (struct text){ name, (uint8_t *)text, b.len };
}

/* --- signatures --------------------------------------------------------------------------- */

struct signature {
	const char *expression;
	unsigned flags;
};

/* Paths, calls and agents as signature sets have them: a known beginning, and a part of its own. */
static void begun(struct signature *out, struct gen *g, struct arena *a, unsigned count)
{
	static const char *const begins[] = { "/wp-content/plugins/", "/cgi-bin/", "cmd=", "eval\\(", "User-Agent: ", "\\.\\./", "select ",
					      "<script>", "\\x90\\x90", "/admin/", "jndi:", "X-Api: " };

	for (unsigned i = 0; i < count; i++) {
		char own_part[9] = { 0 };

		for (int k = 0; k < 8; k++)
			own_part[k] = (char)('a' + gen_below(g, 26));
		out[i] = (struct signature){ arena_printf(a, "%s%s%u", begins[i % (sizeof begins / sizeof *begins)], own_part, i),
					     i % 4 ? 0 : PATTERN_ICASE };
	}
}

static void drawn(struct signature *out, struct gen *g, struct arena *a, unsigned count)
{
	static const char signs[] = "abcdefghijklmnopqrstuvwxyz0123456789/-_=";

	for (unsigned i = 0; i < count; i++) {
		const unsigned len = 8 + gen_below(g, 13);
		char *word = arena_zero(a, len + 1);

		for (unsigned k = 0; k < len; k++)
			word[k] = signs[gen_below(g, sizeof signs - 1)];
		out[i] = (struct signature){ word, i % 4 ? 0 : PATTERN_ICASE };
	}
}

/* Words of files, of WORD_MIN bytes or more, evenly from all of them, in either case. */
static unsigned of_files(struct signature *out, struct arena *a, unsigned count, char **files)
{
	VEC(const char *) all = { 0 };

	for (; *files; files++) {
		const struct text t = of_file(a, "words", *files);

		for (char *line = strtok((char *)t.at, "\n"); line; line = strtok(NULL, "\n")) {
			char *word = arena_zero(a, 4 * strlen(line) + 1), *to = word;

			if (*line == '#' || strlen(line) < WORD_MIN || strlen(line) > 200)
				continue;
			for (const char *c = line; *c; c++)
				to += sprintf(to, "\\x%02x", (unsigned char)*c);
			vec_push(a, &all, word);
		}
	}
	if (count > all.len)
		count = (unsigned)all.len;
	for (unsigned i = 0; i < count; i++)
		out[i] = (struct signature){ all.at[i * all.len / count], PATTERN_ICASE };
	return count;
}

static void ask(struct ir *ir, struct arena *a, const struct signature *s, unsigned count)
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

		*p = (struct pol_payload){ .expression = s[i].expression, .flags = s[i].flags, .within = PAYLOAD_MOST };
		if (pattern_compile(&p->pattern, a, p->expression, p->flags, &why))
			abort();
		ir->reflexes.rules[i] = (struct ir_rule){ .id = id, .label = id, .layer = LAYER_REFLEX, .verdict = VERDICT_DROP,
							  .payload = p, .boxes = arena_copy(a, &box, sizeof box), .box_count = 1,
							  .effects.one_in = 1 };
	}
}

/* --- texts ---------------------------------------------------------------------------------- */

/* The payload of a text's nth frame. */
static void payload_of(const struct text *t, unsigned nth, uint8_t payload[static PAYLOAD])
{
	for (size_t i = 0; i < PAYLOAD; i++)
		payload[i] = t->at[(nth * (t->len / FRAMES) + i) % t->len];
}

static struct text noise(struct gen *g, struct arena *a)
{
	uint8_t *at = arena_zero(a, (size_t)FRAMES * PAYLOAD);

	for (size_t i = 0; i < (size_t)FRAMES * PAYLOAD; i++)
		at[i] = (uint8_t)gen_below(g, 256);
	return (struct text){ "noise", at, (size_t)FRAMES * PAYLOAD };
}

/* How many bytes each state is from the idle one, at least; by place. */
static uint32_t *distances(struct arena *a, const struct plan *p)
{
	const struct teg_automaton *t = &p->payload.automata[0];
	uint32_t *far = arena_zero(a, p->config.payload.steps * sizeof *far);
	VEC(uint32_t) met = { 0 };

	vec_push(a, &met, t->idle);
	for (size_t i = 0; i < met.len; i++)
		for (uint32_t c = 0; c < t->classes; c++) {
			const uint32_t to = p->payload.steps[met.at[i] + c];

			if (to != t->idle && !far[to]) {
				far[to] = far[met.at[i]] + 1;
				vec_push(a, &met, to);
			}
		}
	return far;
}

/* Signatures drawn, each but its last byte: from each state to one that is further from the idle one, as long as nothing is found. */
static struct text nearly(struct gen *g, struct arena *a, const struct plan *p)
{
	const struct teg_automaton *t = &p->payload.automata[0];
	const size_t len = (size_t)FRAMES * PAYLOAD;
	const uint32_t *far = distances(a, p);
	uint8_t *at = arena_zero(a, len);
	uint32_t is = t->idle;

	for (size_t i = 0; i < len; i++) {
		const unsigned first = gen_below(g, 256);
		uint32_t to = t->idle;

		for (unsigned b = 0; b < 512; b++) {
			at[i] = (uint8_t)(first + b);
			to = p->payload.steps[is + t->class_of[at[i]]];
			if (to < t->first_hit && (b >= 256 || far[to] > far[is]))
				break;
		}
		is = to;
	}
	return (struct text){ "nearly", at, len };
}

static bool in_map(const struct teg_automaton *t, const uint8_t *at)
{
	uint64_t word, bits;

	memcpy(&word, at, sizeof word);
	const uint64_t window = teg_window(word, t->shifts[word & 0xffff]);
	memcpy(&bits, t->windows + teg_window_word(window), sizeof bits);
	return bits >> teg_window_bit(window) & 1;
}

/* As payload_group() of the program: behind which byte no match begins any more. */
static unsigned begins(const struct plan *p, const struct teg_automaton *t, const uint8_t *at, bool idle)
{
	for (int i = 6; i >= 0; i -= 2) {
		const bool two = p->config.payload.stride == 2, odd = in_map(t, at + (two ? i + 1 : i | 3));

		if (odd && (!idle || in_map(t, at + i + 2) || (two && in_map(t, at + i))))
			return (unsigned)i + 2;
	}
	return 0;
}

/* Of a hundred groups, those that the automata read. */
static double read_of_hundred(const struct plan *p, const struct text *text)
{
	unsigned groups = 0, read = 0;

	for (unsigned n = 0; n < FRAMES * p->config.payload.automata; n++) {
		const struct teg_automaton *t = &p->payload.automata[n / FRAMES];
		uint8_t payload[PAYLOAD];
		uint32_t is = t->start;

		payload_of(text, n % FRAMES, payload);
		for (size_t i = 0; i + 16 <= PAYLOAD; i += 8, groups++) {
			const unsigned begun = begins(p, t, payload + i, is == t->idle);

			if (is == t->idle && !begun)
				continue;
			read++;
			for (unsigned k = 0; k < 8; k++)
				is = p->payload.steps[is + t->class_of[payload[i + k]]];
			if (begun + p->payload.steps[is + t->classes + TEG_STEP_AGE] <= 8)
				is = t->idle;
		}
	}
	return 100. * read / groups;
}

static void run_least(const struct xdp_run *x, const uint8_t *frame, size_t len, double *least)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = (uint32_t)len, .repeat = REPEAT);

	if (bpf_prog_test_run_opts(xdp_run_program(x), &run))
		abort();
	if (!*least || run.duration < *least)
		*least = run.duration;
}

static double ns_a_byte(const struct xdp_run *x, const struct text *t)
{
	struct packet p = { .family = FAMILY_IP4, .proto = PROTO_TCP, .fragment = 1, .hop_limit = 64, .sport = 40000,
			    .flags = 0x10, .src = { FAMILY_IP4, 0xc6336401 }, .dst = { FAMILY_IP4, 0xc0000201 } };
	double sum = 0;

	for (unsigned n = 0; n < FRAMES; n++) {
		uint8_t payload[PAYLOAD], in[2048], beside[2048];
		double in_ns = 0, beside_ns = 0;

		payload_of(t, n, payload);
		p.dport = 80;
		const size_t len = frame_build(&p, payload, PAYLOAD, in, sizeof in);
		p.dport = 81;
		frame_build(&p, payload, PAYLOAD, beside, sizeof beside);
		for (int i = 0; i < ROUNDS; i++) {
			run_least(x, in, len, &in_ns);
			run_least(x, beside, len, &beside_ns);
		}
		sum += in_ns - beside_ns;
	}
	return sum / FRAMES / PAYLOAD;
}

/* --- measuring ---------------------------------------------------------------------------------- */

static void measure(const char *kind, const struct signature *s, unsigned count, const struct text *texts, unsigned text_count)
{
	own(arena) struct arena *a = arena_new();
	own(xdp_run) struct xdp_run *x = NULL;
	struct gen g = gen_new(5);
	struct ir *ir = ir_lower(gen_policy(&g, a, &shape), a);
	struct err why = { 0 };
	struct plan plan;

	ask(ir, a, s, count);
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
	printf("%5u %s:", count, kind);
	for (unsigned i = 0; i <= text_count; i++) {
		const struct text t = i < text_count ? texts[i] : nearly(&g, a, &plan);

		printf(" %s %.2f (%.1f),", t.name, ns_a_byte(x, &t), read_of_hundred(&plan, &t));
		fflush(stdout);
	}
	printf(" stride %u, %u automata, %u KB of steps; built in %.0f ms, proved in %.0f ms, loaded in %.0f ms\n", plan.config.payload.stride,
	       plan.config.payload.automata, plan.config.payload.steps / 256, built - began, proved - built, loaded - proved);
	return;
out:
	printf("%5u %s: %s\n", count, kind, why.text);
}

int main(int argc, char **argv)
{
	static const unsigned counts[] = { 1, 100, 1000 };
	own(arena) struct arena *a = arena_new();
	struct gen g = gen_new(5);

	printf("ns a byte (groups of a hundred that an automaton reads)\n");
	if (argc > 3) {
		const struct text text = of_file(a, "text", argv[1]);
		unsigned count = (unsigned)strtoul(argv[2], NULL, 0);
		struct signature *s = arena_zero(a, count * sizeof *s);

		count = of_files(s, a, count, argv + 3);
		measure("words", s, count, &text, 1);
		return 0;
	}
	const struct text texts[] = {
		{ "web", (const uint8_t *)web, sizeof web - 1 }, of_file(a, "script", "enforcer/api/console/console.js"), noise(&g, a),
		{ "beginnings", (const uint8_t *)beginnings, sizeof beginnings - 1 },
	};
	for (unsigned i = 0; i < sizeof counts / sizeof *counts; i++) {
		struct signature *s = arena_zero(a, counts[i] * sizeof *s);

		begun(s, &g, a, counts[i]);
		measure("begun", s, counts[i], texts, 4);
		drawn(s, &g, a, counts[i]);
		measure("drawn", s, counts[i], texts, 4);
	}
	return 0;
}
