/* Names in certificates: which lines are taken, and which certificate is whose. Each is made here, by GnuTLS. */
#include <errno.h>
#include <gnutls/x509.h>
#include <sodium.h>
#include <string.h>

#include "enforcer/api/access/certs.h"
#include "tests/lib/tap.h"

#define REPEAT_100 "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
#define REPEAT_1000 REPEAT_100 REPEAT_100 REPEAT_100 REPEAT_100 REPEAT_100 REPEAT_100 REPEAT_100 REPEAT_100 REPEAT_100 REPEAT_100

static const struct {
	const char *text, *part; /* part of the sentence; NULL when it is taken */
	size_t count;
} files[] = {
	{ "", NULL, 0 },
	{ "# nothing\n \t \r\n", NULL, 0 },
	{ "viewer dns a.example", NULL, 1 },
	{ "  operator\temail  ops@a.example \r\npolicy-admin subject CN=Ada Lovelace,OU=net,O=A\\, B\n#\nviewer uri spiffe://a/b?c#d", NULL, 3 },
	{ "viewer subject CN=Zoë,O=x", NULL, 1 },
	{ "viewer subject 1.2.3.4=#0c0161", NULL, 1 },
	{ "viewer", "a line is", 0 },
	{ "viewer dns", "a line is", 0 },
	{ "viewer dns ", "a line is", 0 },
	{ "\nking dns a.example", "line 2: `king` is no role", 0 },
	{ "none dns a.example", "`none` is no role", 0 },
	{ "anyone dns a.example", "`anyone` is no role", 0 },
	{ "viewer host a.example", "the kinds of names are", 0 },
	{ "viewer DNS a.example", "the kinds of names are", 0 },
	{ "viewer dns a.example b.example", "a dns name has", 0 },
	{ "viewer dns *.example", "`*` names nobody", 0 },
	{ "viewer dns a..example", "a dns name has", 0 },
	{ "viewer dns .example", "a dns name has", 0 },
	{ "viewer dns example.", "a dns name has", 0 },
	{ "viewer dns zoë.example", "a dns name has", 0 },
	{ "viewer dns \xff", "a name is text", 0 },
	{ "viewer uri a:\x07", "a name is text", 0 },
	{ "viewer uri a:" REPEAT_1000 REPEAT_100, "a name is text of at most", 0 },
	{ "viewer email ops", "an email is", 0 },
	{ "viewer email @a", "an email is", 0 },
	{ "viewer email o ps@a", "an email is", 0 },
	{ "viewer email a@b@c", "an email is", 0 },
	{ "viewer uri nothing", "a uri is", 0 },
	{ "viewer uri ://a", "a uri is", 0 },
	{ "viewer uri a:b c", "a uri is", 0 },
	{ "viewer subject ops", "no subject that can be read", 0 },
	{ "viewer subject CN=a+OU=b", "no subject that can be read", 0 },
	{ "viewer subject CN=", "no subject that can be read", 0 },
	{ "viewer subject CN=a, O=b", "is written CN=a,O=b", 0 },
	{ "viewer subject cn=a", "is written CN=a", 0 },
	{ "viewer subject CN=a;b", "is written CN=a\\;b", 0 },
	{ "viewer subject CN=#0c0161", "is written CN=a", 0 },
	{ "viewer dns a.example\noperator dns A.example", "line 2: `A.example` stands twice", 0 },
};

static void lines_are_read(void)
{
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		own(arena) struct arena *a = arena_new();
		struct certs c = { 0 };
		struct err why = { 0 };
		int rc = certs_read(&c, a, arena_strdup(a, files[i].text), &why);

		if (!tap_ok(files[i].part ? rc && strstr(why.text, files[i].part) : !rc && c.rows.len == files[i].count,
			    "file %zu: %s", i, files[i].part ? files[i].part : "taken"))
			tap_note("%d %s, %zu lines", rc, why.text, c.rows.len);
	}
}

/* ---- certificates ----------------------------------------------------------------------- */

static const char lines[] = "policy-admin subject CN=ada,OU=net,O=Example\n"
			    "viewer subject CN=a\\,O=b\n"
			    "operator email Ops@Example.net\n"
			    "viewer dns grafana.example.net\n"
			    "operator dns both.example.net\n"
			    "viewer uri spiffe://example.net/Metrics\n";

struct name {
	const char *text;
	size_t len; /* 0: to its NUL */
};

