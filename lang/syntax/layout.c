/*
 * layout.c - between scanner and grammar: what a line end means, which word is
 * one of the language, and where a lost bracket or brace is noticed.
 *
 * A block or bracket that was never closed would swallow the rest of the file
 * as one mistake. So a word that only begins statements or declarations closes
 * ( and [ wherever it stands, one that begins declarations also { when it stands
 * at the margin.
 */
#include <assert.h>
#include <string.h>

#include "lang/syntax/parser.h"
#include "teg.tab.h"

static const struct word word_rows[] = {
#define WORD(token, text, begins) { text, T_##token, BEGINS_##begins },
#define INNER(construct, token, text)
#define PHRASE(construct, text)
#include "lang/vocab/word.def"
#undef WORD
#undef INNER
#undef PHRASE
};

/* Words of one construct only; `token` is 0 for those that stay names and begin a phrase. */
static const struct inner_word {
	int construct, token;
	const char *text;
} inner_rows[] = {
#define WORD(token, text, begins)
#define INNER(construct, token, text) { T_##construct, T_##token, text },
#define PHRASE(construct, text) { T_##construct, 0, text },
#include "lang/vocab/word.def"
#undef WORD
#undef INNER
#undef PHRASE
};

#define WORD_COUNT (sizeof word_rows / sizeof *word_rows)

void words_init(struct parser *p)
{
	strmap_init(&p->words, p->arena);
	for (size_t i = 0; i < WORD_COUNT; i++)
		strmap_put(&p->words, word_rows[i].text, (void *)&word_rows[i]);
}

bool word_is_reserved(const char *text)
{
	for (size_t i = 0; i < WORD_COUNT; i++)
		if (!strcmp(word_rows[i].text, text))
			return true;
	return false;
}

void words_near(struct near *n)
{
	for (size_t i = 0; i < WORD_COUNT; i++)
		if (word_rows[i].begins == BEGINS_DECLARATION)
			near_try(n, word_rows[i].text);
}

/* --- the queue to the grammar ------------------------------------------------------------- */

static void put(struct parser *p, struct token t)
{
	assert(p->queue_len < sizeof p->queue / sizeof *p->queue);
	p->queue[p->queue_len++] = t;
}

static void put_kind(struct parser *p, int kind, struct span at)
{
	put(p, (struct token){ .kind = kind, .span = at });
}

/* The last token on its way to the grammar. */
static int last_kind(const struct parser *p)
{
	return p->queue_len > p->queue_from ? p->queue[p->queue_len - 1].kind : p->last.kind;
}

static bool statement_is_over(const struct parser *p)
{
	switch (last_kind(p)) {
	case T_NEWLINE:
	case '{':
	case T_A_FILE:
	case T_A_VALUE:
	case T_A_CLAIM:
	case T_A_PACKET:
		return true;
	}
	return false;
}

/* After these a line goes on. */
static bool line_goes_on(int kind)
{
	switch (kind) {
	case ',': case ':': case '=': case '+': case '-': case '&': case '/': case '*': case '>':
	case '<': case T_YIELDS: case T_ARROW: case T_UPTO: case T_ATMOST: case T_ATLEAST: case T_EQUALS:
	case T_DIFFERS: case T_AND: case T_OR: case T_NOT:
		return true;
	}
	return false;
}

static void end_statement(struct parser *p, struct span at)
{
	if (!statement_is_over(p))
		put_kind(p, T_NEWLINE, (struct span){ at.file, at.from, at.from });
}

/* --- brackets ------------------------------------------------------------------------------- */

static bool in_brackets(const struct parser *p)
{
	return p->depth && p->open[p->depth - 1].bracket != '{';
}

static void open_bracket(struct parser *p, struct token t)
{
	if (p->depth == NESTING_MAX) {
		diag(p->diags, DIAG_NESTING, t.span, "brackets are nested more than %d deep", NESTING_MAX);
		p->stopped = p->quiet = true;
		return;
	}
	p->open[p->depth++] = (struct opened){ (char)t.kind, t.span, p->construct };
	put(p, t);
}

