/*
 * change - a posture or a policy, asked for; over when the outcome is known.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "enforcer/ctl/change.h"
#include "enforcer/ctl/lasts.h"
#include "enforcer/ctl/say.h"
#include "lang/bundle/bundle.h"

/* What waits to be confirmed is said loudly: it goes by itself. */
enum exit_code change_say(const struct ctl *c, const struct call *call)
{
	const char *until = json_text(call->json, "pending_until");
	own(buf) struct buf out = { 0 }, wait = { 0 }, tests = { 0 };

	if (*c->json)
		return call_say_json(call);
	buf_printf(&out, "generation %.0f is active in posture ", json_number(call->json, "generation"));
	say_add(&out, COLOUR_STRONG, json_text(call->json, "posture"));
	buf_putc(&out, '\n');
	say_tests(&tests, cJSON_GetObjectItemCaseSensitive(call->json, "tests"));
	if (tests.len)
		buf_printf(&out, "its tests: %s\n", buf_text(&tests));
	if (*until) {
		buf_printf(&wait, "IT GOES AGAIN AT %s UNLESS IT IS CONFIRMED: tegctl confirm", until);
		say_add(&out, COLOUR_BAD, buf_text(&wait));
		buf_putc(&out, '\n');
	}
	return say_out(&out);
}

/* "no wider than BALANCED, EXPLORE" */
static void add_order(struct buf *out, const cJSON *posture)
{
	const char *between = "no wider than ";
	const cJSON *wider;

	cJSON_ArrayForEach(wider, cJSON_GetObjectItemCaseSensitive(posture, "no_wider_than")) {
		buf_puts(out, between);
		say_add(out, COLOUR_DIM, cJSON_IsString(wider) ? wider->valuestring : "");
		between = ", ";
	}
}

static void add_postures(struct buf *out, struct arena *a, const cJSON *answer)
{
	const cJSON *postures = cJSON_GetObjectItemCaseSensitive(answer, "postures"), *p;

	(void)a;
	if (!cJSON_GetArraySize(postures))
		buf_printf(out, "%s, so there are no postures: tegctl apply FILE.tegb\n", json_unenforced(answer));
	cJSON_ArrayForEach(p, postures) {
		const char *name = json_text(p, "name");
		const bool active = !strcmp(name, json_text(answer, "posture"));

		buf_puts(out, active ? "* " : "  ");
		say_add(out, active ? COLOUR_STRONG : COLOUR_NONE, name);
		buf_printf(out, "%*s  ", (int)(strlen(name) < 16 ? 16 - strlen(name) : 0), "");
		say_add(out, COLOUR_NONE, json_text(p, "title"));
		if (cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(p, "no_wider_than")))
			buf_puts(out, *json_text(p, "title") ? "; " : "");
		add_order(out, p);
		buf_putc(out, '\n');
	}
}

static char *posture_body(const char *name, const char *reason, unsigned long seconds)
{
	cJSON *body = cJSON_CreateObject();

	cJSON_AddStringToObject(body, "posture", name);
	if (*reason)
		cJSON_AddStringToObject(body, "reason", reason);
	lasts_add(body, seconds);
	char *text = cJSON_PrintUnformatted(body);
	cJSON_Delete(body);
	return text;
}

enum exit_code ctl_posture(const struct ctl *c)
{
	own(call) struct call call = { .method = "POST", .path = "/api/tegumentar/posture",
				       .type = "application/json" };

	if (!c->argument_count)
		return call_show(c, "/api/tegumentar/posture", add_postures);
	const unsigned long seconds = lasts_read(c->lasts);
	if (*c->lasts && !seconds) {
		say_problem(c, "usage", "a time is seconds, minutes, hours or days", "--for 30s, --for 30m, --for 8h, --for 2d");
		return EXIT_USAGE;
	}
	own(mem) char *body = posture_body(c->arguments[0], c->reason, seconds);
	if (!body)
		return EXIT_OURS;
	call.body = body;
	enum exit_code rc = call_make(c, &call);
	return rc ? rc : change_say(c, &call);
}

/* What comes through standard input, as a file: its length is to be said before it is sent. */
static FILE *spool_input(void)
{
	own(file) FILE *f = tmpfile();
	size_t n, len = 0;
	char part[65536];

	while (f && (n = fread(part, 1, sizeof part, stdin))) {
		len += n;
		if (len > BUNDLE_BYTES_MAX)
			errno = EFBIG;
		if (len > BUNDLE_BYTES_MAX || fwrite(part, 1, n, f) != n)
			return NULL;
	}
	if (!f || ferror(stdin) || fflush(f))
		return NULL;
	rewind(f);
	return take(f);
}

static FILE *open_bundle(const struct ctl *c, const char *path)
{
	const bool piped = !strcmp(path, "-");
	own(file) FILE *f = piped ? spool_input() : fopen(path, "rbe");
	own(buf) struct buf detail = { 0 };
	struct stat st;

	if (f && !fstat(fileno(f), &st) && S_ISREG(st.st_mode))
		return take(f);
	buf_printf(&detail, "cannot read %s: %s", piped ? "standard input" : path, f ? "it is no file" : strerror(errno));
	say_problem(c, "no-input", buf_text(&detail), "`tegc build POLICY.teg -o BUNDLE.tegb` makes one");
	return NULL;
}

