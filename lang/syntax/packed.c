#include "lang/syntax/packed.h"

#include <stdint.h>
#include <string.h>

/*
 * Children in order, each with its own behind it:
 *
 *     kind | bits | from | to | children | text | word
 *
 * Places are counted from where the rule begins. All but the first two and a text, which is its address, are numbers of
 * seven bits a byte. No byte says what the bits say is not there.
 */
enum { HAS_TEXT = 1, SAYS_TEXT = 2, HAS_WORD = 4 };

bool packed_is(const struct node *n)
{
	return (n->kind == NODE_RULE || n->kind == NODE_REFLEX) && n->text;
}

bool packed_is_literal(const struct node *n)
{
	return n->kind == NODE_NUMBER || n->kind == NODE_QUANTITY || n->kind == NODE_ADDRESS;
}

/* Behind what stays: its label or name. */
static const struct node *first_packed(const struct node *n)
{
	const struct node *first = n->first;

	return first && (first->kind == NODE_LABEL || first->kind == NODE_NAME) ? first->next : first;
}

/* --- there ------------------------------------------------------------------------------- */

static void put_number(struct buf *out, uint32_t v)
{
	for (; v > 127; v >>= 7)
		buf_putc(out, (char)(v | 128));
	buf_putc(out, (char)v);
}

static size_t count_from(const struct node *n)
{
	size_t count = 0;

	for (; n; n = n->next)
		count++;
	return count;
}

static void put_nodes(struct buf *out, const struct sources *s, const struct node *n, uint32_t begin)
{
	for (; n; n = n->next) {
		const bool says = packed_is_literal(n) && source_says(s, n->span, n->text);

		buf_putc(out, (char)n->kind);
		buf_putc(out, (char)((says ? SAYS_TEXT : n->text ? HAS_TEXT : 0) | (n->word ? HAS_WORD : 0)));
		put_number(out, n->span.from - begin);
		put_number(out, n->span.to - begin);
		put_number(out, (uint32_t)count_from(n->first));
		if (n->text && !says)
			buf_add(out, &n->text, sizeof n->text);
		if (n->word)
			put_number(out, (uint32_t)n->word);
		put_nodes(out, s, n->first, begin);
	}
}

void packed_put(struct buf *out, const struct sources *s, const struct node *n)
{
	const struct node *first = first_packed(n);

	put_number(out, (uint32_t)count_from(first));
	put_nodes(out, s, first, n->span.from);
}

/* --- and back ---------------------------------------------------------------------------- */

struct opening {
	struct arena *a;
	const char *source;
	const uint8_t *at;
	struct span whole;
};

static uint32_t get_number(struct opening *o)
{
	uint32_t v = 0;

	for (unsigned shift = 0;; shift += 7) {
		const uint8_t byte = *o->at++;

		v |= (uint32_t)(byte & 127) << shift;
		if (byte < 128)
			return v;
	}
}

static const char *get_text(struct opening *o)
{
	const char *text;

	memcpy(&text, o->at, sizeof text);
	o->at += sizeof text;
	return text;
}

static void append(struct node *parent, struct node *child)
{
	if (parent->last)
		parent->last->next = child;
	else
		parent->first = child;
	parent->last = child;
}

static void get_nodes(struct opening *o, struct node *parent, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const enum node_kind kind = (enum node_kind)*o->at++;
		const unsigned bits = *o->at++;
		const uint32_t from = o->whole.from + get_number(o), to = o->whole.from + get_number(o), children = get_number(o);
		struct node *n = node_new(o->a, kind, (struct span){ o->whole.file, from, to });

		if (bits & SAYS_TEXT)
			n->text = arena_strndup(o->a, o->source + from, to - from);
		else if (bits & HAS_TEXT)
			n->text = get_text(o);
		if (bits & HAS_WORD)
			n->word = (int)get_number(o) & 0x7fffff;
		append(parent, n);
		get_nodes(o, n, children);
	}
}

const struct node *packed_open(struct arena *scratch, const struct sources *s, const struct node *n)
{
	if (!packed_is(n))
		return n;

	struct opening o = { scratch, s->list.at[n->span.file].text, (const uint8_t *)n->text, n->span };
	struct node *whole = node_word(scratch, n->kind, n->span, n->word);

	if (n->first) {
		struct node *label = arena_copy(scratch, n->first, sizeof *label);

		label->next = NULL;
		append(whole, label);
	}
	get_nodes(&o, whole, get_number(&o));
	return whole;
}
