/*
 * payload.c - what a reflex looks for in a payload.
 */
#include <inttypes.h>
#include <string.h>

#include "compiler/front/reading.h"
#include "compiler/ir/proto.h"

/* The text between the slashes, and the letters behind them. */
struct written {
	const char *expression, *letters;
	struct span at; /* of the expression */
};

static struct written take_apart(struct reading *r, const struct node *regex)
{
	const char *end = strrchr(regex->text, '/');
	size_t len = (size_t)(end - regex->text) - 1;

	return (struct written){
		.expression = arena_strndup(r->arena, regex->text + 1, len),
		.letters = end + 1,
		.at = { regex->span.file, regex->span.from + 1, regex->span.from + 1 + (uint32_t)len },
	};
}

static bool letters_read(struct reading *r, const struct node *regex, const char *letters, unsigned *flags)
{
	for (; *letters; letters++) {
		if (*letters == 'i') {
			*flags |= PATTERN_ICASE;
		} else if (*letters == 's') {
			*flags |= PATTERN_DOT_ALL;
		} else {
			diag_help(diag(r->diags, DIAG_PATTERN, regex->span, "`%c` says nothing of a pattern", *letters),
				  "there are i: upper and lower case alike, and s: a dot is any byte");
			return false;
		}
	}
	return true;
}

static bool compile(struct reading *r, const char *expression, struct span at, unsigned flags, struct pol_payload *out)
{
	struct pattern_fault why;

	out->expression = expression;
	out->flags = flags;
	if (!pattern_compile(&out->pattern, r->arena, expression, flags, &why)) {
		if (out->pattern.found[0])
			diag_help(diag(r->diags, DIAG_PATTERN, at, "this pattern is found in every payload"), "leave it out");
		else if (pattern_shortest(&out->pattern, r->arena) == PATTERN_NEVER)
			diag_help(diag(r->diags, DIAG_PATTERN, at, "this pattern is found in no payload"),
				  "`^` holds where the payload begins, `$` where it ends, and a payload has a byte at least");
		else
			return true;
		return false;
	}
	struct span part = { at.file, at.from + (uint32_t)why.at, at.from + (uint32_t)(why.at + why.len) };
	diag(r->diags, DIAG_PATTERN, part.to <= at.to ? part : at, "%s", why.words);
	return false;
}

static bool pattern_read(struct reading *r, const struct node *n, struct pol_payload *out)
{
	struct written w;
	unsigned flags = 0;

	if (n->kind != NODE_REGEX) {
		const char *text;

		return value_text(r, n, TYPE_PATTERN, &text) && compile(r, text, n->span, 0, out);
	}
	w = take_apart(r, n);
	return letters_read(r, n, w.letters, &flags) && compile(r, w.expression, w.at, flags, out);
}

static bool protos_have_payload(struct reading *r, const struct node *payload, const struct pol_selector *s)
{
	for (size_t i = 0; i < s->proto_count; i++)
		if (s->protos[i].number != PROTO_TCP && s->protos[i].number != PROTO_UDP) {
			diag_help(diag(r->diags, DIAG_PAYLOAD_PROTO, payload->span, "only the payload of TCP and UDP is looked into"),
				  "write `tcp` or `udp`, or a service of these");
			return false;
		}
	return true;
}

bool payload_is_absent(struct reading *r, const struct node *selector)
{
	const struct node *payload = node_find(selector, NODE_PAYLOAD);

	if (!payload)
		return true;
	diag_help(diag(r->diags, DIAG_PAYLOAD_PLACE, payload->span, "what begins a flow has no payload yet"),
		  "a reflex looks into packets: reflex NAME { match ... payload ... }");
	return false;
}

/* Can it end where it must? */
static bool has_room(struct reading *r, const struct node *within, const struct pol_payload *p)
{
	const size_t shortest = pattern_shortest(&p->pattern, r->arena);

	if (shortest <= p->within)
		return true;
	diag_help(diag(r->diags, DIAG_PATTERN, within->span, "nothing that this pattern finds ends within %" PRIu64 " byte%s", p->within,
		       p->within == 1 ? "" : "s"),
		  "the shortest ends with byte %zu: `within %zu`, or more", shortest, shortest);
	return false;
}

bool payload_read(struct reading *r, const struct node *payload, struct pol_selector *s)
{
	const struct node *within = node_find(payload, NODE_WITHIN);
	struct pol_payload *out = arena_zero(r->arena, sizeof *out);
	bool sound = protos_have_payload(r, payload, s) && pattern_read(r, payload->first, out);

	out->within = PAYLOAD_MOST;
	if (within && value_number(r, within->first, PAYLOAD_MOST, &out->within)) {
		if (!out->within)
			diag(r->diags, DIAG_AMOUNT_ZERO, within->first->span, "nothing is found within no bytes");
		sound &= out->within > 0;
	}
	sound = sound && (!within || has_room(r, within->first, out));
	s->payload = out;
	return sound;
}
