/*
 * abi - what the XDP program and user space both read.
 *
 * Fixed widths, explicit padding, a size assertion each. Addresses and ports
 * inside map keys are in network order, everything else in host order (both
 * sides run on one machine).
 *
 *   anchor.bpf.o   attached once per interface, never detached: tail-calls slot 0 of teg_slots
 *   policy.bpf.o   one program for every policy: walks the generation's tables
 *   anchor_tc.bpf.o, policy_tc.bpf.o   the same where XDP cannot be had: slot 0 of teg_tc_slots
 *
 * Maps that outlive a generation are pinned by name in the pin directory and
 * shared (teg_*); a generation's own tables are made new for it (gen_*).
 * enforcer/hook/tables/tables.h makes, fills and finds them.
 */
#ifndef TEG_ABI_H
#define TEG_ABI_H

#include <linux/types.h>
#include <stdbool.h>

/*
 * Raised by whoever changes a layout. A pinned map (teg_*) also has the version since which it is as it is: in its row in
 * hook/shared.c, and so in its pin's name; what it has in common with the form before, hook/older.c carries over.
 * TEG_PLAN_OLDEST rises when a generation's own tables (gen_*) or the plan change, so that older plans cannot be used.
 */
#ifndef TEG_ABI_VERSION
#define TEG_ABI_VERSION 16u
#endif
#define TEG_PLAN_OLDEST 15u

/* As if every pinned map had changed in this version: for tests. */
#ifndef TEG_FORM_LEAST
#define TEG_FORM_LEAST 0u
#endif

/* ---- shared, pinned: teg_* ------------------------------------------------ */

/* Where programs stand; both share all maps but the slots. */
enum teg_hook { TEG_HOOK_XDP, TEG_HOOK_TC, TEG_HOOKS };

/* teg_slots, teg_tc_slots: program array of one, read by the anchor. Empty before the first policy: all pass. */

/*
 * teg_active: array of one, mmapable. The posture is switched by one store. Two
 * generations alternate between two banks, each with a word of its own: the next
 * one's is set before its program is in the slot, so that putting it there switches
 * program and posture at once.
 */
#define TEG_BANKS 2u
struct teg_active {
	__u32 posture[TEG_BANKS]; /* index in the generation of that bank */
	__u64 blocks_until_ns;	/* no runtime block ends after this: from then on none is looked up.
				 * Whoever places a block raises it first; nobody lowers it. */
	__u32 tick;		/* of events: see event.h */
	__u32 nets;		/* TEG_IP4, TEG_IP6: of these families networks are blocked at run time */
};
_Static_assert(sizeof(struct teg_active) == 24, "abi");

/*
 * teg_counters: array, mmapable: all slots of the first CPU, then those of the next, by the number that a program has of its
 * CPU. So a count is one line of memory; a per-CPU array would lead there by a pointer for each slot, which is in no cache
 * either where rules are many. Slots belong to stable ids, see hook/ledger. What has a slot from TEG_SLOTS_FIRST on is
 * in teg_more, which is made when the first policy needs it and is the same for the others.
 */
#define TEG_SLOTS_FIRST 16384u
#define TEG_COUNTER_SLOTS 262144u
#define TEG_SLOTS_MORE (TEG_COUNTER_SLOTS - TEG_SLOTS_FIRST)
struct teg_counter {
	__u64 packets, bytes; /* bytes from the IP header on; of malformed frames: all */
	__u32 told_at;	      /* packets, the low half, when an event last told of it */
	__u32 pass;	      /* so many more are not drawn, of `sample 1/N` */
	__u32 tick, told;     /* events in that tick */
};
_Static_assert(sizeof(struct teg_counter) == 32, "abi");

/* teg_causes: per-CPU array of struct teg_counter by enum cause. */

struct teg_addr {
	__u8 bytes[16]; /* network order; IPv4 as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2) */
};
_Static_assert(sizeof(struct teg_addr) == 16, "abi");

