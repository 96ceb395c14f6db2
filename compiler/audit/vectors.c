/*
 * vectors - do the rows of bits say of each packet what its boxes say?
 *
 * A bit stands for all packets that have each byte among the values in whose rows it is set. These sets are
 * read back from the rows, as the program reads them. A box's bits stand side by side, boxes in their order;
 * each bit must lie in its box, no two of them may have a packet in common, and together they must have as many
 * pairs of ports as the box. Bits that are no box's must have no packet. How a range was taken apart is not asked.
 *
 * Where a byte says in which blocks a packet is looked for, this holds of the blocks of each of its values, and of the
 * boxes that some packet with such a value lies in.
 */
#include <errno.h>
#include <netinet/in.h>

#include "compiler/audit/audit.h"
#include "compiler/audit/more.h"

/* Values of a byte, a bit each. */
struct values {
	uint64_t at[TEG_VECTOR_ROWS / 64];
};

struct reading {
	const struct plan *plan;
	struct bulk_words words;
	const struct teg_vectors *t;
	unsigned family, end; /* bytes of each end */
	unsigned first, count; /* blocks that a packet is asked in */
	struct values comes;   /* by these values of its byte, when there is a table */
};

/* The ports that a bit has: each upper byte of these with each lower one. */
struct ports {
	struct values upper, lower;
};

static bool value_is_in(const struct values *s, unsigned v)
{
	return s->at[v / 64] >> v % 64 & 1;
}

static bool values_equal(const struct values *x, const struct values *y)
{
	for (unsigned i = 0; i < TEG_VECTOR_ROWS / 64; i++)
		if (x->at[i] != y->at[i])
			return false;
	return true;
}

static bool values_meet(const struct values *x, const struct values *y)
{
	for (unsigned i = 0; i < TEG_VECTOR_ROWS / 64; i++)
		if (x->at[i] & y->at[i])
			return true;
	return false;
}

static uint32_t values_count(const struct values *s)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < TEG_VECTOR_ROWS / 64; i++)
		n += (uint32_t)__builtin_popcountll(s->at[i]);
	return n;
}

/* --- as the program reads ------------------------------------------------------------------------ */

/* Those that are the packet's; behind them are those of what boxes ask more. */
static unsigned bytes_of(const struct reading *r)
{
	return 2 * r->end + 6;
}

static unsigned all_bytes_of(const struct reading *r)
{
	return bytes_of(r) + r->t->mores;
}

static bool byte_is_read(const struct reading *r, unsigned byte)
{
	if (byte < 2 * r->end)
		return byte % r->end < 4 || byte % r->end / 4 < r->t->quads;
	if (byte < 2 * r->end + 2)
		return r->t->sports;
	return byte + 1 != bytes_of(r) || r->t->parts;
}

/* Bits are counted over the blocks that a packet is asked in, one after another. */
static uint32_t bits_a_block(const struct reading *r)
{
	return r->t->words * 64;
}

static size_t row_of(const struct reading *r, uint32_t bit, unsigned byte, unsigned value)
{
	const size_t block = r->t->rows + (r->first + bit / bits_a_block(r)) * (size_t)r->t->block_words;

	return block + teg_vector_row(r->t, &r->words.at[block], r->family == FAMILY_IP6, byte, value) + bit % bits_a_block(r) / 64;
}

static uint64_t last_of(const struct reading *r, uint32_t bit)
{
	const size_t block = r->first + bit / bits_a_block(r);

	return r->words.at[r->t->of_bit + block * TEG_VECTOR_BITS_MAX + bit % bits_a_block(r)];
}

/* The values that a packet with this bit may have in a byte; a fragment byte has one of three. */
static struct values values_of(const struct reading *r, uint32_t bit, unsigned byte)
{
	const bool is_part = byte + 1 == bytes_of(r);
	struct values s = { 0 };

