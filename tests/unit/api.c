/* What the api answers, over both doors, to right and wrong requests, before a warden that plays a part; changes are in api_changes.c. */
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/wait.h>

#include "enforcer/api/link.h"
#include "enforcer/api/routes/route.h"
#include "lang/base/clock.h"
#include "tests/lib/api_stage.h"
#include "tests/lib/tap.h"

/* ---- rows: a request, the status, what the answer holds ------------------------------------ */

static const struct row {
	const char *claim;
	enum stage_door door;
	const char *request;
	int status;
	const char *holds;
} table[] = {
	{ "alive", DOOR_UNIX, GET("/healthz"), 200, "{\"status\":\"ok\"}" },
	{ "alive, by its old name", DOOR_UNIX, GET("/health"), 200, "{\"status\":\"ok\"}" },
	{ "alive needs no token", DOOR_TCP, GET("/healthz"), 200, "ok" },
	{ "ready", DOOR_UNIX, GET("/readyz"), 200, "\"status\":\"ready\"" },
	{ "status: a number no double holds", DOOR_UNIX, GET("/api/tegumentar/status"), 200,
	  "\"generation\":9007199254740993," },
	{ "status: the reason, quoted", DOOR_UNIX, GET("/api/tegumentar/status"), 200,
	  "\"posture_reason\":\"back to \\\"normal\\\"\xc3\xa9\"" },
	{ "status: times in UTC", DOOR_UNIX, GET("/api/tegumentar/status"), 200,
	  "\"posture_since\":\"2023-11-14T22:13:20Z\",\"posture_until\":\"2023-11-14T23:13:20Z\",\"posture_next\":\"CALM\"" },
	{ "status: a program's tag", DOOR_UNIX, GET("/api/tegumentar/status"), 200,
	  "\"program_tag\":\"b0a1c2d3e4f50617\"" },
	{ "status: a name that is no UTF-8", DOOR_UNIX, GET("/api/tegumentar/status"), 200,
	  "\"name\":\"weird\\\"\xef\xbf\xbd\\n\"" },
	{ "metrics: a rule", DOOR_UNIX, GET("/metrics"), 200,
	  "tegumentar_rule_packets_total{id=\"BALANCED.web_in\",layer=\"posture\",verdict=\"allow\","
	  "posture=\"BALANCED\"} 100\n" },
	{ "metrics: an id that needs escapes", DOOR_UNIX, GET("/metrics"), 200,
	  "{id=\"odd \\\"id\\\"\\\\\\n\",layer=\"block\",verdict=\"reject\",posture=\"\"} 18446744073709551615\n" },
	{ "metrics: a cause that the posture lets go on", DOOR_UNIX, GET("/metrics"), 200,
	  "tegumentar_unjudged_packets_total{cause=\"vlan-depth\",verdict=\"allow\"} 3\n" },
	{ "metrics: a cause", DOOR_UNIX, GET("/metrics"), 200,
	  "tegumentar_unjudged_packets_total{cause=\"short-ip\",verdict=\"drop\"} 11\n" },
	{ "metrics: the posture", DOOR_UNIX, GET("/metrics"), 200,
	  "tegumentar_posture{posture=\"LOCKDOWN\"} 0\ntegumentar_posture{posture=\"BALANCED\"} 1\n" },
	{ "a head alone", DOOR_UNIX, HEAD_OF("HEAD", "/api/tegumentar/status") "\r\n", 200, "application/json" },
	{ "never cached", DOOR_UNIX, GET("/healthz"), 200, "Cache-Control: no-store\r\n" },

	{ "a playbook", DOOR_UNIX, HEAD_OF("POST", "/api/tegumentar/wound-healing") JSON_TYPE "Content-Length: 34\r\n\r\n"
	  "{\"playbook\":\"x\",\"context\":{\"a\":1}}", 501, "\"problem\":\"no-healer\"" },
	{ "its context is an object", DOOR_UNIX, HEAD_OF("POST", "/api/tegumentar/wound-healing") JSON_TYPE "Content-Length: 28\r\n\r\n"
	  "{\"playbook\":\"x\",\"context\":1}", 422, "\"field\":\"context\"" },
	{ "no such path", DOOR_UNIX, GET("/nothing"), 404, "\"problem\":\"not-found\"" },
	{ "a path is one spelling", DOOR_UNIX, GET("/%68ealthz"), 404, "\"problem\":\"not-found\"" },
	{ "nothing hides behind an escaped NUL", DOOR_UNIX, GET("/healthz%00"), 404, "not-found" },
	{ "no path below a path", DOOR_UNIX, GET("/healthz/"), 404, "not-found" },
	{ "wrong method", DOOR_UNIX, HEAD_OF("DELETE", "/metrics") "\r\n", 405, "Allow: GET, HEAD\r\n" },
	{ "GET where POST is", DOOR_UNIX, GET("/api/tegumentar/confirm"), 405, "Allow: POST\r\n" },
	{ "no parameters", DOOR_UNIX, GET("/metrics?all=1"), 400, "unknown-parameter" },
	{ "GET takes no body", DOOR_UNIX, HEAD_OF("GET", "/healthz") "Content-Length: 2\r\n\r\n{}", 413, "too-large" },

	{ "no token", DOOR_TCP, GET("/api/tegumentar/status"), 401, "WWW-Authenticate: Bearer" },
	{ "a wrong token", DOOR_TCP, HEAD_OF("GET", "/metrics") BEARER "wrong\r\n\r\n", 401, "no-token" },
	{ "a token's beginning", DOOR_TCP, HEAD_OF("GET", "/metrics") BEARER "correct-horse\r\n\r\n", 401, "no-token" },
	{ "a token and more", DOOR_TCP, HEAD_OF("GET", "/metrics") BEARER STAGE_TOKEN "x\r\n\r\n", 401, "no-token" },
	{ "another scheme", DOOR_TCP, HEAD_OF("GET", "/metrics") "Authorization: Basic " STAGE_TOKEN "\r\n\r\n", 401,
	  "no-token" },
	{ "the token", DOOR_TCP, HEAD_OF("GET", "/readyz") BEARER STAGE_TOKEN "\r\n\r\n", 200, "ready" },
	{ "the scheme in any case", DOOR_TCP, HEAD_OF("GET", "/readyz") "authorization: bEARER " STAGE_TOKEN "\r\n\r\n",
	  200, "ready" },
	{ "no token, and a body", DOOR_TCP, POSTURE JSON_TYPE "Content-Length: 2\r\n\r\n{}", 401, "no-token" },

	{ "status has a tag", DOOR_UNIX, GET("/api/tegumentar/status"), 200, "ETag: \"9007199254740993-ab12\"\r\n" },
	{ "and says it", DOOR_UNIX, GET("/api/tegumentar/status"), 200, "\"tag\":\"9007199254740993-ab12\"" },
	{ "a policy must say its base", DOOR_UNIX, POLICY "\r\nab", 428, "no-precondition" },
	{ "a tag has quotes", DOOR_UNIX, POLICY "If-Match: 3-ab\r\n\r\nab", 422, "\"field\":\"If-Match\"" },
	{ "both", DOOR_UNIX, POLICY "If-Match: \"3-ab\r\n\r\nab", 422, "\"field\":\"If-Match\"" },
	{ "and something between", DOOR_UNIX, POLICY "If-Match: \"\"\r\n\r\nab", 422, "\"field\":\"If-Match\"" },
	{ "one tag stands there", DOOR_UNIX, POLICY "If-Match: \"3-ab\", \"4-ab\"\r\n\r\nab", 422, "If-Match" },
	{ "a weak one is none", DOOR_UNIX, POLICY "If-Match: W/\"3-ab\"\r\n\r\nab", 422, "If-Match" },
	{ "looking takes none", DOOR_UNIX, HEAD_OF("GET", "/api/tegumentar/status") "If-Match: *\r\n\r\n", 422,
	  "takes none" },

	{ "the audit log, whole lines of it", DOOR_UNIX, GET("/api/tegumentar/audit"), 200, "Content-Length: 10\r\n\r\n{\"seq\":1}\n" },
	{ "as lines of JSON", DOOR_UNIX, GET("/api/tegumentar/audit"), 200, "application/x-ndjson" },

	{ "the socket is localhost", DOOR_UNIX, "GET /readyz HTTP/1.1\r\nHost: localhost:8080\r\nConnection: close\r\n\r\n", 200, "" },
	{ "or its address", DOOR_UNIX, "GET /readyz HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nConnection: close\r\n\r\n", 200, "" },
	{ "in either writing", DOOR_UNIX, "GET /readyz HTTP/1.1\r\nHost: [::1]:8080\r\nConnection: close\r\n\r\n", 200, "" },
	{ "a page from elsewhere cannot ask it", DOOR_UNIX, "GET /readyz HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
	  421, "misdirected" },
	{ "whatever its name begins with", DOOR_UNIX, "GET /readyz HTTP/1.1\r\nHost: 127.evil.example\r\nConnection: close\r\n\r\n",
	  421, "misdirected" },
	{ "the console", DOOR_UNIX, GET("/console"), 200, "Content-Security-Policy: default-src 'none'; script-src 'self'; " },
	{ "is for all, and holds nothing", DOOR_TCP, GET("/console.js"), 200, "text/javascript" },

	{ "blocks are listed", DOOR_UNIX, GET("/api/tegumentar/blocks"), 200,
	  "{\"blocks\":[{\"source\":\"198.51.100.7\",\"until\":\"2023-11-14T22:13:20Z\",\"by\":\"person\"},"
	  "{\"source\":\"2001:db8:0:1::/64\",\"until\":\"2023-11-14T22:14:20Z\",\"by\":\"reflex.syn_flood\"}],\"total\":5}" },

	{ "history", DOOR_UNIX, GET("/api/tegumentar/history"), 200,
	  "{\"generation\":2,\"bundle\":\"ab12\",\"policy\":\"edge\",\"version\":\"3.2.0\",\"serial\":7,"
	  "\"at\":\"2023-11-14T22:13:20Z\",\"how\":\"rollback\",\"of\":1,\"result\":\"pending\"}" },
	{ "a confirmation needs its base", DOOR_UNIX, HEAD_OF("POST", "/api/tegumentar/confirm") "Content-Length: 0\r\n\r\n", 428,
	  "no-precondition" },
	{ "and so does a cancellation", DOOR_UNIX, HEAD_OF("POST", "/api/tegumentar/cancel") "Content-Length: 0\r\n\r\n", 428, "" },
	{ "a time to confirm in is a number", DOOR_UNIX, POLICY "If-Match: *\r\nConfirm-Seconds: 1x\r\n\r\nab", 422, "Confirm-Seconds" },
	{ "from one second", DOOR_UNIX, POLICY "If-Match: *\r\nConfirm-Seconds: 0\r\n\r\nab", 422, "from 1 to 86400" },
	{ "to a day", DOOR_UNIX, POLICY "If-Match: *\r\nConfirm-Seconds: 86401\r\n\r\nab", 422, "from 1 to 86400" },

	{ "no media type", DOOR_UNIX, POSTURE "Content-Length: 2\r\n\r\n{}", 415, "application/json" },
	{ "a form", DOOR_UNIX, POSTURE "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=b",
	  415, "media-type" },
	{ "a chunked body", DOOR_UNIX, POSTURE JSON_TYPE "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 411,
	  "length-required" },
	{ "too large a body, before it comes", DOOR_UNIX, POSTURE JSON_TYPE "Content-Length: 65537\r\n\r\n", 413, "65536" },
	{ "too large a bundle, before it comes", DOOR_UNIX, HEAD_OF("POST", "/api/tegumentar/policy")
	  "Content-Type: application/octet-stream\r\nContent-Length: 268435457\r\n\r\n", 413, "268435456" },
	{ "a length beyond all numbers", DOOR_UNIX, POSTURE JSON_TYPE "Content-Length: 99999999999999999999\r\n\r\n", 413,
	  "" },
	{ "a length that is no number", DOOR_UNIX, POSTURE JSON_TYPE "Content-Length: 2x\r\n\r\n{}", 400, "" },
	{ "no Host", DOOR_UNIX, "GET /healthz HTTP/1.1\r\n\r\n", 400, "" },
	{ "no HTTP", DOOR_UNIX, "hello\r\n\r\n", 0, "" },
};

