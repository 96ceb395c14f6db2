/* Names of sources: neighbours spread over the sets of buckets as any others do, under every seed. */
#include <stdlib.h>
#include <string.h>

#include "bpf-templates/abi.h"
#include "bpf-templates/name.h"
#include "tests/lib/tap.h"

#define SEEDS	10
#define SOURCES (32u * TEG_FAR_WORDS)
#define TAGS	(1u << TEG_GATE_BITS)

static uint64_t drawn(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* Words of the address as numbers: the n-th source adds n times a step. */
static const struct {
	const char *who;
	uint64_t hi, lo, hi_step, lo_step;
	bool six, random;
} rows[] = {
	{ "hosts of IPv4 in a row", 0, 0xffff64000000, 0, 1, false, false },
	{ "hosts of IPv4, every 256th", 0, 0xffff00000000, 0, 256, false, false },
	{ "hosts of IPv4, every 65,539th", 0, 0xffff00000000, 0, 65539, false, false },
	{ "/128s in a row", 0x20010db800000001, 1, 0, 1, true, false },
	{ "/64s in a row", 0x20010db800000000, 0, 1, 0, true, false },
	{ "/48s in a row", 0x2001000000000000, 0, 1 << 16, 0, true, false },
	{ "/32s in a row", 0, 0, UINT64_C(1) << 32, 0, true, false },
	{ "addresses drawn", 0, 0, 0, 0, true, true },
};

struct spread {
	unsigned sets[TEG_FAR_WORDS], tags[TAGS];
};

static void spread(struct spread *s, size_t row, const __u64 seed[2])
{
	uint64_t state = 7;

	memset(s, 0, sizeof *s);
	for (uint64_t i = 0; i < SOURCES; i++) {
		const uint64_t hi = rows[row].random ? drawn(&state) : rows[row].hi + i * rows[row].hi_step;
		const uint64_t lo = rows[row].random ? drawn(&state) : rows[row].six ? rows[row].lo + i * rows[row].lo_step :
				    0xffff00000000 | (uint32_t)(rows[row].lo + i * rows[row].lo_step);
		const uint64_t name = name_end(name_address(3, seed, __builtin_bswap64(hi), __builtin_bswap64(lo), rows[row].six), seed);

		s->sets[teg_far_word(name)]++;
		s->tags[name >> (64 - TEG_GATE_BITS)]++;
	}
}

static unsigned free_places(const struct spread *s)
{
	unsigned count = 0;

	for (unsigned i = 0; i < TEG_FAR_WORDS; i++)
		count += s->sets[i] < TEG_BUCKET_WAYS ? TEG_BUCKET_WAYS - s->sets[i] : 0;
	return count;
}

/* How many times more the counts differ from each other than drawn ones do. */
static double unevenness(const unsigned *at, unsigned count)
{
	const double mean = (double)SOURCES / count;
	double sum = 0;

	for (unsigned i = 0; i < count; i++)
		sum += (at[i] - mean) * (at[i] - mean) / mean;
	return sum / count;
}

int main(void)
{
	struct spread *s = calloc(1, sizeof *s);
	uint64_t state = 1;

	for (size_t row = 0; row < ARRAY_LEN(rows); row++) {
		double sets = 0, tags = 0;
		unsigned none = 0;

		for (unsigned i = 0; i < SEEDS; i++) {
			const __u64 seed[2] = { drawn(&state) | 1, drawn(&state) | 1 };

			spread(s, row, seed);
			none += free_places(s);
			const double u = unevenness(s->sets, TEG_FAR_WORDS), v = unevenness(s->tags + TAGS / 2, TAGS / 2);
			sets = u > sets ? u : sets;
			tags = v > tags ? v : tags;
		}
		tap_ok(!none, "%s: eight times as many as there are places leave none free under %d seeds: %u", rows[row].who, SEEDS, none);
		/* Of drawn counts 1, give or take 0.008 of the sets and 0.06 of the 512 beginnings. */
		tap_ok(sets < 1.04 && tags < 1.4, "they stand as drawn ones do: %.3f in sets, %.3f in gates", sets, tags);
	}
	free(s);
	return tap_done();
}
