/*
 * Several CPUs in one set of buckets, in every order in which they can come.
 *
 * Packets are taken through the text that the program is made of. Each look at a word that CPUs share, and each
 * change of one, is a step; whatever happens in between is the CPU's own. A CPU is stopped at its next step, and gone on with
 * by beginning anew, while what it has seen until then is told it again. So all orders are tried, but none twice from
 * where it meets another: the words and what each CPU has seen say all that is still to come. A program that
 * interrupts another on the same CPU is one of these orders.
 *
 * Then the tokens are counted: those that were handed out and those still there are as many as there were.
 */
#include <ctype.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "bpf-templates/abi.h"

enum step { STEP_READ, STEP_SWAP, STEP_XOR, STEP_STORE };
static __u64 shared_step(enum step kind, __u64 *word, __u64 was, __u64 is);

#define BUCKETS_READ(word) shared_step(STEP_READ, (__u64 *)(word), 0, 0)
#define BUCKETS_SWAP(word, was, is) shared_step(STEP_SWAP, word, was, is)
#define BUCKETS_XOR(word, bits) shared_step(STEP_XOR, word, 0, bits)
#define BUCKETS_STORE(word, is) shared_step(STEP_STORE, word, 0, is)
#define BUCKETS_ALL table
#define FAR_VISIT TEG_BUCKET_WAYS /* a line */
int far_free(__u32 row, __u32 at, __u64 now);
static struct teg_buckets *table;
#include "bpf-templates/buckets.h"
#include "tests/lib/tap.h"

#define SECOND 1000000000ull
#define NOW (5000 * SECOND)
#define TOKENS 3 /* that a bucket holds */
#define CPUS 3
#define PACKETS 2 /* of a CPU at most */
#define STEPS 120
#define FAR 8 /* places of the row that are reached */
#define OTHER TEG_FAR_ROWS /* another word of the row */
#define DAY (86400 * SECOND)
#define LONG_AGO (200 * DAY)
#define ORDERS_BITS 24

/*
 * Sources are letters, and all have the same near set and the same word far; but of digits, and of z, it is another word of the same row. a to f are new; others stand in the places at
 * first, and are kept, or their time is over (large letters). d's and t's buckets are deeper than the others', m's is
 * of a rate over everything. e and f have names that begin alike.
 */
static const struct teg_rule shallow = { .cost_ns = SECOND, .depth_ns = TOKENS * SECOND },
			     deep = { .cost_ns = 20 * SECOND, .depth_ns = TOKENS * 20 * SECOND },
			     all_of_it = { .cost_ns = SECOND, .depth_ns = TOKENS * SECOND, .key = TEG_KEY_ALL };

static const struct teg_rule *rule_of(char source)
{
	return source == 'd' || source == 't' ? &deep : source == 'm' ? &all_of_it : &shallow;
}

static uint64_t name_of(char source)
{
	const uint64_t begins = source == 'f' ? 'e' : (uint64_t)source;
	const uint64_t word = source == 'z' || (source >= '0' && source <= '9') ? OTHER : 0;

	return 1ull << 63 | begins << (64 - TEG_GATE_BITS) | (uint64_t)(source & 31) << 48 | begins << (TEG_BUCKET_UNTIL + 15) |
	       word << TEG_BUCKET_UNTIL;
}