static void rows_hold(const struct api_stage *s)
{
	own(buf) struct buf answer = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const struct row *r = &table[i];
		int status = http_ask_text(&answer, api_stage_connect(s, r->door), r->request);

		if (!tap_ok(status == r->status && strstr(buf_text(&answer), r->holds), "%s: %d", r->claim, r->status))
			tap_note("got %d: %s", status, buf_text(&answer));
	}
}

/* ---- readiness ------------------------------------------------------------------------------------- */

static void readiness_has_reasons(struct api_stage *s)
{
	own(buf) struct buf answer = { 0 };
	const struct status was = s->play.status;

	pthread_mutex_lock(&s->lock);
	s->play.status.intact = 0;
	s->play.status.fault = "table inet tegumentar is gone";
	pthread_mutex_unlock(&s->lock);
	tap_num(http_ask_text(&answer, api_stage_connect(s, DOOR_UNIX), GET("/readyz")), 503, "not intact: not ready");
	tap_ok(strstr(http_body(&answer), "table inet tegumentar is gone"), "and says which part");

	pthread_mutex_lock(&s->lock);
	s->play.status.unknown_since = 1700000040;
	pthread_mutex_unlock(&s->lock);
	tap_num(http_ask_text(&answer, api_stage_connect(s, DOOR_UNIX), GET("/readyz")), 503, "not known whether intact: not ready");
	tap_ok(strstr(http_body(&answer), "not known to be those of generation"), "and says so");
	tap_num(http_ask_text(&answer, api_stage_connect(s, DOOR_UNIX), GET("/api/tegumentar/status")), 200, "status has it");
	tap_ok(strstr(http_body(&answer), "\"intact\":null,\"unknown_since\":\"2023-11-14T22:14:00Z\""), "neither as true nor as false, and since when");
	tap_num(http_ask_text(&answer, api_stage_connect(s, DOOR_UNIX), GET("/metrics")), 200, "metrics have it");
	tap_ok(strstr(http_body(&answer), "tegumentar_intact 0\n") && strstr(http_body(&answer), "tegumentar_intact_unknown 1\n"), "as not intact, and not known");

	pthread_mutex_lock(&s->lock);
	s->play.status.unknown_since = 0;
	s->play.status.generation = 0;
	pthread_mutex_unlock(&s->lock);
	tap_num(http_ask_text(&answer, api_stage_connect(s, DOOR_UNIX), GET("/readyz")), 503, "no policy: not ready");
	tap_ok(strstr(http_body(&answer), "tegctl apply"), "and says what to do");
	tap_num(http_ask_text(&answer, api_stage_connect(s, DOOR_UNIX), GET("/api/tegumentar/status")), 200,
		"status without a policy");
	tap_ok(strstr(http_body(&answer), "\"policy\":null"), "has none");

	pthread_mutex_lock(&s->lock);
	s->play.status = was;
	pthread_mutex_unlock(&s->lock);
}

