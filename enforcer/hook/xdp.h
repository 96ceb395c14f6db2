/*
 * xdp - the anchor and its links: one on each interface that XDP judges.
 *
 *     xdp_open(&x, pin_dir, slots, why)
 *     xdp_join(x, ifindex, XDP_NATIVE, why)     a program that lets all pass: it is attached, and judges nothing
 *     xdp_arm(x, ifindex, why)                  the anchor in its place, in one step
 *     xdp_leave(x, ifindex)
 *
 * An interface may have the anchor of another version of tegd, which judges by other slots: it has joined, and arming
 * puts our anchor in that one's place, in one step. xdp_put() puts back what was there before.
 *
 * Whatever of attaching can fail, fails in join, where no packet is judged
 * otherwise than before. Links are pinned as link_IFINDEX and outlive this process;
 * the pins are the truth, and no list of links is kept here.
 */
#ifndef TEG_HOOK_XDP_H
#define TEG_HOOK_XDP_H

#include <stdbool.h>
#include <stdint.h>

#include "lang/base/err.h"
#include "lang/base/own.h"

enum xdp_mode { XDP_NATIVE, XDP_GENERIC };

struct xdp;

/* `slots` is borrowed. */
int xdp_open(struct xdp **out, const char *pin_dir, int slots, struct err *why);
void xdp_free(struct xdp *x);
OWN_FREE(xdp, struct xdp *)

/* What of ours is on an interface. */
struct xdp_link {
	bool there;	    /* our link is attached to it */
	bool armed;	    /* and it is the anchor */
	bool judges;	    /* or that of another version */
	uint32_t program;   /* the kernel's number for it */
	enum xdp_mode mode;
};

int xdp_look(struct xdp *x, uint32_t ifindex, struct xdp_link *out, struct err *why);

/*
 * The same, but the mode, as the pinned link alone says it: a quarter of the time, since no netlink is spoken. It holds, for while a link is attached the
 * kernel lets nobody else attach; but of an interface that has moved to another namespace the link knows the number it has there.
 */
int xdp_look_link(struct xdp *x, uint32_t ifindex, struct xdp_link *out, struct err *why);

/* -EBUSY when somebody else's program is there: it is left alone. */
int xdp_join(struct xdp *x, uint32_t ifindex, enum xdp_mode mode, struct err *why);
int xdp_arm(struct xdp *x, uint32_t ifindex, struct err *why);
int xdp_put(struct xdp *x, uint32_t ifindex, int program, struct err *why);
void xdp_leave(struct xdp *x, uint32_t ifindex);

/* Leaves every interface for which keep() says no; also those that are gone. */
void xdp_leave_others(struct xdp *x, bool (*keep)(uint32_t ifindex, void *context), void *context);

/* Is the anchor pinned, for the next start? Repair pins it again. */
bool xdp_is_pinned(struct xdp *x, bool repair);

#endif
