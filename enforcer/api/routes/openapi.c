/*
 * openapi - this API in the words of OpenAPI 3.1, made from the rows that also serve it: routes.def,
 * their fields, answer.def, http/header.def and http/problem.def. Nothing of it is written by hand elsewhere.
 */
#include <ctype.h>
#include <string.h>

#include "enforcer/api/http/request.h"
#include "lang/base/version.h"

enum kind { KIND_TEXT, KIND_COUNT, KIND_NUMBER, KIND_BOOL, KIND_KNOWN, KIND_SHARE, KIND_TOTAL, KIND_TIME, KIND_TAG, KIND_TEXTS, KIND_OBJECT, KIND_MAYBE, KIND_LIST };

static const struct {
	const char *name, *media, *about;
} answers[ANSWER_COUNT] = {
#define ANSWER(id, media, about) [ANSWER_##id] = { #id, media, about },
#define MEMBER(...)
#include "enforcer/api/routes/answer.def"
#undef MEMBER
#undef ANSWER
};

static const struct member {
	enum answer_id answer;
	const char *name;
	enum kind kind;
	enum answer_id of;
	const char *about;
} members[] = {
#define ANSWER(...)
#define MEMBER(answer, name, kind, of, about) { ANSWER_##answer, name, KIND_##kind, ANSWER_##of, about },
#include "enforcer/api/routes/answer.def"
#undef MEMBER
#undef ANSWER
};
#define MEMBERS (sizeof members / sizeof *members)

static const struct {
	enum route_id route;
	const char *name, *pattern, *about;
} headers[] = {
#define HEADER(route, name, pattern, about) { ROUTE_##route, name, pattern, about },
#include "enforcer/api/http/header.def"
#undef HEADER
};

/* ---- small parts ------------------------------------------------------------------- */

static cJSON *object_in(cJSON *to, const char *name)
{
	return cJSON_AddObjectToObject(to, name);
}

static void add_string(cJSON *list, const char *text)
{
	cJSON_AddItemToArray(list, cJSON_CreateString(text));
}

