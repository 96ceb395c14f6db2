/*
 * buckets - the table of token buckets (struct teg_buckets in abi.h): whose bucket is where, a place for one more,
 * and a token of it.
 *
 * All CPUs write it at the same time, and none waits for another. What they share is changed by compare-and-swap, from what
 * was seen to what is meant:
 *
 *     a known source    finds its place, sets until when it is kept, takes from empty_ns
 *     a new one, near   reads all four places, fills empty_ns, sets `who`, then its part of the gate; goes on as a known one
 *     a new one, far    takes a free place under a name that nobody has, fills it without its first token, takes a part
 *                       of its word, and only then has its name there
 *     where all are kept  near, the gate is told until when; far, a row is looked through a part at a time
 *
 * So no two hand out the same token, and nobody pays with another's bucket, whether CPUs meet or a program interrupts
 * another on its own CPU. A source that comes to one CPU while another makes its far place takes from the sketch. Three slacks are
 * left:
 *
 *     four swaps in a row lost to other CPUs, or five by who was brief first: the source is let within its rate once; eight, and a
 *     part of a word is lost;
 *     the time of a place is over by one CPU's clock and not yet by another's: a source may get a bucket near and
 *     one far, and one of them is then used once;
 *     a rate over everything, idle for half a minute, finds all its places kept and displaces a source, from whose bucket
 *     a token is just being taken: it is taken from the other's.
 *
 * Text of both worlds: tests/unit/buckets takes CPUs through it in every order.
 */
#ifndef TEG_BUCKETS_H
#define TEG_BUCKETS_H

#include <linux/types.h>
#include <stdbool.h>

#include "bpf-templates/abi.h"
#include "bpf-templates/bound.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

/* What CPUs share is read and changed by these alone. */
#ifndef BUCKETS_READ
#define BUCKETS_READ(word) (*(const volatile __u64 *)(word))
#define BUCKETS_SWAP(word, was, is) __sync_val_compare_and_swap(word, was, is)
#define BUCKETS_XOR(word, bits) __sync_fetch_and_xor(word, bits)
#define BUCKETS_STORE(word, is) (*(volatile __u64 *)(word) = (is))
#endif

#define BUCKETS_TRIES 4

enum buckets_said {
	BUCKETS_WITHIN,
	BUCKETS_OVER,
	BUCKETS_NONE,  /* it has no bucket, and there is no place */
	BUCKETS_LATER, /* who is brief says so: nothing was taken, and all is to be done from the beginning by who is not */
};

/*
 * For how many units more a place is kept; 0: it makes room. What would be kept for longer than anything is was over long ago. Where
 * the moment comes round again, the bucket has not been used for 156 days, and was empty before that.
 */
static __always_inline __u32 buckets_ahead(__u64 is_who, __u64 is_ns, __u64 now)
{
	const __u64 ahead = (is_who - (now >> TEG_BUCKET_UNIT)) & ((1u << TEG_BUCKET_UNTIL) - 1);
	const __s64 can = ahead - 1 - TEG_BUCKET_AHEAD;
	const __s64 lately = ((__s64)(now - is_ns) >> TEG_BUCKET_UNIT) - ((1u << TEG_BUCKET_UNTIL) - TEG_BUCKET_AHEAD);

	return ahead & (can & lately & (__s64)is_who) >> 63;
}

/* The same number, of which the verifier then knows no more than of the other: what follows is walked once, whatever was known of it. */
static __always_inline __u64 buckets_forget(__u64 x, __u64 other)
{
	x ^= other;
	asm volatile("" : "+r"(x));
	return x ^ other;
}

static __always_inline __u64 buckets_until(__u64 word, __u64 until)
{
	return word >> TEG_BUCKET_UNTIL << TEG_BUCKET_UNTIL | (until & ((1u << TEG_BUCKET_UNTIL) - 1));
}

#define BUCKETS_TAG_EACH (1ull | 1ull << TEG_GATE_BITS | 1ull << 2 * TEG_GATE_BITS | 1ull << 3 * TEG_GATE_BITS)

