/*
 * write.c - the flat lists as a posture.
 *
 * What the language cannot say is an accept less or a drop more: a leaving
 * interface of forwarded packets, "every interface but these", ICMPv6 in IPv4.
 * Where a drop cannot be said although it is known exactly, its packets are kept
 * in the shade: taken out of every later accept.
 */
#include <ctype.h>
#include <string.h>

#include "compiler/import/import.h"
#include "compiler/ir/proto.h"
#include "lang/syntax/parse.h"

#define LIST_INLINE 6 /* longer sets get a name */
#define NOTES_INLINE 40
#define LOG_TEXT_MAX 100 /* as the language has it */

struct named_net {
	const char *name;
	struct netset set;
};

struct writing {
	struct import *m;
	enum direction direction;
	struct region shade;
	struct strmap names, labels, taken; /* taken: numbers behind a name that were given, in either */
	VEC(struct named_net) nets;
	struct buf limits, rules;
	const struct import_chain *chain;
	bool untracked_drop; /* is written, in this direction */
	const char *zone_names[ZONE_NO_INTERFACE];
};

/* --- names --------------------------------------------------------------------------------------------- */

static const char *fresh(struct writing *w, struct strmap *among, const char *wish)
{
	struct arena *a = w->m->arena;
	char *name = arena_strdup(a, wish);
	const char *tried;
	size_t len = 0;

	for (const char *c = wish; *c && len < 48; c++)
		if (isalnum((unsigned char)*c) || (len && name[len - 1] != '_'))
			name[len++] = isalnum((unsigned char)*c) ? *c : '_';
	len -= len && name[len - 1] == '_';
	name[len] = '\0';
	if (!len || isdigit((unsigned char)*name))
		name = arena_printf(a, "n%s", name);
	tried = name;
	unsigned *taken = strmap_find(&w->taken, name), n = taken ? *taken : 2;

	for (; strmap_find(among, tried) || word_is_reserved(tried) || !strcmp(tried, "ip") || import_protocol(tried) >= 0; n++)
		tried = arena_printf(a, "%s_%u", name, n);
	if (taken)
		*taken = n;
	else if (n > 2)
		strmap_put(&w->taken, name, arena_copy(a, &n, sizeof n));
	strmap_put(among, tried, w);
	return tried;
}

/* --- sets as text ---------------------------------------------------------------------------------------- */

/* A list of one is that one. */
static void open_list(struct buf *out, size_t len)
{
	if (len != 1)
		buf_putc(out, '[');
}

static void close_list(struct buf *out, size_t len)
{
	if (len != 1)
		buf_putc(out, ']');
}

static void put_prefixes(struct buf *out, struct arena *a, const struct netset *s)
{
	char text[ADDR_TEXT];
	size_t len;
	struct prefix *p = netset_prefixes(a, s, &len);

	open_list(out, len);
	for (size_t i = 0; i < len; i++)
		buf_printf(out, "%s%s", i ? ", " : "", prefix_print(p[i], text));
	close_list(out, len);
}

/* Every address of these families, and no other? */
static bool is_whole_of(const struct netset *s, unsigned families)
{
	struct box all = box_all(families);

	return netset_equal(s, &all.src);
}

/* All that a net's text says; NULL when the net has a name. */
static const char *net_text(struct writing *w, const struct netset *s, size_t *count)
{
	own(buf) struct buf out = { 0 };
	struct arena *a = w->m->arena;
	unsigned families = s->len[FAMILY_IP4] && s->len[FAMILY_IP6] ? FAMILIES_ALL : s->len[FAMILY_IP4] ? FAMILY_BIT(FAMILY_IP4) : FAMILY_BIT(FAMILY_IP6);
	struct box all = box_all(families);
	struct netset rest = netset_minus(a, &all.src, s);
	size_t yes, no;
	bool but;

	netset_prefixes(a, s, &yes);
	netset_prefixes(a, &rest, &no);
	but = no && no < yes;
	*count = but ? no : yes;
	if (but)
		buf_printf(&out, "%s - ", families == w->m->families ? "any" : families == FAMILY_BIT(FAMILY_IP4) ? "0.0.0.0/0" : "::/0");
	put_prefixes(&out, a, but ? &rest : s);
	return arena_strdup(a, buf_text(&out));
}

