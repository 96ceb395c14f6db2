/*
 * Any bytes as a saved ruleset: it is refused, or becomes a policy's text in which nothing
 * is misspelled. The first byte says what it is read as: "n", nftables; otherwise iptables-save, of a family by its
 * lowest bit. The part before a line of dashes is a file of sets.
 *
 *     make fuzz FUZZERS=import SECONDS=600
 */
#include <stdlib.h>
#include <string.h>

#include "compiler/import/import.h"
#include "lang/syntax/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must_be_text_of_a_policy(struct arena *a, const struct buf *text)
{
	struct sources sources = { .arena = a, .trees = a };
	struct diags diags = { .arena = a };
	uint32_t file = source_add(&sources, "imported", buf_text(text), text->len);
	struct ast ast;

	parse_file(&ast, a, &sources, file, &diags);
	if (!ast.sound || diags.errors)
		abort();
}

/* One of the formats, by the first byte. */
static int read_rules(struct import *m, uint8_t format, const char *text, struct err *why)
{
	struct import_text rules = { "fuzzed", text, strlen(text) };

	if (format == 'n')
		return import_nft(m, &rules, why);
	return import_iptables(m, format & 1 ? FAMILY_IP6 : FAMILY_IP4, &rules, why);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	own(import) struct import *m = import_new();
	own(buf) struct buf out = { 0 };
	struct err why = { 0 };
	char *text, *rules;

	if (!len)
		return 0;
	text = arena_strndup(m->arena, (const char *)bytes + 1, len - 1);
	rules = strstr(text, "\n---\n");
	if (rules) {
		*rules = '\0';
		if (import_ipset(m, &(struct import_text){ "sets", text, strlen(text) }, &why))
			return 0;
		text = rules + 5;
	}
	if (read_rules(m, *bytes, text, &why) || import_flatten(m, &why))
		return 0;
	import_write(m, &out, "fuzzed", "fuzzed");
	must_be_text_of_a_policy(m->arena, &out);
	return 0;
}
