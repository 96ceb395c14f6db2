/*
 * What the trees of long lists make a packet read, counted without a clock: the packed words of a plan are walked as
 * bpf-templates/bulk.h does, for the packets of tests/bench/bulk, and each line of 64 bytes is noted.
 *
 *     touched [SIZE [KIND]]          KIND as in tests/bench/bulk, or DIRECTORY/FILE (tests/lib/classbench.h)
 *
 * Of each list: nodes, cells and lines a packet; lines that the whole trace touches, once each; and how many of a packet's lines
 * were not in a cache of 1 MB, 8 ways of 64 bytes (Zen 4's second; Zen 5's has 16 ways), the rule's row and its counter among them. Then of each tree: what
 * its root takes, in how many of a hundred packets its first node has anything, and its cells are asked, and one of them is the answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bpf-templates/floor.h"
#include "compiler/emit/emit.h"
#include "lang/bundle/bulk_pack.h"
#include "tests/lib/classbench.h"
#include "tests/lib/tap.h"

enum { LINE_WORDS = 8, SETS = 2048, WAYS = 8 };
#define NOTHING TEG_BULK_LAST(TEG_BULK_NO_RULE, 0, 0, 0)

struct cache {
	uint64_t lines[SETS][WAYS]; /* 1 + the line; the last used first */
	uint64_t missed, asked;
};

struct tree {
	size_t alive, asked, cells, nodes, answers;
};

struct touched {
	struct cache *second;
	uint8_t *seen; /* by line of the words */
	size_t distinct, lines, nodes, cells, packets, matched;
	size_t roots_missed, nodes_missed, cells_missed, rules_missed;
	struct tree trees[TEG_BULK_GROUPS];
};

static bool misses(struct cache *c, uint64_t line)
{
	uint64_t *set = c->lines[(line ^ line >> 11) % SETS];
	unsigned at = 0;

	c->asked++;
	while (at < WAYS - 1 && set[at] != 1 + line)
		at++;
	const bool missed = set[at] != 1 + line;
	memmove(set + 1, set, at * sizeof *set);
	set[0] = 1 + line;
	c->missed += missed;
	return missed;
}

static bool touch(struct touched *t, uint64_t word)
{
	uint64_t line = word / LINE_WORDS;

	t->lines++;
	t->distinct += !t->seen[line];
	t->seen[line] = 1;
	return misses(t->second, line);
}

struct key {
	uint64_t words[8], pair;
	unsigned family, each; /* words of a cell */
	bool is_short;
};

static struct key key_of(const struct packet *p, const struct bulk_words *w)
{
	uint64_t v4 = p->family == FAMILY_IP4 ? 0xffffull << 32 : 0;
	struct key k = { .family = p->family, .is_short = p->family && w->short6,
			 .each = p->family && !w->short6 ? TEG_BULK_CELL6 : TEG_BULK_CELL4 };

	k.words[0] = (uint64_t)(p->src.num >> 64), k.words[1] = (uint64_t)p->src.num | v4;
	k.words[2] = (uint64_t)(p->dst.num >> 64), k.words[3] = (uint64_t)p->dst.num | v4;
	k.words[4] = (uint64_t)p->sport << 48 | (uint64_t)p->dport << 32 | p->proto;
	k.pair = k.words[1] << 32 | (uint32_t)k.words[3];
	return k;
}

static uint64_t differs_in(uint64_t end, uint64_t word, bool whole)
{
	return (end ^ word) & (whole ? ~0ull : -((end & -end) << 1));
}

static bool cell_has(const uint64_t *c, const struct key *k)
{
	const unsigned each = k->each;
	uint64_t last = c[each - 1], ports = c[each - 2], differs = 0;
	unsigned sport = (uint16_t)(k->words[4] >> 48), dport = (uint16_t)(k->words[4] >> 32);

	if (last & TEG_BULK_ASKS_PROTO)
		differs = (k->words[4] ^ last) & 0xff;
	if (k->is_short)
		differs |= differs_in(c[0], k->words[0], last >> TEG_BULK_SRC_WHOLE_BIT & 1) |
			   differs_in(c[1], k->words[2], last >> TEG_BULK_DST_WHOLE_BIT & 1);
	for (int w = 0; w < 4 && each == TEG_BULK_CELL6; w++) {
		unsigned len = (uint8_t)(c[4] >> 8 * w);

		differs |= len ? (k->words[w] ^ c[w]) >> (63 - (len & 63)) : 0;
	}
	if (!k->family)
		differs |= (k->pair ^ c[0]) & c[1];
	return !differs && sport >= (uint16_t)ports && sport <= (uint16_t)(ports >> 16) &&
	       dport >= (uint16_t)(ports >> 32) && dport <= ports >> 48;
}

