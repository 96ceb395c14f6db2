#include "enforcer/api/access/certs.h"

#include <ctype.h>
#include <errno.h>
#include <gnutls/x509.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lang/base/buf.h"
#include "lang/base/own.h"
#include "lang/base/utf8.h"

#define NAME_SHOWN  120 /* bytes of a name that are told */
#define PRINT_BYTES 8	/* of the SHA-256 */

static const char *const kinds[CERT_NAMES] = {
	[CERT_SUBJECT] = "subject", [CERT_EMAIL] = "email", [CERT_DNS] = "dns", [CERT_URI] = "uri",
};

static void crt_free(gnutls_x509_crt_t crt)
{
	if (crt)
		gnutls_x509_crt_deinit(crt);
}
OWN_FREE(crt, gnutls_x509_crt_t)

/* The subject as text; NULL when it has none. The caller frees it, by gnutls_free(). */
static void read_subject(gnutls_datum_t *out, gnutls_x509_crt_t crt)
{
	if (gnutls_x509_crt_get_dn3(crt, out, 0))
		*out = (gnutls_datum_t){ 0 };
}

/* ---- the file ------------------------------------------------------------------------ */

static bool is_host(const char *text)
{
	const size_t len = strlen(text);

	for (const char *c = text; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr(".-_", *c))
			return false;
	return len && len < 256 && isalnum((unsigned char)*text) && text[len - 1] != '.' && !strstr(text, "..");
}

static bool is_visible_ascii(const char *text)
{
	while (isgraph((unsigned char)*text))
		text++;
	return !*text;
}

/* A subject that GnuTLS would write in another way would never be met. */
static int check_subject(const char *text, struct err *why)
{
	own(crt) gnutls_x509_crt_t crt = NULL;
	gnutls_datum_t is = { 0 };
	int rc = 0;

	if (gnutls_x509_crt_init(&crt))
		return err_set(why, ENOMEM, "cannot read a subject");
	if (gnutls_x509_crt_set_dn(crt, text, NULL))
		return err_set(why, EINVAL, "it is no subject that can be read, as CN=ops,O=Example (RFC 4514); one of several names at "
			       "one place (`+`) is better named by a dns, uri or email");
	read_subject(&is, crt);
	if (!is.data || strlen(text) != is.size || memcmp(text, is.data, is.size))
		rc = err_set(why, EINVAL, "this subject is written %.*s", (int)is.size, is.data ? (const char *)is.data : "otherwise");
	gnutls_free(is.data);
	return rc;
}

static int check_name(enum cert_name kind, const char *name, struct err *why)
{
	const char *at = strchr(name, '@');

	switch (kind) {
	case CERT_SUBJECT:
		return check_subject(name, why);
	case CERT_DNS:
		if (is_host(name))
			return 0;
		return err_set(why, EINVAL, "a dns name has letters, digits, `-`, `_` and `.` between; in a certificate it has nothing else "
			       "(xn--… for others), and `*` names nobody");
	case CERT_EMAIL:
		if (at && at > name && is_visible_ascii(name) && is_host(at + 1))
			return 0;
		return err_set(why, EINVAL, "an email is NAME@HOST, in ASCII");
	case CERT_URI:
		if (isalpha((unsigned char)*name) && strchr(name, ':') && is_visible_ascii(name))
			return 0;
		return err_set(why, EINVAL, "a uri is SCHEME:…, in ASCII, as it stands in the certificate");
	case CERT_NAMES:
		break;
	}
	return err_set(why, EINVAL, "the kinds of names are subject, email, dns and uri");
}

static bool is_text(const char *text)
{
	const size_t len = strlen(text);

	for (size_t at = 0, one; at < len; at += one) {
		one = utf8_length(text + at, len - at);
		if (!one || iscntrl((unsigned char)text[at]))
			return false;
	}
	return len <= CERT_NAME_MAX;
}

/* The first word, ended; *rest is what comes after it and the blanks. */
static char *word(char *from, char **rest)
{
	char *end;

	from += strspn(from, " \t");
	end = from + strcspn(from, " \t");
	*rest = end + strspn(end, " \t");
	*end = '\0';
	return from;
}

static void trim(char *text)
{
	size_t len = strlen(text);

	while (len && strchr(" \t\r", text[len - 1]))
		text[--len] = '\0';
}

static int read_line(struct certs *c, struct arena *a, char *line, struct err *why)
{
	struct cert_row row = { .kind = CERT_SUBJECT };
	char *role, *kind, *name;
	int rc;

	trim(line);
	role = word(line, &kind);
	if (!*role || *role == '#')
		return 0;
	kind = word(kind, &name);
	if (!*name)
		return err_set(why, EINVAL, "a line is `ROLE KIND NAME`");
	if (!access_parse(&row.role, role))
		return err_set(why, EINVAL, "`%.40s` is no role; there are viewer, operator and policy-admin", role);
	while (row.kind < CERT_NAMES && strcmp(kinds[row.kind], kind))
		row.kind++;
	if (!is_text(name))
		return err_set(why, EINVAL, "a name is text of at most %d bytes", CERT_NAME_MAX);
	rc = check_name(row.kind, name, why);
	if (rc)
		return rc;
	for (size_t i = 0; i < c->rows.len; i++)
		if (c->rows.at[i].kind == row.kind && !strcasecmp(c->rows.at[i].name, name))
			return err_set(why, EINVAL, "`%.100s` stands twice, or differs in case alone", name);
	row.name = arena_strdup(a, name);
	vec_push(a, &c->rows, row);
	return 0;
}

