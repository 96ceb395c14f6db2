#include "lang/vocab/cause.h"

static const struct {
	const char *name, *id;
	enum verdict verdict;
	bool said;
} rows[CAUSE_COUNT] = {
#define PASS VERDICT_ALLOW
#define DROP VERDICT_DROP
#define FIXED false
#define SAID true
#define CAUSE(id, name, verdict, about, by) [CAUSE_##id] = { name, "malformed." name, verdict, by },
#include "bpf-templates/cause.def"
#undef CAUSE
#undef SAID
#undef FIXED
#undef DROP
#undef PASS
};

_Static_assert(CAUSE_COUNT <= 32, "a bit per cause");

const char *cause_name(enum cause c)
{
	return rows[c].name;
}

const char *cause_id(enum cause c)
{
	return rows[c].id;
}

enum verdict cause_verdict(enum cause c)
{
	return rows[c].verdict;
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
