#include "lang/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Truncation is wanted: a sentence that long is read by nobody. */
static void err_join(struct err *why, const char *before, const char *after)
{
	char whole[2 * sizeof why->text + 4];

	snprintf(whole, sizeof whole, "%s: %s", before, after);
	memcpy(why->text, whole, sizeof why->text);
	why->text[sizeof why->text - 1] = '\0';
}

int err_sys(struct err *why, const char *format, ...)
{
	int code = errno ? errno : EIO;
	char what[sizeof why->text];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof what, format, args);
	va_end(args);

	why->code = -code;
	why->at = SPAN_NOWHERE;
	err_join(why, what, strerror(code));
	return why->code;
}

int err_set(struct err *why, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why->text, sizeof why->text, format, args);
	va_end(args);

	why->code = -code;
	why->at = SPAN_NOWHERE;
	return why->code;
}

int err_in(struct err *why, const char *format, ...)
{
	char what[sizeof why->text], rest[sizeof why->text];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof what, format, args);
	va_end(args);

	memcpy(rest, why->text, sizeof rest);
	err_join(why, what, rest);
	return why->code;
}
