/*
 * value_amount.c - numbers, and quantities with their units.
 */
#include <string.h>

#include "compiler/front/reading.h"
#include "lang/base/near.h"

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

static const struct amount_row {
	enum type type;
	enum dimension dimension;
	const char *of; /* "not a unit of ..." */
	bool bare;	/* may stand without a unit */
} amount_rows[] = {
	{ TYPE_DURATION, DIMENSION_DURATION, "time", false },
	{ TYPE_COUNT, DIMENSION_COUNT, "counts", true },
	{ TYPE_BYTES, DIMENSION_BYTES, "bytes", false },
	{ TYPE_BANDWIDTH, DIMENSION_BANDWIDTH, "bandwidth", false },
	{ TYPE_PERCENTAGE, DIMENSION_PERCENT, "parts of a whole", false },
};

static const struct amount_row *amount_row_of(enum type type)
{
	for (size_t i = 0; i < sizeof amount_rows / sizeof *amount_rows; i++)
		if (amount_rows[i].type == type)
			return &amount_rows[i];
	return NULL;
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

/* As units are called elsewhere. */
static const struct {
	const char *called;
	enum dimension dimension;
	const char *suffix;
} spelled_out[] = {
	{ "sec", DIMENSION_DURATION, "s" },	{ "secs", DIMENSION_DURATION, "s" },
	{ "second", DIMENSION_DURATION, "s" },	{ "seconds", DIMENSION_DURATION, "s" },
	{ "msec", DIMENSION_DURATION, "ms" },	{ "usec", DIMENSION_DURATION, "us" },
	{ "mins", DIMENSION_DURATION, "m" },	{ "minute", DIMENSION_DURATION, "m" },
	{ "minutes", DIMENSION_DURATION, "m" }, { "hr", DIMENSION_DURATION, "h" },
	{ "hrs", DIMENSION_DURATION, "h" },	{ "hour", DIMENSION_DURATION, "h" },
	{ "hours", DIMENSION_DURATION, "h" },	{ "day", DIMENSION_DURATION, "d" },
	{ "days", DIMENSION_DURATION, "d" },	{ "week", DIMENSION_DURATION, "w" },
	{ "weeks", DIMENSION_DURATION, "w" },	{ "byte", DIMENSION_BYTES, "B" },
	{ "bytes", DIMENSION_BYTES, "B" },	{ "bps", DIMENSION_BANDWIDTH, "bit" },
	{ "kbps", DIMENSION_BANDWIDTH, "kbit" }, { "mbps", DIMENSION_BANDWIDTH, "mbit" },
	{ "gbps", DIMENSION_BANDWIDTH, "gbit" }, { "percent", DIMENSION_PERCENT, "%" },
	{ "pct", DIMENSION_PERCENT, "%" },
};

/* The one unit that such a suffix can stand for: the same in letters of another size, or its name; or NULL. */
static const char *unit_meant(const char *suffix, enum dimension dimension)
{
	const char *meant = NULL;

	for (size_t i = 0; suffix[1] && i < sizeof units / sizeof *units; i++)
		if (units[i].dimension == dimension && !strcasecmp(units[i].suffix, suffix))
			meant = units[i].suffix;
	for (size_t i = 0; !meant && i < sizeof spelled_out / sizeof *spelled_out; i++)
		if (spelled_out[i].dimension == dimension && !strcasecmp(spelled_out[i].called, suffix))
			meant = spelled_out[i].suffix;
	return meant;
}

/* Where there is one unit, it is the one that is missing. */
static void unit_missing(struct reading *r, const struct node *n, enum type type, enum dimension dimension)
{
	struct diag *d = diag(r->diags, DIAG_UNIT_MISSING, n->span, "%s has a unit", type_with_article(type));
	const char *only = NULL;
	size_t count = 0;

	help_units(d, dimension);
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (units[i].dimension == dimension) {
			only = units[i].suffix;
			count++;
		}
	if (count == 1)
		diag_fix(d, n->span, "%s%s", n->text, only);
}

/* "1.5", of what has no unit. */
static bool amount_bare(struct reading *r, const struct node *n, const struct amount_row *row)
{
	if (row->bare)
		diag_help(diag(r->diags, DIAG_NUMBER_RANGE, n->span, "a count is a whole number"),
			  "one in two seconds is `1 per 2s`, fifteen hundred `1.5k`");
	else
		unit_missing(r, n, row->type, row->dimension);
	return false;
}

static bool amount_quantity(struct reading *r, const struct node *n, const struct amount_row *row, uint64_t *out)
{
	const struct unit *u = unit_find(suffix_of(n->text));

	if (u && u->dimension == row->dimension)
		return amount_read(r, n, u->worth, out);
	if (!*suffix_of(n->text))
		return amount_bare(r, n, row);
	struct diag *d = diag(r->diags, DIAG_UNIT_WRONG, n->span, "`%s` is not a unit of %s", suffix_of(n->text), row->of);
	const char *meant = unit_meant(suffix_of(n->text), row->dimension);

	help_units(d, row->dimension);
	if (meant)
		diag_fix(d, n->span, "%.*s%s", (int)(suffix_of(n->text) - n->text), n->text, meant);
	return false;
}

/* A type of a few words, each a number. */
static bool word_read(struct reading *r, const struct node *n, enum type type, const char *(*word)(unsigned), unsigned count,
		      uint64_t *out)
{
	struct near near = near_to(n->kind == NODE_NAME ? n->text : "");
	own(buf) struct buf all = { 0 };

	for (unsigned i = 0; i < count; i++) {
		near_try(&near, word(i));
		buf_printf(&all, "%s%s", i == 0 ? "" : i + 1 == count ? " and " : ", ", word(i));
		if (n->kind == NODE_NAME && !strcmp(n->text, word(i))) {
			*out = i;
			return true;
		}
	}
	if (n->kind == NODE_NAME && scope_peek(r, n->text))
		return amount_name(r, n, type, out);
	struct diag *d = value_mistyped(r, n, type_with_article(type));
	if (!tell_near(r, d, &near, n->span))
		diag_help(d, "there are %s", buf_text(&all));
	return false;
}

static const char *severity_word(unsigned i)
{
	return event_severity_name((enum event_severity)i);
}

static const char *boolean_word(unsigned i)
{
	return i ? "true" : "false";
}

bool value_amount(struct reading *r, const struct node *n, enum type type, uint64_t *out)
{
	const struct amount_row *row = amount_row_of(type);

	if (type == TYPE_SEVERITY)
		return word_read(r, n, type, severity_word, EVENT_SEVERITY_COUNT, out);
	if (type == TYPE_BOOLEAN)
		return word_read(r, n, type, boolean_word, 2, out);
	switch ((unsigned)n->kind) {
	case NODE_NAME:
		return amount_name(r, n, type, out);
	case NODE_NUMBER:
		if (row->bare)
			return amount_read(r, n, 1, out);
		unit_missing(r, n, type, row->dimension);
		return false;
	case NODE_QUANTITY:
		return amount_quantity(r, n, row, out);
	}
	return value_is_not(r, n, type_with_article(type));
}

bool value_duration(struct reading *r, const struct node *n, uint64_t *ns)
{
	if (!value_amount(r, n, TYPE_DURATION, ns))
		return false;
	if (!*ns) {
		diag(r->diags, DIAG_AMOUNT_ZERO, n->span, "a duration of nothing");
		return false;
	}
	return true;
}

bool value_count(struct reading *r, const struct node *n, uint64_t *count)
{
	return value_amount(r, n, TYPE_COUNT, count);
}

/* --- rates ----------------------------------------------------------------------------------- */

/* Is it written in this dimension, or a parameter of this type? */
static bool is_of(struct reading *r, const struct node *n, enum dimension dimension, enum type type)
{
	const struct unit *u = n->kind == NODE_QUANTITY ? unit_find(suffix_of(n->text)) : NULL;
	const struct symbol *s = n->kind == NODE_NAME ? scope_peek(r, n->text) : NULL;

	return (u && u->dimension == dimension) || (s && s->kind == SYMBOL_PARAM && s->type == type);
}

#define SECOND_NS 1000000000u

/* `500mbit` is a rate without a time beside it. */
static bool rate_bandwidth(struct reading *r, const struct node *n, struct value_rate *out)
{
	uint64_t bits;

	if (!value_amount(r, n, TYPE_BANDWIDTH, &bits))
		return false;
	*out = (struct value_rate){ .count = bits / 8, .window_ns = SECOND_NS, .bytes = true };
	if (out->count)
		return true;
	diag(r->diags, DIAG_AMOUNT_ZERO, n->span, "a rate of less than a byte a second");
	return false;
}

static bool rate_name(struct reading *r, const struct node *n, struct value_rate *out)
{
	struct symbol *s = scope_find(r, n, "rate");

	if (!s)
		return false;
	if (s->kind != SYMBOL_PARAM || s->type != TYPE_RATE) {
		if (s->state != SYMBOL_WRONG)
			diag_at(value_mistyped(r, n, "a rate"), s->span, "declared here");
		return false;
	}
	if (!symbol_settle(r, s, n->span))
		return false;
	*out = s->rate;
	return true;
}

/* `500mbit/s` says a second twice. */
static bool rate_twice(struct reading *r, const struct node *count, const struct node *many, const struct node *window)
{
	struct diag *d = diag(r->diags, DIAG_UNIT_WRONG, count->span, "`%s` is a rate already: bits a second", suffix_of(many->text));

	if (strcmp(window->text, "1s")) {
		diag_help(d, "write how much it is in a second, as 500mbit, or bytes in that time, as 10MB per 100ms");
		return false;
	}
	diag_help(d, "write: %s", many->text);
	if (many != count)
		diag_fix(d, count->span, "%s", many->text);
	return false;
}

bool value_rate(struct reading *r, const struct node *count, const struct node *window, struct value_rate *out)
{
	const struct node *many = count;

	if (!window && is_of(r, count, DIMENSION_BANDWIDTH, TYPE_BANDWIDTH))
		return rate_bandwidth(r, count, out);
	if (!window && count->kind == NODE_NAME)
		return rate_name(r, count, out);
	if (!window && count->kind == NODE_PART && count->last->kind == NODE_NAME) {
		many = count->first;
		window = node_text(r->arena, NODE_QUANTITY, count->last->span, arena_printf(r->arena, "1%s", count->last->text));
	}
	if (!window) {
		diag_help(diag(r->diags, DIAG_UNIT_MISSING, count->span, "a rate says how many in which time"),
			  "write: 50/s, 10MB/s, 500mbit, or 1000 per 100ms");
		return false;
	}
	if (many->kind == NODE_QUANTITY && is_of(r, many, DIMENSION_BANDWIDTH, TYPE_BANDWIDTH))
		return rate_twice(r, count, many, window);
	out->bytes = is_of(r, many, DIMENSION_BYTES, TYPE_BYTES);
	bool counted = value_amount(r, many, out->bytes ? TYPE_BYTES : TYPE_COUNT, &out->count);
	if (!value_duration(r, window, &out->window_ns) || !counted)
		return false;
	if (!out->count) {
		diag(r->diags, DIAG_AMOUNT_ZERO, many->span, "a rate of nothing");
		return false;
	}
	return true;
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
