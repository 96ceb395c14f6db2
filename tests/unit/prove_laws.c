/*
 * The diagram engine by itself: random functions of four small fields are kept
 * beside their diagrams as plain tables, and everything is asked of both.
 */
#include <stdlib.h>
#include <string.h>

#include "compiler/prove/idd/idd.h"
#include "tests/lib/tap.h"

#define LEVELS 4
#define SIDE   6 /* values that matter of each field; the last stands for all above */
#define POINTS (SIDE * SIDE * SIDE * SIDE)
#define ROUNDS 400

static uint64_t seed = 7;

static unsigned below(unsigned n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)((seed >> 33) % n);
}

/* What a diagram means, written out. */
struct table {
	uint32_t at[POINTS];
};

static void values_of(unsigned point, uint32_t v[LEVELS])
{
	for (int l = 0; l < LEVELS; l++, point /= SIDE)
		v[l] = point % SIDE;
}

static struct table write_out(struct idd *m, idd_ref a)
{
	struct table t;

	for (unsigned i = 0; i < POINTS; i++) {
		uint32_t v[LEVELS];
		idd_ref at = a;

		values_of(i, v);
		while (!IDD_IS_NUMBER(at))
			at = idd_child(m, at, v[idd_level(m, at)]);
		t.at[i] = at;
	}
	return t;
}

/* A list of random boxes, first match, with `numbers` different answers. */
static idd_ref random_list(struct idd *m, unsigned numbers, idd_ref otherwise)
{
	idd_ref all = IDD_NONE;

	for (unsigned n = 1 + below(6); n; n--) {
		idd_ref box = IDD_NUMBER(below(numbers));

		for (unsigned l = LEVELS; l-- > 0;) {
			uint32_t lo = below(SIDE), hi = lo + below(SIDE - lo);

			if (below(3))
				box = idd_interval(m, l, lo, hi == SIDE - 1 ? IDD_TOP : hi, box,
						   IDD_NONE);
		}
		all = idd_apply(m, IDD_OVER, all, box);
	}
	return idd_apply(m, IDD_OVER, all, otherwise);
}

static idd_ref random_set(struct idd *m)
{
	return random_list(m, 2, IDD_NUMBER(below(2)));
}

static idd_ref expect(enum idd_op op, idd_ref a, idd_ref b)
{
	switch (op) {
	case IDD_AND:
		return IDD_NUMBER(a == IDD_TRUE && b == IDD_TRUE);
	case IDD_OR:
		return IDD_NUMBER(a == IDD_TRUE || b == IDD_TRUE);
	case IDD_DIFF:
		return IDD_NUMBER(a == IDD_TRUE && b != IDD_TRUE);
	case IDD_XOR:
		return IDD_NUMBER(a != b);
	case IDD_OVER:
		return a == IDD_NONE ? b : a;
	case IDD_MASK:
		return a == IDD_TRUE ? b : IDD_NONE;
	}
	return 0;
}

/* Counted over all rounds, told once each. */
enum law {
	LAW_APPLY, LAW_CANONICAL, LAW_ASSOCIATIVE, LAW_DE_MORGAN, LAW_XOR_EMPTY, LAW_MAP,
	LAW_FOR_ALL, LAW_FOR_SOME, LAW_FIX, LAW_NUMBERS, LAW_SHARES, LAW_RESET, LAWS
};

static const char *const laws[LAWS] = {
	[LAW_APPLY] = "each operation does to every point what its words say",
	[LAW_CANONICAL] = "equal functions are one node",
	[LAW_ASSOCIATIVE] = "first match of first matches: over is associative",
	[LAW_DE_MORGAN] = "a minus (b or c) is (a minus b) and (a minus c)",
	[LAW_XOR_EMPTY] = "a equals b exactly when their xor is empty",
	[LAW_MAP] = "map changes numbers and nothing else",
	[LAW_FOR_ALL] = "for_all holds where every value of the level does",
	[LAW_FOR_SOME] = "for_some holds where any value of the level does",
	[LAW_FIX] = "fix takes the value given",
	[LAW_NUMBERS] = "numbers lists the answers that occur",
	[LAW_SHARES] = "shares add up to one, and each is what counting gives",
	[LAW_RESET] = "after a reset the same question has the same answer",
};

static unsigned broken[LAWS];

static void check(enum law l, bool held)
{
	broken[l] += !held;
}

static bool same_table(const struct table *a, const struct table *b)
{
	return !memcmp(a, b, sizeof *a);
}

