/*
 * metrics - the Prometheus text as it is, or as JSON: one object a sample.
 *
 *     tegumentar_rule_packets_total{id="a.b",layer="posture"} 7
 *     {"name":"tegumentar_rule_packets_total","labels":{"id":"a.b","layer":"posture"},"value":7}
 */
#include <stdlib.h>
#include <string.h>

#include "enforcer/ctl/call.h"
#include "enforcer/ctl/say.h"
#include "lang/base/arena.h"

/* The label value at *at, which is behind its opening quote; leaves *at behind the closing one. */
static void read_value(struct buf *out, const char **at)
{
	for (; **at && **at != '"'; ++*at) {
		if (**at == '\\' && (*at)[1])
			buf_putc(out, *++*at == 'n' ? '\n' : **at);
		else
			buf_putc(out, **at);
	}
	*at += **at == '"';
}

static cJSON *read_labels(const char **at)
{
	cJSON *labels = cJSON_CreateObject();

	while (**at && **at != '}') {
		own(buf) struct buf name = { 0 }, value = { 0 };
		size_t len = strcspn(*at, "=}");

		buf_add(&name, *at, len);
		*at += len;
		*at += strspn(*at, "=\"");
		read_value(&value, at);
		*at += **at == ',';
		cJSON_AddStringToObject(labels, buf_text(&name), buf_text(&value));
	}
	*at += **at == '}';
	return labels;
}

static cJSON *read_sample(const char *line)
{
	own(buf) struct buf name = { 0 };
	cJSON *sample = cJSON_CreateObject();
	size_t len = strcspn(line, "{ ");

	buf_add(&name, line, len);
	cJSON_AddStringToObject(sample, "name", buf_text(&name));
	line += len;
	if (*line == '{') {
		line++;
		cJSON_AddItemToObject(sample, "labels", read_labels(&line));
	} else {
		cJSON_AddItemToObject(sample, "labels", cJSON_CreateObject());
	}
	cJSON_AddRawToObject(sample, "value", line + strspn(line, " "));
	return sample;
}

static enum exit_code say_samples(char *text)
{
	own(buf) struct buf out = { 0 };
	cJSON *samples = cJSON_CreateArray();

	for (char *line = text, *next; line && *line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (*line && *line != '#')
			cJSON_AddItemToArray(samples, read_sample(line));
	}
	own(mem) char *printed = cJSON_PrintUnformatted(samples);
	cJSON_Delete(samples);
	buf_printf(&out, "%s\n", printed ? printed : "[]");
	return say_out(&out);
}

enum exit_code ctl_metrics(const struct ctl *c)
{
	own(call) struct call call = { .method = "GET", .path = "/metrics" };
	enum exit_code rc = call_make(c, &call);

	if (rc)
		return rc;
	return *c->json && call.text.at ? say_samples(call.text.at) : say_out(&call.text);
}

static void add_counters(struct buf *out, struct arena *a, const cJSON *answer)
{
	static const char *const heading[] = { "rule", "layer", "verdict", "packets", "bytes" };
	VEC(const char *) cells = { 0 };
	const cJSON *rules = cJSON_GetObjectItemCaseSensitive(answer, "rules"), *i;
	const int count = cJSON_GetArraySize(rules);

	for (size_t k = 0; k < 5; k++)
		vec_push(a, &cells, heading[k]);
	cJSON_ArrayForEach(i, rules) {
		vec_push(a, &cells, json_text(i, "id"));
		vec_push(a, &cells, json_text(i, "layer"));
		vec_push(a, &cells, json_text(i, "verdict"));
		vec_push(a, &cells, arena_printf(a, "%.0f", json_number(i, "packets")));
		vec_push(a, &cells, arena_printf(a, "%.0f", json_number(i, "bytes")));
	}
	cJSON_ArrayForEach(i, cJSON_GetObjectItemCaseSensitive(answer, "unjudged")) {
		if (!count && !json_number(i, "packets"))
			continue; /* where no policy is known, only what was counted */
		vec_push(a, &cells, json_text(i, "cause"));
		vec_push(a, &cells, "unjudged");
		vec_push(a, &cells, json_text(i, "verdict"));
		vec_push(a, &cells, arena_printf(a, "%.0f", json_number(i, "packets")));
		vec_push(a, &cells, "");
	}
	if (cells.len > 5)
		say_table(out, cells.at, 5, cells.len / 5);
}

enum exit_code ctl_counters(const struct ctl *c)
{
	return call_show_list(c, "/api/tegumentar/counters", "rules", add_counters);
}
