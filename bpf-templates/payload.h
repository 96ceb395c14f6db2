/*
 * payload - what reflexes look for in the payload of one packet. abi.h draws the tables.
 *
 *     payload_find ──► the packet's boxes ──► payload_walk, once an automaton ──► payload_turns, payload_beside
 *                                                │
 *          payload_chunk   128 bytes of the frame's first buffer, eight at a time: in the
 *                          idle state by windows, else by the automaton
 *          payload_near    all of the first buffer, in one loop, where the kernel can end one (loop.h)
 *          payload_far     the same of what lies in other buffers, or beyond where the
 *                          verifier follows a pointer: copied out first
 *          payload_tail    fewer than sixteen bytes, and what ends with the payload
 *                                                └── payload_eight, payload_hits, payload_notes
 *
 * Each is a function of its own, verified once, so that a loop over the longest packet costs the
 * verifier no more than its calls: no bpf_loop(), and one program for every kernel from 5.15 on. Before
 * 5.18 there are neither frames of several buffers nor bpf_xdp_load_bytes(), and what lies beyond 65,261
 * bytes is not read. What cannot be read ends with CAUSE_PAYLOAD: it is never taken for "not found".
 */
#ifndef TEG_PAYLOAD_H
#define TEG_PAYLOAD_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf-templates/abi.h"
#include "bpf-templates/config.h"
#include "bpf-templates/loop.h"
#include "bpf-templates/one.h"
#include "bpf-templates/pkt.h"
#include "bpf-templates/walk.h"

#define PAYLOAD_CHUNK 128u
#define PAYLOAD_COPIED 8u /* groups of a copy that are read in one call */
#define PAYLOAD_AHEAD 16u /* bytes that a group of eight and its windows take */
#define PAYLOAD_NEAR (0xffffu - PAYLOAD_CHUNK - PAYLOAD_AHEAD) /* MAX_PACKET_OFF of kernel/bpf/verifier.c */
#define PAYLOAD_TURNS 25 /* times itself: 65,535 bytes in chunks, and some that are cut short */

ONE_TABLE(struct teg_cell) gen_payload_cells SEC(".maps");
ONE_TABLE(struct teg_row) gen_rows SEC(".maps");
ONE_TABLE(struct teg_automaton) gen_automata SEC(".maps");
ONE_TABLE(__u32) gen_steps SEC(".maps");
ONE_TABLE(__u32) gen_lists SEC(".maps");

/* What is asked of a packet, how far it is read, and what was found. */
struct payload {
	struct pkt pkt;
	__u64 zones, src, dst;
	__u64 boxes, marks;
	__u32 head, posture;
	__u32 first, len;  /* the payload's offset in the frame, and its length */
	__u32 at, until;   /* offsets: of the next byte, and behind the last that the automaton looks at */
	__u32 automaton, state;
	__u32 age;	   /* of the state; 0: it is idle, or its age is not known */
	__u32 best;	   /* the first rule that decides at once, or NO_RULE */
	__u32 copied_at, copied_groups; /* of eight bytes */
	__u8 copy[PAYLOAD_CHUNK + PAYLOAD_AHEAD]; /* of bytes that lie in other buffers */
};

/* A CPU's own: the stack has no room for it. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct payload);
} gen_payload SEC(".maps");

#define PAYLOAD_LOST 0xffffffffu /* no state, and none follows it: beyond all steps */

enum payload_step { PAYLOAD_MORE, PAYLOAD_FAR, PAYLOAD_END, PAYLOAD_UNREAD };

static __always_inline __u32 *payload_steps(void)
{
	return ONE(gen_steps);
}

static __always_inline const struct teg_automaton *payload_automaton(__u32 nth)
{
	__u64 at = nth;

	WALK_ONE_REGISTER(at);
	if (at >= gen_config.payload.automata || at >= TEG_AUTOMATA_MAX)
		return NULL;
	const struct teg_automaton *all = ONE(gen_automata); /* here: clang would else add to it before the check */
	return &all[at];
}

