/*
 * completion.c - names that are declared, words of the language, and after `import` the files
 * that tegc carries.
 */
#include <string.h>

#include "compiler/lsp/server.h"

struct shipped_file {
	const char *path, *text;
	uint64_t len;
};
extern const struct shipped_file shipped_files[];
extern const uint64_t shipped_count;

static const struct {
	const char *text;
	bool declares; /* it begins a line outside blocks */
} words[] = {
#define NOTHING false
#define STATEMENT false
#define DECLARATION true
#define WORD(token, text, begins) { text, begins },
#define INNER(construct, token, text) { text, false },
#define PHRASE(construct, text)
#include "lang/vocab/word.def"
#undef WORD
#undef INNER
#undef PHRASE
#undef NOTHING
#undef STATEMENT
#undef DECLARATION
};

/* CompletionItemKind of LSP 3.17 */
enum item_kind { ITEM_VARIABLE = 6, ITEM_KEYWORD = 14, ITEM_FILE = 17 };

static void add(cJSON *to, const char *label, enum item_kind kind, const char *detail)
{
	cJSON *one = cJSON_CreateObject();

	cJSON_AddStringToObject(one, "label", label);
	cJSON_AddNumberToObject(one, "kind", kind);
	if (detail)
		cJSON_AddStringToObject(one, "detail", detail);
	cJSON_AddItemToArray(to, one);
}

/* The line up to the place, without the word that is being typed. */
static struct buf line_before(const char *text, size_t at)
{
	size_t from = at, to = at;
	struct buf out = { 0 };

	while (from && text[from - 1] != '\n')
		from--;
	while (to > from && (text[to - 1] == '_' || text[to - 1] == '-' || ((text[to - 1] | 32) >= 'a' && (text[to - 1] | 32) <= 'z') ||
			     (text[to - 1] >= '0' && text[to - 1] <= '9')))
		to--;
	while (from < to && strchr(" \t", text[from]))
		from++;
	buf_add(&out, text + from, to - from);
	return out;
}

/* How many braces are open, comments and strings on their lines left out. */
static int depth_at(const char *text, size_t at)
{
	int depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < at; i++) {
		if (text[i] == '\n')
			quoted = false;
		else if (text[i] == '\\' && quoted)
			i++;
		else if (text[i] == '"')
			quoted = !quoted;
		else if (text[i] == '#' && !quoted)
			i += strcspn(text + i, "\n") - 1;
		else if (!quoted)
			depth += (text[i] == '{') - (text[i] == '}');
	}
	return depth;
}

static bool ends_with_word(const char *line, const char *word)
{
	size_t len = strlen(line), n = strlen(word);

	while (len && strchr(" \t", line[len - 1]))
		len--;
	return len >= n && !memcmp(line + len - n, word, n) && (len == n || strchr(" \t", line[len - n - 1]));
}

/* What kinds of names may stand behind this. */
static bool fits(const char *line, enum use_kind k)
{
	if (ends_with_word(line, "posture") || ends_with_word(line, "extends") || ends_with_word(line, "except in"))
		return k == USE_POSTURE;
	if (ends_with_word(line, "on"))
		return k == USE_ZONE || k == USE_PARAM;
	if (ends_with_word(line, "from") || ends_with_word(line, "to"))
		return k == USE_NET || k == USE_PARAM;
	if (ends_with_word(line, "exceeds") || ends_with_word(line, "limit"))
		return k == USE_LIMIT || k == USE_PARAM;
	if (ends_with_word(line, "without"))
		return k == USE_LABEL;
	if (ends_with_word(line, "by"))
		return k == USE_LABEL || k == USE_REFLEX || k == USE_BLOCK || k == USE_LIFELINE;
	return k != USE_LABEL;
}

static void add_names(cJSON *to, struct document *d, const char *line)
{
	struct strmap seen;

	strmap_init(&seen, d->c->arena);
	for (size_t i = 0; i < d->c->uses.list.len; i++) {
		const struct use *u = &d->c->uses.list.at[i];

		if (!fits(line, u->kind) || strmap_find(&seen, u->name))
			continue;
		strmap_put(&seen, u->name, (void *)u);
		add(to, u->name, ITEM_VARIABLE, use_kind_name(u->kind));
	}
}

enum lsp_answer method_completion(struct server *s, const cJSON *params, cJSON **result)
{
	struct document *d;
	size_t at;

	if (!lsp_offset(s, params, &d, &at))
		return LSP_PARAMS;
	const char *text = buf_text(&d->text);
	own(buf) struct buf line = line_before(text, at);
	int depth = depth_at(text, at);
	*result = cJSON_CreateArray();
	if (!strncmp(buf_text(&line), "import", 6)) {
		for (uint64_t i = 0; i < shipped_count; i++)
			add(*result, shipped_files[i].path, ITEM_FILE, NULL);
		return LSP_DONE;
	}
	if (line.len || depth)
		add_names(*result, d, buf_text(&line));
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (words[i].declares == (!line.len && depth <= 0))
			add(*result, words[i].text, ITEM_KEYWORD, NULL);
	return LSP_DONE;
}
