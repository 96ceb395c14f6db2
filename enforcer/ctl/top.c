/*
 * top - what decides how much, now: rates by rule, drops by cause, posture and engine, once a second.
 *
 * On a terminal a picture that stays, until q or Ctrl-C; else one picture, of one second. It is drawn
 * with six escape sequences that every terminal has had for decades: a table that is written
 * anew each second needs no library that manages windows.
 */
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "enforcer/ctl/call.h"
#include "enforcer/ctl/say.h"
#include "lang/base/arena.h"

#define SCREEN_ON  "\x1b[?1049h\x1b[?25l" /* another screen, no cursor */
#define SCREEN_OFF "\x1b[?25h\x1b[?1049l"
#define HOME	   "\x1b[H"
#define LINE_REST  "\x1b[K"
#define BELOW	   "\x1b[J"

struct line {
	const char *name, *verdict, *posture;
	double pps, bps, packets;
};

struct sample {
	cJSON *status, *counters, *qualia;
};

static void sample_release(struct sample *s)
{
	cJSON_Delete(s->status);
	cJSON_Delete(s->counters);
	cJSON_Delete(s->qualia);
	*s = (struct sample){ 0 };
}

static enum exit_code ask(const struct ctl *c, const char *path, cJSON **out)
{
	own(call) struct call call = { .method = "GET", .path = path };
	enum exit_code rc = call_make(c, &call);

	if (!rc)
		*out = take(call.json);
	return rc;
}

static enum exit_code sample_take(const struct ctl *c, struct sample *s)
{
	enum exit_code rc = ask(c, "/api/tegumentar/status", &s->status);

	if (!rc)
		rc = ask(c, "/api/tegumentar/counters", &s->counters);
	return rc ? rc : ask(c, "/api/tegumentar/qualia", &s->qualia);
}

/* ---- rates --------------------------------------------------------------------------- */

static const cJSON *find(const cJSON *list, const char *key, const char *name)
{
	const cJSON *i;

	cJSON_ArrayForEach(i, list)
		if (!strcmp(json_text(i, key), name))
			return i;
	return NULL;
}

/* A counter that is new, or went back, began anew. */
static double rate(const cJSON *was, const cJSON *is, const char *member, double seconds)
{
	const double before = was ? json_number(was, member) : 0, now = json_number(is, member);

	return seconds > 0 ? (was && now >= before ? now - before : was ? now : 0) / seconds : 0;
}

static int busier(const void *a, const void *b)
{
	const struct line *l = a, *m = b;

	if (l->pps != m->pps)
		return l->pps < m->pps ? 1 : -1;
	if (l->packets != m->packets)
		return l->packets < m->packets ? 1 : -1;
	return strcmp(l->name, m->name);
}

typedef VEC(struct line) lines;

/* `key` names the rows of the list; those that ever counted anything. */
static void add_lines(lines *out, struct arena *a, const struct sample *was, const struct sample *is, const char *list,
		      const char *key)
{
	const cJSON *before = cJSON_GetObjectItemCaseSensitive(was->counters, list);
	const cJSON *now = cJSON_GetObjectItemCaseSensitive(is->counters, list), *i;
	const double s = (json_number(is->counters, "at_ns") - json_number(was->counters, "at_ns")) / 1e9;

	cJSON_ArrayForEach(i, now) {
		const char *name = json_text(i, key);
		const cJSON *b = find(before, key, name);

		if (json_number(i, "packets") > 0)
			vec_push(a, out, ((struct line){ name, json_text(i, "verdict"), json_text(i, "posture"),
							 rate(b, i, "packets", s), rate(b, i, "bytes", s),
							 json_number(i, "packets") }));
	}
	if (out->len)
		qsort(out->at, out->len, sizeof *out->at, busier);
}

/* ---- the picture ----------------------------------------------------------------------- */