/* Notes the rows of a list that the packet meets, `len` bytes having been read. */
__noinline int payload_notes(struct payload *s, __u32 list, __u32 len)
{
	const __u32 longest = gen_config.payload.longest, *lists = ONE(gen_lists);
	const struct teg_row *rows = ONE(gen_rows);
	const struct teg_rule *rules = ONE(gen_rules);
	__u64 place = list;

	WALK_ONE_REGISTER(place);
	if (!s || place >= gen_config.payload.lists)
		return 0;
	const __u32 count = lists[place];
	for (__u32 i = 0; i < longest && i < count; i++) {
		__u64 at = (__u64)list + 1 + i;

		WALK_ONE_REGISTER(at);
		if (at >= gen_config.payload.lists)
			break;
		__u64 r = lists[at];
		WALK_ONE_REGISTER(r);
		if (r >= gen_config.payload.rows)
			break;
		const struct teg_row *row = &rows[r];
		__u64 rule = row->rule;
		WALK_ONE_REGISTER(rule);
		if (!(row->boxes & s->boxes) || len > row->within || rule >= gen_config.rule_count ||
		    rules[rule].except >> (s->posture & 63) & 1)
			continue;
		if (row->mark)
			s->marks |= 1ull << ((row->mark - 1) & 63);
		else if (rule < s->best)
			s->best = rule;
	}
	return 0;
}

/*
 * 0 when x is y, and the sign bit when x lies below: a number of its own. Had the state itself been compared, the verifier would know more of
 * it behind each way, and walk the bytes that follow for each of them.
 */
static __always_inline __u64 payload_differs(__u64 x, __u64 y)
{
	__u64 by = x - y;

	WALK_ONE_REGISTER(by);
	return by;
}

static __always_inline bool payload_is_hit(const struct teg_automaton *a, __u64 state)
{
	return (__s64)payload_differs(state, a->first_hit) >= 0;
}

/* The place behind all rows, in bytes. */
static __always_inline __u64 payload_beyond(void)
{
	return 4ull * gen_config.payload.steps;
}

/* What stands in a state's row, `column` behind the classes. */
static __always_inline __u32 payload_column(const struct teg_automaton *a, const __u32 *steps, __u64 state, __u32 column)
{
	__u64 at = state + 4 * TEG_STEP_APART * (a->classes + column);

	WALK_ONE_REGISTER(at);
	return at < payload_beyond() ? *(const __u32 *)((const __u8 *)steps + at) : 0;
}

/*
 * One byte; false when the tables contradict themselves. The state is added last, to an address that is there before it: so
 * a byte waits for one addition and one load of the byte before it.
 */
static __always_inline bool payload_step(const struct teg_automaton *a, const __u32 *steps, __u64 *state, __u8 byte)
{
	const __u32 *cell = steps + TEG_STEP_APART * a->class_of[byte];
	__u64 at = *state;

	WALK_ONE_REGISTER(cell);
	WALK_ONE_REGISTER(at); /* else clang checks one load from the stack and adds another, of which Linux 5.15 knows nothing */
	if (at >= payload_beyond())
		return false;
	*state = *(const __u32 *)((const __u8 *)cell + at);
	return true;
}

/*
 * The state behind eight bytes; or the idle one, where that finds the same: none of the bytes from the `begins`th on begins a match.
 * The age is kept, and branched on: whoever goes on with the state does not wait for it.
 */
static __always_inline __u64 payload_leaves(struct payload *s, const struct teg_automaton *a, const __u32 *steps, __u64 state, __u32 begins)
{
	__u64 at = state + 4 * TEG_STEP_APART * (a->classes + TEG_STEP_AGE);

	WALK_ONE_REGISTER(at);
	if (at >= payload_beyond())
		return state;
	s->age = *(const __u32 *)((const __u8 *)steps + at);
	return begins + s->age > 8 ? state : a->idle;
}

/* Eight bytes among which something ended, once more: the state behind them, or PAYLOAD_LOST when the tables contradict themselves. */
__noinline __u32 payload_hits(struct payload *s, const struct teg_automaton *a, __u64 word, __u32 at, __u64 state)
{
	const __u32 *steps = payload_steps();

	if (!gen_config.payload.steps || !s || !a)
		return PAYLOAD_LOST;
	for (__u32 i = 0; i < 8; i++) {
		WALK_ONE_REGISTER(a); /* else clang keeps a second pointer: those that call this leave 32 bytes of stack */
		if (!payload_step(a, steps, &state, word >> 8 * i))
			return PAYLOAD_LOST;
		if (payload_is_hit(a, state))
			payload_notes(s, payload_column(a, steps, state, 0), at + i + 1 - s->first);
	}
	s->age = 0;
	return state;
}

