/*
 * lex.c - bytes to tokens, and definitions to where they are used.
 */
#include "compiler/import/nft/lex.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define INCLUDES_DEEP 16

struct definition {
	const char *name;
	unsigned depth; /* of braces: it ends with the block it stands in */
	size_t from, to; /* in `kept` */
};

struct lexing {
	struct import *m;
	struct nft_tokens *out;
	struct nft_tokens kept; /* what definitions stand for */
	VEC(struct definition) known;
	unsigned depth, includes;
	struct err *why;
};

int nft_refuse(struct err *why, const struct nft_token *t, const char *what)
{
	const char *word = t->kind == NFT_END || t->kind == NFT_LINE ? "the end" : t->text;

	return err_set(why, EINVAL, "line %u, column %u: %s: %.200s", t->line, t->column, what, word);
}

/* --- one text ---------------------------------------------------------------------------------------- */

struct bytes {
	const char *path, *at, *end, *line_start;
	unsigned line;
};

static bool in_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '.';
}

static bool in_name(const char *at, const char *end)
{
	return in_word(*at) || *at == '-' || *at == '/' || (*at == '\\' && at + 1 < end && at[1] == '*');
}

/* An IPv6 or hardware address: hex digits with at least two colons, where no name goes on. */
static size_t colon_word(struct arena *a, const char *at, const char *end)
{
	const char *to = at;
	unsigned colons = 0;
	struct addr addr;

	for (; to < end && (isxdigit((unsigned char)*to) || *to == ':' || *to == '.'); to++)
		colons += *to == ':';
	if (colons < 2 || to - at > 64 || (to < end && (isalnum((unsigned char)*to) || *to == '_')))
		return 0;
	if (addr_parse(arena_strndup(a, at, (size_t)(to - at)), &addr))
		return (size_t)(to - at);
	return colons == 5 && to - at == 17 ? 17 : 0;
}

static size_t word_len(struct arena *a, const char *at, const char *end)
{
	const char *to = at;
	size_t len = isxdigit((unsigned char)*at) || *at == ':' ? colon_word(a, at, end) : 0;

	if (len)
		return len;
	if (isdigit((unsigned char)*at))
		while (to < end && in_word(*to))
			to++;
	else if (isalpha((unsigned char)*at) || *at == '_') {
		while (to < end && in_name(to, end))
			to += 1 + (*to == '\\');
		to += to < end && *to == '*';
	}
	return (size_t)(to - at);
}

static struct nft_token token_at(const struct bytes *b, enum nft_token_kind kind, size_t len)
{
	return (struct nft_token){ kind, NULL, b->path, b->line, (unsigned)(b->at - b->line_start) + 1, b->at, b->at + len };
}

static int read_string(struct lexing *x, struct bytes *b, struct nft_token *t)
{
	const char *end = memchr(b->at + 1, '"', (size_t)(b->end - b->at - 1)), *line = memchr(b->at, '\n', (size_t)(b->end - b->at));

	*t = token_at(b, NFT_STRING, 1);
	if (!end || (line && line < end)) {
		t->text = "\"";
		return nft_refuse(x->why, t, "a string does not end");
	}
	t->text = arena_strndup(x->m->arena, b->at + 1, (size_t)(end - b->at - 1));
	t->to = end + 1;
	return 0;
}

static int read_sign(struct lexing *x, struct bytes *b, struct nft_token *t)
{
	static const char *const pairs[] = { "!=", "==", "<=", ">=", "<<", ">>" };
	size_t len = 1;

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
		if (b->end - b->at > 1 && !strncmp(b->at, pairs[i], 2))
			len = 2;
	*t = token_at(b, NFT_SIGN, len);
	t->text = arena_strndup(x->m->arena, b->at, len);
	if (!strchr("{}()[],:.-/*&|^!<>=@$+~", *b->at) || !*b->at)
		return nft_refuse(x->why, t, "this has no meaning here");
	return 0;
}

/* Past blanks, comments and lines that go on. */
static void skip(struct bytes *b)
{
	for (;;) {
		while (b->at < b->end && (*b->at == ' ' || *b->at == '\t' || *b->at == '\r' || *b->at == '\f' || *b->at == '\v'))
			b->at++;
		if (b->at < b->end && *b->at == '#') {
			while (b->at < b->end && *b->at != '\n')
				b->at++;
		} else if (b->end - b->at > 1 && b->at[0] == '\\' && b->at[1] == '\n') {
			b->at += 2;
			b->line++;
			b->line_start = b->at;
		} else {
			return;
		}
	}
}

static int next(struct lexing *x, struct bytes *b, struct nft_token *t)
{
	int rc = 0;
	size_t len;

	skip(b);
	if (b->at == b->end) {
		*t = token_at(b, NFT_END, 0);
		return 0;
	}
	if (*b->at == '\n' || *b->at == ';') {
		bool newline = *b->at == '\n';

		*t = token_at(b, NFT_LINE, 1);
		b->at++;
		if (newline) {
			b->line++;
			b->line_start = b->at;
		}
		return 0;
	}
	len = *b->at == '"' ? 0 : word_len(x->m->arena, b->at, b->end);
	if (len) {
		*t = token_at(b, NFT_WORD, len);
		t->text = arena_strndup(x->m->arena, b->at, len);
	} else {
		rc = *b->at == '"' ? read_string(x, b, t) : read_sign(x, b, t);
	}
	b->at = t->to;
	return rc;
}

/* --- definitions and includes ------------------------------------------------------------------------- */

static int put(struct lexing *x, struct nft_tokens *to, struct nft_token t)
{
	if (x->out->len + x->kept.len >= NFT_TOKENS_MAX)
		return nft_refuse(x->why, &t, "there is too much text, with what is defined");
	vec_push(x->m->arena, to, t);
	return 0;
}

