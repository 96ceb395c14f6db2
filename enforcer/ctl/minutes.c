#include "enforcer/ctl/minutes.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

unsigned long minutes_read(const char *text)
{
	static const struct { char unit; unsigned long minutes; } units[] = { { 'm', 1 }, { 'h', 60 }, { 'd', 1440 } };
	const size_t digits = strspn(text, "0123456789");

	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (digits && digits <= 6 && text[digits] == units[i].unit && !text[digits + 1])
			return strtoul(text, NULL, 10) * units[i].minutes;
	return 0;
}