static const char *net_name(struct writing *w, const struct netset *s, const char *wish)
{
	size_t count;
	const char *text;

	for (size_t i = 0; i < w->nets.len; i++)
		if (netset_equal(&w->nets.at[i].set, s))
			return w->nets.at[i].name;
	text = net_text(w, s, &count);
	if (count <= LIST_INLINE)
		return text;
	struct named_net n = { fresh(w, &w->names, wish), *s };

	vec_push(w->m->arena, &w->nets, n);
	return n.name;
}

static void put_ranges(struct buf *out, const struct ranges *r)
{
	open_list(out, r->len);
	for (size_t i = 0; i < r->len; i++) {
		buf_printf(out, "%s%u", i ? ", " : "", r->at[i].lo);
		if (r->at[i].hi != r->at[i].lo)
			buf_printf(out, "..%u", r->at[i].hi);
	}
	close_list(out, r->len);
}

static const char *icmp_name(enum family family, unsigned type)
{
	static const struct { const char *name; int type[2], code[2]; } rows[] = {
#define ICMP(name, type4, code4, type6, code6) { name, { type4, type6 }, { code4, code6 } },
#include "lang/vocab/icmp.def"
#undef ICMP
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].type[family] == (int)type && rows[i].code[family] < 0)
			return rows[i].name;
	return NULL;
}

static void put_icmp(struct writing *w, enum family family, const struct ranges *r)
{
	struct buf *out = &w->rules;
	const char *sep = "";
	bool one = r->len == 1 && (r->at->lo == r->at->hi || (r->at->lo >> 8 == r->at->hi >> 8 && (r->at->hi & 0xff) - (r->at->lo & 0xff) == 255));

	buf_puts(out, family == FAMILY_IP4 ? "icmpv4 " : "icmpv6 ");
	open_list(out, one);
	for (size_t i = 0; i < r->len; i++)
		for (unsigned at = r->at[i].lo; at <= r->at[i].hi; sep = ", ") {
			unsigned type = at >> 8, last = (r->at[i].hi + 1u) >> 8;
			const char *name = icmp_name(family, type);

			buf_puts(out, sep);
			if ((at & 0xff) || last == type) {
				buf_printf(out, "%u/%u", type, at++ & 0xff);
				continue;
			}
			if (last == type + 1 && name)
				buf_puts(out, name);
			else if (last == type + 1)
				buf_printf(out, "%u", type);
			else
				buf_printf(out, "%u..%u", type, last - 1);
			at = last << 8;
		}
	close_list(out, one);
}

static bool is_icmp(const struct ranges *r)
{
	return r->len == 1 && r->at->lo == r->at->hi && (r->at->lo == PROTO_ICMP || r->at->lo == PROTO_ICMPV6);
}

static void put_protocol(struct writing *w, unsigned number)
{
	static const struct { const char *name; unsigned number; } rows[] = {
#define PROTO(name, number, about) { name, number },
#include "lang/vocab/proto.def"
#undef PROTO
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].number == number) {
			buf_puts(&w->rules, rows[i].name);
			return;
		}
	buf_printf(&w->rules, "protocol %u", number);
}

static bool is_every_protocol(const struct ranges *r)
{
	return r->len == 1 && r->at->lo == 0 && r->at->hi == 255;
}

/* Said only where it is not said by an address, and there is another family to tell it from. */
static const char *family_word(const struct writing *w, const struct box *b)
{
	unsigned families = box_families(b);

	return families == w->m->families || !is_whole_of(&b->src, families) || !is_whole_of(&b->dst, families) ? "ip" :
	       families == FAMILY_BIT(FAMILY_IP4) ? "ipv4" : "ipv6";
}

static void put_head(struct writing *w, const struct box *b)
{
	bool one = b->proto.len == 1 && b->proto.at->lo == b->proto.at->hi;

	if (!ranges_are_all(&b->icmp))
		put_icmp(w, b->proto.at->lo == PROTO_ICMP ? FAMILY_IP4 : FAMILY_IP6, &b->icmp);
	else if (one)
		put_protocol(w, b->proto.at->lo);
	else if (is_every_protocol(&b->proto))
		buf_puts(&w->rules, family_word(w, b));
	else {
		buf_puts(&w->rules, "protocol ");
		put_ranges(&w->rules, &b->proto);
	}
}

static void put_flag_words(struct buf *out, unsigned flags)
{
	static const char *const names[] = { "fin", "syn", "rst", "psh", "ack", "urg" };
	const char *sep = "";

	if (!flags)
		buf_puts(out, "none");
	for (unsigned i = 0; i < 6; i++)
		if (flags >> i & 1) {
			buf_printf(out, "%s%s", sep, names[i]);
			sep = "+";
		}
}

