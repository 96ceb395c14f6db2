/*
 * verify - what both halves ask: of code (verify.c), and of what it is bound to (verify_bound.c).
 */
#ifndef TEG_PLAYBOOK_VERIFY_H
#define TEG_PLAYBOOK_VERIFY_H

#include "lang/playbook/playbook.h"

/* Printable, not empty, no longer than names may be. */
bool play_name_is_sound(const char *s);

/* A time in ns that something can take: not none, and not beyond all use. */
bool play_time_is_sound(uint64_t ns);

#endif
