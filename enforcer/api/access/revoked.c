#include "enforcer/api/access/revoked.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lang/base/arena.h"

#define SERIAL_MAX 64 /* bytes; RFC 5280 has 20 */
#define KEY_ID_MAX 128

struct serial {
	unsigned char bytes[SERIAL_MAX];
	size_t len;
};

/* Whose name and key a list or a certificate says it is by. */
struct issuer {
	gnutls_datum_t name; /* DER */
	unsigned char key[KEY_ID_MAX];
	size_t key_len; /* 0: it does not say */
};

struct list {
	struct issuer by;
	time_t from, until;
	VEC(struct serial) serials; /* in order */
};

struct revoked {
	struct arena *arena;
	VEC(struct list) lists;
};

void revoked_free(struct revoked *r)
{
	if (!r)
		return;
	arena_free(r->arena);
	free(r);
}

/* ---- issuers, serials ---------------------------------------------------------------- */

static bool same_bytes(const void *a, size_t a_len, const void *b, size_t b_len)
{
	return a_len == b_len && !memcmp(a, b, a_len);
}

/* One name may have had several keys. */
static bool is_by(const struct issuer *list, const struct issuer *certificate)
{
	return same_bytes(list->name.data, list->name.size, certificate->name.data, certificate->name.size) &&
	       (!list->key_len || !certificate->key_len || same_bytes(list->key, list->key_len, certificate->key, certificate->key_len));
}

static int by_serial(const void *x, const void *y)
{
	const struct serial *a = x, *b = y;

	return a->len != b->len ? (a->len > b->len) - (a->len < b->len) : memcmp(a->bytes, b->bytes, a->len);
}

/* ---- the file -------------------------------------------------------------------------- */

/* What GnuTLS made of a file; both parts are its. */
struct read_file {
	gnutls_x509_crt_t *cas;
	gnutls_x509_crl_t *lists;
	unsigned ca_count, list_count;
};

static void read_file_own_(struct read_file *f)
{
	for (unsigned i = 0; i < f->ca_count; i++)
		gnutls_x509_crt_deinit(f->cas[i]);
	for (unsigned i = 0; i < f->list_count; i++)
		gnutls_x509_crl_deinit(f->lists[i]);
	gnutls_free(f->cas);
	gnutls_free(f->lists);
}

static int open_file(struct read_file *f, const struct buf *lists, const struct buf *cas, struct err *why)
{
	const gnutls_datum_t list_text = { (unsigned char *)(uintptr_t)buf_text(lists), (unsigned)lists->len };
	const gnutls_datum_t ca_text = { (unsigned char *)(uintptr_t)buf_text(cas), (unsigned)cas->len };
	int rc = gnutls_x509_crt_list_import2(&f->cas, &f->ca_count, &ca_text, GNUTLS_X509_FMT_PEM, 0);

	if (rc < 0)
		return err_set(why, EINVAL, "client-ca: %s", gnutls_strerror(rc));
	rc = gnutls_x509_crl_list_import2(&f->lists, &f->list_count, &list_text, GNUTLS_X509_FMT_PEM, 0);
	if (rc < 0 || !f->list_count)
		return err_set(why, EINVAL, "no list that can be read%s%s", rc < 0 ? ": " : "", rc < 0 ? gnutls_strerror(rc) : "");
	return 0;
}

/* Its time is looked at when it is used; GnuTLS calls a list of another time invalid for that alone. */
static bool is_signed_by(gnutls_x509_crl_t crl, gnutls_x509_crt_t ca)
{
	const unsigned of_time = GNUTLS_CERT_REVOCATION_DATA_SUPERSEDED | GNUTLS_CERT_REVOCATION_DATA_ISSUED_IN_FUTURE;
	unsigned wrong = GNUTLS_CERT_INVALID;

	if (gnutls_x509_crl_verify(crl, &ca, 1, 0, &wrong) < 0)
		return false;
	return !wrong || (wrong & of_time && !(wrong & ~(of_time | GNUTLS_CERT_INVALID)));
}

/* One by one: CAs may have one name, and another key. */
static int check_signature(gnutls_x509_crl_t crl, const struct read_file *f, struct err *why)
{
	for (unsigned i = 0; i < f->ca_count; i++)
		if (is_signed_by(crl, f->cas[i]))
			return 0;
	return err_set(why, EINVAL, "no CA of client-ca has signed it");
}

