/* What the api makes of bodies that change something: postures, blocks, feeds and bundles, right and wrong, before a warden that plays a part. */
#include <cjson/cJSON.h>
#include <fcntl.h>
#include <string.h>

#include "tests/lib/api_stage.h"
#include "tests/lib/tap.h"

/* ---- bodies of POST posture ------------------------------------------------------------------ */

static int post_posture(const struct api_stage *s, struct buf *answer, const char *body, size_t len)
{
	own(buf) struct buf request = { 0 };

	buf_printf(&request, POSTURE JSON_TYPE "Content-Length: %zu\r\n\r\n", len);
	buf_add(&request, body, len);
	return http_ask(answer, api_stage_connect(s, DOOR_UNIX), request.at, request.len);
}

static const struct {
	const char *body;
	int status;
	const char *problem, *field, *detail;
} bodies[] = {
	{ "", 400, "not-json", "", "the text ends" },
	{ "{", 400, "not-json", "", "the text ends" },
	{ "[]", 422, "field", "", "the body is an object" },
	{ "null", 422, "field", "", "the body is an object" },
	{ "{}", 422, "field", "posture", "it is missing" },
	{ "{\"posture\":1}", 422, "field", "posture", "it is a string" },
	{ "{\"posture\":null}", 422, "field", "posture", "it is a string" },
	{ "{\"posture\":\"\"}", 422, "field", "posture", "1 to 64 bytes" },
	{ "{\"posture\":\"A\",\"posture\":\"B\"}", 422, "field", "posture", "twice" },
	{ "{\"posture\":\"A\",\"Reason\":\"B\"}", 422, "field", "Reason", "known here: `posture`" },
	{ "{\"posture\":\"A\",\"reason\":[\"B\"]}", 422, "field", "reason", "it is a string" },
	{ "{\"posture\":\"A\\nB\"}", 422, "field", "posture", "control" },
	{ "{\"posture\":\"A\\u0000B\"}", 400, "not-json", "", "\\u0000" },
	{ "{\"posture\":\"\\ud800\"}", 400, "not-json", "", "surrogate" },
	{ "{\"posture\":\"\\ud800\\u0041\"}", 400, "not-json", "", "surrogate" },
	{ "{\"posture\":\"\xff\"}", 400, "not-json", "", "UTF-8" },
	{ "{\"posture\":\"\xc0\xaf\"}", 400, "not-json", "", "UTF-8" },
	{ "{\"posture\":\"\xed\xa0\x80\"}", 400, "not-json", "", "UTF-8" },
	{ "{\"posture\":\"A\"} x", 400, "not-json", "", "end of the text" },
	{ "{\"posture\":\"A\",}", 400, "not-json", "", "a string" },
	{ "{'posture':'A'}", 400, "not-json", "", "a string" },
	{ "{\"posture\":\"A\"}//", 400, "not-json", "", "end of the text" },
	{ "{\"posture\":01}", 400, "not-json", "", "`,` or `}`" },
	{ "{\"posture\":[[[[[[[[1]]]]]]]]}", 400, "not-json", "", "deeper than 8" },
	{ "\xef\xbb\xbf{\"posture\":\"A\"}", 400, "not-json", "", "a JSON value" },
	{ "{\"posture\":\"A\",\"duration_minutes\":525601}", 422, "field", "duration_minutes", "whole number" },
	{ "{\"posture\":\"A\",\"duration_minutes\":1.5}", 422, "field", "duration_minutes", "whole number" },
	{ "{\"posture\":\"A\",\"duration_minutes\":0}", 422, "field", "duration_minutes", "whole number" },
	{ "{\"posture\":\"A\",\"duration_minutes\":1e400}", 422, "field", "duration_minutes", "whole number" },
	{ "{\"posture\":\"A\",\"duration_minutes\":-1}", 422, "field", "duration_minutes", "whole number" },
};

static const char *member(const cJSON *object, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));

	return text ? text : "";
}

