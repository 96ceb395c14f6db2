/*
 * Rulesets that others wrote, from ../shared/data/rulesets, or the folder given.
 *
 * Every file of iptables/, nftables/ and fw4/ imports as a policy, or is refused by its
 * line; how many are whole is printed, of each kind. Of those in verified-closures/ a verified translator has
 * said what FORWARD at most and at least accepts of packets that begin a flow,
 * whatever the interfaces and the matches it does not know: lower <= ours <= upper.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/front/front.h"
#include "compiler/import/import.h"
#include "compiler/import/words.h"
#include "compiler/ir/eval.h"
#include "compiler/ir/proto.h"
#include "lang/base/file.h"
#include "tests/lib/tap.h"

#define ABSENT "../shared/data/rulesets is not here"
#define PACKETS 20000

static const char *folder = "../shared/data/rulesets";

static uint64_t seed = 7;

static unsigned below(size_t n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)((seed >> 33) % n);
}

static struct ir *policy_of(struct compilation *c, struct import *m)
{
	own(buf) struct buf teg = { 0 };
	struct policy *p;

	import_write(m, &teg, "corpus", "corpus");
	p = front_read_text(c, "corpus.teg", arena_strdup(c->arena, buf_text(&teg)), teg.len);
	return p ? ir_lower(p, c->arena) : NULL;
}

/* What fw4 includes is not at hand: of patterns nothing is there, files that are named are missing. */
static int no_files(struct import *m, const char *pattern, struct import_texts *out, struct err *why)
{
	(void)m;
	(void)out;
	return strpbrk(pattern, "*?[") ? 0 : err_set(why, ENOENT, "%s is not at hand", pattern);
}

/* The ruleset that a test of fw4 expects; the whole text elsewhere. */
static struct import_text rules_in(const char *path, char *text, size_t len)
{
	static const char begin[] = "-- Expect stdout --\n", end[] = "\n-- End --";
	char *from = strstr(path, "/fw4/") ? strstr(text, begin) : NULL, *to;

	if (!from)
		return (struct import_text){ path, text, len };
	from += strlen(begin);
	to = strstr(from, end);
	return (struct import_text){ path, from, to ? (size_t)(to - from) + 1 : strlen(from) };
}

static bool read_rules(struct import *m, const char *path, bool nft, struct err *why)
{
	own(buf) struct buf text = { 0 };
	struct import_text rules;
	int rc;

	if (file_read(&text, path, IMPORT_BYTES_MAX, why))
		return false;
	rules = rules_in(path, arena_strdup(m->arena, buf_text(&text)), text.len);
	m->include = no_files;
	rc = nft ? import_nft(m, &rules, why) : import_iptables(m, strstr(path, "ip6tables") ? FAMILY_IP6 : FAMILY_IP4, &rules, why);
	return !rc && !import_flatten(m, why);
}

/* --- every file -------------------------------------------------------------------------------------- */

static const struct kind {
	const char *name, *folder;
	bool nft;
} kinds[] = {
	{ "iptables-save", "iptables", false },
	{ "nftables", "nftables", true },
	{ "nftables, its own tests", "nftables/dumps", true },
	{ "fw4", "fw4", true },
};

struct counts {
	size_t whole, part, agreed, not, none, rules, left_out, widened;
};

/* It has no chain that judges, or is not to be read at all. */
static bool has_nothing(const struct err *why)
{
	return strstr(why->text, "no table filter") || strstr(why->text, "no chain of type filter");
}

static void import_file(const struct kind *k, const char *path, const char *name, struct counts *n)
{
	own(import) struct import *m = import_new();
	own(compilation) struct compilation *c = compilation_new();
	struct err why = { 0 };

	if (!read_rules(m, path, k->nft, &why)) {
		*(has_nothing(&why) ? &n->none : &n->not) += 1;
		tap_ok(has_nothing(&why) || strstr(why.text, "line "), "%s: not, %s", name, why.text);
		return;
	}
	bool written = policy_of(c, m) != NULL; /* which notes what cannot be said, too */
	size_t left_out = import_notes(m, NOTE_LEFT_OUT), widened = import_notes(m, NOTE_WIDENED);

	if (import_notes(m, NOTE_ADMITS) + import_notes(m, NOTE_ANSWERS))
		n->agreed++;
	else if (left_out + widened)
		n->part++;
	else
		n->whole++;
	n->rules += m->rule_count;
	n->left_out += left_out;
	n->widened += widened;
	tap_ok(written, "%s: a policy of %zu rules; %zu left out, %zu widened, %zu would admit more", name, m->rule_count, left_out, widened,
	       import_notes(m, NOTE_ADMITS));
}