static const struct {
	const char *about;
	struct name cn, ou, o, dns, dns2, email, uri;
	enum access may;
	const char *name; /* how the caller's begins */
} shown[] = {
	{ "the subject", { "ada", 0 }, { "net", 0 }, { "Example", 0 }, .may = ACCESS_POLICY_ADMIN, .name = "cert subject CN=ada,OU=net,O=Example [" },
	{ "less of it", { "ada", 0 }, { NULL, 0 }, { "Example", 0 }, .name = "cert subject CN=ada,O=Example [" },
	{ "in another case", { "Ada", 0 }, { "net", 0 }, { "Example", 0 }, .name = "cert subject CN=Ada" },
	{ "with a blank", { "ada ", 0 }, { "net", 0 }, { "Example", 0 }, .name = "cert subject CN=ada\\ ," },
	{ "with a NUL", { "ada\0", 4 }, { "net", 0 }, { "Example", 0 }, .name = "cert subject CN=#" },
	{ "with more after a NUL", { "ada,OU=net,O=Example\0x", 22 }, .name = "cert subject CN=#" },
	{ "all of it in one attribute", { "ada,OU=net,O=Example", 0 }, .name = "cert subject CN=ada\\,OU=net\\,O=Example [" },
	{ "a separator that belongs to a name", { "a,O=b", 0 }, .may = ACCESS_VIEWER, .name = "cert subject CN=a\\,O=b [" },
	{ "no name at all", .name = "cert subject (none) [" },
	{ "a host", .dns = { "grafana.example.net", 0 }, .may = ACCESS_VIEWER, .name = "cert dns grafana.example.net [" },
	{ "a host in another case", .dns = { "Grafana.Example.NET", 0 }, .may = ACCESS_VIEWER, .name = "cert dns Grafana" },
	{ "a host beside a subject of no line", { "eve", 0 }, .dns = { "grafana.example.net", 0 }, .may = ACCESS_VIEWER, .name = "cert dns" },
	{ "a host within another", .dns = { "grafana.example.net.evil.org", 0 }, .name = "cert dns" },
	{ "a host with more before", .dns = { "x.grafana.example.net", 0 }, .name = "cert dns" },
	{ "a host with a dot", .dns = { "grafana.example.net.", 0 }, .name = "cert dns" },
	{ "a wildcard", .dns = { "*.example.net", 0 }, .name = "cert dns *.example.net [" },
	{ "a host with a NUL", .dns = { "grafana.example.net\0", 20 }, .name = "cert dns grafana.example.net? [" },
	{ "a host with more after a NUL", .dns = { "grafana.example.net\0.evil.org", 29 }, .name = "cert dns grafana.example.net?.evil" },
	{ "a host in the subject alone", { "grafana.example.net", 0 }, .name = "cert subject" },
	{ "two hosts: the higher role", .dns = { "grafana.example.net", 0 }, .dns2 = { "both.example.net", 0 }, .may = ACCESS_OPERATOR, .name = "cert dns both" },
	{ "two hosts, the other way", .dns = { "both.example.net", 0 }, .dns2 = { "grafana.example.net", 0 }, .may = ACCESS_OPERATOR, .name = "cert dns both" },
	{ "an email", .email = { "Ops@example.NET", 0 }, .may = ACCESS_OPERATOR, .name = "cert email Ops@example.NET [" },
	{ "another's mailbox", .email = { "ops@example.net", 0 }, .name = "cert email" },
	{ "an email as a host", .dns = { "Ops@Example.net", 0 }, .name = "cert dns" },
	{ "a uri", .uri = { "spiffe://example.net/Metrics", 0 }, .may = ACCESS_VIEWER, .name = "cert uri spiffe" },
	{ "a uri in another case", .uri = { "spiffe://example.net/metrics", 0 }, .name = "cert uri" },
	{ "a uri of %-escapes", .uri = { "spiffe://example.net/%4detrics", 0 }, .name = "cert uri" },
	{ "a name with control characters", { "a\n\x1b[2J", 0 }, .name = "cert subject CN=a??[2J [" },
	{ "a name that is no text", { "\xff\xfe", 2 }, .name = "cert subject CN=?? [" },
	{ "a long name", .uri = { "x:" REPEAT_1000, 0 }, .name = "cert uri x:" REPEAT_100 "012345678901234567… [" },
	{ "a name longer than any line", .uri = { "x:" REPEAT_1000 REPEAT_1000, 0 }, .name = "cert subject (none)" },
};

static void put_dn(gnutls_x509_crt_t crt, const char *oid, const struct name *n)
{
	if (n->text)
		gnutls_x509_crt_set_dn_by_oid(crt, oid, 0, n->text, (unsigned)(n->len ? n->len : strlen(n->text)));
}

/* As bytes: what writes names ends them at a NUL, and what reads them must not. */
static void put_host_as_is(gnutls_x509_crt_t crt, const struct name *n)
{
	unsigned char der[128] = { 0x30, (unsigned char)(n->len + 2), 0x82, (unsigned char)n->len };

	memcpy(der + 4, n->text, n->len);
	gnutls_x509_crt_set_extension_by_oid(crt, "2.5.29.17", der, n->len + 4, 0);
}

