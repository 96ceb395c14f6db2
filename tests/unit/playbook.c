/*
 * The playbook machine's code: what is verified, what is refused and why, the worst case,
 * and that bytes and code are inverses.
 */
#include <stdio.h>
#include <string.h>

#include "lang/base/wire.h"
#include "lang/playbook/playbook.h"
#include "tests/lib/tap.h"

#define S(n) ((n) * 1000000000ull)

/* Constants by number, for the rows below. */
enum {
	K_HOUR, K_OPS, K_5M, K_CONTINUE, K_TIMES, K_200MS, K_5S, K_AUDIT, K_FIELD, K_HIGH, K_HARDENED, K_PHASE, K_ACTION, K_30S,
	K_UNACTION, K_WAN, K_FAST, K_BURST, K_PAIN, K_LESS, K_SHARE, K_2DAYS, K_OTHER, K_MANY,
};

static struct play_constant constants[] = {
	[K_HOUR] = { .sort = SORT_DURATION, .number = S(3600) },
	[K_OPS] = { .sort = SORT_TEXT, .text = "ops" },
	[K_5M] = { .sort = SORT_DURATION, .number = S(300) },
	[K_CONTINUE] = { .sort = SORT_CHOICE, .number = CHOICE_CONTINUE },
	[K_TIMES] = { .sort = SORT_COUNT, .number = 3 },
	[K_200MS] = { .sort = SORT_DURATION, .number = 200000000 },
	[K_5S] = { .sort = SORT_DURATION, .number = S(5) },
	[K_AUDIT] = { .sort = SORT_NAME, .text = "audit" },
	[K_FIELD] = { .sort = SORT_NAME, .text = "src_ip" },
	[K_HIGH] = { .sort = SORT_SEVERITY, .number = 2 },
	[K_HARDENED] = { .sort = SORT_POSTURE, .text = "HARDENED" },
	[K_PHASE] = { .sort = SORT_NAME, .text = "hemostasis" },
	[K_ACTION] = { .sort = SORT_TEXT, .text = "restart-sensor" },
	[K_30S] = { .sort = SORT_DURATION, .number = S(30) },
	[K_UNACTION] = { .sort = SORT_TEXT, .text = "stop-sensor" },
	[K_WAN] = { .sort = SORT_ZONE, .text = "wan" },
	[K_FAST] = { .sort = SORT_BANDWIDTH, .number = 500000000 },
	[K_BURST] = { .sort = SORT_BYTES, .number = 64000 },
	[K_PAIN] = { .sort = SORT_SENSE, .number = SENSE_PAIN },
	[K_LESS] = { .sort = SORT_RELATION, .number = RELATION_LT },
	[K_SHARE] = { .sort = SORT_SHARE, .number = 200000 },
	[K_2DAYS] = { .sort = SORT_DURATION, .number = S(2 * 86400) },
	[K_OTHER] = { .sort = SORT_ADDRESS, .addr = { FAMILY_IP4, 0xc0000201 } },
	[K_MANY] = { .sort = SORT_COUNT, .number = 11 },
};

#define OPS_MAX 40
#define P(k)	{ OP_PUSH, K_##k }
#define SRC	{ OP_LOAD, 0 }
#define SEV	{ OP_LOAD, 1 }
#define CALL(s) { OP_CALL, STEP_##s }
#define UNDO(s) { OP_UNDO, STEP_##s }
#define RETRY	{ OP_RETRY, 0 }
#define GATE(n) { OP_GATE, n }
#define GOTO(n) { OP_GOTO, n }
#define FORK(n) { OP_FORK, n }
#define BR(n)	{ OP_BRANCH, n }
#define CMP(r)	{ OP_COMPARE, RELATION_##r }
#define END	{ OP_END, 0 }
#define BLOCK	SRC, UNDO(UNBLOCK), SRC, P(HOUR), CALL(BLOCK)

struct row {
	const char *claim;
	struct play_op ops[OPS_MAX];
	const char *refused; /* words of the reason, or NULL */
	uint32_t steps;
	uint64_t s; /* worst case, in seconds */
	uint32_t recovery_steps, failure; /* 0: no answer */
};

