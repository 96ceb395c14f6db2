/*
 * asker - requests to the api over one connection that stays open, timed.
 *
 *     own(asker) struct asker a = asker_open("/run/…/api.sock");
 *     asker_ask(&a, "GET", "/api/tegumentar/status", NULL, NULL, 0) == 200
 *
 * What cannot be asked at all ends the process, having said why.
 */
#ifndef TEG_TESTS_ASKER_H
#define TEG_TESTS_ASKER_H

#include <stddef.h>

struct asker {
	void *curl;
	char *said; /* the last answer's body, ended by a NUL, until the next question */
	size_t said_len;
};

struct asker asker_open(const char *socket);
void asker_release(struct asker *a);
static inline void asker_own_(struct asker *a)
{
	asker_release(a);
}

/* TYPE of BODY, or NULL for none. The status of the answer. */
long asker_ask(struct asker *a, const char *method, const char *path, const char *type, const void *body,
	       size_t len);

#endif
