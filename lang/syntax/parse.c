#include "lang/syntax/parse.h"

#include <string.h>

#include "lang/syntax/parser.h"
#include "teg.tab.h"

static void parse(struct ast *out, struct arena *a, struct sources *s, uint32_t file, struct diags *ds,
		  int goal)
{
	const struct source *source = &s->list.at[file];
	struct parser *p = arena_zero(a, sizeof *p);

	*out = (struct ast){ .sound = true };
	*p = (struct parser){ .arena = a, .sources = s, .diags = ds, .out = out, .file = file, .line_begins = true };
	words_init(p);
	p->queue[p->queue_len++] = (struct token){ .kind = goal, .span = { file, 0, 0 } };

	/* A byte order mark is no text. */
	if (source->len >= 3 && !memcmp(source->text, "\xef\xbb\xbf", 3))
		p->at = 3;
	scanner_begin(p, source->text + p->at, source->len - p->at);
	teg_parse(p);
	scanner_end(p);
	if (!out->root)
		out->sound = false;
}

void parse_file(struct ast *out, struct arena *a, struct sources *s, uint32_t file, struct diags *ds)
{
	parse(out, a, s, file, ds, T_A_FILE);
	if (!out->root) {
		out->root = node_new(a, NODE_FILE, (struct span){ file, 0, 0 });
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
