/*
 * dead_bound.c - which rules may lose more than a share of their packets to rules before them that decide otherwise.
 *
 * In a small window, what one cell has of another's packets is a product over the fields. So much every cell before a rule's
 * takes of it at most, and together no more than their sum. A rule whose sum stays below the share need not be measured.
 */
#include "compiler/prove/dead_parts.h"

/* --- what two cells have in common -------------------------------------------------------- */

static double addresses_both(const struct side *a, const struct side *b, const struct addr_range *w)
{
	const struct addr_range whole = *w;
	const struct addr_range *x = a->full ? &whole : a->at, *y = b->full ? &whole : b->at;
	const size_t x_len = a->full ? 1 : a->len, y_len = b->full ? 1 : b->len;
	double sum = 0;

	for (size_t i = 0, k = 0; i < x_len && k < y_len;) {
		addr_num lo = x[i].lo > y[k].lo ? x[i].lo : y[k].lo, hi = x[i].hi < y[k].hi ? x[i].hi : y[k].hi;

		lo = lo > w->lo ? lo : w->lo;
		hi = hi < w->hi ? hi : w->hi;
		if (lo <= hi)
			sum += (double)(hi - lo) + 1;
		if (x[i].hi < y[k].hi)
			i++;
		else
			k++;
	}
	return sum / width(w);
}

/* An address is the host's own or not, one as likely as the other. */
static double side_both(const struct side *a, const struct side *b, const struct addr_range *w)
{
	static const struct side any = { .full = true };
	const double others = addresses_both(a, b, w);

	if (!a->self && !b->self)
		return others;
	return (others + addresses_both(a->self ? &any : a, b->self ? &any : b, w)) / 2;
}

static double ranges_both(const struct ranges *a, const struct ranges *b, const struct range *w)
{
	unsigned sum = 0;

	for (size_t i = 0, k = 0; i < a->len && k < b->len;) {
		uint16_t lo = a->at[i].lo > b->at[k].lo ? a->at[i].lo : b->at[k].lo;
		uint16_t hi = a->at[i].hi < b->at[k].hi ? a->at[i].hi : b->at[k].hi;

		lo = lo > w->lo ? lo : w->lo;
		hi = hi < w->hi ? hi : w->hi;
		if (lo <= hi)
			sum += hi - lo + 1u;
		if (a->at[i].hi < b->at[k].hi)
			i++;
		else
			k++;
	}
	return sum / (w->hi - w->lo + 1.0);
}

static double protos_both(const struct cell *a, const struct cell *b, const struct range *w)
{
	int lo = a->proto_lo > b->proto_lo ? a->proto_lo : b->proto_lo, hi = a->proto_hi < b->proto_hi ? a->proto_hi : b->proto_hi;

	lo = lo > w->lo ? lo : w->lo;
	hi = hi < w->hi ? hi : w->hi;
	return lo <= hi ? (hi - lo + 1.0) / (w->hi - w->lo + 1.0) : 0;
}

static double flags_both(const struct cell *a, const struct cell *b)
{
	if ((a->flags_want ^ b->flags_want) & a->flags_mask & b->flags_mask)
		return 0;
	return 1.0 / (1u << __builtin_popcount(a->flags_mask | b->flags_mask));
}

static double bits_both(uint64_t a, uint64_t b, uint64_t all)
{
	return (double)__builtin_popcountll(a & b & all) / __builtin_popcountll(all);
}

static bool apart(const struct side *a, const struct side *b)
{
	return !a->full && !b->full && a->len && b->len && !(a->self || b->self) &&
	       (a->at[0].lo > b->at[b->len - 1].hi || b->at[0].lo > a->at[a->len - 1].hi);
}

/* Of the window's packets the share that both have, while nothing is blocked and no rate is exceeded. */
static double both(const struct cell *a, const struct cell *b, const struct window *w)
{
	if (apart(&a->dst, &b->dst) || apart(&a->src, &b->src) || a->unknown >= 0 || b->unknown >= 0 || !(a->blocked & b->blocked & 1))
		return 0;
	return side_both(&a->dst, &b->dst, &w->dst) * side_both(&a->src, &b->src, &w->src) * protos_both(a, b, &w->proto) * ranges_both(&a->dport, &b->dport, &w->dport) *
	       ranges_both(&a->sport, &b->sport, &w->sport) * ranges_both(&a->icmp, &b->icmp, &w->icmp) *
	       bits_both(a->zones, b->zones, w->zones) * bits_both(a->fragments, b->fragments, w->fragments) *
	       bits_both(a->hops, b->hops, HOPS_ALL) * bits_both(a->replies, b->replies, 3) * flags_both(a, b);
}

/* --- window by window -------------------------------------------------------------------------- */

struct bounding {
	const struct judgement *j;
	bool *known;
	double *seen, *taken; /* by cell: what windows had of it, and of that what others may take */
};

static size_t need_bounds(const struct slice *slice, const struct window *w, void *arg)
{
	const struct bounding *k = arg;

	(void)w;
	return dead_need(slice, k->known);
}

static bool decides_otherwise(const struct judgement *j, const struct cell *a, const struct cell *b)
{
	return a->step != b->step && j->steps[a->step].verdict != j->steps[b->step].verdict;
}

static void ask_bounds(struct idd *m, struct space *s, const struct slice *slice, void *arg)
{
	struct bounding *k = arg;
	struct window all = window_all(s->terms, s->window.family, s->window.states);
	const double part = window_part(&s->window, &all);

	(void)m;
	for (size_t i = 0; i < slice->len; i++) {
		const struct cell *c = slice->at[i];
		const double own = both(c, c, &s->window);
		double taken = 0;

		if (k->known[c->step])
			continue;
		for (size_t b = 0; b < i && taken < own; b++)
			if (decides_otherwise(k->j, slice->at[b], c))
				taken += both(slice->at[b], c, &s->window);
		k->seen[c - k->j->cells] += part * own;
		k->taken[c - k->j->cells] += part * (taken < own ? taken : own);
	}
}

/* What no window had of a cell lies behind one that has all of such a window. */
static bool may_lose(const struct bounding *k, const struct terms *t, const struct step *s, double share)
{
	for (uint32_t i = s->first; i < s->first + s->count; i++) {
		const struct window all = window_all(t, k->j->cells[i].family, STATES_ALL);
		const double own = both(&k->j->cells[i], &k->j->cells[i], &all), rounding = 1e-6;

		if (own > 0 && own - k->seen[i] + k->taken[i] > (share - rounding) * own)
			return true;
		for (uint32_t o = s->first; o < i; o++)
			if (both(&k->j->cells[o], &k->j->cells[i], &all) > 0)
				return true;
	}
	return false;
}

void dead_bound(struct dead_search *d, struct judgement *j, unsigned states, bool *known)
{
	struct bounding k = { .j = j, .known = known, .seen = arena_zero(d->prover->arena, j->cell_count * sizeof *k.seen),
			      .taken = arena_zero(d->prover->arena, j->cell_count * sizeof *k.taken) };
	struct asking q = { .prover = d->prover, .terms = &d->terms, .most = WINDOW_CELLS, .need = need_bounds, .ask = ask_bounds, .arg = &k };

	for (int f = 0; f < FAMILY_COUNT; f++) {
		struct window w = window_all(&d->terms, (enum family)f, states);

		asking_run(&q, &w, &j, 1);
	}
	for (size_t i = 0; i < j->step_count; i++)
		known[i] |= !may_lose(&k, &d->terms, &j->steps[i], d->share);
}