/* ---- the peer -------------------------------------------------------------------------------------- */

/* In a child that is someone else; 0 when it cannot be. */
static int status_as(const struct api_stage *s, const char *request, uid_t uid, gid_t gid, gid_t extra)
{
	int ends[2], status = 0;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC))
		return 0;
	child = fork();
	if (!child) {
		struct buf answer = { 0 };

		if (!setgroups(extra ? 1 : 0, &extra) && !setresgid(gid, gid, gid) && !setresuid(uid, uid, uid))
			status = http_ask_text(&answer, api_stage_connect(s, DOOR_UNIX), request);
		_exit(write(ends[1], &status, sizeof status) != sizeof status);
	}
	close(ends[1]);
	if (read(ends[0], &status, sizeof status) != sizeof status)
		status = 0;
	close(ends[0]);
	waitpid(child, NULL, 0);
	return status;
}

/* ---- roles ------------------------------------------------------------------------------------------ */

static const struct {
	const char *name, *token;
	enum access role;
	uid_t uid; /* on the Unix socket */
	gid_t gid;
} callers[] = {
	{ "nobody", "", ACCESS_ANYONE, 4000, 5000 },
	{ "viewer", STAGE_VIEWER, ACCESS_VIEWER, 4001, 5000 },
	{ "operator", STAGE_OPERATOR, ACCESS_OPERATOR, 4002, 5000 },
	{ "policy-admin", STAGE_TOKEN, ACCESS_POLICY_ADMIN, 0, 0 },
};