static __always_inline __u64 buckets_tag(__u64 who)
{
	return who >> (64 - TEG_GATE_BITS);
}

/* The highest bit of each place's part: the lowest that is set is a place whose name begins so. None: it stands nowhere. */
static __always_inline __u64 buckets_gate_asks(__u64 gate, __u64 who)
{
	const __u64 differ = gate >> TEG_BUCKET_UNTIL ^ buckets_tag(who) * BUCKETS_TAG_EACH;

	return (differ - BUCKETS_TAG_EACH) & ~differ & BUCKETS_TAG_EACH << (TEG_GATE_BITS - 1);
}

static __always_inline __u32 buckets_gate_place(__u64 asked)
{
	const __u64 one = asked & -asked;

	__u64 low = one >> (2 * TEG_GATE_BITS - 1) | one >> (4 * TEG_GATE_BITS - 1);

	asm volatile("" : "+r"(low)); /* else clang branches on it */
	return (low & 1) | ((one >> (3 * TEG_GATE_BITS - 2) | one >> (4 * TEG_GATE_BITS - 2)) & 2);
}

/* Where `who` stands in the set, by its gate; NULL when nowhere. */
static __always_inline struct teg_bucket *buckets_find(struct teg_bucket *set, __u64 gate, __u64 who)
{
	__u64 asked = buckets_gate_asks(gate, who);

	for (__u32 i = 0; asked && i < TEG_BUCKET_WAYS; i++) {
		struct teg_bucket *b = &set[BOUND(buckets_gate_place(asked), TEG_BUCKET_WAYS)];

		if ((BUCKETS_READ(&b->who) ^ who) >> TEG_BUCKET_UNTIL == 0)
			return b;
		asked &= asked - 1;
	}
	return (struct teg_bucket *)0;
}

/* Are all places of the set surely kept? */
static __always_inline bool buckets_gate_is_shut(__u64 gate, __u32 unit)
{
	return (((__u32)gate - unit - 1) & ((1u << TEG_BUCKET_UNTIL) - 1)) < TEG_GATE_AHEAD;
}

/* The first place that will be free is kept so many more units. */
static __always_inline __u64 buckets_gate_shut(__u64 gate, __u32 unit, __u32 more)
{
	return buckets_until(gate, unit + (more < TEG_GATE_AHEAD ? more + 1 : TEG_GATE_AHEAD));
}

/* Does the gate name all who stand behind it? A place that was taken just now may not be said yet. */
static __always_inline bool buckets_gate_names(__u64 gate, struct teg_bucket *set)
{
	for (__u32 i = 0; i < TEG_BUCKET_WAYS; i++)
		gate ^= buckets_tag(BUCKETS_READ(&set[i].who)) << (TEG_BUCKET_UNTIL + i * TEG_GATE_BITS);
	return gate >> TEG_BUCKET_UNTIL == 0;
}

/* All that it counts are one, who has a bucket whatever comes. */
static __always_inline bool buckets_must(const struct teg_rule *rule)
{
	return *(const volatile __u8 *)&rule->key == TEG_KEY_ALL; /* read anew: by how the name was made, the verifier would know which it is */
}

/*
 * buckets_place - the place of `who`, looked for: its own, or that of one who is kept no longer. That one's bucket is
 * full: unless its depth was less, it is left as it is; else it is filled first and then renamed. Only what was seen to be empty while the
 * place was still that one's is filled: else it may be another CPU that renamed it, and has taken a token. Who renames says so at the gate;
 * changes of the gate's parts can come in any order. NULL when all are kept, unless it must have one. Another may have taken the
 * place first: buckets_keep() sees that.
 */
