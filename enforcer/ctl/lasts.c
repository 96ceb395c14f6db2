#include "enforcer/ctl/lasts.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

unsigned long lasts_read(const char *text)
{
	static const struct { char name; unsigned long is; } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	const size_t digits = strspn(text, "0123456789");

	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (digits && digits <= 9 && text[digits] == units[i].name && !text[digits + 1])
			return strtoul(text, NULL, 10) * units[i].is;
	return 0;
}

void lasts_add(cJSON *to, unsigned long seconds)
{
	if (seconds)
		cJSON_AddNumberToObject(to, seconds % 60 ? "duration_seconds" : "duration_minutes",
					(double)(seconds % 60 ? seconds : seconds / 60));
}