/*
 * teg_self: array of one, mmapable. This host's own addresses, in sets of four
 * by a hash. One of two banks is read; the other is written whole and then made
 * the one, so that a packet meets all old addresses or all new ones. The seed is
 * one under which no set has a fifth. :: is nobody's and marks a free place.
 */
#define TEG_SELF_SETS 512u /* 2^9: teg_self_set() gives 9 bits */
#define TEG_SELF_WAYS 4u
#define TEG_SELF_MAX 512u  /* addresses */
struct teg_self {
	__u32 bank;
	__u32 pad;
	__u64 seed[TEG_BANKS]; /* odd */
	__u64 at[TEG_BANKS][TEG_SELF_SETS][TEG_SELF_WAYS][2]; /* a teg_addr as two words */
};

static inline __u32 teg_self_set(__u64 seed, __u64 first, __u64 second)
{
	return ((first * seed ^ second) * seed) >> 55; /* the top bits know all others */
}

/* What a limit has a bucket for, or a block a hint: an address cut to key_bits, or none. */
struct teg_source {
	struct teg_addr addr; /* host bits zero; all zero where one bucket is for all */
	__u64 bucket;	      /* the rule's */
};
_Static_assert(sizeof(struct teg_source) == 24, "abi");

/*
 * teg_buckets: array of one, mmapable. Token buckets by source and limit, four to a
 * cache line. A bucket is the moment at which it was, or
 * would have been, empty: it holds now - empty_ns nanoseconds, at most its
 * depth. That is nft_limit.c's pair (tokens, last) in one word, so that one
 * compare-and-swap takes a token, and a changed rate keeps its state.
 *
 * A source is known by 40 bits of a hash under a secret seed, which also says where
 * it may stand, and until when it is kept: until its bucket is full again, and half a
 * minute longer. Near sets are taken first: few sources are close together, in
 * a core's second cache. Who finds all four of its near set kept, and no place far, takes its tokens
 * from the sketch: no flood of new sources displaces one that is known.
 *
 *     who    63..24 name | 23..0 kept until, in units of 2^30 ns; wraps, which empty_ns tells
 *
 * Near, each set has a gate. It says at which place a source can only be, and before when there will be none for
 * another, up to a minute ahead. The beginning of a name is never 0, which is a free place's.
 *
 *     gate   63..24 the first 10 bits of each place's name, the first place's lowest | 23..0 all four are kept before
 *
 * Far, places are in rows, and are taken one behind the other as sources come: so a new one is written where the line
 * is near already. A name says its row and a word of it, and the word in which line of the row it can only be: no two of a word's
 * tags are the same. All words fit a second cache, which the places do not. A row has as many places as its words have parts.
 *
 *     word   four parts: 15..7 tag, never 0 | 6..0 line; 0: none
 *     head   the place where the next one is looked for
 *     visit  63..32 the unit from which on | 31..0 the place from which on those are looked for whose time is over
 *
 * The sketch has two rows of buckets without names. A rule has a slice of them, and there
 * two words, one a row, for each /24 or /48 and whatever else has the same hash; a
 * packet is over when both are empty.
 */