static const struct row rows[] = {
	{ "nothing but an end", { END }, .steps = 0, .s = 0 },
	{ "a block with its undo", { BLOCK, END }, .steps = 1, .s = 10, .recovery_steps = 1 },
	{ "a retried notice", { P(TIMES), P(200MS), P(5S), RETRY, P(AUDIT), P(FIELD), SRC, { OP_RECORD, 1 }, CALL(NOTIFY), END },
	  .steps = 1, .s = 41 /* 4 attempts, 0.2 + 0.4 + 0.8 s between them */ },
	{ "the longer way counts", { SEV, P(HIGH), CMP(GE), GATE(8), P(OPS), P(5M), P(CONTINUE), CALL(APPROVE), BLOCK, END },
	  .steps = 2, .s = 320, .recovery_steps = 1 },
	{ "one way or the other", { SEV, P(HIGH), CMP(GE), GATE(9), P(OPS), P(5M), P(CONTINUE), CALL(APPROVE), GOTO(14), BLOCK, END },
	  .steps = 1, .s = 310, .recovery_steps = 1 },
	{ "branches take as long as the longest", { FORK(10), BR(6), P(ACTION), P(30S), CALL(RUN), GOTO(6), BR(10), P(ACTION), P(5M), CALL(RUN), END },
	  .steps = 2, .s = 310 },
	{ "an action with its undo", { P(UNACTION), P(5S), UNDO(RUN), P(ACTION), P(30S), CALL(RUN), END },
	  .steps = 1, .s = 40, .recovery_steps = 1 },
	{ "a phase, a throttle, an expectation", { { OP_PHASE, K_PHASE }, P(WAN), UNDO(UNTHROTTLE), P(WAN), P(FAST), P(BURST), P(HOUR),
	  CALL(THROTTLE), P(PAIN), P(LESS), P(SHARE), P(5M), CALL(EXPECT), END }, .steps = 2, .s = 320, .recovery_steps = 1 },
	{ "an answer to failure", { BLOCK, END, UNDO(RESUME), P(HARDENED), P(5M), CALL(POSTURE), END },
	  .steps = 1, .s = 10, .recovery_steps = 2, .failure = 6 },

	{ "no end", { SRC, CALL(UNBLOCK) }, .refused = "there is no end" },
	{ "an end in between", { END, END }, .refused = "the end is not at the end" },
	{ "nothing leads there", { GOTO(2), END, END }, .refused = "nothing leads here" },
	{ "a place behind", { SEV, P(HIGH), CMP(GE), GATE(0), END }, .refused = "not a later one" },
	{ "a place at itself", { GOTO(0), END }, .refused = "not a later one" },
	{ "a place beyond", { GOTO(9), END }, .refused = "out of range" },
	{ "a value too few", { CALL(UNBLOCK), END }, .refused = "the stack is empty" },
	{ "a value too many", { SRC, SRC, CALL(UNBLOCK), END }, .refused = "left on the stack" },
	{ "a value at the end", { SRC, END }, .refused = "left on the stack" },
	{ "a value of another sort", { SEV, CALL(UNBLOCK), END }, .refused = "another sort" },
	{ "sorts that do not compare", { SRC, SEV, CMP(EQ), GATE(4), END }, .refused = "another sort" },
	{ "an order of addresses", { SRC, P(OTHER), CMP(LT), GATE(4), END }, .refused = "no such relation" },
	{ "a block without its undo", { SRC, P(HOUR), CALL(BLOCK), END }, .refused = "undo was not recorded" },
	{ "an undo of something else", { P(OTHER), UNDO(UNBLOCK), SRC, P(HOUR), CALL(BLOCK), END }, .refused = "something else" },
	{ "an undo of another step", { SRC, UNDO(UNSCAR), SRC, P(HOUR), CALL(BLOCK), END }, .refused = "not the step's" },
	{ "an undo without a call", { SRC, UNDO(UNBLOCK), END }, .refused = "belongs to no call" },
	{ "an undo for a step without", { SRC, UNDO(UNBLOCK), SRC, CALL(UNBLOCK), END }, .refused = "not the step's" },
	{ "a wait longer than a day", { P(ACTION), P(2DAYS), CALL(RUN), END }, .refused = "not a constant" },
	{ "a wait that is no constant", { P(ACTION), { OP_LOAD, 2 }, CALL(RUN), END }, .refused = "not a constant" },
	{ "too many retries", { P(MANY), P(200MS), P(5S), RETRY, SRC, CALL(UNBLOCK), END }, .refused = "out of range" },
	{ "a retry that shrinks", { P(TIMES), P(5S), P(200MS), RETRY, SRC, CALL(UNBLOCK), END }, .refused = "out of range" },
	{ "an undo called as a step", { CALL(RESUME), END }, .refused = "only an undo" },
	{ "an unknown step", { { OP_CALL, STEP_COUNT }, END }, .refused = "out of range" },
	{ "an unknown instruction", { { OP_COUNT, 0 }, END }, .refused = "no such instruction" },
	{ "an unknown constant", { { OP_PUSH, 999 }, END }, .refused = "out of range" },
	{ "an operand where there is none", { { OP_END, 1 } }, .refused = "out of range" },
	{ "a fork without branches", { FORK(1), END }, .refused = "a fork has branches" },
	{ "a branch without a fork", { BR(1), END }, .refused = "stands in no fork" },
	{ "a fork that holds no branch", { FORK(3), SRC, CALL(UNBLOCK), END }, .refused = "a branch is due" },
	{ "a branch that leaves its fork", { FORK(6), BR(6), SEV, P(HIGH), CMP(GE), GATE(7), END, END }, .refused = "not a later one" },
	{ "a jump out of a branch", { FORK(3), BR(3), GOTO(4), SRC, END }, .refused = "not a later one" },
	{ "a jump into a branch", { SEV, P(HIGH), CMP(GE), GATE(7), FORK(8), BR(8), SRC, CALL(UNBLOCK), END }, .refused = "jumps into a branch" },
	{ "a phase in a branch", { FORK(3), BR(3), { OP_PHASE, K_PHASE }, END }, .refused = "no part of a branch" },
	{ "a value across a branch", { SRC, FORK(3), BR(3), END }, .refused = "left on the stack" },
	{ "a record too large", { { OP_RECORD, PLAYBOOK_FIELDS_MAX + 1 }, END }, .refused = "out of range" },
};

