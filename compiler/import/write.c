/*
 * write.c - the flat lists as a posture.
 *
 * What the language cannot say is an accept less or a drop more: a leaving
 * interface of forwarded packets, "every interface but these", ICMPv6 in IPv4.
 * Where a drop cannot be said although it is known exactly, its packets are kept
 * in the shade: taken out of every later accept.
 */
#include "compiler/import/write_rule.h"
#include "compiler/ir/proto.h"

#define NOTES_INLINE 40

/* --- what can be said ------------------------------------------------------------------------------------------ */

static void note_side(struct writing *w, const struct import_entry *e, const char *what)
{
	if (e->logs_only)
		return;
	import_note(w->m, e->rule ? e->rule->place : e->chain->place, e->verdict == VERDICT_ALLOW ? NOTE_LEFT_OUT : NOTE_WIDENED, "%s: %s",
		    e->rule ? e->rule->text : e->chain->name, what);
}

static void shade(struct writing *w, const struct import_entry *e, const struct box *b)
{
	if (e->verdict != VERDICT_ALLOW && !e->logs_only)
		vec_push(w->m->arena, &w->shade, *b);
}

/* By which interface forwarded packets leave is not asked in the language. */
static bool say_leaving(struct writing *w, const struct import_entry *e, struct box *b)
{
	if (w->direction != DIRECTION_FORWARD || b->outward == import_zones(w->m))
		return true;
	if (e->logs_only)
		return false;
	if (e->verdict == VERDICT_ALLOW) {
		note_side(w, e, "the interface by which forwarded packets leave is not known here, so this admits nothing");
		return false;
	}
	b->outward = import_zones(w->m);
	if (import_matters(w->m, w->direction, e, b))
		note_side(w, e, "the interface by which forwarded packets leave is not known here, so this applies to all");
	return true;
}

static bool say_zones(struct writing *w, const struct import_entry *e, struct box *b)
{
	uint64_t *zones = said_zones(w, b);

	if (*zones == import_zones(w->m) || !(*zones >> ZONE_OTHER & 1))
		return true;
	struct box others = *b;

	*zones &= ~(1ull << ZONE_OTHER);
	*said_zones(w, &others) = 1ull << ZONE_OTHER;
	shade(w, e, &others);
	if (e->verdict == VERDICT_ALLOW)
		note_side(w, e, "only the interfaces that the ruleset names have zones; on others this admits nothing");
	return *zones;
}

/* `protocol 58` is of IPv6 alone here, and 1 of IPv4. */
static bool say_protocol(struct writing *w, const struct import_entry *e, struct box *b)
{
	for (enum family f = 0; f < FAMILY_COUNT && !proto_is_every(&b->proto); f++) {
		uint16_t foreign = f == FAMILY_IP4 ? PROTO_ICMPV6 : PROTO_ICMP;
		struct ranges one = ranges_of(w->m->arena, foreign, foreign);
		struct box family = box_all(FAMILY_BIT(f)), strange;

		if (!ranges_has(&b->proto, foreign) || !box_meet(w->m->arena, b, &family, &strange))
			continue;
		strange.proto = one;
		shade(w, e, &strange);
		if (box_families(b) != FAMILY_BIT(f) && !proto_is_icmp(&b->proto))
			continue;
		if (box_families(b) == FAMILY_BIT(f)) {
			if (e->verdict == VERDICT_ALLOW)
				note_side(w, e, "the other family's ICMP is not admitted");
			b->proto = ranges_minus(w->m->arena, &b->proto, &one);
			return b->proto.len;
		}
		family = box_all(FAMILIES_ALL & ~FAMILY_BIT(f));
		box_meet(w->m->arena, b, &family, b);
	}
	return true;
}

static uint64_t every_kind(const struct writing *w)
{
	return w->direction == DIRECTION_IN ? KINDS_HERE : KINDS_ALL;
}

