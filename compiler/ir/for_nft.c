/* for_nft - the part of a policy that nft can carry: see ir.h. */
#include "compiler/ir/ir.h"

static bool is_for_nft(const struct ir_rule *r)
{
	return !r->payload && !r->cookies;
}

/* The list itself, where all of it is. */
static struct ir_list list_for_nft(const struct ir_list *l, struct arena *a)
{
	struct ir_list out = { 0 };

	while (out.count < l->count && is_for_nft(&l->rules[out.count]))
		out.count++;
	if (out.count == l->count)
		return *l;
	out = (struct ir_list){ arena_zero(a, l->count * sizeof *out.rules), 0 };
	for (size_t i = 0; i < l->count; i++)
		if (is_for_nft(&l->rules[i]))
			out.rules[out.count++] = l->rules[i];
	return out;
}

/* Ranks are places in the list of reflexes, some of which are gone. */
static void rank_for_nft(struct ir_list *watches, const struct ir_list *reflexes, struct arena *a)
{
	watches->rules = arena_copy(a, watches->rules, watches->count * sizeof *watches->rules);
	for (size_t w = 0; w < watches->count; w++) {
		size_t rank = 0;

		for (size_t i = 0; i < watches->rules[w].rank; i++)
			rank += is_for_nft(&reflexes->rules[i]);
		watches->rules[w].rank = rank;
	}
}

static bool is_of_self_alone(const struct ir_box *b)
{
	return b->dst.self && !b->dst.set;
}

static struct ir_list cookies_for_nft(const struct ir_list *l, struct arena *a)
{
	struct ir_list out = { 0 };
	size_t most = 0;

	for (size_t i = 0; i < l->count; i++)
		most += l->rules[i].cookies;
	out.rules = arena_zero(a, (most + 1) * sizeof *out.rules);
	for (size_t i = 0; i < l->count; i++) {
		struct ir_rule r = l->rules[i];

		if (!r.cookies || r.except)
			continue;
		r.boxes = arena_zero(a, (r.box_count + 1) * sizeof *r.boxes);
		r.box_count = 0;
		for (size_t b = 0; b < l->rules[i].box_count; b++)
			if (!is_of_self_alone(&l->rules[i].boxes[b]))
				r.boxes[r.box_count++] = l->rules[i].boxes[b];
		if (r.box_count)
			out.rules[out.count++] = r;
	}
	return out;
}

struct ir *ir_for_nft(const struct ir *ir, struct arena *a)
{
	struct ir *out = arena_copy(a, ir, sizeof *ir);

	out->cookies = cookies_for_nft(&ir->reflexes, a);
	out->reflexes = list_for_nft(&ir->reflexes, a);
	out->watches = list_for_nft(&ir->watches, a);
	rank_for_nft(&out->watches, &ir->reflexes, a);
	return out;
}
