#include "tests/lib/nft_lab.h"

#include <stdlib.h>
#include <string.h>

#include "compiler/ir/proto.h"
#include "lang/bundle/nft_name.h"
#include "lang/bundle/nft_tell.h"
#include "tests/lib/craft.h"
#include "tests/lib/tap.h"

const char *const nft_lab_links[NFT_LAB_LINKS] = { "eth0", "br-x1", "eth2", "tun0" };

unsigned nft_lab_link(unsigned zone)
{
	return zone == ZONE_NONE ? NFT_LAB_LINK_NONE : zone;
}

void nft_lab_widen(struct arena *a, struct policy *p, const char *one, const char *other)
{
	const char *patterns[] = { one, other };

	for (size_t i = 0; i < p->posture_count; i++)
		for (size_t k = 0; k < p->postures[i].rule_count; k += 2)
			p->postures[i].rules[k].match.zones |= 1ull << ZONE_NONE;
	if (p->zone_count < 2)
		return;
	p->zones[1].patterns = arena_copy(a, patterns, sizeof patterns);
	p->zones[1].pattern_count = 2;
}

int nft_lab_open(struct nft_lab *lab, struct policy *p, struct arena *a, const struct netset *self, struct err *why)
{
	*lab = (struct nft_lab){ .arena = a };
	lab->ir = ir_lower(p, a);
	const struct ir *sent = ir_for_nft(lab->ir, a);
	lab->cookies = sent->cookies.count;
	int rc = emit_nft(&lab->nft, &lab->plan, sent, a, why);
	if (!rc)
		rc = live_enter(&lab->live, a, nft_lab_links, NFT_LAB_LINKS, self, why);
	if (rc)
		return rc;
	lab->moment = moment_new(lab->ir);
	moment_set_self(lab->moment, &lab->live.self);
	lab->posture = lab->ir->initial;
	return 0;
}

void nft_lab_close(struct nft_lab *lab)
{
	live_exit(&lab->live);
	moment_free(lab->moment);
	emit_nft_release(&lab->nft);
}

/* The devices that the zones name, of those there are. */
static void print_devices(struct buf *b, const struct ir *ir)
{
	for (unsigned z = 0; z < ir->zone_count; z++)
		buf_printf(b, "%s\"%s\"", z ? ", " : "", nft_lab_links[z]);
}

/* The base chains, as the warden makes them. */
bool nft_lab_hook(const struct nft_lab *lab, char bank)
{
	static const char *const hooks[] = { "input", "forward", "output" };
	const char *posture = lab->ir->postures[lab->ir->initial].name;
	int priority = bank == 'a' ? NFT_PRIORITY_A : NFT_PRIORITY_B;
	own(buf) struct buf b = { 0 };

	buf_puts(&b, "table " NFT_OURS_INET " {\n");
	for (int d = 0; d < DIRECTION_COUNT; d++) {
		const char *way = direction_name((enum direction)d);

		buf_printf(&b, "chain %c_hook_%s { type filter hook %s priority %d; policy drop;\n"
			       "jump %c_pre_%s\ngoto %c_%s_%s\n}\n",
			   bank, way, hooks[d], priority, bank, way, bank, posture, way);
	}
	if (lab->cookies)
		buf_printf(&b, "chain %c_hook_cookies { type filter hook forward priority %d; policy drop;\ngoto %c_cookies\n}\n", bank,
			   NFT_PRIORITY_COOKIES + (bank == 'b'), bank);
	buf_printf(&b, "}\ntable " NFT_OURS_NETDEV " {\nchain %c_hook_ingress { type filter hook ingress devices = { ", bank);
	print_devices(&b, lab->ir);
	buf_printf(&b, " } priority %d; policy accept;\ngoto %c_epiderme_%s\n}\n}\n", priority, bank, posture);
	return live_nft(buf_text(&b));
}