static void ask_as(struct buf *request, const struct route *r, const char *token)
{
	/* A HEAD is judged as a GET, and ends where an answer goes on for ever. */
	buf_printf(request, "%s %s HTTP/1.1\r\nHost: t\r\nConnection: close\r\n",
		   r->method == METHOD_GET ? "HEAD" : method_name(r->method), r->path);
	if (r->base == BASE_MUST)
		buf_puts(request, "If-Match: *\r\n");
	if (*token)
		buf_printf(request, "Authorization: Bearer %s\r\n", token);
	if (r->body != BODY_NONE)
		buf_printf(request, "Content-Type: %s\r\nContent-Length: 2\r\n\r\n{}", body_name(r->body));
	else
		buf_puts(request, "\r\n");
}

static void judge_role(const struct route *r, size_t caller, int status, const char *door)
{
	const bool refused = status == 401 || status == 403;

	tap_ok(status && refused == (callers[caller].role < r->access), "%s %s %s over %s: %s (%d)", callers[caller].name,
	       callers[caller].role < r->access ? "may not" : "may", r->name, door, access_name(r->access), status);
}

/* Every route, every role, both doors: what a role must not have, it has not. */
static void roles_hold(const struct api_stage *s)
{
	for (size_t i = 0; i < ROUTE_COUNT; i++)
		for (size_t c = 0; c < ARRAY_LEN(callers); c++) {
			own(buf) struct buf request = { 0 }, plain = { 0 }, answer = { 0 };

			ask_as(&request, &routes[i], callers[c].token);
			judge_role(&routes[i], c, http_ask_text(&answer, api_stage_connect(s, DOOR_TCP), buf_text(&request)),
				   "TCP");
			if (geteuid()) {
				tap_skip("needs root", "a role over the Unix socket");
				continue;
			}
			ask_as(&plain, &routes[i], "");
			judge_role(&routes[i], c, status_as(s, buf_text(&plain), callers[c].uid, callers[c].gid, 0), "Unix");
		}
}

