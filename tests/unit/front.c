/* The front end: what texts mean, and that a resolved policy and the one spelling mean the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler/front/front.h"
#include "compiler/report/diags.h"
#include "lang/base/file.h"
#include "lang/spell/print.h"
#include "lang/base/near.h"
#include "lang/syntax/parse.h"
#include "tests/lib/tap.h"
#include "tests/lib/teg_gen.h"

/* A claim is one line, whatever the text. */
static const char *one_line(struct compilation *c, const char *text)
{
	char *line = arena_strdup(c->arena, text);

	for (char *at = line; *at; at++)
		*at = *at == '\n' || *at == '#' ? ' ' : *at;
	return line;
}

/* The policy of a text, or NULL; what was wrong is printed as notes. */
static struct policy *read_text(struct compilation *c, const char *text)
{
	struct policy *p = front_read_text(c, "text.teg", text, strlen(text));

	for (size_t i = 0; i < c->diags.list.len; i++)
		tap_note("%s %s", diag_kinds[c->diags.list.at[i]->code].code, c->diags.list.at[i]->text);
	return p;
}

/* --- words and bytes ----------------------------------------------------------------------- */

static const struct {
	const char *word, *candidates[4], *best;
} nears[] = {
	{ "exetnds", { "except", "extends" }, "extends" },
	{ "form", { "from", "forward" }, "from" },
	{ "webb", { "web", "dns" }, "web" },
	{ "x", { "y" }, NULL },	    /* all of it would be wrong */
	{ "to", { "on", "by" }, NULL },
	{ "SSH", { "ssh" }, "ssh" },
	{ "completely", { "different" }, NULL },
	{ "", { "a" }, NULL },
};

static void words_are_near(void)
{
	for (size_t i = 0; i < ARRAY_LEN(nears); i++) {
		struct near n = near_to(nears[i].word);

		for (size_t j = 0; j < 4 && nears[i].candidates[j]; j++)
			near_try(&n, nears[i].candidates[j]);
		tap_text(n.best ? n.best : "-", nears[i].best ? nears[i].best : "-", nears[i].word);
	}
}

static const struct {
	const char *bytes;
	size_t len, sound;
} texts[] = {
	{ "abc", 3, 3 },
	{ "\xc3\xa9", 2, 2 },
	{ "a\xc3", 2, 1 },		/* cut off */
	{ "\xc0\xaf", 2, 0 },		/* overlong */
	{ "\xe0\x80\x80", 3, 0 },
	{ "\xed\xa0\x80", 3, 0 },	/* a surrogate */
	{ "\xf4\x8f\xbf\xbf", 4, 4 },	/* the last one */
	{ "\xf4\x90\x80\x80", 4, 0 },
	{ "\xf0\x8f\xbf\xbf", 4, 0 },
	{ "a\0b", 3, 1 },
	{ "", 0, 0 },
	{ "sixteen bytes of", 16, 16 },	/* which are looked at by eight */
	{ "\x01\x7f\x01\x7f\x01\x7f\x01\x7f", 8, 8 },
	{ "NUL is\0 among them", 18, 6 },
	{ "eight\0 \x80 and more", 18, 5 },
	{ "it is not the\x80 first", 20, 13 },
	{ "caf\xc3\xa9s and caf\xc3\xa9s again", 22, 22 },
};

static void utf8_is_told_from_others(void)
{
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		tap_ok(utf8_sound(texts[i].bytes, texts[i].len) == texts[i].sound, "UTF-8, row %zu", i);
}

/* --- values ----------------------------------------------------------------------------------- */

