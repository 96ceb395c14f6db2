#include "enforcer/ctl/call.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "enforcer/ctl/say.h"
#include "lang/base/file.h"
#include "lang/base/version.h"

#define ANSWER_BYTES_MAX ((size_t)64 << 20)
#define CONNECT_S	 5L
#define LOOK_S		 15L  /* the api gives up on the warden before */
#define CHANGE_S	 660L /* a large bundle, sent and applied */
#define TOKEN_MOST	 256

void call_release(struct call *call)
{
	buf_release(&call->text);
	buf_release(&call->tag);
	cJSON_Delete(call->json);
	call->json = NULL;
}

enum exit_code call_say_json(const struct call *call)
{
	own(buf) struct buf out = { 0 };

	buf_printf(&out, "%s\n", buf_text(&call->text));
	return say_out(&out);
}

bool call_for_words(const struct ctl *c, struct call *call, enum exit_code *rc)
{
	*rc = call_make(c, call);
	if (!*rc && *c->json)
		*rc = call_say_json(call);
	else if (!*rc)
		return true;
	return false;
}

enum exit_code call_show(const struct ctl *c, const char *path, call_words *words)
{
	own(call) struct call call = { .method = "GET", .path = path };
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf out = { 0 };
	enum exit_code rc;

	if (!call_for_words(c, &call, &rc))
		return rc;
	words(&out, a, call.json);
	return say_out(&out);
}

static enum exit_code add_why_none(const struct ctl *c, struct buf *out, const char *list)
{
	own(call) struct call call = { .method = "GET", .path = "/api/tegumentar/status" };
	const enum exit_code rc = call_make(c, &call);

	if (rc)
		return rc;
	if (json_number(call.json, "generation"))
		buf_printf(out, "the policy in force has no %s\n", list);
	else
		buf_printf(out, "%s, so no %s are known: tegctl apply FILE.tegb\n", json_unenforced(call.json), list);
	return EXIT_YES;
}

enum exit_code call_show_list(const struct ctl *c, const char *path, const char *list, call_words *words)
{
	own(call) struct call call = { .method = "GET", .path = path };
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf out = { 0 };
	enum exit_code rc;

	if (!call_for_words(c, &call, &rc))
		return rc;
	if (!cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(call.json, list)))
		rc = add_why_none(c, &out, list);
	words(&out, a, call.json);
	return rc ? rc : say_out(&out);
}

const char *json_text(const cJSON *object, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));

	return text ? text : "";
}

double json_number(const cJSON *object, const char *name)
{
	const cJSON *n = cJSON_GetObjectItemCaseSensitive(object, name);

	return cJSON_IsNumber(n) ? cJSON_GetNumberValue(n) : 0;
}

bool json_is_true(const cJSON *object, const char *name)
{
	return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, name));
}

const char *json_unenforced(const cJSON *status)
{
	return strcmp(json_text(status, "adopted"), "unknown") ? "no policy is enforced" :
								 "a policy is enforced, and it is not known which";
}

/* ---- what is wrong, and how to end ------------------------------------------------------- */

static enum exit_code exit_of_problem(const char *name)
{
	static const struct {
		const char *name;
		int exit;
	} rows[] = {
#define PROBLEM(id, name, status, exit, title, advice) { name, exit },
#include "enforcer/api/http/problem.def"
#undef PROBLEM
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (!strcmp(rows[i].name, name))
			return (enum exit_code)rows[i].exit;
	return EXIT_OURS;
}

static enum exit_code refused(const struct ctl *c, const struct call *call, long status)
{
	const char *name = json_text(call->json, "problem");
	own(buf) struct buf detail = { 0 };

	if (call->again && status >= 500)
		return EXIT_UNAVAILABLE;
	if (!*name) {
		buf_printf(&detail, "%s answered %ld, which says nothing to tegctl", call->path, status);
		say_problem(c, "not-understood", buf_text(&detail), "is it tegd that listens there?");
		return status >= 500 ? EXIT_UNAVAILABLE : EXIT_OURS;
	}
	if (call->mended && cJSON_HasObjectItem(call->json, call->mended))
		return exit_of_problem(name);
	if (*c->json) {
		puts(buf_text(&call->text));
		return exit_of_problem(name);
	}
	const char *part = json_text(call->json, "part");
	buf_printf(&detail, "%s: %s%s%s", json_text(call->json, "title"), part, *part ? ": " : "",
		   json_text(call->json, "detail"));
	say_problem(c, name, buf_text(&detail), json_text(call->json, "try"));
	return exit_of_problem(name);
}

/* Somebody took the connection, and the handshake of TLS did not come to its end: also when time ran out. */
static bool ended_in_handshake(const struct ctl *c, CURL *curl)
{
	curl_off_t secured = 0;
	long port = 0; /* of ours; its time of connecting libcurl tells only when all is over */

	curl_easy_getinfo(curl, CURLINFO_LOCAL_PORT, &port);
	curl_easy_getinfo(curl, CURLINFO_APPCONNECT_TIME_T, &secured);
	return !strncasecmp(c->url, "https:", 6) && port > 0 && !secured;
}

static const char *way_to_reach(const struct ctl *c, CURL *curl, CURLcode code)
{
	switch (code) {
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
		return "--ca FILE, with the CA that signed tegd's certificate for the host that --url names";
	case CURLE_SSL_CERTPROBLEM:
		return "--cert FILE and --key FILE, a certificate and the key that belongs to it";
	default:
		if (code == CURLE_SSL_CONNECT_ERROR || ended_in_handshake(c, curl))
			return "https:// is for a tegd with tls-cert; http:// for one without, on loopback";
		return *c->url ? "does tegd have the setting `listen` for that address? what it enforced before is still enforced"
			       : "start tegd, or name its socket with --socket; what it enforced before is still enforced";
	}
}

static enum exit_code unreachable(const struct ctl *c, CURL *curl, CURLcode code, int os_errno)
{
	own(buf) struct buf detail = { 0 };
	const bool connected = code != CURLE_COULDNT_CONNECT;