/* The switch, without the bridge. */
bool nft_lab_posture(struct nft_lab *lab, unsigned posture)
{
	const char *name = lab->ir->postures[posture].name;
	own(buf) struct buf b = { 0 };

	for (int d = 0; d < DIRECTION_COUNT; d++) {
		const char *way = direction_name((enum direction)d);

		buf_printf(&b, "flush chain " NFT_OURS_INET " a_hook_%s\nadd rule " NFT_OURS_INET " a_hook_%s jump a_pre_%s\n"
			       "add rule " NFT_OURS_INET " a_hook_%s goto a_%s_%s\n", way, way, way, way, name, way);
	}
	buf_printf(&b, "flush chain " NFT_OURS_NETDEV " a_hook_ingress\nadd rule " NFT_OURS_NETDEV " a_hook_ingress goto a_epiderme_%s\n",
		   name);
	moment_set_posture(lab->moment, posture);
	lab->posture = posture;
	return live_nft(buf_text(&b));
}

bool nft_lab_send(struct nft_lab *lab, char bank, struct err *why)
{
	batch_place(&lab->nft.posture, bank);
	batch_place(&lab->nft.epiderme, bank);
	return !live_batch(&lab->live, &lab->nft.posture, why) && !live_batch(&lab->live, &lab->nft.epiderme, why);
}

bool nft_lab_unload(void)
{
	return live_nft("delete table " NFT_OURS_INET "\ndelete table " NFT_OURS_NETDEV "\n");
}

bool nft_lab_arrives(struct nft_lab *lab, struct packet p, const void *payload, size_t len, struct live_seen *seen)
{
	uint8_t frame[GEN_FRAME_MAX];

	return live_arrive(&lab->live, NFT_LAB_WAN, frame, frame_build(&p, payload, len, frame, sizeof frame)) &&
	       live_seen(&lab->live, seen);
}

/* --- policies ------------------------------------------------------------------------------ */

const struct gen_shape nft_long_lists = {
	.zones = 3, .lifelines = 20, .blocks = 40, .reflexes = 40, .postures = 2, .rules = 400, .rules_tell_percent = 5,
	.plain_percent = 70,
};

struct pol_selector nft_lab_select(struct arena *a, uint16_t proto, const char *from, const char *to, uint16_t port)
{
	struct pol_selector s = craft_select(a, proto);

	s.from = craft_end(a, from);
	s.to = craft_end(a, to);
	if (port)
		s.protos[0].dport = ranges_of(a, port, port);
	return s;
}

struct policy *nft_lab_rated(struct arena *a)
{
	struct policy *p = craft_policy(a, "rated");
	struct pol_reflex *flood = craft_reflex(p, "flood", nft_lab_select(a, PROTO_UDP, "any", "any", 7));
	struct pol_reflex *scan, *ping, *to, *all, *bytes, *each;