enum exit_code change_base(const struct ctl *c, struct buf *out)
{
	own(call) struct call call = { .method = "GET", .path = "/api/tegumentar/status" };
	enum exit_code rc;

	buf_puts(out, "If-Match: ");
	if (*c->base) {
		const bool bare = *c->base != '"' && strcmp(c->base, "*");

		buf_printf(out, "%s%s%s", bare ? "\"" : "", c->base, bare ? "\"" : "");
		return EXIT_YES;
	}
	rc = call_make(c, &call);
	if (!rc)
		buf_puts(out, call.tag.len ? buf_text(&call.tag) : "*");
	return rc;
}

enum exit_code change_confirm(const struct ctl *c, unsigned long *seconds)
{
	*seconds = *c->confirm ? lasts_read(c->confirm) : 0;
	if (!*c->confirm || *seconds)
		return EXIT_YES;
	say_problem(c, "usage", "a time to confirm in is seconds, minutes or hours, a day at most", "--confirm 60s, --confirm 5m");
	return EXIT_USAGE;
}

enum exit_code ctl_apply(const struct ctl *c)
{
	own(file) FILE *bundle = open_bundle(c, c->arguments[0]);
	own(buf) struct buf base = { 0 }, confirm = { 0 };
	unsigned long seconds = 0;
	enum exit_code rc = bundle ? change_confirm(c, &seconds) : EXIT_INPUT;

	if (!rc && *c->plan)
		buf_printf(&base, "Plan: %s", c->plan);
	else if (!rc)
		rc = change_base(c, &base);
	if (rc)
		return rc;
	if (seconds)
		buf_printf(&confirm, "Confirm-Seconds: %lu", seconds);
	own(call) struct call call = { .method = "POST", .path = "/api/tegumentar/policy",
				       .type = "application/octet-stream", .file = bundle,
				       .headers = { buf_text(&base), *c->allow_downgrade ? "Allow-Downgrade: yes" : NULL,
						    seconds ? buf_text(&confirm) : NULL } };
	rc = call_make(c, &call);
	return rc ? rc : change_say(c, &call);
}

/* ---- what it would change ------------------------------------------------------------------ */

static void add_list(struct buf *out, const cJSON *plan, const char *name, const char *what, enum colour colour)
{
	const cJSON *one;

	cJSON_ArrayForEach(one, cJSON_GetObjectItemCaseSensitive(plan, name)) {
		buf_printf(out, "  %s ", what);
		say_add(out, colour, cJSON_GetStringValue(one) ? cJSON_GetStringValue(one) : "");
		buf_putc(out, '\n');
	}
}

static void add_diff(struct buf *out, const char *text)
{
	for (const char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
		own(buf) struct buf one = { 0 };

		buf_add(&one, line, (size_t)(end - line));
		say_add(out, *line == '+' ? COLOUR_GOOD : *line == '-' ? COLOUR_BAD : COLOUR_DIM, buf_text(&one));
		buf_putc(out, '\n');
	}
}

void change_add_difference(struct buf *out, const cJSON *d)
{
	add_list(out, d, "postures_added", "+ posture", COLOUR_GOOD);
	add_list(out, d, "postures_removed", "- posture", COLOUR_BAD);
	add_list(out, d, "rules_added", "+", COLOUR_GOOD);
	add_list(out, d, "rules_removed", "-", COLOUR_BAD);
	add_list(out, d, "needs", "needs", COLOUR_STRONG);
	add_diff(out, json_text(d, "text"));
	if (!json_is_true(d, "text_complete"))
		buf_puts(out, "the texts differ in too much to be shown\n");
}

static enum exit_code say_plan(const struct ctl *c, const cJSON *p)
{
	own(buf) struct buf out = { 0 };

	if (!json_is_true(p, "base_known")) {
		say_add(&out, COLOUR_BAD, "WHAT IS IN FORCE IS NOT KNOWN: all of the bundle is called new");
		buf_putc(&out, '\n');
	}
	if (json_is_true(p, "same"))
		buf_puts(&out, "nothing would change: it is the bundle in force\n");
	say_policy(&out, json_text(p, "policy"), json_text(p, "version"));
	buf_printf(&out, " on %s, then in posture %s\n", json_text(p, "base"),
		   json_text(p, "posture"));
	if (!json_is_true(p, "proved")) {
		say_add(&out, COLOUR_BAD, "  NOT PROVED: made without proofs; tegd takes it only where require-proofs is no");
		buf_putc(&out, '\n');
	}
	change_add_difference(&out, p);
	buf_printf(&out, "what it means for packets: tegctl bundle > now.tegb; tegc diff now.tegb %s\n"
			 "to apply just this, within %.0f minutes: tegctl apply %s --plan %s\n",
		   c->arguments[0], json_number(p, "expires_seconds") / 60, c->arguments[0], json_text(p, "plan"));
	return say_out(&out);
}

enum exit_code ctl_plan(const struct ctl *c)
{
	own(file) FILE *bundle = open_bundle(c, c->arguments[0]);
	own(call) struct call call = { .method = "POST", .path = "/api/tegumentar/plan",
				       .type = "application/octet-stream", .file = bundle,
				       .headers = { *c->base_unknown ? "Base-Unknown: yes" : NULL } };
	enum exit_code rc = bundle ? call_make(c, &call) : EXIT_INPUT;

	if (rc)
		return rc;
	return *c->json ? call_say_json(&call) : say_plan(c, call.json);
}
