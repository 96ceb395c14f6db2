/*
 * feed.c - lists that are fetched: each setting once, in words of few forms.
 */
#include <string.h>

#include "compiler/front/reading.h"
#include "lang/base/near.h"

#define REFRESH_MIN_NS (60 * 1000000000ull)	     /* a minute */
#define TIME_MAX_NS    (366 * 86400000000000ull)
#define ENTRIES_MAX    1000000u
#define COLUMN_MAX     1000u

enum format_argument { ARGUMENT_NOTHING, ARGUMENT_TEXT, ARGUMENT_COLUMN };

static const struct {
	const char *name;
	enum format_argument argument;
} formats[] = {
#define FORMAT(id, name, argument, about) [FORMAT_##id] = { name, ARGUMENT_##argument },
#include "lang/vocab/format.def"
#undef FORMAT
};

static bool not_understood(struct reading *r, const struct node *n, const char *help)
{
	diag_help(diag(r->diags, DIAG_FEED, n->span, "this says nothing of a feed"), "%s", help);
	return false;
}

/* What a URL is fetched by is its reader's; here it has a scheme that one exists for, a host, and no secret. */
static bool url_read(struct reading *r, const struct node *n, struct pol_feed *out)
{
	const char *host;

	if (!n->first || n->first->kind != NODE_STRING || n->first->next)
		return not_understood(r, n, "write: url \"https://www.example.org/drop.txt\"");
	out->url = n->first->text;
	host = strstr(out->url, "://");
	if ((strncmp(out->url, "https://", 8) && strncmp(out->url, "file:///", 8)) || !host[3] || strpbrk(out->url, " \t\"<>"))
		return not_understood(r, n->first, "feeds come over https, or from a file: https://..., file:///...");
	if (strchr(host + 3, '@') && (!strchr(host + 3, '/') || strchr(host + 3, '@') < strchr(host + 3, '/')))
		return not_understood(r, n->first, "a policy holds no secrets: who fetches says who it is in its own settings");
	return true;
}

static bool format_argument(struct reading *r, const struct node *n, struct pol_feed *out)
{
	const struct node *argument = n->first->next;

	switch (formats[out->format].argument) {
	case ARGUMENT_NOTHING:
		return !argument || not_understood(r, argument, "this format takes nothing behind it");
	case ARGUMENT_TEXT:
		if (!argument || argument->kind != NODE_STRING || !*argument->text || argument->next)
			return not_understood(r, n, "name the member that holds the address: json-lines \"cidr\"");
		out->member = argument->text;
		return true;
	case ARGUMENT_COLUMN:
		if (!node_is_word(argument, "column") || !argument->next || argument->next->next)
			return not_understood(r, n, "say which column, from 1: csv column 2");
		return value_number(r, argument->next, COLUMN_MAX, &out->column) &&
		       (out->column || not_understood(r, argument->next, "columns are counted from 1"));
	}
	return false;
}

static bool format_read(struct reading *r, const struct node *n, struct pol_feed *out)
{
	struct near near = near_to(n->first && n->first->kind == NODE_NAME ? n->first->text : "");
	struct diag *d;

	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
		near_try(&near, formats[i].name);
		if (node_is_word(n->first, formats[i].name)) {
			out->format = (enum feed_format)i;
			return format_argument(r, n, out);
		}
	}
	d = diag(r->diags, DIAG_FEED, n->span, "this is no format that feeds have");
	if (!tell_near(r, d, &near, n->first ? n->first->span : n->span))
		diag_help(d, "there are netset, json-lines \"MEMBER\", csv column N, stix");
	return false;
}

static bool time_read(struct reading *r, const struct node *n, uint64_t least, uint64_t *out)
{
	if (!value_duration(r, n, out))
		return false;
	if (*out < least || *out > TIME_MAX_NS) {
		diag(r->diags, DIAG_NUMBER_RANGE, n->span, least ? "a feed is fetched once a minute at most, once a year at least" :
								   "a year is the longest time here");
		return false;
	}
	return true;
}

static bool refresh_read(struct reading *r, const struct node *n, struct pol_feed *out)
{
	if (!n->first || n->first->next)
		return not_understood(r, n, "write: refresh 15m");
	return time_read(r, n->first, REFRESH_MIN_NS, &out->refresh_ns);
}

