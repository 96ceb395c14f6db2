/*
 * value_amount.c - numbers, and quantities with their units.
 */
#include <string.h>

#include "compiler/front/reading.h"

enum dimension { DIMENSION_DURATION, DIMENSION_COUNT, DIMENSION_BYTES, DIMENSION_BANDWIDTH, DIMENSION_PERCENT };

static const struct unit {
	const char *suffix;
	enum dimension dimension;
	uint64_t worth;
} units[] = {
#define UNIT(suffix, dimension, worth) { suffix, DIMENSION_##dimension, worth },
#include "lang/vocab/unit.def"
#undef UNIT
};

static const struct unit *unit_find(const char *suffix)
{
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (!strcmp(units[i].suffix, suffix))
			return &units[i];
	return NULL;
}

static void help_units(struct diag *d, enum dimension dimension)
{
	own(buf) struct buf all = { 0 };

	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (units[i].dimension == dimension)
			buf_printf(&all, "%s%s", all.len ? ", " : "", units[i].suffix);
	diag_help(d, "units that fit: %s", buf_text(&all));
}

static bool value_out_of_range(struct reading *r, const struct node *n, const char *words)
{
	diag(r->diags, DIAG_NUMBER_RANGE, n->span, "%s", words);
	return false;
}

/* "1.5", in units of `worth`: must be whole. */
static bool amount_read(struct reading *r, const struct node *n, uint64_t worth, uint64_t *out)
{
	unsigned __int128 sum = 0, scale = 1;
	bool point = false;

	for (const char *c = n->text; (*c >= '0' && *c <= '9') || *c == '.'; c++) {
		if (*c == '.') {
			point = true;
			continue;
		}
		sum = sum * 10 + (unsigned)(*c - '0');
		scale *= point ? 10 : 1;
		if (sum > UINT64_MAX || scale > 1000000000)
			return value_out_of_range(r, n, "this is more, or finer, than can be told apart");
	}
	sum *= worth;
	if (sum % scale || sum / scale > INT64_MAX)
		return value_out_of_range(r, n, "this is more, or finer, than can be told apart");
	*out = (uint64_t)(sum / scale);
	return true;
}

static const char *suffix_of(const char *text)
{
	return text + strspn(text, "0123456789.");
}

static bool amount_name(struct reading *r, const struct node *n, enum type type, uint64_t *out)
{
	struct symbol *s = scope_find(r, n, type_name(type));

	if (!s)
		return false;
	if (s->kind != SYMBOL_PARAM || s->type != type) {
		if (s->state != SYMBOL_WRONG)
			diag_at(value_mistyped(r, n, type_with_article(type)), s->span, "declared here");
		return false;
	}
	if (!symbol_settle(r, s, n->span))
		return false;
	*out = s->amount;
	return true;
}

bool value_duration(struct reading *r, const struct node *n, uint64_t *ns)
{
	const struct unit *u;

	switch ((unsigned)n->kind) {
	case NODE_NAME:
		return amount_name(r, n, TYPE_DURATION, ns);
	case NODE_NUMBER:
		help_units(diag(r->diags, DIAG_UNIT_MISSING, n->span, "a duration has a unit"), DIMENSION_DURATION);
		return false;
	case NODE_QUANTITY:
		break;
	default:
		return value_is_not(r, n, "a duration");
	}
	u = unit_find(suffix_of(n->text));
	if (!u || u->dimension != DIMENSION_DURATION) {
		help_units(diag(r->diags, DIAG_UNIT_WRONG, n->span, "`%s` is not a unit of time", suffix_of(n->text)),
			   DIMENSION_DURATION);
		return false;
	}
	if (!amount_read(r, n, u->worth, ns))
		return false;
	if (!*ns) {
		diag(r->diags, DIAG_AMOUNT_ZERO, n->span, "a duration of nothing");
		return false;
	}
	return true;
}

bool value_count(struct reading *r, const struct node *n, uint64_t *count)
{
	const struct unit *u = NULL;

	switch ((unsigned)n->kind) {
	case NODE_NAME:
		return amount_name(r, n, TYPE_COUNT, count);
	case NODE_NUMBER:
		return amount_read(r, n, 1, count);
	case NODE_QUANTITY:
		u = unit_find(suffix_of(n->text));
		break;
	default:
		return value_is_not(r, n, "a count");
	}
	if (!u || u->dimension != DIMENSION_COUNT) {
		help_units(diag(r->diags, DIAG_UNIT_WRONG, n->span, "`%s` is not a unit of counts", suffix_of(n->text)),
			   DIMENSION_COUNT);
		return false;
	}
	return amount_read(r, n, u->worth, count);
}

bool value_number(struct reading *r, const struct node *n, uint64_t most, uint64_t *out)
{
	if (n->kind != NODE_NUMBER)
		return value_is_not(r, n, "a number");
	if (!amount_read(r, n, 1, out))
		return false;
	if (*out > most)
		return value_out_of_range(r, n, arena_printf(r->arena, "`%s` is more than %llu", n->text, (unsigned long long)most));
	return true;
}
