#include "tests/lib/text_plan.h"

#include <errno.h>
#include <string.h>

#include "compiler/emit/emit.h"

int text_plan(struct plan *plan, struct compilation *c, const char *text, struct err *why)
{
	const struct policy *p = front_read_text(c, "policy", text, strlen(text));

	if (!p)
		return err_set(why, EINVAL, "the policy is not read");
	struct ir *ir = ir_lower(p, c->arena);
	emit_plan(plan, ir, c->arena);
	return emit_xdp(plan, ir, c->arena, why);
}