static const struct {
	const char *value, *set; /* as netset_print() has it; NULL: refused */
} nets[] = {
	{ "192.0.2.1", "[192.0.2.1]" },
	{ "[192.0.2.0/25, 192.0.2.128/25]", "[192.0.2.0/24]" },
	{ "[10.0.0.0/8] - 10.0.0.0/9", "[10.128.0.0/9]" },
	{ "any & 10.0.0.0/8", "[10.0.0.0/8]" },
	{ "10.0.0.0/8 + 2001:db8::/32 & any", "[10.0.0.0/8, 2001:db8::/32]" },
	{ "10.0.0.0/30 - (10.0.0.0/31 - 10.0.0.0)", "[10.0.0.0, 10.0.0.2/31]" },
	{ "10.0.0.0/30 - 10.0.0.0/31 - 10.0.0.2", "[10.0.0.3]" },
	{ "10.0.0.1..10.0.0.3", "[10.0.0.1, 10.0.0.2/31]" },
	{ "2001:db8::1..2001:db8::1", "[2001:db8::1]" },
	{ "[]", "[]" },
	{ "[10.0.0.1,]", "[10.0.0.1]" },
	{ "other", "[198.51.100.0/24]" },
	{ "[\n 10.0.0.1, # one\n 10.0.0.2 +\n 10.0.0.3\n]", "[10.0.0.1, 10.0.0.2/31]" },
	{ "self", NULL },
	{ "80", NULL },
	{ "\"eth0\"", NULL },
	{ "10s", NULL },
	{ "tcp/80", NULL },
	{ "10.0.0.9..10.0.0.1", NULL },
	{ "10.0.0.1..2001:db8::1", NULL },
	{ "x", NULL }, /* itself */
};

static void nets_are_computed(void)
{
	for (size_t i = 0; i < ARRAY_LEN(nets); i++) {
		own(compilation) struct compilation *c = compilation_new();
		own(buf) struct buf got = { 0 };
		const char *text = arena_printf(c->arena, "net x = %s\nnet other = 198.51.100.0/24\nposture P { default drop }\n",
						nets[i].value);
		const struct policy *p = read_text(c, text);

		if (p)
			netset_print(&got, &p->nets[0].set);
		tap_text(p ? buf_text(&got) : "refused", nets[i].set ? nets[i].set : "refused", one_line(c, nets[i].value));
	}
}

/* A selector, and what it asks, as the resolved policy writes it. */
static const struct {
	const char *selector, *resolved;
} selectors[] = {
	{ "tcp to self port 80", "tcp/[80] to self" },
	{ "tcp port 80 to self", "tcp/[80] to self" },
	{ "tcp from any port 53 to self port 1..9", "tcp/[1..9] from any port [53] to self" },
	{ "tcp port [80, 79, 81..90, 85]", "tcp/[79..90]" },
	{ "tcp port any - 22", "tcp/[0..21, 23..65535]" },
	{ "web", "[tcp/[80, 443], udp/[443]]" },
	{ "web - udp", "tcp/[80, 443]" },
	{ "web & tcp", "tcp/[80, 443]" },
	{ "web - tcp/80", "[tcp/[443], udp/[443]]" },
	{ "[web, tcp/8080, esp]", "[tcp/[80, 443, 8080], udp/[443], esp]" },
	{ "udp port web", "udp/[443]" },
	{ "ip", "ip" },
	{ "from 10.0.0.0/8", "ip from [10.0.0.0/8]" },
	{ "ipv6 to self", "ipv6 to self" },
	{ "icmp", "[icmpv4, icmpv6]" },
	{ "icmp echo", "[icmpv4/[8], icmpv6/[128]]" },
	{ "icmp [echo, port-unreachable]", "[icmpv4/[3/3, 8], icmpv6/[1/4, 128]]" },
	{ "icmpv4 13", "icmpv4/[13]" },
	{ "icmpv6 1/4", "icmpv6/[1/4]" },
	{ "icmpv6 133..136", "icmpv6/[133, 134, 135, 136]" },
	{ "protocol [47, 99]", "[gre, protocol/99]" },
	{ "gre", "gre" },
	{ "tcp flags syn/syn+ack", "tcp flags syn/syn+ack" },
	{ "tcp flags fin+syn", "tcp flags fin+syn/fin+syn" },
	{ "tcp flags none/all", "tcp flags none/fin+syn+rst+psh+ack+urg+ece+cwr" },
	{ "tcp from lan to self", "tcp to self on [lan]" },
	{ "tcp on [wan, lan]", "tcp on [wan, lan]" },
	{ "tcp to self + 10.0.0.1", "tcp to self + [10.0.0.1]" },
	{ "tcp from office", "tcp from office" },
	{ "tcp from office + 10.0.0.1", "tcp from [10.0.0.1, 198.51.100.0/24]" },
	{ "tcp to 10.0.0.1\n        port 80", NULL }, /* a line ends a rule */
	{ "tcp to (10.0.0.1\n        + 10.0.0.2) port 80", "tcp/[80] to [10.0.0.1, 10.0.0.2]" },
	{ "tcp port esp", NULL },
	{ "[ip, tcp] port 80", NULL },
	{ "web port 8080", NULL },
	{ "web flags syn", NULL },
	{ "tcp from office - office", NULL },
	{ "tcp to lan", NULL },
	{ "tcp from wan on lan", NULL },
	{ "icmpv4 from 2001:db8::/32", NULL },
};

