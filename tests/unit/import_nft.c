/*
 * Imported rulesets of nftables: rules one by one, what is refused, and random rulesets
 * against a plain interpreter of what was imported.
 */
#include <stdlib.h>
#include <string.h>

#include "compiler/front/front.h"
#include "compiler/import/import.h"
#include "compiler/ir/eval.h"
#include "compiler/ir/proto.h"
#include "lang/base/file.h"
#include "tests/lib/tap.h"

static int read_nft(struct import *m, const char *text, struct err *why)
{
	return import_nft(m, &(struct import_text){ "rules", text, strlen(text) }, why);
}

/* --- one rule ---------------------------------------------------------------------------------------- */

#define ALL_OF "input_5: allow  "

static const struct {
	const char *rule, *said; /* a part of the policy; NULL: no allow at all */
	size_t left_out, widened;
} rows[] = {
	{ "tcp dport 22 accept", ALL_OF "tcp port 22\n", 0, 0 },
	{ "tcp dport { 80, 443, 8000-8010 } accept", ALL_OF "tcp port [80, 443, 8000..8010]\n", 0, 0 },
	{ "tcp dport != 22 accept", ALL_OF "tcp port [0..21, 23..65535]\n", 0, 0 },
	{ "tcp dport >= 1024 accept", ALL_OF "tcp port 1024..65535\n", 0, 0 },
	{ "udp sport domain udp dport 1024-65535 accept", ALL_OF "udp from any port 53 to any port 1024..65535\n", 0, 0 },
	{ "ip saddr 192.0.2.0/24 accept", ALL_OF "ip from 192.0.2.0/24\n", 0, 0 },
	{ "ip saddr != 192.0.2.0/24 accept", ALL_OF "ip from 0.0.0.0/0 - 192.0.2.0/24\n", 0, 0 },
	{ "ip6 daddr { 2001:db8::1, 2001:db8:1::/48 } accept", ALL_OF "ip to [2001:db8::1, 2001:db8:1::/48]\n", 0, 0 },
	{ "ip saddr 192.0.2.4-192.0.2.7 accept", ALL_OF "ip from 192.0.2.4/30\n", 0, 0 },
	{ "meta nfproto ipv4 accept", ALL_OF "ipv4\n", 0, 0 },
	{ "meta nfproto ipv6 tcp dport 22 accept", ALL_OF "tcp from ::/0 to any port 22\n", 0, 0 },
	{ "meta l4proto { tcp, udp } th dport 53 accept", ALL_OF "tcp port 53\n" "input_5_2: allow  udp port 53\n", 0, 0 },
	{ "th dport 53 accept", ALL_OF "tcp port 53\n", 1, 0 },
	{ "icmp type echo-request accept", ALL_OF "icmpv4 echo\n", 0, 0 },
	{ "icmp type destination-unreachable icmp code frag-needed accept", ALL_OF "icmpv4 3/4\n", 0, 0 },
	{ "icmpv6 type { nd-neighbor-solicit, echo-request } accept", ALL_OF "icmpv6 [echo, neighbour-solicitation]\n", 0, 0 },
	{ "meta l4proto icmp accept", ALL_OF "icmpv4\n", 0, 0 },
	{ "tcp flags & (fin|syn|rst|ack) == syn accept", ALL_OF "tcp flags syn/fin+syn+rst+ack\n", 0, 0 },
	{ "tcp flags syn / fin,syn,rst,ack accept", ALL_OF "tcp flags syn/fin+syn+rst+ack\n", 0, 0 },
	{ "tcp flags syn accept", ALL_OF "tcp flags syn/syn\n", 0, 0 },
	{ "tcp flags == syn accept", NULL, 1, 0 },
	{ "iifname \"wan0\" accept", ALL_OF "ip on wan0\n", 0, 0 },
	{ "iifname { \"wan0\", \"tun*\" } accept", ALL_OF "ip on [wan0, tun]\n", 0, 0 },
	{ "iifname \"lo\" accept", NULL, 0, 0 },
	{ "iifname != \"lo\" tcp dport 1 accept", ALL_OF "tcp port 1\n", 0, 0 },
	{ "ct state new tcp dport 1 accept", ALL_OF "tcp port 1\n", 0, 0 },
	{ "ct state invalid,untracked accept", NULL, 0, 0 },
	{ "ct direction original tcp dport 1 accept", ALL_OF "tcp port 1\n", 0, 0 },
	{ "ct original ip daddr 192.0.2.1 accept", ALL_OF "ip to 192.0.2.1\n", 0, 0 },
	{ "ct status dnat accept", NULL, 0, 0 },
	{ "ip saddr @friends accept", ALL_OF "ip from friends\n", 0, 0 },
	{ "ip saddr @changing accept", NULL, 1, 0 },
	{ "ip saddr @ending accept", ALL_OF "ip from 192.0.2.1\n", 1, 0 },
	{ "ip saddr . tcp dport { 192.0.2.1 . 22, 192.0.2.0/29 . 80-90 } accept", ALL_OF "tcp from 192.0.2.1 to any port 22\n"
	  "input_5_2: allow  tcp from 192.0.2.0/29 to any port 80..90\n", 0, 0 },
	{ "ip saddr . tcp dport @pairs accept", ALL_OF "tcp from 192.0.2.9 to any port 25\n", 0, 0 },
	{ "tcp dport vmap { 22 : accept, 23 : drop, 25-30 : jump more }", ALL_OF "tcp port 22\n" "input_5_2: drop  tcp port 23\n"
	  "\n# chain more\nmore_20: allow  tcp from 192.0.2.77 to any port 25..30\n", 0, 0 },
	{ "tcp dport vmap { 22 : return, * : accept }", "input_5: drop  tcp port 22\ninput_5_2: allow  tcp port [0..21, 23..65535]\n", 0, 0 },
	{ "iifname . tcp dport vmap { \"wan0\" . 22 : accept }", ALL_OF "tcp port 22 on wan0\n", 0, 0 },
	{ "tcp dport 22 counter packets 0 bytes 0 accept comment \"log in\"", "log_in: allow  tcp port 22\n", 0, 0 },
	{ "tcp dport 22 log prefix \"ssh: \" level info accept", ALL_OF "tcp port 22 log \"ssh\"\n", 0, 0 },
	{ "tcp dport 22 log\n tcp dport 22 accept", "input_6: allow  tcp port 22 log\n", 0, 0 },
	{ "tcp dport 22 limit rate 10/minute accept", "limit limit_5 = 10/min burst 5\n", 1, 0 },
	{ "tcp dport 22 limit name \"slow\" accept", "limit limit_5 = 3/s burst 9\n", 1, 0 },
	{ "tcp dport 22 limit rate over 10/minute drop\n accept", "drop  tcp port 22\n", 0, 1 },
	{ "tcp dport 22 limit rate 1 mbytes/second accept", NULL, 1, 0 },
	{ "tcp dport 22 limit rate 10/week accept", NULL, 1, 0 },
	{ "tcp dport 22 limit rate 10/second burst 5 kbytes accept", NULL, 1, 0 },
	{ "ip saddr . meta mark { 192.0.2.1 . 3 } accept", NULL, 1, 0 },
	{ "tcp dport 22 limit rate over 5/second limit rate 10/second accept", NULL, 1, 0 },
	{ "tcp dport 22 limit rate 10/week limit rate 10/second accept", NULL, 1, 0 },
	{ "tcp dport 22 limit rate 10/second limit name \"slow\" accept", NULL, 1, 0 },
	{ "tcp dport 22 limit rate 10/second burst 5 packets limit rate 10/second burst 5 packets limit rate 10/second accept", NULL, 1, 0 },
	{ "limit rate 10/week log prefix \"seldom \"\n tcp dport 22 accept", "input_6: allow  tcp port 22\n", 0, 0 },
	{ "tcp dport 22 reject with tcp reset", "reject  tcp port 22\n", 0, 0 },
	{ "reject with icmp type port-unreachable", "reject  ipv4\n", 0, 0 },
	{ "meta mark 0x10 accept", NULL, 1, 0 },
	{ "meta mark & 0xff == 0x10 tcp dport 1 drop\n accept", "drop  tcp port 1\n", 0, 1 },
	{ "meta mark set ct mark and 0xff or 0x10 tcp dport 1 accept", ALL_OF "tcp port 1\n", 0, 0 },
	{ "meta mark set numgen inc mod 2 map { 0 : 1, 1 : 2 } tcp dport 1 accept", ALL_OF "tcp port 1\n", 0, 0 },
	{ "ct helper set \"ftp\" tcp dport 1 accept", ALL_OF "tcp port 1\n", 0, 0 },
	{ "notrack tcp dport 1 accept", ALL_OF "tcp port 1\n", 0, 0 },
	{ "notrack\n ct state new tcp dport 1 accept", NULL, 1, 0 },
	{ "tcp option maxseg size set rt mtu tcp dport 1 accept", ALL_OF "tcp port 1\n", 0, 0 },
	{ "synproxy mss 1460 wscale 7 tcp dport 1 accept\n accept", "drop  ip\n", 0, 1 },
	{ "quota over 25 mbytes used 0 bytes tcp dport 1 drop\n accept", "drop  tcp port 1\n", 0, 1 },
	{ "update @changing { ip saddr limit rate 3/minute } tcp dport 1 accept", NULL, 1, 0 },
	{ "ip saddr & 255.0.255.255 == 10.0.0.1 accept", NULL, 1, 0 },
	{ "fib saddr . iif oif missing tcp dport 9 drop\n accept", "drop  tcp port 9\n", 0, 1 },
	{ "ip6 nexthdr tcp accept", NULL, 1, 0 },
	{ "xt match \"owner\" tcp dport 1 accept", NULL, 1, 0 },
	{ "xt target \"NFQUEUE\"\n accept", "drop  ip\n", 0, 1 },
	{ "tcp dport 1 fwd to \"eth1\"\n accept", "drop  tcp port 1\n", 0, 1 },
	{ "flow add @f tcp dport 1 accept", ALL_OF "tcp port 1\n", 0, 0 },
	{ "dup to 192.0.2.3 device \"eth1\" tcp dport 1 accept", ALL_OF "tcp port 1\n", 0, 0 },
	{ "last used 5m tcp dport 1 accept", ALL_OF "tcp port 1\n", 0, 0 },
	{ "@th,16,16 22 accept", NULL, 1, 0 },
	{ "udplite sport 9 drop\n accept", "drop  udplite\n", 0, 1 },
	{ "ip6 hoplimit 9 drop\n accept", "drop  ipv6\n", 0, 1 },
	{ "ct original ip saddr 192.0.2.1 accept", ALL_OF "ip from 192.0.2.1\n", 0, 0 },
	{ "fib daddr type local tcp dport 1 accept", ALL_OF "tcp to self port 1\n", 0, 0 },
	{ "fib daddr type multicast udp dport 1 accept", ALL_OF "udp to [224.0.0.0/4, ff00::/8] port 1\n", 0, 0 },
	{ "fib daddr type broadcast udp dport 1 accept", NULL, 1, 0 },
	{ "fib daddr type { local, multicast } tcp dport 1 accept", ALL_OF "tcp to [224.0.0.0/4, ff00::/8] port 1\ninput_5_2: allow  tcp to self port 1\n", 0, 0 },
	{ "fib daddr type != multicast tcp dport 1 accept", ALL_OF "tcp to any - [224.0.0.0/4, ff00::/8] port 1\n", 0, 0 },
	{ "fib daddr type unicast drop", NULL, 0, 0 },
	{ "fib daddr type broadcast udp dport 9 drop\n accept", "drop  udp to any - [224.0.0.0/4, ff00::/8] port 9\n", 0, 1 },
	{ "tcp dport 22 queue num 1-3 bypass\n accept", "drop  tcp port 22\n", 0, 1 },
	{ "goto more", "more_20: allow  ip from 192.0.2.77\n", 0, 0 },
};