static bool is(const struct nft_token *t, enum nft_token_kind kind, const char *text)
{
	return t->kind == kind && !strcmp(t->text, text);
}

/* $name */
static int put_defined(struct lexing *x, struct bytes *b, struct nft_tokens *to, struct nft_token sign)
{
	struct nft_token name, t;
	int rc = next(x, b, &name);

	if (rc)
		return rc;
	if (name.kind != NFT_WORD)
		return nft_refuse(x->why, &name, "the name of a definition is due");
	for (size_t i = x->known.len; i > 0; i--) {
		const struct definition d = x->known.at[i - 1];

		if (strcmp(d.name, name.text))
			continue;
		for (size_t k = d.from; k < d.to && !rc; k++) {
			t = sign;
			t.kind = x->kept.at[k].kind;
			t.text = x->kept.at[k].text;
			t.to = name.to;
			rc = put(x, to, t);
		}
		return rc;
	}
	return nft_refuse(x->why, &name, "nothing is defined by this name");
}

static void undefine(struct lexing *x, const char *name)
{
	for (size_t i = 0; i < x->known.len; i++)
		if (!strcmp(x->known.at[i].name, name))
			x->known.at[i].name = "";
}

/* To x->kept: up to the end of the line, or of its braces. */
static int keep_value(struct lexing *x, struct bytes *b)
{
	unsigned open = 0;

	for (;;) {
		const struct bytes before = *b;
		struct nft_token t;
		int rc = next(x, b, &t);

		if (rc)
			return rc;
		if (t.kind == NFT_END || (t.kind == NFT_LINE && !open)) {
			*b = before;
			return 0;
		}
		open += is(&t, NFT_SIGN, "{");
		if (is(&t, NFT_SIGN, "}") && !open--)
			return nft_refuse(x->why, &t, "nothing is open");
		rc = is(&t, NFT_SIGN, "$") ? put_defined(x, b, &x->kept, t) : put(x, &x->kept, t);
		if (rc)
			return rc;
	}
}

/* define NAME = VALUE, undefine NAME */
static int read_definition(struct lexing *x, struct bytes *b, bool gone)
{
	struct definition d = { .depth = x->depth, .from = x->kept.len };
	struct nft_token t;
	int rc = next(x, b, &t);

	if (rc)
		return rc;
	d.name = t.text;
	if (t.kind != NFT_WORD)
		return nft_refuse(x->why, &t, "the name of a definition is due");
	if (gone) {
		undefine(x, d.name);
		return 0;
	}
	rc = next(x, b, &t);
	if (rc || !is(&t, NFT_SIGN, "="))
		return rc ? rc : nft_refuse(x->why, &t, "= is due");
	rc = keep_value(x, b);
	d.to = x->kept.len;
	if (!rc)
		vec_push(x->m->arena, &x->known, d);
	return rc;
}

static void leave_block(struct lexing *x)
{
	x->depth -= x->depth > 0;
	while (x->known.len && x->known.at[x->known.len - 1].depth > x->depth)
		x->known.len--;
}

static int lex_text(struct lexing *x, const struct import_text *text);

static int read_include(struct lexing *x, struct bytes *b)
{
	struct import *m = x->m;
	struct import_texts found = { 0 };
	struct nft_token t;
	int rc = next(x, b, &t);

	if (rc)
		return rc;
	if (t.kind != NFT_STRING)
		return nft_refuse(x->why, &t, "the name of a file is due");
	if (!m->include) /* it could drop what would then be admitted */
		return nft_refuse(x->why, &t, "where included files are has to be said");
	if (x->includes == INCLUDES_DEEP)
		return nft_refuse(x->why, &t, "files include each other");
	if (m->include(m, t.text, &found, x->why))
		return err_in(x->why, "line %u, column %u", t.line, t.column);
	x->includes++;
	for (size_t i = 0; i < found.len && !rc; i++) {
		rc = lex_text(x, &found.at[i]);
		if (rc)
			err_in(x->why, "%s", found.at[i].path);
	}
	x->includes--;
	return rc;
}

static int lex_text(struct lexing *x, const struct import_text *text)
{
	struct bytes b = { text->path, text->at, text->at + text->len, text->at, 1 };
	bool begins = true;
	struct nft_token t;

	for (;;) {
		int rc = next(x, &b, &t);

		if (rc)
			return rc;
		if (t.kind == NFT_END)
			return put(x, x->out, (struct nft_token){ NFT_LINE, NULL, t.path, t.line, t.column, t.from, t.to });
		if (begins && (is(&t, NFT_WORD, "define") || is(&t, NFT_WORD, "redefine") || is(&t, NFT_WORD, "undefine")))
			rc = read_definition(x, &b, *t.text == 'u');
		else if (begins && is(&t, NFT_WORD, "include"))
			rc = read_include(x, &b);
		else if (is(&t, NFT_SIGN, "$"))
			rc = put_defined(x, &b, x->out, t);
		else
			rc = put(x, x->out, t);
		if (rc)
			return rc;
		x->depth += is(&t, NFT_SIGN, "{");
		if (is(&t, NFT_SIGN, "}"))
			leave_block(x);
		begins = t.kind == NFT_LINE || is(&t, NFT_SIGN, "{") || is(&t, NFT_SIGN, "}");
	}
}

int nft_lex(struct import *m, const struct import_text *text, struct nft_tokens *out, struct err *why)
{
	struct lexing x = { .m = m, .out = out, .why = why };
	int rc = lex_text(&x, text);

	if (!rc) {
		struct nft_token end = out->at[out->len - 1];

		end.kind = NFT_END;
		vec_push(m->arena, out, end);
	}
	return rc;
}
