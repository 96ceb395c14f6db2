#include "enforcer/ctl/minutes.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct unit {
	char name;
	unsigned long is;
};

static unsigned long read_time(const char *text, const struct unit *units, size_t count)
{
	const size_t digits = strspn(text, "0123456789");

	for (size_t i = 0; i < count; i++)
		if (digits && digits <= 6 && text[digits] == units[i].name && !text[digits + 1])
			return strtoul(text, NULL, 10) * units[i].is;
	return 0;
}

unsigned long minutes_read(const char *text)
{
	static const struct unit units[] = { { 'm', 1 }, { 'h', 60 }, { 'd', 1440 } };

	return read_time(text, units, sizeof units / sizeof *units);
}

unsigned long seconds_read(const char *text)
{
	static const struct unit units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 } };

	return read_time(text, units, sizeof units / sizeof *units);
}
