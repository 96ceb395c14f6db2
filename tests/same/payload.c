/*
 * What the first hook finds in payloads against eval: reflexes that nearly every packet
 * meets, so that the payload decides, with expressions that are drawn too; frames of one buffer and of several, up to the
 * longest that there are, with words of few letters and what an expression finds, where one buffer ends and the next begins.
 *
 *     tests/same/payload [SEED [POLICIES [FRAMES]]]
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <linux/bpf.h>

#include "compiler/audit/audit.h"
#include "compiler/emit/emit.h"
#include "compiler/ir/eval.h"
#include "compiler/ir/proto.h"
#include "tests/lib/gen.h"
#include "tests/lib/tap.h"
#include "tests/lib/xdp_run.h"

#define REFLEXES   60
#define LONG_MOST  65000
#define FRAME_ROOM (LONG_MOST + 200)

static const struct gen_shape few = { .zones = 1, .reflexes = 6, .postures = 2, .rules = 1, .rate_percent = 15 };
static const struct gen_shape many = { .zones = 1, .reflexes = REFLEXES, .postures = 2, .rules = 1, .rate_percent = 15 };

static const struct {
	const char *expression;
	unsigned flags;
} patterns[] = {
	{ "abca", 0 }, { "^ab", 0 }, { "cab$", 0 }, { "a+b{2}c", PATTERN_ICASE }, { "get /", PATTERN_ICASE }, { "cc.*aab", 0 },
	{ "bccb", 0 }, { "$", 0 }, { "^.{40}b", 0 }, { "\\.x", 0 }, { "abba|baab|ccacc", 0 }, { "[^a-c]{3}x", 0 },
	{ "(ab){3}c", 0 }, { "c.cac", PATTERN_DOT_ALL }, { "\\xffa", 0 }, { "union\\s+select", PATTERN_ICASE },
	{ "[a-z]{9}x", PATTERN_ICASE }, { "a.{7}b.{3}c", 0 }, { "b.{8}aa", 0 }, { "xa.*bx", 0 }, { "cba.*cba", 0 },
};

struct drawn {
	struct ir *ir;
	struct plan plan;
	struct {
		const uint8_t *at;
		size_t len;
	} words[REFLEXES]; /* what the reflexes' expressions find, of those that are drawn */
	unsigned word_count;
};

/* As the front end takes it: what is found in every payload, in none, or in none within so many bytes, it refuses. */
static bool is_taken(struct pol_payload *p, struct arena *a)
{
	struct pattern_fault why;

	return !pattern_compile(&p->pattern, a, p->expression, p->flags, &why) && !p->pattern.found[0] &&
	       pattern_shortest(&p->pattern, a) <= p->within;
}

/* Of the table, when the one that was drawn is not taken. */
static struct pol_payload *draw_payload(struct drawn *d, struct gen *g, struct arena *a)
{
	struct pol_payload *p = arena_zero(a, sizeof *p);
	const unsigned n = gen_below(g, ARRAY_LEN(patterns));
	own(buf) struct buf word = { 0 };
	struct pattern_fault why;

	*p = (struct pol_payload){ .expression = patterns[n].expression, .flags = patterns[n].flags, .within = PAYLOAD_MOST };
	if (gen_chance(g, 30))
		p->within = 1 + gen_below(g, gen_chance(g, 50) ? 64 : 6000);
	if (gen_chance(g, 40))
		return pattern_compile(&p->pattern, a, p->expression, p->flags, &why) ? NULL : p;
	p->expression = gen_pattern(g, a, &word);
	p->flags = (gen_chance(g, 30) ? PATTERN_ICASE : 0) | (gen_chance(g, 30) ? PATTERN_DOT_ALL : 0);
	if (is_taken(p, a)) {
		d->words[d->word_count].at = arena_copy(a, buf_text(&word), word.len + 1);
		d->words[d->word_count++].len = word.len;
		return p;
	}
	p->expression = patterns[n].expression, p->flags = patterns[n].flags;
	return pattern_compile(&p->pattern, a, p->expression, p->flags, &why) ? NULL : p;
}

static struct ir_box wide(struct gen *g, struct arena *a)
{
	static const uint16_t protos[] = { PROTO_TCP, PROTO_TCP, PROTO_UDP, PROTO_ANY_NUMBER };
	struct ranges all = ranges_of(a, 0, UINT16_MAX);

	return (struct ir_box){
		.zones = UINT64_MAX, .families = gen_chance(g, 80) ? 3 : 1, .fragments = FRAGMENT_WHOLE | FRAGMENT_FIRST,
		.proto = protos[gen_below(g, ARRAY_LEN(protos))], .src = { .any = true }, .dst = { .any = true },
		.sport = all, .dport = gen_chance(g, 70) ? all : ranges_of(a, 0, 80), .icmp = all,
	};
}

