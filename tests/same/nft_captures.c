/*
 * Real frames (tests/lib/pcaps.h) through nftables, under drawn policies without state: each is judged as eval judges it, and what
 * cannot be read is counted for a cause that docs/nftables.md allows.
 *
 *     tests/same/nft_captures [SEED [POLICIES]]
 */
#include <inttypes.h>
#include <stdlib.h>

#include "tests/lib/nft_lab.h"
#include "tests/lib/nft_many.h"
#include "tests/lib/pcaps.h"
#include "tests/lib/tap.h"

#define LINK_MOST 9000u /* and a header of Ethernet: what a link takes */

struct captured {
	struct arena *arena;
	VEC(struct nft_frame) frames;
	uint64_t longer, untold;
	struct pcaps_read read;
};

static void keep(void *cls, const struct pcaps_frame *f)
{
	struct captured *c = cls;
	struct nft_frame one;

	if (f->len > LINK_MOST) {
		c->longer++;
		return;
	}
	nft_frame_read(&one, 0, arena_copy(c->arena, f->at, f->len), f->len);
	c->untold += one.kind == NFT_FRAME_UNTOLD;
	vec_push(c->arena, &c->frames, one);
}

struct trial {
	struct captured *captured;
	struct nft_tally tally;
};

static bool try_policy(const struct nft_lab_case *c)
{
	struct trial *t = c->cls;
	struct captured *all = t->captured;
	struct err why = { 0 };
	bool same = nft_lab_send(c->lab, 'a', &why) && nft_lab_hook(c->lab, 'a') && live_marks(&c->lab->live) &&
		    nft_lab_posture(c->lab, c->seed % (unsigned)c->lab->ir->posture_count);

	if (!same)
		tap_note("%s", why.text);
	for (size_t i = 0; i < all->frames.len; i++)
		all->frames.at[i].zone = all->frames.at[i].packet.zone = (unsigned)(i % c->lab->ir->zone_count);
	for (size_t from = 0; same && from < all->frames.len; from += LIVE_MANY) {
		const size_t left = all->frames.len - from;

		same = nft_many_frames(c->lab, all->frames.at + from, (unsigned)(left < LIVE_MANY ? left : LIVE_MANY), 1, &t->tally);
	}
	return same;
}

static void judged_alike(struct captured *all, const char *what, const struct gen_shape *of, unsigned seed, unsigned policies)
{
	struct trial t = { .captured = all };
	const struct nft_lab_series s = { .shape = of, .lan = { "eth1", "br-*" }, .first = seed, .count = policies, .one = try_policy,
					  .cls = &t };
	const bool same = nft_lab_each(&s);

	tap_ok(same && t.tally.packets > 10000, "%u packets of %u captures are judged by nft as by eval, under %u policies%s; %u cannot be read",
	       t.tally.packets, all->read.captures, policies, what, t.tally.causes);
	tap_note("hooks: in %u, forward %u, none %u; first hook dropped %u; layer 4 admitted %u, refused %u", t.tally.hooks[DIRECTION_IN],
		 t.tally.hooks[DIRECTION_FORWARD], t.tally.hooks[DIRECTION_COUNT], t.tally.dropped_first, t.tally.admitted, t.tally.refused);
}

int main(int argc, char **argv)
{
	const unsigned seed = argc > 1 ? (unsigned)atoi(argv[1]) : 1, policies = argc > 2 ? (unsigned)atoi(argv[2]) : 4;
	own(arena) struct arena *a = arena_new();
	struct captured all = { .arena = a };

	if (!pcaps_there() || !live_may()) {
		tap_skip("../shared/data/pcaps is not here, or a network namespace needs root", "captures are judged by nft as by eval");
		return tap_done();
	}
	all.read = (struct pcaps_read){ .one = keep, .cls = &all };
	pcaps_all(&all.read);
	tap_note("%u captures are of no reader, %" PRIu64 " frames were cut, %" PRIu64 " are of other links, %" PRIu64
		 " longer than a link takes; of %" PRIu64 " nothing is said", all.read.closed, all.read.cut, all.read.others, all.longer, all.untold);
	judged_alike(&all, "", &gen_shape_still, seed, policies);
	judged_alike(&all, " of long lists", &nft_long_lists, seed, 1);
	return tap_done();
}