static void every_file(const struct kind *k)
{
	char path[1024];
	struct counts n = { 0 };
	struct dirent **names;

	snprintf(path, sizeof path, "%s/%s", folder, k->folder);
	int count = scandir(path, &names, NULL, alphasort);

	if (count < 0) {
		tap_skip(ABSENT, k->name);
		return;
	}
	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof path, "%s/%s/%s", folder, k->folder, names[i]->d_name);
		if (names[i]->d_type == DT_REG && strcmp(names[i]->d_name, "config__firewall"))
			import_file(k, path, names[i]->d_name, &n);
		free(names[i]);
	}
	free(names);
	tap_note("%s: %zu whole, %zu in part, %zu only when it is agreed that more is admitted, %zu not, %zu with nothing to import; of %zu rules %zu left out, %zu widened",
		 k->name, n.whole, n.part, n.agreed, n.not, n.none, n.rules, n.left_out, n.widened);
}

/* --- verified bounds ------------------------------------------------------------------------------------ */

struct bound_rule {
	bool accepts;
	int proto; /* -1: every one */
	struct addr_range src, dst;
	unsigned slo, shi, dlo, dhi;
};

struct bound {
	VEC(struct bound_rule) rules;
	bool accepts;
};

static struct addr_range net_of(const char *text)
{
	struct prefix p = { 0 };
	struct addr one;

	if (addr_parse(text, &one))
		return (struct addr_range){ one.num, one.num };
	if (prefix_parse(text, &p) != PREFIX_OK)
		tap_ok(false, "%s is an address of a bound", text);
	return prefix_range(p);
}

static void ports_of(const char *word, struct bound_rule *r)
{
	unsigned lo = 0, hi = 0;
	const char *at = strchr(word, ':');

	if (!at || (word[0] != 's' && word[0] != 'd'))
		return;
	if (sscanf(at, ":%u:%u", &lo, &hi) == 1)
		hi = lo;
	*(word[0] == 's' ? &r->slo : &r->dlo) = lo;
	*(word[0] == 's' ? &r->shi : &r->dhi) = hi;
}

/* As `iptables -L -n` lists the chain FORWARD. */
static bool read_bound(struct arena *a, const char *path, struct bound *out)
{
	own(buf) struct buf text = { 0 };
	struct err why = { 0 };
	bool forward = false;
	struct words w;

	*out = (struct bound){ 0 };
	if (file_read(&text, path, IMPORT_BYTES_MAX, &why))
		return false;
	struct lines lines = { text.at, text.at + text.len, 0 };

	for (const char *line; (line = lines_next(&lines, a));) {
		if (!words_split(a, line, &w) || w.len < 4)
			continue;
		if (!strcmp(w.at[0], "Chain")) {
			forward = !strcmp(w.at[1], "FORWARD");
			out->accepts = forward ? !strcmp(w.at[3], "ACCEPT)") : out->accepts;
			continue;
		}
		if (!forward || w.len < 5 || (strcmp(w.at[0], "ACCEPT") && strcmp(w.at[0], "DROP")))
			continue;
		struct bound_rule r = { !strcmp(w.at[0], "ACCEPT"), strcmp(w.at[1], "all") ? import_protocol(w.at[1]) : -1,
					net_of(w.at[3]), net_of(w.at[4]), 0, 65535, 0, 65535 };

		for (size_t i = 5; i < w.len; i++)
			ports_of(w.at[i], &r);
		vec_push(a, &out->rules, r);
	}
	return out->rules.len;
}

static bool bound_admits(const struct bound *b, const struct packet *p)
{
	for (size_t i = 0; i < b->rules.len; i++) {
		const struct bound_rule *r = &b->rules.at[i];

		if ((r->proto < 0 || r->proto == p->proto) && p->src.num >= r->src.lo && p->src.num <= r->src.hi &&
		    p->dst.num >= r->dst.lo && p->dst.num <= r->dst.hi && p->sport >= r->slo && p->sport <= r->shi &&
		    p->dport >= r->dlo && p->dport <= r->dhi)
			return r->accepts;
	}
	return b->accepts;
}

static addr_num near_end(struct addr_range r)
{
	addr_num at = below(2) ? r.lo : r.hi;

	return (at + (below(4) ? 0 : below(2) ? 1 : UINT32_MAX)) & UINT32_MAX;
}

static uint16_t near_port(unsigned lo, unsigned hi)
{
	return (uint16_t)((below(2) ? lo : hi) + (below(4) ? 0 : below(2) ? 1 : 65535));
}

