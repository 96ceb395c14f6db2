/*
 * ports - the interfaces of a generation's zones, and what judges layers 1 to 3
 * on each: XDP in the driver, XDP in the stack, TC, or nft.
 *
 *     ports_match(&p, plan, &links, why)        which interfaces
 *     ports_choose(&p, &wish, why)              which engine; attached where needed, judging nothing
 *     ...
 *     ports_arm(&p, &hooks, why)                XDP and TC judge
 *     ports_abandon(&p, &hooks)                 or: as if never chosen
 *
 * What another version of tegd attached judges until ports_arm(), and is not abandoned.
 *
 * Layer 4 knows frames of a bridge's, a bond's or a VRF's port as that interface's. So a port says when that is not in its zones;
 * and where it is a port too, or a VLAN device on it is, which judges again what goes up there.
 *
 * Another program's XDP is respected: there TC judges, or, when XDP was asked for outright, staging
 * fails. Where frames have no Ethernet header, as on tunnels, only nft can read them.
 */
#ifndef TEG_HOOK_PORTS_H
#define TEG_HOOK_PORTS_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "enforcer/hook/route.h"
#include "enforcer/hook/tc.h"
#include "enforcer/hook/xdp.h"
#include "enforcer/proc/settings.h"
#include "lang/base/arena.h"
#include "lang/base/err.h"
#include "lang/bundle/plan.h"

enum port_engine { PORT_NATIVE, PORT_GENERIC, PORT_TC, PORT_NFT, PORT_ENGINES };

struct port {
	uint32_t ifindex;
	char name[IFNAMSIZ];
	uint64_t zones; /* bit per zone of the plan */
	enum port_engine engine;
	bool waits;	/* for ports_arm() */
	bool joined;	/* attached by ports_choose(), and judging nothing yet */
	uint32_t before; /* the program that ports_arm() put the anchor in the place of, by the kernel's number */
	bool left;	/* others took away what judged here, and it is only told of: ports_choose() changes nothing */
	bool has_ethernet;
	char reason[192];
	char seen_as[IFNAMSIZ]; /* the bridge, bond or VRF whose port it is, where that is not in all of its zones; else empty */
	char again[2 * IFNAMSIZ]; /* those above it that judge its frames again: "br0", "w0.5, …"; else empty */
};

struct ports {
	struct port *at;
	size_t len;
};

/* Everything in the arena. Loopback is in no zone, whatever the pattern. */
void ports_match(struct ports *out, const struct plan *plan, const struct links *links, struct arena *a);

/* -ENODEV and a sentence when a zone names an interface outright that is not there. */
int ports_are_there(const struct plan *plan, const struct links *links, struct err *why);

/* The name a zone gives outright for which there is no interface, from number *at on; NULL at the end. */
const char *ports_missing(const struct plan *plan, const struct links *links, uint32_t *zone, uint32_t *pattern);

/* What programs are attached with, and who knows whether an interface is still there. */
struct port_hooks {
	struct xdp *xdp;
	struct tc *tc;
	struct route *route;
};

/*
 * Without hooks no program can be had, for the reason `without`; without the second, not TC. Strict: when an engine that was asked for
 * outright is impossible on a port, none is attached; else nft judges there, and the port says why. A port whose interface is gone by
 * then is none any more.
 */
struct port_wish {
	struct port_hooks hooks;
	enum engine asked;
	const char *without, *without_tc;
	const struct ports *before; /* what was chosen before, for the reason of what stays; or NULL */
	bool strict;
};
int ports_choose(struct ports *p, const struct port_wish *wish, struct err *why);
void ports_abandon(struct ports *p, const struct port_hooks *h);
/*
 * Those where nft judges and whose interface is gone are none any more; true when there were some. Before Linux 6.16 the kernel makes no
 * chain for such a one, and refuses all that comes with it: what was refused is tried again without them.
 */
bool ports_forget_gone(struct ports *p, const struct port_hooks *h);
/* Those whose interface is gone are passed over. */
int ports_arm(struct ports *p, const struct port_hooks *h, struct err *why);

/* What ports_arm() did, undone: also when it failed. */
void ports_disarm(struct ports *p, const struct port_hooks *h);

/* TC's program cannot be had after all: nft judges there, and the port says why. */
void ports_without_tc(struct ports *p, const struct port_hooks *h, const char *reason);

static inline bool port_has_xdp(const struct port *p)
{
	return p->engine == PORT_NATIVE || p->engine == PORT_GENERIC;
}

/* Borrowed, or NULL. */
struct port *ports_find(const struct ports *p, uint32_t ifindex);

bool ports_use(const struct ports *p, enum port_engine e);

/* "xdp-native", "xdp-generic", "tc", "nft" */
const char *port_engine_name(enum port_engine e);

#endif
