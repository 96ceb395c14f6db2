/*
 * tls - the TCP door's certificate and key, and whose client certificates it takes.
 *
 *     tls_load(&t, settings, why)      still root; checks that the parts belong together
 *     …MHD_OPTION_HTTPS_MEM_CERT, t->cert, …
 *     tls_forget(t)                    once the door is open: it has copies
 *
 * With a client CA, whoever asks must have shown a certificate that it signed, for the use of
 * clients and within its time; who they are, and what they may, says their token, or the names in it (access/certs.h).
 */
#ifndef TEG_API_HTTP_TLS_H
#define TEG_API_HTTP_TLS_H

#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <stdbool.h>

#include "enforcer/proc/settings.h"
#include "lang/base/buf.h"

/* TLS 1.2 and 1.3, with forward secrecy and authenticated ciphers only. */
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-CIPHER-ALL:+AES-256-GCM:+AES-128-GCM:+CHACHA20-POLY1305:" \
		       "%SERVER_PRECEDENCE"

struct tls {
	struct buf cert, key, client_ca; /* PEM */
	struct revoked *revoked; /* NULL: nobody asks */
	bool wants_client;
};

/* *out is NULL when the settings name none. */
int tls_load(struct tls **out, const struct settings *s, struct err *why);
void tls_free(struct tls *t);
OWN_FREE(tls, struct tls *)

/* The key's text, at least. */
void tls_forget(struct tls *t);

/*
 * Has the other side shown a certificate that the client CA signed, and has not revoked? Then that is it (DER), as long as the
 * connection; else why not.
 */
const char *tls_client_objection(const struct tls *t, struct MHD_Connection *connection, gnutls_datum_t *certificate);

#endif
