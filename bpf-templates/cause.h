/*
 * cause - why a frame is not judged by rules; shared by kernel and user side.
 */
#ifndef TEG_CAUSE_H
#define TEG_CAUSE_H

enum cause {
#define CAUSE(id, ...) CAUSE_##id,
#include "cause.def"
#undef CAUSE
	CAUSE_COUNT
};

#endif
