#include "enforcer/proc/url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define URL_BYTES_MAX 2000

static int hex_of(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* %40 is @; what cannot be decoded, and a NUL, are refused. */
static int decode(const char **out, struct arena *a, const char *from, size_t len, const char *what, struct err *why)
{
	char *to = arena_zero(a, len + 1);
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		int high, low;

		if (from[i] != '%') {
			to[n++] = from[i];
			continue;
		}
		high = i + 1 < len ? hex_of(from[i + 1]) : -1;
		low = i + 2 < len ? hex_of(from[i + 2]) : -1;
		if (high < 0 || low < 0 || !(high | low))
			return err_set(why, EINVAL, "the %s has a %% that is followed by no two hexadecimal digits, or by 00", what);
		to[n++] = (char)(high << 4 | low);
		i += 2;
	}
	*out = to;
	return 0;
}

static bool is_scheme(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr("+-.", text[i]))
			return false;
	return len && isalpha((unsigned char)*text);
}

/* "postgresql+asyncpg": what it is, and what another program speaks it with. */
static int read_scheme(struct url *u, struct arena *a, const char *text, size_t len, struct err *why)
{
	const char *plus = memchr(text, '+', len);
	const size_t of_scheme = plus ? (size_t)(plus - text) : len;

	if (!is_scheme(text, len) || !of_scheme || (plus && of_scheme + 1 == len))
		return err_set(why, EINVAL, "it begins with no scheme, as postgresql:// or redis://");
	u->scheme = arena_strndup(a, text, of_scheme);
	u->driver = plus ? arena_strndup(a, plus + 1, len - of_scheme - 1) : "";
	return 0;
}

static int read_user(struct url *u, struct arena *a, const char *text, size_t len, struct err *why)
{
	const char *colon = memchr(text, ':', len);
	const size_t of_user = colon ? (size_t)(colon - text) : len;
	int rc = decode(&u->user, a, text, of_user, "user's name", why);

	if (!rc && colon)
		rc = decode(&u->password, a, colon + 1, len - of_user - 1, "password", why);
	return rc;
}

static int read_port(struct url *u, const char *text, size_t len, struct err *why)
{
	unsigned long port = 0;

	for (size_t i = 0; i < len && port <= 65535; i++)
		port = isdigit((unsigned char)text[i]) ? 10 * port + (unsigned long)(text[i] - '0') : 65536;
	if (!len || !port || port > 65535)
		return err_set(why, EINVAL, "the port is no number from 1 to 65535; or a password is not percent-encoded: `/` is %%2F");
	u->port = (uint16_t)port;
	return 0;
}

static bool is_host(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr("-._", text[i]))
			return false;
	return len && len <= 253;
}

/* A name, an IPv4 address, or an IPv6 address in brackets; then perhaps a port. */
static int read_host(struct url *u, struct arena *a, const char *text, size_t len, struct err *why)
{
	const char *close = len && *text == '[' ? memchr(text, ']', len) : NULL;
	const char *colon = memchr(close ? close : text, ':', len - (size_t)((close ? close : text) - text));
	const size_t of_host = colon ? (size_t)(colon - text) : len;
	struct in6_addr ignored;

	if (close) {
		u->host = arena_strndup(a, text + 1, (size_t)(close - text) - 1);
		if (inet_pton(AF_INET6, u->host, &ignored) != 1 || close + 1 != text + of_host)
			return err_set(why, EINVAL, "what stands in brackets is no IPv6 address");
	} else if (is_host(text, of_host)) {
		u->host = arena_strndup(a, text, of_host);
	} else {
		return err_set(why, EINVAL, "there is no host in it; a password must be percent-encoded: `@` is %%40, `/` is %%2F, "
			       "`#` is %%23");
	}
	return colon ? read_port(u, colon + 1, len - of_host - 1, why) : 0;
}

int url_parse(struct url *out, struct arena *a, const char *text, struct err *why)
{
	struct url u = { .user = "", .password = "", .driver = "", .path = "", .query = "" };
	const char *begin = strstr(text, "://"), *end, *at, *query;
	int rc;

	if (strlen(text) > URL_BYTES_MAX)
		return err_set(why, EINVAL, "it is longer than %d bytes", URL_BYTES_MAX);
	for (const char *c = text; *c; c++)
		if (!isgraph((unsigned char)*c) || *c == '#')
			return err_set(why, EINVAL, "it has a character that must be percent-encoded: a space, a `#`, a control "
				       "character or one beyond ASCII");
	if (!begin)
		return err_set(why, EINVAL, "it begins with no scheme, as postgresql:// or redis://");
	rc = read_scheme(&u, a, text, (size_t)(begin - text), why);
	if (rc)
		return rc;
	begin += 3;
	end = begin + strcspn(begin, "/?");
	at = memrchr(begin, '@', (size_t)(end - begin));
	if (at)
		rc = read_user(&u, a, begin, (size_t)(at - begin), why);
	if (!rc)
		rc = read_host(&u, a, at ? at + 1 : begin, (size_t)(end - (at ? at + 1 : begin)), why);
	if (rc)
		return rc;
	query = strchr(end, '?');
	if (*end == '/')
		u.path = arena_strndup(a, end + 1, query ? (size_t)(query - end) - 1 : strlen(end) - 1);
	if (query)
		u.query = arena_strdup(a, query + 1);
	*out = u;
	return 0;
}

/* Parameters may be secrets too, as sslpassword is: their names are enough. */
static const char *redacted_query(struct arena *a, const char *query)
{
	const char *out = "";

	while (*query) {
		const size_t len = strcspn(query, "&"), of_name = strcspn(query, "=&");

		out = arena_printf(a, "%s%s%.*s%s", out, *out ? "&" : "?", (int)of_name, query, of_name < len ? "=***" : "");
		query += len + (query[len] == '&');
	}
	return out;
}

const char *url_redacted(struct arena *a, const struct url *u)
{
	const bool is_ip6 = strchr(u->host, ':');
	const char *who = *u->user || *u->password ? arena_printf(a, "%s%s@", u->user, *u->password ? ":***" : "") : "";
	const char *port = u->port ? arena_printf(a, ":%u", u->port) : "";

	return arena_printf(a, "%s%s%s://%s%s%s%s%s%s%s%s", u->scheme, *u->driver ? "+" : "", u->driver, who, is_ip6 ? "[" : "",
			    u->host, is_ip6 ? "]" : "", port, *u->path ? "/" : "", u->path, redacted_query(a, u->query));
}
