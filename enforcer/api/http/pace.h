/*
 * pace - how fast one address may ask over TCP.
 *
 *     pace_take(p, address, PACE_REQUEST, now_ns)      false: too fast, and nothing was taken
 *
 * A token bucket an address (an IPv6 /64 is one): `rate` a second, two seconds' worth at most.
 * A request costs one; a refused token costs PACE_GUESS more, so that guessing is slow long before
 * asking is. There is room for PACE_ADDRESSES; beyond, who has not asked for the longest is forgotten,
 * which gives them a full bucket.
 */
#ifndef TEG_API_HTTP_PACE_H
#define TEG_API_HTTP_PACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "lang/base/own.h"

#define PACE_ADDRESSES 1024
#define PACE_REQUEST   1
#define PACE_GUESS     50

struct pace;

/* NULL when out of memory. A rate of 0 lets everything pass. */
struct pace *pace_new(unsigned rate);
void pace_free(struct pace *p);
OWN_FREE(pace, struct pace *)

bool pace_take(struct pace *p, const struct sockaddr *from, unsigned cost, uint64_t now_ns);

/* Takes it in any case: what there is not is owed, two seconds' worth at most. */
void pace_fine(struct pace *p, const struct sockaddr *from, unsigned cost, uint64_t now_ns);

#endif