	buf_printf(&detail, "cannot reach tegd at %s: %s", *c->url ? c->url : c->socket,
		   os_errno && !connected ? strerror(os_errno) : curl_easy_strerror(code));
	say_problem(c, "unreachable", buf_text(&detail), way_to_reach(c, curl, code));
	return EXIT_UNAVAILABLE;
}

static enum exit_code not_made(const struct ctl *c, const struct call *call, CURL *curl, CURLcode code)
{
	long os_errno = 0, sent = 0;

	if (call->again || call->is_stream)
		return EXIT_UNAVAILABLE;
	curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &os_errno);
	curl_easy_getinfo(curl, CURLINFO_REQUEST_SIZE, &sent);
	if (code == CURLE_COULDNT_CONNECT && (os_errno == EACCES || os_errno == EPERM)) {
		say_problem(c, "forbidden", "you may not use tegd's socket",
			    "run as root, or as a member of the socket's group (`adduser NAME tegumentar`, then log in anew)");
		return EXIT_DENIED;
	}
	if (!sent || !strcmp(call->method, "GET"))
		return unreachable(c, curl, code, (int)os_errno);
	say_problem(c, "outcome-unknown", "the connection ended before tegd said how the change ended",
		    "see `tegctl status`");
	return EXIT_UNKNOWN;
}

/* ---- where to, and with what ----------------------------------------------------------------- */

/* A token sent over plain http to another host is everyone's. */
static bool url_keeps_secrets(const char *url)
{
	static const char *const loopback[] = { "127.0.0.1", "[::1]", "localhost" };
	CURLU *parts = curl_url();
	char *scheme = NULL, *host = NULL;
	bool keeps = false;

	if (parts && !curl_url_set(parts, CURLUPART_URL, url, 0) &&
	    !curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) && !curl_url_get(parts, CURLUPART_HOST, &host, 0)) {
		keeps = !strcmp(scheme, "https");
		for (size_t i = 0; !strcmp(scheme, "http") && i < sizeof loopback / sizeof *loopback; i++)
			keeps = keeps || !strcmp(host, loopback[i]);
	}
	curl_free(scheme);
	curl_free(host);
	curl_url_cleanup(parts);
	return keeps;
}

