/*
 * memory - what happens when there is none left.
 *
 *     static void work(void *context) { ... arenas, buffers, functions that use them ... }
 *
 *     if (!memory_try(work, &w))
 *             ...                  it ran out on the way: work() ended where it stood
 *
 * Without a try, a process that runs out of memory ends. Inside one, the functions
 * between work() and the place where memory was missing end at once, and what they own()
 * is released as at any return: our objects are compiled with -fexceptions, and the
 * unwinder that C++ and thread cancellation use does it. What work() has finished stays
 * done, so it changes only what the caller can take back. Tries may be nested; a
 * process that uses them has one thread.
 *
 *     memory_set_aside(bytes)        once, when there is some
 *     memory_finish(work, &w);       what must not end half-way
 *
 * What the system refuses while such work is under way, arenas and buffers take from what was set aside; it is
 * whole again when they are gone. A try within it fails as any; one that is within none may use it up, and the process ends.
 */
#ifndef TEG_BASE_MEMORY_H
#define TEG_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

bool memory_try(void (*work)(void *context), void *context);

void memory_finish(void (*work)(void *context), void *context);
bool memory_set_aside(size_t bytes);

/* What arenas and buffers are made of. */
void *memory_zeroed(size_t bytes);
void *memory_resized(void *at, size_t bytes);
void memory_release(void *at);

/* There is none: ends the innermost try, or the process. */
void memory_out(void) __attribute__((noreturn));

/* What malloc() and its like gave. */
static inline void *memory_must(void *given)
{
	if (!given)
		memory_out();
	return given;
}

#endif
