/*
 * parts - what the steps of a generation's life share.
 *
 *     content.c   the bundle, read and checked
 *     signer.h    may it follow the one in force?
 *     rehearse.h  its tests' packets, through the program that is staged
 *     stage.c     everything that can fail, where no packet sees it; and its undoing
 *     commit.c    the bridged switch, and settling after it
 *     posture.c   another posture of the same generation
 *     links.c     interfaces that come and go
 *     adopt.c     the handle of what an earlier process committed
 */
#ifndef TEG_WARDEN_GENERATION_PARTS_H
#define TEG_WARDEN_GENERATION_PARTS_H

#include "enforcer/warden/generation/generation.h"

struct generation *generation_new(void);

/* Sets code and part, and returns what no->why says. */
int generation_refuse(struct refusal *no, enum result_code code, const char *part);

/* UINT32_MAX when the policy has none of that name. */
uint32_t generation_posture_find(const struct plan *p, const char *name);

/* Where TC's program is pinned while a switch is under way. */
void generation_next_tc(char out[static 4096], const struct kernel *k);

/* The path of a file in the state directory. */
void generation_path(char out[static 300], const struct kernel *k, const char *name);

struct port_wish generation_wish(const struct generation *g, const struct kernel *k, const struct ports *before, bool strict);

/* A batch into its bank; `clear`: what an earlier attempt left there goes in the same transaction. */
int generation_put_batch(struct kernel *k, const struct batch *b, char bank, bool clear, struct err *why);

/* The bundle that was kept of the generation, opened over its bytes, which come back in an empty buffer. */
struct bundle;
int generation_bundle(struct bundle **out, struct buf *bytes, const struct generation *g, const struct kernel *k, struct err *why);

/* The generation's program for TC, loaded and tried: by the tables that it has. */
int generation_join_tc(struct generation *g, const struct bundle *b, struct err *why);

/* Links of interfaces that are in no zone any more, or that are judged otherwise now, go. */
void generation_leave_others(struct generation *g, struct kernel *k);

/*
 * Whichever engine judges on these ports knows the runtime blocks of the other, and nft what is on the plan's feeds; what
 * cannot be carried over is said.
 */
/* Runtime blocks and feeds, to who judges by these ports; `settled`: nobody else judges any more. */
void generation_carry(struct kernel *k, char bank, const struct plan *p, const struct ports *ports, bool settled);

/* In a posture that cuts, flows that are under way end. */
int generation_cut_flows(const struct generation *g, struct kernel *k, struct err *why);

#endif
