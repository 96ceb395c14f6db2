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
 * enforcer/hook/tables.h makes, fills and finds them.
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
#define TEG_ABI_VERSION 14u
#endif
#define TEG_PLAN_OLDEST 14u

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
	__u32 pad;
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
 *     meta    63..4 until when, CLOCK_MONOTONIC; past: not blocked any more | flags
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
#define TEG_BLOCK_META(until_ns) ((__u64)(until_ns) << 4)
#define TEG_BLOCK_UNTIL(meta) ((__u64)(meta) >> 4)
#define TEG_BLOCK_IP6 1ull
#define TEG_BLOCK_SECOND 2ull  /* in the second of its sets */
#define TEG_BLOCK_WHOSE (TEG_BLOCK_IP6 | TEG_BLOCK_SECOND)
#define TEG_BLOCK_SPILLED 4ull /* of a set's first place: some for which this is the first set are in another */
#define TEG_BLOCK_CLAIMED 8ull /* being written */
#define TEG_BLOCK_FLAGS 15ull
struct teg_block {
	__u64 key, meta;
};
struct teg_blocks {
	__u64 seed[2]; /* random, odd */
	__u64 full;    /* so many times a rule found no place for a source */
	__u64 pad[5];
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
 * the block is placed.
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
};

/* Of the trees, see below. No cells: the policy has none. */
#define TEG_BULK_GROUPS 6u
struct teg_bulk_root {
	__u64 take[3]; /* what the hash is of */
	__u32 first;   /* of its nodes */
	__u32 shift;   /* 2^(64 - shift) of them; 0: one */
};

/* Of a family's bit vectors, see below; places are in words of gen_bulk. What is not said to be the plan's is by who loads. */
struct teg_vectors {
	__u32 words;  /* of a row, by the plan: 1, 2 or 4; 0: there are none */
	__u32 blocks; /* in all, and the most that one packet is asked in */
	__u32 longest;
	__u32 table;  /* when there are several: */
	__u32 byte;   /* by this byte of the packet */
	__u32 of_bit;
	__u32 rows, block_words;
	__u32 quads;  /* so many times four bytes of each end are asked */
	__u32 sports, parts; /* are source ports asked, fragments? */
	__u32 mores;  /* so many bytes say which mores hold */
	__u32 byte_words; /* of all rows of a byte */
	__u32 pad;
};
_Static_assert(sizeof(struct teg_vectors) == 56, "abi");

struct teg_bulk {
	__u32 cells, nodes, leaves;
	__u32 words, mores; /* of gen_bulk, and of it what the cells ask more, by who loads */
	__u32 depth;   /* nodes below a root, on the longest way to a leaf */
	__u32 longest; /* cells of the largest leaf */
	__u32 groups[2]; /* by family, IPv4 first */
	__u32 short6; /* cells of IPv6 are short ones, by who loads */
	struct teg_bulk_root roots[2][TEG_BULK_GROUPS];
	struct teg_vectors vectors[2]; /* by family */
};
_Static_assert(sizeof(struct teg_bulk) == 536, "abi");

/* Of what looks into payloads, see teg_row. */
struct teg_payload {
	__u32 boxes, rows, automata, steps, lists;
	__u32 longest;	  /* rows of the longest list */
	__u32 first_rule; /* that looks into payloads */
	__u32 stride;	  /* 2 or 4: bytes from one window to the next */
};
_Static_assert(sizeof(struct teg_payload) == 32, "abi");

/* What an atlas begins with: see gen_atlas below. */
#define TEG_ATLAS_LENGTHS 64u

struct teg_atlas_table {
	__u32 at, buckets; /* no buckets: no table */
	__u32 gate, gate_shift; /* 2^(64 - shift) words */
};

enum { TEG_ATLAS_HOSTS4, TEG_ATLAS_HOSTS6, TEG_ATLAS_FAR, TEG_ATLAS_TABLES };