static const char *scaled(struct arena *a, double v)
{
	static const char units[] = " kMGT";
	size_t u = 0;

	for (; v >= 1000 && u + 2 < sizeof units; u++)
		v /= 1000;
	return arena_printf(a, u || v < 10 ? "%.1f%.1s" : "%.0f%.1s", v, u ? &units[u] : "");
}

static void add_head(struct buf *out, struct arena *a, const struct sample *s)
{
	const cJSON *raw = cJSON_GetObjectItemCaseSensitive(s->qualia, "raw");

	say_add(out, COLOUR_STRONG, *json_text(s->status, "posture") ? json_text(s->status, "posture") : json_unenforced(s->status));
	buf_printf(out, "  generation %.0f, ", json_number(s->status, "generation"));
	say_intact(out, s->status);
	buf_puts(out, ", engine ");
	say_add(out, COLOUR_NONE, json_text(s->status, "engine"));
	buf_printf(out, "\n%s packets/s, %s bytes/s, %s/s admitted, %s/s dropped, %s/s hostile; %.0f sources blocked\n",
		   scaled(a, json_number(raw, "packets_per_second")), scaled(a, json_number(raw, "bytes_per_second")),
		   scaled(a, json_number(raw, "admitted_per_second")), scaled(a, json_number(raw, "dropped_per_second")),
		   scaled(a, json_number(raw, "hostile_per_second")), json_number(raw, "blocked_sources"));
	const cJSON *e = cJSON_GetObjectItemCaseSensitive(s->status, "events");
	buf_printf(out, "%.0f events of packets told, %.0f lost, %.0f missed\n", json_number(e, "told"),
		   json_number(e, "lost_full") + json_number(e, "lost_rate") + json_number(e, "lost_slow"),
		   json_number(e, "missed"));
	buf_printf(out, "pressure %.2f  temperature %.2f  pain %.2f  vibration %.2f  texture %.2f\n\n",
		   json_number(s->qualia, "pressure"), json_number(s->qualia, "temperature"), json_number(s->qualia, "pain"),
		   json_number(s->qualia, "vibration"), json_number(s->qualia, "texture"));
}

static void add_table(struct buf *out, struct arena *a, const lines *l, const char *what, size_t most)
{
	VEC(const char *) cells = { 0 };
	const char *heading[] = { "packets/s", "bytes/s", "packets", "verdict", what };

	for (size_t i = 0; i < 5; i++)
		vec_push(a, &cells, heading[i]);
	for (size_t i = 0; i < l->len && i < most; i++) {
		const struct line *row = &l->at[i];
		const char *cell[] = { scaled(a, row->pps), scaled(a, row->bps), arena_printf(a, "%.0f", row->packets),
				       row->verdict, row->name };

		for (size_t k = 0; k < 5; k++)
			vec_push(a, &cells, cell[k]);
	}
	say_table(out, cells.at, 5, cells.len / 5);
}

static void add_picture(struct buf *out, const struct sample *was, const struct sample *is, size_t room)
{
	own(arena) struct arena *a = arena_new();
	lines rules = { 0 }, causes = { 0 };

	add_lines(&rules, a, was, is, "rules", "id");
	add_lines(&causes, a, was, is, "unjudged", "cause");
	add_head(out, a, is);
	const size_t of_causes = causes.len < 6 ? causes.len : 6, used = 7 + (of_causes ? of_causes + 2 : 0);
	add_table(out, a, &rules, "rule", room > used ? room - used : 1);
	if (!of_causes)
		return;
	buf_putc(out, '\n');
	add_table(out, a, &causes, "cause", of_causes);
}

