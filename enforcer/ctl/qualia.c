/*
 * qualia - how it feels, as bars and numbers.
 */
#include "enforcer/ctl/call.h"
#include "enforcer/ctl/say.h"

#define BAR 24

static const struct {
	const char *name, *about;
} qualia[] = {
#define QUALE(id, name, about, formula) { name, about },
#include "enforcer/api/quale.def"
#undef QUALE
};

static void add_figure(struct buf *out, const cJSON *answer, const char *name, const char *about)
{
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(answer, name);

	buf_printf(out, "%-12s ", name);
	if (cJSON_IsNumber(value)) {
		double v = cJSON_GetNumberValue(value);

		buf_printf(out, "%4.2f  ", v);
		for (int i = 0; i < BAR; i++)
			buf_putc(out, i < (int)(v * BAR + 0.5) ? '#' : '.');
	} else {
		buf_printf(out, "   ?  %-*s", BAR, "not sampled yet");
	}
	buf_puts(out, "  ");
	say_add(out, COLOUR_DIM, about);
	buf_putc(out, '\n');
}

static void add_raw(struct buf *out, const cJSON *answer)
{
	const cJSON *raw = cJSON_GetObjectItemCaseSensitive(answer, "raw");

	buf_printf(out, "\nover %.0f s: %.1f packets/s (usually %.1f), %.0f bytes/s, %.1f/s admitted, %.1f/s dropped, "
		   "%.1f/s hostile; %.0f rules decided, %.0f sources blocked\n",
		   json_number(answer, "window_seconds"), json_number(raw, "packets_per_second"),
		   json_number(raw, "usual_packets_per_second"), json_number(raw, "bytes_per_second"),
		   json_number(raw, "admitted_per_second"), json_number(raw, "dropped_per_second"),
		   json_number(raw, "hostile_per_second"), json_number(raw, "rules_active"),
		   json_number(raw, "blocked_sources"));
}

static void add_qualia(struct buf *out, struct arena *a, const cJSON *answer)
{
	(void)a;
	for (size_t i = 0; i < sizeof qualia / sizeof *qualia; i++)
		add_figure(out, answer, qualia[i].name, qualia[i].about);
	add_raw(out, answer);
}

enum exit_code ctl_qualia(const struct ctl *c)
{
	return call_show(c, "/api/tegumentar/qualia", add_qualia);
}