#define INPUT "chain i { type filter hook input priority 0; policy drop; "

static void put_one(struct buf *text, const char *rule)
{
	buf_printf(text, "table inet filter {\n\tchain input { type filter hook input priority filter; policy drop;\n"
			 "\t\tiif \"lo\" accept\n\t\tct state established,related accept\n\t\t%s\n\t}\n", rule);
	for (size_t lines = 6 + (strchr(rule, '\n') != NULL); lines < 18; lines++)
		buf_puts(text, "\n");
	buf_puts(text, "\tchain more {\n\t\tip saddr 192.0.2.77 accept\n\t}\n"
		       "\tset friends { type ipv4_addr; flags interval; elements = { 192.0.2.8,\n 192.0.2.16/28 } }\n"
		       "\tset changing { type ipv4_addr; flags dynamic; elements = { 192.0.2.1 } }\n"
		       "\tset ending { type ipv4_addr; elements = { 192.0.2.1, 192.0.2.2 timeout 5m expires 3m } }\n"
		       "\tset pairs { typeof ip saddr . tcp dport; elements = { 192.0.2.9 . 25 counter packets 0 bytes 0 } }\n"
		       "\tlimit slow {\n\t\tcomment \"x\"\n\t\trate 3/second burst 9 packets\n\t}\n}\n");
}