#define TEG_NEAR_SETS 2048u    /* a power of two */
#define TEG_BUCKET_WAYS 4u
#define TEG_BUCKET_UNTIL 24u   /* bits */
#define TEG_BUCKET_UNIT 30u    /* of 2^so many ns */
#define TEG_BUCKET_KEPT 28u    /* units */
#define TEG_BUCKET_KEPT_MOST (1u << 22)
#define TEG_BUCKET_AHEAD (TEG_BUCKET_KEPT + TEG_BUCKET_KEPT_MOST) /* units: none is kept for longer */
#define TEG_GATE_BITS 10u      /* of each name */
#define TEG_GATE_AHEAD 63u     /* units; the fewer, the rarer a gate that nobody passed for months is read as kept */
#define TEG_FAR_WORDS 32768u   /* powers of two */
#define TEG_FAR_ROWS 256u
#define TEG_FAR_LINE_BITS 7u
#define TEG_FAR_TAG_BITS (16u - TEG_FAR_LINE_BITS)
#define TEG_FAR_ROW (TEG_BUCKET_WAYS << TEG_FAR_LINE_BITS) /* places */
#define TEG_BUCKET_PLACES (TEG_NEAR_SETS * TEG_BUCKET_WAYS + TEG_FAR_ROWS * TEG_FAR_ROW)
#define TEG_SKETCH_ROWS 2u
#define TEG_SKETCH_WORDS 32768u /* a row; a power of two */
#define TEG_SKETCH_SLICE_MOST 2048u
#define TEG_SKETCH_BITS4 24u
#define TEG_SKETCH_BITS6 48u
struct teg_bucket {
	__u64 who;	/* 0: free */
	__u64 empty_ns; /* by ticks since the boot, or CLOCK_MONOTONIC with a fine clock; may lie before 0 (wraps) */
};
struct teg_bucket_row {
	__u64 head, visit;
};
struct teg_buckets {
	__u64 seed[2]; /* random, odd */
	__u64 pad[6];
	__u64 gate[TEG_NEAR_SETS];
	__u64 word[TEG_FAR_WORDS];
	struct teg_bucket_row row[TEG_FAR_ROWS];
	struct teg_bucket near[TEG_NEAR_SETS][TEG_BUCKET_WAYS];
	struct teg_bucket far[TEG_FAR_ROWS * TEG_FAR_ROW];
	__u64 sketch[TEG_SKETCH_ROWS][TEG_SKETCH_WORDS]; /* empty_ns */
};
_Static_assert(sizeof(struct teg_bucket) * TEG_BUCKET_WAYS == 64, "abi");
_Static_assert(TEG_GATE_BITS * TEG_BUCKET_WAYS + TEG_BUCKET_UNTIL == 64, "abi");
_Static_assert(TEG_FAR_ROWS * TEG_FAR_ROW == TEG_BUCKET_WAYS * TEG_FAR_WORDS, "abi");

/* Where a name stands: by its lowest bits near, by the next ones far. */
static inline __u32 teg_far_word(__u64 who)
{
	return (__u32)(who >> TEG_BUCKET_UNTIL) & (TEG_FAR_WORDS - 1);
}

static inline __u32 teg_far_row(__u64 who)
{
	return (__u32)(who >> TEG_BUCKET_UNTIL) & (TEG_FAR_ROWS - 1);
}

static inline __u64 teg_far_tag(__u64 who)
{
	const __u64 tag = who >> (TEG_BUCKET_UNTIL + 15) & ((1u << TEG_FAR_TAG_BITS) - 1);

	return tag | !tag;
}

/*
 * teg_blocks: array, mmapable: how struct teg_blocks begins, then a set each, since Linux before 6.0 makes no table of a value beyond
 * 4 MB; in memory they are one. Runtime blocks, 16 bytes each, in sets of four that share a cache line.
 * A source is mixed by a bijection of 64 bits under a secret seed: 18 bits are the number of its first
 * set, the others stand in the place, from which the source can so be told again. Where the first set is full it is in
 * the other, and the first's first place says that there are such.
 *
 *     key     63..18 what the set does not say | 17..0 counter slot of what placed it
 *     meta    63 a network | 62..4 until when, CLOCK_MONOTONIC; past: not blocked any more | other flags
 *
 * A network is a word too: its address, at the word's top, and behind the last bit of it a one. So the lowest one of the word says how long
 * it is, and the packet's word is masked and marked by that bit alone. People block networks, so the warden alone places them.
 *
 *     203.0.113.0/24     cb 00 71 80 00 00 00 00     2001:db8::/32     20 01 0d b8 80 00 00 00
 */
