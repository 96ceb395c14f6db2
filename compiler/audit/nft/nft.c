/* The batches, hook by hook, against the policy. */
#include <errno.h>
#include <string.h>

#include "compiler/audit/audit.h"
#include "compiler/audit/nft/walk.h"
#include "compiler/emit/nft/nft.h"
#include "compiler/ir/eval.h"
#include "compiler/ir/proto.h"
#include "lang/bundle/nft_name.h"
#include "lang/bundle/nft_tell.h"

struct auditing {
	struct prover *prover;
	const struct ir *ir;
	struct arena *arena; /* of the whole batch */
	struct nft_said said;
	struct terms terms;
	struct strmap rated;
	struct outcomes outcomes;
	nft_meters meters;
	struct err *why;
};

/* One hook of one posture, and one family. */
struct hook {
	unsigned posture;
	enum direction direction;
	enum family family;
	const char *chains[2]; /* the first may return, the second decides */
	size_t chain_count;
	struct outcome_parts else_; /* what becomes of what no chain decides */
	uint64_t zones;
	uint8_t fragments;
	enum nft_armed armed;
	const char *text; /* "layer 4, in" */
};

/* --- what is meant ------------------------------------------------------------------------------------ */

static uint64_t ms_of(uint64_t ns)
{
	return ns / 1000000 + (ns % 1000000 != 0);
}

static uint32_t meant_outcome(struct auditing *k, const struct step *s)
{
	const struct ir_rule *r = s->rule;
	const bool goes_on = !r && !strcmp(s->why, WHY_GOES_ON);
	struct outcome_parts p = { .verdict = s->verdict };

	if (!goes_on)
		p.counter = nft_name(k->arena, r ? r->id : s->why);
	if (r && r->effects.log && r->layer != LAYER_REFLEX)
		p.log = arena_printf(k->arena, "%s: ", r->effects.log);
	if (r)
		p.block_ms = ms_of(r->block_ns);
	return outcome_number(&k->outcomes, &p);
}

/* The steps of one family. */
static struct judgement *meant_list(struct auditing *k, const struct judgement *j, enum family f, struct arena *a)
{
	struct listed *at = arena_zero(a, (j->cell_count + 1) * sizeof *at);
	size_t count = 0;

	for (size_t s = 0; s < j->step_count; s++) {
		uint32_t outcome = meant_outcome(k, &j->steps[s]);

		for (uint32_t i = 0; i < j->steps[s].count; i++)
			if (j->cells[j->steps[s].first + i].family == f)
				at[count++] = (struct listed){ j->cells[j->steps[s].first + i], outcome };
	}
	return alike_list(a, k->ir, j->posture, j->direction, at, count);
}

/* --- what was made -------------------------------------------------------------------------------------- */

static struct nft_walk walk_of(struct auditing *k, const struct hook *h, struct arena *a)
{
	return (struct nft_walk){
		.world = { .arena = a, .said = &k->said, .family = h->family, .direction = h->direction, .armed = h->armed,
			   .why = k->why },
		.terms = &k->terms,
		.rated = &k->rated,
		.outcomes = &k->outcomes,
		.meters = &k->meters,
	};
}

/* Nothing is left behind a default. */
static bool is_total(const struct nft_walk *walk, const struct cell *path)
{
	return walk->list.len && cell_same(&walk->list.at[walk->list.len - 1].cell, path);
}

static int made_list(struct auditing *k, const struct hook *h, struct arena *a, struct window *w, struct judgement **out)
{
	struct nft_walk walk = walk_of(k, h, a);
	const uint64_t zones = nft_world_zones(&walk.world, &k->terms, k->ir) & h->zones;
	struct cell path = cell_any(h->family, zones);
	int rc = 0;

	*w = window_all(&k->terms, h->family, STATES_ALL);
	w->zones = zones;
	w->fragments = path.fragments = h->fragments;
	for (size_t i = 0; zones && i < h->chain_count && !rc; i++)
		rc = nft_walk(&walk, h->chains[i], &path);
	if (rc)
		return rc;
	if (!is_total(&walk, &path))
		vec_push(a, &walk.list, ((struct listed){ path, outcome_number(&k->outcomes, &h->else_) }));
	*out = alike_list(a, k->ir, h->posture, h->direction, walk.list.at, walk.list.len);
	return 0;
}