static void single_rules(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		own(import) struct import *m = import_new();
		own(buf) struct buf text = { 0 }, teg = { 0 };
		struct err why = { 0 };
		int rc;

		put_one(&text, rows[i].rule);
		rc = read_nft(m, buf_text(&text), &why);
		rc = rc ? rc : import_flatten(m, &why);
		if (!rc)
			import_write(m, &teg, "one", "one");
		const char *in = strstr(buf_text(&teg), "# chain input"), *end = in ? strstr(in, "default in") : NULL;
		const char *allow = in ? strstr(in, ": allow") : NULL;
		bool said = rows[i].said ? strstr(buf_text(&teg), rows[i].said) != NULL : !allow || allow > end;
		if (!tap_ok(!rc && said && import_notes(m, NOTE_LEFT_OUT) == rows[i].left_out &&
				    import_notes(m, NOTE_WIDENED) == rows[i].widened && !import_notes(m, NOTE_ADMITS),
			    "%.*s", (int)strcspn(rows[i].rule, "\n"), rows[i].rule))
			tap_note("left out %zu, widened %zu: %s\n%s", import_notes(m, NOTE_LEFT_OUT), import_notes(m, NOTE_WIDENED), why.text, buf_text(&teg));
	}
}

/* A set that joins fields is read up to so many elements; one with more is not known, and nothing of it is admitted. */
static void long_joined_sets(void)
{
	for (unsigned count = 512; count <= 513; count++) {
		own(import) struct import *m = import_new();
		own(buf) struct buf text = { 0 }, teg = { 0 };
		struct err why = { 0 };

		buf_puts(&text, "table inet t {\n" INPUT "\n ip saddr . tcp dport { ");
		for (unsigned i = 0; i < count; i++)
			buf_printf(&text, "%s192.0.2.%u . %u", i ? ", " : "", 1 + i % 250, 1000 + 2 * i);
		buf_puts(&text, " } accept; } }");
		int rc = read_nft(m, buf_text(&text), &why);

		rc = rc ? rc : import_flatten(m, &why);
		if (!rc)
			import_write(m, &teg, "one", "one");
		const char *in = strstr(buf_text(&teg), "# chain i");
		tap_ok(!rc && import_notes(m, NOTE_LEFT_OUT) == (count > 512) && (in && strstr(in, ": allow")) == (count <= 512),
		       "%u joined elements %s", count, why.text);
	}
}