struct teg_atlas {
	__u32 root[2];	     /* by family; 0: no pages */
	__u32 root_is_pages; /* a bit by family */
	__u32 masks;
	__u64 seed;	     /* of the tables, odd */
	struct teg_atlas_table tables[TEG_ATLAS_TABLES];
	__u32 heads, head_cells; /* so many words */
	__u32 pilots, head_groups; /* a pilot each */
	__u32 trees, tree_count; /* the heads 1 to tree_count have one, the first at `trees` */
	__u32 far_lengths;   /* by the number of a head, a word: a bit for each length from 65 on */
	__u32 length_count;
	__u32 ground;	     /* of IPv4: 2^(32 - shift) bits, by the first bits of an address; 0: there is none */
	__u32 ground_shift;
	__u32 tags;	     /* of IPv4 hosts: 2^(32 - shift) buckets; 0: there are none */
	__u32 tags_shift;
	__u32 pad[2];
	__u8 lengths[TEG_ATLAS_LENGTHS]; /* of `far`, the longest first */
};
_Static_assert(sizeof(struct teg_atlas) == 24 * 8, "abi");

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

/*
 * gen_atlas: one value of config.atlas words, when gen_nodes is empty: address sets of up to
 * millions of prefixes. An offset is a number of words from the beginning, where a struct teg_atlas lies.
 * A value is the number of a mask: the sets that an address is in; 0 is none.
 *
 * Ground: IPv4 by its first bits, 9 to 22 of them. A bit says that some prefix lies there, at least in part: of most addresses
 * that are in no set nothing else is read.
 *
 * Pages: IPv4 prefixes, and those of IPv6 up to /32, which are asked by its first 32 bits.
 *
 *     root    65,536 offsets of pages, u32 each, by the first 16 bits; or, where pages are many, the pages themselves
 *     page    256 bits, by the next 8: is there an entry? | 31..0 entries before each of these four words
 *             | 63..32 offset of the entries, 21..0 the value where there is none | two words, for entries when they are so few. Without
 *             entries (offset 0) the first of these two words is the value of all parts that would have one
 *     entry   63 0 | 59..52 from, 51..44 to: the last 8 bits | 43..22 value there | 21..0 value elsewhere
 *             63 1 | 39..32 parts, but one | 31..0 offset of parts, u32 each: 31..24 from | 21..0 value
 *
 * Tags: most IPv4 hosts, where they are many. An address is mixed by a bijection of 32 bits: the first 17 or more are the number of its
 * bucket of four words, two in a cache line, and the last 15, which stand there, say the rest. So one line has all that is known of an address.
 *
 *     bucket  12 tags of 15 bits, 16 apart, four in a word | 12 values of 5 bits, by the lane and then the word of their tag
 *             | 63: some that would be here are in hosts4. A value of 0 is no host; its tag is the first one's
 *
 * Tables: buckets of 64 bytes. A key is in the first of its two buckets or, if that one says that some are, in the
 * second. Before hosts6 and far stands a gate, in which each key has two bits of one word: most others are known by it.
 *
 *     hosts4  8 cells: 63..32 value, 31..0 address; 63 of the first: some of this bucket's are in their second
 *     hosts6  5 words: bits 64 to 127 | 5 halves: bits 32 to 63 | 6 bits each: 5 this is its second bucket, 4..0 the
 *             value; 31 as above. The number of the head is what the bucket's own number says. Hosts of other values are in `far`
 *     far     3 keys of two words, 3 values, and whether some are in their second bucket: prefixes of other lengths
 *             from 65 on: head << 38 | bits 32 to 63 << 6 | length - 65, and the bits from 64 on
 *
 * Heads: the first 32 bits of IPv6 addresses, of which longer prefixes begin so. Each has a cell of its own, which its hash and its group's
 * pilot, an odd number of 16 bits that was tried until it was so, say: so one word is compared, whichever it is.
 *
 *     heads   a word each: 63..32 number of the head, 31..0 the first 32 bits; 0: none
 *     pilots  four in a word, by the number of the group
 *
 * Trees: a head's prefixes of 33 to 64 bits, by bits 32 to 63. The page of each, as above by the first 8 of them, stands by the head's number.
 *
 *     entry   63 0 | 50..46 bits, but 8, 45..22 bits 40 to 63 of the one prefix | 21..0 value there; elsewhere the page's
 *             63 1 | 34..32 depth, 31..0 offset of the first line of a tree of intervals
 *     inner   15 halves: where its parts end, but the last | the number of the first part's line; the others follow
 *     leaf    9 halves: where intervals end, but the last | 10 values of 22 bits
 */