/* --- one against the other --------------------------------------------------------------------------------- */

static const char *outcome_text(const struct auditing *k, uint32_t number)
{
	return number == ALIKE_NOTHING ? "nothing" : k->outcomes.texts.at[number];
}

static int told(struct auditing *k, const struct hook *h, const struct alike *a)
{
	own(buf) struct buf packet = { 0 };

	switch (a->answer) {
	case ANSWER_PROVED:
		return 0;
	case ANSWER_REFUTED:
	case ANSWER_CONDITIONAL:
		witness_print(&packet, &a->witness);
		return err_set(k->why, EPROTO, "in %s, %s: nft does not do what the policy says: %s: the policy: %s; nft: %s",
			       k->ir->postures[h->posture].name, h->text, buf_text(&packet), outcome_text(k, a->meant),
			       outcome_text(k, a->made));
	case ANSWER_UNDECIDED:
		break;
	}
	return err_set(k->why, E2BIG, "in %s, %s: the budget did not suffice to prove that nft does what the policy says",
		       k->ir->postures[h->posture].name, h->text);
}

/* `meant` is of the hook's family alone. */
static int list_holds(struct auditing *k, const struct hook *h, struct judgement *meant, struct arena *a)
{
	struct judgement *made;
	struct window w;
	int rc = made_list(k, h, a, &w, &made);

	if (!rc && !w.zones)
		return 0; /* no interface is of any zone */
	if (rc)
		return err_in(k->why, "in %s, %s", k->ir->postures[h->posture].name, h->text);
	struct alike alike = prove_alike(k->prover, &k->terms, &w, meant, made);
	return told(k, h, &alike);
}

static int hook_holds(struct auditing *k, const struct hook *h, const struct judgement *meant)
{
	own(arena) struct arena *a = arena_new();

	return list_holds(k, h, meant_list(k, meant, h->family, a), a);
}

static int families_hold(struct auditing *k, struct hook h, const struct judgement *meant)
{
	int rc = 0;

	for (int f = 0; f < FAMILY_COUNT && !rc; f++) {
		h.family = (enum family)f;
		rc = hook_holds(k, &h, meant);
	}
	return rc;
}

/* --- the batches ---------------------------------------------------------------------------------------------- */

static void note_rated(struct auditing *k, const struct ir_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->rules[i].rate)
			strmap_put(&k->rated, nft_name(k->arena, l->rules[i].id), &l->rules[i]);
}

/* What chains that decide nothing count is nobody's else: a rule's counter would tell of packets that are not its own. */
static int idle_counters_hold(struct auditing *k)
{
	struct strmap watches;

	strmap_init(&watches, k->arena);
	strmap_put(&watches, NFT_UNTOLD, k);
	for (size_t i = 0; i < k->ir->watches.count; i++)
		strmap_put(&watches, nft_name(k->arena, k->ir->watches.rules[i].id), k);
	for (size_t i = 0; i < k->said.idle_counters.len; i++)
		if (!strmap_find(&watches, k->said.idle_counters.at[i]))
			return err_set(k->why, EPROTO, "%s counts where nothing is decided", k->said.idle_counters.at[i]);
	return 0;
}