static bool max_read(struct reading *r, const struct node *n, struct pol_feed *out)
{
	if (!n->first || n->first->next)
		return not_understood(r, n, "write: max 200k");
	if (!value_count(r, n->first, &out->max))
		return false;
	if (!out->max || out->max > ENTRIES_MAX) {
		diag(r->diags, DIAG_NUMBER_RANGE, n->first->span, "a feed has 1 to %u entries", ENTRIES_MAX);
		return false;
	}
	return true;
}

/* `after 6h keep` */
static bool stale_read(struct reading *r, const struct node *n, struct pol_feed *out)
{
	const struct node *after = n->first, *time = after ? after->next : NULL, *then = time ? time->next : NULL;

	if (!node_is_word(after, "after") || !then || then->next || !(node_is_word(then, "keep") || node_is_word(then, "clear")))
		return not_understood(r, n, "write: stale after 6h keep, or: stale after 6h clear");
	out->stale_keeps = node_is_word(then, "keep");
	return time_read(r, time, 0, &out->stale_ns);
}

static bool action_read(struct reading *r, const struct node *n, struct pol_feed *out)
{
	out->blocks = node_is_word(n->first, "block") && !n->first->next;
	return out->blocks || not_understood(r, n, "what is on the list is blocked: action block");
}

static const struct setting {
	const char *word;
	bool (*read)(struct reading *r, const struct node *n, struct pol_feed *out);
	bool must;
} settings[] = {
	{ "url", url_read, true },	{ "format", format_read, true }, { "refresh", refresh_read, true },
	{ "max", max_read, true },	{ "stale", stale_read, true },	 { "action", action_read, true },
};

#define SETTINGS (sizeof settings / sizeof *settings)

static bool setting_read(struct reading *r, const struct node *n, const struct node **seen, struct pol_feed *out)
{
	struct near near = near_to(n->text);

	for (size_t i = 0; i < SETTINGS; i++) {
		near_try(&near, settings[i].word);
		if (strcmp(settings[i].word, n->text) != 0)
			continue;
		if (seen[i]) {
			struct diag *d = diag(r->diags, DIAG_SETTING_TWICE, n->span, "`%s` is set twice", n->text);

			diag_at(d, seen[i]->span, "here first");
			if (sources_agree(&r->c->sources, n->span, seen[i]->span))
				fix_leave_out(r, d, n->span);
			return false;
		}
		seen[i] = n;
		return settings[i].read(r, n, out);
	}
	tell_near(r, diag(r->diags, DIAG_FEED, n->span, "a feed has no setting `%s`", n->text), &near, n->span);
	return false;
}

static bool feed_read(struct reading *r, const struct node *decl, struct pol_feed *out)
{
	const struct node *name = decl->first, *seen[SETTINGS] = { 0 };
	bool sound = true;

	*out = (struct pol_feed){ .name = name->text, .id = arena_printf(r->arena, "feed.%s", name->text), .span = name->span };
	label_is_free(r, name);
	for (const struct node *n = name->next; n; n = n->next)
		sound &= n->kind == NODE_PHRASE && setting_read(r, n, seen, out);
	for (size_t i = 0; i < SETTINGS && sound; i++)
		if (settings[i].must && !seen[i]) {
			diag_help(diag(r->diags, DIAG_FEED_PART, name->span, "feed `%s` does not say its %s", name->text,
				       settings[i].word),
				  "a feed says url, format, refresh, max, stale and action");
			sound = false;
		}
	return sound;
}

void declare_feeds(struct reading *r)
{
	VEC(struct pol_feed) all = { 0 };
	struct strmap names;

	strmap_init(&names, r->arena);
	for (size_t i = 0; i < r->decls.len; i++) {
		const struct node *decl = r->decls.at[i], *first;
		struct pol_feed f;

		if (decl->kind != NODE_FEED)
			continue;
		if ((first = strmap_find(&names, decl->first->text))) {
			diag_at(diag(r->diags, DIAG_NAME_TWICE, decl->first->span, "`%s` is declared twice", decl->first->text),
				first->span, "declared here first");
			continue;
		}
		strmap_put(&names, decl->first->text, decl->first);
		if (feed_read(r, decl, &f))
			vec_push(r->arena, &all, f);
	}
	r->policy->feeds = all.at;
	r->policy->feed_count = all.len;
}
