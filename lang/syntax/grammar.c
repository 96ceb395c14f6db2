#include "lang/syntax/grammar.h"

#include <stdio.h>
#include <string.h>

#include "lang/base/buf.h"
#include "lang/base/near.h"
#include "lang/syntax/packed.h"
#include "teg.tab.h"

/* --- nodes that end before the tree does: only where rules are packed are they used again ------- */

struct node *grammar_node(struct parser *p, enum node_kind kind, struct span at, const char *text, int word)
{
	struct node *n = parser_piece(p);

	*n = (struct node){ .kind = kind, .word = word & 0x7fffff, .span = at, .text = text };
	return n;
}

static void give_back(struct parser *p, struct node *n)
{
	if (!p->packs)
		return;
	n->next = p->spare;
	p->spare = n;
}

struct node *grammar_same(struct parser *p, enum node_kind kind, struct span at, struct node *x)
{
	struct node *n = grammar_node(p, kind, at, NULL, x->word);

	give_back(p, x);
	return n;
}

struct node *grammar_move(struct parser *p, struct node *to, struct node *from)
{
	to = node_move(to, from);
	if (from)
		give_back(p, from);
	return to;
}

/* The text of a literal is a piece of its own: teg.l, literal_kept(). */
static void give_back_all(struct parser *p, struct node *n)
{
	while (n) {
		struct node *next = n->next;

		give_back_all(p, n->first);
		if (packed_is_literal(n) && strlen(n->text) < sizeof *n)
			give_back(p, (struct node *)(void *)n->text);
		give_back(p, n);
		n = next;
	}
}

struct node *grammar_pack(struct parser *p, struct node *n)
{
	struct node *kept = n->first && (n->first->kind == NODE_LABEL || n->first->kind == NODE_NAME) ? n->first : NULL;

	if (!p->packs || !p->out->sound)
		return n;
	p->packed.len = 0;
	packed_put(&p->packed, p->sources, n);
	give_back_all(p, kept ? kept->next : n->first);
	if (kept)
		kept->next = NULL;
	n->first = n->last = kept;
	n->text = arena_copy(p->trees, p->packed.at, p->packed.len);
	return n;
}

/* --- what else actions need ---------------------------------------------------------------------- */

struct node *grammar_hole(struct parser *p, struct span at, struct node *name)
{
	p->out->sound = false;
	if (!name)
		p->out->nameless_hole = true;
	return node_of1(p->trees, NODE_HOLE, at, name);
}

struct node *grammar_named_hole(struct parser *p, struct node *name)
{
	p->out->sound = false;
	return name;
}

struct node *grammar_case(struct parser *p, struct span at, struct node *times, struct node *packet,
			  struct node *within, struct node *expect)
{
	struct node *n = node_of2(p->trees, NODE_CASE, at, times, packet);

	return node_add(node_add(n, within), expect);
}

static int depth_of(const struct node *n)
{
	return node_is_value(n) ? n->word : 0;
}

/*
 * `a + b + c` is one node with three parts, so that a long sum is not a deep
 * tree. Alternating operators nest, up to the depth that brackets may have.
 */
struct node *grammar_binary(struct parser *p, struct span at, enum node_kind kind, struct node *x,
			    struct node *y)
{
	bool chains = kind == NODE_JOIN || kind == NODE_MINUS || kind == NODE_MEET;
	struct node *n;

	if (chains && x->kind == kind) {
		n = node_add(x, y);
		n->span = at;
	} else {
		n = node_of2(p->trees, kind, at, x, y);
		n->word = depth_of(x) + 1;
	}
	if (depth_of(y) + 1 > n->word)
		n->word = depth_of(y) + 1;
	if (n->word > NESTING_MAX && !p->stopped) {
		diag(p->diags, DIAG_NESTING, at, "operators are nested more than %d deep", NESTING_MAX);
		p->stopped = p->quiet = true;
	}
	return n;
}

struct node *grammar_both(struct parser *p, struct span at, enum node_kind kind, struct node *x,
			  struct node *y)
{
	struct node *n = x->kind == kind ? node_add(x, y) : node_of2(p->trees, kind, at, x, y);