static void check_apply(struct idd *m)
{
	static const bool sets[] = { [IDD_AND] = true, [IDD_OR] = true, [IDD_DIFF] = true,
				     [IDD_XOR] = false, [IDD_OVER] = false, [IDD_MASK] = false };

	for (int op = IDD_AND; op <= IDD_MASK; op++) {
		idd_ref a = sets[op] || op == IDD_MASK ? random_set(m) : random_list(m, 5, IDD_NONE);
		idd_ref b = sets[op] ? random_set(m) : random_list(m, 5, IDD_NONE);
		struct table ta = write_out(m, a), tb = write_out(m, b), want;
		struct table got = write_out(m, idd_apply(m, (enum idd_op)op, a, b));

		for (unsigned i = 0; i < POINTS; i++)
			want.at[i] = expect((enum idd_op)op, ta.at[i], tb.at[i]);
		check(LAW_APPLY, same_table(&got, &want));
		check(LAW_CANONICAL, (a == b) == same_table(&ta, &tb));
	}
}

/* The same function, put together point by point in another order. */
static idd_ref rebuilt(struct idd *m, const struct table *t)
{
	idd_ref all = IDD_NONE;

	for (unsigned i = POINTS; i-- > 0;) {
		idd_ref one = t->at[i];
		uint32_t v[LEVELS];

		values_of(i, v);
		for (unsigned l = LEVELS; l-- > 0;)
			one = idd_interval(m, l, v[l], v[l] == SIDE - 1 ? IDD_TOP : v[l], one,
					   IDD_NONE);
		all = idd_apply(m, IDD_OVER, one, all);
	}
	return all;
}

static void check_algebra(struct idd *m)
{
	idd_ref a = random_list(m, 4, IDD_NONE), b = random_list(m, 4, IDD_NONE);
	idd_ref c = random_list(m, 4, IDD_NONE), x = random_set(m), y = random_set(m);
	idd_ref z = random_set(m);

	check(LAW_ASSOCIATIVE,
	      idd_apply(m, IDD_OVER, a, idd_apply(m, IDD_OVER, b, c)) ==
		      idd_apply(m, IDD_OVER, idd_apply(m, IDD_OVER, a, b), c));
	check(LAW_DE_MORGAN,
	      idd_apply(m, IDD_DIFF, x, idd_apply(m, IDD_OR, y, z)) ==
		      idd_apply(m, IDD_AND, idd_apply(m, IDD_DIFF, x, y),
				idd_apply(m, IDD_DIFF, x, z)));
	check(LAW_XOR_EMPTY, (x == y) == (idd_apply(m, IDD_XOR, x, y) == IDD_FALSE));
	check(LAW_XOR_EMPTY, idd_apply(m, IDD_XOR, a, a) == IDD_FALSE);
}

static idd_ref plus_seven(const void *arg, uint32_t n)
{
	return n == *(const uint32_t *)arg ? IDD_NONE : IDD_NUMBER(n + 7);
}

static void check_map(struct idd *m)
{
	idd_ref a = random_list(m, 5, IDD_NONE);
	struct table t = write_out(m, a), want;

	for (uint32_t gone = 0; gone < 3; gone++) {
		struct table got = write_out(m, idd_map(m, a, plus_seven, &gone));

		for (unsigned i = 0; i < POINTS; i++)
			want.at[i] = t.at[i] == IDD_NONE ? IDD_NONE
							 : plus_seven(&gone, IDD_VALUE(t.at[i]));
		check(LAW_MAP, same_table(&got, &want));
	}
}

static unsigned with_value(unsigned point, unsigned level, unsigned value)
{
	unsigned scale = 1;

	for (unsigned l = 0; l < level; l++)
		scale *= SIDE;
	return point - point / scale % SIDE * scale + value * scale;
}

static void check_levels(struct idd *m)
{
	idd_ref a = random_set(m);
	struct table t = write_out(m, a), all, some, fixed;
	unsigned level = below(LEVELS);
	bool chosen[LEVELS] = { false };
	uint32_t value[LEVELS] = { 0 };

	chosen[level] = true;
	value[level] = below(SIDE);
	for (unsigned i = 0; i < POINTS; i++) {
		bool every = true, any = false;

		for (unsigned v = 0; v < SIDE; v++) {
			every &= t.at[with_value(i, level, v)] == IDD_TRUE;
			any |= t.at[with_value(i, level, v)] == IDD_TRUE;
		}
		all.at[i] = IDD_NUMBER(every);
		some.at[i] = IDD_NUMBER(any);
		fixed.at[i] = t.at[with_value(i, level, value[level])];
	}

	struct table got_all = write_out(m, idd_for_all(m, a, chosen));
	struct table got_some = write_out(m, idd_for_some(m, a, chosen));
	struct table got_fixed = write_out(m, idd_fix(m, a, chosen, value));

	check(LAW_FOR_ALL, same_table(&got_all, &all));
	check(LAW_FOR_SOME, same_table(&got_some, &some));
	check(LAW_FIX, same_table(&got_fixed, &fixed));
}