static void wrong_bodies_are_named(struct api_stage *s)
{
	own(buf) struct buf answer = { 0 };
	const unsigned before = s->asked[MESSAGE_SET_POSTURE];

	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		int status = post_posture(s, &answer, bodies[i].body, strlen(bodies[i].body));
		cJSON *problem = cJSON_Parse(http_body(&answer));

		if (!tap_ok(status == bodies[i].status && !strcmp(member(problem, "problem"), bodies[i].problem) &&
			    !strcmp(member(problem, "field"), bodies[i].field) &&
			    strstr(member(problem, "detail"), bodies[i].detail) && *member(problem, "try") &&
			    *member(problem, "title") && strstr(buf_text(&answer), "application/problem+json"),
			    "refused: body %zu, %s %s", i, bodies[i].problem, bodies[i].field))
			tap_note("got %d: %s", status, buf_text(&answer));
		cJSON_Delete(problem);
	}
	tap_num(s->asked[MESSAGE_SET_POSTURE], before, "no wrong body reaches the warden");
}

/* ---- bodies of POST blocks -------------------------------------------------------------------- */

static int post_json(const struct api_stage *s, struct buf *answer, const char *path, const char *body)
{
	own(buf) struct buf request = { 0 };

	buf_printf(&request, "POST %s HTTP/1.1\r\nHost: t\r\nConnection: close\r\n" JSON_TYPE "Content-Length: %zu\r\n\r\n%s", path,
		   strlen(body), body);
	return http_ask_text(answer, api_stage_connect(s, DOOR_UNIX), buf_text(&request));
}

static const struct {
	const char *body;
	int status;
	const char *detail;
} blocks[] = {
	{ "{\"sources\":[\"198.51.100.7\"],\"duration_minutes\":1}", 200, "" },
	{ "{\"sources\":[\"198.51.100.7/32\",\"2001:db8::1\",\"2001:db8:0:1::/64\"],\"duration_minutes\":60,\"reason\":\"x\"}", 200, "" },
	{ "{\"sources\":[\"198.51.100.7\"]}", 422, "duration_minutes: it is missing" },
	{ "{\"duration_minutes\":1}", 422, "sources: it is missing" },
	{ "{\"sources\":[],\"duration_minutes\":1}", 422, "1 to 2048 strings" },
	{ "{\"sources\":\"198.51.100.7\",\"duration_minutes\":1}", 422, "a list of" },
	{ "{\"sources\":{},\"duration_minutes\":1}", 422, "a list of" },
	{ "{\"sources\":[1],\"duration_minutes\":1}", 422, "it is a string" },
	{ "{\"sources\":[[\"198.51.100.7\"]],\"duration_minutes\":1}", 422, "it is a string" },
	{ "{\"sources\":[\"\"],\"duration_minutes\":1}", 422, "1 to 64 bytes" },
	{ "{\"sources\":[\"198.51.100.0/24\",\"2001:db8::/48\",\"::ffff:203.0.113.0/120\"],\"duration_seconds\":30}", 200, "" },
	{ "{\"sources\":[\"2001:db8::7/128\"],\"duration_seconds\":30}", 200, "" },
	{ "{\"sources\":[\"198.51.100.7\"],\"duration_minutes\":525600,\"duration_seconds\":1}", 422, "more than 365 days" },
	{ "{\"sources\":[\"198.51.100.7\"],\"duration_seconds\":0}", 422, "whole number" },
	{ "{\"sources\":[\"198.51.100.7/24\"],\"duration_minutes\":1}", 422, "\"try\":\"198.51.100.0/24\"" },
	{ "{\"sources\":[\"2001:db8::1/64\"],\"duration_minutes\":1}", 422, "\"try\":\"2001:db8::/64\"" },
	{ "{\"sources\":[\"::ffff:203.0.113.1/120\"],\"duration_minutes\":1}", 422, "\"try\":\"203.0.113.0/24\"" },
	{ "{\"sources\":[\"2001:db8:0:1:8000::/65\"],\"duration_minutes\":1}", 422, "\"try\":\"2001:db8:0:1::/64\"" },
	{ "{\"sources\":[\"0.0.0.0/0\"],\"duration_minutes\":1}", 422, "`0.0.0.0/0` is everybody" },
	{ "{\"sources\":[\"::/0\"],\"duration_minutes\":1}", 422, "`::/0` is everybody" },
	{ "{\"sources\":[\"::ffff:0:0/96\"],\"duration_minutes\":1}", 422, "is everybody" },
	{ "{\"sources\":[\"198.51.100.0/33\"],\"duration_minutes\":1}", 422, "no network" },
	{ "{\"sources\":[\"198.51.100.0/\"],\"duration_minutes\":1}", 422, "no network" },
	{ "{\"sources\":[\"198.51.100.0/-1\"],\"duration_minutes\":1}", 422, "no network" },
	{ "{\"sources\":[\"198.51.100.7 \"],\"duration_minutes\":1}", 422, "is no IPv4 or IPv6 address" },
	{ "{\"sources\":[\"198.51.100.07\"],\"duration_minutes\":1}", 422, "is no IPv4 or IPv6 address" },
	{ "{\"sources\":[\"example.org\"],\"duration_minutes\":1}", 422, "is no IPv4 or IPv6 address" },
	{ "{\"sources\":[\"198.51.100.7\",\"x\"],\"duration_minutes\":1}", 422, "`x` is no IPv4 or IPv6 address" },
	{ "{\"sources\":[\"198.51.100.7\"],\"duration_minutes\":0}", 422, "whole number" },
};

