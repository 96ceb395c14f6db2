#include "lang/base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lang/base/memory.h"

#define BLOCK_BYTES ((size_t)64 << 10)
#define FIRST_BYTES ((size_t)4 << 10) /* many arenas are of one function, and hold little: a block is zeroed whole */

struct block {
	struct block *next;
	size_t used, room;
	alignas(max_align_t) unsigned char bytes[];
};

struct arena {
	struct block *newest;
};

struct arena *arena_new(void)
{
	return memory_zeroed(sizeof(struct arena));
}

void arena_free(struct arena *a)
{
	if (!a)
		return;
	for (struct block *b = a->newest; b;) {
		struct block *next = b->next;
		memory_release(b);
		b = next;
	}
	memory_release(a);
}

static struct block *block_with(struct arena *a, size_t bytes)
{
	struct block *b = a->newest;

	if (b && b->room - b->used >= bytes)
		return b;

	size_t room = b ? BLOCK_BYTES : FIRST_BYTES;

	room = bytes > room ? bytes : room;
	b = memory_zeroed(sizeof *b + room);
	b->room = room;
	b->next = a->newest;
	a->newest = b;
	return b;
}

void *arena_zero(struct arena *a, size_t bytes)
{
	const size_t align = alignof(max_align_t);

	if (bytes > SIZE_MAX / 2)
		memory_out();
	bytes = (bytes + align - 1) & ~(align - 1);

	struct block *b = block_with(a, bytes);
	void *p = b->bytes + b->used;
	b->used += bytes;
	return p;
}

void *arena_copy(struct arena *a, const void *from, size_t bytes)
{
	void *to = arena_zero(a, bytes);

	if (bytes)
		memcpy(to, from, bytes);
	return to;
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
	char *to = arena_zero(a, len + 1);

	memcpy(to, s, len);
	return to;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *arena_vprintf(struct arena *a, const char *format, va_list args)
{
	va_list again;
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, format, again);
	va_end(again);

	char *to = arena_zero(a, (size_t)len + 1);
	vsnprintf(to, (size_t)len + 1, format, args);
	return to;
}

char *arena_printf(struct arena *a, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	char *to = arena_vprintf(a, format, args);
	va_end(args);
	return to;
}

void *vec_grow_(struct arena *a, void *at, size_t *room, size_t each)
{
	size_t old = *room;

	*room = old ? 2 * old : 8;
	if (*room > SIZE_MAX / each)
		memory_out();

	void *grown = arena_zero(a, *room * each);
	if (old)
		memcpy(grown, at, old * each);
	return grown;
}