/* --- whole rulesets -------------------------------------------------------------------------------------- */


static const struct {
	const char *claim, *text, *says; /* of the mistake, or NULL */
	const char *said;		 /* in the policy */
	size_t admits;
} wholes[] = {
	{ "nothing", "", "no chain of type filter", NULL, 0 },
	{ "a word that has no meaning", "table t {\n\tchain c {\n\t\tfoo bar\n\t}\n}\n", "line 3, column 3: this is not known here: foo", NULL, 0 },
	{ "a match without a value", "table t {\n" INPUT "tcp dport; } }", "line 2, column 68: a value is due: the end", NULL, 0 },
	{ "a block without end", "table t {\n chain c {", "line 2, column 11: } is due", NULL, 0 },
	{ "a string without end", "table t {\n chain \"c\n }", "line 2, column 8: a string does not end", NULL, 0 },
	{ "a set that is not there", "table t { " INPUT "ip saddr @x accept; } }", "there is no such set", NULL, 0 },
	{ "a chain that is not there", "table t { " INPUT "jump x; } }", "there is no such chain", NULL, 0 },
	{ "a chain into itself", "table t { chain a { jump a; }\n " INPUT "jump a; } }", "chain a leads into itself", NULL, 0 },
	{ "something behind a verdict", "table t { " INPUT "accept drop; } }", "nothing stands behind a verdict: drop", NULL, 0 },
	{ "a comment without words", "table t { " INPUT "tcp dport 9 comment; } }", "a comment is due", NULL, 0 },
	{ "a flow without a table", "table t { " INPUT "flow add @; } }", "a flowtable is due", NULL, 0 },
	{ "a copy to nowhere", "table t { " INPUT "dup 192.0.2.1; } }", "to is due", NULL, 0 },
	{ "an extension without a kind", "table t { " INPUT "xt \"owner\"; } }", "match or target is due", NULL, 0 },
	{ "a load that is cut short", "table t { " INPUT "@th,16; } }", "the rest of the expression is due", NULL, 0 },
	{ "a name that is defined no longer", "define p = 9\nundefine p\ntable t { " INPUT "tcp dport $p accept; } }", "nothing is defined by this name: p", NULL, 0 },
	{ "a definition that closes what is not open", "define p = }\n", "nothing is open", NULL, 0 },
	{ "a definition over several lines", "define p = {\n9,\n8\n}\ntable inet t { " INPUT "tcp dport $p accept; } }", NULL, "allow  tcp port 8..9\n", 0 },
	{ "a value that is not defined", "table t { " INPUT "tcp dport $p accept; } }", "nothing is defined by this name: p", NULL, 0 },
	{ "sets within sets, without end", "table t { " INPUT "ip saddr {{{{{{{{{{{{{{{{{{{{ 1.1.1.1 }}}}}}}}}}}}}}}}}}}} accept; } }",
	  "too many sets within sets", NULL, 0 },
	{ "values that are defined by themselves, over and over",
	  "define a = { 1.1.1.1 }\ndefine b = { $a, $a, $a, $a, $a, $a, $a, $a, $a, $a, $a, $a, $a, $a, $a, $a }\n"
	  "define c = { $b, $b, $b, $b, $b, $b, $b, $b, $b, $b, $b, $b, $b, $b, $b, $b }\n"
	  "define d = { $c, $c, $c, $c, $c, $c, $c, $c, $c, $c, $c, $c, $c, $c, $c, $c }\n"
	  "define e = { $d, $d, $d, $d, $d, $d, $d, $d, $d, $d, $d, $d, $d, $d, $d, $d }\n"
	  "define f = { $e, $e, $e, $e, $e, $e, $e, $e, $e, $e, $e, $e, $e, $e, $e, $e }\n", "there is too much text", NULL, 0 },
	{ "values that are defined", "define p = { 22, 80 }\ntable t { define n = 192.0.2.0/28\n" INPUT "ip saddr $n tcp dport { $p, 443 } accept; } }", NULL,
	  "allow  tcp from 192.0.2.0/28 to any port [22, 80, 443]\n", 0 },
	{ "commands of a script", "add table ip t\nadd chain ip t c { type filter hook input priority 0; policy drop; }\n"
	  "add rule ip t c tcp dport 22 accept\ninsert rule ip t c tcp dport 22 drop\n", NULL, "drop  tcp port 22\nc_3: allow  tcp port 22\n", 0 },
	{ "a ruleset that is flushed", "table ip t { " INPUT "accept; } }\nflush ruleset\ntable ip t { " INPUT "tcp dport 9 accept; } }\n", NULL,
	  "allow  tcp port 9\n", 0 },
	{ "a table of one family drops the other", "table ip t { " INPUT "tcp dport 9 accept; } }", NULL, "ipv6_in: drop in ipv6\n", 0 },
	{ "where nothing judges, all passes", "table inet t { " INPUT "tcp dport 9 accept; } }", NULL, "default out allow\n", 0 },
	{ "each family by its table", "table ip t { " INPUT "tcp dport 9 accept; } }\ntable ip6 t { " INPUT "tcp dport 8 accept; } }", NULL,
	  "allow  tcp from 0.0.0.0/0 to any port 9\n\n# chain i\ni_2: allow  tcp from ::/0 to any port 8\n", 0 },
	{ "two chains, both must accept", "table inet t { chain a { type filter hook input priority -1; policy accept; ip saddr 192.0.2.1 drop; }\n"
	  INPUT "tcp dport 9 accept; } }", NULL, "# chain a\na_1: drop  ip from 192.0.2.1\n\n# chain i\ni_2: allow  tcp port 9\n", 0 },
	{ "an accept of the first chain is none of the second", "table inet t { chain a { type filter hook input priority -1; policy drop; tcp dport 9 accept; }\n"
	  INPUT "ip saddr 192.0.2.1 accept; } }", NULL, "# chain i\ni_2: allow  tcp from 192.0.2.1 to any port 9\n", 0 },
	{ "prerouting judges before input", "table inet t { chain p { type filter hook prerouting priority raw; ip saddr 192.0.2.1 drop; }\n"
	  INPUT "accept; } }", NULL, "# chain p\np_1: drop  ip from 192.0.2.1\n", 0 },
	{ "states are not known before they are tracked", "table inet t { chain p { type filter hook prerouting priority raw; ct state new tcp dport 1 drop; }\n"
	  INPUT "accept; } }", NULL, "p_1: drop  tcp port 1\n", 0 },
	{ "what drops on arrival", "table netdev t { chain p { type filter hook ingress device \"eth0\" priority 0; drop; } }\n"
	  "table inet u { " INPUT "accept; } }", NULL, "", 1 },
	{ "what drops before addresses are translated", "table ip n { chain d { type nat hook prerouting priority dstnat; tcp dport 80 dnat to 10.0.0.1; }\n"
	  "chain p { type filter hook prerouting priority raw; ip daddr 192.0.2.1 drop; }\n" INPUT "accept; } }", NULL, "", 1 },
	{ "what is included is not read", "include \"/etc/x\"\ntable ip t { " INPUT "accept; } }", "line 1, column 9: where included files are has to be said: /etc/x", NULL, 0 },
	{ "a dormant table judges nothing", "table inet d { flags dormant; chain c { type filter hook input priority 0; policy drop; } }\n"
	  "table inet t { " INPUT "tcp dport 9 accept; } }", NULL, "i_2: allow  tcp port 9\n", 0 },
};

