#include "enforcer/proc/settings_value.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *engine_name(enum engine e)
{
	static const char *const names[ENGINE_COUNT] = {
		[ENGINE_AUTO] = "auto", [ENGINE_NATIVE] = "native",
		[ENGINE_GENERIC] = "generic", [ENGINE_TC] = "tc", [ENGINE_NFT] = "nft",
	};

	return names[e];
}

static int read_engine(struct settings *s, const char *name, struct err *why)
{
	for (unsigned e = 0; e < ENGINE_COUNT; e++)
		if (!strcmp(name, engine_name((enum engine)e))) {
			s->judge = (enum engine)e;
			return 0;
		}
	return err_set(why, EINVAL, "`%.40s` is no engine; there are auto, native, generic, tc and nft", name);
}

static bool is_loopback(const struct in6_addr *a)
{
	return IN6_IS_ADDR_LOOPBACK(a) || (IN6_IS_ADDR_V4MAPPED(a) && a->s6_addr[12] == 127);
}

/* "127.0.0.1:8443" or "[::1]:8443". */
static int read_listen(struct settings *s, const char *text, struct err *why)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6 };
	const char *colon = strrchr(text, ':');
	char host[64] = "::ffff:", *end;
	bool bracketed = *text == '[';

	if (!*text)
		return 0;
	size_t len = colon ? (size_t)(colon - text) : 0;
	if (!colon || len < 2 || len > 50 || (bracketed && text[len - 1] != ']'))
		return err_set(why, EINVAL, "`%.60s` is no address and port, as 127.0.0.1:8765", text);
	snprintf(host, sizeof host, "%s%.*s", bracketed ? "" : "::ffff:", (int)(bracketed ? len - 2 : len),
		 bracketed ? text + 1 : text);
	unsigned long port = strtoul(colon + 1, &end, 10);
	if (!isdigit((unsigned char)colon[1]) || *end || !port || port > 65535 ||
	    inet_pton(AF_INET6, host, &to.sin6_addr) != 1)
		return err_set(why, EINVAL, "`%.60s` is no address and port, as 127.0.0.1:8765", text);
	if (!is_loopback(&to.sin6_addr) && !*s->tls_cert)
		return err_set(why, EINVAL, "`%.60s` is not on loopback, and there is no encryption; name a certificate with "
			       "tls-cert and tls-key", text);
	if (!*s->token_file && !*s->tokens && !*s->client_certs && !strcmp(s->client_cert_role, "none"))
		return err_set(why, EINVAL, "the API over TCP needs a token; name its file with token-file, or tokens; "
			       "or who may with client-certs");
	to.sin6_port = htons((uint16_t)port);
	s->tcp = to;
	return 0;
}

/* All switches are about which bundles are taken. */
static int read_switch(struct settings *s, const char *value, struct err *why)
{
	if (strcmp(value, "yes") && strcmp(value, "no"))
		return err_set(why, EINVAL, "`%.40s` is neither yes nor no", value);
	s->signed_only = !strcmp(s->require_signature, "yes");
	s->unproved_too = !strcmp(s->require_proofs, "no");
	if (s->signed_only && !*s->trusted_keys)
		return err_set(why, EINVAL, "no signature could be trusted; name the keys with trusted-keys");
	return 0;
}

static int read_path(const char *path, struct err *why)
{
	return strlen(path) > 4000 ? err_set(why, EINVAL, "the path is too long") : 0;
}

static int read_tls(struct settings *s, const char *value, bool is_key, struct err *why)
{
	if (is_key && !*value != !*s->tls_cert)
		return err_set(why, EINVAL, "tls-cert and tls-key are named together or not at all");
	if (!is_key && *value && !*s->tls_cert)
		return err_set(why, EINVAL, "certificates of clients need TLS; name tls-cert and tls-key too");
	return read_path(value, why);
}

static bool is_role(const char *value)
{
	return !strcmp(value, "viewer") || !strcmp(value, "operator") || !strcmp(value, "policy-admin");
}

/* Without a CA of theirs, what stands in the certificates of clients is what they wrote. */
static int read_certs(const struct settings *s, const char *value, struct err *why)
{
	if (*value && !*s->client_ca)
		return err_set(why, EINVAL, "certificates that nobody checks say nothing; name their CA with client-ca");
	return read_path(value, why);
}

