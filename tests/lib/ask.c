#include "tests/lib/ask.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <linux/bpf.h>

#include "lang/vocab/cause.h"
#include "tests/lib/tap.h"

const char *const ask_hooks[TEG_HOOKS] = { [TEG_HOOK_XDP] = "XDP", [TEG_HOOK_TC] = "TC" };

#define ask_note(q, ...) ((q)->quiet ? (void)0 : tap_note(__VA_ARGS__))

static void set_self(struct xdp_run *x, const struct netset *self)
{
	struct addr at[64];
	size_t count = 0;

	for (int f = 0; f < FAMILY_COUNT; f++)
		for (size_t i = 0; i < self->len[f]; i++)
			for (addr_num n = self->at[f][i].lo; count < ARRAY_LEN(at); n++) {
				at[count++] = (struct addr){ (enum family)f, n };
				if (n == self->at[f][i].hi)
					break;
			}
	xdp_run_self(x, at, count);
}

static uint32_t slot_of(const struct plan *p, const char *id)
{
	for (uint32_t i = 0; i < p->counter_count; i++)
		if (!strcmp(p->counters[i].id, id))
			return i;
	return p->counter_count;
}

static const char *closed_id(const struct ir *ir, unsigned posture)
{
	const struct ir_list *in = &ir->postures[posture].lists[DIRECTION_IN];

	return in->rules[in->count - 1].id;
}

static bool lies_in_lifeline(const struct moment *m, const struct ir *ir, const struct packet *p)
{
	for (size_t i = 0; i < ir->lifelines.count; i++)
		for (size_t k = 0; k < ir->lifelines.rules[i].box_count; k++)
			if (box_has(m, &ir->lifelines.rules[i].boxes[k], p))
				return true;
	return packet_is_neighbour(p);
}

/* What its network says, where that is blocked: as of a source that is. */
static bool net_is_blocked(const struct ask *q, const struct packet *p)
{
	for (size_t i = 0; i < ARRAY_LEN(q->nets); i++) {
		const struct addr_range r = prefix_range(q->nets[i].is);

		if (q->nets[i].until > q->now && q->nets[i].is.addr.family == p->family && r.lo <= p->src.num && p->src.num <= r.hi)
			return !lies_in_lifeline(q->m, q->d->ir, p);
	}
	return false;
}

static struct outcome ask_first_hook(const struct ask *q, const struct packet *p)
{
	if (net_is_blocked(q, p))
		return (struct outcome){ VERDICT_DROP, LAYER_BLOCK, NULL, WHY_BLOCKED, 0 };
	fed_find(&q->fed, q->m, q->d->ir, p->src);
	return eval_epiderme(q->m, p);
}

static struct wanted ask_eval(const struct ask *q, const uint8_t *frame, size_t len)
{
	struct moment *m = q->m;
	const struct plan *plan = &q->d->plan;
	struct packet p;
	struct wanted w = { .slot = plan->counter_count };

	w.cause = frame_parse(frame, len, &p);
	if (w.cause != CAUSE_NONE) {
		w.action = eval_cause(m, w.cause) == VERDICT_ALLOW ? XDP_PASS : XDP_DROP;
		w.passed = w.action == XDP_PASS && cause_verdict(w.cause) != VERDICT_ALLOW;
		w.why = "its form";
		return w;
	}
	p.zone = q->zone;
	p.direction = DIRECTION_IN;
	w.bytes = p.len;

	struct outcome o = ask_first_hook(q, &p);
	w.action = o.verdict == VERDICT_ALLOW ? XDP_PASS : XDP_DROP;
	w.why = o.rule ? o.rule->id : o.why;
	w.emits = o.emits;
	w.found = o.rule && o.rule->payload;
	if (o.rule || !strcmp(o.why, WHY_NEIGHBOUR) || !strcmp(o.why, WHY_BLOCKED)) {
		w.slot = slot_of(plan, w.why);
	} else if (eval_closed_drops(m, &p)) {
		w.action = XDP_DROP;
		w.why = closed_id(q->d->ir, q->posture);
		w.slot = slot_of(plan, w.why);
	}
	return w;
}

static void show_frame(const uint8_t *frame, size_t len)
{
	char text[3 * 160 + 1] = "";

	for (size_t i = 0; i < len && i < 160; i++)
		snprintf(text + 3 * i, 4, "%02x ", frame[i]);
	tap_note("%zu bytes: %s", len, text);
}

/* What is dropped is told, by who decided and of what; and so is what the policy asks. */
static bool told_as_meant(const struct ask *q, const struct wanted *w)
{
	const struct xdp_run_told told = xdp_run_told(q->x);
	const struct teg_event *e = &told.last;
	const bool drops = w->action == XDP_DROP;

	if (told.severities != w->emits || (drops && !(told.count && e->does & TEG_DOES_DROP)) ||
	    (!drops && !w->emits && told.count))
		return false;
	if (!drops)
		return true;
	if (w->cause)
		return e->who == (TEG_WHO_CAUSE | w->cause);
	return e->who == w->slot && e->generation == 7 && e->since == 1;
}

bool ask_frame(struct ask *q, const uint8_t *frame, size_t len, struct wanted *out)
{
	const struct plan *plan = &q->d->plan;
	struct wanted w = ask_eval(q, frame, len);
	unsigned action = xdp_run_frame(q->x, frame, len);
	bool same = action == w.action && told_as_meant(q, &w);

	if (w.slot < plan->counter_count) {
		struct teg_counter *mine = &q->counted[w.slot], seen = xdp_run_counter(q->x, w.slot);

		mine->packets++;
		mine->bytes += w.bytes;
		same = same && seen.packets == mine->packets && seen.bytes == mine->bytes;
	}
	q->counted[plan->counter_count + w.cause + (w.passed ? CAUSE_COUNT : 0)].packets++;
	if (!same && !q->quiet) {
		tap_note("eval: %s by %s; %s: %s%s", w.action == XDP_PASS ? "pass" : "drop", w.why, ask_hooks[q->hook],
			 action == XDP_PASS ? "pass" : action == XDP_DROP ? "drop" : "neither",
			 action == w.action ? ", but counted or told otherwise" : "");
		show_frame(frame, len);
	}
	*out = w;
	return same;
}

