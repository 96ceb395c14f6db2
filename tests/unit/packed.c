/* packed - a packed rule or reflex is opened as it was read, and a policy that is read packed means the same. */
#include <string.h>

#include "compiler/front/front.h"
#include "lang/base/file.h"
#include "lang/syntax/packed.h"
#include "lang/syntax/parse.h"
#include "tests/lib/gen.h"
#include "tests/lib/tap.h"
#include "tests/lib/teg_gen.h"

static const char hard[] =
	"zone wan = \"eth0\"\n"
	"net office = [198.51.100.0/24, 2001:db8:1234:5678:9abc:def0:1234:0/112] - 198.51.100.7\n"
	"limit shared_one = 500/s per source\n"
	"posture P {\n"
	"    default drop\n"
	"    allow tcp from office to self port [22, 80..90, 443]\n"
	"    web: allow forward tcp from 10.0.0.0/8 port 1024..65535 to [192.0.2.1, 192.0.2.2] + 192.0.2.128/25 port 443 limit 50/s per source/24 burst 10k log \"web \\\"in\\\"\"\n"
	"    # tegc: about the next\n"
	"    ping: allow icmp echo limit shared_one emit low sample 10\n"
	"    allow udp from (2001:db8:1234:5678:9abc:def0:1234:0/112) port 53\n"
	"    allow udp from 192.0.2.1 port 00000000000000000000000000000000000000000000000000000443\n"
	"    allow udp from 192.0.2.2 port 00000000000000000000000000000000000000000000000000000443\n"
	"}\n"
	"reflex flood {\n"
	"    match tcp flags syn/syn+ack to any port 443 on wan\n"
	"    # tegc: about the rate\n"
	"    when rate per source > 100 per 10s\n"
	"    do drop source for 60s, emit high\n"
	"    except in P\n"
	"}\n"
	"reflex words {\n"
	"    match tcp to any port 80 payload /union\\s+select/i within 512\n"
	"    do drop\n"
	"}\n";

/* --- trees --------------------------------------------------------------------------------- */

struct trees {
	struct compilation *with, *without;
	unsigned packed, opened;
	bool same, alone; /* alone: of what is packed no more is there than its label or name */
};

static bool same_tree(const struct node *x, const struct node *y)
{
	for (; x && y; x = x->next, y = y->next)
		if (x->kind != y->kind || x->word != y->word || memcmp(&x->span, &y->span, sizeof x->span) || !x->text != !y->text ||
		    (x->text && strcmp(x->text, y->text)) || !same_tree(x->first, y->first) || !x->last != !y->last)
			return false;
	return !x && !y;
}

/* One beside the other: what is packed is opened. */
static void walk(struct trees *t, const struct node *x, const struct node *y)
{
	for (; x && y; x = x->next, y = y->next) {
		own(arena) struct arena *scratch = arena_new();
		const struct node *whole = packed_open(scratch, &t->with->sources, x);
		struct node other = *y;

		other.next = NULL;
		t->packed += packed_is(x);
		t->opened += packed_is(x) && same_tree(whole, &other);
		t->alone &= !packed_is(x) || node_count(x) <= 1;
		if (!packed_is(x))
			walk(t, x->first, y->first);
		t->same &= x->kind == y->kind && !memcmp(&x->span, &y->span, sizeof x->span);
	}
	t->same &= !x && !y;
}

static struct node *read_tree(struct compilation *c, const char *text, size_t len, bool packs)
{
	uint32_t file = source_add(&c->sources, "text.teg", text, len);
	struct ast ast;

	c->sources.packs_from = packs;
	parse_file(&ast, c->arena, &c->sources, file, &c->diags);
	return ast.root;
}

static void trees_are_same(const char *name, const char *text, size_t len, unsigned least)
{
	own(compilation) struct compilation *with = compilation_new();
	own(compilation) struct compilation *without = compilation_new();
	struct trees t = { with, without, .same = true, .alone = true };

	walk(&t, read_tree(with, text, len, true), read_tree(without, text, len, false));
	tap_ok(t.same && t.alone && t.packed == t.opened && t.packed >= least, "%s: of %u packed, %u are opened as they were", name, t.packed, t.opened);
}

/* --- meaning ------------------------------------------------------------------------------- */

static char *meant(struct compilation *c, const char *text, size_t len, bool packs)
{
	c->sources.packs_from = packs;
	struct policy *p = front_read_text(c, "text.teg", text, len);

	return p ? front_print_resolved(p, c->arena) : arena_strdup(c->arena, c->diags.list.len ? c->diags.list.at[0]->text : "");
}

static bool remarks_agree(const struct compilation *x, const struct compilation *y)
{
	for (size_t i = 0; i < x->remarks.len && i < y->remarks.len; i++)
		if (memcmp(&x->remarks.at[i], &y->remarks.at[i], sizeof *x->remarks.at))
			return false;
	return x->remarks.len == y->remarks.len;
}

static bool means_same(const char *text, size_t len, size_t *remarks)
{
	own(compilation) struct compilation *with = compilation_new();
	own(compilation) struct compilation *without = compilation_new();
	const char *x = meant(with, text, len, true), *y = meant(without, text, len, false);

	*remarks = with->remarks.len;
	if (strcmp(x, y))
		tap_note("packed: %.300s\nnot packed: %.300s", x, y);
	return !strcmp(x, y) && remarks_agree(with, without);
}

int main(void)
{
	static const char *const files[] = { "policies/examples/edge.teg", "policies/examples/healing.teg", "policies/examples/whole.teg" };
	unsigned same = 0;
	size_t remarks;

	trees_are_same("all that rules say", hard, strlen(hard), 8);
	tap_ok(means_same(hard, strlen(hard), &remarks) && remarks == 2, "and it means the same, remarks too");
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		own(buf) struct buf text = { 0 };
		struct err why;

		if (file_read(&text, files[i], 1 << 20, &why))
			tap_note("%s", why.text);
		trees_are_same(files[i], text.at, text.len, 1);
	}
	for (uint64_t seed = 1; seed <= 200; seed++) {
		own(buf) struct buf text = { 0 };
		struct gen g = gen_new(seed);

		teg_gen(&g, &text);
		same += means_same(text.at, text.len, &remarks);
	}
	tap_num(same, 200, "generated policies mean the same");
	return tap_done();
}