static void selectors_ask(void)
{
	for (size_t i = 0; i < ARRAY_LEN(selectors); i++) {
		own(compilation) struct compilation *c = compilation_new();
		const char *text = arena_printf(c->arena,
						"zone wan = \"eth0\"\nzone lan = \"eth1\"\nnet office = 198.51.100.0/24\n"
						"service web = [tcp/80, tcp/443, udp/443]\n"
						"posture P {\n default drop\n r: allow %s\n}\n", selectors[i].selector);
		const struct policy *p = read_text(c, text);
		const char *resolved = p ? strstr(front_print_resolved(p, c->arena), "r: allow in ") : NULL;
		const char *got = resolved ? arena_strndup(c->arena, resolved + 12, strcspn(resolved + 12, "\n")) : "refused";

		tap_text(got, selectors[i].resolved ? selectors[i].resolved : "refused",
			 one_line(c, selectors[i].selector));
	}
}

static const struct {
	const char *when;
	uint64_t count, window_ns; /* 0: refused */
} rates[] = {
	{ "rate per source > 1000 per 100ms", 1000, 100000000 },
	{ "rate per source > 2k per 1.5s", 2000, 1500000000 },
	{ "rate per source/24 > 50/s", 50, 1000000000 },
	{ "rate per source > 10/min", 10, 60000000000 },
	{ "rate per source > 1 per 1w", 1, 604800000000000 },
	{ "rate per source > 1.5k per 1s", 1500, 1000000000 },
	{ "rate per source > 0 per 1s", 0, 0 },
	{ "rate per source > 1 per 0s", 0, 0 },
	{ "rate per source > 1.0005k per 1s", 0, 0 },
	{ "rate per source > 10 per 10", 0, 0 },
	{ "rate per source > 10MB per 1s", 10000000, 1000000000 },
	{ "rate per source > 500mbit", 62500000, 1000000000 },
	{ "rate per source > 7bit", 0, 0 },
	{ "rate per source > 13GB per 1s", 0, 0 },
	{ "rate per nobody > 1 per 1s", 0, 0 },
	{ "rate per source > 10", 0, 0 },
	{ "rate per source > 99999999999999999999 per 1s", 0, 0 },
	{ "rate per source > 1 per 9999999w", 0, 0 },
	{ "rate per source > 1 per 30d", 0, 0 }, /* nft would count 1 a week */
	{ "rate per source > 3 per 2w", 0, 0 },
	{ "rate per source > 20 per 30d", 20, 2592000000000000 }, /* 5 a week */
	{ "rate per source > 4294967295 per 365d", 4294967295, 31536000000000000 },
	{ "rate per source/33 > 1 per 1s", 0, 0 },
	{ "rate per source/24/48 > 50/s", 50, 1000000000 },
	{ "rate per source/24/129 > 1 per 1s", 0, 0 },
	{ "rate per source/24/0 > 1 per 1s", 0, 0 },
	{ "rate per source/24/48/56 > 1 per 1s", 0, 0 },
};

static void rates_have_units(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
		own(compilation) struct compilation *c = compilation_new();
		const char *text = arena_printf(c->arena, "reflex f {\n match tcp\n when %s\n do drop source for 2h\n}\n"
						"posture P { default drop }\n", rates[i].when);
		const struct policy *p = read_text(c, text);

		tap_ok(rates[i].count ? p && p->reflexes[0].rate.count == rates[i].count &&
						p->reflexes[0].rate.window_ns == rates[i].window_ns &&
						p->reflexes[0].block_ns == 7200000000000 :
					!p, "%s", rates[i].when);
	}
}

