/*
 * status - what is enforced, for a person.
 */
#include <string.h>

#include "enforcer/ctl/call.h"
#include "enforcer/ctl/say.h"
#include "lang/base/arena.h"

static void add_line(struct buf *out, const char *name, const char *text)
{
	if (!*text)
		return;
	buf_printf(out, "  %-10s ", name);
	say_add(out, COLOUR_NONE, text);
	buf_putc(out, '\n');
}

static void add_head(struct buf *out, const cJSON *s)
{
	own(buf) struct buf generation = { 0 };

	if (!json_number(s, "generation")) {
		say_add(out, COLOUR_BAD, json_unenforced(s));
		buf_puts(out, "\n");
		add_line(out, "fault", json_text(s, "fault"));
		return;
	}
	buf_printf(&generation, "generation %.0f is enforced", json_number(s, "generation"));
	say_add(out, COLOUR_STRONG, buf_text(&generation));
	buf_puts(out, ", ");
	say_intact(out, s);
	buf_putc(out, '\n');
	add_line(out, "fault", json_text(s, "fault"));
	add_line(out, "since", json_text(s, "unknown_since"));
}

static void add_posture(struct buf *out, const cJSON *s)
{
	const char *reason = json_text(s, "posture_reason");
	own(buf) struct buf until = { 0 };

	if (!*json_text(s, "posture"))
		return;
	buf_printf(out, "  %-10s ", "posture");
	say_add(out, COLOUR_STRONG, json_text(s, "posture"));
	buf_puts(out, " since ");
	say_add(out, COLOUR_NONE, json_text(s, "posture_since"));
	buf_puts(out, *reason ? ": " : "");
	say_add(out, COLOUR_NONE, reason);
	buf_putc(out, '\n');
	if (!*json_text(s, "posture_until"))
		return;
	buf_printf(&until, "%s, then %s", json_text(s, "posture_until"), json_text(s, "posture_next"));
	add_line(out, "until", buf_text(&until));
}

static void add_pending(struct buf *out, const cJSON *s)
{
	const cJSON *pending = cJSON_GetObjectItemCaseSensitive(s, "pending");
	own(buf) struct buf line = { 0 };

	if (!cJSON_IsObject(pending))
		return;
	buf_printf(&line, "  IT GOES AGAIN AT %s UNLESS IT IS CONFIRMED: tegctl confirm", json_text(pending, "until"));
	say_add(out, COLOUR_BAD, buf_text(&line));
	buf_putc(out, '\n');
}

/* What drifted, and when; nothing when nothing did. */
static void add_drift(struct buf *out, const cJSON *s)
{
	const cJSON *drift = cJSON_GetObjectItemCaseSensitive(s, "drift");
	own(buf) struct buf line = { 0 };

	if (!json_number(drift, "found"))
		return;
	buf_printf(&line, "%.0f times, %.0f repaired; last at %s: %s", json_number(drift, "found"), json_number(drift, "repaired"),
		   json_text(drift, "last"), json_text(drift, "fault"));
	add_line(out, "drift", buf_text(&line));
}

/* Who tells of packets, and what of it was lost. */
static void add_events(struct buf *out, const cJSON *s)
{
	const cJSON *e = cJSON_GetObjectItemCaseSensitive(s, "events");
	const double lost = json_number(e, "lost_full") + json_number(e, "lost_rate") + json_number(e, "lost_slow");
	own(buf) struct buf line = { 0 };

	buf_printf(&line, "%s, %.0f told", json_text(e, "source"), json_number(e, "told"));
	if (lost > 0)
		buf_printf(&line, ", %.0f lost (%.0f no room, %.0f too many at once, %.0f too slow)", lost,
			   json_number(e, "lost_full"), json_number(e, "lost_rate"), json_number(e, "lost_slow"));
	add_line(out, "events", buf_text(&line));
}

static void add_unproved(struct buf *out)
{
	buf_printf(out, "  %-10s ", "");
	say_add(out, COLOUR_BAD, "NOT PROVED: nobody knows that it does what it says (tegc build --no-proofs)");
	buf_putc(out, '\n');
}