static int begin(struct auditing *k, const struct batch *b, bool netdev)
{
	int rc;

	strmap_init(&k->rated, k->arena);
	outcomes_init(&k->outcomes, k->arena);
	k->terms.arena = k->arena;
	if (!terms_add(&k->terms, k->ir))
		return err_set(k->why, E2BIG, "the policy has more zones than can be told apart");
	note_rated(k, &k->ir->reflexes);
	note_rated(k, &k->ir->cookies);
	for (size_t i = 0; i < k->ir->posture_count; i++)
		for (int d = 0; d < DIRECTION_COUNT; d++)
			note_rated(k, &k->ir->postures[i].lists[d]);
	rc = nft_said_read(&k->said, k->arena, b, k->why);
	if (!rc && k->said.netdev != netdev)
		rc = err_set(k->why, EPROTO, "the batch is for another table");
	return rc ? rc : idle_counters_hold(k);
}

/* Loopback passes, uncounted, before all else. */
static int loopback_passes(struct auditing *k, enum direction d, enum family f)
{
	own(arena) struct arena *a = arena_new();
	struct hook h = { .direction = d, .family = f };
	struct nft_walk walk = walk_of(k, &h, a);
	struct cell path = cell_any(f, UINT64_MAX);
	const struct outcome_parts accept = { .verdict = VERDICT_ALLOW };
	int rc;

	walk.world.loopback = true;
	path.fragments = FRAGMENT_WHOLE | FRAGMENT_FIRST;
	rc = nft_walk(&walk, arena_printf(a, "pre_%s", direction_name(d)), &path);
	if (rc)
		return rc;
	if (walk.list.len != 1 || walk.list.at[0].outcome != outcome_number(&k->outcomes, &accept) ||
	    !cell_same(&walk.list.at[0].cell, &path))
		return err_set(k->why, EPROTO, "%s: loopback does not pass before all else", direction_name(d));
	return 0;
}

static int layer4_holds(struct auditing *k, unsigned posture, enum direction d)
{
	struct judgement *meant = judgement_of_layer4(&k->terms, k->ir, posture, d);
	const char *way = direction_name(d);
	const struct hook h = {
		.posture = posture,
		.direction = d,
		.chains = { arena_printf(k->arena, "pre_%s", way),
			    arena_printf(k->arena, "%s_%s", k->ir->postures[posture].name, way) },
		.chain_count = 2,
		.else_ = { .verdict = VERDICT_DROP },
		.zones = UINT64_MAX,
		.fragments = FRAGMENT_WHOLE | FRAGMENT_FIRST,
		.text = arena_printf(k->arena, "layer 4, %s", way),
	};

	return families_hold(k, h, meant);
}

/* --- SYN cookies for servers behind ------------------------------------------------------------------------- */

enum { TCP_SYN = 0x02, TCP_ACK = 0x10, TCP_ASKED = 0x17 }; /* fin, syn, rst, ack */

/* What begins a flow by these flags, of all that the cell has. False: none of it does. */
static bool begins_flow(struct cell *c, uint8_t flags)
{
	const uint8_t both = c->flags_mask & TCP_ASKED;

	if (c->proto_lo > PROTO_TCP || c->proto_hi < PROTO_TCP || (c->flags_want & both) != (flags & both))
		return false;
	c->proto_lo = c->proto_hi = PROTO_TCP;
	c->states &= 1u << CT_NEW;
	c->flags_mask |= TCP_ASKED;
	c->flags_want |= flags;
	return c->states;
}

/* SYNs over a reflex's rate are answered, and their server is armed; acknowledgements to an armed one are asked for cookies; all else passes. */
static struct judgement *meant_cookies(struct auditing *k, const struct hook *h, struct arena *a)
{
	const struct outcome_parts asked = { .verdict = VERDICT_DROP, .answered = true }, passes = { .verdict = VERDICT_ALLOW };
	struct cell cells[FAMILY_COUNT], all = cell_any(h->family, UINT64_MAX);
	VEC(struct listed) list = { 0 };