static __always_inline struct teg_bucket *buckets_place(struct teg_bucket *set, __u64 *gate, __u64 seen, __u64 who,
							__u64 now, const struct teg_rule *rule)
{
	const __u32 unit = now >> TEG_BUCKET_UNIT;
	__u32 least = ~0u; /* how far ahead the first that will be free is, and which it is: in one word, for want of stack */
	__u64 was_who = 0, was_ns = 0;

	/* A branch, though it is often guessed wrong: while its line is waited for, a guess goes on. */
	for (__u32 i = 0; i < TEG_BUCKET_WAYS; i++) {
		__u64 is_who = BUCKETS_READ(&set[i].who), is_ns = BUCKETS_READ(&set[i].empty_ns);
		__u32 more = buckets_ahead(is_who, is_ns, now) * TEG_BUCKET_WAYS + i;

		if ((is_who ^ who) >> TEG_BUCKET_UNTIL == 0)
			return &set[i];
		if (more < least) {
			least = more;
			was_who = is_who;
			was_ns = is_ns;
		}
		asm volatile("" : "+r"(least), "+r"(was_who), "+r"(was_ns)); /* else clang keeps more of each turn than the stack has room for */
	}
	least = (__u32)buckets_forget(least, seen); /* else walked for each of the four after each way to it */
	const __u32 ahead = least / TEG_BUCKET_WAYS, at = least % TEG_BUCKET_WAYS;
	struct teg_bucket *room = &set[BOUND(at, TEG_BUCKET_WAYS)];

	if (ahead && !buckets_must(rule)) {
		if (buckets_gate_names(seen, set))
			BUCKETS_SWAP(gate, seen, buckets_gate_shut(seen, unit, ahead));
		return (struct teg_bucket *)0;
	}
	who = buckets_until(who, unit + TEG_BUCKET_KEPT);
	if ((__s64)(now - was_ns) < (__s64)rule->depth_ns && BUCKETS_SWAP(&room->who, was_who, was_who) == was_who)
		BUCKETS_SWAP(&room->empty_ns, was_ns, now - rule->depth_ns);
	if (BUCKETS_SWAP(&room->who, was_who, who) == was_who)
		BUCKETS_XOR(gate, (buckets_tag(was_who) ^ buckets_tag(who)) << (TEG_BUCKET_UNTIL + at * TEG_GATE_BITS));
	return room;
}

/* What a bucket that was empty then holds. */
static __always_inline __s64 buckets_held(__u64 empty_ns, __u64 depth_ns, __u64 now)
{
	const __s64 held = (__s64)(now - empty_ns); /* below 0: another CPU's clock is ahead */

	return held > (__s64)depth_ns ? (__s64)depth_ns : held;
}

/* Takes a token from the bucket that was seen to be empty then; true when there is none. */
static __always_inline bool buckets_is_over(__u64 *empty_ns, __u64 seen, __u64 cost_ns, __u64 depth_ns, __u64 now)
{
	for (int i = 0; i < BUCKETS_TRIES; i++) {
		const __s64 held = buckets_held(seen, depth_ns, now);
		const __u64 expected = seen;

		if (held < (__s64)cost_ns)
			return true;
		seen = BUCKETS_SWAP(empty_ns, expected, now - (__u64)held + cost_ns);
		if (seen == expected)
			return false;
	}
	return false;
}

/* The same with one try. */
static __always_inline enum buckets_said buckets_once(__u64 *empty_ns, __u64 seen, __u64 cost_ns, __u64 depth_ns, __u64 now)
{
	const __s64 held = buckets_held(seen, depth_ns, now);

	if (held < (__s64)cost_ns)
		return BUCKETS_OVER;
	return BUCKETS_SWAP(empty_ns, seen, now - (__u64)held + cost_ns) == seen ? BUCKETS_WITHIN : BUCKETS_LATER;
}

/*
 * Makes sure that the place stays its source's until the bucket, seen to be empty then, will be full without the token that
 * is to be taken, and half a minute longer; false when it is another's. Before the token is taken: of a place that is not kept it may be
 * another's. At most once in a unit of time, so nearly never, there is something to say.
 */