static const struct row {
	const char *what;
	const char *near, *far; /* who stands there; a point: nobody */
	const char *cpu[CPUS];	/* whose packets come to each */
	unsigned more, fewer;	/* tokens of one source that may be too many, or lost */
	unsigned earlier_s;	/* the first CPU's clock */
} rows[] = {
	{ "a source that comes first to two CPUs", "....", "....", { "a", "a" }, 0, 0, 0 },
	{ "one that comes twice to both", "....", "....", { "aa", "aa" }, 0, 0, 0 },
	{ "one that comes first to three CPUs", "....", "....", { "a", "a", "a" }, 0, 0, 0 },
	{ "one in another's place", "P...", "....", { "a", "a" }, 0, 0, 0 },
	{ "a deeper one in another's place", "P...", "....", { "d", "d" }, 0, 0, 0 },
	{ "a shallower one in another's place", "T...", "....", { "a", "a" }, 0, 0, 0 },
	{ "two at once", "....", "....", { "a", "b" }, 0, 0, 0 },
	{ "two whose names begin alike", "....", "....", { "e", "f" }, 0, 0, 0 },
	{ "two, and each to both", "....", "....", { "ab", "ba" }, 0, 0, 0 },
	{ "two for whom there is one near place", "pqr.", "....", { "ab", "ba" }, 0, 0, 0 },
	{ "two for whom there is one place", "pqrs", "uvw.", { "ab", "ba" }, 0, 0, 0 },
	{ "a known one, on three CPUs", "pqrs", "uvwx", { "pp", "pp", "p" }, 0, 0, 0 },
	{ "the same, on two", "pqrs", "....", { "pp", "p" }, 0, 0, 0 },
	{ "the same, far", "qrst", "pvwx", { "pp", "p" }, 0, 0, 0 },
	{ "one whose time is over, and it comes again", "P...", "....", { "p", "p" }, 0, 0, 0 },
	{ "the same, while a new one takes its place", "P...", "....", { "p", "a" }, 0, 0, 0 },
	{ "the same, while a deeper one takes its place", "P...", "....", { "p", "d" }, 0, 0, 0 },
	{ "the same, while a shallower one takes its place", "T...", "....", { "t", "a" }, 0, 0, 0 },
	{ "the same, while a new one comes to two CPUs", "Pqrs", "....", { "p", "a", "a" }, 0, 0, 0 },
	{ "the same, far", "qrst", "Pvwx", { "pp", "aa" }, 0, 0, 0 },
	{ "one far that comes first to two CPUs", "pqrs", "....", { "a", "a" }, 0, 0, 0 },
	{ "one far that comes twice to both", "pqrs", "....", { "aa", "aa" }, 0, 0, 0 },
	{ "two far at once, and each to both", "pqrs", "....", { "ab", "ba" }, 0, 0, 0 },
	{ "two far whose names begin alike", "pqrs", "....", { "ef", "fe" }, 0, 0, 0 },
	{ "two for whom there is one place far", "pqrs", "uvw.", { "a", "b" }, 0, 0, 0 },
	{ "two far, where the place that comes next is taken", "pqrs", "0..1", { "a", "b" }, 0, 0, 0 },
	{ "two far in others' places", "pqrs", "UVwx", { "a", "b" }, 0, 0, 0 },
	{ "one far in another's place, which comes again", "pqrs", "Uvwx", { "a", "u" }, 0, 0, 0 },
	{ "the same, twice", "pqrs", "Uvwx", { "aa", "u" }, 0, 0, 0 },
	{ "one far, deeper, in the place of one whose name begins alike", "pqrs", "Eqrs", { "d", "e" }, 0, 0, 0 },
	{ "one far, while one whose name begins alike is freed", "pqrs", "E1..234.", { "ff", "zf" }, 0, 0, 0 },
	{ "the same, which comes again", "pqrs", "E1..234.", { "ee", "zf" }, 0, 0, 0 },
	{ "a rate over everything that begins", "....", "....", { "m", "m", "m" }, 0, 0, 0 },
	{ "the same, beside another who wants its place", "pqr.", "uvwx", { "m", "m", "a" }, 0, 0, 0 },
	{ "the same, where all are kept", "uvwx", "....", { "m", "m" }, 0, 0, 0 },
	{ "the same, where all far ones are too", "uvwx", "pqrs", { "m", "m" }, 0, 0, 0 },
	{ "the same, behind one that shuts the gate", "uvwx", "pqrs", { "am", "m" }, 0, 0, 0 },
	{ "the same, while one of these comes", "uvwx", "....", { "m", "u" }, 1, 1, 0 },
	{ "the last near place, which is said to be taken while it is", "pqr.", "....", { "a", "a", "b" }, 0, 0, 0 },
	{ "one whose near place is kept by one clock, and not by the other", "Pqrs", "....", { "a", "a" }, 1, 0, 6 },
	{ "one whose far place is kept by one clock, and not by the other", "qrst", "Pvwx", { "p", "p" }, 1, 0, 6 },
};

/* ---- steps ------------------------------------------------------------------------------- */

struct cpu {
	unsigned steps;
	uint64_t seen[STEPS];
	enum buckets_said said[PACKETS];
	bool done;
};

/* All that is to come depends on this, and on the row. */
struct state {
	uint64_t gate, word, other;
	struct teg_bucket_row row;
	struct teg_bucket near[TEG_BUCKET_WAYS], far[FAR];
	struct cpu cpu[CPUS];
};

static struct cpu *runs; /* NULL: nobody else does */
static unsigned long steps;
static unsigned loses; /* swaps before which another CPU comes, */
static uint64_t by;    /* which changes these bits */
static unsigned told;
static bool has_stepped;
static jmp_buf stop;

