/*
 * past - the generations that were in force; one of them again; and whether the one that waits may stay.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "enforcer/ctl/change.h"
#include "enforcer/ctl/say.h"
#include "lang/base/arena.h"

static void add_history(struct buf *out, struct arena *a, const cJSON *answer)
{
	static const char *const heading[] = { "", "#", "time", "how", "result", "policy", "bundle" };
	const cJSON *generations = cJSON_GetObjectItemCaseSensitive(answer, "generations"), *g;
	VEC(const char *) cells = { 0 };

	if (!cJSON_GetArraySize(generations)) {
		buf_puts(out, "no generation is known: tegctl apply FILE.tegb\n");
		return;
	}
	for (size_t i = 0; i < 7; i++)
		vec_push(a, &cells, heading[i]);
	cJSON_ArrayForEach(g, generations) {
		const double number = json_number(g, "generation"), of = json_number(g, "of");
		const char *row[] = {
			number == json_number(answer, "now") ? "*" : "", arena_printf(a, "%.0f", number), json_text(g, "at"),
			of ? arena_printf(a, "%s of %.0f", json_text(g, "how"), of) : json_text(g, "how"), json_text(g, "result"),
			arena_printf(a, "%s %s", json_text(g, "policy"), json_text(g, "version")),
			arena_printf(a, "%.12s", json_text(g, "bundle")),
		};

		for (size_t i = 0; i < 7; i++)
			vec_push(a, &cells, row[i]);
	}
	say_table(out, cells.at, 7, cells.len / 7);
}

enum exit_code ctl_history(const struct ctl *c)
{
	return call_show(c, "/api/tegumentar/history", add_history);
}

/* 0 when it is no number. */
static unsigned long read_number(const struct ctl *c, const char *text)
{
	if (strspn(text, "0123456789") == strlen(text) && strlen(text) < 16 && strtoul(text, NULL, 10))
		return strtoul(text, NULL, 10);
	say_problem(c, "usage", "a generation is a number", "tegctl history");
	return 0;
}

static enum exit_code change(const struct ctl *c, struct call *call)
{
	own(buf) struct buf base = { 0 };
	enum exit_code rc = change_base(c, &base);

	if (rc)
		return rc;
	call->headers[0] = buf_text(&base);
	rc = call_make(c, call);
	return rc ? rc : change_say(c, call);
}

enum exit_code ctl_rollback(const struct ctl *c)
{
	own(buf) struct buf body = { 0 };
	own(call) struct call call = { .method = "POST", .path = "/api/tegumentar/rollback", .type = "application/json" };
	unsigned long to = c->argument_count ? read_number(c, c->arguments[0]) : 0, seconds;
	enum exit_code rc = change_confirm(c, &seconds);

	if (rc || (c->argument_count && !to))
		return EXIT_USAGE;
	buf_puts(&body, "{");
	if (to)
		buf_printf(&body, "\"generation\":%lu%s", to, seconds ? "," : "");
	if (seconds)
		buf_printf(&body, "\"confirm_seconds\":%lu", seconds);
	buf_puts(&body, "}");
	call.body = buf_text(&body);
	return change(c, &call);
}

enum exit_code ctl_confirm(const struct ctl *c)
{
	own(call) struct call call = { .method = "POST", .path = "/api/tegumentar/confirm", .body = "" };

	return change(c, &call);
}

enum exit_code ctl_cancel(const struct ctl *c)
{
	own(call) struct call call = { .method = "POST", .path = "/api/tegumentar/cancel", .body = "" };

	return change(c, &call);
}

/* The generation that is the argument of this place; where there is none, the one in force. */
static enum exit_code find_number(const struct ctl *c, int place, unsigned long *out)
{
	own(call) struct call call = { .method = "GET", .path = "/api/tegumentar/status" };
	enum exit_code rc;

	if (c->argument_count > place) {
		*out = read_number(c, c->arguments[place]);
		return *out ? EXIT_YES : EXIT_USAGE;
	}
	rc = call_make(c, &call);
	*out = rc ? 0 : (unsigned long)json_number(call.json, "generation");
	if (rc || *out)
		return rc;
	say_problem(c, "conflict", json_unenforced(call.json), "tegctl apply FILE.tegb");
	return EXIT_NO;
}

enum exit_code ctl_bundle(const struct ctl *c)
{
	own(buf) struct buf body = { 0 };
	own(call) struct call call = { .method = "POST", .path = "/api/tegumentar/bundle", .type = "application/json" };
	unsigned long number;
	enum exit_code rc;

	if (isatty(STDOUT_FILENO)) {
		say_problem(c, "usage", "a bundle is no text", "tegctl bundle > FILE.tegb");
		return EXIT_USAGE;
	}
	rc = find_number(c, 0, &number);
	if (rc)
		return rc;
	buf_printf(&body, "{\"generation\":%lu}", number);
	call.body = buf_text(&body);
	rc = call_make(c, &call);
	return rc ? rc : say_out(&call.text);
}

/* ---- what changed between two ------------------------------------------------------------------ */

static enum exit_code say_difference(const cJSON *d, unsigned long from, unsigned long to)
{
	const cJSON *was = cJSON_GetObjectItemCaseSensitive(d, "from"), *is = cJSON_GetObjectItemCaseSensitive(d, "to");
	own(buf) struct buf out = { 0 };

	buf_printf(&out, "from generation %lu, ", from);
	say_policy(&out, json_text(was, "policy"), json_text(was, "version"));
	buf_printf(&out, ", to %lu, ", to);
	say_policy(&out, json_text(is, "policy"), json_text(is, "version"));
	buf_puts(&out, json_is_true(d, "same") ? ": the same bundle\n" : "\n");
	change_add_difference(&out, d);
	return say_out(&out);
}

enum exit_code ctl_diff(const struct ctl *c)
{
	own(buf) struct buf body = { 0 };
	own(call) struct call call = { .method = "POST", .path = "/api/tegumentar/diff", .type = "application/json" };
	unsigned long from, to;
	enum exit_code rc = find_number(c, 0, &from);

	if (!rc)
		rc = find_number(c, 1, &to);
	if (rc)
		return rc;
	buf_printf(&body, "{\"from\":%lu,\"to\":%lu}", from, to);
	call.body = buf_text(&body);
	rc = call_make(c, &call);
	if (rc)
		return rc;
	return *c->json ? call_say_json(&call) : say_difference(call.json, from, to);
}