/* Whatever ( or [ is open ends here, before `noticed`. */
static void lose_brackets(struct parser *p, struct span noticed)
{
	if (!in_brackets(p))
		return;
	struct opened *o = &p->open[p->depth - 1];
	if (!p->quiet && p->complained < o->span.from) {
		struct diag *d = diag(p->diags, DIAG_BRACKET_OPEN, o->span, "this `%c` is not closed", o->bracket);

		diag_at(d, noticed, "noticed here");
	}
	while (in_brackets(p))
		p->depth--;
	p->quiet = true;
	end_statement(p, noticed);
}

static void lose_block(struct parser *p, struct span noticed, bool told)
{
	struct opened *o = &p->open[p->depth - 1];

	if (!told)
		diag_at(diag(p->diags, DIAG_BLOCK_OPEN, o->span, "this block is not closed"), noticed,
			"noticed here");
	end_statement(p, noticed);
	put_kind(p, '}', (struct span){ noticed.file, noticed.from, noticed.from });
	put_kind(p, T_NEWLINE, (struct span){ noticed.file, noticed.from, noticed.from });
	p->depth--;
}

static void close_bracket(struct parser *p, struct token t)
{
	static const char pairs[] = "{}[]()";
	char opener = *(strchr(pairs, t.kind) - 1);

	if (t.kind == '}') {
		lose_brackets(p, t.span);
		end_statement(p, t.span);
	}
	if (p->depth && p->open[p->depth - 1].bracket == opener)
		p->depth--;
	put(p, t);
}

static void end_of_text(struct parser *p, struct token t)
{
	bool told = p->stopped;

	if (!told)
		lose_brackets(p, t.span);
	while (p->depth) {
		if (in_brackets(p)) {
			p->depth--;
			continue;
		}
		lose_block(p, t.span, told);
		told = true;
	}
	end_statement(p, t.span);
	put(p, t);
}

/* --- words ------------------------------------------------------------------------------------ */

static bool at_margin(const struct parser *p, struct span at)
{
	const char *text = p->sources->list.at[p->file].text;

	return at.from == 0 || text[at.from - 1] == '\n';
}

/* After these only a name can stand, so a word of the language there was meant as one. */
static bool name_is_due(const struct parser *p)
{
	switch (last_kind(p)) {
	case T_POLICY: case T_PARAM: case T_ZONE: case T_NET: case T_SERVICE: case T_POSTURE:
	case T_EXTENDS: case T_REFLEX:
		return true;
	case T_FEED: case T_DECOY: case T_PLAYBOOK: case T_INVARIANT:
		return p->construct == last_kind(p);
	}
	return false;
}

/* A test names its posture: that is no declaration. */
static bool word_closes_block(const struct parser *p, const struct word *w, struct span at)
{
	return w->begins == BEGINS_DECLARATION && p->depth && at_margin(p, at) &&
	       !(w->token == T_POSTURE && p->open[p->depth - 1].construct == T_TEST);
}

/* The construct at the margin, through conditions around it. */
static int outer_construct(const struct parser *p)
{
	for (size_t i = 0; i < p->depth; i++)
		if (p->open[i].construct != T_IF)
			return p->open[i].construct;
	return 0;
}

static const struct inner_word *inner_find(const struct parser *p, const char *text)
{
	int construct = outer_construct(p);

	for (size_t i = 0; construct && i < sizeof inner_rows / sizeof *inner_rows; i++)
		if (inner_rows[i].construct == construct && *inner_rows[i].text == *text && !strcmp(inner_rows[i].text, text))
			return &inner_rows[i];
	return NULL;
}