static __u64 shared_step(enum step kind, __u64 *word, __u64 was, __u64 is)
{
	if (runs && told < runs->steps)
		return runs->seen[told++];
	if (runs && has_stepped)
		longjmp(stop, 1);
	if (kind == STEP_SWAP && loses) {
		*word ^= by;
		loses--;
	}
	const uint64_t seen = *word;

	if (kind == STEP_SWAP && seen == was)
		*word = is;
	if (kind == STEP_XOR)
		*word ^= is;
	if (kind == STEP_STORE)
		*word = is;
	has_stepped = true;
	steps++;
	if (runs) {
		if (runs->steps == STEPS)
			abort();
		runs->seen[runs->steps++] = seen;
		told++;
	}
	return seen;
}

/* As the program does: what a place must be looked for is taken by the function that looks, from the beginning. */
static enum buckets_said take_named(uint64_t who, const struct teg_rule *rule, uint64_t now)
{
	const enum buckets_said said = buckets_take(table, who, rule, rule->cost_ns, now, true);

	return said == BUCKETS_LATER ? buckets_take(table, who, rule, rule->cost_ns, now, false) : said;
}

static enum buckets_said take(char source, uint64_t now)
{
	return take_named(name_of(source), rule_of(source), now);
}

static void look(struct state *s)
{
	s->gate = table->gate[0];
	s->word = table->word[0];
	s->other = table->word[OTHER];
	s->row = table->row[0];
	memcpy(s->near, table->near[0], sizeof s->near);
	memcpy(s->far, table->far, sizeof s->far);
}

static void put(const struct state *s)
{
	table->gate[0] = s->gate;
	table->word[0] = s->word;
	table->word[OTHER] = s->other;
	table->row[0] = s->row;
	memcpy(table->near[0], s->near, sizeof s->near);
	memcpy(table->far, s->far, sizeof s->far);
}

/* One step of one CPU, and what it does behind it alone. */
static void step(const struct row *r, struct state *s, unsigned cpu)
{
	const char *packets = r->cpu[cpu];

	put(s);
	runs = &s->cpu[cpu];
	told = 0;
	has_stepped = false;
	if (!setjmp(stop)) {
		for (unsigned i = 0; packets[i]; i++)
			runs->said[i] = take(packets[i], cpu ? NOW : NOW - r->earlier_s * SECOND);
		runs->done = true;
	}
	runs = NULL;
	look(s);
}

/* ---- a row ------------------------------------------------------------------------------- */

/* Who stands there: kept for as long as it takes to be full again, and half a minute longer; or that is over. */
static uint64_t stand(struct teg_bucket *b, char who)
{
	const uint32_t unit = NOW >> TEG_BUCKET_UNIT;
	const bool over = who >= 'A' && who <= 'Z';
	const char source = (char)(over ? who - 'A' + 'a' : who);

	if (source == '.')
		return 0;
	b->empty_ns = over ? NOW - rule_of(source)->depth_ns - 40 * SECOND : NOW - rule_of(source)->depth_ns;
	b->who = buckets_until(name_of(source), over ? unit - 4 : unit + TEG_BUCKET_KEPT);
	return name_of(source);
}

static uint64_t far_part(uint64_t who, unsigned at)
{
	return who ? teg_far_tag(who) << TEG_FAR_LINE_BITS | at / TEG_BUCKET_WAYS : 0;
}

/* Says who stands at a far place in the next part of its word. */
static void say(struct state *s, uint64_t who, unsigned at)
{
	uint64_t *word = teg_far_word(who) ? &s->other : &s->word;
	unsigned i = 0;

	while (*word >> 16 * i & 0xffff)
		i++;
	*word |= far_part(who, at) << 16 * i;
}

/* What nobody has, somebody had long ago. */
static struct state begin(const struct row *r)
{
	struct state s = { 0 };

	for (unsigned i = 0; i < TEG_BUCKET_WAYS; i++)
		s.gate |= buckets_tag(stand(&s.near[i], r->near[i])) << (TEG_BUCKET_UNTIL + i * TEG_GATE_BITS);
	for (unsigned i = 0; i < FAR; i++)
		s.far[i].empty_ns = NOW - LONG_AGO;
	for (unsigned i = 0; r->far[i]; i++) {
		const uint64_t who = stand(&s.far[i], r->far[i]);

		if (who)
			say(&s, who, i);
	}
	s.row.head = isdigit(r->far[0]) ? 0 : strcspn(r->far, ".");
	for (unsigned i = 0; i < CPUS; i++)
		s.cpu[i].done = !r->cpu[i];
	return s;
}

