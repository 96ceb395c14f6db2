/*
 * url - where a service is, and with which name and password; as operators write it in one setting.
 *
 *     postgresql+asyncpg://teg:p%40ss%2Fword@db.internal:5432/tegumentar
 *     redis://:secret@[2001:db8::1]:6379/0
 *     └scheme┘└driver┘  └user┘└password┘  └host┘          └port┘└path┘
 *
 * User and password are percent-encoded (RFC 3986, 2.1), so that each may hold any character. A
 * driver, which other programs need, is accepted and kept. What is shown to anybody is url_redacted().
 */
#ifndef TEG_PROC_URL_H
#define TEG_PROC_URL_H

#include <stdint.h>

#include "lang/base/arena.h"
#include "lang/base/err.h"

struct url {
	const char *scheme, *driver; /* "postgresql", "asyncpg"; the driver "" when there is none */
	const char *user, *password; /* decoded; "" when there is none */
	const char *host;	     /* without brackets */
	uint16_t port;		     /* 0 when there is none */
	const char *path;	     /* without its first slash */
	const char *query;	     /* behind the ?, as it is */
};

/* What is wrong is said without a word of the text: it may be a password. */
int url_parse(struct url *out, struct arena *a, const char *text, struct err *why);

/* The same with *** for the password, and for the value of each parameter of the query. */
const char *url_redacted(struct arena *a, const struct url *u);

#endif
