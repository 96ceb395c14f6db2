#include "tests/lib/draw.h"

#include "compiler/emit/emit.h"
#include "tests/lib/tap.h"

static const struct gen_shape shape = {
	.zones = 3, .lifelines = 2, .blocks = 3, .reflexes = 6, .postures = 3, .rules = 3,
	.rate_percent = 60, .block_percent = 30, .closed_percent = 40, .tell_percent = 40,
	.cookies_percent = 30,
};

/* More than a list may hold. */
static const struct gen_shape large = {
	.zones = 3, .lifelines = 2, .blocks = 20, .reflexes = 900, .postures = 3, .rules = 3,
	.rate_percent = 3, .block_percent = 10, .closed_percent = 10, .tell_percent = 10,
};

/* One rate or two, before and behind what is in trees: the program for rates asks both. */
static const struct gen_shape few = {
	.zones = 2, .lifelines = 1, .blocks = 1, .reflexes = 10, .postures = 2, .rules = 1,
	.rate_percent = 15, .block_percent = 10, .closed_percent = 20, .tell_percent = 5,
};

/* Rates as the language says them, shared by name; feeds; masks of zones and postures to their last bits. */
static const struct gen_shape wide = {
	.zones = POLICY_ZONES_MAX, .lifelines = 2, .blocks = 3, .reflexes = 8, .postures = 64, .rules = 2,
	.rate_percent = 70, .block_percent = 30, .closed_percent = 30, .tell_percent = 30, .cookies_percent = 10,
	.feeds = 3, .shared_percent = 40, .wide = true,
};

/* Rates as the tables hold them, beyond what the language says today: any key, buckets and
 * blocks so short that each nanosecond of the given clock shows. */
static void roughen(struct gen *g, struct ir *ir, struct arena *a)
{
	static const uint64_t costs[] = { 1, 1, 1000, 1000000, 1000000000, 600000000000 };

	for (size_t i = 0; i < ir->reflexes.count + ir->watches.count; i++) {
		struct ir_rule *r = i < ir->reflexes.count ? &ir->reflexes.rules[i] :
							     &ir->watches.rules[i - ir->reflexes.count];
		struct ir_rate rate = { .bucket = r->id, .kin = r->id, .burst = 1 + gen_below(g, 6), .rate = 1, .unit_s = 1 };

		if (r->block_ns && gen_chance(g, 50))
			r->block_ns = costs[gen_below(g, ARRAY_LEN(costs))];
		if (!r->rate || gen_chance(g, 30))
			continue;
		rate.cost_ns = costs[gen_below(g, ARRAY_LEN(costs))];
		rate.depth_ns = rate.cost_ns * rate.burst;
		if (gen_chance(g, 30)) {
			rate.bytes = true;
			rate.rate = 1 + gen_below(g, 200);
			rate.depth_ns = rate.cost_ns * (1 + gen_below(g, 500)) / rate.rate;
			if (rate.depth_ns < rate.cost_ns)
				rate.depth_ns = rate.cost_ns;
		}
		rate.key = gen_chance(g, 60) ? RATE_PER_SOURCE : gen_chance(g, 50) ? RATE_PER_DESTINATION :
			   gen_chance(g, 50) ? RATE_PER_FLOW : RATE_GLOBAL;
		rate.key_bits[FAMILY_IP4] = (uint8_t)gen_below(g, 33);
		rate.key_bits[FAMILY_IP6] = (uint8_t)gen_below(g, 129);
		r->rate = arena_copy(a, &rate, sizeof rate);
	}
}

static const struct {
	const char *expression;
	unsigned flags;
} patterns[] = {
	{ "abc", 0 }, { "^a", 0 }, { "c$", 0 }, { "a+b", PATTERN_ICASE }, { "get", PATTERN_ICASE }, { "c.*a", 0 }, { "bcc", 0 },
	{ "$", 0 }, { "^.{4}b", 0 }, { "\\.x", 0 }, { "ab|ba|cc", 0 }, { "[^a-c]{3}", 0 }, { "(ab)+c", 0 }, { "c.c", PATTERN_DOT_ALL },
	{ "\\xff", 0 }, { "union", PATTERN_ICASE }, { "[a-z]{6}", PATTERN_ICASE }, { "a.{3}b", 0 },
};

