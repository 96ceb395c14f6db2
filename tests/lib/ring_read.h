/*
 * ring_read - a BPF ring buffer read without waking anybody. The kernel rings the bell, which
 * costs it a third of a test run, whenever the reader has read everything; so the
 * last record is read here and given back only when the next one has come.
 */
#ifndef TEG_TEST_RING_READ_H
#define TEG_TEST_RING_READ_H

#include <stdbool.h>
#include <stddef.h>

struct ring_read {
	unsigned long *given_back;     /* position of the first record that is the reader's */
	const unsigned long *written;
	const unsigned char *data;
	size_t bytes;
	unsigned long at;
};

/* False when the map cannot be read. */
bool ring_read_open(struct ring_read *r, int map, size_t bytes);
void ring_read_close(struct ring_read *r);

/* The next record, or NULL: it is the caller's until the call after. */
const void *ring_read_next(struct ring_read *r, size_t *len);

#endif
