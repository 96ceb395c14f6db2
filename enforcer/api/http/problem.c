#include "enforcer/api/http/problem.h"

#include <stdio.h>

#include "enforcer/api/json.h"

const struct problem_row problem_rows[PROBLEM_COUNT] = {
#define PROBLEM(id, name, status, exit, title, advice)                                             \
	[PROBLEM_##id] = { name, status, exit, title, advice },
#include "enforcer/api/http/problem.def"
#undef PROBLEM
};

cJSON *problem_json(enum problem p, const char *field, const char *detail, const char *advice)
{
	const struct problem_row *row = &problem_rows[p];
	cJSON *out = cJSON_CreateObject();
	char type[96];

	snprintf(type, sizeof type, "urn:tegumentar:problem:%s", row->name);
	json_add_text(out, "type", type);
	json_add_text(out, "problem", row->name);
	json_add_count(out, "status", row->status);
	json_add_text(out, "title", row->title);
	if (field && *field)
		json_add_text(out, "field", field);
	json_add_text(out, "detail", detail);
	json_add_text(out, "try", advice ? advice : row->advice);
	return out;
}
