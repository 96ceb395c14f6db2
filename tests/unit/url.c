/* URLs of services: passwords of any character, drivers of other programs; and no secret in what is shown or complained of. */
#include <string.h>

#include "enforcer/proc/url.h"
#include "tests/lib/tap.h"

static const struct {
	const char *text;
	struct url is;
	const char *shown;
} good[] = {
	{ "postgresql://teg:p%40ss%2Fw%3Ard%25@db.internal:5432/tegumentar",
	  { "postgresql", "", "teg", "p@ss/w:rd%", "db.internal", 5432, "tegumentar", "" },
	  "postgresql://teg:***@db.internal:5432/tegumentar" },
	{ "postgresql+asyncpg://teg:secret@db/x?sslmode=require&sslpassword=hush",
	  { "postgresql", "asyncpg", "teg", "secret", "db", 0, "x", "sslmode=require&sslpassword=hush" },
	  "postgresql+asyncpg://teg:***@db/x?sslmode=***&sslpassword=***" },
	{ "redis://:secret@[2001:db8::1]:6379/0", { "redis", "", "", "secret", "2001:db8::1", 6379, "0", "" },
	  "redis://:***@[2001:db8::1]:6379/0" },
	{ "redis://127.0.0.1", { "redis", "", "", "", "127.0.0.1", 0, "", "" }, "redis://127.0.0.1" },
	{ "rediss://user@host/", { "rediss", "", "user", "", "host", 0, "", "" }, "rediss://user@host" },
	{ "postgresql://u:a:b@h/d", { "postgresql", "", "u", "a:b", "h", 0, "d", "" }, "postgresql://u:***@h/d" },
	{ "postgresql://u:p@q@h/d", { "postgresql", "", "u", "p@q", "h", 0, "d", "" }, "postgresql://u:***@h/d" },
	{ "postgresql://u:%e6%bc%a2@h/d?x", { "postgresql", "", "u", "\xe6\xbc\xa2", "h", 0, "d", "x" }, "postgresql://u:***@h/d?x" },
};

static void good_ones_are_read(void)
{
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		own(arena) struct arena *a = arena_new();
		struct url u = { 0 };
		struct err why = { 0 };
		const struct url *w = &good[i].is;

		if (!tap_ok(!url_parse(&u, a, good[i].text, &why) && !strcmp(u.scheme, w->scheme) && !strcmp(u.driver, w->driver) &&
			    !strcmp(u.user, w->user) && !strcmp(u.password, w->password) && !strcmp(u.host, w->host) &&
			    u.port == w->port && !strcmp(u.path, w->path) && !strcmp(u.query, w->query), "%s", good[i].shown)) {
			tap_note("%s", why.text);
			continue;
		}
		tap_text(url_redacted(a, &u), good[i].shown, "and is shown without its secrets");
	}
}

static const struct {
	const char *text, *part;
} bad[] = {
	{ "", "no scheme" }, { "hunter2", "no scheme" }, { "://hunter2@h", "no scheme" }, { "+d://hunter2@h", "no scheme" },
	{ "postgresql+://u:hunter2@h", "no scheme" }, { "1x://u:hunter2@h", "no scheme" }, { "postgresql://", "no host" },
	{ "postgresql://u:hunter2@", "no host" }, { "postgresql://u:hunter2/x@h/d", "not percent-encoded" },
	{ "postgresql://u:hunter2%@h", "no two hexadecimal" }, { "postgresql://u:hunter2%4@h", "no two hexadecimal" },
	{ "postgresql://u:hunter2%zz@h", "no two hexadecimal" }, { "postgresql://u:hunter2%00@h", "or by 00" },
	{ "postgresql://u:hunter2@h:0", "port" }, { "postgresql://u:hunter2@h:65536", "port" },
	{ "postgresql://u:hunter2@h:", "port" }, { "postgresql://u:hunter2@h:5x", "port" },
	{ "postgresql://u:hunter2@[::1", "no host" }, { "postgresql://u:hunter2@[nonsense]", "IPv6" },
	{ "postgresql://u:hunter2@[::1]x", "IPv6" }, { "postgresql://u:hunter2 @h", "percent-encoded" },
	{ "postgresql://u:hunter2#@h", "percent-encoded" }, { "postgresql://u:hunter2\n@h", "percent-encoded" },
};

static void bad_ones_are_refused(void)
{
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		own(arena) struct arena *a = arena_new();
		struct url u;
		struct err why = { 0 };

		if (!tap_ok(url_parse(&u, a, bad[i].text, &why) && strstr(why.text, bad[i].part) && !strstr(why.text, "hunter"),
			    "refused without a word of it: %s", bad[i].part))
			tap_note("%s: %s", bad[i].text, why.text);
	}
}

int main(void)
{
	good_ones_are_read();
	bad_ones_are_refused();
	return tap_done();
}
