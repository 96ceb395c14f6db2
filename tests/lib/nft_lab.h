/*
 * nft_lab - one policy in a namespace of its own, judged by nft and by eval.
 *
 *     nft_lab_open(&lab, policy, arena, &self, &why)      links, addresses; nothing is loaded
 *     nft_lab_send(&lab, 'a', &why)                       the batches of its bundle, into bank a
 *     nft_lab_hook(&lab, 'a')                             base chains, as the warden makes them
 *     nft_lab_posture(&lab, 1)                            another posture takes its place
 *     nft_lab_close(&lab)
 *
 * A packet that was sent moved some counters (nft_live.h); eval says which, and what becomes of it:
 *
 *     nft_judge(&lab, packet, &seen, &tally)
 */
#ifndef TEG_TEST_NFT_LAB_H
#define TEG_TEST_NFT_LAB_H

#include "compiler/emit/emit.h"
#include "compiler/emit/nft/nft.h"
#include "compiler/ir/eval.h"
#include "tests/lib/gen.h"
#include "tests/lib/nft_live.h"

#define NFT_OURS_INET	"inet tegumentar"
#define NFT_OURS_NETDEV "netdev tegumentar"
#define NFT_WORLD_INET	"inet world"

/* Interfaces: one a zone, by its number, and the last of no zone. */
#define NFT_LAB_LINKS	  4u
#define NFT_LAB_LINK_NONE 3u
#define NFT_LAB_WAN	  0u
extern const char *const nft_lab_links[NFT_LAB_LINKS];
unsigned nft_lab_link(unsigned zone);

struct nft_lab {
	struct arena *arena;
	struct ir *ir;
	struct moment *moment;
	struct live live;
	unsigned posture;
	struct emit_nft nft;
	struct plan plan;
	bool cookies; /* for servers behind */
};

int nft_lab_open(struct nft_lab *lab, struct policy *p, struct arena *a, const struct netset *self, struct err *why);
void nft_lab_close(struct nft_lab *lab);
bool nft_lab_send(struct nft_lab *lab, char bank, struct err *why);
bool nft_lab_hook(const struct nft_lab *lab, char bank);
bool nft_lab_posture(struct nft_lab *lab, unsigned posture);
bool nft_lab_unload(void);

/* One packet on the first link, and what was seen of it. */
bool nft_lab_arrives(struct nft_lab *lab, struct packet p, const void *payload, size_t len, struct live_seen *seen);

/* --- policies ------------------------------------------------------------------------------ */

/* The second zone is two patterns, one of them with a star; the link has the one or the other. Every
 * other rule about zones is also about interfaces of none. */
void nft_lab_widen(struct arena *a, struct policy *p, const char *one, const char *other);

/* Lists that stand in trees and maps. */
extern const struct gen_shape nft_long_lists;

struct pol_selector nft_lab_select(struct arena *a, uint16_t proto, const char *from, const char *to, uint16_t port);

/* Windows so long that a test's packets all come at one instant. */
struct policy *nft_lab_rated(struct arena *a);

/*
 * Policies of a shape, one from each seed, each in a lab of its own; `lan` are two patterns for its second zone. False, and told, when one
 * cannot be opened, or `one` says so.
 */
struct nft_lab_case {
	struct nft_lab *lab;
	struct gen *g;
	unsigned seed;
	void *cls;
};
struct nft_lab_series {
	const struct gen_shape *shape;
	const char *lan[2];
	unsigned first, count;
	void (*change)(struct policy *p);     /* or NULL */
	bool (*one)(const struct nft_lab_case *c);
	void *cls;
};
bool nft_lab_each(const struct nft_lab_series *s);

/* --- what eval says, and what is seen ------------------------------------------------------ */

/* What is to be seen of one packet in our two tables. */
struct nft_expected {
	const char *netdev, *inet; /* the counters that move, or NULL */
	bool passes;		   /* layer 4 admits; asked only when inet is there */
};

struct nft_tally {
	unsigned packets, hooks[DIRECTION_COUNT + 1], dropped_first, admitted, refused, causes;
};

bool nft_has_first_hook(const struct packet *p);
struct nft_expected nft_expect_first(struct nft_lab *lab, const struct packet *p);

void nft_expect_layer4(struct nft_lab *lab, const struct packet *p, struct nft_expected *e);

/* Of our table exactly this counter has moved, by one. */
bool nft_moved_only(const struct live_seen *s, const char *table, const char *name);
void nft_note_seen(const struct live_seen *s, const struct nft_expected *e);

/* Connection tracking is the world's, not ours: it is asked, not foretold. */
enum ct_state nft_state_seen(const struct live_seen *s);

/* Which hook of layer 4 the packet came to; DIRECTION_COUNT: none, the stack had its own reasons. */
enum direction nft_hook_seen(const struct live_seen *s);

/* A later fragment that begins with an extension header: no `meta l4proto`, so no rule on protocols sees it. */
bool nft_has_no_proto(const struct packet *p);

/* False when engine and eval differ: then it is noted how. Of `seen` what only tells is left out. */
bool nft_judge(struct nft_lab *lab, struct packet p, struct live_seen *seen, struct nft_tally *t);

#endif
