/* The ruleset as text: what `nft -f` loads (nft 1.0.6) and a person reads. */
#include "compiler/emit/nft/print_value.h"

#include <assert.h>
#include <string.h>

#include "compiler/ir/ir.h"
#include "lang/bundle/nft_tell.h"

/* --- expressions ----------------------------------------------------------------- */

static void print_chain_name(struct buf *out, const char *name, char bank);
static void print_fate(struct buf *out, enum nft_fate fate, const char *chain, char bank);

static const char *test_text(enum nft_test t)
{
	switch (t) {
	case NFT_TEST_EQ:
	case NFT_TEST_WITHIN:
	case NFT_TEST_IN:
		return "";
	case NFT_TEST_NE:
	case NFT_TEST_NOT_IN:
		return "!= ";
	case NFT_TEST_GE:
		return ">= ";
	}
	return "";
}

/* An address under a mask of leading ones is a prefix. */
static bool print_prefix(struct buf *out, const struct nft_match *m, enum nft_type type)
{
	if (!nft_type_is_address(type) || m->test != NFT_TEST_EQ)
		return false;

	addr_num host = family_max(nft_type_family(type)) & ~m->mask;
	struct addr_range r = { m->lo, m->lo | host };
	if ((host & (host + 1)) || nft_prefix_of(nft_type_family(type), r) < 0)
		return false;
	nft_print_range(out, type, r);
	return true;
}

/* A field narrower than its bytes is written without its mask, and moved to the right. */
static bool print_part(struct buf *out, const struct nft_match *m, const struct nft_field_row *row)
{
	if (!row->part || m->mask != row->part)
		return false;
	buf_printf(out, "%s%u", test_text(m->test), (unsigned)m->lo >> __builtin_ctz(row->part));
	return true;
}

static void print_masked(struct buf *out, const struct nft_match *m,
			 const struct nft_field_row *row)
{
	if (print_part(out, m, row) || print_prefix(out, m, row->type))
		return;
	if (row->type == NFT_TYPE_CT_STATE && m->test == NFT_TEST_NE && !m->lo) {
		nft_print_value(out, row->type, m->mask); /* "ct state related": any of these bits */
		return;
	}

	bool bits = row->type == NFT_TYPE_TCP_FLAGS;
	buf_puts(out, bits ? "& (" : "& ");
	nft_print_value(out, row->type, m->mask);
	buf_puts(out, bits ? ") " : " ");
	if (m->set) {
		buf_puts(out, test_text(m->test));
		nft_print_set(out, m->set);
		return;
	}
	buf_puts(out, m->test == NFT_TEST_EQ ? "== " : test_text(m->test));
	nft_print_value(out, row->type, m->lo);
}

/* An address of a family that the rule has not asked for: named, nft would ask for it. */
static void print_by_place(struct buf *out, const struct nft_match *m, const struct nft_field_row *row)
{
	buf_puts(out, "@nh,");
	buf_number(out, 8u * row->at);
	buf_putc(out, ',');
	buf_number(out, 8u * row->bytes);
	buf_putc(out, ' ');
	if (m->masked) {
		buf_puts(out, "& ");
		nft_print_hex(out, m->mask);
	}
	buf_puts(out, m->masked ? " == " : test_text(m->test));
	nft_print_hex(out, m->lo);
	if (m->test == NFT_TEST_WITHIN) {
		buf_putc(out, '-');
		nft_print_hex(out, m->hi);
	}
}

static void print_match(struct buf *out, const struct nft_match *m, bool family_asked)
{
	const struct nft_field_row *row = &nft_fields[m->field];

	if (nft_type_is_address(row->type) && !family_asked && !m->set) {
		print_by_place(out, m, row);
		return;
	}
	buf_puts(out, row->text);
	buf_putc(out, ' ');
	if (m->masked) {
		print_masked(out, m, row);
		return;
	}
	buf_puts(out, test_text(m->test));
	if (m->set)
		nft_print_set(out, m->set);
	else if (m->bytes < row->bytes)
		nft_print_ifnames(out, (struct addr_range){ m->lo, m->hi });
	else if (m->test == NFT_TEST_WITHIN)
		nft_print_range(out, row->type, (struct addr_range){ m->lo, m->hi });
	else if (row->type == NFT_TYPE_TCP_FLAGS)
		buf_printf(out, "== 0x%02x", (unsigned)m->lo);
	else
		nft_print_value(out, row->type, m->lo);
}