/* --- one rule ------------------------------------------------------------------------------------------------ */

struct cube {
	unsigned mask, want;
};

static bool depends_on(uint64_t set, unsigned bit)
{
	for (unsigned f = 0; f < 64; f++)
		if ((set >> f & 1) != (set >> (f ^ 1u << bit) & 1))
			return true;
	return false;
}

/* A set of flag combinations as few pairs of what is looked at and what is wanted. */
static size_t flag_cubes(uint64_t set, struct cube at, unsigned bit, struct cube *out, size_t count)
{
	uint64_t inside = 0;

	while (bit < 6 && !depends_on(set, bit))
		bit++;
	for (unsigned f = 0; f < 64; f++)
		if ((f & at.mask) == at.want)
			inside |= 1ull << f;
	if (!(inside & set))
		return count;
	if (!(inside & ~set)) {
		out[count++] = at;
		return count;
	}
	count = flag_cubes(set, (struct cube){ at.mask | 1u << bit, at.want }, bit + 1, out, count);
	return flag_cubes(set, (struct cube){ at.mask | 1u << bit, at.want | 1u << bit }, bit + 1, out, count);
}

static void put_end(struct writing *w, const char *word, const struct netset *s, bool any, const struct ranges *port, const char *label,
		    bool alone)
{
	bool ported = !ranges_are_all(port);

	if (any && !ported)
		return;
	if (any && alone) {
		buf_puts(&w->rules, " port ");
		put_ranges(&w->rules, port);
		return;
	}
	buf_printf(&w->rules, " %s %s", word, any ? "any" : net_name(w, s, arena_printf(w->m->arena, "%s_%s", label, word)));
	if (ported) {
		buf_puts(&w->rules, " port ");
		put_ranges(&w->rules, port);
	}
}

static void put_self(struct writing *w, const struct ranges *port)
{
	buf_puts(&w->rules, " to self");
	if (!ranges_are_all(port)) {
		buf_puts(&w->rules, " port ");
		put_ranges(&w->rules, port);
	}
}

static void put_zones(struct writing *w, uint64_t zones)
{
	const char *sep = "";

	buf_puts(&w->rules, " on ");
	open_list(&w->rules, (size_t)__builtin_popcountll(zones));
	for (unsigned i = 0; i < w->m->interfaces.len; i++)
		if (zones >> i & 1) {
			buf_printf(&w->rules, "%s%s", sep, w->zone_names[i]);
			sep = ", ";
		}
	close_list(&w->rules, (size_t)__builtin_popcountll(zones));
}

static uint64_t *zones_of(const struct writing *w, struct box *b)
{
	return w->direction == DIRECTION_OUT ? &b->outward : &b->inward;
}

/* A protocol that both families have, of one of them: its addresses say so. */
static bool must_say_source(const struct writing *w, const struct box *b, bool any_dst)
{
	return box_families(b) != w->m->families && any_dst && ranges_are_all(&b->icmp) && !is_every_protocol(&b->proto) && !is_icmp(&b->proto);
}

/* As a line of the log may begin: the colon behind it is added there. */
static void put_log(struct writing *w, const char *text)
{
	char plain[LOG_TEXT_MAX + 1];
	size_t len = 0;

	for (; *text && len < LOG_TEXT_MAX; text++)
		if ((unsigned char)*text >= 0x20 && (unsigned char)*text < 0x7f && !strchr("\"'\\`", *text))
			plain[len++] = *text;
	while (len && strchr(" :", plain[len - 1]))
		len--;
	plain[len] = '\0';
	if (len)
		buf_printf(&w->rules, " log \"%s\"", plain);
	else
		buf_puts(&w->rules, " log");
}