static void refusals_say_who(const struct api_stage *s)
{
	own(buf) struct buf answer = { 0 };

	http_ask_text(&answer, api_stage_connect(s, DOOR_TCP), HEAD_OF("POST", "/api/tegumentar/posture") BEARER STAGE_VIEWER
		      "\r\n" JSON_TYPE "Content-Length: 2\r\n\r\n{}");
	tap_ok(strstr(http_body(&answer), "needs the role operator; token look has the role viewer"),
	       "a refusal says who asked, which role they have, and which is needed");
	tap_ok(!strstr(buf_text(&answer), STAGE_VIEWER), "but not the token");
}

static void peers_are_known(const struct api_stage *s)
{
	own(buf) struct buf answer = { 0 };

	if (geteuid()) {
		tap_skip("needs root", "peers are known");
		return;
	}
	tap_num(status_as(s, GET("/readyz"), 65534, 65534, 0), 403, "a stranger is refused");
	tap_num(status_as(s, GET("/readyz"), 65534, getegid(), 0), 200, "one in the socket's group is not");
	tap_num(status_as(s, GET("/readyz"), 65534, 65534, 5001), 200, "nor one of a group that is listed");
	tap_num(status_as(s, POSTURE JSON_TYPE "Content-Length: 2\r\n\r\n{}", 65534, 65534, 5001), 422,
		"who has the highest role that it is listed with");
	tap_num(status_as(s, POSTURE JSON_TYPE "Content-Length: 2\r\n\r\n{}", 4001, getegid(), 0), 403,
		"a list outranks the socket's group");
	tap_num(http_ask_text(&answer, api_stage_connect(s, DOOR_UNIX), GET("/readyz")), 200, "nor is root");
}

