/*
 * places - may tegd keep what it believes in these directories?
 *
 * Nothing is made. A directory that is not there yet must have one above it where it can be made. Who could write
 * into the state directory would say what is in force after the next start; who could into the run directory would
 * answer in tegd's place.
 */
#ifndef TEG_WARDEN_PLACES_H
#define TEG_WARDEN_PLACES_H

#include "enforcer/proc/settings.h"

int places_check(const struct settings *s, struct err *why);

/* For --check: the pin directory too, when the setting `engine` cannot do without. */
int places_check_pins(const struct settings *s, struct err *why);

#endif
