/*
 * The worst case of a playbook against its runs: generated playbooks are compiled, and their code
 * is run in every way that its gates allow, slowly and with every retry. No run does more or takes
 * longer than was computed, and one does as much. What they mean makes the same code again.
 */
#include <string.h>

#include "compiler/front/front.h"
#include "compiler/ir/ir.h"
#include "tests/lib/gen.h"
#include "tests/lib/tap.h"

#define PLAYBOOKS 2000
#define GATES_MAX 8 /* in one part: 256 ways */

/* --- playbooks as text ------------------------------------------------------------------------ */

struct writing {
	struct gen *g;
	struct buf *out;
	unsigned gates, names;
};

static void write_time(struct writing *w)
{
	static const char *const times[] = { "1ms", "200ms", "3s", "30s", "5m", "7m" };

	buf_puts(w->out, times[gen_below(w->g, 6)]);
}

static void write_step(struct writing *w)
{
	static const char *const steps[] = {
		"block src for ", "scar src", "unblock src", "unscar src", "sessions cut from src", "unthrottle wan",
		"posture STRICT for ", "throttle wan to 5mbit for ", "throttle wan to 5mbit burst 9kB for ",
		"notify audit", "notify audit { who: src, grave: sev, text: \"a \\\"b\\\"\", share: 0.25, felt: host.cpu }",
		"run \"act\" timeout ", "run \"act\" undo \"back\" timeout ", "capture src max 5MB ",
		"approve \"ops\" else abort within ", "approve \"ops\" else continue within ", "expect qualia.pain <= 30% within ",
	};
	/* Indented: at the margin `posture` would begin a declaration. */
	const char *step = steps[gen_below(w->g, sizeof steps / sizeof *steps)];

	buf_printf(w->out, "    %s", step);
	if (step[strlen(step) - 1] == ' ')
		write_time(w);
	if (!gen_below(w->g, 3))
		buf_printf(w->out, " retry %u backoff 100ms..%us", 1 + gen_below(w->g, 10), 1 + gen_below(w->g, 4));
	buf_putc(w->out, '\n');
}

static void write_condition(struct writing *w)
{
	static const char *const conditions[] = {
		"sev >= high", "critical == sev", "flag", "not flag", "qualia.pain > 0.5 and host.cpu > 90%",
		"(flag or sev < medium) and not (src == 192.0.2.1)", "src != 2001:db8::1", "time > 5m",
	};

	buf_puts(w->out, conditions[gen_below(w->g, sizeof conditions / sizeof *conditions)]);
}

enum where { AT_TOP, IN_PHASE, IN_BRANCH };

static void write_acts(struct writing *w, unsigned depth, enum where where);

static void write_block(struct writing *w, unsigned depth, enum where where)
{
	buf_puts(w->out, " {\n");
	write_acts(w, depth + 1, where);
	buf_puts(w->out, "}");
}

static void write_act(struct writing *w, unsigned depth, enum where where)
{
	unsigned kind = depth < 3 ? gen_below(w->g, 6) : 5;

	if (kind == 0 && where == AT_TOP) {
		buf_printf(w->out, "phase phase_%u", w->names++);
		write_block(w, depth, IN_PHASE);
		buf_putc(w->out, '\n');
	} else if (kind == 1) {
		buf_puts(w->out, "parallel");
		write_block(w, depth, IN_BRANCH);
		buf_putc(w->out, '\n');
	} else if (kind == 2 && w->gates < GATES_MAX) {
		w->gates++;
		buf_puts(w->out, "if ");
		write_condition(w);
		write_block(w, depth, where == IN_BRANCH ? IN_BRANCH : IN_PHASE);
		if (gen_below(w->g, 2)) {
			buf_puts(w->out, " else");
			write_block(w, depth, where == IN_BRANCH ? IN_BRANCH : IN_PHASE);
		}
		buf_putc(w->out, '\n');
	} else {
		write_step(w);
	}
}

static void write_acts(struct writing *w, unsigned depth, enum where where)
{
	for (unsigned i = 0, n = 1 + gen_below(w->g, 3); i < n; i++)
		write_act(w, depth, where);
}