static void put_rule(struct writing *w, const struct import_entry *e, struct box *b, const char *wish, const char *limit)
{
	struct cube cubes[64];
	size_t count = flag_cubes(b->flags, (struct cube){ 0, 0 }, 0, cubes, 0);
	uint64_t zones = *zones_of(w, b);
	unsigned families = box_families(b);
	bool any_dst = is_whole_of(&b->dst, families), any_src = is_whole_of(&b->src, families) && !must_say_source(w, b, any_dst);

	for (size_t i = 0; i < count; i++) {
		const char *label = fresh(w, &w->labels, wish);

		buf_printf(&w->rules, "%s: %s %s ", label, verdict_name(e->verdict),
			   w->direction == DIRECTION_IN ? "" : direction_name(w->direction));
		put_head(w, b);
		if (cubes[i].mask) {
			buf_puts(&w->rules, " flags ");
			put_flag_words(&w->rules, cubes[i].want);
			buf_putc(&w->rules, '/');
			put_flag_words(&w->rules, cubes[i].mask);
		}
		put_end(w, "from", &b->src, any_src, &b->sport, label, false);
		/* behind a source, `port` would be that one's */
		if (b->kinds == KIND_BIT(KIND_LOCAL))
			put_self(w, &b->dport);
		else
			put_end(w, "to", &b->dst, any_dst, &b->dport, label, any_src && ranges_are_all(&b->sport));
		if (zones != import_zones(w->m))
			put_zones(w, zones);
		if (limit)
			buf_printf(&w->rules, " limit %s", limit);
		if (e->log)
			put_log(w, e->log);
		buf_putc(&w->rules, '\n');
	}
}

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
	uint64_t *zones = zones_of(w, b);

	if (*zones == import_zones(w->m) || !(*zones >> ZONE_OTHER & 1))
		return true;
	struct box others = *b;

	*zones &= ~(1ull << ZONE_OTHER);
	*zones_of(w, &others) = 1ull << ZONE_OTHER;
	shade(w, e, &others);
	if (e->verdict == VERDICT_ALLOW)
		note_side(w, e, "only the interfaces that the ruleset names have zones; on others this admits nothing");
	return *zones;
}

/* `protocol 58` is of IPv6 alone here, and 1 of IPv4. */
static bool say_protocol(struct writing *w, const struct import_entry *e, struct box *b)
{
	for (enum family f = 0; f < FAMILY_COUNT && !is_every_protocol(&b->proto); f++) {
		uint16_t foreign = f == FAMILY_IP4 ? PROTO_ICMPV6 : PROTO_ICMP;
		struct ranges one = ranges_of(w->m->arena, foreign, foreign);
		struct box family = box_all(FAMILY_BIT(f)), strange;

		if (!ranges_has(&b->proto, foreign) || !box_meet(w->m->arena, b, &family, &strange))
			continue;
		strange.proto = one;
		shade(w, e, &strange);
		if (box_families(b) != FAMILY_BIT(f) && !is_icmp(&b->proto))
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
		put_rule(w, e, &b, wish, limit);
		return;
	}
	for (size_t i = 0; i < protos.len; i++)
		for (unsigned p = protos.at[i].lo; p <= protos.at[i].hi; p++) {
			b.proto = ranges_of(w->m->arena, (uint16_t)p, (uint16_t)p);
			put_rule(w, e, &b, wish, limit);
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
	bool self = rest & KIND_BIT(KIND_LOCAL) && is_whole_of(&b.dst, box_families(&b)) && box_families(&b) == w->m->families;
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
	name = fresh(w, &w->names, arena_printf(w->m->arena, "limit_%u", e->rule->place.line));
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
		   fresh(w, &w->labels, arena_printf(w->m->arena, "untracked_%s", direction_name(w->direction))), direction_name(w->direction));
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
			buf_printf(&w->rules, "%s: drop %s %s\n", fresh(w, &w->labels, arena_printf(m->arena, "%s_%s", word, direction_name(d))),
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
		w->zone_names[i] = fresh(w, &w->names, w->m->interfaces.at[i]);
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
		struct named_net n = { fresh(w, &w->names, w->m->sets.entries.at[i].name), *s };
		vec_push(w->m->arena, &w->nets, n);
	}
}

static void put_nets(struct writing *w, struct buf *out)
{
	for (size_t i = 0; i < w->nets.len; i++) {
		size_t count;

		buf_printf(out, "net %s = %s\n", w->nets.at[i].name, net_text(w, &w->nets.at[i].set, &count));
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
	buf_printf(out, "policy %s\n\n", fresh(&w, &w.names, name));
	buf_printf(out, "%s\n", buf_text(&zones));
	put_nets(&w, out);
	buf_printf(out, "\n%s\nposture IMPORTED {\nestablished %s\n%s}\n", buf_text(&w.limits), m->stateful ? "keep" : "recheck", buf_text(&w.rules));
	buf_release(&w.limits);
	buf_release(&w.rules);
}
