/*
 * write_rule.c - names, sets and rules as text.
 */
#include <ctype.h>
#include <string.h>

#include "compiler/import/write_rule.h"
#include "compiler/ir/proto.h"
#include "lang/syntax/parse.h"
#include "lang/vocab/tcp_flag.h"

#define LIST_INLINE 6 /* longer sets get a name */
#define LOG_TEXT_MAX 100 /* as the language has it */

/* --- names --------------------------------------------------------------------------------------------- */

const char *say_name(struct writing *w, struct strmap *among, const char *wish)
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

bool net_is_whole(const struct netset *s, unsigned families)
{
	struct box all = box_all(families);

	return netset_equal(s, &all.src);
}

const char *say_net(struct writing *w, const struct netset *s, size_t *count)
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
	text = say_net(w, s, &count);
	if (count <= LIST_INLINE)
		return text;
	struct named_net n = { say_name(w, &w->names, wish), *s };

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

bool proto_is_icmp(const struct ranges *r)
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

bool proto_is_every(const struct ranges *r)
{
	return r->len == 1 && r->at->lo == 0 && r->at->hi == 255;
}

/* Said only where it is not said by an address, and there is another family to tell it from. */
static const char *family_word(const struct writing *w, const struct box *b)
{
	unsigned families = box_families(b);

	return families == w->m->families || !net_is_whole(&b->src, families) || !net_is_whole(&b->dst, families) ? "ip" :
	       families == FAMILY_BIT(FAMILY_IP4) ? "ipv4" : "ipv6";
}

static void put_head(struct writing *w, const struct box *b)
{
	bool one = b->proto.len == 1 && b->proto.at->lo == b->proto.at->hi;

	if (!ranges_are_all(&b->icmp))
		put_icmp(w, b->proto.at->lo == PROTO_ICMP ? FAMILY_IP4 : FAMILY_IP6, &b->icmp);
	else if (one)
		put_protocol(w, b->proto.at->lo);
	else if (proto_is_every(&b->proto))
		buf_puts(&w->rules, family_word(w, b));
	else {
		buf_puts(&w->rules, "protocol ");
		put_ranges(&w->rules, &b->proto);
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

uint64_t *said_zones(const struct writing *w, struct box *b)
{
	return w->direction == DIRECTION_OUT ? &b->outward : &b->inward;
}

/* A protocol that both families have, of one of them: its addresses say so. */
static bool must_say_source(const struct writing *w, const struct box *b, bool any_dst)
{
	return box_families(b) != w->m->families && any_dst && ranges_are_all(&b->icmp) && !proto_is_every(&b->proto) && !proto_is_icmp(&b->proto);
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

void say_rule(struct writing *w, const struct import_entry *e, struct box *b, const char *wish, const char *limit)
{
	struct cube cubes[64];
	size_t count = flag_cubes(b->flags, (struct cube){ 0, 0 }, 0, cubes, 0);
	uint64_t zones = *said_zones(w, b);
	unsigned families = box_families(b);
	bool any_dst = net_is_whole(&b->dst, families), any_src = net_is_whole(&b->src, families) && !must_say_source(w, b, any_dst);

	for (size_t i = 0; i < count; i++) {
		const char *label = say_name(w, &w->labels, wish);

		buf_printf(&w->rules, "%s: %s %s ", label, verdict_name(e->verdict),
			   w->direction == DIRECTION_IN ? "" : direction_name(w->direction));
		put_head(w, b);
		if (cubes[i].mask) {
			buf_puts(&w->rules, " flags ");
			tcp_flags_print(&w->rules, (uint8_t)cubes[i].want);
			buf_putc(&w->rules, '/');
			tcp_flags_print(&w->rules, (uint8_t)cubes[i].mask);
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
