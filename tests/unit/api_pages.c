/* What can be asked, refused, counted and typed stands in the manual, row by row. */
#include <ctype.h>
#include <string.h>

#include "enforcer/api/http/problem.h"
#include "enforcer/api/qualia.h"
#include "enforcer/api/routes/route.h"
#include "enforcer/ctl/ctl.h"
#include "lang/base/file.h"
#include "tests/lib/tap.h"

struct page {
	const char *path;
	struct buf text;
};

static void page_open(struct page *p, const char *path)
{
	struct err why;

	*p = (struct page){ .path = path };
	tap_ok(!file_read(&p->text, path, 1 << 20, &why), "%s is there", path);
}

static void page_says(const struct page *p, const char *text)
{
	tap_ok(strstr(buf_text(&p->text), text), "%s says %s", p->path, text);
}

static void page_says_with(const struct page *p, const char *before, const char *text, const char *after)
{
	own(buf) struct buf whole = { 0 };

	buf_printf(&whole, "%s%s%s", before, text, after);
	page_says(p, buf_text(&whole));
}

/* In an example, or between two ticks. */
static bool says_member(const struct page *p, const char *name)
{
	char quoted[80], ticked[80];

	snprintf(quoted, sizeof quoted, "\"%s\"", name);
	snprintf(ticked, sizeof ticked, "`%s`", name);
	return strstr(buf_text(&p->text), quoted) || strstr(buf_text(&p->text), ticked);
}

/* Words of the manual in the order of the rows' columns: `| a | b |`. */
static void api_page(void)
{
	static const char *const members[] = {
#define ANSWER(...)
#define MEMBER(answer, name, ...) name,
#include "enforcer/api/routes/answer.def"
#undef MEMBER
#undef ANSWER
	};
	struct page p;

	page_open(&p, "docs/api.md");
	for (size_t i = 0; i < ROUTE_COUNT; i++) {
		page_says_with(&p, method_name(routes[i].method), " ", routes[i].path);
		page_says_with(&p, "| ", access_name(routes[i].access), " |");
		for (const struct json_field *f = routes[i].fields; f && f->name; f++)
			page_says(&p, f->name);
	}
	for (size_t i = 0; i < PROBLEM_COUNT; i++) {
		own(buf) struct buf row = { 0 };
		buf_printf(&row, "| `%s` | %u |", problem_rows[i].name, problem_rows[i].status);
		page_says(&p, buf_text(&row));
	}
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		tap_ok(says_member(&p, members[i]), "a word on the member %s of an answer", members[i]);
	for (size_t i = 0; i < QUALE_COUNT; i++) {
		page_says_with(&p, "| `", quale_rows[i].name, "` |");
		page_says(&p, quale_rows[i].about);
	}
	buf_release(&p.text);
}

static void metrics_page(void)
{
	static const char *const names[][2] = {
#define METRIC(id, name, type, help) { name, type },
#include "enforcer/api/routes/metric.def"
#undef METRIC
	};
	struct page p;

	page_open(&p, "docs/metrics.md");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		own(buf) struct buf row = { 0 };
		buf_printf(&row, "| `%s` | %s |", names[i][0], names[i][1]);
		page_says(&p, buf_text(&row));
	}
	buf_release(&p.text);
}

static void manual_page(void)
{
	static const char *const commands[] = {
#define COMMAND(id, name, ...) ".It Cm " name,
#include "enforcer/ctl/command.def"
#undef COMMAND
	};
	static const char *const options[] = {
#define OPTION(field, name, ...) ".It Fl -" name,
#include "enforcer/ctl/option.def"
#undef OPTION
	};
	static const struct { int code; const char *about; } exits[] = {
#define EXIT(id, number, about) { number, about },
#include "lang/vocab/exit.def"
#undef EXIT
	};
	struct page p;

	page_open(&p, "docs/man/tegctl.1");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		page_says(&p, commands[i]);
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		page_says(&p, options[i]);
	for (size_t i = 0; i < ARRAY_LEN(exits); i++) {
		own(buf) struct buf row = { 0 };

		buf_printf(&row, ".It %d\n%c%s.", exits[i].code, toupper(exits[i].about[0]), exits[i].about + 1);
		page_says(&p, buf_text(&row));
	}
	buf_release(&p.text);
}

int main(void)
{
	api_page();
	metrics_page();
	manual_page();
	return tap_done();
}