static void put_san(gnutls_x509_crt_t crt, gnutls_x509_subject_alt_name_t kind, const struct name *n)
{
	if (n->text && n->len)
		put_host_as_is(crt, n);
	else if (n->text)
		gnutls_x509_crt_set_subject_alt_name(crt, kind, n->text, (unsigned)strlen(n->text), GNUTLS_FSAN_APPEND);
}

static void make(gnutls_datum_t *out, gnutls_x509_privkey_t key, size_t i)
{
	gnutls_x509_crt_t crt;

	gnutls_x509_crt_init(&crt);
	gnutls_x509_crt_set_version(crt, 3);
	gnutls_x509_crt_set_serial(crt, "\x01", 1);
	gnutls_x509_crt_set_activation_time(crt, 1000000000);
	gnutls_x509_crt_set_expiration_time(crt, 2000000000);
	gnutls_x509_crt_set_key(crt, key);
	put_dn(crt, GNUTLS_OID_X520_ORGANIZATION_NAME, &shown[i].o);
	put_dn(crt, GNUTLS_OID_X520_ORGANIZATIONAL_UNIT_NAME, &shown[i].ou);
	put_dn(crt, GNUTLS_OID_X520_COMMON_NAME, &shown[i].cn);
	put_san(crt, GNUTLS_SAN_DNSNAME, &shown[i].dns);
	put_san(crt, GNUTLS_SAN_DNSNAME, &shown[i].dns2);
	put_san(crt, GNUTLS_SAN_RFC822NAME, &shown[i].email);
	put_san(crt, GNUTLS_SAN_URI, &shown[i].uri);
	if (gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA512, 0) || gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, out))
		*out = (gnutls_datum_t){ 0 };
	gnutls_x509_crt_deinit(crt);
}

static void each_is_judged(const struct certs *c, gnutls_x509_privkey_t key)
{
	for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
		gnutls_datum_t der;
		struct caller who = { .name = "" };

		make(&der, key, i);
		if (der.data)
			access_of_certificate(&who, &der, c);
		if (!tap_ok(der.data && who.known && who.may == shown[i].may && !strncmp(who.name, shown[i].name, strlen(shown[i].name)),
			    "%s: %s", shown[i].about, access_name(shown[i].may)))
			tap_note("%s, %s", access_name(who.may), who.name);
		gnutls_free(der.data);
	}
}

static void others_have_a_role(struct certs *c, gnutls_x509_privkey_t key)
{
	const gnutls_datum_t noise = { (unsigned char *)(uintptr_t) "noise", 5 };
	gnutls_datum_t der;
	struct caller who;

	c->others = ACCESS_OPERATOR;
	make(&der, key, 1);
	access_of_certificate(&who, &der, c);
	tap_ok(who.may == ACCESS_OPERATOR, "who stands in no line has the role of the others");
	gnutls_free(der.data);
	make(&der, key, 9);
	access_of_certificate(&who, &der, c);
	tap_ok(who.may == ACCESS_VIEWER, "who stands in one has that line's, also when it is less");
	gnutls_free(der.data);
	access_of_certificate(&who, &noise, c);
	tap_ok(who.may == ACCESS_ANYONE, "what is no certificate has none");
}

static void both_are_the_lesser(void)
{
	struct caller token = { .may = ACCESS_OPERATOR, .known = true, .name = "token a" };
	const struct caller more = { .may = ACCESS_POLICY_ADMIN, .known = true, .name = "cert dns b [1]" },
			    less = { .may = ACCESS_VIEWER, .known = true, .name = "cert dns c [2]" };

	access_of_both(&token, &more);
	tap_ok(token.may == ACCESS_OPERATOR && !strcmp(token.name, "token a, cert dns b [1]"), "a certificate adds nothing to a token");
	access_of_both(&token, &less);
	tap_ok(token.may == ACCESS_VIEWER, "it takes away");
}

int main(void)
{
	own(arena) struct arena *a = arena_new();
	struct certs c = { .judge = true };
	gnutls_x509_privkey_t key;
	struct err why = { 0 };

	if (sodium_init() < 0)
		return 1;
	lines_are_read();
	gnutls_x509_privkey_init(&key);
	gnutls_x509_privkey_generate(key, GNUTLS_PK_EDDSA_ED25519, 256, 0);
	tap_num(certs_read(&c, a, arena_strdup(a, lines), &why), 0, "the lines for the certificates");
	each_is_judged(&c, key);
	others_have_a_role(&c, key);
	both_are_the_lesser();
	gnutls_x509_privkey_deinit(key);
	return tap_done();
}
