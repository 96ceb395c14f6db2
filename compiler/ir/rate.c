/* rate - so many in such a time, in the arithmetic that all engines share: see ir.h. */
#include "compiler/ir/ir.h"

#include <assert.h>
#include <string.h>

#include "compiler/front/policy.h"

#define NS_PER_S 1000000000ull
#define WEEK_S 604800ull

static const struct {
	uint64_t s;
	const char *name;
} units[] = { { 1, "second" }, { 60, "minute" }, { 3600, "hour" }, { 86400, "day" }, { WEEK_S, "week" } };

const char *ir_unit_name(uint64_t unit_s)
{
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (units[i].s == unit_s)
			return units[i].name;
	return NULL;
}

/* Packets or bytes per unit, rounded; *off is how far that is from the rate asked for, scaled to a week. */
static uint64_t rate_in(const struct pol_rate *r, uint64_t unit_s, unsigned __int128 *off)
{
	unsigned __int128 wanted = (unsigned __int128)r->count * unit_s * NS_PER_S;
	unsigned __int128 rate = (wanted + r->window_ns / 2) / r->window_ns;
	unsigned __int128 most = r->bytes ? UINT64_MAX : (unsigned __int128)unit_s * NS_PER_S; /* one a nanosecond */

	rate = rate < 1 ? 1 : rate > most ? most : rate;

	unsigned __int128 made = rate * r->window_ns;
	*off = (made > wanted ? made - wanted : wanted - made) * (WEEK_S / unit_s);
	return (uint64_t)rate;
}

/* How many bytes a bucket holds: at least what comes in a second. */
static uint64_t bytes_held(const struct pol_rate *r)
{
	unsigned __int128 a_second = ((unsigned __int128)r->count * NS_PER_S + r->window_ns - 1) / r->window_ns;
	uint64_t held = r->burst ? r->burst : r->count;

	return held < a_second ? (uint64_t)a_second : held;
}

/*
 * Can nft be told of these bytes in this unit? nft_limit_init() and nft_limit_bytes_eval()
 * multiply nanoseconds by bytes in 64 bits, those of a frame among them (BIG TCP: half a
 * million), and the bucket holds `rate` bytes and a burst of 32 bits.
 */
static bool bytes_fit(uint64_t rate, uint64_t held, uint64_t unit_s)
{
	return unit_s <= 3600 && rate <= held && held - rate <= UINT32_MAX &&
	       (unsigned __int128)held * unit_s * NS_PER_S <= UINT64_MAX;
}

struct ir_rate ir_rate_of(const struct pol_rate *r)
{
	const uint64_t held = r->bytes ? bytes_held(r) : 0;
	uint64_t burst = r->burst ? r->burst : r->count;
	struct ir_rate out = { .burst = burst < UINT32_MAX ? burst : UINT32_MAX, .bytes = r->bytes, .key = r->key,
			       .bucket = r->bucket, .fleet = r->fleet };
	unsigned __int128 nearest = 0;

	assert(r->count && r->window_ns);
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		unsigned __int128 off;
		uint64_t rate = rate_in(r, units[i].s, &off);

		if (r->bytes && !bytes_fit(rate, held, units[i].s))
			continue;
		if (!out.rate || off < nearest) {
			out.rate = rate;
			out.unit_s = units[i].s;
			nearest = off;
		}
	}
	memcpy(out.key_bits, r->key_bits, sizeof out.key_bits);
	if (r->bytes) {
		out.burst = held - out.rate;
		out.cost_ns = out.unit_s * NS_PER_S;
		out.depth_ns = out.cost_ns * held / out.rate;
		return out;
	}
	out.cost_ns = out.unit_s * NS_PER_S / out.rate;
	out.depth_ns = out.cost_ns * out.burst;
	return out;
}

static const char *key_text(const struct ir_rate *r, struct arena *a)
{
	switch (r->key) {
	case RATE_PER_SOURCE:
	case RATE_PER_DESTINATION:
		return arena_printf(a, "%s%u-%u", r->key == RATE_PER_DESTINATION ? "to-" : "", r->key_bits[FAMILY_IP4],
				    r->key_bits[FAMILY_IP6]);
	case RATE_PER_FLOW:
		return "flow";
	case RATE_GLOBAL:
		break;
	}
	return "all";
}

const char *ir_bucket_name(const struct ir_rate *r, struct arena *a)
{
	return arena_printf(a, "%s.%llu%s-%llu-%llu-%s", r->bucket, (unsigned long long)r->rate, r->bytes ? "B" : "",
			    (unsigned long long)r->unit_s, (unsigned long long)r->burst, key_text(r, a));
}

bool ir_rate_is_same(const struct ir_rate *a, const struct ir_rate *b)
{
	return a->bytes == b->bytes && a->cost_ns == b->cost_ns && a->depth_ns == b->depth_ns && (!a->bytes || a->rate == b->rate) &&
	       a->key == b->key && !memcmp(a->key_bits, b->key_bits, sizeof a->key_bits);
}

uint64_t ir_rate_cost(const struct ir_rate *r, uint32_t len)
{
	return r->bytes ? r->cost_ns * len / r->rate : r->cost_ns;
}