/* How many tokens a source still has for itself. */
static unsigned left(const struct state *s, char source)
{
	unsigned passed = 0;

	put(s);
	while (passed <= 3 * TOKENS && take(source, NOW) == BUCKETS_WITHIN)
		passed++;
	return passed;
}

static bool gate_holds(const struct state *s)
{
	uint64_t parts = 0;

	for (unsigned i = 0; i < TEG_BUCKET_WAYS; i++)
		parts |= buckets_tag(s->near[i].who) << (TEG_BUCKET_UNTIL + i * TEG_GATE_BITS);
	return parts == s->gate >> TEG_BUCKET_UNTIL << TEG_BUCKET_UNTIL;
}

/* Has each far place a part of its word, and each part a place? */
static bool words_hold(const struct state *s)
{
	uint64_t word = s->word, other = s->other;

	for (unsigned at = 0; at < FAR; at++) {
		const uint64_t who = s->far[at].who, part = far_part(who, at);
		uint64_t *of = teg_far_word(who) ? &other : &word;
		unsigned i = 0;

		while (part && i < TEG_BUCKET_WAYS && (*of >> 16 * i & 0xffff) != part)
			i++;
		if (i == TEG_BUCKET_WAYS)
			return false;
		if (part)
			*of &= ~(0xffffull << 16 * i);
	}
	return !word && !other;
}

/* What a row came to: the worst of all orders. */
struct found {
	unsigned long orders;
	unsigned more, fewer, gates, briefs, wrong;
	char more_order[CPUS * STEPS + 1], fewer_order[CPUS * STEPS + 1]; /* by which CPU each step was */
};

/* It stands there, and nobody comes who could want its place. */
static bool stays(const struct row *r, char source)
{
	const char over = (char)toupper(source);

	for (unsigned i = 0; i < CPUS; i++)
		for (unsigned k = 0; r->cpu[i] && r->cpu[i][k]; k++)
			if (r->cpu[i][k] != source)
				return false;
	return strchr(r->near, source) || strchr(r->near, over) || strchr(r->far, source) || strchr(r->far, over);
}

static void count_source(const struct row *r, const struct state *s, char source, struct found *f, const char *order)
{
	unsigned packets = 0, passed = 0, alone = 0, over = 0;

	for (unsigned i = 0; i < CPUS; i++)
		for (unsigned k = 0; r->cpu[i] && r->cpu[i][k]; k++) {
			packets += r->cpu[i][k] == source;
			over += r->cpu[i][k] == source && s->cpu[i].said[k] == BUCKETS_OVER;
			passed += r->cpu[i][k] == source && s->cpu[i].said[k] == BUCKETS_WITHIN;
			alone += r->cpu[i][k] == source && s->cpu[i].said[k] == BUCKETS_NONE;
		}
	const unsigned has = passed + left(s, source);

	f->wrong += !r->earlier_s && ((over && packets <= TOKENS) || (alone && stays(r, source)));

	if (has > TOKENS && has - TOKENS > f->more) {
		f->more = has - TOKENS;
		strcpy(f->more_order, order);
	}
	if ((!alone || rule_of(source)->key == TEG_KEY_ALL) && has < TOKENS && TOKENS - has > f->fewer) {
		f->fewer = TOKENS - has;
		strcpy(f->fewer_order, order);
	}
}

/* What a source is told that comes alone, and what becomes of the table. */
static enum buckets_said told_alone(const struct state *s, char source, bool brief, struct state *after)
{
	put(s);
	const enum buckets_said said = buckets_take(table, name_of(source), rule_of(source), rule_of(source)->cost_ns, NOW, brief);

	*after = *s;
	look(after);
	return said;
}

/* Who is brief does what who is not does, or says LATER and has done nothing. */
static bool brief_holds(const struct state *s, char source)
{
	struct state brief, patient;
	const enum buckets_said said = told_alone(s, source, true, &brief);

	if (said == BUCKETS_LATER)
		return !memcmp(&brief, s, sizeof brief);
	return told_alone(s, source, false, &patient) == said && !memcmp(&brief, &patient, sizeof brief);
}

static void count(const struct row *r, const struct state *s, struct found *f, const char *order)
{
	f->gates += !gate_holds(s) || !words_hold(s);
	f->briefs += !brief_holds(s, 'g');
	for (char source = 'a'; source <= 'z'; source++)
		for (unsigned i = 0; i < CPUS; i++)
			if (r->cpu[i] && strchr(r->cpu[i], source)) {
				f->briefs += !brief_holds(s, source);
				count_source(r, s, source, f, order);
				break;
			}
}

static uint64_t *met; /* hashes of states, 0: none */

