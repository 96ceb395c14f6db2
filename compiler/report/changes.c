#include "compiler/report/changes.h"

#include <ctype.h>
#include <string.h>

#include <cjson/cJSON.h>

/* Whose sources a rule's place is in. */
struct telling {
	const struct diff *d;
	struct compilation *old, *new;
};

static struct compilation *source_of(const struct telling *k, bool of_new)
{
	return of_new ? k->new : k->old;
}

/* "edge.teg:41", or nothing when no text says it. */
static void print_place(struct buf *out, struct compilation *c, const struct decider *d)
{
	if (!d->rule || !span_is_somewhere(d->rule->span))
		return;

	struct place at = source_place(&c->sources, d->rule->span.file, d->rule->span.from);

	buf_printf(out, "%s:%u", at.file, at.line);
}

static void print_decider(struct buf *out, struct compilation *c, const struct decider *d)
{
	own(buf) struct buf place = { 0 };

	print_place(&place, c, d);
	buf_puts(out, d->why);
	if (place.len)
		buf_printf(out, " (%s)", buf_text(&place));
}

static const char *kind_word(enum change_kind k)
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

static void print_regions(struct buf *out, const struct change *c, const char *between)
{
	size_t shown = c->region_count < REGIONS_SHOWN ? c->region_count : REGIONS_SHOWN;

	for (size_t i = 0; i < shown; i++)
		buf_printf(out, "%s%s", i ? between : "", c->regions[i]);
	if (shown < c->region_count)
		buf_printf(out, "%sand %zu more", between, c->region_count - shown);
}

/* Never rounded up to all. */
static void print_share(struct buf *out, const struct change *c)
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

static void print_deciders(struct buf *out, struct compilation *c, const struct decider *at,
			   size_t count)
{
	for (size_t i = 0; i < count && i < DECIDERS_SHOWN; i++) {
		buf_puts(out, i ? ", " : "");
		print_decider(out, c, &at[i]);
	}
	if (count > DECIDERS_SHOWN)
		buf_printf(out, " and %zu more", count - DECIDERS_SHOWN);
}

static void print_because(struct buf *out, const struct telling *k, const struct change *c)
{
	own(buf) struct buf place = { 0 };
	bool changed = c->counterpart.why != NULL;

	print_place(&place, source_of(k, c->added), &c->cause);
	buf_printf(out, "%c %s%s%s", changed ? '~' : c->added ? '+' : '-', buf_text(&place),
		   place.len ? " " : "", c->cause.why);
	buf_puts(out, c->added ? "   was: " : "   now: ");
	print_deciders(out, source_of(k, !c->added), c->otherwise, c->otherwise_count);
}

static void print_flags(struct buf *out, unsigned flags)
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
static void print_states(struct buf *out, const struct change *c)
{
	const char *sep = "";

	for (int s = 0; s < CT_COUNT; s++) {
		if (!(c->states >> s & 1))
			continue;
		buf_printf(out, "%s%s", sep, ct_state_name((enum ct_state)s));
		sep = ", ";
	}
}

static void print_assumes(struct buf *out, const struct witness *w)
{
	for (size_t i = 0; i < w->assume_count; i++)
		buf_printf(out, "%s%s", i ? ", and " : "if ", w->assumes[i]);
}

/* --- text --------------------------------------------------------------------------- */

static void text_change(struct buf *out, const struct telling *k, const struct change *c)
{
	buf_printf(out, "%-6s %-8s %s %s   ", kind_word(c->kind), risk_name(c->risk), c->posture,
		   direction_name(c->direction));
	print_share(out, c);
	print_regions(out, c, "; ");
	buf_printf(out, "   %s -> %s\n", verdict_name(c->witness.decider.verdict),
		   verdict_name(c->now.verdict));
	buf_puts(out, "   because    ");
	print_because(out, k, c);
	buf_puts(out, "\n   example    ");
	witness_print(out, &c->witness);
	buf_putc(out, '\n');
	if ((!c->exact || c->beside) && c->rest_count) {
		buf_puts(out, c->exact ? "   beside     what is decided before by "
				       : "   the rest   is decided by ");
		print_deciders(out, source_of(k, c->added), c->rest, c->rest_count);
		buf_putc(out, '\n');
	}
	if (c->edge)
		buf_printf(out, "   edge       %s\n", c->edge);
	if (c->conditional) {
		buf_puts(out, "   only       ");
		print_assumes(out, &c->witness);
		buf_putc(out, '\n');
	}
	if (!(c->states & 1u << CT_NEW)) {
		buf_puts(out, "   state      ");
		print_states(out, c);
		buf_putc(out, '\n');
	}
	if (c->flags) {
		buf_puts(out, "   flags      ");
		print_flags(out, c->flags);
		buf_putc(out, '\n');
	}
}

