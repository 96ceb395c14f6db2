#include "tests/lib/ring_read.h"

#include <linux/bpf.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

bool ring_read_open(struct ring_read *r, int map, size_t bytes)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *back = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
	/* The data is mapped twice, one behind the other: no record is cut in two. */
	const unsigned char *rest = mmap(NULL, page + 2 * bytes, PROT_READ, MAP_SHARED, map, (off_t)page);

	*r = (struct ring_read){ .bytes = bytes };
	if (back != MAP_FAILED)
		r->given_back = back;
	if (rest != MAP_FAILED)
		r->written = (const void *)rest;
	r->data = rest + page;
	return r->given_back && r->written;
}

void ring_read_close(struct ring_read *r)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (r->given_back)
		munmap(r->given_back, page);
	if (r->written)
		munmap((void *)(uintptr_t)r->written, page + 2 * r->bytes);
	*r = (struct ring_read){ 0 };
}

const void *ring_read_next(struct ring_read *r, size_t *len)
{
	while (r->at < __atomic_load_n(r->written, __ATOMIC_ACQUIRE)) {
		const unsigned char *record = r->data + (r->at & (r->bytes - 1));
		const uint32_t head = __atomic_load_n((const uint32_t *)(const void *)record, __ATOMIC_ACQUIRE);

		if (head & BPF_RINGBUF_BUSY_BIT)
			return NULL;
		*len = head & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
		__atomic_store_n(r->given_back, r->at, __ATOMIC_RELEASE);
		r->at += (*len + BPF_RINGBUF_HDR_SZ + 7) / 8 * 8;
		if (!(head & BPF_RINGBUF_DISCARD_BIT))
			return record + BPF_RINGBUF_HDR_SZ;
	}
	return NULL;
}
