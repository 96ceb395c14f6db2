/*
 * ipset.c - what `ipset save` writes: sets of addresses and nets. Sets of other things, sets with
 * entries that end or are exceptions, and those that look at a part of an address, are known by name alone.
 */
#include <errno.h>
#include <string.h>

#include "compiler/import/import.h"
#include "compiler/import/words.h"

#define ENTRIES_MAX 1000000

struct gathered {
	const char *name;
	enum family family;
	bool known;
	VEC(struct addr_range) ranges;
};

static bool entry_range(struct arena *a, enum family family, const char *text, struct addr_range *out)
{
	const char *dash = strchr(text, '-');
	struct prefix p;
	struct addr from, to;

	if (!dash) {
		if (prefix_parse(text, &p) == PREFIX_OK && p.addr.family == family) {
			*out = prefix_range(p);
			return true;
		}
		if (!addr_parse(text, &from) || from.family != family)
			return false;
		*out = (struct addr_range){ from.num, from.num };
		return true;
	}
	if (!addr_parse(arena_strndup(a, text, (size_t)(dash - text)), &from) || !addr_parse(dash + 1, &to) ||
	    from.family != family || to.family != family || to.num < from.num)
		return false;
	*out = (struct addr_range){ from.num, to.num };
	return true;
}

static enum family family_of(const struct words *w)
{
	for (size_t i = 3; i + 1 < w->len; i++)
		if (!strcmp(w->at[i], "family"))
			return strcmp(w->at[i + 1], "inet6") ? FAMILY_IP4 : FAMILY_IP6;
	return FAMILY_IP4;
}

/* Does an entry stand for the addresses that it says, for as long as it is there? */
static bool plain(const struct words *w)
{
	static const char *const alone[] = { "counters", "comment", "skbinfo", "forceadd" };
	static const char *const before_a_value[] = { "family", "hashsize", "maxelem", "bucketsize", "initval" };

	if (strcmp(w->at[2], "hash:ip") && strcmp(w->at[2], "hash:net"))
		return false;
	for (size_t i = 3; i < w->len; i++) {
		bool known = false;

		for (size_t k = 0; k < sizeof alone / sizeof *alone; k++)
			known |= !strcmp(w->at[i], alone[k]);
		for (size_t k = 0; k < sizeof before_a_value / sizeof *before_a_value && !known; k++)
			if (!strcmp(w->at[i], before_a_value[k])) {
				known = true;
				i++;
			}
		if (!known)
			return false;
	}
	return true;
}

static int read_line(struct import *m, struct strmap *all, const char *line, unsigned number, struct err *why)
{
	struct gathered *g;
	struct addr_range range;
	struct words w;

	if (!words_split(m->arena, line, &w))
		return err_set(why, EINVAL, "line %u: a quote does not end", number);
	if (!w.len || *w.at[0] == '#')
		return 0;
	if (w.len < 3 || (strcmp(w.at[0], "create") && strcmp(w.at[0], "add")))
		return err_set(why, EINVAL, "line %u: neither create nor add: %s", number, line);
	g = strmap_find(all, w.at[1]);
	if (!strcmp(w.at[0], "create")) {
		if (g)
			return err_set(why, EINVAL, "line %u: this set is there twice: %s", number, w.at[1]);
		g = arena_zero(m->arena, sizeof *g);
		g->name = w.at[1];
		g->family = family_of(&w);
		g->known = plain(&w);
		strmap_put(all, g->name, g);
		return 0;
	}
	if (!g)
		return err_set(why, EINVAL, "line %u: there is no set %s", number, w.at[1]);
	if (g->ranges.len == ENTRIES_MAX)
		return err_set(why, E2BIG, "line %u: the set %s has too many entries", number, w.at[1]);
	if (w.len > 3 || !entry_range(m->arena, g->family, w.at[2], &range))
		g->known = false;
	else
		vec_push(m->arena, &g->ranges, range);
	return 0;
}

int import_ipset(struct import *m, const struct import_text *text, struct err *why)
{
	struct lines lines = { text->at, text->at + text->len, 0 };
	struct strmap all;

	strmap_init(&all, m->arena);
	for (const char *line; (line = lines_next(&lines, m->arena));) {
		int rc = read_line(m, &all, line, lines.number, why);

		if (rc)
			return rc;
	}
	for (size_t i = 0; i < all.entries.len; i++) {
		struct gathered *g = all.entries.at[i].value;
		struct addr_range *at[FAMILY_COUNT] = { 0 };
		size_t count[FAMILY_COUNT] = { 0 };

		if (!g->known)
			continue;
		at[g->family] = g->ranges.at;
		count[g->family] = g->ranges.len;
		struct netset set = netset_of_ranges(m->arena, at, count);
		strmap_put(&m->sets, g->name, arena_copy(m->arena, &set, sizeof set));
	}
	return 0;
}
