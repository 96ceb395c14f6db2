#include "lang/base/memory.h"

#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unwind.h>

struct attempt {
	struct attempt *outer;
	uintptr_t frame; /* of begin(): what lies deeper is unwound */
	jmp_buf back;
};

static struct attempt *innermost;
static struct _Unwind_Exception unwinding; /* no memory is left to make one */

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
	struct attempt t = { .outer = innermost };

	if (setjmp(t.back)) {
		innermost = t.outer;
		return false;
	}
	innermost = &t;
	begin(&t, work, context);
	innermost = t.outer;
	return true;
}