static void sources_are_read(struct api_stage *s)
{
	own(buf) struct buf answer = { 0 };
	const unsigned before = s->asked[MESSAGE_BLOCK];

	for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
		int status = post_json(s, &answer, "/api/tegumentar/blocks", blocks[i].body);

		if (!tap_ok(status == blocks[i].status && strstr(http_body(&answer), blocks[i].detail), "%s: %d", blocks[i].body,
			    blocks[i].status))
			tap_note("got %d: %s", status, http_body(&answer));
	}
	tap_num(s->asked[MESSAGE_BLOCK] - before, 4, "the warden hears of the right ones");
	tap_num(post_json(s, &answer, "/api/tegumentar/blocks", blocks[1].body), 200, "three sources");
	tap_ok(s->blocked_count == 3 && s->seconds == 3600 && s->blocked_last.addr.family == FAMILY_IP6 && s->blocked_last.len == 64 &&
	       s->blocked_last.addr.num == (addr_num)0x20010db800000001 << 64, "it hears of all of them, and for how long");
	tap_num(post_json(s, &answer, "/api/tegumentar/blocks", "{\"sources\":[\"198.51.100.7\",\"2001:db8::1\",\"198.51.100.7/32\",\"198.51.100.0/24\","
			  "\"2001:db8::2\",\"::ffff:198.51.100.7\"],\"duration_minutes\":1}"), 200, "the same in other words");
	tap_ok(s->blocked_count == 3 && s->blocked_last.len == 24, "it hears of each once, in their order");
	tap_num(post_json(s, &answer, "/api/tegumentar/blocks", "{\"sources\":[\"::ffff:203.0.113.0/120\"],\"duration_minutes\":1,\"duration_seconds\":5}"),
		200, "a network, for a time of minutes and seconds");
	tap_ok(s->seconds == 65 && s->blocked_last.addr.family == FAMILY_IP4 && s->blocked_last.len == 24 && s->blocked_last.addr.num == 0xcb007100,
	       "is that of IPv4, for both together");
	tap_num(post_json(s, &answer, "/api/tegumentar/blocks/remove", "{\"sources\":[\"198.51.100.7\"]}"), 200, "a block is taken back");
	tap_num(s->seconds, 0, "without a time");
	tap_num(post_json(s, &answer, "/api/tegumentar/blocks/remove", "{\"sources\":[\"198.51.100.7\"],\"duration_minutes\":1}"), 422,
		"which has no place there");
}

static const struct {
	const char *head, *body;
	int status;
	const char *detail;
} feeds[] = {
	{ "Feed: drop\r\n", "198.51.100.7\n2001:db8::/32\n", 200, "" },
	{ "Feed: more\r\n", "x,198.51.100.7\n", 200, "" },
	{ "Feed: drop\r\n", "", 422, "as after a download that failed" },
	{ "Feed: drop\r\n", "198.51.100.7\nx\n", 422, "line 2: `x` is no address or prefix" },
	{ "Feed: drop\r\n", "192.0.2.1\n192.0.2.2\n192.0.2.3\n192.0.2.4\n", 422, "more than 3 entries" },
	{ "Feed: none\r\n", "198.51.100.7\n", 422, "no feed none" },
	{ "", "198.51.100.7\n", 422, "Feed: the head must say which feed" },
};

