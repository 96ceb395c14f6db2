#include "compiler/emit/refuse.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int refuse_rule(struct err *why, const struct ir_rule *rule, const char *format, ...)
{
	char what[sizeof why->text];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof what, format, args);
	va_end(args);

	err_set(why, E2BIG, "%s: %s", rule->id, what);
	why->at = rule->span;
	return why->code;
}