	for (size_t i = 0; i < k->ir->cookies.count; i++) {
		const struct ir_rule *r = &k->ir->cookies.rules[i];
		const struct outcome_parts p = { .verdict = VERDICT_DROP, .counter = nft_name(k->arena, r->id), .arms = true, .answered = true };

		for (size_t b = 0; r->rate && b < r->box_count; b++) {
			const size_t len = cells_of_box(&k->terms, k->ir, &r->boxes[b], DIRECTION_FORWARD, cells);

			for (size_t c = 0; c < len; c++) {
				cells[c].unknown = (int)terms_own_unknown(&k->terms, r);
				if (cells[c].family == h->family && begins_flow(&cells[c], TCP_SYN))
					vec_push(a, &list, ((struct listed){ cells[c], outcome_number(&k->outcomes, &p) }));
			}
		}
	}
	struct cell ack = all;
	if (h->armed == NFT_ARMED_IS && begins_flow(&ack, TCP_ACK))
		vec_push(a, &list, ((struct listed){ ack, outcome_number(&k->outcomes, &asked) }));
	vec_push(a, &list, ((struct listed){ all, outcome_number(&k->outcomes, &passes) }));
	return alike_list(a, k->ir, 0, DIRECTION_FORWARD, list.at, list.len);
}

static int cookies_hold(struct auditing *k)
{
	struct hook h = { .direction = DIRECTION_FORWARD, .chains = { NFT_COOKIES }, .chain_count = 1, .else_ = { .verdict = VERDICT_DROP },
			  .zones = UINT64_MAX, .fragments = FRAGMENT_WHOLE | FRAGMENT_FIRST, .text = "SYN cookies for servers behind" };
	int rc = 0;

	if (!k->ir->cookies.count)
		return nft_said_chain(&k->said, NFT_COOKIES) ? err_set(k->why, EPROTO, "SYNs are answered that no reflex asks for") : 0;
	askers_add(&k->terms, k->ir, &k->ir->cookies);
	for (int f = 0; f < FAMILY_COUNT && !rc; f++)
		for (h.armed = NFT_ARMED_NOT; h.armed <= NFT_ARMED_IS && !rc; h.armed++) {
			own(arena) struct arena *a = arena_new();

			h.family = (enum family)f;
			rc = list_holds(k, &h, meant_cookies(k, &h, a), a);
		}
	return rc;
}

int audit_layer4(struct prover *p, const struct ir *ir, const struct batch *b, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct auditing k = { .prover = p, .ir = ir, .arena = a, .why = why };
	int rc = begin(&k, b, false);

	for (int f = 0; f < FAMILY_COUNT && !rc; f++) {
		rc = loopback_passes(&k, DIRECTION_IN, (enum family)f);
		if (!rc)
			rc = loopback_passes(&k, DIRECTION_OUT, (enum family)f);
	}
	for (unsigned i = 0; i < ir->posture_count && !rc; i++)
		for (int d = 0; d < DIRECTION_COUNT && !rc; d++)
			rc = layer4_holds(&k, i, (enum direction)d);
	return rc ? rc : cookies_hold(&k);
}

static int epiderme_holds(struct auditing *k, unsigned posture)
{
	struct judgement *meant = judgement_of_first_hook(&k->terms, k->ir, posture);
	const struct hook h = {
		.posture = posture,
		.direction = DIRECTION_IN,
		.chains = { arena_printf(k->arena, "epiderme_%s", k->ir->postures[posture].name) },
		.chain_count = 1,
		.else_ = { .verdict = VERDICT_ALLOW },
		.zones = ~(UINT64_C(1) << ZONE_NONE),
		.fragments = FRAGMENT_ANY,
		.text = "layers 1 to 3 at the ingress hook",
	};

	return families_hold(k, h, meant);
}

int audit_nft_epiderme(struct prover *p, const struct ir *ir, const struct batch *b, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct auditing k = { .prover = p, .ir = ir, .arena = a, .why = why };
	int rc = begin(&k, b, true);

	for (unsigned i = 0; i < ir->posture_count && !rc; i++)
		rc = epiderme_holds(&k, i);
	return rc;
}
