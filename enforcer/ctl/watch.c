/*
 * watch - what happens, as it happens: the api's server-sent events, a line each.
 *
 * When the connection breaks, as when tegd is started anew, that is said once, and it is made again, from the last event on:
 * for as long as it takes, since who watches is told of nothing else. It ends when tegd refuses, and when nobody reads.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "enforcer/ctl/call.h"
#include "enforcer/ctl/say.h"

#define LINE_MOST ((size_t)1 << 20)
#define PAUSE_S	  2

struct watch {
	const struct ctl *c;
	struct buf line, event, data, id;
	bool ended; /* nobody reads what is said */
	bool began; /* there was a stream */
	bool lost;  /* and there is none now, which is said */
};

static void watch_release(struct watch *w)
{
	buf_release(&w->line);
	buf_release(&w->event);
	buf_release(&w->data);
	buf_release(&w->id);
}

/* ---- an event ------------------------------------------------------------------------- */

static void say_change(struct buf *out, const cJSON *data)
{
	const char *result = json_text(data, "result");
	const bool done = !strcmp(result, "done");

	say_add(out, COLOUR_DIM, json_text(data, "time"));
	buf_puts(out, "  ");
	say_add(out, COLOUR_STRONG, json_text(data, "what"));
	buf_puts(out, " ");
	say_add(out, COLOUR_NONE, json_text(data, "summary"));
	buf_puts(out, ": ");
	say_add(out, done ? COLOUR_GOOD : COLOUR_BAD, result);
	buf_printf(out, "; generation %.0f, posture ", json_number(data, "generation"));
	say_add(out, COLOUR_NONE, json_text(data, "posture"));
	buf_putc(out, '\n');
}

/* "tcp 203.0.113.9:40000 > 10.9.0.1:23 syn"; nothing of what was no IP. */
static void say_packet_ends(struct buf *out, const cJSON *p)
{
	const bool ports = cJSON_HasObjectItem(p, "source_port");

	if (!*json_text(p, "source"))
		return;
	buf_puts(out, " ");
	say_add(out, COLOUR_NONE, json_text(p, "protocol"));
	buf_puts(out, " ");
	say_add(out, COLOUR_NONE, json_text(p, "source"));
	if (ports)
		buf_printf(out, " port %.0f", json_number(p, "source_port"));
	buf_puts(out, " > ");
	say_add(out, COLOUR_NONE, json_text(p, "destination"));
	if (ports)
		buf_printf(out, " port %.0f", json_number(p, "destination_port"));
	if (cJSON_HasObjectItem(p, "icmp_type"))
		buf_printf(out, " type %.0f", json_number(p, "icmp_type"));
	if (*json_text(p, "flags")) {
		buf_puts(out, " ");
		say_add(out, COLOUR_NONE, json_text(p, "flags"));
	}
}

static void say_packet(struct buf *out, const cJSON *p)
{
	const bool dropped = !strcmp(json_text(p, "verdict"), "drop");

	say_add(out, COLOUR_DIM, json_text(p, "time"));
	buf_puts(out, "  ");
	say_add(out, dropped ? COLOUR_BAD : COLOUR_GOOD, json_text(p, "verdict"));
	buf_puts(out, " ");
	say_add(out, COLOUR_STRONG, json_text(p, "by"));
	if (*json_text(p, "severity")) {
		buf_puts(out, ", ");
		say_add(out, COLOUR_NONE, json_text(p, "severity"));
	}
	buf_puts(out, ":");
	say_packet_ends(out, p);
	buf_puts(out, " on ");
	say_add(out, COLOUR_NONE, json_text(p, "interface"));
	if (json_number(p, "packets") > 1)
		buf_printf(out, ", of %.0f packets", json_number(p, "packets"));
	buf_putc(out, '\n');
}

