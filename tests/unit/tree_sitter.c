/*
 * The grammar for editors beside that of tegc: its corpus, every policy of the tree and of the
 * docs, what either takes and the other does not, the words of word.def, and the queries.
 *
 * No generator is asked: lang/editors/tree-sitter/src is linked as an editor would load it.
 */
#include <ctype.h>
#include <glob.h>
#include <string.h>
#include <tree_sitter/api.h>

#include "lang/base/file.h"
#include "lang/syntax/parse.h"
#include "tests/lib/tap.h"
#include "tests/lib/teg_gen.h"

#define HERE "lang/editors/tree-sitter"
#define FILE_MOST ((size_t)1 << 20)

const TSLanguage *tree_sitter_teg(void);

static inline void ts_tree_free(TSTree *t)
{
	if (t)
		ts_tree_delete(t);
}
OWN_FREE(ts_tree, TSTree *)

static TSParser *parser;

static TSTree *tree_of(const char *text, size_t len)
{
	return ts_parser_parse_string(parser, NULL, text, (uint32_t)len);
}

/* Does the editor's grammar take it whole? */
static bool taken(const char *text, size_t len)
{
	own(ts_tree) TSTree *t = tree_of(text, len);

	return !ts_node_has_error(ts_tree_root_node(t));
}

/* And tegc's own, which notes its mistakes in *ds. */
static bool taken_by_tegc(struct arena *a, struct diags *ds, const char *text, size_t len)
{
	struct sources s = { .arena = a, .trees = a };
	struct ast ast;

	*ds = (struct diags){ .arena = a };
	parse_file(&ast, a, &s, source_add(&s, "text", text, len), ds);
	return ast.sound && !ds->errors;
}

/* The first thing that does not fit, as a comment. */
static void tell_error(const char *text, size_t len)
{
	own(ts_tree) TSTree *t = tree_of(text, len);
	TSNode n = ts_tree_root_node(t);

	for (uint32_t i = 0; i < ts_node_child_count(n);) {
		TSNode child = ts_node_child(n, i++);

		if (ts_node_has_error(child)) {
			n = child;
			i = 0;
		}
	}
	tap_note("line %u, column %u: %.60s", ts_node_start_point(n).row + 1, ts_node_start_point(n).column + 1,
		 text + ts_node_start_byte(n));
}

/* --- files, and the policies in pages ----------------------------------------------------------------- */

typedef void on_text(const char *name, const char *text, size_t len);

static void each_file(const char *pattern, size_t least, on_text *call)
{
	glob_t found = { 0 };

	glob(pattern, 0, NULL, &found);
	tap_ok(found.gl_pathc >= least, "%s: there are at least %zu", pattern, least);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		own(buf) struct buf text = { 0 };
		struct err why = { 0 };

		if (tap_ok(!file_read(&text, found.gl_pathv[i], FILE_MOST, &why), "%s is read", found.gl_pathv[i]))
			call(found.gl_pathv[i], buf_text(&text), text.len);
	}
	globfree(&found);
}

/* The next fenced block behind *at whose first line begins with `fence`; its end is moved to *at. */
static const char *fenced(const char **at, const char *fence, size_t *len)
{
	const char *begins = strstr(*at, fence), *ends;

	begins = begins ? strchr(begins, '\n') : NULL;
	ends = begins ? strstr(begins, "\n```") : NULL;
	if (!ends)
		return NULL;
	*at = ends + 4;
	*len = (size_t)(ends - begins);
	return begins + 1;
}

static void is_taken(const char *name, const char *text, size_t len)
{
	if (!tap_ok(taken(text, len), "%s: taken whole", name))
		tell_error(text, len);
}

static void examples_are_taken(const char *name, const char *text, size_t len)
{
	const char *block;

	for (const char *end = text + len; text < end && (block = fenced(&text, "```teg\n", &len));)
		is_taken(name, block, len);
}

/* --- its own corpus ------------------------------------------------------------------------------------- */