/* A word that begins a phrase ends the one before it; after these it is an argument. */
static void begin_phrase(struct parser *p, struct token t)
{
	const struct inner_word *w = t.text && !in_brackets(p) ? inner_find(p, t.text) : NULL;

	if (w && !w->token && last_kind(p) != ':' && last_kind(p) != ',')
		end_statement(p, t.span);
}

static void lay_word(struct parser *p, const struct word *w, struct token t)
{
	if (name_is_due(p)) {
		diag_label(diag(p->diags, DIAG_RESERVED, t.span,
				"`%s` is a word of the language and cannot be a name", w->text),
			   "another name is due");
		put(p, t);
		return;
	}
	t.kind = w->token == T_ON && !p->depth && statement_is_over(p) ? T_RESPONSE : w->token;
	if (w->begins != BEGINS_NOTHING)
		lose_brackets(p, t.span);
	for (bool told = false; word_closes_block(p, w, t.span); told = true)
		lose_block(p, t.span, told);
	if (statement_is_over(p))
		p->construct = t.kind;
	put(p, t);
}

/* The kernel's names of chains have 127 bytes, of which some are ours beside a posture's. */
#define NAME_BYTES 100

/* A name, which may be a word of the construct around it. */
static void lay_name(struct parser *p, struct token t)
{
	const struct inner_word *w = t.kind == T_NAME && statement_is_over(p) ? inner_find(p, t.text) : NULL;

	if (w && w->token)
		t.kind = w->token;
	if (t.kind == T_NAME && strlen(t.text) > NAME_BYTES)
		diag(p->diags, DIAG_NAME_LONG, t.span, "a name has at most %d bytes, this has %zu", NAME_BYTES, strlen(t.text));
	if (statement_is_over(p))
		p->construct = t.kind;
	put(p, t);
}

/* --- one token of the scanner becomes none, one or several of the grammar ----------------------- */

/* Inside a list: is the name at hand a label, so that the list was not closed? */
static bool is_label(struct parser *p, struct token t)
{
	if (t.kind != T_NAME || !in_brackets(p) || p->has_raw_again)
		return false;
	p->has_raw_again = true;
	return teg_raw_next(p, &p->raw_again) == ':';
}

static void lay(struct parser *p, struct token t, bool begins_line)
{
	const struct word *w = t.kind == T_NAME ? strmap_find(&p->words, t.text) : NULL;

	switch (t.kind) {
	case 0:
		end_of_text(p, t);
		return;
	case T_NEWLINE:
		if (!in_brackets(p) && !line_goes_on(last_kind(p)) && !statement_is_over(p))
			put(p, t);
		return;
	case '{':
		lose_brackets(p, t.span);
		open_bracket(p, t);
		return;
	case '(': case '[':
		open_bracket(p, t);
		return;
	case '}': case ')': case ']':
		close_bracket(p, t);
		return;
	}
	begin_phrase(p, t);
	if (w) {
		lay_word(p, w, t);
		return;
	}
	if (begins_line && is_label(p, t))
		lose_brackets(p, t.span);
	lay_name(p, t);
}

static void scan(struct parser *p)
{
	struct token t;

	if (p->stopped) {
		t = (struct token){ .span = { p->file, p->at, p->at } };
	} else if (p->has_raw_again) {
		t = p->raw_again;
		p->has_raw_again = false;
	} else {
		teg_raw_next(p, &t);
	}
	bool begins_line = p->line_begins;

	p->line_begins = t.kind == T_NEWLINE;
	p->queue_from = p->queue_len = 0;
	lay(p, t, begins_line);
}

int teg_lex(TEG_STYPE *value, TEG_LTYPE *at, struct parser *p)
{
	if (p->last.kind == T_NEWLINE && !p->stopped)
		p->quiet = false;
	while (p->queue_from == p->queue_len)
		scan(p);

	struct token t = p->queue[p->queue_from++];
	p->before = p->last;
	p->last = t;
	value->text = t.text;
	*at = t.span;
	return t.kind;
}
