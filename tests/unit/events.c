/* Events: each listener hears each once and in order, from where it says; who is too slow is told to go. */
#include <stdlib.h>
#include <string.h>

#include "enforcer/api/events.h"
#include "enforcer/api/json.h"
#include "tests/lib/tap.h"

static unsigned woken, slept;

static void wake(void *cls)
{
	(void)cls;
	woken++;
}

static void fall_asleep(void *cls)
{
	(void)cls;
	slept++;
}

static void happen(struct events *e, unsigned n)
{
	own(buf) struct buf summary = { 0 };

	buf_printf(&summary, "number %u", n);
	events_change(e, &(struct event){ n, 1700000000, "posture", buf_text(&summary), "done", "BALANCED", 3 });
}

/* What a listener hears now, all of it; how it ended in *how. */
static void hear(struct listener *l, struct buf *out, enum listening *how)
{
	buf_release(out);
	do
		*how = listener_next(l, out, fall_asleep);
	while (*how == LISTEN_TOLD);
}

static unsigned count(const struct buf *text, const char *part)
{
	unsigned n = 0;

	for (const char *at = buf_text(text); (at = strstr(at, part)); at++)
		n++;
	return n;
}

static void events_are_heard(void)
{
	own(events) struct events *e = events_new();
	own(buf) struct buf out = { 0 };
	enum listening how;

	happen(e, 1);
	struct listener *l = listener_new(e, NULL, wake, NULL);
	hear(l, &out, &how);
	tap_ok(how == LISTEN_WAIT && !out.len, "who comes without an id hears what comes from then on");
	woken = 0;
	happen(e, 2);
	happen(e, 3);
	tap_num(woken, 1, "a sleeper is woken once");
	hear(l, &out, &how);
	tap_ok(strstr(buf_text(&out), "number 2") && strstr(buf_text(&out), "number 3") && count(&out, "event: change\n") == 2,
	       "and hears both");
	tap_ok(strstr(buf_text(&out), "\ndata: {\"seq\":2,\"time\":\"2023-11-14T22:13:20Z\",\"what\":\"posture\","
		      "\"summary\":\"number 2\",\"result\":\"done\",\"generation\":3,\"posture\":\"BALANCED\"}\n\n"),
	       "with all that is said of a change");
	events_qualia(e, "{\"old\":1}");
	events_qualia(e, "{\"new\":1}");
	hear(l, &out, &how);
	tap_text(buf_text(&out), "event: qualia\ndata: {\"new\":1}\n\n", "of the figures, the last");
	events_blocked(e, 5);
	events_blocked(e, 5);
	hear(l, &out, &how);
	tap_num(out.len, 0, "a first number of blocked sources is no event, nor the same one");
	events_blocked(e, 6);
	hear(l, &out, &how);
	tap_ok(strstr(buf_text(&out), "event: blocked\ndata: {\"sources\":6}\n\n"), "another one is");
	events_end(e);
	hear(l, &out, &how);
	tap_num(how, LISTEN_OVER, "and the end is heard");
	listener_free(l);
}

static void ids_are_places(void)
{
	own(events) struct events *e = events_new();
	own(buf) struct buf out = { 0 };
	enum listening how;
	char id[64];

	struct listener *l = listener_new(e, NULL, wake, NULL);
	for (unsigned i = 1; i <= 5; i++)
		happen(e, i);
	listener_next(l, &out, fall_asleep);
	tap_num(sscanf(buf_text(&out), "id: %63s", id), 1, "an event has an id");
	listener_free(l);

	l = listener_new(e, id, wake, NULL);
	hear(l, &out, &how);
	tap_ok(count(&out, "event: change") == 4 && !count(&out, "event: lost") && strstr(buf_text(&out), "number 2"),
	       "who comes back with it hears what came since");
	listener_free(l);
	static const char *const strange[] = { "0-1", "x", "-1", "ffffffffffffffffffff-1", "1-99999999999999999999999", "1-1 " };
	for (size_t i = 0; i < ARRAY_LEN(strange); i++) {
		l = listener_new(e, strange[i], wake, NULL);
		hear(l, &out, &how);
		tap_ok(how == LISTEN_WAIT && count(&out, "event: lost\ndata: {}") == 1 && !count(&out, "change"),
		       "an id of another life (%s): something was lost", strange[i]);
		listener_free(l);
	}
	for (unsigned i = 6; i < 6 + EVENTS_KEPT; i++)
		happen(e, i);
	l = listener_new(e, id, wake, NULL);
	hear(l, &out, &how);
	tap_num(count(&out, "event: lost"), 1, "and so with one that is too old");
	listener_free(l);
}