static void feeds_are_read(struct api_stage *s)
{
	own(buf) struct buf answer = { 0 };
	const unsigned before = s->asked[MESSAGE_FEED];

	for (size_t i = 0; i < ARRAY_LEN(feeds); i++) {
		own(buf) struct buf ask = { 0 };

		buf_printf(&ask, HEAD_OF("POST", "/api/tegumentar/feeds/load") "%sContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n%s",
			   feeds[i].head, strlen(feeds[i].body), feeds[i].body);
		int status = http_ask_text(&answer, api_stage_connect(s, DOOR_UNIX), buf_text(&ask));
		if (!tap_ok(status == feeds[i].status && strstr(http_body(&answer), feeds[i].detail), "feed %zu: %d", i, feeds[i].status))
			tap_note("got %d: %s", status, http_body(&answer));
		if (!i)
			tap_ok(!strcmp(s->feed, "drop") && s->feed_entries == 2, "the warden hears which, and how many");
	}
	tap_num(s->asked[MESSAGE_FEED] - before, 2, "the warden hears of the right ones");
	tap_num(post_json(s, &answer, "/api/tegumentar/feeds/clear", "{\"name\":\"more\"}"), 200, "a feed is cleared");
	tap_ok(!strcmp(s->feed, "more") && !s->feed_entries, "of which the warden hears");
}

static void set_result(struct api_stage *s, enum result_code code)
{
	pthread_mutex_lock(&s->lock);
	s->play.result = (struct result){ code, code == RESULT_OK ? "" : "xdp", "a sentence", 4, "BALANCED", .tests_run = 2, .tests_left = 1 };
	pthread_mutex_unlock(&s->lock);
}

static void places_are_told(struct api_stage *s)
{
	static struct prefix none[] = { { { FAMILY_IP4, 0xc6336407 }, 32 }, { { FAMILY_IP4, 0xcb007100 }, 24 } };
	own(buf) struct buf answer = { 0 };

	set_result(s, RESULT_REFUSED);
	tap_num(post_json(s, &answer, "/api/tegumentar/blocks", blocks[0].body), 422, "blocks are refused");
	tap_ok(!strstr(http_body(&answer), "no_place"), "for something else than places");
	pthread_mutex_lock(&s->lock);
	s->play.result.no_place = none;
	s->play.result.no_place_count = 2;
	pthread_mutex_unlock(&s->lock);
	tap_num(post_json(s, &answer, "/api/tegumentar/blocks", blocks[0].body), 422, "or for places");
	tap_ok(strstr(http_body(&answer), "\"problem\":\"refused\"") && strstr(http_body(&answer), "\"no_place\":[\"198.51.100.7\",\"203.0.113.0/24\"]"),
	       "which names all that have none");
	set_result(s, RESULT_OK);
}

static void postures_switch(struct api_stage *s)
{
	static const char body[] = " {\"reason\": \"na\\u00efve \\ud83d\\ude00\", \"posture\": \"LOCKDOWN\"}\r\n";
	static const char ends[] = "{\"posture\":\"LOCKDOWN\",\"duration_minutes\":5}";
	own(buf) struct buf answer = { 0 };

	set_result(s, RESULT_OK);
	tap_num(post_posture(s, &answer, body, strlen(body)), 200, "a posture is switched to");
	tap_text(http_body(&answer), "{\"result\":\"active\",\"detail\":\"a sentence\",\"generation\":4,"
		 "\"posture\":\"BALANCED\",\"pending_until\":null,\"tests\":{\"run\":2,\"not_run\":1},\"not_blocked\":[],\"still_blocked\":[]}", "and the answer says what is active");
	tap_text(s->posture, "LOCKDOWN", "the warden was asked for it");
	tap_text(s->reason, "na\xc3\xafve \xf0\x9f\x98\x80", "with the reason");
	tap_num(s->seconds, 0, "and no end");
	buf_release(&answer);
	post_posture(s, &answer, ends, strlen(ends));
	tap_num(s->seconds, 300, "five minutes are 300 seconds");
}

