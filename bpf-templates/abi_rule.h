/* abi_rule - rules, and the boxes that packets lie in, as the plan has them and as a program walks them: see abi.h. */
#ifndef TEG_ABI_RULE_H
#define TEG_ABI_RULE_H

#include <linux/types.h>

#define TEG_SETS_MAX 62u
#define TEG_SET_SELF (1ull << 63) /* added at look-up when teg_self has the address */

/*
 * A box as the plan has it, in order of judgement: lifelines, blocks, reflexes.
 * A packet matches when every field does. The program walks cells, made of them.
 */
enum { TEG_IP4 = 1, TEG_IP6 = 2 };
enum { TEG_WHOLE = 1, TEG_FIRST = 2, TEG_LATER = 4 };
#define TEG_PROTO_ANY 256u
#define TEG_BOXES_MAX 512u
#define TEG_CELLS_SHORT 8u /* of a list that is asked without calls, unless the policy looks into payloads */
#define TEG_CELLS_A_PART 32u /* of a long list; so many less one are behind the last cell of gen_cells, and match nothing */
#define TEG_RULES_MAX 120000u /* two generations have counter slots at a time */

struct teg_box {
	__u64 zones;	     /* any bit in common with the interface's */
	__u64 src, dst;	     /* any bit in common with the sets of the address; 0: not asked */
	__u16 sport_lo, sport_hi;
	__u16 dport_lo, dport_hi;
	__u16 icmp_lo, icmp_hi; /* type << 8 | code */
	__u16 proto;	     /* number or TEG_PROTO_ANY */
	__u8 families, fragments;
	__u8 flags_mask, flags_want;
	__u8 mark;	     /* 1 + bit: only when that was found in the payload; 0: not asked */
	__u8 pad;
	__u32 rule;	     /* index into gen_rules */
};
_Static_assert(sizeof(struct teg_box) == 48, "abi");

/*
 * gen_cells: one value of box_count cells, in the boxes' order. A cell is a box
 * in the form that is compared fastest: what must be equal is one masked word.
 *
 *     head    31..29 fragment | 28..24 family | 23..16 TCP flags | 15..0 protocol
 *
 * ((head ^ want) & mask) is 0 when it matches. Families and fragments are one bit
 * each in a packet's head; in a cell's mask stand those that it does not admit.
 *
 *     ports   56 sentinel | 55..40 icmp | 36 sentinel | 35..20 dport | 16 sentinel | 15..0 sport
 *
 * One subtraction compares all three with where their ranges begin, another with where they end: a
 * sentinel that is set before is taken away by what is out of range, and by nothing else.
 */
#define TEG_HEAD(proto, flags, family, fragment)                                                   \
	((__u32)(fragment) << 29 | (__u32)(family) << 24 | (__u32)(flags) << 16 | (__u32)(proto))
#define TEG_PORTS(sport, dport, icmp) ((__u64)(icmp) << 40 | (__u64)(dport) << 20 | (__u64)(sport))
#define TEG_PORTS_SENTINELS (1ull << 56 | 1ull << 36 | 1ull << 16)

struct teg_cell {
	__u32 want, mask;
	__u64 zones, src, dst; /* any bit in common; what asks for none has all */
	__u64 ports_lo;
	__u64 ports_hi; /* with its sentinels */
	__u32 rule;
	__u32 mark; /* as a box's */
};
#define TEG_SET_ANY (1ull << 62) /* every address is in it */
_Static_assert(sizeof(struct teg_cell) == 56, "abi");

/* gen_rules: one value of rule_count rules. */
#define TEG_ONE_IN_MAX 1000000u
enum teg_act { TEG_ACT_PASS, TEG_ACT_DROP, TEG_ACT_TELL /* and what stands behind decides */,
	       TEG_ACT_COOKIES /* what is over, while the listener has no room for it: see cookie.h */ };
enum teg_key { TEG_KEY_SOURCE, TEG_KEY_DESTINATION, TEG_KEY_FLOW, TEG_KEY_ALL };

struct teg_rule {
	__u64 except;		   /* bit per posture in which it is silent */
	__u64 cost_ns, depth_ns;   /* rate: matches only what finds the bucket empty; cost 0: no rate */
	__u64 bytes;		   /* the cost is of so many bytes; 0: of a packet */
	__u64 block_ns;		   /* also block the source so long; 0: do not */
	__u64 bucket;		   /* what shares its tokens has the same: emit_xdp_bucket() */
	__u32 counter_slot;
	__u8 act;		   /* enum teg_act */
	__u8 key;		   /* enum teg_key: what each bucket is for */
	__u8 key_bits4, key_bits6; /* of that address */
	__u32 one_in;		   /* of so many packets one is told, 1 to TEG_ONE_IN_MAX */
	__u8 tells;		   /* the policy asks for an event: 1 + enum event_severity; 0: it does not */
	__u8 sketch_bits;	   /* of a rate, by who loads: its slice of the sketch is 2^so many words, */
	__u16 sketch;		   /* and the slice's number */
};
_Static_assert(sizeof(struct teg_rule) == 64, "abi");

#endif
