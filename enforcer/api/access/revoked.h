/*
 * revoked - what the CAs of clients have taken back: lists of revoked certificates (RFC 5280, 5).
 *
 *     revoked_read(&r, lists, cas, why)         each list signed by one of the CAs, and read whole
 *     revoked_objection(r, chain, count, now)   NULL, or why these certificates do not count
 *
 * Unknown is never yes: every certificate that is shown needs a list of its CA, and one that is in time. What a list asks to
 * be understood and is not (a critical extension: lists of changes, of some reasons, of other CAs) makes it no list.
 */
#ifndef TEG_API_ACCESS_REVOKED_H
#define TEG_API_ACCESS_REVOKED_H

#include <gnutls/gnutls.h>
#include <time.h>

#include "lang/base/buf.h"
#include "lang/base/err.h"
#include "lang/base/own.h"

#define REVOKED_BYTES_MAX ((size_t)16 << 20)

struct revoked;

/* Both in PEM. A list whose time is over is taken: it objects to every certificate of its CA. */
int revoked_read(struct revoked **out, const struct buf *lists, const struct buf *cas, struct err *why);
void revoked_free(struct revoked *r);
OWN_FREE(revoked, struct revoked *)

/* The certificates in DER, as they were shown. From several threads at once. */
const char *revoked_objection(const struct revoked *r, const gnutls_datum_t *chain, unsigned count, time_t now);

#endif
