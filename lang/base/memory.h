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
 */
#ifndef TEG_BASE_MEMORY_H
#define TEG_BASE_MEMORY_H

#include <stdbool.h>

bool memory_try(void (*work)(void *context), void *context);

/* There is none: ends the innermost try, or the process. */
void memory_out(void) __attribute__((noreturn));

#endif