	n->span = at;
	return n;
}

struct node *grammar_if(struct parser *p, struct span at, struct node *condition, struct node *then,
			struct node *otherwise)
{
	return node_add(node_of2(p->trees, NODE_IF, at, condition, then), otherwise);
}

struct node *grammar_run(struct parser *p, struct span at, struct span word_at, const char *word,
			 struct node *name, struct node *arguments)
{
	struct node *n = node_text(p->trees, NODE_CALL, at, name->text);

	if (strcmp(word, "run")) {
		diag_help(diag(p->diags, DIAG_SYNTAX, word_at, "`%s` does not fit here", word),
			  "an event runs a playbook: run %s(...)", name->text);
		p->out->sound = false;
	}
	n->word = (int)(name->span.from - at.from);
	return node_move(n, arguments);
}

/* --- what is said of a token that does not fit ------------------------------------------------ */

struct expecting {
	const char *const *words;
	size_t count;
};

static bool expects(struct expecting e, const char *word)
{
	for (size_t i = 0; i < e.count; i++)
		if (!strcmp(e.words[i], word))
			return true;
	return false;
}

static bool is_one_of(const char *word, const char *const *list)
{
	for (; *list; list++)
		if (!strcmp(word, *list))
			return true;
	return false;
}

/* A few groups are told by one name each. */
static const char *const value_words[] = { "name", "dotted name", "string", "number", "quantity", "address",
					   "any", "self", "'['", "'('", NULL };
static const char *const operators[] = { "'+'", "'-'", "'&'", "'/'", "..", NULL };
static const char *const silent[] = { "rule id", "unreadable text", "end of file", "policy text",
				      "value text", "claim text", "packet text", "response", NULL };

static const char *const classes[][2] = {
	{ "name", "a name" },	  { "dotted name", "a dotted name" }, { "number", "a number" },
	{ "string", "a string" }, { "quantity", "a number with a unit" }, { "address", "an address" },
	{ "end of line", "the end of the line" },
};

static const char *class_name(const char *word)
{
	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
		if (!strcmp(classes[i][0], word))
			return classes[i][1];
	return NULL;
}

/* One thing that would fit, in words: "a name", "`from`"; '{' is spelled "'{'" by bison. */
static const char *in_words(struct arena *a, const char *word)
{
	size_t len = strlen(word);

	if (class_name(word))
		return class_name(word);
	if (len > 2 && word[0] == '\'')
		return arena_printf(a, "`%.*s`", (int)len - 2, word + 1);
	return arena_printf(a, "`%s`", word);
}

#define TELLABLE 12

/* "a value, `from` or `to`"; NULL when that would be a long list. */
static const char *list_expected(struct arena *a, struct expecting e)
{
	const char *told[TELLABLE];
	size_t n = 0;
	bool value = expects(e, "quantity") && expects(e, "'('");
	own(buf) struct buf text = { 0 };

	if (expects(e, "import") && expects(e, "zone"))
		return "expected a declaration";
	if (value)
		told[n++] = "a value";
	for (size_t i = 0; i < e.count; i++) {
		if (is_one_of(e.words[i], silent) || (value && is_one_of(e.words[i], value_words)) ||
		    is_one_of(e.words[i], operators))
			continue;
		if (n == TELLABLE)
			return NULL;
		told[n++] = in_words(a, e.words[i]);
	}
	if (!n)
		return NULL;
	buf_puts(&text, "expected ");
	for (size_t i = 0; i < n; i++)
		buf_printf(&text, "%s%s", i == 0 ? "" : i + 1 == n ? " or " : ", ", told[i]);
	return arena_strdup(a, buf_text(&text));
}

static const char *meant(struct expecting e, const char *word)
{
	struct near n = near_to(word);

	for (size_t i = 0; i < e.count; i++)
		if (!class_name(e.words[i]) && !is_one_of(e.words[i], silent) && e.words[i][0] != '\'')
			near_try(&n, e.words[i]);
	return n.best;
}