#define TEG_ATLAS_VALUE ((1u << 22) - 1)
#define TEG_ATLAS_MASKS (1u << 21)
#define TEG_ATLAS_MANY 1u
#define TEG_ATLAS_KIND(entry) ((__u32)((entry) >> 63))
#define TEG_ATLAS_ROOT 65536u
#define TEG_ATLAS_LINE 8u	/* words of a cache line: a page, a bucket, a part of a tree */
#define TEG_ATLAS_INLINE 6u	/* word of a page, where entries stand when they are two at most */
#define TEG_ATLAS_PARTS 128u	/* words of the most parts that an entry may have; so many end the table */
#define TEG_ATLAS_CELLS 8u	/* ways of hosts4 */
#define TEG_ATLAS_TAGS 12u	/* of a bucket */
#define TEG_ATLAS_TAG_WORDS 3u
#define TEG_ATLAS_TAG_BITS 15u
#define TEG_ATLAS_TAG_VALUES 32u /* from 1 on */
#define TEG_ATLAS_WAYS6 5u
#define TEG_ATLAS_FAR_WAYS 3u
#define TEG_ATLAS_SPILLED (1u << 31)
#define TEG_ATLAS_DEPTH(entry) ((__u32)((entry) >> 32) & 7)
#define TEG_ATLAS_DEPTH_MOST 7u
#define TEG_ATLAS_INNER 15u
#define TEG_ATLAS_LEAF 9u
#define TEG_ATLAS_VALUES6 32u	/* of hosts6, from 1 on */
#define TEG_ATLAS_WORDS_MAX (1u << 26) /* 512 MB */

static inline __u64 teg_atlas_hash(__u64 seed, __u64 key, __u64 low)
{
	__u64 x = (key ^ low * 0x9e3779b97f4a7c15ull) * seed;

	x = (x ^ x >> 32) * 0xff51afd7ed558ccdull; /* MurmurHash3's end */
	return x ^ x >> 29;
}

/* A key is in the first or in the second of two buckets. */
static inline __u32 teg_atlas_bucket(__u64 hash, __u32 buckets, bool second)
{
	return (__u32)((second ? (__u32)hash : hash >> 32) * buckets >> 32);
}

/* The cell of a head. One half of its hash says its group; the other is not the same for any two, nor is what an odd number makes of it. */
static inline __u64 teg_atlas_head_hash(__u64 seed, __u32 top)
{
	return top * seed;
}

static inline __u32 teg_atlas_group(__u64 hash, __u32 groups)
{
	return (__u32)((hash >> 32) * groups >> 32);
}

static inline __u32 teg_atlas_head_cell(__u64 hash, __u32 pilot, __u32 cells)
{
	return (__u32)((__u64)((__u32)hash * pilot) * cells >> 32);
}

/* The tags of an atlas: see there. */
static inline __u32 teg_atlas_mix(__u32 key)
{
	key *= 0x9e3779b1u;
	key ^= key >> 15;
	return key * 0x85ebca77u;
}

/*
 * The same of hosts6, where the hash is of what the bucket holds, and the head, whose number is less than
 * there are buckets, moves it on: two heads' equal hosts are never in one bucket.
 */
static inline __u32 teg_atlas_bucket6(__u64 hash, __u32 head, __u32 buckets, bool second)
{
	__u64 at = (__u64)teg_atlas_bucket(hash, buckets, second) + head - buckets;

	return (__u32)(at + (buckets & (__u64)((__s64)at >> 63)));
}