static __always_inline bool buckets_keep(struct teg_bucket *b, __u64 seen, __u64 name, __u64 cost_ns, __u64 depth_ns, __u64 now)
{
	const __s64 held = buckets_held(seen, depth_ns, now);
	const __u64 missing = (depth_ns - (__u64)held + (held < (__s64)cost_ns ? 0 : cost_ns)) >> TEG_BUCKET_UNIT;
	const __u64 is = BUCKETS_READ(&b->who);
	const __u64 who = buckets_until(name, (now >> TEG_BUCKET_UNIT) + TEG_BUCKET_KEPT +
						      (missing < TEG_BUCKET_KEPT_MOST ? missing : TEG_BUCKET_KEPT_MOST));

	if (is == who)
		return true;
	if ((is ^ who) >> TEG_BUCKET_UNTIL)
		return false;
	if (((is - who) & ((1u << TEG_BUCKET_UNTIL) - 1)) <= TEG_BUCKET_AHEAD)
		return true; /* for longer */
	return (BUCKETS_SWAP(&b->who, is, who) ^ who) >> TEG_BUCKET_UNTIL == 0;
}

/*
 * The same place, but one of all to the verifier: by what it was found, near or far, with its name or without, it knows a dozen of them, and
 * would walk what follows for each.
 */
static __always_inline struct teg_bucket *buckets_anew(struct teg_buckets *all, struct teg_bucket *b)
{
	if (!b)
		return b;
	asm volatile("" : "+r"(b));
	__u64 at = (__u64)((char *)b - (char *)all);

	asm volatile("" : "+r"(at));
	at &= -sizeof at; /* as it is: words that are swapped must be seen to be aligned */
	asm volatile("" : "+r"(at));
	if (at > sizeof *all - sizeof *b)
		return (struct teg_bucket *)0;
	asm volatile("" : "+r"(at));
	return (struct teg_bucket *)((char *)all + at);
}

/* ---- far --------------------------------------------------------------------------------- */

#define FAR_EACH 0x0001000100010001ull
#ifndef FAR_VISIT
#define FAR_VISIT (8u * TEG_BUCKET_WAYS) /* places */
#endif

/* The highest bit of each part whose tag is 0. */
static __always_inline __u64 far_untagged(__u64 word)
{
	return ((FAR_EACH << 15) - (word >> TEG_FAR_LINE_BITS & FAR_EACH * ((1u << TEG_FAR_TAG_BITS) - 1))) & FAR_EACH << 15;
}

static __always_inline __u64 far_asks(__u64 word, __u64 who)
{
	return far_untagged(word ^ FAR_EACH * (teg_far_tag(who) << TEG_FAR_LINE_BITS));
}

/* How far to the left the lowest of these parts stands. */
static __always_inline __u32 far_shift(__u64 parts)
{
	const __u64 one = parts & -parts;
	__u64 last = one >> 63;

	asm volatile("" : "+r"(last)); /* else clang branches on it */
	return (one >> 27 & 16) | (one >> 42 & 32) | last * 48;
}

static __always_inline struct teg_bucket *far_place(struct teg_buckets *all, __u64 who, __u64 at)
{
	return &all->far[BOUND((__u64)teg_far_row(who) * TEG_FAR_ROW + (at & (TEG_FAR_ROW - 1)), TEG_FAR_ROWS * TEG_FAR_ROW)];
}

/* Of its row, the lowest bit of names is the same: another one there is of a place that is being made. */
#define FAR_MAKING (1ull << TEG_BUCKET_UNTIL)

/* Where `who` stands, or, when *makes, will stand; NULL when nowhere. */
static __always_inline struct teg_bucket *far_find(struct teg_buckets *all, __u64 word, __u64 who, __u64 asked, bool *makes)
{
	if (!asked)
		return (struct teg_bucket *)0;
	struct teg_bucket *line = far_place(all, who, (word >> far_shift(asked)) * TEG_BUCKET_WAYS);

	for (__u32 k = 0; k < TEG_BUCKET_WAYS; k++) {
		const __u64 differs = (BUCKETS_READ(&line[k].who) ^ who) >> TEG_BUCKET_UNTIL;

		*makes = differs;
		if (differs <= FAR_MAKING >> TEG_BUCKET_UNTIL)
			return &line[k];
	}
	return (struct teg_bucket *)0;
}

/*
 * Can `who`, whose tag is asked in these parts and who stands nowhere, have a part of the word? Not where its tag stands already: were it given twice, one that is freed and given
 * to `who` by another CPU would leave the word as it was.
 */
