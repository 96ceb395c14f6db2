#include "lang/vocab/verdict.h"

const char *verdict_name(enum verdict v)
{
	static const char *const names[VERDICT_COUNT] = { "allow", "drop", "reject" };
	return names[v];
}

const char *direction_name(enum direction d)
{
	static const char *const names[DIRECTION_COUNT] = { "in", "forward", "out" };
	return names[d];
}

const char *layer_name(enum layer l)
{
	static const char *const names[LAYER_COUNT] = { "lifeline", "block", "reflex", "posture" };
	return names[l];
}

const char *established_name(enum established e)
{
	static const char *const names[ESTABLISHED_COUNT] = { "keep", "recheck", "cut" };
	return names[e];
}

const char *event_severity_name(enum event_severity s)
{
	static const char *const names[EVENT_SEVERITY_COUNT] = { "low", "medium", "high", "critical" };
	return names[s];
}

const char *ct_state_name(enum ct_state s)
{
	static const char *const names[CT_COUNT] = { "new", "established", "related", "invalid",
						     "untracked" };
	return names[s];
}
