/*
 * span - a place in a source file: what a diagnostic points at.
 */
#ifndef TEG_BASE_SPAN_H
#define TEG_BASE_SPAN_H

#include <stdint.h>

struct span {
	uint32_t file;	    /* index into the compilation's list of sources */
	uint32_t from, to;  /* byte offsets, to is exclusive */
};

#define SPAN_NOWHERE_FILE UINT32_MAX
#define SPAN_NOWHERE ((struct span){ SPAN_NOWHERE_FILE, 0, 0 })

#endif