/* Of a long map, one element a line. */
static void print_map(struct buf *out, const struct nft_set *s, char bank)
{
	const bool lines = s->count > 4;

	buf_puts(out, lines ? "{" : "{ ");
	for (size_t i = 0; i < s->count; i++) {
		buf_puts(out, i ? "," : "");
		buf_puts(out, lines ? "\n\t\t\t" : i ? " " : "");
		for (unsigned p = 0; s->part_count > 1 && p < s->part_count; p++) {
			buf_puts(out, p ? " . " : "");
			nft_print_value(out, s->part_types[p], nft_key_part(s, i, p));
		}
		if (s->part_count < 2)
			nft_print_range(out, s->type, s->ranges[i]);
		buf_puts(out, " : ");
		if (s->leads == NFT_LEADS_TO_COUNTER)
			nft_print_quoted(out, s->to[i].name);
		else
			print_fate(out, s->to[i].fate, s->to[i].name, bank);
	}
	buf_puts(out, lines ? "\n\t\t}" : " }");
}

/* Behind the first part, nft reads a mask only in brackets. */
static void print_keys(struct buf *out, const struct nft_key *keys, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const struct nft_field_row *row = &nft_fields[keys[i].field];
		const bool masked = keys[i].masked;

		buf_puts(out, !i ? "" : masked ? ". (" : ". ");
		buf_puts(out, row->text);
		if (masked) {
			buf_puts(out, " & ");
			nft_print_value(out, row->type, keys[i].mask);
			buf_puts(out, i ? ")" : "");
		}
		buf_putc(out, ' ');
	}
}

static void print_look(struct buf *out, const struct nft_look *l, char bank)
{
	const bool counts = l->map->leads == NFT_LEADS_TO_COUNTER;

	buf_puts(out, counts ? "counter name " : "");
	print_keys(out, l->keys, l->count);
	if (l->map->leads == NFT_LEADS_NOWHERE) {
		buf_printf(out, "%s@%s", l->absent ? "!= " : "", l->map->name);
		return;
	}
	buf_puts(out, counts ? "map " : "vmap ");
	print_map(out, l->map, bank);
}

static void print_limit(struct buf *out, const struct nft_limit *l)
{
	buf_printf(out, "limit rate over %llu%s/%s", (unsigned long long)l->rate, l->bytes ? " bytes" : "",
		   ir_unit_name(l->unit_s));
	if (l->burst || !l->bytes)
		buf_printf(out, " burst %u %s", l->burst, l->bytes ? "bytes" : "packets");
}

static void print_time(struct buf *out, uint64_t ms)
{
	if (ms % 1000)
		buf_printf(out, "%llums", (unsigned long long)ms);
	else
		buf_printf(out, "%llus", (unsigned long long)ms / 1000);
}

static void print_place(struct buf *out, const struct nft_place *p)
{
	buf_printf(out, "%s @%s { ", p->update ? "update" : "add", p->set->name);
	print_keys(out, p->keys, p->count);
	if (p->timeout_ms) {
		buf_puts(out, "timeout ");
		print_time(out, p->timeout_ms);
		buf_putc(out, ' ');
	}
	if (p->limited) {
		print_limit(out, &p->limit);
		buf_putc(out, ' ');
	}
	buf_putc(out, '}');
}

static void print_chain_name(struct buf *out, const char *name, char bank)
{
	assert(name[0] == BATCH_BANK);
	buf_putc(out, bank);
	buf_puts(out, name + 1);
}

static void print_fate(struct buf *out, enum nft_fate fate, const char *chain, char bank)
{
	switch (fate) {
	case NFT_FATE_ACCEPT:
		buf_puts(out, "accept");
		return;
	case NFT_FATE_DROP:
		buf_puts(out, "drop");
		return;
	case NFT_FATE_RETURN:
		buf_puts(out, "return");
		return;
	case NFT_FATE_JUMP:
	case NFT_FATE_GOTO:
		buf_puts(out, fate == NFT_FATE_JUMP ? "jump " : "goto ");
		print_chain_name(out, chain, bank);
		return;
	}
}