/* A key's bits in its word of the gate. */
static inline __u64 teg_atlas_bits(__u64 hash)
{
	return 1ull << (hash & 63) | 1ull << (hash >> 6 & 63);
}

/*
 * gen_feeds: what is on the policy's feeds, an atlas as above in each of two banks of config.feed_words words. The
 * sets of an address are the feeds that it is on, a bit each. gen_feeding says which bank is read: nothing is
 * on any feed, or the first, or the second. The other is written whole before it is the one.
 */
#define TEG_FEEDING_SECTION ".data.feeding"
#define TEG_FEEDS_MAX 62u
#define TEG_FEED_ENTRIES_MAX 1000000u
enum { TEG_FEEDING_NOTHING, TEG_FEEDING_FIRST, TEG_FEEDING_SECOND };

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

/*
 * Many boxes: cells in a few trees instead of one list. Every block and reflex
 * without a rate is then a bulk cell, which also has one prefix for each end, so
 * that an end of one prefix needs no set. The first bulk cell that matches gives a
 * rule; the cells of gen_cells, in which the rates are, come first as far as
 * their rules stand before it.
 *
 *     words  0, 1 source | 2, 3 destination | 4  63..48 sport, 47..32 dport, 31..16 icmp, 7..0 protocol
 *
 * A group of boxes has a root: the hash of some bits that all of them ask, of
 * source, destination and word 4, is the number of a node. A node takes `width` bits
 * of one word for the child's number; a leaf is a run of cells, in their order. Roots
 * and nodes only leave out what cannot match: a cell that is reached is asked in full.
 *
 *     node   63 leaf 0 | 62..32 first child     | 12..9 width | 8..6 word | 5..0 shift
 *     leaf   63 leaf 1 | 62..32 where it begins | 15..0 how many
 *
 * The plan's leaves are numbers of boxes. gen_bulk is made of them when they are loaded:
 * one value of bulk.words words. First stand bulk.mores times what cells may ask beyond
 * their own words, each once; then the nodes; then the cells of all leaves, a copy for
 * every place where a box is listed, so that a leaf is read from one place.
 *
 * There a node has the least rule of all cells below it, with which nobody need go there who has met one before it:
 *
 *     node   63 leaf 0 | 62..46 least rule | 45..20 first child | 17..12 down | 11..6 up | 5..3 word; the child's number is word << up >> down
 *     leaf   63 leaf 1 | 62..46 least rule | 45..20 where it begins | 19 marked | 18..9 mark | 8..0 how many
 *
 * And a cell has what a plain drop of its rule needs, which so reads no rule:
 *
 *     IPv4   source << 32 | destination | its mask | ports | last
 *     IPv6   source, destination: four words | lens | nothing | ports | last
 *     short  source, destination: the first word each | ports | last
 *            of IPv6 where no box asks more than 64 bits of an end: behind what is asked of a word there is a 1, and then nothing
 *     lens   eight bits a word of the addresses, the first in the lowest: 7 asks, 6..0 how many of its bits, less one
 *     ports  63..48 dport_hi | 47..32 dport_lo | 31..16 sport_hi | 15..0 sport_lo; of ICMP type and code for dport
 *     last   63..47 rule | 46 plain | 45..28 counter slot | 27..14 what it asks more
 *            | of short ones 13, 12 all 64 bits of the source, of the destination are asked | 11 asks a protocol | 10..8 fragments that it is not for | 7..0 protocol
 *     more   zones | source sets | destination sets | bit per posture that it is silent in
 *            | 15..8 flags want, 7..0 flags mask | three words of nothing; the first asks nothing
 */
#define TEG_BULK_WORDS 5u
#define TEG_BULK_BOXES_MAX 131072u
#define TEG_BULK_DEPTH_MAX 32u
#define TEG_BULK_LONGEST_MAX 256u
#define TEG_BULK_WORDS_MAX (1u << 26)
#define TEG_BULK_LEAF (1ull << 63)
#define TEG_BULK_NODE(first, width, word, shift)                                                   \
	((__u64)(first) << 32 | (__u64)(width) << 9 | (__u64)(word) << 6 | (__u64)(shift))