int certs_read(struct certs *c, struct arena *a, char *text, struct err *why)
{
	unsigned number = 0;

	for (char *at = text, *next; at; at = next) {
		next = strchr(at, '\n');
		if (next)
			*next++ = '\0';
		number++;
		if (read_line(c, a, at, why))
			return err_in(why, "line %u", number);
	}
	return 0;
}

/* ---- a certificate ---------------------------------------------------------------------- */

/* A name as it stands in the certificate: bytes that may be anything. */
static bool name_is(enum cert_name kind, const char *name, const char *is, size_t len)
{
	const char *at = strchr(name, '@');
	const size_t exact = kind == CERT_DNS ? 0 : kind == CERT_EMAIL ? (size_t)(at - name) + 1 : len;

	return strlen(name) == len && !memcmp(name, is, exact) && !strncasecmp(name + exact, is + exact, len - exact);
}

/* What is known of the one who showed it. */
struct shown {
	const struct certs *certs;
	enum access may;
	enum cert_name kind;
	struct buf name; /* that gave the role; else the first that there is */
};

static void show(struct shown *s, enum access may, enum cert_name kind, const char *name, size_t len)
{
	s->may = may;
	s->kind = kind;
	s->name.len = 0;
	buf_add(&s->name, name, len);
}

static void judge(struct shown *s, enum cert_name kind, const char *name, size_t len)
{
	if (!s->name.len)
		show(s, s->may, kind, name, len);
	for (size_t i = 0; i < s->certs->rows.len; i++) {
		const struct cert_row *row = &s->certs->rows.at[i];

		if (row->kind == kind && row->role > s->may && name_is(kind, row->name, name, len))
			show(s, row->role, kind, name, len);
	}
}

static void judge_subject(struct shown *s, gnutls_x509_crt_t crt)
{
	gnutls_datum_t subject;

	read_subject(&subject, crt);
	if (subject.data)
		judge(s, CERT_SUBJECT, (const char *)subject.data, subject.size);
	gnutls_free(subject.data);
}

static enum cert_name kind_of(int type)
{
	switch (type) {
	case GNUTLS_SAN_DNSNAME:
		return CERT_DNS;
	case GNUTLS_SAN_RFC822NAME:
		return CERT_EMAIL;
	case GNUTLS_SAN_URI:
		return CERT_URI;
	}
	return CERT_NAMES;
}

/* One that has no room here is longer than any in a line. */
static void judge_alternatives(struct shown *s, gnutls_x509_crt_t crt)
{
	char room[CERT_NAME_MAX + 8];

	for (unsigned i = 0; i < CERT_SANS_MAX; i++) {
		size_t len = sizeof room;
		const int type = gnutls_x509_crt_get_subject_alt_name(crt, i, room, &len, NULL);

		if (type == GNUTLS_E_SHORT_MEMORY_BUFFER)
			continue;
		if (type < 0)
			return;
		if (kind_of(type) < CERT_NAMES)
			judge(s, kind_of(type), room, len);
	}
}

/* For the audit log and people: text without control characters, cut at a character. */
static void print_name(struct buf *out, const struct buf *name)
{
	for (size_t at = 0, one; at < name->len; at += one) {
		one = utf8_length(name->at + at, name->len - at);
		if (out->len + (one ? one : 1) > NAME_SHOWN) {
			buf_puts(out, "…");
			return;
		}
		if (!one || iscntrl((unsigned char)name->at[at]))
			buf_puts(out, "?");
		else
			buf_add(out, name->at + at, one);
		one = one ? one : 1;
	}
}

void access_of_certificate(struct caller *out, const gnutls_datum_t *der, const struct certs *c)
{
	own(crt) gnutls_x509_crt_t crt = NULL;
	struct shown s = { .certs = c, .may = ACCESS_ANYONE };
	own(buf) struct buf name = { 0 };
	unsigned char digest[crypto_hash_sha256_BYTES];
	char print[2 * PRINT_BYTES + 1];

	const bool readable = !gnutls_x509_crt_init(&crt) && !gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER);

	if (readable) {
		judge_subject(&s, crt);
		judge_alternatives(&s, crt);
	}
	crypto_hash_sha256(digest, der->data, der->size);
	print_name(&name, &s.name);
	out->may = s.may > ACCESS_ANYONE || !readable ? s.may : c->others;
	out->known = true;
	snprintf(out->name, sizeof out->name, "cert %s %s [%s]", kinds[s.kind], name.len ? buf_text(&name) : "(none)",
		 sodium_bin2hex(print, sizeof print, digest, PRINT_BYTES));
	buf_release(&s.name);
}
