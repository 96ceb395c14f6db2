/*
 * words.c - what each form of a diff says of a change, word for word.
 */
#include "compiler/report/changes/words.h"

struct compilation *telling_source(const struct telling *k, bool of_new)
{
	return of_new ? k->new : k->old;
}

void decider_print_place(struct buf *out, struct compilation *c, const struct decider *d)
{
	if (!d->rule || !span_is_somewhere(d->rule->span))
		return;

	struct place at = source_place(&c->sources, d->rule->span.file, d->rule->span.from);

	buf_printf(out, "%s:%u", at.file, at.line);
}

static void decider_print(struct buf *out, struct compilation *c, const struct decider *d)
{
	own(buf) struct buf place = { 0 };

	decider_print_place(&place, c, d);
	buf_puts(out, d->why);
	if (place.len)
		buf_printf(out, " (%s)", buf_text(&place));
}

const char *change_word(enum change_kind k)
{
	switch (k) {
	case CHANGE_OPENED:
		return "OPENED";
	case CHANGE_CLOSED:
		return "CLOSED";
	case CHANGE_EFFECT:
		break;
	}
	return "EFFECT";
}

#define REGIONS_SHOWN	3
#define DECIDERS_SHOWN	3

void change_print_regions(struct buf *out, const struct change *c, const char *between)
{
	size_t shown = c->region_count < REGIONS_SHOWN ? c->region_count : REGIONS_SHOWN;

	for (size_t i = 0; i < shown; i++)
		buf_printf(out, "%s%s", i ? between : "", c->regions[i]);
	if (shown < c->region_count)
		buf_printf(out, "%sand %zu more", between, c->region_count - shown);
}

void change_print_share(struct buf *out, const struct change *c)
{
	double percent = c->share * 100;

	if (c->exact)
		return;
	if (percent > 99.9)
		buf_puts(out, "more than 99.9% of ");
	else if (percent < 0.1)
		buf_puts(out, "less than 0.1% of ");
	else
		buf_printf(out, "%.1f%% of ", percent);
}

void decider_print_some(struct buf *out, struct compilation *c, const struct decider *at,
			   size_t count)
{
	for (size_t i = 0; i < count && i < DECIDERS_SHOWN; i++) {
		buf_puts(out, i ? ", " : "");
		decider_print(out, c, &at[i]);
	}
	if (count > DECIDERS_SHOWN)
		buf_printf(out, " and %zu more", count - DECIDERS_SHOWN);
}

void change_print_because(struct buf *out, const struct telling *k, const struct change *c)
{
	own(buf) struct buf place = { 0 };
	bool changed = c->counterpart.why != NULL;

	decider_print_place(&place, telling_source(k, c->added), &c->cause);
	buf_printf(out, "%c %s%s%s", changed ? '~' : c->added ? '+' : '-', buf_text(&place),
		   place.len ? " " : "", c->cause.why);
	buf_puts(out, c->added ? "   was: " : "   now: ");
	decider_print_some(out, telling_source(k, !c->added), c->otherwise, c->otherwise_count);
}

void change_print_flags(struct buf *out, unsigned flags)
{
	const char *sep = "";

	for (unsigned f = 0; f < FLAG_COUNT; f++) {
		if (!(flags >> f & 1))
			continue;
		buf_printf(out, "%s%s", sep, flag_name((enum change_flag)f));
		sep = ", ";
	}
}

/* New flows need no word; else the states are told. */
void change_print_states(struct buf *out, const struct change *c)
{
	const char *sep = "";

	for (int s = 0; s < CT_COUNT; s++) {
		if (!(c->states >> s & 1))
			continue;
		buf_printf(out, "%s%s", sep, ct_state_name((enum ct_state)s));
		sep = ", ";
	}
}

void change_print_assumes(struct buf *out, const struct witness *w)
{
	for (size_t i = 0; i < w->assume_count; i++)
		buf_printf(out, "%s%s", i ? ", and " : "if ", w->assumes[i]);
}