/* Eight bytes by the automaton, of which those from the `begins`th on begin no match; false when the tables contradict themselves. */
static __always_inline bool payload_eight(struct payload *s, const struct teg_automaton *a, __u64 word, __u32 at, __u32 begins, __u64 *state)
{
	const __u32 *steps = payload_steps();
	const __u64 first_hit = a->first_hit;
	__u64 is = *state, short_of = ~0ull; /* the sign bit is lost when some state is a hit */

#pragma unroll
	for (__u32 i = 0; i < 8; i++) {
		if (!payload_step(a, steps, &is, word >> 8 * i))
			return false;
		short_of &= is - first_hit;
		WALK_ONE_REGISTER(short_of); /* else clang keeps all eight to the end, on a stack of which there is little */
	}
	*state = likely((__s64)short_of < 0) ? payload_leaves(s, a, steps, is, begins) : payload_hits(s, a, word, at, *state);
	return true;
}

/* The same as a function of its own: where few bytes are read, so that its callers are walked without it. In the upper half of `at` is `begins`. */
__noinline __u32 payload_eight_apart(struct payload *s, const struct teg_automaton *a, __u64 word, __u64 at, __u64 state)
{
	if (!gen_config.payload.steps || !s || !a || !payload_eight(s, a, word, at, at >> 32, &state))
		return PAYLOAD_LOST;
	return state;
}

static __always_inline __u64 payload_load(const __u8 *p)
{
	return __le64_to_cpu(*(const __u64 *)p);
}

/*
 * Is the window at from[at] in the map? In the lowest bit. In the thirteen instructions that it takes: clang makes twenty of it, for every second
 * byte of every payload. A shift takes of its operand what it can shift by, the lowest six bits, of which C has nothing.
 */
#define PAYLOAD_LOOK(bits, at)                                                                                                    \
	bits " = *(u16 *)(%[from] + " at ")\n"                                                                                    \
	bits " += %[tables]\n"                                                                                                    \
	bits " = *(u8 *)(" bits " + %[shifts])\n"                                                                                 \
	"%[window] = *(u64 *)(%[from] + " at ")\n"                                                                                \
	"%[window] |= %[fold]\n"                                                                                                  \
	"%[window] <<= " bits "\n"                                                                                                \
	"%[window] *= %[factor]\n"                                                                                                \
	bits " = %[window]\n"                                                                                                     \
	bits " >>= 50\n"                                                                                                          \
	bits " += %[tables]\n"                                                                                                    \
	bits " = *(u64 *)(" bits " + %[windows])\n"                                                                               \
	"%[window] >>= 44\n"                                                                                                      \
	bits " >>= %[window]\n"

#define PAYLOAD_TABLES(a)                                                                                                         \
	[tables] "r"(a), [fold] "r"(TEG_WINDOW_FOLD), [factor] "r"(TEG_WINDOW_FACTOR),                                            \
		[shifts] "i"(offsetof(struct teg_automaton, shifts)), [windows] "i"(offsetof(struct teg_automaton, windows))