static void whole_rulesets(void)
{
	for (size_t i = 0; i < ARRAY_LEN(wholes); i++) {
		own(import) struct import *m = import_new();
		own(buf) struct buf teg = { 0 };
		struct err why = { 0 };
		int rc = read_nft(m, wholes[i].text, &why);

		rc = rc ? rc : import_flatten(m, &why);
		if (!rc)
			import_write(m, &teg, "one", "one");
		bool right = wholes[i].says ? rc && strstr(why.text, wholes[i].says) :
					      !rc && strstr(buf_text(&teg), wholes[i].said) && import_notes(m, NOTE_ADMITS) == wholes[i].admits;
		if (!tap_ok(right, "%s", wholes[i].claim))
			tap_note("%d: %s\n%s", rc, why.text, buf_text(&teg));
	}
}

/* Elements that end are there perhaps only: dropped, not admitted. So many that what holds them grows where it is, and moves. */
static void many_that_end(void)
{
	own(import) struct import *m = import_new();
	own(buf) struct buf text = { 0 }, teg = { 0 };
	struct err why = { 0 };

	buf_puts(&text, "table inet t { set s { type ipv4_addr; elements = { 192.0.2.1");
	for (unsigned i = 0; i < 0x1000; i++)
		buf_printf(&text, ", 10.0.%u.%u timeout 5m, 10.1.%u.%u", i >> 8, i & 255, i >> 8, i & 255);
	buf_puts(&text, ", 192.0.2.3 } }\n" INPUT "ip saddr @s tcp dport 1 accept; ip saddr @s drop; udp dport 2 accept; } }");
	int rc = read_nft(m, buf_text(&text), &why);

	rc = rc ? rc : import_flatten(m, &why);
	if (!rc)
		import_write(m, &teg, "one", "one");
	if (!tap_ok(!rc && strstr(buf_text(&teg), "allow  tcp from [10.1.0.0/20, 192.0.2.1, 192.0.2.3] to any port 1\n") &&
			    strstr(buf_text(&teg), "drop  ip from [10.0.0.0/20, 10.1.0.0/20, 192.0.2.1, 192.0.2.3]\n"), "a set of thousands, half of which end"))
		tap_note("%s\n%s", why.text, buf_text(&teg));
}

int main(void)
{
	single_rules();
	long_joined_sets();
	whole_rulesets();
	many_that_end();
	return tap_done();
}