static struct play_op *row_ops(const struct row *r, uint32_t *count)
{
	static struct play_op ops[OPS_MAX];
	uint32_t last = OPS_MAX;

	memcpy(ops, r->ops, sizeof ops);
	while (last > 1 && ops[last - 1].code == OP_PUSH && !ops[last - 1].operand)
		last--; /* what the row does not say is zero: PUSH 0, with which no row ends */
	*count = last;
	return ops;
}

static struct playbook of_row(const struct row *r)
{
	struct playbook p = { .name = "test", .param_count = 3, .budget = { .runtime_ns = S(600), .one_param = PLAY_NO_PARAM } };

	p.params[0] = (struct play_param){ "src", SORT_ADDRESS, PLAY_NO_CONSTANT };
	p.params[1] = (struct play_param){ "sev", SORT_SEVERITY, PLAY_NO_CONSTANT };
	p.params[2] = (struct play_param){ "time", SORT_DURATION, PLAY_NO_CONSTANT };
	p.ops = row_ops(r, &p.op_count);
	p.failure = r->failure ? r->failure : p.op_count;
	for (uint32_t i = 0; i < p.op_count; i++)
		if (p.ops[i].code == OP_CALL && p.ops[i].operand == STEP_BLOCK) {
			p.budget.blocks = 500;
			p.budget.blocks_ns = S(3600);
		}
	return p;
}

static void rows_hold(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		struct playbooks all = { .constants = constants, .constant_count = ARRAY_LEN(constants) };
		struct playbook p = of_row(r);
		struct play_worst w = { 0 };
		struct err why = { 0 };
		int rc = playbook_verify(&w, &all, &p, &why);

		if (r->refused) {
			tap_ok(rc && strstr(why.text, r->refused), "%s: refused, since \"%s\"", r->claim, r->refused);
			if (!rc || !strstr(why.text, r->refused))
				tap_note("got: %s", rc ? why.text : "accepted");
			continue;
		}
		if (!tap_ok(!rc, "%s: accepted", r->claim))
			tap_note("%s", why.text);
		tap_num(w.steps, r->steps, "    its steps at most");
		tap_num((int64_t)(w.ns / S(1)), (int64_t)r->s, "    its seconds at most");
		tap_num(w.recovery_steps, r->recovery_steps, "    the steps to recover at most");
	}
}

/* --- a whole section -------------------------------------------------------------------------- */