static enum exit_code say_json_rates(const struct sample *was, const struct sample *is)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf out = { 0 };
	lines l = { 0 };
	cJSON *all = cJSON_CreateObject(), *rules = cJSON_AddArrayToObject(all, "rules");

	add_lines(&l, a, was, is, "rules", "id");
	add_lines(&l, a, was, is, "unjudged", "cause");
	cJSON_AddStringToObject(all, "posture", json_text(is->status, "posture"));
	cJSON_AddStringToObject(all, "engine", json_text(is->status, "engine"));
	for (size_t i = 0; i < l.len; i++) {
		cJSON *one = cJSON_CreateObject();

		cJSON_AddStringToObject(one, "id", l.at[i].name);
		cJSON_AddStringToObject(one, "verdict", l.at[i].verdict);
		cJSON_AddNumberToObject(one, "packets_per_second", l.at[i].pps);
		cJSON_AddNumberToObject(one, "bytes_per_second", l.at[i].bps);
		cJSON_AddNumberToObject(one, "packets", l.at[i].packets);
		cJSON_AddItemToArray(rules, one);
	}
	own(mem) char *text = cJSON_PrintUnformatted(all);
	cJSON_Delete(all);
	buf_printf(&out, "%s\n", text ? text : "{}");
	return say_out(&out);
}

/* ---- the terminal ----------------------------------------------------------------------- */

static volatile sig_atomic_t over;

static void end(int signal)
{
	(void)signal;
	over = 1;
}

/* One key at a time, without echo; false when it is no terminal. */
static bool take_terminal(struct termios *was)
{
	struct termios now;
	const struct sigaction ends = { .sa_handler = end };

	if (!isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, was))
		return false;
	now = *was;
	now.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	sigaction(SIGINT, &ends, NULL);
	sigaction(SIGTERM, &ends, NULL);
	return !tcsetattr(STDIN_FILENO, TCSAFLUSH, &now);
}

static size_t terminal_rows(void)
{
	struct winsize w;

	return !ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) && w.ws_row ? w.ws_row : 24;
}

/* Each line's rest is cleared, so that the picture needs no blank moment. */
static enum exit_code draw(const struct buf *picture)
{
	own(buf) struct buf out = { 0 };

	buf_puts(&out, HOME);
	for (const char *c = buf_text(picture); *c; c++) {
		if (*c == '\n')
			buf_puts(&out, LINE_REST);
		buf_putc(&out, *c);
	}
	buf_puts(&out, BELOW);
	return say_out(&out);
}

/* A second, or until a key is pressed; false when it is the last. */
static bool wait_a_second(void)
{
	struct pollfd keys = { .fd = STDIN_FILENO, .events = POLLIN };
	char key = 0;

	if (poll(&keys, 1, 1000) > 0 && read(STDIN_FILENO, &key, 1) <= 0)
		return false;
	return !over && key != 'q';
}

static enum exit_code show(const struct ctl *c, struct sample *was)
{
	enum exit_code rc = EXIT_YES;

	while (!rc && wait_a_second()) {
		own(buf) struct buf picture = { 0 };
		struct sample is = { 0 };

		rc = sample_take(c, &is);
		if (!rc) {
			add_picture(&picture, was, &is, terminal_rows());
			rc = draw(&picture);
		}
		sample_release(was);
		*was = is;
	}
	return rc;
}

/* ---- the command -------------------------------------------------------------------------- */

static enum exit_code once(const struct ctl *c, const struct sample *was)
{
	own(buf) struct buf picture = { 0 };
	struct sample is = { 0 };
	enum exit_code rc;

	sleep(1);
	rc = sample_take(c, &is);
	if (!rc && *c->json)
		rc = say_json_rates(was, &is);
	else if (!rc) {
		add_picture(&picture, was, &is, SIZE_MAX);
		rc = say_out(&picture);
	}
	sample_release(&is);
	return rc;
}

enum exit_code ctl_top(const struct ctl *c)
{
	struct sample was = { 0 };
	struct termios terminal;
	enum exit_code rc = sample_take(c, &was);

	if (!rc && !*c->json && take_terminal(&terminal)) {
		fputs(SCREEN_ON, stdout);
		rc = show(c, &was);
		fputs(SCREEN_OFF, stdout);
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal);
	} else if (!rc) {
		rc = once(c, &was);
	}
	sample_release(&was);
	return rc;
}
