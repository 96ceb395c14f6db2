/* The names of nft's objects: an id has one name, and from each its id can be read back. */
#include <stdio.h>
#include <string.h>

#include "lang/bundle/nft_name.h"
#include "tests/lib/gen.h"
#include "tests/lib/tap.h"

static void test_names(void)
{
	static const struct { const char *id, *name; } rows[] = {
		{ "HARDENED.web_in", "HARDENED.web_in" },
		{ "HARDENED.~1f0c93aa", "HARDENED._7e1f0c93aa" },
		{ "HARDENED._7e1f0c93aa", "HARDENED._5f7e1f0c93aa" },
		{ "block.my_feed", "block.my_5ffeed" },
		{ "a_7", "a_7" },
		{ "a__7e", "a__5f7e" },
		{ "a_~", "a__7e" },
		{ "a_7E", "a_7E" },
		{ "web-1.x", "web-1.x" },
		{ "1st", "n_6e1st" },
		{ "n_6e1st", "n_5f6e1st" },
		{ "_x", "n_6e_x" },
		{ "\xc3\xa9", "n_6e_c3_a9" },
		{ "a b/c\"d", "a_20b_2fc_22d" },
		{ "", "n_6e" },
	};
	own(arena) struct arena *a = arena_new();

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		tap_text(nft_name(a, rows[i].id), rows[i].name, arena_printf(a, "name of %s", rows[i].id));
		tap_ok(nft_name_holds(rows[i].name), "%s is a name to nft", rows[i].name);
	}

	char long_a[400], long_b[400];
	memset(long_a, 'x', sizeof long_a);
	memset(long_b, 'x', sizeof long_b);
	long_a[399] = long_b[399] = '\0';
	long_b[398] = 'y';
	tap_ok(nft_name_holds(nft_name(a, long_a)) && strcmp(nft_name(a, long_a), nft_name(a, long_b)),
	       "long ids have short names of their own");
	tap_ok(!nft_name_holds("") && !nft_name_holds("1") && !nft_name_holds("a b") && !nft_name_holds("a\"") &&
		       !nft_name_holds(long_a),
	       "what is no name");
}

/* The name back to its id: two ids with one name would be found here. */
static void unname(const char *name, char *id)
{
	if (!strncmp(name, "n_6e", 4))
		name += 4;
	while (*name) {
		unsigned byte;
		bool hex = name[0] == '_' && name[1] && name[2] && strspn(name + 1, "0123456789abcdef") >= 2;

		if (hex && sscanf(name + 1, "%2x", &byte) == 1) {
			*id++ = (char)byte;
			name += 3;
		} else {
			*id++ = *name++;
		}
	}
	*id = '\0';
}

static void test_names_injective(void)
{
	static const char letters[] = "_7ean~.A/";
	struct gen g = gen_new(3);
	bool back = true;

	for (int i = 0; i < 50000; i++) {
		own(arena) struct arena *a = arena_new();
		char id[16] = "", again[64];

		for (unsigned k = 0, n = gen_below(&g, 10); k < n; k++)
			id[k] = letters[gen_below(&g, sizeof letters - 1)];
		unname(nft_name(a, id), again);
		if (strcmp(id, again)) {
			back = false;
			tap_note("%s became %s, which reads %s", id, nft_name(a, id), again);
		}
	}
	tap_ok(back, "from every name its id can be read back: no two ids share one");
}

int main(void)
{
	test_names();
	test_names_injective();
	return tap_done();
}
