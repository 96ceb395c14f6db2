#include "compiler/report/findings/ports.h"

#include "compiler/ir/proto.h"
#include "compiler/prove/admin.h"
#include "compiler/report/findings/dead.h"
#include "lang/syntax/source.h"

struct opening {
	struct diags *to;
	struct prover *prover;
	const struct ir *ir;
	unsigned posture;
	const struct ir_rule *rule;
};

static bool asks_everyone(const struct ir_box *b)
{
	return b->proto == PROTO_TCP && b->src.any && b->zones == UINT64_MAX && !ranges_are_all(&b->dport);
}

/* Does anyone come in by that port of the box? By this rule, or by another that decides first. */
static bool is_open(const struct opening *o, const struct ir_box *b, uint16_t port, struct witness *out)
{
	struct range one = { port, port };
	struct ir_box box = *b;
	const struct claim dropped = { .postures = 1ull << o->posture, .direction = DIRECTION_IN, .boxes = &box, .box_count = 1 };
	struct claim_answer a;

	box.dport = (struct ranges){ &one, 1 };
	a = prove_claim(o->prover, o->ir, &dropped);
	*out = a.witness;
	return (a.answer == ANSWER_REFUTED || a.answer == ANSWER_CONDITIONAL) && a.witness.decider.rule &&
	       a.witness.decider.rule->layer == LAYER_POSTURE;
}

static void tell(const struct opening *o, uint16_t port, const struct witness *w)
{
	struct diag *g = diag(o->to, DIAG_ADMIN_PORT_OPEN, o->rule->span, "in %s, `%s` opens port %u to everyone",
			      o->ir->postures[o->posture].name, o->rule->label, port);
	own(buf) struct buf text = { 0 };

	witness_print(&text, w);
	diag_note(g, "for example: %s, decided by `%s`", buf_text(&text), w->decider.why);
	if (w->decider.rule != o->rule)
		diag_at(g, w->decider.rule->span, "`%s` decides some of it first", w->decider.why);
	diag_help(g, "say from where: `from NET` or `on ZONE`");
}

/* The first such port of the rule. */
static void find(const struct opening *o)
{
	const struct ranges *ports = admin_ports();
	struct witness w;

	for (size_t b = 0; b < o->rule->box_count; b++)
		for (size_t i = 0; i < ports->len && asks_everyone(&o->rule->boxes[b]); i++)
			if (ranges_has(&o->rule->boxes[b].dport, ports->at[i].lo) &&
			    is_open(o, &o->rule->boxes[b], ports->at[i].lo, &w)) {
				tell(o, ports->at[i].lo, &w);
				return;
			}
}

/* Told of in the posture that has it first. */
static bool is_inherited(const struct ir *ir, size_t posture, const struct ir_rule *r)
{
	for (size_t p = 0; p < posture; p++)
		if (posture_has(&ir->postures[p], r))
			return true;
	return false;
}

void report_open_ports(struct diags *to, struct prover *p, const struct ir *ir)
{
	for (unsigned i = 0; i < ir->posture_count; i++) {
		const struct ir_list *l = &ir->postures[i].lists[DIRECTION_IN];

		for (size_t n = 0; n < l->count; n++) {
			const struct opening o = { to, p, ir, i, &l->rules[n] };

			if (l->rules[n].verdict == VERDICT_ALLOW && !is_inherited(ir, i, &l->rules[n]))
				find(&o);
		}
	}
}