/* "Figures" of FIGURES: as schemas are usually named. */
static const char *schema_name(struct arena *a, enum answer_id id)
{
	char *name = arena_strdup(a, answers[id].name);

	for (char *c = name + 1; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return name;
}

static void add_ref(cJSON *to, struct arena *a, const char *name)
{
	json_add_text(to, "$ref", arena_printf(a, "#/components/schemas/%s", name));
}

static cJSON *type_or_null(cJSON *to, const char *type)
{
	cJSON *types = cJSON_AddArrayToObject(to, "type");

	add_string(types, type);
	add_string(types, "null");
	return to;
}

/* ---- schemas ------------------------------------------------------------------------- */

static void add_kind(cJSON *to, struct arena *a, const struct member *m)
{
	switch (m->kind) {
	case KIND_TEXT:
		json_add_text(to, "type", "string");
		break;
	case KIND_COUNT:
		json_add_text(to, "type", "integer");
		json_add_count(to, "minimum", 0);
		break;
	case KIND_NUMBER:
		json_add_text(to, "type", "number");
		break;
	case KIND_BOOL:
		json_add_text(to, "type", "boolean");
		break;
	case KIND_KNOWN:
		type_or_null(to, "boolean");
		break;
	case KIND_SHARE:
		type_or_null(to, "number");
		json_add_count(to, "minimum", 0);
		json_add_count(to, "maximum", 1);
		break;
	case KIND_TOTAL:
		type_or_null(to, "integer");
		json_add_count(to, "minimum", 0);
		break;
	case KIND_TIME:
		type_or_null(to, "string");
		json_add_text(to, "format", "date-time");
		break;
	case KIND_TAG:
		type_or_null(to, "string");
		break;
	case KIND_TEXTS:
		json_add_text(to, "type", "array");
		json_add_text(object_in(to, "items"), "type", "string");
		break;
	case KIND_OBJECT:
		add_ref(to, a, schema_name(a, m->of));
		break;
	case KIND_MAYBE: {
		cJSON *any = cJSON_AddArrayToObject(to, "anyOf"), *one = cJSON_CreateObject(), *null = cJSON_CreateObject();

		add_ref(one, a, schema_name(a, m->of));
		json_add_text(null, "type", "null");
		cJSON_AddItemToArray(any, one);
		cJSON_AddItemToArray(any, null);
		break;
	}
	case KIND_LIST:
		json_add_text(to, "type", "array");
		add_ref(object_in(to, "items"), a, schema_name(a, m->of));
		break;
	}
	json_add_text(to, "description", m->about);
}

static void add_answer_schema(cJSON *schemas, struct arena *a, enum answer_id id)
{
	cJSON *schema = object_in(schemas, schema_name(a, id)), *properties, *required;

	json_add_text(schema, "type", "object");
	json_add_text(schema, "description", answers[id].about);
	properties = object_in(schema, "properties");
	required = cJSON_CreateArray();
	for (size_t i = 0; i < MEMBERS; i++)
		if (members[i].answer == id) {
			add_kind(object_in(properties, members[i].name), a, &members[i]);
			add_string(required, members[i].name);
		}
	if (cJSON_GetArraySize(required))
		cJSON_AddItemToObject(schema, "required", required);
	else
		cJSON_Delete(required);
}

/* JSON Schema counts characters where json.h counts bytes: `most` is then a bound that ASCII reaches. */
static void add_field(cJSON *to, const struct json_field *f)
{
	cJSON *items;

	switch (f->type) {
	case JSON_TEXT:
		json_add_text(to, "type", "string");
		json_add_count(to, "minLength", f->least);
		json_add_count(to, "maxLength", f->most);
		json_add_text(to, "pattern", "^[^\\u0000-\\u001f\\u007f]*$");
		break;
	case JSON_COUNT:
		json_add_text(to, "type", "integer");
		json_add_count(to, "minimum", f->least);
		json_add_count(to, "maximum", f->most);
		break;
	case JSON_TEXTS:
		json_add_text(to, "type", "array");
		json_add_count(to, "minItems", f->least);
		json_add_count(to, "maxItems", f->most);
		items = object_in(to, "items");
		json_add_text(items, "type", "string");
		json_add_count(items, "minLength", 1);
		json_add_count(items, "maxLength", JSON_TEXTS_BYTES);
		break;
	case JSON_OBJECT:
		json_add_text(to, "type", "object");
		break;
	case JSON_TYPE_COUNT:
		break;
	}
	json_add_text(to, "description", f->about);
}

static void add_body_schema(cJSON *to, const struct json_field *fields)
{
	cJSON *properties, *required = cJSON_CreateArray();

	json_add_text(to, "type", "object");
	properties = object_in(to, "properties");
	for (const struct json_field *f = fields; f->name; f++) {
		add_field(object_in(properties, f->name), f);
		if (f->required)
			add_string(required, f->name);
	}
	if (cJSON_GetArraySize(required))
		cJSON_AddItemToObject(to, "required", required);
	else
		cJSON_Delete(required);
	cJSON_AddFalseToObject(to, "additionalProperties");
}

static void add_problem_schema(cJSON *schemas)
{
	static const struct { const char *name, *about; } texts[] = {
		{ "type", "urn:tegumentar:problem:NAME" }, { "title", "the problem in words" },
		{ "detail", "what is wrong with this request" }, { "try", "the way out" },
	};
	cJSON *schema = object_in(schemas, "Problem"), *properties, *p, *names, *required;

	json_add_text(schema, "type", "object");
	json_add_text(schema, "description", "why a request was refused (RFC 9457), and the way out");
	properties = object_in(schema, "properties");
	required = cJSON_AddArrayToObject(schema, "required");
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		p = object_in(properties, texts[i].name);
		json_add_text(p, "type", "string");
		json_add_text(p, "description", texts[i].about);
		add_string(required, texts[i].name);
	}
	p = object_in(properties, "problem");
	json_add_text(p, "type", "string");
	names = cJSON_AddArrayToObject(p, "enum");
	for (size_t i = 0; i < PROBLEM_COUNT; i++)
		add_string(names, problem_rows[i].name);
	add_string(required, "problem");
	p = object_in(properties, "status");
	json_add_text(p, "type", "integer");
	add_string(required, "status");
	p = object_in(properties, "field");
	json_add_text(p, "type", "string");
	json_add_text(p, "description", "the field it is about, when it is about one");
}

/* ---- operations ---------------------------------------------------------------------------- */

static void add_header(cJSON *parameters, const char *name, bool required, const char *pattern, const char *about)
{
	cJSON *p = cJSON_CreateObject(), *schema;

	json_add_text(p, "name", name);
	json_add_text(p, "in", "header");
	cJSON_AddBoolToObject(p, "required", required);
	json_add_text(p, "description", about);
	schema = object_in(p, "schema");
	json_add_text(schema, "type", "string");
	if (*pattern)
		json_add_text(schema, "pattern", pattern);
	cJSON_AddItemToArray(parameters, p);
}

static void add_parameters(cJSON *operation, const struct route *r)
{
	cJSON *parameters = cJSON_CreateArray();

	if (r->base != BASE_NEVER)
		add_header(parameters, "If-Match", r->base == BASE_MUST, "^(\\*|\"[^\"]{1,38}\")$",
			   "the ETag of the generation that is meant, or * for whatever is in force");
	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
		if (&routes[headers[i].route] == r)
			add_header(parameters, headers[i].name, false, headers[i].pattern, headers[i].about);
	if (cJSON_GetArraySize(parameters))
		cJSON_AddItemToObject(operation, "parameters", parameters);
	else
		cJSON_Delete(parameters);
}

