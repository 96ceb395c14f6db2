/* Who is known: lines of a tokens file, lists of users and groups, and what a token is compared with. */
#include <sodium.h>
#include <string.h>

#include "enforcer/api/access/roster.h"
#include "tests/lib/tap.h"

/* SHA-256 of "abc" (FIPS 180-2, appendix B.1) and of "" */
#define OF_ABC	 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define OF_EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static const struct {
	const char *text, *part; /* part of the sentence; NULL when it is taken */
	size_t count;
} files[] = {
	{ "", NULL, 0 },
	{ "# nothing\n\n  \n", NULL, 0 },
	{ "a viewer " OF_ABC, NULL, 1 },
	{ "a viewer " OF_ABC "\r\nb\toperator\t" OF_ABC "\n# c\nc policy-admin " OF_EMPTY "\n", NULL, 3 },
	{ "a viewer", "line 1: a line is", 0 },
	{ "\na viewer " OF_ABC " more", "line 2: a line is", 0 },
	{ "a king " OF_ABC, "`king` is no role", 0 },
	{ "a anyone " OF_ABC, "`anyone` is no role", 0 },
	{ "a viewer abc", "64 hexadecimal digits", 0 },
	{ "a viewer " OF_ABC "00", "64 hexadecimal digits", 0 },
	{ "a viewer xx7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "64 hexadecimal digits", 0 },
	{ "a/b viewer " OF_ABC, "a name has", 0 },
	{ "\x1b[31m viewer " OF_ABC, "a name has", 0 },
	{ "a viewer " OF_ABC "\na viewer " OF_ABC, "line 2: `a` stands twice", 0 },
};

static void lines_are_read(void)
{
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		own(roster) struct roster *r = roster_new();
		struct err why = { 0 };
		int rc = roster_read_tokens(r, arena_strdup(r->arena, files[i].text), &why);

		if (!tap_ok(files[i].part ? rc && strstr(why.text, files[i].part) : !rc && r->tokens.len == files[i].count,
			    "tokens file %zu: %s", i, files[i].part ? files[i].part : "taken"))
			tap_note("%d %s", rc, why.text);
	}
}

static const struct {
	const char *list, *part;
	size_t count;
} lists[] = {
	{ "", NULL, 0 }, { "root", NULL, 1 }, { "root, @root,1004 @27", NULL, 4 }, { "4294967294", NULL, 1 },
	{ "4294967295", "no user", 0 }, { "-1", "no user", 0 }, { "12x", "no user", 0 }, { "@", "no group", 0 },
	{ "no-such-user-here", "viewers: there is no user `no-such-user-here`", 0 },
};

static void lists_are_read(void)
{
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		own(roster) struct roster *r = roster_new();
		struct err why = { 0 };
		int rc = roster_add_peers(r, ACCESS_VIEWER, lists[i].list, &why);

		if (!tap_ok(lists[i].part ? rc && strstr(why.text, lists[i].part) : !rc && r->peers.len == lists[i].count,
			    "list `%s`: %s", lists[i].list, lists[i].part ? lists[i].part : "taken"))
			tap_note("%d %s", rc, why.text);
	}
}

static const struct {
	const char *header, *name;
	enum access may;
} headers[] = {
	{ "Bearer abc", "token a", ACCESS_VIEWER },	   { "bearer first-token-here", "token b", ACCESS_POLICY_ADMIN },
	{ NULL, "nobody", ACCESS_ANYONE },		   { "", "nobody", ACCESS_ANYONE },
	{ "Bearer", "nobody", ACCESS_ANYONE },		   { "Bearer ", "nobody", ACCESS_ANYONE },
	{ "Bearer ab", "nobody", ACCESS_ANYONE },	   { "Bearer abcd", "nobody", ACCESS_ANYONE },
	{ "Bearer  abc", "nobody", ACCESS_ANYONE },	   { "Basic abc", "nobody", ACCESS_ANYONE },
	{ "Bearer " OF_ABC, "nobody", ACCESS_ANYONE }, /* the digest is not the token */
};

static void headers_are_judged(void)
{
	own(roster) struct roster *r = roster_new();
	char line[] = "a viewer " OF_ABC;
	struct err why;

	tap_ok(!roster_read_tokens(r, line, &why), "a roster of two tokens");
	roster_add_token(r, "b", ACCESS_POLICY_ADMIN, "first-token-here");
	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		struct caller c;

		access_of_token(&c, headers[i].header, r);
		if (!tap_ok(c.may == headers[i].may && !strcmp(c.name, headers[i].name) && c.known == (c.may > ACCESS_ANYONE),
			    "`%s`: %s", headers[i].header ? headers[i].header : "(none)", headers[i].name))
			tap_note("%d %s", c.may, c.name);
	}
}

int main(void)
{
	if (sodium_init() < 0)
		return 1;
	lines_are_read();
	lists_are_read();
	headers_are_judged();
	return tap_done();
}