static const char *fact_word(enum fact_kind k)
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
	case FACT_ESTABLISHED:
		break;
	}
	return "FLOWS";
}

static const char *idle_word(enum idle_kind k)
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

struct counts {
	size_t opened, high, closed, rate, effect, other, moved, renamed, changed, added, removed;
};

static struct counts count(const struct diff *d)
{
	struct counts n = { 0 };

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

static void print_idles(struct buf *out, const struct counts *n)
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

static void print_proof(struct buf *out, const struct diff *d, const struct counts *n)
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
	print_idles(out, n);
	buf_putc(out, '\n');
}

static void print_count(struct buf *out, const struct diff *d, const struct counts *n)
{
	if (d->access_only) {
		buf_printf(out, "%zu opened (%zu high), %zu other, %zu unknown\n", n->opened, n->high,
			   d->fact_count, d->progress.undecided);
		return;
	}
	buf_printf(out, "%zu opened (%zu high), %zu closed, %zu rate, %zu effect, %zu unknown\n",
		   n->opened, n->high, n->closed, n->rate, n->effect, d->progress.undecided);
}

static size_t lines_in(const struct buf *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->len; i++)
		n += b->at[i] == '\n';
	return n;
}

static void text_fact(struct buf *out, const struct fact *f)
{
	buf_printf(out, "%-6s %-8s %s   %s -> %s\n", fact_word(f->kind), risk_name(f->risk), f->what, f->before,
		   f->after);
	if (f->example)
		buf_printf(out, "   example    %s\n", f->example);
	if (f->flags) {
		buf_puts(out, "   flags      ");
		print_flags(out, f->flags);
		buf_putc(out, '\n');
	}
}

static void report_text(struct buf *out, const struct telling *k, bool all)
{
	const struct diff *d = k->d;
	struct counts n = count(d);
	size_t left = d->change_count + d->fact_count;

	for (size_t i = 0; i < d->fact_count; i++)
		if (d->facts[i].risk == RISK_CRITICAL) {
			text_fact(out, &d->facts[i]);
			left--;
		}
	for (size_t i = 0; i < d->change_count; i++) {
		own(buf) struct buf one = { 0 };

		text_change(&one, k, &d->changes[i]);
		if (!all && lines_in(out) + lines_in(&one) > CHANGES_LINES)
			break;
		buf_add(out, one.at, one.len);
		left--;
	}
	for (size_t i = 0; i < d->fact_count && left; i++) {
		if (d->facts[i].risk == RISK_CRITICAL)
			continue;
		if (!all && lines_in(out) >= CHANGES_LINES)
			break;
		text_fact(out, &d->facts[i]);
		left--;
	}
	if (left)
		buf_printf(out, "and %zu more, --all shows them\n", left);
	print_proof(out, d, &n);
	print_count(out, d, &n);
}

/* --- Markdown ----------------------------------------------------------------------- */

/* Names and texts of the policy are shown as they are, never as markup. */
static void md_text(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (strchr("\\`*_{}[]<>()#+!|~", *text))
			buf_putc(out, '\\');
		buf_putc(out, *text);
	}
}

static void md_buf(struct buf *out, const struct buf *b)
{
	md_text(out, buf_text(b));
}