	for (unsigned v = 0; v < TEG_VECTOR_ROWS; v++) {
		const size_t row = row_of(r, bit, byte, v);
		bool has = !byte_is_read(r, byte) || r->words.at[row] >> bit % 64 & 1;

		if (has && (!is_part || v == TEG_WHOLE || v == TEG_FIRST || v == TEG_LATER))
			s.at[v / 64] |= 1ull << v % 64;
	}
	return s;
}

static struct ports ports_of(const struct reading *r, uint32_t bit, unsigned byte)
{
	return (struct ports){ values_of(r, bit, byte), values_of(r, bit, byte + 1) };
}

/* A block must be so long; and behind all of them, what the largest number could lead to. */
static bool rows_lie_within(const struct reading *r)
{
	const struct teg_vectors *t = r->t;
	const bool numbered = t->words == TEG_VECTOR_LONG;
	const uint32_t rows = TEG_VECTOR_ROWS * t->words;
	const uint32_t numbers = numbered ? TEG_VECTOR_NUMBERS(r->family == FAMILY_IP6) * TEG_VECTOR_ROWS / sizeof *r->words.at : 0;

	return t->byte_words <= rows && t->block_words <= r->words.len &&
	       t->block_words >= numbers + all_bytes_of(r) * (numbered ? t->byte_words : rows) &&
	       t->rows + (size_t)t->blocks * t->block_words + (numbered ? rows : 0) <= r->words.len;
}

/* Whether everything that the program reads is there. */
static bool lies_within(const struct reading *r)
{
	const struct teg_vectors *t = r->t;

	if (t->words != 1 && t->words != 2 && t->words != 4)
		return false;
	return t->blocks <= TEG_VECTOR_BLOCKS_MAX && t->longest <= TEG_VECTOR_LONGEST_MAX &&
	       t->mores <= TEG_VECTOR_MORES_MAX / 8 && (t->words == 4 || t->blocks == 1) &&
	       (t->words < 4 || t->table + (size_t)TEG_VECTOR_ROWS <= r->words.len) &&
	       (t->byte < 2 * r->end || t->byte == 2 * r->end + 4) &&
	       t->of_bit + (size_t)t->blocks * TEG_VECTOR_BITS_MAX <= r->words.len &&
	       rows_lie_within(r);
}

/* --- as the box asks ------------------------------------------------------------------------------- */

static struct values all_that(unsigned value, unsigned mask)
{
	struct values s = { 0 };

	for (unsigned v = 0; v < TEG_VECTOR_ROWS; v++)
		if ((v & mask) == (value & mask))
			s.at[v / 64] |= 1ull << v % 64;
	return s;
}

static bool byte_is(const struct reading *r, uint32_t bit, unsigned byte, struct values want)
{
	struct values is = values_of(r, bit, byte);

	return values_equal(&is, &want);
}

/* The last bytes of two words; IPv4 has four. */
static bool end_is(const struct reading *r, uint32_t bit, unsigned byte, const __u64 addr[2], const __u64 mask[2])
{
	const unsigned __int128 a = (unsigned __int128)addr[0] << 64 | addr[1], m = (unsigned __int128)mask[0] << 64 | mask[1];

	for (unsigned i = 0; i < r->end; i++) {
		unsigned down = 8 * (r->end - 1 - i);

		if (!byte_is(r, bit, byte + i, all_that((uint8_t)(a >> down), (uint8_t)(m >> down))))
			return false;
	}
	return true;
}

static bool parts_are(const struct reading *r, uint32_t bit, uint8_t fragments)
{
	struct values want = { 0 };

	for (unsigned part = TEG_WHOLE; part <= TEG_LATER; part <<= 1)
		if (fragments & part)
			want.at[0] |= 1ull << part;
	return byte_is(r, bit, bytes_of(r) - 1, want);
}

/* A box has one place for destination ports and ICMP types; it must ask nothing of the one that is not there. */
static bool one_place(const struct teg_box *b, struct range *dport)
{
	const bool icmp = b->proto == IPPROTO_ICMP || b->proto == IPPROTO_ICMPV6;
	const struct range ports = { b->dport_lo, b->dport_hi }, types = { b->icmp_lo, b->icmp_hi };
	const struct range other = icmp ? ports : types;

	*dport = icmp ? types : ports;
	return !other.lo && other.hi == UINT16_MAX;
}