static bool asks_family(const struct nft_expr *e)
{
	return e->kind == NFT_EXPR_MATCH && (e->match.field == NFT_FIELD_NFPROTO || e->match.field == NFT_FIELD_PROTOCOL);
}

/* Every rule that tells has it: as pieces, since formats take ten times as long. */
static void print_tell(struct buf *out, const struct nft_line *tell)
{
	if (tell->bounded) {
		buf_puts(out, "limit rate ");
		buf_number(out, NFT_TELL_RATE);
		buf_puts(out, "/second burst ");
		buf_number(out, NFT_TELL_BURST);
		buf_puts(out, " packets ");
	}
	buf_puts(out, "log prefix \"");
	buf_puts(out, tell->prefix);
	buf_puts(out, "\" group ");
	buf_number(out, NFT_TELL_GROUP);
	buf_puts(out, " snaplen ");
	buf_number(out, NFT_TELL_BYTES);
}

static void print_expr(struct buf *out, const struct nft_expr *e, bool family_asked, char bank)
{
	switch (e->kind) {
	case NFT_EXPR_MATCH:
		print_match(out, &e->match, family_asked);
		return;
	case NFT_EXPR_LOOK:
		print_look(out, &e->look, bank);
		return;
	case NFT_EXPR_COUNTER:
		buf_puts(out, "counter name ");
		nft_print_quoted(out, e->counter);
		return;
	case NFT_EXPR_LIMIT:
		print_limit(out, &e->limit);
		return;
	case NFT_EXPR_PLACE:
		print_place(out, &e->place);
		return;
	case NFT_EXPR_ONE_OF:
		buf_printf(out, "numgen random mod %u 0", e->one_of);
		return;
	case NFT_EXPR_TELL:
		print_tell(out, &e->tell);
		return;
	case NFT_EXPR_LOG:
		buf_printf(out, "log prefix \"%s\"", e->log);
		return;
	case NFT_EXPR_REJECT:
		buf_puts(out, e->reject == NFT_REJECT_WITH_RESET
				      ? "reject with tcp reset"
				      : "reject with icmpx type admin-prohibited");
		return;
	case NFT_EXPR_SYNPROXY:
		buf_printf(out, "synproxy mss %u timestamp sack-perm", e->synproxy_mss);
		return;
	case NFT_EXPR_FATE:
		print_fate(out, e->fate, e->chain, bank);
		return;
	}
}

/* --- objects --------------------------------------------------------------------- */

/* One line, whatever the remark holds. */
static void print_remark(struct buf *out, const char *indent, const char *remark)
{
	if (!remark)
		return;
	buf_puts(out, indent);
	buf_puts(out, "# ");
	for (const char *c = remark; *c; c++)
		buf_putc(out, (unsigned char)*c < ' ' ? ' ' : *c);
	buf_putc(out, '\n');
}

static void print_elements(struct buf *out, const struct nft_set *s)
{
	if (!s->count)
		return;
	buf_puts(out, "\t\telements = { ");
	for (size_t i = 0; i < s->count; i++) {
		buf_puts(out, !i ? "" : i % 4 ? ", " : ",\n\t\t\t     ");
		nft_print_range(out, s->type, s->ranges[i]);
	}
	buf_puts(out, " }\n");
}

/* As nft declares it; of types that no set with a name has, none. */
static const char *type_word(enum nft_type type)
{
	switch (type) {
	case NFT_TYPE_ADDR4:
		return "ipv4_addr";
	case NFT_TYPE_ADDR6:
		return "ipv6_addr";
	case NFT_TYPE_PROTO:
		return "inet_proto";
	case NFT_TYPE_PORT:
		return "inet_service";
	case NFT_TYPE_NUMBER:
	case NFT_TYPE_DECIMAL:
	case NFT_TYPE_IFNAME:
	case NFT_TYPE_ETHERTYPE:
	case NFT_TYPE_NFPROTO:
	case NFT_TYPE_ICMP_TYPE:
	case NFT_TYPE_ICMP_CODE:
	case NFT_TYPE_ICMPV6_TYPE:
	case NFT_TYPE_ICMPV6_CODE:
	case NFT_TYPE_TCP_FLAGS:
	case NFT_TYPE_CT_STATE:
	case NFT_TYPE_CT_DIRECTION:
	case NFT_TYPE_FIB_TYPE:
		break;
	}
	return "";
}