#define TEG_BULK_CELL4 4u
#define TEG_BULK_CELL6 8u
#define TEG_BULK_SHORT6 4u
#define TEG_BULK_SRC_WHOLE_BIT 13
#define TEG_BULK_DST_WHOLE_BIT 12
#define TEG_BULK_PAD 64u /* words of nothing behind all cells: eight may be read wherever one is */
#define TEG_BULK_MORE 8u
#define TEG_BULK_MORES_MAX 16384u
#define TEG_BULK_LAST(rule, plain, slot, more)                                                     \
	((__u64)(rule) << 47 | (__u64)(plain) << 46 | (__u64)(slot) << 28 | (__u64)(more) << 14)
#define TEG_BULK_RULE(last) ((__u32)((last) >> 47))
#define TEG_BULK_PLAIN (1ull << 46)
#define TEG_BULK_SLOT(last) ((__u32)((last) >> 28) & 0x3ffff)
#define TEG_BULK_MORE_OF(last) ((last) >> 14 & 0x3fff)
#define TEG_BULK_ASKS_PROTO 0x800u
#define TEG_BULK_NO_RULE 0x1ffffu
_Static_assert(TEG_COUNTER_SLOTS <= 1u << 18 && TEG_BULK_WORDS_MAX <= 1u << 26 && TEG_BULK_MORES_MAX <= 1u << 14, "abi");
/* What leads to a place in gen_bulk; and of it the place, and the least rule with, above it, the leaf's bit. */
#define TEG_BULK_WAY(n, least, at) ((n) | (__u64)(least) << 46 | (__u64)(at) << 20)
#define TEG_BULK_STEP(width, word, shift)                                                          \
	((__u64)(64 - (width)) << 12 | ((__u64)(64 - (shift) - (width)) & 63) << 6 | (__u64)(word) << 3)
#define TEG_BULK_STEP_WORD(n) ((n) >> 3 & 7)
#define TEG_BULK_STEP_WIDTH(n) (64 - ((n) >> 12 & 63))
#define TEG_BULK_STEP_SHIFT(n) (((n) >> 12 & 63) - ((n) >> 6 & 63))
#define TEG_BULK_AT(n) ((n) >> 20 & 0x3ffffff)
#define TEG_BULK_LEAST(n) ((__u32)((n) >> 46))
#define TEG_BULK_LEAST_OF_LEAF 0x20000u
#define TEG_BULK_PART(proto, fragment) ((__u32)(fragment) << 8 | (__u32)(proto))

/* IPv4 has the address in word 1, the first 64 bits of IPv6 are word 0. The first bits say which of its root's nodes. */
static inline __u64 teg_bulk_mix_src(__u64 src)
{
	return src * 0x9e3779b97f4a7c15ull;
}

static inline __u64 teg_bulk_mix_dst(__u64 dst)
{
	return dst * 0xc2b2ae3d27d4eb4full;
}

static inline __u64 teg_bulk_mix_upper(__u64 upper)
{
	return upper * 0xff51afd7ed558ccdull;
}

static inline __u64 teg_bulk_mix(const __u64 take[3], __u64 src, __u64 dst, __u64 upper)
{
	return teg_bulk_mix_src(src & take[0]) + teg_bulk_mix_dst(dst & take[1]) + teg_bulk_mix_upper(upper & take[2]);
}

static inline __u64 teg_bulk_hash(const struct teg_bulk_root *r, __u64 src, __u64 dst, __u64 upper)
{
	return teg_bulk_mix(r->take, src, dst, upper) >> r->shift;
}

/* Bits that no root's number of a node has: a root's leaf whose cells have all the same says which. */
#define TEG_BULK_SHIFT_MIN 44u
#define TEG_BULK_MARK(mix) ((mix) >> 28 & 0x3ff)
#define TEG_BULK_MARK_OF(leaf) ((leaf) >> 9 & 0x3ff)
#define TEG_BULK_MARKED (1u << 19)
#define TEG_BULK_MARK_DOWN 19	   /* so much brings a mix's mark to where a leaf has its own */
#define TEG_BULK_MARK_MASK 0x7fe00u
#define TEG_BULK_COUNT(leaf) ((leaf) & 0x1ff)