static void say_event(struct watch *w)
{
	own(buf) struct buf out = { 0 };
	const char *event = buf_text(&w->event);
	cJSON *data = cJSON_ParseWithLength(buf_text(&w->data), w->data.len);

	if (*w->c->json)
		buf_printf(&out, "{\"event\":\"%s\",\"data\":%s}\n", event, buf_text(&w->data));
	else if (!strcmp(event, "change"))
		say_change(&out, data);
	else if (!strcmp(event, "blocked"))
		buf_printf(&out, "%.0f source%s blocked\n", json_number(data, "sources"),
			   json_number(data, "sources") == 1 ? " is" : "s are"); /* as a list of them says it */
	else if (!strcmp(event, "drop") || !strcmp(event, "reflex") || !strcmp(event, "rule"))
		say_packet(&out, data);
	else if (!strcmp(event, "missed"))
		buf_printf(&out, "%.0f packets were told too fast for this\n", json_number(data, "packets"));
	else if (!strcmp(event, "lost"))
		buf_puts(&out, "some events were missed; see `tegctl audit`\n");
	cJSON_Delete(data);
	w->ended = out.len && say_out(&out);
}

/* ---- the stream (the HTML standard, 9.2.6) ---------------------------------------------- */

static void set(struct buf *to, const char *value)
{
	buf_release(to);
	buf_puts(to, value);
}

static void take_field(struct watch *w, const char *line)
{
	static const struct { const char *name; size_t at; } fields[] = {
		{ "event: ", offsetof(struct watch, event) }, { "data: ", offsetof(struct watch, data) },
		{ "id: ", offsetof(struct watch, id) },
	};

	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (!strncmp(line, fields[i].name, strlen(fields[i].name)))
			set((struct buf *)((char *)w + fields[i].at), line + strlen(fields[i].name));
}

static void take_line(struct watch *w)
{
	if (w->line.len)
		take_field(w, buf_text(&w->line));
	else if (w->data.len)
		say_event(w);
	if (!w->line.len) {
		buf_release(&w->event);
		buf_release(&w->data);
	}
	buf_release(&w->line);
}

static void lost(struct watch *w)
{
	if (!w->lost)
		say_problem(w->c, "ended", "tegd has ended the connection; it is made anew when tegd answers, from the last event on",
			    "`systemctl status tegd`, when it does not; what it enforced is still enforced");
	fflush(stdout); /* programs read it while it is so */
	w->lost = true;
}

static void found_again(struct watch *w)
{
	if (w->lost && !*w->c->json)
		fputs("tegctl: tegd answers again\n", stderr);
	w->lost = false;
}

static bool take_bytes(void *cls, const char *bytes, size_t len)
{
	struct watch *w = cls;

	found_again(w);
	for (size_t i = 0; i < len && !w->ended; i++) {
		if (bytes[i] == '\n')
			take_line(w);
		else
			buf_putc(&w->line, bytes[i]);
		if (w->line.len > LINE_MOST)
			return false;
	}
	return !w->ended;
}

/* ---- the command -------------------------------------------------------------------------- */

static enum exit_code listen_once(struct watch *w)
{
	own(buf) struct buf last = { 0 };
	own(call) struct call call = { .method = "GET", .path = "/api/tegumentar/events", .told = take_bytes, .told_cls = w,
				       .again = w->began };

	if (w->id.len) {
		buf_printf(&last, "Last-Event-ID: %s", buf_text(&w->id));
		call.headers[0] = buf_text(&last);
	}
	const enum exit_code rc = call_make(w->c, &call);
	w->began = w->began || call.is_stream;
	return rc;
}

/* It ended, or does not come yet. What else is wrong, such as a token that counts no longer, has been said, and is the end. */
static bool goes_on(const struct watch *w, enum exit_code rc)
{
	return w->began && !w->ended && (!rc || rc == EXIT_UNAVAILABLE);
}

enum exit_code ctl_watch(const struct ctl *c)
{
	struct watch w = { .c = c };
	enum exit_code rc;

	while (goes_on(&w, rc = listen_once(&w))) {
		buf_release(&w.line);
		lost(&w);
		sleep(PAUSE_S);
	}
	rc = w.ended ? EXIT_IO : rc;
	watch_release(&w);
	return rc;
}