#define TEG_BLOCK_SETS 262144u /* 2^18 */
#define TEG_BLOCK_WAYS 4u
#define TEG_BLOCKS_MAX 1048576u
#define TEG_BLOCK_BITS4 32u
#define TEG_BLOCK_BITS6 64u
#define TEG_BLOCK_REST_BITS 46
#define TEG_BLOCK_REST ((1ull << TEG_BLOCK_REST_BITS) - 1)
#define TEG_BLOCK_BY_BITS 18
#define TEG_BLOCK_BY ((1u << TEG_BLOCK_BY_BITS) - 1)
#define TEG_BLOCK_NOBODY TEG_BLOCK_BY /* no rule placed it */
#define TEG_BLOCK_UNKNOWN (TEG_BLOCK_BY - 1) /* nft placed it, which does not say by what */
#define TEG_BLOCK_NET (1ull << 63)
#define TEG_BLOCK_META(until_ns) ((__u64)(until_ns) << 4 & ~TEG_BLOCK_NET)
#define TEG_BLOCK_UNTIL(meta) (((__u64)(meta) & ~TEG_BLOCK_NET) >> 4)
#define TEG_BLOCK_IP6 1ull
#define TEG_BLOCK_SECOND 2ull  /* in the second of its sets */
#define TEG_BLOCK_WHOSE (TEG_BLOCK_NET | TEG_BLOCK_IP6 | TEG_BLOCK_SECOND)
#define TEG_BLOCK_SPILLED 4ull /* of a set's first place: some for which this is the first set are in another */
#define TEG_BLOCK_CLAIMED 8ull /* being written */
#define TEG_BLOCK_FLAGS (TEG_BLOCK_NET | 15ull)
#define TEG_NET_BIT(len) (1ull << (63 - (len))) /* of a word, and of teg_blocks.nets */
#define TEG_NET_LENGTHS 24u /* of a family, at a time */
struct teg_block {
	__u64 key, meta;
};
struct teg_blocks {
	__u64 seed[2]; /* random, odd */
	__u64 full;    /* so many times a rule found no place for a source */
	__u64 nets[2]; /* of IPv4, of IPv6: TEG_NET_BIT() of each length that a blocked network may have */
	__u64 pad[3];
	struct teg_block at[TEG_BLOCK_SETS][TEG_BLOCK_WAYS];
};
#define TEG_BLOCK_SET_BYTES 64u
_Static_assert(sizeof(struct teg_block) * TEG_BLOCK_WAYS == TEG_BLOCK_SET_BYTES, "abi");
_Static_assert(sizeof(struct teg_blocks) == (1 + TEG_BLOCK_SETS) * TEG_BLOCK_SET_BYTES, "abi");
_Static_assert(TEG_COUNTER_SLOTS <= 1u << TEG_BLOCK_BY_BITS, "abi");

static inline __u32 teg_block_other(__u32 set, __u64 rest)
{
	return set ^ ((__u32)(rest * 0x9e3779b97f4a7c15ull >> 46) | 1);
}

/*
 * teg_hints: array of one, mmapable. For each hash of a source, no block of such
 * a source ends after this. So most packets need no look-up while others are
 * blocked, and a hint never needs to be lowered: time does that. Raised before
 * the block is placed. Networks have hints too, by their words.
 */
#define TEG_HINTS 8192u /* 2^13: teg_hint() gives 13 bits */
struct teg_hints {
	__u64 until_ns[TEG_HINTS];
};

/* Of a source cut to TEG_BLOCK_BITS, as two words. */
static inline __u32 teg_hint(__u64 first, __u64 second)
{
	return ((first ^ second) * 0x9e3779b97f4a7c15ull) >> 51;
}