static void add_facts(struct buf *out, const cJSON *s)
{
	const cJSON *policy = cJSON_GetObjectItemCaseSensitive(s, "policy");
	own(buf) struct buf line = { 0 };

	if (cJSON_IsObject(policy)) {
		say_policy(&line, json_text(policy, "name"), json_text(policy, "version"));
		buf_printf(&line, ", bundle %.12s", json_text(policy, "bundle"));
		add_line(out, "policy", buf_text(&line));
		if (!json_is_true(policy, "proved"))
			add_unproved(out);
		add_line(out, "tag", json_text(s, "tag"));
		buf_release(&line);
		say_tests(&line, cJSON_GetObjectItemCaseSensitive(policy, "tests"));
		if (line.len)
			add_line(out, "tests", buf_text(&line));
	}
	add_line(out, "engine", json_text(s, "engine"));
	if (*json_text(s, "cookies"))
		add_line(out, "cookies", json_text(s, "cookies"));
	buf_release(&line);
	buf_printf(&line, "%s, %s", json_text(s, "started"), json_text(s, "adopted"));
	add_line(out, "started", buf_text(&line));
}

static void add_interfaces(struct buf *out, struct arena *a, const cJSON *s)
{
	const cJSON *interfaces = cJSON_GetObjectItemCaseSensitive(s, "interfaces"), *i;
	VEC(const char *) cells = { 0 };

	if (!cJSON_GetArraySize(interfaces))
		return;
	static const char *const heading[] = { "interface", "zone", "engine", "because" };
	static const char *const members[] = { "name", "zone", "engine", "reason" };
	for (size_t k = 0; k < 4; k++)
		vec_push(a, &cells, heading[k]);
	cJSON_ArrayForEach(i, interfaces)
		for (size_t k = 0; k < 4; k++)
			vec_push(a, &cells, json_text(i, members[k]));
	buf_putc(out, '\n');
	say_table(out, cells.at, 4, cells.len / 4);
}

static void add_own_blocked(struct buf *out, const cJSON *s)
{
	if (!*json_text(s, "own_blocked"))
		return;
	buf_printf(out, "  %-10s ", "blocked");
	say_add(out, COLOUR_BAD, json_text(s, "own_blocked"));
	buf_putc(out, '\n');
}

/* Of a table that is nearly full, or was, more is told. */
static void add_flows(struct buf *out, const cJSON *s)
{
	const cJSON *f = cJSON_GetObjectItemCaseSensitive(s, "flows");
	const double dropped = json_number(f, "dropped"), evicted = json_number(f, "evicted");
	own(buf) struct buf line = { 0 };

	if (!cJSON_IsObject(f))
		return;
	buf_printf(&line, "%.0f", json_number(f, "count"));
	if (json_number(f, "most") > 0)
		buf_printf(&line, " of at most %.0f", json_number(f, "most"));
	if (dropped > 0 || evicted > 0)
		buf_printf(&line, "; for want of room %.0f packets were dropped, %.0f flows ended", dropped, evicted);
	add_line(out, "flows", buf_text(&line));
	if (!*json_text(f, "full_since"))
		return;
	buf_release(&line);
	buf_printf(&line, "FULL SINCE %s: new flows are dropped before layer 4, those of lifelines too; raise net.netfilter.nf_conntrack_max",
		   json_text(f, "full_since"));
	buf_printf(out, "  %-10s ", "");
	say_add(out, COLOUR_BAD, buf_text(&line));
	buf_putc(out, '\n');
}

static void add_status(struct buf *out, struct arena *a, const cJSON *answer)
{
	add_head(out, answer);
	add_posture(out, answer);
	add_pending(out, answer);
	add_facts(out, answer);
	add_own_blocked(out, answer);
	add_drift(out, answer);
	add_flows(out, answer);
	add_events(out, answer);
	add_interfaces(out, a, answer);
}

enum exit_code ctl_status(const struct ctl *c)
{
	return call_show(c, "/api/tegumentar/status", add_status);
}