static void the_slow_are_cut_off(void)
{
	own(events) struct events *e = events_new();
	own(buf) struct buf out = { 0 };
	enum listening how;
	struct listener *l = listener_new(e, NULL, wake, NULL);

	for (unsigned i = 0; i < EVENTS_KEPT; i++)
		happen(e, i);
	hear(l, &out, &how);
	tap_ok(how == LISTEN_WAIT && count(&out, "event: change") == EVENTS_KEPT, "a whole ring behind hears all of it");
	for (unsigned i = 0; i <= EVENTS_KEPT; i++)
		happen(e, i);
	hear(l, &out, &how);
	tap_ok(how == LISTEN_OVER && !out.len, "one more, and it is cut off");
	listener_free(l);
}

/* ---- packets ------------------------------------------------------------------------- */

static struct packet_row some_packet(void)
{
	static const uint8_t src[16] = { [10] = 0xff, 0xff, 198, 51, 100, 7 }, dst[16] = { [10] = 0xff, 0xff, 192, 0, 2, 1 };
	struct packet_row r = {
		1700000000125000000, 7, "reflex.null_scan", "", "BALANCED", "eth0",
		{ .family = TEG_IP4, .proto = 6, .fragment = TEG_WHOLE, .flags = 0x12, .sport = 40000, .dport = 23,
		  .does = TEG_DOES_DROP | TEG_DOES_TELL, .severity = EVENT_HIGH, .since = 3, .frame_len = 60, .ifindex = 2,
		  .head_len = 3, .head = { 2, 0, 0xfe } },
	};

	memcpy(&r.is.src, src, sizeof src);
	memcpy(&r.is.dst, dst, sizeof dst);
	return r;
}

static void packets_have_words(void)
{
	static const struct { const char *claim, *has, *lacks; struct teg_event is; } cases[] = {
		{ "a later fragment has no ports", "\"fragment\":\"later\"", "port", { .family = TEG_IP6, .proto = 17, .fragment = TEG_LATER } },
		{ "an IPv6 address", "\"source\":\"::1\"", "fragment", { .family = TEG_IP6, .proto = 17, .fragment = TEG_WHOLE, .src = { { [15] = 1 } } } },
		{ "a protocol without a name", "\"protocol\":\"99\"", "port", { .family = TEG_IP4, .proto = 99, .fragment = TEG_WHOLE } },
		{ "an ICMP message", "\"icmp_type\":3,\"icmp_code\":1", "flags", { .family = TEG_IP4, .proto = 1, .fragment = TEG_WHOLE, .icmp = 0x301 } },
		{ "no flags", "\"flags\":\"none\"", "severity", { .family = TEG_IP4, .proto = 6, .fragment = TEG_WHOLE } },
		{ "what is no IP has no ends", "\"verdict\":\"goes-on\"", "source", { .ifindex = 9 } },
		{ "an interface without a name has a number", "\"interface\":\"9\"", "blocked_by", { .ifindex = 9 } },
		{ "a SYN that was answered", "\"answered\":true", "event", { .does = TEG_DOES_DROP | TEG_DOES_ANSWER } },
		{ "of one that could not be read there is no port that was not", "\"protocol\":\"tcp\"", "port",
		  { .family = TEG_IP4, .proto = 6, .fragment = TEG_WHOLE, .who = TEG_WHO_CAUSE } },
		{ "nor are there flags", "\"protocol\":\"tcp\"", "flags", { .family = TEG_IP4, .proto = 6, .fragment = TEG_WHOLE, .who = TEG_WHO_CAUSE } },
		{ "but what is in the head", "\"source_port\":9,\"destination_port\":80,\"interface", "flags",
		  { .family = TEG_IP4, .proto = 6, .fragment = TEG_WHOLE, .who = TEG_WHO_CAUSE, .head_len = 38,
		    .head = { [12] = 8, [14] = 0x45, [17] = 24, [23] = 6, [35] = 9, [37] = 80 } } },
		{ "and what the program read of it", "\"icmp_type\":3", "port",
		  { .family = TEG_IP4, .proto = 1, .fragment = TEG_WHOLE, .who = TEG_WHO_CAUSE, .icmp = 0x301 } },
		{ "a source that is blocked from then on", "\"blocks_source\":true", "event", { .does = TEG_DOES_BLOCK } },
	};
	struct packet_row r = some_packet();
	cJSON *data = packet_json(&r);
	own(mem) char *text = cJSON_PrintUnformatted(data);

	cJSON_Delete(data);
	tap_text(text, "{\"time\":\"2023-11-14T22:13:20.125Z\",\"event\":\"reflex.null_scan\",\"severity\":\"high\",\"verdict\":\"drop\","
		 "\"by\":\"reflex.null_scan\",\"source\":\"198.51.100.7\",\"destination\":\"192.0.2.1\",\"protocol\":\"tcp\","
		 "\"source_port\":40000,\"destination_port\":23,\"flags\":\"syn+ack\",\"interface\":\"eth0\",\"posture\":\"BALANCED\","
		 "\"generation\":7,\"packets\":3,\"length\":60,\"head\":\"0200fe\"}", "a packet in words");
	tap_text(packet_event_name(&r), "reflex", "what the policy asks for is a reflex");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct packet_row one = { 0, 1, "", "", "", "", cases[i].is };
		cJSON *said = packet_json(&one);
		own(mem) char *words = cJSON_PrintUnformatted(said);

		cJSON_Delete(said);
		tap_ok(strstr(words, cases[i].has) && !strstr(words, cases[i].lacks), "%s", cases[i].claim);
		tap_text(packet_event_name(&one), "drop", "and what it does not ask for is a drop");
	}
}

