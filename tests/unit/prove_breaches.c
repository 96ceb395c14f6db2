/*
 * What playbooks can do to claims: the steps that are told of are those that can break one, each
 * with a packet that is dropped once its source is blocked, and a lifeline is never reached.
 */
#include <string.h>

#include "compiler/front/front.h"
#include "compiler/ir/eval.h"
#include "compiler/prove/prove.h"
#include "tests/lib/tap.h"

static const char text[] =
	"zone wan = \"eth0\"\n"
	"zone lan = \"eth1\"\n"
	"net office = [203.0.113.0/24, 2001:db8:10::/48]\n"
	"lifeline { owner: tcp from office to self port 22 }\n"
	"posture HARDENED { default drop }\n"
	"posture OPEN {\n"
	"    default drop\n"
	"    web:    allow tcp to self port 443\n"
	"    ssh:    allow tcp from office to self port 22\n"
	"    wider:  allow tcp from office + 198.51.100.1 to self port 22\n"
	"    inside: allow udp to self port 53 on lan\n"
	"    path:   allow forward tcp from 198.51.100.0/24 to 192.0.2.1 port 80\n"
	"    none:   drop tcp to self port 23\n"
	"}\n"
	"initial posture OPEN\n"
	"playbook p(src: address) {\n"
	"    budget runtime 10m, blocks 10 per 1h\n"
	"    block src for 1h\n"
	"    throttle wan to 1mbit for 1h\n"
	"    sessions cut from src\n"
	"    posture HARDENED for 1m\n"
	"    scar src\n"
	"    unscar src\n"
	"}\n";

static const struct {
	const char *rule;
	const char *steps; /* those that can break "what the rule admits is allowed" */
} rows[] = {
	{ "web", "block throttle scar" },
	{ "ssh", "" }, /* the lifeline admits all of it */
	{ "wider", "block throttle scar" },
	{ "inside", "block scar" }, /* the throttle is of another zone */
	{ "path", "block throttle scar" },
};

static const struct ir_rule *rule_of(const struct ir *ir, const char *label)
{
	for (unsigned i = 0; i < ir->posture_count; i++)
		for (int d = 0; d < DIRECTION_COUNT; d++)
			for (size_t r = 0; r < ir->postures[i].lists[d].count; r++)
				if (!strcmp(ir->postures[i].lists[d].rules[r].label, label))
					return &ir->postures[i].lists[d].rules[r];
	return NULL;
}

static struct claim claim_of(const struct ir_rule *r, bool allowed)
{
	return (struct claim){ .postures = 2, .direction = r->direction, .boxes = r->boxes, .box_count = r->box_count,
			       .allowed = allowed };
}

static bool is_of(const struct ir *ir, const char *net, struct addr a)
{
	for (size_t i = 0; i < ir->set_count; i++)
		if (ir->sets[i]->name && !strcmp(ir->sets[i]->name, net))
			return netset_has(&ir->sets[i]->set, a);
	return false;
}

static void row_holds(struct prover *p, const struct ir *ir, size_t i)
{
	struct claim claim = claim_of(rule_of(ir, rows[i].rule), true);
	struct breaches b = prove_breaches(p, ir, &claim);
	own(buf) struct buf steps = { 0 };
	bool replays = true, blocked = true, apart = true;

	for (size_t n = 0; n < b.len; n++) {
		const struct witness *w = &b.at[n].witness;

		buf_printf(&steps, "%s%s", n ? " " : "", play_step_name(b.at[n].effect->step));
		replays &= w->replays;
		blocked &= w->point.blocked && !strcmp(w->decider.why, WHY_BLOCKED);
		apart &= !is_of(ir, "office", w->point.packet.src) || w->point.packet.dport != 22;
	}
	tap_text(buf_text(&steps), rows[i].steps, rows[i].rule);
	tap_ok(replays, "%s: every witness replays", rows[i].rule);
	tap_ok(blocked, "%s: and is dropped as blocked", rows[i].rule);
	tap_ok(apart, "%s: and no lifeline admits it", rows[i].rule);
}

int main(void)
{
	own(compilation) struct compilation *c = compilation_new();
	own(prover) struct prover *p = prover_new(&PROVE_BUDGET);
	const struct policy *policy = front_read_text(c, "policy", text, sizeof text - 1);

	if (!tap_ok(policy != NULL, "the policy is read"))
		return tap_done();
	const struct ir *ir = ir_lower(policy, c->arena);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		row_holds(p, ir, i);
	struct claim dropped = claim_of(rule_of(ir, "none"), false), lifeline = claim_of(&ir->lifelines.rules[0], true);
	tap_num((int64_t)prove_breaches(p, ir, &dropped).len, 0, "steps only take away: what is dropped stays dropped");
	tap_num(prove_blocks(p, ir, &lifeline).answer, ANSWER_PROVED, "no block reaches a lifeline");
	return tap_done();
}