static double weigh(const void *arg, unsigned level, uint32_t lo, uint32_t hi)
{
	(void)arg;
	(void)level;
	return ((hi == IDD_TOP ? SIDE - 1 : hi) - lo + 1.0) / SIDE;
}

static void check_shares(struct idd *m)
{
	idd_ref a = random_list(m, 5, IDD_NUMBER(5));
	struct table t = write_out(m, a);
	double share[6] = { 0 }, counted[6] = { 0 }, sum = 0;
	bool seen[6] = { false };

	idd_shares(m, a, weigh, NULL, share, 6);
	idd_numbers(m, a, seen);
	for (unsigned i = 0; i < POINTS; i++)
		counted[IDD_VALUE(t.at[i])] += 1.0 / POINTS;
	for (int n = 0; n < 6; n++) {
		double off = share[n] - counted[n];

		sum += share[n];
		check(LAW_SHARES, off < 1e-9 && off > -1e-9);
		check(LAW_NUMBERS, seen[n] == (counted[n] > 0));
	}
	check(LAW_SHARES, sum > 1 - 1e-9 && sum < 1 + 1e-9);
}

static void work(struct idd *m, void *arg)
{
	(void)arg;
	check_apply(m);
	check_algebra(m);
	check_map(m);
	check_levels(m);
	check_shares(m);
}

static void rebuild(struct idd *m, void *arg)
{
	idd_ref a = random_list(m, 3, IDD_NONE);
	struct table t = write_out(m, a);

	(void)arg;
	check(LAW_CANONICAL, rebuilt(m, &t) == a);
}

static void remember_sizes(struct idd *m, void *arg)
{
	struct idd_size *s = arg;
	idd_ref all = IDD_NONE;

	seed = 99;
	for (int i = 0; i < 20; i++)
		all = idd_apply(m, IDD_OVER, all, random_list(m, 50, IDD_NONE));
	*s = idd_size(m, all);
}

/* A small function of many values on a level: more nodes than any small budget has. */
static void grow_for_ever(struct idd *m, void *arg)
{
	idd_ref all = IDD_NONE;

	(void)arg;
	for (unsigned i = 0;; i++) {
		idd_ref one = IDD_NUMBER(i % 1000);

		for (unsigned l = LEVELS; l-- > 0;)
			one = idd_interval(m, l, below(1u << 20), IDD_TOP, one, IDD_NUMBER(l));
		all = idd_apply(m, IDD_OVER, one, all);
	}
}

static void budgets(void)
{
	const struct idd_budget little = { 1u << 12, UINT64_C(1) << 40 };
	const struct idd_budget short_of_steps = { 1u << 24, 20000 };
	own(idd) struct idd *a = idd_new(&little), *b = idd_new(&short_of_steps);
	own(idd) struct idd *c = idd_new(&short_of_steps);

	tap_ok(!idd_try(a, grow_for_ever, NULL), "the budget of slots ends the work");
	tap_ok(idd_slots(a) <= little.slots, "and was kept");
	idd_reset(a);
	tap_ok(idd_try(a, work, NULL), "after a reset the manager works again");
	tap_ok(!idd_try(b, grow_for_ever, NULL), "the budget of steps ends the work");
	seed = 7;
	idd_try(b, grow_for_ever, NULL);
	seed = 7;
	tap_ok(!idd_try(c, grow_for_ever, NULL) && idd_steps(c) <= short_of_steps.steps + 64,
	       "at the step it says");
}

int main(void)
{
	const struct idd_budget budget = { 1u << 24, UINT64_C(1) << 40 };
	own(idd) struct idd *m = idd_new(&budget);
	struct idd_size first, second;

	for (int i = 0; i < ROUNDS; i++) {
		if (i % 3 == 0)
			idd_reset(m);
		check(LAW_APPLY, idd_try(m, work, NULL));
		if (i % 20 == 0)
			check(LAW_CANONICAL, idd_try(m, rebuild, NULL));
	}
	idd_try(m, remember_sizes, &first);
	idd_reset(m);
	idd_try(m, remember_sizes, &second);
	check(LAW_RESET, first.nodes == second.nodes && first.edges == second.edges);
	for (int l = 0; l < LAWS; l++)
		tap_num(broken[l], 0, laws[l]);
	budgets();
	return tap_done();
}