/* Blanks between words are one; so a printed tree is compared whatever its indentation. */
static void squeeze(struct buf *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!isspace((unsigned char)text[i]))
			buf_putc(out, text[i]);
		else if (out->len && out->at[out->len - 1] != ' ' && out->at[out->len - 1] != '(')
			buf_putc(out, ' ');
	}
	while (out->len && out->at[out->len - 1] == ' ')
		out->at[--out->len] = '\0';
}

static void corpus_case(const char *file, const char *title, const char *text, size_t len, const char *tree, size_t tree_len)
{
	own(ts_tree) TSTree *t = tree_of(text, len);
	own(mem) char *got = ts_node_string(ts_tree_root_node(t));
	own(buf) struct buf want = { 0 }, claim = { 0 };

	squeeze(&want, tree, tree_len);
	buf_printf(&claim, "%s: %.*s", file, (int)strcspn(title, "\n"), title);
	tap_text(got, buf_text(&want), buf_text(&claim));
}

/* ===, a title, ===, the text, ---, the tree; and again. */
static void corpus_file(const char *name, const char *text, size_t len)
{
	size_t cases = 0;

	while ((text = strstr(text, "===\n"))) {
		const char *title = text + 4, *after = strstr(title, "===\n"), *rule = after ? strstr(after, "\n\n---") : NULL,
			   *tree = rule ? strchr(rule + 2, '\n') : NULL;

		if (!tap_ok(tree, "%s: case %zu is whole", name, cases + 1))
			return;
		text = strstr(tree, "\n===");
		len = text ? (size_t)(text - tree) : strlen(tree);
		after += 5;
		corpus_case(name, title, after, (size_t)(rule + 1 - after), tree, len);
		cases++;
		if (!text)
			break;
	}
	tap_ok(cases > 2, "%s: %zu cases", name, cases);
}

/* --- beside tegc ------------------------------------------------------------------------------------------ */

/* What tegc refuses though every word has a place: the limits and promises of layout.c. */
static bool only_tegc_minds(const struct diags *ds)
{
	for (size_t i = 0; i < ds->list.len; i++)
		switch (ds->list.at[i]->code) {
		case DIAG_NESTING:
		case DIAG_RESERVED:
		case DIAG_NAME_LONG:
			return true;
		default:
			break;
		}
	return false;
}

static void agrees(const char *name, const char *text, size_t len)
{
	own(arena) struct arena *a = arena_new();
	struct diags ds;
	bool theirs = taken_by_tegc(a, &ds, text, len), ours = taken(text, len);

	if (!tap_ok(ours == theirs || (ours && only_tegc_minds(&ds)), "%s: %s", name,
		    theirs ? "tegc's parser takes it, and so does this one" : "tegc's parser does not take it, nor does this one") &&
	    !ours)
		tell_error(text, len);
}

static void page_agrees(const char *name, const char *text, size_t len)
{
	static const char *const kinds[] = { "```teg wrong", "```teg right" };

	(void)len;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const char *from = text, *block = fenced(&from, kinds[i], &len);

		if (block)
			agrees(name, block, len);
	}
}

/* Programs that nobody would write, and these with something cut out or doubled. */
static void generated_agree(void)
{
	struct gen g = gen_new(11);
	size_t failed = 0, whole = 0, tried = 0;

	for (size_t i = 0; i < 150; i++) {
		own(buf) struct buf text = { 0 };

		teg_gen(&g, &text);
		for (size_t n = 0; n < 12; n++) {
			own(arena) struct arena *a = arena_new();
			own(buf) struct buf changed = { 0 };
			unsigned from = gen_below(&g, (unsigned)text.len), most = (unsigned)text.len - from, cut = gen_below(&g, n ? 9 : 1);
			struct diags ds;

			cut = cut > most ? most : cut;
			buf_add(&changed, text.at, from + (n % 2 ? 0 : cut));
			buf_add(&changed, text.at + from + (n % 2 ? cut : 0), text.len - from - (n % 2 ? cut : 0));
			tried++;
			if (!taken_by_tegc(a, &ds, arena_strdup(a, buf_text(&changed)), changed.len))
				continue;
			whole++;
			if (taken(changed.at, changed.len))
				continue;
			failed++;
			tell_error(changed.at, changed.len);
		}
	}
	tap_ok(!failed && whole > 150, "of %zu generated and changed policies, tegc's parser takes %zu, and this one all of them", tried,
	       whole);
}