static void write_policy(struct gen *g, struct buf *out)
{
	struct writing w = { .g = g, .out = out };

	buf_puts(out, "zone wan = \"eth0\"\nposture CALM { default allow }\nposture STRICT { default drop }\ninitial posture CALM\n"
		      "playbook p(src: address, sev: severity = high, flag: boolean = true, time: duration = 5m) {\n"
		      "budget runtime 1d, blocks 5 per 1h\n    block src for time\n");
	write_acts(&w, 0, AT_TOP);
	if (gen_below(g, 2)) {
		w.gates = 0;
		buf_puts(out, "on failure");
		write_block(&w, 1, IN_PHASE);
		buf_putc(out, '\n');
	}
	buf_puts(out, "}\nreflex look { match tcp on wan\n do emit low }\non reflex.look run p(event.source)\n");
}

/* --- their code, run ------------------------------------------------------------------------------ */

struct running {
	const struct playbooks *all;
	const struct playbook *p;
	unsigned ways, gates; /* a bit per gate that is met: whether it is passed */
	uint16_t stack[PLAYBOOK_STACK_MAX];
	unsigned depth;
	uint64_t retries, waits;
	struct play_worst sum;
	bool sound;
};

static void pops(struct running *r, unsigned n)
{
	r->sound &= r->depth >= n;
	r->depth = r->depth >= n ? r->depth - n : 0;
}

static void pushes(struct running *r, uint16_t value)
{
	r->sound &= r->depth < PLAYBOOK_STACK_MAX;
	if (r->sound)
		r->stack[r->depth++] = value;
}

/* The longest that the step on the stack may take. */
static uint64_t slowest(struct running *r, enum play_step s)
{
	const struct play_step_row *row = play_step_row(s);
	int waits = step_arg_of(s, ARG_WAITS);
	uint64_t ns = STEP_TAKES_NS;

	r->sound &= r->depth == row->arg_count;
	if (waits >= 0 && r->sound)
		ns += r->all->constants[r->stack[waits]].number;
	pops(r, row->arg_count);
	return ns;
}

static void retry(struct running *r)
{
	uint64_t n = r->all->constants[r->stack[0]].number, wait = r->all->constants[r->stack[1]].number,
		 most = r->all->constants[r->stack[2]].number;

	r->sound &= r->depth == 3;
	pops(r, 3);
	r->retries = n;
	for (r->waits = 0; n--; wait = wait * 2 < most ? wait * 2 : most)
		r->waits += wait;
}

static void run(struct running *r, uint32_t at, uint32_t to);

static uint32_t run_branches(struct running *r, uint32_t at, uint32_t end)
{
	uint64_t begun = r->sum.ns, longest = begun;

	while (at < end) {
		r->sum.ns = begun;
		run(r, at + 1, r->p->ops[at].operand);
		longest = r->sum.ns > longest ? r->sum.ns : longest;
		at = r->p->ops[at].operand;
	}
	r->sum.ns = longest;
	return end;
}

static uint32_t run_one(struct running *r, uint32_t at)
{
	const struct play_op *o = &r->p->ops[at];
	uint64_t ns;

	switch (o->code) {
	case OP_PUSH:
		pushes(r, o->operand);
		break;
	case OP_LOAD: case OP_SENSE:
		pushes(r, 0);
		break;
	case OP_COMPARE: case OP_AND: case OP_OR:
		pops(r, 2);
		pushes(r, 0);
		break;
	case OP_NOT: case OP_PHASE: case OP_END: case OP_BRANCH: case OP_COUNT:
		break;
	case OP_RECORD:
		pops(r, 2u * o->operand);
		pushes(r, 0);
		break;
	case OP_GATE:
		pops(r, 1);
		return r->ways >> r->gates++ & 1 ? at + 1 : o->operand;
	case OP_GOTO:
		return o->operand;
	case OP_RETRY:
		retry(r);
		break;
	case OP_UNDO:
		r->sum.recovery_ns += slowest(r, (enum play_step)o->operand);
		r->sum.recovery_steps++;
		break;
	case OP_CALL:
		ns = slowest(r, (enum play_step)o->operand);
		r->sum.ns += ns * (1 + r->retries) + r->waits;
		r->sum.steps++;
		r->retries = r->waits = 0;
		break;
	case OP_FORK:
		return run_branches(r, at + 1, o->operand);
	}
	return at + 1;
}