static int draw(struct drawn *d, struct gen *g, struct arena *a, struct err *why)
{
	d->ir = ir_lower(gen_policy(g, a, gen_chance(g, 94) ? &few : &many), a);
	d->ir->lifelines.count = d->ir->blocks.count = d->ir->watches.count = 0;
	for (size_t i = 0; i < d->ir->reflexes.count; i++) {
		struct ir_rule *r = &d->ir->reflexes.rules[i];
		const size_t boxes = 1 + gen_below(g, 2);

		r->boxes = arena_zero(a, boxes * sizeof *r->boxes);
		for (r->box_count = 0; r->box_count < boxes; r->box_count++)
			r->boxes[r->box_count] = wide(g, a);
		r->block_ns = 0;
		r->payload = draw_payload(d, g, a);
		if (!r->payload)
			return err_set(why, EPROTO, "a pattern of the test does not compile");
	}
	emit_plan(&d->plan, d->ir, a);
	return emit_xdp(&d->plan, d->ir, a, why);
}

/* What an expression finds, or nearly: anywhere, or at an end. */
static void put_word(const struct drawn *d, struct gen *g, uint8_t *payload, size_t *len)
{
	const unsigned n = gen_below(g, d->word_count ? d->word_count : 1);
	const size_t word = d->word_count ? d->words[n].len : 0;

	if (!word || word > 300)
		return;
	const size_t at = gen_chance(g, 20) ? 0 : gen_chance(g, 20) && *len > word ? *len - word : gen_below(g, (unsigned)*len + 1);
	memcpy(payload + at, d->words[n].at, word);
	if (*len < at + word)
		*len = at + word;
	if (gen_chance(g, 25))
		payload[at + gen_below(g, (unsigned)word)] ^= (uint8_t)(1u << gen_below(g, 8));
}

/* Mostly short; or long, filled with what begins no match, and a word somewhere, at the edges of buffers too. */
static size_t draw_frame(const struct drawn *d, struct gen *g, uint8_t frame[static FRAME_ROOM])
{
	static const unsigned edges[] = { 200, 250, 256, 512, 3400, 3450, 3500, 3550, 3600, 4000, 4096, 7000, 7500, 8000 };
	static const unsigned far_edges[] = { 20000, 32700, 60000, 63500 };
	static uint8_t payload[LONG_MOST];
	const bool is_long = gen_chance(g, 6), tcp = gen_chance(g, 60), six = gen_chance(g, 40);
	size_t len = gen_payload(g, payload, 700);
	struct packet p = { .family = six ? FAMILY_IP6 : FAMILY_IP4, .proto = tcp ? PROTO_TCP : PROTO_UDP, .hop_limit = 64,
			    .fragment = gen_chance(g, 95) ? FRAGMENT_WHOLE : FRAGMENT_FIRST, .sport = 40000, .flags = 0x10,
			    .dport = gen_chance(g, 50) ? 80 : 8080 };

	if (gen_chance(g, 40))
		put_word(d, g, payload, &len);
	p.src = (struct addr){ p.family, 0xc6336401 + gen_below(g, 8) };
	p.dst = (struct addr){ p.family, 0xc0000201 };
	if (is_long) {
		const size_t word = len < 64 ? len : 64, at = (gen_chance(g, 97) ? GEN_PICK(g, edges) : GEN_PICK(g, far_edges)) + gen_below(g, 64);

		len = at + word + (gen_chance(g, 50) ? 0 : gen_below(g, 900));
		if (at > sizeof payload - 1000)
			return 0;
		memmove(payload + at, payload, word);
		memset(payload, '-', at);
		memset(payload + at + word, '-', len - at - word);
	}
	return frame_build(&p, payload, len, frame, FRAME_ROOM);
}

struct tally {
	uint64_t frames, by_tc, found, several_buffers;
	unsigned with_several, differ, refused;
};

