/*
 * Three ways to judge a packet must agree: eval, plain first match over the
 * judgement, and the diagrams of random windows. On random policies, and on
 * packets of which half lie on the bounds of boxes.
 */
#include <stdlib.h>
#include <string.h>

#include "compiler/prove/prover.h"
#include "tests/lib/rules_gen.h"
#include "tests/lib/tap.h"

#define POINTS_PER_WINDOW 2000

struct checking {
	struct rules g;
	const struct ir *ir;
	struct terms terms;
	const struct judgement *j;
	struct cell around; /* packets are moved into this window */
	struct window parts[4096]; /* of the last window that was asked about */
	size_t part_count;
	size_t points, windows;
	size_t eval_differs, steps_differ, admitted_differ, verdicts_differ;
	size_t cells_differ, values_differ, not_once;
};

static bool in_window(const struct window *w, const struct packet *p)
{
	return p->family == w->family && (w->states >> p->state & 1) &&
	       (w->fragments & p->fragment) && p->proto >= w->proto.lo &&
	       p->proto <= w->proto.hi && p->dport >= w->dport.lo && p->dport <= w->dport.hi &&
	       p->sport >= w->sport.lo && p->sport <= w->sport.hi && p->icmp >= w->icmp.lo &&
	       p->icmp <= w->icmp.hi && p->dst.num >= w->dst.lo && p->dst.num <= w->dst.hi &&
	       p->src.num >= w->src.lo && p->src.num <= w->src.hi;
}

/* Half of the packets that miss the window are moved in, to its bounds. */
static bool into_window(struct rules *g, const struct window *w, struct packet *p)
{
	if (in_window(w, p))
		return true;
	if (p->family != w->family || !(w->states >> p->state & 1) ||
	    !(w->fragments & p->fragment) ||
	    p->fragment == FRAGMENT_LATER)
		return false;
	p->proto = w->proto.lo == w->proto.hi ? (uint8_t)w->proto.lo : p->proto;
	p->dst.num = rules_below(g, 2) ? w->dst.lo : w->dst.hi;
	p->src.num = rules_below(g, 2) ? w->src.lo : w->src.hi;
	if (p->proto == 6 || p->proto == 17 || p->proto == 132) {
		p->dport = rules_below(g, 2) ? w->dport.lo : w->dport.hi;
		p->sport = rules_below(g, 2) ? w->sport.lo : w->sport.hi;
	}
	return in_window(w, p);
}

static void check_eval(struct checking *k, const struct point *p, size_t first)
{
	struct witness w = { .point = *p, .direction = k->j->direction };

	w.zone = p->packet.zone < k->terms.zones.len ? k->terms.zones.at[p->packet.zone] : NULL;
	(void)first;
	k->eval_differs += !witness_replays(&w, &k->terms, k->j);
}

static void check_point(struct checking *k, struct idd *m, struct space *s, const idd_ref by[4],
			const struct point *p)
{
	size_t first = judgement_first(k->j, p);
	const struct step *step = &k->j->steps[first];

	k->points++;
	check_eval(k, p, first);
	k->steps_differ += IDD_VALUE(space_ask(m, s, by[0], p)) != first;
	k->admitted_differ += (space_ask(m, s, by[1], p) == IDD_TRUE) !=
			      (step->verdict == VERDICT_ALLOW);
	k->verdicts_differ += IDD_VALUE(space_ask(m, s, by[2], p)) != (uint32_t)step->verdict;
	k->cells_differ += (space_ask(m, s, by[3], p) == IDD_TRUE) != cell_has(&k->around, p);
	for (unsigned level = 0; level < s->levels; level++)
		k->values_differ += space_value(s, level, p) > space_last(s, level);
}

static void ask(struct idd *m, struct space *s, const struct slice *slice, void *arg)
{
	static const bool nothing[64];
	struct checking *k = arg;
	idd_ref by[4] = { space_steps(m, s, slice), space_admitted(m, s, slice),
			  space_verdicts(m, s, slice),
			  space_cell(m, s, &k->around, IDD_TRUE, IDD_FALSE) };

	k->windows++;
	if (k->part_count < ARRAY_LEN(k->parts))
		k->parts[k->part_count++] = s->window;
	for (int i = 0; i < POINTS_PER_WINDOW; i++) {
		struct point p;

		rules_point(&k->g, k->ir, &k->terms, &p);
		p.packet.direction = k->j->direction;
		p.dst_self &= k->j->direction != DIRECTION_FORWARD;
		if (s->window.quiet) {
			p.blocked = false;
			p.over = nothing;
		}
		if (into_window(&k->g, &s->window, &p.packet) &&
		    (p.packet.src.num != p.packet.dst.num || p.src_self == p.dst_self))
			check_point(k, m, s, by, &p);
	}
}

