/*
 * own - a local that ends what it holds when the function returns.
 *
 *     own(bundle) struct bundle *b = bundle_read(fd, why);
 *     ...                               every return frees b
 *     *out = take(b);                   except when it is handed over
 *
 * A noun takes part by declaring OWN_FREE(bundle, struct bundle *), which
 * ends it with bundle_free(). Free functions accept NULL.
 */
#ifndef TEG_BASE_OWN_H
#define TEG_BASE_OWN_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define own(noun) __attribute__((cleanup(noun##_own_)))

#define take(local) ({ __typeof__(local) taken_ = (local); (local) = NULL; taken_; })

#define OWN_FREE(noun, type)                                                                       \
	static inline void noun##_own_(type *held)                                                 \
	{                                                                                          \
		noun##_free(*held);                                                                \
	}

static inline void fd_own_(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* take_fd - the same for a file descriptor, whose empty value is -1. */
#define take_fd(local) ({ int taken_ = (local); (local) = -1; taken_; })

static inline void file_own_(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void mem_own_(void *held)
{
	free(*(void **)held);
}

#endif
