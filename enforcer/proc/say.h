/*
 * say - one line to standard error, where a supervisor collects it. What an
 * operator must know; never a secret, never what /status also tells.
 */
#ifndef TEG_PROC_SAY_H
#define TEG_PROC_SAY_H

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