static size_t parts_with(const struct checking *k, const struct packet *p)
{
	size_t n = 0;

	for (size_t i = 0; i < k->part_count; i++)
		n += in_window(&k->parts[i], p);
	return n;
}

static void check_judgement(struct checking *k, struct prover *p, size_t most)
{
	struct judgement *j = (struct judgement *)k->j;
	struct asking q = { .prover = p, .terms = &k->terms, .most = most, .ask = ask, .arg = k,
			    .more = &k->around };
	unsigned states = rules_below(&k->g, 2) ? STATES_ALL : 1 + (unsigned)rules_below(&k->g, STATES_ALL);

	k->around = j->cells[rules_below(&k->g, j->cell_count)];

	struct window all = window_all(&k->terms, k->around.family, states), w = all;

	all.quiet = rules_below(&k->g, 3) == 0;
	if (rules_below(&k->g, 2) || !window_around(&w, &all, &k->around))
		w = all;
	k->part_count = 0;
	asking_run(&q, &w, &j, 1);
	for (int i = 0; i < POINTS_PER_WINDOW && k->part_count < ARRAY_LEN(k->parts); i++) {
		struct point at;

		rules_point(&k->g, k->ir, &k->terms, &at);
		if (into_window(&k->g, &w, &at.packet))
			k->not_once += parts_with(k, &at.packet) != 1;
	}
}

static void check_policy(struct checking *k, size_t rules, size_t most)
{
	own(prover) struct prover *p = prover_new(&PROVE_BUDGET);
	own(arena) struct arena *a = arena_new();

	k->g.arena = a;
	k->g.sites = 0;
	k->ir = rules_make(&k->g, rules);
	k->terms = terms_begin(p);
	terms_add(&k->terms, k->ir);
	for (unsigned i = 0; i < k->ir->posture_count; i++) {
		enum direction d = k->g.profile == RULES_SMALL
					   ? (enum direction)rules_below(&k->g, DIRECTION_COUNT)
					   : DIRECTION_FORWARD;

		k->j = judgement_make(&k->terms, k->ir, i, d, 0);
		check_judgement(k, p, most);
	}
}

static void check_profile(enum rules_profile profile, size_t policies, size_t rules, size_t most)
{
	static struct checking k;

	k = (struct checking){ .g = { .seed = 11 + profile, .profile = profile, .v6 = 0.4 } };

	for (size_t i = 0; i < policies; i++)
		check_policy(&k, rules, most);
	tap_ok(k.points > policies * 300, "%s: %zu packets in %zu windows of %zu policies",
	       rules_profile_name(profile), k.points, k.windows, policies);
	tap_num(k.eval_differs, 0, "plain first match judges as eval does");
	tap_num(k.steps_differ, 0, "diagrams of deciding rules do");
	tap_num(k.admitted_differ, 0, "diagrams of what is admitted do");
	tap_num(k.verdicts_differ, 0, "diagrams of verdicts do");
	tap_num(k.cells_differ, 0, "a cell's diagram has the cell's packets");
	tap_num(k.not_once, 0, "every packet of a window is in one part of it");
	tap_num(k.values_differ, 0, "every packet of a window has values on all levels");
}

/* An argument scales the number of policies: the mutants are tried with few. */
int main(int argc, char **argv)
{
	size_t scale = argc > 1 ? strtoul(argv[1], NULL, 10) : 4;

	check_profile(RULES_SMALL, 300 * scale, 4, 1000);
	check_profile(RULES_SMALL, 60 * scale, 16, 12);
	check_profile(RULES_SMALL, 10 * scale, 40, 6);
	check_profile(RULES_ACL, 6, 400, 150);
	check_profile(RULES_FW, 6, 300, 100);
	check_profile(RULES_IPC, 6, 300, 1000);
	return tap_done();
}