static bool meets(const struct state *s)
{
	const uint64_t *words = (const uint64_t *)s;
	uint64_t h = 0x9e3779b97f4a7c15;

	for (size_t i = 0; i < sizeof *s / sizeof *words; i++) {
		h = (h ^ words[i]) * 0xff51afd7ed558ccd;
		h ^= h >> 29;
	}
	h |= 1;
	for (uint64_t at = h >> (64 - ORDERS_BITS);; at = (at + 1) & ((1u << ORDERS_BITS) - 1)) {
		if (met[at] == h)
			return true;
		if (!met[at]) {
			met[at] = h;
			return false;
		}
	}
}

static void explore(const struct row *r, const struct state *s, struct found *f, char *order, unsigned length)
{
	bool over = true;

	if (meets(s))
		return;
	for (unsigned i = 0; i < CPUS; i++) {
		struct state next = *s;

		if (s->cpu[i].done)
			continue;
		over = false;
		step(r, &next, i);
		order[length] = (char)('0' + i);
		order[length + 1] = 0;
		explore(r, &next, f, order, length + 1);
	}
	f->orders++;
	order[length] = 0;
	if (over)
		count(r, s, f, order);
}

static void row(const struct row *r)
{
	struct found f = { 0 };
	char order[CPUS * STEPS + 1] = "";
	struct state s = begin(r);

	memset(met, 0, sizeof *met << ORDERS_BITS);
	explore(r, &s, &f, order, 0);
	tap_ok(f.more <= r->more, "%s: no token is handed out twice, in %lu states", r->what, f.orders);
	if (f.more > r->more)
		tap_note("%u too many in the order %s", f.more, f.more_order);
	tap_ok(f.fewer <= r->fewer, "%s: none is lost", r->what);
	if (f.fewer > r->fewer)
		tap_note("%u too few in the order %s", f.fewer, f.fewer_order);
	tap_ok(!f.gates, "%s: gates and words say who stands behind them", r->what);
	tap_ok(!f.wrong, "%s: nobody is over who has tokens, and nobody loses a place that no other wants", r->what);
	tap_ok(!f.briefs, "%s: who is brief is told the same, or to come again", r->what);
}

/* Of so many sources the first four stand near, in one set; the others in one row, four in each of its words. */
static enum buckets_said take_nth(unsigned nth, uint64_t now)
{
	const uint64_t words = TEG_FAR_WORDS / TEG_FAR_ROWS, far = (uint64_t)(nth % words) * TEG_FAR_ROWS | (uint64_t)(nth / words + 1) << 15; /* tags from 1 on */

	return take_named(1ull << 63 | (uint64_t)nth << 49 | far << TEG_BUCKET_UNTIL, &shallow, now);
}

/* One CPU, and a row that fills: its places are found again when their time is over. */
static void row_comes_round(void)
{
	const unsigned full = TEG_FAR_ROW + TEG_BUCKET_WAYS;
	const uint64_t later = NOW + 60 * SECOND;
	unsigned within = 0, again = 0, tries = 0;

	runs = NULL;
	memset(table, 0, sizeof *table);
	for (unsigned i = 0; i < full; i++)
		within += take_nth(i, NOW) == BUCKETS_WITHIN;
	tap_num(within, full, "each source of a row has a place, as long as there is one");
	for (unsigned i = 0; i < full; i++)
		again += take_nth(i, NOW) == BUCKETS_WITHIN;
	tap_num(again, full, "where it is found again");
	tap_num(take_nth(full, NOW), BUCKETS_NONE, "who comes then has none");
	for (unsigned i = 1; i <= TEG_BUCKET_WAYS; i++)
		take_nth(full + i, later); /* near */
	tap_num(take_nth(full, later), BUCKETS_NONE, "who comes when their time is over looks through a part of the row, and has none yet");
	while (tries++ < TEG_FAR_ROW / FAR_VISIT && take_nth(full, later) != BUCKETS_WITHIN)
		;
	tap_ok(tries <= TEG_FAR_ROW / FAR_VISIT, "but before all of it was looked through");
	tap_num(take_nth(full, later), BUCKETS_WITHIN, "and stays there");
	tap_num(take_nth(full, later), BUCKETS_WITHIN, "for as many tokens as there are");
	tap_num(take_nth(full, later), BUCKETS_OVER, "and no more");
}

/* ---- what is said of time ----------------------------------------------------------------- */

