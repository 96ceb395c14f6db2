/*
 * told - packets that the first hook's programs told of, read from their ring, and those that rules of nft told of, from
 * the kernel's packet log (nflog.h), handed on to the api.
 *
 *     t = told_new(kernel)
 *     told_follow(t, live)                            whose names they are
 *     poll(told_fds(t, now, fds), …, told_in_ms(t, now))
 *     told_read(t, kernel, talk, now, &why)            names for numbers, and on they go
 *
 * Here nothing of a packet is looked at: a record of fixed size (struct teg_event) gets the names
 * of what decided, and the process without privilege makes words of it. After a read the
 * tick goes on, upon which rules may tell again (bpf-templates/event.h), and the ring rests for
 * TOLD_REST_MS: so a flood wakes the warden ten times a second, and quiet never.
 *
 * What is lost is counted: by the program, what the ring had no room for and what was more than a
 * tick's share; by nft, what was more than a rule's rate; here, what the api did not take in time. The warden never waits for it.
 */
#ifndef TEG_WARDEN_TOLD_H
#define TEG_WARDEN_TOLD_H

#include "enforcer/warden/generation/generation.h"
#include "enforcer/warden/talk.h"

#define TOLD_REST_MS 100
#define TOLD_AT_ONCE 1024 /* of one read; what is more is lost, and counted */

struct told;

/* NULL where there is no memory; without XDP there is no ring, and where another process has its group no packet log: which is said. The kernel's descriptors are borrowed. */
struct told *told_new(const struct kernel *k);
void told_free(struct told *t);
OWN_FREE(told, struct told *)

/* To wait for: -1 while they rest, and then they are read at the latest in so many milliseconds (UINT64_MAX: when something comes). */
#define TOLD_FDS 2
void told_fds(const struct told *t, uint64_t now_ms, int out[static TOLD_FDS]);
uint64_t told_in_ms(const struct told *t, uint64_t now_ms);

/*
 * The generation in force; NULL when none is. Its names are copied: events that an earlier one told, and that are
 * read later, keep theirs. To be called before the generation before is freed, and whenever interfaces change.
 */
void told_follow(struct told *t, const struct generation *g);

/* Without a socket nobody is told. A negative errno when the other end is broken. */
int told_read(struct told *t, struct kernel *k, struct talk *to, uint64_t now_ms, struct err *why);

/* Is the packet log ours? */
bool told_hears_nft(const struct told *t);

/* What became of them since the maps were made, and what was lost here since the start: all but the source. */
void told_count(const struct told *t, const struct kernel *k, struct status_events *out);

#endif
