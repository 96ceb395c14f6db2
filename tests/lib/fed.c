#include "tests/lib/fed.h"

#include <assert.h>

/* Around what packets come from. */
static struct prefix some_prefix(struct gen *g, const struct gen_aim *aim)
{
	const struct packet p = gen_packet(g, aim);
	const unsigned bits = FAMILY_BITS(p.family);
	struct prefix out = { p.src, gen_chance(g, 60) ? bits : bits - gen_below(g, bits / 4) };

	out.addr.num &= ~prefix_range((struct prefix){ { p.family, 0 }, out.len }).hi;
	return out;
}

void fed_draw(struct fed *f, struct gen *g, const struct ir *ir, const struct gen_aim *aim, struct arena *a)
{
	assert(ir->feeds.count <= FED_MOST);
	for (size_t i = 0; i < ir->feeds.count; i++) {
		f->on[i] = (struct netset){ 0 };
		for (unsigned n = gen_chance(g, 15) ? 0 : 1 + gen_below(g, 12); n; n--) {
			const struct prefix p = some_prefix(g, aim);
			const struct netset more = netset_of_range(a, p.addr.family, prefix_range(p));

			f->on[i] = netset_join(a, &f->on[i], &more);
		}
	}
}

void fed_find(const struct fed *f, struct moment *m, const struct ir *ir, struct addr source)
{
	m->found_count = 0;
	for (size_t i = 0; i < ir->feeds.count; i++)
		if (netset_has(&f->on[i], source))
			moment_find(m, ir->feeds.rules[i].id);
}
