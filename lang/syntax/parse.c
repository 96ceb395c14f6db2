#include "lang/syntax/parse.h"

#include <string.h>

#include "lang/base/utf8.h"
#include "lang/syntax/parser.h"
#include "teg.tab.h"

static void parse(struct ast *out, struct arena *a, struct sources *s, uint32_t file, struct diags *ds,
		  int goal)
{
	const struct source *source = &s->list.at[file];
	struct parser *p = arena_zero(a, sizeof *p);

	*out = (struct ast){ .sound = true };
	*p = (struct parser){ .arena = a, .trees = s->trees, .sources = s, .diags = ds, .out = out, .file = file, .line_begins = true,
			      .packs = s->packs_from && s->len >= s->packs_from };
	words_init(p);
	p->queue[p->queue_len++] = (struct token){ .kind = goal, .span = { file, 0, 0 } };

	p->at = utf8_mark(source->text, source->len);
	scanner_begin(p, source->text + p->at, source->len - p->at);
	teg_parse(p);
	scanner_end(p);
	buf_release(&p->packed);
	if (!out->root)
		out->sound = false;
}

/* A bundle is a tar whose first file is its manifest: the name, and what a tar has behind names. */
static bool is_bundle(const struct source *s)
{
	static const char first[] = "manifest";

	return s->len >= sizeof first && !memcmp(s->text, first, sizeof first);
}

bool parse_is_text(const struct sources *s, uint32_t file, struct diags *ds)
{
	const struct source *source = &s->list.at[file];
	uint32_t at = (uint32_t)utf8_sound(source->text, source->len);
	struct span here = { file, at, at + 1 };

	if (at == source->len)
		return true;
	if (source->text[at])
		diag_help(diag(ds, DIAG_INPUT_UTF8, here, "this byte is not UTF-8"),
			  "a policy is UTF-8 text; convert it, for example with iconv");
	else if (is_bundle(source))
		diag_help(diag(ds, DIAG_INPUT_NUL, here, "this is a bundle, not the text of a policy"),
			  "`tegc disasm %s` says what is in it; its policy is policy/resolved.teg in that tar", source->name);
	else
		diag_help(diag(ds, DIAG_INPUT_NUL, here, "there is a NUL byte in this text"),
			  "a policy is UTF-8 text; is this another kind of file?");
	return false;
}

void parse_file(struct ast *out, struct arena *a, struct sources *s, uint32_t file, struct diags *ds)
{
	parse(out, a, s, file, ds, T_A_FILE);
	if (!out->root) {
		out->root = node_new(s->trees, NODE_FILE, (struct span){ file, 0, 0 });
		out->nameless_hole = true;
	}
}

void parse_value(struct ast *out, struct arena *a, struct sources *s, uint32_t file, struct diags *ds)
{
	parse(out, a, s, file, ds, T_A_VALUE);
}

void parse_claim(struct ast *out, struct arena *a, struct sources *s, uint32_t file, struct diags *ds)
{
	parse(out, a, s, file, ds, T_A_CLAIM);
}

void parse_packet(struct ast *out, struct arena *a, struct sources *s, uint32_t file, struct diags *ds)
{
	parse(out, a, s, file, ds, T_A_PACKET);
}