/* On the ends of what a rule of the bounds asks, or beside them. */
static struct packet made(const struct bound *b, const struct ir *ir)
{
	const struct bound_rule *r = &b->rules.at[below(b->rules.len)], *other = &b->rules.at[below(b->rules.len)];
	static const int protos[] = { PROTO_TCP, PROTO_UDP, PROTO_ICMP, 50, 47 };
	struct packet p = { .direction = DIRECTION_FORWARD, .family = FAMILY_IP4, .fragment = FRAGMENT_WHOLE, .hop_limit = 64, .len = 60,
			    .state = CT_NEW, .src = { FAMILY_IP4, near_end(below(4) ? r->src : other->src) },
			    .dst = { FAMILY_IP4, near_end(below(4) ? r->dst : other->dst) } };

	p.proto = (uint8_t)(r->proto >= 0 && below(8) ? r->proto : protos[below(ARRAY_LEN(protos))]);
	if (proto_has_ports(p.proto)) {
		p.sport = near_port(r->slo, r->shi);
		p.dport = near_port(r->dlo, r->dhi);
	}
	p.flags = p.proto == PROTO_TCP ? 2 : 0;
	p.icmp = p.proto == PROTO_ICMP ? 0x0800 : 0;
	p.zone = ir->zone_count && below(3) ? below(ir->zone_count) : ZONE_NONE;
	return p;
}

struct bracket {
	size_t above, below, admitted, unsure;
};

static void compare(const struct ir *ir, const struct bound *lower, const struct bound *upper, struct bracket *t)
{
	own(moment) struct moment *m = moment_new(ir);

	for (size_t i = 0; i < PACKETS; i++) {
		struct packet p = made(below(2) && lower->rules.len ? lower : upper, ir);
		bool low = bound_admits(lower, &p), high = bound_admits(upper, &p);
		bool ours = eval_packet(m, &p).verdict == VERDICT_ALLOW;

		t->admitted += ours;
		t->unsure += low != high;
		t->above += ours && !high;
		t->below += low && !ours;
		if ((ours && !high) || (low && !ours)) {
			char src[ADDR_TEXT], dst[ADDR_TEXT];

			if (t->above + t->below < 6)
				tap_note("protocol %u from %s port %u to %s port %u in zone %u: lower %d, ours %d, upper %d", p.proto,
					 addr_print(p.src, src), p.sport, addr_print(p.dst, dst), p.dport, p.zone, low, ours, high);
		}
	}
}

static const struct {
	const char *rules, *bounds;
} verified[] = {
	{ "config_home_user__typical_home_user_iptables-save", "config_home_user__typical_home_user" },
	{ "config_memphis_testbed__iptables-save", "config_memphis_testbed__iptables" },
	{ "docker_topos__iptables-save.topos4.1", "docker_topos__iptables-save" },
	{ "linux.gda.pl__firewallp.txt", "linux.gda.pl__firewallp.txt" },
	{ "TUM_Net__iptables-save-2015-09-03_15-56-50", "TUM_Net__iptables-save-2015-09-03_15-56-50" },
};

static void within_bounds(const char *rules, const char *bounds)
{
	own(import) struct import *m = import_new();
	own(compilation) struct compilation *c = compilation_new();
	char path[1024], low[1024], high[1024];
	struct bound lower, upper;
	struct bracket t = { 0 };
	struct err why = { 0 };
	struct ir *ir = NULL;

	snprintf(path, sizeof path, "%s/verified-closures/%s", folder, rules);
	snprintf(low, sizeof low, "%s/verified-closures/%s.Ln.FWD.lower", folder, bounds);
	snprintf(high, sizeof high, "%s/verified-closures/%s.Ln.FWD.upper", folder, bounds);
	if (!read_bound(m->arena, low, &lower) || !read_bound(m->arena, high, &upper)) {
		tap_skip(ABSENT, rules);
		return;
	}
	if (read_rules(m, path, false, &why))
		ir = policy_of(c, m);
	if (!tap_ok(ir != NULL, "%s is a policy", rules)) {
		tap_note("%s", why.text);
		return;
	}
	compare(ir, &lower, &upper, &t);
	tap_num(t.above, 0, "nothing is admitted above the upper bound");
	tap_num(t.below, 0, "all is admitted that the lower bound does");
	tap_note("%s: %zu of %d packets admitted, the bounds differ on %zu", rules, t.admitted, PACKETS, t.unsure);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		folder = argv[1];
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		every_file(&kinds[i]);
	for (size_t i = 0; i < ARRAY_LEN(verified); i++)
		within_bounds(verified[i].rules, verified[i].bounds);
	return tap_done();
}
