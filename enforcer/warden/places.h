/*
 * places - may tegd keep what it believes in these directories?
 *
 * To look makes nothing. A directory that is not there yet must have one above it where it can be made. Who could write
 * into the state directory would say what is in force after the next start; who could into the run directory would
 * answer in tegd's place.
 */
#ifndef TEG_WARDEN_PLACES_H
#define TEG_WARDEN_PLACES_H

#include <sys/types.h>

#include "enforcer/proc/settings.h"

int places_check(const struct settings *s, struct err *why);

/* For --check: the pin directory too, when the setting `engine` cannot do without. */
int places_check_pins(const struct settings *s, struct err *why);

/* The directory, and those above it; one that is there stays as it is. */
int places_make(const char *path, mode_t mode, struct err *why);

#endif
