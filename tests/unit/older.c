/* Buckets of another version's table come over with gates that say who stands behind them, also when one came between. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "enforcer/hook/older.h"
#include "tests/lib/tap.h"

#define FIRST  0xabc0000000000123
#define SECOND 0xfed0000000000456
#define UNTIL  0x789

static void *table_of(int *fd, size_t len)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	void *b;

	*fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "buckets", 4, (__u32)len, 1, &opts);
	if (*fd < 0)
		return NULL;
	b = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	return b == MAP_FAILED ? NULL : b;
}

static struct teg_buckets *table(int *fd)
{
	return table_of(fd, sizeof(struct teg_buckets));
}

static uint64_t part(uint64_t who, unsigned place)
{
	return who >> (64 - TEG_GATE_BITS) << (TEG_BUCKET_UNTIL + place * TEG_GATE_BITS);
}

/* The gate was copied before the second came to its place. */
static void between(struct teg_buckets *b)
{
	b->seed[0] = 5;
	b->near[7][0] = (struct teg_bucket){ FIRST, 11 };
	b->near[7][3] = (struct teg_bucket){ SECOND, 12 };
	b->gate[7] = part(FIRST, 0) | UNTIL;
	b->gate[8] = part(FIRST, 2);
	b->sketch[1][9] = 13;
}

/* A far place's part of its word, as it stands there first. */
static uint64_t far_part(uint64_t who, unsigned line)
{
	return teg_far_tag(who) << TEG_FAR_LINE_BITS | line;
}

/* Its word and its tag are the first's. */
#define TWIN (FIRST ^ 1ull << 60)

/* One place of the first's row, whose word does not say it yet; one that was just being made; and a word that says nobody. */
static void far_between(struct teg_buckets *b)
{
	const uint32_t at = teg_far_row(FIRST) * TEG_FAR_ROW + 9;

	b->far[at] = (struct teg_bucket){ FIRST, 21 };
	b->far[at + 1] = (struct teg_bucket){ FIRST ^ 1u << TEG_BUCKET_UNTIL, 22 };
	b->word[5] = far_part(SECOND, 3);
	b->row[teg_far_row(FIRST)].head = 11;
}

/* As up to form 13: far places in sets of four. */
struct buckets_12 {
	__u64 seed[2], pad[6], gate[34816];
	struct teg_bucket at[34816][4];
	__u64 sketch[TEG_SKETCH_ROWS][TEG_SKETCH_WORDS];
};

static void from_12(void)
{
	struct older o = OLDER_NONE;
	struct shared to = SHARED_NONE;
	struct buckets_12 *was = table_of(&o.maps.buckets, sizeof *was);
	struct teg_buckets *is = table(&to.buckets);
	const uint32_t at = teg_far_row(FIRST) * TEG_FAR_ROW;

	if (!was || !is) {
		tap_skip(strerror(errno), "buckets of form 12 come over");
		return;
	}
	was->seed[1] = 6;
	was->at[7][2] = (struct teg_bucket){ SECOND, 31 };
	was->gate[7] = UNTIL;
	was->at[2048 + 77][3] = (struct teg_bucket){ FIRST, 32 };
	was->at[2048 + 78][0] = (struct teg_bucket){ TWIN, 34 };
	was->sketch[0][1] = 33;
	older_carry(&o, &to, NULL, NULL, 0);
	tap_ok(is->seed[1] == 6 && is->sketch[0][1] == 33, "seeds and sketch of form 12 come over");
	tap_ok(is->near[7][2].empty_ns == 31 && is->gate[7] == (part(SECOND, 2) | UNTIL), "and near places, with their gates");
	tap_ok(is->far[at].who == FIRST && is->far[at].empty_ns == 32 && is->row[teg_far_row(FIRST)].head == 1, "a far place is the first of its row");
	tap_ok(is->word[teg_far_word(FIRST)] == far_part(FIRST, 0) && !is->far[at + 1].who, "and its word says so, and nobody else by its tag");
	older_release(&o);
	close(to.buckets);
}

int main(void)
{
	struct older o = OLDER_NONE;
	struct shared to = SHARED_NONE;
	struct teg_buckets *was = table(&o.maps.buckets), *is = table(&to.buckets);

	if (!was || !is) {
		tap_skip(strerror(errno), "buckets come over");
		return tap_done();
	}
	between(was);
	far_between(was);
	older_carry(&o, &to, NULL, NULL, 0);
	tap_ok(is->seed[0] == 5 && is->sketch[1][9] == 13, "seeds and sketch come over");
	tap_ok(is->near[7][0].who == FIRST && is->near[7][3].empty_ns == 12, "buckets come over");
	tap_ok(is->gate[7] == (part(FIRST, 0) | part(SECOND, 3) | UNTIL), "a gate says who stands behind it, and until when all are kept");
	tap_ok(is->gate[8] == 0, "and nobody who does not");
	const uint32_t at = teg_far_row(FIRST) * TEG_FAR_ROW + 9;
	tap_ok(is->far[at].who == FIRST && is->word[teg_far_word(FIRST)] == far_part(FIRST, 2), "a word says who has a far place");
	tap_ok(!is->far[at + 1].who, "a place that was being made is free");
	tap_ok(!is->word[5], "and a word does not say who has none");
	tap_ok(was->gate[7] == (part(FIRST, 0) | UNTIL), "what is read is left as it is");
	older_release(&o);
	close(to.buckets);
	from_12();
	return tap_done();
}