static int check_extensions(gnutls_x509_crl_t crl, struct err *why)
{
	char oid[128];
	unsigned critical;

	for (unsigned i = 0;; i++) {
		size_t len = sizeof oid;
		const int rc = gnutls_x509_crl_get_extension_info(crl, i, oid, &len, &critical);

		if (rc == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return 0;
		if (rc < 0)
			return err_set(why, EINVAL, "its extensions cannot be read");
		if (critical)
			return err_set(why, EINVAL, "it asks for more than a list of all that a CA has revoked (extension %.40s)", oid);
	}
}

static void copy_name(gnutls_datum_t *out, const gnutls_datum_t *from, struct arena *a)
{
	out->data = arena_zero(a, from->size + 1);
	out->size = from->size;
	memcpy(out->data, from->data, from->size);
}

static int read_issuer(struct list *out, gnutls_x509_crl_t crl, struct arena *a, struct err *why)
{
	gnutls_datum_t name = { 0 };
	size_t len = sizeof out->by.key;

	if (gnutls_x509_crl_get_raw_issuer_dn(crl, &name) < 0)
		return err_set(why, EINVAL, "it does not say whose it is");
	copy_name(&out->by.name, &name, a);
	gnutls_free(name.data);
	if (!gnutls_x509_crl_get_authority_key_id(crl, out->by.key, &len, NULL))
		out->by.key_len = len;
	return 0;
}

static int read_times(struct list *out, gnutls_x509_crl_t crl, struct err *why)
{
	out->from = gnutls_x509_crl_get_this_update(crl);
	out->until = gnutls_x509_crl_get_next_update(crl);
	if (out->from == (time_t)-1 || out->until == (time_t)-1)
		return err_set(why, EINVAL, "it does not say until when it counts");
	return 0;
}

static int read_serials(struct list *out, gnutls_x509_crl_t crl, struct arena *a, struct err *why)
{
	gnutls_x509_crl_iter_t at = NULL;
	struct serial one;
	int rc;

	while (one.len = sizeof one.bytes, !(rc = gnutls_x509_crl_iter_crt_serial(crl, &at, one.bytes, &one.len, NULL)))
		vec_push(a, &out->serials, one);
	if (at)
		gnutls_x509_crl_iter_deinit(at);
	if (rc != GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
		return err_set(why, EINVAL, "what it revokes cannot be read: %s", gnutls_strerror(rc));
	if (out->serials.len)
		qsort(out->serials.at, out->serials.len, sizeof one, by_serial);
	return 0;
}

static int read_list(struct revoked *r, gnutls_x509_crl_t crl, const struct read_file *f, struct err *why)
{
	struct list list = { 0 };
	int rc = check_signature(crl, f, why);

	if (!rc)
		rc = check_extensions(crl, why);
	if (!rc)
		rc = read_issuer(&list, crl, r->arena, why);
	if (!rc)
		rc = read_times(&list, crl, why);
	if (!rc)
		rc = read_serials(&list, crl, r->arena, why);
	if (!rc)
		vec_push(r->arena, &r->lists, list);
	return rc;
}

int revoked_read(struct revoked **out, const struct buf *lists, const struct buf *cas, struct err *why)
{
	own(revoked) struct revoked *r = calloc(1, sizeof *r);
	own(read_file) struct read_file f = { 0 };
	int rc = r ? open_file(&f, lists, cas, why) : err_set(why, ENOMEM, "no memory for lists of revoked certificates");

	if (rc)
		return rc;
	r->arena = arena_new();
	for (unsigned i = 0; i < f.list_count; i++)
		if (read_list(r, f.lists[i], &f, why))
			return err_in(why, "list %u", i + 1);
	*out = take(r);
	return 0;
}

/* ---- a certificate ------------------------------------------------------------------------ */

/* What a list must be asked for. */
struct shown {
	struct issuer by;
	struct serial serial;
	bool by_itself; /* a CA: nobody else can take it back */
};

static void shown_own_(struct shown *s)
{
	gnutls_free(s->by.name.data);
}

static void crt_free(gnutls_x509_crt_t crt)
{
	if (crt)
		gnutls_x509_crt_deinit(crt);
}
OWN_FREE(crt, gnutls_x509_crt_t)

static bool shown_read(struct shown *out, const gnutls_datum_t *der)
{
	own(crt) gnutls_x509_crt_t crt = NULL;
	size_t key_len = sizeof out->by.key;

	out->serial.len = sizeof out->serial.bytes;
	if (gnutls_x509_crt_init(&crt) || gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER) ||
	    gnutls_x509_crt_get_raw_issuer_dn(crt, &out->by.name) < 0 ||
	    gnutls_x509_crt_get_serial(crt, out->serial.bytes, &out->serial.len))
		return false;
	if (!gnutls_x509_crt_get_authority_key_id(crt, out->by.key, &key_len, NULL))
		out->by.key_len = key_len;
	out->by_itself = gnutls_x509_crt_check_issuer(crt, crt);
	return true;
}

/* A list of before may stand beside the one of now: what either revokes is revoked. */
static const char *one_objection(const struct revoked *r, const struct shown *s, time_t now)
{
	bool known = false, in_time = false;

	for (size_t i = 0; i < r->lists.len; i++) {
		const struct list *l = &r->lists.at[i];

		if (!is_by(&l->by, &s->by))
			continue;
		known = true;
		in_time = in_time || (l->from <= now && now <= l->until);
		if (l->serials.len && bsearch(&s->serial, l->serials.at, l->serials.len, sizeof s->serial, by_serial))
			return "its CA has revoked it";
	}
	if (in_time)
		return NULL;
	return known ? "the list of what its CA has revoked is of another time than now: put the present one into the file of tls-crl, and `systemctl reload tegd`" :
		       "tls-crl has no list of its CA, so nothing says that it is not revoked";
}

const char *revoked_objection(const struct revoked *r, const gnutls_datum_t *chain, unsigned count, time_t now)
{
	const char *objection = NULL;

	for (unsigned i = 0; i < count && !objection; i++) {
		own(shown) struct shown s = { 0 };

		if (!shown_read(&s, &chain[i]))
			return "it cannot be read";
		if (!s.by_itself || !i)
			objection = one_objection(r, &s, now);
	}
	return objection;
}