static void print_named_set(struct buf *out, const struct nft_set *s)
{
	buf_printf(out, "\n\tset %s {\n\t\ttype %s", s->name, type_word(s->type));
	for (unsigned i = 1; i < s->part_count; i++)
		buf_printf(out, " . %s", type_word(s->part_types[i]));
	buf_putc(out, '\n');
	if (s->most)
		buf_printf(out, "\t\tsize %u\n", s->most);
	if (s->dynamic)
		buf_puts(out, "\t\tflags dynamic,timeout\n");
	else if (s->interval)
		buf_puts(out, "\t\tflags interval\n");
	if (s->timeout_ms) {
		buf_puts(out, "\t\ttimeout ");
		print_time(out, s->timeout_ms);
		buf_putc(out, '\n');
	}
	if (s->gc_ms) {
		buf_puts(out, "\t\tgc-interval ");
		print_time(out, s->gc_ms);
		buf_putc(out, '\n');
	}
	print_elements(out, s);
	buf_puts(out, "\t}\n");
}

static void print_hook(struct buf *out, const struct nft_hook *h)
{
	buf_printf(out, "\t\ttype filter hook %s ", h->hook);
	if (h->device_count) {
		buf_puts(out, "devices = { ");
		for (size_t i = 0; i < h->device_count; i++)
			buf_printf(out, "%s\"%s\"", i ? ", " : "", h->devices[i]);
		buf_puts(out, " } ");
	}
	buf_printf(out, "priority %d; policy %s;\n", h->priority, h->drops ? "drop" : "accept");
}

static void print_rule(struct buf *out, const struct nft_rule *r, char bank)
{
	bool family_asked = false;

	print_remark(out, "\t\t", r->remark);
	buf_putc(out, '\t');
	for (size_t i = 0; i < r->exprs.len; i++) {
		buf_putc(out, i ? ' ' : '\t');
		print_expr(out, &r->exprs.at[i], family_asked, bank);
		family_asked |= asks_family(&r->exprs.at[i]);
	}
	buf_putc(out, '\n');
}

static void print_chain(struct spool *to, const struct nft_chain *c, char bank)
{
	struct buf *out = &to->held;

	buf_putc(out, '\n');
	print_remark(out, "\t", c->remark);
	buf_puts(out, "\tchain ");
	print_chain_name(out, c->name, bank);
	buf_puts(out, " {\n");
	if (c->hook)
		print_hook(out, c->hook);
	for (size_t i = 0; i < c->rules.len; i++) {
		print_rule(out, &c->rules.at[i], bank);
		spool_settle(to);
	}
	buf_puts(out, "\t}\n");
}

void nft_print_to(struct spool *to, const struct nft_table *t, char bank)
{
	struct buf *out = &to->held;

	buf_printf(out, "table %s %s {\n", nft_table_family(t->kind), NFT_TABLE_NAME);
	for (size_t i = 0; i < t->counters.len; i++) {
		buf_puts(out, "\tcounter ");
		buf_puts(out, t->counters.at[i]);
		buf_puts(out, " { packets 0 bytes 0 }\n");
		spool_settle(to);
	}
	for (size_t i = 0; i < t->sets.len; i++) {
		print_named_set(out, t->sets.at[i]);
		spool_settle(to);
	}
	for (size_t i = 0; i < t->chains.len; i++)
		print_chain(to, t->chains.at[i], bank);
	buf_puts(out, "}\n");
}

void nft_print(struct buf *out, const struct nft_table *t, char bank)
{
	struct spool s = { .held = *out };

	nft_print_to(&s, t, bank);
	*out = s.held;
}
