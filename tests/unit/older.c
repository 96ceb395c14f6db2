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

static struct teg_buckets *table(int *fd)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	struct teg_buckets *b;

	*fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "buckets", 4, sizeof(struct teg_buckets), 1, &opts);
	if (*fd < 0)
		return NULL;
	b = mmap(NULL, sizeof *b, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	return b == MAP_FAILED ? NULL : b;
}

static uint64_t part(uint64_t who, unsigned place)
{
	return who >> (64 - TEG_GATE_BITS) << (TEG_BUCKET_UNTIL + place * TEG_GATE_BITS);
}

/* The gate was copied before the second came to its place. */
static void between(struct teg_buckets *b)
{
	b->seed[0] = 5;
	b->at[7][0] = (struct teg_bucket){ FIRST, 11 };
	b->at[7][3] = (struct teg_bucket){ SECOND, 12 };
	b->gate[7] = part(FIRST, 0) | UNTIL;
	b->gate[8] = part(FIRST, 2);
	b->sketch[1][9] = 13;
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
	older_carry(&o, &to, NULL, NULL, 0);
	tap_ok(is->seed[0] == 5 && is->sketch[1][9] == 13, "seeds and sketch come over");
	tap_ok(is->at[7][0].who == FIRST && is->at[7][3].empty_ns == 12, "buckets come over");
	tap_ok(is->gate[7] == (part(FIRST, 0) | part(SECOND, 3) | UNTIL), "a gate says who stands behind it, and until when all are kept");
	tap_ok(is->gate[8] == 0, "and nobody who does not");
	tap_ok(was->gate[7] == (part(FIRST, 0) | UNTIL), "what is read is left as it is");
	older_release(&o);
	close(to.buckets);
	return tap_done();
}
