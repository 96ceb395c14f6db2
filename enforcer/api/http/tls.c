#include "enforcer/api/http/tls.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "enforcer/api/access/revoked.h"
#include "enforcer/proc/private.h"
#include "lang/base/file.h"
#include "lang/base/own.h"

#define PEM_BYTES_MAX ((size_t)256 << 10)

void tls_forget(struct tls *t)
{
	if (t && t->key.at)
		explicit_bzero(t->key.at, t->key.room);
	if (t)
		buf_release(&t->key);
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	tls_forget(t);
	buf_release(&t->cert);
	buf_release(&t->client_ca);
	revoked_free(t->revoked);
	free(t);
}

static gnutls_datum_t datum_of(const struct buf *b)
{
	return (gnutls_datum_t){ (unsigned char *)(uintptr_t)buf_text(b), (unsigned)b->len };
}

/* Do they belong together, and can the CA be read? As the server will find it, but before anybody waits for it. */
static int check_parts(const struct tls *t, struct err *why)
{
	const gnutls_datum_t cert = datum_of(&t->cert), key = datum_of(&t->key), ca = datum_of(&t->client_ca);
	gnutls_certificate_credentials_t all;
	int rc = gnutls_certificate_allocate_credentials(&all);

	if (rc)
		return err_set(why, ENOMEM, "cannot begin with TLS: %s", gnutls_strerror(rc));
	rc = gnutls_certificate_set_x509_key_mem(all, &cert, &key, GNUTLS_X509_FMT_PEM);
	if (rc < 0) {
		rc = err_set(why, EINVAL, "tls-cert and tls-key: %s", gnutls_strerror(rc));
	} else if (t->wants_client) {
		rc = gnutls_certificate_set_x509_trust_mem(all, &ca, GNUTLS_X509_FMT_PEM);
		rc = rc > 0 ? 0 : err_set(why, EINVAL, "client-ca: %s", rc ? gnutls_strerror(rc) : "it holds no certificate");
	} else {
		rc = 0;
	}
	gnutls_certificate_free_credentials(all);
	return rc;
}

/* Who reads the key is this server, for everyone. */
static int read_key(struct buf *out, const char *path, struct err *why)
{
	own(fd) int fd = private_open("", path, why);

	return fd < 0 ? fd : file_read_fd(out, fd, PEM_BYTES_MAX, why);
}

static int load_revoked(struct tls *t, const char *path, struct err *why)
{
	own(buf) struct buf lists = { 0 };
	int rc = file_read(&lists, path, REVOKED_BYTES_MAX, why);

	if (!rc)
		rc = revoked_read(&t->revoked, &lists, &t->client_ca, why);
	return rc ? err_in(why, "tls-crl") : 0;
}

int tls_load(struct tls **out, const struct settings *s, struct err *why)
{
	own(tls) struct tls *t = NULL;
	int rc;

	*out = NULL;
	if (!*s->tls_cert)
		return 0;
	t = calloc(1, sizeof *t);
	if (!t)
		return err_set(why, ENOMEM, "cannot begin with TLS");
	t->wants_client = *s->client_ca;
	rc = file_read(&t->cert, s->tls_cert, PEM_BYTES_MAX, why);
	if (!rc)
		rc = read_key(&t->key, s->tls_key, why);
	if (!rc && t->wants_client)
		rc = file_read(&t->client_ca, s->client_ca, PEM_BYTES_MAX, why);
	if (!rc)
		rc = check_parts(t, why);
	if (!rc && *s->tls_crl)
		rc = load_revoked(t, s->tls_crl, why);
	if (!rc)
		*out = take(t);
	return rc;
}

const char *tls_client_objection(const struct tls *t, struct MHD_Connection *connection, gnutls_datum_t *certificate)
{
	static const char none[] = "none was shown, or not one that holds";
	gnutls_typed_vdata_st purpose = { .type = GNUTLS_DT_KEY_PURPOSE_OID,
					  .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT };
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	const gnutls_datum_t *chain;
	unsigned wrong = 1, count = 0;

	if (!info || !info->tls_session || gnutls_certificate_verify_peers(info->tls_session, &purpose, 1, &wrong) || wrong)
		return none;
	chain = gnutls_certificate_get_peers(info->tls_session, &count);
	if (!chain || !count || gnutls_certificate_type_get2(info->tls_session, GNUTLS_CTYPE_PEERS) != GNUTLS_CRT_X509)
		return none;
	*certificate = chain[0];
	return t->revoked ? revoked_objection(t->revoked, chain, count, time(NULL)) : NULL;
}