#define PAYLOAD_WINDOW(a, p, at)                                                                                                  \
	({                                                                                                                        \
		__u64 window_, bits_;                                                                                             \
		asm(PAYLOAD_LOOK("%[bits]", #at) : [bits] "=&r"(bits_), [window] "=&r"(window_) : [from] "r"(p), PAYLOAD_TABLES(a)); \
		bits_;                                                                                                            \
	})

/* Which of the windows of eight bytes are in the map: a bit each, of two bytes. Nothing is branched on. */
static __always_inline __u64 payload_windows(const struct teg_automaton *a, const __u8 *p)
{
	__u64 in = (PAYLOAD_WINDOW(a, p, 3) & 1) << 1 | (PAYLOAD_WINDOW(a, p, 7) & 1) << 3;

	if (gen_config.payload.stride == 2)
		in |= (PAYLOAD_WINDOW(a, p, 1) & 1) | (PAYLOAD_WINDOW(a, p, 5) & 1) << 2;
	return in;
}

#define PAYLOAD_LOOK_TOO(at) PAYLOAD_LOOK("%[bits]", at) "%[some] |= %[bits]\n"
#define PAYLOAD_SOME(a, p, looks)                                                                                                 \
	({                                                                                                                        \
		__u64 some_, window_, bits_;                                                                                      \
		asm(looks : [some] "=&r"(some_), [window] "=&r"(window_), [bits] "=&r"(bits_) : [from] "r"(p), PAYLOAD_TABLES(a)); \
		some_ & 1;                                                                                                        \
	})

/* Is any of them in the map? Which, is asked again of the few groups in which it matters: most groups are done with two registers, and none is kept. */
static __always_inline bool payload_some(const struct teg_automaton *a, const __u8 *p)
{
	if (gen_config.payload.stride == 2)
		return PAYLOAD_SOME(a, p, PAYLOAD_LOOK("%[some]", "1") PAYLOAD_LOOK_TOO("3") PAYLOAD_LOOK_TOO("5") PAYLOAD_LOOK_TOO("7"));
	return PAYLOAD_SOME(a, p, PAYLOAD_LOOK("%[some]", "3") PAYLOAD_LOOK_TOO("7"));
}

#define PAYLOAD_BESIDE_ALL 15u

/*
 * Which of those windows may be a match's, by the windows between them: where a match begins, the windows at its first `stride` bytes are all in the
 * map. A bit of two bytes, as above. None, in most groups: then the others need not be asked.
 */
static __always_inline __u64 payload_beside_windows(const struct teg_automaton *a, const __u8 *p)
{
	const __u64 even = (PAYLOAD_WINDOW(a, p, 2) & 1) | (PAYLOAD_WINDOW(a, p, 4) & 1) << 1 | (PAYLOAD_WINDOW(a, p, 6) & 1) << 2 |
			   (PAYLOAD_WINDOW(a, p, 8) & 1) << 3;

	if (gen_config.payload.stride == 2)
		return even | even << 1 | (PAYLOAD_WINDOW(a, p, 0) & 1);
	return even;
}

static __always_inline __u64 payload_confirmed(__u64 in, __u64 beside)
{
	return (gen_config.payload.stride == 2 ? in : in | in >> 1) & beside;
}

#define PAYLOAD_BEHIND 0x8888888866664420ull /* by these bits, 0 to 8 */

/*
 * Where ways through a loop meet. In a loop the verifier keeps what it knows only after twenty jumps, or a hundred instructions, since it last
 * did (is_state_visited() of kernel/bpf/verifier.c), and walks until there what it has walked already: groups three to six times. So
 * they stand before each. The kernel takes these jumps out.
 */
#define PAYLOAD_MEET_4 "goto +0\n goto +0\n goto +0\n goto +0\n "
#define PAYLOAD_MEET() asm volatile(PAYLOAD_MEET_4 PAYLOAD_MEET_4 PAYLOAD_MEET_4 PAYLOAD_MEET_4 PAYLOAD_MEET_4)

/* Behind which byte of a group no match begins any more. */
static __always_inline __u64 payload_begins(__u64 in)
{
	return PAYLOAD_BEHIND >> 4 * in & 15;
}

/* Eight bytes: by windows in the idle state, else by the automaton. False when the tables contradict themselves. */
static __always_inline bool payload_group(struct payload *s, const struct teg_automaton *a, const __u8 *p, __u32 at, __u64 *state)
{
	const __u64 differs = payload_differs(*state, a->idle); /* anew: kept, the verifier would know of it where groups meet */
	__u64 begins = 8, beside = PAYLOAD_BESIDE_ALL;

	if (!differs) {
		if (likely(!payload_some(a, p)))
			return true;
		beside = payload_beside_windows(a, p);
		if (likely(!beside))
			return true;
	}
	if (!differs || s->age <= 8) { /* what began long ago is likely to go on: then it is not asked what begins here */
		const __u64 in = payload_confirmed(payload_windows(a, p), beside);

		if (!(in | differs))
			return true;
		begins = payload_begins(in);
	}
	return payload_eight(s, a, payload_load(p), at, begins, state);
}

/* How many groups there are in so many bytes. */
static __always_inline __u32 payload_groups(__u32 have)
{
	return have < PAYLOAD_AHEAD ? 0 : (have - PAYLOAD_AHEAD) / 8 + 1;
}

__noinline int payload_chunk(struct frame_ctx *ctx, struct payload *s)
{
	const struct teg_automaton *a = s ? payload_automaton(s->automaton) : NULL;

	if (!gen_config.payload.steps || loop_is_free() || !s || !a)
		return PAYLOAD_UNREAD;
	const __u32 at = s->at, groups = payload_groups(s->until - at);
	__u64 state = s->state, i = 0; /* of 32 bits, Linux 5.15 would forget it on the stack, and not see the end */

	if (at > PAYLOAD_NEAR)
		return groups ? PAYLOAD_FAR : PAYLOAD_END;
	const __u8 *p = (void *)(long)ctx->data + at, *end = (void *)(long)ctx->data_end;
	for (; i < PAYLOAD_CHUNK / 8; i++, p += 8) {
		WALK_ONE_REGISTER(p); /* else clang checks one pointer, and reads by another */
		if (i >= groups || p + PAYLOAD_AHEAD > end)
			break;
		PAYLOAD_MEET();
		if (!payload_group(s, a, p, at + 8 * i, &state))
			return PAYLOAD_UNREAD;
	}
	if (state == PAYLOAD_LOST)
		return PAYLOAD_UNREAD;
	s->at = at + 8 * i;
	s->state = state;
	return i >= groups ? PAYLOAD_END : i == PAYLOAD_CHUNK / 8 ? PAYLOAD_MORE : PAYLOAD_FAR;
}

/* All that a pointer is followed to. loop.h says why no turn is counted, nor the pointer kept from one to the next. */
__noinline int payload_near(struct frame_ctx *ctx, struct payload *s)
{
	const struct teg_automaton *a = s ? payload_automaton(s->automaton) : NULL;

	if (!gen_config.payload.steps || !loop_is_free() || !s || !a)
		return PAYLOAD_UNREAD;
	const __u64 behind = s->at + 8 * payload_groups(s->until - s->at);
	__u64 state = s->state, at = s->at;

	while (at < behind && LOOP_MAY_GO_ON()) {
		WALK_ONE_REGISTER(at);
		if (at > PAYLOAD_NEAR)
			break;
		const __u8 *p = (void *)(long)ctx->data + at, *end = (void *)(long)ctx->data_end;
		WALK_ONE_REGISTER(p);
		if (p + PAYLOAD_AHEAD > end)
			break;
		if (!payload_group(s, a, p, at, &state))
			return PAYLOAD_UNREAD;
		at += 8;
	}
	if (state == PAYLOAD_LOST)
		return PAYLOAD_UNREAD;
	s->at = at;
	s->state = state;
	return at >= behind ? PAYLOAD_END : PAYLOAD_FAR;
}

/* The next groups of what was copied out: so few that the verifier walks half a copy, and a frame of several buffers pays two calls. */
__noinline int payload_copied(struct payload *s)
{
	const struct teg_automaton *a = s ? payload_automaton(s->automaton) : NULL;

	if (!gen_config.payload.steps || !frame_has_parts() || !s || !a)
		return PAYLOAD_UNREAD;
	const __u32 groups = s->copied_groups, first = s->copied_at;
	__u64 state = s->state, i = 0;

	for (; i < PAYLOAD_COPIED && first + i < groups; i++) {
		__u64 group = first + i;

		WALK_ONE_REGISTER(group);
		if (group >= PAYLOAD_CHUNK / 8)
			return PAYLOAD_UNREAD;
		PAYLOAD_MEET();
		const __u64 in = payload_windows(a, s->copy + 8 * group);
		if (in | payload_differs(state, a->idle)) /* s->at is read anew: the stack has no room for it */
			state = payload_eight_apart(s, a, payload_load(s->copy + 8 * group), (s->at + 8 * (__u32)i) | payload_begins(in) << 32, state);
	}
	if (state == PAYLOAD_LOST)
		return PAYLOAD_UNREAD;
	s->at += 8 * (__u32)i;
	s->state = state;
	s->copied_at = first + i;
	return PAYLOAD_MORE;
}

/* What comes next, to s->copy; PAYLOAD_END when fewer than sixteen bytes are left. */
__noinline int payload_far(struct frame_ctx *ctx, struct payload *s)
{
	if (!gen_config.payload.automata || !frame_has_parts() || !s)
		return PAYLOAD_UNREAD;
	const __u32 left = s->until - s->at;
	__u64 have = left < sizeof s->copy ? left : sizeof s->copy;

	if (left < PAYLOAD_AHEAD)
		return PAYLOAD_END;

	/* Each bound by itself, of the register that the call is given: clang would ask both of have - PAYLOAD_AHEAD. */
	WALK_ONE_REGISTER(have);
	if (have > sizeof s->copy)
		return PAYLOAD_UNREAD;
	WALK_ONE_REGISTER(have);
	if (have < PAYLOAD_AHEAD || frame_load(ctx, s->at, s->copy, have))
		return PAYLOAD_UNREAD;
	const __u32 groups = payload_groups(have);
	s->copied_groups = groups < PAYLOAD_CHUNK / 8 ? groups : PAYLOAD_CHUNK / 8;
	s->copied_at = 0;
	return PAYLOAD_MORE;
}

/* The last bytes, wherever they lie, to s->copy; 0 when they cannot be had. */
__noinline int payload_last(struct frame_ctx *ctx, struct payload *s)
{
	if (!gen_config.payload.steps || !s)
		return 0;
	const __u32 have = s->until - s->at;
	const __u8 *p = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u64 from = s->at, rest = have;
	__u32 got = 0;

	WALK_ONE_REGISTER(from);
	if (from <= PAYLOAD_NEAR) {
		WALK_ONE_REGISTER(from);
		p += from;
		for (__u32 i = 0; i < PAYLOAD_AHEAD - 1; i++) {
			if (i >= have || p + i + 1 > end)
				break;
			s->copy[i] = p[i];
			got = i + 1;
		}
	}
	if (got >= have)
		return 1;
	/* Both checks are of the register that goes to the helper: clang would make one of the two, of a third. */
	WALK_ONE_REGISTER(rest);
	if (!frame_has_parts() || !rest)
		return 0;
	WALK_ONE_REGISTER(rest);
	if (rest >= PAYLOAD_AHEAD)
		return 0;
	return !frame_load(ctx, s->at, s->copy, (__u32)rest);
}

__noinline int payload_tail(struct frame_ctx *ctx, struct payload *s)
{
	const __u32 *steps = payload_steps();
	const struct teg_automaton *a = s ? payload_automaton(s->automaton) : NULL;

	if (!gen_config.payload.steps || !s || !steps || !a)
		return PAYLOAD_UNREAD;
	const __u32 have = s->until - s->at;
	__u64 state = s->state;

	if (have >= PAYLOAD_AHEAD || !payload_last(ctx, s))
		return PAYLOAD_UNREAD;
	if (have >= 8) {
		state = payload_eight_apart(s, a, payload_load(s->copy), s->at | 8ull << 32, state);
		if (state == PAYLOAD_LOST)
			return PAYLOAD_UNREAD;
		s->at += 8;
	}
	const __u32 behind = have & 8;
	for (__u32 i = 0; i < 7 && i < s->until - s->at; i++) {
		if (!payload_step(a, steps, &state, s->copy[behind + i]))
			return PAYLOAD_UNREAD;
		if (payload_is_hit(a, state))
			payload_notes(s, payload_column(a, steps, state, 0), s->at + i + 1 - s->first);
	}
	if (s->until == s->first + s->len)
		payload_notes(s, payload_column(a, steps, state, 1), s->len);
	return PAYLOAD_END;
}

/* The next chunk of what lies in other buffers, or beyond where a pointer is followed. A function of its own, since what calls it is a loop. */
__noinline int payload_beside(struct frame_ctx *ctx, struct payload *s)
{
	if (!gen_config.payload.steps || !s)
		return PAYLOAD_UNREAD;
	int rc = payload_far(ctx, s);

	for (__u32 j = 0; j < PAYLOAD_CHUNK / 8 / PAYLOAD_COPIED && rc == PAYLOAD_MORE; j++) {
		rc = payload_copied(s);
		WALK_ONE_REGISTER(j); /* else clang asks of "j or rc", in which Linux 5.15 sees no end */
	}
	return rc;
}

/* So many chunks: PAYLOAD_MORE, or what the last one said. A chunk is one call, which costs what four bytes do. */
__noinline int payload_turns(struct frame_ctx *ctx, struct payload *s)
{
	if (!gen_config.payload.steps || !s)
		return PAYLOAD_UNREAD;
	for (__u32 i = 0; i < PAYLOAD_TURNS; i++) {
		int rc = payload_chunk(ctx, s);

		if (rc != PAYLOAD_MORE)
			return rc;
	}
	return PAYLOAD_MORE;
}

/* The same of what lies elsewhere: a loop of its own, so that the verifier walks neither within the other. */
__noinline int payload_turns_beside(struct frame_ctx *ctx, struct payload *s)
{
	if (!gen_config.payload.steps || !s)
		return PAYLOAD_UNREAD;
	for (__u32 i = 0; i < PAYLOAD_TURNS; i++) {
		int rc = payload_beside(ctx, s);

		if (rc != PAYLOAD_MORE)
			return rc;
	}
	return PAYLOAD_MORE;
}

/* The payload by one automaton: PAYLOAD_END, or PAYLOAD_UNREAD. */
__noinline int payload_walk(struct frame_ctx *ctx, struct payload *s)
{
	const struct teg_automaton *a = s ? payload_automaton(s->automaton) : NULL;

	if (!gen_config.payload.automata || !a || !s)
		return PAYLOAD_UNREAD;
	s->at = s->first;
	s->until = s->first + (s->len < a->most ? s->len : a->most);
	s->state = a->start;
	s->age = 0;
	int rc = PAYLOAD_MORE;

	if (loop_is_free())
		rc = payload_near(ctx, s);
	for (__u32 i = 0; i < PAYLOAD_TURNS && rc == PAYLOAD_MORE && !loop_is_free(); i++) {
		rc = payload_turns(ctx, s);
		WALK_ONE_REGISTER(i);
	}
	if (rc == PAYLOAD_FAR) /* and nothing behind it is near */
		rc = PAYLOAD_MORE;
	for (__u32 i = 0; i < PAYLOAD_TURNS && rc == PAYLOAD_MORE; i++) {
		rc = payload_turns_beside(ctx, s);
		WALK_ONE_REGISTER(i);
	}
	return rc == PAYLOAD_END ? payload_tail(ctx, s) : PAYLOAD_UNREAD;
}

/* In which boxes the packet lies. */
__noinline int payload_boxes(const struct pkt *p, struct payload *s)
{
	const __u32 boxes = gen_config.payload.boxes;
	const struct teg_cell *cells = ONE(gen_payload_cells);

	if (!p || !s)
		return 0;
	const struct walk w = { .head = s->head, .zones = s->zones, .src = s->src, .dst = s->dst,
				.ports = TEG_PORTS(p->sport, p->dport, p->icmp) };
	__u64 in = 0;

	for (__u32 i = 0; i < boxes && i < TEG_PAYLOAD_BOXES_MAX; i++)
		if (walk_cell_has(&cells[i], &w))
			in |= 1ull << i;
	s->boxes = in;
	return 0;
}

/* payload_find - what is looked for in the packet and is there: s->best and s->marks. */
static __always_inline int payload_find(struct frame_ctx *ctx, const struct pkt *p, struct payload *s)
{
	if (!gen_config.payload.automata || !p || !s)
		return PAYLOAD_END;
	payload_boxes(p, s);
	for (__u32 i = 0; i < TEG_AUTOMATA_MAX; i++) {
		if (!s->boxes || i >= gen_config.payload.automata)
			break;
		s->automaton = i;
		if (payload_walk(ctx, s) != PAYLOAD_END)
			return PAYLOAD_UNREAD;
	}
	return PAYLOAD_END;
}

#endif