static void outcomes_are_told(struct api_stage *s)
{
	static const struct { enum result_code code; int status; const char *problem; } outcomes[] = {
		{ RESULT_REFUSED, 422, "\"problem\":\"refused\"" },
		{ RESULT_CANNOT, 422, "\"problem\":\"host-cannot\"" },
		{ RESULT_CONFLICT, 409, "\"problem\":\"conflict\"" },
		{ RESULT_FAILED, 500, "\"problem\":\"failed\"" },
		{ RESULT_STALE, 412, "\"problem\":\"stale\"" },
	};
	own(buf) struct buf answer = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
		set_result(s, outcomes[i].code);
		tap_num(post_posture(s, &answer, "{\"posture\":\"X\"}", 15), outcomes[i].status, outcomes[i].problem);
		tap_ok(strstr(http_body(&answer), outcomes[i].problem) &&
		       strstr(http_body(&answer), "\"part\":\"xdp\"") &&
		       strstr(http_body(&answer), "\"detail\":\"a sentence\""), "with part and reason");
	}
	set_result(s, RESULT_OK);
}

/* ---- bundles ------------------------------------------------------------------------------------ */

static int post_bundle(const struct api_stage *s, struct buf *answer, size_t len)
{
	own(buf) struct buf request = { 0 };

	buf_printf(&request, HEAD_OF("POST", "/api/tegumentar/policy")
		   "If-Match: *\r\nContent-Type: application/octet-stream\r\nContent-Length: %zu\r\n\r\n", len);
	buf_puts(&request, "bundle!");
	for (size_t i = 7; i < len; i++)
		buf_putc(&request, (char)i);
	return http_ask(answer, api_stage_connect(s, DOOR_UNIX), request.at, request.len);
}

static void bundles_arrive(struct api_stage *s)
{
	own(buf) struct buf answer = { 0 };

	tap_num(post_bundle(s, &answer, 3000000), 200, "a bundle is applied");
	tap_num(s->bundle_len, 3000000, "the warden got all of it");
	tap_ok(!strncmp(s->bundle_head, "bundle!", 7), "from its beginning");
	tap_ok((s->bundle_seals & (F_SEAL_WRITE | F_SEAL_SHRINK)) == (F_SEAL_WRITE | F_SEAL_SHRINK),
	       "and nobody can change it any more");
	tap_num(s->bundle_downgrade, 0, "a downgrade is not asked for");
	set_result(s, RESULT_REFUSED);
	tap_num(post_bundle(s, &answer, 7), 422, "a bundle is refused");
	set_result(s, RESULT_OK);
}

static int post_with(struct api_stage *s, const char *header)
{
	own(buf) struct buf answer = { 0 }, request = { 0 };

	buf_printf(&request, HEAD_OF("POST", "/api/tegumentar/policy") "If-Match: *\r\n"
		   "Content-Type: application/octet-stream\r\n%s\r\nContent-Length: 2\r\n\r\nab", header);
	return http_ask(&answer, api_stage_connect(s, DOOR_UNIX), request.at, request.len);
}

static void downgrades_are_asked_for(struct api_stage *s)
{
	const unsigned before = s->asked[MESSAGE_APPLY];

	tap_num(post_with(s, "Allow-Downgrade: yes"), 200, "a downgrade may be asked for");
	tap_num(s->bundle_downgrade, 1, "and the warden hears it");
	tap_num(post_with(s, "Allow-Downgrade: 1"), 422, "in one word only");
	tap_num(s->asked[MESSAGE_APPLY] - before, 1, "else the warden is not asked");
}

static void changes_say_whose_they_are(struct api_stage *s)
{
	own(buf) struct buf answer = { 0 };

	http_ask_text(&answer, api_stage_connect(s, DOOR_TCP), POLICY "If-Match: \"3-ab12\"\r\n" BEARER STAGE_TOKEN
		      "\r\n\r\nab");
	tap_text(s->base, "3-ab12", "the base of a change reaches the warden");
	tap_text(s->who, "token rule (policy-admin)", "and so does who asks");
	tap_ok(!strncmp(s->from, "127.0.0.1:", 10) && s->from[10], "and from where (%s)", s->from);
	http_ask_text(&answer, api_stage_connect(s, DOOR_UNIX), POLICY "If-Match: *\r\n\r\nab");
	tap_text(s->base, "", "any base is none in particular");
	tap_text(s->from, "unix", "over the Unix socket");
}

