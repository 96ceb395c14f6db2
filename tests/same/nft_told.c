/*
 * What nft tells of arrivals, against eval: of generated packets the same severities as eval says, by reflexes that decide and by those that
 * only tell, each counted once; and a line in the packet log for each, by the name of what told.
 */
#include <string.h>

#include "enforcer/nft/nflog.h"
#include "lang/base/strmap.h"
#include "lang/bundle/nft_name.h"
#include "lang/bundle/nft_tell.h"
#include "tests/lib/nft_lab.h"
#include "tests/lib/tap.h"

/* No state, nothing sampled: of each packet all is to be seen. */
static const struct gen_shape telling = {
	.zones = 3, .lifelines = 1, .blocks = 3, .reflexes = 6, .postures = 3, .rules = 2, .tell_percent = 70,
};

/* So many that they stand in maps: each is still told by its name. */
static const struct gen_shape telling_many = {
	.zones = 3, .lifelines = 1, .blocks = 300, .reflexes = 300, .postures = 2, .rules = 2, .tell_percent = 10,
};

struct tally {
	unsigned packets, told, watched, lines;
};

struct lines {
	const struct nft_lab *lab;
	struct strmap by; /* names, to how many lines */
	bool emits;	  /* what decides */
	bool apt;
};

static const struct ir_rule *watch_of(const struct nft_lab *lab, const char *name)
{
	for (size_t i = 0; i < lab->ir->watches.count; i++)
		if (!strcmp(nft_name(lab->arena, lab->ir->watches.rules[i].id), name))
			return &lab->ir->watches.rules[i];
	return NULL;
}

static void note_line(void *cls, const struct nft_tell *said, const struct teg_event *is)
{
	struct lines *l = cls;
	const char *name = arena_strdup(l->by.arena, said->name);

	strmap_put(&l->by, name, (void *)((uintptr_t)strmap_find(&l->by, name) + 1));
	const bool watch = watch_of(l->lab, name);
	const enum nft_teller by = watch || l->emits ? NFT_TELLS_REFLEX : NFT_TELLS_DROP;
	l->apt = l->apt && is->ifindex && is->head_len > 14 && said->by == by && (said->what == NFT_TOLD_ALLOW) == watch;
}

/* Lines of a rule are bounded; of the first packets it tells, each has one. */
static bool line_is_there(const struct lines *l, struct strmap *so_far, const char *name, struct tally *t)
{
	const uintptr_t told = (uintptr_t)strmap_find(so_far, name) + 1, got = (uintptr_t)strmap_find(&l->by, name);

	strmap_put(so_far, name, (void *)told);
	t->lines += got;
	return told > NFT_TELL_BURST ? got <= 1 : got == 1;
}

static bool try_one(struct nft_lab *lab, struct nflog *log, struct strmap *so_far, struct packet p, struct tally *t)
{
	uint8_t frame[GEN_FRAME_MAX];
	const size_t len = frame_build(&p, NULL, 0, frame, sizeof frame);
	struct lines l = { .lab = lab, .apt = true };
	struct nflog_reader to = { .one = note_line, .cls = &l };
	struct live_seen seen;
	uint8_t told = 0;
	bool same = true;

	p.direction = DIRECTION_IN;
	strmap_init(&l.by, lab->arena);
	if (!len || p.zone == ZONE_NONE || p.fragment == FRAGMENT_LATER ||
	    !live_arrive(&lab->live, nft_lab_link(p.zone), frame, len) || !live_seen(&lab->live, &seen))
		return true;
	const struct outcome o = eval_epiderme(lab->moment, &p);
	const bool drops = o.verdict == VERDICT_DROP;
	l.emits = o.rule && o.rule->effects.emits;
	nflog_read(log, &to);
	for (unsigned i = 0; i < seen.count; i++) {
		const struct ir_rule *w = strcmp(seen.at[i].table, NFT_OURS_NETDEV) ? NULL : watch_of(lab, seen.at[i].name);

		if (!w)
			continue;
		told |= (uint8_t)(1u << w->effects.severity);
		t->watched++;
		same = same && seen.at[i].packets == 1 && line_is_there(&l, so_far, arena_strdup(lab->arena, seen.at[i].name), t);
	}
	if (o.rule && o.rule->effects.emits && drops)
		told |= (uint8_t)(1u << o.rule->effects.severity);
	if (drops)
		same = same && line_is_there(&l, so_far, nft_name(lab->arena, o.rule ? o.rule->id : o.why), t);
	t->packets++;
	t->told += told != 0;
	same = same && told == o.emits && l.apt;
	if (!same) {
		char text[256];

		tap_note("%s: eval tells %x of %s, nft %x%s", gen_packet_text(&p, text), o.emits,
			 drops ? nft_name(lab->arena, o.rule ? o.rule->id : o.why) : "nothing dropped", told, l.apt ? "" : ", not aptly");
		nft_note_seen(&seen, &(struct nft_expected){ 0 });
		for (size_t i = 0; i < l.by.entries.len; i++)
			tap_note("told by %s in %u lines", l.by.entries.at[i].name, (unsigned)(uintptr_t)l.by.entries.at[i].value);
	}
	return same;
}

static void tell_each(struct policy *p)
{
	for (size_t i = 0; i < p->reflex_count; i++)
		p->reflexes[i].effects.one_in = 1;
}

static bool try_policy(const struct nft_lab_case *c)
{
	own(arena) struct arena *a = arena_new();
	own(nflog) struct nflog *log = NULL;
	struct strmap so_far;
	struct err why = { 0 };

	strmap_init(&so_far, a);
	/* What the kernel forgets of its bound only leaves lines out: the first of each rule are looked at. */
	bool same = nft_lab_send(c->lab, 'a', &why) && nft_lab_hook(c->lab, 'a') && !nflog_open(&log, &why);
	if (!same)
		tap_note("%s", why.text);
	struct gen_aim *aim = gen_aim_at(c->lab->ir, &c->lab->live.self, a);
	for (unsigned i = 0; same && i < 600; i++)
		same = try_one(c->lab, log, &so_far, gen_packet(c->g, aim), c->cls);
	return same;
}

int main(void)
{
	struct tally t = { 0 }, many = { 0 };
	const struct nft_lab_series large = { .shape = &telling_many, .lan = { "eth1", "br-*" }, .first = 20, .count = 3,
					      .change = tell_each, .one = try_policy, .cls = &many };
	const struct nft_lab_series all = { .shape = &telling, .lan = { "eth1", "br-*" }, .first = 1, .count = 8, .change = tell_each,
					    .one = try_policy, .cls = &t };

	if (!live_may()) {
		tap_skip("needs root for a network namespace", "nft tells as eval says");
		return tap_done();
	}
	const bool same = nft_lab_each(&all);
	tap_ok(same, "nft tells as eval says: %u packets, %u of them emit", t.packets, t.told);
	tap_ok(t.told > 200 && t.watched > 50 && t.lines > 200, "%u lines in the packet log; reflexes that only tell saw %u", t.lines, t.watched);
	tap_ok(nft_lab_each(&large), "each of some hundred blocks and reflexes is told of by its name");
	tap_ok(many.lines > 200, "%u packets, %u lines", many.packets, many.lines);
	return tap_done();
}
