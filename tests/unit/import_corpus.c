/*
 * Rulesets that others wrote, from ../shared/data/rulesets, or the folder given.
 *
 * Every file of iptables/ imports as a policy, or is refused by its line; how many
 * are whole is printed. Of those in verified-closures/ a verified translator has
 * said what FORWARD at most and at least accepts of packets that begin a flow,
 * whatever the interfaces and the matches it does not know: lower <= ours <= upper.
 */
#include <dirent.h>
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

static bool read_rules(struct import *m, const char *path, struct err *why)
{
	own(buf) struct buf text = { 0 };

	if (file_read(&text, path, IMPORT_BYTES_MAX, why))
		return false;
	struct import_text rules = { path, arena_strdup(m->arena, buf_text(&text)), text.len };

	return !import_iptables(m, strstr(path, "ip6tables") ? FAMILY_IP6 : FAMILY_IP4, &rules, why) && !import_flatten(m, why);
}

/* --- every file -------------------------------------------------------------------------------------- */

struct counts {
	size_t whole, part, agreed, not;
};

static void import_file(const char *path, const char *name, struct counts *n)
{
	own(import) struct import *m = import_new();
	own(compilation) struct compilation *c = compilation_new();
	struct err why = { 0 };

	if (!read_rules(m, path, &why)) {
		n->not++;
		tap_ok(strstr(why.text, "line ") || strstr(why.text, "no table filter"), "%s: not, %s", name, why.text);
		return;
	}
	bool written = policy_of(c, m) != NULL; /* which notes what cannot be said, too */

	if (import_notes(m, NOTE_ADMITS) + import_notes(m, NOTE_ANSWERS))
		n->agreed++;
	else if (import_notes(m, NOTE_LEFT_OUT) + import_notes(m, NOTE_WIDENED))
		n->part++;
	else
		n->whole++;
	tap_ok(written, "%s: a policy of %zu rules; %zu left out, %zu widened, %zu would admit more", name, m->rule_count,
	       import_notes(m, NOTE_LEFT_OUT), import_notes(m, NOTE_WIDENED), import_notes(m, NOTE_ADMITS));
}

static void every_file(void)
{
	char path[1024];
	struct counts n = { 0 };
	struct dirent **names;

	snprintf(path, sizeof path, "%s/iptables", folder);
	int count = scandir(path, &names, NULL, alphasort);

	if (count < 0) {
		tap_skip(ABSENT, "rulesets of others");
		return;
	}
	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof path, "%s/iptables/%s", folder, names[i]->d_name);
		if (names[i]->d_name[0] != '.')
			import_file(path, names[i]->d_name, &n);
		free(names[i]);
	}
	free(names);
	tap_note("%zu whole, %zu in part, %zu only when it is agreed that more is admitted, %zu not", n.whole, n.part, n.agreed, n.not);
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
	if (read_rules(m, path, &why))
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
	every_file();
	for (size_t i = 0; i < ARRAY_LEN(verified); i++)
		within_bounds(verified[i].rules, verified[i].bounds);
	return tap_done();
}
