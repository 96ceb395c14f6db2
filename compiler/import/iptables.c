/*
 * iptables.c - what iptables-save and ip6tables-save write: the filter table as
 * chains; of the other tables, whether they could drop anything.
 */
#include "compiler/import/iptables.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define CHAINS_MAX 20000

struct reading {
	struct import *m;
	enum family family;
	const char *path;
	struct strmap chains; /* struct import_chain */
	struct lines lines;
	bool filter; /* in the filter table */
	const char *table;
	bool ended;
	struct err *why;
};

static struct import_place here(const struct reading *r)
{
	return (struct import_place){ r->path, r->lines.number };
}

static int refuse(struct reading *r, const char *what, const char *word)
{
	return err_set(r->why, EINVAL, "line %u: %s: %s", r->lines.number, what, word);
}

/* --- chains ---------------------------------------------------------------------------------------- */

static const char *const hooks[DIRECTION_COUNT] = {
	[DIRECTION_IN] = "INPUT", [DIRECTION_FORWARD] = "FORWARD", [DIRECTION_OUT] = "OUTPUT",
};

/* ":INPUT DROP [0:0]", ":mine - [0:0]" */
static int read_chain(struct reading *r, const char *line)
{
	struct arena *a = r->m->arena;
	struct words w;

	if (!words_split(a, line + 1, &w) || w.len < 2)
		return refuse(r, "a chain and its policy are due", line);
	if (!r->filter) {
		if (!strcmp(w.at[1], "DROP"))
			import_note(r->m, here(r), NOTE_ADMITS, "table %s drops by policy, which is not carried", r->table);
		return 0;
	}
	if (strmap_find(&r->chains, w.at[0]))
		return refuse(r, "this chain is there twice", w.at[0]);
	if (r->chains.entries.len == CHAINS_MAX)
		return refuse(r, "there are too many chains", w.at[0]);
	struct import_chain *c = arena_zero(a, sizeof *c);

	c->name = w.at[0];
	c->place = here(r);
	c->families = FAMILY_BIT(r->family);
	c->accepts = !strcmp(w.at[1], "ACCEPT");
	for (enum direction d = 0; d < DIRECTION_COUNT; d++)
		if (!strcmp(hooks[d], c->name)) {
			vec_push(a, &r->m->base[d], c);
			c->base = true;
		}
	if (c->base && !c->accepts && strcmp(w.at[1], "DROP"))
		return refuse(r, "a policy is ACCEPT or DROP", w.at[1]);
	strmap_put(&r->chains, c->name, c);
	return 0;
}

/* --- rules ------------------------------------------------------------------------------------------- */