static struct play_constant few[] = {
	{ .sort = SORT_DURATION, .number = S(3600) },
	{ .sort = SORT_SEVERITY, .number = 3 },
	{ .sort = SORT_TEXT, .text = "line\n\"quoted\"" },
};
static struct play_op few_ops[] = { { OP_LOAD, 0 }, UNDO(UNBLOCK), { OP_LOAD, 0 }, { OP_PUSH, 0 }, CALL(BLOCK),
				    { OP_PUSH, 2 }, { OP_PUSH, 0 }, CALL(RUN), END };
static struct playbook few_plays[] = { {
	.name = "contain", .params = { { "src", SORT_ADDRESS, PLAY_NO_CONSTANT }, { "sev", SORT_SEVERITY, 1 } }, .param_count = 2,
	.budget = { .blocks = 5, .blocks_ns = S(60), .runtime_ns = S(7200), .one_param = 0, .one_ns = S(300) },
	.ops = few_ops, .op_count = ARRAY_LEN(few_ops), .failure = ARRAY_LEN(few_ops),
	.worst = { .steps = 2, .ns = S(3620), .recovery_steps = 1, .recovery_ns = S(10) },
} };
static struct play_binding few_bindings[] = { {
	.event = EVENT_REFLEX, .of = "syn_flood", .terms = { { MEASURE_COUNT, EVENT_FIELD_SOURCE, RELATION_GE, 10, S(60) } },
	.term_count = 1, .given = { { true, EVENT_FIELD_SOURCE } }, .given_count = 1,
} };
static struct play_regulation few_regulations[] = {
	{ .when = { { SENSE_PAIN, RELATION_GT, 600000, S(30) } }, .when_count = 1, .posture = "HARDENED",
	  .until = { { SENSE_PAIN, RELATION_LT, 200000, S(300) } }, .until_count = 1, .end = REGULATION_UNTIL },
	{ .when = { { SENSE_CPU, RELATION_GT, 850000, S(10) } }, .when_count = 1, .act = REGULATE_THROTTLE, .posture = "", .share = 200000 },
};
static struct play_decoy few_decoys[] = { { "ssh_001", "ssh", 6, 2222, "SSH-2.0-OpenSSH_8.4", "T1110" } };

static const struct playbooks whole = {
	.constants = few, .constant_count = ARRAY_LEN(few), .plays = few_plays, .play_count = 1,
	.bindings = few_bindings, .binding_count = 1, .regulations = few_regulations, .regulation_count = 2,
	.decoys = few_decoys, .decoy_count = 1,
};

static void bytes_and_code_are_inverses(void)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf bytes = { 0 }, again = { 0 }, words = { 0 };
	struct playbooks read;
	struct err why = { 0 };

	playbooks_encode(&bytes, &whole);
	if (!tap_ok(!playbooks_decode(&read, a, bytes.at, bytes.len, &why), "a whole section is read")) {
		tap_note("%s", why.text);
		return;
	}
	playbooks_encode(&again, &read);
	tap_ok(again.len == bytes.len && !memcmp(again.at, bytes.at, bytes.len), "and written again with the same bytes");
	playbooks_print(&words, &read);
	tap_text(buf_text(&words),
		 "playbook contain(src: address, sev: severity = critical)\n"
		 "    budget  runtime 2h, 5 blocks per 1m, one run per src per 5m\n"
		 "    worst   2 steps in 1h 20s; when it fails, 1 more in 10s\n"
		 "       0  load     src\n"
		 "       1  undo     unblock\n"
		 "       2  load     src\n"
		 "       3  push     1h\n"
		 "       4  call     block\n"
		 "       5  push     \"line\\x0a\\\"quoted\\\"\"\n"
		 "       6  push     1h\n"
		 "       7  call     run\n"
		 "       8  end\n"
		 "on reflex.syn_flood where count >= 10 within 1m run contain(event.source)\n"
		 "when qualia.pain > 0.6 for 30s posture HARDENED until qualia.pain < 0.2 for 5m\n"
		 "when host.cpu > 0.85 for 10s throttle priority low to 0.2, until it is over\n"
		 "decoy ssh_001 ssh on tcp/2222 says \"SSH-2.0-OpenSSH_8.4\", technique T1110\n",
		 "and said in words");
}