	flood->has_rate = true;
	flood->rate = (struct pol_rate){ .count = 5, .window_ns = 86400000000000, .key_bits = { 32, 64 } };
	scan = craft_reflex(p, "scan", nft_lab_select(a, PROTO_TCP, "any", "self", 0));
	scan->has_rate = true;
	scan->rate = (struct pol_rate){ .count = 3, .window_ns = 3600000000000, .key_bits = { 24, 48 } };
	scan->block_ns = 3600000000000;
	ping = craft_reflex(p, "ping", nft_lab_select(a, PROTO_ICMP, "10.9.0.0/16", "any", 0));
	ping->block_ns = 60000000000;
	ping->except = 2; /* silent in the second posture */
	to = craft_reflex(p, "to", nft_lab_select(a, PROTO_UDP, "any", "any", 11));
	to->has_rate = true;
	to->rate = (struct pol_rate){ .count = 3, .window_ns = 3600000000000, .key_bits = { 32, 64 }, .key = RATE_PER_DESTINATION };
	all = craft_reflex(p, "all", nft_lab_select(a, PROTO_UDP, "any", "any", 12));
	all->has_rate = true;
	all->rate = (struct pol_rate){ .count = 2, .window_ns = 3600000000000, .key_bits = { 32, 64 }, .key = RATE_GLOBAL,
				       .burst = 4 };
	bytes = craft_reflex(p, "bytes", nft_lab_select(a, PROTO_UDP, "any", "any", 13));
	bytes->has_rate = true;
	bytes->rate = (struct pol_rate){ .count = 100, .bytes = true, .window_ns = 3600000000000, .key_bits = { 32, 64 },
					 .burst = 150 };
	each = craft_reflex(p, "each", nft_lab_select(a, PROTO_UDP, "10.7.0.0/16 2001:db8:7::/48", "any", 0));
	each->has_rate = true;
	each->rate = (struct pol_rate){ .count = 2, .window_ns = 3600000000000, .key_bits = { 32, 128 }, .key = RATE_PER_FLOW };
	each = craft_reflex(p, "echo", nft_lab_select(a, PROTO_ICMP, "10.8.0.0/16", "any", 0));
	each->has_rate = true;
	each->rate = (struct pol_rate){ .count = 2, .window_ns = 3600000000000, .key_bits = { 32, 128 }, .key = RATE_PER_FLOW };
	craft_block(p, "bogons", "10.66.0.0/16 2001:db8:66::/48", ZONES_ANY);

	struct pol_posture open = craft_posture("OPEN", VERDICT_ALLOW), calm = craft_posture("CALM", VERDICT_ALLOW);
	craft_add_posture(p, open);
	craft_add_posture(p, calm);
	return p;
}

static bool try_policy(const struct nft_lab_series *s, unsigned seed)
{
	own(arena) struct arena *a = arena_new();
	struct gen g = gen_new(seed);
	struct policy *p = gen_policy(&g, a, s->shape);
	struct netset self = gen_self(&g, a);
	struct err why = { 0 };
	struct nft_lab lab;

	if (s->change)
		s->change(p);
	nft_lab_widen(a, p, s->lan[0], s->lan[1]);
	if (nft_lab_open(&lab, p, a, &self, &why)) {
		tap_note("policy %u: %s", seed, why.text);
		return false;
	}
	bool good = s->one(&(struct nft_lab_case){ &lab, &g, seed, s->cls });
	nft_lab_close(&lab);
	return good;
}

bool nft_lab_each(const struct nft_lab_series *s)
{
	for (unsigned seed = s->first; seed < s->first + s->count; seed++)
		if (!try_policy(s, seed)) {
			tap_note("of policy %u", seed);
			return false;
		}
	return true;
}

/* --- what eval says, and what is seen ------------------------------------------------------ */

static const char *counter_of(struct nft_lab *lab, const struct outcome *o)
{
	return nft_name(lab->arena, o->rule ? o->rule->id : o->why);
}

bool nft_has_first_hook(const struct packet *p)
{
	return p->direction != DIRECTION_OUT && p->zone != ZONE_NONE;
}

struct nft_expected nft_expect_first(struct nft_lab *lab, const struct packet *p)
{
	struct nft_expected e = { 0 };

	if (!nft_has_first_hook(p))
		return e;
	struct outcome o = eval_epiderme(lab->moment, p);
	if (strcmp(o.why, WHY_GOES_ON))
		e.netdev = counter_of(lab, &o);
	e.passes = o.verdict == VERDICT_ALLOW;
	return e;
}

void nft_expect_layer4(struct nft_lab *lab, const struct packet *p, struct nft_expected *e)
{
	struct outcome o = eval_layer4(lab->moment, p);

	e->inet = counter_of(lab, &o);
	e->passes = o.verdict == VERDICT_ALLOW;
}