/* ---- time --------------------------------------------------------------------------------------------- */

static double seconds_for(const struct api_stage *s, const char *request, int *status)
{
	own(buf) struct buf answer = { 0 };
	uint64_t from = clock_ns(CLOCK_MONOTONIC);

	*status = http_ask_text(&answer, api_stage_connect(s, DOOR_UNIX), request);
	return (double)(clock_ns(CLOCK_MONOTONIC) - from) / 1e9;
}

static void health_answers_while_the_warden_works(struct api_stage *s)
{
	const unsigned before = s->asked[MESSAGE_ASK_STATUS];
	int waiting[20];
	int status;

	s->play.delay_ms = 1500;
	for (size_t i = 0; i < ARRAY_LEN(waiting); i++) {
		waiting[i] = api_stage_connect(s, DOOR_UNIX);
		tap_ok(write(waiting[i], GET("/api/tegumentar/status"), strlen(GET("/api/tegumentar/status"))) > 0,
		       "client %zu asks for the status", i);
	}
	double took = seconds_for(s, GET("/healthz"), &status);
	tap_ok(status == 200 && took < 0.2, "meanwhile healthz answers at once (%.3f s)", took);

	unsigned answered = 0;
	for (size_t i = 0; i < ARRAY_LEN(waiting); i++) {
		own(buf) struct buf answer = { 0 };
		answered += http_ask(&answer, waiting[i], "", 0) == 200;
	}
	s->play.delay_ms = 0;
	tap_num(answered, ARRAY_LEN(waiting), "all who asked for the status are answered");
	tap_ok(s->asked[MESSAGE_ASK_STATUS] - before <= 3, "with %u questions to the warden for 20 clients",
	       s->asked[MESSAGE_ASK_STATUS] - before);
}

static void silence_is_told(struct api_stage *s)
{
	int status;

	pthread_mutex_lock(&s->lock);
	s->play.mute = true;
	pthread_mutex_unlock(&s->lock);
	double took = seconds_for(s, GET("/api/tegumentar/status"), &status);
	tap_ok(status == 504 && took > 4 && took < 7, "a warden that does not answer: 504 after %.1f s", took);
	seconds_for(s, GET("/readyz"), &status);
	tap_num(status, 503, "and not ready");
	seconds_for(s, GET("/healthz"), &status);
	tap_num(status, 200, "but alive");
}

/* The question that was never answered stays open; a later wrong answer ends the talk, and so the process. */
static void a_broken_warden_ends_the_api(void)
{
	struct api_stage *s = api_stage_new();
	own(buf) struct buf answer = { 0 };

	s->play.wrong = true;
	int status = http_ask_text(&answer, api_stage_connect(s, DOOR_UNIX), GET("/api/tegumentar/status"));
	tap_ok(status == 503 || status == 0, "an answer to another question is none: %d", status);
	tap_num(api_stage_end(s), 1, "and ends the api, which is started anew");
}

int main(void)
{
	struct api_stage *s = api_stage_new();

	rows_hold(s);
	readiness_has_reasons(s);
	peers_are_known(s);
	roles_hold(s);
	refusals_say_who(s);
	health_answers_while_the_warden_works(s);
	silence_is_told(s);
	tap_num(api_stage_end(s), 0, "the api ends well, and leaks nothing");
	a_broken_warden_ends_the_api();
	return tap_done();
}