/* A clause's misspelled word reads as a name: `allow tcp form lan`. Then the word after it is what does not fit. */
static struct near clause_meant(const char *word)
{
	static const char *const words[] = { "from", "to", "port", "on", "flags", "limit", "log", "emit", "payload", "is", NULL };
	struct near n = near_to(word);

	for (size_t i = 0; words[i]; i++)
		near_try(&n, words[i]);
	return n;
}

/* `=` declares, `==` asks. */
static bool suggest_equals(struct parser *p, struct diag *d, struct expecting e)
{
	const char *due = p->last.kind == T_EQUALS && expects(e, "'='") ? "=" : p->last.kind == '=' && expects(e, "==") ? "==" : NULL;

	if (!due)
		return false;
	diag_help(d, "`=` says what a name is, `==` asks");
	diag_fix(d, p->last.span, "%s", due);
	return true;
}

/* A rate of a reflex says no burst; a limit with a name does. */
static bool suggest_limit(struct parser *p, struct diag *d, struct expecting e)
{
	if (p->last.kind != T_NAME || strcmp(p->last.text, "burst") || !expects(e, "except"))
		return false;
	diag_help(d, "a burst is said of a limit with a name: limit NAME = 10/s per source burst 20, and here: when exceeds NAME");
	return true;
}

static void suggest(struct parser *p, struct diag *d, struct expecting e)
{
	if (suggest_limit(p, d, e))
		return;
	const char *word = p->last.kind == T_NAME ? meant(e, p->last.text) : NULL;

	if (word) {
		diag_help(d, "did you mean `%s`?", word);
		diag_fix(d, p->last.span, "%s", word);
		return;
	}
	if (suggest_equals(p, d, e) || p->before.kind != T_NAME)
		return;
	struct near n = clause_meant(p->before.text);
	if (n.best)
		diag_help(d, "did you mean `%s` where `%s` stands?", n.best, p->before.text);
	if (n.best && !n.tied)
		diag_fix(d, p->before.span, "%s", n.best);
}

static const char *what_stands(struct parser *p, struct span at)
{
	const struct source *s = &p->sources->list.at[p->file];
	size_t len = at.to - at.from, shown = 0;

	if (p->last.kind == 0)
		return "the text ends too early";
	if (p->last.kind == T_NEWLINE)
		return "the line ends too early";
	if (p->last.kind == '}' && !p->depth)
		return "this `}` closes nothing";
	while (shown < len && shown < 40)
		shown += utf8_len(s->text + at.from + shown, len - shown);
	return arena_printf(p->arena, "`%.*s%s` does not fit here", (int)shown, s->text + at.from,
			    shown < len ? "..." : "");
}

/* A name at the beginning of a statement can only be a label. */
static void begins_nothing(struct parser *p)
{
	struct near n = near_to(p->before.text);
	struct diag *d = diag(p->diags, DIAG_SYNTAX, p->before.span, "no declaration begins with `%s`", p->before.text);

	words_near(&n);
	if (n.best)
		diag_help(d, "did you mean `%s`?", n.best);
	if (n.best && !n.tied)
		diag_fix(d, p->before.span, "%s", n.best);
}

void grammar_complain(struct parser *p, struct span at, const char *const *words, size_t count)
{
	struct expecting e = { words, count };
	const char *list;

	p->out->sound = false;
	if (p->quiet || p->stopped || p->last.kind == T_ERROR)
		return;
	p->complained = at.from;
	if (count == 1 && !strcmp(words[0], "':'") && p->before.kind == T_NAME) {
		begins_nothing(p);
		return;
	}
	struct diag *d = diag(p->diags, DIAG_SYNTAX, at, "%s", what_stands(p, at));
	if ((list = list_expected(p->arena, e)))
		diag_label(d, "%s", list);
	suggest(p, d, e);
}

void grammar_overflow(struct parser *p, struct span at, const char *message)
{
	if (!p->stopped)
		diag(p->diags, DIAG_NESTING, at, "this is nested too deep to be read (%s)", message);
	p->stopped = true;
}