/* eval says what is told, not by which of those that only tell. */
static bool is_watch(const struct plan_counter *c)
{
	return c->layer == LAYER_REFLEX && c->verdict == VERDICT_ALLOW;
}

/* Nothing else was counted than what eval says. */
bool ask_counters(const struct ask *q)
{
	const struct plan *plan = &q->d->plan;
	uint32_t n = plan->counter_count;

	for (uint32_t i = 0; i < n; i++)
		if (!is_watch(&plan->counters[i]) && xdp_run_counter(q->x, i).packets != q->counted[i].packets) {
			ask_note(q, "%s: counted %" PRIu64 ", eval says %" PRIu64, plan->counters[i].id,
				 (uint64_t)xdp_run_counter(q->x, i).packets, (uint64_t)q->counted[i].packets);
			return false;
		}
	for (uint32_t c = 0; c < 2 * CAUSE_COUNT; c++)
		if (xdp_run_cause(q->x, (enum cause)c).packets != q->counted[n + c].packets) {
			ask_note(q, "cause %u: counted %" PRIu64 ", eval says %" PRIu64, c,
				 (uint64_t)xdp_run_cause(q->x, (enum cause)c).packets,
				 (uint64_t)q->counted[n + c].packets);
			return false;
		}
	return true;
}

int ask_open(struct ask *q, const struct drawn *d, enum teg_hook hook, struct arena *a, struct err *why)
{
	struct xdp_run *x = NULL;
	int rc = xdp_run_new_in(&x, hook, &d->plan, XDP_RUN_GIVEN_CLOCK, why);

	if (rc)
		return rc;
	*q = (struct ask){ .arena = a, .d = d, .hook = hook, .m = moment_new(d->ir), .x = x,
			   .counted = arena_zero(a, (d->plan.counter_count + 2 * CAUSE_COUNT) * sizeof *q->counted) };
	moment_set_self(q->m, &d->self);
	set_self(x, &d->self);
	return 0;
}

void ask_close(struct ask *q)
{
	moment_free(q->m);
	xdp_run_free(q->x);
	*q = (struct ask){ 0 };
}

void ask_at(struct ask *q, unsigned zone, unsigned posture, uint64_t pause_ns)
{
	q->zone = zone, q->posture = posture;
	q->now += pause_ns;
	moment_pass(q->m, pause_ns);
	moment_set_posture(q->m, posture);
	xdp_run_at(q->x, 1ull << zone, posture, q->now);
}

/* --- what happens between frames ----------------------------------------------------------------- */

static void replace_feeds(struct ask *q, struct gen *g)
{
	const struct ir *ir = q->d->ir;
	VEC(struct plan_prefix) on = { 0 };

	fed_draw(&q->fed, g, ir, q->d->aim, q->arena);
	for (size_t i = 0; i < ir->feeds.count; i++) {
		size_t len;
		const struct prefix *p = netset_prefixes(q->arena, &q->fed.on[i], &len);

		for (size_t k = 0; k < len; k++) {
			const struct plan_prefix one = { p[k], 1ull << i };

			vec_push(q->arena, &on, one);
		}
	}
	xdp_run_feed(q->x, on.at, plan_prefixes_join(on.at, (uint32_t)on.len));
}

static void block_host(struct ask *q, struct gen *g)
{
	static const uint64_t for_ns[] = { 0, 1, 2, 1000000, 1000000000, 60000000000 };
	const struct addr source = gen_packet(g, q->d->aim).src;
	const uint64_t ns = GEN_PICK(g, for_ns);

	moment_block(q->m, source, ns);
	xdp_run_block(q->x, source, ns ? q->now + ns : 0);
}

/* In place of one of some. Of each family there are few lengths. */
static void block_net(struct ask *q, struct gen *g)
{
	static const uint8_t len4[] = { 31, 24, 17, 8, 1 }, len6[] = { 63, 48, 33, 1 };
	struct ask_net *n = &q->nets[gen_below(g, ASK_NETS)];
	const struct addr source = gen_packet(g, q->d->aim).src;
	struct prefix is = { source, source.family == FAMILY_IP4 ? GEN_PICK(g, len4) : GEN_PICK(g, len6) };

	is.addr.num &= ~prefix_range((struct prefix){ { source.family, 0 }, is.len }).hi;
	for (size_t i = 0; i < ARRAY_LEN(q->nets); i++) /* the same is blocked anew */
		if (q->nets[i].until && q->nets[i].is.len == is.len && q->nets[i].is.addr.family == source.family &&
		    q->nets[i].is.addr.num == is.addr.num)
			n = &q->nets[i];
	if (n->until)
		xdp_run_block_nets(q->x, &n->is, 1, 0);
	*n = (struct ask_net){ is, gen_chance(g, 70) ? q->now + 1 + gen_below(g, 2000000000) : 0 };
	if (n->until)
		xdp_run_block_nets(q->x, &n->is, 1, n->until);
}

void ask_happens(struct ask *q, uint64_t number)
{
	struct gen g = gen_new(number);

	switch (gen_below(&g, 4)) {
	case 0:
		if (q->d->ir->feeds.count)
			replace_feeds(q, &g);
		return;
	case 1:
	case 2:
		block_host(q, &g);
		return;
	case 3:
		block_net(q, &g);
		return;
	}
}
