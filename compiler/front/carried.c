/*
 * carried.c - names that the files declare which tegc carries, for a policy that has not imported them.
 */
#include <string.h>

#include "compiler/front/reading.h"

static const char *next_line(const char *at)
{
	const char *end = strchr(at, '\n');

	return end ? end + 1 : NULL;
}

/* "service http " or "net bogons " at the beginning of a line. */
static bool line_declares(const char *line, const char *name)
{
	static const char *const words[] = { "service ", "net " };
	size_t len = strlen(name);

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		size_t word = strlen(words[i]);

		if (!strncmp(line, words[i], word) && !strncmp(line + word, name, len) && strchr(" =", line[word + len]))
			return true;
	}
	return false;
}

static bool declares(const char *text, const char *name)
{
	for (const char *line = text; line; line = next_line(line))
		if (line_declares(line, name))
			return true;
	return false;
}

static const char *line_of(const char *text, const char *at)
{
	while (at > text && at[-1] != '\n')
		at--;
	return at;
}

/* Before the file's first declaration, and the comment above it; NULL when it has none. */
static const char *place_of_first(const struct reading *r, uint32_t file, const char *text)
{
	const char *line = NULL;

	for (size_t i = 0; i < r->decls.len && !line; i++)
		if (r->decls.at[i]->span.file == file && r->decls.at[i]->kind != NODE_POLICY)
			line = line_of(text, text + r->decls.at[i]->span.from);
	while (line && line > text && *line_of(text, line - 1) == '#')
		line = line_of(text, line - 1);
	return line;
}

/* Behind the last import, or before all else; NULL in what is no file. */
static const char *place_of_import(const struct reading *r, uint32_t file, const char *text)
{
	const char *first = place_of_first(r, file, text), *place = first;

	for (const char *line = text; first && line; line = next_line(line))
		if (!strncmp(line, "import ", strlen("import ")) && next_line(line))
			place = next_line(line);
	return place;
}

bool tell_carried(struct reading *r, struct diag *d, const char *name, uint32_t file)
{
	const char *text = r->c->sources.list.at[file].text, *place;
	size_t len;

	for (size_t i = 0; shipped_name(i); i++) {
		const char *path = shipped_name(i);

		if (!declares(shipped_find(path, &len), name))
			continue;
		diag_help(d, "it comes with: import \"%s\"", path);
		place = place_of_import(r, file, text);
		if (place)
			diag_fix(d, (struct span){ file, (uint32_t)(place - text), (uint32_t)(place - text) }, "import \"%s\"\n", path);
		return true;
	}
	return false;
}
