#include "lang/base/memory.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unwind.h>

struct attempt {
	struct attempt *outer;
	bool finishes;	 /* as it was before */
	uintptr_t frame; /* of begin(): what lies deeper is unwound */
	jmp_buf back;
};

static struct attempt *innermost;
static struct _Unwind_Exception unwinding; /* no memory is left to make one */
static bool finishes; /* what is under way must come to its end */

static _Unwind_Reason_Code go_on(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
				 struct _Unwind_Exception *what, struct _Unwind_Context *at, void *to)
{
	struct attempt *t = to;

	(void)version, (void)class, (void)what;
	if (actions & _UA_END_OF_STACK || _Unwind_GetCFA(at) > t->frame)
		longjmp(t->back, 1);
	return _URC_NO_REASON;
}

void memory_out(void)
{
	if (innermost)
		_Unwind_ForcedUnwind(&unwinding, go_on, innermost);
	fputs("tegumentar: out of memory\n", stderr);
	abort();
}

/* A frame of its own, so that all that work() calls lies below it. */
static __attribute__((noinline)) void begin(struct attempt *t, void (*work)(void *context), void *context)
{
	t->frame = (uintptr_t)__builtin_frame_address(0);
	work(context);
	__asm__ volatile("" ::: "memory"); /* no tail call: the frame stays while work() runs */
}

bool memory_try(void (*work)(void *context), void *context)
{
	struct attempt t = { .outer = innermost, .finishes = finishes };

	if (setjmp(t.back)) {
		innermost = t.outer;
		finishes = t.finishes;
		return false;
	}
	innermost = &t;
	finishes = false;
	begin(&t, work, context);
	innermost = t.outer;
	finishes = t.finishes;
	return true;
}

/* ---- what was set aside --------------------------------------------------------------- */

/* Pieces one behind the other, each after its length; all of it is free again when the last has gone. */
static struct {
	unsigned char *at;
	size_t room, used, pieces;
} aside;

#define HEAD alignof(max_align_t)

bool memory_set_aside(size_t bytes)
{
	aside.at = malloc(bytes);
	if (!aside.at)
		return false;
	memset(aside.at, 1, bytes); /* the kernel gives pages when they are written to */
	aside.room = bytes;
	return true;
}

static bool is_aside(const void *at)
{
	return aside.at && (uintptr_t)at - (uintptr_t)aside.at < aside.room;
}

static void *aside_take(size_t bytes)
{
	const size_t most = SIZE_MAX / 2, whole = bytes > most ? most : HEAD + (bytes + HEAD - 1) / HEAD * HEAD;

	if (aside.room - aside.used < whole)
		return NULL;
	unsigned char *piece = aside.at + aside.used;
	memcpy(piece, &bytes, sizeof bytes);
	aside.used += whole;
	aside.pieces++;
	return piece + HEAD;
}

static size_t length_of(void *at)
{
	size_t bytes;

	if (!at || !is_aside(at))
		return malloc_usable_size(at);
	memcpy(&bytes, (unsigned char *)at - HEAD, sizeof bytes);
	return bytes;
}

void memory_release(void *at)
{
	if (!is_aside(at))
		free(at);
	else if (!--aside.pieces)
		aside.used = 0;
}

void *memory_zeroed(size_t bytes)
{
	void *p = calloc(1, bytes);

	if (!p && finishes && (p = aside_take(bytes)))
		memset(p, 0, bytes);
	if (!p)
		memory_out();
	return p;
}

void *memory_resized(void *at, size_t bytes)
{
	void *p = is_aside(at) ? malloc(bytes) : realloc(at, bytes);

	if (p && !is_aside(at))
		return p;
	if (!p && finishes)
		p = aside_take(bytes);
	if (!p)
		memory_out();
	const size_t had = length_of(at);
	if (had)
		memcpy(p, at, had < bytes ? had : bytes);
	memory_release(at);
	return p;
}

void memory_finish(void (*work)(void *context), void *context)
{
	const bool before = finishes;

	finishes = true;
	work(context);
	finishes = before;
}
