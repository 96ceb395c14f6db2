#include "lang/base/duration.h"

static const struct {
	const char *suffix;
	uint64_t worth;
} units[] = { { "d", 86400000000000 }, { "h", 3600000000000 }, { "m", 60000000000 }, { "s", 1000000000 },
	      { "ms", 1000000 }, { "us", 1000 }, { "ns", 1 } };

void duration_print(struct buf *out, uint64_t ns)
{
	size_t i = 0;

	while (ns % units[i].worth)
		i++;
	buf_printf(out, "%llu%s", (unsigned long long)(ns / units[i].worth), units[i].suffix);
}

void duration_say(struct buf *out, uint64_t ns)
{
	const char *space = "";

	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		if (ns < units[i].worth)
			continue;
		buf_printf(out, "%s%llu%s", space, (unsigned long long)(ns / units[i].worth), units[i].suffix);
		ns %= units[i].worth;
		space = " ";
	}
	if (!*space)
		buf_puts(out, "0s");
}