/* "Authorization: Bearer TOKEN" into *out; the file's one line. */
static int read_token(struct buf *out, const char *path, struct err *why)
{
	own(buf) struct buf text = { 0 };
	own(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return err_sys(why, "cannot open the token file %s", path);
	if (!S_ISREG(st.st_mode) || st.st_mode & 077)
		return err_set(why, EPERM, "the token file %s must be a file that only its owner may read: chmod 600", path);
	if (file_read_fd(&text, fd, TOKEN_MOST + 2, why))
		return err_in(why, "the token file %s", path);
	size_t len = strcspn(buf_text(&text), "\r\n");
	buf_puts(out, "Authorization: Bearer ");
	buf_add(out, buf_text(&text), len);
	if (text.at)
		explicit_bzero(text.at, text.len);
	return 0;
}

static enum exit_code check_target(const struct ctl *c, struct buf *authorization)
{
	struct err why = { 0 };

	if (*c->url && !url_keeps_secrets(c->url)) {
		say_problem(c, "url", "--url takes https, or http to 127.0.0.1, [::1] or localhost",
			    "https://HOST:PORT, with --ca when its certificate is from a CA of your own");
		return EXIT_USAGE;
	}
	if (!*c->token_file)
		return EXIT_YES;
	if (!*c->url) {
		say_problem(c, "token-file", "--token-file is for --url; the socket needs no token", "leave it out");
		return EXIT_USAGE;
	}
	if (!read_token(authorization, c->token_file, &why))
		return EXIT_YES;
	say_problem(c, "token-file", why.text, "one line, readable by you alone");
	return why.code == -EPERM || why.code == -EACCES ? EXIT_DENIED : EXIT_INPUT;
}

/* ---- the call --------------------------------------------------------------------------------- */

static size_t take_answer(char *bytes, size_t one, size_t len, void *cls)
{
	struct call *call = cls;

	(void)one;
	if (call->told && call->is_stream)
		return call->told(call->told_cls, bytes, len) ? len : 0;
	if (call->text.len + len > ANSWER_BYTES_MAX)
		return 0;
	buf_add(&call->text, bytes, len);
	return len;
}

/* The answer's ETag, as it is written. */
static size_t take_header(char *bytes, size_t one, size_t len, void *cls)
{
	static const char name[] = "ETag:", stream[] = "Content-Type: text/event-stream";
	struct call *call = cls;

	(void)one;
	if (len >= sizeof stream - 1 && !strncasecmp(bytes, stream, sizeof stream - 1))
		call->is_stream = true;
	if (len < sizeof name - 1 || strncasecmp(bytes, name, sizeof name - 1))
		return len;
	buf_release(&call->tag);
	for (size_t i = sizeof name - 1; i < len; i++)
		if (!isspace((unsigned char)bytes[i]))
			buf_putc(&call->tag, bytes[i]);
	return len;
}

static size_t give_file(char *room, size_t one, size_t len, void *cls)
{
	size_t got = fread(room, one, len, cls);

	return !got && ferror((FILE *)cls) ? CURL_READFUNC_ABORT : got;
}

static void set_body(CURL *curl, const struct call *call)
{
	struct stat st;

	curl_easy_setopt(curl, CURLOPT_POST, 1L);
	if (!call->file) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call->body);
		return;
	}
	fstat(fileno(call->file), &st);
	curl_easy_setopt(curl, CURLOPT_READFUNCTION, give_file);
	curl_easy_setopt(curl, CURLOPT_READDATA, call->file);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)st.st_size);
}

/* Over the Unix socket, unless a URL was given. */
static void set_place(CURL *curl, const struct ctl *c, const char *path)
{
	own(buf) struct buf url = { 0 };
	size_t len = strlen(c->url);

	while (len && c->url[len - 1] == '/')
		len--;
	if (len)
		buf_add(&url, c->url, len);
	else
		buf_puts(&url, "http://tegumentar");
	buf_puts(&url, path);
	curl_easy_setopt(curl, CURLOPT_URL, buf_text(&url));
	if (!len)
		curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, c->socket);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
}

static void set_tls(CURL *curl, const struct ctl *c)
{
	if (*c->ca)
		curl_easy_setopt(curl, CURLOPT_CAINFO, c->ca);
	if (*c->cert)
		curl_easy_setopt(curl, CURLOPT_SSLCERT, c->cert);
	if (*c->key)
		curl_easy_setopt(curl, CURLOPT_SSLKEY, c->key);
	curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
}

static void set_request(CURL *curl, const struct ctl *c, struct call *call)
{
	const bool change = strcmp(call->method, "GET");

	set_place(curl, c, call->path);
	set_tls(curl, c);
	if (change)
		set_body(curl, call);
	if (call->told) {
		curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L); /* the figures come once a second */
		curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, LOOK_S);
	} else {
		curl_easy_setopt(curl, CURLOPT_TIMEOUT, change ? CHANGE_S : LOOK_S);
	}
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "tegctl/" TEGUMENTAR_VERSION);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_answer);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, call);
}

static struct curl_slist *headers_of(const struct call *call, const struct buf *authorization)
{
	struct curl_slist *headers = NULL;
	own(buf) struct buf type = { 0 };

	if (authorization->len)
		headers = curl_slist_append(headers, buf_text(authorization));
	if (call->type) {
		buf_printf(&type, "Content-Type: %s", call->type);
		headers = curl_slist_append(headers, buf_text(&type));
	}
	for (size_t i = 0; i < sizeof call->headers / sizeof *call->headers; i++)
		if (call->headers[i])
			headers = curl_slist_append(headers, call->headers[i]);
	return headers;
}

static enum exit_code perform(CURL *curl, const struct ctl *c, struct call *call)
{
	CURLcode code = curl_easy_perform(curl);
	long status = 0;

	if (code)
		return not_made(c, call, curl, code);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	call->json = cJSON_ParseWithLength(buf_text(&call->text), call->text.len);
	return status == 200 ? EXIT_YES : refused(c, call, status);
}

enum exit_code call_make(const struct ctl *c, struct call *call)
{
	own(buf) struct buf authorization = { 0 };
	enum exit_code rc = check_target(c, &authorization);

	if (rc)
		return rc;
	CURL *curl = curl_easy_init();
	if (!curl)
		return EXIT_OURS;
	struct curl_slist *headers = headers_of(call, &authorization);
	set_request(curl, c, call);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	rc = perform(curl, c, call);
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	if (authorization.at)
		explicit_bzero(authorization.at, authorization.len);
	return rc;
}
