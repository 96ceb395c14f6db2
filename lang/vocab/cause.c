#include "lang/vocab/cause.h"

static const struct {
	const char *name;
	bool said;
} rows[CAUSE_COUNT] = {
#define FIXED false
#define SAID true
#define CAUSE(id, name, verdict, about, by) [CAUSE_##id] = { name, by },
#include "bpf-templates/cause.def"
#undef CAUSE
#undef SAID
#undef FIXED
};

_Static_assert(CAUSE_COUNT <= 32, "a bit per cause");

const char *cause_name(enum cause c)
{
	return rows[c].name;
}

bool cause_is_said(enum cause c)
{
	return rows[c].said;
}

void cause_names(struct buf *out, uint32_t causes)
{
	const char *before = "";

	for (unsigned c = 0; c < CAUSE_COUNT; c++) {
		if (!(causes >> c & 1))
			continue;
		buf_printf(out, "%s%s", before, rows[c].name);
		before = ", ";
	}
}