const char *fact_word(enum fact_kind k)
{
	switch (k) {
	case FACT_RATE_UP:
		return "RATE+";
	case FACT_RATE_DOWN:
		return "RATE-";
	case FACT_BLOCK_TIME:
		return "EFFECT";
	case FACT_ZONE:
		return "ZONE";
	case FACT_INITIAL:
		return "INITIAL";
	case FACT_POSTURE_ADDED:
	case FACT_POSTURE_REMOVED:
		return "POSTURE";
	case FACT_PLAYBOOK:
		return "PLAYBOOK";
	case FACT_RESPONSE:
		return "RESPONSE";
	case FACT_ORDER_BROKEN:
		return "ORDER-BROKEN";
	case FACT_INVARIANT_BROKEN:
		return "INVARIANT-BROKEN";
	case FACT_CLAIM:
		return "CLAIM";
	case FACT_EFFECTS:
		return "EFFECT";
	case FACT_SIGNATURE:
		return "UNSEEN";
	case FACT_OWNER:
		return "OWNER";
	case FACT_MALFORMED:
		return "MALFORMED";
	case FACT_FEED:
		return "FEED";
	case FACT_PATTERN:
		return "PATTERN";
	case FACT_SESSION:
		return "SESSION";
	case FACT_ESTABLISHED:
		break;
	}
	return "FLOWS";
}

const char *idle_word(enum idle_kind k)
{
	switch (k) {
	case IDLE_MOVED:
		return "moved";
	case IDLE_RENAMED:
		return "renamed";
	case IDLE_CHANGED:
		return "changed";
	case IDLE_ADDED:
		return "added";
	case IDLE_REMOVED:
		break;
	}
	return "removed";
}

struct change_counts changes_count(const struct diff *d)
{
	struct change_counts n = { 0 };

	for (size_t i = 0; i < d->change_count; i++) {
		n.opened += d->changes[i].kind == CHANGE_OPENED;
		n.closed += d->changes[i].kind == CHANGE_CLOSED;
		n.effect += d->changes[i].kind == CHANGE_EFFECT;
		n.high += d->changes[i].kind == CHANGE_OPENED && d->changes[i].risk >= RISK_HIGH;
	}
	for (size_t i = 0; i < d->fact_count; i++) {
		enum fact_kind k = d->facts[i].kind;

		n.rate += k == FACT_RATE_UP || k == FACT_RATE_DOWN;
		n.effect += k == FACT_BLOCK_TIME || k == FACT_EFFECTS;
	}
	n.other = d->fact_count;
	for (size_t i = 0; i < d->idle_count; i++) {
		n.moved += d->idles[i].kind == IDLE_MOVED;
		n.renamed += d->idles[i].kind == IDLE_RENAMED;
		n.changed += d->idles[i].kind == IDLE_CHANGED;
		n.added += d->idles[i].kind == IDLE_ADDED;
		n.removed += d->idles[i].kind == IDLE_REMOVED;
	}
	return n;
}

static void changes_print_idles(struct buf *out, const struct change_counts *n)
{
	const struct {
		size_t count;
		const char *one, *many;
	} said[] = {
		{ n->moved, "rule moved without effect", "rules moved without effect" },
		{ n->renamed, "rule renamed", "rules renamed" },
		{ n->changed, "rule changed without effect", "rules changed without effect" },
		{ n->added, "rule added without effect", "rules added without effect" },
		{ n->removed, "rule removed without effect", "rules removed without effect" },
	};

	for (size_t i = 0; i < sizeof said / sizeof *said; i++)
		if (said[i].count)
			buf_printf(out, "; %zu %s", said[i].count,
				   said[i].count == 1 ? said[i].one : said[i].many);
}

void changes_print_proof(struct buf *out, const struct diff *d, const struct change_counts *n)
{
	if (d->progress.undecided)
		buf_printf(out, "undecided: %zu of %zu windows exceeded the budget (%s …); elsewhere",
			   d->progress.undecided, d->progress.windows,
			   d->progress.first_undecided.text);
	else
		buf_puts(out, "proved:");
	for (size_t i = 0; i < d->order_count; i++)
		buf_printf(out, " %s holds;", d->orders[i]);
	if (d->invariant_count)
		buf_printf(out, " %zu invariant%s;", d->invariant_count, d->invariant_count == 1 ? " holds" : "s hold");
	buf_puts(out, d->change_count || d->fact_count ? " nothing else " : " nothing ");
	buf_puts(out, d->access_only ? "is opened" : "changes");
	changes_print_idles(out, n);
	buf_putc(out, '\n');
}

void changes_print_count(struct buf *out, const struct diff *d, const struct change_counts *n)
{
	if (d->access_only) {
		buf_printf(out, "%zu opened (%zu high), %zu other, %zu unknown\n", n->opened, n->high,
			   d->fact_count, d->progress.undecided);
		return;
	}
	buf_printf(out, "%zu opened (%zu high), %zu closed, %zu rate, %zu effect, %zu unknown\n",
		   n->opened, n->high, n->closed, n->rate, n->effect, d->progress.undecided);
}
