#include "tests/lib/tap.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned said, failed;

bool tap_ok_(bool held, const char *file, int line, const char *format, ...)
{
	va_list args;

	printf("%sok %u - ", held ? "" : "not ", ++said);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	if (!held) {
		failed++;
		printf("# at %s:%d\n", file, line);
	}
	fflush(stdout);
	if (!held && getenv("TAP_STOP"))
		exit(1);
	return held;
}

bool tap_text_(const char *got, const char *want, const char *file, int line, const char *claim)
{
	bool held = !strcmp(got, want);

	tap_ok_(held, file, line, "%s", claim);
	if (!held)
		printf("# want: %s\n# got:  %s\n", want, got);
	return held;
}

bool tap_num_(int64_t got, int64_t want, const char *file, int line, const char *claim)
{
	bool held = got == want;

	tap_ok_(held, file, line, "%s", claim);
	if (!held)
		printf("# want: %" PRId64 "\n# got:  %" PRId64 "\n", want, got);
	return held;
}

void tap_skip(const char *why, const char *claim)
{
	printf("ok %u - %s # SKIP %s\n", ++said, claim, why);
}

void tap_note(const char *format, ...)
{
	va_list args;

	fputs("# ", stdout);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

int tap_done(void)
{
	printf("1..%u\n", said);
	return failed ? 1 : 0;
}