static inline __u64 teg_bulk_root_nodes(const struct teg_bulk_root *r)
{
	return r->shift ? 1ull << (64 - r->shift) : 1;
}

struct teg_bulk_box {
	struct teg_box box;
	__u64 addr[4], mask[4]; /* words 0 to 3; mask 0: any */
};
_Static_assert(sizeof(struct teg_bulk_box) == 112, "abi");

/*
 * Of fewer boxes there are bit vectors (Lakshman and Stiliadis, 1998): no load waits for another. A packet is so
 * many bytes, in this order, and for each value of each byte there is a row of bits: those of the boxes that
 * have it there.
 *
 *     IPv4   source 4 | destination 4 | source port 2 | destination port, or ICMP type and code 2 | protocol | fragment
 *     IPv6   source 16 | destination 16 | the same
 *
 * Behind these stand bytes whose bits say which of the mores hold, the first in the lowest bit. What its bytes' rows have
 * in common are the boxes that a packet lies in; the lowest bit is the first of them. A prefix is a condition on each byte.
 * A range of ports need not be, so a box has a bit for each part of its ranges that is one.
 *
 * Boxes of more than 128 bits are in blocks of 256 bits. One byte of the packet says which, by a table of 256: the first
 * block's number, and above 32 how many. A box is in every block where its packets may come.
 *
 * In gen_bulk the mores come first, as with trees; then, by family, the table; a word for each bit, as the last of its
 * box's cell would be, without what a cell asks; and the blocks. Rows of one or two words stand there 256 for each byte, by value.
 * Of four words, where most values of a byte have the same rows, each stands there once, so that 1,000 boxes take 60 KB of
 * the cache and not 700: first, for each byte that there may be, 256 numbers of a byte each, by value; then, for each byte, its
 * rows by number. Behind all blocks stand as many words as the largest number could lead to.
 */
#define TEG_VECTOR_BITS_MAX 256u   /* of a block */
#define TEG_VECTOR_BLOCKS_MAX 32u
#define TEG_VECTOR_LONGEST_MAX 8u
#define TEG_VECTOR_ROWS 256u
#define TEG_VECTOR_MORES_MAX 64u
#define TEG_VECTOR_LONG 4u /* words of a row that is found by its number */
#define TEG_VECTOR_BYTES4 14u
#define TEG_VECTOR_BYTES6 38u
#define TEG_VECTOR_NUMBERS(ip6) (((ip6) ? TEG_VECTOR_BYTES6 : TEG_VECTOR_BYTES4) + TEG_VECTOR_MORES_MAX / 8) /* bytes that there is room for */

/* In a block: where the row is that a value of a byte has. */
static inline __u64 teg_vector_row(const struct teg_vectors *t, const void *block, bool ip6, __u32 byte, __u32 value)
{
	if (t->words < TEG_VECTOR_LONG)
		return ((__u64)byte * TEG_VECTOR_ROWS + value) * t->words;
	return (__u64)TEG_VECTOR_NUMBERS(ip6) * TEG_VECTOR_ROWS / sizeof(__u64) + (__u64)byte * t->byte_words +
	       (__u64)((const __u8 *)block)[byte * TEG_VECTOR_ROWS + value] * t->words;
}

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

/* ---- payloads --------------------------------------------------------------- */

