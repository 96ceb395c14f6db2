/*
 * frame - a frame as the hook hands it over. The same templates are compiled for two:
 *
 *                         struct frame_ctx   its first part      its other parts            a VLAN tag
 *     XDP                 xdp_md             its first buffer    buffers (kernel 5.18)      where it was sent
 *     TC (TEG_FRAME_TC)   __sk_buff          what is linear      pages                      taken off, beside the frame
 *
 * What both have by the same name is read as it is: data, data_end, and ingress_ifindex, which in
 * TC is skb->skb_iif: the stack sets it to the interface whose hooks it runs.
 *
 * TC stands behind GRO: segments of one flow that came together are one frame, of up to 64 KB and
 * more. It is one packet of its own length, in counters and in rates, as it is to nft.
 */
#ifndef TEG_FRAME_H
#define TEG_FRAME_H

#include <linux/if_ether.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf-templates/config.h"
#include "bpf-templates/hook.h"

#ifdef TEG_FRAME_TC

#define FRAME_PULLED 4096u /* as far as a header may end: as much as a first buffer of XDP has */

static __always_inline bool frame_has_parts(void)
{
	return true;
}

/* All parts, without a tag that was taken off. */
static __always_inline __u32 frame_held(struct frame_ctx *ctx)
{
	return ctx->len;
}

static __always_inline long frame_load(struct frame_ctx *ctx, __u32 at, void *to, __u32 len)
{
	return bpf_skb_load_bytes(ctx, at, to, len);
}

/* What is beyond so many bytes goes. */
static __always_inline bool frame_cut(struct frame_ctx *ctx, __u32 len)
{
	return frame_held(ctx) <= len || !bpf_skb_change_tail(ctx, len, 0);
}

/* The verdict that sends the frame where it came from. */
static __always_inline int frame_send_back(struct frame_ctx *ctx)
{
	return (int)bpf_redirect(ctx->ifindex, 0);
}

/* VLAN tags that are not in the frame any more. */
static __always_inline __u32 frame_lost_tags(const struct frame_ctx *ctx)
{
	return ctx->vlan_present ? 1 : 0;
}

/* The tag as it was sent: the protocol, and its control information. */
static __always_inline __be32 frame_lost_tag(const struct frame_ctx *ctx)
{
	return bpf_htonl(bpf_ntohs((__be16)ctx->vlan_proto) << 16 | (ctx->vlan_tci & 0xffff));
}

/*
 * What may be headers moves into the first part; false when it was there. How much is there at first is up to
 * the card, and to the sender where that is this host, but headers nearly always are: asked when one was not found.
 */
static __always_inline bool frame_pull(struct frame_ctx *ctx)
{
	const __u32 most = ctx->len < FRAME_PULLED ? ctx->len : FRAME_PULLED;

	return ctx->data_end - ctx->data < most && !bpf_skb_pull_data(ctx, most);
}

/* IP's length of what begins at `at`: merged segments of more than 64 KB say 0 (BIG TCP; iph_totlen() of the kernel). */
static __always_inline __u32 frame_ip_len(const struct frame_ctx *ctx, __u32 at, __u32 header, __u32 said)
{
	return !said && ctx->gso_segs > 1 ? ctx->len - at : said + header;
}

#else

static __always_inline bool frame_has_parts(void)
{
	return gen_config.host & TEG_HOST_FRAGS;
}

static __always_inline __u32 frame_held(struct frame_ctx *ctx)
{
	return frame_has_parts() ? (__u32)bpf_xdp_get_buff_len(ctx) : ctx->data_end - ctx->data;
}

static __always_inline long frame_load(struct frame_ctx *ctx, __u32 at, void *to, __u32 len)
{
	return bpf_xdp_load_bytes(ctx, at, to, len);
}

static __always_inline bool frame_cut(struct frame_ctx *ctx, __u32 len)
{
	const __u32 held = frame_held(ctx);

	return held <= len || !bpf_xdp_adjust_tail(ctx, (int)len - (int)held);
}

static __always_inline int frame_send_back(struct frame_ctx *ctx __attribute__((unused)))
{
	return XDP_TX;
}

static __always_inline __u32 frame_lost_tags(const struct frame_ctx *ctx __attribute__((unused)))
{
	return 0;
}

static __always_inline __be32 frame_lost_tag(const struct frame_ctx *ctx __attribute__((unused)))
{
	return 0;
}

static __always_inline bool frame_pull(struct frame_ctx *ctx __attribute__((unused)))
{
	return false;
}

static __always_inline __u32 frame_ip_len(const struct frame_ctx *ctx __attribute__((unused)),
					  __u32 at __attribute__((unused)), __u32 header, __u32 said)
{
	return said + header;
}

#endif

/* As it was sent. */
static __always_inline __u32 frame_len(struct frame_ctx *ctx)
{
	return frame_held(ctx) + 4 * frame_lost_tags(ctx);
}

#endif