static void changes_may_have_to_be_confirmed(struct api_stage *s)
{
	own(buf) struct buf answer = { 0 };
	struct timespec before, after;

	http_ask_text(&answer, api_stage_connect(s, DOOR_UNIX), POLICY "If-Match: *\r\nConfirm-Seconds: 60\r\n\r\nab");
	tap_num(s->confirm, 60, "a change that must be confirmed within 60 s");
	pthread_mutex_lock(&s->lock);
	s->play.result.pending_until = 1700000000;
	pthread_mutex_unlock(&s->lock);
	http_ask_text(&answer, api_stage_connect(s, DOOR_UNIX), HEAD_OF("POST", "/api/tegumentar/rollback") "If-Match: *\r\n"
		      JSON_TYPE "Content-Length: 38\r\n\r\n{\"generation\":7,\"confirm_seconds\":300}");
	tap_ok(s->to == 7 && s->confirm == 300, "a rollback, too");
	tap_ok(strstr(http_body(&answer), "\"result\":\"pending-confirm\"") &&
	       strstr(http_body(&answer), "\"pending_until\":\"2023-11-14T22:13:20Z\""), "the answer says that it waits, and until when");
	set_result(s, RESULT_OK);
	clock_gettime(CLOCK_BOOTTIME, &before);
	int fd = api_stage_connect(s, DOOR_UNIX);
	nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
	clock_gettime(CLOCK_BOOTTIME, &after);
	tap_num(http_ask_text(&answer, fd, HEAD_OF("POST", "/api/tegumentar/confirm") "If-Match: \"3-ab12\"\r\nContent-Length: 0\r\n\r\n"),
		200, "a confirmation");
	tap_ok(s->opened_ns >= (uint64_t)before.tv_sec * 1000000000 + (uint64_t)before.tv_nsec &&
	       s->opened_ns < (uint64_t)after.tv_sec * 1000000000 + (uint64_t)after.tv_nsec, "says when its connection was opened");
	tap_text(s->base, "3-ab12", "and which generation it means");
}

static int begin_bundle(const struct api_stage *s)
{
	static const char head[] = HEAD_OF("POST", "/api/tegumentar/policy") "If-Match: *\r\n"
		"Content-Type: application/octet-stream\r\nContent-Length: 1000000\r\n\r\nsome of it";
	int fd = api_stage_connect(s, DOOR_UNIX);

	tap_ok(write(fd, head, sizeof head - 1) == sizeof head - 1, "a bundle begins to arrive");
	return fd;
}

/* Each may hold 256 MiB of memory, so that few may come at once; and those that break off give their place back. */
static void few_bundles_at_once(struct api_stage *s)
{
	own(buf) struct buf answer = { 0 };
	const unsigned before = s->asked[MESSAGE_APPLY];
	int first = begin_bundle(s), second = begin_bundle(s), status = 0;

	nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
	tap_num(post_bundle(s, &answer, 10), 503, "a third at once is too many");
	tap_ok(strstr(buf_text(&answer), "Retry-After: 1\r\n"), "and may come again");
	close(first);
	close(second);
	for (int i = 0; i < 100 && status != 200; i++) {
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
		status = post_bundle(s, &answer, 10);
	}
	tap_num(status, 200, "when the first two have broken off, there is room");
	tap_num(s->asked[MESSAGE_APPLY] - before, 1, "and half a bundle never reaches the warden");
}

int main(void)
{
	struct api_stage *s = api_stage_new();

	wrong_bodies_are_named(s);
	postures_switch(s);
	sources_are_read(s);
	places_are_told(s);
	feeds_are_read(s);
	outcomes_are_told(s);
	bundles_arrive(s);
	downgrades_are_asked_for(s);
	changes_say_whose_they_are(s);
	changes_may_have_to_be_confirmed(s);
	few_bundles_at_once(s);
	tap_num(api_stage_end(s), 0, "the api ends well, and leaks nothing");
	return tap_done();
}