static int read_cert_role(const struct settings *s, const char *value, struct err *why)
{
	const bool none = !strcmp(value, "none");

	if (!none && !is_role(value))
		return err_set(why, EINVAL, "`%.40s` is no role; there are none, viewer, operator and policy-admin", value);
	return read_certs(s, none ? "" : value, why);
}

/* A number ("of seconds") from least to most, or 0. */
static int read_number(unsigned *out, const char *value, const char *of, unsigned least, unsigned most, struct err *why)
{
	const size_t digits = strspn(value, "0123456789");
	const unsigned long is = strtoul(value, NULL, 10);

	if (!digits || value[digits] || digits > 10 || is > most || (is && is < least)) {
		if (least > 1)
			return err_set(why, EINVAL, "`%.40s` is neither 0 nor a number%s from %u to %u", value, of, least, most);
		return err_set(why, EINVAL, "`%.40s` is no number%s from 0 to %u", value, of, most);
	}
	*out = (unsigned)is;
	return 0;
}

static int read_drift(struct settings *s, const char *value, struct err *why)
{
	s->repairs = !strcmp(value, "repair");
	if (s->repairs || !strcmp(value, "report"))
		return 0;
	return err_set(why, EINVAL, "`%.40s` is neither repair nor report", value);
}

static int scheme_holds(bool is_database, const char *scheme, struct err *why)
{
	static const char *const schemes[2][2] = { { "redis", "rediss" }, { "postgresql", "postgres" } };
	const char *const *may = schemes[is_database];

	if (!strcmp(scheme, may[0]) || !strcmp(scheme, may[1]))
		return 0;
	return err_set(why, EINVAL, "it begins with another scheme than %s:// or %s://", may[0], may[1]);
}

/* The text is no longer needed once it is read, and this process may not be the one that needs it. */
static int read_url(struct settings *s, struct arena *a, const struct setting_row *r, struct err *why)
{
	const bool is_database = r->at == offsetof(struct settings, database_url);
	struct url *to = is_database ? &s->database : &s->redis;
	const char **value = setting_at(s, r);
	int rc = **value ? url_parse(to, a, *value, why) : 0;

	if (rc || !to->scheme)
		return rc;
	rc = scheme_holds(is_database, to->scheme, why);
	if (rc)
		return rc;
	*value = url_redacted(a, to);
	if (s->role != ROLE_WARDEN) {
		explicit_bzero((char *)(uintptr_t)to->password, strlen(to->password));
		explicit_bzero((char *)(uintptr_t)to->query, strlen(to->query));
	}
	return 0;
}

int setting_read(struct settings *s, struct arena *a, const struct setting_row *r, struct err *why)
{
	const char *value = *setting_at(s, r);

	switch (r->kind) {
	case KIND_PATH:
		if (*value != '/' || strlen(value) > 200)
			return err_set(why, EINVAL, "`%.60s` is no absolute path of at most 200 bytes", value);
		return 0;
	case KIND_FILE:
		return read_path(value, why);
	case KIND_KEY:
		return read_tls(s, value, true, why);
	case KIND_CA:
		return read_tls(s, value, false, why);
	case KIND_CERTS:
		return read_certs(s, value, why);
	case KIND_CERT_ROLE:
		return read_cert_role(s, value, why);
	case KIND_RATE:
		return read_number(&s->rate, value, "", 1, 1000000, why);
	case KIND_DRIFT:
		return read_drift(s, value, why);
	case KIND_PERIOD:
		return read_number(&s->drift_seconds, value, " of seconds", 1, 86400, why);
	case KIND_ROOM:
		return read_number(&s->audit_room, value, " of bytes", 4096, 1000000000, why);
	case KIND_FILES:
		return read_number(&s->audit_kept, value, " of files", 1, 10000, why);
	case KIND_URL:
		return read_url(s, a, r, why);
	case KIND_NAME:
		if (strlen(value) > 32)
			return err_set(why, EINVAL, "`%.60s` is too long for a name", value);
		return 0;
	case KIND_ENGINE:
		return read_engine(s, value, why);
	case KIND_LISTEN:
		return read_listen(s, value, why);
	case KIND_SWITCH:
		return read_switch(s, value, why);
	case KIND_LIST:
		if (strlen(value) > 4000)
			return err_set(why, EINVAL, "the list is too long");
		return 0;
	case KIND_ROLE:
		if (!is_role(value))
			return err_set(why, EINVAL, "`%.40s` is no role; there are viewer, operator and policy-admin",
				       value);
		return 0;
	}
	return 0;
}