/* Ports and flags stand with one protocol each. */
static void put_said(struct writing *w, const struct import_entry *e, struct box b, const char *wish, const char *limit)
{
	struct ranges protos = b.proto;
	bool asks = !ranges_are_all(&b.sport) || !ranges_are_all(&b.dport) || b.flags != UINT64_MAX || !ranges_are_all(&b.icmp);

	if (!say_leaving(w, e, &b) || !say_zones(w, e, &b) || !say_protocol(w, e, &b))
		return;
	if (!asks) {
		say_rule(w, e, &b, wish, limit);
		return;
	}
	for (size_t i = 0; i < protos.len; i++)
		for (unsigned p = protos.at[i].lo; p <= protos.at[i].hi; p++) {
			b.proto = ranges_of(w->m->arena, (uint16_t)p, (uint16_t)p);
			say_rule(w, e, &b, wish, limit);
		}
}

/* The part of a box that goes to groups, or the part that does not. */
static bool to_groups(struct writing *w, const struct box *b, bool groups, struct box *out)
{
	static const struct { const char *text; } nets[FAMILY_COUNT] = { { "224.0.0.0/4" }, { "ff00::/8" } };
	struct arena *a = w->m->arena;
	struct box by = box_all(FAMILIES_ALL);
	struct netset all = { 0 };

	for (enum family f = 0; f < FAMILY_COUNT; f++) {
		struct prefix p;

		prefix_parse(nets[f].text, &p);
		struct netset one = netset_of_range(a, f, prefix_range(p));
		all = netset_join(a, &all, &one);
	}
	by.dst = groups ? all : netset_minus(a, &by.dst, &all);
	if (!box_meet(a, b, &by, out))
		return false;
	out->kinds = every_kind(w);
	return true;
}

/*
 * Where a packet goes can be said of groups by their addresses, and of this host as `self`. What comes
 * in and goes to no group goes to the host or is broadcast; these two are not told apart otherwise.
 */
static void put_box(struct writing *w, const struct import_entry *e, struct box b, const char *wish, const char *limit)
{
	uint64_t rest = b.kinds & ~KIND_BIT(KIND_MULTICAST), all = every_kind(w) & ~KIND_BIT(KIND_MULTICAST);
	bool self = rest & KIND_BIT(KIND_LOCAL) && net_is_whole(&b.dst, box_families(&b)) && box_families(&b) == w->m->families;
	struct box part;

	if (b.kinds == every_kind(w)) {
		put_said(w, e, b, wish, limit);
		return;
	}
	if (b.kinds & KIND_BIT(KIND_MULTICAST) && to_groups(w, &b, true, &part))
		put_said(w, e, part, wish, limit);
	if (rest == all || (rest && e->verdict != VERDICT_ALLOW && !e->logs_only)) {
		part = b;
		part.kinds = every_kind(w);
		if (rest != all && import_matters(w->m, w->direction, e, &part))
			note_side(w, e, "which addresses are of this kind is not known here, so this applies to all but groups");
		if (to_groups(w, &b, false, &part))
			put_said(w, e, part, wish, limit);
		return;
	}
	if (!rest || e->logs_only)
		return;
	if (!self || rest != KIND_BIT(KIND_LOCAL))
		note_side(w, e, "which addresses are of this kind is not known here, so this admits less");
	if (self) {
		b.kinds = KIND_BIT(KIND_LOCAL);
		put_said(w, e, b, wish, limit);
	}
}