static void rates_have_prefixes(void)
{
	static const struct { const char *per; uint8_t bits[FAMILY_COUNT]; } rows[] = {
		{ "source", { 32, 64 } },	  { "source/24", { 24, 64 } },	      { "source/24/48", { 24, 48 } },
		{ "destination", { 32, 64 } },	  { "destination/31", { 31, 64 } },   { "destination/1/127", { 1, 127 } },
		{ "source/32/128", { 32, 128 } },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		own(compilation) struct compilation *c = compilation_new();
		const struct policy *p = read_text(c, arena_printf(c->arena, "reflex f {\n match tcp\n when rate per %s > 9/s\n do drop\n}\n"
								   "posture P { default drop }\n", rows[i].per));

		tap_ok(p && !memcmp(p->reflexes[0].rate.key_bits, rows[i].bits, sizeof rows[i].bits), "per %s", rows[i].per);
	}
}

static void blocks_end(void)
{
	static const struct { const char *time; bool right; } rows[] = { { "1ns", true }, { "365d", true }, { "366d", false }, { "5000w", false } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		own(compilation) struct compilation *c = compilation_new();
		const struct policy *p = read_text(c, arena_printf(c->arena, "reflex f {\n match tcp\n do drop source for %s\n}\n"
								   "posture P { default drop }\n", rows[i].time));

		tap_ok(!!p == rows[i].right, "drop source for %s %s", rows[i].time, rows[i].right ? "is taken" : "is refused");
	}
}