bool nft_moved_only(const struct live_seen *s, const char *table, const char *name)
{
	unsigned others = 0;
	uint64_t by = 0;

	for (unsigned i = 0; i < s->count; i++) {
		if (strcmp(s->at[i].table, table))
			continue;
		if (name && !strcmp(s->at[i].name, name))
			by = s->at[i].packets;
		else
			others++;
	}
	return !others && by == (name != NULL);
}

void nft_note_seen(const struct live_seen *s, const struct nft_expected *e)
{
	tap_note("expected netdev %s, inet %s, %s", e->netdev ? e->netdev : "-", e->inet ? e->inet : "-",
		 e->passes ? "passes" : "ends");
	for (unsigned i = 0; i < s->count; i++)
		tap_note("seen %s: %s %llu", s->at[i].table, s->at[i].name, (unsigned long long)s->at[i].packets);
}

enum ct_state nft_state_seen(const struct live_seen *s)
{
	static const struct { const char *name; enum ct_state state; } states[] = {
		{ "new", CT_NEW }, { "established", CT_ESTABLISHED }, { "related", CT_RELATED },
		{ "invalid", CT_INVALID }, { "untracked", CT_UNTRACKED },
	};

	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		if (live_count(s, NFT_WORLD_INET, states[i].name))
			return states[i].state;
	return CT_NEW;
}

enum direction nft_hook_seen(const struct live_seen *s)
{
	for (int d = 0; d < DIRECTION_COUNT; d++)
		if (live_count(s, NFT_WORLD_INET, direction_name((enum direction)d)))
			return (enum direction)d;
	return DIRECTION_COUNT;
}

bool nft_has_no_proto(const struct packet *p)
{
	static const uint8_t extensions[] = { 0, 43, 44, 51, 60 };

	return p->family == FAMILY_IP6 && p->fragment == FRAGMENT_LATER &&
	       memchr(extensions, p->proto, sizeof extensions);
}

/* What only tells decides nothing, and how much is told is of time. */
static bool is_of_no_verdict(const struct nft_lab *lab, const struct live_row *r)
{
	for (size_t i = 0; i < lab->ir->watches.count; i++)
		if (!strcmp(nft_name(lab->arena, lab->ir->watches.rules[i].id), r->name))
			return true;
	return !strcmp(r->name, NFT_UNTOLD);
}

static void leave_verdicts(const struct nft_lab *lab, struct live_seen *seen)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < seen->count; i++)
		if (!is_of_no_verdict(lab, &seen->at[i]))
			seen->at[kept++] = seen->at[i];
	seen->count = kept;
}

bool nft_judge(struct nft_lab *lab, struct packet p, struct live_seen *seen, struct nft_tally *t)
{
	struct nft_expected e = nft_expect_first(lab, &p);
	enum direction d = nft_hook_seen(seen);
	const bool ends = nft_has_first_hook(&p) && !e.passes;

	if (nft_has_no_proto(&p))
		return true;
	leave_verdicts(lab, seen);
	t->packets++;
	t->hooks[d]++;
	t->dropped_first += ends;
	if (d != DIRECTION_COUNT) {
		p.direction = d;
		p.state = nft_state_seen(seen);
		p.reply = live_count(seen, NFT_WORLD_INET, "reply");
		nft_expect_layer4(lab, &p, &e);
		if (e.passes)
			t->admitted++;
		else
			t->refused++;
	}

	bool same = nft_moved_only(seen, NFT_OURS_NETDEV, e.netdev) && nft_moved_only(seen, NFT_OURS_INET, e.inet) &&
		    !(ends && d != DIRECTION_COUNT);
	if (d != DIRECTION_COUNT) /* else the stack had its own reasons */
		same = same && live_count(seen, NFT_WORLD_INET, "passed") == e.passes;
	else
		same = same && !e.inet;
	if (!same) {
		char text[256];

		tap_note("%s", gen_packet_text(&p, text));
		nft_note_seen(seen, &e);
	}
	return same;
}
