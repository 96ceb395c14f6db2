/*
 * anchor - what is attached to an interface, once and for good.
 *
 *     frame ──► anchor ──► teg_slots[0] ──► the active generation's policy program
 *                  └── empty: pass
 *
 * A first native attach resets the link of real network cards, and detaching
 * leaves milliseconds with no policy at all; so the anchor stays, and a policy
 * is put into its slot by one atomic store. The slot is empty only before the
 * first policy: then there is nothing to enforce yet and every frame goes on.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf-templates/hook.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} FRAME_SLOTS SEC(".maps");

SEC(FRAME_SECTION)
int anchor(struct frame_ctx *ctx)
{
	bpf_tail_call(ctx, &FRAME_SLOTS, 0);
	return FRAME_PASS;
}

char LICENSE[] SEC("license") = "GPL";
