/*
 * heal - a playbook by name. The compiler checks, tests and seals playbooks; no part of tegd runs them, and a bundle
 * that has any is refused. So is whoever asks for one, in words that no client takes for a path that it mistyped.
 */
#include "enforcer/api/http/request.h"

#define CONTEXT_MOST 32768

struct heal_asked {
	const char *playbook, *context;
};

const struct json_field heal_fields[] = {
	{ "playbook", JSON_TEXT, .required = true, .at = offsetof(struct heal_asked, playbook),
	  .least = 1, .most = 64, .about = "its name" },
	{ "context", JSON_OBJECT, .at = offsetof(struct heal_asked, context), .most = CONTEXT_MOST, .about = "what it is told" },
	{ 0 }
};

void route_heal(struct request *r)
{
	struct heal_asked asked = { 0 };

	if (request_read(r, &asked))
		request_refuse(r, PROBLEM_NO_HEALER, "playbook", NULL, "playbook: `%s` is not run: this tegd runs none", asked.playbook);
}