/* Some reflexes ask for a pattern besides, whatever else they ask. */
static void look_into(struct gen *g, struct ir *ir, struct arena *a)
{
	for (size_t i = 0; i < ir->reflexes.count + ir->watches.count; i++) {
		struct ir_rule *r = i < ir->reflexes.count ? &ir->reflexes.rules[i] :
							     &ir->watches.rules[i - ir->reflexes.count];
		struct pol_payload *p = arena_zero(a, sizeof *p);
		const unsigned n = gen_below(g, ARRAY_LEN(patterns));
		struct pattern_fault why;

		*p = (struct pol_payload){ .expression = patterns[n].expression, .flags = patterns[n].flags,
					   .within = gen_chance(g, 60) ? PAYLOAD_MOST : 1 + gen_below(g, 40) };
		if (gen_chance(g, 70) && !pattern_compile(&p->pattern, a, p->expression, p->flags, &why))
			r->payload = p;
	}
}

/* Prefixes so many that they do not fit the trie, which makes an atlas of them; half beside what packets ask. Often nearly all are hosts. */
static void make_vast(struct gen *g, struct ir *ir, struct arena *a)
{
	enum { HOSTS = 12000 };
	struct addr_range *at[FAMILY_COUNT] = { arena_zero(a, HOSTS * sizeof **at), arena_zero(a, HOSTS * sizeof **at) };
	const size_t len[FAMILY_COUNT] = { HOSTS, HOSTS };

	if (!ir->set_count)
		return;
	const bool hosts = gen_chance(g, 50);
	for (int f = 0; f < FAMILY_COUNT; f++)
		for (size_t i = 0; i < HOSTS; i++) {
			const struct netset *asked = &ir->sets[0]->set;
			const size_t ranges = asked->len[f];
			addr_num num = f == FAMILY_IP4 ? (uint32_t)gen_u64(g) : (addr_num)gen_u64(g) << 64 | gen_u64(g);
			const unsigned bits = hosts && gen_chance(g, 99) ? 0 : gen_below(g, f == FAMILY_IP4 ? 12 : 97);
			const addr_num host = ((addr_num)1 << bits) - 1;

			if (ranges && gen_chance(g, 50))
				num = (asked->at[f][gen_below(g, (unsigned)ranges)].lo ^ (num & 0xffff)) & family_max((enum family)f);
			at[f][i] = (struct addr_range){ num & ~host, num | host };
		}
	struct ir_set *set = (struct ir_set *)ir->sets[0];
	struct netset more = netset_of_ranges(a, at, len);
	set->set = netset_join(a, &set->set, &more);
}

enum draw_kind draw_kind(uint64_t seed)
{
	return seed % 25 == 24 ? DRAW_VAST : seed % 10 == 7 ? DRAW_LARGE : seed % 5 == 3 ? DRAW_FEW : seed % 3 == 0 ? DRAW_LOOKING : seed % 3 == 1 ? DRAW_WIDE : DRAW_USUAL;
}

enum xdp_run_clock draw_clock(uint64_t seed)
{
	return seed / 2 % 2 ? XDP_RUN_REAL_CLOCK : XDP_RUN_GIVEN_CLOCK;
}

void draw_feeds(struct drawn *d, uint64_t seed)
{
	static struct plan_feed feed = { .name = "some", .most = 10 };

	if (seed / 4 % 2 == 0 || !d->plan.rule_count || d->plan.feed_count)
		return;
	d->plan.feeds = &feed;
	d->plan.feed_count = d->plan.config.feed_count = 1;
	d->plan.config.feed_first = 0;
}

int draw_plan(struct drawn *d, struct arena *a, struct err *why)
{
	d->plan = (struct plan){ 0 };
	emit_plan(&d->plan, d->ir, a);
	return emit_xdp(&d->plan, d->ir, a, why);
}

int draw(struct drawn *d, struct gen *g, enum draw_kind kind, struct arena *a, struct err *why)
{
	static const struct gen_shape *const shapes[DRAW_KINDS] = { [DRAW_LARGE] = &large, [DRAW_WIDE] = &wide, [DRAW_FEW] = &few };

	d->ir = ir_lower(gen_policy(g, a, shapes[kind] ? shapes[kind] : &shape), a);
	d->self = gen_self(g, a);
	d->aim = gen_aim_at(d->ir, &d->self, a);
	if (kind != DRAW_WIDE)
		roughen(g, d->ir, a);
	if (kind == DRAW_LOOKING)
		look_into(g, d->ir, a);
	if (kind == DRAW_VAST)
		make_vast(g, d->ir, a);
	return draw_plan(d, a, why);
}