static uint64_t scan(struct touched *t, const uint64_t *words, const struct key *k, uint64_t leaf, uint64_t found)
{
	const unsigned each = k->each;
	uint64_t at = TEG_BULK_AT(leaf), before = UINT64_MAX;

	for (unsigned i = 0; i < TEG_BULK_COUNT(leaf); i++, at += each) {
		for (uint64_t line = at / LINE_WORDS; line <= (at + each - 1) / LINE_WORDS; line++)
			if (line != before) {
				t->cells_missed += touch(t, line * LINE_WORDS);
				before = line;
			}
		t->cells++;
		if (words[at + each - 1] >= found)
			return found;
		if (cell_has(&words[at], k))
			return words[at + each - 1];
	}
	return found;
}

static uint64_t walk(struct touched *t, const struct plan *plan, const struct bulk_words *w, const struct key *k)
{
	const struct teg_bulk *b = &plan->config.bulk;
	const unsigned src = k->family ? 0 : 1;
	uint64_t node[TEG_BULK_GROUPS], found = NOTHING;

	for (uint32_t g = 0; g < b->groups[k->family]; g++) {
		const struct teg_bulk_root *r = &b->roots[k->family][g];
		uint64_t mix = teg_bulk_mix(r->take, k->words[src], k->words[src + 2], k->words[4]);
		uint64_t at = w->nodes_at + r->first + (r->shift ? mix >> r->shift : 0);

		t->roots_missed += touch(t, at);
		node[g] = w->at[at];
		if (node[g] >> 63 && node[g] & TEG_BULK_MARKED && TEG_BULK_MARK(mix) != TEG_BULK_MARK_OF(node[g]))
			node[g] = UINT64_MAX;
	}
	for (uint32_t g = 0; g < b->groups[k->family]; g++) {
		uint64_t n = node[g], before = found;
		const size_t cells = t->cells, nodes = t->nodes;

		t->trees[g].alive += TEG_BULK_LEAST(n) != UINT64_MAX >> 46 && (TEG_BULK_LEAST(n) & TEG_BULK_NO_RULE) != TEG_BULK_NO_RULE;
		while (TEG_BULK_LEAST(n) < TEG_BULK_RULE(found)) {
			uint64_t at = TEG_BULK_AT(n) + (k->words[TEG_BULK_STEP_WORD(n)] >> TEG_BULK_STEP_SHIFT(n) &
						     ((1u << TEG_BULK_STEP_WIDTH(n)) - 1));

			t->nodes_missed += touch(t, at);
			t->nodes++;
			n = w->at[at];
		}
		if (TEG_BULK_LEAST(n) - TEG_BULK_LEAST_OF_LEAF < TEG_BULK_RULE(found))
			found = scan(t, w->at, k, n, found);
		t->trees[g].asked += t->cells > cells;
		t->trees[g].cells += t->cells - cells;
		t->trees[g].nodes += t->nodes - nodes;
		t->trees[g].answers += found != before;
	}
	return found;
}

/* Far behind the words, as other maps are: a row of 64 bytes unless the cell says where it is counted; a counter of 32
 * bytes. */
static void count_rule(struct touched *t, size_t lines, uint64_t found)
{
	const uint64_t far = 2 * lines;

	if (found == NOTHING)
		return;
	t->matched++;
	if (!(found & TEG_BULK_PLAIN))
		t->rules_missed += misses(t->second, far + TEG_BULK_RULE(found));
	t->rules_missed += misses(t->second, far + (1 << 20) + TEG_BULK_SLOT(found) / 2);
}