static bool ports_within(const struct ports *p, struct range r)
{
	for (unsigned upper = 0; upper < TEG_VECTOR_ROWS; upper++)
		for (unsigned lower = 0; lower < TEG_VECTOR_ROWS && value_is_in(&p->upper, upper); lower++)
			if (value_is_in(&p->lower, lower) && (upper * 256 + lower < r.lo || upper * 256 + lower > r.hi))
				return false;
	return true;
}

static bool ports_meet(const struct ports *x, const struct ports *y)
{
	return values_meet(&x->upper, &y->upper) && values_meet(&x->lower, &y->lower);
}

static uint64_t ports_count(const struct ports *p)
{
	return (uint64_t)values_count(&p->upper) * values_count(&p->lower);
}

/* The bit asks that one of the mores holds, which is what its box asks; or none. */
static bool more_is(const struct reading *r, uint32_t bit, const struct teg_box *b)
{
	unsigned more = 0;

	for (unsigned i = 0; i < r->t->mores; i++) {
		if (byte_is(r, bit, bytes_of(r) + i, all_that(0, 0)))
			continue;
		for (unsigned k = 0; k < 8; k++)
			if (!more && byte_is(r, bit, bytes_of(r) + i, all_that(1u << k, 1u << k)))
				more = 8 * i + k;
		if (more / 8 != i || !more)
			return false;
	}
	return audit_more_is(r->plan, &r->words, more, b);
}

/* All that a bit's box asks but its ports. */
static bool bit_is(const struct reading *r, uint32_t bit, const struct teg_bulk_box *b)
{
	const bool any = b->box.proto == TEG_PROTO_ANY;
	const uint64_t last = last_of(r, bit);

	return TEG_BULK_RULE(last) == b->box.rule && audit_drop_is(last, &r->plan->rules[b->box.rule]) && more_is(r, bit, &b->box) &&
	       end_is(r, bit, 0, b->addr, b->mask) && end_is(r, bit, r->end, b->addr + 2, b->mask + 2) &&
	       byte_is(r, bit, 2 * r->end + 4, all_that(b->box.proto & UINT8_MAX, any ? 0 : UINT8_MAX)) &&
	       parts_are(r, bit, b->box.fragments);
}

/* --- the whole --------------------------------------------------------------------------------------- */

enum { BITS_A_BOX = 64 };

/* The bits of a box from *bit on, which then is behind them; false when they are not all of it. */
static bool box_holds(const struct reading *r, const struct teg_bulk_box *b, uint32_t *bit)
{
	const struct range sport = { b->box.sport_lo, b->box.sport_hi };
	struct ports seen[BITS_A_BOX][2];
	struct range dport;
	uint64_t pairs = 0, all;

	if (!one_place(&b->box, &dport))
		return false;
	all = (uint64_t)(sport.hi - sport.lo + 1) * (uint64_t)(dport.hi - dport.lo + 1);
	for (unsigned n = 0; pairs < all; n++, ++*bit) {
		if (n == BITS_A_BOX || *bit >= r->count * bits_a_block(r) || !bit_is(r, *bit, b))
			return false;
		seen[n][0] = ports_of(r, *bit, 2 * r->end);
		seen[n][1] = ports_of(r, *bit, 2 * r->end + 2);
		if (!ports_within(&seen[n][0], sport) || !ports_within(&seen[n][1], dport))
			return false;
		for (unsigned i = 0; i < n; i++)
			if (ports_meet(&seen[i][0], &seen[n][0]) && ports_meet(&seen[i][1], &seen[n][1]))
				return false;
		pairs += ports_count(&seen[n][0]) * ports_count(&seen[n][1]);
	}
	return true;
}

static bool has_no_packet(const struct reading *r, uint32_t bit)
{
	for (unsigned byte = 0; byte < all_bytes_of(r); byte++) {
		struct values s = values_of(r, bit, byte);

		if (!values_count(&s))
			return true;
	}
	return false;
}