static void put_clean(struct buf *out, const char *text)
{
	for (; *text; text++)
		buf_putc(out, (unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7f ? '?' : *text);
}

static void put_chain(struct writing *w, const struct import_chain *c)
{
	if (w->chain == c)
		return;
	w->chain = c;
	buf_puts(&w->rules, "\n# chain ");
	put_clean(&w->rules, c->name);
	buf_puts(&w->rules, "\n");
}

/* One bucket, however many rules it takes to say what is limited. */
static const char *limit_name(struct writing *w, const struct import_entry *e)
{
	const char *key = arena_printf(w->m->arena, "limit of rule %p", (const void *)e->rule), *name = strmap_find(&w->names, key);

	if (name)
		return name;
	name = say_name(w, &w->names, arena_printf(w->m->arena, "limit_%u", e->rule->place.line));
	strmap_put(&w->names, key, (void *)name);
	buf_printf(&w->limits, "limit %s = %s\n", name, e->rule->rate);
	return name;
}

/* Is it about packets that begin a flow here? Untracked ones do, too. */
static bool begins_here(struct writing *w, const struct import_entry *e, const struct box *b)
{
	bool begins = b->states >> CT_NEW & 1, untracked = b->states >> CT_UNTRACKED & 1;

	if (!w->m->untracks)
		return begins;
	if (e->verdict == VERDICT_ALLOW && begins && !untracked)
		note_side(w, e, "some packets are not tracked there and would not match, so this admits nothing");
	return e->verdict == VERDICT_ALLOW ? begins && untracked : begins || untracked;
}

/*
 * What the kernel never tracks (nf_conntrack_proto_icmpv6.c, noct_valid_new) an accept of new flows does
 * not admit there. Here the good ones always pass, and are not asked of the posture; the others must not.
 */
static void drop_untracked(struct writing *w, const struct import_entry *e, const struct box *b)
{
	bool untracked = b->states >> CT_UNTRACKED & 1;
	struct box never = box_all(FAMILY_BIT(FAMILY_IP6));
	struct ranges more = ranges_of(w->m->arena, 143 << 8, 143 << 8 | 255);

	never.proto = ranges_of(w->m->arena, PROTO_ICMPV6, PROTO_ICMPV6);
	never.icmp = ranges_of(w->m->arena, 130 << 8, 137 << 8 | 255);
	never.icmp = ranges_join(w->m->arena, &never.icmp, &more);
	if (e->verdict != VERDICT_ALLOW || untracked || w->untracked_drop || !box_touches(b, &never))
		return;
	w->untracked_drop = true;
	buf_printf(&w->rules, "\n%s: drop %s icmpv6 [130..137, 143]\n",
		   say_name(w, &w->labels, arena_printf(w->m->arena, "untracked_%s", direction_name(w->direction))), direction_name(w->direction));
}

static void put_entry(struct writing *w, const struct import_entry *e)
{
	const char *wish = e->rule && e->rule->comment ? e->rule->comment :
			   e->rule ? arena_printf(w->m->arena, "%s_%u", e->chain->name, e->rule->place.line) :
				     arena_printf(w->m->arena, "%s_policy", e->chain->name);
	struct region r = { 0 };

	for (size_t i = 0; i < e->region.len; i++)
		if (begins_here(w, e, &e->region.at[i])) {
			drop_untracked(w, e, &e->region.at[i]);
			e->region.at[i].states = 1u << CT_NEW;
			vec_push(w->m->arena, &r, e->region.at[i]);
		}
	if (!r.len)
		return;
	if (e->verdict == VERDICT_ALLOW && !region_minus(w->m->arena, &r, &w->shade, true))
		note_side(w, e, "too many exceptions to write down; fewer packets are admitted");
	put_chain(w, e->chain);
	for (size_t i = 0; i < r.len; i++)
		put_box(w, e, r.at[i], wish, e->limited ? limit_name(w, e) : NULL);
}

/* Does all that has not been decided pass in the end? */
static bool ends_open(const struct writing *w, size_t ends, struct box all)
{
	enum direction d = w->direction;
	struct region rest;

	all.states = 1u << CT_NEW;
	all.inward = d == DIRECTION_OUT ? 1ull << ZONE_NO_INTERFACE : import_zones(w->m);
	all.outward = d == DIRECTION_IN ? 1ull << ZONE_NO_INTERFACE : import_zones(w->m);
	all.kinds = every_kind(w);
	rest = region_of(w->m->arena, &all);
	for (size_t i = ends; i < w->m->entries[d].len; i++) {
		const struct import_entry *e = &w->m->entries[d].at[i];

		if (e->verdict != VERDICT_ALLOW || e->log)
			return false;
		region_minus(w->m->arena, &rest, &e->region, false);
	}
	return !rest.len && !w->shade.len;
}

static void put_direction(struct writing *w, enum direction d)
{
	const struct import *m = w->m;
	size_t count = m->entries[d].len, ends = count;
	bool open;

	w->direction = d;
	w->shade = (struct region){ 0 };
	w->chain = NULL;
	w->untracked_drop = false;
	buf_puts(&w->rules, "\n");
	for (enum family f = 0; f < FAMILY_COUNT; f++) {
		const char *word = f == FAMILY_IP4 ? "ipv4" : "ipv6";

		if (!(m->families & FAMILY_BIT(f)))
			buf_printf(&w->rules, "%s: drop %s %s\n", say_name(w, &w->labels, arena_printf(m->arena, "%s_%s", word, direction_name(d))),
				   direction_name(d), word);
	}
	while (ends && !m->entries[d].at[ends - 1].rule)
		ends--;
	for (size_t i = 0; i < ends; i++)
		put_entry(w, &m->entries[d].at[i]);
	open = ends_open(w, ends, box_all(m->families));
	for (size_t i = ends; i < count && !open; i++)
		if (m->entries[d].at[i].verdict == VERDICT_ALLOW || m->entries[d].at[i].log)
			put_entry(w, &m->entries[d].at[i]);
	buf_printf(&w->rules, "\ndefault %s %s\n", direction_name(d), open ? "allow" : "drop");
}

/* --- the file ------------------------------------------------------------------------------------------------------ */

static void name_interfaces(struct writing *w, struct buf *out)
{
	for (size_t i = 0; i < w->m->interfaces.len; i++) {
		w->zone_names[i] = say_name(w, &w->names, w->m->interfaces.at[i]);
		buf_printf(out, "zone %s = \"", w->zone_names[i]);
		put_clean(out, w->m->interfaces.at[i]);
		buf_puts(out, "\"\n");
	}
}

static void name_sets(struct writing *w)
{
	for (size_t i = 0; i < w->m->sets.entries.len; i++) {
		const struct netset *s = w->m->sets.entries.at[i].value;

		if (!s || netset_is_empty(s))
			continue;
		struct named_net n = { say_name(w, &w->names, w->m->sets.entries.at[i].name), *s };
		vec_push(w->m->arena, &w->nets, n);
	}
}

static void put_nets(struct writing *w, struct buf *out)
{
	for (size_t i = 0; i < w->nets.len; i++) {
		size_t count;

		buf_printf(out, "net %s = %s\n", w->nets.at[i].name, say_net(w, &w->nets.at[i].set, &count));
	}
}

static void put_notes(const struct import *m, struct buf *out)
{
	size_t shown = 0, all = m->notes.len - import_notes(m, NOTE_BESIDE);

	if (all)
		buf_puts(out, "#\n# Not carried, or not as it was:\n");
	for (size_t i = 0; i < m->notes.len && shown < NOTES_INLINE; i++) {
		if (m->notes.at[i].kind == NOTE_BESIDE)
			continue;
		buf_printf(out, "# line %u, %s: ", m->notes.at[i].place.line, note_kind_name(m->notes.at[i].kind));
		put_clean(out, m->notes.at[i].text);
		buf_putc(out, '\n');
		shown++;
	}
	if (all > shown)
		buf_printf(out, "# and %zu more, in the report\n", all - shown);
}

void import_write(struct import *m, struct buf *out, const char *name, const char *from)
{
	struct writing w = { .m = m };
	own(buf) struct buf zones = { 0 };

	strmap_init(&w.names, m->arena);
	strmap_init(&w.labels, m->arena);
	strmap_init(&w.taken, m->arena);
	name_interfaces(&w, &zones);
	name_sets(&w);
	for (enum direction d = 0; d < DIRECTION_COUNT; d++)
		put_direction(&w, d);

	buf_puts(out, "# Imported from ");
	put_clean(out, from);
	buf_putc(out, '\n');
	put_notes(m, out);
	buf_printf(out, "policy %s\n\n", say_name(&w, &w.names, name));
	buf_printf(out, "%s\n", buf_text(&zones));
	put_nets(&w, out);
	buf_printf(out, "\n%s\nposture IMPORTED {\nestablished %s\n%s}\n", buf_text(&w.limits), m->stateful ? "keep" : "recheck", buf_text(&w.rules));
	buf_release(&w.limits);
	buf_release(&w.rules);
}