static void tell(const char *kind, size_t count, const struct plan *plan, const struct bulk_words *w, const struct touched *t,
		 double built_ms)
{
	const struct teg_bulk *b = &plan->config.bulk;
	const double each = (double)t->packets;

	printf("%-4s %6zu  %u trees, %u deep, leaves to %u, %.2f copies, %.0f bytes a rule, built in %.0f ms | a packet: %.1f nodes, "
	       "%.1f cells, %.1f lines, of all %.0f KB | misses: roots %.2f, nodes %.2f, cells %.2f, rule and counter %.2f, all %.2f\n", kind,
	       count, b->groups[0] + b->groups[1], b->depth, b->longest, b->cells ? (double)b->leaves / b->cells : 0,
	       8.0 * (double)w->len / (double)count, built_ms, (double)t->nodes / each, (double)t->cells / each,
	       (double)t->lines / each, (double)t->distinct * 64 / 1024, (double)t->roots_missed / each,
	       (double)t->nodes_missed / each, (double)t->cells_missed / each, (double)t->rules_missed / each,
	       (double)t->second->missed / each);
	const unsigned family = b->groups[1] > 0;
	for (uint32_t g = 0; g < b->groups[family]; g++) {
		const struct teg_bulk_root *r = &b->roots[family][g];
		const struct tree *of = &t->trees[g];

		printf("     src /%-2d dst /%-2d %s  first nodes 2^%-2d  of 100 packets: begun %2.0f, asked %2.0f, better %2.0f | a packet: %.2f nodes, "
		       "%.2f cells\n", __builtin_popcountll(r->take[0]), __builtin_popcountll(r->take[1]), r->take[2] ? "port" : "    ",
		       r->shift ? 64 - (int)r->shift : 0, 100 * (double)of->alive / each, 100 * (double)of->asked / each,
		       100 * (double)of->answers / each, (double)of->nodes / each, (double)of->cells / each);
	}
}

static double cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static bool measure(const char *kind, size_t want)
{
	own(arena) struct arena *a = arena_new();
	struct plan plan = { 0 };
	struct err why;
	size_t count;
	struct classbench_rule *rules = classbench_sized(&count, a, kind, want);
	struct packet *trace = arena_zero(a, FLOOR_RECORDS * sizeof *trace);

	if (!rules || !classbench_trace(trace, FLOOR_RECORDS, kind, rules, count))
		return false;
	struct ir *ir = classbench_ir(rules, count, 1, a);
	double begun = cpu_ms();
	emit_plan(&plan, ir, a);
	if (emit_xdp(&plan, ir, a, &why)) {
		printf("%-4s %6zu  %s\n", kind, count, why.text);
		return true;
	}
	double built = cpu_ms() - begun;
	if (bulk_has_vectors(&plan.config.bulk) || !plan.config.bulk.cells) {
		printf("%-4s %6zu  has no trees\n", kind, count);
		return true;
	}
	struct bulk_words w = bulk_pack(a, &plan, NULL);
	size_t lines = w.len / LINE_WORDS + 1;
	struct touched t = { .second = arena_zero(a, sizeof *t.second), .seen = arena_zero(a, lines) };

	for (unsigned turn = 0; turn < 2; turn++) { /* the first one warms the cache */
		t = (struct touched){ .second = t.second, .seen = memset(t.seen, 0, lines) };
		t.second->missed = 0;
		for (; t.packets < FLOOR_RECORDS; t.packets++) {
			struct key k = key_of(&trace[t.packets], &w);
			count_rule(&t, lines, walk(&t, &plan, &w, &k));
		}
	}
	tell(kind, count, &plan, &w, &t, built);
	return true;
}

int main(int argc, char **argv)
{
	static const char *const kinds[] = { "acl", "fw", "ipc", "acl6", "fw6", "ipc6" };
	static const size_t sizes[] = { 10000, 100000 };
	size_t only = argc > 1 ? (size_t)atol(argv[1]) : 0;

	if (argc > 2 && strchr(argv[2], '/'))
		return measure(argv[2], only) ? 0 : 66;
	for (size_t s = 0; s < ARRAY_LEN(sizes); s++)
		for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
			if ((!only || only == sizes[s]) && (argc < 3 || !strcmp(argv[2], kinds[k])) && !measure(kinds[k], sizes[s])) {
				printf("skipped: ../shared/data/rulesets/classbench is not here\n");
				return 0;
			}
	return 0;
}