static void md_change(struct buf *out, const struct telling *k, const struct change *c)
{
	own(buf) struct buf region = { 0 }, because = { 0 }, example = { 0 }, flags = { 0 };

	print_share(&region, c);
	print_regions(&region, c, "; ");
	print_because(&because, k, c);
	witness_print(&example, &c->witness);
	if (c->conditional) {
		buf_puts(&example, ", ");
		print_assumes(&example, &c->witness);
	}
	print_flags(&flags, c->flags);
	buf_printf(out, "| %s | %s | ", kind_word(c->kind), risk_name(c->risk));
	md_text(out, c->posture);
	buf_printf(out, " %s | ", direction_name(c->direction));
	md_buf(out, &region);
	buf_printf(out, " | %s → %s | ", verdict_name(c->witness.decider.verdict),
		   verdict_name(c->now.verdict));
	md_buf(out, &because);
	buf_puts(out, " | ");
	md_buf(out, &example);
	buf_puts(out, " | ");
	md_buf(out, &flags);
	buf_puts(out, " |\n");
}

static void report_markdown(struct buf *out, const struct telling *k)
{
	const struct diff *d = k->d;
	struct counts n = count(d);
	own(buf) struct buf last = { 0 };

	buf_puts(out, "### What this changes\n\n");
	if (d->change_count)
		buf_puts(out, "| change | risk | where | packets | verdict | because | example | flags |\n"
			      "|---|---|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < d->change_count; i++)
		md_change(out, k, &d->changes[i]);
	if (d->fact_count)
		buf_puts(out, "\n| change | risk | what | before | after | flags |\n|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < d->fact_count; i++) {
		const struct fact *f = &d->facts[i];

		buf_printf(out, "| %s | %s | ", fact_word(f->kind), risk_name(f->risk));
		md_text(out, f->what);
		buf_puts(out, " | ");
		md_text(out, f->before);
		buf_puts(out, " | ");
		md_text(out, f->after);
		if (f->example) {
			buf_puts(out, ", for example ");
			md_text(out, f->example);
		}
		buf_puts(out, " | ");
		print_flags(out, f->flags);
		buf_puts(out, " |\n");
	}
	buf_putc(out, '\n');
	print_proof(&last, d, &n);
	md_buf(out, &last);
	buf_puts(out, "\n**");
	last.len = 0;
	print_count(&last, d, &n);
	buf_add(out, last.at, last.len - 1);
	buf_puts(out, "**\n");
}

void report_changes(struct buf *out, const struct diff *d, struct compilation *old,
		    struct compilation *new, enum changes_form form, bool all)
{
	struct telling k = { d, old, new };

	switch (form) {
	case CHANGES_TEXT:
		report_text(out, &k, all);
		break;
	case CHANGES_MARKDOWN:
		report_markdown(out, &k);
		break;
	}
}

/* --- JSON --------------------------------------------------------------------------- */

static cJSON *json_decider(struct compilation *c, const struct decider *d)
{
	cJSON *o = cJSON_CreateObject();
	own(buf) struct buf place = { 0 };

	print_place(&place, c, d);
	if (d->rule)
		cJSON_AddStringToObject(o, "id", d->rule->id);
	cJSON_AddStringToObject(o, "name", d->why);
	if (place.len)
		cJSON_AddStringToObject(o, "place", buf_text(&place));
	cJSON_AddStringToObject(o, "verdict", verdict_name(d->verdict));
	return o;
}

static cJSON *json_text(void (*print)(struct buf *out, const struct change *c),
			const struct change *c)
{
	own(buf) struct buf b = { 0 };

	print(&b, c);
	return cJSON_CreateString(buf_text(&b));
}

static void example(struct buf *out, const struct change *c)
{
	witness_print(out, &c->witness);
}

static cJSON *json_flags(unsigned flags)
{
	cJSON *list = cJSON_CreateArray();

	for (unsigned f = 0; f < FLAG_COUNT; f++)
		if (flags >> f & 1)
			cJSON_AddItemToArray(list, cJSON_CreateString(flag_name((enum change_flag)f)));
	return list;
}

static cJSON *json_states(const struct change *c)
{
	cJSON *list = cJSON_CreateArray();

	for (int s = 0; s < CT_COUNT; s++)
		if (c->states >> s & 1)
			cJSON_AddItemToArray(list,
					     cJSON_CreateString(ct_state_name((enum ct_state)s)));
	return list;
}

/* Keys in the order of the alphabet, so that reports can be compared. */
static cJSON *json_change(const struct telling *k, const struct change *c)
{
	cJSON *o = cJSON_CreateObject(), *was = cJSON_CreateArray();

	cJSON_AddStringToObject(o, "after", verdict_name(c->now.verdict));
	cJSON_AddItemToObject(o, "assumes",
			      c->witness.assume_count ?
				      cJSON_CreateStringArray((const char *const *)c->witness.assumes,
							      (int)c->witness.assume_count) :
				      cJSON_CreateArray());
	cJSON_AddStringToObject(o, "before", verdict_name(c->witness.decider.verdict));
	cJSON_AddItemToObject(o, "cause", json_decider(source_of(k, c->added), &c->cause));
	cJSON_AddBoolToObject(o, "conditional", c->conditional);
	cJSON_AddStringToObject(o, "direction", direction_name(c->direction));
	cJSON_AddStringToObject(o, "edit",
				c->counterpart.why ? "changed" : c->added ? "added" : "removed");
	cJSON_AddBoolToObject(o, "exact", c->exact);
	cJSON_AddItemToObject(o, "example", json_text(example, c));
	cJSON_AddItemToObject(o, "flags", json_flags(c->flags));
	cJSON_AddStringToObject(o, "kind", change_kind_name(c->kind));
	for (size_t i = 0; i < c->otherwise_count; i++)
		cJSON_AddItemToArray(was, json_decider(source_of(k, !c->added), &c->otherwise[i]));
	cJSON_AddItemToObject(o, "otherwise", was);
	cJSON_AddItemToObject(o, "packets", c->region_count ?
						    cJSON_CreateStringArray((const char *const *)c->regions,
									    (int)c->region_count) :
						    cJSON_CreateArray());
	cJSON_AddStringToObject(o, "posture", c->posture);
	cJSON_AddStringToObject(o, "risk", risk_name(c->risk));
	cJSON_AddNumberToObject(o, "share", c->share);
	cJSON_AddItemToObject(o, "states", json_states(c));
	return o;
}

static cJSON *json_fact(const struct fact *f)
{
	cJSON *o = cJSON_CreateObject();
	own(buf) struct buf kind = { 0 };

	for (const char *w = fact_word(f->kind); *w; w++)
		buf_putc(&kind, (char)tolower(*w));
	cJSON_AddStringToObject(o, "after", f->after);
	cJSON_AddStringToObject(o, "before", f->before);
	if (f->example)
		cJSON_AddStringToObject(o, "example", f->example);
	cJSON_AddItemToObject(o, "flags", json_flags(f->flags));
	cJSON_AddStringToObject(o, "kind", buf_text(&kind));
	cJSON_AddStringToObject(o, "risk", risk_name(f->risk));
	cJSON_AddStringToObject(o, "what", f->what);
	return o;
}

static cJSON *json_idle(struct telling *k, const struct idle *i)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "direction", direction_name(i->direction));
	cJSON_AddStringToObject(o, "kind", idle_word(i->kind));
	cJSON_AddStringToObject(o, "posture", i->posture);
	cJSON_AddItemToObject(o, "rule",
			      json_decider(source_of(k, i->kind != IDLE_REMOVED), &i->rule));
	return o;
}

struct cJSON *report_changes_json(const struct diff *d, struct compilation *old,
				  struct compilation *new)
{
	struct telling k = { d, old, new };
	cJSON *o = cJSON_CreateObject(), *changes = cJSON_CreateArray();
	cJSON *facts = cJSON_CreateArray(), *idles = cJSON_CreateArray();

	for (size_t i = 0; i < d->change_count; i++)
		cJSON_AddItemToArray(changes, json_change(&k, &d->changes[i]));
	for (size_t i = 0; i < d->fact_count; i++)
		cJSON_AddItemToArray(facts, json_fact(&d->facts[i]));
	for (size_t i = 0; i < d->idle_count; i++)
		cJSON_AddItemToArray(idles, json_idle(&k, &d->idles[i]));
	cJSON_AddItemToObject(o, "changes", changes);
	cJSON_AddItemToObject(o, "facts", facts);
	cJSON_AddNumberToObject(o, "undecided", (double)d->progress.undecided);
	cJSON_AddItemToObject(o, "without_effect", idles);
	return o;
}
