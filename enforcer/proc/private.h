/* private - a file with a secret in it: only its owner may read it, and its owner is who starts tegd. */
#ifndef TEG_PROC_PRIVATE_H
#define TEG_PROC_PRIVATE_H

#include "lang/base/err.h"

/* Open for reading, or a negative errno; "the token file " is what stands before the path in the reason. */
int private_open(const char *what, const char *path, struct err *why);

#endif
