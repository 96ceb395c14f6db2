#include "tests/lib/nft_many.h"

#include <stdlib.h>
#include <string.h>

#include "lang/base/strmap.h"
#include "lang/bundle/nft_tell.h"
#include "tests/lib/tap.h"

struct counted {
	const char *table, *name;
	uint64_t want, got;
};

struct many {
	struct nft_lab *lab;
	struct arena *arena;
	const struct nft_frame *asked;
	unsigned count;
	struct live_frame *frames;
	uint16_t *came;
	struct strmap by_name;
	VEC(struct counted *) counters;
	struct nft_tally tally;
	unsigned odd; /* the first packet that is known by itself to be judged otherwise; or count */
};

/* --- sent ------------------------------------------------------------------------------------------ */

static bool send_all(struct many *m)
{
	m->frames = arena_zero(m->arena, (m->count + 1) * sizeof *m->frames);
	m->came = arena_zero(m->arena, LIVE_MANY * sizeof *m->came);
	for (unsigned i = 0; i < m->count; i++) {
		const struct nft_frame *f = &m->asked[i];
		const bool leaves = f->kind == NFT_FRAME_SOUND && f->packet.direction == DIRECTION_OUT;

		m->frames[i] = (struct live_frame){ .link = nft_lab_link(f->zone), .leaves = leaves, .bytes = f->bytes, .len = f->len,
						    .to = f->packet.dst };
	}
	return live_send(&m->lab->live, m->frames, m->count) && live_came(&m->lab->live, m->came);
}

/* --- meant ------------------------------------------------------------------------------------------- */

static struct counted *counter_at(struct many *m, const char *table, const char *name)
{
	const char *key = arena_printf(m->arena, "%s %s", table, name);
	struct counted *c = strmap_find(&m->by_name, key);

	if (c)
		return c;
	c = arena_zero(m->arena, sizeof *c);
	*c = (struct counted){ .table = table, .name = arena_strdup(m->arena, name) };
	strmap_put(&m->by_name, key, c);
	vec_push(m->arena, &m->counters, c);
	return c;
}

static bool came(const struct many *m, unsigned i, enum live_place p)
{
	return m->came[i] >> p & 1;
}

static enum direction hook_of(const struct many *m, unsigned i)
{
	for (int d = 0; d < DIRECTION_COUNT; d++)
		if (came(m, i, (enum live_place)(LIVE_AT_IN + d)))
			return (enum direction)d;
	return DIRECTION_COUNT;
}

static enum ct_state state_of(const struct many *m, unsigned i)
{
	static const enum ct_state states[] = { CT_NEW, CT_ESTABLISHED, CT_RELATED, CT_INVALID, CT_UNTRACKED };

	for (unsigned s = 0; s < ARRAY_LEN(states); s++)
		if (came(m, i, (enum live_place)(LIVE_NEW + s)))
			return states[s];
	return CT_NEW;
}

static void mean(struct many *m, unsigned i)
{
	struct packet p = m->asked[i].packet;
	const enum direction d = hook_of(m, i);
	struct nft_expected e = { 0 };
	bool passes = false;

	if (!came(m, i, LIVE_ARRIVED) && d == DIRECTION_COUNT)
		return; /* the kernel would not send it */
	e = nft_expect_first(m->lab, &p);
	m->tally.packets++;
	m->tally.hooks[d]++;
	m->tally.dropped_first += nft_has_first_hook(&p) && !e.passes;
	if (e.netdev)
		counter_at(m, NFT_OURS_NETDEV, e.netdev)->want++;
	if (d != DIRECTION_COUNT) {
		/* What the first hook drops comes no further. */
		if (nft_has_first_hook(&p) && !e.passes && m->odd == m->count)
			m->odd = i;
		p.direction = d;
		p.state = state_of(m, i);
		p.reply = came(m, i, LIVE_REPLY);
		nft_expect_layer4(m->lab, &p, &e);
		passes = e.passes;
		counter_at(m, NFT_OURS_INET, e.inet)->want++;
		m->tally.admitted += passes;
		m->tally.refused += !passes;
	}
	if (came(m, i, LIVE_PASSED) != passes && m->odd == m->count)
		m->odd = i;
}

/* --- compared ------------------------------------------------------------------------------------------ */

static bool take_seen(struct many *m)
{
	struct live_seen *seen = arena_zero(m->arena, sizeof *seen);

	if (!live_seen(&m->lab->live, seen))
		return false;
	for (unsigned i = 0; i < seen->count; i++) {
		const struct live_row *r = &seen->at[i];

		if (!strcmp(r->name, NFT_UNTOLD))
			continue; /* what was over a rate: of time, not of packets */
		if (!strcmp(r->table, NFT_OURS_INET))
			counter_at(m, NFT_OURS_INET, r->name)->got = r->packets;
		else if (!strcmp(r->table, NFT_OURS_NETDEV))
			counter_at(m, NFT_OURS_NETDEV, r->name)->got = r->packets;
	}
	return true;
}

static bool counters_agree(const struct many *m)
{
	for (size_t i = 0; i < m->counters.len; i++)
		if (m->counters.at[i]->want != m->counters.at[i]->got)
			return false;
	return true;
}

/* --- asked ----------------------------------------------------------------------------------------------- */

/* False when something differs, or nothing could be asked. */
typedef bool (*asking)(struct many *m);

static bool ask(struct many *m, asking how, struct nft_lab *lab, struct arena *a, const struct nft_frame *frames, unsigned count)
{
	struct live_seen *before = arena_zero(a, sizeof *before);

	*m = (struct many){ .lab = lab, .arena = a, .asked = frames, .count = count, .odd = count };
	strmap_init(&m->by_name, a);
	return live_seen(&lab->live, before) && send_all(m) && how(m);
}