static enum import_target target_find(const char *name)
{
	static const struct { const char *name; enum import_target target; } rows[] = {
		{ "ACCEPT", TARGET_ACCEPT }, { "DROP", TARGET_DROP },	{ "REJECT", TARGET_REJECT },
		{ "RETURN", TARGET_RETURN }, { "LOG", TARGET_NOTHING }, { "NFLOG", TARGET_NOTHING },
		{ "ULOG", TARGET_NOTHING },  { "MARK", TARGET_NOTHING }, { "CONNMARK", TARGET_NOTHING },
		{ "AUDIT", TARGET_NOTHING }, { "SET", TARGET_NOTHING }, { "TCPMSS", TARGET_NOTHING },
		{ "TRACE", TARGET_NOTHING }, { "NOTRACK", TARGET_NOTHING }, { "CT", TARGET_NOTHING },
		{ "CLASSIFY", TARGET_NOTHING }, { "DSCP", TARGET_NOTHING }, { "TOS", TARGET_NOTHING },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (!strcmp(rows[i].name, name))
			return rows[i].target;
	return TARGET_UNKNOWN;
}

static bool is_log(const char *target)
{
	return !strcmp(target, "LOG") || !strcmp(target, "NFLOG") || !strcmp(target, "ULOG");
}

static void read_target(struct reading *r, struct import_rule *rule, const char *option, const char *name)
{
	rule->to = strmap_find(&r->chains, name);
	if (rule->to) {
		rule->target = strcmp(option, "-g") && strcmp(option, "--goto") ? TARGET_JUMP : TARGET_GOTO;
		return;
	}
	rule->target = target_find(name);
	rule->log = is_log(name) ? "" : NULL;
	if (rule->target == TARGET_NOTHING && !rule->log)
		import_note(r->m, rule->place, NOTE_BESIDE, "%s: this changes no verdict, and is not carried", rule->text);
}

/* Behind one that takes no words of its own, and behind a chain, only matches can stand. */
static bool takes_words(const struct import_rule *rule)
{
	return rule->target == TARGET_NOTHING || rule->target == TARGET_REJECT || rule->target == TARGET_UNKNOWN;
}

static bool is_prefix(const char *option)
{
	return !strcmp(option, "--log-prefix") || !strcmp(option, "--nflog-prefix") || !strcmp(option, "--ulog-prefix");
}

static bool is_option(const char *word)
{
	return word[0] == '-' && word[1] && !isdigit((unsigned char)word[1]);
}

static bool is_target(const char *option)
{
	return !strcmp(option, "-j") || !strcmp(option, "-g") || !strcmp(option, "--jump") || !strcmp(option, "--goto");
}

/* The words of the option o, from the i-th on; where the next begins. A text may be any word, also one that looks like an option. */
static size_t read_args(struct ipt_option *o, struct words *w, size_t i)
{
	o->args = w->at + i;
	if (i < w->len && (is_prefix(o->name) || !strcmp(o->name, "--comment"))) {
		o->count = 1;
		return i + 1;
	}
	while (i < w->len && !is_option(w->at[i]) && strcmp(w->at[i], "!"))
		i++, o->count++;
	/* as older versions write it: -s ! 10.0.0.0/8 */
	if (!o->count && i + 1 < w->len && !strcmp(w->at[i], "!") && !is_option(w->at[i + 1])) {
		o->negated = !o->negated;
		o->args = w->at + ++i;
		for (; i < w->len && !is_option(w->at[i]) && strcmp(w->at[i], "!"); i++)
			o->count++;
	}
	return i;
}

/* In any order, as iptables takes them: a match may stand behind the target. */
static int read_options(struct reading *r, struct ipt_rule *to, struct words *w, size_t i)
{
	bool targeted = false, own = false;

	while (i < w->len) {
		struct ipt_option o = { .negated = !strcmp(w->at[i], "!") };

		i += o.negated;
		if (i == w->len || !is_option(w->at[i]))
			return refuse(r, "an option is due", i == w->len ? "!" : w->at[i]);
		o.name = w->at[i++];
		i = read_args(&o, w, i);
		if (is_target(o.name)) {
			if (o.negated || o.count != 1)
				return refuse(r, "a target is due after", o.name);
			if (targeted)
				return refuse(r, "a rule has one target, and this is another", o.args[0]);
			read_target(r, to->rule, o.name, o.args[0]);
			targeted = true;
			own = takes_words(to->rule);
		} else if (!strcmp(o.name, "-m") || !strcmp(o.name, "--match")) {
			if (o.count != 1)
				return refuse(r, "a match is due after", o.name);
			ipt_module(to, o.args[0]);
		} else if (own && is_prefix(o.name) && o.count) {
			to->rule->log = to->rule->log ? o.args[0] : NULL;
		} else if (!own || ipt_knows(o.name)) {
			ipt_match(to, &o);
		}
	}
	return 0;
}

static int read_rule(struct reading *r, const char *line)
{
	struct arena *a = r->m->arena;
	struct import_chain *c;
	struct import_rule rule = { .place = here(r), .text = line };
	struct words w;

	if (!words_split(a, line, &w))
		return refuse(r, "a quote does not end", line);
	if (w.len < 2)
		return refuse(r, "a chain is due", line);
	c = strmap_find(&r->chains, w.at[1]);
	if (!c)
		return refuse(r, "there is no such chain", w.at[1]);
	if (r->m->rule_count++ == IMPORT_RULES_MAX)
		return refuse(r, "there are too many rules", line);
	struct box all = box_all(FAMILY_BIT(r->family));
	struct ipt_rule to = { .m = r->m, .family = r->family, .rule = &rule, .sure = all, .perhaps = all };
	int rc = read_options(r, &to, &w, 2);

	if (rc)
		return rc;
	ipt_finish(&to);
	if (rule.log && to.rate) {
		import_note(r->m, rule.place, NOTE_BESIDE, "%s: a log with a limit is not carried", rule.text);
		rule.log = NULL;
	}
	if (to.rate && !import_unlimit(r->m, &rule, to.over))
		return 0;
	vec_push(a, &c->rules, rule);
	return 0;
}

/* --- other tables -------------------------------------------------------------------------------------- */

/* Nothing of them is carried: what they drop, the result would admit. */
static int read_other(struct reading *r, const char *line)
{
	struct words w;

	if (!words_split(r->m->arena, line, &w))
		return refuse(r, "a quote does not end", line);
	for (size_t i = 0; i < w.len; i++)
		r->m->untracks |= !strcmp(w.at[i], "NOTRACK") || !strcmp(w.at[i], "--notrack");
	for (size_t i = 0; i + 1 < w.len; i++)
		if ((!strcmp(w.at[i], "-j") || !strcmp(w.at[i], "-g")) &&
		    (!strcmp(w.at[i + 1], "DROP") || !strcmp(w.at[i + 1], "REJECT") || !strcmp(w.at[i + 1], "TARPIT") ||
		     !strcmp(w.at[i + 1], "NFQUEUE") || !strcmp(w.at[i + 1], "QUEUE")))
			import_note(r->m, here(r), NOTE_ADMITS, "%s: table %s drops, which is not carried", line, r->table);
	return 0;
}

static int read_table(struct reading *r, const char *line)
{
	r->table = line + 1;
	r->filter = !strcmp(r->table, "filter");
	if (!r->filter)
		import_note(r->m, here(r), NOTE_BESIDE, "table %s is not carried", r->table);
	return 0;
}

/* "[12:3456] -A INPUT ..." as iptables-save -c writes it. */
static const char *after_counters(struct arena *a, const char *line)
{
	const char *end = *line == '[' ? strchr(line, ']') : NULL;

	if (!end)
		return line;
	for (end++; *end == ' ';)
		end++;
	return arena_strdup(a, end);
}

static int read_line(struct reading *r, const char *line)
{
	line = after_counters(r->m->arena, line);
	if (!*line || *line == '#')
		return 0;
	if (*line == '*')
		return read_table(r, line);
	if (!strcmp(line, "COMMIT")) {
		r->ended |= r->filter;
		r->table = NULL;
		r->filter = false;
		return 0;
	}
	if (!r->table)
		return refuse(r, "a table is due, such as *filter", line);
	if (*line == ':')
		return read_chain(r, line);
	if (strncmp(line, "-A ", 3))
		return refuse(r, "neither chain nor rule", line);
	return r->filter ? read_rule(r, line) : read_other(r, line);
}

static void read_interfaces(struct import *m, const struct import_text *text)
{
	struct lines lines = { text->at, text->at + text->len, 0 };
	struct words w, names = { 0 };
	bool filter = false;

	for (const char *line; (line = lines_next(&lines, m->arena));) {
		if (*line == '*')
			filter = !strcmp(line, "*filter");
		if (!filter || !words_split(m->arena, line, &w))
			continue;
		for (size_t i = 0; i + 1 < w.len; i++)
			if ((!strcmp(w.at[i], "-i") || !strcmp(w.at[i], "-o")) && strcmp(w.at[i + 1], "!"))
				vec_push(m->arena, &names, ipt_interface(m->arena, w.at[i + 1]));
	}
	import_interfaces(m, &names);
}

/* The target SET fills, empties and maps a set, in whatever table. */
static void read_filled(struct import *m, const struct import_text *text)
{
	struct lines lines = { text->at, text->at + text->len, 0 };
	struct words w;

	for (const char *line; (line = lines_next(&lines, m->arena));) {
		if (!words_split(m->arena, line, &w))
			continue;
		for (size_t i = 0; i + 1 < w.len; i++)
			if (!strcmp(w.at[i], "--add-set") || !strcmp(w.at[i], "--del-set") || !strcmp(w.at[i], "--map-set"))
				strmap_put(&m->filled, w.at[i + 1], m);
	}
}

int import_iptables(struct import *m, enum family family, const struct import_text *text, struct err *why)
{
	struct reading r = { .m = m, .family = family, .path = text->path, .lines = { text->at, text->at + text->len, 0 }, .why = why };

	strmap_init(&r.chains, m->arena);
	m->families |= FAMILY_BIT(family);
	read_interfaces(m, text);
	read_filled(m, text);
	for (const char *line; (line = lines_next(&r.lines, m->arena));) {
		int rc = read_line(&r, line);

		if (rc)
			return rc;
	}
	if (!r.ended)
		return err_set(why, EINVAL, "there is no table filter that ends with COMMIT");
	return 0;
}