/* For how many units a place is still kept. */
static void ahead(void)
{
	static const struct { const char *what; int64_t until; uint64_t idle_ns; bool free; uint32_t ahead; } cases[] = {
		{ "until a unit ahead", 1, 0, false, 1 },
		{ "until now", 0, 0, false, 0 },
		{ "until a unit ago", -1, 0, false, 0 },
		{ "until half a turn of all moments ago", 9 - (1 << (TEG_BUCKET_UNTIL - 1)), 105 * DAY, false, 0 },
		{ "as long as any", TEG_BUCKET_AHEAD, 0, false, TEG_BUCKET_AHEAD },
		{ "longer than any", TEG_BUCKET_AHEAD + 1, 0, false, 0 },
		{ "as long as any, when it was last used a day ago", TEG_BUCKET_AHEAD, DAY, false, TEG_BUCKET_AHEAD },
		{ "when it was not used for 150 days", 9, 150 * DAY, false, 9 },
		{ "when it was not used for 160 days: the moment has come round", 9, 160 * DAY, false, 0 },
		{ "by nobody", 0, 0, true, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		/* Nobody's moment is 0: by this clock, a unit ahead. */
		const uint64_t now = cases[i].free ? ((1ull << TEG_BUCKET_UNTIL) - 1) << TEG_BUCKET_UNIT : NOW;
		const uint64_t who = cases[i].free ? 0 : buckets_until(name_of('a'), (NOW >> TEG_BUCKET_UNIT) + (uint64_t)cases[i].until);

		tap_num(buckets_ahead(who, now - cases[i].idle_ns, now), cases[i].ahead, cases[i].what);
	}
}

/* A gate is shut as long as the first place that will be free is kept, but for a minute at most, and no more than a unit longer. */
static void gates_open(void)
{
	const uint64_t unit = NOW >> TEG_BUCKET_UNIT, name = 1ull << 63;
	unsigned early = 0, late = 0, named = 0;

	for (uint32_t more = 1; more < 3 * TEG_GATE_AHEAD; more++) {
		const uint64_t gate = buckets_gate_shut(name, (uint32_t)unit, more);
		const uint32_t least = more < TEG_GATE_AHEAD ? more : TEG_GATE_AHEAD;

		for (uint32_t at = 0; at < 4 * TEG_GATE_AHEAD; at++) {
			early += at < least && !buckets_gate_is_shut(gate, (uint32_t)unit + at);
			late += at > least && buckets_gate_is_shut(gate, (uint32_t)unit + at);
		}
		named += gate >> TEG_BUCKET_UNTIL << TEG_BUCKET_UNTIL == name;
	}
	tap_num(early, 0, "gates that are open while all their places are kept");
	tap_num(late, 0, "gates that are shut for longer");
	tap_num(named, 3 * TEG_GATE_AHEAD - 1, "gates that name still who stands behind them");
}

static void due(void)
{
	static const struct { const char *what; int ahead; bool due; } cases[] = {
		{ "a row that was to be looked through a unit ago", -1, true },
		{ "from now on", 0, true },
		{ "from the next unit on", 1, false },
		{ "from the next unit on, by a clock that is ahead", 2, false },
		{ "by the clock of another boot", 3, true },
		{ "by one that is far ahead", 1 << 30, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		tap_ok(far_is_due((uint64_t)(uint32_t)((NOW >> TEG_BUCKET_UNIT) + (uint64_t)cases[i].ahead) << 32 | 5, NOW) == cases[i].due, "%s is%s due", cases[i].what, cases[i].due ? "" : " not");
}

/* ---- one CPU ------------------------------------------------------------------------------- */

/* Until when its place is kept that has taken so many tokens: until its bucket is full again, and half a minute longer. */
static void kept(bool is_far)
{
	static const struct { const char *what; struct teg_rule rule; unsigned packets; uint32_t more; } cases[] = {
		{ "one of three seconds", { .cost_ns = SECOND, .depth_ns = 3 * SECOND }, 1, (1000000000u) >> TEG_BUCKET_UNIT },
		{ "one of a minute", { .cost_ns = 20 * SECOND, .depth_ns = 60 * SECOND }, 1, 18 },
		{ "two", { .cost_ns = 20 * SECOND, .depth_ns = 60 * SECOND }, 2, 37 },
		{ "all three", { .cost_ns = 20 * SECOND, .depth_ns = 60 * SECOND }, 3, 55 },
		{ "all three, and is over", { .cost_ns = 20 * SECOND, .depth_ns = 60 * SECOND }, 4, 55 },
		{ "none: a packet that is more than it holds", { .cost_ns = 80 * SECOND, .depth_ns = 60 * SECOND }, 1, 0 },
		{ "one of a hundred days", { .cost_ns = 100 * DAY, .depth_ns = 100 * DAY }, 1, TEG_BUCKET_KEPT_MOST },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct row begins = { .near = is_far ? "pqrs" : "....", .far = "...." };
		const struct state s = begin(&begins);

		put(&s);
		for (unsigned k = 0; k < cases[i].packets; k++)
			take_named(name_of('a'), &cases[i].rule, NOW);
		const uint64_t who = is_far ? table->far[0].who : table->near[0][0].who;
		tap_ok((who ^ name_of('a')) >> TEG_BUCKET_UNTIL == 0, "%s, a source has a place", is_far ? "far" : "near");
		tap_num(buckets_ahead(who, NOW, NOW), TEG_BUCKET_KEPT + cases[i].more, cases[i].what);
	}
}

/* A packet of more than a bucket holds is over, and takes nothing. */
static void too_large(bool is_far)
{
	const struct teg_rule large = { .cost_ns = 4 * SECOND, .depth_ns = TOKENS * SECOND }, exact = { .cost_ns = TOKENS * SECOND, .depth_ns = TOKENS * SECOND };
	const struct row begins = { .near = is_far ? "pqrs" : "....", .far = "...." };
	const struct state s = begin(&begins);

	put(&s);
	tap_num(take_named(name_of('a'), &large, NOW), BUCKETS_OVER, "a new source's packet of more than its bucket holds is over");
	tap_num(left(&s, 'a'), TOKENS, "a new source has all its tokens");
	put(&s);
	take_named(name_of('a'), &large, NOW);
	tap_num(take_named(name_of('a'), &exact, NOW), BUCKETS_WITHIN, "one of all that it holds is not, behind it");
	tap_num(take_named(name_of('a'), &shallow, NOW), BUCKETS_OVER, "and then it is empty");
	put(&s);
	tap_num(take_named(name_of('a'), &exact, NOW), BUCKETS_WITHIN, "nor is one of all that it holds, of a new source");
}

/* Who loses so many swaps in a row to others tries again, and again; and is let within its rate then. */
static void lost_swaps(void)
{
	static const struct { unsigned lost; bool brief; enum buckets_said said; unsigned left; } cases[] = {
		{ 0, true, BUCKETS_WITHIN, TOKENS - 1 }, { 1, true, BUCKETS_LATER, TOKENS },
		{ 3, false, BUCKETS_WITHIN, TOKENS - 1 }, { 4, false, BUCKETS_WITHIN, TOKENS },
	};
	const struct row begins = { .near = "pqrs", .far = "...." };
	const struct state s = begin(&begins);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct state after = s;

		put(&s);
		table->near[0][0].empty_ns -= SECOND; /* it stays full when a nanosecond changes */
		loses = cases[i].lost, by = 1;
		tap_num(buckets_take(table, name_of('p'), &shallow, SECOND, NOW, cases[i].brief), cases[i].said, "who loses swaps of its bucket is told so");
		tap_num(loses, 0, "behind so many");
		look(&after);
		tap_num(left(&after, 'p'), cases[i].left, "and has so many tokens");
	}
}

/* A part of a word is taken back, if it is there, while other parts change seven times. */
static void unsaid(void)
{
	const uint64_t part = 5u << TEG_FAR_LINE_BITS | 3, other = 6u << TEG_FAR_LINE_BITS | 3, line = 5u << TEG_FAR_LINE_BITS | 4;

	for (unsigned at = 0; at < TEG_BUCKET_WAYS; at++) {
		uint64_t word = part << 16 * at | other << 16 * ((at + 1) % TEG_BUCKET_WAYS);

		loses = 7, by = 1ull << 16 * ((at + 2) % TEG_BUCKET_WAYS);
		far_unsay((__u64 *)&word, part);
		tap_num(word & ~by, other << 16 * ((at + 1) % TEG_BUCKET_WAYS), "a part is taken back, and no other");
		word = line << 16 * at;
		far_unsay((__u64 *)&word, part);
		tap_num(word, line << 16 * at, "one of another line is not");
	}
}

/* What is freed of a row: places whose time is over, and no others; and their parts of words. */
static void freed(void)
{
	const unsigned full = TEG_FAR_ROW + TEG_BUCKET_WAYS;
	const uint64_t later = NOW + 60 * SECOND;
	unsigned wrong = 0, said = 0, from = TEG_FAR_ROW / 2 - FAR_VISIT;

	memset(table, 0, sizeof *table);
	table->word[0] = teg_far_tag(0) << TEG_FAR_LINE_BITS;
	tap_num(far_free(0, 0, NOW), 0, "where nobody stands nobody is freed");
	tap_num(table->word[0], teg_far_tag(0) << TEG_FAR_LINE_BITS, "and no word changed");
	table->word[0] = 0;
	for (unsigned i = 0; i < full; i++)
		take_nth(i, NOW);
	table->row[0].visit = from;
	far_visit(table, 0, NOW);
	tap_num((uint32_t)table->row[0].visit, from + FAR_VISIT, "a part of a row was looked through");
	far_visit(table, 0, later);
	for (unsigned at = 0; at < TEG_FAR_ROW; at++)
		wrong += !table->far[at].who != (at >= from + FAR_VISIT && at < from + 2 * FAR_VISIT);
	tap_num(wrong, 0, "the next was freed, when their time was over, and no other");
	for (unsigned i = 0; i < TEG_FAR_WORDS * TEG_BUCKET_WAYS; i++)
		said += (table->word[i / TEG_BUCKET_WAYS] >> 16 * (i % TEG_BUCKET_WAYS) & 0xffff) != 0;
	tap_num(said, TEG_FAR_ROW - FAR_VISIT, "words say who still stands there");
}

/* Where the next line of a row is taken, who comes next looks at the line behind it. */
static void line_is_taken(void)
{
	const struct row begins = { .near = "pqrs", .far = "0123" };
	const struct state s = begin(&begins);

	put(&s);
	tap_num(take('a', NOW), BUCKETS_NONE, "a source has no place where the next line is taken");
	tap_num(table->row[0].head, TEG_BUCKET_WAYS, "but the row goes on behind it");
	tap_num(take('a', NOW), BUCKETS_WITHIN, "where it has one then");
}

/* What is kept by a clock that is ahead stays so, though none is kept for longer by the other. */
static void clock_behind(void)
{
	const struct teg_rule slow = { .cost_ns = 60 * DAY, .depth_ns = 400 * DAY };
	const struct row begins = { .near = "....", .far = "...." };
	const struct state s = begin(&begins);

	put(&s);
	take_named(name_of('a'), &slow, NOW);
	const uint64_t who = table->near[0][0].who;
	tap_num(take_named(name_of('a'), &slow, NOW - 6 * SECOND), BUCKETS_WITHIN, "a source comes by a clock that is behind");
	tap_num(table->near[0][0].who, who, "a place is kept until when a clock said that is ahead");
}

static unsigned long steps_of(unsigned nth, uint64_t now)
{
	const unsigned long before = steps;

	take_nth(nth, now);
	return steps - before;
}

/* Who comes where all is kept reads a gate, a word, and when the row is due; but once a unit it looks through a part of the row. */
static void crowded(void)
{
	const unsigned full = TEG_FAR_ROW + TEG_BUCKET_WAYS;
	const uint64_t now = NOW >> TEG_BUCKET_UNIT << TEG_BUCKET_UNIT;

	memset(table, 0, sizeof *table);
	for (unsigned i = 0; i < full; i++)
		take_nth(i, now);
	take_nth(full, now);
	tap_num(steps_of(full, now), 3, "looks that one takes for whom there is no place");
	tap_num(steps_of(full + 1, now), 3, "and another");
	const unsigned long before = steps;
	take_named(1ull << 54 | (uint64_t)(OTHER * 3) << TEG_BUCKET_UNTIL, &shallow, now);
	tap_num(steps - before, 3, "and one whose name begins low");
	tap_num((uint32_t)table->row[0].visit, FAR_VISIT, "places that were looked through");
	tap_ok(steps_of(full, now + (1ull << TEG_BUCKET_UNIT)) > FAR_VISIT, "a unit later the next are");
	tap_num((uint32_t)table->row[0].visit, 2 * FAR_VISIT, "of which there are as many");
	table->row[0].visit += TEG_FAR_ROW - 3 * FAR_VISIT;
	take_nth(full, now + (2ull << TEG_BUCKET_UNIT));
	tap_num((uint32_t)table->row[0].visit, 0, "behind the row's last place comes its first");
	tap_num(table->row[0].head % TEG_BUCKET_WAYS, 0, "and nobody has moved its head but by whole lines");
}

int main(void)
{
	table = calloc(1, sizeof *table);
	met = calloc(1u << ORDERS_BITS, sizeof *met);
	if (!table || !met)
		abort();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		row(&rows[i]);
	row_comes_round();
	ahead();
	gates_open();
	due();
	for (unsigned is_far = 0; is_far < 2; is_far++) {
		kept(is_far);
		too_large(is_far);
	}
	crowded();
	lost_swaps();
	unsaid();
	freed();
	line_is_taken();
	clock_behind();
	free(met);
	free(table);
	return tap_done();
}