/* Every byte that is changed is noticed, or means another section that holds; never more. */
static void bytes_are_read_strictly(void)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf bytes = { 0 };
	struct playbooks read;
	struct err why;
	size_t shorter = 0, other = 0;

	playbooks_encode(&bytes, &whole);
	for (size_t len = 0; len < bytes.len; len++)
		shorter += !playbooks_decode(&read, a, bytes.at, len, &why);
	tap_num((int64_t)shorter, 0, "no beginning of it is read");
	for (size_t i = 0; i < bytes.len; i++)
		for (int bit = 0; bit < 8; bit++) {
			own(buf) struct buf again = { 0 };

			bytes.at[i] ^= (char)(1 << bit);
			if (!playbooks_decode(&read, a, bytes.at, bytes.len, &why)) {
				playbooks_encode(&again, &read);
				other += again.len != bytes.len || memcmp(again.at, bytes.at, bytes.len);
			}
			bytes.at[i] ^= (char)(1 << bit);
		}
	tap_num((int64_t)other, 0, "with any bit changed, what is read is what is written");
	buf_putc(&bytes, '\0');
	tap_ok(playbooks_decode(&read, a, bytes.at, bytes.len, &why) != 0, "a byte more is refused");
}

/* --- what stands around the code ------------------------------------------------------------------ */

static bool holds(const struct playbooks *p)
{
	struct err why;

	return !playbooks_verify(p, &why);
}

static void surroundings_are_checked(void)
{
	struct playbooks p = whole;
	struct playbook play = few_plays[0];
	struct play_binding b = few_bindings[0];
	struct play_regulation r = few_regulations[0];
	struct play_decoy d = few_decoys[0];

	tap_ok(holds(&p), "the section holds as it is");
#define WRONG(part, change, claim)                                                                 \
	do {                                                                                       \
		__typeof__(part) kept_ = part;                                                     \
		change;                                                                            \
		tap_ok(!holds(&p), claim);                                                         \
		part = kept_;                                                                      \
	} while (0)
	p.plays = &play;
	p.bindings = &b;
	p.regulations = &r;
	p.regulation_count = 1;
	p.decoys = &d;
	tap_ok(holds(&p), "and so does its copy");
	WRONG(play, play.worst.steps = 1, "a worst case that is not true is refused");
	WRONG(play, play.budget.blocks = play.budget.blocks_ns = 0, "blocks without a bound are refused");
	WRONG(play, play.budget.runtime_ns = 0, "a run without a bound is refused");
	WRONG(play, play.budget.one_param = 2, "one run per a parameter that there is not is refused");
	WRONG(play, play.params[1].otherwise = 0, "a default of another sort is refused");
	WRONG(play, play.params[0].sort = SORT_ZONE, "a parameter that can only be a constant is refused");
	WRONG(play, play.name = "two words", "a name with a space is refused");
	WRONG(b, b.given_count = 0, "a call that leaves out what has no default is refused");
	WRONG(b, b.given[0].index = EVENT_FIELD_SEVERITY, "an argument of another sort is refused");
	WRONG(b, b.given[0].index = EVENT_FIELD_SCORE, "a field that the event does not have is refused");
	WRONG(b, b.terms[0].within_ns = 0, "a count in no time is refused");
	WRONG(b, b.terms[0].relation = RELATION_LT, "a count that is less is refused");
	WRONG(b, b.playbook = 1, "a playbook that there is not is refused");
	WRONG(r, r.end = REGULATION_OVER, "a posture without a way back is refused");
	WRONG(r, r.until_count = 0, "an end that is not told is refused");
	WRONG(r, r.when[0].lasts_ns = 0, "a feeling of no time is refused");
	WRONG(r, r.when[0].relation = RELATION_EQ, "a feeling that is exact is refused");
	WRONG(d, d.port = 0, "a decoy without a port is refused");
	WRONG(d, d.proto = 1, "a decoy of another protocol is refused");
#undef WRONG
}

static void senses_are_those_that_are_felt(void)
{
	static const char *const quales[] = {
#define QUALE(id, name, about, formula) name,
#include "enforcer/api/quale.def"
#undef QUALE
	};
	enum sense s;

	for (size_t i = 0; i < ARRAY_LEN(quales); i++) {
		char name[64];

		snprintf(name, sizeof name, "qualia.%s", quales[i]);
		tap_ok(sense_find(name, &s), "what the enforcer feels as %s can be asked as %s", quales[i], name);
	}
}

int main(void)
{
	rows_hold();
	bytes_and_code_are_inverses();
	bytes_are_read_strictly();
	surroundings_are_checked();
	senses_are_those_that_are_felt();
	return tap_done();
}
