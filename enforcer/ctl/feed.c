/*
 * feed - what is on the policy's feeds, and what is to be.
 *
 *     tegctl feed                                 lists them
 *     tegctl feed load spamhaus_drop drop.txt     a text in the feed's format, in place of what was on it
 *     tegctl feed clear spamhaus_drop
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "enforcer/ctl/call.h"
#include "enforcer/ctl/say.h"
#include "lang/base/arena.h"

static const char *state_of(const cJSON *feed)
{
	if (!*json_text(feed, "loaded"))
		return "never loaded";
	if (!json_is_true(feed, "stale"))
		return "in force";
	return json_is_true(feed, "in_force") ? "stale, in force" : "stale, cleared";
}

static void add_feeds(struct buf *out, struct arena *a, const cJSON *answer)
{
	static const char *const heading[] = { "feed", "entries", "max", "loaded", "state", "format" };
	const cJSON *feeds = cJSON_GetObjectItemCaseSensitive(answer, "feeds"), *f;
	VEC(const char *) cells = { 0 };

	for (size_t k = 0; k < sizeof heading / sizeof *heading; k++)
		vec_push(a, &cells, heading[k]);
	cJSON_ArrayForEach(f, feeds) {
		vec_push(a, &cells, json_text(f, "name"));
		vec_push(a, &cells, arena_printf(a, "%.0f", json_number(f, "entries")));
		vec_push(a, &cells, arena_printf(a, "%.0f", json_number(f, "max")));
		vec_push(a, &cells, json_text(f, "loaded"));
		vec_push(a, &cells, state_of(f));
		vec_push(a, &cells, json_text(f, "format"));
	}
	if (cJSON_GetArraySize(feeds))
		say_table(out, cells.at, sizeof heading / sizeof *heading, cells.len / (sizeof heading / sizeof *heading));
}

static enum exit_code changed(const struct ctl *c, const struct call *call, const char *name, const char *how)
{
	own(buf) struct buf out = { 0 };

	if (*c->json)
		return call_say_json(call);
	buf_printf(&out, "feed %s is %s\n", name, how);
	return say_out(&out);
}

static enum exit_code load(const struct ctl *c, const char *name, const char *path)
{
	own(arena) struct arena *a = arena_new();
	own(file) FILE *file = fopen(path, "re");
	struct stat is;

	if (!file || fstat(fileno(file), &is) || !S_ISREG(is.st_mode)) {
		say_problem(c, "no-input", arena_printf(a, "cannot read %s: %s", path, file ? "it is no file" : strerror(errno)),
			    "name a file in the feed's format, as `tegctl feed` says it");
		return EXIT_INPUT;
	}
	own(call) struct call call = { .method = "POST", .path = "/api/tegumentar/feeds/load", .type = "text/plain", .file = file,
				       .headers = { arena_printf(a, "Feed: %s", name) } };
	enum exit_code rc = call_make(c, &call);
	return rc ? rc : changed(c, &call, name, "loaded");
}

static enum exit_code clear(const struct ctl *c, const char *name)
{
	cJSON *body = cJSON_CreateObject();

	cJSON_AddStringToObject(body, "name", name);
	own(mem) char *text = cJSON_PrintUnformatted(body);
	cJSON_Delete(body);
	if (!text)
		return EXIT_OURS;
	own(call) struct call call = { .method = "POST", .path = "/api/tegumentar/feeds/clear", .type = "application/json",
				       .body = text };
	enum exit_code rc = call_make(c, &call);
	return rc ? rc : changed(c, &call, name, "empty");
}

/* A name that no feed can have is told before it stands in a head. */
static bool is_name(const char *name)
{
	return *name && strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == strlen(name);
}

enum exit_code ctl_feed(const struct ctl *c)
{
	const char *what = c->argument_count ? c->arguments[0] : "list";

	if (!strcmp(what, "list") && c->argument_count <= 1)
		return call_show_list(c, "/api/tegumentar/feeds", "feeds", add_feeds);
	if (!strcmp(what, "load") && c->argument_count == 3 && is_name(c->arguments[1]))
		return load(c, c->arguments[1], c->arguments[2]);
	if (!strcmp(what, "clear") && c->argument_count == 2 && is_name(c->arguments[1]))
		return clear(c, c->arguments[1]);
	say_problem(c, "usage", "it is `tegctl feed`, `tegctl feed load NAME FILE` or `tegctl feed clear NAME`",
		    "tegctl feed load spamhaus_drop drop.txt");
	return EXIT_USAGE;
}