/*
 * What reflexes look for in payloads. A packet that lies in a box of theirs is read
 * by each automaton once, and what is found decides for all of them:
 *
 *     packet ──► boxes ──► automata ──► lists ──► rows ──┬──► the first rule that decides at once
 *                  └── in none: not looked into          └──► marks: what the boxes of gen_cells may ask for
 *
 * gen_payload_cells: one value of `boxes` cells; their numbers are bits of a word.
 *
 * gen_automata: one value of `automata`. A state is the place of its row in gen_steps, in bytes (in a plan: in cells). Behind
 * the rows stand TEG_STEPS_BEYOND cells, so that a place below all of them may have any class added to it:
 *
 *     gen_steps   next state by class of byte | list of what ends here | list of what ends if the payload does | age
 *
 * The first row of an automaton is its idle state: no match has begun. Those that end
 * something stand last. A list is a place in gen_lists: how many, and then numbers of rows, ascending;
 * the list at 0 is empty. Rows (gen_rows) are in the order of their rules.
 *
 * In the idle state every second or fourth byte begins a window of up to eight bytes, which is looked up in
 * `windows`. One that is not in it says: neither at its first byte nor at the one or three before does a match begin.
 * What is in it is looked up once more in `begins`: its first four and six bytes. When neither is there, no match
 * begins either.
 *
 * Of a state of age n the last n bytes are all that matters. When no match begins with any of them, the idle
 * state says the same. So the automaton is left as soon as what it was asked for has come to nothing.
 */
#define TEG_STEP_MORE 3u /* columns behind those of the classes: two lists, */
#define TEG_STEP_AGE  2u /* and the age, 1 to 8, or */
#define TEG_AGE_OLD   9u
#define TEG_PAYLOAD_BOXES_MAX 64u
#define TEG_MARKS_MAX 64u
#define TEG_ROWS_MAX 16384u
#define TEG_AUTOMATA_MAX 8u
#define TEG_STATES_MAX 65536u  /* of an automaton */
#define TEG_STEPS_MAX 2097152u /* 8 MB */
#define TEG_STEPS_BEYOND 256u
#define TEG_LISTS_MAX 262144u
#define TEG_LIST_MAX 256u      /* rows in a list */
#define TEG_PAYLOAD_MOST 65535u
#define TEG_WINDOWS 131072u
#define TEG_WINDOW_BYTES (TEG_WINDOWS / 8)
#define TEG_BEGINS 65536u
#define TEG_BEGIN_BYTES (TEG_BEGINS / 8)
#define TEG_BEGIN_SHORT 4
#define TEG_BEGIN_LONG	6

/* What is set in a window of `n` bytes, 1 to 8, before it is looked up: what is not asked, and what tells letters' cases apart. */
#define TEG_WINDOW_FOLD 0x2020202020202020ull
#define TEG_WINDOW_MASK(n) (TEG_WINDOW_FOLD | ((n) < 8 ? ~0ull << 8 * (n) : 0))

/* Of eight bytes in the order of their addresses, the first in the lowest 8 bits: below TEG_WINDOWS. */
static inline __u32 teg_window(__u64 word, __u64 mask)
{
	return (__u32)((word | mask) * 0x9e3779b97f4a7c15ull >> 47);
}

/* The same for a window's first `n` bytes: below TEG_BEGINS. */
static inline __u32 teg_begin(__u64 word, unsigned n)
{
	return (__u32)((word | TEG_WINDOW_MASK(n)) * 0xff51afd7ed558ccdull >> 48);
}

struct teg_row {
	__u64 boxes;  /* any in common with the packet's */
	__u32 rule;   /* index into gen_rules */
	__u32 within; /* it ends within so many bytes */
	__u32 mark;   /* 1 + bit: the rule is asked in gen_cells; 0: it decides at once */
	__u32 pad;
};
_Static_assert(sizeof(struct teg_row) == 24, "abi");

struct teg_automaton {
	__u32 idle, start, first_hit; /* states; those from first_hit on end something */
	__u32 classes;
	__u32 most;		      /* so many bytes are looked at */
	__u32 pad;
	__u64 mask;		      /* of windows */
	__u8 class_of[256];
	__u8 windows[TEG_WINDOW_BYTES]; /* a bit each */
	__u8 begins[TEG_BEGIN_BYTES];
};
_Static_assert(sizeof(struct teg_automaton) == 32 + 256 + 16384 + 8192, "abi");

#endif
