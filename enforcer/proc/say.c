#include "enforcer/proc/say.h"

#include <stdarg.h>
#include <stdio.h>

/* One write, so that lines of several processes do not mix. */
void say(const char *format, ...)
{
	char line[2048];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	fprintf(stderr, "tegd: %s\n", line);
}
