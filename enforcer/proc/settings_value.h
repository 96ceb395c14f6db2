/*
 * settings_value - what the value of a setting may be, by the kind in its row of setting.def.
 */
#ifndef TEG_PROC_SETTINGS_VALUE_H
#define TEG_PROC_SETTINGS_VALUE_H

#include "enforcer/proc/settings.h"

enum setting_kind {
	KIND_PATH, KIND_FILE, KIND_ENGINE, KIND_LISTEN, KIND_NAME, KIND_SWITCH, KIND_LIST, KIND_ROLE, KIND_KEY, KIND_CA,
	KIND_CERTS, KIND_CERT_ROLE, KIND_ROOM, KIND_FILES, KIND_RATE, KIND_URL, KIND_DRIFT, KIND_PERIOD,
};

struct setting_row {
	const char *name;
	size_t at; /* of the field in struct settings */
	enum setting_kind kind;
	const char *fallback, *about;
};

/* The text of the setting, as it was written. */
static inline const char **setting_at(struct settings *s, const struct setting_row *r)
{
	return (const char **)((char *)s + r->at);
}

/*
 * Reads that text into the field that holds what it means, when there is one. Settings that go together are held
 * against each other, so all texts must be there first.
 */
int setting_read(struct settings *s, struct arena *a, const struct setting_row *r, struct err *why);

#endif
