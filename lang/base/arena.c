#include "lang/base/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lang/base/memory.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, bytes) ((void)(at), (void)(bytes))
#endif

#define BLOCK_BYTES ((size_t)64 << 10)
#define FIRST_BYTES ((size_t)4 << 10) /* many arenas are of one function, and hold little */
#define LARGE_BYTES ((size_t)512 << 10) /* of an arena that has LARGE_BEHIND: so much the system takes back whole */
#define LARGE_BEHIND ((size_t)4 << 20)

/* What takes BLOCK_BYTES or more has a block of its own. */
struct block {
	struct block *newer, *older;
	size_t used, room;
	bool zeroed; /* what is not used: as the system gives what is large */
	alignas(max_align_t) unsigned char bytes[];
};

struct arena {
	struct block *newest; /* from which small pieces are taken */
	size_t in_small;      /* bytes of blocks of small pieces */
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
		struct block *older = b->older;
		memory_release(b);
		b = older;
	}
	memory_release(a);
}

/* Bytes of a small one are as they come: whoever asks for zeroes has them made when a piece is taken, while it is near. */
static struct block *block_new(size_t room)
{
	const bool zeroed = room >= LARGE_BYTES;
	struct block *b = zeroed ? memory_zeroed(sizeof *b + room) : memory_resized(NULL, sizeof *b + room);

	*b = (struct block){ .room = room, .zeroed = zeroed };
	return b;
}

/* Small pieces come from it until it is full. */
static struct block *block_next(struct arena *a, size_t bytes)
{
	const size_t next = a->in_small >= LARGE_BEHIND ? LARGE_BYTES : BLOCK_BYTES;
	struct block *b = block_new(a->newest || bytes > FIRST_BYTES ? next : FIRST_BYTES);

	a->in_small += b->room;
	b->older = a->newest;
	if (b->older)
		b->older->newer = b;
	a->newest = b;
	return b;
}

/* Of one piece, of zeroes; it stands behind the newest, which is not full yet. What is large is so as the system gives it. */
static void *block_apart(struct arena *a, size_t bytes)
{
	struct block *newest = a->newest ? a->newest : block_next(a, 0), *b = memory_zeroed(sizeof *b + bytes);

	b->used = b->room = bytes;
	b->newer = newest;
	b->older = newest->older;
	if (b->older)
		b->older->newer = b;
	newest->older = b;
	return b->bytes;
}

static size_t rounded(size_t bytes)
{
	const size_t align = alignof(max_align_t);

	if (bytes > SIZE_MAX / 2)
		memory_out();
	return (bytes + align - 1) & ~(align - 1);
}

/* Of less than BLOCK_BYTES, rounded. */
static void *small(struct arena *a, size_t bytes)
{
	struct block *b = a->newest;

	if (!b || b->room - b->used < bytes)
		b = block_next(a, bytes);

	void *p = b->bytes + b->used;
	b->used += bytes;
	return p;
}

/* Of which nothing is known. */
static void *piece(struct arena *a, size_t bytes)
{
	bytes = rounded(bytes);
	return bytes >= BLOCK_BYTES ? block_apart(a, bytes) : small(a, bytes);
}

void *arena_zero(struct arena *a, size_t bytes)
{
	bytes = rounded(bytes);
	if (bytes >= BLOCK_BYTES)
		return block_apart(a, bytes);

	void *p = small(a, bytes);
	return a->newest->zeroed ? p : memset(p, 0, bytes);
}

void *arena_copy(struct arena *a, const void *from, size_t bytes)
{
	void *to = piece(a, bytes);

	if (bytes)
		memcpy(to, from, bytes);
	return to;
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
	char *to = piece(a, len + 1);

	memcpy(to, s, len);
	to[len] = '\0';
	return to;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

/* Most of what is said is short, and then it is printed once. */
char *arena_vprintf(struct arena *a, const char *format, va_list args)
{
	char some[256];
	va_list again;

	va_copy(again, args);
	const size_t len = (size_t)vsnprintf(some, sizeof some, format, again);
	va_end(again);
	if (len < sizeof some)
		return arena_strndup(a, some, len);

	char *to = piece(a, len + 1);
	vsnprintf(to, len + 1, format, args);
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

/* --- arrays that grow ---------------------------------------------------------------------- */

/* One that ends where the newest block does becomes longer where it is, if it is not to have a block of its own. */
static bool stretched(struct arena *a, const void *at, size_t had, size_t wanted)
{
	struct block *b = a->newest;
	size_t more = rounded(wanted) - rounded(had);

	if (!b || rounded(wanted) >= BLOCK_BYTES || (const unsigned char *)at + rounded(had) != b->bytes + b->used || b->room - b->used < more)
		return false;
	b->used += more;
	return true;
}

/*
 * One with a block of its own: nothing of the old array is kept, and where pages can be moved none is copied. What is new is
 * not made zero: pages that the array does not come to are never touched.
 */
static void *widened(void *at, size_t wanted)
{
	struct block *b = (struct block *)(void *)((unsigned char *)at - offsetof(struct block, bytes));
	size_t had = b->used;

	assert(b->newer && b->room == had);
	wanted = rounded(wanted);
	if (wanted <= had)
		return at;
	b = memory_resized(b, sizeof *b + wanted);
	b->used = b->room = wanted;
	b->newer->older = b;
	if (b->older)
		b->older->newer = b;
	return b->bytes;
}

static size_t first_room(size_t each)
{
	return each > 32 ? 1 : each > 16 ? 2 : each > 8 ? 4 : 8;
}

void *vec_grow_(struct arena *a, void *at, size_t *room, size_t each)
{
	size_t old = *room;

	*room = old ? 2 * old : first_room(each);
	if (*room > SIZE_MAX / each)
		memory_out();
	if (old && stretched(a, at, old * each, *room * each))
		return at;
	if (old * each >= BLOCK_BYTES)
		return widened(at, *room * each);

	void *grown = piece(a, *room * each);
	if (old) {
		memcpy(grown, at, old * each);
		ASAN_POISON_MEMORY_REGION(at, old * each);
	}
	return grown;
}
