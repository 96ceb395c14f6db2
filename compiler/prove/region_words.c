/*
 * region_words.c - a region as one line, with the names that policies have for its values.
 */
#include "compiler/prove/region.h"

#include <string.h>

#include "compiler/front/policy.h"
#include "compiler/ir/proto.h"
#include "lang/vocab/tcp_flag.h"

/* --- numbers ----------------------------------------------------------------- */

static const char *proto_word(addr_num number)
{
	static const struct {
		uint16_t number;
		const char *word;
	} known[] = {
		{ PROTO_ICMP, "icmp" }, { PROTO_TCP, "tcp" }, { PROTO_UDP, "udp" },
		{ PROTO_ICMPV6, "icmpv6" }, { PROTO_SCTP, "sctp" },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (known[i].number == number)
			return known[i].word;
	return NULL;
}

static void print_protos(struct buf *out, const struct values *v)
{
	const char *sep = "";

	if (v->all) {
		buf_puts(out, "ip");
		return;
	}
	for (size_t i = 0; i < v->len; i++) {
		const char *word = v->at[i].lo == v->at[i].hi ? proto_word(v->at[i].lo) : NULL;

		buf_puts(out, sep);
		if (word)
			buf_puts(out, word);
		else if (v->at[i].lo == v->at[i].hi)
			buf_printf(out, "proto %u", (unsigned)v->at[i].lo);
		else
			buf_printf(out, "proto %u-%u", (unsigned)v->at[i].lo, (unsigned)v->at[i].hi);
		sep = ", ";
	}
}

static void print_number(struct buf *out, const struct value_range *r)
{
	if (r->lo == r->hi)
		buf_printf(out, "%u", (unsigned)r->lo);
	else
		buf_printf(out, "%u-%u", (unsigned)r->lo, (unsigned)r->hi);
}

/* The gaps of a set of numbers, which may be fewer words. */
static struct values complement(const struct values *v, addr_num last, struct value_range *room)
{
	struct values c = { .at = room };
	addr_num next = 0;

	for (size_t i = 0; i < v->len; i++) {
		if (v->at[i].lo > next)
			room[c.len++] = (struct value_range){ next, v->at[i].lo - 1 };
		if (v->at[i].hi == last)
			return c;
		next = v->at[i].hi + 1;
	}
	room[c.len++] = (struct value_range){ next, last };
	return c;
}

#define WORDS_MOST 8
#define PORT_RANGES 32 /* beyond this, not even the gaps are words */

static void print_list(struct buf *out, const struct values *v,
		       void (*one)(struct buf *out, const struct value_range *r))
{
	size_t shown = v->len > WORDS_MOST ? WORDS_MOST : v->len;

	if (v->len > 1)
		buf_putc(out, '[');
	for (size_t i = 0; i < shown; i++) {
		if (i)
			buf_puts(out, ", ");
		one(out, &v->at[i]);
	}
	if (shown < v->len)
		buf_printf(out, ", and %zu more", v->len - shown);
	if (v->len > 1)
		buf_putc(out, ']');
}

static double count_of(const struct values *v)
{
	double n = 0;

	for (size_t i = 0; i < v->len; i++)
		n += (double)(v->at[i].hi - v->at[i].lo) + 1;
	return n;
}

static void print_ports(struct buf *out, const char *word, const struct values *v)
{
	struct value_range room[PORT_RANGES + 1];
	struct values c;

	if (v->all)
		return;
	buf_printf(out, " %s ", word);
	if (v->len <= PORT_RANGES && count_of(v) > 32768) {
		c = complement(v, UINT16_MAX, room);
		if (c.len < v->len) {
			buf_puts(out, "all except ");
			v = &c;
		}
	}
	print_list(out, v, print_number);
}

/* --- flags and ICMP ---------------------------------------------------------- */

static bool has_value(const struct values *v, addr_num n)
{
	for (size_t i = 0; i < v->len; i++)
		if (v->at[i].lo <= n && n <= v->at[i].hi)
			return true;
	return false;
}

static bool is_pattern(const struct values *v, unsigned mask, unsigned want)
{
	for (unsigned i = 0; i < 256; i++)
		if (has_value(v, i) != ((i & mask) == want))
			return false;
	return true;
}

static void print_flags(struct buf *out, const struct values *v)
{
	if (v->all)
		return;
	for (unsigned mask = 1; mask < 256; mask++)
		for (unsigned want = mask;; want = (want - 1) & mask) {
			if (has_value(v, want) && is_pattern(v, mask, want)) {
				buf_puts(out, " flags ");
				tcp_flags_print(out, (uint8_t)want);
				buf_putc(out, '/');
				tcp_flags_print(out, (uint8_t)mask);
				return;
			}
			if (!want)
				break;
		}
	buf_printf(out, " with %g of 256 flag combinations", count_of(v));
}

static void print_icmp_one(struct buf *out, const struct value_range *r)
{
	unsigned lo = (unsigned)r->lo, hi = (unsigned)r->hi;

	if (lo >> 8 == hi >> 8 && (lo & 255) == 0 && (hi & 255) == 255)
		buf_printf(out, "type %u", lo >> 8);
	else if (lo == hi)
		buf_printf(out, "type %u code %u", lo >> 8, lo & 255);
	else
		buf_printf(out, "type %u code %u to type %u code %u", lo >> 8, lo & 255, hi >> 8,
			   hi & 255);
}

static void print_icmp(struct buf *out, const struct values *v)
{
	if (v->all)
		return;
	buf_putc(out, ' ');
	print_list(out, v, print_icmp_one);
}

/* --- addresses --------------------------------------------------------------- */

/*
 * `except` is the name that "any except NAME" has taken, by end. Where the
 * other family's line takes it over, a name without addresses of this family
 * excepts nothing here: so that one line may speak of both.
 */
struct naming {
	const struct policy *of[2];
	enum family family;
	struct arena *arena;
	enum field end; /* FIELD_SRC or FIELD_DST */
	const struct pol_net *except[FIELD_COUNT];
	bool literal; /* the addresses show the family */
};

static bool values_equal(const struct values *v, const struct addr_range *at, size_t len)
{
	if (v->len != len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (v->at[i].lo != at[i].lo || v->at[i].hi != at[i].hi)
			return false;
	return true;
}

static struct netset netset_of(const struct naming *n, const struct values *v)
{
	struct addr_range *at[FAMILY_COUNT] = { NULL };
	size_t len[FAMILY_COUNT] = { 0 };

	at[n->family] = arena_zero(n->arena, (v->len + 1) * sizeof **at);
	for (; len[n->family] < v->len; len[n->family]++)
		at[n->family][len[n->family]] = (struct addr_range){ v->at[len[n->family]].lo,
								     v->at[len[n->family]].hi };
	return netset_of_ranges(n->arena, at, len);
}

static const struct pol_net *net_at(const struct naming *n, size_t i)
{
	for (size_t p = 0; p < 2; p++) {
		size_t count = n->of[p] ? n->of[p]->net_count : 0;

		if (i < count)
			return &n->of[p]->nets[i];
		i -= count;
	}
	return NULL;
}

static const struct pol_net *net_named(const struct policy *p, const char *name)
{
	for (size_t i = 0; p && i < p->net_count; i++)
		if (!strcmp(p->nets[i].name, name))
			return &p->nets[i];
	return NULL;
}

/* A name that the two policies have for different sets says which it means. */
static const char *word_of(const struct naming *n, const struct pol_net *net)
{
	const struct pol_net *old = net_named(n->of[0], net->name);
	const struct pol_net *new = net_named(n->of[1], net->name);

	if (!old || !new || netset_equal(&old->set, &new->set))
		return net->name;
	return arena_printf(n->arena, "%s %s", netset_equal(&net->set, &old->set) ? "old" : "new", net->name);
}

static const char *name_of(struct naming *n, const struct values *v)
{
	const struct pol_net *net;

	for (size_t i = 0; (net = net_at(n, i)); i++)
		if (net->set.len[n->family] &&
		    values_equal(v, net->set.at[n->family], net->set.len[n->family])) {
			n->literal |= !net->set.len[!n->family];
			return word_of(n, net);
		}
	return NULL;
}

/* "any except office", "partners except office": the set is one name without another. */
static bool print_except(struct buf *out, struct naming *n, const struct values *v)
{
	struct netset all = netset_all(n->arena);
	const struct pol_net *base = NULL, *gone;

	for (size_t b = 0; b == 0 || base; b++) {
		const struct netset *from = b ? &base->set : &all;

		for (size_t i = 0; (gone = net_at(n, i)); i++) {
			struct netset left = netset_minus(n->arena, from, &gone->set);

			if (!values_equal(v, left.at[n->family], left.len[n->family]))
				continue;
			buf_printf(out, "%s except %s", b ? word_of(n, base) : "any",
				   word_of(n, gone));
			n->except[n->end] = b ? NULL : gone;
			return true;
		}
		base = net_at(n, b);
	}
	return false;
}

static void print_prefixes(struct buf *out, struct naming *n, const struct values *v)
{
	n->literal = true;
	struct netset set = netset_of(n, v);
	size_t len, shown;
	struct prefix *at = netset_prefixes(n->arena, &set, &len);

	shown = len > WORDS_MOST ? WORDS_MOST : len;
	if (len > 1)
		buf_putc(out, '[');
	for (size_t i = 0; i < shown; i++) {
		char text[ADDR_TEXT];

		buf_printf(out, "%s%s", i ? ", " : "", prefix_print(at[i], text));
	}
	if (shown < len)
		buf_printf(out, ", and %zu more", len - shown);
	if (len > 1)
		buf_putc(out, ']');
}

static void print_addresses(struct buf *out, struct naming *n, const struct values *v)
{
	const struct pol_net *hint = n->except[n->end];
	const char *name = v->all ? "any" : name_of(n, v);
	struct value_range *room;
	struct values c;

	if (v->all && hint && !hint->set.len[n->family]) {
		buf_printf(out, "any except %s", word_of(n, hint));
		return;
	}
	if (name) {
		buf_puts(out, name);
		return;
	}
	if (print_except(out, n, v))
		return;
	room = arena_zero(n->arena, (v->len + 2) * sizeof *room);
	c = complement(v, family_max(n->family), room);
	if (count_of(&c) < count_of(v)) {
		buf_puts(out, "any except ");
		name = name_of(n, &c);
		if (name)
			buf_puts(out, name);
		else
			print_prefixes(out, n, &c);
		return;
	}
	print_prefixes(out, n, v);
}

static void print_end(struct buf *out, const char *word, enum field end, struct naming *n,
		      const struct values *v, enum own_part own)
{
	n->end = end;
	switch (own) {
	case OWN_ONLY:
		buf_printf(out, " %s self", word);
		if (v->all || !v->len)
			return;
		buf_puts(out, " in ");
		break;
	case OWN_NOT:
		buf_printf(out, " %s ", word);
		print_addresses(out, n, v);
		buf_puts(out, " (not self)");
		return;
	case OWN_ALSO:
		buf_printf(out, " %s self or ", word);
		break;
	case OWN_EITHER:
		buf_printf(out, " %s ", word);
		break;
	}
	print_addresses(out, n, v);
}

/* --- one line ----------------------------------------------------------------------- */

static void print_zones(struct buf *out, const struct values *v, const struct terms *t)
{
	const char *sep = " on ";

	if (v->all)
		return;
	for (size_t i = 0; i < v->len; i++)
		for (addr_num z = v->at[i].lo; z <= v->at[i].hi; z++) {
			if (z < t->zones.len)
				buf_printf(out, "%s%s", sep, t->zones.at[z]);
			else if (z == v->at[i].hi)
				buf_printf(out, "%sno zone", sep);
			sep = ", ";
		}
}

static bool is_icmp(const struct region *r)
{
	return r->proto.len == 1 && r->proto.at[0].lo == r->proto.at[0].hi &&
	       (r->proto.at[0].lo == PROTO_ICMP || r->proto.at[0].lo == PROTO_ICMPV6);
}

/* The family is said where neither an address nor the protocol shows it. */
static void print_with(struct buf *out, const struct region *r, const struct terms *t,
		       struct naming *n)
{
	own(buf) struct buf ends = { 0 };

	print_end(&ends, "from", FIELD_SRC, n, &r->src, r->src_own);
	print_ports(&ends, "port", &r->sport);
	print_end(&ends, "to", FIELD_DST, n, &r->dst, r->dst_own);
	print_ports(&ends, "port", &r->dport);

	print_protos(out, &r->proto);
	if (r->families != 3 && !n->literal && !is_icmp(r))
		buf_puts(out, r->families & 1u << FAMILY_IP4 ? " over IPv4" : " over IPv6");
	print_flags(out, &r->flags);
	print_icmp(out, &r->icmp);
	buf_puts(out, buf_text(&ends));
	print_zones(out, &r->zones, t);
}

static struct naming naming_of(const struct region *r, const struct ir *first,
			       const struct ir *second, struct arena *arena)
{
	return (struct naming){
		.of = { first ? first->policy : NULL, second ? second->policy : NULL },
		.family = r->families & 1u << FAMILY_IP4 ? FAMILY_IP4 : FAMILY_IP6,
		.arena = arena,
	};
}

/* One line being made of regions, in both families where it can be. */
struct lining {
	struct arena *arena;
	const struct terms *terms;
	const struct ir *first, *second;
};

/* As if the region were about these families; with the names that `like` took. */
static const char *line_of(const struct lining *k, const struct region *r, uint8_t families,
			   struct naming *like)
{
	own(buf) struct buf b = { 0 };
	own(arena) struct arena *mem = arena_new();
	struct region as = *r;
	struct naming n = naming_of(r, k->first, k->second, mem);

	memcpy(n.except, like->except, sizeof n.except);
	as.families = families;
	print_with(&b, &as, k->terms, &n);
	memcpy(like->except, n.except, sizeof n.except);
	return arena_strdup(k->arena, buf_text(&b));
}

/* Has the other family the same words, in one direction or the other? */
static const char *line_of_both(const struct lining *k, const struct region *a,
				const struct region *b)
{
	const struct region *order[2][2] = { { a, b }, { b, a } };

	for (int i = 0; i < 2; i++) {
		struct naming like = { 0 };
		const char *line = line_of(k, order[i][0], 3, &like);

		if (!strcmp(line, line_of(k, order[i][1], 3, &like)))
			return line;
	}
	return NULL;
}

struct region_lines region_lines(struct arena *arena, const struct region *at, size_t len,
				 const struct terms *t, const struct ir *first,
				 const struct ir *second)
{
	struct lining k = { arena, t, first, second };
	bool *told = arena_zero(arena, len + 1);
	VEC(const char *) lines = { 0 };

	for (size_t i = 0; i < len; i++) {
		struct naming alone = { 0 };
		const char *line = NULL;

		for (size_t j = i + 1; j < len && !told[i] && !line; j++)
			if (!told[j] && at[j].families != at[i].families)
				told[j] = (line = line_of_both(&k, &at[i], &at[j])) != NULL;
		if (told[i])
			continue;
		if (!line)
			line = line_of(&k, &at[i], at[i].families, &alone);
		vec_push(arena, &lines, line);
	}
	return (struct region_lines){ lines.at, lines.len };
}