/* --- words ---------------------------------------------------------------------------------------------------- */

static const char *const words[] = {
#define WORD(token, text, begins) text,
#define INNER(construct, token, text) text,
#define PHRASE(construct, text)
#include "lang/vocab/word.def"
#undef WORD
#undef INNER
#undef PHRASE
};

static const struct phrase_word {
	const char *construct, *word;
} phrase_words[] = {
#define WORD(token, text, begins)
#define INNER(construct, token, text)
#define PHRASE(construct, text) { #construct, text },
#include "lang/vocab/word.def"
#undef WORD
#undef INNER
#undef PHRASE
};

static bool is_word(const char *text)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (!strcmp(words[i], text))
			return true;
	for (size_t i = 0; i < ARRAY_LEN(phrase_words); i++)
		if (!strcmp(phrase_words[i].word, text))
			return true;
	return false;
}

static bool knows(const char *word)
{
	return ts_language_symbol_for_name(tree_sitter_teg(), word, (uint32_t)strlen(word), false) ||
	       ts_language_symbol_for_name(tree_sitter_teg(), word, (uint32_t)strlen(word), true);
}

static size_t count_of(TSNode n, const char *type)
{
	size_t count = !strcmp(ts_node_type(n), type);

	for (uint32_t i = 0; i < ts_node_child_count(n); i++)
		count += count_of(ts_node_child(n, i), type);
	return count;
}

/* A word that begins a phrase in a construct ends the one before it on its line. */
static void phrase_word_parts(const struct phrase_word *w)
{
	own(buf) struct buf text = { 0 };

	for (const char *c = w->construct; *c; c++)
		buf_putc(&text, (char)tolower((unsigned char)*c));
	buf_printf(&text, " p%s { first a %s b\n}\n", strcmp(w->construct, "PLAYBOOK") ? "" : "()", w->word);
	own(ts_tree) TSTree *t = tree_of(text.at, text.len);
	if (!tap_ok(!ts_node_has_error(ts_tree_root_node(t)) && count_of(ts_tree_root_node(t), "phrase") == 2,
		    "`%s` begins a phrase (%s)", w->word, w->construct))
		tap_note("%s", text.at);
}

static void words_are_known(void)
{
	const TSLanguage *l = tree_sitter_teg();

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		tap_ok(knows(words[i]), "`%s` is a word of the grammar", words[i]);
	for (size_t i = 0; i < ARRAY_LEN(phrase_words); i++)
		phrase_word_parts(&phrase_words[i]);
	for (uint32_t i = 0; i < ts_language_symbol_count(l); i++) {
		const char *name = ts_language_symbol_name(l, (TSSymbol)i);

		if (ts_language_symbol_type(l, (TSSymbol)i) == TSSymbolTypeAnonymous && isalpha((unsigned char)*name) && strcmp(name, "end"))
			tap_ok(is_word(name), "`%s` is a word of the language", name);
	}
}

/* --- queries ---------------------------------------------------------------------------------------------------- */

static TSQuery *highlights;

static void query_compiles(const char *name, const char *text, size_t len)
{
	TSQueryError kind = TSQueryErrorNone;
	uint32_t at = 0;
	TSQuery *q = ts_query_new(tree_sitter_teg(), text, (uint32_t)len, &at, &kind);

	if (!tap_ok(q && ts_query_pattern_count(q), "%s compiles", name))
		tap_note("kind %d at byte %u: %.40s", kind, at, text + at);
	if (strstr(name, "highlights"))
		highlights = q;
	else if (q)
		ts_query_delete(q);
}

/* The colours of one policy, and which words have none. */
struct colours {
	TSQueryCursor *cursor;
	TSNode root;
};