static bool judged_alike(struct many *m)
{
	for (unsigned i = 0; i < m->count; i++)
		mean(m, i);
	return take_seen(m) && m->odd == m->count && counters_agree(m);
}

/* How many have arrived; those that have not must be of those that may be lost. */
static bool arrived(struct many *m, unsigned *count)
{
	*count = 0;
	for (unsigned i = 0; i < m->count; i++) {
		if (came(m, i, LIVE_ARRIVED))
			++*count;
		else if (!m->frames[i].refused && !nft_frame_may_be_lost(&m->asked[i]))
			m->odd = i;
	}
	return m->odd == m->count;
}

static bool named_alike(struct many *m)
{
	const struct nft_frame *like = &m->asked[0];
	const bool ends = like->told && like->cause != CAUSE_NOT_IP && like->cause != CAUSE_SHORT_ETH &&
			  !m->lab->ir->postures[m->lab->posture].passes;
	struct live_seen *seen = arena_zero(m->arena, sizeof *seen);
	unsigned count;

	if (!arrived(m, &count) || !live_seen(&m->lab->live, seen))
		return false;
	for (unsigned i = 0; ends && i < m->count; i++)
		if (hook_of(m, i) != DIRECTION_COUNT)
			m->odd = i;
	m->tally.causes += count;
	if (m->odd == m->count && nft_cause_seen(m->lab, like, count, seen))
		return true;
	if (m->count == 1)
		nft_note_seen(seen, &(struct nft_expected){ 0 });
	return false;
}

/* --- told ------------------------------------------------------------------------------------------------ */

static void tell(const struct many *m)
{
	char text[256];

	for (unsigned i = 0; i < m->count && i < 4; i++) {
		if (m->asked[i].kind == NFT_FRAME_SOUND)
			tap_note("packet %s", gen_packet_text(&m->asked[i].packet, text));
		else
			tap_note("cause %s, %s", cause_name(m->asked[i].cause), m->asked[i].told ? "told" : "perhaps told");
		nft_note_frame(&m->asked[i]);
		tap_note("came to places %x%s", m->came[i], m->odd == i ? ", of which one is not where eval lets it go" : "");
	}
	for (size_t i = 0; i < m->counters.len; i++)
		if (m->counters.at[i]->want != m->counters.at[i]->got || m->count == 1)
			tap_note("%s %s: %llu, not %llu", m->counters.at[i]->table, m->counters.at[i]->name,
				 (unsigned long long)m->counters.at[i]->got, (unsigned long long)m->counters.at[i]->want);
}

/* The fewest frames that still differ: one of the halves, as long as one does. */
static void tell_shortest(struct nft_lab *lab, asking how, const struct nft_frame *frames, unsigned count)
{
	own(arena) struct arena *a = arena_new();
	struct many m;

	while (count > 1) {
		own(arena) struct arena *scratch = arena_new();
		const unsigned half = count / 2;

		if (!ask(&m, how, lab, scratch, frames, half)) {
			count = half;
			continue;
		}
		if (ask(&m, how, lab, scratch, frames + half, count - half))
			break;
		frames += half;
		count -= half;
	}
	if (ask(&m, how, lab, a, frames, count))
		tap_note("asked again, %u frames are judged alike", count);
	else
		tell(&m);
}

static bool ask_many(struct nft_lab *lab, asking how, const struct nft_frame *frames, unsigned count, struct nft_tally *t)
{
	own(arena) struct arena *a = arena_new();
	struct many m;

	if (!ask(&m, how, lab, a, frames, count)) {
		tap_note("%u frames, in posture %s:", count, lab->ir->postures[lab->posture].name);
		tell_shortest(lab, how, frames, count);
		return false;
	}
	t->packets += m.tally.packets;
	for (int d = 0; d <= DIRECTION_COUNT; d++)
		t->hooks[d] += m.tally.hooks[d];
	t->dropped_first += m.tally.dropped_first;
	t->admitted += m.tally.admitted;
	t->refused += m.tally.refused;
	t->causes += m.tally.causes;
	return true;
}

bool nft_many_alike(struct nft_lab *lab, const struct nft_frame *frames, unsigned count, struct nft_tally *t)
{
	return ask_many(lab, judged_alike, frames, count, t);
}

bool nft_many_malformed(struct nft_lab *lab, const struct nft_frame *frames, unsigned count, struct nft_tally *t)
{
	return ask_many(lab, named_alike, frames, count, t);
}

/* By cause, told or not; the last kind is of sound ones. */
enum { KINDS = 2 * CAUSE_COUNT + 1 };

typedef VEC(struct nft_frame) frames;

static unsigned kind_of(const struct nft_frame *f)
{
	return f->kind == NFT_FRAME_SOUND ? KINDS - 1 : 2 * (unsigned)f->cause + f->told;
}

bool nft_many_frames(struct nft_lab *lab, const struct nft_frame *at, unsigned count, unsigned few, struct nft_tally *t)
{
	own(arena) struct arena *a = arena_new();
	frames *kinds = arena_zero(a, KINDS * sizeof *kinds);
	const frames *sound = &kinds[KINDS - 1];
	bool same = true;

	for (unsigned i = 0; i < count; i++)
		if (at[i].kind != NFT_FRAME_UNTOLD && !(at[i].kind == NFT_FRAME_SOUND && nft_has_no_proto(&at[i].packet)))
			vec_push(a, &kinds[kind_of(&at[i])], at[i]);
	for (unsigned k = 0; same && k < KINDS - 1; k++)
		same = kinds[k].len < few || nft_many_malformed(lab, kinds[k].at, (unsigned)kinds[k].len, t);
	return same && (!sound->len || nft_many_alike(lab, sound->at, (unsigned)sound->len, t));
}
