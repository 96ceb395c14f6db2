#include "enforcer/api/routes/route.h"

#include <string.h>

const struct route routes[ROUTE_COUNT] = {
#define ROUTE(id, method, path, access, body, base, fields, answer, about)                         \
	[ROUTE_##id] = { #id,	 METHOD_##method, path,	 ACCESS_##access, BODY_##body,                     \
			 BASE_##base, fields,	 ANSWER_##answer, about,  route_##id },
#include "enforcer/api/routes/routes.def"
#undef ROUTE
};

const char *method_name(enum method m)
{
	static const char *const names[METHOD_COUNT] = { [METHOD_GET] = "GET", [METHOD_POST] = "POST" };

	return names[m];
}

const char *body_name(enum body b)
{
	switch (b) {
	case BODY_NONE:
		return "";
	case BODY_JSON:
		return "application/json";
	case BODY_BUNDLE:
		return "application/octet-stream";
	case BODY_TEXT:
		return "text/plain";
	}
	return "";
}

const struct route *route_find(const char *method, const char *path, bool *path_known)
{
	const char *as = strcmp(method, "HEAD") ? method : "GET";

	*path_known = false;
	for (size_t i = 0; i < ROUTE_COUNT; i++) {
		if (strcmp(routes[i].path, path))
			continue;
		*path_known = true;
		if (!strcmp(method_name(routes[i].method), as))
			return &routes[i];
	}
	return NULL;
}

void route_allow(struct buf *out, const char *path)
{
	for (size_t i = 0; i < ROUTE_COUNT; i++)
		if (!strcmp(routes[i].path, path))
			buf_printf(out, "%s%s%s", out->len ? ", " : "", method_name(routes[i].method),
				   routes[i].method == METHOD_GET ? ", HEAD" : "");
}
