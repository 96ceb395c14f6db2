/*
 * slot - what every hook of the kernel needs alike: an anchor that stays, and the slot it calls.
 *
 *     slot_anchor(&anchor, TEG_HOOK_XDP, slots, path, why)    the pinned one, or a new one that is pinned
 *     slot_put(slots, program, why)                           judges from the next packet on
 */
#ifndef TEG_HOOK_SLOT_H
#define TEG_HOOK_SLOT_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/bpf.h>

#include "bpf-templates/abi.h"
#include "lang/base/err.h"

int slot_anchor(int *out, enum teg_hook hook, int slots, const char *path, struct err *why);

/* Is this very program pinned there, for the next start? Repair pins it again. */
bool slot_anchor_is_pinned(int anchor, const char *path, bool repair);

/* A program that lets all pass, and may stand in for the hook's anchor. */
int slot_pass(int *out, enum teg_hook hook, struct err *why);

/* The program of a link or filter that we pinned: our anchor, or the one of another version of tegd, which judges too. */
enum slot_whose { SLOT_ANCHOR, SLOT_OLDER, SLOT_PASS, SLOT_NOBODY };
enum slot_whose slot_whose(uint32_t program, uint32_t anchor);

/* What whoever loaded it called it; "" when it is gone. */
void slot_program_name(uint32_t program, char out[static BPF_OBJ_NAME_LEN]);

/* The program in the slot: its number in the kernel, 0 when the slot is empty. */
int slot_read(int slots, uint32_t *program, struct err *why);
int slot_put(int slots, int program, struct err *why);
int slot_clear(int slots, struct err *why);

/* Of any program: the kernel's number and tag. */
int slot_program_is(int program, uint32_t *number, uint64_t *tag, struct err *why);

#endif