static void run(struct running *r, uint32_t at, uint32_t to)
{
	while (at < to && r->sound) {
		uint32_t next = run_one(r, at);

		r->sound &= next > at && next <= to;
		at = next;
	}
	r->sound &= r->depth == 0 && at == to;
}

/* In every way that its gates allow. */
static struct play_worst runs(const struct playbooks *all, const struct playbook *p, uint32_t from, uint32_t to, bool *sound)
{
	struct play_worst most = { 0 };

	for (unsigned ways = 0; from < to && ways < 1u << GATES_MAX; ways++) {
		struct running r = { .all = all, .p = p, .ways = ways, .sound = true };

		run(&r, from, to);
		*sound &= r.sound;
		most.steps = r.sum.steps > most.steps ? r.sum.steps : most.steps;
		most.ns = r.sum.ns > most.ns ? r.sum.ns : most.ns;
		most.recovery_steps = r.sum.recovery_steps > most.recovery_steps ? r.sum.recovery_steps : most.recovery_steps;
		most.recovery_ns = r.sum.recovery_ns > most.recovery_ns ? r.sum.recovery_ns : most.recovery_ns;
	}
	return most;
}

/* --- the claims --------------------------------------------------------------------------------------- */

static size_t compiled, verified, sound_runs, steps_exact, times_exact, recoveries_exact, same_again;

static void encode(struct buf *out, struct compilation *c, const char *text, size_t len, const char **meant)
{
	const struct policy *p = front_read_text(c, "generated", text, len);

	if (!p)
		return;
	playbooks_encode(out, &ir_lower(p, c->arena)->responses.code);
	*meant = front_print_resolved(p, c->arena);
}

static void check(const char *text, size_t len)
{
	own(compilation) struct compilation *c = compilation_new(), *d = compilation_new();
	own(buf) struct buf bytes = { 0 }, again = { 0 };
	const char *meant = "", *ignored;
	struct playbooks all;
	struct err why = { 0 };

	encode(&bytes, c, text, len, &meant);
	compiled += bytes.len > 0;
	if (!bytes.len || playbooks_decode(&all, c->arena, bytes.at, bytes.len, &why)) {
		tap_note("%s\n%s", bytes.len ? why.text : "does not compile", text);
		return;
	}
	verified++;
	encode(&again, d, meant, strlen(meant), &ignored);
	same_again += again.len == bytes.len && !memcmp(again.at, bytes.at, bytes.len);

	const struct playbook *p = &all.plays[0];
	bool sound = true;
	struct play_worst most = runs(&all, p, 0, p->failure, &sound), answer = runs(&all, p, p->failure, p->op_count, &sound);
	sound_runs += sound;
	steps_exact += p->worst.steps == most.steps;
	times_exact += p->worst.ns == most.ns;
	recoveries_exact += p->worst.recovery_steps == most.recovery_steps + answer.steps &&
			    p->worst.recovery_ns == most.recovery_ns + answer.ns;
}

int main(void)
{
	struct gen g = gen_new(20260);

	for (int i = 0; i < PLAYBOOKS; i++) {
		own(buf) struct buf text = { 0 };

		write_policy(&g, &text);
		check(buf_text(&text), text.len);
	}
	tap_num((int64_t)compiled, PLAYBOOKS, "every generated playbook compiles");
	tap_num((int64_t)verified, PLAYBOOKS, "the verifier takes its code");
	tap_num((int64_t)sound_runs, PLAYBOOKS, "every run goes forward to its end, with the stack that is due");
	tap_num((int64_t)steps_exact, PLAYBOOKS, "the most steps are those of the worst case");
	tap_num((int64_t)times_exact, PLAYBOOKS, "the longest time is that of the worst case");
	tap_num((int64_t)recoveries_exact, PLAYBOOKS, "and so is what recovery takes");
	tap_num((int64_t)same_again, PLAYBOOKS, "what it means makes the same code");
	return tap_done();
}