static void add_body(cJSON *operation, const struct route *r)
{
	cJSON *body, *media;

	if (r->body == BODY_NONE)
		return;
	body = object_in(operation, "requestBody");
	cJSON_AddTrueToObject(body, "required");
	media = object_in(object_in(body, "content"), body_name(r->body));
	if (r->body == BODY_JSON)
		add_body_schema(object_in(media, "schema"), r->fields);
	else
		json_add_text(object_in(media, "schema"), "contentMediaType", body_name(r->body));
}

static void add_answer(cJSON *responses, struct arena *a, enum answer_id id)
{
	cJSON *ok = object_in(responses, "200"), *media;

	json_add_text(ok, "description", answers[id].about);
	media = object_in(object_in(ok, "content"), answers[id].media);
	if (strcmp(answers[id].media, "application/json"))
		json_add_text(object_in(media, "schema"), "type", "string");
	else
		add_ref(object_in(media, "schema"), a, schema_name(a, id));
}

static void add_responses(cJSON *operation, struct arena *a, const struct route *r)
{
	cJSON *responses = object_in(operation, "responses");

	if (r->answer != ANSWER_REFUSED)
		add_answer(responses, a, r->answer);
	json_add_text(object_in(responses, "4XX"), "$ref", "#/components/responses/Problem");
	json_add_text(object_in(responses, "5XX"), "$ref", "#/components/responses/Problem");
}

static void add_security(cJSON *operation, const struct route *r)
{
	cJSON *security = cJSON_AddArrayToObject(operation, "security"), *one;

	if (r->access == ACCESS_ANYONE)
		return;
	one = cJSON_CreateObject();
	cJSON_AddArrayToObject(one, "token");
	cJSON_AddItemToArray(security, one);
	one = cJSON_CreateObject();
	cJSON_AddArrayToObject(one, "certificate");
	cJSON_AddItemToArray(security, one);
}

static void add_operation(cJSON *paths, struct arena *a, const struct route *r)
{
	cJSON *path = cJSON_GetObjectItemCaseSensitive(paths, r->path), *operation;
	char *method = arena_strdup(a, method_name(r->method));

	for (char *c = method; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	if (!path)
		path = object_in(paths, r->path);
	operation = object_in(path, method);
	json_add_text(operation, "operationId", r->name);
	json_add_text(operation, "summary", r->about);
	json_add_text(operation, "x-role", access_name(r->access));
	add_security(operation, r);
	add_parameters(operation, r);
	add_body(operation, r);
	add_responses(operation, a, r);
}

/* ---- the document ------------------------------------------------------------------------------ */

static void add_head(cJSON *to)
{
	cJSON *info, *servers, *here;

	json_add_text(to, "openapi", "3.1.0");
	info = object_in(to, "info");
	json_add_text(info, "title", "Tegumentar");
	json_add_text(info, "version", TEGUMENTAR_VERSION);
	json_add_text(info, "description", "What tegd enforces, how it feels, and how both are changed. x-role is the least role "
					   "that an operation needs.");
	json_add_text(object_in(info, "license"), "name", "GPL-2.0-or-later");
	json_add_text(cJSON_GetObjectItemCaseSensitive(info, "license"), "identifier", "GPL-2.0-or-later");
	servers = cJSON_AddArrayToObject(to, "servers");
	here = cJSON_CreateObject();
	json_add_text(here, "url", "/");
	cJSON_AddItemToArray(servers, here);
}

static void add_components(cJSON *to, struct arena *a)
{
	cJSON *components = object_in(to, "components"), *schemas = object_in(components, "schemas"), *problem, *security, *token;

	for (size_t i = 0; i < ANSWER_COUNT; i++)
		if (!strcmp(answers[i].media, "application/json"))
			add_answer_schema(schemas, a, (enum answer_id)i);
	add_problem_schema(schemas);
	problem = object_in(object_in(components, "responses"), "Problem");
	json_add_text(problem, "description", "refused, with the way out");
	add_ref(object_in(object_in(object_in(problem, "content"), "application/problem+json"), "schema"), a, "Problem");
	security = object_in(components, "securitySchemes");
	token = object_in(security, "token");
	json_add_text(token, "type", "http");
	json_add_text(token, "scheme", "bearer");
	json_add_text(token, "description", "over TCP; on the Unix socket the kernel says who asks");
	token = object_in(security, "certificate");
	json_add_text(token, "type", "mutualTLS");
	json_add_text(token, "description", "over TCP, where the setting client-certs names it; beside a token it is the lesser of both");
}

void route_openapi(struct request *r)
{
	cJSON *body = cJSON_CreateObject(), *paths;

	add_head(body);
	paths = object_in(body, "paths");
	for (size_t i = 0; i < ROUTE_COUNT; i++)
		add_operation(paths, request_arena(r), &routes[i]);
	add_components(body, request_arena(r));
	request_reply(r, MHD_HTTP_OK, body);
}