static bool ask_both(struct drawn *d, struct moment *m, struct xdp_run *x, const uint8_t *frame, size_t len, bool tc,
		     uint64_t *by_rule, struct tally *t)
{
	struct packet p;
	struct outcome o;

	if (frame_parse(frame, len, &p) != CAUSE_NONE)
		return false;
	p.zone = 0;
	p.direction = DIRECTION_IN;
	o = eval_epiderme(m, &p);
	t->frames++;
	t->by_tc += tc;
	t->several_buffers += len > 4000;
	const bool drops = o.verdict != VERDICT_ALLOW || eval_closed_drops(m, &p);
	t->found += o.verdict != VERDICT_ALLOW;
	if (o.rule)
		by_rule[o.rule - d->ir->reflexes.rules]++;
	if (xdp_run_frame(x, frame, len) == (drops ? XDP_DROP : XDP_PASS))
		return true;
	tap_note("eval %s it by %s, %s does not; %zu bytes of payload: %.*s", drops ? "drops" : "passes",
		 o.rule ? o.rule->id : o.why, tc ? "TC" : "XDP", p.payload_len, p.payload_len < 100 ? (int)p.payload_len : 100, (const char *)p.payload);
	for (size_t i = 0; i < d->ir->reflexes.count; i++)
		tap_note("%s: /%s/ within %" PRIu64 "%s", d->ir->reflexes.rules[i].id, d->ir->reflexes.rules[i].payload->expression,
			 d->ir->reflexes.rules[i].payload->within, d->ir->reflexes.rules[i].rate ? ", with a rate" : "");
	return false;
}

static bool counters_agree(const struct drawn *d, const struct xdp_run *x, const uint64_t *by_rule)
{
	for (size_t i = 0; i < d->ir->reflexes.count; i++)
		for (uint32_t c = 0; c < d->plan.counter_count; c++)
			if (!strcmp(d->plan.counters[c].id, d->ir->reflexes.rules[i].id) &&
			    xdp_run_counter(x, c).packets != by_rule[i])
				return false;
	return true;
}

/* False when the program could not be loaded. */
static bool try_policy(uint64_t seed, unsigned frames, enum teg_hook hook, struct tally *t, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct gen g = gen_new(seed);
	struct drawn d = { 0 };
	own(xdp_run) struct xdp_run *x = NULL;
	static uint8_t frame[FRAME_ROOM];
	uint64_t by_rule[REFLEXES + 1] = { 0 };

	const int rc = draw(&d, &g, a, why);
	if (rc == -E2BIG)
		t->refused++;
	if (rc || audit_payload(d.ir, &d.plan, why) || xdp_run_new_in(&x, hook, &d.plan, XDP_RUN_GIVEN_CLOCK, why))
		return rc == -E2BIG;
	own(moment) struct moment *m = moment_new(d.ir);
	moment_set_posture(m, 0);
	t->with_several += d.plan.config.payload.automata > 1;
	uint64_t now = 0;
	for (unsigned i = 0; i < frames && !t->differ; i++) {
		const size_t len = draw_frame(&d, &g, frame);
		const uint64_t pause = gen_chance(&g, 5) ? 1000000000 : 0;

		if (!len || !xdp_run_takes(x, frame, len))
			continue;
		now += pause;
		moment_pass(m, pause);
		xdp_run_at(x, 1, 0, now);
		t->differ += !ask_both(&d, m, x, frame, len, hook == TEG_HOOK_TC, by_rule, t);
	}
	t->differ += !counters_agree(&d, x, by_rule);
	t->differ += xdp_run_cause(x, CAUSE_PAYLOAD).packets != 0;
	return true;
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	unsigned policies = argc > 2 ? (unsigned)atoi(argv[2]) : 100;
	unsigned frames = argc > 3 ? (unsigned)atoi(argv[3]) : 10000;
	struct tally t = { 0 };
	struct err why = { 0 };

	for (unsigned i = 0; i < policies && !t.differ; i++) {
		xdp_run_loops(i / 4 % 2 ? TABLES_LOOPS_COUNTED : TABLES_LOOPS_AS_TAKEN);
		if (!try_policy(seed + i, frames, i % 4 == 3 ? TEG_HOOK_TC : xdp_run_hook(), &t, &why)) {
			if (why.code == -EPERM) {
				tap_skip("BPF is not allowed here", "XDP and eval find the same in payloads");
				return tap_done();
			}
			tap_ok(false, "policy %" PRIu64 " loads: %s", seed + i, why.text);
			return tap_done();
		}
	}
	tap_ok(!t.differ, "XDP and eval find the same in the payloads of %" PRIu64 " frames, TC and eval in %" PRIu64 "; %" PRIu64
	       " were dropped", t.frames - t.by_tc, t.by_tc, t.found);
	tap_ok(t.found > t.frames / 20 && t.found < t.frames * 19 / 20, "some are dropped, and some not");
	tap_ok(t.several_buffers > (t.frames - t.by_tc) / 50 || t.by_tc == t.frames, "%" PRIu64 " frames had several buffers", t.several_buffers);
	tap_ok(t.refused < 3 + policies / 10, "%u policies had more to look for than the tables hold", t.refused);
	tap_ok(t.with_several || policies < 50, "%u policies needed more than one automaton", t.with_several);
	return tap_done();
}
