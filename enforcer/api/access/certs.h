/*
 * certs - what the names in a client's certificate are worth.
 *
 * The certificate has been verified when it comes here (http/tls.h): a CA that is trusted with naming
 * clients put these names into it. Lines of the file that the setting client-certs names say which
 * role each has:
 *
 *     # role       kind     name, to the end of the line
 *     policy-admin subject  CN=Ada Lovelace,OU=net,O=Example
 *     operator     email    ops@example.net
 *     viewer       dns      grafana.example.net
 *     viewer       uri      spiffe://example.net/ns/metrics/sa/prometheus
 *
 * A subject is its text by RFC 4514, in the one spelling that GnuTLS gives it; the rest are
 * subjectAltNames. A name is equal or it is another: nothing is a wildcard, and only where case has no
 * meaning (a dns name, an email's host: RFC 5280, 7.2 and 7.5) is it ignored. Where several lines fit, the highest
 * role counts; where none does, that of the setting client-cert-role.
 */
#ifndef TEG_API_ACCESS_CERTS_H
#define TEG_API_ACCESS_CERTS_H

#include <gnutls/gnutls.h>

#include "enforcer/api/access/access.h"
#include "lang/base/arena.h"
#include "lang/base/err.h"

#define CERT_NAME_MAX 1024 /* bytes of a name in a line */
#define CERT_SANS_MAX 100  /* subjectAltNames that are looked at */

enum cert_name { CERT_SUBJECT, CERT_EMAIL, CERT_DNS, CERT_URI, CERT_NAMES };

struct cert_row {
	enum cert_name kind;
	enum access role;
	const char *name;
};

struct certs {
	bool judge; /* a certificate gives a role; else it only opens the door */
	enum access others;
	VEC(struct cert_row) rows;
};

/* The lines of a client-certs file, which may be altered. */
int certs_read(struct certs *c, struct arena *a, char *text, struct err *why);

/*
 * One who showed this certificate (DER): "cert dns grafana.example.net [0123456789abcdef]", with the
 * name that gave the role, else the subject, and the beginning of the certificate's SHA-256.
 */
void access_of_certificate(struct caller *out, const gnutls_datum_t *der, const struct certs *c);

#endif
