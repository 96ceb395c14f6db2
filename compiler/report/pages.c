#include "compiler/report/pages.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

/* The files of docs/errors that tegc carries: build/gen/pages.S. */
struct page {
	const char *name, *text; /* "E0312.md" */
	uint64_t len;
};
extern const struct page page_files[];
extern const uint64_t page_count;

#define FENCE "```"

enum diag_code diag_code_find(const char *text)
{
	for (int i = 0; i < DIAG_COUNT; i++)
		if (!strcasecmp(diag_kinds[i].code, text) || !strcasecmp(diag_kinds[i].id, text))
			return (enum diag_code)i;
	return DIAG_COUNT;
}

static const struct page *page_find(const char *code)
{
	size_t len = strlen(code);

	for (uint64_t i = 0; i < page_count; i++)
		if (!strncmp(page_files[i].name, code, len) && !strcmp(page_files[i].name + len, ".md"))
			return &page_files[i];
	return NULL;
}

/* "```teg wrong --param x=1" is a heading: "wrong, with --param x=1:". */
static void put_fence(struct buf *out, const char *line, size_t len)
{
	const char *kind = memchr(line, ' ', len), *options;

	if (!kind)
		return;
	len -= (size_t)(kind + 1 - line);
	kind++;
	options = memchr(kind, ' ', len);
	if (options)
		buf_printf(out, "%.*s, with %.*s:\n\n", (int)(options - kind), kind, (int)(kind + len - options - 1), options + 1);
	else
		buf_printf(out, "%.*s:\n\n", (int)len, kind);
}

static void put_line(struct buf *out, const char *line, size_t len, bool *policy)
{
	if (len >= strlen(FENCE) && !memcmp(line, FENCE, strlen(FENCE))) {
		*policy = !*policy;
		if (*policy)
			put_fence(out, line, len);
		return;
	}
	if (!*policy && len > 2 && !memcmp(line, "# ", 2)) {
		line += 2;
		len -= 2;
	}
	buf_printf(out, "%s%.*s\n", *policy && len ? "    " : "", (int)len, line);
}

bool report_page(struct buf *out, enum diag_code code)
{
	const struct page *p = page_find(diag_kinds[code].code);
	bool policy = false;

	if (!p)
		return false;
	for (const char *at = p->text, *end = at + p->len; at < end;) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((stop ? stop : end) - at);

		put_line(out, at, len, &policy);
		at += len + 1;
	}
	return true;
}