static __always_inline bool far_lets_in(__u64 word, __u64 asked)
{
	return !asked && far_untagged(word);
}

#define FAR_TRIES 8 /* another CPU that looks through the row may change all parts, and then take one */

/* A part of the word that says so says nothing any more. */
static __always_inline void far_unsay(__u64 *word, __u64 part)
{
	for (__u32 i = 0; i < FAR_TRIES; i++) {
		const __u64 seen = BUCKETS_READ(word), differ = seen ^ FAR_EACH * part;
		const __u64 same = far_untagged(differ) & ((FAR_EACH << 15) - (differ & FAR_EACH * ((1u << TEG_FAR_LINE_BITS) - 1)));

		if (!same || BUCKETS_SWAP(word, seen, seen ^ part << far_shift(same)) == seen)
			return;
	}
}

/*
 * Makes the place free when its time is over. One that is being made is its CPU's alone, and what it holds is still another's, who
 * may have left months ago. A function of its own: the verifier walks it once.
 */
__attribute__((noinline)) int far_free(__u32 row, __u32 at, __u64 now)
{
	struct teg_buckets *all = BUCKETS_ALL;
	const __u64 in = (__u64)(row & (TEG_FAR_ROWS - 1)) << TEG_BUCKET_UNTIL;
	struct teg_bucket *b = far_place(all, in, at);
	const __u64 was = BUCKETS_READ(&b->who);

	if (!was || (was ^ in) & FAR_MAKING || buckets_ahead(was, BUCKETS_READ(&b->empty_ns), now) ||
	    BUCKETS_SWAP(&b->who, was, 0) != was)
		return 0;
	far_unsay(&all->word[BOUND(teg_far_word(was), TEG_FAR_WORDS)],
		  teg_far_tag(was) << TEG_FAR_LINE_BITS | (at & (TEG_FAR_ROW - 1)) / TEG_BUCKET_WAYS);
	return 1;
}

/* Looks through the next part of a row. Where that freed nothing, a unit of time passes before the next. */
static __always_inline void far_visit(struct teg_buckets *all, __u32 row, __u64 now)
{
	__u64 *visit = &all->row[BOUND(row, TEG_FAR_ROWS)].visit;
	const __u32 at = (__u32)BUCKETS_READ(visit) & (TEG_FAR_ROW - 1);
	__u64 unit = now >> TEG_BUCKET_UNIT;
	__u32 freed = 0;

	for (__u32 i = 0; i < FAR_VISIT; i++)
		freed |= far_free(row, at + i, now);
	unit += !freed;
	BUCKETS_STORE(visit, unit << 32 | ((at + FAR_VISIT) & (TEG_FAR_ROW - 1)));
}

/* Is it time? What lies far ahead is of another boot's clock, or has come round. */
static __always_inline bool far_is_due(__u64 visit, __u64 now)
{
	return (__u32)(visit >> 32) - (__u32)(now >> TEG_BUCKET_UNIT) - 1 > 1;
}

/*
 * A place for `who`, whom the word that was seen lets in, and its first token. BUCKETS_NONE when there is no place at the row's head, or the
 * word has changed.
 */