/* Does a packet of the box come to these blocks? */
static bool comes_here(const struct reading *r, const struct teg_bulk_box *b)
{
	const unsigned byte = r->t->byte, at = 16 - r->end + byte % r->end, down = 56 - 8 * (at % 8);
	const __u64 *addr = byte < r->end ? b->addr : b->addr + 2, *mask = byte < r->end ? b->mask : b->mask + 2;
	const bool any = b->box.proto == TEG_PROTO_ANY;
	struct values of;

	if (!(b->box.families >> r->family & 1))
		return false;
	if (r->t->words < 4)
		return true;
	of = byte < 2 * r->end ? all_that((uint8_t)(addr[at / 8] >> down), (uint8_t)(mask[at / 8] >> down))
			       : all_that(b->box.proto & UINT8_MAX, any ? 0 : UINT8_MAX);
	return values_meet(&of, &r->comes);
}

/* The blocks that packets come to, who all have the same. */
static int blocks_hold(const struct reading *r, struct err *why)
{
	const struct plan *p = r->plan;
	uint32_t bit = 0;

	if (r->first + (uint64_t)r->count > r->t->blocks || r->count > r->t->longest)
		return err_set(why, EPROTO, "the first hook's bit vectors name blocks that are not there");
	for (uint32_t i = 0; i < p->config.bulk.cells; i++)
		if (comes_here(r, &p->bulk_boxes[i]) && !box_holds(r, &p->bulk_boxes[i], &bit))
			return err_set(why, EPROTO, "the first hook's bit vectors do not say what %s does",
				       p->counters[p->rules[p->bulk_boxes[i].box.rule].counter_slot].id);
	for (; bit < r->count * bits_a_block(r); bit++)
		if (!has_no_packet(r, bit))
			return err_set(why, EPROTO, "the first hook's bit vectors have packets that are no box's");
	return 0;
}

/* Each run of blocks that the table names once, with all values that name it. */
static int table_holds(struct reading *r, struct err *why)
{
	const uint64_t *table = &r->words.at[r->t->table];
	int rc = 0;

	for (unsigned v = 0; v < TEG_VECTOR_ROWS && !rc; v++) {
		bool seen = false;

		r->comes = (struct values){ 0 };
		for (unsigned u = 0; u < TEG_VECTOR_ROWS; u++) {
			if (table[u] != table[v])
				continue;
			seen |= u < v;
			r->comes.at[u / 64] |= 1ull << u % 64;
		}
		r->first = (uint32_t)table[v];
		r->count = (uint32_t)(table[v] >> 32);
		rc = seen ? 0 : blocks_hold(r, why);
	}
	return rc;
}

static int family_holds(struct reading *r, struct err *why)
{
	const struct plan *p = r->plan;

	if (r->t->words) {
		if (!lies_within(r))
			return err_set(why, EPROTO, "the first hook's bit vectors lie outside their table");
		r->first = 0;
		r->count = 1;
		return r->t->words == 4 ? table_holds(r, why) : blocks_hold(r, why);
	}
	for (uint32_t i = 0; i < p->config.bulk.cells; i++)
		if (p->bulk_boxes[i].box.families >> r->family & 1)
			return err_set(why, EPROTO, "the first hook's bit vectors leave out a family");
	return 0;
}

int audit_vectors_of(const struct plan *plan, struct bulk_words words, struct err *why)
{
	struct reading r = { .plan = plan, .words = words };
	int rc = 0;

	for (r.family = 0; r.family < FAMILY_COUNT && !rc; r.family++) {
		r.t = &r.words.vectors[r.family];
		r.end = r.family == FAMILY_IP4 ? 4 : 16;
		rc = family_holds(&r, why);
	}
	return rc;
}

int audit_vectors(const struct plan *plan, struct err *why)
{
	own(arena) struct arena *a = arena_new();

	return audit_vectors_of(plan, bulk_pack(a, plan, NULL), why);
}