/* teg_telling: per-CPU array of one. What became of events on this CPU, see event.h, and of limits. */
#define TEG_EVENTS_A_RULE 16u /* in a tick, on a CPU */
#define TEG_EVENTS_A_TICK 64u /* of all rules */
struct teg_telling {
	__u64 told;
	__u64 full; /* lost: the ring had no room */
	__u64 rate; /* lost: more than a tick's share */
	__u32 tick, in_tick;
	__u64 crowded; /* packets that took their token from the sketch: their source had no place */
};
_Static_assert(sizeof(struct teg_telling) == 40, "abi");

/*
 * teg_events: ring buffer of struct teg_event. Room for the share of a tick of 89 CPUs;
 * beyond that the newest are lost, and counted.
 */
#define TEG_EVENTS_BYTES (1u << 20)
#define TEG_EVENT_HEAD 96u /* Ethernet, two VLAN tags, IPv6, TCP, and some of what follows */
enum {
	TEG_DOES_DROP = 1,
	TEG_DOES_TELL = 2, /* the policy asks for it */
	TEG_DOES_BLOCK = 4,
	TEG_DOES_ANSWER = 8,
	/* Not of the program's: what a rule of a posture tells through nft, whose fields are still to be read from the head. */
	TEG_DOES_RULE = 16,
	TEG_DOES_REJECT = 32,
	TEG_DOES_UNREAD = 64,
};
#define TEG_WHO_CAUSE (1u << 31)
#define TEG_WHO_NOBODY (~0u)

struct teg_event {
	__u64 at_ns;		  /* CLOCK_MONOTONIC, as coarse as a tick of the kernel */
	struct teg_addr src, dst; /* as far as the frame could be read; family 0: it was not IP yet */
	__u32 generation;	  /* its number's low half */
	__u32 who;		  /* counter slot of what decided, or TEG_WHO_CAUSE and the cause */
	__u32 by;		  /* of a runtime block: the slot of what placed it; else TEG_WHO_NOBODY */
	__u32 since;		  /* packets of `who` on this CPU since its last event, this one with them */
	__u32 ifindex;
	__u32 frame_len;
	__u16 sport, dport;
	__u16 icmp;
	__u16 head_len;
	__u8 posture;		  /* index in the generation */
	__u8 does;		  /* TEG_DOES_ bits */
	__u8 severity;		  /* of TELL: enum event_severity */
	__u8 family, fragment, proto, flags;
	__u8 pad;
	__u8 head[TEG_EVENT_HEAD]; /* the frame's beginning; zeroes behind head_len */
};
_Static_assert(sizeof(struct teg_event) == 176, "abi");

/* ---- a generation's own: gen_* -------------------------------------------- */

/*
 *     gen_config, gen_zones, gen_nodes   below
 *     gen_rules, gen_cells               abi_rule.h
 *     gen_bulk                           abi_bulk.h
 *     gen_atlas, gen_feeds               abi_atlas.h
 *     gen_payload_cells, gen_automata, gen_steps, gen_lists, gen_rows     abi_payload.h
 */
#include "bpf-templates/abi_atlas.h"
#include "bpf-templates/abi_bulk.h"
#include "bpf-templates/abi_payload.h"
#include "bpf-templates/abi_rule.h"

_Static_assert(TEG_COUNTER_SLOTS <= 1u << 18, "a cell of gen_bulk has room for a slot");

/*
 * gen_config: read-only data of the program, written before it is loaded, so
 * that the verifier knows it: what a policy does not ask is not in the code.
 */
#define TEG_CONFIG_SECTION ".rodata.config"
#define TEG_CLOCK_SECTION ".data.clock" /* __u64, see TEG_HOST_GIVEN_CLOCK */