static __always_inline enum buckets_said far_make(struct teg_buckets *all, __u64 *word, __u64 seen, __u64 who, const struct teg_rule *rule,
						  __u64 cost_ns, __u64 now, const bool brief)
{
	__u64 *head = &all->row[BOUND(teg_far_row(who), TEG_FAR_ROWS)].head;
	const __u64 from = BUCKETS_READ(head), missing = cost_ns >> TEG_BUCKET_UNIT;
	const bool over = rule->depth_ns < cost_ns;
	const __u64 name = buckets_until(who, (now >> TEG_BUCKET_UNIT) + TEG_BUCKET_KEPT +
						      (over ? 0 : missing < TEG_BUCKET_KEPT_MOST ? missing : TEG_BUCKET_KEPT_MOST));

	for (__u32 i = 0; i < (brief ? 1 : TEG_BUCKET_WAYS); i++) {
		const __u64 at = (from + i) & (TEG_FAR_ROW - 1);
		const __u64 part = teg_far_tag(who) << TEG_FAR_LINE_BITS | at / TEG_BUCKET_WAYS;
		struct teg_bucket *b = far_place(all, who, at);

		if (BUCKETS_READ(&b->who) || BUCKETS_SWAP(&b->who, 0, name ^ FAR_MAKING))
			continue;
		BUCKETS_STORE(&b->empty_ns, now - rule->depth_ns + (over ? 0 : cost_ns));
		BUCKETS_STORE(head, at + 1);
		if (BUCKETS_SWAP(word, seen, seen | part << far_shift(far_untagged(seen))) != seen) {
			BUCKETS_STORE(&b->who, 0);
			return BUCKETS_NONE;
		}
		BUCKETS_STORE(&b->who, name);
		return over ? BUCKETS_OVER : BUCKETS_WITHIN;
	}
	if (brief)
		return BUCKETS_LATER;
	BUCKETS_STORE(head, from + TEG_BUCKET_WAYS);
	return BUCKETS_NONE;
}

/*
 * Takes the first token of a source that stands nowhere, and for which there is nothing near. Who finds no place and looks through the row has
 * none yet, though some be free now: to try again takes more stack than kernels before 6.8 have.
 */
static __always_inline enum buckets_said far_take(struct teg_buckets *all, __u64 *word, __u64 seen, __u64 asked, __u64 who,
						  const struct teg_rule *rule, __u64 cost_ns, __u64 now, const bool brief)
{
	enum buckets_said said = BUCKETS_NONE;

	if (far_lets_in(seen, asked))
		said = far_make(all, word, seen, who, rule, cost_ns, now, brief);
	if (said == BUCKETS_NONE && far_is_due(BUCKETS_READ(&all->row[BOUND(teg_far_row(who), TEG_FAR_ROWS)].visit), now)) {
		if (brief)
			return BUCKETS_LATER;
		far_visit(all, teg_far_row(who), now);
	}
	return said;
}

/* ---- both -------------------------------------------------------------------------------- */

/*
 * Takes a token from the bucket of `who`. What must have one is near. A gate is read once, and so is a word: one that does
 * not name `who`, and lets nobody in, did both at the same moment.
 * Who is brief tries each step once, and looks for no place: so it needs little of the stack, and can stand where there is no call.
 */
static __always_inline enum buckets_said buckets_take(struct teg_buckets *all, __u64 who, const struct teg_rule *rule,
						      __u64 cost_ns, __u64 now, const bool brief)
{
	const __u32 near = who & (TEG_NEAR_SETS - 1);
	const __u64 gate = BUCKETS_READ(&all->gate[near]);
	struct teg_bucket *b = buckets_find(all->near[near], gate, who);

	if (__builtin_expect(!b, 0)) {
		__u64 *word = &all->word[BOUND(teg_far_word(who), TEG_FAR_WORDS)];
		const __u64 seen = BUCKETS_READ(word), asked = far_asks(seen, who);
		bool makes = false;

		b = far_find(all, seen, who, asked, &makes);
		if (b && makes)
			return BUCKETS_NONE;
		if (!b && (buckets_must(rule) || !buckets_gate_is_shut(gate, now >> TEG_BUCKET_UNIT))) {
			if (brief)
				return BUCKETS_LATER;
			b = buckets_place(all->near[near], &all->gate[near], gate, who, now, rule);
		}
		if (!b)
			return far_take(all, word, seen, buckets_forget(asked, seen), who, rule, cost_ns, now, brief);
	}
	b = buckets_anew(all, b);
	if (!b)
		return BUCKETS_NONE;
	const __u64 had = BUCKETS_READ(&b->empty_ns);
	if (!buckets_keep(b, had, who, cost_ns, rule->depth_ns, now))
		return BUCKETS_NONE;
	if (brief)
		return buckets_once(&b->empty_ns, had, cost_ns, rule->depth_ns, now);
	return buckets_is_over(&b->empty_ns, had, cost_ns, rule->depth_ns, now) ? BUCKETS_OVER : BUCKETS_WITHIN;
}

#endif
