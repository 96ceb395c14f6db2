/*
 * Fuzz target: what the api reads of a JSON body.
 *
 *     make fuzz FUZZERS=body
 *
 * What is taken is text of the promised length, and taking it again as we would write it gives the
 * same; what is refused names a reason.
 */
#include <stdlib.h>
#include <string.h>

#include "enforcer/api/json.h"
#include "lang/base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

struct asked {
	const char *posture, *reason;
	uint64_t minutes;
};

static const struct json_field fields[] = {
	{ "posture", JSON_TEXT, .required = true, .at = offsetof(struct asked, posture), .least = 1, .most = 64 },
	{ "reason", JSON_TEXT, .at = offsetof(struct asked, reason), .most = 1024 },
	{ "duration_minutes", JSON_COUNT, .at = offsetof(struct asked, minutes), .least = 1, .most = 525600 },
	{ 0 }
};

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void must_be_text(const char *text, size_t least, size_t most)
{
	size_t left = strlen(text);

	must(left >= least && left <= most);
	while (left) {
		size_t n = utf8_length(text, left);

		must(n && (unsigned char)*text >= 0x20 && *text != 0x7f);
		text += n;
		left -= n;
	}
}

static void must_read_again(const struct asked *first, struct arena *a)
{
	cJSON *body = cJSON_CreateObject();
	struct json_fault fault = { 0 };
	struct asked again = { .reason = "" };

	json_add_text(body, "posture", first->posture);
	json_add_text(body, "reason", first->reason);
	if (first->minutes)
		json_add_count(body, "duration_minutes", first->minutes);
	char *text = cJSON_PrintUnformatted(body);
	must(!json_read(&again, fields, a, text, strlen(text), &fault));
	must(!strcmp(again.posture, first->posture) && !strcmp(again.reason, first->reason));
	must(again.minutes == first->minutes);
	free(text);
	cJSON_Delete(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	own(arena) struct arena *a = arena_new();
	struct asked asked = { .reason = "" };
	struct json_fault fault = { 0 };

	if (json_read(&asked, fields, a, (const char *)bytes, len, &fault)) {
		must(*fault.text);
		return 0;
	}
	must_be_text(asked.posture, 1, 64);
	must_be_text(asked.reason, 0, 1024);
	must(asked.minutes <= 525600);
	must_read_again(&asked, a);
	return 0;
}