enum {
	TEG_ASKS_ZONES = 1,	   /* some box names zones */
	TEG_ASKS_SRC_SETS = 2,	   /* ... an address set for the source */
	TEG_ASKS_DST_SETS = 4,
	TEG_ASKS_SRC_SELF = 8,	   /* ... `self` as the source */
	TEG_ASKS_DST_SELF = 16,
	TEG_ASKS_CLOCK = 32,	   /* some rule has a rate, or blocks its source */
	TEG_ASKS_FINE_CLOCK = 64,  /* a bucket is shallower than the coarse clock's ticks bear */
	TEG_ASKS_WATCHES = 128,	   /* some rule only tells */
	TEG_ASKS_PAYLOAD = 256,	   /* some rule looks into payloads */
	TEG_ASKS_COOKIES = 512,	   /* some rule answers with SYN cookies */
	TEG_ASKS_ALL = 1023,
	TEG_ASKS_AROUND = TEG_ASKS_ZONES | TEG_ASKS_SRC_SETS | TEG_ASKS_DST_SETS | TEG_ASKS_SRC_SELF | TEG_ASKS_DST_SELF,
};
enum {
	TEG_HOST_FRAGS = 1,	   /* the kernel knows frames of several buffers (5.18) */
	TEG_HOST_GIVEN_CLOCK = 2,  /* time is what gen_clock says, and nobody listens; for tests */
	TEG_HOST_BANK_B = 4,	   /* the posture is teg_active's second, not its first */
	TEG_HOST_MORE = 16,	   /* some counter is in teg_more */
	TEG_HOST_TELL_ALL = 8,	   /* every event is told, none is sampled; for tests */
	TEG_HOST_DRAWS = 32,	   /* some rule tells one in so many */
	TEG_HOST_LOOPS = 64,	   /* the kernel knows a jump that ends a loop at any time: loop.h */
};

/* A program's "if r10 is this number" says that a loop may end here: see loop.h. */
#define TEG_MAY_END 0x7e6d4e64

#define TEG_CAUSES_MOST 32

struct teg_config {
	__u32 abi;	      /* TEG_ABI_VERSION */
	__u32 asks;	      /* TEG_ASKS_ bits, by the compiler */
	__u32 host;	      /* TEG_HOST_ bits, by who loads */
	__u32 lifeline_boxes; /* so many boxes, the first, belong to lifelines */
	__u32 box_count;
	__u32 rule_count;
	__u32 nodes, masks;   /* of the trie of sets, by who loads; 0: sets are in gen_atlas */
	__u64 closed;	      /* bit per posture: drops every arrival that reaches layer 4 */
	__u32 neighbour_slot, blocked_slot; /* counter slots of what no rule row counts */
	__u32 closed_slot[64]; /* counter slot of the posture's default in, by posture */
	__u64 passes[TEG_CAUSES_MOST]; /* bit per posture: frames of this cause go on */
	struct teg_bulk bulk;
	__u32 generation;      /* its number's low half, by who loads */
	__u32 atlas;	       /* words of gen_atlas, by who loads */
	__u32 feed_first;      /* row of gen_rules of the first feed: the others follow, in the policy's order */
	__u32 feed_count;
	__u32 feed_words;      /* of a bank of gen_feeds, by who loads */
	__u32 tick_ns;	       /* of the kernel's clock, by who loads */
	struct teg_payload payload;
	struct teg_atlas sets; /* what gen_atlas begins with, by who loads: what it lacks is not asked for */
};
_Static_assert(sizeof(struct teg_config) == 1344, "abi");

/* gen_zones: array by ifindex, __u64 with the zone's bits, 0 for none; what lies
 * beyond its end is in gen_zones_far, a hash. */
#define TEG_ZONES_NEAR 1024u
#define TEG_ZONES_FAR 4096u
#define TEG_ZONE_NONE (1ull << 63) /* the interface is in no zone */

/*
 * gen_nodes: one value of `nodes` nodes, a trie that takes a byte of an address at
 * a time; node 0 begins IPv4, node 1 IPv6. An entry is a child's number or, with
 * TEG_LEAF, an index into gen_masks, one value of `masks` words: the sets in which
 * the address lies.
 */
#define TEG_LEAF (1u << 31)
#define TEG_NODES_MAX 1024u /* 1 MB; what needs more is in gen_atlas */
struct teg_node {
	__u32 at[256];
};

#endif