static void packets_are_heard(void)
{
	own(events) struct events *e = events_new();
	own(buf) struct buf out = { 0 };
	struct packet_row rows[PACKETS_MAX];
	const struct packets some = { rows, 8 }, many = { rows, PACKETS_MAX };
	enum listening how;

	for (size_t i = 0; i < PACKETS_MAX; i++)
		rows[i] = some_packet();
	events_packets(e, &some);
	struct listener *l = listener_new(e, NULL, wake, NULL);
	hear(l, &out, &how);
	tap_num(out.len, 0, "packets of before are not told");
	woken = 0;
	events_packets(e, &some);
	tap_num(woken, 1, "a sleeper is woken once for all of them");
	happen(e, 1);
	hear(l, &out, &how);
	tap_ok(count(&out, "event: reflex\ndata: {") == 8 && count(&out, "event: change") == 1 && count(&out, "id: ") == 1,
	       "each is told; only the change has an id");
	tap_ok(strstr(buf_text(&out), "event: change") < strstr(buf_text(&out), "event: reflex"), "and comes first");
	for (unsigned i = 0; i < EVENTS_PACKETS / PACKETS_MAX; i++)
		events_packets(e, &many);
	events_packets(e, &some);
	tap_num(events_missed(e), 0, "nobody has missed anything yet");
	hear(l, &out, &how);
	tap_ok(how == LISTEN_WAIT && count(&out, "event: reflex") == EVENTS_PACKETS && count(&out, "event: missed\ndata: {\"packets\":8}") == 1,
	       "who is slow hears how many were missed, and goes on with the oldest there is");
	tap_num(events_missed(e), 8, "and they are counted");
	listener_free(l);
}

static void there_is_room_for_some(void)
{
	own(events) struct events *e = events_new();
	struct listener *all[EVENTS_LISTENERS];
	unsigned taken = 0;

	for (size_t i = 0; i < EVENTS_LISTENERS; i++)
		taken += (all[i] = listener_new(e, NULL, wake, NULL)) != NULL;
	tap_num(taken, EVENTS_LISTENERS, "many may listen");
	tap_ok(!listener_new(e, NULL, wake, NULL), "one more may not");
	listener_free(all[3]);
	all[3] = listener_new(e, NULL, wake, NULL);
	tap_ok(all[3], "until one has gone");
	tap_ok(events_anyone(e), "somebody listens");
	for (size_t i = 0; i < EVENTS_LISTENERS; i++)
		listener_free(all[i]);
	tap_ok(!events_anyone(e), "and then nobody");
}

int main(void)
{
	events_are_heard();
	ids_are_places();
	the_slow_are_cut_off();
	there_is_room_for_some();
	packets_have_words();
	packets_are_heard();
	return tap_done();
}
