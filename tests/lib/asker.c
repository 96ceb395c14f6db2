#include "tests/lib/asker.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_S 60L

static void must(CURLcode rc, const char *what)
{
	if (rc == CURLE_OK)
		return;
	fprintf(stderr, "asker: %s: %s\n", what, curl_easy_strerror(rc));
	exit(69);
}

static size_t take_part(char *bytes, size_t size, size_t n, void *to)
{
	struct asker *a = to;
	char *said = realloc(a->said, a->said_len + size * n + 1);

	if (!said)
		return 0;
	memcpy(said + a->said_len, bytes, size * n);
	a->said = said;
	a->said_len += size * n;
	said[a->said_len] = '\0';
	return size * n;
}

struct asker asker_open(const char *socket)
{
	CURL *curl = curl_easy_init();

	must(curl ? CURLE_OK : CURLE_OUT_OF_MEMORY, "a connection");
	must(curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket), socket);
	must(curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_part), "answers");
	must(curl_easy_setopt(curl, CURLOPT_TIMEOUT, LONGEST_S), "patience");
	must(curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L), "threads");
	return (struct asker){ .curl = curl };
}

void asker_release(struct asker *a)
{
	curl_easy_cleanup(a->curl);
	free(a->said);
}

long asker_ask(struct asker *a, const char *method, const char *path, const char *type, const void *body,
	       size_t len)
{
	struct curl_slist *headers = NULL;
	char url[256], line[256];
	long status = 0;

	snprintf(url, sizeof url, "http://tegd%s", path);
	must(curl_easy_setopt(a->curl, CURLOPT_URL, url), url);
	must(curl_easy_setopt(a->curl, CURLOPT_HTTPGET, 1L), method);
	if (type) {
		snprintf(line, sizeof line, "Content-Type: %s", type);
		headers = curl_slist_append(curl_slist_append(headers, line), "If-Match: *");
		headers = curl_slist_append(headers, "Expect:");
		must(curl_easy_setopt(a->curl, CURLOPT_POST, 1L), method);
		must(curl_easy_setopt(a->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len), method);
		must(curl_easy_setopt(a->curl, CURLOPT_POSTFIELDS, body), method);
	}
	a->said_len = 0;
	must(curl_easy_setopt(a->curl, CURLOPT_WRITEDATA, a), method);
	must(curl_easy_setopt(a->curl, CURLOPT_CUSTOMREQUEST, method), method);
	must(curl_easy_setopt(a->curl, CURLOPT_HTTPHEADER, headers), method);
	must(curl_easy_perform(a->curl), url);
	curl_slist_free_all(headers);
	must(curl_easy_getinfo(a->curl, CURLINFO_RESPONSE_CODE, &status), url);
	return status;
}
