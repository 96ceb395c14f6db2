/*
 * nft_live - a network namespace of the test's own, in which rulesets judge real packets.
 *
 *     live_enter(&l, links, 3, &self)       fresh namespace, one link a zone, `self` as own addresses
 *     live_batch(&l, &batch, &why)          what the warden would send
 *     live_nft("flush chain inet …")        what a person would type
 *     live_arrive(&l, zone, frame, len)     a frame comes in on the zone's link
 *     live_leave(&l, zone, &packet)         the host sends a packet
 *     live_seen(&l, &seen)                  which counters have moved since
 *     live_exit(&l)
 *
 * The namespace has no name: it ends with the process, however that ends. The
 * tables `world` stand before and behind what is tested: they say where a packet
 * got, what connection tracking thinks of it, and swallow it, so that no packet
 * is answered and no flow begins, unless live_flows() has opened the way.
 *
 * What was sent is through when the call returns. A frame that a link takes lies in the queue of the processor that sent it,
 * and however late the kernel comes to that queue, it takes one after the other and each to its end. So the process stays
 * on one processor, and a bell sent behind the frames, on the loopback, is heard when all before it are through.
 */
#ifndef TEG_TEST_NFT_LIVE_H
#define TEG_TEST_NFT_LIVE_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler/ir/packet.h"
#include "lang/base/addr.h"
#include "lang/base/buf.h"
#include "lang/base/err.h"
#include "lang/bundle/batch.h"

#define LIVE_LINKS 8
#define LIVE_SEEN  1024

struct live {
	struct mnl_socket *nl;
	struct netset self; /* what the kernel took of the addresses asked for, and its loopback ones */
	const char *links[LIVE_LINKS];
	unsigned link_count;
	int feeds[LIVE_LINKS];	     /* AF_PACKET, bound to each link's other end */
	int raws[LIVE_LINKS][2];     /* AF_INET and AF_INET6, bound to each link */
	int bell;		     /* AF_PACKET, on the loopback */
	uint64_t rung;
	cpu_set_t before; /* where this process may run again when it leaves */
	uint32_t seq;
};

/* A counter that is not zero: "inet tegumentar HARDENED.web_in". */
struct live_row {
	char table[40]; /* "inet tegumentar" */
	char name[128];
	uint64_t packets;
};

struct live_seen {
	struct live_row at[LIVE_SEEN];
	unsigned count;
};

/* False when this process may not: then nothing was changed. */
bool live_may(void);

int live_enter(struct live *l, struct arena *a, const char *const *links, unsigned count,
	       const struct netset *self, struct err *why);
void live_exit(struct live *l);

/* One transaction. -errno as the kernel answered. */
int live_batch(struct live *l, const struct batch *b, struct err *why);

/* The `nft` program: text in, or a listing out. False when it refused; it says why itself. */
bool live_nft(const char *text);
bool live_list(const char *what, struct buf *out);

/* False also when the bell was not heard. */
bool live_arrive(struct live *l, unsigned link, const uint8_t *frame, size_t len);
bool live_leave(struct live *l, unsigned link, const struct packet *p);

/* Waits until all that was sent before is through. */
bool live_settles(struct live *l);

/* Reads every counter; the second sets them to zero too. False when there are more than LIVE_SEEN. */
bool live_look(struct live *l, struct live_seen *out);
bool live_seen(struct live *l, struct live_seen *out);
uint64_t live_count(const struct live_seen *s, const char *table, const char *name);

/*
 * Many at once: live_marks() once for the namespace; then of frames sent together each bears its number as a mark, and
 * the world's sets tell which have come where. No fragments are put together in such a namespace.
 */
enum live_place {
	LIVE_ARRIVED, /* at the first hook; what leaves does not */
	LIVE_AT_IN,
	LIVE_AT_FORWARD,
	LIVE_AT_OUT,
	LIVE_NEW,
	LIVE_ESTABLISHED,
	LIVE_RELATED,
	LIVE_INVALID,
	LIVE_UNTRACKED,
	LIVE_REPLY,
	LIVE_PASSED, /* behind the tested tables, in layer 4 */
	LIVE_PLACES,
};

#define LIVE_MANY 8192u

struct live_frame {
	unsigned link;
	bool leaves; /* sent by the host: the frame's Ethernet header is left out */
	const uint8_t *bytes;
	size_t len;
	struct addr to;
	bool refused; /* by the kernel: it was not sent */
};

bool live_marks(struct live *l);

/* All are through then, or were lost on their way. */
bool live_send(struct live *l, struct live_frame *at, unsigned count);

/*
 * Bits of places by number of the frame, since live_seen() was asked; then they are forgotten. A listing can leave out what
 * a set holds, for the kernel makes the set's table smaller or larger meanwhile, when it finds the time. So counters beside
 * the sets say how many each has taken, and they are listed until as many are known. False when they never are.
 */
bool live_came(struct live *l, uint16_t came[static LIVE_MANY]);

/* Packets that the tested tables admit go on, into connection tracking; the host's own are still swallowed. */
bool live_flows(void);

#endif