/* The kernel multiplies a burst by what a packet takes, in 64 bits: nft_limit_init(). */
static void bursts_come_again(void)
{
	static const struct { const char *limit; bool right; } rows[] = {
		{ "5/s burst 4294967295", true },    { "1 per 1h burst 876000", true }, { "1 per 1h burst 876001", false },
		{ "1 per 1w burst 5214", true },     { "1 per 1w burst 5215", false },	{ "1 per 1w burst 4294967295", false },
		{ "1 per 1m burst 4294967295", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		own(compilation) struct compilation *c = compilation_new();
		const struct policy *p = read_text(c, arena_printf(c->arena, "limit l = %s\nposture P {\n default drop\n allow tcp limit l\n}\n",
								   rows[i].limit));

		tap_ok(!!p == rows[i].right, "limit %s %s", rows[i].limit, rows[i].right ? "is taken" : "is refused");
	}
}

/* What counts all together does so in one rule of a posture, or in one reflex. */
static void limits_are_shared(void)
{
	static const struct { const char *limit, *reflexes, *rules; bool right; } rows[] = {
		{ "9/s per source", "ab", "", true }, { "9/s per source", "", "ab", true },  { "9/s per source", "a", "b", false },
		{ "9/s", "a", "", true },	      { "9/s", "ab", "", false },	     { "9/s", "", "a", true },
		{ "9/s", "", "ab", false },	      { "9/s", "a", "b", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		own(compilation) struct compilation *c = compilation_new();
		own(buf) struct buf text = { 0 };

		buf_printf(&text, "limit l = %s\n", rows[i].limit);
		for (const char *name = rows[i].reflexes; *name; name++)
			buf_printf(&text, "reflex %c {\n match udp\n when exceeds l\n do drop\n}\n", *name);
		buf_puts(&text, "posture P {\n default drop\n");
		for (const char *name = rows[i].rules; *name; name++)
			buf_printf(&text, " %c: allow tcp port %d limit l\n", *name, *name);
		buf_puts(&text, "}\n");
		tap_ok(!!read_text(c, buf_text(&text)) == rows[i].right, "limit %s of reflexes \"%s\" and rules \"%s\" %s", rows[i].limit,
		       rows[i].reflexes, rows[i].rules, rows[i].right ? "is taken" : "is refused");
	}
}

/* Only the first packet of a TCP connection to this host, over a rate, is answered. */
static void cookies_are_for_listeners(void)
{
	static const struct { const char *match, *rest; bool right; } rows[] = {
		{ "tcp flags syn/syn+ack to self port 443", "when rate > 9/s\n do cookies", true },
		{ "tcp flags syn/syn+ack to self", "when rate per destination > 9/s\n do cookies, emit high sample 1/9", true },
		{ "tcp flags syn/syn+ack+fin+rst to self", "when rate > 9/s\n do cookies", true },
		{ "tcp flags syn to self", "when rate > 9/s\n do cookies", false },
		{ "tcp flags syn+ack/syn+ack to self", "when rate > 9/s\n do cookies", false },
		{ "tcp to self", "when rate > 9/s\n do cookies", false },
		{ "[tcp/80, udp/80] to self", "when rate > 9/s\n do cookies", false },
		{ "tcp flags syn/syn+ack port 443", "when rate > 9/s\n do cookies", false },
		{ "tcp flags syn/syn+ack to 192.0.2.1", "when rate > 9/s\n do cookies", true },
		{ "tcp flags syn/syn+ack to self + 192.0.2.1", "when rate > 9/s\n do cookies", false },
		{ "tcp flags syn/syn+ack to self payload /x/", "when rate > 9/s\n do cookies", false },
		{ "tcp flags syn/syn+ack to self", "do cookies", false },
		{ "tcp flags syn/syn+ack to self", "when rate > 9/s\n do cookies, drop", false },
		{ "tcp flags syn/syn+ack to self", "when rate > 9/s\n do cookies 9", false },
		{ "tcp flags syn/syn+ack to self", "when rate > 9/s\n do crumbs", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		own(compilation) struct compilation *c = compilation_new();
		const struct policy *p = read_text(c, arena_printf(c->arena, "reflex f {\n match %s\n %s\n}\n"
								   "posture P { default drop }\n", rows[i].match, rows[i].rest));

		tap_ok(rows[i].right ? p && p->reflexes[0].cookies && !p->reflexes[0].only_tells : !p, "%s %s %s",
		       rows[i].match, rows[i].rest + strcspn(rows[i].rest, "d"), rows[i].right ? "is taken" : "is refused");
	}
}

/* --- postures ----------------------------------------------------------------------------------- */

static void postures_inherit(void)
{
	own(compilation) struct compilation *c = compilation_new();
	const struct policy *p = read_text(c,
		"posture C extends B {\n established cut\n default allow\n z: reject icmp\n}\n"
		"posture A {\n default drop\n web: allow tcp port 80\n allow out udp\n dns: allow udp port 53\n}\n"
		"posture B extends A {\n default out allow\n web: drop tcp port 80 on wan\n new: allow sctp\n}\n"
		"zone wan = \"eth0\"\ninitial posture B\n");

	tap_ok(p != NULL, "postures may stand in any order");
	if (!p)
		return;
	const struct pol_posture *third = &p->postures[0], *a = &p->postures[1], *b = &p->postures[2];
	tap_num(p->initial, 2, "the initial posture");
	tap_num(b->rule_count, 4, "inherited rules and one more");
	tap_text(b->rules[0].id, "B.web", "an inherited label has the inheriting posture's id");
	tap_num(b->rules[0].verdict, VERDICT_DROP, "and is replaced in place");
	tap_text(b->rules[1].label, a->rules[1].label, "a rule without label keeps its name");
	tap_ok(b->rules[1].label[0] == '~' && strlen(b->rules[1].label) == 9 && !b->rules[1].labelled, "which is of its text");
	tap_num(b->defaults[DIRECTION_IN], VERDICT_DROP, "a default is inherited");
	tap_num(b->defaults[DIRECTION_OUT], VERDICT_ALLOW, "but for the direction that says otherwise");
	tap_num(third->defaults[DIRECTION_OUT], VERDICT_ALLOW, "a general default speaks for every direction");
	tap_num(third->defaults[DIRECTION_FORWARD], VERDICT_ALLOW, "also where one was inherited");
	tap_num(third->established, ESTABLISHED_CUT, "established cut");
	tap_num(b->established, ESTABLISHED_KEEP, "keep unless said");
	tap_num(third->rule_count, 5, "inheritance goes on");
}

/* The name of a rule without label is that of its meaning, not of its spelling or place. */
static void anonymous_ids_are_stable(void)
{
	static const char *const same[] = {
		"allow tcp to self port 80", "allow   in tcp  port 80 to self", "allow tcp from any to self port [80]",
		"allow tcp to self port 080",
	};
	static const char *const others[] = { "allow tcp to self port 81", "drop tcp to self port 80",
					      "allow out tcp to self port 80", "allow udp to self port 80",
					      "allow tcp to self port 80 on wan", "allow tcp to self", "allow tcp port 80" };
	const char *first = NULL;
	own(compilation) struct compilation *keep = compilation_new();

	for (size_t i = 0; i < ARRAY_LEN(same) + ARRAY_LEN(others); i++) {
		const char *rule = i < ARRAY_LEN(same) ? same[i] : others[i - ARRAY_LEN(same)];
		own(compilation) struct compilation *c = compilation_new();
		const struct policy *p = read_text(c, arena_printf(c->arena, "zone wan = \"eth0\"\nposture P {\n"
							"%s default drop\n %s\n}\n", i % 2 ? "x: drop esp\n" : "", rule));
		const char *label = p ? p->postures[0].rules[p->postures[0].rule_count - 1].label : "none";

		if (!first)
			first = arena_strdup(keep->arena, label);
		tap_ok(!strcmp(first, label) == (i < ARRAY_LEN(same)), "%s: %s", rule, label);
	}
}

/* --- printing and reading again ------------------------------------------------------------------- */

static char *formatted(struct compilation *c, const char *text)
{
	uint32_t file = source_add(&c->sources, "text", text, strlen(text));
	own(buf) struct buf out = { 0 };
	struct ast ast;

	parse_file(&ast, c->arena, &c->sources, file, &c->diags);
	if (!ast.sound)
		return NULL;
	print_file(&out, &ast, &c->sources, file);
	return arena_strdup(c->arena, buf_text(&out));
}

/* The text with comments in places of all kinds, each once, and a different layout. */
static char *disturbed(struct gen *g, struct compilation *c, const char *text, unsigned *comments)
{
	own(buf) struct buf out = { 0 };
	bool string = false;

	*comments = 0;
	for (const char *at = text; *at; at++) {
		string ^= *at == '"';
		if (*at == ' ' && !string && gen_chance(g, 20))
			buf_puts(&out, gen_chance(g, 50) ? "\t" : "   ");
		if ((*at == '[' || *at == ',') && !string && gen_chance(g, 10)) {
			buf_printf(&out, "%c%s # c%u\n", *at, gen_chance(g, 50) ? "\n" : "", (*comments)++);
			continue;
		}
		if (*at == '\n' && gen_chance(g, 20))
			buf_printf(&out, " # c%u", (*comments)++);
		buf_putc(&out, *at);
		if (*at == '\n' && gen_chance(g, 15))
			buf_printf(&out, "%s  # c%u\n%s", gen_chance(g, 50) ? "\n\n" : "", (*comments)++, gen_chance(g, 50) ? "\n" : "");
	}
	return arena_strdup(c->arena, buf_text(&out));
}

/* Each once. Not always in order: where clauses change places, comments inside them do. */
static bool comments_stand(const char *text, unsigned comments)
{
	for (unsigned i = 0; i < comments; i++) {
		char mark[16];

		snprintf(mark, sizeof mark, "# c%u\n", i);
		const char *at = strstr(text, mark);
		if (!at || strstr(at + 1, mark))
			return false;
	}
	return true;
}

/* Of one generated policy: does each form of it mean the same? The first claim that fails. */
static const char *form_that_differs(struct gen *g, struct compilation *c, const char *text)
{
	const struct policy *p = read_text(c, text), *q;
	const char *resolved, *again, *pretty;
	unsigned comments;

	if (!p)
		return "the policy is not read";
	resolved = front_print_resolved(p, c->arena);
	q = read_text(c, resolved);
	if (!q)
		return "the resolved policy is not read";
	again = front_print_resolved(q, c->arena);
	if (strcmp(resolved, again))
		return "the resolved policy of the resolved policy is another";
	for (size_t i = 0; i < p->posture_count; i++)
		for (size_t j = 0; j < p->postures[i].rule_count; j++)
			if (strcmp(p->postures[i].rules[j].label, q->postures[i].rules[j].label))
				return "a rule has another name";
	pretty = formatted(c, disturbed(g, c, text, &comments));
	if (!pretty)
		return "the disturbed text is not read";
	if (!comments_stand(pretty, comments))
		return "a comment is lost";
	again = formatted(c, pretty);
	if (!again || strcmp(pretty, again))
		return "the one spelling is respelled";
	q = read_text(c, pretty);
	if (!q || strcmp(front_print_resolved(q, c->arena), resolved))
		return "the one spelling means something else";
	return NULL;
}

static void forms_mean_the_same(void)
{
	const unsigned rounds = 500;
	unsigned good = 0;

	for (unsigned seed = 1; seed <= rounds; seed++) {
		own(compilation) struct compilation *c = compilation_new();
		own(buf) struct buf text = { 0 };
		struct gen g = gen_new(seed);

		teg_gen(&g, &text);
		const char *differs = form_that_differs(&g, c, buf_text(&text));
		if (differs)
			tap_note("seed %u: %s", seed, differs);
		if (differs && getenv("TEG_SHOW"))
			puts(buf_text(&text));
		good += !differs;
	}
	tap_num(good, rounds, "generated policies: resolved, disturbed and respelled they mean the same");
}

static void shipped_files_are_spelled_so(void)
{
	static const char *const paths[] = { "policies/std/services.teg", "policies/std/bogons.teg",
					     "policies/examples/edge.teg" };

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		own(compilation) struct compilation *c = compilation_new();
		own(buf) struct buf text = { 0 };
		struct err why = { 0 };

		tap_ok(!file_read(&text, paths[i], SOURCE_BYTES_MAX, &why), "%s is there", paths[i]);
		const char *pretty = formatted(c, buf_text(&text));
		tap_text(pretty ? pretty : "wrong", buf_text(&text), paths[i]);
	}
}

/* A long text that was laid aside is what was read, whatever became of the file; nothing is left beside it. */
static void texts_are_laid_aside(void)
{
	own(compilation) struct compilation *c = compilation_new();
	own(buf) struct buf text = { 0 };
	char dir[] = "/tmp/teg-front-XXXXXX", path[64];
	struct piece whole = { 0 };
	struct err why = { .text = "" };
	size_t len = 0;

	buf_puts(&text, "posture P {\n    default drop\n");
	for (unsigned i = 0; i < 30000; i++)
		buf_printf(&text, "    r%u: allow in tcp from 10.%u.%u.0/24 port 22\n", i, i >> 8, i & 255);
	buf_puts(&text, "}\n");
	whole = (struct piece){ .at = text.at, .len = text.len };
	if (!mkdtemp(dir))
		abort();
	snprintf(path, sizeof path, "%s/long.teg", dir);
	tap_ok(!file_save_pieces(path, &(struct pieces){ &whole, 1 }, 0600, &why) && front_read(c, path), "a policy of %zu bytes is read: %s",
	       text.len, why.text);
	compilation_lay_texts_aside(c, path);
	tap_ok(c->sources.list.at[0].mapped && !c->texts, "its text is laid aside");
	tap_ok(!truncate(path, 0) && !memcmp(c->sources.list.at[0].text, text.at, text.len + 1), "and is what was read when the file is empty");
	const char *line = source_line(&c->sources, 0, 30002, &len);
	tap_ok(len > 30 && !memcmp(line, "    r29999: allow", 17), "its lines are found");
	tap_ok(!unlink(path) && !rmdir(dir), "nothing is left beside it");
}

int main(void)
{
	texts_are_laid_aside();
	words_are_near();
	utf8_is_told_from_others();
	nets_are_computed();
	selectors_ask();
	rates_have_units();
	rates_have_prefixes();
	bursts_come_again();
	limits_are_shared();
	blocks_end();
	cookies_are_for_listeners();
	postures_inherit();
	anonymous_ids_are_stable();
	forms_mean_the_same();
	shipped_files_are_spelled_so();
	return tap_done();
}