static bool is_captured(struct colours *c, TSNode n)
{
	TSQueryMatch match;
	uint32_t i;

	ts_query_cursor_set_byte_range(c->cursor, ts_node_start_byte(n), ts_node_end_byte(n));
	ts_query_cursor_exec(c->cursor, highlights, c->root);
	while (ts_query_cursor_next_capture(c->cursor, &match, &i))
		if (ts_node_start_byte(match.captures[i].node) == ts_node_start_byte(n) &&
		    ts_node_end_byte(match.captures[i].node) == ts_node_end_byte(n))
			return true;
	return false;
}

/* Every leaf but a name has a colour; a name has one where the grammar says what it is. */
static TSNode first_plain(struct colours *c, TSNode n)
{
	if (!ts_node_child_count(n))
		return strstr(ts_node_type(n), "name") || !strcmp(ts_node_type(n), "\"") || is_captured(c, n) ? (TSNode){ 0 } : n;
	for (uint32_t i = 0; i < ts_node_child_count(n); i++) {
		TSNode plain = first_plain(c, ts_node_child(n, i));

		if (!ts_node_is_null(plain))
			return plain;
	}
	return (TSNode){ 0 };
}

static void is_coloured(const char *name, const char *text, size_t len)
{
	own(ts_tree) TSTree *t = tree_of(text, len);
	struct colours c = { ts_query_cursor_new(), ts_tree_root_node(t) };
	TSNode plain = first_plain(&c, c.root);

	if (!tap_ok(ts_node_is_null(plain), "%s: every word has a colour", name))
		tap_note("line %u: `%.*s` has none", ts_node_start_point(plain).row + 1,
			 (int)(ts_node_end_byte(plain) - ts_node_start_byte(plain)), text + ts_node_start_byte(plain));
	ts_query_cursor_delete(c.cursor);
}

static bool is_keyword(const char *word)
{
	own(buf) struct buf text = { 0 };
	TSQueryError kind;
	uint32_t at;

	buf_printf(&text, "\"%s\" @x", word);
	TSQuery *q = ts_query_new(tree_sitter_teg(), text.at, (uint32_t)text.len, &at, &kind);
	if (q)
		ts_query_delete(q);
	return q;
}

/* The list in the query is written by hand: each word that stands alone in the grammar is in it. */
static void keywords_are_listed(const char *name, const char *text, size_t len)
{
	(void)len;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		own(buf) struct buf quoted = { 0 };

		buf_printf(&quoted, "\"%s\"", words[i]);
		tap_ok(!is_keyword(words[i]) || strstr(text, quoted.at), "%s: `%s` has a colour", name, words[i]);
	}
}

int main(void)
{
	static const char *const policies[] = {
		"policies/*/*.teg", "tests/golden/forms/*.teg", "tests/golden/spelling/*.teg", "tests/live/*.teg",
		"tests/docs/*.teg", "tests/fuzz/corpus/*.teg",
	};

	parser = ts_parser_new();
	if (!tap_ok(ts_parser_set_language(parser, tree_sitter_teg()), "the library takes the grammar (ABI %u)",
		    ts_language_version(tree_sitter_teg())))
		return tap_done();
	each_file(HERE "/test/corpus/*.txt", 4, corpus_file);
	for (size_t i = 0; i < ARRAY_LEN(policies); i++)
		each_file(policies[i], 1, agrees);
	each_file("policies/*/*.teg", 5, is_taken);
	each_file("docs/language.md", 1, examples_are_taken);
	each_file("tests/wrong/*.teg", 5, agrees);
	each_file("docs/errors/E*.md", 100, page_agrees);
	generated_agree();
	words_are_known();
	each_file(HERE "/queries/*.scm", 4, query_compiles);
	each_file(HERE "/queries/highlights.scm", 1, keywords_are_listed);
	if (highlights) {
		each_file("policies/examples/*.teg", 3, is_coloured);
		each_file("tests/golden/forms/*.teg", 2, is_coloured);
		ts_query_delete(highlights);
	}
	ts_parser_delete(parser);
	return tap_done();
}
